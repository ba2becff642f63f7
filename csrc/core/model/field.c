#include "model/field.h"

#include <string.h>

#include "model/declare.h"
#include "values/bits.h"
#include "values/typecheck.h"

static ldr_type type_of(const ldr_field *f) { return f->array ? LDR_T_ARRAY : ldr_ftype_get(f->type)->type; }

bool ldr_field_is(const ldr_field *f, ldr_type type) { return type_of(f) == type; }

bool ldr_field_is_text(const ldr_field *f) {
  return ldr_field_is(f, LDR_T_TEXT) || ldr_field_is(f, LDR_T_CHAR);
}

bool ldr_field_is_time(const ldr_field *f) {
  return ldr_field_is(f, LDR_T_TIME) || ldr_field_is(f, LDR_T_TIMESTAMP) || ldr_field_is(f, LDR_T_DATE);
}

bool ldr_field_has_seconds(const ldr_field *f) { return !f->array && ldr_ftype_has_seconds(f->type); }

/* Of arrays, what varchar(20)[], char(3)[] and bit(8)[] say of each element. */
static bool may_have_length(const ldr_field *f) {
  ldr_ftype t = f->type;
  if (!f->array) return ldr_field_is_text(f) || ldr_field_is(f, LDR_T_BYTES) || ldr_field_is(f, LDR_T_BITS);
  return f->min_len == 0 && (t == LDR_F_VARCHAR || t == LDR_F_CHAR || t == LDR_F_BIT || t == LDR_F_VARBIT);
}

bool ldr_field_is_limited(const ldr_field *f) {
  return f->min.type != LDR_T_NULL || f->max.type != LDR_T_NULL;
}

static bool has_limits(const ldr_field *f) {
  return ldr_field_is(f, LDR_T_INT) || ldr_field_is(f, LDR_T_FLOAT) || ldr_field_is(f, LDR_T_NUMERIC) ||
         ldr_field_is(f, LDR_T_DATE) || ldr_field_has_seconds(f);
}

const char *ldr_field_limit_fault(const ldr_field *f) {
  if (has_limits(f)) return NULL;
  return ldr_field_is_text(f) && f->type != LDR_F_ENUM
             ? "min and max are for numbers, times and intervals; a text's length has min_len and max_len"
             : "min and max are for numbers, times and intervals";
}

static const char *default_fault(const ldr_field *f) {
  switch (f->def) {
    case LDR_DEF_NONE:
    case LDR_DEF_VALUE: return NULL;
    case LDR_DEF_NOW:
      return ldr_field_is_time(f) ? NULL : "default now is for timestamptz, timestamp and date";
    case LDR_DEF_UUID:
      if (ldr_field_is(f, LDR_T_UUID)) return NULL;
      return ldr_field_is_text(f) && (f->max_len == 0 || f->max_len >= 36)
                 ? NULL
                 : "default uuid is for uuid and text of 36";
    case LDR_DEF_CUID:
      return ldr_field_is_text(f) && (f->max_len == 0 || f->max_len >= 25) ? NULL
                                                                           : "default cuid is for text of 25";
    case LDR_DEF_IDENTITY: return ldr_field_is(f, LDR_T_INT) ? NULL : "default identity is for integers";
    case LDR_DEF_DATABASE: return NULL;
  }
  return "has no known default";
}

static const char *field_fault(const ldr_field *f) {
  if ((unsigned)f->type >= LDR_F_UNKNOWN) return "has no known type";
  if (ldr_field_is_limited(f) && ldr_field_limit_fault(f)) return ldr_field_limit_fault(f);
  if ((f->min_len || f->max_len) && !may_have_length(f))
    return f->array ? "an array's elements have the length of their type alone: varchar(20)[]"
                    : "lengths are for text, varchar, char, bytea, bit and varbit";
  if ((f->type == LDR_F_CHAR || f->type == LDR_F_BIT) && f->max_len == 0)
    return "a char and a bit have a length: char(3), bit(8)";
  if (f->has_digits && (!ldr_ftype_has_seconds(f->type) || f->digits < 0 || f->digits > 6))
    return "digits of a second are 0 to 6, of a time, timestamp, timestamptz or interval";
  if (f->max_len && f->min_len > f->max_len) return "min_len is above max_len";
  if ((f->precision || f->scale) && f->type != LDR_F_NUMERIC) return "precision and scale are for numeric";
  if (f->precision < 0 || f->precision > 1000 || f->scale < 0 || f->scale > f->precision)
    return "precision is 1 to 1000, scale 0 to precision";
  if (f->nenums && !ldr_field_is(f, LDR_T_TEXT) && f->type != LDR_F_ENUM) return "enum is for text";
  if (f->type == LDR_F_ENUM && (f->nenums == 0 || f->sql_type == NULL))
    return "an enum has its labels in enum, in their order, and the type's name in sql_type";
  if (f->array && f->type == LDR_F_TSVECTOR)
    return "a tsvector is the words of one document: no index and no search is for arrays of them";
  if (f->type == LDR_F_TSVECTOR && !f->generated)
    return "a tsvector is the database's to make: generated = true";
  if (f->type == LDR_F_XML && (f->nenums || f->min_len || f->max_len))
    return "an xml has no lengths and no enum";
  if (f->type == LDR_F_CITEXT && f->sql_type)
    return "a citext has no sql_type: its extension is on the search path";
  if (f->array && f->sql_type && f->type != LDR_F_ENUM) return "arrays of a domain are not for stores";
  if (f->generated && (f->def != LDR_DEF_NONE || f->stamp_insert || f->stamp_update || f->version))
    return "what the database generates has no default and no stamp";
  if ((f->stamp_insert || f->stamp_update) && !ldr_field_is_time(f))
    return "stamps are for timestamptz, timestamp and date";
  if (f->stamp_insert && f->def != LDR_DEF_NONE && f->def != LDR_DEF_NOW)
    return "a stamp on insert leaves no room for a default";
  if (f->version &&
      (!ldr_field_is(f, LDR_T_INT) || f->null || f->immutable || f->stamp_insert || f->stamp_update))
    return "a version is an integer that is never null and may change";
  if (f->version && f->def != LDR_DEF_NONE) return "a version begins with 1: it has no default";
  if (f->stamp_update && f->immutable) return "an immutable field has no stamp on update";
  return default_fault(f);
}

static ldr_code copy_enums(ldr_schema *s, const ldr_entity *e, const ldr_field *f, const char *const **out,
                           ldr_err *err) {
  const char **list = ldr_arena_alloc(&s->arena, f->nenums * sizeof(char *));
  if (list == NULL) return ldr_fail_nomem(err);
  for (unsigned i = 0; i < f->nenums; i++) {
    ldr_value v = ldr_text(f->enums[i], strlen(f->enums[i]));
    if (ldr_typecheck("enum", LDR_F_TEXT, false, &v, err) != LDR_OK)
      return ldr_decl_fault(err, e, "field", f->name, "an enum text is not valid UTF-8");
    for (unsigned k = 0; k < i; k++)
      if (strcmp(list[k], f->enums[i]) == 0)
        return ldr_decl_fault(err, e, "field", f->name, "enum has \"%s\" twice", list[k]);
    list[i] = ldr_decl_copy(s, f->enums[i]);
    if (list[i] == NULL) return ldr_fail_nomem(err);
  }
  *out = list;
  return LDR_OK;
}

/* The labels as values: their place, then the text. They live as long as the schema. */
static ldr_code place_labels(ldr_schema *s, ldr_field *f, ldr_err *err) {
  ldr_value *places = ldr_arena_alloc(&s->arena, f->nenums * sizeof *places);
  if (places == NULL) return ldr_fail_nomem(err);
  for (unsigned i = 0; i < f->nenums; i++) {
    size_t n = strlen(f->enums[i]);
    char *p = ldr_arena_alloc(&s->arena, n + LDR_ENUM_HEAD);
    if (p == NULL) return ldr_fail_nomem(err);
    p[0] = (char)(i >> 8);
    p[1] = (char)i;
    memcpy(p + LDR_ENUM_HEAD, f->enums[i], n);
    places[i] = ldr_bytes_of(LDR_T_ENUM, p, n + LDR_ENUM_HEAD);
  }
  f->places = places;
  return LDR_OK;
}

/* The default was read as a text, or as an array of labels. */
static ldr_code place_default(const ldr_entity *e, ldr_field *f, ldr_err *err) {
  ldr_value *def = &f->def_value, stranger;
  const ldr_value *v = def;
  if (def->type == LDR_T_NULL) return LDR_OK; /* what ldr_decl_literal refuses */
  if (!f->array) v = ldr_enum_find(f->places, f->nenums, def->u.p, def->n);
  if (!v || (f->array && ldr_array_find_stranger(def->u.p, def->n, f->places, f->nenums, &stranger)))
    return ldr_decl_fault(err, e, "field", f->name, "default is not in its enum");
  f->def_value = *v;
  return LDR_OK;
}

/* The field's own texts of SQL; the type's name is quoted as a table's is. */
static ldr_code copy_sql(ldr_schema *s, const ldr_entity *e, ldr_field *f, ldr_err *err) {
  const char *relname;
  if (f->expression) {
    f->expression = ldr_decl_copy(s, f->expression);
    if (f->expression == NULL) return ldr_fail_nomem(err);
  }
  if (f->sql_type == NULL) return LDR_OK;
  return ldr_decl_quote(s, e, "type", f->sql_type, &f->sql_type, &relname, err);
}

bool ldr_field_in_enum(const ldr_field *f, const char *p, size_t n) {
  for (unsigned i = 0; i < f->nenums; i++)
    if (strlen(f->enums[i]) == n && memcmp(f->enums[i], p, n) == 0) return true;
  return f->nenums == 0;
}

/* The limits are rounded, and so is here what is compared with them. */
static bool within(const ldr_field *f, const ldr_value *v) {
  ldr_value rounded = *v;
  ldr_value_round(f->type, &rounded);
  return (f->min.type == LDR_T_NULL || ldr_value_cmp(&rounded, &f->min) >= 0) &&
         (f->max.type == LDR_T_NULL || ldr_value_cmp(&rounded, &f->max) <= 0);
}

static bool is_nan(const ldr_value *v) {
  return v->type == LDR_T_FLOAT ? v->u.f != v->u.f
                                : v->type == LDR_T_NUMERIC && v->n == 3 && memcmp(v->u.p, "NaN", 3) == 0;
}

static ldr_code keep_limit(ldr_schema *s, const ldr_entity *e, const ldr_field *f, const char *what,
                           ldr_value *limit, ldr_err *err) {
  ldr_field bare = *f; /* without the limits, to which a limit is not held itself */
  ldr_code code;
  if (limit->type == LDR_T_NULL) return LDR_OK;
  bare.min = bare.max = ldr_null();
  code = ldr_decl_literal(e, &bare, limit, what, err);
  if (code != LDR_OK) return code;
  if (is_nan(limit)) return ldr_decl_fault(err, e, "field", f->name, "%s is NaN, which limits nothing", what);
  ldr_value_round(f->type, limit);
  return ldr_value_copy(limit, &s->arena) ? LDR_OK : ldr_fail_nomem(err);
}

static ldr_code keep_limits(ldr_schema *s, const ldr_entity *e, ldr_field *f, ldr_err *err) {
  ldr_code code = keep_limit(s, e, f, "min", &f->min, err);
  if (code == LDR_OK) code = keep_limit(s, e, f, "max", &f->max, err);
  if (code != LDR_OK || f->min.type == LDR_T_NULL || f->max.type == LDR_T_NULL) return code;
  if (ldr_value_cmp(&f->min, &f->max) > 0)
    return ldr_decl_fault(err, e, "field", f->name, "min is above max");
  return LDR_OK;
}

ldr_code ldr_decl_literal(const ldr_entity *e, const ldr_field *f, const ldr_value *v, const char *what,
                          ldr_err *err) {
  ldr_code code;
  char why[200];
  if (v->type == LDR_T_NULL) return ldr_decl_fault(err, e, "field", f->name, "%s is null", what);
  err->code = LDR_OK; /* *err may hold an older validation, to which ldr_typecheck would add */
  code = ldr_typecheck(what, f->type, f->array, v, err);
  if (code == LDR_INVALID) {
    ldr_err_set(why, sizeof why, err->message);
    return ldr_decl_fault(err, e, "field", f->name, "%s", why);
  }
  if (code != LDR_OK) return code;
  if (f->nenums && v->type == LDR_T_TEXT && !ldr_field_in_enum(f, v->u.p, v->n))
    return ldr_decl_fault(err, e, "field", f->name, "%s is not in its enum", what);
  if (f->type == LDR_F_BIT && v->type == LDR_T_BITS && ldr_bits_count(v->u.p) != f->max_len)
    return ldr_decl_fault(err, e, "field", f->name, "%s has %u bits, not %u", what,
                          (unsigned)ldr_bits_count(v->u.p), (unsigned)f->max_len);
  if (ldr_field_is_limited(f) && !within(f, v))
    return ldr_decl_fault(err, e, "field", f->name, "%s is not between min and max", what);
  return LDR_OK;
}

bool ldr_field_set_name(ldr_field *f, const char *name, const char *column, ldr_arena *a) {
  f->name = ldr_arena_copy(a, name, strlen(name));
  f->column = column == name ? f->name : ldr_arena_copy(a, column, strlen(column));
  f->sql = ldr_sql_own_column(column, a, &f->sql_n);
  return f->name && f->column && f->sql;
}

static ldr_code check_names(const ldr_entity *e, const ldr_field *f, const char *column, ldr_err *err) {
  int other;
  if (!ldr_decl_name_ok(f->name))
    return ldr_decl_fault(err, e, "field", f->name ? f->name : "", LDR_NAME_RULE);
  if (ldr_entity_field(e, f->name, strlen(f->name)) >= 0)
    return ldr_decl_fault(err, e, "field", f->name, "is declared twice");
  if (!ldr_decl_sql_name_ok(column))
    return ldr_decl_fault(err, e, "field", f->name, "its column: " LDR_SQL_NAME_RULE);
  other = ldr_entity_column(e, column, strlen(column));
  if (other >= 0)
    return ldr_decl_fault(err, e, "field", f->name, "its column \"%s\" is that of field %s", column,
                          e->fields[other].name);
  return LDR_OK;
}

ldr_code ldr_entity_add_field(ldr_schema *s, ldr_entity *e, const ldr_field *f, ldr_err *err) {
  ldr_field copy = *f, *list;
  const char *why, *column = f->column ? f->column : f->name;
  ldr_code code = check_names(e, f, column, err);
  if (code != LDR_OK) return code;
  if (e->nfields == LDR_MAX_FIELDS)
    return ldr_decl_fault(err, e, "field", f->name, "is one too many: a store has at most %d",
                          LDR_MAX_FIELDS);
  why = field_fault(f);
  if (why) return ldr_decl_fault(err, e, "field", f->name, "%s", why);
  if (f->nenums) code = copy_enums(s, e, f, &copy.enums, err);
  if (code == LDR_OK && f->type == LDR_F_ENUM) code = place_labels(s, &copy, err);
  if (code == LDR_OK && f->type == LDR_F_ENUM && f->def == LDR_DEF_VALUE) code = place_default(e, &copy, err);
  if (code == LDR_OK) code = copy_sql(s, e, &copy, err);
  if (code == LDR_OK) code = keep_limits(s, e, &copy, err);
  if (code == LDR_OK && f->def == LDR_DEF_VALUE)
    code = ldr_decl_literal(e, &copy, &copy.def_value, "default", err);
  if (code != LDR_OK) return code;
  if (f->stamp_insert) copy.def = LDR_DEF_NOW;
  if (f->version) {
    copy.def = LDR_DEF_VALUE;
    copy.def_value = ldr_int(1);
  }
  ldr_value_round(f->type, &copy.def_value);
  copy.value_type = type_of(f);
  list = ldr_decl_grow(s, e->fields, e->nfields, sizeof *list);
  if (list == NULL || !ldr_field_set_name(&copy, f->name, column, &s->arena)) return ldr_fail_nomem(err);
  if (copy.def == LDR_DEF_VALUE && !ldr_value_copy(&copy.def_value, &s->arena)) return ldr_fail_nomem(err);
  e->fields = list;
  e->generates = e->generates || copy.generated || ldr_ftype_is_servers(copy.type);
  list[e->nfields++] = copy;
  return LDR_OK;
}

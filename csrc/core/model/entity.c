#include "model/entity.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "values/bits.h"
#include "values/typecheck.h"

/* ---- faults ---- */

/* "shop.users: field "email": …": where the declaration is wrong, then what is wrong there. */
static ldr_code fault(ldr_err *err, const ldr_entity *e, const char *kind, const char *name, const char *fmt,
                      ...) LDR_PRINTF(5, 6);
static ldr_code fault(ldr_err *err, const ldr_entity *e, const char *kind, const char *name, const char *fmt,
                      ...) {
  char what[256];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(what, sizeof what, fmt, ap);
  va_end(ap);
  return ldr_fail(err, LDR_INVALID, "%s.%s: %s \"%.80s\": %s", e->schema->name, e->name, kind, name, what);
}

bool ldr_name_ok(const char *name, size_t n) {
  if (n == 0 || n > 63) return false;
  for (size_t i = 0; i < n; i++) {
    char c = name[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!letter && (i == 0 || c < '0' || c > '9')) return false;
  }
  return true;
}

#define NAME_RULE "names are letters, digits and underscores, at most 63 bytes, and begin with no digit"

static bool name_ok(const char *name) { return name && ldr_name_ok(name, strlen(name)); }

/* ---- the arena ---- */

static char *copy_text(ldr_schema *s, const char *text) {
  return ldr_arena_copy(&s->arena, text, strlen(text));
}

/* Room for item n of a list: lists double when n is a power of two, so none stores a capacity. */
static void *grow(ldr_schema *s, void *list, size_t n, size_t size) {
  void *p;
  if (n & (n - 1)) return list;
  p = ldr_arena_zalloc(&s->arena, (n ? n * 2 : 1) * size);
  if (p && n) memcpy(p, list, n * size);
  return p;
}

/* ---- schema and entities ---- */

ldr_code ldr_schema_new(const char *name, ldr_schema **out, ldr_err *err) {
  ldr_schema *s;
  if (!name_ok(name)) return ldr_fail(err, LDR_INVALID, "family \"%.80s\": " NAME_RULE, name ? name : "");
  s = ldr_alloc(sizeof *s);
  if (s == NULL) goto nomem;
  atomic_init(&s->refs, 1);
  s->name = copy_text(s, name);
  if (s->name == NULL) goto nomem;
  *out = s;
  return LDR_OK;

nomem:
  ldr_schema_release(s);
  return ldr_fail_nomem(err);
}

ldr_schema *ldr_schema_retain(ldr_schema *s) {
  atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
  return s;
}

void ldr_schema_release(ldr_schema *s) {
  if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) return;
  ldr_arena_free(&s->arena);
  ldr_free(s);
}

ldr_entity *ldr_schema_find(const ldr_schema *s, const char *name) {
  for (unsigned i = 0; i < s->nentities; i++)
    if (strcmp(s->entities[i]->name, name) == 0) return s->entities[i];
  return NULL;
}

/* schema.name or name → "schema"."name", name. */
static ldr_code quote_name(ldr_schema *s, const ldr_entity *e, const char *kind, const char *text,
                           const char **out, const char **last, ldr_err *err) {
  const char *dot = text ? strchr(text, '.') : NULL, *rel = dot ? dot + 1 : text;
  size_t n = 0, size;
  char *quoted;
  if (!name_ok(rel) || (dot && !ldr_name_ok(text, (size_t)(dot - text))))
    return ldr_fail(err, LDR_INVALID, "%s.%s: %s \"%.160s\": " NAME_RULE, s->name, e->name, kind,
                    text ? text : "");
  size = strlen(text) + 5; /* four quotes and the zero */
  quoted = ldr_arena_alloc(&s->arena, size);
  *last = copy_text(s, rel);
  if (quoted == NULL || *last == NULL) return ldr_fail_nomem(err);
  if (dot) n = (size_t)snprintf(quoted, size, "\"%.*s\".", (int)(dot - text), text);
  snprintf(quoted + n, size - n, "\"%s\"", rel);
  *out = quoted;
  return LDR_OK;
}

static ldr_code set_table(ldr_schema *s, ldr_entity *e, const char *table, ldr_err *err) {
  return quote_name(s, e, "table", table, &e->table, &e->relname, err);
}

ldr_code ldr_schema_add(ldr_schema *s, const char *name, const char *table, ldr_entity **out, ldr_err *err) {
  ldr_entity *e, **list;
  ldr_code code;
  if (!name_ok(name))
    return ldr_fail(err, LDR_INVALID, "%s: store \"%.80s\": " NAME_RULE, s->name, name ? name : "");
  if (ldr_schema_find(s, name)) return ldr_fail(err, LDR_INVALID, "%s.%s: is declared twice", s->name, name);
  e = ldr_arena_zalloc(&s->arena, sizeof *e);
  if (e == NULL) return ldr_fail_nomem(err);
  e->schema = s;
  e->id = s->nentities;
  e->tenant = e->soft_delete = -1;
  e->name = copy_text(s, name);
  if (e->name == NULL) return ldr_fail_nomem(err);
  code = set_table(s, e, table, err);
  if (code != LDR_OK) return code;
  for (unsigned i = 0; i < s->nentities; i++)
    if (strcmp(s->entities[i]->table, e->table) == 0)
      return ldr_fail(err, LDR_INVALID, "%s.%s: table %s belongs to store %s", s->name, name, e->table,
                      s->entities[i]->name);
  list = grow(s, s->entities, s->nentities, sizeof(ldr_entity *));
  if (list == NULL) return ldr_fail_nomem(err);
  s->entities = list;
  list[s->nentities++] = e;
  *out = e;
  return LDR_OK;
}

int ldr_entity_field(const ldr_entity *e, const char *name, size_t n) {
  for (unsigned i = 0; i < e->nfields; i++)
    if (strncmp(e->fields[i].name, name, n) == 0 && e->fields[i].name[n] == '\0') return (int)i;
  return -1;
}

bool ldr_entity_in_key(const ldr_entity *e, unsigned field) {
  for (unsigned i = 0; i < e->key.n; i++)
    if (e->key.field[i] == field) return true;
  return false;
}

static ldr_type type_of(const ldr_field *f) { return f->array ? LDR_T_ARRAY : ldr_ftype_get(f->type)->type; }

/* ---- fields ---- */

static bool is(const ldr_field *f, ldr_type type) { return type_of(f) == type; }

static bool is_text(const ldr_field *f) { return is(f, LDR_T_TEXT) || is(f, LDR_T_CHAR); }

bool ldr_field_is_time(const ldr_field *f) {
  return is(f, LDR_T_TIME) || is(f, LDR_T_TIMESTAMP) || is(f, LDR_T_DATE);
}

bool ldr_field_has_seconds(const ldr_field *f) {
  return is(f, LDR_T_TIME) || is(f, LDR_T_TIMESTAMP) || is(f, LDR_T_CLOCK) || is(f, LDR_T_INTERVAL);
}

static const char *default_fault(const ldr_field *f) {
  switch (f->def) {
    case LDR_DEF_NONE:
    case LDR_DEF_VALUE: return NULL;
    case LDR_DEF_NOW:
      return ldr_field_is_time(f) ? NULL : "default now is for timestamptz, timestamp and date";
    case LDR_DEF_UUID:
      if (is(f, LDR_T_UUID)) return NULL;
      return is_text(f) && (f->max_len == 0 || f->max_len >= 36) ? NULL
                                                                 : "default uuid is for uuid and text of 36";
    case LDR_DEF_CUID:
      return is_text(f) && (f->max_len == 0 || f->max_len >= 25) ? NULL : "default cuid is for text of 25";
    case LDR_DEF_IDENTITY: return is(f, LDR_T_INT) ? NULL : "default identity is for integers";
    case LDR_DEF_DATABASE: return NULL;
  }
  return "has no known default";
}

static const char *field_fault(const ldr_field *f) {
  if ((unsigned)f->type >= LDR_F_UNKNOWN) return "has no known type";
  if ((f->has_min || f->has_max) && !is(f, LDR_T_INT)) return "min and max are for integers";
  if (f->has_min && f->has_max && f->min > f->max) return "min is above max";
  if (f->type == LDR_F_CHAR && f->array)
    return "arrays of char have no padding here: use text[] or varchar[]";
  if (f->type == LDR_F_BIT && f->array) return "arrays of bit have no length here: use varbit[]";
  if ((f->min_len || f->max_len) && !is_text(f) && !is(f, LDR_T_BYTES) && !is(f, LDR_T_BITS))
    return f->array ? "lengths are not checked in arrays, so none is declared"
                    : "lengths are for text, varchar, char, bytea, bit and varbit";
  if ((f->type == LDR_F_CHAR || f->type == LDR_F_BIT) && f->max_len == 0)
    return "a char and a bit have a length: char(3), bit(8)";
  if (f->has_digits && (!ldr_field_has_seconds(f) || f->digits < 0 || f->digits > 6))
    return "digits of a second are 0 to 6, of a time, timestamp, timestamptz or interval";
  if (f->max_len && f->min_len > f->max_len) return "min_len is above max_len";
  if ((f->precision || f->scale) && !is(f, LDR_T_NUMERIC)) return "precision and scale are for numeric";
  if (f->precision < 0 || f->precision > 1000 || f->scale < 0 || f->scale > f->precision)
    return "precision is 1 to 1000, scale 0 to precision";
  if (f->nenums && !is(f, LDR_T_TEXT) && f->type != LDR_F_ENUM) return "enum is for text";
  if (f->type == LDR_F_ENUM && f->array) return "arrays of an enum are not for stores: text[] is";
  if (f->type == LDR_F_ENUM && (f->nenums == 0 || f->sql_type == NULL))
    return "an enum has its labels in enum, in their order, and the type's name in sql_type";
  if (f->array && (ldr_ftype_is_servers(f->type) || f->type == LDR_F_TSVECTOR))
    return "arrays of citext, xml and tsvector are not for stores";
  if (f->array && ldr_ftype_get(f->type)->type == LDR_T_RANGE)
    return "arrays of ranges are not for stores: a store with one range a row is";
  if (f->type == LDR_F_TSVECTOR && !f->generated)
    return "a tsvector is the database's to make: generated = true";
  if (f->type == LDR_F_XML && (f->nenums || f->min_len || f->max_len))
    return "an xml has no lengths and no enum";
  if (f->type == LDR_F_CITEXT && f->sql_type)
    return "a citext has no sql_type: its extension is on the search path";
  if (f->array && f->sql_type) return "arrays of a domain are not for stores";
  if (f->generated && (f->def != LDR_DEF_NONE || f->stamp_insert || f->stamp_update || f->version))
    return "what the database generates has no default and no stamp";
  if ((f->stamp_insert || f->stamp_update) && !ldr_field_is_time(f))
    return "stamps are for timestamptz, timestamp and date";
  if (f->stamp_insert && f->def != LDR_DEF_NONE && f->def != LDR_DEF_NOW)
    return "a stamp on insert leaves no room for a default";
  if (f->version && (!is(f, LDR_T_INT) || f->null || f->immutable || f->stamp_insert || f->stamp_update))
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
      return fault(err, e, "field", f->name, "an enum text is not valid UTF-8");
    for (unsigned k = 0; k < i; k++)
      if (strcmp(list[k], f->enums[i]) == 0)
        return fault(err, e, "field", f->name, "enum has \"%s\" twice", list[k]);
    list[i] = copy_text(s, f->enums[i]);
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

/* The default was read as a text. */
static ldr_code place_default(const ldr_entity *e, ldr_field *f, ldr_err *err) {
  const ldr_value *v = ldr_enum_find(f->places, f->nenums, f->def_value.u.p, f->def_value.n);
  if (v == NULL) return fault(err, e, "field", f->name, "default is not in its enum");
  f->def_value = *v;
  return LDR_OK;
}

/* The field's own texts of SQL; the type's name is quoted as a table's is. */
static ldr_code copy_sql(ldr_schema *s, const ldr_entity *e, ldr_field *f, ldr_err *err) {
  const char *relname;
  if (f->expression) {
    f->expression = copy_text(s, f->expression);
    if (f->expression == NULL) return ldr_fail_nomem(err);
  }
  if (f->sql_type == NULL) return LDR_OK;
  return quote_name(s, e, "type", f->sql_type, &f->sql_type, &relname, err);
}

bool ldr_field_in_enum(const ldr_field *f, const char *p, size_t n) {
  for (unsigned i = 0; i < f->nenums; i++)
    if (strlen(f->enums[i]) == n && memcmp(f->enums[i], p, n) == 0) return true;
  return f->nenums == 0;
}

/* A value written in a declaration (default, condition of a unique): of the field's type, and possible. */
static ldr_code literal_fits(const ldr_entity *e, const ldr_field *f, const ldr_value *v, const char *what,
                             ldr_err *err) {
  ldr_code code;
  char why[200];
  if (v->type == LDR_T_NULL) return fault(err, e, "field", f->name, "%s is null", what);
  err->code = LDR_OK; /* *err may hold an older validation, to which ldr_typecheck would add */
  code = ldr_typecheck(what, f->type, f->array, v, err);
  if (code == LDR_INVALID) {
    ldr_err_set(why, sizeof why, err->message);
    return fault(err, e, "field", f->name, "%s", why);
  }
  if (code != LDR_OK) return code;
  if (f->nenums && v->type == LDR_T_TEXT && !ldr_field_in_enum(f, v->u.p, v->n))
    return fault(err, e, "field", f->name, "%s is not in its enum", what);
  if (f->type == LDR_F_BIT && v->type == LDR_T_BITS && ldr_bits_count(v->u.p) != f->max_len)
    return fault(err, e, "field", f->name, "%s has %u bits, not %u", what, (unsigned)ldr_bits_count(v->u.p),
                 (unsigned)f->max_len);
  if ((f->has_min && v->u.i < f->min) || (f->has_max && v->u.i > f->max))
    return fault(err, e, "field", f->name, "%s is not between min and max", what);
  return LDR_OK;
}

bool ldr_field_set_name(ldr_field *f, const char *name, ldr_arena *a) {
  size_t n = strlen(name);
  char *p = ldr_arena_alloc(a, 2 * n + 6);
  if (p == NULL) return false;
  memcpy(p, name, n + 1);
  f->name = p;
  p += n + 1;
  memcpy(p, "t.\"", 3);
  memcpy(p + 3, name, n);
  memcpy(p + 3 + n, "\"", 2);
  f->column = p;
  f->column_n = (uint32_t)n + 4;
  return true;
}

ldr_code ldr_entity_add_field(ldr_schema *s, ldr_entity *e, const ldr_field *f, ldr_err *err) {
  ldr_field copy = *f, *list;
  const char *why;
  ldr_code code = LDR_OK;
  if (!name_ok(f->name)) return fault(err, e, "field", f->name ? f->name : "", NAME_RULE);
  if (ldr_entity_field(e, f->name, strlen(f->name)) >= 0)
    return fault(err, e, "field", f->name, "is declared twice");
  if (strcmp(f->name, "larder_n") == 0) /* what a limit for each value is counted in */
    return fault(err, e, "field", f->name, "is a name that statements of larder use themselves");
  if (e->nfields == LDR_MAX_FIELDS)
    return fault(err, e, "field", f->name, "is one too many: a store has at most %d", LDR_MAX_FIELDS);
  why = field_fault(f);
  if (why) return fault(err, e, "field", f->name, "%s", why);
  if (f->nenums) code = copy_enums(s, e, f, &copy.enums, err);
  if (code == LDR_OK && f->type == LDR_F_ENUM) code = place_labels(s, &copy, err);
  if (code == LDR_OK && f->type == LDR_F_ENUM && f->def == LDR_DEF_VALUE) code = place_default(e, &copy, err);
  if (code == LDR_OK) code = copy_sql(s, e, &copy, err);
  if (code == LDR_OK && f->def == LDR_DEF_VALUE) code = literal_fits(e, f, &copy.def_value, "default", err);
  if (code != LDR_OK) return code;
  if (f->stamp_insert) copy.def = LDR_DEF_NOW;
  if (f->version) {
    copy.def = LDR_DEF_VALUE;
    copy.def_value = ldr_int(1);
  }
  ldr_value_round(f->type, &copy.def_value);
  copy.value_type = type_of(f);
  list = grow(s, e->fields, e->nfields, sizeof *list);
  if (list == NULL || !ldr_field_set_name(&copy, f->name, &s->arena)) return ldr_fail_nomem(err);
  if (copy.def == LDR_DEF_VALUE && !ldr_value_copy(&copy.def_value, &s->arena)) return ldr_fail_nomem(err);
  e->fields = list;
  e->generates = e->generates || copy.generated || ldr_ftype_is_servers(copy.type);
  list[e->nfields++] = copy;
  return LDR_OK;
}

/* ---- keys, uniques, indexes: lists of fields that can be compared ---- */

bool ldr_field_has_equality(const ldr_field *f) {
  return f->type != LDR_F_JSON && f->type != LDR_F_XML && f->type != LDR_F_TSVECTOR;
}

bool ldr_field_comparable(const ldr_field *f) {
  return !is(f, LDR_T_JSON) && !is(f, LDR_T_ARRAY) && ldr_field_has_equality(f);
}

/* The number of one field named in a part (key, unique, …) of the declaration. */
static ldr_code resolve_one(const ldr_entity *e, const char *kind, const char *part, const char *field,
                            uint16_t *out, ldr_err *err) {
  int i = ldr_entity_field(e, field, strlen(field));
  if (i < 0) return fault(err, e, kind, part, "there is no field \"%.80s\"", field);
  if (e->fields[i].generated && strcmp(kind, "index") != 0)
    return fault(err, e, kind, part, "field %s is generated by PostgreSQL: memory cannot hold to it", field);
  if (!ldr_field_comparable(&e->fields[i]))
    return fault(err, e, kind, part, "field %s: json, xml, tsvector and arrays have no order", field);
  if (e->fields[i].type == LDR_F_CITEXT && (strcmp(kind, "key") == 0 || strcmp(kind, "reference") == 0))
    return fault(err, e, kind, part, "field %s: what a citext equals is PostgreSQL's to say, so it is no key",
                 field);
  *out = (uint16_t)i;
  return LDR_OK;
}

/* A new, named or (index) unnamed, part of the declaration: its fields, without repetition. */
static ldr_code resolve(const ldr_entity *e, const char *kind, const char *part, const char *const *fields,
                        unsigned n, uint16_t *out, ldr_err *err) {
  if (n == 0 || n > LDR_MAX_KEY) return fault(err, e, kind, part, "has 1 to %d fields", LDR_MAX_KEY);
  for (unsigned i = 0; i < n; i++) {
    ldr_code code = resolve_one(e, kind, part, fields[i], &out[i], err);
    if (code != LDR_OK) return code;
    for (unsigned k = 0; k < i; k++)
      if (out[k] == out[i]) return fault(err, e, kind, part, "names field %s twice", fields[i]);
  }
  return LDR_OK;
}

static ldr_code check_constraint(const ldr_entity *e, const char *kind, const char *name, ldr_err *err) {
  bool taken = false;
  if (!name_ok(name)) return fault(err, e, kind, name ? name : "", NAME_RULE);
  if (e->key.n) taken = strcmp(e->key.name, name) == 0;
  for (unsigned i = 0; i < e->nuniques; i++) taken = taken || strcmp(e->uniques[i].name, name) == 0;
  for (unsigned i = 0; i < e->nrefs; i++) taken = taken || strcmp(e->refs[i].name, name) == 0;
  return taken ? fault(err, e, kind, name, "the name is taken by another constraint") : LDR_OK;
}

/* What a key and a unique have in common. */
static ldr_code make_unique(ldr_schema *s, const ldr_entity *e, const char *kind, const char *constraint,
                            const char *const *fields, unsigned n, ldr_unique *out, ldr_err *err) {
  ldr_unique u = {.n = n};
  ldr_code code = check_constraint(e, kind, constraint, err);
  if (code == LDR_OK) code = resolve(e, kind, constraint, fields, n, u.field, err);
  if (code != LDR_OK) return code;
  u.name = copy_text(s, constraint);
  if (u.name == NULL) return ldr_fail_nomem(err);
  *out = u;
  return LDR_OK;
}

ldr_code ldr_entity_set_key(ldr_schema *s, ldr_entity *e, const char *constraint, const char *const *fields,
                            unsigned n, ldr_err *err) {
  ldr_unique key;
  ldr_code code;
  if (e->key.n) return fault(err, e, "key", constraint ? constraint : "", "the store has a key already");
  code = make_unique(s, e, "key", constraint, fields, n, &key, err);
  if (code != LDR_OK) return code;
  for (unsigned i = 0; i < n; i++) {
    const ldr_field *f = &e->fields[key.field[i]];
    if (f->null) return fault(err, e, "key", constraint, "field %s may be null", f->name);
    if (f->stamp_update) return fault(err, e, "key", constraint, "field %s has a stamp on update", f->name);
  }
  for (unsigned i = 0; i < n; i++) e->fields[key.field[i]].immutable = true;
  e->key = key;
  return LDR_OK;
}

ldr_code ldr_entity_add_unique(ldr_schema *s, ldr_entity *e, const char *constraint,
                               const char *const *fields, unsigned n, ldr_err *err) {
  ldr_unique *list = grow(s, e->uniques, e->nuniques, sizeof *list);
  ldr_code code;
  if (list == NULL) return ldr_fail_nomem(err);
  code = make_unique(s, e, "unique", constraint, fields, n, &list[e->nuniques], err);
  if (code != LDR_OK) return code;
  e->uniques = list;
  e->nuniques++;
  return LDR_OK;
}

ldr_code ldr_entity_unique_when(ldr_schema *s, ldr_entity *e, const char *field, const ldr_value *value,
                                ldr_err *err) {
  const unsigned max = sizeof e->key.when / sizeof e->key.when[0];
  ldr_unique *u;
  uint16_t number;
  ldr_value copy = ldr_null();
  ldr_code code;
  if (e->nuniques == 0) return fault(err, e, "field", field, "a condition comes after its unique");
  u = &e->uniques[e->nuniques - 1];
  if (u->nwhen == max) return fault(err, e, "unique", u->name, "has at most %u conditions", max);
  code = resolve_one(e, "unique", u->name, field, &number, err);
  if (code == LDR_OK && value) code = literal_fits(e, &e->fields[number], value, "condition", err);
  if (code != LDR_OK) return code;
  if (value) copy = *value;
  ldr_value_round(e->fields[number].type, &copy);
  if (!ldr_value_copy(&copy, &s->arena)) return ldr_fail_nomem(err);
  u->when[u->nwhen].field = number;
  u->when[u->nwhen].is_null = value == NULL;
  u->when[u->nwhen].value = copy;
  u->nwhen++;
  return LDR_OK;
}

ldr_code ldr_entity_add_index(ldr_schema *s, ldr_entity *e, const char *const *fields, unsigned n,
                              ldr_err *err) {
  ldr_index *list = grow(s, e->indexes, e->nindexes, sizeof *list), x = {.n = n};
  const char *names[LDR_MAX_KEY];
  ldr_code code;
  if (list == NULL) return ldr_fail_nomem(err);
  for (unsigned i = 0; i < n && i < LDR_MAX_KEY; i++) {
    x.desc[i] = fields[i][0] == '-';
    names[i] = fields[i] + x.desc[i];
  }
  code = resolve(e, "index", n ? fields[0] : "", names, n, x.field, err);
  if (code != LDR_OK) return code;
  list[e->nindexes++] = x;
  e->indexes = list;
  return LDR_OK;
}

/* ---- references ---- */

/* The fields that a deleted target sets to null: some of the reference's own, all of which may be null. */
static ldr_code resolve_set_null(const ldr_entity *e, ldr_ref *r, const char *const *fields, unsigned n,
                                 ldr_err *err) {
  const uint16_t *list = n ? r->set_null : r->field;
  unsigned count = n ? n : r->n;
  ldr_code code = n ? resolve(e, "reference", r->name, fields, n, r->set_null, err) : LDR_OK;
  if (code != LDR_OK) return code;
  if (n && r->on_delete != LDR_SET_NULL)
    return fault(err, e, "reference", r->name, "set_null goes with on_delete set_null");
  r->nset_null = n;
  if (r->on_delete != LDR_SET_NULL) return LDR_OK;
  for (unsigned i = 0; i < count; i++) {
    bool own = false;
    for (unsigned k = 0; k < r->n; k++) own = own || r->field[k] == list[i];
    if (!own) return fault(err, e, "reference", r->name, "field %s is not part of it", fields[i]);
    if (!e->fields[list[i]].null)
      return fault(err, e, "reference", r->name, "field %s cannot be set to null", e->fields[list[i]].name);
  }
  return LDR_OK;
}

ldr_code ldr_entity_add_ref(ldr_schema *s, ldr_entity *e, const char *constraint, const char *const *fields,
                            unsigned n, const char *target, ldr_action on_delete, const char *const *set_null,
                            unsigned nset_null, ldr_err *err) {
  ldr_ref *list = grow(s, e->refs, e->nrefs, sizeof *list), r = {.n = n, .on_delete = on_delete};
  ldr_code code = check_constraint(e, "reference", constraint, err);
  if (code == LDR_OK && list == NULL) code = ldr_fail_nomem(err);
  if (code == LDR_OK) code = resolve(e, "reference", constraint, fields, n, r.field, err);
  if (code != LDR_OK) return code;
  if ((unsigned)on_delete > LDR_SET_NULL)
    return fault(err, e, "reference", constraint, "has no known on_delete");
  r.target = ldr_schema_find(s, target);
  if (r.target == NULL || r.target->id > e->id)
    return fault(err, e, "reference", constraint, "store \"%.80s\" is not declared before this one", target);
  r.name = copy_text(s, constraint);
  if (r.name == NULL) return ldr_fail_nomem(err);
  code = resolve_set_null(e, &r, set_null, nset_null, err);
  if (code != LDR_OK) return code;
  list[e->nrefs++] = r;
  e->refs = list;
  return LDR_OK;
}

/* ---- roles of fields ---- */

ldr_code ldr_entity_set_tenant(ldr_entity *e, const char *field, ldr_err *err) {
  int i = ldr_entity_field(e, field, strlen(field));
  if (i < 0) return fault(err, e, "tenant", field, "there is no such field");
  if (!is_text(&e->fields[i]) && !is(&e->fields[i], LDR_T_UUID) && !is(&e->fields[i], LDR_T_INT))
    return fault(err, e, "tenant", field, "a tenant is a text, uuid or integer");
  if (e->fields[i].null) return fault(err, e, "tenant", field, "a tenant is never null");
  e->tenant = i;
  return LDR_OK;
}

ldr_code ldr_entity_set_soft_delete(ldr_entity *e, const char *field, ldr_err *err) {
  int i = ldr_entity_field(e, field, strlen(field));
  if (i < 0) return fault(err, e, "soft_delete", field, "there is no such field");
  if (!is(&e->fields[i], LDR_T_TIME) || !e->fields[i].null)
    return fault(err, e, "soft_delete", field, "the marker is a timestamptz that may be null");
  e->soft_delete = i;
  return LDR_OK;
}

/* ---- finish ---- */

/* A reference fits its target's key in number, order and type; the target learns of it. */
static ldr_code link_ref(ldr_entity *e, unsigned number, ldr_err *err) {
  ldr_ref *r = &e->refs[number];
  ldr_entity *t = r->target;
  void *children;
  if (r->n != t->key.n)
    return fault(err, e, "reference", r->name, "has %u fields, the key of %s has %u", r->n, t->name,
                 t->key.n);
  for (unsigned i = 0; i < r->n; i++) {
    const ldr_field *here = &e->fields[r->field[i]], *there = &t->fields[t->key.field[i]];
    if (here->type != there->type)
      return fault(err, e, "reference", r->name, "field %s is %s, %s of %s is %s", here->name,
                   ldr_ftype_get(here->type)->name, there->name, t->name, ldr_ftype_get(there->type)->name);
    r->target_field[i] = t->key.field[i];
  }
  children = grow(e->schema, t->children, t->nchildren, sizeof *t->children);
  if (children == NULL) return ldr_fail_nomem(err);
  t->children = children;
  t->children[t->nchildren].entity = e;
  t->children[t->nchildren].ref = number;
  t->nchildren++;
  return LDR_OK;
}

ldr_code ldr_schema_finish(ldr_schema *s, ldr_err *err) {
  for (unsigned i = 0; i < s->nentities; i++) {
    ldr_entity *e = s->entities[i];
    if (e->key.n == 0) return ldr_fail(err, LDR_INVALID, "%s.%s: has no key", s->name, e->name);
    e->nchildren = 0;
    e->children = NULL;
  }
  for (unsigned i = 0; i < s->nentities; i++)
    for (unsigned k = 0; k < s->entities[i]->nrefs; k++) {
      ldr_code code = link_ref(s->entities[i], k, err);
      if (code != LDR_OK) return code;
    }
  return LDR_OK;
}

#include "lua/store/decl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "lua/base/int.h"
#include "lua/base/misuse.h"
#include "lua/base/table.h"

void l_decl_fail(const l_decl *d, const char *fmt, ...) {
  va_list ap;
  l_caller_push(d->L);
  lua_pushfstring(d->L,
                  d->store ? "larder.declare: declaration of %s.%s: " : "larder.declare: declaration of %s: ",
                  d->family, d->store);
  va_start(ap, fmt);
  lua_pushvfstring(d->L, fmt, ap);
  va_end(ap);
  lua_concat(d->L, 3);
  lua_error(d->L);
}

void l_decl_check(const l_decl *d, ldr_code code) {
  if (code != LDR_OK) l_misuse(d->L, "%s", d->w->err.message);
}

static void check_shape(const l_decl *d, int idx, l_shape shape, const char *what) {
  const char *why = l_shape_fault(d->L, idx, shape);
  if (why) l_decl_fail(d, "%s %s", what, why);
}

/* The entry's name is on top. */
static void unknown_entry(const l_decl *d, const char *what, const char *const *keys) {
  const char *name = lua_tostring(d->L, -1);
  unsigned n = 0;
  while (keys[n]) n++;
  l_decl_fail(d, "%s has the unknown entry '%s'%s", what, name, l_hint_push(d->L, name, keys, n));
}

void l_decl_keys(const l_decl *d, int idx, const char *what, const char *const *keys) {
  lua_State *L = d->L;
  check_shape(d, idx, L_CONDITION, what);
  luaL_checkstack(L, 16, NULL);
  lua_pushnil(L);
  while (lua_next(L, idx)) {
    const char *const *k = keys;
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING) continue;
    while (*k && strcmp(*k, lua_tostring(L, -1)) != 0) k++;
    if (*k == NULL) unknown_entry(d, what, keys);
  }
}

/* The text at idx in the arena: it must outlive the Lua value, which the caller pops. */
static const char *keep(const l_decl *d, int idx) {
  const char *s = lua_tostring(d->L, idx);
  if (strlen(s) != lua_rawlen(d->L, idx)) l_decl_fail(d, "a name holds a zero byte");
  s = ldr_arena_copy(&d->w->arena, s, strlen(s));
  if (s == NULL) luaL_error(d->L, "out of memory");
  return s;
}

const char *l_decl_text(const l_decl *d, int t, const char *key) {
  const char *s = NULL;
  lua_getfield(d->L, t, key);
  if (lua_type(d->L, -1) == LUA_TSTRING)
    s = keep(d, -1);
  else if (!lua_isnil(d->L, -1))
    l_decl_fail(d, "%s must be text", key);
  lua_pop(d->L, 1);
  return s;
}

const char *l_decl_need_text(const l_decl *d, int t, const char *key) {
  const char *s = l_decl_text(d, t, key);
  if (s == NULL) l_decl_fail(d, "%s is missing", key);
  return s;
}

bool l_decl_bool(const l_decl *d, int t, const char *key) {
  bool b;
  lua_getfield(d->L, t, key);
  if (!lua_isnil(d->L, -1) && !lua_isboolean(d->L, -1)) l_decl_fail(d, "%s must be a boolean", key);
  b = lua_toboolean(d->L, -1);
  lua_pop(d->L, 1);
  return b;
}

bool l_decl_int(const l_decl *d, int t, const char *key, int64_t *out) {
  bool given;
  lua_getfield(d->L, t, key);
  given = !lua_isnil(d->L, -1);
  if (given && !l_int_get(d->L, -1, out)) l_decl_fail(d, "%s must be an integer", key);
  lua_pop(d->L, 1);
  return given;
}

unsigned l_decl_list(const l_decl *d, int t, const char *what) {
  check_shape(d, t, L_LIST, what);
  return (unsigned)lua_rawlen(d->L, t);
}

l_names l_decl_names(const l_decl *d, int t) {
  l_names names = {NULL, 0};
  check_shape(d, t, L_CONDITION, "a list of names");
  names.n = (unsigned)lua_rawlen(d->L, t);
  names.v = ldr_arena_alloc(&d->w->arena, names.n * sizeof *names.v);
  if (names.v == NULL) luaL_error(d->L, "out of memory");
  for (unsigned i = 0; i < names.n; i++) {
    lua_rawgeti(d->L, t, (int)i + 1);
    if (lua_type(d->L, -1) != LUA_TSTRING) l_decl_fail(d, "a list of names holds something else");
    names.v[i] = keep(d, -1);
    lua_pop(d->L, 1);
  }
  return names;
}

bool l_decl_open(const l_decl *d, int t, const char *key) {
  lua_getfield(d->L, t, key);
  if (lua_istable(d->L, -1)) return true;
  if (!lua_isnil(d->L, -1)) l_decl_fail(d, "%s must be a table", key);
  lua_pop(d->L, 1);
  return false;
}

/* ---- fields ---- */

static const char *const field_keys[] = {"name", "column",    "type",  "null",      "min_len",   "max_len",
                                         "enum", "default",   "stamp", "hidden",    "immutable", "min",
                                         "max",  "precision", "scale", "generated", "sql_type",  NULL};

/* Types of PostgreSQL that are no types here; NULL: it is none of these. */
static const char *why_no_type(const char *type) {
  size_t n = strlen(type);
  if (strncmp(type, "money", 5) == 0)
    return "its text depends on lc_monetary; declare numeric(12,2), with a column of that type";
  if (strcmp(type, "timetz") == 0 || strcmp(type, "time with time zone") == 0)
    return "its order depends on offsets; declare timestamptz or time";
  if (n > 10 && strcmp(type + n - 10, "multirange") == 0)
    return "declare a range, with one row for each part";
  if (strcmp(type, "serial") == 0) return "declare int4 with default = { \"identity\" }";
  if (strcmp(type, "bigserial") == 0) return "declare int8 with default = { \"identity\" }";
  if (strcmp(type, "smallserial") == 0) return "declare int2 with default = { \"identity\" }";
  return NULL;
}

/* Raises, with the type that was probably meant and all that there are. */
static void no_type(const l_decl *d, const char *field, const char *type) {
  const char *why = why_no_type(type);
  char all[400];
  size_t n = 0;
  ldr_nearest near;
  if (why) l_decl_fail(d, "field %s: there is no type '%s': %s", field, type, why);
  ldr_nearest_begin(&near, type);
  for (int t = 0; t < LDR_F_UNKNOWN; t++) {
    const char *name = ldr_ftype_get((ldr_ftype)t)->name;
    ldr_nearest_try(&near, name);
    if (n < sizeof all) n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", t ? ", " : "", name);
  }
  if (near.best) l_decl_fail(d, "field %s: there is no type '%s'; did you mean %s?", field, type, near.best);
  l_decl_fail(d, "field %s: there is no type '%s'; types are %s, and arrays such as text[]", field, type,
              all);
}

/* What stands in the parentheses of varchar(20), numeric(10,2), timestamp(3), … */
static bool apply_modifiers(ldr_field *f, int a, int b, int given) {
  ldr_type type = ldr_ftype_get(f->type)->type;
  if (f->type == LDR_F_NUMERIC) {
    f->precision = a;
    f->scale = given > 1 ? b : 0;
    return a > 0;
  }
  if (given > 1 || a < 0) return false;
  if (f->type == LDR_F_VARCHAR || f->type == LDR_F_CHAR || type == LDR_T_BITS) {
    f->max_len = (uint32_t)a;
    return a > 0;
  }
  f->has_digits = true;
  f->digits = a;
  return type == LDR_T_TIME || type == LDR_T_TIMESTAMP || type == LDR_T_CLOCK || type == LDR_T_INTERVAL;
}

/* The parentheses of a type are cut out: "(20)", "(10,2)", also those within "timestamp(3) with time zone".
 * false: they hold something else. */
static bool read_modifiers(char *name, int *a, int *b, int *given) {
  char *open = strchr(name, '(');
  int end = 0;
  if (open == NULL) return true;
  *given = sscanf(open, "(%9d )%n", a, &end) == 1 && end ? 1 : 0;
  if (*given == 0 && sscanf(open, "(%9d , %9d )%n", a, b, &end) == 2 && end) *given = 2;
  if (*given == 0 || (open[end] != '\0' && strncmp(open + end, " with", 5) != 0)) return false;
  memmove(open, open + end, strlen(open + end) + 1);
  return true;
}

/* "text[]" is an array of text, "varchar(20)" a text of at most 20 characters. */
static void read_type(const l_decl *d, const char *type, ldr_field *f) {
  size_t n = strlen(type);
  char name[64];
  int a = 0, b = 0, given = 0;
  f->array = n > 2 && strcmp(type + n - 2, "[]") == 0;
  if (f->array) n -= 2;
  if (n >= sizeof name) no_type(d, f->name, type);
  memcpy(name, type, n);
  name[n] = '\0';
  if (!read_modifiers(name, &a, &b, &given) || !ldr_ftype_by_name(name, &f->type)) no_type(d, f->name, type);
  if (given && !apply_modifiers(f, a, b, given))
    l_decl_fail(d, "field %s: type %s: what stands in parentheses is not for this type", f->name, type);
  if ((f->type == LDR_F_CHAR || f->type == LDR_F_BIT) && f->max_len == 0) f->max_len = 1; /* as in SQL */
}

/* { "now" } …: a default that is made, and not a value. A table in a json or array field is a value. */
static bool read_made_default(const l_decl *d, int idx, ldr_field *f) {
  static const struct {
    const char *name;
    ldr_default def;
  } made[] = {{"now", LDR_DEF_NOW},
              {"uuid", LDR_DEF_UUID},
              {"cuid", LDR_DEF_CUID},
              {"identity", LDR_DEF_IDENTITY},
              {"database", LDR_DEF_DATABASE}};
  const char *name;
  if (!lua_istable(d->L, idx) || f->array || f->type == LDR_F_JSON || f->type == LDR_F_JSONB) return false;
  lua_rawgeti(d->L, idx, 1);
  name = lua_type(d->L, -1) == LUA_TSTRING ? lua_tostring(d->L, -1) : "";
  for (size_t i = 0; i < sizeof made / sizeof *made; i++)
    if (strcmp(made[i].name, name) == 0) f->def = made[i].def;
  lua_pop(d->L, 1);
  if (f->def != LDR_DEF_DATABASE) return f->def != LDR_DEF_NONE;
  lua_rawgeti(d->L, idx, 2); /* { "database", "now()" }: the expression, for who writes SQL */
  if (lua_type(d->L, -1) == LUA_TSTRING) f->expression = keep(d, -1);
  lua_pop(d->L, 1);
  return true;
}

/* true, or the expression. */
static void read_generated(const l_decl *d, int t, ldr_field *f) {
  lua_getfield(d->L, t, "generated");
  f->generated = lua_toboolean(d->L, -1);
  if (lua_type(d->L, -1) == LUA_TSTRING)
    f->expression = keep(d, -1);
  else if (!lua_isnil(d->L, -1) && !lua_isboolean(d->L, -1))
    l_decl_fail(d, "generated must be true or the SQL expression");
  if (f->type == LDR_F_TSVECTOR && !f->array) f->generated = true; /* by an expression or a trigger */
  lua_pop(d->L, 1);
}

/* The labels of a default were read as texts: the array says whose they are. */
static void make_labels(const l_decl *d, ldr_value *v) {
  ldr_buf *made = &d->w->array;
  const char *p;
  ldr_buf_reset(made);
  ldr_array_add_as(made, ldr_ftype_get(LDR_F_ENUM)->oid, v->u.p, v->n);
  p = ldr_buf_copy(made, &d->w->arena);
  if (p == NULL) luaL_error(d->L, "out of memory");
  v->u.p = p;
}

static void read_default(const l_decl *d, int t, ldr_field *f) {
  ldr_column c = l_column_of(f);
  if (f->type == LDR_F_ENUM) c.type = LDR_F_TEXT; /* the core finds it among the labels */
  lua_getfield(d->L, t, "default");
  if (!lua_isnil(d->L, -1) && !read_made_default(d, lua_gettop(d->L), f)) {
    f->def = LDR_DEF_VALUE;
    if (l_value_get(d->L, lua_gettop(d->L), &c, d->w, &f->def_value) != LDR_OK)
      l_decl_fail(d, "default of %s", d->w->err.message);
    if (f->type == LDR_F_ENUM && f->array) make_labels(d, &f->def_value);
  }
  lua_pop(d->L, 1);
}

static void read_enum(const l_decl *d, int t, ldr_field *f) {
  l_names names;
  if (!l_decl_open(d, t, "enum")) return;
  names = l_decl_names(d, lua_gettop(d->L));
  f->enums = names.v;
  f->nenums = names.n;
  lua_pop(d->L, 1);
}

static void read_stamp(const l_decl *d, int t, ldr_field *f) {
  const char *stamp = l_decl_text(d, t, "stamp");
  if (stamp == NULL) return;
  f->stamp_insert = strcmp(stamp, "insert") == 0;
  f->stamp_update = strcmp(stamp, "update") == 0;
  f->version = strcmp(stamp, "version") == 0;
  if (!f->stamp_insert && !f->stamp_update && !f->version)
    l_decl_fail(d, "field %s: stamp must be insert, update or version", f->name);
}

/* A length or digit count; otherwise when nil. */
static uint32_t read_count(const l_decl *d, int t, const char *key) {
  int64_t n = 0;
  l_decl_int(d, t, key, &n);
  if (n < 0 || n > INT32_MAX) l_decl_fail(d, "%s is out of range", key);
  return (uint32_t)n;
}

/* Of a numeric its digits, of a time the digits of its seconds. */
static void read_precision(const l_decl *d, int t, ldr_field *f) {
  int64_t n = 0;
  uint32_t precision = read_count(d, t, "precision"), scale = read_count(d, t, "scale");
  if (ldr_ftype_has_seconds(f->type) && !scale) {
    if (!l_decl_int(d, t, "precision", &n)) return;
    f->has_digits = true;
    f->digits = (int)precision;
  } else if (precision || scale) {
    f->precision = (int)precision;
    f->scale = (int)scale;
  }
}

/* min or max: a value of the field's type. */
static void read_limit(const l_decl *d, int t, const char *key, const ldr_field *f, ldr_value *out) {
  ldr_column c = l_column_of(f);
  const char *fault = ldr_field_limit_fault(f); /* told before the value is looked at */
  lua_getfield(d->L, t, key);
  if (!lua_isnil(d->L, -1)) {
    if (fault) l_decl_fail(d, "field %s: %s", f->name, fault);
    if (l_value_get(d->L, lua_gettop(d->L), &c, d->w, out) != LDR_OK)
      l_decl_fail(d, "%s of %s", key, d->w->err.message);
    if (!ldr_value_copy(out, &d->w->arena)) luaL_error(d->L, "out of memory");
  }
  lua_pop(d->L, 1);
}

void l_decl_field(l_decl *d, int t) {
  ldr_field f = {0};
  uint32_t max_len;
  l_decl_keys(d, t, "a field", field_keys);
  f.name = l_decl_need_text(d, t, "name");
  f.column = l_decl_text(d, t, "column");
  read_type(d, l_decl_need_text(d, t, "type"), &f);
  f.null = l_decl_bool(d, t, "null");
  f.hidden = l_decl_bool(d, t, "hidden");
  f.immutable = l_decl_bool(d, t, "immutable");
  f.min_len = read_count(d, t, "min_len");
  max_len = read_count(d, t, "max_len");
  if (max_len) f.max_len = max_len;
  read_precision(d, t, &f);
  read_limit(d, t, "min", &f, &f.min);
  read_limit(d, t, "max", &f, &f.max);
  f.sql_type = l_decl_text(d, t, "sql_type");
  read_generated(d, t, &f);
  read_enum(d, t, &f);
  read_stamp(d, t, &f);
  read_default(d, t, &f);
  l_decl_check(d, ldr_entity_add_field(d->s, d->e, &f, &d->w->err));
}

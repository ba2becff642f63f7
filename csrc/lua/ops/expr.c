#include "lua/ops/expr.h"

#include <math.h>
#include <string.h>

#include "base/nearest.h"
#include "lua/base/state.h"
#include "lua/ops/operand.h"
#include "lua/values/decimal.h"
#include "lua/values/strict.h"
#include "model/names.h"

enum { MAX_DEPTH = 16 }; /* also ends expressions that hold themselves */

static ldr_code get(l_builder *b, int idx, unsigned depth, ldr_expr **out, bool *typed);

static ldr_expr *new_expr(l_builder *b, ldr_expr_kind kind) {
  ldr_expr *x = ldr_arena_zalloc(&b->w->arena, sizeof *x);
  if (x) x->kind = kind;
  return x;
}

/* ---- kinds ---- */

static const char *const kinds[] = {"path", "field", "value", "call"};
enum { PATH, FIELD, VALUE, CALL, NKINDS };

/* The number of the text t.key among names[0 … n-1]; n: it is none of them. */
static unsigned number_of(lua_State *L, int t, const char *key, const char *const *names, unsigned n) {
  unsigned i;
  lua_getfield(L, t, key);
  i = l_name_among(L, -1, names, n);
  lua_pop(L, 1);
  return i;
}

/* The kind of the expression at idx; NKINDS: it is none, or one for changes. */
static unsigned kind_of(lua_State *L, int idx) {
  return l_has_mt(L, idx, L_EXPR_MT) ? number_of(L, idx, "kind", kinds, NKINDS) : NKINDS;
}

bool l_is_expr(lua_State *L, int idx) { return kind_of(L, idx) < NKINDS; }

/* ---- fields, of this store and of related ones ---- */

static ldr_code no_relation(l_builder *b, const char *name) {
  lua_State *L = b->L;
  ldr_nearest near;
  ldr_nearest_begin(&near, name);
  if (b->names) {
    lua_rawgeti(L, b->names, L_NAMES_RELATIONS);
    if (lua_istable(L, -1))
      for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        if (lua_type(L, -2) == LUA_TSTRING) ldr_nearest_try(&near, lua_tostring(L, -2));
    lua_pop(L, 1);
  }
  return ldr_fail_field(&b->w->err, name,
                        near.best ? "is not a relation of %s; did you mean %s?" : "is not a relation of %s",
                        b->e->name, near.best);
}

/* "author.name" of the source's field "name"; NULL: out of memory, in err. */
static const char *path_to(l_builder *b, const char *name, size_t n) {
  ldr_buf path = {0};
  const char *copy;
  if (b->at) ldr_buf_fmt(&path, "%s.", b->at->path);
  ldr_buf_add(&path, name, n);
  copy = ldr_buf_copy(&path, &b->w->arena);
  ldr_buf_free(&path);
  if (copy == NULL) (void)!ldr_fail_nomem(&b->w->err);
  return copy;
}

static ldr_code field_expr(l_builder *b, unsigned field, ldr_expr **out) {
  const char *own = b->e->fields[field].name;
  ldr_expr *x = new_expr(b, LDR_X_FIELD);
  if (x == NULL) return ldr_fail_nomem(&b->w->err);
  x->field = (uint16_t)field;
  x->source = b->at;
  if (b->at && (x->as.name = path_to(b, own, strlen(own))) == NULL) return b->w->err.code;
  ldr_expr_infer(b->e, x);
  *out = x;
  return LDR_OK;
}

/* The source that the relation on top of the stack leads to: made where the operation does not have it yet.
 * whole: the field that it is asked for. */
static ldr_code get_source(l_builder *b, const char *path, const char *whole, const ldr_row_source **out) {
  const ldr_pred *row = NULL;
  ldr_row_source *made;
  ldr_code code;
  *out = ldr_row_sources_find(b->sources, path);
  if (*out) return LDR_OK;
  code = b->related(b, lua_gettop(b->L), &row);
  if (code != LDR_OK) return code;
  if (!ldr_pred_one_row(row)) return ldr_fail_field(&b->w->err, whole, "is of many rows: %s is a list", path);
  made = ldr_arena_zalloc(&b->w->arena, sizeof *made);
  if (made == NULL) return ldr_fail_nomem(&b->w->err);
  made->path = path;
  made->from = b->at;
  made->row = row;
  made->e = row->inner;
  *out = made;
  return ldr_row_sources_add(b->sources, made, &b->w->arena) ? LDR_OK : ldr_fail_nomem(&b->w->err);
}

/* "author.name": its first dot at `dot`. */
static ldr_code get_related(l_builder *b, const char *name, size_t n, size_t dot, const ldr_expr **out) {
  lua_State *L = b->L;
  const char *path = path_to(b, name, dot), *whole = path_to(b, name, n);
  int top = lua_gettop(L);
  l_builder in = *b;
  unsigned field;
  ldr_code code;
  if (path == NULL || whole == NULL) return b->w->err.code;
  if (b->depth >= MAX_DEPTH) return ldr_fail(&b->w->err, LDR_INVALID, "relations are nested too deeply");
  luaL_checkstack(L, 16, NULL);
  lua_pushlstring(L, name, dot);
  if (!l_relation_open(b, lua_gettop(L))) {
    lua_settop(L, top);
    return no_relation(b, path);
  }
  code = get_source(b, path, whole, &in.at);
  in.depth++;
  if (code == LDR_OK) l_relation_enter(&in, in.at->e);
  if (code == LDR_OK) code = l_name_get(&in, name + dot + 1, n - dot - 1, &field, out);
  lua_settop(L, top);
  return code;
}

/* A field of the row that a source leads to. */
static ldr_code get_there(l_builder *b, unsigned field, const ldr_expr **out) {
  ldr_expr *x = NULL;
  ldr_code code = field_expr(b, field, &x);
  *out = x;
  if (code == LDR_OK && b->e->fields[field].hidden)
    return ldr_fail_field(&b->w->err, x->as.name, "is a secret");
  return code;
}

ldr_code l_name_get(l_builder *b, const char *name, size_t n, unsigned *field, const ldr_expr **out) {
  const char *dot = memchr(name, '.', n), *copy;
  int found;
  *out = NULL;
  *field = LDR_NO_FIELD;
  if (dot && dot > name && dot + 1 < name + n) return get_related(b, name, n, (size_t)(dot - name), out);
  found = memchr(name, '\0', n) ? -1 : ldr_entity_field(b->e, name, n);
  if (found < 0) {
    copy = ldr_arena_copy(&b->w->arena, name, n);
    return l_no_field(b->w, b->e, copy ? copy : "?");
  }
  if (b->at) return get_there(b, (unsigned)found, out);
  *field = (unsigned)found;
  return LDR_OK;
}

static ldr_code get_field(l_builder *b, int idx, ldr_expr **out) {
  const ldr_expr *x;
  ldr_expr *copy;
  unsigned field;
  ldr_code code;
  lua_getfield(b->L, idx, "name");
  if (lua_type(b->L, -1) != LUA_TSTRING) l_work_misuse(b->L, b->w, "larder.field takes the name of a field");
  code = l_name_get(b, lua_tostring(b->L, -1), lua_rawlen(b->L, -1), &field, &x);
  lua_pop(b->L, 1);
  if (code != LDR_OK) return code;
  if (x == NULL) return field_expr(b, field, out);
  copy = new_expr(b, x->kind);
  if (copy == NULL) return ldr_fail_nomem(&b->w->err);
  *copy = *x;
  *out = copy;
  return LDR_OK;
}

/* ---- functions ---- */

/* "add(price, tax)" */
static const char *name_call(l_work *w, const ldr_expr *x) {
  ldr_buf name = {0};
  const char *copy;
  ldr_buf_str(&name, ldr_fn_names[x->fn]);
  for (unsigned i = 0; i < x->n; i++) {
    ldr_buf_str(&name, i ? ", " : "(");
    ldr_buf_str(&name, x->args[i]->as.name);
  }
  ldr_buf_chr(&name, ')');
  copy = ldr_buf_copy(&name, &w->arena);
  ldr_buf_free(&name);
  return copy;
}

/* The constant at idx, as a value of the type that its neighbours have. */
static ldr_code get_constant(l_builder *b, int idx, ldr_ftype type, ldr_expr **out) {
  lua_State *L = b->L;
  ldr_column c = {.name = "value", .type = type};
  ldr_expr *x = new_expr(b, LDR_X_VALUE);
  ldr_value *v = ldr_arena_alloc(&b->w->arena, sizeof *v);
  ldr_code code;
  if (x == NULL || v == NULL) return ldr_fail_nomem(&b->w->err);
  lua_getfield(L, idx, "value");
  if (type == LDR_F_INT8 &&
      (l_decimal_is(L, lua_gettop(L)) ||
       (lua_type(L, -1) == LUA_TNUMBER && lua_tonumber(L, -1) != floor(lua_tonumber(L, -1)))))
    c.type = LDR_F_NUMERIC;
  code = l_value_operand(L, lua_gettop(L), &c, b->w, v);
  lua_pop(L, 1);
  x->values = v;
  x->as.name = c.name;
  x->as.type = c.type;
  ldr_expr_infer(b->e, x);
  *out = x;
  return code;
}

/* Constants come second: they take the type of the others. */
static ldr_code get_args(l_builder *b, int idx, unsigned depth, ldr_expr *x, const ldr_expr **args) {
  lua_State *L = b->L;
  const ldr_expr *others[LDR_MAX_ARGS];
  bool numeric = x->fn == LDR_FN_ADD || x->fn == LDR_FN_SUB || x->fn == LDR_FN_MUL || x->fn == LDR_FN_ABS;
  unsigned nothers = 0;
  ldr_ftype type = LDR_F_TEXT;
  for (int constants = 0; constants < 2; constants++) {
    if (constants && nothers < x->n && !ldr_expr_common(others, nothers, &type))
      return ldr_fail_field(&b->w->err, ldr_fn_names[x->fn], "takes a field beside its constants");
    for (unsigned i = 0; i < x->n; i++) {
      ldr_expr *arg = NULL;
      bool typed = true;
      ldr_code code = LDR_OK;
      lua_rawgeti(L, idx, (int)i + 1);
      if ((kind_of(L, lua_gettop(L)) == VALUE) == constants)
        code = constants ? get_constant(b, lua_gettop(L), type, &arg)
                         : get(b, lua_gettop(L), depth + 1, &arg, &typed);
      lua_pop(L, 1);
      if (code != LDR_OK) return code;
      if (arg == NULL) continue;
      if (!typed && numeric) l_path_type(arg, LDR_F_NUMERIC);
      if (!constants) others[nothers++] = arg;
      args[i] = arg;
    }
  }
  return LDR_OK;
}

static void get_unit(l_builder *b, int idx, ldr_expr *x) {
  if (x->fn == LDR_FN_BUCKET)
    x->bucket = (ldr_bucket)number_of(b->L, idx, "unit", ldr_bucket_names, LDR_YEAR + 1);
  if (x->fn == LDR_FN_PART) x->part = (ldr_part)number_of(b->L, idx, "unit", ldr_part_names, LDR_NPARTS);
}

static ldr_code get_call(l_builder *b, int idx, unsigned depth, ldr_expr **out) {
  const char *why;
  const ldr_expr **args;
  ldr_expr *x = new_expr(b, LDR_X_CALL);
  ldr_code code;
  if (x == NULL) return ldr_fail_nomem(&b->w->err);
  x->n = (unsigned)lua_rawlen(b->L, idx);
  x->fn = (ldr_fn)number_of(b->L, idx, "fn", ldr_fn_names, LDR_NFNS);
  if (x->fn == LDR_NFNS) l_work_misuse(b->L, b->w, "there is no such function");
  if (x->n == 0 || x->n > LDR_MAX_ARGS)
    return ldr_fail_field(&b->w->err, ldr_fn_names[x->fn], "takes 1 to 8 arguments");
  get_unit(b, idx, x);
  args = ldr_arena_zalloc(&b->w->arena, x->n * sizeof *args);
  if (args == NULL) return ldr_fail_nomem(&b->w->err);
  code = get_args(b, idx, depth, x, args);
  if (code != LDR_OK) return code;
  x->args = args;
  x->as.name = name_call(b->w, x);
  if (x->as.name == NULL) return ldr_fail_nomem(&b->w->err);
  why = ldr_expr_infer(b->e, x);
  *out = x;
  return why ? ldr_fail_field(&b->w->err, x->as.name, "%s", why) : LDR_OK;
}

/* ---- all of them ---- */

static ldr_code get(l_builder *b, int idx, unsigned depth, ldr_expr **out, bool *typed) {
  luaL_checkstack(b->L, 16, NULL);
  if (depth > MAX_DEPTH) return ldr_fail(&b->w->err, LDR_INVALID, "an expression is nested too deeply");
  *typed = true;
  switch (kind_of(b->L, idx)) {
    case PATH: return l_path_get(b->L, idx, b->w, b->e, out, typed);
    case FIELD: return get_field(b, idx, out);
    case CALL: return get_call(b, idx, depth, out);
    case VALUE:
      return ldr_fail(&b->w->err, LDR_INVALID, "larder.value stands beside a field, as an argument");
    default: l_work_misuse(b->L, b->w, "a %s is no expression that has a value", luaL_typename(b->L, idx));
  }
  return LDR_INTERNAL;
}

ldr_code l_expr_get(l_builder *b, int idx, ldr_expr **out, bool *typed) {
  return get(b, lua_absindex(b->L, idx), 0, out, typed);
}

ldr_code l_expr_bucket(l_builder *b, unsigned field, const ldr_expr *of, ldr_bucket bucket, ldr_expr **out) {
  const ldr_expr **args = ldr_arena_alloc(&b->w->arena, sizeof *args);
  ldr_expr *x = new_expr(b, LDR_X_CALL), *own = NULL;
  const char *why;
  ldr_code code = LDR_OK;
  if (x == NULL || args == NULL) return ldr_fail_nomem(&b->w->err);
  if (of == NULL) code = field_expr(b, field, &own);
  if (code != LDR_OK) return code;
  args[0] = of ? of : own;
  x->args = args;
  x->n = 1;
  x->fn = LDR_FN_BUCKET;
  x->bucket = bucket;
  x->as.name = args[0]->as.name;
  why = ldr_expr_infer(b->e, x);
  *out = x;
  return why ? ldr_fail_field(&b->w->err, "bucket", "%s", why) : LDR_OK;
}

ldr_code l_operand_get(l_builder *b, int idx, unsigned *field, const ldr_expr **out) {
  ldr_expr *x = NULL;
  bool typed;
  ldr_code code;
  *out = NULL;
  *field = LDR_NO_FIELD;
  if (lua_type(b->L, idx) == LUA_TSTRING)
    return l_name_get(b, lua_tostring(b->L, idx), lua_rawlen(b->L, idx), field, out);
  if (!l_is_expr(b->L, idx)) return l_no_name(b->L, idx, b->w, b->e);
  code = l_expr_get(b, idx, &x, &typed);
  *out = x;
  return code;
}

const char *l_expr_column(l_work *w, const ldr_expr *x) {
  char *name = ldr_arena_copy(&w->arena, x->as.name, strlen(x->as.name));
  if (name == NULL) {
    (void)!ldr_fail_nomem(&w->err);
    return NULL;
  }
  for (char *p = name; *p; p++)
    if (*p == '.') *p = '_';
  if (ldr_name_ok(name, strlen(name))) return name;
  (void)!ldr_fail_field(&w->err, name, "needs a name in the result: as = \"…\"");
  return NULL;
}

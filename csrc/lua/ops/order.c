/* order: "created_at desc, id", or a list of items: "-created_at", { null = "field" }, { rank = { W1, W2 } },
 * larder.path(…) or another expression, and { by = larder.path(…), desc = true }. A field may be a related
 * row's: "author.name". */
#include <string.h>

#include "lua/ops/args.h"
#include "lua/values/strict.h"

#define ITEM "an item of order"

/* The orders found so far; there is room for all. */
typedef struct list {
  l_opargs *a;
  l_builder b; /* of the fields that are meant */
  ldr_order *v;
  unsigned n;
} list;

static ldr_code malformed(list *l) {
  return ldr_fail_field(&l->a->w->err, "order", "must be made of \"field\", \"field desc\" or \"-field\"");
}

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\n'; }

/* The next word of s … end; *n = 0 at the end. */
static const char *word(const char *s, const char *end, size_t *n) {
  const char *p;
  while (s < end && blank(*s)) s++;
  for (p = s; p < end && !blank(*p);) p++;
  *n = (size_t)(p - s);
  return s;
}

static bool is(const char *s, size_t n, const char *text) {
  return n == strlen(text) && memcmp(s, text, n) == 0;
}

/* One of "field", "field asc", "field desc", "-field", as order o without its kind. */
static ldr_code read_field(list *l, const char *s, const char *end, ldr_order *o) {
  size_t n, nd;
  const char *name = word(s, end, &n), *dir = word(name + n, end, &nd);
  bool minus = n > 0 && *name == '-';
  unsigned field;
  ldr_code code;
  if (n <= (size_t)minus || memchr(name, '\0', n)) return malformed(l);
  if (nd && (minus || (!is(dir, nd, "asc") && !is(dir, nd, "desc")))) return malformed(l);
  for (const char *p = dir + nd; p < end; p++)
    if (!blank(*p)) return malformed(l);
  code = l_name_get(&l->b, name + minus, n - minus, &field, &o->expr);
  if (code != LDR_OK) return code;
  o->field = (uint16_t)field;
  o->desc = minus || is(dir, nd, "desc");
  return LDR_OK;
}

static ldr_code add_text(list *l, const char *s, const char *end) {
  ldr_order o = {.kind = LDR_BY_FIELD};
  ldr_code code = read_field(l, s, end, &o);
  if (o.expr) o.kind = LDR_BY_EXPR;
  if (code == LDR_OK) l->v[l->n++] = o;
  return code;
}

static ldr_code add_rank(list *l, int idx) {
  lua_State *L = l->a->L;
  ldr_order o = {.kind = LDR_BY_RANK};
  o.nranks = l_list_check(L, l->a->w, idx, "rank");
  o.ranks = ldr_arena_alloc(&l->a->w->arena, o.nranks * sizeof *o.ranks);
  if (o.ranks == NULL) return ldr_fail_nomem(&l->a->w->err);
  for (unsigned i = 0; i < o.nranks; i++) {
    ldr_code code;
    lua_rawgeti(L, idx, (int)i + 1);
    code = l_where_get(L, -1, l->a->w, l->b.e, &o.ranks[i]);
    lua_pop(L, 1);
    if (code != LDR_OK) return code;
  }
  l->v[l->n++] = o;
  return LDR_OK;
}

static ldr_code add_expr(list *l, int idx, bool desc) {
  ldr_order o = {.kind = LDR_BY_EXPR, .desc = desc};
  unsigned field;
  ldr_code code = l_operand_get(&l->b, idx, &field, &o.expr);
  o.field = (uint16_t)field;
  if (o.expr == NULL) o.kind = LDR_BY_FIELD;
  if (code == LDR_OK) l->v[l->n++] = o;
  return code;
}

static ldr_code add_by(list *l, int idx) {
  lua_State *L = l->a->L;
  if (lua_type(L, -1) != LUA_TSTRING && !l_is_expr(L, lua_gettop(L))) return malformed(l);
  return add_expr(l, lua_gettop(L), l_entry_bool(L, l->a->w, idx, ITEM, "desc"));
}

/* An item is by one thing, and desc turns round what is by a value. */
static void check_entries(list *l, int idx) {
  static const char *const names[] = {"by", "rank", "null", "desc"};
  lua_State *L = l->a->L;
  unsigned there[4];
  l_shape_check(L, l->a->w, idx, L_RECORD, ITEM);
  l_entries_check(L, l->a->w, idx, ITEM, names, 4);
  for (unsigned i = 0; i < 4; i++) {
    lua_getfield(L, idx, names[i]);
    there[i] = !lua_isnil(L, -1);
    lua_pop(L, 1);
  }
  if (there[0] + there[1] + there[2] > 1) l_work_misuse(L, l->a->w, ITEM " is by, rank or null, one of them");
  if (there[3] && !there[0]) l_work_misuse(L, l->a->w, ITEM " takes desc beside by alone");
}

static ldr_code add_table(list *l, int idx) {
  lua_State *L = l->a->L;
  ldr_order o = {.kind = LDR_BY_NULL};
  ldr_code code;
  if (l_is_expr(L, idx)) return add_expr(l, idx, false);
  check_entries(l, idx);
  lua_getfield(L, idx, "by");
  if (!lua_isnil(L, -1)) {
    code = add_by(l, idx);
    lua_settop(L, idx);
    return code;
  }
  lua_getfield(L, idx, "rank");
  if (!lua_isnil(L, -1)) {
    code = add_rank(l, lua_gettop(L));
  } else {
    lua_getfield(L, idx, "null");
    if (lua_type(L, -1) != LUA_TSTRING) return malformed(l);
    code = read_field(l, lua_tostring(L, -1), lua_tostring(L, -1) + lua_rawlen(L, -1), &o);
    if (code == LDR_OK && o.expr) code = malformed(l);
    if (code == LDR_OK) l->v[l->n++] = o;
  }
  lua_settop(L, idx);
  return code;
}

static ldr_code add_items(list *l, int idx, unsigned n) {
  lua_State *L = l->a->L;
  ldr_code code = LDR_OK;
  for (unsigned i = 0; i < n && code == LDR_OK; i++) {
    lua_rawgeti(L, idx, (int)i + 1);
    if (lua_type(L, -1) == LUA_TSTRING)
      code = add_text(l, lua_tostring(L, -1), lua_tostring(L, -1) + lua_rawlen(L, -1));
    else if (lua_istable(L, -1))
      code = add_table(l, lua_gettop(L));
    else
      code = malformed(l);
    lua_pop(L, 1);
  }
  return code;
}

static ldr_code add_list_text(list *l, const char *s, const char *end) {
  ldr_code code = LDR_OK;
  while (code == LDR_OK && s <= end) {
    const char *comma = memchr(s, ',', (size_t)(end - s));
    if (comma == NULL) comma = end;
    code = add_text(l, s, comma);
    s = comma + 1;
  }
  return code;
}

/* Total order: what comes out is the same each time, and a keyset can go on from any row. */
static void add_last(list *l, const uint16_t *last, unsigned nlast) {
  for (unsigned i = 0; i < nlast; i++) {
    unsigned k = 0;
    while (k < l->n && (l->v[k].kind != LDR_BY_FIELD || l->v[k].field != last[i])) k++;
    if (k == l->n) l->v[l->n++] = (ldr_order){.kind = LDR_BY_FIELD, .field = last[i]};
  }
}

/* Upper bound of the number of orders at idx. */
static size_t room(lua_State *L, int idx) {
  size_t n = 1;
  if (lua_istable(L, idx)) return lua_rawlen(L, idx);
  if (lua_type(L, idx) == LUA_TSTRING)
    for (const char *s = lua_tostring(L, idx); (s = strchr(s, ',')) != NULL; s++) n++;
  return n;
}

ldr_code l_op_order(l_opargs *a, int idx, const ldr_entity *e, const uint16_t *last, unsigned nlast) {
  lua_State *L = a->L;
  list l = {a, {.L = L, .w = a->w, .e = e}, NULL, 0};
  ldr_code code = LDR_OK;
  l.v = ldr_arena_alloc(&a->w->arena, (room(L, idx) + nlast) * sizeof *l.v);
  if (l.v == NULL) return ldr_fail_nomem(&a->w->err);
  if (lua_istable(L, idx) || (lua_type(L, idx) == LUA_TSTRING && strchr(lua_tostring(L, idx), '.')))
    l.b = l_builder_of(L, a->w, e); /* relations may be named */
  if (lua_type(L, idx) == LUA_TSTRING && memchr(lua_tostring(L, idx), '\0', lua_rawlen(L, idx)))
    code = malformed(&l);
  else if (lua_type(L, idx) == LUA_TSTRING)
    code = add_list_text(&l, lua_tostring(L, idx), lua_tostring(L, idx) + lua_rawlen(L, idx));
  else if (lua_istable(L, idx))
    code = add_items(&l, idx, l_list_check(L, a->w, idx, "order"));
  else if (!lua_isnil(L, idx))
    l_work_misuse(L, a->w, "order must be text or a list, not a %s", luaL_typename(L, idx));
  if (code != LDR_OK) return code;
  add_last(&l, last, nlast);
  a->w->op->order = l.v;
  a->w->op->norder = l.n;
  return LDR_OK;
}

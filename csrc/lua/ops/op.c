#include "lua/ops/op.h"

#include <string.h>

#include "lua/base/int.h"
#include "lua/values/rows.h"
#include "lua/values/strict.h"

static const char *const names[L_NOPTS] = {
    [L_OP] = "op",
    [L_NAME] = "name",
    [L_TX] = "tx",
    [L_TIMEOUT] = "timeout",
    [L_WHERE] = "where",
    [L_COLUMNS] = "columns",
    [L_ORDER] = "order",
    [L_LIMIT] = "limit",
    [L_OFFSET] = "offset",
    [L_AFTER] = "after",
    [L_LOCK] = "lock",
    [L_PER] = "per",
    [L_PAGE] = "page",
    [L_PLAIN] = "plain",
    [L_BY_KEY] = "by_key",
    [L_ANY_ORDER] = "any_order",
    [L_HOW] = "how",
    [L_CURSOR] = "cursor",
    [L_ROWS] = "rows",
    [L_ROW] = "row",
    [L_ON_CONFLICT] = "on_conflict",
    [L_TARGET] = "target",
    [L_SET] = "set",
    [L_KEEP_STAMPS] = "keep_stamps",
    [L_RETURNING] = "returning",
    [L_AGGS] = "aggs",
    [L_GROUPS] = "groups",
    [L_HAVING] = "having",
};

#define BIT(o) (UINT32_C(1) << (o))
enum { COMMON = BIT(L_OP) | BIT(L_NAME) | BIT(L_TX) | BIT(L_TIMEOUT), WRITE = COMMON | BIT(L_RETURNING) };

static const struct kind {
  const char *name;
  ldr_op_kind kind;
  uint32_t takes; /* options */
  ldr_code (*build)(l_opargs *a);
} kinds[] = {
    {"select", LDR_OP_SELECT,
     COMMON | BIT(L_WHERE) | BIT(L_COLUMNS) | BIT(L_ORDER) | BIT(L_LIMIT) | BIT(L_OFFSET) | BIT(L_AFTER) |
         BIT(L_LOCK) | BIT(L_PER) | BIT(L_PAGE) | BIT(L_PLAIN) | BIT(L_BY_KEY) | BIT(L_ANY_ORDER) |
         BIT(L_HOW) | BIT(L_CURSOR),
     l_op_select},
    {"insert", LDR_OP_INSERT,
     WRITE | BIT(L_ROWS) | BIT(L_ROW) | BIT(L_ON_CONFLICT) | BIT(L_TARGET) | BIT(L_SET) | BIT(L_KEEP_STAMPS) |
         BIT(L_WHERE),
     l_op_insert},
    {"update", LDR_OP_UPDATE, WRITE | BIT(L_WHERE) | BIT(L_SET) | BIT(L_KEEP_STAMPS), l_op_update},
    {"delete", LDR_OP_DELETE, WRITE | BIT(L_WHERE), l_op_delete},
    {"count", LDR_OP_COUNT, COMMON | BIT(L_WHERE), l_op_count},
    {"aggregate", LDR_OP_AGGREGATE,
     COMMON | BIT(L_WHERE) | BIT(L_AGGS) | BIT(L_GROUPS) | BIT(L_HAVING) | BIT(L_ORDER) | BIT(L_LIMIT) |
         BIT(L_OFFSET),
     l_op_aggregate},
};

static const struct kind *find_kind(lua_State *L, l_work *w, int idx) {
  const char *name = lua_type(L, idx) == LUA_TSTRING ? lua_tostring(L, idx) : "(none)";
  const char *known[sizeof kinds / sizeof *kinds];
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) known[i] = kinds[i].name;
  l_work_misuse(L, w, "there is no operation '%s'%s", name,
                l_hint_push(L, name, known, sizeof kinds / sizeof *kinds));
  return NULL;
}

static void check_taken(l_opargs *a, const struct kind *k) {
  for (int i = 0; i < L_NOPTS; i++)
    if (!lua_isnil(a->L, a->base + i) && !(k->takes & BIT(i)))
      l_work_misuse(a->L, a->w, "operation %s takes no %s", k->name, names[i]);
}

ldr_code l_op_build(l_opargs *a, int idx) {
  l_work *w = a->w;
  const struct kind *k;
  ldr_code code;
  a->base = l_options(a->L, idx, names, L_NOPTS, "operation");
  k = find_kind(a->L, w, a->base + L_OP);
  check_taken(a, k);
  if (w->name == NULL) w->name = k->name;
  l_work_options(a->L, w, a->base + L_TX, a->base + L_TIMEOUT, a->base + L_NAME);
  a->now = l_work_now(a->L, w);
  w->op = ldr_arena_alloc(&w->arena, sizeof *w->op);
  if (w->op == NULL) return ldr_fail_nomem(&w->err);
  ldr_op_init(w->op, k->kind, a->e);
  w->op->name = w->name;
  w->op->now = a->now;
  a->keep_stamps = l_option_bool(a->L, a->base + L_KEEP_STAMPS, "keep_stamps");
  code = l_where_get(a->L, a->base + L_WHERE, w, a->e, &w->op->where);
  if (code == LDR_OK) code = k->build(a);
  /* the rows and sets of an insert were checked while they were read */
  return code == LDR_OK && (k->kind != LDR_OP_INSERT || w->op->where) && !a->nothing
             ? ldr_op_check(w->op, &w->err)
             : code;
}

ldr_code l_op_count(l_opargs *a) {
  a->w->finish = l_finish_affected;
  return LDR_OK;
}

ldr_code l_op_delete(l_opargs *a) { return l_op_returning(a); }

/* Clauses that several operations share: columns, returning, limit and offset. */
#include "lua/base/int.h"
#include "lua/ops/args.h"
#include "lua/values/rows.h"
#include "lua/values/strict.h"

ldr_code l_op_columns(l_opargs *a, int idx) {
  lua_State *L = a->L;
  ldr_op *op = a->w->op;
  uint16_t *out;
  unsigned n;
  if (lua_isnil(L, idx) || lua_isboolean(L, idx)) {
    op->out = a->visible;
    op->nout = a->nvisible;
    return LDR_OK;
  }
  n = l_list_check(L, a->w, idx, "columns");
  if (n == 0) return ldr_fail(&a->w->err, LDR_INVALID, "columns must name a field");
  out = ldr_arena_alloc(&a->w->arena, n * sizeof *out);
  if (out == NULL) return ldr_fail_nomem(&a->w->err);
  for (unsigned i = 0; i < n; i++) {
    int field;
    lua_rawgeti(L, idx, (int)i + 1);
    field = l_field_get(L, -1, a->w, op->e);
    if (field < 0) return a->w->err.code;
    out[i] = (uint16_t)field;
    lua_pop(L, 1);
  }
  op->out = out;
  op->nout = n;
  return LDR_OK;
}

ldr_code l_op_returning(l_opargs *a) {
  int idx = a->base + L_RETURNING;
  a->w->finish = l_finish_affected;
  if (!lua_toboolean(a->L, idx)) return LDR_OK;
  a->w->finish = l_finish_rows;
  return l_op_columns(a, idx);
}

/* A count of rows: otherwise when nil, LDR_INVALID when negative. */
static ldr_code get_count(l_opargs *a, int opt, const char *name, int64_t otherwise, int64_t *out) {
  int64_t n = otherwise;
  if (!lua_isnil(a->L, a->base + opt)) {
    n = l_int_check(a->L, a->base + opt, name);
    if (n < 0) return ldr_fail_field(&a->w->err, name, "must not be negative");
  }
  *out = n;
  return LDR_OK;
}

ldr_code l_op_limits(l_opargs *a) {
  ldr_op *op = a->w->op;
  ldr_code code = get_count(a, L_LIMIT, "limit", -1, &op->limit);
  if (code == LDR_OK) code = get_count(a, L_OFFSET, "offset", 0, &op->offset);
  a->nothing = code == LDR_OK && op->limit == 0;
  return code;
}

#include "lua/ops/args.h"

#include <string.h>

#include "lua/values/rows.h"
#include "lua/values/strict.h"

/* The list of keys in the condition, alone or beside others. */
static const ldr_pred *keys_of(const ldr_pred *p) {
  if (p == NULL || p->kind == LDR_P_KEYS) return p;
  for (uint32_t i = 0; p->kind == LDR_P_AND && i < p->n; i++)
    if (p->kids[i]->kind == LDR_P_KEYS) return p->kids[i];
  return NULL;
}

/* ---- before: what is fetched ---- */

/* The column that has field f, from the last one on; -1: none. */
static int column_of(const ldr_op *op, uint16_t f) {
  int i = (int)op->nout - 1;
  while (i >= 0 && op->out[i] != f) i--;
  return i;
}

/* Fields of the key that are not shown come behind those that are. */
ldr_code l_op_by_key(l_opargs *a) {
  ldr_op *op = a->w->op;
  const ldr_unique *key = &op->e->key;
  uint16_t *out = ldr_arena_alloc(&a->w->arena, (op->nout + key->n) * sizeof *out);
  if (keys_of(op->where) == NULL || keys_of(op->where)->cols)
    l_work_misuse(a->L, a->w, "by_key needs a list of keys");
  if (out == NULL) return ldr_fail_nomem(&a->w->err);
  memcpy(out, op->out, op->nout * sizeof *out);
  a->w->nshow = op->nout;
  op->out = out;
  for (unsigned i = 0; i < key->n; i++)
    if (column_of(op, key->field[i]) < 0) out[op->nout++] = key->field[i];
  return LDR_OK;
}

/* ---- after: a row goes to every position whose key it has ---- */

/* Positions by key: chains in a hash table, all in the work's arena. Position 0 ends a chain. */
typedef struct index {
  const ldr_pred *keys;
  unsigned width;               /* values of a key */
  unsigned column[LDR_MAX_KEY]; /* of the answer, which have them */
  int list;                     /* stack index of the table of positions */
  uint32_t mask;
  uint32_t *first, *next;
} index;

static uint64_t hash(const ldr_value *key, unsigned width) {
  uint64_t h = 0;
  for (unsigned i = 0; i < width; i++) h = ldr_value_hash(&key[i], h);
  return h;
}

static bool equal(const ldr_value *a, const ldr_value *b, unsigned width) {
  for (unsigned i = 0; i < width; i++)
    if (a[i].type != b[i].type || ldr_value_cmp(&a[i], &b[i]) != 0) return false;
  return true;
}

static ldr_code make_index(l_work *w, index *x) {
  uint32_t n, size = 8;
  x->keys = keys_of(w->op->where);
  x->width = w->op->e->key.n;
  for (unsigned k = 0; k < x->width; k++) x->column[k] = (unsigned)column_of(w->op, w->op->e->key.field[k]);
  n = x->keys->n;
  while (size < n) size *= 2;
  x->mask = size - 1;
  x->first = ldr_arena_zalloc(&w->arena, size * sizeof *x->first);
  x->next = ldr_arena_zalloc(&w->arena, ((size_t)n + 1) * sizeof *x->next);
  if (x->first == NULL || x->next == NULL) return ldr_fail_nomem(&w->err);
  for (uint32_t i = 0; i < n; i++) {
    uint32_t *at = &x->first[hash(x->keys->values + (size_t)i * x->width, x->width) & x->mask];
    x->next[i + 1] = *at;
    *at = i + 1;
  }
  return LDR_OK;
}

/* Puts row number i, which is on top of the stack, wherever its key was asked for. */
static ldr_code place(lua_State *L, l_work *w, size_t i, void *ud) {
  const index *x = ud;
  ldr_value key[LDR_MAX_KEY];
  for (unsigned k = 0; k < x->width; k++) {
    ldr_code code = ldr_rows_cell(w->result.rows, i, x->column[k], &key[k], &w->err);
    if (code != LDR_OK) return code;
    if (!ldr_value_copy(&key[k], &w->arena)) return ldr_fail_nomem(&w->err);
  }
  for (uint32_t at = x->first[hash(key, x->width) & x->mask]; at; at = x->next[at]) {
    if (!equal(x->keys->values + (size_t)(at - 1) * x->width, key, x->width)) continue;
    lua_pushvalue(L, -1);
    lua_rawseti(L, x->list, (int)at);
  }
  lua_pop(L, 1);
  return LDR_OK;
}

int l_finish_by_key(lua_State *L, l_work *w) {
  index x;
  if (make_index(w, &x) != LDR_OK) return l_work_fail(L, w);
  lua_createtable(L, (int)x.keys->n, 0);
  x.list = lua_gettop(L);
  for (uint32_t i = 1; i <= x.keys->n; i++) {
    lua_pushboolean(L, false);
    lua_rawseti(L, x.list, (int)i);
  }
  if (!l_rows_each(L, w, place, &x)) return l_work_fail(L, w);
  return l_work_end(L, w, 1);
}

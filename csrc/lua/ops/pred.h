/* Predicates on single fields, and the lists they are joined from. For ops/where.c. */
#ifndef LDR_LUA_OPS_PRED_H
#define LDR_LUA_OPS_PRED_H

#include "lua/values/value.h"

typedef struct l_builder {
  lua_State *L;
  l_work *w;           /* everything lies in its arena, faults in its err */
  const ldr_entity *e; /* whose fields are meant */
  unsigned depth;
  int names; /* stack index of its table of names (see store/schema.h), for its relations; 0: it has none */
} l_builder;

typedef struct l_preds {
  const ldr_pred **kids;
  uint32_t n, cap;
} l_preds;

ldr_pred *l_pred_new(l_builder *b, ldr_pred_kind kind, unsigned field); /* NULL: out of memory */
ldr_code l_pred_not(l_builder *b, const ldr_pred *p, const ldr_pred **out) LDR_MUSTCHECK;
ldr_code l_preds_add(l_builder *b, l_preds *l, const ldr_pred *p) LDR_MUSTCHECK;
/* All of the list under an AND or OR; a single one stands alone. */
ldr_code l_preds_join(l_builder *b, ldr_pred_kind kind, const l_preds *l, const ldr_pred **out) LDR_MUSTCHECK;

/* Adds what stands beside a field's name in a where table: a value, NULL, a list or operators. */
ldr_code l_pred_field(l_builder *b, unsigned field, int idx, l_preds *l) LDR_MUSTCHECK;
/* The same beside a path; not typed: of the type of each value. */
ldr_code l_pred_path(l_builder *b, const ldr_path *path, bool typed, int idx, l_preds *l) LDR_MUSTCHECK;

#endif

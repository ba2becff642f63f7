/* Predicates on single fields, and the lists they are joined from. For ops/where.c. */
#ifndef LDR_LUA_OPS_PRED_H
#define LDR_LUA_OPS_PRED_H

#include "lua/values/value.h"
#include "model/op.h"

typedef struct l_builder { /* made by l_builder_of */
  lua_State *L;
  l_work *w;           /* everything lies in its arena, faults in its err */
  const ldr_entity *e; /* whose fields are meant */
  unsigned depth;
  const ldr_row_source *at; /* whose row has them; NULL: the row itself */
  ldr_row_sources *sources; /* of the row itself */
  int names; /* stack index of its table of names (see store/schema.h), for its relations; 0: it has none */
  /* The rows that the relation at that index leads to, without those that are marked as deleted. */
  ldr_code (*related)(struct l_builder *b, int relation, const ldr_pred **out);
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
/* The same beside an expression; not typed: a path, of the type of each value. */
ldr_code l_pred_expr(l_builder *b, const ldr_expr *x, bool typed, int idx, l_preds *l) LDR_MUSTCHECK;

/* Pushes the relation that has the name at idx; false: nothing, there is none. */
bool l_relation_open(l_builder *b, int idx);
/* Makes e the one whose fields are meant, and pushes its names, or nil. */
void l_relation_enter(l_builder *in, const ldr_entity *e);

#endif

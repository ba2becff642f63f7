/* Rows found, on their way into an order. Keeps only as many as are wanted. */
#ifndef LDR_MEMORY_SORT_H
#define LDR_MEMORY_SORT_H

#include "memory/match.h"
#include "memory/table.h"

typedef struct ldr_memitem {
  const ldr_row *row;
  ldr_memver *ver;      /* whose row it is; NULL: a computed one */
  const ldr_value *key; /* one for each order item by rank or expression; NULL when there is none */
  ldr_value first;      /* the row's value of the first order item, when that is a field */
} ldr_memitem;

typedef struct ldr_memsort { /* zero-initialise, then set the first four */
  const ldr_entity *e;
  const ldr_order *order;
  unsigned norder;
  int64_t wanted; /* rows wanted of the sorted ones, -1: all */
  ldr_memitem *item;
  size_t n, cap;
  ldr_arena arena; /* the keys */
} ldr_memsort;

ldr_code ldr_memsort_add(ldr_memsort *s, const ldr_matcher *m, const ldr_row *row,
                         ldr_memver *v) LDR_MUSTCHECK;
ldr_code ldr_memsort_finish(ldr_memsort *s,
                            ldr_err *err) LDR_MUSTCHECK; /* item[0 … n-1] are sorted, ties as added */
/* What op's limits for each parent let through stays, in its order. */
ldr_code ldr_memsort_limit_each(ldr_memsort *s, const ldr_op *op, ldr_err *err) LDR_MUSTCHECK;
void ldr_memsort_free(ldr_memsort *s);

#endif

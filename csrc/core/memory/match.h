/* Predicates and orders of the operation language on packed rows, as SQL means them: three-valued logic,
 * texts by bytes, nulls last when ascending. */
#ifndef LDR_MEMORY_MATCH_H
#define LDR_MEMORY_MATCH_H

#include "memory/matcher.h"

/* The value of an operand; a view into the row, or into m->scratch until the next operand. */
ldr_code ldr_match_operand(const ldr_matcher *m, const ldr_entity *e, const ldr_row *row, unsigned field,
                           const ldr_expr *x, ldr_value *out) LDR_MUSTCHECK;

/* Does p hold for a row of e? NULL holds always. The only faults: out of memory, a broken LIKE pattern
 * (22025). */
ldr_truth ldr_match(const ldr_matcher *m, const ldr_entity *e, const ldr_row *row, const ldr_pred *p);
/* The number of the first of order's predicates that holds for the row; nranks when none does. */
ldr_code ldr_match_rank(const ldr_matcher *m, const ldr_entity *e, const ldr_row *row, const ldr_order *order,
                        uint32_t *out) LDR_MUSTCHECK;

/* <0, 0, >0 in ascending order, null after everything. */
int ldr_order_values(const ldr_value *a, const ldr_value *b);
/* One item of an order; not for LDR_BY_RANK and LDR_BY_EXPR. */
int ldr_order_rows(const ldr_entity *e, const ldr_order *order, const ldr_row *a, const ldr_row *b);
/* Does the row come after the keyset values (one an order item, LDR_BY_FIELD or LDR_BY_EXPR)? Never
 * LDR_UNKNOWN. */
ldr_truth ldr_order_after(const ldr_matcher *m, const ldr_entity *e, const ldr_order *order, unsigned n,
                          const ldr_row *row, const ldr_value *after);

#endif

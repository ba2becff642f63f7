/* The values of expressions on packed rows, as PostgreSQL computes them. */
#ifndef LDR_MEMORY_EVAL_H
#define LDR_MEMORY_EVAL_H

#include "memory/matcher.h"

/* The value of x for a row of e. What is made for it lies in m->scratch. */
ldr_code ldr_mem_eval(const ldr_matcher *m, const ldr_entity *e, const ldr_row *row, const ldr_expr *x,
                      ldr_value *out) LDR_MUSTCHECK;

#endif

/* What memory does not know: fields that PostgreSQL generates. */
#ifndef LDR_MEMORY_UNKNOWN_H
#define LDR_MEMORY_UNKNOWN_H

#include "model/op.h"

/* LDR_UNSUPPORTED when a condition, an order or a figure is of a generated field: here it is always null, and
 * an answer made of that would be a wrong one. */
ldr_code ldr_memop_knows(const ldr_op *op, ldr_err *err) LDR_MUSTCHECK;

#endif

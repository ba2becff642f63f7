/* What memory does not know: fields that PostgreSQL generates, and types whose values only PostgreSQL can
 * compare or check: citext, xml. */
#ifndef LDR_MEMORY_UNKNOWN_H
#define LDR_MEMORY_UNKNOWN_H

#include "model/op.h"

/* LDR_UNSUPPORTED when a condition, an order or a figure is of such a field: here it is always null, and an
 * answer made of that would be a wrong one. */
ldr_code ldr_memop_knows(const ldr_op *op, ldr_err *err) LDR_MUSTCHECK;
/* LDR_UNSUPPORTED when a row (one value a field) has a value that is not null of such a type. */
ldr_code ldr_memop_takes(const ldr_entity *e, const ldr_value *values, ldr_err *err) LDR_MUSTCHECK;

#endif

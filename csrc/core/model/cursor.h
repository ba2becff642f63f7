/* Keyset cursors: the order values of the last row seen, bound to the sort they belong to. Opaque base64url
 * text. */
#ifndef LDR_MODEL_CURSOR_H
#define LDR_MODEL_CURSOR_H

#include "model/op.h"

#define LDR_CURSOR_SEED \
  UINT64_C(0x6c61726465722e31) /* of the integrity hash; fuzzers seal their own with it */

/* values: op->norder of them, nulls allowed. */
ldr_code ldr_cursor_encode(const ldr_op *op, const ldr_value *values, ldr_buf *out,
                           ldr_err *err) LDR_MUSTCHECK;
/* LDR_INVALID when the text is no cursor, was changed, or belongs to another entity or order. Values live in
 * the arena. */
ldr_code ldr_cursor_decode(const ldr_op *op, const char *s, size_t n, ldr_arena *a, const ldr_value **out,
                           ldr_err *err) LDR_MUSTCHECK;

/* Of a keyset (op->after): one direction, and no nulls anywhere. SQL's row comparison says it, and an index
 * that has the order leads to its place. */
bool ldr_op_after_is_uniform(const ldr_op *op);

#endif

/* Which of the rows that a statement was given has the key that an error is about. Keys are compared by the
 * hash of their texts, so that an error carries no value. */
#ifndef LDR_MODEL_GIVEN_ROW_H
#define LDR_MODEL_GIVEN_ROW_H

#include "model/op.h"

/* err->key from the values of a key's fields, in their order: none where a setting of the server or the
 * column's type has a say in how one is printed, or memory is short. */
void ldr_given_key(const ldr_value *values, unsigned n, ldr_err *err);

/* err->row, when exactly one row of several has the key that err is about. */
void ldr_given_row(const ldr_op *op, ldr_err *err);

#endif

/* What a write of one row says of it: the values that the row has afterwards, if the table stores it as it is
 * given. */
#ifndef LDR_MODEL_GIVEN_H
#define LDR_MODEL_GIVEN_H

#include "model/op.h"

/* The value by which op names field number i of the key; NULL: it may be about any row, or several. */
const ldr_value *ldr_op_key_value(const ldr_op *op, unsigned i);
/* What op gives the field; NULL: something else decides, such as what the row held before. Of an update only
 * when it names the key. */
const ldr_value *ldr_op_given(const ldr_op *op, unsigned field);

#endif

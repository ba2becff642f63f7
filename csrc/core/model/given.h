/* What a write says of its row, or an insert of its rows: the values that they have afterwards, if the table
 * stores rows as they are given. */
#ifndef LDR_MODEL_GIVEN_H
#define LDR_MODEL_GIVEN_H

#include "model/op.h"

/* The value by which op names field number i of the key; NULL: it may be about any row, or several. */
const ldr_value *ldr_op_key_value(const ldr_op *op, unsigned i);
/* What op gives the field of row number `row` (0 but in an insert of several); NULL: something else decides,
 * such as what the row held before, which is the same for all rows. Of an update only when it names the key.
 */
const ldr_value *ldr_op_given(const ldr_op *op, size_t row, unsigned field);
/* Does op give all of what it returns? */
bool ldr_op_gives_all(const ldr_op *op);

#endif

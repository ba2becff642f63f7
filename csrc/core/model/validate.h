/* What every engine is spared: values are checked against the declaration, and defaults and stamps filled in,
 * before an operation reaches an engine. So both engines refuse the same rows with the same words. */
#ifndef LDR_MODEL_VALIDATE_H
#define LDR_MODEL_VALIDATE_H

#include "model/op.h"

/* One value against its field, null included. Text: valid UTF-8, no zero byte, lengths, enum. Ints: column
 * range, min, max. numeric: rounded to the column's scale (bytes from the arena). Each element of an
 * array is checked, padded and rounded like that, as PostgreSQL does it. Adds the fault to err->fields;
 * LDR_OK or LDR_INVALID (LDR_CAPACITY when out of memory). */
ldr_code ldr_check_value(const ldr_field *f, ldr_value *v, ldr_arena *a, ldr_err *err) LDR_MUSTCHECK;

/* The declared min and max of a field, for what a set expression makes of it as well. v: not null, of the
 * field's type, and rounded as it is stored. Compared as PostgreSQL compares: NaN is above every number. */
ldr_code ldr_check_limits(const ldr_field *f, const ldr_value *v, ldr_err *err) LDR_MUSTCHECK;
/* Appends a limit as messages have it. */
void ldr_limit_text(const ldr_field *f, const ldr_value *limit, ldr_buf *out);

/* Complete a row for INSERT. row: one value a field, its JSON valid as values/value.h has it; given[i] false
 * = the caller did not name it (row[i] is ignored). Fills defaults and stamps from `now`; leaves IDENTITY
 * fields not given as null with given[i] still false. Reports every fault of the row at once. */
ldr_code ldr_check_row(const ldr_entity *e, ldr_value *row, bool *given, int64_t now, ldr_arena *a,
                       ldr_err *err) LDR_MUSTCHECK;

/* Check and complete the sets of an UPDATE: values, immutable fields, and a stamp set for every stamp_update
 * field that is not named. sets has room for nsets + e->nfields. */
ldr_code ldr_check_sets(const ldr_entity *e, ldr_set *sets, unsigned *nsets, int64_t now, ldr_arena *a,
                        ldr_err *err) LDR_MUSTCHECK;

#endif

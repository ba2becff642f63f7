/* The memory engine's faults, in the words that the PostgreSQL engine gives to the server's. Names only, no
 * values. */
#ifndef LDR_MEMORY_ERRORS_H
#define LDR_MEMORY_ERRORS_H

#include "model/row.h"

/* row: the one at fault */
ldr_code ldr_memerr_duplicate(const ldr_entity *e, const ldr_unique *u, const ldr_row *row,
                              ldr_err *err); /* 23505 */
ldr_code ldr_memerr_missing(const ldr_entity *e, const ldr_ref *r, const ldr_value *key,
                            ldr_err *err); /* 23503; key: the values of r's fields */
ldr_code ldr_memerr_still_referred(const ldr_entity *child, const ldr_ref *r, ldr_err *err); /* 23503 */
ldr_code ldr_memerr_null(const ldr_entity *e, unsigned field, ldr_err *err);                 /* 23502 */
ldr_code ldr_memerr_range(const ldr_field *f, ldr_err *err);                                 /* 22003 */
ldr_code ldr_memerr_time(const ldr_field *f, ldr_err *err); /* a time out of range */
ldr_code ldr_memerr_dims(const ldr_field *f, ldr_err *err); /* 2202E */
ldr_code ldr_memerr_locked(ldr_err *err);                   /* 55P03 */
ldr_code ldr_memerr_twice(ldr_err *err);                    /* 21000 */
ldr_code ldr_memerr_serialization(ldr_err *err);            /* 40001 */

#endif

/* numeric: exact decimal text in PostgreSQL's own output form ("-12.340", "NaN", "Infinity"). */
#ifndef LDR_VALUES_NUMERIC_H
#define LDR_VALUES_NUMERIC_H

#include <stdbool.h>

#include "base/buf.h"

/* Any spelling PostgreSQL reads ("1e3", " 01.50 " is refused for its spaces) → its output form. false: not a
 * number, or beyond 131072 digits before or 16383 after the point, or an exponent that adds more than 1000
 * digits to those that are written. */
bool ldr_numeric_normal(const char *s, size_t n, ldr_buf *out);
/* Round half away from zero to numeric(precision, scale), as PostgreSQL does on store; s is normal. false:
 * the integer part does not fit (22003). Infinity never fits, NaN does. */
bool ldr_numeric_fit(const char *s, size_t n, int precision, int scale, ldr_buf *out);
/* <0, 0, >0; normal forms; NaN equals NaN and is the largest; 1.0 equals 1. */
int ldr_numeric_cmp(const char *a, size_t na, const char *b, size_t nb);
bool ldr_numeric_add(const char *a, size_t na, const char *b, size_t nb, ldr_buf *out); /* normal forms */
/* A hash equal for equal values: hashes the form without trailing fraction zeros. */
uint64_t ldr_numeric_hash(const char *s, size_t n, uint64_t seed);

/* PostgreSQL's binary form (numeric_send / numeric_recv): ndigits, weight, sign, dscale, base-10000 digits.
 */
bool ldr_numeric_from_wire(const void *p, size_t n, ldr_buf *out); /* false: malformed */
void ldr_numeric_to_wire(const char *s, size_t n, ldr_buf *out);   /* s is normal */

#endif

/* Exact arithmetic on numerics, in their normal form (values/numeric.h): what a program computes with money.
 */
#ifndef LDR_VALUES_DECIMAL_H
#define LDR_VALUES_DECIMAL_H

#include <stdbool.h>

#include "base/buf.h"

typedef enum ldr_decimal_end {
  LDR_DECIMAL_OK,
  LDR_DECIMAL_RANGE,   /* more digits than a numeric has */
  LDR_DECIMAL_ZERO,    /* division by zero */
  LDR_DECIMAL_INFINITE /* a factor or divisor is no finite number */
} ldr_decimal_end;

/* The results are appended to out in normal form; out->broken: out of memory. */
ldr_decimal_end ldr_decimal_sub(const char *a, size_t na, const char *b, size_t nb, ldr_buf *out);
/* As many fraction digits as both have together. */
ldr_decimal_end ldr_decimal_mul(const char *a, size_t na, const char *b, size_t nb, ldr_buf *out);
/* Rounded half away from zero to `scale` fraction digits; scale -1: as many as PostgreSQL's division gives,
 * 16 significant ones at least. */
ldr_decimal_end ldr_decimal_div(const char *a, size_t na, const char *b, size_t nb, int scale, ldr_buf *out);
ldr_decimal_end ldr_decimal_round(const char *a, size_t na, int scale, ldr_buf *out);

#endif

/* avg() of integers and numerics as PostgreSQL computes it: an exact decimal quotient of at least 16
 * significant digits, rounded half away from zero, then the nearest double. Dividing doubles differs in the
 * last bit. */
#ifndef LDR_MEMORY_AVG_H
#define LDR_MEMORY_AVG_H

#include "base/buf.h"

typedef enum ldr_avg_end { LDR_AVG_OK, LDR_AVG_RANGE, LDR_AVG_NOMEM } ldr_avg_end;

/* sum: a numeric's normal form; count > 0. RANGE: the quotient is no double, too large or too small. */
ldr_avg_end ldr_avg(const char *sum, size_t n, int64_t count, double *out);

#endif

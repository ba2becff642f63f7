/* avg() of integers and numerics as PostgreSQL computes it: an exact decimal quotient of at least 16
 * significant digits, rounded half away from zero, then the nearest double. Dividing doubles differs in the
 * last bit. */
#ifndef LDR_MEMORY_AVG_H
#define LDR_MEMORY_AVG_H

#include "base/buf.h"

/* sum: a numeric's normal form; count > 0. false: out of memory. */
bool ldr_avg(const char *sum, size_t n, int64_t count, double *out);

#endif

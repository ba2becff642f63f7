/* Time sources. A deadline is a point on the monotonic clock, so that a stepped wall clock never
 * shortens or lengthens a wait (field notes, test 59). */
#ifndef LDR_BASE_CLOCK_H
#define LDR_BASE_CLOCK_H

#include <stdint.h>

#define LDR_NEVER INT64_MAX

int64_t ldr_now_mono(void); /* microseconds, monotonic */
int64_t ldr_now_wall(void); /* microseconds since 1970-01-01T00:00:00Z */
static inline int64_t ldr_sooner(int64_t a, int64_t b) { return a < b ? a : b; }
int64_t ldr_deadline(double seconds);  /* from now; LDR_NEVER when seconds < 0 */
int ldr_millis_left(int64_t deadline); /* for poll(): 0 when passed, -1 when never, rounded up */

#endif

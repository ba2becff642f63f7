/* timestamptz: microseconds since 2000-01-01T00:00:00Z, as int64: PostgreSQL's own count, so that its whole
 * range fits. */
#ifndef LDR_VALUES_TIME_H
#define LDR_VALUES_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LDR_TIME_INF     INT64_MAX /* 'infinity' */
#define LDR_TIME_NEG_INF INT64_MIN /* '-infinity' */
#define LDR_TIME_FIRST   INT64_C(-211813488000000000)
#define LDR_TIME_LAST    INT64_C(9223371331199999999)
#define LDR_TIME_EPOCH   INT64_C(946684800000000) /* 2000-01-01 in microseconds since 1970 */
#define LDR_TIME_TEXT    40                       /* bytes that hold any formatted time and its zero */

/* RFC 3339 (section 5.6) and what PostgreSQL prints and commonly takes: 'T', 't' or one space; seconds may be
 * left out; 1 to 9 digits of fraction (beyond microseconds rounded half up); second 60 and 24:00 are carried
 * over; offsets +05, +0530, +05:30 and, of old times, +05:53:28; years of four to six digits, 0001 to 294276,
 * and "BC" behind; "infinity" and "-infinity". The offset is required. The range is PostgreSQL's: from
 * 4714-11-24 BC to the end of 294276. */
bool ldr_time_parse(const char *s, size_t n, int64_t *out);
/* 2026-01-02T03:04:05.000006Z: always UTC, always microseconds. Returns the length. */
size_t ldr_time_format(int64_t us, char out[LDR_TIME_TEXT]);

/* ---- clocks, which count from 1970 ---- */
static inline int64_t ldr_time_of_unix(int64_t us) { return us - LDR_TIME_EPOCH; } /* us: of a clock */
bool ldr_time_to_unix(int64_t us, int64_t *out); /* false: beyond int64; infinities stay */
/* Seconds since 1970; false when outside PostgreSQL's range or not finite. */
bool ldr_time_from_seconds(double s, int64_t *out);
bool ldr_time_from_int_seconds(int64_t s, int64_t *out);

bool ldr_time_ok(int64_t us); /* in PostgreSQL's range, or an infinity */

/* The start of the bucket that holds us, in UTC: "minute", "hour", "day", "week" (Monday), "month", "year" as
 * date_trunc. */
typedef enum ldr_bucket {
  LDR_BUCKET_NONE,
  LDR_MINUTE,
  LDR_HOUR,
  LDR_DAY,
  LDR_WEEK,
  LDR_MONTH,
  LDR_YEAR
} ldr_bucket;
extern const char *const ldr_bucket_names[LDR_YEAR + 1]; /* NULL for LDR_BUCKET_NONE */
/* false: the bucket begins before the first time there is. */
bool ldr_time_trunc(int64_t us, ldr_bucket b, int64_t *out);

#endif

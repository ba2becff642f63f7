/* timestamptz: microseconds since 1970-01-01T00:00:00Z, as int64. */
#ifndef LDR_VALUES_TIME_H
#define LDR_VALUES_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LDR_TIME_INF      INT64_MAX                /* 'infinity' */
#define LDR_TIME_NEG_INF  INT64_MIN                /* '-infinity' */
#define LDR_TIME_PG_EPOCH INT64_C(946684800000000) /* 2000-01-01 in our microseconds: PostgreSQL's zero */
#define LDR_TIME_TEXT     40                       /* bytes that hold any formatted time and its zero */

/* RFC 3339 (section 5.6): any offset, 'T', 't' or one space, 1 to 9 digits of fraction (beyond
 * microseconds rounded half up), second 60 carried over, 24:00:00 refused. Years 0001 to 9999, also the
 * longer years and "BC" suffix that ldr_time_format writes, and "infinity" / "-infinity". The offset is
 * required. The range is PostgreSQL's, cut where int64 ends: from 4714-11-24 BC, its Julian day 0, to
 * 294247-01-10T04:00:54.775806Z (PostgreSQL: 294276). */
bool ldr_time_parse(const char *s, size_t n, int64_t *out);
/* 2026-01-02T03:04:05.000006Z: always UTC, always microseconds. Returns the length. */
size_t ldr_time_format(int64_t us, char out[LDR_TIME_TEXT]);
/* Seconds since the epoch as a float; false when outside PostgreSQL's range or not finite. */
bool ldr_time_from_seconds(double s, int64_t *out);
bool ldr_time_from_int_seconds(int64_t s, int64_t *out);

/* PostgreSQL's binary value (timestamptz_send): microseconds since 2000, the infinities as ours. false: out
 * of our range. */
bool ldr_time_from_pg(int64_t wire, int64_t *out);
int64_t ldr_time_to_pg(int64_t us);

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
/* false: the bucket begins before the first time there is. */
bool ldr_time_trunc(int64_t us, ldr_bucket b, int64_t *out);

#endif

/* Times without a zone: date, timestamp, time of day, interval; each counted as PostgreSQL counts it, and
 * each with one text form whatever DateStyle, IntervalStyle and locale say. */
#ifndef LDR_VALUES_DATETIME_H
#define LDR_VALUES_DATETIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LDR_DATETIME_TEXT = 96 }; /* bytes that hold any text made here and its zero */

/* ---- date: days since 2000-01-01, as int32 on the wire ---- */
#define LDR_DATE_INF     INT32_MAX
#define LDR_DATE_NEG_INF INT32_MIN
#define LDR_DATE_FIRST   INT64_C(-2451545)   /* 4714-11-24 BC */
#define LDR_DATE_LAST    INT64_C(2145031948) /* 5874897-12-31 */

/* 2026-01-02, years of four to seven digits, "BC" behind, "infinity", "-infinity". */
bool ldr_date_parse(const char *s, size_t n, int64_t *out);
size_t ldr_date_format(int64_t days, char out[LDR_DATETIME_TEXT]); /* 2026-01-02; returns the length */
bool ldr_date_ok(int64_t days);

/* ---- timestamp without time zone: as values/time.h counts, of whatever clock stood on the wall ---- */
/* A date and a time as ldr_time_parse takes them, but without an offset: one that is there is refused, since
 * PostgreSQL would drop it without a word. A date alone is its midnight. The range is ldr_time_ok's. */
bool ldr_timestamp_parse(const char *s, size_t n, int64_t *out);
size_t ldr_timestamp_format(int64_t us, char out[LDR_DATETIME_TEXT]); /* 2026-01-02T03:04:05.000006 */

/* ---- time of day: microseconds since midnight, to 24:00:00 ---- */
#define LDR_CLOCK_LAST INT64_C(86400000000)
bool ldr_clock_parse(const char *s, size_t n, int64_t *out);      /* 03:04, 03:04:05, 03:04:05.000006 */
size_t ldr_clock_format(int64_t us, char out[LDR_DATETIME_TEXT]); /* 03:04:05, or with six digits more */

/* ---- interval: months, days and microseconds, which never turn into one another ---- */
enum { LDR_INTERVAL_WIRE = 16 }; /* be64 microseconds, be32 days, be32 months: also the value's bytes */

typedef struct ldr_interval {
  int64_t us;
  int32_t days, months;
} ldr_interval;

/* ISO 8601 (P1Y2M3W4DT5H6M7.5S, a sign before any number) and what PostgreSQL prints (1 year 2 mons -3 days
 * +04:05:06.5, "ago"). Only seconds have a fraction. "infinity" as PostgreSQL 17 has it. */
bool ldr_interval_parse(const char *s, size_t n, ldr_interval *out);
size_t ldr_interval_format(const ldr_interval *v, char out[LDR_DATETIME_TEXT]); /* P1Y2M3DT4H5M6.5S */
void ldr_interval_read(const char wire[LDR_INTERVAL_WIRE], ldr_interval *out);
void ldr_interval_write(const ldr_interval *v, char wire[LDR_INTERVAL_WIRE]);
bool ldr_interval_endless(const char wire[LDR_INTERVAL_WIRE]); /* infinity, -infinity */
/* What PostgreSQL compares: a month is 30 days, a day 24 hours. Equal spans are equal intervals. */
void ldr_interval_span(const char wire[LDR_INTERVAL_WIRE], int64_t *days, int64_t *us);

#endif

/* The calendar and the parts of times as text: what time.c and datetime.c share. Inline, since a list of rows
 * formats little else. */
#ifndef LDR_VALUES_CALENDAR_H
#define LDR_VALUES_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

#define LDR_SECOND     INT64_C(1000000) /* in microseconds, as every time here */
#define LDR_DAY_LENGTH (86400 * LDR_SECOND)
enum { LDR_EPOCH_DAYS = 10957 }; /* from 1970 to 2000 */

/* ---- days since 1970-01-01 ↔ proleptic Gregorian date, year 0 = 1 BC ---- */

typedef struct ldr_date {
  int64_t year;
  int month, day;
} ldr_date;

static inline int64_t ldr_floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }
/* What is left: 0 to b - 1. It fits for every a, where ldr_floor_div(a, b) * b may lie below the least
 * number. */
static inline int64_t ldr_floor_mod(int64_t a, int64_t b) { return a % b + (a % b < 0 ? b : 0); }

/* A year that starts in March has its leap day last, so that months need no case for it; 400 such years are
 * always 146097 days, and month m (0 = March) starts at day (153 m + 2) / 5. 719468: from 0000-03-01 to 1970.
 */
static inline int64_t ldr_days_of(ldr_date d) {
  int64_t y = d.month > 2 ? d.year : d.year - 1, era = ldr_floor_div(y, 400), yoe = y - era * 400;
  int64_t doy = (153 * (d.month > 2 ? d.month - 3 : d.month + 9) + 2) / 5 + d.day - 1;
  return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static inline ldr_date ldr_date_of(int64_t days) {
  int64_t z = days + 719468, era = ldr_floor_div(z, 146097), doe = z - era * 146097;
  int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365; /* leap days taken out */
  int64_t doy = doe - (yoe * 365 + yoe / 4 - yoe / 100), m = (5 * doy + 2) / 153;
  ldr_date d = {era * 400 + yoe, (int)(m < 10 ? m + 3 : m - 9), (int)(doy - (153 * m + 2) / 5 + 1)};
  d.year += d.month <= 2;
  return d;
}

static inline int ldr_month_days(const ldr_date *d) {
  static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = d->year % 4 == 0 && (d->year % 100 != 0 || d->year % 400 == 0);
  return days[d->month - 1] + (leap && d->month == 2);
}

/* ---- parsing: each takes what it knows from the front ---- */

/* Exactly `count` digits, at most `max`. */
static inline bool ldr_take_number(ldr_scan_text *s, int count, int max, int *out) {
  const char *p = s->p;
  int v = 0;
  if (s->end - p < count) return false;
  for (int i = 0; i < count; i++) {
    if (!ldr_is_digit(p[i])) return false;
    v = v * 10 + (p[i] - '0');
  }
  s->p = p + count;
  *out = v;
  return v <= max;
}

/* Four digits, or up to `most` without a leading zero. */
static inline bool ldr_take_year(ldr_scan_text *s, int most, int64_t *out) {
  const char *start = s->p;
  int digits = 0, year;
  while (start + digits < s->end && digits <= most && ldr_is_digit(start[digits])) digits++;
  if (digits < 4 || digits > most || (digits > 4 && *start == '0')) return false;
  if (!ldr_take_number(s, digits, 9999999, &year) || year == 0) return false;
  *out = year;
  return true;
}

/* 2026-01-02; the day is checked by ldr_end_date, when "BC" may have been seen. */
static inline bool ldr_take_date(ldr_scan_text *s, int most_digits, ldr_date *d) {
  return ldr_take_year(s, most_digits, &d->year) && ldr_take(s, '-') &&
         ldr_take_number(s, 2, 12, &d->month) && ldr_take(s, '-') && ldr_take_number(s, 2, 31, &d->day);
}

/* " BC" or nothing, and then the end; the date exists. */
static inline bool ldr_end_date(ldr_scan_text *s, ldr_date *d) {
  if (s->end - s->p == 3 && memcmp(s->p, " BC", 3) == 0) {
    d->year = 1 - d->year;
    s->p = s->end;
  }
  return s->p == s->end && d->month > 0 && d->day > 0 && d->day <= ldr_month_days(d);
}

/* 1 to 9 digits, to microseconds, half up: 1000000 is possible and carries when added. */
static inline bool ldr_take_fraction(ldr_scan_text *s, int *out) {
  int nanos = 0, digits = 0;
  if (!ldr_take(s, '.')) return true;
  for (; s->p < s->end && ldr_is_digit(*s->p); s->p++)
    if (++digits <= 9) nanos = nanos * 10 + (*s->p - '0');
  if (digits == 0 || digits > 9) return false;
  for (; digits < 9; digits++) nanos *= 10;
  *out = (nanos + 500) / 1000;
  return true;
}

/* HH:MM, HH:MM:SS, HH:MM:SS.ffffff; 24:00 is the end of the day. */
static inline bool ldr_take_clock(ldr_scan_text *s, int *seconds, int *micros) {
  int h, m, sec = 0;
  if (!ldr_take_number(s, 2, 24, &h) || !ldr_take(s, ':') || !ldr_take_number(s, 2, 59, &m)) return false;
  if (ldr_take(s, ':') && (!ldr_take_number(s, 2, 60, &sec) || !ldr_take_fraction(s, micros))) return false;
  *seconds = h * 3600 + m * 60 + sec;
  return h < 24 || (*seconds == 86400 && *micros == 0);
}

/* "infinity" is 1, "-infinity" is -1, anything else 0. */
static inline int ldr_infinity_of(const char *s, size_t n) {
  if (n == 8 && memcmp(s, "infinity", n) == 0) return 1;
  return n == 9 && memcmp(s, "-infinity", n) == 0 ? -1 : 0;
}

/* ---- formatting ---- */

/* The last two digits of v. */
static inline char *ldr_put_two(char *w, unsigned v) {
  static const char digits[] =
      "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
      "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
      "8081828384858687888990919293949596979899";
  memcpy(w, digits + 2 * (v % 100), 2);
  return w + 2;
}

static inline char *ldr_put_part(char *w, char before, unsigned v) {
  *w = before;
  return ldr_put_two(w + 1, v);
}

/* 2026-01-02: a year of four digits, or up to seven without a leading zero; years before 1 as BC's. */
static inline char *ldr_put_date(char *w, const ldr_date *d) {
  unsigned y = (unsigned)(d->year > 0 ? d->year : 1 - d->year);
  if (y >= 1000000) *w++ = (char)('0' + y / 1000000);
  if (y >= 100000) *w++ = (char)('0' + y / 100000 % 10);
  if (y >= 10000) *w++ = (char)('0' + y / 10000 % 10);
  w = ldr_put_two(ldr_put_two(w, y / 100), y);
  return ldr_put_part(ldr_put_part(w, '-', (unsigned)d->month), '-', (unsigned)d->day);
}

/* us of one day, which `before` stands in front of: T03:04:05 */
static inline char *ldr_put_seconds(char *w, char before, int64_t us) {
  unsigned sec = (unsigned)(us / LDR_SECOND);
  w = ldr_put_part(w, before, sec / 3600);
  return ldr_put_part(ldr_put_part(w, ':', sec / 60 % 60), ':', sec % 60);
}

static inline char *ldr_put_micros(char *w, int64_t us) {
  unsigned micros = (unsigned)(us % LDR_SECOND);
  w = ldr_put_part(w, '.', micros / 10000);
  return ldr_put_two(ldr_put_two(w, micros / 100), micros);
}

static inline char *ldr_put_word(char *w, const char *word) {
  size_t n = strlen(word);
  memcpy(w, word, n + 1);
  return w + n;
}

#endif

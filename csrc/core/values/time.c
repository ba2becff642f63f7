#include "values/time.h"

#include <string.h>

#define SECOND        INT64_C(1000000)
#define DAY           (86400 * SECOND)
#define EPOCH_DAYS    10957 /* from 1970 to 2000 */
#define EPOCH_SECONDS (EPOCH_DAYS * INT64_C(86400))

/* ---- the calendar: days since 1970-01-01 ↔ proleptic Gregorian date, year 0 = 1 BC ---- */

typedef struct date {
  int64_t year;
  int month, day;
} date;

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* A year that starts in March has its leap day last, so that months need no case for it; 400 such years are
 * always 146097 days, and month m (0 = March) starts at day (153 m + 2) / 5. 719468: from 0000-03-01 to 1970.
 */
static int64_t days_of(date d) {
  int64_t y = d.month > 2 ? d.year : d.year - 1, era = floor_div(y, 400), yoe = y - era * 400;
  int64_t doy = (153 * (d.month > 2 ? d.month - 3 : d.month + 9) + 2) / 5 + d.day - 1;
  return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static date date_of(int64_t days) {
  int64_t z = days + 719468, era = floor_div(z, 146097), doe = z - era * 146097;
  int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365; /* leap days taken out */
  int64_t doy = doe - (yoe * 365 + yoe / 4 - yoe / 100), m = (5 * doy + 2) / 153;
  date d = {era * 400 + yoe, (int)(m < 10 ? m + 3 : m - 9), (int)(doy - (153 * m + 2) / 5 + 1)};
  d.year += d.month <= 2;
  return d;
}

static int month_days(const date *d) {
  static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = d->year % 4 == 0 && (d->year % 100 != 0 || d->year % 400 == 0);
  return days[d->month - 1] + (leap && d->month == 2);
}

/* ---- parsing ---- */

typedef struct scan {
  const char *p, *end;
} scan;

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool take(scan *s, char c) {
  if (s->p == s->end || *s->p != c) return false;
  s->p++;
  return true;
}

/* Exactly `count` digits, at most `max`. */
static bool take_number(scan *s, int count, int max, int *out) {
  int v = 0;
  for (int i = 0; i < count; i++, s->p++) {
    if (s->p == s->end || !is_digit(*s->p)) return false;
    v = v * 10 + (*s->p - '0');
  }
  *out = v;
  return v <= max;
}

/* Four digits, or up to six without a leading zero. */
static bool take_year(scan *s, int64_t *out) {
  const char *start = s->p;
  int digits = 0, year;
  while (start + digits < s->end && digits < 7 && is_digit(start[digits])) digits++;
  if (digits < 4 || digits > 6 || (digits > 4 && *start == '0')) return false;
  if (!take_number(s, digits, 999999, &year) || year == 0) return false;
  *out = year;
  return true;
}

/* 1 to 9 digits, to microseconds, half up: 1000000 is possible and carries when added. */
static bool take_fraction(scan *s, int *out) {
  int nanos = 0, digits = 0;
  if (!take(s, '.')) return true;
  for (; s->p < s->end && is_digit(*s->p); s->p++)
    if (++digits <= 9) nanos = nanos * 10 + (*s->p - '0');
  if (digits == 0 || digits > 9) return false;
  for (; digits < 9; digits++) nanos *= 10;
  *out = (nanos + 500) / 1000;
  return true;
}

/* Two digits behind a colon, or right behind what is there when it has none. */
static bool take_more(scan *s, bool colon, int max, int *out) {
  if (colon && !take(s, ':')) return false;
  return take_number(s, 2, max, out);
}

/* Z, +05, +05:30, +0530, +05:53:28, +055328. */
static bool take_offset(scan *s, int *seconds) {
  int h, m = 0, sec = 0, sign = 1;
  bool colon;
  if (take(s, 'Z') || take(s, 'z')) return true;
  if (take(s, '-'))
    sign = -1;
  else if (!take(s, '+'))
    return false;
  if (!take_number(s, 2, 23, &h)) return false;
  colon = s->p < s->end && *s->p == ':';
  if (colon || (s->p < s->end && is_digit(*s->p))) {
    if (!take_more(s, colon, 59, &m)) return false;
    if (s->p < s->end && (colon ? *s->p == ':' : is_digit(*s->p)) && !take_more(s, colon, 59, &sec))
      return false;
  }
  *seconds = sign * (h * 3600 + m * 60 + sec);
  return true;
}

/* HH:MM, HH:MM:SS, HH:MM:SS.ffffff; 24:00 is the end of the day. */
static bool take_clock(scan *s, int *seconds, int *micros) {
  int h, m, sec = 0;
  if (!take_number(s, 2, 24, &h) || !take(s, ':') || !take_number(s, 2, 59, &m)) return false;
  if (take(s, ':') && (!take_number(s, 2, 60, &sec) || !take_fraction(s, micros))) return false;
  *seconds = h * 3600 + m * 60 + sec;
  return h < 24 || (*seconds == 86400 && *micros == 0);
}

static bool in_words(const char *s, size_t n, int64_t *out) {
  if (n == 8 && memcmp(s, "infinity", n) == 0)
    *out = LDR_TIME_INF;
  else if (n == 9 && memcmp(s, "-infinity", n) == 0)
    *out = LDR_TIME_NEG_INF;
  else
    return false;
  return true;
}

/* seconds: since 1970 */
static bool from_parts(int64_t seconds, int micros, int64_t *out) {
  const int64_t first = LDR_TIME_FIRST / SECOND + EPOCH_SECONDS,
                last = LDR_TIME_LAST / SECOND + EPOCH_SECONDS;
  int64_t us;
  if (seconds < first || seconds > last) return false;
  us = (seconds - EPOCH_SECONDS) * SECOND + micros;
  if (us > LDR_TIME_LAST) return false;
  *out = us;
  return true;
}

bool ldr_time_parse(const char *text, size_t n, int64_t *out) {
  scan s = {text, text + n};
  date d;
  int clock, micros = 0, offset = 0;
  if (in_words(text, n, out)) return true;
  if (!take_year(&s, &d.year) || !take(&s, '-')) return false;
  if (!take_number(&s, 2, 12, &d.month) || !take(&s, '-') || !take_number(&s, 2, 31, &d.day)) return false;
  if (!take(&s, 'T') && !take(&s, 't') && !take(&s, ' ')) return false;
  if (!take_clock(&s, &clock, &micros) || !take_offset(&s, &offset)) return false;
  if (s.end - s.p == 3 && memcmp(s.p, " BC", 3) == 0) {
    d.year = 1 - d.year;
    s.p = s.end;
  }
  if (s.p != s.end || d.month == 0 || d.day == 0 || d.day > month_days(&d)) return false;
  return from_parts(days_of(d) * 86400 + clock - offset, micros, out);
}

/* ---- formatting ---- */

/* The last two digits of v. */
static char *put_two(char *w, unsigned v) {
  static const char digits[] =
      "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
      "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
      "8081828384858687888990919293949596979899";
  memcpy(w, digits + 2 * (v % 100), 2);
  return w + 2;
}

static char *put_part(char *w, char before, unsigned v) {
  *w = before;
  return put_two(w + 1, v);
}

/* Four digits, or up to six without a leading zero. */
static char *put_year(char *w, unsigned y) {
  if (y >= 100000) *w++ = (char)('0' + y / 100000);
  if (y >= 10000) *w++ = (char)('0' + y / 10000 % 10);
  return put_two(put_two(w, y / 100), y);
}

static size_t put_word(char *out, const char *word) {
  size_t n = strlen(word);
  memcpy(out, word, n + 1);
  return n;
}

size_t ldr_time_format(int64_t us, char out[LDR_TIME_TEXT]) {
  int64_t rest = us % DAY + (us % DAY < 0 ? DAY : 0);
  unsigned sec = (unsigned)(rest / SECOND), micros = (unsigned)(rest % SECOND);
  date d = date_of(floor_div(us, DAY) + EPOCH_DAYS);
  char *w = out;
  if (us == LDR_TIME_INF) return put_word(out, "infinity");
  if (us == LDR_TIME_NEG_INF) return put_word(out, "-infinity");
  w = put_year(w, (unsigned)(d.year > 0 ? d.year : 1 - d.year));
  w = put_part(w, '-', (unsigned)d.month);
  w = put_part(w, '-', (unsigned)d.day);
  w = put_part(w, 'T', sec / 3600);
  w = put_part(w, ':', sec / 60 % 60);
  w = put_part(w, ':', sec % 60);
  w = put_part(w, '.', micros / 10000);
  w = put_two(put_two(w, micros / 100), micros);
  w += put_word(w, d.year > 0 ? "Z" : "Z BC");
  return (size_t)(w - out);
}

/* ---- other sources ---- */

bool ldr_time_ok(int64_t us) {
  return us == LDR_TIME_INF || us == LDR_TIME_NEG_INF || (us >= LDR_TIME_FIRST && us <= LDR_TIME_LAST);
}

bool ldr_time_to_unix(int64_t us, int64_t *out) {
  bool infinite = us == LDR_TIME_INF || us == LDR_TIME_NEG_INF;
  if (!infinite && us > INT64_MAX - 1 - LDR_TIME_EPOCH) return false;
  *out = infinite ? us : us + LDR_TIME_EPOCH;
  return true;
}

bool ldr_time_from_int_seconds(int64_t s, int64_t *out) { return from_parts(s, 0, out); }

bool ldr_time_from_seconds(double s, int64_t *out) {
  int64_t whole;
  if (!(s >= -2.2e11 && s <= 9.3e12)) return false; /* NaN ends here too */
  whole = (int64_t)s;
  if (s < (double)whole) whole--; /* the cast cuts towards zero */
  return from_parts(whole, (int)((s - (double)whole) * 1e6 + 0.5), out);
}

/* ---- buckets ---- */

static int64_t floor_to(int64_t v, int64_t unit) { return floor_div(v, unit) * unit; }

static int64_t start_of(int64_t us, ldr_bucket b) {
  int64_t days = floor_div(us, DAY);
  date d;
  switch (b) {
    case LDR_BUCKET_NONE: break;
    case LDR_MINUTE: return floor_to(us, 60 * SECOND);
    case LDR_HOUR: return floor_to(us, 3600 * SECOND);
    case LDR_DAY: return days * DAY;
    case LDR_WEEK: return (floor_to(days + 5, 7) - 5) * DAY; /* day 0 was a Saturday */
    case LDR_MONTH:
    case LDR_YEAR:
      d = date_of(days + EPOCH_DAYS);
      d.day = 1;
      if (b == LDR_YEAR) d.month = 1;
      return (days_of(d) - EPOCH_DAYS) * DAY;
  }
  return us;
}

bool ldr_time_trunc(int64_t us, ldr_bucket b, int64_t *out) {
  *out = us;
  if (us == LDR_TIME_INF || us == LDR_TIME_NEG_INF) return true; /* no date, no bucket */
  if (us < LDR_TIME_FIRST) return false;
  *out = start_of(us, b);
  return *out >= LDR_TIME_FIRST;
}

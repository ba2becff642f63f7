#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "values/calendar.h"
#include "values/datetime.h"

static const ldr_interval infinite = {INT64_MAX, INT32_MAX, INT32_MAX},
                          minus_infinite = {INT64_MIN, INT32_MIN, INT32_MIN};

static bool is(const ldr_interval *a, const ldr_interval *b) {
  return a->us == b->us && a->days == b->days && a->months == b->months;
}

/* ---- adding up what was read ---- */

static bool add_months(ldr_interval *v, int64_t n) {
  return !__builtin_add_overflow(v->months, n, &v->months);
}

static bool add_days(ldr_interval *v, int64_t n) { return !__builtin_add_overflow(v->days, n, &v->days); }

static bool add_micros(ldr_interval *v, int64_t n) { return !__builtin_add_overflow(v->us, n, &v->us); }

static bool times(int64_t n, int64_t unit, int64_t *out) { return !__builtin_mul_overflow(n, unit, out); }

typedef enum unit { NO_UNIT, YEAR, MONTH, WEEK, DAY, HOUR, MINUTE, SECOND } unit;

/* A number as it was written: its sign, the whole part and, of seconds, the microseconds behind the point. */
typedef struct number {
  bool negative, fraction;
  int64_t whole;
  int micros;
} number;

static bool add(ldr_interval *v, unit u, const number *x) {
  static const int64_t micros[] = {
      [HOUR] = 3600 * LDR_SECOND, [MINUTE] = 60 * LDR_SECOND, [SECOND] = LDR_SECOND};
  int64_t n = x->negative ? -x->whole : x->whole;
  if (x->fraction && u != SECOND) return false;
  switch (u) {
    case NO_UNIT: return false;
    case YEAR: return times(n, 12, &n) && add_months(v, n);
    case MONTH: return add_months(v, n);
    case WEEK: return times(n, 7, &n) && add_days(v, n);
    case DAY: return add_days(v, n);
    case HOUR:
    case MINUTE: return times(n, micros[u], &n) && add_micros(v, n);
    case SECOND:
      return times(n, micros[u], &n) && add_micros(v, n) &&
             add_micros(v, x->negative ? -x->micros : x->micros);
  }
  return false;
}

/* ---- parsing ---- */

static bool take_digits(ldr_scan_text *s, int64_t *out) {
  int64_t v = 0;
  const char *start = s->p;
  for (; s->p < s->end && ldr_is_digit(*s->p); s->p++)
    if (!times(v, 10, &v) || __builtin_add_overflow(v, *s->p - '0', &v)) return false;
  *out = v;
  return s->p > start;
}

static void take_sign(ldr_scan_text *s, bool *negative) {
  *negative = s->p < s->end && *s->p == '-';
  if (s->p < s->end && (*s->p == '-' || *s->p == '+')) s->p++;
}

static bool take_rest(ldr_scan_text *s, number *x) { /* behind the sign */
  x->micros = 0;
  if (!take_digits(s, &x->whole)) return false;
  x->fraction = s->p < s->end && *s->p == '.';
  return ldr_take_fraction(s, &x->micros);
}

static unit iso_unit(char c, bool in_time) {
  switch (c) {
    case 'Y': return in_time ? NO_UNIT : YEAR;
    case 'M': return in_time ? MINUTE : MONTH;
    case 'W': return in_time ? NO_UNIT : WEEK;
    case 'D': return in_time ? NO_UNIT : DAY;
    case 'H': return in_time ? HOUR : NO_UNIT;
    case 'S': return in_time ? SECOND : NO_UNIT;
    default: return NO_UNIT;
  }
}

/* Behind the P. A unit may stand once, and the order is fixed. */
static bool parse_iso(ldr_scan_text *s, ldr_interval *out) {
  bool in_time = false;
  unit last = NO_UNIT;
  number x;
  while (s->p < s->end) {
    unit u;
    if (!in_time && ldr_take(s, 'T')) in_time = true;
    take_sign(s, &x.negative);
    if (!take_rest(s, &x) || s->p == s->end) return false;
    u = iso_unit(*s->p++, in_time);
    if (u <= last || !add(out, u, &x)) return false;
    last = u;
  }
  return last != NO_UNIT;
}

static unit unit_named(const char *p, size_t n) {
  static const struct {
    const char *name;
    unit unit;
  } names[] = {{"year", YEAR},  {"yr", YEAR}, {"y", YEAR},        {"month", MONTH}, {"mon", MONTH},
               {"week", WEEK},  {"w", WEEK},  {"day", DAY},       {"d", DAY},       {"hour", HOUR},
               {"hr", HOUR},    {"h", HOUR},  {"minute", MINUTE}, {"min", MINUTE},  {"second", SECOND},
               {"sec", SECOND}, {"s", SECOND}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    size_t len = strlen(names[i].name);
    bool plural = n == len + 1 && len > 1 && p[len] == 's';
    if ((n == len || plural) && memcmp(p, names[i].name, len) == 0) return names[i].unit;
  }
  return NO_UNIT;
}

static void skip_blanks(ldr_scan_text *s) {
  while (s->p < s->end && *s->p == ' ') s->p++;
}

/* :MM, :MM:SS, :MM:SS.ffffff behind the hours in *x */
static bool take_clock_rest(ldr_scan_text *s, const number *x, ldr_interval *out) {
  number part = {.negative = x->negative};
  int minutes, seconds = 0;
  if (x->fraction || !ldr_take(s, ':') || !ldr_take_number(s, 2, 59, &minutes)) return false;
  if (ldr_take(s, ':') && (!ldr_take_number(s, 2, 59, &seconds) || !ldr_take_fraction(s, &part.micros)))
    return false;
  part.whole = minutes * 60 + seconds;
  return add(out, HOUR, x) && add(out, SECOND, &part);
}

static bool take_named(ldr_scan_text *s, const number *x, ldr_interval *out) {
  const char *start;
  skip_blanks(s);
  start = s->p;
  while (s->p < s->end && *s->p >= 'a' && *s->p <= 'z') s->p++;
  return add(out, unit_named(start, (size_t)(s->p - start)), x);
}

static bool negate(ldr_interval *v) {
  return !__builtin_sub_overflow(0, v->us, &v->us) && !__builtin_sub_overflow(0, v->days, &v->days) &&
         !__builtin_sub_overflow(0, v->months, &v->months);
}

/* 1 year 2 mons -3 days +04:05:06.5 [ago]; "@" may stand in front. */
static bool parse_words(ldr_scan_text *s, ldr_interval *out) {
  int parts = 0;
  (void)ldr_take(s, '@');
  for (skip_blanks(s); s->p < s->end; skip_blanks(s)) {
    number x;
    if (parts && s->end - s->p == 3 && memcmp(s->p, "ago", 3) == 0) return negate(out);
    take_sign(s, &x.negative);
    if (!take_rest(s, &x)) return false;
    if (!(s->p < s->end && *s->p == ':' ? take_clock_rest(s, &x, out) : take_named(s, &x, out))) return false;
    parts++;
  }
  return parts > 0;
}

bool ldr_interval_parse(const char *text, size_t n, ldr_interval *out) {
  ldr_scan_text s = {text, text + n};
  int infinity = ldr_infinity_of(text, n);
  *out = infinity > 0 ? infinite : minus_infinite;
  if (infinity) return true;
  *out = (ldr_interval){0};
  return ldr_take(&s, 'P') ? parse_iso(&s, out) : parse_words(&s, out);
}

/* ---- formatting ---- */

static char *part(char *w, int64_t n, char letter) {
  return n ? w + sprintf(w, "%" PRId64 "%c", n, letter) : w;
}

static char *seconds_part(char *w, int64_t us) {
  int64_t sec = us / LDR_SECOND, micros = us % LDR_SECOND;
  if (us == 0) return w;
  w += sprintf(w, "%s%" PRId64, us < 0 ? "-" : "", us < 0 ? -sec : sec);
  if (micros) {
    w += sprintf(w, ".%06" PRId64, micros < 0 ? -micros : micros);
    while (w[-1] == '0') w--;
  }
  *w++ = 'S';
  *w = '\0';
  return w;
}

/* As PostgreSQL prints it with IntervalStyle iso_8601. */
size_t ldr_interval_format(const ldr_interval *v, char out[LDR_DATETIME_TEXT]) {
  char *w = out;
  if (is(v, &infinite)) return (size_t)(ldr_put_word(out, "infinity") - out);
  if (is(v, &minus_infinite)) return (size_t)(ldr_put_word(out, "-infinity") - out);
  if (v->us == 0 && v->days == 0 && v->months == 0) return (size_t)(ldr_put_word(out, "PT0S") - out);
  *w++ = 'P';
  w = part(part(part(w, v->months / 12, 'Y'), v->months % 12, 'M'), v->days, 'D');
  if (v->us) *w++ = 'T';
  w = part(part(w, v->us / (3600 * LDR_SECOND), 'H'), v->us / (60 * LDR_SECOND) % 60, 'M');
  return (size_t)(seconds_part(w, v->us % (60 * LDR_SECOND)) - out);
}

/* ---- bytes ---- */

bool ldr_interval_endless(const char wire[LDR_INTERVAL_WIRE]) {
  ldr_interval i;
  ldr_interval_read(wire, &i);
  return is(&i, &infinite) || is(&i, &minus_infinite);
}

void ldr_interval_read(const char wire[LDR_INTERVAL_WIRE], ldr_interval *out) {
  out->us = (int64_t)ldr_be64(wire);
  out->days = (int32_t)ldr_be32(wire + 8);
  out->months = (int32_t)ldr_be32(wire + 12);
}

void ldr_interval_write(const ldr_interval *v, char wire[LDR_INTERVAL_WIRE]) {
  ldr_put_be64(wire, (uint64_t)v->us);
  ldr_put_be32(wire + 8, (uint32_t)v->days);
  ldr_put_be32(wire + 12, (uint32_t)v->months);
}

void ldr_interval_span(const char wire[LDR_INTERVAL_WIRE], int64_t *days, int64_t *us) {
  ldr_interval v;
  ldr_interval_read(wire, &v);
  *us = ldr_floor_mod(v.us, LDR_DAY_LENGTH);
  *days = v.months * INT64_C(30) + v.days + ldr_floor_div(v.us, LDR_DAY_LENGTH);
}

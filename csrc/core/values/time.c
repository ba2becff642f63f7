#include "values/time.h"

#include "values/calendar.h"

#define EPOCH_SECONDS (LDR_EPOCH_DAYS * INT64_C(86400))

/* ---- parsing ---- */

/* Two digits behind a colon, or right behind what is there when it has none. */
static bool take_more(ldr_scan_text *s, bool colon, int max, int *out) {
  if (colon && !ldr_take(s, ':')) return false;
  return ldr_take_number(s, 2, max, out);
}

/* Z, +05, +05:30, +0530, +05:53:28, +055328. */
static bool take_offset(ldr_scan_text *s, int *seconds) {
  int h, m = 0, sec = 0, sign = 1;
  bool colon;
  if (ldr_take(s, 'Z') || ldr_take(s, 'z')) return true;
  if (ldr_take(s, '-'))
    sign = -1;
  else if (!ldr_take(s, '+'))
    return false;
  if (!ldr_take_number(s, 2, 23, &h)) return false;
  colon = s->p < s->end && *s->p == ':';
  if (colon || (s->p < s->end && ldr_is_digit(*s->p))) {
    if (!take_more(s, colon, 59, &m)) return false;
    if (s->p < s->end && (colon ? *s->p == ':' : ldr_is_digit(*s->p)) && !take_more(s, colon, 59, &sec))
      return false;
  }
  *seconds = sign * (h * 3600 + m * 60 + sec);
  return true;
}

/* seconds: since 1970 */
static bool from_parts(int64_t seconds, int micros, int64_t *out) {
  const int64_t first = LDR_TIME_FIRST / LDR_SECOND + EPOCH_SECONDS,
                last = LDR_TIME_LAST / LDR_SECOND + EPOCH_SECONDS;
  int64_t us;
  if (seconds < first || seconds > last) return false;
  us = (seconds - EPOCH_SECONDS) * LDR_SECOND + micros;
  if (us > LDR_TIME_LAST) return false;
  *out = us;
  return true;
}

bool ldr_time_parse(const char *text, size_t n, int64_t *out) {
  ldr_scan_text s = {text, text + n};
  ldr_date d;
  int clock, micros = 0, offset = 0, infinity = ldr_infinity_of(text, n);
  if (infinity) {
    *out = infinity > 0 ? LDR_TIME_INF : LDR_TIME_NEG_INF;
    return true;
  }
  if (!ldr_take_date(&s, 6, &d)) return false;
  if (!ldr_take(&s, 'T') && !ldr_take(&s, 't') && !ldr_take(&s, ' ')) return false;
  if (!ldr_take_clock(&s, &clock, &micros) || !take_offset(&s, &offset) || !ldr_end_date(&s, &d))
    return false;
  return from_parts(ldr_days_of(d) * 86400 + clock - offset, micros, out);
}

/* ---- formatting ---- */

size_t ldr_time_format(int64_t us, char out[LDR_TIME_TEXT]) {
  int64_t rest = ldr_floor_mod(us, LDR_DAY_LENGTH);
  ldr_date d = ldr_date_of(ldr_floor_div(us, LDR_DAY_LENGTH) + LDR_EPOCH_DAYS);
  char *w = out;
  if (us == LDR_TIME_INF) return (size_t)(ldr_put_word(out, "infinity") - out);
  if (us == LDR_TIME_NEG_INF) return (size_t)(ldr_put_word(out, "-infinity") - out);
  w = ldr_put_micros(ldr_put_seconds(ldr_put_date(w, &d), 'T', rest), rest);
  w = ldr_put_word(w, d.year > 0 ? "Z" : "Z BC");
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

const char *const ldr_bucket_names[] = {
    [LDR_MINUTE] = "minute", [LDR_HOUR] = "hour",   [LDR_DAY] = "day",
    [LDR_WEEK] = "week",     [LDR_MONTH] = "month", [LDR_YEAR] = "year",
};

static int64_t floor_to(int64_t v, int64_t unit) { return ldr_floor_div(v, unit) * unit; }

static int64_t start_of(int64_t us, ldr_bucket b) {
  int64_t days = ldr_floor_div(us, LDR_DAY_LENGTH);
  ldr_date d;
  switch (b) {
    case LDR_BUCKET_NONE: break;
    case LDR_MINUTE: return floor_to(us, 60 * LDR_SECOND);
    case LDR_HOUR: return floor_to(us, 3600 * LDR_SECOND);
    case LDR_DAY: return days * LDR_DAY_LENGTH;
    case LDR_WEEK: return (floor_to(days + 5, 7) - 5) * LDR_DAY_LENGTH; /* day 0 was a Saturday */
    case LDR_MONTH:
    case LDR_YEAR:
      d = ldr_date_of(days + LDR_EPOCH_DAYS);
      d.day = 1;
      if (b == LDR_YEAR) d.month = 1;
      return (ldr_days_of(d) - LDR_EPOCH_DAYS) * LDR_DAY_LENGTH;
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

#include "values/datetime.h"

#include "values/calendar.h"
#include "values/time.h"

static size_t word(char *out, const char *text) { return (size_t)(ldr_put_word(out, text) - out); }

/* ---- date ---- */

bool ldr_date_ok(int64_t days) {
  return days == LDR_DATE_INF || days == LDR_DATE_NEG_INF ||
         (days >= LDR_DATE_FIRST && days <= LDR_DATE_LAST);
}

bool ldr_date_parse(const char *text, size_t n, int64_t *out) {
  ldr_scan_text s = {text, text + n};
  ldr_date d;
  int infinity = ldr_infinity_of(text, n);
  if (infinity) {
    *out = infinity > 0 ? LDR_DATE_INF : LDR_DATE_NEG_INF;
    return true;
  }
  if (!ldr_take_date(&s, 7, &d) || !ldr_end_date(&s, &d)) return false;
  *out = ldr_days_of(d) - LDR_EPOCH_DAYS;
  return *out >= LDR_DATE_FIRST && *out <= LDR_DATE_LAST;
}

size_t ldr_date_format(int64_t days, char out[LDR_DATETIME_TEXT]) {
  ldr_date d = ldr_date_of(days + LDR_EPOCH_DAYS);
  if (days == LDR_DATE_INF) return word(out, "infinity");
  if (days == LDR_DATE_NEG_INF) return word(out, "-infinity");
  return (size_t)(ldr_put_word(ldr_put_date(out, &d), d.year > 0 ? "" : " BC") - out);
}

/* ---- timestamp ---- */

bool ldr_timestamp_parse(const char *text, size_t n, int64_t *out) {
  ldr_scan_text s = {text, text + n};
  ldr_date d;
  int64_t days;
  int clock = 0, micros = 0, infinity = ldr_infinity_of(text, n);
  if (infinity) {
    *out = infinity > 0 ? LDR_TIME_INF : LDR_TIME_NEG_INF;
    return true;
  }
  if (!ldr_take_date(&s, 6, &d)) return false;
  if (s.end - s.p > 1 && (*s.p == 'T' || *s.p == 't' || (*s.p == ' ' && ldr_is_digit(s.p[1])))) {
    s.p++;
    if (!ldr_take_clock(&s, &clock, &micros)) return false;
  }
  if (!ldr_end_date(&s, &d)) return false;
  days = ldr_days_of(d) - LDR_EPOCH_DAYS;
  if (days < LDR_TIME_FIRST / LDR_DAY_LENGTH || days > LDR_TIME_LAST / LDR_DAY_LENGTH) return false;
  *out = days * LDR_DAY_LENGTH;
  if (*out < LDR_TIME_FIRST) return false;
  *out += clock * LDR_SECOND + micros;
  return *out <= LDR_TIME_LAST;
}

size_t ldr_timestamp_format(int64_t us, char out[LDR_DATETIME_TEXT]) {
  size_t n = ldr_time_format(us, out);
  char *zone = memchr(out, 'Z', n);
  if (zone == NULL) return n; /* an infinity */
  memmove(zone, zone + 1, (size_t)(out + n - zone));
  return n - 1;
}

/* ---- time of day ---- */

bool ldr_clock_parse(const char *text, size_t n, int64_t *out) {
  ldr_scan_text s = {text, text + n};
  int seconds, micros = 0;
  if (!ldr_take_clock(&s, &seconds, &micros) || s.p != s.end) return false;
  *out = seconds * LDR_SECOND + micros;
  return *out <= LDR_CLOCK_LAST;
}

size_t ldr_clock_format(int64_t us, char out[LDR_DATETIME_TEXT]) {
  char text[LDR_DATETIME_TEXT], *w = ldr_put_seconds(text, ' ', us);
  size_t n;
  if (us % LDR_SECOND) w = ldr_put_micros(w, us);
  n = (size_t)(w - text) - 1; /* the blank in front */
  memcpy(out, text + 1, n);
  out[n] = '\0';
  return n;
}

/* The small parsers: times, uuids, base64url, LIKE, API keys, peppers. What parses, formats back to the same.
 */
#include "base/text.h"
#include "crypto/apikey.h"
#include "fuzz.h"
#include "values/datetime.h"
#include "values/time.h"

static void times(const char *s, size_t n) {
  char text[LDR_TIME_TEXT];
  int64_t us, again;
  if (!ldr_time_parse(s, n, &us)) return;
  promise(ldr_time_parse(text, ldr_time_format(us, text), &again) && again == us);
  for (int b = LDR_MINUTE; b <= LDR_YEAR; b++)
    promise(!ldr_time_trunc(us, (ldr_bucket)b, &again) || again <= us);
}

static void datetimes(const char *s, size_t n) {
  char text[LDR_DATETIME_TEXT];
  ldr_interval v, w;
  int64_t i, again;
  if (ldr_date_parse(s, n, &i))
    promise(ldr_date_ok(i) && ldr_date_parse(text, ldr_date_format(i, text), &again) && again == i);
  if (ldr_timestamp_parse(s, n, &i))
    promise(ldr_time_ok(i) && ldr_timestamp_parse(text, ldr_timestamp_format(i, text), &again) && again == i);
  if (ldr_clock_parse(s, n, &i))
    promise(ldr_clock_parse(text, ldr_clock_format(i, text), &again) && again == i);
  if (ldr_interval_parse(s, n, &v))
    promise(ldr_interval_parse(text, ldr_interval_format(&v, text), &w) && v.us == w.us && v.days == w.days &&
            v.months == w.months);
}

static void bytes(const char *s, size_t n) {
  unsigned char uuid[16], second[16];
  char text[37];
  ldr_buf raw = {0}, back = {0};
  if (ldr_uuid_parse(s, n, uuid)) {
    ldr_uuid_format(uuid, text);
    promise(ldr_uuid_parse(text, 36, second) && memcmp(uuid, second, 16) == 0);
  }
  if (ldr_base64url_decode(&raw, s, n)) {
    ldr_base64url_add(&back, raw.p, raw.n);
    promise(back.n == n && (n == 0 || memcmp(back.p, s, n) == 0));
  }
  if (ldr_utf8_check(s, n) == n) promise(ldr_utf8_length(s, n) <= n);
  ldr_like(s, n / 2, s + n / 2, n - n / 2, n & 1);
  ldr_buf_free(&raw);
  ldr_buf_free(&back);
}

static void keys(const char *s, size_t n) {
  char text[LDR_APIKEY_TEXT];
  ldr_apikey key;
  ldr_peppers peppers;
  ldr_err err;
  if (ldr_apikey_parse(s, n, &key)) promise(ldr_apikey_format(&key, text) == n && memcmp(text, s, n) == 0);
  if (ldr_peppers_parse(s, n, &peppers, &err) == LDR_OK) promise(peppers.n <= LDR_MAX_PEPPERS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  const char *s = (const char *)data;
  times(s, n);
  datetimes(s, n);
  bytes(s, n);
  keys(s, n);
  promise(ldr_mem_live() == 0);
  return 0;
}

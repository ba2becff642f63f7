/* Any bytes as a text, and the first eight as a time: what is read is written and read back the same. */
#include "fuzz.h"
#include "values/time.h"

static void check_text(const char *s, size_t n) {
  char text[LDR_TIME_TEXT];
  int64_t us = 42, back;
  if (!ldr_time_parse(s, n, &us)) {
    promise(us == 42);
    return;
  }
  n = ldr_time_format(us, text);
  promise(n < sizeof text && text[n] == '\0' && strlen(text) == n);
  promise(ldr_time_parse(text, n, &back) && back == us);
  promise(ldr_time_ok(us));
}

static void check_buckets(int64_t us) {
  for (int b = LDR_BUCKET_NONE; b <= LDR_YEAR; b++) {
    int64_t start, again;
    if (!ldr_time_trunc(us, (ldr_bucket)b, &start)) continue;
    promise(start <= us);
    promise(ldr_time_trunc(start, (ldr_bucket)b, &again) && again == start);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  char text[LDR_TIME_TEXT];
  int64_t us, back;
  double seconds;
  check_text((const char *)data, n);
  if (n < sizeof us) return 0;
  memcpy(&us, data, sizeof us);
  memcpy(&seconds, data, sizeof seconds);
  check_buckets(us);
  promise(ldr_time_format(us, text) < sizeof text);
  if (ldr_time_ok(us)) { /* a time of our range */
    check_text(text, ldr_time_format(us, text));
    check_buckets(us);
  }
  if (ldr_time_from_seconds(seconds, &back)) check_text(text, ldr_time_format(back, text));
  return 0;
}

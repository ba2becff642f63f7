#include "values/time.h"

#include <math.h>

#include "support/test.h"

static bool parse(const char *s, int64_t *us) { return ldr_time_parse(s, strlen(s), us); }

/* s is read as the time that is written as `want`; NULL: it is refused. */
static void check_parse(const char *s, const char *want) {
  char text[LDR_TIME_TEXT];
  int64_t us = 42;
  size_t n;
  if (!parse(s, &us)) {
    CHECK_STR(want, NULL);
    CHECK_INT(us, 42);
    return;
  }
  n = ldr_time_format(us, text);
  CHECK_STR(text, want);
  CHECK_INT(n, strlen(text));
}

TEST(parses_rfc3339) {
  check_parse("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z");
  check_parse("2026-01-02T03:04:05.000006Z", "2026-01-02T03:04:05.000006Z");
  check_parse("2026-01-02 03:04:05.5+05:30", "2026-01-01T21:34:05.500000Z");
  check_parse("2026-01-02t03:04:05z", "2026-01-02T03:04:05.000000Z");
  check_parse("2026-01-02T03:04:05-00:00", "2026-01-02T03:04:05.000000Z");
  check_parse("2024-02-29T23:59:59.999999-23:59", "2024-03-01T23:58:59.999999Z");
  check_parse("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z");
  check_parse("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z");
  check_parse("0001-01-01T00:00:00+01:00", "0001-12-31T23:00:00.000000Z BC");
}

TEST(parses_what_postgresql_prints_and_takes) {
  check_parse("2026-01-02 03:04:05.5+00", "2026-01-02T03:04:05.500000Z");
  check_parse("2026-01-02 03:04:05-03", "2026-01-02T06:04:05.000000Z");
  check_parse("2026-01-02 03:04:05+0530", "2026-01-01T21:34:05.000000Z");
  check_parse("1850-01-01 00:00:00+05:53:28", "1849-12-31T18:06:32.000000Z");
  check_parse("1850-01-01 00:00:00+055328", "1849-12-31T18:06:32.000000Z");
  check_parse("2026-01-02T03:04Z", "2026-01-02T03:04:00.000000Z");
  check_parse("2026-01-02 03:04+00", "2026-01-02T03:04:00.000000Z");
  check_parse("2026-02-28T24:00:00Z", "2026-03-01T00:00:00.000000Z");
  check_parse("2026-02-28T24:00Z", "2026-03-01T00:00:00.000000Z");
  check_parse("0044-03-15 12:00:00+00 BC", "0044-03-15T12:00:00.000000Z BC");
  check_parse("10000-01-01 00:00:00+00", "10000-01-01T00:00:00.000000Z");
}

TEST(rounds_beyond_microseconds_half_up) {
  check_parse("2026-01-01T00:00:00.1234564Z", "2026-01-01T00:00:00.123456Z");
  check_parse("2026-01-01T00:00:00.1234565Z", "2026-01-01T00:00:00.123457Z");
  check_parse("2026-12-31T23:59:59.999999500Z", "2027-01-01T00:00:00.000000Z");
  check_parse("1969-12-31T23:59:59.0000005Z", "1969-12-31T23:59:59.000001Z");
}

TEST(carries_second_60) {
  check_parse("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z");
  check_parse("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.500000Z");
}

TEST(knows_the_calendar) {
  check_parse("2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000000Z");
  check_parse("1900-02-29T00:00:00Z", NULL);
  check_parse("2023-02-29T00:00:00Z", NULL);
  check_parse("2023-04-31T00:00:00Z", NULL);
  check_parse("2023-00-10T00:00:00Z", NULL);
  check_parse("2023-13-10T00:00:00Z", NULL);
  check_parse("2023-01-00T00:00:00Z", NULL);
  check_parse("2023-01-32T00:00:00Z", NULL);
  check_parse("0000-01-01T00:00:00Z", NULL);
  check_parse("0001-02-29T00:00:00Z BC", "0001-02-29T00:00:00.000000Z BC"); /* year 0 is a leap year */
}

TEST(refuses_what_is_not_a_time) {
  static const char *const bad[] = {
      "",
      "2026-01-02",
      "2026-01-02T03:04:05", /* no offset */
      "2026-01-02T24:00:01Z",
      "2026-01-02T24:01:00Z",
      "2026-01-02T24:00:00.5Z",
      "2026-01-02T25:00:00Z",
      "2026-01-02T03Z",
      "2026-01-02T03:04:05+5",
      "2026-01-02T03:04:05+053",
      "2026-01-02T03:04:05+05:3",
      "2026-01-02T03:04:05+05:30:",
      "2026-01-02T03:04:05+0530:00",
      "2026-01-02T03:60:05Z",
      "2026-01-02T03:04:61Z",
      "2026-01-02T03:04:05.Z",
      "2026-01-02T03:04:05.1234567890Z",
      "2026-01-02T03:04:05,5Z",
      "2026-01-02  03:04:05Z",
      "2026-1-2T03:04:05Z",
      "26-01-02T03:04:05Z",
      "02026-01-02T03:04:05Z",
      "2026-01-02T03:04:05+24:00",
      "2026-01-02T03:04:05+05:60",
      "2026-01-02T03:04:05Z ",
      " 2026-01-02T03:04:05Z",
      "2026-01-02T03:04:05ZBC",
      "-2026-01-02T03:04:05Z",
      "1234567-01-02T03:04:05Z",
      "Infinity",
      "+infinity",
      "infinity ",
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) check_parse(bad[i], NULL);
}

TEST(has_postgresqls_range) {
  int64_t us;
  check_parse("4714-11-24T00:00:00Z BC", "4714-11-24T00:00:00.000000Z BC");
  check_parse("4714-11-23T23:59:59.999999Z BC", NULL);
  check_parse("294247-01-10T04:00:54.775807Z", "294247-01-10T04:00:54.775807Z");
  check_parse("294276-12-31T23:59:59.999999Z", "294276-12-31T23:59:59.999999Z");
  check_parse("294276-12-31T23:59:59.9999995Z", NULL);
  check_parse("294276-12-31T24:00:00Z", NULL);
  check_parse("10000-01-01T00:00:00Z", "10000-01-01T00:00:00.000000Z");
  check_parse("infinity", "infinity");
  check_parse("-infinity", "-infinity");
  CHECK(parse("infinity", &us) && us == LDR_TIME_INF);
  CHECK(parse("-infinity", &us) && us == LDR_TIME_NEG_INF);
}

TEST(formats_any_int64) {
  char text[LDR_TIME_TEXT];
  ldr_time_format(-1, text);
  CHECK_STR(text, "1999-12-31T23:59:59.999999Z");
  ldr_time_format(ldr_time_of_unix(0), text);
  CHECK_STR(text, "1970-01-01T00:00:00.000000Z");
  CHECK(ldr_time_format(INT64_MIN + 1, text) < sizeof text);
  CHECK(ldr_time_format(INT64_MAX - 1, text) < sizeof text);
}

TEST(takes_seconds) {
  int64_t us = 42;
  CHECK(ldr_time_from_seconds(1700000000.123456, &us));
  CHECK_INT(us, ldr_time_of_unix(INT64_C(1700000000123456)));
  CHECK(ldr_time_from_seconds(-0.000001, &us));
  CHECK_INT(us, ldr_time_of_unix(-1));
  CHECK(ldr_time_from_seconds(-1.5, &us));
  CHECK_INT(us, ldr_time_of_unix(-1500000));
  CHECK(ldr_time_from_int_seconds(-62135596800, &us));
  CHECK_INT(us, ldr_time_of_unix(INT64_C(-62135596800000000)));
  us = 42;
  CHECK(!ldr_time_from_seconds(1e13, &us));
  CHECK(!ldr_time_from_seconds(9.29e12, &us));
  CHECK(!ldr_time_from_seconds(-2.2e11, &us));
  CHECK(!ldr_time_from_seconds((double)INFINITY, &us));
  CHECK(!ldr_time_from_seconds((double)NAN, &us));
  CHECK(!ldr_time_from_int_seconds(INT64_MAX, &us));
  CHECK(!ldr_time_from_int_seconds(INT64_MIN, &us));
  CHECK_INT(us, 42);
}

TEST(has_postgresqls_count) {
  int64_t us = 42;
  CHECK(ldr_time_ok(0) && ldr_time_ok(LDR_TIME_INF) && ldr_time_ok(LDR_TIME_NEG_INF));
  CHECK(ldr_time_ok(LDR_TIME_FIRST) && !ldr_time_ok(LDR_TIME_FIRST - 1));
  CHECK(ldr_time_ok(LDR_TIME_LAST) && !ldr_time_ok(LDR_TIME_LAST + 1));
  CHECK(ldr_time_to_unix(0, &us));
  CHECK_INT(us, LDR_TIME_EPOCH);
  CHECK(ldr_time_to_unix(LDR_TIME_NEG_INF, &us) && us == LDR_TIME_NEG_INF);
  CHECK(!ldr_time_to_unix(LDR_TIME_LAST, &us)); /* years that a clock of 64 bits since 1970 does not have */
}

static void check_trunc(const char *s, ldr_bucket b, const char *want) {
  char text[LDR_TIME_TEXT];
  int64_t us = 0;
  CHECK(parse(s, &us) && ldr_time_trunc(us, b, &us));
  ldr_time_format(us, text);
  CHECK_STR(text, want);
}

TEST(truncates_like_date_trunc) {
  check_trunc("2026-11-18T13:14:15.5Z", LDR_BUCKET_NONE, "2026-11-18T13:14:15.500000Z");
  check_trunc("2026-11-18T13:14:15.5Z", LDR_MINUTE, "2026-11-18T13:14:00.000000Z");
  check_trunc("2026-11-18T13:14:15.5Z", LDR_HOUR, "2026-11-18T13:00:00.000000Z");
  check_trunc("2026-11-18T13:14:15.5Z", LDR_DAY, "2026-11-18T00:00:00.000000Z");
  check_trunc("2026-11-18T13:14:15.5Z", LDR_WEEK, "2026-11-16T00:00:00.000000Z");
  check_trunc("2026-11-16T00:00:00Z", LDR_WEEK, "2026-11-16T00:00:00.000000Z");
  check_trunc("2026-11-15T23:59:59Z", LDR_WEEK, "2026-11-09T00:00:00.000000Z");
  check_trunc("2026-11-18T13:14:15.5Z", LDR_MONTH, "2026-11-01T00:00:00.000000Z");
  check_trunc("2024-02-29T13:14:15.5Z", LDR_YEAR, "2024-01-01T00:00:00.000000Z");
  check_trunc("1969-12-31T23:59:59.999999Z", LDR_HOUR, "1969-12-31T23:00:00.000000Z");
  check_trunc("1968-02-29T23:59:59Z", LDR_MONTH, "1968-02-01T00:00:00.000000Z");
  check_trunc("0044-03-15T12:00:00Z BC", LDR_YEAR, "0044-01-01T00:00:00.000000Z BC");
  check_trunc("infinity", LDR_YEAR, "infinity");
  check_trunc("-infinity", LDR_MINUTE, "-infinity");
}

/* Every 31st day and some odd time of it over PostgreSQL's whole range. */
TEST(format_and_parse_agree) {
  char text[LDR_TIME_TEXT];
  for (int64_t us = INT64_C(-210866803200000000); us < INT64_MAX / 20; us += INT64_C(2678400000001)) {
    int64_t back = 0;
    size_t n = ldr_time_format(us, text);
    if (ldr_time_parse(text, n, &back) && back == us) continue;
    CHECK_STR(text, "read back as written");
    return;
  }
}

void test_time(void);
void test_time(void) {
  RUN(parses_rfc3339);
  RUN(parses_what_postgresql_prints_and_takes);
  RUN(rounds_beyond_microseconds_half_up);
  RUN(carries_second_60);
  RUN(knows_the_calendar);
  RUN(refuses_what_is_not_a_time);
  RUN(has_postgresqls_range);
  RUN(formats_any_int64);
  RUN(takes_seconds);
  RUN(has_postgresqls_count);
  RUN(truncates_like_date_trunc);
  RUN(format_and_parse_agree);
}

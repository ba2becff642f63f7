#include "values/numeric.h"

#include "support/test.h"

/* Expected values are PostgreSQL 15's own answers. NULL: refused. */

static void check_normal(const char *s, const char *want) {
  ldr_buf out = {0};
  bool ok = ldr_numeric_normal(s, strlen(s), &out);
  CHECK_STR(ok ? ldr_buf_cstr(&out) : NULL, want);
  CHECK(ok || out.n == 0);
  ldr_buf_free(&out);
}

TEST(normal_form_is_postgresqls_output) {
  static const char *const cases[][2] = {
      {"0", "0"},
      {"-0", "0"},
      {"-0.00", "0.00"},
      {"+5", "5"},
      {"5.", "5"},
      {".5", "0.5"},
      {"-.50", "-0.50"},
      {"00012.50", "12.50"},
      {"1e3", "1000"},
      {"1E+05", "100000"},
      {"12.5e1", "125"},
      {"12.50e1", "125.0"},
      {"1e-5", "0.00001"},
      {"123456e-3", "123.456"},
      {"-1.5e-3", "-0.0015"},
      {"0e5", "0"},
      {"0e-5", "0.00000"},
      {"5.e1", "50"},
      {"9223372036854775808", "9223372036854775808"},
      {"nan", "NaN"},
      {"inf", "Infinity"},
      {"+Infinity", "Infinity"},
      {"-INF", "-Infinity"},
      {"0e1073741822", "0"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_normal(cases[i][0], cases[i][1]);
}

TEST(normal_form_refuses_the_rest) {
  static const char *const bad[] = {
      "",        ".",    "-",    "+",   "e5",           ".e5",           "1e",   "1e+",
      "1 ",      " 1",   "1e 5", "--1", "+-1",          "1.2.3",         "0x10", "1_000",
      "infinit", "nanx", "-NaN", "1d",  "0e1073741823", "1e99999999999",
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) check_normal(bad[i], NULL);
}

/* `digits` times d, with a point behind the first `whole` of them. */
static bool normal_of(char d, int whole, int digits, ldr_buf *out) {
  ldr_buf text = {0};
  bool ok;
  for (int i = 0; i < digits; i++) {
    if (i == whole) ldr_buf_chr(&text, '.');
    ldr_buf_chr(&text, d);
  }
  ldr_buf_reset(out);
  ok = ldr_numeric_normal(text.p, text.n, out);
  ldr_buf_free(&text);
  return ok;
}

TEST(normal_form_has_postgresqls_limits) {
  ldr_buf out = {0};
  CHECK(normal_of('9', 131072, 131072, &out));
  CHECK_INT(out.n, 131072);
  CHECK(!normal_of('9', 131073, 131073, &out));
  CHECK(normal_of('9', 1, 16384, &out));
  CHECK_INT(out.n, 16385);
  CHECK(!normal_of('9', 1, 16385, &out));
  ldr_buf_free(&out);
}

TEST(an_exponent_adds_few_digits) {
  static const char *const bad[] = {"1e131071", "1e1001", "0.001e5000", "1e-16383", "1e-1002", "0e-2000"};
  ldr_buf out = {0};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    CHECK(!ldr_numeric_normal(bad[i], strlen(bad[i]), &out) && out.n == 0);
  CHECK(ldr_numeric_normal("1e1000", 6, &out));
  CHECK_INT(out.n, 1001);
  ldr_buf_reset(&out);
  CHECK(ldr_numeric_normal("0e1000000", 9, &out));
  CHECK_STR(ldr_buf_cstr(&out), "0");
  ldr_buf_free(&out);
}

static void check_fit(const char *s, int precision, int scale, const char *want) {
  ldr_buf out = {0};
  bool ok = ldr_numeric_fit(s, strlen(s), precision, scale, &out);
  CHECK_STR(ok ? ldr_buf_cstr(&out) : NULL, want);
  CHECK(ok || out.n == 0);
  ldr_buf_free(&out);
}

TEST(fit_rounds_half_away_from_zero) {
  check_fit("1.005", 10, 2, "1.01");
  check_fit("-1.005", 10, 2, "-1.01");
  check_fit("1.0049999", 10, 2, "1.00");
  check_fit("0.5", 5, 0, "1");
  check_fit("-0.4", 5, 0, "0");
  check_fit("999.995", 6, 2, "1000.00");
  check_fit("1", 5, 3, "1.000");
  check_fit("12.340", 5, 1, "12.3");
}

TEST(fit_refuses_an_integer_part_that_is_too_long) {
  check_fit("999.994", 5, 2, "999.99");
  check_fit("999.995", 5, 2, NULL);
  check_fit("1000", 5, 2, NULL);
  check_fit("-1000", 5, 2, NULL);
  check_fit("0", 2, 2, "0.00");
  check_fit("0.99", 2, 2, "0.99");
  check_fit("0.995", 2, 2, NULL);
  check_fit("NaN", 3, 1, "NaN");
  check_fit("Infinity", 3, 1, NULL);
  check_fit("-Infinity", 3, 1, NULL);
}

TEST(fit_knows_scales_beyond_the_digits) {
  check_fit("12345", 3, -2, "12300");
  check_fit("12350", 3, -2, "12400");
  check_fit("99950", 3, -2, NULL);
  check_fit("49", 3, -2, "0");
  check_fit("50", 3, -2, "100");
  check_fit("4", 3, -2, "0");
  check_fit("0.00123", 3, 5, "0.00123");
  check_fit("0.01", 3, 5, NULL);
}

static int cmp(const char *a, const char *b) { return ldr_numeric_cmp(a, strlen(a), b, strlen(b)); }
static uint64_t hash(const char *s) { return ldr_numeric_hash(s, strlen(s), 3); }

TEST(orders_all_kinds) {
  static const char *const order[] = {
      "-Infinity", "-100", "-99.5",  "-1.01", "-1", "-0.001", "0",   "0.001",
      "0.01",      "1",    "1.0001", "9",     "10", "10.5",   "100", "1000000000000000000000",
      "Infinity",  "NaN"};
  int n = sizeof order / sizeof *order;
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) CHECK_INT(cmp(order[i], order[j]), (i > j) - (i < j));
}

TEST(equal_values_hash_alike) {
  static const char *const same[][2] = {{"1", "1.0"},   {"1.50", "1.5000"}, {"0", "0.00"},
                                        {"-2.0", "-2"}, {"100", "100.0"},   {"NaN", "NaN"}};
  for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
    CHECK_INT(cmp(same[i][0], same[i][1]), 0);
    CHECK(hash(same[i][0]) == hash(same[i][1]));
  }
  CHECK(hash("1") != hash("10"));
  CHECK(hash("1") != hash("-1"));
  CHECK(hash("0.1") != hash("1"));
}

static void check_add(const char *a, const char *b, const char *want) {
  ldr_buf out = {0};
  CHECK(ldr_numeric_add(a, strlen(a), b, strlen(b), &out));
  CHECK_STR(ldr_buf_cstr(&out), want);
  ldr_buf_reset(&out);
  CHECK(ldr_numeric_add(b, strlen(b), a, strlen(a), &out));
  CHECK_STR(ldr_buf_cstr(&out), want);
  ldr_buf_free(&out);
}

TEST(adds_exactly) {
  check_add("0", "0", "0");
  check_add("0.1", "0.2", "0.3");
  check_add("999.99", "0.01", "1000.00");
  check_add("1", "-1", "0");
  check_add("1.00", "-1", "0.00");
  check_add("1000", "-0.001", "999.999");
  check_add("-5", "3", "-2");
  check_add("-5", "-7.25", "-12.25");
  check_add("99999999999999999999999", "1", "100000000000000000000000");
  check_add("NaN", "1", "NaN");
  check_add("Infinity", "-1", "Infinity");
  check_add("Infinity", "-Infinity", "NaN");
  check_add("-Infinity", "-Infinity", "-Infinity");
  check_add("-Infinity", "NaN", "NaN");
}

TEST(add_refuses_too_many_digits) {
  ldr_buf big = {0}, out = {0};
  for (int i = 0; i < 131072; i++) ldr_buf_chr(&big, '9');
  CHECK(!ldr_numeric_add(big.p, big.n, "1", 1, &out));
  CHECK_INT(out.n, 0);
  CHECK(ldr_numeric_add(big.p, big.n, "0.5", 3, &out));
  CHECK_INT(out.n, 131074);
  ldr_buf_free(&big);
  ldr_buf_free(&out);
}

#define WIRE(s, bytes) check_wire(s, bytes, sizeof bytes - 1)

static void check_wire(const char *s, const char *wire, size_t n) {
  ldr_buf out = {0};
  ldr_numeric_to_wire(s, strlen(s), &out);
  CHECK(out.n == n && memcmp(out.p, wire, n) == 0);
  ldr_buf_reset(&out);
  CHECK(ldr_numeric_from_wire(wire, n, &out));
  CHECK_STR(ldr_buf_cstr(&out), s);
  ldr_buf_free(&out);
}

TEST(speaks_numeric_send) {
  WIRE("0", "\0\0\0\0\0\0\0\0");
  WIRE("0.00", "\0\0\0\0\0\0\0\2");
  WIRE("1", "\0\1\0\0\0\0\0\0\0\1");
  WIRE("-12.340", "\0\2\0\0\100\0\0\3\0\14\15\110");
  WIRE("10000", "\0\1\0\1\0\0\0\0\0\1");
  WIRE("100000001", "\0\3\0\2\0\0\0\0\0\1\0\0\0\1");
  WIRE("0.0001", "\0\1\377\377\0\0\0\4\0\1");
  WIRE("0.000000015", "\0\2\377\376\0\0\0\11\0\1\23\210");
  WIRE("123456.789", "\0\3\0\1\0\0\0\3\0\14\15\200\36\322");
  WIRE("NaN", "\0\0\0\0\300\0\0\0");
  WIRE("Infinity", "\0\0\0\0\320\0\0\0");
  WIRE("-Infinity", "\0\0\0\0\360\0\0\0");
}

static void check_from(const char *wire, size_t n, const char *want) {
  ldr_buf out = {0};
  bool ok = ldr_numeric_from_wire(wire, n, &out);
  CHECK_STR(ok ? ldr_buf_cstr(&out) : NULL, want);
  ldr_buf_free(&out);
}

TEST(reads_wire_forms_with_care) {
  check_from("\0\0\0\0\320\0\0\40", 8, "Infinity");    /* the server leaves bits in the scale */
  check_from("\0\2\0\1\0\0\0\0\0\0\0\7", 12, "7");     /* zero digit in front */
  check_from("\0\1\377\377\100\0\0\1\0\1", 10, "0.0"); /* digits beyond the scale */
  check_from("\0\0\0\0\0\0\0", 7, NULL);               /* no header */
  check_from("\0\2\0\0\0\0\0\0\0\1", 10, NULL);        /* a digit is missing */
  check_from("\0\1\0\0\0\0\0\0\0\1\0", 11, NULL);      /* a byte too many */
  check_from("\0\1\0\0\0\0\0\0\47\20", 10, NULL);      /* digit 10000 */
  check_from("\0\0\0\0\1\0\0\0", 8, NULL);             /* unknown sign */
  check_from("\0\0\0\0\0\0\100\0", 8, NULL);           /* scale 16384 */
  check_from("\0\1\0\0\300\0\0\0\0\1", 10, NULL);      /* NaN with digits */
}

static bool all_of_it(void) {
  ldr_buf out = {0};
  bool done;
  ldr_numeric_normal("1e100", 5, &out);
  ldr_numeric_fit("12345.678", 9, 200, 150, &out);
  ldr_numeric_add("99.5", 4, "0.5", 3, &out);
  ldr_numeric_to_wire("123456789", 9, &out);
  ldr_numeric_from_wire("\0\1\0\177\0\0\0\0\0\1", 10, &out);
  done = !out.broken;
  ldr_buf_free(&out);
  return done;
}

TEST(numeric_survives_lack_of_memory) { test_oom("numeric", all_of_it); }

void test_numeric(void);
void test_numeric(void) {
  RUN(normal_form_is_postgresqls_output);
  RUN(normal_form_refuses_the_rest);
  RUN(normal_form_has_postgresqls_limits);
  RUN(an_exponent_adds_few_digits);
  RUN(fit_rounds_half_away_from_zero);
  RUN(fit_refuses_an_integer_part_that_is_too_long);
  RUN(fit_knows_scales_beyond_the_digits);
  RUN(orders_all_kinds);
  RUN(equal_values_hash_alike);
  RUN(adds_exactly);
  RUN(add_refuses_too_many_digits);
  RUN(speaks_numeric_send);
  RUN(reads_wire_forms_with_care);
  RUN(numeric_survives_lack_of_memory);
}

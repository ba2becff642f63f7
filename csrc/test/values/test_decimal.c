/* Expected values are PostgreSQL 15's own answers. */
#include "values/decimal.h"

#include "support/test.h"
#include "values/numeric.h"

typedef enum how { SUB, MUL, DIV, ROUND } how;

static ldr_decimal_end compute(how h, const char *a, const char *b, int scale, ldr_buf *out) {
  size_t na = strlen(a), nb = strlen(b);
  ldr_buf_reset(out);
  switch (h) {
    case SUB: return ldr_decimal_sub(a, na, b, nb, out);
    case MUL: return ldr_decimal_mul(a, na, b, nb, out);
    case DIV: return ldr_decimal_div(a, na, b, nb, scale, out);
    default: return ldr_decimal_round(a, na, scale, out);
  }
}

typedef struct sample {
  const char *a, *b;
  int scale;
  const char *want;
} sample;

static void check_all(how h, const sample *samples, size_t n) {
  ldr_buf out = {0};
  for (size_t i = 0; i < n; i++) {
    CHECK_INT(compute(h, samples[i].a, samples[i].b, samples[i].scale, &out), LDR_DECIMAL_OK);
    CHECK_STR(ldr_buf_cstr(&out), samples[i].want);
  }
  ldr_buf_free(&out);
}

static void check_end(how h, const char *a, const char *b, int scale, ldr_decimal_end want) {
  ldr_buf out = {0};
  CHECK_INT(compute(h, a, b, scale, &out), want);
  CHECK_INT(out.n, 0);
  ldr_buf_free(&out);
}

#define COUNT(list) (sizeof(list) / sizeof *(list))

TEST(differences) {
  static const sample samples[] = {
      {"0.1", "0.2", 0, "-0.1"},
      {"1.50", "0.5", 0, "1.00"},
      {"1000000000000000000000000000000", "1", 0, "999999999999999999999999999999"},
      {"-1", "-1.00", 0, "0.00"},
      {"0", "0.000", 0, "0.000"},
      {"NaN", "1", 0, "NaN"},
      {"Infinity", "Infinity", 0, "NaN"},
      {"1", "Infinity", 0, "-Infinity"},
  };
  check_all(SUB, samples, COUNT(samples));
}

TEST(products) {
  static const sample samples[] = {
      {"0.1", "0.2", 0, "0.02"},
      {"1.50", "2", 0, "3.00"},
      {"-3", "0.00", 0, "0.00"},
      {"99999999999999999999", "99999999999999999999", 0, "9999999999999999999800000000000000000001"},
      {"0.001", "1000", 0, "1.000"},
      {"-0.5", "-0.5", 0, "0.25"},
  };
  check_all(MUL, samples, COUNT(samples));
  check_end(MUL, "Infinity", "2", 0, LDR_DECIMAL_INFINITE);
}

TEST(quotients) {
  static const sample samples[] = {
      {"1", "3.0", -1, "0.33333333333333333333"},
      {"2", "3.0", -1, "0.66666666666666666667"},
      {"1000000000000000000000000000000", "7", -1, "142857142857142857142857142857"},
      {"-1", "8.0", -1, "-0.12500000000000000000"},
      {"10", "2.5", -1, "4.0000000000000000"},
      {"1", "100000000000000000000", -1, "0.0000000000000000000100000000000000000000"},
      {"12345.678", "0.0001", -1, "123456780.000000000000"},
      {"0", "7.0", -1, "0.00000000000000000000"},
      {"1", "3.0", 3, "0.333"},
      {"2", "3.0", 0, "1"},
      {"-1", "8.0", 2, "-0.13"},
      {"5", "2.0", 0, "3"},
      {"-5", "2.0", 0, "-3"},
      {"3", "2.0", 0, "2"},
  };
  check_all(DIV, samples, COUNT(samples));
  check_end(DIV, "1", "0.00", -1, LDR_DECIMAL_ZERO);
  check_end(DIV, "NaN", "1", -1, LDR_DECIMAL_INFINITE);
}

TEST(rounding_is_half_away_from_zero) {
  static const sample samples[] = {
      {"1.005", "", 2, "1.01"},  {"-1.005", "", 2, "-1.01"}, {"0.5", "", 0, "1"},
      {"-0.5", "", 0, "-1"},     {"1.5", "", 5, "1.50000"},  {"9.995", "", 2, "10.00"},
      {"99.99", "", 1, "100.0"}, {"0.0004", "", 2, "0.00"},  {"-0.0004", "", 2, "0.00"},
  };
  check_all(ROUND, samples, COUNT(samples));
}

static bool multiplies(void) {
  ldr_buf out = {0};
  bool ok;
  (void)compute(MUL, "123456789012345678901234567890.5", "0.000000001", 0, &out);
  ok = !out.broken && out.n > 0;
  ldr_buf_free(&out);
  return ok;
}

static bool divides(void) {
  ldr_buf out = {0};
  bool ok;
  (void)compute(DIV, "123456789012345678901234567890.5", "7", 40, &out);
  ok = !out.broken && out.n > 0;
  ldr_buf_free(&out);
  return ok;
}

TEST(arithmetic_without_memory) {
  test_oom("a product", multiplies);
  test_oom("a quotient", divides);
}

void test_decimal(void);
void test_decimal(void) {
  RUN(differences);
  RUN(products);
  RUN(quotients);
  RUN(rounding_is_half_away_from_zero);
  RUN(arithmetic_without_memory);
}

#include "values/bits.h"

#include "support/test.h"

static int order(const char *s, const char *t) {
  ldr_buf a = {0}, b = {0};
  int c;
  CHECK(ldr_bits_parse(s, strlen(s), &a) && ldr_bits_parse(t, strlen(t), &b));
  c = ldr_bits_cmp(a.p, a.n, b.p, b.n);
  CHECK_INT(c > 0, ldr_bits_cmp(b.p, b.n, a.p, a.n) < 0);
  ldr_buf_free(&a);
  ldr_buf_free(&b);
  return (c > 0) - (c < 0);
}

TEST(bits_come_back) {
  static const char *const texts[] = {
      "", "0", "1", "0101", "11111111", "000000001", "1010101010101010", "10000000000000001"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    ldr_buf b = {0}, text = {0};
    CHECK(ldr_bits_parse(texts[i], strlen(texts[i]), &b));
    CHECK(ldr_bits_ok(b.p, b.n));
    CHECK_INT(ldr_bits_count(b.p), strlen(texts[i]));
    ldr_bits_format(b.p, &text);
    CHECK_STR(text.n ? ldr_buf_cstr(&text) : "", texts[i]);
    ldr_buf_free(&b);
    ldr_buf_free(&text);
  }
}

TEST(order_is_by_bytes_and_then_by_length) {
  CHECK_INT(order("", "0"), -1);
  CHECK_INT(order("0", "00"), -1);
  CHECK_INT(order("00", "01"), -1);
  CHECK_INT(order("000000000", "00000001"), -1);
  CHECK_INT(order("1", "01"), 1);
  CHECK_INT(order("1", "100"), -1);
  CHECK_INT(order("101", "101"), 0);
}

TEST(malformed_bits_are_refused) {
  ldr_buf b = {0};
  CHECK(!ldr_bits_parse("012", 3, &b));
  CHECK(!ldr_bits_parse("1 ", 2, &b));
  ldr_buf_free(&b);
  CHECK(!ldr_bits_ok("\0\0\0", 3));
  CHECK(!ldr_bits_ok("\0\0\0\1\xc0", 5)); /* a second bit */
  CHECK(!ldr_bits_ok("\0\0\0\1", 4));
  CHECK(!ldr_bits_ok("\0\0\0\1\x80\0", 6));
  CHECK(!ldr_bits_ok("\xff\xff\xff\xff", 4));
  CHECK(ldr_bits_ok("\0\0\0\1\x80", 5));
}

void test_bits(void);

void test_bits(void) {
  RUN(bits_come_back);
  RUN(order_is_by_bytes_and_then_by_length);
  RUN(malformed_bits_are_refused);
}

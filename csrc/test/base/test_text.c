#include "base/text.h"

#include "base/err.h"
#include "support/test.h"

#define UTF8(s) ldr_utf8_check(s, sizeof s - 1)

TEST(utf8_accepts_every_length_and_limit) {
  CHECK_INT(UTF8(""), 0);
  CHECK_INT(UTF8("plain ASCII of some length"), 26);
  CHECK_INT(UTF8("\xC2\x80\xDF\xBF"), 4);
  CHECK_INT(UTF8("\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF"), 12);
  CHECK_INT(UTF8("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"), 8);
  CHECK_INT(ldr_utf8_check("a\0b", 3), 3); /* a zero byte is for the caller to refuse */
}

TEST(utf8_names_the_first_bad_byte) {
  CHECK_INT(UTF8("abc\x80"), 3);
  CHECK_INT(UTF8("\xC0\x80"), 0);         /* overlong */
  CHECK_INT(UTF8("\xC1\xBF"), 0);         /* overlong */
  CHECK_INT(UTF8("\xE0\x9F\xBF"), 0);     /* overlong */
  CHECK_INT(UTF8("\xF0\x8F\xBF\xBF"), 0); /* overlong */
  CHECK_INT(UTF8("\xED\xA0\x80"), 0);     /* surrogate */
  CHECK_INT(UTF8("\xF4\x90\x80\x80"), 0); /* above U+10FFFF */
  CHECK_INT(UTF8("\xF5\x80\x80\x80"), 0);
  CHECK_INT(UTF8("\xFF"), 0);
  CHECK_INT(UTF8("ab\xE2\x82"), 2); /* cut short */
  CHECK_INT(UTF8("ab\xE2\x82z"), 2);
  CHECK_INT(UTF8("12345678\xC3\xA9"
                 "12345678\xC3"),
            18);
}

TEST(utf8_counts_characters) {
  CHECK_INT(ldr_utf8_length("", 0), 0);
  CHECK_INT(ldr_utf8_length("a\xC3\xA9\xE6\x97\xA5\xF0\x9F\x98\x80", 10), 4);
}

static void check_base64(const char *plain, size_t n, const char *text) {
  ldr_buf out = {0};
  ldr_base64url_add(&out, plain, n);
  CHECK_STR(ldr_buf_cstr(&out), text);
  ldr_buf_reset(&out);
  CHECK(ldr_base64url_decode(&out, text, strlen(text)));
  CHECK(out.n == n && memcmp(out.p, plain, n) == 0);
  ldr_buf_free(&out);
}

TEST(base64url_goes_both_ways) {
  check_base64("f", 1, "Zg"); /* the vectors of RFC 4648, section 10 */
  check_base64("fo", 2, "Zm8");
  check_base64("foo", 3, "Zm9v");
  check_base64("foob", 4, "Zm9vYg");
  check_base64("fooba", 5, "Zm9vYmE");
  check_base64("foobar", 6, "Zm9vYmFy");
  check_base64("\xFB\xEF\xFF\0", 4, "--__AA");
}

TEST(base64url_refuses_what_is_not_canonical) {
  static const char *const bad[] = {"A", "Zg==", "Zh", "Zm9", "Zm8+", "Zm8/", "Zm 8", "Zm9vY", "\xC3\xA9"};
  ldr_buf out = {0};
  ldr_buf_str(&out, "kept");
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    CHECK(!ldr_base64url_decode(&out, bad[i], strlen(bad[i])));
    CHECK_STR(ldr_buf_cstr(&out), "kept");
  }
  ldr_buf_free(&out);
}

TEST(hex_goes_both_ways) {
  unsigned char bytes[4] = {9, 9, 9, 9};
  ldr_buf out = {0};
  ldr_hex_add(&out, "\x00\x7F\xAB\xFF", 4);
  ldr_hex_add(&out, "", 0);
  CHECK_STR(ldr_buf_cstr(&out), "007fabff");
  CHECK(ldr_hex_decode(bytes, "007FabFf", 8));
  CHECK(memcmp(bytes, "\x00\x7F\xAB\xFF", 4) == 0);
  CHECK(!ldr_hex_decode(bytes, "123", 3));
  CHECK(!ldr_hex_decode(bytes, "000g", 4));
  CHECK(memcmp(bytes, "\x00\x7F\xAB\xFF", 4) == 0); /* untouched */
  ldr_buf_free(&out);
}

TEST(uuid_goes_both_ways) {
  static const char text[] = "0190a6f0-1234-7abc-8def-0123456789ab";
  unsigned char id[16];
  char back[37];
  CHECK(ldr_uuid_parse("0190A6F0-1234-7ABC-8def-0123456789AB", 36, id));
  ldr_uuid_format(id, back);
  CHECK_STR(back, text);
  CHECK(!ldr_uuid_parse(text, 35, id));
  CHECK(!ldr_uuid_parse("0190a6f01-234-7abc-8def-0123456789ab", 36, id));
  CHECK(!ldr_uuid_parse("0190a6f0-1234-7abc-8def-0123456789ag", 36, id));
  CHECK(!ldr_uuid_parse("0190a6f0-1234-7abc-8def-01234567-9ab", 36, id));
}

TEST(hash_is_the_same_everywhere_and_spreads) {
  unsigned char zeros[64] = {0};
  uint64_t seen[65];
  int flips = 0;
  CHECK(ldr_hash64("", 0, 0) == UINT64_C(0x5eaca0e8c7007468));
  CHECK(ldr_hash64("larder", 6, 1) == UINT64_C(0x8c68aed0bde56acc));
  CHECK(ldr_hash64("a longer text, more than one word", 33, 7) == UINT64_C(0x3ad99e61b2026f29));
  CHECK(ldr_hash64("larder", 6, 1) != ldr_hash64("larder", 6, 2));
  for (size_t n = 0; n <= 64; n++) { /* zeros of each length differ */
    seen[n] = ldr_hash64(zeros, n, 0);
    for (size_t i = 0; i < n; i++) CHECK(seen[i] != seen[n]);
  }
  for (unsigned bit = 0; bit < 512; bit++) { /* one bit of input flips about half of the output */
    uint64_t diff;
    zeros[bit / 8] = (unsigned char)(1U << bit % 8);
    diff = ldr_hash64(zeros, 64, 0) ^ seen[64];
    zeros[bit / 8] = 0;
    for (; diff; diff &= diff - 1) flips++;
  }
  CHECK(flips > 512 * 30 && flips < 512 * 34);
}

static int like(const char *s, const char *pattern, bool fold) {
  return ldr_like(s, strlen(s), pattern, strlen(pattern), fold);
}

TEST(like_is_what_postgresql_says) {
  static const struct {
    const char *s, *pattern;
    int want;
  } cases[] = {
      {"", "", 1},
      {"", "%", 1},
      {"", "_", 0},
      {"", "\\", 0},
      {"abc", "abc", 1},
      {"abc", "ab", 0},
      {"abc", "abcd", 0},
      {"abc", "a%", 1},
      {"abc", "%c", 1},
      {"abc", "%b%", 1},
      {"abc", "a_c", 1},
      {"abc", "_%_", 1},
      {"abc", "____", 0},
      {"abc", "%_%_%_%", 1},
      {"abc", "%____%", 0},
      {"aXbXc", "%X_", 1},
      {"aab", "%ab", 1},
      {"abab", "%ab%ab", 1},
      {"a%c", "a\\%c", 1},
      {"abc", "a\\%c", 0},
      {"a_c", "a\\_c", 1},
      {"a\\c", "a\\\\c", 1},
      {"abc", "\\a\\b\\c", 1},
      {"x", "\\", -1},
      {"x", "y\\", 0},
      {"xy", "x\\", -1},
      {"x", "x\\", 0},
      {"x", "%\\", -1},
      {"a", "%_\\", -1},
      {"x", "%x\\", 0},
      {"\xE6\x97\xA5z", "_z", 1},
      {"\xC3\xA9", "__", 0},
      {"\xE6\x97\xA5\xE6\x9C\xAC", "%\xE6\x9C\xAC", 1},
      {"ABC", "abc", 0},
      {"[a]", "[%]", 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    CHECK_INT(like(cases[i].s, cases[i].pattern, false), cases[i].want);
}

TEST(ilike_folds_ascii_letters_only) {
  CHECK_INT(like("AbC", "aBc", true), 1);
  CHECK_INT(like("ABCdef", "%CD%", true), 1);
  CHECK_INT(like("Z", "\\z", true), 1);
  CHECK_INT(like("[", "{", true), 0);
  CHECK_INT(like("\xC3\x89", "\xC3\xA9", true), 0); /* É, é */
}

TEST(like_does_not_explode) {
  char text[2001];
  memset(text, 'a', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  CHECK_INT(like(text, "%a%a%a%a%a%a%a%a%a%a%a%a%b", false), 0);
}

static bool encode(void) {
  ldr_buf out = {0};
  bool done;
  ldr_base64url_add(&out, "some bytes that need room, more than a first block has", 54);
  ldr_hex_add(&out, "0123456789", 10);
  done = !out.broken;
  ldr_buf_free(&out);
  return done;
}

TEST(text_survives_lack_of_memory) { test_oom("encode", encode); }

TEST(places_in_a_text_count_lines_and_characters) {
  static const char text[] = "select 'ä',\n  nosuch\n\nfrom";
  static const struct {
    size_t chars;
    unsigned line, place;
  } cases[] = {{0, 1, 1},  {9, 1, 10}, {11, 1, 12}, {12, 2, 1}, {14, 2, 3},
               {21, 3, 1}, {22, 4, 1}, {26, 4, 5},  {900, 4, 5}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ldr_err err;
    ldr_fail(&err, LDR_SYNTAX, "wrong");
    CHECK_INT(ldr_err_at_char(&err, text, sizeof text - 1, cases[i].chars), LDR_SYNTAX);
    CHECK_INT(err.line, cases[i].line);
    CHECK_INT(err.place, cases[i].place);
    CHECK_STR(err.file, "");
  }
}

void test_text(void);
void test_text(void) {
  RUN(utf8_accepts_every_length_and_limit);
  RUN(utf8_names_the_first_bad_byte);
  RUN(utf8_counts_characters);
  RUN(base64url_goes_both_ways);
  RUN(base64url_refuses_what_is_not_canonical);
  RUN(hex_goes_both_ways);
  RUN(uuid_goes_both_ways);
  RUN(hash_is_the_same_everywhere_and_spreads);
  RUN(like_is_what_postgresql_says);
  RUN(ilike_folds_ascii_letters_only);
  RUN(like_does_not_explode);
  RUN(text_survives_lack_of_memory);
  RUN(places_in_a_text_count_lines_and_characters);
}

#include "values/json.h"

#include <float.h>
#include <math.h>

#include "support/test.h"

/* ---- reader ---- */

/* Events as text: "[i1 s<abc> k<a>f1.5 ]" … */
static void trace(const char *text, size_t n, ldr_buf *out) {
  static const char *const plain[] = {
      [LDR_JSON_NULL] = "null",    [LDR_JSON_TRUE] = "true",   [LDR_JSON_FALSE] = "false",
      [LDR_JSON_ARRAY] = "[",      [LDR_JSON_ARRAY_END] = "]", [LDR_JSON_OBJECT] = "{",
      [LDR_JSON_OBJECT_END] = "}", [LDR_JSON_END] = "."};
  ldr_buf scratch = {0};
  ldr_json_reader r;
  ldr_json_event event;
  ldr_buf_reset(out);
  ldr_json_read(&r, text, n, &scratch);
  do {
    event = ldr_json_next(&r);
    if (event == LDR_JSON_INT)
      ldr_buf_fmt(out, "i%lld", (long long)r.i);
    else if (event == LDR_JSON_FLOAT)
      ldr_buf_fmt(out, "f%.17g", r.f);
    else if (event == LDR_JSON_STRING || event == LDR_JSON_KEY)
      ldr_buf_fmt(out, "%c<%.*s>", event == LDR_JSON_KEY ? 'k' : 's', (int)r.n, r.s);
    else
      ldr_buf_str(out, event == LDR_JSON_ERROR ? r.why : plain[event]);
    ldr_buf_chr(out, ' ');
  } while (event != LDR_JSON_END && event != LDR_JSON_ERROR);
  CHECK_INT(ldr_json_next(&r), event); /* both are final */
  ldr_buf_free(&scratch);
}

static void check_trace(const char *text, const char *want) {
  ldr_buf out = {0};
  trace(text, strlen(text), &out);
  CHECK_STR(ldr_buf_cstr(&out), want);
  ldr_buf_free(&out);
}

TEST(reads_structure) {
  check_trace("null", "null . ");
  check_trace(" \n\t\r[ ] ", "[ ] . ");
  check_trace("{}", "{ } . ");
  check_trace("[1,[true , false],{\"a\" : [ ]},\"x\"]", "[ i1 [ true false ] { k<a> [ ] } s<x> ] . ");
  check_trace("{\"a\":{\"b\":null},\"c\":[{}]}", "{ k<a> { k<b> null } k<c> [ { } ] } . ");
}

TEST(reads_numbers_without_loss) {
  check_trace("[0,-0,7,-12,9223372036854775807,-9223372036854775808]",
              "[ i0 i0 i7 i-12 i9223372036854775807 i-9223372036854775808 ] . ");
  check_trace(
      "[9223372036854775808,-9223372036854775809,18446744073709551616,99999999999999999999999]",
      "[ f9.2233720368547758e+18 f-9.2233720368547758e+18 f1.8446744073709552e+19 f9.9999999999999992e+22 "
      "] . ");
  check_trace("[1.0,-0.0,1e2,1E+2,1.5e-3,0.1]", "[ f1 f-0 f100 f100 f0.0015 f0.10000000000000001 ] . ");
  check_trace("[1e400,-1e400,1e-400,1e99999999999999999999]", "[ finf f-inf f0 finf ] . ");
  check_trace(
      "[9007199254740993.0,2.2250738585072014e-308,4.9e-324,1.7976931348623157e308]",
      "[ f9007199254740992 f2.2250738585072014e-308 f4.9406564584124654e-324 f1.7976931348623157e+308 "
      "] . ");
}

/* Halfway between two doubles, and then one digit far behind it that decides. */
TEST(rounds_long_decimals_correctly) {
  ldr_buf text = {0}, scratch = {0};
  ldr_json_reader r;
  for (int last = 0; last < 2; last++) {
    ldr_buf_reset(&text);
    ldr_buf_str(&text, "9007199254740993.");
    for (int i = 0; i < 2000; i++) ldr_buf_chr(&text, '0');
    ldr_buf_chr(&text, (char)('0' + last));
    ldr_json_read(&r, text.p, text.n, &scratch);
    CHECK_INT(ldr_json_next(&r), LDR_JSON_FLOAT);
    CHECK(r.f == (last ? 9007199254740994.0 : 9007199254740992.0));
    CHECK(r.n == text.n && r.s == text.p);
  }
  ldr_buf_free(&text);
  ldr_buf_free(&scratch);
}

TEST(reads_strings) {
  check_trace("\"\"", "s<> . ");
  check_trace("\"plain, longer than eight bytes\"", "s<plain, longer than eight bytes> . ");
  check_trace("\"\\\"\\\\\\/\\b\\f\\n\\r\\t|\"", "s<\"\\/\b\f\n\r\t|> . ");
  check_trace("\"\\u0041\\u00e9\\u65E5\\ud83d\\ude00\"", "s<A\xC3\xA9\xE6\x97\xA5\xF0\x9F\x98\x80> . ");
  check_trace("\"\xC3\xA9\x7F\xF4\x8F\xBF\xBF\"", "s<\xC3\xA9\x7F\xF4\x8F\xBF\xBF> . ");
  check_trace("{\"a\\tb\":\"c\\td\"}", "{ k<a\tb> s<c\td> } . ");
}

TEST(borrows_strings_without_escapes) {
  static const char text[] = "[\"borrowed\",\"cop\\u0069ed\"]";
  ldr_buf scratch = {0};
  ldr_json_reader r;
  ldr_json_read(&r, text, sizeof text - 1, &scratch);
  CHECK_INT(ldr_json_next(&r), LDR_JSON_ARRAY);
  CHECK_INT(ldr_json_next(&r), LDR_JSON_STRING);
  CHECK(r.s == text + 2 && r.n == 8);
  CHECK(scratch.p == NULL);
  CHECK_INT(ldr_json_next(&r), LDR_JSON_STRING);
  CHECK(r.s == scratch.p && r.n == 6);
  ldr_buf_free(&scratch);
}

/* The string that follows, when `guess` stood there before; NULL: there is none. */
static void check_guess(const char *text, const char *guess, const char *want, bool taken) {
  ldr_buf scratch = {0};
  ldr_json_reader r;
  ldr_json_read(&r, text, strlen(text), &scratch);
  r.guess = guess;
  r.guess_n = strlen(guess);
  CHECK_INT(ldr_json_next(&r), want ? LDR_JSON_STRING : LDR_JSON_ERROR);
  CHECK(r.guessed == taken);
  if (want) {
    CHECK(r.n == strlen(want) && memcmp(r.s, want, r.n) == 0);
    CHECK_INT(ldr_json_next(&r), LDR_JSON_END);
  }
  ldr_buf_free(&scratch);
}

TEST(takes_a_guess_only_when_it_is_all_of_the_string) {
  check_guess("\"dark\"", "dark", "dark", true);
  check_guess("\"dark\" ", "dark", "dark", true);
  check_guess("\"darker\"", "dark", "darker", false);
  check_guess("\"dar\"", "dark", "dar", false);
  check_guess("\"dark\\n\"", "dark", "dark\n", false);
  check_guess("\"lark\"", "dark", "lark", false);
  check_guess("\"\"", "dark", "", false);
  check_guess("\"\"", "", "", false);
  check_guess("\"dark", "dark", NULL, false);
  check_guess("\"da", "dark", NULL, false);
}

TEST(refuses_bad_text) {
  static const char early[] = "the text ends too early ", odd[] = "unexpected character ";
  check_trace("", early);
  check_trace("  ", early);
  check_trace("1 2", "i1 unexpected character ");
  check_trace("]", odd);
  check_trace("+1", odd);
  check_trace(".5", odd);
  check_trace("-", early);
  check_trace("-x", odd);
  check_trace("01", "i0 unexpected character ");
  check_trace("1.", "a number lacks digits ");
  check_trace("1.e5", "a number lacks digits ");
  check_trace("1e", "a number lacks digits ");
  check_trace("1e+", "a number lacks digits ");
  check_trace("NaN", odd);
  check_trace("nul", "unknown word ");
  check_trace("True", odd);
  check_trace("[1", "[ i1 the text ends too early ");
  check_trace("[1,]", "[ i1 unexpected character ");
  check_trace("[,1]", "[ unexpected character ");
  check_trace("[1}", "[ i1 unexpected character ");
  check_trace("{]", "{ unexpected character ");
  check_trace("{\"a\"}", "{ unexpected character ");
  check_trace("{\"a\":}", "{ k<a> unexpected character ");
  check_trace("{\"a\":1,}", "{ k<a> i1 unexpected character ");
  check_trace("{a:1}", "{ unexpected character ");
  check_trace("{1:1}", "{ unexpected character ");
  check_trace("'a'", odd);
}

/* What the type json holds and jsonb does not: bytes that no text of PostgreSQL has. */
TEST(reads_leniently_what_others_wrote) {
  static const struct {
    const char *text, *bytes;
    size_t n;
  } cases[] = {
      {"\"x\\u0000y\"", "x\0y", 3},
      {"\"\\ud800\"", "\xED\xA0\x80", 3},
      {"\"\xC3\xA9\\udc00\"", "\xC3\xA9\xED\xB0\x80", 5},
      {"\"\\ud83d\\ude00\"", "\xF0\x9F\x98\x80", 4},
  };
  ldr_buf scratch = {0};
  ldr_json_reader r;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ldr_json_read(&r, cases[i].text, strlen(cases[i].text), &scratch);
    r.lenient = true;
    CHECK_INT(ldr_json_next(&r), LDR_JSON_STRING);
    CHECK_INT(r.n, cases[i].n);
    CHECK(r.n == cases[i].n && memcmp(r.s, cases[i].bytes, r.n) == 0);
    CHECK_INT(ldr_json_next(&r), LDR_JSON_END);
  }
  ldr_json_read(&r, "\"\\ud800\xC0\"", 9, &scratch); /* raw bytes are text all the same */
  r.lenient = true;
  CHECK_INT(ldr_json_next(&r), LDR_JSON_ERROR);
  ldr_buf_free(&scratch);
}

TEST(refuses_bad_strings) {
  static const char alone[] = "a surrogate stands alone ";
  check_trace("\"abc", "a string does not end ");
  check_trace("\"abc\\", "unknown escape ");
  check_trace("\"\\x\"", "unknown escape ");
  check_trace("\"\\u12\"", "\\u needs four hexadecimal digits ");
  check_trace("\"\\u12g4\"", "\\u needs four hexadecimal digits ");
  check_trace("\"\\u0000\"", "\\u0000 cannot be converted to text ");
  check_trace("\"\\ud800\"", alone);
  check_trace("\"\\udc00\"", alone);
  check_trace("\"\\ud800\\ud800\"", alone);
  check_trace("\"\\ud800x\"", alone);
  check_trace("\"\\ud800\\n\"", alone);
  check_trace("\"a\nb\"", "a control character stands in a string ");
  check_trace("\"0123456\x1F\"", "a control character stands in a string ");
  check_trace("\"\xC3\"", "invalid UTF-8 ");
  check_trace("\"0123456789\xED\xA0\x80\"", "invalid UTF-8 ");
  check_trace("\"\\n\xC0\x80\"", "invalid UTF-8 ");
}

TEST(refuses_zero_bytes) {
  ldr_buf out = {0};
  trace("\"a\0b\"", 5, &out);
  CHECK_STR(ldr_buf_cstr(&out), "a control character stands in a string ");
  trace("\"\\\0\"", 4, &out);
  CHECK_STR(ldr_buf_cstr(&out), "unknown escape ");
  trace("1\0", 2, &out);
  CHECK_STR(ldr_buf_cstr(&out), "i1 unexpected character ");
  ldr_buf_free(&out);
}

TEST(limits_depth) {
  char text[2 * LDR_JSON_DEPTH + 2];
  ldr_buf out = {0};
  ldr_err err;
  memset(text, '[', LDR_JSON_DEPTH);
  memset(text + LDR_JSON_DEPTH, ']', LDR_JSON_DEPTH);
  CHECK_INT(ldr_json_canonical(text, sizeof text - 2, &out, &err), LDR_OK);
  CHECK_INT(out.n, sizeof text - 2);
  memset(text, '[', LDR_JSON_DEPTH + 1);
  memset(text + LDR_JSON_DEPTH + 1, ']', LDR_JSON_DEPTH + 1);
  CHECK_INT(ldr_json_canonical(text, sizeof text, &out, &err), LDR_INVALID);
  CHECK_STR(err.message, "invalid JSON: nested too deeply");
  ldr_buf_free(&out);
}

/* ---- writer ---- */

TEST(writes_strings_as_jsonb_does) {
  static const char text[] = "a\"b\\c/\b\f\n\r\t\x01\x1F\x7F\xC3\xA9";
  ldr_buf out = {0};
  ldr_json_add_string(&out, "", 0);
  ldr_json_add_string(&out, text, sizeof text - 1);
  CHECK_STR(ldr_buf_cstr(&out), "\"\"\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7F\xC3\xA9\"");
  ldr_buf_free(&out);
}

static void check_float(double f, const char *want) {
  ldr_buf out = {0}, canonical = {0}, scratch = {0};
  ldr_json_reader r;
  ldr_err err;
  CHECK(ldr_json_add_float(&out, f));
  CHECK_STR(ldr_buf_cstr(&out), want);
  CHECK_INT(ldr_json_canonical(out.p, out.n, &canonical, &err), LDR_OK);
  ldr_json_read(&r, canonical.p, canonical.n,
                &scratch); /* a float it stays, through jsonb, and the same one */
  CHECK_INT(ldr_json_next(&r), LDR_JSON_FLOAT);
  CHECK(r.f == f);
  ldr_buf_free(&out);
  ldr_buf_free(&canonical);
  ldr_buf_free(&scratch);
}

TEST(writes_numbers) {
  ldr_buf out = {0};
  ldr_json_add_int(&out, 0);
  ldr_buf_chr(&out, ' ');
  ldr_json_add_int(&out, INT64_MIN);
  ldr_buf_chr(&out, ' ');
  ldr_json_add_int(&out, INT64_MAX);
  CHECK_STR(ldr_buf_cstr(&out), "0 -9223372036854775808 9223372036854775807");
  ldr_buf_reset(&out);
  CHECK(!ldr_json_add_float(&out, (double)NAN));
  CHECK(!ldr_json_add_float(&out, (double)INFINITY));
  CHECK(!ldr_json_add_float(&out, -(double)INFINITY));
  CHECK_INT(out.n, 0);
  ldr_buf_free(&out);
}

TEST(writes_the_shortest_float) {
  check_float(0.0, "0.0");
  check_float(-0.0, "0.0");
  check_float(1.0, "1.0");
  check_float(-17.0, "-17.0");
  check_float(0.1, "0.1");
  check_float(-3.14, "-3.14");
  check_float(0.1 + 0.2, "0.30000000000000004");
  check_float(1.0 / 3, "0.3333333333333333");
  check_float(0.000001, "0.000001");
  check_float(123456.789, "123456.789");
  check_float(1e15, "1000000000000000.0");
  check_float(9007199254740993.0, "9007199254740992.0");
  check_float(-9223372036854775808.0, "-9223372036854775808.0");
  check_float(1e19, "1e+19");
  check_float(1e300, "1e+300");
  check_float(-1.5e300, "-1.5e+300");
  check_float(1e-20, "1e-20");
  check_float(DBL_MAX, "1.7976931348623157e+308");
  check_float(DBL_MIN, "2.2250738585072014e-308");
  check_float(4.9e-324, "5e-324");
}

/* ---- jsonb: expected values are PostgreSQL 15's own answers ---- */

static const char *canonical(const char *text, ldr_buf *out) {
  ldr_err err;
  ldr_buf_reset(out);
  return ldr_json_canonical(text, strlen(text), out, &err) == LDR_OK ? ldr_buf_cstr(out) : NULL;
}

TEST(canonical_form_is_jsonb_out) {
  static const char *const cases[][2] = {
      {" 1 ", "1"},
      {"-0", "0"},
      {"-0.0", "0.0"},
      {"1e3", "1000"},
      {"1.50E-3", "0.00150"},
      {"12345678901234567890.10", "12345678901234567890.10"},
      {"\"\\u00e9\\/\\u0001\"", "\"\xC3\xA9/\\u0001\""},
      {"[\"\\u0041\",\"\\u0042\"]", "[\"A\", \"B\"]"}, /* each keeps its own bytes */
      {"[]", "[]"},
      {"{ }", "{}"},
      {"[1,2 ,[3,{}],null,true,false]", "[1, 2, [3, {}], null, true, false]"},
      {"{\"bb\":1,\"a\":2,\"ab\":3,\"c\":4}", "{\"a\": 2, \"c\": 4, \"ab\": 3, \"bb\": 1}"},
      {"{\"a\":1,\"b\":2,\"a\":{\"x\":[],\"x\":{}}}", "{\"a\": {\"x\": {}}, \"b\": 2}"},
      {"{\"\\u0061\":1,\"a\":2}", "{\"a\": 2}"},
      {"{\"\":1,\"\xC3\xA9\":2,\"z\":3}", "{\"\": 1, \"z\": 3, \"\xC3\xA9\": 2}"},
  };
  ldr_buf out = {0};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CHECK_STR(canonical(cases[i][0], &out), cases[i][1]);
    CHECK_STR(canonical(cases[i][1], &out), cases[i][1]);
  }
  CHECK(canonical("{\"a\":1e200000}", &out) == NULL); /* 22003 there too */
  CHECK(canonical("[1,", &out) == NULL);
  CHECK_INT(out.n, 0);
  ldr_buf_free(&out);
}

static bool equal(const char *a, const char *b) {
  bool same = false;
  uint64_t x = 0, y = 1;
  ldr_err err;
  CHECK_INT(ldr_json_equal(a, strlen(a), b, strlen(b), &same, &err), LDR_OK);
  CHECK_INT(ldr_json_hash(a, strlen(a), 5, &x, &err), LDR_OK);
  CHECK_INT(ldr_json_hash(b, strlen(b), 5, &y, &err), LDR_OK);
  CHECK(same == (x == y)); /* no two of the texts below collide by chance */
  return same;
}

TEST(equality_is_jsonbs) {
  CHECK(equal("1", "1.00"));
  CHECK(equal("{\"a\":1,\"b\":[2]}", "{ \"b\":[2.0],\"a\":7,\"a\":1e0 }"));
  CHECK(equal("\"\\u0041\"", "\"A\""));
  CHECK(equal("100000000000000000000001", "100000000000000000000001.0"));
  CHECK(!equal("100000000000000000000001", "100000000000000000000002"));
  CHECK(!equal("1", "\"1\""));
  CHECK(!equal("1", "[1]"));
  CHECK(!equal("[]", "{}"));
  CHECK(!equal("null", "false"));
  CHECK(!equal("[1,2]", "[2,1]"));
  CHECK(!equal("[1,[2]]", "[1,2]"));
  CHECK(!equal("{\"a\":1}", "{\"b\":1}"));
  CHECK(!equal("{\"a\":1}", "{\"a\":2}"));
  CHECK(!equal("{\"a\":1}", "{\"a\":1,\"b\":1}"));
}

static bool contains(const char *a, const char *b) {
  bool held = false;
  ldr_err err;
  CHECK_INT(ldr_json_contains(a, strlen(a), b, strlen(b), &held, &err), LDR_OK);
  return held;
}

TEST(containment_is_jsonbs) {
  CHECK(contains("{\"a\":1,\"b\":2}", "{\"b\":2.0}"));
  CHECK(contains("{\"a\":1}", "{}"));
  CHECK(contains("{\"a\":{\"x\":1,\"y\":[1,2]}}", "{\"a\":{\"y\":[2]}}"));
  CHECK(contains("[1,2,3]", "[3,1,1]"));
  CHECK(contains("[1,2]", "[]"));
  CHECK(contains("[1,2]", "2")); /* a lone scalar, at the top only */
  CHECK(contains("[[1,2],3]", "[[2]]"));
  CHECK(contains("[{\"a\":1,\"b\":2}]", "[{\"a\":1}]"));
  CHECK(contains("\"x\"", "\"x\""));
  CHECK(!contains("[[1,2]]", "[1]"));
  CHECK(!contains("[[1]]", "1"));
  CHECK(!contains("{\"a\":[1]}", "{\"a\":1}"));
  CHECK(!contains("1", "[1]"));
  CHECK(!contains("1", "[]"));
  CHECK(!contains("{}", "[]"));
  CHECK(!contains("[]", "{}"));
  CHECK(!contains("[{\"a\":1}]", "{\"a\":1}"));
  CHECK(!contains("{\"a\":1}", "{\"a\":1,\"b\":null}"));
}

static bool has_key(const char *a, const char *key) {
  bool found = false;
  ldr_err err;
  CHECK_INT(ldr_json_has_key(a, strlen(a), key, strlen(key), &found, &err), LDR_OK);
  return found;
}

TEST(has_key_is_jsonbs) {
  CHECK(has_key("{\"a\":{\"b\":1}}", "a"));
  CHECK(has_key("[\"a\",\"b\"]", "b"));
  CHECK(has_key("\"a\"", "a"));
  CHECK(has_key("{\"\":1}", ""));
  CHECK(!has_key("{\"a\":{\"b\":1}}", "b"));
  CHECK(!has_key("[[\"a\"],{\"a\":1},1]", "a"));
  CHECK(!has_key("[1]", "1"));
  CHECK(!has_key("1", "1"));
  CHECK(!has_key("{}", "a"));
}

static void check_concat(const char *a, const char *b, const char *want) {
  ldr_buf out = {0};
  ldr_err err;
  CHECK_INT(ldr_json_concat(a, strlen(a), b, strlen(b), &out, &err), LDR_OK);
  CHECK_STR(ldr_buf_cstr(&out), want);
  ldr_buf_free(&out);
}

TEST(concatenation_is_jsonbs) {
  check_concat("{\"b\":1,\"a\":2}", "{\"b\":{\"x\":1},\"c\":3}", "{\"a\": 2, \"b\": {\"x\": 1}, \"c\": 3}");
  check_concat("{}", "{\"a\":1}", "{\"a\": 1}");
  check_concat("{}", "{}", "{}");
  check_concat("[1]", "[2,[3]]", "[1, 2, [3]]");
  check_concat("[]", "[]", "[]");
  check_concat("[1]", "2", "[1, 2]");
  check_concat("1", "[2]", "[1, 2]");
  check_concat("1", "\"x\"", "[1, \"x\"]");
  check_concat("[1]", "{\"a\":1}", "[1, {\"a\": 1}]");
  check_concat("{\"a\":1}", "[1]", "[{\"a\": 1}, 1]");
  check_concat("{\"a\":1}", "2", "[{\"a\": 1}, 2]");
  check_concat("null", "{}", "[null, {}]");
  check_concat("[]", "null", "[null]");
}

TEST(operators_report_bad_text) {
  ldr_buf out = {0};
  ldr_err err;
  bool answer = true;
  uint64_t h = 42;
  CHECK_INT(ldr_json_equal("1", 1, "x", 1, &answer, &err), LDR_INVALID);
  CHECK_STR(err.message, "invalid JSON: unexpected character");
  CHECK_STR(err.sqlstate, "22P02");
  CHECK_INT(ldr_json_contains("[", 1, "1", 1, &answer, &err), LDR_INVALID);
  CHECK_INT(ldr_json_has_key("[", 1, "a", 1, &answer, &err), LDR_INVALID);
  CHECK(answer);
  CHECK_INT(ldr_json_hash("[", 1, 0, &h, &err), LDR_INVALID);
  CHECK_INT(h, 42);
  CHECK_INT(ldr_json_concat("[", 1, "1", 1, &out, &err), LDR_INVALID);
  CHECK_INT(out.n, 0);
}

static bool all_of_it(void) {
  static const char a[] = "{\"b\\n\":[1,2.50,\"x\\ty\"],\"a\":{\"long enough to be copied\\u0021\":1e60}}";
  static const char b[] = "{\"b\\n\":[2.5]}";
  ldr_buf out = {0};
  ldr_err err;
  bool held = false, same = true;
  uint64_t h;
  ldr_code code = ldr_json_concat(a, sizeof a - 1, b, sizeof b - 1, &out, &err);
  if (code == LDR_OK) code = ldr_json_contains(a, sizeof a - 1, b, sizeof b - 1, &held, &err);
  if (code == LDR_OK) code = ldr_json_equal(a, sizeof a - 1, b, sizeof b - 1, &same, &err);
  if (code == LDR_OK) code = ldr_json_hash(a, sizeof a - 1, 0, &h, &err);
  if (code == LDR_OK) code = ldr_json_canonical(a, sizeof a - 1, &out, &err);
  CHECK(code == LDR_OK ? held && !same : code == LDR_CAPACITY);
  ldr_buf_free(&out);
  return code == LDR_OK;
}

TEST(json_survives_lack_of_memory) { test_oom("json", all_of_it); }

void test_json(void);
void test_json(void) {
  RUN(reads_structure);
  RUN(reads_numbers_without_loss);
  RUN(rounds_long_decimals_correctly);
  RUN(reads_strings);
  RUN(borrows_strings_without_escapes);
  RUN(takes_a_guess_only_when_it_is_all_of_the_string);
  RUN(refuses_bad_text);
  RUN(reads_leniently_what_others_wrote);
  RUN(refuses_bad_strings);
  RUN(refuses_zero_bytes);
  RUN(limits_depth);
  RUN(writes_strings_as_jsonb_does);
  RUN(writes_numbers);
  RUN(writes_the_shortest_float);
  RUN(canonical_form_is_jsonb_out);
  RUN(equality_is_jsonbs);
  RUN(containment_is_jsonbs);
  RUN(has_key_is_jsonbs);
  RUN(concatenation_is_jsonbs);
  RUN(operators_report_bad_text);
  RUN(json_survives_lack_of_memory);
}

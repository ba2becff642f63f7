#include "values/range.h"

#include "support/test.h"

typedef struct value {
  ldr_buf bytes;
} value;

static value made(ldr_range_kind kind, const char *text) {
  value v = {{0}};
  bool broken;
  const char *why = ldr_range_parse(kind, text, strlen(text), &v.bytes);
  CHECK_STR(why ? why : "", "");
  CHECK(ldr_range_ok(kind, v.bytes.p, v.bytes.n, &broken) && !broken);
  return v;
}

static void reads_as(ldr_range_kind kind, const char *text, const char *want) {
  value v = made(kind, text);
  ldr_buf shown = {0}, wire = {0}, back = {0};
  ldr_range_format(v.bytes.p, v.bytes.n, &shown);
  CHECK_STR(ldr_buf_cstr(&shown), want);
  ldr_range_to_wire(v.bytes.p, v.bytes.n, &wire);
  CHECK(ldr_range_from_wire(kind, wire.p, wire.n, &back));
  CHECK(back.n == v.bytes.n && memcmp(back.p, v.bytes.p, back.n) == 0);
  ldr_buf_free(&shown);
  ldr_buf_free(&wire);
  ldr_buf_free(&back);
  ldr_buf_free(&v.bytes);
}

static void refused(ldr_range_kind kind, const char *text, const char *why) {
  ldr_buf out = {0};
  const char *said = ldr_range_parse(kind, text, strlen(text), &out);
  CHECK(said && strstr(said, why));
  CHECK_INT(out.n, 0);
  ldr_buf_free(&out);
}

TEST(ranges_are_canonical) {
  reads_as(LDR_RANGE_INT4, "[1,4]", "[1,5)");
  reads_as(LDR_RANGE_INT4, "(0,4]", "[1,5)");
  reads_as(LDR_RANGE_INT4, "(1,2)", "empty");
  reads_as(LDR_RANGE_INT4, "[1,1)", "empty");
  reads_as(LDR_RANGE_INT4, " [ -1 , +2 ) ", "[-1,2)");
  reads_as(LDR_RANGE_INT4, "[,]", "(,)");
  reads_as(LDR_RANGE_INT4, "Empty", "empty");
  reads_as(LDR_RANGE_INT4, "[\"1\",\\2)", "[1,2)");
  reads_as(LDR_RANGE_INT4, "[-2147483648,2147483646]", "[-2147483648,2147483647)");
  reads_as(LDR_RANGE_INT8, "[-9223372036854775808,)", "[-9223372036854775808,)");
  reads_as(LDR_RANGE_NUMERIC, "(1,1.50]", "(1,1.50]");
  reads_as(LDR_RANGE_NUMERIC, "[1,1.0)", "empty");
  reads_as(LDR_RANGE_DATE, "(2026-01-01,infinity]", "[2026-01-02,infinity]");
  reads_as(LDR_RANGE_DATE, "(infinity,infinity]", "empty");
  reads_as(LDR_RANGE_DATE, "[0044-03-15 BC,)", "[\"0044-03-15 BC\",)");
  reads_as(LDR_RANGE_TIMESTAMP, "[2026-01-01,2026-01-01]",
           "[2026-01-01T00:00:00.000000,2026-01-01T00:00:00.000000]");
  reads_as(LDR_RANGE_TIMESTAMPTZ, "(,\"2026-01-01 00:00:00+00\")", "(,2026-01-01T00:00:00.000000Z)");
}

TEST(what_is_no_range_is_refused) {
  static const char *const texts[] = {
      "",          "[",        "[1",      "[1]",     "[1,2,3)",
      "1,2",       "[a,2)",    "[1.5,2)", "[\"1,2)", "[(1,2)",
      "[1,2)junk", "[\"\",2)", "[-,2)",   "[1,2\\)", "[1,99999999999999999999)"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    refused(LDR_RANGE_INT4, texts[i], "must be a range of numbers");
  refused(LDR_RANGE_INT4, "[2,1)", "lower bound above its upper");
  refused(LDR_RANGE_INT4, "[1,2147483648)", "out of range");
  refused(LDR_RANGE_INT4, "(2147483647,)", "no next value");
  refused(LDR_RANGE_INT8, "[1,9223372036854775807]", "no next value");
  refused(LDR_RANGE_DATE, "[2026-01-01,5874897-12-31]", "no next value");
  refused(LDR_RANGE_DATE, "[2026-02-30,)", "range of dates");
  refused(LDR_RANGE_TIMESTAMP, "[2026-01-01T00:00Z,)", "without an offset");
  refused(LDR_RANGE_TIMESTAMPTZ, "[2026-01-01,)", "range of times");
}

TEST(ranges_order_as_in_postgresql) {
  static const char *const sorted[] = {"empty",     "(,1)",  "(,1]", "(,)",   "[1,1]", "[1,2)",
                                       "[1.0,2.0]", "[1,3)", "[1,)", "(1,2)", "(1,)",  "[NaN,NaN]"};
  enum { N = sizeof sorted / sizeof *sorted };
  for (size_t i = 0; i < N; i++)
    for (size_t k = 0; k < N; k++) {
      value a = made(LDR_RANGE_NUMERIC, sorted[i]), b = made(LDR_RANGE_NUMERIC, sorted[k]);
      int c = ldr_range_cmp(a.bytes.p, a.bytes.n, b.bytes.p, b.bytes.n);
      CHECK_INT((c > 0) - (c < 0), (i > k) - (i < k));
      ldr_buf_free(&a.bytes);
      ldr_buf_free(&b.bytes);
    }
}

TEST(equal_ranges_hash_alike) {
  value a = made(LDR_RANGE_NUMERIC, "[1,2.5]"), b = made(LDR_RANGE_NUMERIC, "[1.0,2.50]"),
        c = made(LDR_RANGE_NUMERIC, "(1,2.5]");
  CHECK_INT(ldr_range_cmp(a.bytes.p, a.bytes.n, b.bytes.p, b.bytes.n), 0);
  CHECK(ldr_range_hash(a.bytes.p, a.bytes.n, 7) == ldr_range_hash(b.bytes.p, b.bytes.n, 7));
  CHECK(ldr_range_hash(a.bytes.p, a.bytes.n, 7) != ldr_range_hash(c.bytes.p, c.bytes.n, 7));
  ldr_buf_free(&a.bytes);
  ldr_buf_free(&b.bytes);
  ldr_buf_free(&c.bytes);
}

static void pair(const char *s, const char *t, bool contains, bool overlaps) {
  value a = made(LDR_RANGE_NUMERIC, s), b = made(LDR_RANGE_NUMERIC, t);
  CHECK_INT(ldr_range_contains(a.bytes.p, a.bytes.n, b.bytes.p, b.bytes.n), contains);
  CHECK_INT(ldr_range_overlaps(a.bytes.p, a.bytes.n, b.bytes.p, b.bytes.n), overlaps);
  CHECK_INT(ldr_range_overlaps(b.bytes.p, b.bytes.n, a.bytes.p, a.bytes.n), overlaps);
  ldr_buf_free(&a.bytes);
  ldr_buf_free(&b.bytes);
}

TEST(ranges_contain_and_overlap) {
  pair("[1,5)", "[1,5)", true, true);
  pair("[1,5)", "[1,5]", false, true);
  pair("[1,5)", "(1,5)", true, true);
  pair("(1,5)", "[1,5)", false, true);
  pair("[1,5)", "[5,9)", false, false);
  pair("[1,5]", "[5,9)", false, true);
  pair("[1,5]", "(5,9)", false, false);
  pair("(,5)", "[5,)", false, false);
  pair("(,)", "(,5)", true, true);
  pair("(,5)", "(,)", false, true);
  pair("empty", "empty", true, false);
  pair("[1,2)", "empty", true, false);
  pair("empty", "[1,2)", false, false);
}

/* A range contains a value exactly when it contains the range of the value alone, at the ends, too. */
TEST(the_range_of_one_value_is_contained_where_the_value_is) {
  static const struct {
    const char *range;
    int64_t value;
    bool contains;
  } cases[] = {{"[1,5)", 4, true},
               {"[1,5)", 5, false},
               {"[1,)", INT32_MAX, true},
               {"(,)", INT32_MIN, true},
               {"[1,2147483647)", INT32_MAX, false},
               {"[2147483647,)", INT32_MAX, true},
               {"empty", 1, false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    value r = made(LDR_RANGE_INT4, cases[i].range);
    ldr_buf one = {0};
    CHECK(ldr_range_add(ldr_range_of_one(LDR_RANGE_INT4, (ldr_bound){.i = cases[i].value}), &one) == NULL);
    CHECK_INT(ldr_range_contains(r.bytes.p, r.bytes.n, one.p, one.n), cases[i].contains);
    ldr_buf_free(&one);
    ldr_buf_free(&r.bytes);
  }
}

TEST(bytes_that_are_no_canonical_range_are_found) {
  bool broken;
  CHECK(!ldr_range_ok(LDR_RANGE_INT4, "", 0, &broken));
  CHECK(!ldr_range_ok(LDR_RANGE_INT8, "\0\x18", 2, &broken));                            /* another kind */
  CHECK(!ldr_range_ok(LDR_RANGE_INT4, "\x09\x18", 2, &broken));                          /* no kind */
  CHECK(!ldr_range_ok(LDR_RANGE_INT4, "\0\x10\0\0\0\x08\0\0\0\0\0\0\0\1", 14, &broken)); /* (1,) */
  CHECK(!ldr_range_ok(LDR_RANGE_INT4, "\0\x12\0\0\0\x08\0\0\0\1\0\0\0\0", 14, &broken)); /* too large */
  CHECK(!ldr_range_ok(LDR_RANGE_NUMERIC,
                      "\2\x12\0\0\0\2"
                      "01",
                      8, &broken)); /* no normal form */
  CHECK(ldr_range_ok(LDR_RANGE_NUMERIC,
                     "\2\x12\0\0\0\1"
                     "1",
                     7, &broken) &&
        !broken);
}

void test_range(void);

void test_range(void) {
  RUN(ranges_are_canonical);
  RUN(what_is_no_range_is_refused);
  RUN(ranges_order_as_in_postgresql);
  RUN(equal_ranges_hash_alike);
  RUN(ranges_contain_and_overlap);
  RUN(the_range_of_one_value_is_contained_where_the_value_is);
  RUN(bytes_that_are_no_canonical_range_are_found);
}

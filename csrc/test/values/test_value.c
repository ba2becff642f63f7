#include "values/value.h"

#include <math.h>

#include "support/test.h"

static ldr_value of(ldr_type t, const char *s) { return ldr_bytes_of(t, s, strlen(s)); }

TEST(types_are_found_by_name_and_oid) {
  for (int t = 0; t < LDR_F_UNKNOWN; t++) {
    const ldr_ftype_info *info = ldr_ftype_get((ldr_ftype)t);
    ldr_ftype found = LDR_F_UNKNOWN;
    bool array = true;
    CHECK(ldr_ftype_by_name(info->name, &found) && found == (ldr_ftype)t);
    CHECK(ldr_ftype_by_name(info->sql, &found) && found == (ldr_ftype)t);
    if (info->oid) CHECK(ldr_ftype_by_oid(info->oid, &found, &array) && found == (ldr_ftype)t && !array);
    if (ldr_ftype_is_users((ldr_ftype)t)) continue; /* their numbers differ between databases */
    CHECK(ldr_ftype_by_oid(info->array_oid, &found, &array) && found == (ldr_ftype)t && array);
  }
}

TEST(other_types_are_read_as_what_they_resemble) {
  ldr_ftype t = LDR_F_BOOL;
  bool array = true;
  CHECK(ldr_ftype_by_oid(19, &t, &array) && t == LDR_F_TEXT && !array);
  CHECK(ldr_ftype_by_oid(1003, &t, &array) && t == LDR_F_TEXT && array);
  CHECK(ldr_ftype_by_oid(26, &t, &array) && t == LDR_F_INT8 && !array);
  t = LDR_F_BOOL;
  CHECK(!ldr_ftype_by_oid(0, &t, &array));
  CHECK(!ldr_ftype_by_oid(600, &t, &array)); /* point */
  CHECK(!ldr_ftype_by_name("unknown", &t));
  CHECK(!ldr_ftype_by_name("BIGINT", &t));
  CHECK_INT(t, LDR_F_BOOL);
}

/* a < b, the hashes differ, and both equal themselves. */
static void check_less(ldr_value a, ldr_value b) {
  CHECK(ldr_value_cmp(&a, &b) < 0);
  CHECK(ldr_value_cmp(&b, &a) > 0);
  CHECK_INT(ldr_value_cmp(&a, &a), 0);
  CHECK_INT(ldr_value_cmp(&b, &b), 0);
  CHECK(ldr_value_hash(&a, 1) != ldr_value_hash(&b, 1));
}

static void check_same(ldr_value a, ldr_value b) {
  CHECK_INT(ldr_value_cmp(&a, &b), 0);
  CHECK(ldr_value_hash(&a, 1) == ldr_value_hash(&b, 1));
}

static void check_differ(ldr_value a, ldr_value b) {
  CHECK_INT(ldr_value_cmp(&a, &b), 1);
  CHECK_INT(ldr_value_cmp(&b, &a), 1);
  CHECK(ldr_value_hash(&a, 1) != ldr_value_hash(&b, 1));
}

TEST(values_have_postgresqls_order) {
  check_less(ldr_bool(false), ldr_bool(true));
  check_less(ldr_int(INT64_MIN), ldr_int(INT64_MAX));
  check_less(ldr_int(-1), ldr_int(1));
  check_less(ldr_float(-(double)INFINITY), ldr_float(-1.5));
  check_less(ldr_float(1.5), ldr_float((double)INFINITY));
  check_less(ldr_float((double)INFINITY), ldr_float((double)NAN));
  check_less(of(LDR_T_NUMERIC, "9.5"), of(LDR_T_NUMERIC, "10"));
  check_less(ldr_text("a", 1), ldr_text("ab", 2));
  check_less(ldr_text("Z", 1), ldr_text("a", 1));
  check_less(ldr_text("z", 1), of(LDR_T_TEXT, "\xC3\xA9"));
  check_less(ldr_text("", 0), ldr_text("\0", 1));
  check_less(of(LDR_T_BYTES, "\x7F"), of(LDR_T_BYTES, "\x80"));
  check_less(of(LDR_T_UUID, "0123456789abcdef"), of(LDR_T_UUID, "0123456789abcdeg"));
  check_less(ldr_time(-1), ldr_time(0));
}

TEST(equal_values_are_equal_in_every_form) {
  check_same(ldr_null(), ldr_null());
  check_same(ldr_float(0.0), ldr_float(-0.0));
  check_same(ldr_float((double)NAN), ldr_float(-(double)NAN));
  check_same(of(LDR_T_NUMERIC, "1.50"), of(LDR_T_NUMERIC, "1.5"));
  check_same(of(LDR_T_JSON, "{\"a\":1,\"b\":2}"), of(LDR_T_JSON, "{\"b\":2.0,\"a\":1}"));
  check_differ(of(LDR_T_JSON, "{\"a\":1}"), of(LDR_T_JSON, "{\"a\":2}"));
}

TEST(types_hash_apart) {
  ldr_value i = ldr_int(1), b = ldr_bool(true), t = ldr_time(1), null = ldr_null(), zero = ldr_int(0);
  CHECK(ldr_value_hash(&i, 1) != ldr_value_hash(&b, 1));
  CHECK(ldr_value_hash(&i, 1) != ldr_value_hash(&t, 1));
  CHECK(ldr_value_hash(&null, 1) != ldr_value_hash(&zero, 1));
  CHECK(ldr_value_hash(&i, 1) != ldr_value_hash(&i, 2));
}

TEST(copies_own_their_bytes) {
  char text[] = "before";
  ldr_arena arena = {0};
  ldr_value v = ldr_text(text, 6), i = ldr_int(7);
  CHECK(ldr_value_copy(&v, &arena));
  CHECK(ldr_value_copy(&i, &arena));
  memcpy(text, "after!", 6);
  CHECK(v.n == 6 && memcmp(v.u.p, "before", 6) == 0);
  CHECK_INT(i.u.i, 7);
  ldr_arena_free(&arena);
}

TEST(a_failed_copy_leaves_the_value) {
  ldr_arena arena = {0};
  ldr_value v = ldr_text("text", 4);
  const char *p = v.u.p;
  ldr_mem_fail_at(1);
  CHECK(!ldr_value_copy(&v, &arena));
  CHECK(v.u.p == p);
  ldr_arena_free(&arena);
}

/* ---- arrays ---- */

static void add_element(ldr_buf *b, const char *p, int32_t n) {
  ldr_buf_be32(b, (uint32_t)n);
  if (n > 0) ldr_buf_add(b, p, (size_t)n);
}

TEST(arrays_go_both_ways) {
  static const int32_t dims[] = {2, 2};
  ldr_buf b = {0};
  ldr_array_reader r;
  const char *p;
  int32_t n;
  ldr_array_begin(&b, LDR_F_TEXT, 2, dims, true);
  add_element(&b, "a", 1);
  add_element(&b, NULL, -1);
  add_element(&b, "", 0);
  add_element(&b, "long", 4);
  CHECK(ldr_array_read(&r, b.p, b.n));
  CHECK(r.elem == LDR_F_TEXT && r.ndim == 2 && r.dims[0] == 2 && r.dims[1] == 2 && r.count == 4);
  CHECK(ldr_array_next(&r, &p, &n) && n == 1 && *p == 'a');
  CHECK(ldr_array_next(&r, &p, &n) && n == -1);
  CHECK(ldr_array_next(&r, &p, &n) && n == 0);
  CHECK(ldr_array_next(&r, &p, &n) && n == 4 && memcmp(p, "long", 4) == 0);
  CHECK(!ldr_array_next(&r, &p, &n));
  ldr_buf_free(&b);
}

/* As array_send(array[1, null]) sends it. */
static const char two_ints[] = "\0\0\0\1\0\0\0\1\0\0\0\27\0\0\0\2\0\0\0\1\0\0\0\4\0\0\0\1\377\377\377\377";

TEST(array_bytes_are_postgresqls) {
  static const int32_t two = 2;
  ldr_buf b = {0};
  ldr_array_begin(&b, LDR_F_INT4, 1, &two, true);
  add_element(&b, "\0\0\0\1", 4);
  add_element(&b, NULL, -1);
  CHECK(b.n == sizeof two_ints - 1 && memcmp(b.p, two_ints, b.n) == 0);
  ldr_buf_reset(&b);
  ldr_array_begin(&b, LDR_F_INT4, 0, NULL, false);
  CHECK(b.n == 12 && memcmp(b.p, "\0\0\0\0\0\0\0\0\0\0\0\27", 12) == 0);
  ldr_buf_free(&b);
}

static bool readable(const char *p, size_t n) {
  ldr_array_reader r;
  return ldr_array_read(&r, p, n);
}

TEST(malformed_arrays_are_refused) {
  char b[sizeof two_ints];
  size_t n = sizeof two_ints - 1;
  CHECK(readable(two_ints, n));
  CHECK(readable("\0\0\0\0\0\0\0\0\0\0\0\27", 12));
  for (size_t i = 0; i < n; i++) CHECK(!readable(two_ints, i)); /* cut anywhere */
  CHECK(!readable(two_ints, n + 1));                            /* a byte too many */
  static const struct {
    size_t at;
    char byte;
  } faults[] = {
      {3, 7},       /* seven dimensions */
      {0, '\200'},  /* a negative number of them */
      {7, 2},       /* unknown flag */
      {15, 3},      /* more elements than follow */
      {15, 1},      /* fewer */
      {12, '\200'}, /* a negative size */
      {12, 127},    /* too large */
      {23, 5},      /* an element that reaches into the next */
      {28, '\376'}, /* a negative length other than -1 */
      {31, '\376'}, /* and the one next to it */
  };
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    memcpy(b, two_ints, sizeof b);
    b[faults[i].at] = faults[i].byte;
    CHECK(!readable(b, n));
  }
}

TEST(an_array_without_elements_may_be_huge_in_one_dimension_only) {
  static const char none[] = "\0\0\0\2\0\0\0\0\0\0\0\27\177\377\377\377\0\0\0\1\0\0\0\0\0\0\0\1";
  static const char many[] = "\0\0\0\2\0\0\0\0\0\0\0\27\177\377\377\377\0\0\0\1\177\377\377\377\0\0\0\1";
  CHECK(!readable(none, sizeof none - 1));
  CHECK(!readable(many, sizeof many - 1));
}

#define ARRAY(oid, elements) "\0\0\0\1\0\0\0\0\0\0" oid "\0\0\0\1\0\0\0\1" elements
#define VALUE(s)             ldr_bytes_of(LDR_T_ARRAY, s, sizeof s - 1)

TEST(arrays_compare_by_element) {
  /* numeric: 1.5 and 1.50 */
  check_same(VALUE(ARRAY("\6\244", "\0\0\0\14\0\2\0\0\0\0\0\1\0\1\23\210")),
             VALUE(ARRAY("\6\244", "\0\0\0\14\0\2\0\0\0\0\0\2\0\1\23\210")));
  check_differ(VALUE(ARRAY("\6\244", "\0\0\0\14\0\2\0\0\0\0\0\1\0\1\23\210")),
               VALUE(ARRAY("\6\244", "\0\0\0\14\0\2\0\0\100\0\0\1\0\1\23\210")));
  /* float8 and float4: both zeros */
  check_same(VALUE(ARRAY("\2\275", "\0\0\0\10\0\0\0\0\0\0\0\0")),
             VALUE(ARRAY("\2\275", "\0\0\0\10\200\0\0\0\0\0\0\0")));
  check_same(VALUE(ARRAY("\2\274", "\0\0\0\4\0\0\0\0")), VALUE(ARRAY("\2\274", "\0\0\0\4\200\0\0\0")));
  /* jsonb: 1 and 1.0; text: they differ */
  check_same(VALUE(ARRAY("\16\332", "\0\0\0\2\1\61")), VALUE(ARRAY("\16\332", "\0\0\0\4\1\61.0")));
  check_differ(VALUE(ARRAY("\0\31", "\0\0\0\1\61")), VALUE(ARRAY("\0\31", "\0\0\0\3\61.0")));
  /* null and the empty text; another lower bound */
  check_differ(VALUE(ARRAY("\0\31", "\377\377\377\377")), VALUE(ARRAY("\0\31", "\0\0\0\0")));
  check_differ(VALUE(ARRAY("\0\31", "\0\0\0\0")), VALUE("\0\0\0\1\0\0\0\0\0\0\0\31\0\0\0\1\0\0\0\2\0\0\0\0"));
}

void test_value(void);
void test_value(void) {
  RUN(types_are_found_by_name_and_oid);
  RUN(other_types_are_read_as_what_they_resemble);
  RUN(values_have_postgresqls_order);
  RUN(equal_values_are_equal_in_every_form);
  RUN(types_hash_apart);
  RUN(copies_own_their_bytes);
  RUN(a_failed_copy_leaves_the_value);
  RUN(arrays_go_both_ways);
  RUN(array_bytes_are_postgresqls);
  RUN(malformed_arrays_are_refused);
  RUN(an_array_without_elements_may_be_huge_in_one_dimension_only);
  RUN(arrays_compare_by_element);
}

/* The wire forms are those that PostgreSQL's own send functions print. */
#include "values/codec.h"

#include <math.h>

#include "base/text.h"
#include "support/test.h"
#include "values/numeric.h"
#include "values/time.h"

#define V(x) (&(ldr_value[]){x}[0])

static ldr_value txt(const char *s) { return ldr_text(s, strlen(s)); }
static ldr_value json(const char *s) { return ldr_bytes_of(LDR_T_JSON, s, strlen(s)); }
static ldr_value num(const char *s) { return ldr_bytes_of(LDR_T_NUMERIC, s, strlen(s)); }

static const char uuid_bytes[] = "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff";

static void check_hex(int line, const ldr_buf *b, const char *want) {
  ldr_buf hex = {0};
  ldr_hex_add(&hex, b->p, b->n);
  test_check_str(ldr_buf_cstr(&hex), want, __FILE__, line, "wire");
  ldr_buf_free(&hex);
}

static bool same(const ldr_value *a, const ldr_value *b) {
  if (a->type != b->type) return false;
  if (a->type == LDR_T_FLOAT) /* NaN, and the sign of zero */
    return memcmp(&a->u.f, &b->u.f, sizeof a->u.f) == 0 || (isnan(a->u.f) && isnan(b->u.f));
  return a->type == LDR_T_NULL || ldr_value_cmp(a, b) == 0;
}

/* v is written as `wire`, and `wire` is read as v. */
static void check_both(int line, ldr_ftype t, const ldr_value *v, const char *wire) {
  ldr_buf out = {0}, scratch = {0};
  ldr_value back = ldr_null();
  ldr_codec_encode_framed(t, v, &out);
  test_check(out.n >= 4 && ldr_be32(out.p) == out.n - 4, __FILE__, line, "is framed by its length");
  if (out.n >= 4) memmove(out.p, out.p + 4, out.n -= 4);
  check_hex(line, &out, wire);
  ldr_buf_reset(&out);
  ldr_codec_encode(t, v, &out);
  check_hex(line, &out, wire);
  test_check(ldr_codec_decode(t, v->type == LDR_T_ARRAY, out.p, out.n, &scratch, &back), __FILE__, line,
             "is read");
  test_check(same(v, &back), __FILE__, line, "comes back");
  ldr_buf_free(&out);
  ldr_buf_free(&scratch);
}

#define BOTH(t, v, wire) check_both(__LINE__, t, V(v), wire)

TEST(every_type_in_binary) {
  BOTH(LDR_F_BOOL, ldr_bool(true), "01");
  BOTH(LDR_F_BOOL, ldr_bool(false), "00");
  BOTH(LDR_F_INT2, ldr_int(-2), "fffe");
  BOTH(LDR_F_INT2, ldr_int(INT16_MAX), "7fff");
  BOTH(LDR_F_INT4, ldr_int(-2), "fffffffe");
  BOTH(LDR_F_INT4, ldr_int(INT32_MIN), "80000000");
  BOTH(LDR_F_INT8, ldr_int(-2), "fffffffffffffffe");
  BOTH(LDR_F_INT8, ldr_int(INT64_MIN), "8000000000000000");
  BOTH(LDR_F_FLOAT4, ldr_float(1.5), "3fc00000");
  BOTH(LDR_F_FLOAT4, ldr_float(-INFINITY), "ff800000");
  BOTH(LDR_F_FLOAT8, ldr_float(1.5), "3ff8000000000000");
  BOTH(LDR_F_FLOAT8, ldr_float(-0.0), "8000000000000000");
  BOTH(LDR_F_FLOAT8, ldr_float(5e-324), "0000000000000001");
  BOTH(LDR_F_NUMERIC, num("-12.340"), "0002000040000003000c0d48");
  BOTH(LDR_F_NUMERIC, num("NaN"), "00000000c0000000");
  BOTH(LDR_F_TEXT, txt("a\xc3\xa9"), "61c3a9");
  BOTH(LDR_F_TEXT, txt(""), "");
  BOTH(LDR_F_BYTEA, ldr_bytes_of(LDR_T_BYTES, "\0\xff", 2), "00ff");
  BOTH(LDR_F_UUID, ldr_bytes_of(LDR_T_UUID, uuid_bytes, 16), "00112233445566778899aabbccddeeff");
  BOTH(LDR_F_INET, ldr_bytes_of(LDR_T_INET, "\x02\x08\0\x04\x0a\x01\x02\x03", 8), "020800040a010203");
  BOTH(LDR_F_CIDR, ldr_bytes_of(LDR_T_INET, "\x02\x08\x01\x04\x0a\0\0\0", 8), "020801040a000000");
  BOTH(LDR_F_MACADDR, ldr_bytes_of(LDR_T_MACADDR, uuid_bytes, 6), "001122334455");
  BOTH(LDR_F_MACADDR8, ldr_bytes_of(LDR_T_MACADDR, uuid_bytes, 8), "0011223344556677");
  BOTH(LDR_F_BIT, ldr_bytes_of(LDR_T_BITS, "\0\0\0\x03\xa0", 5), "00000003a0");
  BOTH(LDR_F_VARBIT, ldr_bytes_of(LDR_T_BITS, "\0\0\0\0", 4), "00000000");
  BOTH(LDR_F_INT4RANGE, ldr_bytes_of(LDR_T_RANGE, "\0\1", 2), "01");
  BOTH(LDR_F_INT4RANGE, ldr_bytes_of(LDR_T_RANGE, "\0\x12\0\0\0\x08\xff\xff\xff\xff\xff\xff\xff\xff", 14),
       "1200000004ffffffff");
  BOTH(LDR_F_INT8RANGE, ldr_bytes_of(LDR_T_RANGE, "\1\x18", 2), "18");
  BOTH(LDR_F_NUMRANGE, ldr_bytes_of(LDR_T_RANGE, "\2\x0c\0\0\0\3NaN", 9), "0c0000000800000000c0000000");
  BOTH(LDR_F_DATERANGE, ldr_bytes_of(LDR_T_RANGE, "\5\x08\0\0\0\x08\0\0\0\0\0\0\0\1", 14),
       "080000000400000001");
  BOTH(LDR_F_JSON, json("{\"a\": 1}"), "7b2261223a20317d");
  BOTH(LDR_F_JSONB, json("{\"a\": 1}"), "017b2261223a20317d");
  BOTH(LDR_F_UNKNOWN, txt("2026-01-01"), "323032362d30312d3031");
}

TEST(times_count_from_2000) {
  BOTH(LDR_F_TIMESTAMPTZ, ldr_time(0), "0000000000000000");
  BOTH(LDR_F_TIMESTAMPTZ, ldr_time(ldr_time_of_unix(INT64_C(1767323045000006))),
       "0002ea5dbb151346"); /* 2026-01-02 03:04:05.000006 */
  BOTH(LDR_F_TIMESTAMPTZ, ldr_time(-1), "ffffffffffffffff");
  BOTH(LDR_F_TIMESTAMPTZ, ldr_time(LDR_TIME_INF), "7fffffffffffffff");
  BOTH(LDR_F_TIMESTAMPTZ, ldr_time(LDR_TIME_NEG_INF), "8000000000000000");
}

static void check_vector(const char *hex, const char *want) {
  unsigned char bytes[64];
  ldr_buf scratch = {0}, text = {0};
  ldr_value v;
  size_t n = strlen(hex) / 2;
  CHECK(ldr_hex_decode(bytes, hex, 2 * n));
  CHECK(ldr_codec_decode(LDR_F_TSVECTOR, false, (char *)bytes, n, &scratch, &v));
  ldr_codec_text(&v, &text);
  CHECK_STR(text.n ? ldr_buf_cstr(&text) : "", want);
  ldr_buf_free(&scratch);
  ldr_buf_free(&text);
}

TEST(search_vectors_are_read_as_they_are_printed) {
  check_vector("00000000", "");
  check_vector(
      "00000001"
      "636174"
      "00"
      "0000",
      "'cat'");
  check_vector(
      "00000002"
      "61275c"
      "00"
      "0003"
      "0001"
      "c00c"
      "400d"
      "6200"
      "0001"
      "bfff",
      "'a''\\\\':1,12A,13C 'b':16383B");
}

static void check_refused(int line, ldr_ftype t, bool array, const char *hex) {
  unsigned char bytes[64] = {0};
  ldr_buf scratch = {0};
  ldr_value v = ldr_bool(true);
  size_t n = strlen(hex) / 2;
  test_check(ldr_hex_decode(bytes, hex, 2 * n), __FILE__, line, "hex");
  test_check(!ldr_codec_decode(t, array, (char *)bytes, n, &scratch, &v), __FILE__, line, "is refused");
  test_check(v.type == LDR_T_BOOL, __FILE__, line, "out is untouched");
  ldr_buf_free(&scratch);
}

#define REFUSED(t, hex)       check_refused(__LINE__, t, false, hex)
#define REFUSED_ARRAY(t, hex) check_refused(__LINE__, t, true, hex)

TEST(wrong_lengths_are_refused) {
  REFUSED(LDR_F_BOOL, "");
  REFUSED(LDR_F_BOOL, "0101");
  REFUSED(LDR_F_INT2, "00000001");
  REFUSED(LDR_F_INT4, "000001");
  REFUSED(LDR_F_INT8, "00000000000001");
  REFUSED(LDR_F_FLOAT4, "3fc0000000000000");
  REFUSED(LDR_F_FLOAT8, "3fc00000");
  REFUSED(LDR_F_UUID, "00112233445566778899aabbccddee");
  REFUSED(LDR_F_TIMESTAMPTZ, "00000000");
  REFUSED(LDR_F_TIMESTAMPTZ, "7ffffffffffffffe"); /* no infinity, and beyond every date */
  REFUSED(LDR_F_JSONB, "");
  REFUSED(LDR_F_INET, "020801040a000000"); /* says that it is a cidr */
  REFUSED(LDR_F_INET, "022100040a000000"); /* 33 bits */
  REFUSED(LDR_F_INET, "030800040a000000"); /* four bytes for IPv6 */
  REFUSED(LDR_F_INET, "040800040a000000"); /* no such family */
  REFUSED(LDR_F_INET, "0208000");
  REFUSED(LDR_F_CIDR, "020801040a000001"); /* to the right of its bits */
  REFUSED(LDR_F_MACADDR, "0011223344");
  REFUSED(LDR_F_MACADDR8, "001122334455");
  REFUSED(LDR_F_BIT, "00000003a8"); /* a bit behind the end */
  REFUSED(LDR_F_VARBIT, "00000009a0");
  REFUSED(LDR_F_VARBIT, "ffffffff");
  REFUSED(LDR_F_INT4RANGE, "");
  REFUSED(LDR_F_INT4RANGE, "03");                                  /* empty, and inclusive */
  REFUSED(LDR_F_INT4RANGE, "1a0000000400000001");                  /* inclusive without an end */
  REFUSED(LDR_F_INT4RANGE, "20");                                  /* no such flag */
  REFUSED(LDR_F_INT4RANGE, "1200000008ffffffffffffffff");          /* a bound of another type */
  REFUSED(LDR_F_INT4RANGE, "020000000400000002");                  /* a bound is missing */
  REFUSED(LDR_F_INT4RANGE, "02000000040000000200000004000000010"); /* lower above upper */
  REFUSED(LDR_F_INT4RANGE, "0100");                                /* a byte too many */
  REFUSED(LDR_F_TSVECTOR, "");
  REFUSED(LDR_F_TSVECTOR, "00000001636174");       /* a lexeme without an end */
  REFUSED(LDR_F_TSVECTOR, "00000001610000020001"); /* a place is missing */
  REFUSED(LDR_F_TSVECTOR, "000000016100000000");   /* a byte too many */
  REFUSED(LDR_F_TSVECTOR, "ffffffff");
  REFUSED(LDR_F_JSONB, "027b7d");
  REFUSED(LDR_F_NUMERIC, "0002000040000003000c");
}

TEST(malformed_arrays_are_refused) {
  REFUSED_ARRAY(LDR_F_TEXT, "00000001000000000000");                                   /* half a header */
  REFUSED_ARRAY(LDR_F_TEXT, "7fffffff0000000000000019");                               /* dimensions */
  REFUSED_ARRAY(LDR_F_TEXT, "000000010000000000000019ffffffff00000001");               /* negative size */
  REFUSED_ARRAY(LDR_F_TEXT, "0000000100000000000000197fffffff00000001");               /* huge size */
  REFUSED_ARRAY(LDR_F_TEXT, "0000000100000000000000190000000100000001000000ff61");     /* element's length */
  REFUSED_ARRAY(LDR_F_TEXT, "0000000100000000000000190000000100000001fffffffe");       /* negative length */
  REFUSED_ARRAY(LDR_F_TEXT, "000000010000000000000019000000010000000100000001616162"); /* more behind */
  REFUSED_ARRAY(LDR_F_INT4, "00000001000000000000001900000001000000010000000161");     /* text in int4[] */
}

/* oid and xid8 are read as int8. */
TEST(oid_is_an_int8) {
  ldr_buf scratch = {0};
  ldr_value v;
  CHECK(ldr_codec_decode(LDR_F_INT8, false, "\xff\xff\xff\xff", 4, &scratch, &v));
  CHECK_INT(v.u.i, UINT32_MAX);
}

/* The server refuses eight bytes for an int4; four cut ones it would take. */
TEST(integers_are_never_cut) {
  ldr_buf out = {0};
  ldr_codec_encode(LDR_F_INT2, V(ldr_int(INT16_MAX + 1)), &out);
  check_hex(__LINE__, &out, "0000000000008000");
  ldr_buf_reset(&out);
  ldr_codec_encode(LDR_F_INT4, V(ldr_int(INT64_C(1) << 40)), &out);
  check_hex(__LINE__, &out, "0000010000000000");
  ldr_buf_free(&out);
}

/* ---- lists ---- */

static void check_list(int line, ldr_ftype t, const ldr_value *v, size_t n, size_t stride, const char *wire) {
  ldr_buf out = {0}, scratch = {0};
  ldr_value array;
  ldr_codec_encode_list(t, v, n, stride, &out);
  check_hex(line, &out, wire);
  test_check(ldr_codec_decode(t, true, out.p, out.n, &scratch, &array), __FILE__, line, "is an array");
  ldr_buf_free(&out);
}

#define LIST(t, v, n, stride, wire) check_list(__LINE__, t, v, n, stride, wire)

TEST(lists_are_arrays) {
  const ldr_value texts[] = {txt("a"), ldr_null(), txt("")};
  const ldr_value pairs[] = {ldr_int(1), txt("x"), ldr_int(2), txt("y")};
  const ldr_value docs[] = {json("{\"a\": 1}")};
  LIST(LDR_F_TEXT, texts, 3, 1, "00000001000000010000001900000003000000010000000161ffffffff00000000");
  LIST(LDR_F_TEXT, NULL, 0, 1, "000000000000000000000019");
  LIST(LDR_F_INT4, pairs, 2, 2,
       "0000000100000000000000170000000200000001000000040000000100000004"
       "00000002");
  LIST(LDR_F_JSONB, docs, 1, 1, "000000010000000000000eda000000010000000100000009017b2261223a20317d");
}

/* Makes the text[] {a"b,NULL}. */
static ldr_value odd_tags(ldr_buf *room) {
  const ldr_value v[] = {txt("a\"b"), ldr_null()};
  ldr_codec_encode_list(LDR_F_TEXT, v, 2, 1, room);
  return ldr_bytes_of(LDR_T_ARRAY, room->p, room->n);
}

TEST(arrays_in_a_list_are_literals) {
  ldr_buf room = {0}, out = {0};
  const ldr_value tags = odd_tags(&room);
  ldr_array_reader r;
  const char *p = NULL;
  int32_t n = 0;
  ldr_codec_encode_list(LDR_F_TEXT, &tags, 1, 1, &out);
  CHECK(ldr_array_read(&r, out.p, out.n) && ldr_array_next(&r, &p, &n));
  CHECK(n == 13 && memcmp(p, "{\"a\\\"b\",NULL}", 13) == 0);
  ldr_buf_free(&room);
  ldr_buf_free(&out);
}

TEST(array_values_travel_as_they_are) {
  ldr_buf room = {0}, out = {0}, scratch = {0};
  const ldr_value tags = odd_tags(&room);
  ldr_value back;
  ldr_codec_encode(LDR_F_TEXT, &tags, &out);
  CHECK(out.n == room.n && memcmp(out.p, room.p, out.n) == 0);
  CHECK(ldr_codec_decode(LDR_F_TEXT, true, out.p, out.n, &scratch, &back));
  CHECK(back.type == LDR_T_ARRAY && back.u.p == out.p && back.n == out.n);
  ldr_buf_free(&room);
  ldr_buf_free(&out);
}

TEST(frames) {
  ldr_buf out = {0};
  ldr_codec_encode_framed(LDR_F_INT2, V(ldr_int(7)), &out);
  ldr_codec_encode_framed(LDR_F_INT2, V(ldr_null()), &out);
  ldr_codec_encode_framed(LDR_F_TEXT, V(txt("")), &out);
  check_hex(__LINE__, &out, "000000020007ffffffff00000000");
  ldr_buf_free(&out);
}

/* ---- text forms ---- */

static void check_text(int line, const ldr_value *v, const char *want) {
  ldr_buf out = {0};
  ldr_codec_text(v, &out);
  test_check_str(ldr_buf_cstr(&out), want, __FILE__, line, "text");
  ldr_buf_free(&out);
}

#define TEXT(v, want) check_text(__LINE__, V(v), want)

TEST(text_forms) {
  TEXT(ldr_bool(true), "t");
  TEXT(ldr_bool(false), "f");
  TEXT(ldr_int(INT64_MIN), "-9223372036854775808");
  TEXT(ldr_float(0.1), "0.1");
  TEXT(ldr_float(-0.0), "-0");
  TEXT(ldr_float(NAN), "NaN");
  TEXT(ldr_float(INFINITY), "Infinity");
  TEXT(ldr_float(-INFINITY), "-Infinity");
  TEXT(num("1.50"), "1.50");
  TEXT(txt("x"), "x");
  TEXT(ldr_bytes_of(LDR_T_BYTES, "\0\xff", 2), "\\x00ff");
  TEXT(ldr_bytes_of(LDR_T_UUID, uuid_bytes, 16), "00112233-4455-6677-8899-aabbccddeeff");
  TEXT(ldr_time(0), "2000-01-01T00:00:00.000000Z");
  TEXT(ldr_time(LDR_TIME_NEG_INF), "-infinity");
  TEXT(json("[1]"), "[1]");
  TEXT(ldr_null(), "");
}

static void check_array_text(int line, const char *hex, const char *want) {
  unsigned char bytes[128] = {0};
  size_t n = strlen(hex) / 2;
  ldr_value v = ldr_bytes_of(LDR_T_ARRAY, bytes, n);
  test_check(ldr_hex_decode(bytes, hex, 2 * n), __FILE__, line, "hex");
  check_text(line, &v, want);
}

#define ARRAY_TEXT(hex, want) check_array_text(__LINE__, hex, want)

TEST(text_forms_of_arrays) {
  ARRAY_TEXT("000000000000000000000019", "{}");
  ARRAY_TEXT("00000001000000010000001900000003000000010000000161ffffffff00000000", "{\"a\",NULL,\"\"}");
  ARRAY_TEXT(
      "0000000200000000000000170000000200000001000000020000000100000004000000010000000400000002"
      "00000004000000030000000400000004",
      "{{\"1\",\"2\"},{\"3\",\"4\"}}");
  ARRAY_TEXT("0000000100000001000006a400000002000000000000000c000200000000000100011388ffffffff",
             "[0:1]={\"1.5\",NULL}");
  ARRAY_TEXT("0000000100000000000000190000000100000001000000045c222c7b", "{\"\\\\\\\",{\"}");
}

TEST(a_malformed_array_has_no_text) {
  ldr_value v = ldr_bytes_of(LDR_T_ARRAY, "\0\0\0\1", 4);
  ldr_buf out = {0};
  ldr_codec_text(&v, &out);
  CHECK(out.broken);
  ldr_buf_free(&out);
}

/* Values for text parameters come as what they are. */
TEST(text_parameters_take_any_value) {
  ldr_buf out = {0};
  ldr_codec_encode(LDR_F_TEXT, V(ldr_int(5)), &out);
  ldr_codec_encode(LDR_F_UNKNOWN, V(ldr_bool(true)), &out);
  CHECK_STR(ldr_buf_cstr(&out), "5t");
  ldr_buf_free(&out);
}

static bool list_and_back(void) {
  const ldr_value v[] = {num("1.5"), ldr_null(), num("-123456789.000001")};
  ldr_buf out = {0}, scratch = {0}, text = {0};
  ldr_value array;
  bool ok;
  ldr_codec_encode_list(LDR_F_NUMERIC, v, 3, 1, &out);
  ok = !out.broken && ldr_codec_decode(LDR_F_NUMERIC, true, out.p, out.n, &scratch, &array);
  if (ok) ldr_codec_text(&array, &text);
  ok = ok && !text.broken;
  if (ok) CHECK_STR(ldr_buf_cstr(&text), text.broken ? NULL : "{\"1.5\",NULL,\"-123456789.000001\"}");
  ldr_buf_free(&out);
  ldr_buf_free(&scratch);
  ldr_buf_free(&text);
  return ok;
}

TEST(memory_runs_out) { test_oom("list_and_back", list_and_back); }

void test_codec(void);
void test_codec(void) {
  RUN(every_type_in_binary);
  RUN(times_count_from_2000);
  RUN(search_vectors_are_read_as_they_are_printed);
  RUN(wrong_lengths_are_refused);
  RUN(malformed_arrays_are_refused);
  RUN(oid_is_an_int8);
  RUN(integers_are_never_cut);
  RUN(lists_are_arrays);
  RUN(arrays_in_a_list_are_literals);
  RUN(array_values_travel_as_they_are);
  RUN(frames);
  RUN(text_forms);
  RUN(text_forms_of_arrays);
  RUN(a_malformed_array_has_no_text);
  RUN(text_parameters_take_any_value);
  RUN(memory_runs_out);
}

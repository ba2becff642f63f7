/* The texts are those that PostgreSQL prints. */
#include "values/textform.h"

#include <math.h>

#include "support/test.h"
#include "values/codec.h"

/* The text's value as a text again; NULL: it was refused. */
static const char *again(ldr_ftype t, bool array, const char *text, ldr_buf *out) {
  ldr_buf scratch = {0};
  ldr_value v;
  bool ok = ldr_textform_decode(t, array, text, strlen(text), &scratch, &v) && !scratch.broken;
  ldr_buf_reset(out);
  if (ok) ldr_codec_text(&v, out);
  ldr_buf_free(&scratch);
  return ok ? ldr_buf_cstr(out) : NULL;
}

typedef struct sample {
  ldr_ftype type;
  const char *text, *want; /* want: how it is printed by us; NULL: as it came */
} sample;

static void check_all(const sample *samples, size_t n, bool array) {
  ldr_buf out = {0}, twice = {0};
  for (size_t i = 0; i < n; i++) {
    const char *want = samples[i].want ? samples[i].want : samples[i].text;
    CHECK_STR(again(samples[i].type, array, samples[i].text, &out), want);
    CHECK_STR(again(samples[i].type, array, want, &twice), want); /* and stays so */
  }
  ldr_buf_free(&out);
  ldr_buf_free(&twice);
}

static void check_refused(ldr_ftype t, bool array, const char *const *texts, size_t n) {
  ldr_buf out = {0};
  for (size_t i = 0; i < n; i++) {
    CHECK_STR(again(t, array, texts[i], &out), NULL);
  }
  ldr_buf_free(&out);
}

#define COUNT(list) (sizeof(list) / sizeof *(list))

TEST(scalars) {
  static const sample samples[] = {
      {LDR_F_BOOL, "t", NULL},
      {LDR_F_BOOL, "f", NULL},
      {LDR_F_INT2, "-32768", NULL},
      {LDR_F_INT4, "2147483647", NULL},
      {LDR_F_INT8, "-9223372036854775808", NULL},
      {LDR_F_INT8, "9223372036854775807", NULL},
      {LDR_F_FLOAT8, "1.7976931348623157e+308", NULL},
      {LDR_F_FLOAT8, "-0", NULL},
      {LDR_F_FLOAT8, "NaN", NULL},
      {LDR_F_FLOAT8, "-Infinity", NULL},
      {LDR_F_NUMERIC, "-0.00", NULL},
      {LDR_F_NUMERIC, "12345678901234567890.50", NULL},
      {LDR_F_TEXT, "", NULL},
      {LDR_F_TEXT, "NULL", NULL},
      {LDR_F_BYTEA, "\\x", NULL},
      {LDR_F_BYTEA, "\\x00ff", NULL},
      {LDR_F_UUID, "00112233-4455-6677-8899-aabbccddeeff", NULL},
      {LDR_F_TIMESTAMPTZ, "infinity", NULL},
      {LDR_F_DATE, "4714-11-24 BC", NULL},
      {LDR_F_TIME, "24:00:00", NULL},
  };
  check_all(samples, COUNT(samples), false);
}

TEST(scalars_that_no_server_prints) {
  static const char *const ints[] = {"",
                                     "-",
                                     "1 ",
                                     "+1",
                                     "9223372036854775808",
                                     "-9223372036854775809",
                                     "18446744073709551617",
                                     "99999999999999999999",
                                     "1.0",
                                     "1e3"};
  static const char *const bools[] = {"", "true", "x", "1"};
  static const char *const bytes[] = {"", "x00", "\\x0", "\\x0g", "\\000"};
  check_refused(LDR_F_INT8, false, ints, COUNT(ints));
  check_refused(LDR_F_BOOL, false, bools, COUNT(bools));
  check_refused(LDR_F_BYTEA, false, bytes, COUNT(bytes));
}

TEST(arrays) {
  static const sample samples[] = {
      {LDR_F_INT4, "{}", NULL},
      {LDR_F_INT4, "{1,-2,NULL}", "{\"1\",\"-2\",NULL}"},
      {LDR_F_INT4, "{{1,2},{3,4}}", "{{\"1\",\"2\"},{\"3\",\"4\"}}"},
      {LDR_F_INT4, "{{{1}},{{2}}}", "{{{\"1\"}},{{\"2\"}}}"},
      {LDR_F_INT4, "[0:1]={5,6}", "[0:1]={\"5\",\"6\"}"},
      {LDR_F_INT4, "[-1:0][2:2]={{1},{2}}", "[-1:0][2:2]={{\"1\"},{\"2\"}}"},
      {LDR_F_INT8, "{9223372036854775807}", "{\"9223372036854775807\"}"},
      {LDR_F_FLOAT8, "{NaN,-0,1e+300}", "{\"NaN\",\"-0\",\"1e+300\"}"},
      {LDR_F_NUMERIC, "{1.50,NaN,NULL}", "{\"1.50\",\"NaN\",NULL}"},
      {LDR_F_BOOL, "{t,f,NULL}", "{\"t\",\"f\",NULL}"},
      {LDR_F_TEXT, "{a,\"b c\",\"\",NULL,\"NULL\",\"null\"}", "{\"a\",\"b c\",\"\",NULL,\"NULL\",\"null\"}"},
      {LDR_F_TEXT, "{\"a\\\"b\",\"c\\\\d\",\"{}\",\"x,y\"}", NULL},
      {LDR_F_TEXT, "{\xc3\xa9,\"\n\"}", "{\"\xc3\xa9\",\"\n\"}"},
      {LDR_F_BYTEA, "{\"\\\\x00ff\",\"\\\\x\"}", NULL},
      {LDR_F_UUID, "{00112233-4455-6677-8899-aabbccddeeff}", "{\"00112233-4455-6677-8899-aabbccddeeff\"}"},
      {LDR_F_DATE, "{2026-01-02,infinity,\"0044-03-15 BC\"}",
       "{\"2026-01-02\",\"infinity\",\"0044-03-15 BC\"}"},
      {LDR_F_JSON, "{\"{\\\"a\\\": 1}\",NULL}", NULL},
      {LDR_F_UNKNOWN, "{\"(1,2)\",\"(3,4)\"}", NULL},
  };
  check_all(samples, COUNT(samples), true);
}

TEST(arrays_that_no_server_prints) {
  static const char *const texts[] = {
      "",
      "{",
      "}",
      "{1",
      "{1,}",
      "{,1}",
      "{1}x",
      "{{1},{2,3}}",
      "{{1},2}",
      "{1,{2}}",
      "{{}}",
      "{{1},{}}",
      "{x}",
      "{1 }",
      "{\"1}",
      "{1\\",
      "1",
      "[0:1]{1,2}",
      "[0:1={1,2}",
      "[0:2]={1,2}",
      "[1:0]={1}",
      "[0:0][0:0]={1}",
      "[0:1]={{1,2}}",
      "[x:1]={1}",
      "{{{{{{{1}}}}}}}",
      "{2147483648}",
      "[9999999999:9999999999]={1}",
  };
  check_refused(LDR_F_INT4, true, texts, COUNT(texts));
}

static bool reads_an_array(void) {
  static const char text[] = "[0:1][1:2]={{\"an element that needs room of its own\",NULL},{c,d}}";
  ldr_buf scratch = {0};
  ldr_value v;
  bool ok = ldr_textform_decode(LDR_F_TEXT, true, text, sizeof text - 1, &scratch, &v);
  CHECK(ok || scratch.broken);
  ldr_buf_free(&scratch);
  return ok;
}

TEST(arrays_without_memory) { test_oom("an array of texts", reads_an_array); }

void test_textform(void);
void test_textform(void) {
  RUN(scalars);
  RUN(scalars_that_no_server_prints);
  RUN(arrays);
  RUN(arrays_that_no_server_prints);
  RUN(arrays_without_memory);
}

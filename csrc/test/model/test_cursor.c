#include <math.h>

#include "base/text.h"
#include "model/cursor.h"
#include "support/fixture.h"
#include "support/test.h"

static ldr_err err;
static ldr_schema *schema;
static ldr_arena arena;
static ldr_buf text;

static ldr_op list_op(unsigned entity, const ldr_order *order, unsigned n) {
  ldr_op op;
  ldr_op_init(&op, LDR_OP_SELECT, schema->entities[entity]);
  op.order = order;
  op.norder = n;
  return op;
}

static const ldr_order by_email[] = {{.field = C_EMAIL, .desc = true}, {.field = C_ID}};
static ldr_value last_row[2];

/* A cursor of the customers by email in `text`. */
static ldr_op setup(void) {
  ldr_op op;
  schema = fixture_schema(&err);
  op = list_op(0, by_email, 2);
  last_row[0] = fixture_text("a@b.c");
  last_row[1] = fixture_text("c1");
  CHECK_INT(ldr_cursor_encode(&op, last_row, &text, &err), LDR_OK);
  return op;
}

static void teardown(void) {
  ldr_buf_free(&text);
  ldr_arena_free(&arena);
  ldr_schema_release(schema);
}

static bool same(const ldr_value *a, const ldr_value *b) {
  if (a->type != b->type) return false;
  switch (a->type) {
    case LDR_T_NULL: return true;
    case LDR_T_BOOL: return a->u.b == b->u.b;
    case LDR_T_INT:
    case LDR_T_TIME: return a->u.i == b->u.i;
    case LDR_T_FLOAT: return memcmp(&a->u.f, &b->u.f, sizeof a->u.f) == 0;
    default: return a->n == b->n && memcmp(a->u.p, b->u.p, a->n) == 0;
  }
}

static void check_round_trip(unsigned field, ldr_value v) {
  const ldr_order order = {.field = (uint16_t)field};
  ldr_op op = list_op(0, &order, 1);
  const ldr_value *out = NULL;
  ldr_buf b = {0};
  CHECK_INT(ldr_cursor_encode(&op, &v, &b, &err), LDR_OK);
  CHECK_INT(ldr_cursor_decode(&op, b.p, b.n, &arena, &out, &err), LDR_OK);
  ldr_buf_free(&b); /* what was decoded lives in the arena */
  CHECK(out && same(out, &v));
}

TEST(values_come_back) {
  setup();
  check_round_trip(C_EMAIL, fixture_text("é%'\""));
  check_round_trip(C_EMAIL, fixture_text(""));
  check_round_trip(C_VISITS, ldr_int(INT32_MIN));
  check_round_trip(C_BALANCE, fixture_numeric("-12.50"));
  check_round_trip(C_BALANCE, ldr_null());
  check_round_trip(C_SCORE, ldr_float(-0.0));
  check_round_trip(C_SCORE, ldr_float(HUGE_VAL));
  check_round_trip(C_PHOTO, ldr_bytes_of(LDR_T_BYTES, "\0\xff", 2));
  check_round_trip(C_REF, ldr_bytes_of(LDR_T_UUID, "0123456789abcdef", 16));
  check_round_trip(C_CREATED, ldr_time(INT64_MAX));
  check_round_trip(C_DELETED, ldr_null());
  teardown();
}

TEST(text_is_safe_in_a_url) {
  setup();
  for (size_t i = 0; i < text.n; i++)
    CHECK(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", text.p[i]) != NULL);
  teardown();
}

static const char *refused(const ldr_op *op, const char *s, size_t n) {
  const ldr_value *out = last_row;
  CHECK_INT(ldr_cursor_decode(op, s, n, &arena, &out, &err), LDR_INVALID);
  CHECK(out == last_row);
  return err.message;
}

TEST(belongs_to_its_list) {
  static const ldr_order ascending[] = {{.field = C_EMAIL}, {.field = C_ID}},
                         more[] = {{.field = C_EMAIL, .desc = true}, {.field = C_ID}, {.field = C_TENANT}},
                         other[] = {{.field = C_STATUS, .desc = true}, {.field = C_ID}},
                         texts[] = {{.field = O_TENANT, .desc = true}, {.field = O_CUSTOMER}};
  const char *not_ours = "after is a cursor of another list or order";
  ldr_op op;
  setup();
  op = list_op(0, ascending, 2);
  CHECK_STR(refused(&op, text.p, text.n), not_ours);
  op = list_op(0, more, 3);
  CHECK_STR(refused(&op, text.p, text.n), not_ours);
  op = list_op(0, more, 1);
  CHECK_STR(refused(&op, text.p, text.n), not_ours);
  op = list_op(0, other, 2);
  CHECK_STR(refused(&op, text.p, text.n), not_ours);
  op = list_op(1, texts, 2);
  CHECK_STR(refused(&op, text.p, text.n), not_ours);
  CHECK_STR(err.fields, "after");
  teardown();
}

TEST(any_change_is_noticed) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  ldr_op op = setup();
  for (size_t i = 0; i < text.n; i++) {
    char kept = text.p[i];
    for (size_t d = 0; d < 64; d++) {
      if (digits[d] == kept) continue;
      text.p[i] = digits[d];
      CHECK_STR(refused(&op, text.p, text.n), "after is not a cursor");
    }
    text.p[i] = kept;
  }
  for (size_t n = 0; n < text.n; n++) CHECK_STR(refused(&op, text.p, n), "after is not a cursor");
  ldr_buf_str(&text, "AAAA");
  refused(&op, text.p, text.n);
  refused(&op, "' or 1=1 --", 11);
  teardown();
}

/* Whoever knows the format can make the hashes right: what is inside must still fit the fields. */
static void check_forged(const ldr_op *op, const char *bytes, size_t n) {
  ldr_buf good = {0}, raw = {0}, forged = {0};
  CHECK_INT(ldr_cursor_encode(op, last_row, &good, &err), LDR_OK);
  CHECK(ldr_base64url_decode(&raw, good.p, good.n));
  raw.n = 9; /* keep version and sort */
  ldr_buf_add(&raw, bytes, n);
  ldr_buf_be64(&raw, ldr_hash64(raw.p, raw.n, LDR_CURSOR_SEED));
  ldr_base64url_add(&forged, raw.p, raw.n);
  CHECK_STR(refused(op, forged.p, forged.n), "after is not a cursor");
  ldr_buf_free(&good);
  ldr_buf_free(&raw);
  ldr_buf_free(&forged);
}

TEST(forged_values_are_refused) {
  static const ldr_order by_photo[] = {{.field = C_PHOTO}, {.field = C_ID}};
  ldr_op op = setup();
#define FORGED(s) check_forged(&op, s, sizeof s - 1)
  FORGED("");
  FORGED("\5");                             /* a text without a length */
  FORGED("\5\0\0\0\1a");                    /* one value of two */
  FORGED("\5\0\0\0\1a\5\0\0\0\2b");         /* ends too early */
  FORGED("\5\377\377\377\377a\5\0\0\0\1b"); /* length beyond the end */
  FORGED("\5\0\0\0\1a\5\0\0\0\1bc");        /* bytes left over */
  FORGED("\5\0\0\0\1\377\5\0\0\0\1b");      /* not UTF-8 */
  FORGED("\5\0\0\0\1\0\5\0\0\0\1b");        /* a zero byte */
  FORGED("\0\5\0\0\0\1b");                  /* null in a field that is never null */
  FORGED("\2\0\0\0\0\0\0\0\0\5\0\0\0\1b");  /* an integer for a text */
  FORGED("\1\2\5\0\0\0\1b");                /* neither true nor false */
  FORGED("\310\0\0\0\1a\5\0\0\0\1b");       /* no such type */
  op = list_op(0, by_photo, 2);
  FORGED("\6\177\377\377\377\5\0\0\0\1b"); /* bytes that reach far beyond the end */
  CHECK(LDR_T_TEXT == 5 && LDR_T_BYTES == 6);
  teardown();
}

TEST(orders_without_cursors) {
  static const ldr_order by_null[] = {{.kind = LDR_BY_NULL, .field = C_EMAIL}, {.field = C_ID}},
                         by_secret[] = {{.field = C_TOKEN}, {.field = C_ID}};
  const ldr_value *out = NULL;
  ldr_op op;
  ldr_buf b = {0};
  setup();
  op = list_op(0, by_null, 2);
  CHECK_INT(ldr_cursor_encode(&op, last_row, &b, &err), LDR_INVALID);
  CHECK_INT(ldr_cursor_decode(&op, text.p, text.n, &arena, &out, &err), LDR_INVALID);
  op = list_op(0, by_secret, 2);
  CHECK_INT(ldr_cursor_encode(&op, last_row, &b, &err), LDR_INVALID);
  op = list_op(0, by_null, 0);
  CHECK_INT(ldr_cursor_encode(&op, last_row, &b, &err), LDR_INVALID);
  CHECK_INT(b.n, 0);
  ldr_buf_free(&b);
  teardown();
}

static bool there_and_back(void) {
  ldr_op op = list_op(0, by_email, 2);
  ldr_arena a = {0};
  ldr_buf b = {0};
  const ldr_value *out = NULL;
  ldr_code code = ldr_cursor_encode(&op, last_row, &b, &err);
  if (code == LDR_OK) code = ldr_cursor_decode(&op, b.p, b.n, &a, &out, &err);
  if (code != LDR_OK) CHECK_INT(code, LDR_CAPACITY);
  ldr_buf_free(&b);
  ldr_arena_free(&a);
  return code == LDR_OK;
}

TEST(memory_runs_out) {
  setup();
  test_oom("there_and_back", there_and_back);
  teardown();
}

void test_cursor(void);
void test_cursor(void) {
  RUN(values_come_back);
  RUN(text_is_safe_in_a_url);
  RUN(belongs_to_its_list);
  RUN(any_change_is_noticed);
  RUN(forged_values_are_refused);
  RUN(orders_without_cursors);
  RUN(memory_runs_out);
}

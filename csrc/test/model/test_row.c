#include <math.h>

#include "model/row.h"
#include "support/fixture.h"
#include "support/test.h"

static ldr_err err;

static bool same(const ldr_value *a, const ldr_value *b) {
  if (a->type != b->type) return false;
  switch (a->type) {
    case LDR_T_NULL: return true;
    case LDR_T_BOOL: return a->u.b == b->u.b;
    case LDR_T_INT:
    case LDR_T_TIME: return a->u.i == b->u.i;
    case LDR_T_FLOAT: return memcmp(&a->u.f, &b->u.f, sizeof a->u.f) == 0;
    default: return a->n == b->n && (a->n == 0 || memcmp(a->u.p, b->u.p, a->n) == 0);
  }
}

static ldr_row *pack(const ldr_entity *e, const ldr_value *values) {
  ldr_row *r = NULL;
  CHECK_INT(ldr_row_pack(e, values, &r, &err), LDR_OK);
  return r;
}

static void check_round_trip(const ldr_entity *e, const ldr_value *values) {
  ldr_row *r = pack(e, values);
  for (unsigned i = 0; i < e->nfields; i++) {
    ldr_value v;
    ldr_row_get(e, r, i, &v);
    CHECK(same(&v, &values[i]));
  }
  ldr_row_release(r);
}

TEST(values_come_back) {
  ldr_schema *s = fixture_schema(&err);
  const ldr_entity *e = s->entities[0];
  ldr_value row[C_COUNT];
  fixture_customer(row);
  check_round_trip(e, row);
  row[C_VISITS] = ldr_int(INT64_MIN);
  row[C_SCORE] = ldr_float(-0.0);
  row[C_EMAIL] = ldr_text("", 0);
  row[C_PHOTO] = ldr_bytes_of(LDR_T_BYTES, NULL, 0);
  row[C_CREATED] = ldr_time(INT64_MAX);
  check_round_trip(e, row);
  for (unsigned i = 0; i < C_COUNT; i++) row[i] = ldr_null();
  check_round_trip(e, row);
  ldr_schema_release(s);
}

TEST(row_owns_its_bytes) {
  ldr_schema *s = fixture_schema(&err);
  ldr_value row[C_COUNT], v;
  char id[] = "mine";
  ldr_row *r;
  fixture_customer(row);
  row[C_ID] = ldr_text(id, 4);
  r = pack(s->entities[0], row);
  memset(id, 'x', 4);
  ldr_row_get(s->entities[0], r, C_ID, &v);
  CHECK(v.n == 4 && memcmp(v.u.p, "mine", 4) == 0);
  ldr_row_release(r);
  ldr_schema_release(s);
}

TEST(nulls_take_no_bytes) {
  ldr_schema *s = fixture_schema(&err);
  ldr_value row[O_COUNT] = {{LDR_T_NULL, 0, {0}}};
  ldr_row *none = pack(s->entities[1], row), *one;
  row[O_ID] = ldr_int(1);
  row[O_TENANT] = ldr_text("abc", 3);
  one = pack(s->entities[1], row);
  CHECK_INT(ldr_row_size(one), ldr_row_size(none) + 8 + 3);
  ldr_row_release(none);
  ldr_row_release(one);
  ldr_schema_release(s);
}

TEST(wrong_types_are_refused) {
  ldr_schema *s = fixture_schema(&err);
  ldr_value row[C_COUNT];
  ldr_row *r = NULL;
  fixture_customer(row);
  row[C_TAGS] = ldr_text("one", 3);
  CHECK_INT(ldr_row_pack(s->entities[0], row, &r, &err), LDR_INTERNAL);
  row[C_TAGS] = ldr_null();
  row[C_VISITS] = ldr_time(1);
  CHECK_INT(ldr_row_pack(s->entities[0], row, &r, &err), LDR_INTERNAL);
  CHECK(r == NULL);
  ldr_schema_release(s);
}

TEST(a_row_beyond_4_gib_is_refused) {
  ldr_schema *s = fixture_schema(&err);
  ldr_value row[C_COUNT];
  ldr_row *r = NULL;
  fixture_customer(row);
  row[C_EMAIL].n = row[C_ID].n = UINT32_MAX / 2 + 1; /* the sizes are added up before a byte is read */
  CHECK_INT(ldr_row_pack(s->entities[0], row, &r, &err), LDR_CAPACITY);
  CHECK(r == NULL);
  ldr_schema_release(s);
}

/* ---- batches ---- */

static ldr_row *order(const ldr_entity *e, int64_t id) {
  ldr_value row[O_COUNT] = {ldr_text("acme", 4), ldr_int(id), ldr_null(), ldr_null(), ldr_null()};
  return pack(e, row);
}

static int64_t order_id(const ldr_batch *b, size_t i) {
  ldr_value v;
  ldr_row_get(b->e, b->rows[i], O_ID, &v);
  return v.u.i;
}

static ldr_batch *orders(const ldr_entity *e, int64_t from, int64_t to) {
  ldr_batch *b = NULL;
  CHECK_INT(ldr_batch_new(e, &b, &err), LDR_OK);
  for (int64_t i = from; i <= to; i++) CHECK_INT(ldr_batch_add(b, order(e, i), &err), LDR_OK);
  return b;
}

TEST(batches_hold_rows_and_the_schema) {
  ldr_schema *s = fixture_schema(&err);
  ldr_batch *b = orders(s->entities[1], 1, 100);
  ldr_schema_release(s);
  CHECK_INT(b->n, 100);
  CHECK_INT(order_id(b, 0), 1);
  CHECK_INT(order_id(b, 99), 100);
  ldr_batch_free(b);
  ldr_batch_free(NULL);
}

TEST(slices_share_rows) {
  ldr_schema *s = fixture_schema(&err);
  ldr_batch *b = orders(s->entities[1], 1, 10), *mid = NULL, *tail = NULL, *none = NULL;
  CHECK_INT(ldr_batch_slice(b, 3, 4, &mid, &err), LDR_OK);
  CHECK_INT(ldr_batch_slice(b, 8, SIZE_MAX, &tail, &err), LDR_OK);
  CHECK_INT(ldr_batch_slice(b, 11, 1, &none, &err), LDR_OK);
  ldr_batch_free(b);
  CHECK_INT(mid->n, 4);
  CHECK_INT(order_id(mid, 0), 4);
  CHECK_INT(order_id(mid, 3), 7);
  CHECK_INT(tail->n, 2);
  CHECK_INT(order_id(tail, 1), 10);
  CHECK_INT(none->n, 0);
  ldr_batch_free(mid);
  ldr_batch_free(tail);
  ldr_batch_free(none);
  ldr_schema_release(s);
}

/* ---- checksums ---- */

static ldr_checksum sum_of(const ldr_batch *b) {
  ldr_checksum c = {0};
  CHECK_INT(ldr_checksum_add(&c, b, &err), LDR_OK);
  return c;
}

static bool equal(const ldr_checksum *a, const ldr_checksum *b) {
  return a->lo == b->lo && a->hi == b->hi && a->rows == b->rows;
}

TEST(checksum_counts_repetition) {
  ldr_schema *s = fixture_schema(&err);
  ldr_batch *one = orders(s->entities[1], 1, 1), *two = orders(s->entities[1], 2, 2);
  ldr_checksum a = sum_of(one), b = sum_of(two); /* {1, 1} against {2, 2}: an xor would see nothing */
  CHECK_INT(ldr_checksum_add(&a, one, &err), LDR_OK);
  CHECK_INT(ldr_checksum_add(&b, two, &err), LDR_OK);
  CHECK(a.lo != b.lo && a.hi != b.hi);
  ldr_batch_free(one);
  ldr_batch_free(two);
  ldr_schema_release(s);
}

TEST(checksum_ignores_order_and_batches) {
  ldr_schema *s = fixture_schema(&err);
  const ldr_entity *e = s->entities[1];
  ldr_batch *up = orders(e, 1, 5), *low = orders(e, 1, 2), *high = orders(e, 3, 5), *again = orders(e, 1, 1);
  ldr_checksum all = sum_of(up), parts = sum_of(high), more = all;
  CHECK_INT(ldr_checksum_add(&parts, low, &err), LDR_OK);
  CHECK(equal(&all, &parts));
  CHECK_INT(all.rows, 5);
  CHECK_INT(ldr_checksum_add(&more, again, &err), LDR_OK); /* a multiset: a row twice is not a row once */
  CHECK(more.lo != all.lo && more.hi != all.hi);
  CHECK(all.lo != all.hi);
  ldr_batch_free(up);
  ldr_batch_free(low);
  ldr_batch_free(high);
  ldr_batch_free(again);
  ldr_schema_release(s);
}

static ldr_checksum sum_of_row(const ldr_entity *e, const ldr_value *row) {
  ldr_batch *b = NULL;
  ldr_checksum c;
  CHECK_INT(ldr_batch_new(e, &b, &err), LDR_OK);
  CHECK_INT(ldr_batch_add(b, pack(e, row), &err), LDR_OK);
  c = sum_of(b);
  ldr_batch_free(b);
  return c;
}

TEST(checksum_sees_values_not_spellings) {
  ldr_schema *s = fixture_schema(&err);
  const ldr_entity *e = s->entities[0];
  ldr_value row[C_COUNT];
  ldr_checksum first, now;
  double other_nan = -(double)NAN;
  fixture_customer(row);
  row[C_SCORE] = ldr_float((double)NAN);
  first = sum_of_row(e, row);
  row[C_SETTINGS] = fixture_json("{\"a\":[true,null],\"b\":1}");
  row[C_BALANCE] = fixture_numeric("12.5");
  row[C_SCORE] = ldr_float(other_nan);
  now = sum_of_row(e, row);
  CHECK(equal(&first, &now));
  ldr_schema_release(s);
}

TEST(checksum_sees_every_field) {
  ldr_schema *s = fixture_schema(&err);
  const ldr_entity *e = s->entities[0];
  ldr_value row[C_COUNT];
  ldr_checksum first, now;
  fixture_customer(row);
  first = sum_of_row(e, row);
  for (unsigned i = 0; i < C_COUNT; i++) {
    ldr_value kept = row[i];
    row[i] = kept.type == LDR_T_NULL ? (i == C_TOKEN ? ldr_text("", 0) : ldr_time(0)) : ldr_null();
    now = sum_of_row(e, row);
    CHECK(now.lo != first.lo && now.hi != first.hi);
    row[i] = kept;
  }
  ldr_schema_release(s);
}

/* Bytes that look like the seam between two fields do not move from one to the other. */
TEST(checksum_keeps_fields_apart) {
  static const char x[] = "x\0\12\0\0\0\0\0y", y[] = "y\0\12\0\0\0\0\0z";
  ldr_schema *s = fixture_schema(&err);
  const ldr_entity *e = s->entities[0];
  ldr_value row[C_COUNT];
  ldr_checksum first, now;
  CHECK_INT(C_TOKEN, 10);
  fixture_customer(row);
  row[C_PHOTO] = ldr_bytes_of(LDR_T_BYTES, x, sizeof x - 1);
  row[C_TOKEN] = fixture_text("z");
  first = sum_of_row(e, row);
  row[C_PHOTO] = ldr_bytes_of(LDR_T_BYTES, "x", 1);
  row[C_TOKEN] = ldr_text(y, sizeof y - 1);
  now = sum_of_row(e, row);
  CHECK(now.lo != first.lo && now.hi != first.hi);
  ldr_schema_release(s);
}

TEST(checksum_is_untouched_by_a_failure) {
  ldr_schema *s = fixture_schema(&err);
  const ldr_entity *e = s->entities[1];
  ldr_value bad[O_COUNT] = {ldr_text("a", 1), ldr_int(9), ldr_null(), ldr_null(), fixture_json("{")};
  ldr_batch *b = orders(e, 1, 3);
  ldr_checksum c = {1, 2, 3};
  CHECK_INT(ldr_batch_add(b, pack(e, bad), &err), LDR_OK);
  CHECK_INT(ldr_checksum_add(&c, b, &err), LDR_INVALID);
  CHECK(c.lo == 1 && c.hi == 2 && c.rows == 3);
  ldr_batch_free(b);
  ldr_schema_release(s);
}

/* ---- memory runs out ---- */

static bool pack_slice_and_sum(void) {
  ldr_schema *s = fixture_schema(&err);
  ldr_batch *b = NULL, *slice = NULL;
  ldr_checksum c = {0};
  ldr_value row[C_COUNT];
  ldr_code code = s ? ldr_batch_new(s->entities[0], &b, &err) : LDR_CAPACITY;
  fixture_customer(row);
  for (int i = 0; i < 20 && code == LDR_OK; i++) {
    ldr_row *r = NULL;
    code = ldr_row_pack(s->entities[0], row, &r, &err);
    if (code == LDR_OK) code = ldr_batch_add(b, r, &err);
  }
  if (code == LDR_OK) code = ldr_batch_slice(b, 2, 5, &slice, &err);
  if (code == LDR_OK) code = ldr_checksum_add(&c, slice, &err);
  if (code != LDR_OK) CHECK_INT(code, LDR_CAPACITY);
  ldr_batch_free(b);
  ldr_batch_free(slice);
  ldr_schema_release(s);
  return code == LDR_OK;
}

TEST(memory_runs_out) { test_oom("pack_slice_and_sum", pack_slice_and_sum); }

void test_row(void);
void test_row(void) {
  RUN(values_come_back);
  RUN(row_owns_its_bytes);
  RUN(nulls_take_no_bytes);
  RUN(wrong_types_are_refused);
  RUN(a_row_beyond_4_gib_is_refused);
  RUN(batches_hold_rows_and_the_schema);
  RUN(slices_share_rows);
  RUN(checksum_counts_repetition);
  RUN(checksum_ignores_order_and_batches);
  RUN(checksum_sees_values_not_spellings);
  RUN(checksum_sees_every_field);
  RUN(checksum_keeps_fields_apart);
  RUN(checksum_is_untouched_by_a_failure);
  RUN(memory_runs_out);
}

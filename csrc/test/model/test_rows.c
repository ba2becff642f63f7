#include "model/rows.h"
#include "support/fixture.h"
#include "support/test.h"

static ldr_err err;

static ldr_value cell(ldr_rows *r, size_t row, unsigned col) {
  ldr_value v = ldr_null();
  CHECK_INT(ldr_rows_cell(r, row, col, &v, &err), LDR_OK);
  return v;
}

TEST(values_are_copied) {
  char name[] = "total", who[] = "acme";
  ldr_column cols[] = {{.name = name, .type = LDR_F_INT8}, {.name = "who", .type = LDR_F_TEXT}};
  ldr_value values[] = {ldr_int(1), ldr_text(who, 4), ldr_int(2), ldr_null()};
  ldr_rows *r = NULL;
  CHECK_INT(ldr_rows_from_values(cols, 2, values, 2, &r, &err), LDR_OK);
  memset(name, 'x', 5);
  memset(who, 'x', 4);
  memset(values, 0, sizeof values);
  CHECK_INT(r->nrows, 2);
  CHECK_INT(r->ncols, 2);
  CHECK_STR(r->cols[0].name, "total");
  CHECK_INT(r->cols[1].type, LDR_F_TEXT);
  CHECK_INT(cell(r, 1, 0).u.i, 2);
  CHECK(cell(r, 0, 1).n == 4 && memcmp(cell(r, 0, 1).u.p, "acme", 4) == 0);
  CHECK_INT(cell(r, 1, 1).type, LDR_T_NULL);
  ldr_rows_free(r);
  ldr_rows_free(NULL);
}

TEST(no_rows_at_all) {
  ldr_column col = {.name = "n", .type = LDR_F_INT8};
  ldr_rows *r = NULL, *none = NULL;
  ldr_schema *s = fixture_schema(&err);
  CHECK_INT(ldr_rows_from_values(&col, 1, NULL, 0, &r, &err), LDR_OK);
  CHECK_INT(r->nrows, 0);
  ldr_rows_free(r);
  CHECK_INT(ldr_rows_from_packed(s->entities[0], NULL, 0, NULL, 0, &none, &err), LDR_OK);
  CHECK_INT(none->nrows, 0);
  CHECK_INT(none->ncols, 0);
  ldr_rows_free(none);
  ldr_schema_release(s);
}

static const uint16_t shown[] = {C_EMAIL, C_VISITS, C_TAGS, C_DELETED};

TEST(packed_rows_show_chosen_fields) {
  ldr_schema *s = fixture_schema(&err);
  ldr_value values[C_COUNT];
  ldr_row *rows[2] = {NULL, NULL};
  ldr_rows *r = NULL;
  fixture_customer(values);
  CHECK_INT(ldr_row_pack(s->entities[0], values, &rows[0], &err), LDR_OK);
  values[C_VISITS] = ldr_int(8);
  CHECK_INT(ldr_row_pack(s->entities[0], values, &rows[1], &err), LDR_OK);
  CHECK_INT(ldr_rows_from_packed(s->entities[0], shown, 4, rows, 2, &r, &err), LDR_OK);
  ldr_schema_release(s); /* the rows keep what they need */
  rows[0] = rows[1] = NULL;
  CHECK_INT(r->nrows, 2);
  CHECK_STR(r->cols[0].name, "email");
  CHECK(r->cols[2].type == LDR_F_TEXT && r->cols[2].array);
  CHECK(cell(r, 0, 0).n == 5 && memcmp(cell(r, 0, 0).u.p, "a@b.c", 5) == 0);
  CHECK_INT(cell(r, 0, 1).u.i, 7);
  CHECK_INT(cell(r, 1, 1).u.i, 8);
  CHECK_INT(cell(r, 1, 2).type, LDR_T_ARRAY);
  CHECK_INT(cell(r, 1, 3).type, LDR_T_NULL);
  ldr_rows_free(r);
}

TEST(cells_beyond_the_end) {
  ldr_column col = {.name = "n", .type = LDR_F_INT8};
  ldr_value one = ldr_int(1), v;
  ldr_rows *r = NULL;
  CHECK_INT(ldr_rows_from_values(&col, 1, &one, 1, &r, &err), LDR_OK);
  CHECK_INT(ldr_rows_cell(r, 1, 0, &v, &err), LDR_INTERNAL);
  CHECK_INT(ldr_rows_cell(r, 0, 1, &v, &err), LDR_INTERNAL);
  ldr_rows_free(r);
}

static ldr_schema *schema;

static bool build_both(void) {
  ldr_column col = {.name = "name", .type = LDR_F_TEXT};
  ldr_value values[C_COUNT];
  ldr_row *row = NULL;
  ldr_rows *computed = NULL, *packed = NULL;
  ldr_code code;
  fixture_customer(values);
  code = ldr_rows_from_values(&col, 1, values, 1, &computed, &err);
  if (code == LDR_OK) code = ldr_row_pack(schema->entities[0], values, &row, &err);
  if (code == LDR_OK) code = ldr_rows_from_packed(schema->entities[0], shown, 4, &row, 1, &packed, &err);
  if (code != LDR_OK) CHECK_INT(code, LDR_CAPACITY);
  ldr_rows_free(computed);
  ldr_rows_free(packed);
  return code == LDR_OK;
}

TEST(memory_runs_out) {
  schema = fixture_schema(&err);
  test_oom("build_both", build_both);
  ldr_schema_release(schema);
}

void test_rows(void);
void test_rows(void) {
  RUN(values_are_copied);
  RUN(no_rows_at_all);
  RUN(packed_rows_show_chosen_fields);
  RUN(cells_beyond_the_end);
  RUN(memory_runs_out);
}

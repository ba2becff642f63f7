#include "model/given.h"

#include "support/fixture.h"
#include "support/test.h"

static ldr_err err;
static ldr_schema *schema;
static const ldr_entity *customers;

static void setup(void) {
  schema = fixture_schema(&err);
  customers = schema->entities[0];
}

static void teardown(void) { ldr_schema_release(schema); }

static const ldr_pred *equal(ldr_pred *p, unsigned field, const ldr_value *v) {
  *p = (ldr_pred){.kind = LDR_P_EQ, .field = (uint16_t)field, .n = 1, .values = v};
  return p;
}

TEST(an_insert_gives_its_columns) {
  ldr_value values[2] = {fixture_text("acme"), fixture_text("c1")};
  ldr_op op;
  setup();
  op = fixture_insert(customers, values, 1);
  CHECK(ldr_op_key_value(&op, 0) == &values[0] && ldr_op_key_value(&op, 1) == &values[1]);
  CHECK(ldr_op_given(&op, 0, C_TENANT) == &values[0] && ldr_op_given(&op, 0, C_ID) == &values[1]);
  CHECK(ldr_op_given(&op, 0, C_EMAIL) == NULL && ldr_op_given(&op, 0, C_DELETED) == NULL);
  teardown();
}

TEST(each_row_of_an_insert_has_its_own) {
  static const uint16_t out[] = {C_ID, C_TENANT, C_EMAIL};
  ldr_value values[4] = {fixture_text("acme"), fixture_text("c1"), fixture_text("acme"), fixture_text("c2")};
  ldr_op op;
  setup();
  op = fixture_insert(customers, values, 2);
  CHECK(ldr_op_given(&op, 0, C_ID) == &values[1] && ldr_op_given(&op, 1, C_ID) == &values[3]);
  CHECK(ldr_op_given(&op, 1, C_TENANT) == &values[2] && ldr_op_given(&op, 1, C_EMAIL) == NULL);
  op.out = out;
  op.nout = 2;
  CHECK(ldr_op_gives_all(&op));
  op.nout = 3;
  CHECK(!ldr_op_gives_all(&op));
  teardown();
}

TEST(columns_may_have_any_order) {
  static const uint16_t cols[] = {C_EMAIL, C_ID, C_TENANT};
  ldr_value values[3] = {fixture_text("e"), fixture_text("c1"), fixture_text("acme")};
  ldr_op op;
  setup();
  op = fixture_insert(customers, values, 1);
  op.cols = cols;
  op.ncols = 3;
  CHECK(ldr_op_given(&op, 0, C_TENANT) == &values[2] && ldr_op_given(&op, 0, C_ID) == &values[1]);
  CHECK(ldr_op_given(&op, 0, C_EMAIL) == &values[0] && ldr_op_given(&op, 0, C_STATUS) == NULL);
  teardown();
}

/* The row may be a new one, which gets its columns, or one that was there, which is set. */
TEST(an_upsert_gives_what_both_ways_lead_to) {
  static const uint16_t cols[] = {C_TENANT, C_ID, C_EMAIL, C_STATUS};
  ldr_value values[4] = {fixture_text("acme"), fixture_text("c1"), fixture_text("e"), fixture_text("new")};
  const ldr_set sets[] = {{.field = C_EMAIL, .excluded = true},
                          {.field = C_VISITS, .excluded = true},
                          {.field = C_SCORE, .value = fixture_numeric("1")},
                          {.field = C_TAGS, .kind = LDR_SET_APPEND, .excluded = true}};
  ldr_op op;
  setup();
  op = fixture_insert(customers, values, 1);
  op.cols = cols;
  op.ncols = 4;
  op.on_conflict = LDR_CONFLICT_UPDATE;
  op.sets = sets;
  op.nsets = 4;
  CHECK(ldr_op_given(&op, 0, C_TENANT) == &values[0] && ldr_op_given(&op, 0, C_EMAIL) == &values[2]);
  CHECK(ldr_op_given(&op, 0, C_STATUS) == NULL);                                          /* it is not set */
  CHECK(ldr_op_given(&op, 0, C_VISITS) == NULL && ldr_op_given(&op, 0, C_SCORE) == NULL); /* not inserted */
  CHECK(ldr_op_given(&op, 0, C_TAGS) == NULL);
  teardown();
}

TEST(an_update_gives_what_it_sets_and_the_key_that_it_names) {
  const ldr_set sets[] = {{.field = C_EMAIL, .value = fixture_text("e")},
                          {.field = C_VISITS, .kind = LDR_SET_INCREMENT, .value = ldr_int(1)},
                          {.field = C_STATUS, .kind = LDR_SET_DEFAULT}};
  ldr_value key[2] = {fixture_text("acme"), fixture_text("c1")};
  ldr_pred one[3], both = {.kind = LDR_P_AND, .n = 2}, deep = {.kind = LDR_P_AND, .n = 2};
  const ldr_pred *kids[2], *outer[2];
  ldr_op op;
  setup();
  op = fixture_update(customers, sets, 3);
  op.where = equal(&one[0], C_ID, &key[1]);
  CHECK(ldr_op_key_value(&op, 0) == NULL && ldr_op_key_value(&op, 1) == &key[1]);
  kids[0] = equal(&one[1], C_EMAIL, &key[0]);
  kids[1] = &one[0];
  both.kids = kids;
  outer[0] = equal(&one[2], C_TENANT, &key[0]);
  outer[1] = &both;
  deep.kids = outer;
  op.where = &deep;
  CHECK(ldr_op_key_value(&op, 0) == &key[0] && ldr_op_key_value(&op, 1) == &key[1]);
  CHECK(ldr_op_given(&op, 0, C_EMAIL) == &sets[0].value);
  CHECK(ldr_op_given(&op, 0, C_VISITS) == NULL && ldr_op_given(&op, 0, C_STATUS) == NULL);
  CHECK(ldr_op_given(&op, 0, C_TENANT) == &key[0] && ldr_op_given(&op, 0, C_ID) == &key[1]);
  deep.kind = LDR_P_OR;
  CHECK(ldr_op_key_value(&op, 0) == NULL && ldr_op_given(&op, 0, C_ID) == NULL);
  op.where = NULL;
  CHECK(ldr_op_key_value(&op, 0) == NULL);
  teardown();
}

void test_given(void);
void test_given(void) {
  RUN(an_insert_gives_its_columns);
  RUN(each_row_of_an_insert_has_its_own);
  RUN(columns_may_have_any_order);
  RUN(an_upsert_gives_what_both_ways_lead_to);
  RUN(an_update_gives_what_it_sets_and_the_key_that_it_names);
}

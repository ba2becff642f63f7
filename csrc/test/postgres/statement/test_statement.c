/* The cache of compiled operations: what is a parameter leaves no trace, whatever else differs makes another
 * statement. */
#include "postgres/statement/registry.h"
#include "support/fixture.h"
#include "support/test.h"

static ldr_err err;
static ldr_schema *schema;
static const ldr_entity *customers, *orders;

static void setup(void) {
  schema = fixture_schema(&err);
  customers = schema->entities[0];
  orders = schema->entities[1];
}

static void teardown(void) { ldr_schema_release(schema); }

static ldr_stmt *statement_of(ldr_stmts *c, const ldr_op *op) {
  ldr_buf params = {0};
  ldr_stmt *s = NULL;
  CHECK_INT(ldr_stmts_op(c, op, &params, &s, &err), LDR_OK);
  ldr_buf_free(&params);
  return s;
}

static bool same_statement(const ldr_op *a, const ldr_op *b) {
  ldr_stmts cache;
  ldr_stmt *x, *y;
  bool same;
  CHECK(ldr_stmts_init(&cache));
  x = statement_of(&cache, a);
  y = statement_of(&cache, b);
  same = x == y;
  CHECK(same == (strcmp(x->name, y->name) == 0));
  ldr_stmt_release(x);
  ldr_stmt_release(y);
  ldr_stmts_done(&cache);
  return same;
}

TEST(values_are_no_part_of_it) {
  const ldr_value v[] = {fixture_text("a"), fixture_text("b"), fixture_text("c"), fixture_text("d")};
  ldr_pred p = {.kind = LDR_P_IN, .field = C_EMAIL, .n = 1, .values = v}, q = p;
  const ldr_value after1[] = {ldr_time(1), v[0], v[1]}, after2[] = {ldr_time(2), v[2], v[3]};
  ldr_op a, b;
  setup();
  a = b = fixture_select(customers);
  a.where = &p;
  b.where = &q;
  q.n = 4;
  a.limit = 10;
  b.limit = 50;
  a.offset = 1;
  b.offset = 2;
  a.after = after1;
  b.after = after2;
  a.now = 5;
  b.name = "other";
  CHECK(same_statement(&a, &b));
  p.kind = q.kind = LDR_P_KEYS;
  CHECK(same_statement(&a, &b));
  p.kind = q.kind = LDR_P_EQ;
  p.n = q.n = 1;
  q.values = &v[3];
  CHECK(same_statement(&a, &b));
  a = fixture_insert(customers, v, 2);
  b = fixture_insert(customers, v, 300);
  CHECK(same_statement(&a, &b));
  teardown();
}

/* Change one part at a time: each must show. */
TEST(every_part_of_a_select_is) {
  static const ldr_order other_order[] = {
      {.field = C_UPDATED, .desc = true}, {.field = C_TENANT}, {.field = C_ID}};
  static const ldr_order ascending[] = {{.field = C_CREATED}, {.field = C_TENANT}, {.field = C_ID}};
  static const ldr_order by_null[] = {
      {.kind = LDR_BY_NULL, .field = C_CREATED, .desc = true}, {.field = C_TENANT}, {.field = C_ID}};
  static const uint16_t swapped[] = {C_ID, C_TENANT};
  const ldr_value after[] = {ldr_time(1), fixture_text("t"), fixture_text("i")};
  ldr_value nulls[] = {ldr_null(), fixture_text("t"), fixture_text("i")};
  const ldr_group column = {.field = C_EMAIL, .name = "mail"};
  ldr_pred p = {.kind = LDR_P_AND};
  ldr_op a, b;
  setup();
  a = fixture_select(customers);
#define SHOWS(change)               \
  do {                              \
    b = a;                          \
    change;                         \
    CHECK(!same_statement(&a, &b)); \
  } while (0)
  SHOWS(b.where = &p);
  SHOWS((b.ncomputed = 1, b.computed = &column));
  SHOWS(b.limit = 1);
  SHOWS(b.offset = 1);
  SHOWS(b.lock = LDR_LOCK_SHARE);
  SHOWS(b.nper = 1);
  SHOWS(b.nout = 1);
  SHOWS(b.out = swapped);
  SHOWS(b.norder = 2);
  SHOWS(b.order = other_order);
  SHOWS(b.order = ascending);
  SHOWS(b.order = by_null);
  SHOWS(b.after = after);
  SHOWS(b.kind = LDR_OP_DELETE);
  a.after = after;
  SHOWS(b.after = nulls);
  teardown();
}

TEST(every_part_of_a_write_is) {
  static const uint16_t swapped[] = {C_ID, C_TENANT};
  const ldr_value v[] = {fixture_text("a"), fixture_text("b"), fixture_text("c"), fixture_text("d")};
  const ldr_set s = {.field = C_EMAIL}, other = {.field = C_TOKEN},
                coalesce = {.field = C_EMAIL, .kind = LDR_SET_COALESCE},
                excluded = {.field = C_EMAIL, .excluded = true};
  ldr_op a, b;
  setup();
  a = fixture_insert(customers, v, 1);
  SHOWS(b.nrows = 2);
  SHOWS(b.cols = swapped);
  SHOWS(b.ncols = 1);
  SHOWS(b.on_conflict = LDR_CONFLICT_SKIP);
  a.on_conflict = LDR_CONFLICT_SKIP;
  SHOWS(b.target = LDR_TARGET_ANY);
  SHOWS(b.target = 0);
  SHOWS((b.nout = 1, b.out = swapped));
  a = fixture_update(customers, &s, 1);
  SHOWS(b.sets = &other);
  SHOWS(b.sets = &coalesce);
  SHOWS(b.sets = &excluded);
  SHOWS(b.nsets = 0);
  teardown();
}

TEST(every_part_of_an_aggregate_is) {
  const ldr_order by_second = {.field = 1};
  ldr_arena arena = {0};
  const ldr_pred all = {.kind = LDR_P_AND};
  const ldr_agg n = {.fn = LDR_AGG_COUNT, .field = -1, .name = "n"},
                m = {.fn = LDR_AGG_COUNT, .field = -1, .name = "m"},
                field = {.fn = LDR_AGG_COUNT, .field = 0, .name = "n"},
                max = {.fn = LDR_AGG_MAX, .field = 0, .name = "n"},
                distinct = {.fn = LDR_AGG_COUNT, .field = 0, .name = "n", .distinct = true},
                filtered = {.fn = LDR_AGG_COUNT, .field = -1, .name = "n", .filter = &all};
  ldr_expr created = {.kind = LDR_X_FIELD, .field = C_CREATED},
           by_day = {.kind = LDR_X_CALL,
                     .fn = LDR_FN_BUCKET,
                     .bucket = LDR_DAY,
                     .n = 1,
                     .args = (const ldr_expr *const[]){&created},
                     .as = {.name = "g"}};
  const ldr_group g = {.field = C_CREATED, .name = "g"},
                  day = {.field = LDR_NO_FIELD, .name = "g", .expr = &by_day},
                  named = {.field = C_CREATED, .name = "h"}, other = {.field = C_UPDATED, .name = "g"};
  ldr_op a, b;
  setup();
  CHECK(ldr_expr_infer(customers, &created) == NULL && ldr_expr_infer(customers, &by_day) == NULL);
  a = fixture_aggregate(customers, &n, 1, &g, 1);
  SHOWS(b.aggs = &m);
  SHOWS(b.aggs = &field);
  SHOWS(b.aggs = &max);
  SHOWS(b.aggs = &filtered);
  a.aggs = &field;
  SHOWS(b.aggs = &distinct);
  SHOWS(b.naggs = 0);
  SHOWS(b.groups = &day);
  SHOWS(b.groups = &named);
  SHOWS(b.groups = &other);
  SHOWS(b.ngroups = 0);
  a.result = ldr_op_result(&a, &arena);
  SHOWS(b.having = &all);
  SHOWS((b.norder = 1, b.order = &by_second));
  ldr_arena_free(&arena);
  teardown();
}

TEST(every_part_of_a_predicate_is) {
  ldr_pred leaf = {.kind = LDR_P_IS_NULL, .field = C_EMAIL},
           other = {.kind = LDR_P_IS_NULL, .field = C_TOKEN};
  const ldr_pred *two[] = {&leaf, &leaf}, *mixed[] = {&leaf, &other};
  ldr_pred p, q, inside;
  const ldr_pred *nest[] = {&inside};
  ldr_op a, b;
  setup();
  a = b = fixture_select(customers);
  a.where = &p;
  b.where = &q;
#define DIFFER(left, right)         \
  do {                              \
    p = left;                       \
    q = right;                      \
    CHECK(!same_statement(&a, &b)); \
  } while (0)
#define TREE(k, count, list) ((ldr_pred){.kind = k, .n = count, .kids = list})
#define JOIN(i, o, in) \
  ((ldr_pred){.kind = LDR_P_EXISTS, .n = 1, .kids = two, .inner = in, .non = 1, .on = {{i, o}}})
  DIFFER(leaf, other);
  DIFFER(leaf, ((ldr_pred){.kind = LDR_P_EQ, .field = C_EMAIL, .n = 1}));
  DIFFER(TREE(LDR_P_AND, 2, two), TREE(LDR_P_OR, 2, two));
  DIFFER(TREE(LDR_P_AND, 2, two), TREE(LDR_P_AND, 1, two));
  DIFFER(TREE(LDR_P_AND, 2, two), TREE(LDR_P_AND, 2, mixed));
  p = TREE(LDR_P_AND, 2, two);
  q = TREE(LDR_P_AND, 1, nest);
  inside = TREE(LDR_P_AND, 2, two);
  CHECK(same_statement(&a, &b)); /* one condition, said in two ways */
  DIFFER(JOIN(0, 0, orders), JOIN(0, 0, customers));
  DIFFER(JOIN(0, 0, orders), JOIN(1, 0, orders));
  DIFFER(JOIN(0, 0, orders), JOIN(0, 1, orders));
  teardown();
}

/* ---- operations that are found by their shape ---- */

static bool same_params(const ldr_buf *a, const ldr_buf *b) {
  const ldr_param *x = (const ldr_param *)(const void *)a->p, *y = (const ldr_param *)(const void *)b->p;
  if (a->n != b->n || a->n == 0) return false;
  for (size_t i = 0; i < a->n / sizeof *x; i++)
    if (x[i].type != y[i].type || x[i].array != y[i].array || x[i].is_array_value != y[i].is_array_value ||
        x[i].n != y[i].n || x[i].stride != y[i].stride || x[i].v != y[i].v)
      return false;
  return true;
}

/* The second time it is found without its text, which must make no difference. */
static bool found_alike(const ldr_op *op) {
  ldr_buf made = {0}, found = {0};
  ldr_stmt *first = NULL, *second = NULL;
  ldr_shape shape;
  ldr_stmts c;
  bool alike;
  ldr_shape_read(op, &shape);
  CHECK(ldr_stmts_init(&c));
  CHECK_INT(ldr_stmts_op(&c, op, &made, &first, &err), LDR_OK);
  CHECK(shape.n > 0 && ldr_shapes_find(&c.simple, &shape) == first);
  CHECK_INT(ldr_stmts_op(&c, op, &found, &second, &err), LDR_OK);
  alike = first == second && same_params(&made, &found);
  ldr_stmts_forget(&c, first);
  CHECK(ldr_shapes_find(&c.simple, &shape) == NULL);
  ldr_stmt_release(first);
  ldr_stmt_release(second);
  ldr_stmts_done(&c);
  ldr_buf_free(&made);
  ldr_buf_free(&found);
  return alike;
}

static ldr_op by_key(ldr_op op, const ldr_pred *where) {
  op.where = where;
  op.norder = 0;
  return op;
}

TEST(a_simple_operation_is_found_by_its_shape) {
  static const uint16_t cols[] = {C_TENANT, C_ID, C_TAGS, C_SETTINGS};
  const ldr_value v[] = {fixture_text("a"), fixture_text("b"), fixture_tags(), ldr_null()};
  const ldr_pred tenant = {.kind = LDR_P_EQ, .field = C_TENANT, .n = 1, .values = &v[0]},
                 id = {.kind = LDR_P_EQ, .field = C_ID, .n = 1, .values = &v[1]};
  const ldr_pred *kids[] = {&tenant, &id};
  const ldr_pred key = {.kind = LDR_P_AND, .n = 2, .kids = kids};
  const ldr_set sets[] = {{.field = C_TAGS, .value = v[2]}, {.field = C_EMAIL, .value = v[3]}};
  ldr_op a, b;
  setup();
  a = by_key(fixture_select(customers), &key);
  CHECK(found_alike(&a));
  SHOWS(b.where = &id);
  SHOWS(b.nout = 1);
  SHOWS(b.lock = LDR_LOCK_UPDATE);
  SHOWS(b.limit = 1);
  SHOWS(b.offset = 1);
  SHOWS((b.norder = 3, b.order = fixture_order));
  SHOWS(b.kind = LDR_OP_DELETE);
  SHOWS(b.kind = LDR_OP_COUNT);
  a.kind = LDR_OP_DELETE;
  CHECK(found_alike(&a));
  a = by_key(fixture_update(customers, sets, 2), &key);
  CHECK(found_alike(&a));
  SHOWS(b.nsets = 1);
  SHOWS((b.nsets = 1, b.sets = &sets[1]));
  SHOWS(b.where = &tenant);
  SHOWS((b.nout = 1, b.out = fixture_out));
  a = fixture_insert(customers, v, 1);
  a.cols = cols;
  a.ncols = 4;
  CHECK(found_alike(&a));
  SHOWS(b.ncols = 3);
  SHOWS(b.nrows = 2);
  SHOWS(b.on_conflict = LDR_CONFLICT_SKIP);
  teardown();
}

static unsigned shapes_found(ldr_shapes *t, ldr_stmt *stmts, unsigned n) {
  unsigned found = 0;
  for (unsigned i = 0; i < n; i++) {
    const ldr_shape shape = {.n = 1, .number = {(uint16_t)i}};
    const ldr_stmt *s = ldr_shapes_find(t, &shape);
    CHECK(s == NULL || s == &stmts[i]);
    found += s != NULL;
  }
  return found;
}

TEST(shapes_that_meet_in_a_set_are_all_kept) {
  enum { ALL = LDR_SHAPE_SETS * LDR_SHAPE_WAYS };
  ldr_shapes *t = ldr_alloc(sizeof *t);
  ldr_stmt *stmts = ldr_alloc((ALL + 1) * sizeof *stmts), *out = NULL;
  CHECK(t && stmts);
  for (unsigned i = 0; i <= ALL; i++) { /* consecutive numbers fill one set after the other */
    const ldr_shape shape = {.n = 1, .number = {(uint16_t)i}};
    CHECK_INT(shapes_found(t, stmts, ALL + 1), i);
    out = ldr_shapes_put(t, &shape, &stmts[i]);
    CHECK((out == NULL) == (i < ALL));
  }
  CHECK_INT(shapes_found(t, stmts, ALL + 1), ALL);
  CHECK(out != NULL && out != &stmts[ALL]);
  ldr_free(t);
  ldr_free(stmts);
}

/* More statements than the cache holds, none of which has a shape; the hot one is asked for among them. */
static void ask_among_many(ldr_stmts *c, const ldr_op *hot, unsigned every) {
  ldr_op cold = fixture_select(customers);
  uint16_t out[4];
  cold.out = out;
  cold.nout = 4;
  for (unsigned i = 0; i < 1296; i++) {
    for (unsigned k = 0, n = i; k < 4; k++, n /= 6) out[k] = (uint16_t)(n % 6);
    ldr_stmt_release(statement_of(c, &cold));
    if (every && i % every == 0) ldr_stmt_release(statement_of(c, hot));
  }
}

TEST(what_is_found_by_its_shape_counts_as_used) {
  const ldr_value v = fixture_text("a");
  const ldr_pred id = {.kind = LDR_P_EQ, .field = C_ID, .n = 1, .values = &v};
  ldr_stmts c;
  ldr_stmt *first, *again;
  ldr_shape shape;
  ldr_op hot;
  setup();
  CHECK(ldr_stmts_init(&c));
  hot = by_key(fixture_select(customers), &id);
  ldr_shape_read(&hot, &shape);
  first = statement_of(&c, &hot);
  ask_among_many(&c, &hot, 100);
  CHECK(first->cached && ldr_shapes_find(&c.simple, &shape) == first);
  ldr_stmt_release(ldr_shapes_take(&c.simple, first)); /* as when another one took its place */
  again = statement_of(&c, &hot);
  CHECK(again == first); /* what was learned about it is kept */
  ldr_stmt_release(again);
  ask_among_many(&c, &hot, 0);
  CHECK(!first->cached && ldr_shapes_find(&c.simple, &shape) == NULL); /* a cold one goes whole */
  ldr_stmt_release(first);
  ldr_stmts_done(&c);
  teardown();
}

static bool is_simple(const ldr_op *op) {
  ldr_shape shape;
  ldr_shape_read(op, &shape);
  return shape.n > 0;
}

TEST(what_stands_in_the_text_is_in_no_shape) {
  const ldr_value name = fixture_text("name");
  const ldr_expr path = {
      .kind = LDR_X_PATH, .field = C_SETTINGS, .n = 1, .values = &name, .as = {.type = LDR_F_TEXT}};
  const ldr_pred inside = {.kind = LDR_P_EQ, .field = LDR_NO_FIELD, .expr = &path, .n = 1, .values = &name},
                 like = {.kind = LDR_P_LIKE, .field = C_EMAIL, .n = 1, .values = &name},
                 nested = {.kind = LDR_P_AND, .n = 1, .kids = (const ldr_pred *[]){&like}},
                 nothing = {.kind = LDR_P_AND};
  const ldr_set added = {.field = C_VISITS, .kind = LDR_SET_INCREMENT, .value = ldr_int(1)};
  ldr_op op;
  setup();
  op = by_key(fixture_select(customers), &inside);
  CHECK(!is_simple(&op));
  op.where = &like;
  CHECK(!is_simple(&op));
  op.where = &nested;
  CHECK(!is_simple(&op));
  op.where = &nothing;
  CHECK(!is_simple(&op));
  op.where = NULL;
  CHECK(!is_simple(&op));
  op = fixture_update(customers, &added, 1);
  CHECK(!is_simple(&op));
  teardown();
}

/* A statement with what it needs so that no row comes back. */
static ldr_stmt *needing_given(ldr_stmts *c, const ldr_op *op, bool in_tx) {
  ldr_buf params = {0};
  ldr_stmt *s = NULL;
  CHECK_INT(ldr_stmts_op(c, op, &params, &s, &err), LDR_OK);
  CHECK_INT(ldr_stmts_need_given(c, op, &params, in_tx, s, &err), LDR_OK);
  ldr_buf_free(&params);
  return s;
}

static bool has_given(const ldr_op *op) {
  ldr_stmts cache;
  ldr_stmt *s;
  bool has;
  CHECK(ldr_stmts_init(&cache));
  s = needing_given(&cache, op, false);
  has = s->given != NULL;
  ldr_stmt_release(s);
  ldr_stmts_done(&cache);
  return has;
}

static const uint16_t three[] = {C_ID, C_TENANT, C_EMAIL};

static ldr_op insert_of(const ldr_value *v, size_t nrows) {
  ldr_op op = fixture_insert(customers, v, nrows);
  op.out = three;
  op.nout = 2; /* the third is not given */
  return op;
}

TEST(an_insert_of_several_rows_that_returns_what_it_gives_has_one_that_returns_nothing) {
  const ldr_value v[] = {fixture_text("acme"), fixture_text("c1"), fixture_text("acme"), fixture_text("c2")};
  ldr_stmts cache;
  ldr_stmt *s;
  ldr_op op;
  setup();
  CHECK(ldr_stmts_init(&cache));
  op = insert_of(v, 2);
  s = needing_given(&cache, &op, true);
  CHECK(s->given && s->given->many && s->given->guarded);
  CHECK(s->given->in_tx == NULL && s->given->again == NULL);
  CHECK_INT(s->given->write->ncols, 0);
  CHECK_INT(s->given->write->nparams, 3);
  CHECK(strstr(s->given->write->sql, " where coalesce($3 = 'now'::timestamptz, true)") != NULL);
  CHECK(strstr(s->given->write->sql, "returning") == NULL);
  ldr_stmt_release(s);
  ldr_stmts_done(&cache);
  op.nout = 3;
  CHECK(!has_given(&op));
  op.nout = 0;
  CHECK(!has_given(&op));
  op.nout = 2;
  op.on_conflict = LDR_CONFLICT_SKIP;
  CHECK(!has_given(&op));
  teardown();
}

TEST(what_a_write_needs_so_that_no_row_comes_back_is_made_when_it_is_needed) {
  const ldr_value v[] = {fixture_text("acme"), fixture_text("c1")};
  ldr_stmts cache;
  ldr_stmt *s, *write;
  ldr_op op;
  setup();
  CHECK(ldr_stmts_init(&cache));
  op = insert_of(v, 1);
  s = statement_of(&cache, &op);
  CHECK(s->given == NULL); /* as of an item of a pipeline */
  CHECK(needing_given(&cache, &op, false) == s);
  write = s->given->write;
  CHECK(write && s->given->again && s->given->in_tx == NULL);
  CHECK(needing_given(&cache, &op, true) == s && needing_given(&cache, &op, false) == s);
  CHECK(s->given->in_tx && s->given->write == write);
  for (int i = 0; i < 4; i++) ldr_stmt_release(s);
  ldr_stmts_done(&cache);
  op.nout = 3;
  CHECK(!has_given(&op));
  teardown();
}

void test_statement(void);
void test_statement(void) {
  RUN(values_are_no_part_of_it);
  RUN(every_part_of_a_select_is);
  RUN(every_part_of_a_write_is);
  RUN(every_part_of_an_aggregate_is);
  RUN(every_part_of_a_predicate_is);
  RUN(a_simple_operation_is_found_by_its_shape);
  RUN(shapes_that_meet_in_a_set_are_all_kept);
  RUN(what_is_found_by_its_shape_counts_as_used);
  RUN(what_stands_in_the_text_is_in_no_shape);
  RUN(an_insert_of_several_rows_that_returns_what_it_gives_has_one_that_returns_nothing);
  RUN(what_a_write_needs_so_that_no_row_comes_back_is_made_when_it_is_needed);
}

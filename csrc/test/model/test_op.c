#include "model/op.h"
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

static bool good(const ldr_op *op) {
  ldr_code code = ldr_op_check(op, &err);
  CHECK(code == LDR_OK || code == LDR_INVALID);
  return code == LDR_OK;
}

/* ---- init ---- */

TEST(init_turns_all_off) {
  ldr_op op;
  memset(&op, 0xff, sizeof op);
  setup();
  ldr_op_init(&op, LDR_OP_COUNT, customers);
  CHECK(op.kind == LDR_OP_COUNT && op.e == customers);
  CHECK_INT(op.limit, -1);
  CHECK_INT(op.target, -1);
  CHECK_INT(op.nper, 0);
  CHECK_INT(op.per_limit, -1);
  CHECK_INT(op.offset, 0);
  CHECK(op.where == NULL && op.after == NULL && op.nout == 0 && op.lock == LDR_LOCK_NONE);
  CHECK(good(&op));
  teardown();
}

/* ---- predicates ---- */

static bool where_good(ldr_pred p) {
  ldr_op op = fixture_select(customers);
  op.where = &p;
  return good(&op);
}

static bool compare_good(ldr_pred_kind kind, unsigned field, ldr_value v) {
  return where_good((ldr_pred){.kind = kind, .field = (uint16_t)field, .n = 1, .values = &v});
}

TEST(comparisons) {
  setup();
  CHECK(compare_good(LDR_P_EQ, C_EMAIL, fixture_text("x")));
  CHECK(!compare_good(LDR_P_EQ, C_EMAIL, ldr_int(1)));
  CHECK(!compare_good(LDR_P_EQ, C_EMAIL, ldr_null()));
  CHECK(!compare_good(LDR_P_EQ, C_EMAIL, fixture_text("\xff")));
  CHECK(!compare_good(LDR_P_EQ, C_COUNT, fixture_text("x")));
  CHECK(compare_good(LDR_P_NE, C_VISITS, ldr_int(INT32_MIN)));
  CHECK(!compare_good(LDR_P_NE, C_VISITS, ldr_int(INT64_MIN)));
  CHECK(compare_good(LDR_P_EQ, C_SETTINGS, fixture_json("{}")));
  CHECK(compare_good(LDR_P_EQ, C_TAGS, fixture_tags()));
  CHECK(!compare_good(LDR_P_GE, C_SETTINGS, fixture_json("{}")));
  CHECK(!compare_good(LDR_P_LT, C_TAGS, fixture_tags()));
  CHECK(compare_good(LDR_P_GT, C_CREATED, ldr_time(0)));
  CHECK(compare_good(LDR_P_ILIKE, C_EMAIL, fixture_text("a%")));
  CHECK(!compare_good(LDR_P_LIKE, C_VISITS, fixture_text("1%")));
  CHECK(!compare_good(LDR_P_LIKE, C_EMAIL, ldr_int(1)));
  CHECK(compare_good(LDR_P_CONTAINS, C_SETTINGS, fixture_json("[]")));
  CHECK(compare_good(LDR_P_CONTAINS, C_TAGS, fixture_tags()));
  CHECK(!compare_good(LDR_P_CONTAINS, C_EMAIL, fixture_text("a")));
  CHECK(!compare_good(LDR_P_CONTAINS, C_SETTINGS, fixture_json("[")));
  CHECK(compare_good(LDR_P_HAS_KEY, C_SETTINGS, fixture_text("k")));
  CHECK(!compare_good(LDR_P_HAS_KEY, C_TAGS, fixture_text("k")));
  CHECK(!compare_good((ldr_pred_kind)99, C_EMAIL, fixture_text("x")));
  CHECK(where_good((ldr_pred){.kind = LDR_P_IS_NULL, .field = C_SETTINGS}));
  CHECK(!where_good((ldr_pred){.kind = LDR_P_EQ, .field = C_EMAIL}));
  teardown();
}

TEST(json_has_no_equality) {
  ldr_value v = fixture_json("{}");
  ldr_pred p = {.kind = LDR_P_EQ, .field = O_NOTE, .n = 1, .values = &v};
  ldr_op op;
  setup();
  ldr_op_init(&op, LDR_OP_COUNT, orders);
  op.where = &p;
  CHECK(!good(&op));
  p.kind = LDR_P_IN;
  CHECK(!good(&op));
  p.kind = LDR_P_CONTAINS;
  CHECK(!good(&op));
  p.kind = LDR_P_IS_NULL;
  CHECK(good(&op));
  teardown();
}

TEST(lists) {
  const ldr_value texts[] = {fixture_text("a"), fixture_text("b"), fixture_text("c"), ldr_null()};
  ldr_pred in = {.kind = LDR_P_IN, .field = C_EMAIL, .n = 3, .values = texts};
  ldr_pred keys = {.kind = LDR_P_KEYS, .n = 1, .values = texts};
  setup();
  CHECK(where_good(in));
  in.n = 4;
  CHECK(!where_good(in));
  in.n = 0;
  in.values = NULL;
  CHECK(where_good(in));
  in.n = 1;
  CHECK(!where_good(in));
  CHECK(where_good(keys));
  keys.n = 2; /* the second row ends in the null */
  CHECK(!where_good(keys));
  keys.n = 0;
  CHECK(where_good(keys));
  teardown();
}

TEST(trees) {
  ldr_value v = fixture_text("x");
  ldr_pred leaf = {.kind = LDR_P_EQ, .field = C_EMAIL, .n = 1, .values = &v}, chain[80];
  const ldr_pred *one[] = {&leaf}, *torn[] = {&leaf, NULL}, *next[80];
  setup();
  CHECK(where_good((ldr_pred){.kind = LDR_P_AND}));
  CHECK(where_good((ldr_pred){.kind = LDR_P_OR, .n = 1, .kids = one}));
  CHECK(where_good((ldr_pred){.kind = LDR_P_NOT, .n = 1, .kids = one}));
  CHECK(!where_good((ldr_pred){.kind = LDR_P_NOT}));
  CHECK(!where_good((ldr_pred){.kind = LDR_P_AND, .n = 2, .kids = torn}));
  CHECK(!where_good((ldr_pred){.kind = LDR_P_AND, .n = 2}));
  for (int i = 0; i < 80; i++) {
    next[i] = i ? &chain[i - 1] : &leaf;
    chain[i] = (ldr_pred){.kind = LDR_P_NOT, .n = 1, .kids = &next[i]};
  }
  CHECK(where_good(chain[60]));
  CHECK(!where_good(chain[79]));
  teardown();
}

TEST(semi_joins) {
  ldr_value note = fixture_json("1"), id = ldr_int(1);
  ldr_pred is_null = {.kind = LDR_P_IS_NULL, .field = O_NOTE};
  ldr_pred by_id = {.kind = LDR_P_EQ, .field = O_ID, .n = 1, .values = &id};
  ldr_pred by_note = {.kind = LDR_P_EQ, .field = O_NOTE, .n = 1, .values = &note};
  const ldr_pred *kids[] = {&is_null};
  ldr_pred p = {.kind = LDR_P_EXISTS, .n = 1, .kids = kids, .non = 1, .on = {{O_CUSTOMER, C_ID}}};
  ldr_schema *other = fixture_schema(&err);
  setup();
  CHECK(!where_good(p));
  p.inner = other->entities[1]; /* of another family */
  CHECK(!where_good(p));
  p.inner = orders;
  CHECK(where_good(p));
  kids[0] = &by_id;
  CHECK(where_good(p));
  kids[0] = &by_note; /* checked against the inner store */
  CHECK(!where_good(p));
  kids[0] = &is_null;
  p.on[0].inner = O_ID;
  CHECK(!where_good(p));
  p.on[0].inner = O_COUNT;
  CHECK(!where_good(p));
  p.on[0].inner = O_CUSTOMER;
  p.non = 0;
  CHECK(!where_good(p));
  p.non = 9;
  CHECK(!where_good(p));
  p.non = 1;
  p.n = 0;
  CHECK(!where_good(p));
  ldr_schema_release(other);
  teardown();
}

/* ---- expressions ---- */

static bool expr_good(const ldr_expr *x) {
  return where_good((ldr_pred){.kind = LDR_P_IS_NULL, .field = LDR_NO_FIELD, .expr = x});
}

/* fn(field, field) of the type that it has */
static bool call_good(ldr_fn fn, unsigned a, unsigned b, unsigned n, ldr_ftype type) {
  ldr_expr x = {.kind = LDR_X_FIELD, .field = (uint16_t)a}, y = {.kind = LDR_X_FIELD, .field = (uint16_t)b};
  const ldr_expr *args[] = {&x, &y};
  ldr_expr call = {
      .kind = LDR_X_CALL, .fn = fn, .n = n, .args = args, .bucket = LDR_DAY, .as = {.name = "x"}};
  CHECK(ldr_expr_infer(customers, &x) == NULL && ldr_expr_infer(customers, &y) == NULL);
  call.as.type = type;
  call.as.value_type = ldr_ftype_get(type)->type;
  return expr_good(&call);
}

TEST(expressions) {
  ldr_value v = ldr_int(1);
  ldr_expr x = {.kind = LDR_X_VALUE, .values = &v, .as = {.name = "v", .type = LDR_F_INT8}}, deep[20];
  const ldr_expr *next[20];
  setup();
  CHECK(call_good(LDR_FN_LOWER, C_EMAIL, 0, 1, LDR_F_TEXT));
  CHECK(!call_good(LDR_FN_LOWER, C_EMAIL, 0, 1, LDR_F_INT8)); /* not what it says */
  CHECK(!call_good(LDR_FN_LOWER, C_EMAIL, C_EMAIL, 2, LDR_F_TEXT));
  CHECK(!call_good(LDR_FN_UPPER, C_VISITS, 0, 1, LDR_F_TEXT));
  CHECK(call_good(LDR_FN_LENGTH, C_EMAIL, 0, 1, LDR_F_INT8));
  CHECK(call_good(LDR_FN_ABS, C_VISITS, 0, 1, LDR_F_INT8));
  CHECK(call_good(LDR_FN_ADD, C_VISITS, C_BALANCE, 2, LDR_F_NUMERIC));
  CHECK(!call_good(LDR_FN_ADD, C_VISITS, C_EMAIL, 2, LDR_F_NUMERIC));
  CHECK(!call_good(LDR_FN_ADD, C_VISITS, 0, 1, LDR_F_INT8));
  CHECK(call_good(LDR_FN_COALESCE, C_EMAIL, C_ID, 2, LDR_F_TEXT));
  CHECK(!call_good(LDR_FN_COALESCE, C_SETTINGS, C_TAGS, 2, LDR_F_JSONB));
  CHECK(call_good(LDR_FN_BUCKET, C_CREATED, 0, 1, LDR_F_TIMESTAMPTZ));
  CHECK(!call_good(LDR_FN_PART, C_EMAIL, 0, 1, LDR_F_INT8));
  CHECK(!call_good((ldr_fn)77, C_EMAIL, 0, 1, LDR_F_TEXT));
  CHECK(ldr_expr_infer(customers, &x) == NULL);
  CHECK(expr_good(&x));
  for (int i = 0; i < 20; i++) {
    next[i] = i ? &deep[i - 1] : &x;
    deep[i] = (ldr_expr){.kind = LDR_X_CALL, .fn = LDR_FN_ABS, .n = 1, .args = &next[i], .as = {.name = "x"}};
    CHECK(ldr_expr_infer(customers, &deep[i]) == NULL);
  }
  CHECK(!expr_good(&deep[0])); /* of a constant alone */
  x = (ldr_expr){.kind = LDR_X_FIELD, .field = C_VISITS};
  CHECK(ldr_expr_infer(customers, &x) == NULL);
  for (int i = 0; i < 20; i++) CHECK(ldr_expr_infer(customers, &deep[i]) == NULL);
  CHECK(expr_good(&deep[10]));
  CHECK(!expr_good(&deep[19]));
  x.field = C_COUNT;
  CHECK(!expr_good(&x));
  x.field = C_VISITS;
  x.source = &(ldr_row_source){.path = "x"};
  CHECK(!expr_good(&x)); /* without a row */
  teardown();
}

TEST(computed_columns) {
  ldr_expr email = {.kind = LDR_X_FIELD, .field = C_EMAIL};
  ldr_group g[2] = {{.field = LDR_NO_FIELD, .expr = &email, .name = "mail"},
                    {.field = C_VISITS, .name = "n"}};
  ldr_op op;
  setup();
  CHECK(ldr_expr_infer(customers, &email) == NULL);
  op = fixture_select(customers);
  op.computed = g;
  op.ncomputed = 2;
  CHECK(good(&op));
  op.nout = 0;
  CHECK(good(&op));
  op.nout = 2;
  g[1].name = "mail";
  CHECK(!good(&op));
  g[1].name = "id"; /* a field that is there */
  CHECK(!good(&op));
  g[1].name = NULL;
  CHECK(!good(&op));
  g[1].name = "n";
  g[1].field = C_COUNT;
  CHECK(!good(&op));
  g[1].field = C_VISITS;
  op = fixture_update(customers, NULL, 0);
  op.computed = g;
  op.ncomputed = 1;
  CHECK(!good(&op));
  teardown();
}

TEST(related_values_are_of_one_row) {
  ldr_pred any = {.kind = LDR_P_AND};
  const ldr_pred *kids[] = {&any};
  ldr_pred row = {
      .kind = LDR_P_EXISTS, .n = 1, .kids = kids, .non = 2, .on = {{C_TENANT, O_TENANT}, {C_ID, O_CUSTOMER}}};
  ldr_row_source customer = {.path = "customer", .row = &row}, next = {.path = "x", .from = &customer};
  const ldr_row_source *list[] = {&customer, &next};
  ldr_expr x = {.kind = LDR_X_FIELD, .source = &customer, .field = C_EMAIL, .as = {.name = "x"}};
  ldr_pred p = {.kind = LDR_P_IS_NULL, .field = LDR_NO_FIELD, .expr = &x};
  ldr_op op;
  setup();
  op = fixture_select(orders);
  op.norder = 0;
  op.where = &p;
  row.inner = customers;
  customer.e = next.e = customers;
  CHECK(ldr_expr_infer(orders, &x) == NULL);
  CHECK(x.as.type == customers->fields[C_EMAIL].type && x.as.null);
  CHECK(good(&op));
  op.sources = (ldr_row_sources){.n = 1, .list = list};
  CHECK(good(&op));
  op.sources.n = 2;
  CHECK(!good(&op)); /* the second leads nowhere */
  next.row = &(ldr_pred){.kind = LDR_P_EXISTS,
                         .inner = customers,
                         .n = 1,
                         .kids = kids,
                         .non = 2,
                         .on = {{C_TENANT, C_TENANT}, {C_ID, C_EMAIL}}};
  CHECK(good(&op));
  list[0] = &next; /* before the one that leads to it */
  list[1] = &customer;
  CHECK(!good(&op));
  op.sources.list = NULL;
  CHECK(!good(&op));
  op = fixture_select(customers); /* the other way round there are many */
  op.where = &p;
  row.inner = customer.e = orders;
  row.on[1].inner = O_CUSTOMER;
  row.on[1].outer = C_ID;
  x.field = O_NOTE;
  CHECK(ldr_expr_infer(customers, &x) == NULL);
  CHECK(!good(&op));
  teardown();
}

/* ---- selects ---- */

TEST(orders_and_limits) {
  static const ldr_order by_json[] = {{.field = C_SETTINGS}}, by_none[] = {{.field = C_COUNT}},
                         by_null[] = {{.kind = LDR_BY_NULL, .field = C_SETTINGS}};
  ldr_pred p = {.kind = LDR_P_IS_NULL, .field = C_SETTINGS};
  const ldr_pred *ranks[] = {&p};
  ldr_order by_rank = {.kind = LDR_BY_RANK, .nranks = 1, .ranks = ranks};
  ldr_op op;
  setup();
  op = fixture_select(customers);
  CHECK(good(&op));
  op.limit = 0;
  op.offset = 5;
  op.lock = LDR_LOCK_UPDATE_SKIP;
  CHECK(good(&op));
  op.limit = -2;
  CHECK(!good(&op));
  op = fixture_select(customers);
  op.offset = -1;
  CHECK(!good(&op));
  op = fixture_select(customers);
  op.lock = (ldr_lock)9;
  CHECK(!good(&op));
  op = fixture_select(customers);
  op.nout = 0;
  CHECK(!good(&op));
  op = fixture_select(customers);
  op.norder = 1;
  op.order = by_json;
  CHECK(!good(&op));
  op.order = by_none;
  CHECK(!good(&op));
  op.order = by_null;
  CHECK(good(&op));
  op.order = &by_rank;
  CHECK(good(&op));
  by_rank.nranks = 0;
  CHECK(!good(&op));
  op.order = NULL;
  CHECK(!good(&op));
  teardown();
}

TEST(keysets) {
  static const ldr_order partial[] = {{.field = C_CREATED}, {.field = C_ID}, {.field = C_ID}},
                         by_null[] = {{.kind = LDR_BY_NULL, .field = C_DELETED},
                                      {.field = C_TENANT},
                                      {.field = C_ID}},
                         nullable[] = {{.field = C_DELETED}, {.field = C_ID}, {.field = C_TENANT}};
  ldr_value after[] = {ldr_time(1), fixture_text("t"), fixture_text("i")};
  ldr_op op;
  setup();
  op = fixture_select(customers);
  op.after = after;
  CHECK(good(&op));
  after[0] = ldr_int(1);
  CHECK(!good(&op));
  after[0] = ldr_null(); /* created_at is never null */
  CHECK(!good(&op));
  op.order = nullable;
  CHECK(good(&op));
  after[0] = ldr_time(1);
  op.order = partial;
  CHECK(!good(&op));
  op.order = by_null;
  CHECK(!good(&op));
  op.norder = 0;
  CHECK(!good(&op));
  teardown();
}

TEST(limits_per_value) {
  ldr_value after[] = {ldr_time(1), fixture_text("t"), fixture_text("i")};
  ldr_op op;
  setup();
  op = fixture_select(customers);
  op.per_limit = 3;
  CHECK(!good(&op)); /* of what? */
  op.nper = 1;
  op.per[0] = C_TENANT;
  CHECK(good(&op));
  op.nper = 2;
  op.per[1] = C_ID;
  CHECK(good(&op));
  op.per[1] = C_TENANT;
  CHECK(!good(&op));
  op.nper = 1;
  op.after = after;
  CHECK(!good(&op));
  op.after = NULL;
  op.lock = LDR_LOCK_UPDATE;
  CHECK(!good(&op));
  op.lock = LDR_LOCK_NONE;
  op.per[0] = C_SETTINGS;
  CHECK(!good(&op));
  op.per[0] = C_COUNT;
  CHECK(!good(&op));
  op.per[0] = C_ID;
  op.per_limit = -1;
  CHECK(good(&op));
  op.per_limit = -2;
  CHECK(!good(&op));
  op.per_limit = 1;
  op.per_offset = -1;
  CHECK(!good(&op));
  teardown();
}

/* ---- writes ---- */

TEST(inserts) {
  static const uint16_t twice[] = {C_ID, C_ID}, beyond[] = {C_ID, C_COUNT};
  const ldr_value values[] = {fixture_text("a"), fixture_text("b"), fixture_text("a"), ldr_null()};
  const ldr_value wrong[] = {fixture_text("a"), ldr_int(1)};
  ldr_op op;
  setup();
  op = fixture_insert(customers, values, 2); /* a null is for the engine to refuse: it may be an identity */
  CHECK(good(&op));
  op.on_conflict = LDR_CONFLICT_SKIP;
  op.target = 0;
  CHECK(good(&op));
  op.target = 1;
  CHECK(!good(&op));
  op.target = LDR_TARGET_ANY;
  CHECK(good(&op));
  op.on_conflict = LDR_CONFLICT_UPDATE; /* which of them, then? */
  CHECK(!good(&op));
  op.target = LDR_TARGET_ANY - 1;
  CHECK(!good(&op));
  op = fixture_insert(customers, values, 0);
  CHECK(!good(&op));
  op = fixture_insert(customers, wrong, 1);
  CHECK(!good(&op));
  op = fixture_insert(customers, values, 1);
  op.cols = twice;
  CHECK(!good(&op));
  op.cols = beyond;
  CHECK(!good(&op));
  op.ncols = 0;
  CHECK(!good(&op));
  op = fixture_insert(customers, values, 1);
  op.on_conflict = (ldr_conflict)7;
  CHECK(!good(&op));
  op.on_conflict = LDR_CONFLICT_UPDATE; /* of nothing: the row is found and returned */
  CHECK(good(&op));
  op = fixture_insert(customers, values, 1);
  op.lock = LDR_LOCK_UPDATE;
  CHECK(!good(&op));
  op = fixture_insert(customers, values, 1);
  op.limit = 1;
  CHECK(!good(&op));
  teardown();
}

TEST(sets) {
  const ldr_value values[] = {fixture_text("a"), fixture_text("b")};
  ldr_set s[2] = {{.field = C_EMAIL, .value = {.type = LDR_T_TEXT, .n = 1, .u.p = "x"}}};
  ldr_op op;
  setup();
  op = fixture_update(customers, s, 1);
  CHECK(good(&op));
  s[0].value = ldr_null();
  CHECK(good(&op));
  s[0].value = ldr_int(1);
  CHECK(!good(&op));
  s[0].kind = LDR_SET_DEFAULT;
  CHECK(good(&op));
  s[0].field = C_COUNT;
  CHECK(!good(&op));
  s[0] = (ldr_set){.field = C_ID, .value = fixture_text("x")};
  CHECK(!good(&op));
  CHECK_STR(err.message, "id cannot be changed");
  s[0].field = C_REF;
  CHECK(!good(&op));
  s[0] = s[1] = (ldr_set){.field = C_DELETED};
  op.nsets = 2;
  CHECK(!good(&op));
  op.nsets = 0;
  CHECK(good(&op));
  s[0] = (ldr_set){.field = C_EMAIL, .excluded = true};
  op.nsets = 1;
  CHECK(!good(&op)); /* an update proposes no row */
  op = fixture_insert(customers, values, 1);
  op.nsets = 1;
  op.sets = s;
  CHECK(!good(&op));
  op.on_conflict = LDR_CONFLICT_UPDATE;
  CHECK(good(&op));
  s[0].kind = LDR_SET_DEFAULT;
  CHECK(!good(&op));
  s[0] = (ldr_set){.field = C_SETTINGS, .kind = LDR_SET_MERGE, .value = fixture_json("[]")};
  CHECK(!good(&op));
  s[0].kind = LDR_SET_APPEND;
  CHECK(good(&op));
  ldr_op_init(&op, LDR_OP_DELETE, customers);
  CHECK(good(&op));
  op.nsets = 1;
  op.sets = s;
  CHECK(!good(&op));
  teardown();
}

/* ---- aggregates ---- */

static bool agg_good(ldr_agg_fn fn, int field) {
  ldr_agg a = {.fn = fn, .field = field, .name = "x"};
  ldr_op op = fixture_aggregate(customers, &a, 1, NULL, 0);
  return good(&op);
}

TEST(aggregates) {
  ldr_agg a[2] = {{.fn = LDR_AGG_COUNT, .field = -1, .name = "n"},
                  {.fn = LDR_AGG_MAX, .field = C_ID, .name = "m"}};
  ldr_expr created = {.kind = LDR_X_FIELD, .field = C_CREATED},
           day = {.kind = LDR_X_CALL,
                  .fn = LDR_FN_BUCKET,
                  .bucket = LDR_DAY,
                  .n = 1,
                  .args = (const ldr_expr *const[]){&created},
                  .as = {.name = "day"}};
  ldr_group g = {.field = LDR_NO_FIELD, .expr = &day, .name = "day"};
  ldr_pred broken = {.kind = LDR_P_EQ, .field = C_ID};
  ldr_order by_second = {.field = 1};
  ldr_value one = ldr_int(1);
  ldr_arena arena = {0};
  ldr_op op;
  setup();
  CHECK(ldr_expr_infer(customers, &created) == NULL && ldr_expr_infer(customers, &day) == NULL);
  op = fixture_aggregate(customers, a, 2, &g, 1);
  op.limit = 3;
  CHECK(good(&op));
  a[1].name = "day";
  CHECK(!good(&op));
  a[1].name = "a\"b";
  CHECK(!good(&op));
  a[1].name = NULL;
  CHECK(!good(&op));
  a[1].name = "m";
  a[1].filter = &broken;
  CHECK(!good(&op));
  a[1].filter = NULL;
  created.field = C_EMAIL;
  CHECK(!good(&op));
  g = (ldr_group){.field = C_EMAIL, .name = "day"};
  CHECK(good(&op));
  g.field = C_SETTINGS;
  CHECK(!good(&op));
  op = fixture_aggregate(customers, NULL, 0, &g, 1);
  g.field = C_EMAIL;
  CHECK(good(&op));
  op.ngroups = 0;
  CHECK(!good(&op));
  a[0].distinct = true;
  op = fixture_aggregate(customers, a, 2, NULL, 0);
  CHECK(!good(&op)); /* of what? */
  a[0].field = C_SETTINGS;
  CHECK(!good(&op));
  a[0].field = C_EMAIL;
  CHECK(good(&op));
  op.norder = 1;
  op.order = &by_second;
  CHECK(!good(&op)); /* its result is not described */
  op.result = ldr_op_result(&op, &arena);
  CHECK(good(&op));
  by_second.field = 2;
  CHECK(!good(&op));
  op.norder = 0;
  op.having = &broken;
  broken.field = 2;
  broken.n = 1;
  broken.values = &one;
  CHECK(!good(&op));
  broken.field = 0;
  CHECK(good(&op));
  broken.kind = LDR_P_KEYS; /* a result has no key */
  CHECK(!good(&op));
  ldr_arena_free(&arena);
  CHECK(agg_good(LDR_AGG_COUNT, C_SETTINGS));
  CHECK(agg_good(LDR_AGG_SUM, C_BALANCE));
  CHECK(agg_good(LDR_AGG_AVG, C_VISITS));
  CHECK(agg_good(LDR_AGG_MIN, C_CREATED));
  CHECK(!agg_good(LDR_AGG_SUM, -1));
  CHECK(!agg_good(LDR_AGG_SUM, C_EMAIL));
  CHECK(!agg_good(LDR_AGG_MIN, C_REF));
  CHECK(!agg_good(LDR_AGG_MIN, C_SETTINGS));
  CHECK(!agg_good(LDR_AGG_SUM, C_COUNT));
  CHECK(!agg_good((ldr_agg_fn)9, C_VISITS));
  teardown();
}

TEST(parts_of_other_operations) {
  ldr_agg a = {.fn = LDR_AGG_COUNT, .field = -1, .name = "n"};
  ldr_op op;
  setup();
  op = fixture_select(customers);
  op.naggs = 1;
  op.aggs = &a;
  CHECK(!good(&op));
  op = fixture_aggregate(customers, &a, 1, NULL, 0);
  op.nout = 1;
  op.out = fixture_out;
  CHECK(!good(&op));
  op = fixture_aggregate(customers, &a, 1, NULL, 0);
  op.norder = 1;
  op.order = fixture_order;
  CHECK(!good(&op));
  op = fixture_select(customers);
  op.kind = (ldr_op_kind)77;
  CHECK(!good(&op));
  op = fixture_select(customers);
  op.e = NULL;
  CHECK(!good(&op));
  teardown();
}

/* ---- memory runs out ---- */

static bool check_all_of_it(void) {
  const ldr_value v = fixture_json("{\"a\\n\": [\"\\u00e9\"]}"), n = fixture_numeric("1.5");
  const ldr_pred p = {.kind = LDR_P_EQ, .field = C_SETTINGS, .n = 1, .values = &v};
  const ldr_pred q = {.kind = LDR_P_EQ, .field = C_BALANCE, .n = 1, .values = &n};
  const ldr_pred *both[] = {&p, &q};
  const ldr_pred all = {.kind = LDR_P_AND, .n = 2, .kids = both};
  ldr_op op = fixture_select(customers);
  ldr_code code;
  op.where = &all;
  code = ldr_op_check(&op, &err);
  if (code != LDR_OK) CHECK_INT(code, LDR_CAPACITY);
  return code == LDR_OK;
}

TEST(memory_runs_out) {
  setup();
  test_oom("check_all_of_it", check_all_of_it);
  teardown();
}

void test_op(void);
void test_op(void) {
  RUN(init_turns_all_off);
  RUN(comparisons);
  RUN(json_has_no_equality);
  RUN(lists);
  RUN(trees);
  RUN(semi_joins);
  RUN(expressions);
  RUN(computed_columns);
  RUN(related_values_are_of_one_row);
  RUN(orders_and_limits);
  RUN(keysets);
  RUN(limits_per_value);
  RUN(inserts);
  RUN(sets);
  RUN(aggregates);
  RUN(parts_of_other_operations);
  RUN(memory_runs_out);
}

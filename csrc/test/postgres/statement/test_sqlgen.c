/* Golden statements: selects, pages, aggregates, and what stands around statements. */
#include "support/sqlfix.h"

/* ---- select ---- */

TEST(selects) {
  ldr_op op = select_id(NULL);
  GOLD(&op, "select t.\"id\" from \"shop\".\"users\" as t", "");
  OUT(&op, TENANT, ID, DOC);
  op.where = PRED(LDR_P_EQ, TENANT, txt("acme"));
  ORDER(&op, DOWN(CREATED), UP(ID));
  op.limit = 50;
  op.offset = 100;
  GOLD(&op,
       "select t.\"tenant_id\", t.\"id\", t.\"doc\" from \"shop\".\"users\" as t where t.\"tenant_id\" = $1"
       " order by t.\"created_at\" desc, t.\"id\" collate \"C\" limit $2 offset $3",
       "text=acme, int8=50, int8=100");
  op.limit = 0;
  op.offset = 0;
  GOLD(&op,
       "select t.\"tenant_id\", t.\"id\", t.\"doc\" from \"shop\".\"users\" as t where t.\"tenant_id\" = $1"
       " order by t.\"created_at\" desc, t.\"id\" collate \"C\" limit $2",
       "text=acme, int8=0");
}

TEST(orders_by_rank_and_null) {
  const ldr_pred *ranks[] = {PRED(LDR_P_EQ, NICK, txt("x")),
                             JOIN(LDR_P_OR, NONE(LDR_P_IS_NULL, NICK), PRED(LDR_P_EQ, AGE, ldr_int(1)))};
  ldr_op op = select_id(NULL);
  ORDER(&op, (ldr_order){.kind = LDR_BY_RANK, .nranks = 2, .ranks = ranks},
        (ldr_order){.kind = LDR_BY_NULL, .field = SEEN, .desc = true}, UP(ID));
  GOLD(&op,
       "select t.\"id\" from \"shop\".\"users\" as t order by case when t.\"nick\" = $1 then 0"
       " when (t.\"nick\" is null or t.\"age\" = $2) then 1 else 2 end,"
       " (t.\"seen_at\" is null) desc, t.\"id\" collate \"C\"",
       "text=x, int4=1");
}

TEST(locks) {
  ldr_op op = select_id(NULL);
  op.limit = 1;
  op.lock = LDR_LOCK_UPDATE;
  GOLD(&op, "select t.\"id\" from \"shop\".\"users\" as t limit $1 for update", "int8=1");
  op.lock = LDR_LOCK_SHARE;
  GOLD(&op, "select t.\"id\" from \"shop\".\"users\" as t limit $1 for share", "int8=1");
  op.lock = LDR_LOCK_UPDATE_SKIP;
  GOLD(&op, "select t.\"id\" from \"shop\".\"users\" as t limit $1 for update skip locked", "int8=1");
  op.lock = LDR_LOCK_UPDATE_NOWAIT;
  GOLD(&op, "select t.\"id\" from \"shop\".\"users\" as t limit $1 for update nowait", "int8=1");
}

TEST(limit_for_each_parent) {
  ldr_op op = select_id(PRED(LDR_P_IN, NICK, txt("a"), txt("b")));
  op.nper = 1;
  op.per[0] = NICK;
  op.per_limit = 3;
  op.limit = 1000;
  ORDER(&op, DOWN(CREATED), UP(TENANT), UP(ID));
  GOLD(&op,
       "select t.\"id\" from (select t.*, row_number() over (partition by t.\"nick\""
       " order by t.\"created_at\" desc, t.\"tenant_id\" collate \"C\", t.\"id\" collate \"C\") as "
       "\"larder_n\""
       " from \"shop\".\"users\" as t where t.\"nick\" = any($1)) as t where t.\"larder_n\" <= $2"
       " order by t.\"created_at\" desc, t.\"tenant_id\" collate \"C\", t.\"id\" collate \"C\" limit $3",
       "text[]={a,b}, int8=3, int8=1000");
  op.norder = 0;
  op.limit = -1;
  op.nper = 2;
  op.per[1] = TENANT;
  op.per_offset = 2;
  GOLD(&op,
       "select t.\"id\" from (select t.*, row_number() over (partition by t.\"nick\", t.\"tenant_id\")"
       " as \"larder_n\" from \"shop\".\"users\" as t where t.\"nick\" = any($1)) as t"
       " where t.\"larder_n\" > $2 and t.\"larder_n\" <= $3",
       "text[]={a,b}, int8=2, int8=5");
  op.per_limit = -1;
  GOLD(&op,
       "select t.\"id\" from (select t.*, row_number() over (partition by t.\"nick\", t.\"tenant_id\")"
       " as \"larder_n\" from \"shop\".\"users\" as t where t.\"nick\" = any($1)) as t"
       " where t.\"larder_n\" > $2",
       "text[]={a,b}, int8=2");
}

/* The key is an index on tenant_id, id: it leads to the rows of one parent. */
TEST(each_parent_by_an_index) {
  ldr_op op =
      select_id(JOIN(LDR_P_AND, PRED(LDR_P_IN, ID, txt("a"), txt("b")), PRED(LDR_P_EQ, TENANT, txt("t"))));
  op.nper = 1;
  op.per[0] = ID;
  op.per_limit = 3;
  op.per_offset = 1;
  ORDER(&op, DOWN(CREATED));
  GOLD(
      &op,
      "select t.\"id\" from (select distinct * from unnest($1::text[]) as p (\"id\")) as p cross join lateral"
      " (select t.* from \"shop\".\"users\" as t where (t.\"id\" = p.\"id\" and t.\"tenant_id\" = $2)"
      " order by t.\"created_at\" desc limit $3 offset $4) as t order by t.\"created_at\" desc",
      "text[]={a,b}, text=t, int8=3, int8=1");
  op.nper = 2;
  op.per[1] = TENANT;
  op.per_limit = -1;
  op.norder = 0;
  op.where =
      &(ldr_pred){.kind = LDR_P_KEYS, .n = 2, .values = VALUES(txt("a"), txt("b"), txt("c"), txt("d"))};
  GOLD(
      &op,
      "select t.\"id\" from (select distinct * from unnest($1::text[], $2::text[])"
      " as p (\"tenant_id\", \"id\")) as p cross join lateral (select t.* from \"shop\".\"users\" as t where "
      "t.\"tenant_id\" = p.\"tenant_id\" and t.\"id\" = p.\"id\" offset $3) as t",
      "text[]={a,c}, text[]={b,d}, int8=1");
}

/* ---- keyset ---- */

static void check_after_at(int line, ldr_op *op, const ldr_value *after, const char *want,
                           const char *want_order, const char *params) {
  char sql[2048];
  op->after = after;
  snprintf(sql, sizeof sql, "select t.\"id\" from \"shop\".\"users\" as t where %s order by %s", want,
           want_order);
  sql_check_at(__FILE__, line, op, sql, params);
}

#define AFTER(op, values, sql, order, params) check_after_at(__LINE__, op, values, sql, order, params)
#define KEY_UP                                "t.\"tenant_id\" collate \"C\", t.\"id\" collate \"C\""

TEST(keyset_in_one_direction) {
  ldr_op op = select_id(NULL);
  ORDER(&op, UP(TENANT), UP(ID));
  AFTER(&op, VALUES(txt("acme"), txt("u1")),
        "(t.\"tenant_id\" collate \"C\", t.\"id\" collate \"C\") > ($1, $2)", KEY_UP, "text=acme, text=u1");
  ORDER(&op, DOWN(CREATED), DOWN(TENANT), DOWN(ID));
  op.where = JOIN(LDR_P_OR, NONE(LDR_P_IS_NULL, NICK), PRED(LDR_P_EQ, AGE, ldr_int(1)));
  AFTER(&op, VALUES(ldr_time(ldr_time_of_unix(1)), txt("acme"), txt("u1")),
        "(t.\"nick\" is null or t.\"age\" = $1) and"
        " (t.\"created_at\", t.\"tenant_id\" collate \"C\", t.\"id\" collate \"C\") < ($2, $3, $4)",
        "t.\"created_at\" desc, t.\"tenant_id\" collate \"C\" desc, t.\"id\" collate \"C\" desc",
        "int4=1, timestamptz=1970-01-01T00:00:00.000001Z, text=acme, text=u1");
}

TEST(keyset_in_mixed_directions) {
  ldr_op op = select_id(NULL);
  ORDER(&op, DOWN(CREATED), UP(TENANT), UP(ID));
  AFTER(&op, VALUES(ldr_time(ldr_time_of_unix(0)), txt("acme"), txt("u1")),
        "t.\"created_at\" <= $1 and (t.\"created_at\" < $1 or (t.\"created_at\" = $1 and"
        " (t.\"tenant_id\" collate \"C\" > $2 or (t.\"tenant_id\" = $2 and t.\"id\" collate \"C\" > $3))))",
        "t.\"created_at\" desc, " KEY_UP, "timestamptz=1970-01-01T00:00:00.000000Z, text=acme, text=u1");
}

#define KEY_REST \
  "(t.\"tenant_id\" collate \"C\" > $2 or (t.\"tenant_id\" = $2 and t.\"id\" collate \"C\" > $3))"
#define KEY_ALONE \
  "(t.\"tenant_id\" collate \"C\" > $1 or (t.\"tenant_id\" = $1 and t.\"id\" collate \"C\" > $2))"

TEST(keyset_with_nulls) {
  const ldr_value *given = VALUES(ldr_int(5), txt("acme"), txt("u1"));
  const ldr_value *null = VALUES(ldr_null(), txt("acme"), txt("u1"));
  ldr_op op = select_id(NULL);
  ORDER(&op, UP(AGE), UP(TENANT), UP(ID)); /* nulls last */
  AFTER(&op, given,
        "(t.\"age\" >= $1 or t.\"age\" is null) and ((t.\"age\" > $1 or t.\"age\" is null)"
        " or (t.\"age\" = $1 and " KEY_REST "))",
        "t.\"age\", " KEY_UP, "int4=5, text=acme, text=u1");
  AFTER(&op, null, "(false or (t.\"age\" is null and " KEY_ALONE "))", "t.\"age\", " KEY_UP,
        "text=acme, text=u1");
  ORDER(&op, DOWN(AGE), UP(TENANT), UP(ID)); /* nulls first */
  AFTER(&op, given, "t.\"age\" <= $1 and (t.\"age\" < $1 or (t.\"age\" = $1 and " KEY_REST "))",
        "t.\"age\" desc, " KEY_UP, "int4=5, text=acme, text=u1");
  AFTER(&op, null, "(t.\"age\" is not null or (t.\"age\" is null and " KEY_ALONE "))",
        "t.\"age\" desc, " KEY_UP, "text=acme, text=u1");
}

TEST(keyset_over_expressions) {
  const ldr_expr nick = of_field(NICK);
  const ldr_expr x = CALL(LDR_FN_LENGTH, &nick);
  ldr_op op = select_id(NULL);
  ORDER(&op, (ldr_order){.kind = LDR_BY_EXPR, .field = LDR_NO_FIELD, .expr = &x}, UP(TENANT), UP(ID));
  AFTER(&op, VALUES(ldr_int(5), txt("acme"), txt("u1")),
        "((length(t.\"nick\")::bigint > $1 or length(t.\"nick\")::bigint is null)"
        " or (length(t.\"nick\")::bigint = $1 and " KEY_REST "))",
        "length(t.\"nick\")::bigint, " KEY_UP, "int8=5, text=acme, text=u1");
}

TEST(computed_columns) {
  const ldr_expr nick = of_field(NICK);
  const ldr_expr x = CALL(LDR_FN_LENGTH, &nick);
  const ldr_group columns[] = {{.field = LDR_NO_FIELD, .expr = &x, .name = "n"},
                               {.field = AGE, .name = "years"}};
  ldr_op op = select_id(NULL);
  op.computed = columns;
  op.ncomputed = 2;
  GOLD(&op,
       "select t.\"id\", length(t.\"nick\")::bigint as \"n\", t.\"age\" as \"years\" from "
       "\"shop\".\"users\" as t",
       "");
}

/* ---- aggregate ---- */

TEST(aggregates_of_all_rows) {
  static const ldr_agg aggs[] = {
      {.fn = LDR_AGG_COUNT, .field = -1, .name = "n"},
      {.fn = LDR_AGG_COUNT, .field = NICK, .name = "named"},
      {.fn = LDR_AGG_SUM, .field = AGE, .name = "ages"},
      {.fn = LDR_AGG_SUM, .field = SEQ, .name = "seqs"},
      {.fn = LDR_AGG_SUM, .field = SCORE, .name = "scores"},
      {.fn = LDR_AGG_SUM, .field = AMOUNT, .name = "sum"},
      {.fn = LDR_AGG_AVG, .field = AMOUNT, .name = "avg"},
      {.fn = LDR_AGG_MIN, .field = NICK, .name = "min"},
      {.fn = LDR_AGG_MAX, .field = SEEN, .name = "max"},
  };
  ldr_op op = op_of(LDR_OP_AGGREGATE);
  op.aggs = aggs;
  op.naggs = sizeof aggs / sizeof *aggs;
  GOLD(
      &op,
      "select count(*) as \"n\", count(t.\"nick\") as \"named\", coalesce(sum(t.\"age\"), 0)::int8 as "
      "\"ages\","
      " coalesce(sum(t.\"seq\"), 0)::int8 as \"seqs\", coalesce(sum(t.\"score\"::float8), 0) as \"scores\","
      " coalesce(sum(t.\"amount\"), 0) as \"sum\", avg(t.\"amount\")::float8 as \"avg\","
      " min(t.\"nick\" collate \"C\") as \"min\", max(t.\"seen_at\") as \"max\" from \"shop\".\"users\" as t",
      "");
}

TEST(aggregates_of_groups) {
  const ldr_agg aggs[] = {
      {.fn = LDR_AGG_COUNT, .field = -1, .filter = PRED(LDR_P_EQ, ACTIVE, ldr_bool(true)), .name = "active"},
      {.fn = LDR_AGG_SUM, .field = AGE, .filter = PRED(LDR_P_GT, AGE, ldr_int(9)), .name = "ages"},
      {.fn = LDR_AGG_AVG, .field = AGE, .filter = NONE(LDR_P_IS_NULL, NICK), .name = "avg"},
      {.fn = LDR_AGG_MAX, .field = AGE, .filter = NONE(LDR_P_IS_NULL, NICK), .name = "max"},
  };
  const ldr_expr created = of_field(CREATED), seen = of_field(SEEN);
  ldr_expr hour = CALL(LDR_FN_BUCKET, &created), week = CALL(LDR_FN_BUCKET, &seen);
  const ldr_group groups[] = {{.field = NICK, .name = "nick"},
                              {.field = LDR_NO_FIELD, .expr = &hour, .name = "hour"},
                              {.field = LDR_NO_FIELD, .expr = &week, .name = "week"}};
  ldr_op op = op_of(LDR_OP_AGGREGATE);
  hour.bucket = LDR_HOUR;
  op.aggs = aggs;
  op.naggs = 4;
  op.groups = groups;
  op.ngroups = 3;
  op.where = PRED(LDR_P_EQ, TENANT, txt("acme"));
  op.limit = 10;
  op.offset = 5;
  GOLD(
      &op,
      "select t.\"nick\" as \"nick\", date_trunc('hour', t.\"created_at\", 'UTC') as \"hour\","
      " date_trunc('week', t.\"seen_at\", 'UTC') as \"week\", count(*) filter (where t.\"active\" = true) as "
      "\"active\","
      " coalesce(sum(t.\"age\") filter (where t.\"age\" > $1), 0)::int8 as \"ages\","
      " avg(t.\"age\") filter (where t.\"nick\" is null)::float8 as \"avg\","
      " max(t.\"age\") filter (where t.\"nick\" is null) as \"max\" from \"shop\".\"users\" as t"
      " where t.\"tenant_id\" = $2 group by 1, 2, 3 order by t.\"nick\" collate \"C\", 2, 3"
      " limit $3 offset $4",
      "int4=9, text=acme, int8=10, int8=5");
}

TEST(groups_that_are_wanted) {
  const ldr_agg aggs[] = {
      {.fn = LDR_AGG_COUNT, .field = NICK, .name = "names", .distinct = true},
      {.fn = LDR_AGG_SUM, .field = AGE, .name = "ages", .distinct = true},
      {.fn = LDR_AGG_AVG, .field = AGE, .name = "avg", .distinct = true},
  };
  const ldr_group groups[] = {{.field = TENANT, .name = "team"}};
  ldr_order order[] = {{.field = 1, .desc = true}, {.field = 0}};
  ldr_arena arena = {0};
  ldr_op op = op_of(LDR_OP_AGGREGATE);
  op.aggs = aggs;
  op.naggs = 3;
  op.groups = groups;
  op.ngroups = 1;
  op.where = PRED(LDR_P_EQ, ACTIVE, ldr_bool(true));
  op.limit = 10;
  op.result = ldr_op_result(&op, &arena);
  op.having = JOIN(LDR_P_AND, PRED(LDR_P_GT, 1, ldr_int(2)), PRED(LDR_P_LT, 0, txt("x")));
  op.order = order;
  op.norder = 2;
  GOLD(&op,
       "select t.\"team\", t.\"names\", t.\"ages\", t.\"avg\" from (select t.\"tenant_id\" as \"team\","
       " count(distinct t.\"nick\") as \"names\", coalesce(sum(distinct t.\"age\"), 0)::int8 as \"ages\","
       " avg(distinct t.\"age\")::float8 as \"avg\" from \"shop\".\"users\" as t where t.\"active\" = true"
       " group by 1) as t where (t.\"names\" > $1 and t.\"team\" collate \"C\" < $2)"
       " order by t.\"names\" desc, t.\"team\" collate \"C\" limit $3",
       "int8=2, text=x, int8=10");
  ldr_arena_free(&arena);
}

/* ---- columns, copy, names, memory ---- */

static void check_columns_at(int line, const ldr_op *op, const char *want) {
  ldr_buf columns = {0}, got = {0};
  ldr_op_columns(op, &columns);
  for (size_t i = 0; i < columns.n / sizeof(ldr_column); i++) {
    ldr_column c;
    memcpy(&c, columns.p + i * sizeof c, sizeof c);
    ldr_buf_fmt(&got, "%s%s %s%s", i ? ", " : "", c.name, ldr_ftype_get(c.type)->name, c.array ? "[]" : "");
  }
  test_check_str(ldr_buf_cstr(&got), want, __FILE__, line, "columns");
  ldr_buf_free(&columns);
  ldr_buf_free(&got);
}

TEST(columns_of_results) {
  static const ldr_agg aggs[] = {
      {.fn = LDR_AGG_COUNT, .field = NICK, .name = "n"},
      {.fn = LDR_AGG_SUM, .field = AGE, .name = "ages"},
      {.fn = LDR_AGG_SUM, .field = SCORE, .name = "scores"},
      {.fn = LDR_AGG_SUM, .field = AMOUNT, .name = "sum"},
      {.fn = LDR_AGG_AVG, .field = AGE, .name = "avg"},
      {.fn = LDR_AGG_MIN, .field = NICK, .name = "min"},
  };
  const ldr_expr created = of_field(CREATED), day = CALL(LDR_FN_BUCKET, &created);
  const ldr_group groups[] = {{.field = LDR_NO_FIELD, .expr = &day, .name = "day"}};
  ldr_op op = select_id(NULL);
  OUT(&op, ID, TAGS, AMOUNT);
  check_columns_at(__LINE__, &op, "id text, tags text[], amount numeric");
  op = op_of(LDR_OP_COUNT);
  check_columns_at(__LINE__, &op, "count int8");
  op = op_of(LDR_OP_AGGREGATE);
  op.aggs = aggs;
  op.naggs = sizeof aggs / sizeof *aggs;
  op.groups = groups;
  op.ngroups = 1;
  check_columns_at(__LINE__, &op,
                   "day timestamptz, n int8, ages int8, scores float8, sum numeric, avg float8, min text");
}

TEST(copies) {
  ldr_buf sql = {0};
  ldr_sqlgen_copy(orders, true, &sql);
  CHECK_STR(
      ldr_buf_cstr(&sql),
      "copy \"shop\".\"orders\" (\"tenant_id\", \"id\", \"user_id\", \"state\") from stdin (format binary)");
  ldr_buf_reset(&sql);
  ldr_sqlgen_copy(orders, false, &sql);
  CHECK_STR(ldr_buf_cstr(&sql),
            "copy (select \"tenant_id\", \"id\", \"user_id\", \"state\" from \"shop\".\"orders\")"
            " to stdout (format binary)");
  ldr_buf_free(&sql);
}

static bool compiles(void) {
  ldr_buf sql = {0}, params = {0};
  ldr_err err = {0};
  ldr_op op = op_of(LDR_OP_INSERT);
  ldr_code code;
  COLS(&op, ID);
  op.values = VALUES(txt("u1"));
  op.nrows = 1;
  op.on_conflict = LDR_CONFLICT_SKIP;
  op.target = 1;
  code = ldr_sqlgen(&op, NULL, &sql, &params, &err);
  ldr_buf_free(&sql);
  ldr_buf_free(&params);
  CHECK(code == LDR_OK || code == LDR_CAPACITY);
  return code == LDR_OK;
}

TEST(memory_runs_out) { test_oom("sqlgen", compiles); }

/* ---- what is known of the server's tables ---- */

static void check_lives(const ldr_op *op, const ldr_lives *lives, const char *want) {
  ldr_buf sql = {0}, params = {0};
  ldr_err err = {0};
  CHECK(ldr_sqlgen(op, lives, &sql, &params, &err) == LDR_OK);
  CHECK_STR(ldr_buf_cstr(&sql), want);
  ldr_buf_free(&sql);
  ldr_buf_free(&params);
}

TEST(texts_that_are_ordered_by_bytes_need_no_collation) {
  static const char by_collation[] =
      "select t.\"id\" from \"shop\".\"users\" as t order by t.\"nick\" collate \"C\"";
  static const char by_itself[] = "select t.\"id\" from \"shop\".\"users\" as t order by t.\"nick\"";
  ldr_lives lives = {0};
  ldr_live *t;
  ldr_live_columns *known;
  ldr_op op;
  ldr_op_init(&op, LDR_OP_SELECT, users);
  OUT(&op, ID);
  ORDER(&op, UP(NICK));
  t = ldr_lives_get(&lives, users);
  CHECK(t != NULL && t == ldr_lives_get(&lives, users));
  known = ldr_alloc(sizeof *known + users->nfields * sizeof *known->fields);
  CHECK(known != NULL);
  check_lives(&op, &lives, by_collation);
  known->fields[NICK].bytewise = true;
  atomic_store(&t->all, known);
  atomic_store(&t->known, known);
  check_lives(&op, &lives, by_itself);
  ldr_live_forget(t);
  check_lives(&op, &lives, by_collation);
  op.any_order = true;
  check_lives(&op, NULL, by_itself);
  ldr_lives_free(&lives);
}

void test_sqlgen(void);
void test_sqlgen(void) {
  if (sql_open()) {
    RUN(selects);
    RUN(orders_by_rank_and_null);
    RUN(locks);
    RUN(limit_for_each_parent);
    RUN(each_parent_by_an_index);
    RUN(keyset_in_one_direction);
    RUN(keyset_in_mixed_directions);
    RUN(keyset_with_nulls);
    RUN(keyset_over_expressions);
    RUN(computed_columns);
    RUN(aggregates_of_all_rows);
    RUN(aggregates_of_groups);
    RUN(groups_that_are_wanted);
    RUN(columns_of_results);
    RUN(copies);
    RUN(memory_runs_out);
    RUN(texts_that_are_ordered_by_bytes_need_no_collation);
  }
  sql_close();
}

/* Golden statements: conditions and expressions. */
#include "support/sqlfix.h"

/* ---- predicates ---- */

TEST(comparisons) {
  WHERE(PRED(LDR_P_EQ, ID, txt("u1")), "t.\"id\" = $1", "text=u1");
  WHERE(PRED(LDR_P_NE, AGE, ldr_int(-5)), "t.\"age\" <> $1", "int4=-5");
  WHERE(PRED(LDR_P_LT, ID, txt("u1")), "t.\"id\" collate \"C\" < $1", "text=u1");
  WHERE(PRED(LDR_P_LE, AGE, ldr_int(5)), "t.\"age\" <= $1", "int4=5");
  WHERE(PRED(LDR_P_GT, CREATED, ldr_time(ldr_time_of_unix(0))), "t.\"created_at\" > $1",
        "timestamptz=1970-01-01T00:00:00.000000Z");
  WHERE(PRED(LDR_P_GE, NICK, txt("z")), "t.\"nick\" collate \"C\" >= $1", "text=z");
  WHERE(PRED(LDR_P_EQ, AMOUNT, num("1.50")), "t.\"amount\" = $1", "numeric=1.50");
  WHERE(PRED(LDR_P_EQ, ACTIVE, ldr_bool(true)), "t.\"active\" = true", "");
  WHERE(PRED(LDR_P_NE, ACTIVE, ldr_bool(false)), "t.\"active\" <> false", "");
  WHERE(PRED(LDR_P_EQ, TAGS, two_tags()), "t.\"tags\" = $1", "text[]={\"a\",\"b\"}");
  WHERE(PRED(LDR_P_EQ, DOC, json("{}")), "t.\"doc\" = $1", "jsonb={}");
  WHERE(PRED(LDR_P_LIKE, EMAIL, txt("a%")), "t.\"email\" like $1", "text=a%");
  WHERE(PRED(LDR_P_ILIKE, EMAIL, txt("a%")), "t.\"email\" collate \"C\" ilike $1", "text=a%");
  WHERE(NONE(LDR_P_IS_NULL, NICK), "t.\"nick\" is null", "");
  WHERE(PRED(LDR_P_CONTAINS, DOC, json("{\"a\": 1}")), "t.\"doc\" @> $1", "jsonb={\"a\": 1}");
  WHERE(PRED(LDR_P_CONTAINS, TAGS, two_tags()), "t.\"tags\" @> $1", "text[]={\"a\",\"b\"}");
  WHERE(PRED(LDR_P_HAS_KEY, DOC, txt("a")), "t.\"doc\" ? $1", "text=a");
}

TEST(lists) {
  WHERE(PRED(LDR_P_IN, ID, txt("u1"), txt("u2")), "t.\"id\" = any($1)", "text[]={u1,u2}");
  WHERE(PRED(LDR_P_IN, DOC, json("1"), json("[]")), "t.\"doc\" = any($1)", "jsonb[]={1,[]}");
  WHERE(NONE(LDR_P_IN, AGE), "t.\"age\" = any($1)", "int4[]={}");
  WHERE((&(ldr_pred){
            .kind = LDR_P_KEYS, .n = 2, .values = VALUES(txt("acme"), txt("u1"), txt("beta"), txt("u2"))}),
        "(t.\"tenant_id\", t.\"id\") in (select * from unnest($1::text[], $2::text[]))",
        "text[]={acme,beta}, text[]={u1,u2}");
  WHERE((&(ldr_pred){.kind = LDR_P_KEYS,
                     .n = 1,
                     .ncols = 2,
                     .cols = (const uint16_t[]){NICK, AGE},
                     .values = VALUES(txt("n"), ldr_int(7))}),
        "(t.\"nick\", t.\"age\") in (select * from unnest($1::text[], $2::integer[]))",
        "text[]={n}, int4[]={7}");
}

static ldr_expr path_of(ldr_ftype type, const ldr_value *steps, unsigned n) {
  ldr_expr p = {.kind = LDR_X_PATH,
                .field = DOC,
                .n = n,
                .values = steps,
                .as = {.name = "doc.a", .type = type, .null = true}};
  p.as.value_type = ldr_ftype_get(type)->type;
  return p;
}

TEST(paths) {
  const ldr_value steps[] = {txt("a"), txt("0")}, v = txt("x"), n = ldr_bytes_of(LDR_T_NUMERIC, "1.5", 3);
  const ldr_expr text = path_of(LDR_F_TEXT, steps, 2), number = path_of(LDR_F_NUMERIC, steps, 1),
                 yes = path_of(LDR_F_BOOL, steps, 1), json = path_of(LDR_F_JSONB, steps, 2);
  const ldr_value b = ldr_bool(true);
#define ON(path_, kind_, v_) \
  (&(ldr_pred){.kind = kind_, .field = LDR_NO_FIELD, .expr = path_, .n = 1, .values = v_})
  WHERE(ON(&text, LDR_P_EQ, &v),
        "(case jsonb_typeof(t.\"doc\" #> $1) when 'string' then t.\"doc\" #>> $1 end) = $2",
        "text[]={a,0}, text=x");
  WHERE(ON(&text, LDR_P_LT, &v),
        "(case jsonb_typeof(t.\"doc\" #> $1) when 'string' then t.\"doc\" #>> $1 end) collate \"C\" < $2",
        "text[]={a,0}, text=x");
  WHERE(ON(&number, LDR_P_GE, &n),
        "(case jsonb_typeof(t.\"doc\" #> $1) when 'number' then (t.\"doc\" #> $1)::numeric end) >= $2",
        "text[]={a}, numeric=1.5");
  WHERE(ON(&yes, LDR_P_NE, &b),
        "(case jsonb_typeof(t.\"doc\" #> $1) when 'boolean' then (t.\"doc\" #> $1)::bool end) <> $2",
        "text[]={a}, bool=t");
  WHERE((&(ldr_pred){.kind = LDR_P_IS_NULL, .field = LDR_NO_FIELD, .expr = &json}),
        "nullif(t.\"doc\" #> $1, 'null'::jsonb) is null", "text[]={a,0}");
#undef ON
}

/* ---- expressions ---- */

#define OF(x_, kind_, v_) \
  (&(ldr_pred){.kind = kind_, .field = LDR_NO_FIELD, .expr = x_, .n = 1, .values = v_})

TEST(expressions) {
  const ldr_value v = txt("x"), seven = ldr_int(7), none = txt("none");
  const ldr_value half = ldr_bytes_of(LDR_T_NUMERIC, "0.5", 3);
  const ldr_expr nick = of_field(NICK), email = of_field(EMAIL), age = of_field(AGE),
                 amount = of_field(AMOUNT), created = of_field(CREATED), text = of_value(LDR_F_TEXT, &none),
                 number = of_value(LDR_F_NUMERIC, &half);
  ldr_expr x = CALL(LDR_FN_LOWER, &nick), sum = CALL(LDR_FN_ADD, &age, &number);
  WHERE(OF(&x, LDR_P_EQ, &v), "lower(t.\"nick\" collate \"C\") = $1", "text=x");
  WHERE(OF(&x, LDR_P_GT, &v), "lower(t.\"nick\" collate \"C\") collate \"C\" > $1", "text=x");
  x = CALL(LDR_FN_COALESCE, &nick, &email, &text);
  WHERE(OF(&x, LDR_P_EQ, &v), "(coalesce(t.\"nick\", t.\"email\", $1) collate \"C\") = $2",
        "text=none, text=x");
  x = CALL(LDR_FN_LENGTH, &email);
  WHERE(OF(&x, LDR_P_LT, &seven), "length(t.\"email\")::bigint < $1", "int8=7");
  x = CALL(LDR_FN_MUL, &sum, &amount);
  WHERE(OF(&x, LDR_P_GE, &half), "((t.\"age\"::numeric + $1) * t.\"amount\") >= $2",
        "numeric=0.5, numeric=0.5");
  x = CALL(LDR_FN_ABS, &age);
  WHERE(OF(&x, LDR_P_EQ, &seven), "abs(t.\"age\"::bigint) = $1", "int8=7");
  x = CALL(LDR_FN_PART, &created);
  WHERE(OF(&x, LDR_P_EQ, &seven),
        "nullif(nullif(extract(year from t.\"created_at\" at time zone 'UTC'), 'Infinity'), "
        "'-Infinity')::bigint = $1",
        "int8=7");
  x.part = LDR_PART_WEEKDAY;
  WHERE(OF(&x, LDR_P_EQ, &seven), "extract(isodow from t.\"created_at\" at time zone 'UTC')::bigint = $1",
        "int8=7");
  x = CALL(LDR_FN_BUCKET, &created);
  WHERE((&(ldr_pred){.kind = LDR_P_IS_NULL, .field = LDR_NO_FIELD, .expr = &x}),
        "date_trunc('week', t.\"created_at\", 'UTC') is null", "");
}

#define JOINED                                                                                 \
  " left join \"shop\".\"users\" as j1 on j1.\"tenant_id\" = t.\"tenant_id\" and j1.\"id\" = " \
  "t.\"user_id\" and true"

TEST(fields_of_a_related_row) {
  const ldr_value v = txt("x");
  const ldr_row_source user = {
      .path = "user", .e = users, .row = EXISTS(users, ID, O_USER, NONE(LDR_P_AND, 0))};
  const ldr_row_source *list[] = {&user};
  ldr_expr x = {.kind = LDR_X_FIELD, .source = &user, .field = NICK, .as = {.name = "user.nick"}};
  ldr_op op;
  CHECK(ldr_expr_infer(orders, &x) == NULL);
  ldr_op_init(&op, LDR_OP_SELECT, orders);
  OUT(&op, O_ID);
  op.where = OF(&x, LDR_P_EQ, &v);
  ORDER(&op, (ldr_order){.kind = LDR_BY_EXPR, .field = LDR_NO_FIELD, .expr = &x, .desc = true});
  GOLD(&op,
       "select t.\"id\" from \"shop\".\"orders\" as t where (select s1.\"nick\" from "
       "\"shop\".\"users\" as s1 where s1.\"tenant_id\" = t.\"tenant_id\" and s1.\"id\" = "
       "t.\"user_id\" and true) = $1 order by (select s1.\"nick\" from \"shop\".\"users\" as s1 "
       "where s1.\"tenant_id\" = t.\"tenant_id\" and s1.\"id\" = t.\"user_id\" and true) collate "
       "\"C\" desc",
       "text=x");
  op.sources = (ldr_row_sources){.n = 1, .list = list};
  GOLD(&op,
       "select t.\"id\" from \"shop\".\"orders\" as t" JOINED
       " where j1.\"nick\" = $1 order by j1.\"nick\" collate \"C\" desc",
       "text=x");
  op.kind = LDR_OP_COUNT;
  op.norder = op.nout = 0;
  GOLD(&op, "select count(*) from \"shop\".\"orders\" as t" JOINED " where j1.\"nick\" = $1", "text=x");
  op.kind = LDR_OP_SELECT;
  op.nout = 1;
  op.where = PRED(LDR_P_EQ, O_STATE, v);
  op.ncomputed = 1;
  op.computed = &(ldr_group){.field = LDR_NO_FIELD, .expr = &x, .name = "nick"};
  op.limit = 5;
  op.norder = 1;
  op.order = &(ldr_order){.field = O_ID};
  GOLD(&op,
       "select t.\"id\", j1.\"nick\" as \"nick\" from (select t.* from \"shop\".\"orders\" as t where "
       "t.\"state\" = "
       "$1 order by t.\"id\" limit $2) as t" JOINED " order by t.\"id\"",
       "text=x, int8=5");
  op.lock = LDR_LOCK_UPDATE;
  op.where = NULL;
  op.norder = 0;
  op.limit = -1;
  GOLD(&op,
       "select t.\"id\", (select s1.\"nick\" from \"shop\".\"users\" as s1 where s1.\"tenant_id\" = "
       "t.\"tenant_id\" and s1.\"id\" = t.\"user_id\" and true) as \"nick\" from \"shop\".\"orders\" as t "
       "for update",
       "");
}

/* Over two relations, and inside of a semi-join. */
TEST(rows_that_lead_to_rows) {
  const ldr_value v = txt("x");
  const ldr_row_source user = {
      .path = "user", .e = users, .row = EXISTS(users, ID, O_USER, NONE(LDR_P_AND, 0))};
  const ldr_row_source boss = {.path = "user.boss",
                               .e = users,
                               .from = &user,
                               .row = EXISTS(users, ID, NICK, PRED(LDR_P_EQ, NICK, v))};
  const ldr_row_source *list[] = {&user, &boss};
  ldr_expr x = {.kind = LDR_X_FIELD, .source = &boss, .field = EMAIL, .as = {.name = "user.boss.email"}};
  ldr_pred *some;
  ldr_op op;
  CHECK(ldr_expr_infer(orders, &x) == NULL);
  ldr_op_init(&op, LDR_OP_COUNT, orders);
  op.where = OF(&x, LDR_P_EQ, &v);
  op.sources = (ldr_row_sources){.n = 2, .list = list};
  GOLD(&op,
       "select count(*) from \"shop\".\"orders\" as t" JOINED
       " left join \"shop\".\"users\" as j2 on j2.\"tenant_id\" = j1.\"tenant_id\" and j2.\"id\" = "
       "j1.\"nick\" and j2.\"nick\" = $1 where j2.\"email\" = $2",
       "text=x, text=x");
  op.kind = LDR_OP_DELETE;
  GOLD(&op,
       "delete from \"shop\".\"orders\" as t where (select s1.\"email\" from \"shop\".\"users\" as s1 where "
       "s1.\"tenant_id\" = (select s1.\"tenant_id\" from \"shop\".\"users\" as s1 where s1.\"tenant_id\" = "
       "t.\"tenant_id\" and s1.\"id\" = t.\"user_id\" and true) and s1.\"id\" = (select s1.\"nick\" from "
       "\"shop\".\"users\" as s1 where s1.\"tenant_id\" = t.\"tenant_id\" and s1.\"id\" = t.\"user_id\" and "
       "true) and s1.\"nick\" = $1) = $2",
       "text=x, text=x");
  x = (ldr_expr){.kind = LDR_X_FIELD, .source = &user, .field = NICK, .as = {.name = "user.nick"}};
  CHECK(ldr_expr_infer(orders, &x) == NULL);
  some = EXISTS(orders, O_USER, ID, OF(&x, LDR_P_EQ, &v));
  some->sources = (ldr_row_sources){.n = 1, .list = list};
  WHERE(some,
        "exists (select 1 from \"shop\".\"orders\" as s1 left join \"shop\".\"users\" as j1 on "
        "j1.\"tenant_id\" = s1.\"tenant_id\" and j1.\"id\" = s1.\"user_id\" and true where "
        "s1.\"tenant_id\" = t.\"tenant_id\" and s1.\"user_id\" = t.\"id\" and j1.\"nick\" = $1)",
        "text=x");
}
#undef JOINED
#undef OF

TEST(logic) {
  const ldr_pred *a = PRED(LDR_P_EQ, TENANT, txt("acme")), *b = PRED(LDR_P_GT, AGE, ldr_int(17));
  const ldr_pred *c = NONE(LDR_P_IS_NULL, NICK);
  WHERE(NONE(LDR_P_AND, 0), "true", "");
  WHERE(NONE(LDR_P_OR, 0), "false", "");
  WHERE(JOIN(LDR_P_OR, a), "t.\"tenant_id\" = $1", "text=acme");
  WHERE(JOIN(LDR_P_AND, a, b, c), "(t.\"tenant_id\" = $1 and t.\"age\" > $2 and t.\"nick\" is null)",
        "text=acme, int4=17");
  WHERE(JOIN(LDR_P_AND, JOIN(LDR_P_OR, a, c), JOIN(LDR_P_NOT, JOIN(LDR_P_OR, b, c))),
        "((t.\"tenant_id\" = $1 or t.\"nick\" is null) and not ((t.\"age\" > $2 or t.\"nick\" is null)))",
        "text=acme, int4=17");
  WHERE(JOIN(LDR_P_NOT, c), "not (t.\"nick\" is null)", "");
}

TEST(semi_joins) {
  const ldr_pred *open = PRED(LDR_P_EQ, O_STATE, txt("open"));
  const ldr_pred *deep = EXISTS(users, ID, O_USER, PRED(LDR_P_LT, ID, txt("m")));
  WHERE(EXISTS(orders, O_USER, ID, open),
        "exists (select 1 from \"shop\".\"orders\" as s1 where s1.\"tenant_id\" = t.\"tenant_id\""
        " and s1.\"user_id\" = t.\"id\" and s1.\"state\" = $1)",
        "text=open");
  WHERE(JOIN(LDR_P_AND, EXISTS(orders, O_USER, ID, deep), EXISTS(orders, O_USER, ID, NONE(LDR_P_AND, 0))),
        "(exists (select 1 from \"shop\".\"orders\" as s1 where s1.\"tenant_id\" = t.\"tenant_id\""
        " and s1.\"user_id\" = t.\"id\" and exists (select 1 from \"shop\".\"users\" as s2"
        " where s2.\"tenant_id\" = s1.\"tenant_id\" and s2.\"id\" = s1.\"user_id\""
        " and s2.\"id\" collate \"C\" < $1))"
        " and exists (select 1 from \"shop\".\"orders\" as s1 where s1.\"tenant_id\" = t.\"tenant_id\""
        " and s1.\"user_id\" = t.\"id\" and true))",
        "text=m");
  WHERE(EXISTS(orders, O_USER, ID,
               (&(ldr_pred){.kind = LDR_P_KEYS, .n = 1, .values = VALUES(txt("acme"), ldr_int(7))})),
        "exists (select 1 from \"shop\".\"orders\" as s1 where s1.\"tenant_id\" = t.\"tenant_id\""
        " and s1.\"user_id\" = t.\"id\" and (s1.\"tenant_id\", s1.\"id\") in"
        " (select * from unnest($1::text[], $2::bigint[])))",
        "text[]={acme}, int8[]={7}");
}

void test_sqlwhere(void);
void test_sqlwhere(void) {
  if (sql_open()) {
    RUN(comparisons);
    RUN(lists);
    RUN(paths);
    RUN(expressions);
    RUN(fields_of_a_related_row);
    RUN(rows_that_lead_to_rows);
    RUN(logic);
    RUN(semi_joins);
  }
  sql_close();
}

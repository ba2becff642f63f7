/* Golden statements. Each operation is checked as well-formed, compiled, and its parameters are compared with
 * those of a walk that writes no text. */
#include "postgres/statement/sqlgen.h"
#include "support/test.h"
#include "values/codec.h"

enum {
  TENANT,
  ID,
  EMAIL,
  NICK,
  AGE,
  SCORE,
  AMOUNT,
  ACTIVE,
  CREATED,
  SEEN,
  DOC,
  TAGS,
  TOKEN,
  DELETED,
  SEQ,
  NUSERS
};
enum { O_TENANT, O_ID, O_USER, O_STATE, NORDERS };

static const ldr_field user_fields[NUSERS] = {
    [TENANT] = {.name = "tenant_id", .type = LDR_F_TEXT},
    [ID] = {.name = "id", .type = LDR_F_TEXT},
    [EMAIL] = {.name = "email", .type = LDR_F_TEXT},
    [NICK] = {.name = "nick", .type = LDR_F_TEXT, .null = true},
    [AGE] = {.name = "age", .type = LDR_F_INT4, .null = true},
    [SCORE] = {.name = "score", .type = LDR_F_FLOAT4, .null = true},
    [AMOUNT] = {.name = "amount", .type = LDR_F_NUMERIC, .null = true},
    [ACTIVE] = {.name = "active", .type = LDR_F_BOOL, .null = true},
    [CREATED] = {.name = "created_at", .type = LDR_F_TIMESTAMPTZ},
    [SEEN] = {.name = "seen_at", .type = LDR_F_TIMESTAMPTZ, .null = true},
    [DOC] = {.name = "doc", .type = LDR_F_JSONB, .null = true},
    [TAGS] = {.name = "tags", .type = LDR_F_TEXT, .array = true, .null = true},
    [TOKEN] = {.name = "token", .type = LDR_F_UUID, .null = true},
    [DELETED] = {.name = "deleted_at", .type = LDR_F_TIMESTAMPTZ, .null = true},
    [SEQ] = {.name = "seq", .type = LDR_F_INT8, .def = LDR_DEF_IDENTITY},
};

static const ldr_field order_fields[NORDERS] = {
    [O_TENANT] = {.name = "tenant_id", .type = LDR_F_TEXT},
    [O_ID] = {.name = "id", .type = LDR_F_INT8},
    [O_USER] = {.name = "user_id", .type = LDR_F_TEXT},
    [O_STATE] = {.name = "state", .type = LDR_F_TEXT},
};

static ldr_schema *schema;
static ldr_entity *users, *orders;

/* ---- building operations ---- */

#define COUNT_OF(type, ...) (sizeof((type[]){__VA_ARGS__}) / sizeof(type))
#define VALUES(...)         ((ldr_value[]){__VA_ARGS__})
#define FIELDS(...)         ((const uint16_t[]){__VA_ARGS__})
#define PRED(k, f, ...) \
  (&(ldr_pred){         \
      .kind = (k), .field = (f), .n = COUNT_OF(ldr_value, __VA_ARGS__), .values = VALUES(__VA_ARGS__)})
#define JOIN(k, ...) \
  (&(ldr_pred){      \
      .kind = (k), .n = COUNT_OF(const ldr_pred *, __VA_ARGS__), .kids = (const ldr_pred *[]){__VA_ARGS__}})
#define NONE(k, f) (&(ldr_pred){.kind = (k), .field = (f)})
#define EXISTS(of, in, out, kid)                  \
  (&(ldr_pred){.kind = LDR_P_EXISTS,              \
               .n = 1,                            \
               .kids = (const ldr_pred *[]){kid}, \
               .inner = (of),                     \
               .non = 2,                          \
               .on = {{0, 0}, {(in), (out)}}})
#define OUT(op, ...)  ((op)->out = FIELDS(__VA_ARGS__), (op)->nout = COUNT_OF(uint16_t, __VA_ARGS__))
#define COLS(op, ...) ((op)->cols = FIELDS(__VA_ARGS__), (op)->ncols = COUNT_OF(uint16_t, __VA_ARGS__))
#define SETS(op, ...) \
  ((op)->sets = (const ldr_set[]){__VA_ARGS__}, (op)->nsets = COUNT_OF(ldr_set, __VA_ARGS__))
#define ORDER(op, ...) \
  ((op)->order = (const ldr_order[]){__VA_ARGS__}, (op)->norder = COUNT_OF(ldr_order, __VA_ARGS__))
#define UP(f)   ((ldr_order){.field = (f)})
#define DOWN(f) ((ldr_order){.field = (f), .desc = true})

static ldr_value txt(const char *s) { return ldr_text(s, strlen(s)); }
static ldr_value json(const char *s) { return ldr_bytes_of(LDR_T_JSON, s, strlen(s)); }
static ldr_value num(const char *s) { return ldr_bytes_of(LDR_T_NUMERIC, s, strlen(s)); }

/* '{a,b}' as text[], in memory that lives until the next call. */
static ldr_value two_tags(void) {
  static char room[128];
  ldr_buf b = {.p = room, .cap = sizeof room};
  ldr_value v[] = {txt("a"), txt("b")};
  ldr_codec_encode_list(LDR_F_TEXT, v, 2, 1, &b);
  return ldr_bytes_of(LDR_T_ARRAY, room, b.n);
}

static ldr_op op_of(ldr_op_kind kind) {
  ldr_op op;
  ldr_op_init(&op, kind, users);
  return op;
}

static ldr_op select_id(const ldr_pred *where) {
  static const uint16_t out[] = {ID};
  ldr_op op = op_of(LDR_OP_SELECT);
  op.where = where;
  op.out = out;
  op.nout = 1;
  return op;
}

/* ---- comparing ---- */

/* "text=acme, text[]={u1,u2}" */
static void describe(const ldr_buf *params, ldr_buf *out) {
  for (size_t i = 0; i < params->n / sizeof(ldr_param); i++) {
    ldr_param p;
    memcpy(&p, params->p + i * sizeof p, sizeof p);
    ldr_buf_str(out, i ? ", " : "");
    ldr_buf_str(out, ldr_ftype_get(p.type)->name);
    ldr_buf_str(out, p.array ? "[]=" : "=");
    if (p.array && !p.is_array_value) ldr_buf_str(out, "{");
    for (size_t k = 0; k < p.n; k++) {
      const ldr_value *v = ldr_param_value(&p, k);
      ldr_buf_str(out, k ? "," : "");
      if (v->type == LDR_T_NULL) ldr_buf_str(out, "null");
      ldr_codec_text(v, out);
    }
    if (p.array && !p.is_array_value) ldr_buf_str(out, "}");
  }
}

static void check_at(int line, const ldr_op *op, const char *want_sql, const char *want_params) {
  ldr_buf sql = {0}, params = {0}, got = {0};
  ldr_err err = {0};
  ldr_code ok = ldr_op_check(op, &err);
  test_check_int(ok, LDR_OK, __FILE__, line, err.message);
  test_check_int(ldr_sqlgen(op, NULL, &sql, &params, &err), LDR_OK, __FILE__, line, "sqlgen");
  describe(&params, &got);
  test_check_str(ldr_buf_cstr(&got), want_params, __FILE__, line, "parameters");
  test_check_str(ldr_buf_cstr(&sql), want_sql, __FILE__, line, "sql");
  ldr_buf_free(&sql);
  ldr_buf_free(&params);
  ldr_buf_free(&got);
}

#define GOLD(op, sql, params) check_at(__LINE__, op, sql, params)

/* The condition of `select t."id" from users where …`. */
static void check_where_at(int line, const ldr_pred *where, const char *want, const char *want_params) {
  char sql[1024];
  ldr_op op = select_id(where);
  snprintf(sql, sizeof sql, "select t.\"id\" from \"shop\".\"users\" as t where %s", want);
  check_at(line, &op, sql, want_params);
}

#define WHERE(pred, sql, params) check_where_at(__LINE__, pred, sql, params)

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

static ldr_expr of_field(unsigned field) {
  ldr_expr x = {.kind = LDR_X_FIELD, .field = (uint16_t)field};
  CHECK(ldr_expr_infer(users, &x) == NULL);
  return x;
}

static ldr_expr of_value(ldr_ftype type, const ldr_value *v) {
  ldr_expr x = {.kind = LDR_X_VALUE, .values = v, .as = {.name = "value", .type = type}};
  CHECK(ldr_expr_infer(users, &x) == NULL);
  return x;
}

static ldr_expr of_call(ldr_fn fn, const ldr_expr *const *args, unsigned n) {
  ldr_expr x = {.kind = LDR_X_CALL, .fn = fn, .args = args, .n = n, .as = {.name = "x"}};
  if (fn == LDR_FN_BUCKET) x.bucket = LDR_WEEK;
  CHECK(ldr_expr_infer(users, &x) == NULL);
  return x;
}

#define CALL(fn, ...) \
  of_call(fn, (const ldr_expr *const[]){__VA_ARGS__}, COUNT_OF(const ldr_expr *, __VA_ARGS__))
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
  check_at(line, op, sql, params);
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

/* ---- insert ---- */

TEST(inserts_of_one_row) {
  ldr_op op = op_of(LDR_OP_INSERT);
  COLS(&op, TENANT, ID, TAGS, NICK);
  op.values = VALUES(txt("acme"), txt("u1"), two_tags(), ldr_null());
  op.nrows = 1;
  GOLD(&op,
       "insert into \"shop\".\"users\" as t (\"tenant_id\", \"id\", \"tags\", \"nick\")"
       " values ($1, $2, $3, $4)",
       "text=acme, text=u1, text[]={\"a\",\"b\"}, text=null");
  OUT(&op, ID, SEQ);
  op.on_conflict = LDR_CONFLICT_SKIP;
  GOLD(
      &op,
      "insert into \"shop\".\"users\" as t (\"tenant_id\", \"id\", \"tags\", \"nick\")"
      " values ($1, $2, $3, $4) on conflict (\"tenant_id\", \"id\") do nothing returning t.\"id\", t.\"seq\"",
      "text=acme, text=u1, text[]={\"a\",\"b\"}, text=null");
}

TEST(inserts_of_many_rows) {
  ldr_op op = op_of(LDR_OP_INSERT);
  COLS(&op, TENANT, ID, AGE);
  op.values = VALUES(txt("acme"), txt("u1"), ldr_int(1), txt("acme"), txt("u2"), ldr_null());
  op.nrows = 2;
  OUT(&op, ID);
  GOLD(
      &op,
      "insert into \"shop\".\"users\" as t (\"tenant_id\", \"id\", \"age\") select r.\"tenant_id\", r.\"id\","
      " r.\"age\" from unnest($1::text[], $2::text[], $3::integer[]) as r (\"tenant_id\", \"id\", \"age\")"
      " returning t.\"id\"",
      "text[]={acme,acme}, text[]={u1,u2}, int4[]={1,null}");
  COLS(&op, ID, TAGS);
  op.values = VALUES(txt("u1"), two_tags(), txt("u2"), ldr_null());
  op.nout = 0;
  GOLD(&op,
       "insert into \"shop\".\"users\" as t (\"id\", \"tags\") select r.\"id\", r.\"tags\"::text[]"
       " from unnest($1::text[], $2::text[]) as r (\"id\", \"tags\")",
       "text[]={u1,u2}, text[]={{\"a\",\"b\"},null}");
}

TEST(insert_of_an_identity) {
  ldr_op op = op_of(LDR_OP_INSERT);
  COLS(&op, ID, SEQ);
  op.values = VALUES(txt("u1"), ldr_int(9));
  op.nrows = 1;
  GOLD(&op, "insert into \"shop\".\"users\" as t (\"id\", \"seq\") overriding system value values ($1, $2)",
       "text=u1, int8=9");
}

/* Citus says of an INSERT … SELECT how many rows it was given, not how many are new. */
TEST(skipped_rows_are_counted_by_what_comes_back) {
  ldr_op op = op_of(LDR_OP_INSERT);
  COLS(&op, TENANT, ID);
  op.values = VALUES(txt("acme"), txt("u1"), txt("acme"), txt("u2"));
  op.nrows = 2;
  op.on_conflict = LDR_CONFLICT_SKIP;
  op.target = LDR_TARGET_ANY;
  GOLD(&op,
       "with w as (insert into \"shop\".\"users\" as t (\"tenant_id\", \"id\") select r.\"tenant_id\", "
       "r.\"id\""
       " from unnest($1::text[], $2::text[]) as r (\"tenant_id\", \"id\") on conflict do nothing returning 1)"
       " select count(*) from w",
       "text[]={acme,acme}, text[]={u1,u2}");
  CHECK(ldr_sqlgen_counts(&op));
  OUT(&op, ID);
  CHECK(!ldr_sqlgen_counts(&op));
}

TEST(conflict_targets) {
  ldr_op op = op_of(LDR_OP_INSERT);
  COLS(&op, ID);
  op.values = VALUES(txt("u1"));
  op.nrows = 1;
  op.on_conflict = LDR_CONFLICT_SKIP;
  op.target = 0;
  GOLD(&op,
       "insert into \"shop\".\"users\" as t (\"id\") values ($1)"
       " on conflict (\"tenant_id\", \"email\") where \"deleted_at\" is null do nothing",
       "text=u1");
  op.target = 1;
  GOLD(&op,
       "insert into \"shop\".\"users\" as t (\"id\") values ($1)"
       " on conflict (\"tenant_id\", \"token\") where \"nick\" = E'it''s \\\\ odd' and \"active\" = 't'"
       " do nothing",
       "text=u1");
}

TEST(upserts) {
  ldr_op op = op_of(LDR_OP_INSERT);
  COLS(&op, TENANT, ID, AGE, DOC, NICK, TAGS);
  op.values = VALUES(txt("acme"), txt("u1"), ldr_int(1), json("[1]"), txt("x"), two_tags());
  op.nrows = 1;
  op.on_conflict = LDR_CONFLICT_UPDATE;
  SETS(&op, {.field = EMAIL, .excluded = true},
       {.field = AGE, .kind = LDR_SET_INCREMENT, .value = ldr_int(1)},
       {.field = DOC, .kind = LDR_SET_APPEND, .excluded = true},
       {.field = TAGS, .kind = LDR_SET_APPEND, .excluded = true}, {.field = SCORE, .kind = LDR_SET_DEFAULT},
       {.field = NICK, .kind = LDR_SET_COALESCE, .excluded = true},
       {.field = SEEN, .kind = LDR_SET_GREATEST, .value = ldr_time(ldr_time_of_unix(0))});
  OUT(&op, AGE);
  GOLD(&op,
       "insert into \"shop\".\"users\" as t (\"tenant_id\", \"id\", \"age\", \"doc\", \"nick\", \"tags\")"
       " values ($1, $2, $3, $4, $5, $6) on conflict (\"tenant_id\", \"id\") do update set"
       " \"email\" = excluded.\"email\", \"age\" = coalesce(t.\"age\", 0) + $7,"
       " \"doc\" = coalesce(t.\"doc\", '[]'::jsonb) || excluded.\"doc\","
       " \"tags\" = coalesce(t.\"tags\", '{}') || excluded.\"tags\", \"score\" = default,"
       " \"nick\" = coalesce(t.\"nick\", excluded.\"nick\"), \"seen_at\" = greatest(t.\"seen_at\", $8)"
       " returning t.\"age\"",
       "text=acme, text=u1, int4=1, jsonb=[1], text=x, text[]={\"a\",\"b\"}, int4=1,"
       " timestamptz=1970-01-01T00:00:00.000000Z");
}

/* An upsert of key fields alone, and an update without changes: the rows are found and returned as they are.
 */
TEST(nothing_to_set) {
  ldr_op op = op_of(LDR_OP_INSERT);
  COLS(&op, TENANT, ID);
  op.values = VALUES(txt("acme"), txt("u1"));
  op.nrows = 1;
  op.on_conflict = LDR_CONFLICT_UPDATE;
  OUT(&op, AGE);
  GOLD(&op,
       "insert into \"shop\".\"users\" as t (\"tenant_id\", \"id\") values ($1, $2)"
       " on conflict (\"tenant_id\", \"id\") do update set \"id\" = t.\"id\" returning t.\"age\"",
       "text=acme, text=u1");
}

/* ---- update, delete, count ---- */

TEST(deep_merges) {
  const ldr_value doc = json("{\"a\": {\"b\": {\"c\": 1}, \"x\": 2}, \"y\": {}}");
  ldr_op op = op_of(LDR_OP_UPDATE);
  ldr_set set = {.field = DOC, .kind = LDR_SET_MERGE, .value = doc, .deeper = 1};
  ldr_arena arena = {0};
  ldr_err err = {0};
  CHECK(ldr_merge_read(&doc, 1, &arena, &set.levels, &err) == LDR_OK);
  op.sets = &set;
  op.nsets = 1;
  GOLD(
      &op,
      "update \"shop\".\"users\" as t set \"doc\" = case jsonb_typeof(t.\"doc\") when 'object' then t.\"doc\""
      " else '{}'::jsonb end || $1 || jsonb_set('{}'::jsonb, $2, case jsonb_typeof(t.\"doc\" #> $3) when "
      "'object'"
      " then t.\"doc\" #> $3 else '{}'::jsonb end || $4) || jsonb_set('{}'::jsonb, $5,"
      " case jsonb_typeof(t.\"doc\" #> $6) when 'object' then t.\"doc\" #> $6 else '{}'::jsonb end || $7)",
      "jsonb={}, text[]={y}, text[]={y}, jsonb={}, text[]={a}, text[]={a}, jsonb={\"b\": {\"c\": 1}, \"x\": "
      "2}");
  ldr_arena_free(&arena);
}

TEST(updates) {
  ldr_op op = op_of(LDR_OP_UPDATE);
  SETS(&op, {.field = NICK, .value = ldr_null()},
       {.field = AMOUNT, .kind = LDR_SET_INCREMENT, .value = num("0.5")},
       {.field = DOC, .kind = LDR_SET_MERGE, .value = json("{}")},
       {.field = TAGS, .kind = LDR_SET_APPEND, .value = two_tags()},
       {.field = EMAIL, .kind = LDR_SET_GREATEST, .value = txt("m")},
       {.field = SCORE, .kind = LDR_SET_INCREMENT, .value = ldr_float(0.5)});
  op.where = PRED(LDR_P_EQ, ID, txt("u1"));
  OUT(&op, ID, NICK);
  GOLD(&op,
       "update \"shop\".\"users\" as t set \"nick\" = $1, \"amount\" = coalesce(t.\"amount\", 0) + $2,"
       " \"doc\" = coalesce(t.\"doc\", '{}'::jsonb) || $3, \"tags\" = coalesce(t.\"tags\", '{}') || $4,"
       " \"email\" = greatest(t.\"email\" collate \"C\", $5), \"score\" = coalesce(t.\"score\", 0) + $6"
       " where t.\"id\" = $7 returning t.\"id\", t.\"nick\"",
       "text=null, numeric=0.5, jsonb={}, text[]={\"a\",\"b\"}, text=m, float4=0.5, text=u1");
}

TEST(deletes_and_counts) {
  ldr_op op = op_of(LDR_OP_DELETE);
  GOLD(&op, "delete from \"shop\".\"users\" as t", "");
  op.where = PRED(LDR_P_EQ, ID, txt("u1"));
  OUT(&op, SEQ);
  GOLD(&op, "delete from \"shop\".\"users\" as t where t.\"id\" = $1 returning t.\"seq\"", "text=u1");
  op = op_of(LDR_OP_COUNT);
  op.where = PRED(LDR_P_EQ, ID, txt("u1"));
  GOLD(&op, "select count(*) from \"shop\".\"users\" as t where t.\"id\" = $1", "text=u1");
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

/* ---- the schema ---- */

static ldr_code add_users(ldr_err *err) {
  static const char *const key[] = {"tenant_id", "id"}, *const email[] = {"tenant_id", "email"},
                           *const token[] = {"tenant_id", "token"};
  const ldr_value odd = txt("it's \\ odd"), yes = ldr_bool(true);
  ldr_code code = ldr_schema_add(schema, "users", "shop.users", &users, err);
  for (int i = 0; i < NUSERS && code == LDR_OK; i++)
    code = ldr_entity_add_field(schema, users, &user_fields[i], err);
  if (code == LDR_OK) code = ldr_entity_set_key(schema, users, "users_pkey", key, 2, err);
  if (code == LDR_OK) code = ldr_entity_add_unique(schema, users, "users_email_key", email, 2, err);
  if (code == LDR_OK) code = ldr_entity_unique_when(schema, users, "deleted_at", NULL, err);
  if (code == LDR_OK) code = ldr_entity_add_unique(schema, users, "users_token_key", token, 2, err);
  if (code == LDR_OK) code = ldr_entity_unique_when(schema, users, "nick", &odd, err);
  if (code == LDR_OK) code = ldr_entity_unique_when(schema, users, "active", &yes, err);
  return code;
}

static ldr_code add_orders(ldr_err *err) {
  static const char *const key[] = {"tenant_id", "id"};
  ldr_code code = ldr_schema_add(schema, "orders", "shop.orders", &orders, err);
  for (int i = 0; i < NORDERS && code == LDR_OK; i++)
    code = ldr_entity_add_field(schema, orders, &order_fields[i], err);
  if (code == LDR_OK) code = ldr_entity_set_key(schema, orders, "orders_pkey", key, 2, err);
  return code;
}

static bool open_schema(void) {
  ldr_err err = {0};
  ldr_code code = ldr_schema_new("shop", &schema, &err);
  if (code == LDR_OK) code = add_users(&err);
  if (code == LDR_OK) code = add_orders(&err);
  if (code == LDR_OK) code = ldr_schema_finish(schema, &err);
  test_check(code == LDR_OK, __FILE__, __LINE__, err.message);
  return code == LDR_OK;
}

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
  if (open_schema()) {
    RUN(comparisons);
    RUN(texts_that_are_ordered_by_bytes_need_no_collation);
    RUN(lists);
    RUN(paths);
    RUN(expressions);
    RUN(fields_of_a_related_row);
    RUN(rows_that_lead_to_rows);
    RUN(logic);
    RUN(semi_joins);
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
    RUN(inserts_of_one_row);
    RUN(inserts_of_many_rows);
    RUN(insert_of_an_identity);
    RUN(skipped_rows_are_counted_by_what_comes_back);
    RUN(conflict_targets);
    RUN(upserts);
    RUN(nothing_to_set);
    RUN(deep_merges);
    RUN(updates);
    RUN(deletes_and_counts);
    RUN(aggregates_of_all_rows);
    RUN(aggregates_of_groups);
    RUN(groups_that_are_wanted);
    RUN(columns_of_results);
    RUN(copies);
    RUN(memory_runs_out);
  }
  ldr_schema_release(schema);
  schema = NULL;
}

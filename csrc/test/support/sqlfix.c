#include "support/sqlfix.h"

#include "values/codec.h"

/* ---- the schema ---- */

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
ldr_entity *users, *orders;

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

bool sql_open(void) {
  ldr_err err = {0};
  ldr_code code = ldr_schema_new("shop", &schema, &err);
  if (code == LDR_OK) code = add_users(&err);
  if (code == LDR_OK) code = add_orders(&err);
  if (code == LDR_OK) code = ldr_schema_finish(schema, &err);
  test_check(code == LDR_OK, __FILE__, __LINE__, err.message);
  return code == LDR_OK;
}

void sql_close(void) {
  ldr_schema_release(schema);
  schema = NULL;
}

/* ---- operations ---- */

ldr_value two_tags(void) {
  static char room[128];
  ldr_buf b = {.p = room, .cap = sizeof room};
  ldr_value v[] = {txt("a"), txt("b")};
  ldr_codec_encode_list(LDR_F_TEXT, v, 2, 1, &b);
  return ldr_bytes_of(LDR_T_ARRAY, room, b.n);
}

ldr_op op_of(ldr_op_kind kind) {
  ldr_op op;
  ldr_op_init(&op, kind, users);
  return op;
}

ldr_op select_id(const ldr_pred *where) {
  static const uint16_t out[] = {ID};
  ldr_op op = op_of(LDR_OP_SELECT);
  op.where = where;
  op.out = out;
  op.nout = 1;
  return op;
}

ldr_expr of_field(unsigned field) {
  ldr_expr x = {.kind = LDR_X_FIELD, .field = (uint16_t)field};
  CHECK(ldr_expr_infer(users, &x) == NULL);
  return x;
}

ldr_expr of_value(ldr_ftype type, const ldr_value *v) {
  ldr_expr x = {.kind = LDR_X_VALUE, .values = v, .as = {.name = "value", .type = type}};
  CHECK(ldr_expr_infer(users, &x) == NULL);
  return x;
}

ldr_expr of_call(ldr_fn fn, const ldr_expr *const *args, unsigned n) {
  ldr_expr x = {.kind = LDR_X_CALL, .fn = fn, .args = args, .n = n, .as = {.name = "x"}};
  if (fn == LDR_FN_BUCKET) x.bucket = LDR_WEEK;
  CHECK(ldr_expr_infer(users, &x) == NULL);
  return x;
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

void sql_check_given_at(const char *file, int line, const ldr_op *op, const ldr_sql_given *given,
                        const char *want_sql, const char *want_params) {
  ldr_buf sql = {0}, params = {0}, got = {0};
  ldr_err err = {0};
  ldr_code ok = ldr_op_check(op, &err);
  test_check_int(ok, LDR_OK, file, line, err.message);
  test_check_int(ldr_sqlgen_given(op, given, NULL, &sql, &params, &err), LDR_OK, file, line, "sqlgen");
  describe(&params, &got);
  test_check_str(ldr_buf_cstr(&got), want_params, file, line, "parameters");
  test_check_str(ldr_buf_cstr(&sql), want_sql, file, line, "sql");
  ldr_buf_free(&sql);
  ldr_buf_free(&params);
  ldr_buf_free(&got);
}

void sql_check_at(const char *file, int line, const ldr_op *op, const char *want_sql,
                  const char *want_params) {
  static const ldr_sql_given plain;
  sql_check_given_at(file, line, op, &plain, want_sql, want_params);
}

void sql_check_where_at(const char *file, int line, const ldr_pred *where, const char *want,
                        const char *want_params) {
  char sql[1024];
  ldr_op op = select_id(where);
  snprintf(sql, sizeof sql, "select t.\"id\" from \"shop\".\"users\" as t where %s", want);
  sql_check_at(file, line, &op, sql, want_params);
}

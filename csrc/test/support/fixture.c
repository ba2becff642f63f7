#include "support/fixture.h"

#include <string.h>

static const char *const statuses[] = {"active", "blocked"};

static const ldr_field customer_fields[C_COUNT] = {
    [C_TENANT] = {.name = "tenant", .type = LDR_F_TEXT, .min_len = 1},
    [C_ID] = {.name = "id", .type = LDR_F_TEXT, .min_len = 1},
    [C_EMAIL] = {.name = "email", .type = LDR_F_TEXT, .min_len = 3, .max_len = 10},
    [C_STATUS] = {.name = "status",
                  .type = LDR_F_TEXT,
                  .enums = statuses,
                  .nenums = 2,
                  .def = LDR_DEF_VALUE,
                  .def_value = {.type = LDR_T_TEXT, .n = 6, .u.p = "active"}},
    [C_VISITS] = {.name = "visits",
                  .type = LDR_F_INT4,
                  .min = {.type = LDR_T_INT},
                  .max = {.type = LDR_T_INT, .u.i = 1000},
                  .def = LDR_DEF_VALUE,
                  .def_value = {.type = LDR_T_INT}},
    [C_BALANCE] = {.name = "balance", .type = LDR_F_NUMERIC, .precision = 8, .scale = 2, .null = true},
    [C_SCORE] = {.name = "score", .type = LDR_F_FLOAT4, .null = true},
    [C_TAGS] = {.name = "tags", .type = LDR_F_TEXT, .array = true, .null = true},
    [C_SETTINGS] = {.name = "settings", .type = LDR_F_JSONB, .null = true},
    [C_PHOTO] = {.name = "photo", .type = LDR_F_BYTEA, .max_len = 4, .null = true},
    [C_TOKEN] = {.name = "token", .type = LDR_F_TEXT, .hidden = true, .null = true},
    [C_REF] = {.name = "ref", .type = LDR_F_UUID, .def = LDR_DEF_UUID, .immutable = true},
    [C_CREATED] = {.name = "created_at", .type = LDR_F_TIMESTAMPTZ, .stamp_insert = true},
    [C_UPDATED] = {.name = "updated_at", .type = LDR_F_TIMESTAMPTZ, .stamp_update = true},
    [C_DELETED] = {.name = "deleted_at", .type = LDR_F_TIMESTAMPTZ, .null = true},
};

static const ldr_field order_fields[O_COUNT] = {
    [O_TENANT] = {.name = "tenant", .type = LDR_F_TEXT},
    [O_ID] = {.name = "id", .type = LDR_F_INT8, .def = LDR_DEF_IDENTITY},
    [O_CUSTOMER] = {.name = "customer", .type = LDR_F_TEXT, .null = true},
    [O_PARENT] = {.name = "parent", .type = LDR_F_INT8, .null = true},
    [O_NOTE] = {.name = "note", .type = LDR_F_JSON, .null = true},
};

static const char *const key[] = {"tenant", "id"};

static ldr_code add_fields(ldr_schema *s, ldr_entity *e, const ldr_field *f, unsigned n, ldr_err *err) {
  ldr_code code = LDR_OK;
  for (unsigned i = 0; i < n && code == LDR_OK; i++) code = ldr_entity_add_field(s, e, &f[i], err);
  return code;
}

static ldr_code add_customers(ldr_schema *s, ldr_err *err) {
  static const char *const email[] = {"tenant", "email"}, *const recent[] = {"tenant", "-created_at", "id"};
  ldr_entity *e = NULL;
  ldr_code code = ldr_schema_add(s, "customers", "shop.customers", &e, err);
  if (code == LDR_OK) code = add_fields(s, e, customer_fields, C_COUNT, err);
  if (code == LDR_OK) code = ldr_entity_set_key(s, e, "customers_pkey", key, 2, err);
  if (code == LDR_OK) code = ldr_entity_add_unique(s, e, "customers_email_key", email, 2, err);
  if (code == LDR_OK) code = ldr_entity_unique_when(s, e, "deleted_at", NULL, err);
  if (code == LDR_OK) code = ldr_entity_add_index(s, e, recent, 3, err);
  if (code == LDR_OK) code = ldr_entity_set_tenant(e, "tenant", err);
  if (code == LDR_OK) code = ldr_entity_set_soft_delete(e, "deleted_at", err);
  return code;
}

static ldr_code add_orders(ldr_schema *s, ldr_err *err) {
  static const char *const customer[] = {"tenant", "customer"}, *const parent[] = {"tenant", "parent"};
  ldr_entity *e = NULL;
  ldr_code code = ldr_schema_add(s, "orders", "orders", &e, err);
  if (code == LDR_OK) code = add_fields(s, e, order_fields, O_COUNT, err);
  if (code == LDR_OK) code = ldr_entity_set_key(s, e, "orders_pkey", key, 2, err);
  if (code == LDR_OK)
    code = ldr_entity_add_ref(s, e, "orders_customer_fkey", customer, 2, "customers", LDR_SET_NULL,
                              &customer[1], 1, err);
  if (code == LDR_OK)
    code = ldr_entity_add_ref(s, e, "orders_parent_fkey", parent, 2, "orders", LDR_CASCADE, NULL, 0, err);
  return code;
}

ldr_schema *fixture_schema(ldr_err *err) {
  ldr_schema *s = NULL;
  ldr_code code = ldr_schema_new("shop", &s, err);
  if (code == LDR_OK) code = add_customers(s, err);
  if (code == LDR_OK) code = add_orders(s, err);
  if (code == LDR_OK) code = ldr_schema_finish(s, err);
  if (code == LDR_OK) return s;
  ldr_schema_release(s);
  return NULL;
}

ldr_value fixture_text(const char *s) { return ldr_text(s, strlen(s)); }
ldr_value fixture_json(const char *s) { return ldr_bytes_of(LDR_T_JSON, s, strlen(s)); }
ldr_value fixture_numeric(const char *s) { return ldr_bytes_of(LDR_T_NUMERIC, s, strlen(s)); }

ldr_value fixture_tags(void) {
  /* ndim 1, has nulls, text; 2 elements from 1; 3 bytes "one"; null */
  static const char tags[] =
      "\0\0\0\1\0\0\0\1\0\0\0\31\0\0\0\2\0\0\0\1"
      "\0\0\0\3one\377\377\377\377";
  return ldr_bytes_of(LDR_T_ARRAY, tags, sizeof tags - 1);
}

void fixture_customer(ldr_value row[C_COUNT]) {
  row[C_TENANT] = fixture_text("acme");
  row[C_ID] = fixture_text("c1");
  row[C_EMAIL] = fixture_text("a@b.c");
  row[C_STATUS] = fixture_text("active");
  row[C_VISITS] = ldr_int(7);
  row[C_BALANCE] = fixture_numeric("12.50");
  row[C_SCORE] = ldr_float(0.5);
  row[C_TAGS] = fixture_tags();
  row[C_SETTINGS] = fixture_json("{\"b\": 1, \"a\": [true, null]}");
  row[C_PHOTO] = ldr_bytes_of(LDR_T_BYTES, "\0\1\2", 3);
  row[C_TOKEN] = ldr_null();
  row[C_REF] = ldr_bytes_of(LDR_T_UUID, "0123456789abcdef", 16);
  row[C_CREATED] = ldr_time(ldr_time_of_unix(1700000000000001));
  row[C_UPDATED] = ldr_time(ldr_time_of_unix(1700000000000002));
  row[C_DELETED] = ldr_null();
}

const uint16_t fixture_out[2] = {C_TENANT, C_ID};
const ldr_order fixture_order[3] = {{.field = C_CREATED, .desc = true}, {.field = C_TENANT}, {.field = C_ID}};

ldr_op fixture_select(const ldr_entity *e) {
  ldr_op op;
  ldr_op_init(&op, LDR_OP_SELECT, e);
  op.name = "customers.list";
  op.nout = 2;
  op.out = fixture_out;
  op.norder = 3;
  op.order = fixture_order;
  return op;
}

ldr_op fixture_insert(const ldr_entity *e, const ldr_value *values, size_t nrows) {
  ldr_op op;
  ldr_op_init(&op, LDR_OP_INSERT, e);
  op.ncols = 2;
  op.cols = fixture_out;
  op.nrows = nrows;
  op.values = values;
  return op;
}

ldr_op fixture_update(const ldr_entity *e, const ldr_set *sets, unsigned n) {
  ldr_op op;
  ldr_op_init(&op, LDR_OP_UPDATE, e);
  op.nsets = n;
  op.sets = sets;
  return op;
}

ldr_op fixture_aggregate(const ldr_entity *e, const ldr_agg *aggs, unsigned naggs, const ldr_group *groups,
                         unsigned ngroups) {
  ldr_op op;
  ldr_op_init(&op, LDR_OP_AGGREGATE, e);
  op.naggs = naggs;
  op.aggs = aggs;
  op.ngroups = ngroups;
  op.groups = groups;
  return op;
}

/* One CopyData message. A row that is read is packed, written and read as the same. */
#include <stdlib.h>

#include "postgres/statement/copyformat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const labels[] = {"sad", "ok"};

static const ldr_field fields[] = {
    {.name = "id", .type = LDR_F_INT8},
    {.name = "name", .type = LDR_F_TEXT, .null = true},
    {.name = "amount", .type = LDR_F_NUMERIC, .null = true},
    {.name = "price", .type = LDR_F_NUMERIC, .null = true},
    {.name = "tags", .type = LDR_F_TEXT, .array = true, .null = true},
    {.name = "at", .type = LDR_F_TIMESTAMPTZ, .null = true},
    {.name = "moods",
     .type = LDR_F_ENUM,
     .array = true,
     .null = true,
     .enums = labels,
     .nenums = 2,
     .sql_type = "mood"},
    {.name = "words", .type = LDR_F_CITEXT, .array = true, .null = true},
    {.name = "spans", .type = LDR_F_NUMRANGE, .array = true, .null = true},
};
enum { NFIELDS = sizeof fields / sizeof *fields };

static void check(bool ok) {
  if (!ok) abort();
}

static ldr_entity *entity(void) {
  static const char *const key[] = {"id"};
  static ldr_schema *schema; /* lives as long as the process */
  static ldr_entity *e;
  ldr_err err;
  if (schema) return e;
  check(ldr_schema_new("fuzz", &schema, &err) == LDR_OK);
  check(ldr_schema_add(schema, "rows", "rows", &e, &err) == LDR_OK);
  for (int i = 0; i < NFIELDS; i++) check(ldr_entity_add_field(schema, e, &fields[i], &err) == LDR_OK);
  check(ldr_entity_set_key(schema, e, "rows_pkey", key, 1, &err) == LDR_OK);
  check(ldr_schema_finish(schema, &err) == LDR_OK);
  return e;
}

/* The oids of a database's own types. */
static const ldr_live_columns *live(void) {
  static ldr_live_columns *c; /* lives as long as the process */
  if (c) return c;
  c = calloc(1, sizeof *c + NFIELDS * sizeof *c->fields);
  check(c != NULL);
  for (int i = 0; i < NFIELDS; i++) c->fields[i].element = 16384 + (uint32_t)i;
  return c;
}

static void comes_back(const ldr_entity *e, const ldr_value *values) {
  ldr_value again[NFIELDS];
  ldr_buf out = {0}, scratch = {0};
  ldr_row *r = NULL;
  ldr_err err;
  check(ldr_row_pack(e, values, &r, &err) == LDR_OK);
  ldr_copybin_row(e, live(), r, &out);
  check(ldr_copybin_read(e, out.p, out.n, &scratch, again) == LDR_COPY_ROW);
  for (int i = 0; i < NFIELDS; i++) {
    check(again[i].type == values[i].type);
    check(values[i].type == LDR_T_NULL || ldr_value_cmp(&again[i], &values[i]) == 0);
  }
  ldr_row_release(r);
  ldr_buf_free(&out);
  ldr_buf_free(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const ldr_entity *e = entity();
  ldr_value values[NFIELDS];
  ldr_buf scratch = {0};
  if (ldr_copybin_read(e, (const char *)data, size, &scratch, values) == LDR_COPY_ROW) comes_back(e, values);
  ldr_buf_free(&scratch);
  return 0;
}

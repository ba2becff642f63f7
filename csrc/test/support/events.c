#include "support/events.h"

#include "support/test.h"

static const ldr_field event_id = {.name = "id", .type = LDR_F_TEXT},
                       event_n = {.name = "n", .type = LDR_F_INT8, .null = true};

ldr_code events_declare(const char *family, const char *store, const ldr_field *second, events *out,
                        ldr_err *err) {
  static const char *const key[] = {"id"};
  events d = {0};
  ldr_code code = ldr_schema_new(family, &d.schema, err);
  if (code == LDR_OK) code = ldr_schema_add(d.schema, store, "events", &d.e, err);
  if (code == LDR_OK) code = ldr_entity_add_field(d.schema, d.e, &event_id, err);
  if (code == LDR_OK) code = ldr_entity_add_field(d.schema, d.e, second ? second : &event_n, err);
  if (code == LDR_OK) code = ldr_entity_set_key(d.schema, d.e, "events_pkey", key, 1, err);
  if (code == LDR_OK) code = ldr_schema_finish(d.schema, err);
  if (code)
    ldr_schema_release(d.schema);
  else
    *out = d;
  return code;
}

events events_of(const char *family, const ldr_field *second) {
  events d = {0};
  ldr_err err;
  CHECK_INT(events_declare(family, "events", second, &d, &err), LDR_OK);
  return d;
}

ldr_row *event_row(const ldr_entity *e, int n) {
  char id[16];
  ldr_value v[2];
  ldr_row *row = NULL;
  ldr_err err;
  snprintf(id, sizeof id, "e%04d", n);
  v[0] = ldr_text(id, strlen(id));
  v[1] = ldr_int(n);
  CHECK_INT(ldr_row_pack(e, v, &row, &err), LDR_OK);
  return row;
}

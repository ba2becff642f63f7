#include "fuzz.h"

void promise(bool held) {
  if (!held) abort();
}

static ldr_entity *declare(void) {
  static const char *const labels[] = {"a", "b"};
  const char *key[] = {"c00"};
  ldr_schema *schema;
  ldr_entity *e;
  ldr_err err;
  promise(ldr_schema_new("fuzz", &schema, &err) == LDR_OK);
  promise(ldr_schema_add(schema, "rows", "rows", &e, &err) == LDR_OK);
  for (int t = 0; t < LDR_F_UNKNOWN; t++) {
    char name[] = {'c', (char)('0' + t / 10), (char)('0' + t % 10), 0};
    ldr_field f = {.name = name,
                   .type = (ldr_ftype)t,
                   .null = t != 0,
                   .generated = t == LDR_F_TSVECTOR,
                   .max_len = t == LDR_F_CHAR || t == LDR_F_BIT ? 3 : 0};
    if (t == LDR_F_ENUM) {
      f.enums = labels;
      f.nenums = 2;
      f.sql_type = "fuzz.label";
    }
    promise(ldr_entity_add_field(schema, e, &f, &err) == LDR_OK);
  }
  promise(ldr_entity_set_key(schema, e, "rows_pkey", key, 1, &err) == LDR_OK);
  promise(ldr_schema_finish(schema, &err) == LDR_OK);
  return e;
}

const ldr_entity *every_type(void) {
  static const ldr_entity *e;
  if (e == NULL) e = declare();
  return e;
}

/* Cursor texts from strangers: as they are, and with both hashes made right so that the values behind them
 * are reached. Whatever decodes must be fit to page by, and must come back as the same text. */
#include <stdlib.h>
#include <string.h>

#include "ldr_cursor.h"
#include "ldr_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ldr_field fields[] = {
    {.name = "id", .type = LDR_F_INT8},
    {.name = "t", .type = LDR_F_TEXT, .null = true},
    {.name = "n", .type = LDR_F_NUMERIC, .null = true},
    {.name = "at", .type = LDR_F_TIMESTAMPTZ, .null = true},
    {.name = "u", .type = LDR_F_UUID, .null = true},
    {.name = "b", .type = LDR_F_BOOL, .null = true},
    {.name = "f", .type = LDR_F_FLOAT8, .null = true},
};
enum { NFIELDS = sizeof fields / sizeof *fields };

static void must(bool ok) {
  if (!ok) abort();
}

static const ldr_entity *declare(void) {
  static const ldr_entity *once;
  static const char *const key[] = {"id"};
  ldr_schema *s;
  ldr_entity *e;
  ldr_err err;
  if (once) return once;
  must(ldr_schema_new("fuzz", &s, &err) == LDR_OK);
  must(ldr_schema_add(s, "rows", "rows", &e, &err) == LDR_OK);
  for (size_t i = 0; i < NFIELDS; i++) must(ldr_entity_add_field(s, e, &fields[i], &err) == LDR_OK);
  must(ldr_entity_set_key(s, e, "rows_pkey", key, 1, &err) == LDR_OK);
  must(ldr_schema_finish(s, &err) == LDR_OK);
  once = e;
  return e;
}

/* An order that the first byte chooses: up to two fields, then the key. */
static ldr_op make_op(uint8_t choice, ldr_order order[3]) {
  ldr_op op;
  unsigned n = 0;
  ldr_op_init(&op, LDR_OP_SELECT, declare());
  if (choice & 7 && (choice & 7) < NFIELDS)
    order[n++] = (ldr_order){.field = choice & 7, .desc = choice >> 7};
  if (choice >> 3 & 7 && (choice >> 3 & 7) < NFIELDS) order[n++] = (ldr_order){.field = choice >> 3 & 7};
  order[n++] = (ldr_order){.field = 0};
  op.norder = n;
  op.order = order;
  return op;
}

static void try(const ldr_op *op, const char *s, size_t n) {
  ldr_arena a = {0};
  ldr_buf again = {0};
  ldr_err err;
  const ldr_value *values;
  ldr_code code = ldr_cursor_decode(op, s, n, &a, &values, &err);
  must(code == LDR_OK || code == LDR_INVALID);
  if (code == LDR_OK) {
    static const uint16_t id = 0;
    ldr_op page = *op;
    page.after = values;
    page.nout = 1;
    page.out = &id;
    must(ldr_op_check(&page, &err) == LDR_OK);
    must(ldr_cursor_encode(op, values, &again, &err) == LDR_OK);
    must(again.n == n && memcmp(again.p, s, n) == 0);
  }
  ldr_buf_free(&again);
  ldr_arena_free(&a);
}

/* A good cursor of this order with the fuzzer's bytes in place of its values. */
static void try_sealed(const ldr_op *op, const uint8_t *data, size_t size) {
  const ldr_value nulls[3] = {ldr_null(), ldr_null(), ldr_null()};
  ldr_buf text = {0}, raw = {0};
  ldr_err err;
  must(ldr_cursor_encode(op, nulls, &text, &err) == LDR_OK);
  must(ldr_base64url_decode(&raw, text.p, text.n));
  raw.n -= op->norder + 8; /* a null is one byte; then the hash */
  ldr_buf_add(&raw, data, size);
  ldr_buf_be64(&raw, ldr_hash64(raw.p, raw.n, LDR_CURSOR_SEED));
  ldr_buf_reset(&text);
  ldr_base64url_add(&text, raw.p, raw.n);
  try(op, text.p, text.n);
  ldr_buf_free(&text);
  ldr_buf_free(&raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ldr_order order[3];
  ldr_op op;
  if (size == 0) return 0;
  op = make_op(data[0], order);
  if (data[0] & 64)
    try_sealed(&op, data + 1, size - 1);
  else
    try(&op, (const char *)data + 1, size - 1);
  return 0;
}

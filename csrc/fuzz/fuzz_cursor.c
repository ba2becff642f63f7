/* Cursor texts from strangers: as they are, and with both hashes made right so that the values behind them
 * are reached. Whatever decodes must be fit to page by, and must come back as the same text. */
#include "base/text.h"
#include "fuzz.h"
#include "model/cursor.h"

static bool can_order(unsigned field) {
  return field && field < every_type()->nfields && ldr_field_comparable(&every_type()->fields[field]);
}

/* An order that one byte chooses: up to two fields, then the key. */
static ldr_op make_op(uint8_t choice, ldr_order order[3]) {
  unsigned first = choice & 15, second = choice >> 4, n = 0;
  ldr_op op;
  ldr_op_init(&op, LDR_OP_SELECT, every_type());
  if (can_order(first)) order[n++] = (ldr_order){.field = (uint16_t)first, .desc = true};
  if (can_order(second)) order[n++] = (ldr_order){.field = (uint16_t)second};
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
  promise(code == LDR_OK || code == LDR_INVALID);
  if (code == LDR_OK) {
    static const uint16_t key = 0;
    ldr_op page = *op;
    page.after = values;
    page.nout = 1;
    page.out = &key;
    promise(ldr_op_check(&page, &err) == LDR_OK);
    promise(ldr_cursor_encode(op, values, &again, &err) == LDR_OK);
    promise(again.n == n && memcmp(again.p, s, n) == 0);
  }
  ldr_buf_free(&again);
  ldr_arena_free(&a);
}

/* A good cursor of this order with the fuzzer's bytes in place of its values. */
static void try_sealed(const ldr_op *op, const uint8_t *data, size_t size) {
  const ldr_value nulls[3] = {ldr_null(), ldr_null(), ldr_null()};
  ldr_buf text = {0}, raw = {0};
  ldr_err err;
  promise(ldr_cursor_encode(op, nulls, &text, &err) == LDR_OK);
  promise(ldr_base64url_decode(&raw, text.p, text.n));
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
  if (size < 2) return 0;
  op = make_op(data[0], order);
  if (data[1] & 1)
    try_sealed(&op, data + 2, size - 2);
  else
    try(&op, (const char *)data + 2, size - 2);
  return 0;
}

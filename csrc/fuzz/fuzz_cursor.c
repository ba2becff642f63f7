/* Cursors as strangers hand them in, and as somebody who knows the seal would. The first byte chooses the
 * order. */
#include "fuzz.h"
#include "ldr_cursor.h"
#include "ldr_text.h"

enum { HEAD = 9 }; /* version and hash of the sort, in front of the values */

/* A cursor of this order whose values are the given bytes, properly sealed. */
static void forge(const ldr_op *op, const char *values, size_t n, ldr_buf *out) {
  ldr_value none[2] = {ldr_null(), ldr_null()};
  ldr_buf text = {0}, raw = {0};
  ldr_err err;
  promise(ldr_cursor_encode(op, none, &text, &err) == LDR_OK);
  promise(ldr_base64url_decode(&raw, text.p, text.n) && raw.n > HEAD);
  raw.n = HEAD;
  ldr_buf_add(&raw, values, n);
  ldr_buf_be64(&raw, ldr_hash64(raw.p, raw.n, LDR_CURSOR_SEED));
  ldr_base64url_add(out, raw.p, raw.n);
  ldr_buf_free(&text);
  ldr_buf_free(&raw);
}

static void decode(const ldr_op *op, const char *s, size_t n) {
  ldr_arena arena = {0};
  ldr_buf again = {0};
  const ldr_value *values;
  ldr_err err;
  if (ldr_cursor_decode(op, s, n, &arena, &values, &err) == LDR_OK) {
    promise(ldr_cursor_encode(op, values, &again, &err) == LDR_OK);
    promise(again.n == n && memcmp(again.p, s, n) == 0);
  }
  ldr_buf_free(&again);
  ldr_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  const ldr_entity *e = every_type();
  size_t live = ldr_mem_live();
  ldr_order order[2] = {{.kind = LDR_BY_FIELD}, {.kind = LDR_BY_FIELD}};
  ldr_op op = {.e = e, .order = order, .norder = 2};
  ldr_buf forged = {0};
  if (n == 0) return 0;
  order[0].field = data[0] % LDR_F_JSON; /* the last two types have no order */
  forge(&op, (const char *)data + 1, n - 1, &forged);
  decode(&op, forged.p, forged.n);
  decode(&op, (const char *)data + 1, n - 1);
  ldr_buf_free(&forged);
  promise(ldr_mem_live() == live);
  return 0;
}

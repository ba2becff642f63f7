/* First byte: the type, its top bit: an array. The rest: what a server sent. Whatever is read is written
 * again and read as the same. */
#include <stdlib.h>
#include <string.h>

#include "values/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
  if (!ok) abort();
}

/* PostgreSQL sends what it reads; only oid (four bytes) and a bool that is not 0 or 1 come back otherwise. */
static void comes_back(ldr_ftype t, bool array, const ldr_value *v) {
  ldr_buf wire = {0}, again = {0}, scratch = {0};
  ldr_value back;
  ldr_codec_encode(t, v, &wire);
  check(ldr_codec_decode(t, array, wire.n ? wire.p : "", wire.n, &scratch, &back));
  check(back.type == v->type && (v->type == LDR_T_JSON || ldr_value_cmp(v, &back) == 0));
  ldr_codec_encode(t, &back, &again);
  check(again.n == wire.n && (wire.n == 0 || memcmp(again.p, wire.p, wire.n) == 0));
  ldr_buf_free(&wire);
  ldr_buf_free(&again);
  ldr_buf_free(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ldr_buf scratch = {0}, text = {0};
  ldr_value v;
  ldr_ftype t;
  bool array;
  if (size == 0) return 0;
  t = (ldr_ftype)((data[0] & 0x7f) % LDR_NFTYPES);
  array = data[0] & 0x80;
  if (ldr_codec_decode(t, array, (const char *)data + 1, size - 1, &scratch, &v)) {
    if (array || t != LDR_F_TSVECTOR) /* which is read only */
      comes_back(t, array && t != LDR_F_UNKNOWN, &v);
    ldr_codec_text(&v, &text); /* may break for an array whose elements make no sense */
  }
  ldr_buf_free(&scratch);
  ldr_buf_free(&text);
  return 0;
}

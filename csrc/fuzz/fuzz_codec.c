/* What a server may send for each type: decoding ends, and what was decoded encodes to itself again. The
 * first byte chooses the type. */
#include "fuzz.h"
#include "ldr_codec.h"

static void elements(const char *p, size_t n) {
  ldr_array_reader r;
  ldr_buf scratch = {0};
  const char *at;
  int32_t len;
  if (!ldr_array_read(&r, p, n)) return;
  for (size_t seen = 0; ldr_array_next(&r, &at, &len); seen++) {
    ldr_value v;
    promise(seen < r.count && len >= -1);
    if (len >= 0 && ldr_codec_decode(r.elem, false, at, (size_t)len, &scratch, &v) && !scratch.broken) {
      ldr_value_hash(&v, 1);
    }
    ldr_buf_reset(&scratch);
  }
  ldr_buf_free(&scratch);
}

static void scalar(ldr_ftype type, const ldr_value *v) {
  ldr_buf wire = {0}, scratch = {0}, text = {0};
  ldr_value again;
  promise(ldr_buf_reserve(&wire, 1)); /* an empty value lies somewhere, too */
  ldr_codec_encode(type, v, &wire);
  promise(ldr_codec_decode(type, false, wire.p, wire.n, &scratch, &again));
  promise(ldr_value_cmp(v, &again) == 0);
  promise(ldr_value_hash(v, 3) == ldr_value_hash(&again, 3));
  ldr_codec_text(v, &text);
  ldr_buf_free(&wire);
  ldr_buf_free(&scratch);
  ldr_buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  ldr_buf scratch = {0};
  ldr_value v;
  ldr_ftype type;
  bool array;
  if (n == 0) return 0;
  type = (ldr_ftype)(data[0] % LDR_NFTYPES);
  array = data[0] & 0x80;
  if (ldr_codec_decode(type, array, (const char *)data + 1, n - 1, &scratch, &v)) {
    if (array)
      elements(v.u.p, v.n);
    else
      scalar(type, &v);
  }
  ldr_buf_free(&scratch);
  promise(ldr_mem_live() == 0);
  return 0;
}

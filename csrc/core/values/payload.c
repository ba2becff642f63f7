#include "values/payload.h"

size_t ldr_payload_size(ldr_type t) {
  if (t == LDR_T_BOOL) return 1;
  return ldr_type_counts(t) || t == LDR_T_FLOAT ? 8 : 0;
}

void ldr_payload_put(const ldr_value *v, ldr_buf *out) {
  uint64_t bits;
  if (v->type == LDR_T_NULL) return;
  if (v->type == LDR_T_BOOL) {
    ldr_buf_chr(out, v->u.b);
  } else if (ldr_type_counts(v->type)) {
    ldr_buf_be64(out, (uint64_t)v->u.i);
  } else if (v->type == LDR_T_FLOAT) {
    memcpy(&bits, &v->u.f, sizeof bits);
    ldr_buf_be64(out, bits);
  } else {
    ldr_buf_add(out, v->u.p, v->n);
  }
}

bool ldr_payload_read(ldr_type t, const char *p, size_t n, ldr_value *out) {
  size_t size = ldr_payload_size(t);
  uint64_t bits;
  if (n > UINT32_MAX || (size && n != size) || (t == LDR_T_BOOL && (unsigned char)*p > 1)) return false;
  if (size == 0) {
    *out = ldr_bytes_of(t, p, n);
  } else if (t == LDR_T_BOOL) {
    *out = ldr_bool(*p == 1);
  } else {
    bits = ldr_be64(p);
    *out = ldr_counted(t, (int64_t)bits);
    if (t == LDR_T_FLOAT) memcpy(&out->u.f, &bits, sizeof bits);
  }
  return true;
}

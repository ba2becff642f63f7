/* Any bytes as a binary array: what is accepted is built again and reads back the same. */
#include "fuzz.h"
#include "values/value.h"

static void add_elements(ldr_array_reader r, ldr_buf *out) {
  const char *p;
  int32_t n;
  size_t count = 0;
  for (; ldr_array_next(&r, &p, &n); count++) {
    promise(n >= -1 && (n <= 0 || p + n <= r.end));
    ldr_buf_be32(out, (uint32_t)n);
    if (n > 0) ldr_buf_add(out, p, (size_t)n);
  }
  promise(count == r.count && r.p == r.end);
}

static void check_same_elements(ldr_array_reader a, ldr_array_reader b) {
  const char *p, *q;
  int32_t n, m;
  promise(a.ndim == b.ndim && a.count == b.count);
  while (ldr_array_next(&a, &p, &n)) {
    promise(ldr_array_next(&b, &q, &m) && n == m);
    promise(n <= 0 || memcmp(p, q, (size_t)n) == 0);
  }
  promise(!ldr_array_next(&b, &q, &m));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  ldr_array_reader r, again;
  ldr_buf built = {0};
  ldr_value v = ldr_bytes_of(LDR_T_ARRAY, data, n), w;
  if (!ldr_array_read(&r, v.u.p, n)) return 0;
  promise(r.count <= n / 4);
  ldr_array_begin(&built, r.elem, r.ndim, r.dims, true);
  add_elements(r, &built);
  promise(ldr_array_read(&again, built.p, built.n));
  check_same_elements(r, again);
  promise(ldr_value_cmp(&v, &v) == 0);
  w = ldr_bytes_of(LDR_T_ARRAY, built.p, built.n);
  if (ldr_value_cmp(&v, &w) == 0) /* lower bounds may differ */
    promise(ldr_value_hash(&v, 1) == ldr_value_hash(&w, 1));
  ldr_buf_free(&built);
  promise(ldr_mem_live() == 0);
  return 0;
}

/* Decimals: normal form is stable, equals itself, and survives PostgreSQL's binary form. */
#include "fuzz.h"
#include "ldr_numeric.h"

static void normal(const char *s, size_t n) {
  ldr_buf again = {0}, wire = {0}, back = {0}, sum = {0};
  promise(ldr_numeric_normal(s, n, &again));
  promise(again.n == n && memcmp(again.p, s, n) == 0);
  promise(ldr_numeric_cmp(s, n, again.p, again.n) == 0);
  ldr_numeric_to_wire(s, n, &wire);
  promise(ldr_numeric_from_wire(wire.p, wire.n, &back));
  promise(back.n == n && memcmp(back.p, s, n) == 0);
  ldr_numeric_add(s, n, s, n, &sum);
  ldr_buf_reset(&back);
  ldr_numeric_fit(s, n, 20, 4, &back);
  ldr_buf_free(&again);
  ldr_buf_free(&wire);
  ldr_buf_free(&back);
  ldr_buf_free(&sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  const char *s = (const char *)data;
  ldr_buf out = {0};
  if (ldr_numeric_normal(s, n, &out)) normal(out.p, out.n);
  ldr_buf_reset(&out);
  if (ldr_numeric_from_wire(s, n, &out)) normal(out.p, out.n);
  ldr_buf_free(&out);
  promise(ldr_mem_live() == 0);
  return 0;
}

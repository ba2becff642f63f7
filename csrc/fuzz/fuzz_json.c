/* JSON text: the canonical form is stable and equal to its source, and every reader ends. */
#include "fuzz.h"
#include "ldr_json.h"

static void relations(const char *s, size_t n, const ldr_buf *canonical) {
  ldr_err err;
  bool yes = false;
  uint64_t a = 0, b = 0;
  promise(ldr_json_equal(s, n, canonical->p, canonical->n, &yes, &err) == LDR_OK && yes);
  promise(ldr_json_contains(s, n, canonical->p, canonical->n, &yes, &err) == LDR_OK && yes);
  promise(ldr_json_hash(s, n, 7, &a, &err) == LDR_OK);
  promise(ldr_json_hash(canonical->p, canonical->n, 7, &b, &err) == LDR_OK);
  promise(a == b);
}

static bool reads(const char *s, size_t n) {
  ldr_json_reader r;
  ldr_json_event e;
  ldr_buf scratch = {0};
  ldr_json_read(&r, s, n, &scratch);
  do e = ldr_json_next(&r);
  while (e != LDR_JSON_ERROR && e != LDR_JSON_END);
  ldr_buf_free(&scratch);
  return e == LDR_JSON_END;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  const char *s = (const char *)data;
  ldr_buf first = {0}, second = {0};
  ldr_err err;
  bool good = ldr_json_canonical(s, n, &first, &err) == LDR_OK;
  if (good) {
    promise(reads(s, n));
    promise(ldr_json_canonical(first.p, first.n, &second, &err) == LDR_OK);
    promise(first.n == second.n && memcmp(first.p, second.p, first.n) == 0);
    relations(s, n, &first);
  } else {
    reads(s, n);
  }
  ldr_buf_free(&first);
  ldr_buf_free(&second);
  promise(ldr_mem_live() == 0);
  return 0;
}

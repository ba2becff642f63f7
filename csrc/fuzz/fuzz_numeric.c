/* Any bytes as the text of a number and as its wire form. */
#include "fuzz.h"
#include "values/numeric.h"

static bool same_bytes(const ldr_buf *a, const ldr_buf *b) {
  return a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

/* x is normal: it normalises to itself, survives the wire, and is larger than nothing but itself. */
static void check_normal(const ldr_buf *x) {
  ldr_buf again = {0}, wire = {0};
  promise(ldr_numeric_normal(x->p, x->n, &again));
  promise(same_bytes(x, &again));
  ldr_numeric_to_wire(x->p, x->n, &wire);
  ldr_buf_reset(&again);
  promise(ldr_numeric_from_wire(wire.p, wire.n, &again));
  promise(same_bytes(x, &again));
  promise(ldr_numeric_cmp(x->p, x->n, again.p, again.n) == 0);
  ldr_buf_free(&again);
  ldr_buf_free(&wire);
}

static void check_fit(const ldr_buf *x, int precision, int scale) {
  ldr_buf once = {0}, twice = {0};
  if (ldr_numeric_fit(x->p, x->n, precision, scale, &once)) {
    check_normal(&once);
    promise(ldr_numeric_fit(once.p, once.n, precision, scale, &twice)); /* rounding is over after the first */
    promise(same_bytes(&once, &twice));
  }
  ldr_buf_free(&once);
  ldr_buf_free(&twice);
}

/* x + y = y + x, and adding nothing keeps the value. */
static void check_sum(const ldr_buf *x, const ldr_buf *y) {
  ldr_buf a = {0}, b = {0};
  if (ldr_numeric_add(x->p, x->n, y->p, y->n, &a)) {
    promise(ldr_numeric_add(y->p, y->n, x->p, x->n, &b));
    promise(same_bytes(&a, &b));
    check_normal(&a);
  }
  ldr_buf_reset(&a);
  promise(ldr_numeric_add(x->p, x->n, "0.0000", 6, &a));
  promise(ldr_numeric_cmp(x->p, x->n, a.p, a.n) == 0);
  promise(ldr_numeric_hash(x->p, x->n, 1) == ldr_numeric_hash(a.p, a.n, 1));
  promise(ldr_numeric_cmp(x->p, x->n, y->p, y->n) == -ldr_numeric_cmp(y->p, y->n, x->p, x->n));
  ldr_buf_free(&a);
  ldr_buf_free(&b);
}

/* The text is two numbers with a '|' between them. */
static void check_text(const char *s, size_t n) {
  const char *bar = n ? memchr(s, '|', n) : NULL;
  size_t first = bar ? (size_t)(bar - s) : n;
  ldr_buf x = {0}, y = {0};
  if (ldr_numeric_normal(s, first, &x)) {
    check_normal(&x);
    check_sum(&x, &x);
    check_fit(&x, 20, 4);
    check_fit(&x, 1 + (int)(n % 30), (int)(n % 13) - 3);
    if (bar && ldr_numeric_normal(bar + 1, n - first - 1, &y)) check_sum(&x, &y);
  } else {
    promise(x.n == 0);
  }
  ldr_buf_free(&x);
  ldr_buf_free(&y);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  ldr_buf x = {0};
  check_text((const char *)data, n);
  if (ldr_numeric_from_wire(data, n, &x)) {
    check_normal(&x);
    check_sum(&x, &x);
    check_fit(&x, 20, 4);
  }
  ldr_buf_free(&x);
  promise(ldr_mem_live() == 0);
  return 0;
}

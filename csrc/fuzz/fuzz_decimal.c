/* Any bytes as two numbers with a '|' between them, and the laws of arithmetic on them. */
#include "fuzz.h"
#include "values/decimal.h"
#include "values/numeric.h"

static bool same_bytes(const ldr_buf *a, const ldr_buf *b) {
  return a->n == b->n && (a->n == 0 || memcmp(a->p, b->p, a->n) == 0);
}

/* What comes out is in normal form. */
static void check_normal(const ldr_buf *x) {
  ldr_buf again = {0};
  promise(ldr_numeric_normal(x->p, x->n, &again));
  promise(same_bytes(x, &again));
  ldr_buf_free(&again);
}

static int sign(const ldr_buf *x) { return ldr_numeric_cmp(x->p, x->n, "0", 1); }

/* a - b = -(b - a), and it is negative exactly when a is less. */
static void check_difference(const ldr_buf *a, const ldr_buf *b) {
  ldr_buf x = {0}, y = {0};
  if (ldr_decimal_sub(a->p, a->n, b->p, b->n, &x) == LDR_DECIMAL_OK) {
    promise(ldr_decimal_sub(b->p, b->n, a->p, a->n, &y) == LDR_DECIMAL_OK);
    check_normal(&x);
    promise(sign(&x) == -sign(&y));
    promise((sign(&x) < 0) == (ldr_numeric_cmp(a->p, a->n, b->p, b->n) < 0));
  }
  ldr_buf_free(&x);
  ldr_buf_free(&y);
}

/* a * b = b * a; the product divided by b is a, as far as the digits go. */
static void check_product(const ldr_buf *a, const ldr_buf *b) {
  ldr_buf x = {0}, y = {0};
  if (ldr_decimal_mul(a->p, a->n, b->p, b->n, &x) == LDR_DECIMAL_OK) {
    promise(ldr_decimal_mul(b->p, b->n, a->p, a->n, &y) == LDR_DECIMAL_OK);
    promise(same_bytes(&x, &y));
    check_normal(&x);
    ldr_buf_reset(&y);
    if (ldr_decimal_div(x.p, x.n, b->p, b->n, 60, &y) == LDR_DECIMAL_OK) {
      ldr_buf_reset(&x);
      if (ldr_decimal_round(a->p, a->n, 60, &x) == LDR_DECIMAL_OK)
        promise(ldr_numeric_cmp(x.p, x.n, y.p, y.n) == 0);
    }
  }
  ldr_buf_free(&x);
  ldr_buf_free(&y);
}

/* Rounding is over after the first time. */
static void check_round(const ldr_buf *a, int scale) {
  ldr_buf once = {0}, twice = {0};
  if (ldr_decimal_round(a->p, a->n, scale, &once) == LDR_DECIMAL_OK) {
    check_normal(&once);
    promise(ldr_decimal_round(once.p, once.n, scale, &twice) == LDR_DECIMAL_OK);
    promise(same_bytes(&once, &twice));
  }
  ldr_buf_free(&once);
  ldr_buf_free(&twice);
}

/* Finite, and so short that a run tries many. */
static bool read(const char *s, size_t n, ldr_buf *out) {
  return n < 60 && memchr(s, 'e', n) == NULL && memchr(s, 'E', n) == NULL && ldr_numeric_normal(s, n, out) &&
         out->n < 100 && strspn(out->p, "-.0123456789") >= out->n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  const char *s = (const char *)data, *bar = n ? memchr(s, '|', n) : NULL;
  ldr_buf a = {0}, b = {0};
  if (bar && read(s, (size_t)(bar - s), &a) && read(bar + 1, n - 1 - (size_t)(bar - s), &b)) {
    check_difference(&a, &b);
    check_product(&a, &b);
    check_round(&a, (int)(n % 13));
  }
  ldr_buf_free(&a);
  ldr_buf_free(&b);
  promise(ldr_mem_live() == 0);
  return 0;
}

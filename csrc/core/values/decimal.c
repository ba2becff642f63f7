#include "values/decimal.h"

#include <string.h>

#include "values/numeric.h"

enum { SIGNIFICANT = 16, GROUP = 4, MAX_SCALE = 16383, MAX_DIGITS = 131072, DISPLAY_SCALE = 1000 };

/* A finite number as its digits without the point, and how many of them are the fraction. */
typedef struct number {
  bool negative;
  const char *p; /* the text behind its sign */
  size_t n, whole, fraction;
} number;

static bool parse(const char *s, size_t n, number *x) {
  const char *point;
  x->negative = n > 0 && *s == '-';
  s += x->negative;
  n -= x->negative;
  if (n == 0 || *s < '0' || *s > '9') return false; /* NaN, Infinity */
  point = memchr(s, '.', n);
  x->p = s;
  x->n = n;
  x->whole = point ? (size_t)(point - s) : n;
  x->fraction = point ? n - x->whole - 1 : 0;
  return true;
}

/* Digit i of all, most significant first. */
static int digit(const number *x, size_t i) { return x->p[i < x->whole ? i : i + 1] - '0'; }
static size_t digits(const number *x) { return x->whole + x->fraction; }

/* The row of decimal digits d[0 … n-1], of which `scale` are the fraction, as a normal form. */
static ldr_decimal_end put(bool negative, const char *d, size_t n, size_t scale, ldr_buf *out) {
  ldr_buf text = {0};
  bool ok;
  if (negative) ldr_buf_chr(&text, '-');
  if (n <= scale) ldr_buf_chr(&text, '0');
  for (size_t i = 0; i < n; i++) {
    if (i + scale == n) ldr_buf_chr(&text, '.');
    ldr_buf_chr(&text, (char)('0' + d[i]));
  }
  if (text.broken) out->broken = true;
  ok = !text.broken && ldr_numeric_normal(text.p, text.n, out);
  ldr_buf_free(&text);
  return ok || out->broken ? LDR_DECIMAL_OK : LDR_DECIMAL_RANGE;
}

ldr_decimal_end ldr_decimal_sub(const char *a, size_t na, const char *b, size_t nb, ldr_buf *out) {
  ldr_buf minus = {0};
  bool ok;
  if (nb > 0 && *b == '-') {
    ldr_buf_add(&minus, b + 1, nb - 1);
  } else {
    if (nb > 0 && *b != 'N' && !(nb == 1 && *b == '0')) ldr_buf_chr(&minus, '-');
    ldr_buf_add(&minus, b, nb);
  }
  if (minus.broken) out->broken = true;
  ok = !minus.broken && ldr_numeric_add(a, na, minus.p, minus.n, out);
  ldr_buf_free(&minus);
  return ok || out->broken ? LDR_DECIMAL_OK : LDR_DECIMAL_RANGE;
}

/* ---- multiplying: limbs of nine digits, least significant first ---- */

enum { LIMB_DIGITS = 9 };
#define LIMB UINT64_C(1000000000)

static size_t limbs_of(const number *x) { return (digits(x) + LIMB_DIGITS - 1) / LIMB_DIGITS; }

static void to_limbs(const number *x, uint32_t *out) {
  size_t n = digits(x);
  for (size_t i = 0; n > 0; i++) {
    size_t from = n > LIMB_DIGITS ? n - LIMB_DIGITS : 0;
    uint32_t v = 0;
    for (size_t k = from; k < n; k++) v = v * 10 + (uint32_t)digit(x, k);
    out[i] = v;
    n = from;
  }
}

static void multiply(const uint32_t *a, size_t na, const uint32_t *b, size_t nb, uint32_t *out) {
  for (size_t i = 0; i < na; i++) {
    uint64_t carry = 0;
    for (size_t k = 0; k < nb || carry; k++) {
      uint64_t v = out[i + k] + carry + (k < nb ? (uint64_t)a[i] * b[k] : 0);
      out[i + k] = (uint32_t)(v % LIMB);
      carry = v / LIMB;
    }
  }
}

static ldr_decimal_end product(const number *x, const number *y, ldr_buf *out) {
  size_t na = limbs_of(x), nb = limbs_of(y), n = na + nb;
  uint32_t *limbs = ldr_alloc_array(2 * n + 1, sizeof *limbs), *a = limbs + n + 1, *b = a + na;
  char *row = ldr_alloc_array(n + 1, LIMB_DIGITS);
  ldr_decimal_end end = LDR_DECIMAL_OK;
  if (limbs && row) {
    to_limbs(x, a);
    to_limbs(y, b);
    multiply(a, na, b, nb, limbs);
    for (size_t i = 0; i < n; i++) {
      uint32_t v = limbs[n - 1 - i];
      for (size_t k = LIMB_DIGITS; k-- > 0; v /= 10) row[i * LIMB_DIGITS + k] = (char)(v % 10);
    }
    end = put(x->negative != y->negative, row, n * LIMB_DIGITS, x->fraction + y->fraction, out);
  } else {
    out->broken = true;
  }
  ldr_free(limbs);
  ldr_free(row);
  return end;
}

ldr_decimal_end ldr_decimal_mul(const char *a, size_t na, const char *b, size_t nb, ldr_buf *out) {
  number x, y;
  if (!parse(a, na, &x) || !parse(b, nb, &y)) return LDR_DECIMAL_INFINITE;
  if (x.fraction + y.fraction > MAX_SCALE || x.whole + y.whole > MAX_DIGITS + 1) return LDR_DECIMAL_RANGE;
  return product(&x, &y, out);
}

/* ---- dividing: by hand, one digit after the other ---- */

/* The first group of four digits that is not zero, counted from the point: its weight and value. */
static long leading_group(const number *x, int *value) {
  long weight = (long)(x->whole + GROUP - 1) / GROUP - 1, least = -(long)(x->fraction + GROUP - 1) / GROUP;
  for (; weight >= least; weight--) {
    *value = 0;
    for (long i = 0; i < GROUP; i++) {
      long at = (long)x->whole - (weight + 1) * GROUP + i;
      *value = *value * 10 + (at >= 0 && (size_t)at < digits(x) ? digit(x, (size_t)at) : 0);
    }
    if (*value) return weight;
  }
  *value = 0;
  return 0;
}

/* As PostgreSQL chooses, in its groups of four. */
static size_t quotient_scale(const number *x, const number *y) {
  int a, b;
  long weight = leading_group(x, &a), scale;
  weight -= leading_group(y, &b);
  if (a <= b) weight--;
  scale = SIGNIFICANT - weight * GROUP;
  if (scale < (long)x->fraction) scale = (long)x->fraction;
  if (scale < (long)y->fraction) scale = (long)y->fraction;
  if (scale < 0) scale = 0;
  return scale > DISPLAY_SCALE ? DISPLAY_SCALE : (size_t)scale;
}

/* rest[0 … n] >= d[0 … n-1]? rest has a digit in front. */
static bool covers(const char *rest, const char *d, size_t n) {
  return rest[0] > 0 || memcmp(rest + 1, d, n) >= 0;
}

static void subtract(char *rest, const char *d, size_t n) {
  int borrow = 0;
  for (size_t i = n; i-- > 0;) {
    int v = rest[i + 1] - d[i] - borrow;
    borrow = v < 0;
    rest[i + 1] = (char)(v + 10 * borrow);
  }
  rest[0] = (char)(rest[0] - borrow);
}

static bool is_zero(const number *x) {
  for (size_t i = 0; i < digits(x); i++)
    if (digit(x, i)) return false;
  return true;
}

/* Adds one to the row's last digit; there is room for a carry in front. */
static void round_up(char *row, size_t n) {
  while (n-- > 0) {
    if (++row[n] < 10) return;
    row[n] = 0;
  }
}

/* x / y, both as integers, times 10^shift: `total` digits of x with zeros behind. */
static ldr_decimal_end quotient(const number *x, const number *y, size_t total, size_t scale, ldr_buf *out) {
  size_t ny = digits(y);
  char *row = ldr_alloc_array(total + 2, 1), *rest = ldr_alloc_array(ny + 1, 1), *d = ldr_alloc_array(ny, 1);
  ldr_decimal_end end = LDR_DECIMAL_OK;
  if (row && rest && d) {
    for (size_t i = 0; i < ny; i++) d[i] = (char)digit(y, i);
    for (size_t i = 0; i <= total; i++) { /* one digit more than wanted tells how to round */
      memmove(rest, rest + 1, ny);
      rest[ny] = (char)(i < digits(x) ? digit(x, i) : 0);
      while (covers(rest, d, ny)) {
        subtract(rest, d, ny);
        row[i + 1]++;
      }
    }
    if (row[total + 1] >= 5) round_up(row, total + 1);
    end = put(x->negative != y->negative, row, total + 1, scale, out);
  } else {
    out->broken = true;
  }
  ldr_free(row);
  ldr_free(rest);
  ldr_free(d);
  return end;
}

ldr_decimal_end ldr_decimal_div(const char *a, size_t na, const char *b, size_t nb, int wanted,
                                ldr_buf *out) {
  number x, y;
  size_t scale;
  if (!parse(a, na, &x) || !parse(b, nb, &y)) return LDR_DECIMAL_INFINITE;
  if (is_zero(&y)) return LDR_DECIMAL_ZERO;
  scale = wanted < 0 ? quotient_scale(&x, &y) : (size_t)wanted;
  if (scale > MAX_SCALE) return LDR_DECIMAL_RANGE;
  /* of the quotient of the integers x.fraction - y.fraction digits are a fraction */
  return quotient(&x, &y, x.whole + y.fraction + scale, scale, out);
}

ldr_decimal_end ldr_decimal_round(const char *a, size_t na, int scale, ldr_buf *out) {
  number x;
  if (scale < 0 || scale > MAX_SCALE) return LDR_DECIMAL_RANGE;
  if (!parse(a, na, &x)) {
    ldr_buf_add(out, a, na);
    return LDR_DECIMAL_OK;
  }
  return ldr_numeric_fit(a, na, MAX_DIGITS + MAX_SCALE, scale, out) ? LDR_DECIMAL_OK : LDR_DECIMAL_RANGE;
}

#include "values/numeric.h"

#include <string.h>

#include "base/hash.h"
#include "base/text.h"

enum {
  MAX_INTEGER = 131072, /* digits before the point */
  MAX_SCALE = 16383,    /* digits after it */
  MAX_EXPONENT = 1073741823,
  MAX_EXPANSION = 1000 /* digits that an exponent adds: eight bytes must not become a hundred thousand */
};

typedef enum kind { NEG_INF, FINITE, INF, NOT_A_NUMBER } kind; /* in PostgreSQL's order */

static const char *const words[] = {[NEG_INF] = "-Infinity", [INF] = "Infinity", [NOT_A_NUMBER] = "NaN"};

/* Digits before and after the point, as they stand in the text. */
typedef struct decimal {
  bool negative;
  const char *integer, *fraction;
  size_t nint, nfrac;
} decimal;

static size_t digit_run(const char *s, const char *end) {
  size_t n = 0;
  while (s + n < end && ldr_is_digit(s[n])) n++;
  return n;
}

static size_t leading_zeros(const char *s, size_t n) {
  size_t zeros = 0;
  while (zeros < n && s[zeros] == '0') zeros++;
  return zeros;
}

static void split(const char *s, const char *end, decimal *d) {
  d->integer = s;
  d->nint = digit_run(s, end);
  s += d->nint;
  d->fraction = s < end && *s == '.' ? s + 1 : s;
  d->nfrac = d->fraction == s ? 0 : digit_run(d->fraction, end);
}

/* Takes a normal form apart. */
static kind view(const char *s, size_t n, decimal *d) {
  const char *end = s + n;
  if (n == 0) return NOT_A_NUMBER; /* no normal form is empty: a caller's mistake must not read beyond it */
  if (*s == 'N') return NOT_A_NUMBER;
  if (*s == 'I') return INF;
  d->negative = *s == '-';
  s += d->negative;
  if (s < end && *s == 'I') return NEG_INF;
  split(s, end, d);
  return FINITE;
}

/* ---- any spelling → normal form ---- */

static bool same_word(const char *s, size_t n, const char *word) {
  if (n != strlen(word)) return false;
  for (size_t i = 0; i < n; i++)
    if ((s[i] | 0x20) != (word[i] | 0x20)) return false; /* all letters */
  return true;
}

static bool special(const char *s, size_t n, bool negative, ldr_buf *out) {
  if (!same_word(s, n, "infinity") && !same_word(s, n, "inf")) return false;
  ldr_buf_str(out, words[negative ? NEG_INF : INF]);
  return true;
}

/* [eE][+-]digits up to the end of the text; false: not that, or PostgreSQL's limit is passed. */
static bool exponent(const char *s, const char *end, int64_t *out) {
  bool negative;
  int64_t v = 0;
  if (s == end) return true;
  if ((*s++ | 0x20) != 'e' || s == end) return false;
  negative = *s == '-';
  if (*s == '-' || *s == '+') s++;
  if (s == end || digit_run(s, end) != (size_t)(end - s)) return false;
  for (; s < end; s++) {
    v = v * 10 + (*s - '0');
    if (v >= MAX_EXPONENT) return false;
  }
  *out = negative ? -v : v;
  return true;
}

/* The digit at a place of integer and fraction put together; zeros without end on both sides. */
static char digit_at(const decimal *d, int64_t i) {
  if (i < 0 || i >= (int64_t)(d->nint + d->nfrac)) return '0';
  return i < (int64_t)d->nint ? d->integer[i] : d->fraction[i - (int64_t)d->nint];
}

static void add_digits(const decimal *d, int64_t from, int64_t to, ldr_buf *out) {
  for (int64_t i = from; i < to; i++) out->p[out->n++] = digit_at(d, i);
}

bool ldr_numeric_normal(const char *s, size_t n, ldr_buf *out) {
  const char *end = s + n;
  decimal d;
  int64_t exp = 0, size, first = 0, point, scale;
  bool zero;
  if (same_word(s, n, "nan")) {
    ldr_buf_str(out, words[NOT_A_NUMBER]);
    return true;
  }
  d.negative = n > 0 && *s == '-';
  if (n > 0 && (*s == '-' || *s == '+')) s++;
  if (special(s, (size_t)(end - s), d.negative, out)) return true;
  split(s, end, &d);
  if (d.nint + d.nfrac == 0 || !exponent(d.fraction + d.nfrac, end, &exp)) return false;
  size = (int64_t)(d.nint + d.nfrac);
  while (first < size && digit_at(&d, first) == '0') first++;
  point = (int64_t)d.nint + exp;
  scale = (int64_t)d.nfrac > exp ? (int64_t)d.nfrac - exp : 0;
  zero = first == size;
  if (scale > MAX_SCALE || (!zero && point - first > MAX_INTEGER)) return false;
  if (zero || first > point) first = point; /* no digit in front of the point */
  if (point - first + scale > size + MAX_EXPANSION) return false;
  if (!ldr_buf_reserve(out, (size_t)(point - first + scale) + 3)) return true;
  if (d.negative && !zero) out->p[out->n++] = '-';
  if (first == point) out->p[out->n++] = '0';
  add_digits(&d, first, point, out);
  if (scale > 0) out->p[out->n++] = '.';
  add_digits(&d, point, point + scale, out);
  return true;
}

/* ---- arithmetic: a row of digits is made in the free part of the buffer, then settled ---- */

/* Room for `width` integer digits (at least one) and `scale` more, with two bytes in front for a sign and for
 * what the point pushes to the left. NULL when out of memory. */
static char *row_begin(ldr_buf *out, size_t width, size_t scale) {
  return ldr_buf_reserve(out, width + scale + 2) ? out->p + out->n + 2 : NULL;
}

/* Appends the row that row_begin gave as a normal form. */
static void row_end(ldr_buf *out, bool negative, size_t width, size_t scale) {
  char *w = out->p + out->n, *row = w + 2;
  size_t zeros = leading_zeros(row, width + scale);
  if (negative && zeros < width + scale) *w++ = '-';
  if (zeros > width - 1) zeros = width - 1; /* one digit stays in front of the point */
  memmove(w, row + zeros, width - zeros);
  w += width - zeros;
  if (scale > 0) {
    *w++ = '.';
    memmove(w, row + width, scale);
    w += scale;
  }
  out->n = (size_t)(w - out->p);
}

bool ldr_numeric_fit(const char *s, size_t n, int precision, int scale, ldr_buf *out) {
  decimal d;
  kind k = view(s, n, &d);
  size_t width, frac = scale > 0 ? (size_t)scale : 0, zeros;
  int64_t keep;
  char *row;
  if (k == NOT_A_NUMBER) ldr_buf_str(out, words[k]);
  if (k != FINITE) return k == NOT_A_NUMBER;
  width = d.nint + 1; /* a zero in front takes the carry */
  row = row_begin(out, width, frac);
  if (row == NULL) return true;
  keep = (int64_t)width + scale; /* digits of the row that stay; a negative scale rounds before the point */
  for (size_t i = 0; i < width + frac; i++) row[i] = (int64_t)i < keep ? digit_at(&d, (int64_t)i - 1) : '0';
  if (digit_at(&d, keep - 1) >= '5') { /* so keep > 0 */
    for (keep--; row[keep] == '9'; keep--) row[keep] = '0';
    row[keep]++;
  }
  zeros = leading_zeros(row, width + frac);
  if (zeros < width + frac && (int64_t)width - (int64_t)zeros > precision - scale) return false;
  row_end(out, d.negative, width, frac);
  return true;
}

static int sign_of(int v) { return (v > 0) - (v < 0); }

static int cmp_magnitude(const decimal *a, const decimal *b) {
  size_t common = a->nfrac < b->nfrac ? a->nfrac : b->nfrac;
  const decimal *longer = a->nfrac > b->nfrac ? a : b;
  int c;
  if (a->nint != b->nint) return a->nint > b->nint ? 1 : -1;
  c = memcmp(a->integer, b->integer, a->nint);
  if (c == 0) c = memcmp(a->fraction, b->fraction, common);
  if (c != 0) return sign_of(c);
  if (leading_zeros(longer->fraction + common, longer->nfrac - common) == longer->nfrac - common) return 0;
  return longer == a ? 1 : -1;
}

int ldr_numeric_cmp(const char *a, size_t na, const char *b, size_t nb) {
  decimal x, y;
  kind kx = view(a, na, &x), ky = view(b, nb, &y);
  if (kx != ky || kx != FINITE) return sign_of((int)kx - (int)ky);
  if (x.negative != y.negative) return x.negative ? -1 : 1;
  return x.negative ? cmp_magnitude(&y, &x) : cmp_magnitude(&x, &y);
}

/* NaN wins, then an infinity unless it meets its opposite. */
static kind add_kinds(kind a, kind b) {
  if (a == FINITE) return b;
  if (b == FINITE || a == b) return a;
  return NOT_A_NUMBER;
}

bool ldr_numeric_add(const char *a, size_t na, const char *b, size_t nb, ldr_buf *out) {
  decimal x, y, t;
  kind k = add_kinds(view(a, na, &x), view(b, nb, &y));
  size_t width, scale;
  int64_t sx, sy;
  int carry = 0, sign;
  char *row;
  if (k != FINITE) {
    ldr_buf_str(out, words[k]);
    return true;
  }
  if (cmp_magnitude(&x, &y) < 0) { /* the larger one first: then no borrow is left at the end */
    t = x;
    x = y;
    y = t;
  }
  width = x.nint + 1;
  scale = x.nfrac > y.nfrac ? x.nfrac : y.nfrac;
  row = row_begin(out, width, scale);
  if (row == NULL) return true;
  sx = (int64_t)width - (int64_t)x.nint; /* where their digits start in the row */
  sy = (int64_t)width - (int64_t)y.nint;
  sign = x.negative == y.negative ? 1 : -1;
  for (int64_t i = (int64_t)(width + scale) - 1; i >= 0; i--) {
    int v = digit_at(&x, i - sx) - '0' + sign * (digit_at(&y, i - sy) - '0') + carry;
    carry = v < 0 ? -1 : v / 10;
    row[i] = (char)('0' + v - 10 * carry);
  }
  if (width - leading_zeros(row, width) > MAX_INTEGER) return false;
  row_end(out, x.negative, width, scale);
  return true;
}

uint64_t ldr_numeric_hash(const char *s, size_t n, uint64_t seed) {
  if (n > 0 && memchr(s, '.', n) != NULL) {
    while (s[n - 1] == '0') n--;
    if (s[n - 1] == '.') n--;
  }
  return ldr_hash_keyed(s, n, seed);
}

/* ---- wire form: be16 ndigits, weight, sign, dscale, then base-10000 digits; the first digit counts
 *      10000 ^ weight, zeros at both ends are left out ---- */

enum { WIRE_HEADER = 8, WIRE_NEGATIVE = 0x4000, WIRE_NAN = 0xC000, WIRE_INF = 0xD000, WIRE_NEG_INF = 0xF000 };

static bool from_wire_word(unsigned sign, ldr_buf *out) {
  if (sign != WIRE_NAN && sign != WIRE_INF && sign != WIRE_NEG_INF) return false;
  ldr_buf_str(out, words[sign == WIRE_NAN ? NOT_A_NUMBER : sign == WIRE_INF ? INF : NEG_INF]);
  return true;
}

/* The four decimal digits of one wire digit from place `at` of the row, as far as they lie inside it. */
static void put_group(char *row, int64_t at, int64_t size, unsigned v) {
  for (int64_t i = at + 3; i >= at; i--, v /= 10)
    if (i < size) row[i] = (char)('0' + v % 10);
}

bool ldr_numeric_from_wire(const void *p, size_t n, ldr_buf *out) {
  const unsigned char *s = p;
  unsigned ndigits, sign, scale;
  int weight;
  size_t width;
  char *row;
  if (n < WIRE_HEADER) return false;
  ndigits = ldr_be16(s);
  weight = (int16_t)ldr_be16(s + 2);
  sign = ldr_be16(s + 4);
  scale = ldr_be16(s + 6);
  if (n != WIRE_HEADER + 2 * (size_t)ndigits || scale > MAX_SCALE) return false;
  if (sign != 0 && sign != WIRE_NEGATIVE) return ndigits == 0 && from_wire_word(sign, out);
  s += WIRE_HEADER;
  for (unsigned i = 0; i < ndigits; i++)
    if (ldr_be16(s + 2 * i) > 9999) return false;
  width = weight >= 0 ? 4 * ((size_t)weight + 1) : 1;
  row = row_begin(out, width, scale);
  if (row == NULL) return true;
  memset(row, '0', width + scale);
  for (unsigned i = 0; i < ndigits; i++) /* digits beyond the scale are cut, as PostgreSQL prints it */
    put_group(row, (int64_t)width + 4 * ((int64_t)i - weight - 1), (int64_t)(width + scale),
              ldr_be16(s + 2 * i));
  row_end(out, sign == WIRE_NEGATIVE, width, scale);
  return true;
}

static unsigned group_at(const decimal *d, int64_t at) {
  unsigned v = 0;
  for (int64_t i = at; i < at + 4; i++) v = v * 10 + (unsigned)(digit_at(d, i) - '0');
  return v;
}

static void add_header(ldr_buf *out, size_t ndigits, int64_t weight, unsigned sign, size_t scale) {
  ldr_buf_be16(out, (uint16_t)ndigits);
  ldr_buf_be16(out, (uint16_t)weight);
  ldr_buf_be16(out, (uint16_t)sign);
  ldr_buf_be16(out, (uint16_t)scale);
}

void ldr_numeric_to_wire(const char *s, size_t n, ldr_buf *out) {
  static const unsigned signs[] = {[NEG_INF] = WIRE_NEG_INF, [INF] = WIRE_INF, [NOT_A_NUMBER] = WIRE_NAN};
  decimal d;
  kind k = view(s, n, &d);
  int64_t before, start, first = 0, last;
  if (k != FINITE) {
    add_header(out, 0, 0, signs[k], 0);
    return;
  }
  before = (int64_t)(d.nint + 3) / 4;   /* groups in front of the point */
  start = (int64_t)d.nint - 4 * before; /* where the first begins: up to three digits before the text */
  last = before + (int64_t)(d.nfrac + 3) / 4;
  while (first < last && group_at(&d, start + 4 * first) == 0) first++;
  while (last > first && group_at(&d, start + 4 * (last - 1)) == 0) last--;
  add_header(out, (size_t)(last - first), first == last ? 0 : before - 1 - first,
             d.negative ? WIRE_NEGATIVE : 0, d.nfrac);
  for (; first < last; first++) ldr_buf_be16(out, (uint16_t)group_at(&d, start + 4 * first));
}

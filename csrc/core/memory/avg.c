#include "memory/avg.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "values/json.h"

enum { SIGNIFICANT = 16, GROUP = 4 }; /* digits; PostgreSQL computes in groups of four */

__extension__ typedef unsigned __int128 wide; /* a remainder times ten */

/* A positive decimal: whole digits, then a fraction. */
typedef struct decimal {
  const char *whole, *fraction;
  size_t nwhole, nfraction;
} decimal;

static decimal parse(const char *s, size_t n) {
  const char *point = memchr(s, '.', n);
  decimal d = {.whole = s, .nwhole = point ? (size_t)(point - s) : n};
  if (point) d.fraction = point + 1;
  if (point) d.nfraction = n - d.nwhole - 1;
  return d;
}

static int digit_at(const decimal *d, long i) { /* 0 is the first of the fraction, -1 the last whole one */
  if (i >= 0) return (size_t)i < d->nfraction ? d->fraction[i] - '0' : 0;
  return (size_t)-i <= d->nwhole ? d->whole[(long)d->nwhole + i] - '0' : 0;
}

/* The first group of four that is not zero: its weight (0: the last whole group) and value. */
static long leading_group(const decimal *d, int *value) {
  long weight = (long)(d->nwhole + GROUP - 1) / GROUP - 1, least = -(long)(d->nfraction + GROUP - 1) / GROUP;
  for (; weight >= least; weight--) {
    *value = 0;
    for (long i = 0; i < GROUP; i++) *value = *value * 10 + digit_at(d, -(weight + 1) * GROUP + i);
    if (*value) return weight;
  }
  *value = 0;
  return 0;
}

static long fraction_digits(const decimal *sum, const decimal *count) {
  int a, b;
  long weight = leading_group(sum, &a), scale;
  weight -= leading_group(count, &b);
  if (a <= b) weight--;
  scale = SIGNIFICANT - weight * GROUP;
  if (scale < (long)sum->nfraction) scale = (long)sum->nfraction;
  return scale < 0 ? 0 : scale;
}

/* One more, from the last digit on; the first one is a spare zero. */
static void round_up(ldr_buf *b) {
  for (size_t i = b->n; i-- > 0;) {
    if (b->p[i] == '.') continue;
    if (b->p[i]++ < '9') return;
    b->p[i] = '0';
  }
}

static void divide(const decimal *sum, uint64_t count, long scale, ldr_buf *out) {
  uint64_t rest = 0;
  ldr_buf_chr(out, '0');
  for (long i = -(long)sum->nwhole; i < scale; i++) {
    wide w = (wide)rest * 10 + (unsigned)digit_at(sum, i);
    if (i == 0) ldr_buf_chr(out, '.');
    ldr_buf_chr(out, (char)('0' + (int)(w / count)));
    rest = (uint64_t)(w % count);
  }
  if (!out->broken && rest >= count - rest) round_up(out);
}

static bool is_zero(const ldr_buf *text) {
  for (size_t i = 0; i < text->n; i++)
    if (text->p[i] != '0' && text->p[i] != '.') return false;
  return true;
}

/* Reading numbers is JSON's: it does not ask the locale. */
static ldr_avg_end to_double(const ldr_buf *text, bool negative, double *out) {
  ldr_json_reader r;
  ldr_buf scratch = {0};
  size_t zeros = 0;
  double f = 0;
  while (zeros + 1 < text->n && text->p[zeros] == '0' && text->p[zeros + 1] != '.') zeros++;
  ldr_json_read(&r, text->p + zeros, text->n - zeros, &scratch);
  switch (ldr_json_next(&r)) {
    case LDR_JSON_INT: f = (double)r.i; break;
    case LDR_JSON_FLOAT: f = r.f; break;
    default: break;
  }
  *out = negative ? -f : f;
  ldr_buf_free(&scratch);
  return isinf(f) || (f == 0 && !is_zero(text)) ? LDR_AVG_RANGE : LDR_AVG_OK;
}

ldr_avg_end ldr_avg(const char *sum, size_t n, int64_t count, double *out) {
  bool negative = n && *sum == '-';
  char text[24];
  decimal d, by;
  ldr_buf quotient = {0};
  ldr_avg_end end = LDR_AVG_NOMEM;
  if (negative) sum++, n--;
  if (n && (*sum < '0' || *sum > '9')) { /* NaN, Infinity */
    *out = *sum == 'N' ? (double)NAN : negative ? -(double)INFINITY : (double)INFINITY;
    return LDR_AVG_OK;
  }
  d = parse(sum, n);
  by = parse(text, (size_t)snprintf(text, sizeof text, "%lld", (long long)count));
  divide(&d, (uint64_t)count, fraction_digits(&d, &by), &quotient);
  if (!quotient.broken) end = to_double(&quotient, negative, out);
  ldr_buf_free(&quotient);
  return end;
}

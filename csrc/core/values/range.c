#include "values/range.h"

#include "base/hash.h"
#include "values/datetime.h"
#include "values/numeric.h"
#include "values/time.h"

/* ---- order ---- */

static int cmp_elements(ldr_range_kind kind, const ldr_bound *a, const ldr_bound *b) {
  if (kind == LDR_RANGE_NUMERIC) return ldr_numeric_cmp(a->p, a->n, b->p, b->n);
  return (a->i > b->i) - (a->i < b->i);
}

/* Bounds of either side; as PostgreSQL's range_cmp_bounds. */
static int cmp_bounds(ldr_range_kind kind, const ldr_bound *a, bool a_lower, const ldr_bound *b,
                      bool b_lower) {
  int c;
  if (!a->ends && !b->ends && a_lower == b_lower) return 0;
  if (!a->ends) return a_lower ? -1 : 1;
  if (!b->ends) return b_lower ? 1 : -1;
  c = cmp_elements(kind, a, b);
  if (c != 0) return c;
  if (!a->inclusive && !b->inclusive && a_lower == b_lower) return 0;
  if (!a->inclusive) return a_lower ? 1 : -1;
  if (!b->inclusive) return b_lower ? -1 : 1;
  return 0;
}

static int cmp_lower(const ldr_range *a, const ldr_range *b) {
  return cmp_bounds(a->kind, &a->lower, true, &b->lower, true);
}

static int cmp_upper(const ldr_range *a, const ldr_range *b) {
  return cmp_bounds(a->kind, &a->upper, false, &b->upper, false);
}

static bool begins_in_time(const ldr_range *a, const ldr_range *b) {
  return cmp_bounds(a->kind, &a->lower, true, &b->upper, false) <= 0;
}

/* A value was checked when it came in, so that these bytes are a range's. */
static ldr_range range_of(const char *p, size_t n) {
  ldr_range r = {.empty = true};
  (void)ldr_range_read(p, n, &r);
  return r;
}

int ldr_range_cmp(const char *a, size_t na, const char *b, size_t nb) {
  const ldr_range x = range_of(a, na), y = range_of(b, nb);
  int c;
  if (x.empty || y.empty) return (int)y.empty - (int)x.empty;
  c = cmp_lower(&x, &y);
  return c != 0 ? c : cmp_upper(&x, &y);
}

bool ldr_range_contains(const char *a, size_t na, const char *b, size_t nb) {
  const ldr_range x = range_of(a, na), y = range_of(b, nb);
  if (x.empty || y.empty) return y.empty;
  return cmp_lower(&x, &y) <= 0 && cmp_upper(&x, &y) >= 0;
}

bool ldr_range_overlaps(const char *a, size_t na, const char *b, size_t nb) {
  const ldr_range x = range_of(a, na), y = range_of(b, nb);
  return !x.empty && !y.empty && begins_in_time(&x, &y) && begins_in_time(&y, &x);
}

static uint64_t hash_bound(ldr_range_kind kind, const ldr_bound *b, uint64_t seed) {
  unsigned char t[8];
  if (!b->ends) return seed;
  if (kind == LDR_RANGE_NUMERIC) return ldr_numeric_hash(b->p, b->n, seed);
  for (int k = 0; k < 8; k++) t[k] = (unsigned char)((uint64_t)b->i >> 8 * k);
  return ldr_hash_keyed(t, sizeof t, seed);
}

uint64_t ldr_range_hash(const char *p, size_t n, uint64_t seed) {
  const ldr_range r = range_of(p, n);
  unsigned char flags = (unsigned char)ldr_range_flags(&r);
  seed = ldr_hash_keyed(&flags, 1, seed);
  return r.empty ? seed : hash_bound(r.kind, &r.upper, hash_bound(r.kind, &r.lower, seed));
}

/* ---- the canonical form ---- */

/* The last value that has no infinity behind it. */
static int64_t last_of(ldr_range_kind kind) {
  if (kind == LDR_RANGE_INT4) return INT32_MAX;
  return kind == LDR_RANGE_DATE ? LDR_DATE_LAST : INT64_MAX;
}

static bool is_discrete(ldr_range_kind kind) {
  return kind == LDR_RANGE_INT4 || kind == LDR_RANGE_INT8 || kind == LDR_RANGE_DATE;
}

/* Moves a bound of a discrete range to the next value, where it is to be inclusive and is not, or the other
 * way round. false: there is no next value. The infinities of dates have none and stay. */
static bool step(ldr_range_kind kind, ldr_bound *b, bool inclusive) {
  if (!b->ends || b->inclusive == inclusive) return true;
  if (kind == LDR_RANGE_DATE && (b->i == LDR_DATE_INF || b->i == LDR_DATE_NEG_INF)) return true;
  if (b->i >= last_of(kind)) return false;
  b->i++;
  b->inclusive = inclusive;
  return true;
}

static bool fits(ldr_range_kind kind, const ldr_bound *b) {
  if (!b->ends) return true;
  switch (kind) {
    case LDR_RANGE_INT4: return b->i >= INT32_MIN && b->i <= INT32_MAX;
    case LDR_RANGE_TIMESTAMP:
    case LDR_RANGE_TIMESTAMPTZ: return ldr_time_ok(b->i);
    case LDR_RANGE_DATE: return ldr_date_ok(b->i);
    default: return true;
  }
}

static bool holds_nothing(const ldr_range *r) {
  int c;
  if (!r->lower.ends || !r->upper.ends) return false;
  c = cmp_elements(r->kind, &r->lower, &r->upper);
  return c > 0 || (c == 0 && !(r->lower.inclusive && r->upper.inclusive));
}

static const char *canonical(ldr_range *r) {
  if (r->empty) return NULL;
  if (!fits(r->kind, &r->lower) || !fits(r->kind, &r->upper)) return "has a bound that is out of range";
  r->lower.inclusive = r->lower.inclusive && r->lower.ends;
  r->upper.inclusive = r->upper.inclusive && r->upper.ends;
  if (r->lower.ends && r->upper.ends && cmp_elements(r->kind, &r->lower, &r->upper) > 0)
    return "has its lower bound above its upper bound";
  r->empty = holds_nothing(r);
  if (r->empty || !is_discrete(r->kind)) return NULL;
  if (!step(r->kind, &r->lower, true) || !step(r->kind, &r->upper, false))
    return "has a bound at the end of its type, where no next value is";
  r->empty = holds_nothing(r);
  return NULL;
}

/* What holds the last value holds all behind it: there canonical ranges can say no less. */
ldr_range ldr_range_of_one(ldr_range_kind kind, ldr_bound v) {
  ldr_range r = {.kind = kind};
  v.ends = v.inclusive = true;
  r.lower = r.upper = v;
  if (!is_discrete(kind) || v.i != last_of(kind)) return r;
  r.upper.ends = kind == LDR_RANGE_DATE;
  r.upper.inclusive = false;
  r.upper.i = LDR_DATE_INF;
  return r;
}

/* ---- the value's bytes ---- */

unsigned ldr_range_flags(const ldr_range *r) {
  if (r->empty) return LDR_RANGE_EMPTY;
  return (r->lower.inclusive ? LDR_RANGE_LOWER_INCLUSIVE : 0u) |
         (r->upper.inclusive ? LDR_RANGE_UPPER_INCLUSIVE : 0u) |
         (r->lower.ends ? 0u : LDR_RANGE_LOWER_ENDLESS) | (r->upper.ends ? 0u : LDR_RANGE_UPPER_ENDLESS);
}

static void add_bound(ldr_range_kind kind, const ldr_bound *b, ldr_buf *out) {
  if (!b->ends) return;
  if (kind == LDR_RANGE_NUMERIC) {
    ldr_buf_be32(out, b->n);
    ldr_buf_add(out, b->p, b->n);
  } else {
    ldr_buf_be32(out, 8);
    ldr_buf_be64(out, (uint64_t)b->i);
  }
}

const char *ldr_range_add(ldr_range r, ldr_buf *out) {
  const char *why = canonical(&r);
  if (why) return why;
  ldr_buf_chr(out, (char)r.kind);
  ldr_buf_chr(out, (char)ldr_range_flags(&r));
  if (r.empty) return NULL;
  add_bound(r.kind, &r.lower, out);
  add_bound(r.kind, &r.upper, out);
  return NULL;
}

bool ldr_range_begin(unsigned flags, ldr_range *out) {
  ldr_range r = {0};
  bool lower = !(flags & LDR_RANGE_LOWER_ENDLESS), upper = !(flags & LDR_RANGE_UPPER_ENDLESS);
  if (flags >= 2 * LDR_RANGE_UPPER_ENDLESS) return false;
  r.empty = flags & LDR_RANGE_EMPTY;
  if (r.empty) lower = upper = false;
  r.lower.ends = lower;
  r.upper.ends = upper;
  r.lower.inclusive = flags & LDR_RANGE_LOWER_INCLUSIVE;
  r.upper.inclusive = flags & LDR_RANGE_UPPER_INCLUSIVE;
  *out = r;
  if (r.empty) return flags == LDR_RANGE_EMPTY;
  return (lower || !r.lower.inclusive) && (upper || !r.upper.inclusive);
}

bool ldr_range_take(const char **p, const char *end, const char **bytes, uint32_t *n) {
  if (end - *p < 4) return false;
  *n = ldr_be32(*p);
  if (*n > (size_t)(end - *p - 4)) return false;
  *bytes = *p + 4;
  *p = *bytes + *n;
  return true;
}

static bool read_bound(ldr_range_kind kind, const char **p, const char *end, ldr_bound *b) {
  if (!b->ends) return true;
  if (!ldr_range_take(p, end, &b->p, &b->n)) return false;
  if (kind == LDR_RANGE_NUMERIC) return true;
  if (b->n != 8) return false;
  b->i = (int64_t)ldr_be64(b->p);
  return true;
}

bool ldr_range_read(const char *p, size_t n, ldr_range *out) {
  const char *end = p + n;
  ldr_range r;
  if (n < 2 || (unsigned char)p[0] >= LDR_RANGE_KINDS || !ldr_range_begin((unsigned char)p[1], &r))
    return false;
  r.kind = (ldr_range_kind)p[0];
  p += 2;
  if (!read_bound(r.kind, &p, end, &r.lower) || !read_bound(r.kind, &p, end, &r.upper) || p != end)
    return false;
  *out = r;
  return true;
}

static bool is_normal(const ldr_bound *b, ldr_buf *scratch) {
  ldr_buf_reset(scratch);
  return !b->ends || (ldr_numeric_normal(b->p, b->n, scratch) && scratch->n == b->n &&
                      memcmp(scratch->p, b->p, b->n) == 0);
}

/* Made once more, a canonical range is the same. */
bool ldr_range_ok(ldr_range_kind kind, const char *p, size_t n, bool *broken) {
  ldr_range r;
  ldr_buf again = {0};
  bool ok = ldr_range_read(p, n, &r) && r.kind == kind;
  if (ok && kind == LDR_RANGE_NUMERIC) ok = is_normal(&r.lower, &again) && is_normal(&r.upper, &again);
  *broken = again.broken;
  ldr_buf_reset(&again);
  ok = ok && ldr_range_add(r, &again) == NULL && again.n == n && memcmp(again.p, p, n) == 0;
  *broken = *broken || again.broken;
  ldr_buf_free(&again);
  return ok && !*broken;
}

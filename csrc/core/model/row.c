#include "model/row.h"

#include <math.h>
#include <string.h>

#include "base/text.h"
#include "values/json.h"
#include "values/numeric.h"

static char *ends_of(const ldr_entity *e, ldr_row *r) { return r->data + ldr_row_bitmap(e); }

/* Bytes of a value in a row. */
static inline size_t packed_size(const ldr_value *v) {
  if (ldr_type_counts(v->type) || v->type == LDR_T_FLOAT) return 8;
  if (v->type == LDR_T_NULL) return 0;
  return v->type == LDR_T_BOOL ? 1 : v->n;
}

static inline void put_value(char *p, const ldr_value *v, size_t n) {
  if (ldr_type_counts(v->type))
    memcpy(p, &v->u.i, sizeof v->u.i);
  else if (v->type == LDR_T_FLOAT)
    memcpy(p, &v->u.f, sizeof v->u.f);
  else if (v->type == LDR_T_BOOL)
    *p = v->u.b;
  else if (n)
    memcpy(p, v->u.p, n);
}

static void put_values(const ldr_entity *e, const ldr_value *values, ldr_row *r) {
  char *ends = ends_of(e, r), *bytes = r->data + ldr_row_head(e);
  uint32_t end = 0;
  for (unsigned i = 0; i < e->nfields; i++) {
    size_t n = packed_size(&values[i]);
    if (values[i].type == LDR_T_NULL) r->data[i / 8] = (char)(r->data[i / 8] | 1 << i % 8);
    put_value(bytes + end, &values[i], n);
    end += (uint32_t)n;
    memcpy(ends + i * sizeof end, &end, sizeof end);
  }
}

ldr_code ldr_row_pack(const ldr_entity *e, const ldr_value *values, ldr_row **out, ldr_err *err) {
  size_t size = sizeof(ldr_row) + ldr_row_head(e);
  ldr_row *r;
  for (unsigned i = 0; i < e->nfields; i++) {
    if (values[i].type != LDR_T_NULL && values[i].type != e->fields[i].value_type)
      return ldr_fail(err, LDR_INTERNAL, "%s.%s: value of another type", e->name, e->fields[i].name);
    size += packed_size(&values[i]);
  }
  if (size > UINT32_MAX) return ldr_fail(err, LDR_CAPACITY, "a row of %s is larger than 4 GiB", e->name);
  r = ldr_alloc(size);
  if (r == NULL) return ldr_fail_nomem(err);
  r->refs = 1;
  r->size = (uint32_t)size;
  put_values(e, values, r);
  *out = r;
  return LDR_OK;
}

ldr_row *ldr_row_retain(ldr_row *r) {
  r->refs++;
  return r;
}

void ldr_row_release(ldr_row *r) {
  if (r && --r->refs == 0) ldr_free(r);
}

size_t ldr_row_size(const ldr_row *r) { return r->size; }

/* ---- batches ---- */

ldr_code ldr_batch_new(const ldr_entity *e, ldr_batch **out, ldr_err *err) {
  ldr_batch *b = ldr_alloc(sizeof *b);
  if (b == NULL) return ldr_fail_nomem(err);
  b->schema = ldr_schema_retain(e->schema);
  b->e = e;
  *out = b;
  return LDR_OK;
}

static bool reserve(ldr_batch *b, size_t cap) {
  ldr_row **rows;
  if (cap <= b->cap) return true;
  if (cap > SIZE_MAX / sizeof *rows) return false;
  rows = ldr_realloc(b->rows, cap * sizeof *rows);
  if (rows == NULL) return false;
  b->rows = rows;
  b->cap = cap;
  return true;
}

ldr_code ldr_batch_add(ldr_batch *b, ldr_row *r, ldr_err *err) {
  if (b->n == b->cap && !reserve(b, b->cap ? b->cap * 2 : 16)) {
    ldr_row_release(r);
    return ldr_fail_nomem(err);
  }
  b->rows[b->n++] = r;
  return LDR_OK;
}

ldr_code ldr_batch_slice(const ldr_batch *b, size_t from, size_t n, ldr_batch **out, ldr_err *err) {
  ldr_batch *s = NULL;
  ldr_code code;
  if (from > b->n) from = b->n; /* a slice beyond the end is shorter, down to empty */
  if (n > b->n - from) n = b->n - from;
  code = ldr_batch_new(b->e, &s, err);
  if (code != LDR_OK) return code;
  if (!reserve(s, n)) {
    ldr_batch_free(s);
    return ldr_fail_nomem(err);
  }
  for (s->n = 0; s->n < n; s->n++) s->rows[s->n] = ldr_row_retain(b->rows[from + s->n]);
  *out = s;
  return LDR_OK;
}

void ldr_batch_free(ldr_batch *b) {
  if (b == NULL) return;
  for (size_t i = 0; i < b->n; i++) ldr_row_release(b->rows[i]);
  ldr_free(b->rows);
  ldr_schema_release(b->schema);
  ldr_free(b);
}

/* ---- checksum ---- */

static const uint64_t seed_lo = UINT64_C(0x9e3779b97f4a7c15), seed_hi = UINT64_C(0xc2b2ae3d27d4eb4f);

static uint64_t float_bits(double f) {
  uint64_t bits;
  if (isnan(f)) f = (double)NAN; /* one for the many bit patterns */
  memcpy(&bits, &f, sizeof bits);
  return bits;
}

/* Appends a value in a form that equal values share, whichever engine kept them. */
static ldr_code add_canonical(const ldr_value *v, ldr_buf *b, ldr_err *err) {
  switch (v->type) {
    case LDR_T_NULL: return LDR_OK;
    case LDR_T_BOOL: ldr_buf_chr(b, v->u.b); return LDR_OK;
    case LDR_T_INT:
    case LDR_T_TIME:
    case LDR_T_DATE:
    case LDR_T_TIMESTAMP:
    case LDR_T_CLOCK: ldr_buf_be64(b, (uint64_t)v->u.i); return LDR_OK;
    case LDR_T_FLOAT: ldr_buf_be64(b, float_bits(v->u.f)); return LDR_OK;
    case LDR_T_NUMERIC:
      ldr_buf_be64(b, ldr_numeric_hash(v->u.p, v->n, seed_lo));
      ldr_buf_be64(b, ldr_numeric_hash(v->u.p, v->n, seed_hi));
      return LDR_OK;
    case LDR_T_RANGE:
      ldr_buf_be64(b, ldr_range_hash(v->u.p, v->n, seed_lo));
      ldr_buf_be64(b, ldr_range_hash(v->u.p, v->n, seed_hi));
      return LDR_OK;
    case LDR_T_JSON: return ldr_json_canonical(v->u.p, v->n, b, err);
    default: ldr_buf_add(b, v->u.p, v->n); return LDR_OK;
  }
}

/* A row as one unambiguous string: for each field its number, whether it is null, its length, its bytes. */
static ldr_code canonical_row(const ldr_entity *e, const ldr_row *r, ldr_buf *b, ldr_err *err) {
  ldr_buf_reset(b);
  for (unsigned i = 0; i < e->nfields; i++) {
    size_t at;
    ldr_value v;
    ldr_code code;
    ldr_row_get(e, r, i, &v);
    ldr_buf_be16(b, (uint16_t)i);
    ldr_buf_chr(b, v.type == LDR_T_NULL);
    at = b->n;
    ldr_buf_be32(b, 0);
    code = add_canonical(&v, b, err);
    if (code != LDR_OK) return code;
    ldr_buf_patch32(b, at, (uint32_t)(b->n - at - 4));
  }
  return b->broken ? ldr_fail_nomem(err) : LDR_OK;
}

ldr_code ldr_checksum_add(ldr_checksum *c, const ldr_batch *b, ldr_err *err) {
  ldr_checksum sum = *c;
  ldr_buf text = {0};
  ldr_code code = LDR_OK;
  for (size_t i = 0; i < b->n && code == LDR_OK; i++) {
    code = canonical_row(b->e, b->rows[i], &text, err);
    if (code != LDR_OK) break;
    sum.lo += ldr_hash64(text.p, text.n, seed_lo);
    sum.hi += ldr_hash64(text.p, text.n, seed_hi);
    sum.rows++;
  }
  ldr_buf_free(&text);
  if (code == LDR_OK) *c = sum;
  return code;
}

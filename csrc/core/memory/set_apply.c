#include "memory/set_apply.h"

#include <math.h>
#include <string.h>

#include "memory/errors.h"
#include "model/validate.h"
#include "values/json.h"
#include "values/numeric.h"

typedef struct assigner {
  const ldr_field *f;
  ldr_arena *a;
  ldr_buf made; /* new bytes, before they move into the arena */
  ldr_err *err;
} assigner;

static ldr_code take_made(assigner *x, ldr_type type, ldr_value *out) {
  const char *p = ldr_buf_copy(&x->made, x->a);
  if (p == NULL) return ldr_fail_nomem(x->err);
  *out = ldr_bytes_of(type, p, x->made.n);
  return LDR_OK;
}

/* ---- numbers ---- */

/* SQL adds a smallint as an integer: only what is stored has to fit, and the declared limits are looked at
 * before. */
static ldr_code add_ints(assigner *x, int64_t a, int64_t b, ldr_value *out) {
  int64_t max = x->f->type == LDR_F_INT8 ? INT64_MAX : INT32_MAX;
  ldr_code code;
  if (b > 0 ? a > max - b : a < -max - 1 - b) return ldr_memerr_range(x->f, x->err);
  *out = ldr_int(a + b);
  code = ldr_check_limits(x->f, out, x->err);
  if (code == LDR_OK && x->f->type == LDR_F_INT2 && a + b != (int16_t)(a + b))
    return ldr_memerr_range(x->f, x->err);
  return code;
}

static ldr_code add_floats(assigner *x, double a, double b, ldr_value *out) {
  double sum = x->f->type == LDR_F_FLOAT4 ? (double)((float)a + (float)b) : a + b;
  if (isinf(sum) && !isinf(a) && !isinf(b)) return ldr_memerr_range(x->f, x->err);
  *out = ldr_float(sum);
  return LDR_OK;
}

static ldr_code fit_numeric(assigner *x, ldr_value *out) {
  ldr_buf rounded = {0};
  bool fits = ldr_numeric_fit(x->made.p, x->made.n, x->f->precision, x->f->scale, &rounded);
  bool nomem = rounded.broken;
  ldr_buf_free(&x->made);
  x->made = rounded;
  if (!fits && !nomem) return ldr_memerr_range(x->f, x->err);
  return take_made(x, LDR_T_NUMERIC, out);
}

static ldr_code add_numerics(assigner *x, const ldr_value *a, const ldr_value *b, ldr_value *out) {
  if (!ldr_numeric_add(a->u.p, a->n, b->u.p, b->n, &x->made) && !x->made.broken)
    return ldr_memerr_range(x->f, x->err);
  if (x->made.broken) return ldr_fail_nomem(x->err);
  return x->f->precision ? fit_numeric(x, out) : take_made(x, LDR_T_NUMERIC, out);
}

static ldr_code add_numbers(assigner *x, const ldr_value *old, const ldr_value *by, ldr_value *out) {
  bool none = old->type == LDR_T_NULL;
  ldr_value zero = ldr_bytes_of(LDR_T_NUMERIC, "0", 1);
  switch (by->type) {
    case LDR_T_INT: return add_ints(x, none ? 0 : old->u.i, by->u.i, out);
    case LDR_T_FLOAT: return add_floats(x, none ? 0 : old->u.f, by->u.f, out);
    default: return add_numerics(x, none ? &zero : old, by, out);
  }
}

static ldr_code increment(assigner *x, const ldr_value *old, const ldr_value *by, ldr_value *out) {
  ldr_code code = add_numbers(x, old, by, out);
  return code == LDR_OK ? ldr_check_limits(x->f, out, x->err) : code;
}

/* ---- arrays ---- */

/* The shape of a || b: the same number of dimensions, or one of them an element of the other; false: they do
 * not go together. */
static bool joined_dims(const ldr_array_reader *a, const ldr_array_reader *b, int *ndim, int32_t *dims) {
  const ldr_array_reader *big = b->ndim > a->ndim ? b : a;
  int deeper = a->ndim - b->ndim, skip_a = deeper >= 0, skip_b = deeper <= 0;
  if (deeper < -1 || deeper > 1) return false;
  for (int i = 1; i < big->ndim; i++)
    if (a->dims[i - 1 + skip_a] != b->dims[i - 1 + skip_b]) return false;
  *ndim = big->ndim;
  memcpy(dims, big->dims, sizeof big->dims);
  if (deeper == 0 && b->dims[0] > INT32_MAX - a->dims[0]) return false;
  if (deeper != 0 && big->dims[0] == INT32_MAX) return false;
  dims[0] += deeper == 0 ? b->dims[0] : 1;
  return true;
}

static bool has_null(ldr_array_reader r) {
  const char *p;
  int32_t n;
  while (ldr_array_next(&r, &p, &n))
    if (n < 0) return true;
  return false;
}

static ldr_code append_array(assigner *x, const ldr_value *old, const ldr_value *more, ldr_value *out) {
  ldr_array_reader a, b;
  int32_t dims[6];
  int ndim;
  if (!ldr_array_read(&a, old->u.p, old->n) || !ldr_array_read(&b, more->u.p, more->n))
    return ldr_memerr_dims(x->f, x->err);
  if (a.count == 0 || b.count == 0) { /* an empty array has no dimensions */
    *out = a.count == 0 ? *more : *old;
    return LDR_OK;
  }
  if (!joined_dims(&a, &b, &ndim, dims)) return ldr_memerr_dims(x->f, x->err);
  ldr_array_begin(&x->made, a.elem, ndim, dims, has_null(a) || has_null(b));
  ldr_buf_add(&x->made, a.p, (size_t)(a.end - a.p));
  ldr_buf_add(&x->made, b.p, (size_t)(b.end - b.p));
  return take_made(x, LDR_T_ARRAY, out);
}

/* ---- JSON ---- */

static ldr_code concat_json(assigner *x, const ldr_value *old, const char *none, const ldr_value *more,
                            ldr_value *out) {
  ldr_value empty = ldr_bytes_of(LDR_T_JSON, none, 2);
  const ldr_value *base = old->type == LDR_T_NULL ? &empty : old;
  ldr_code code = ldr_json_concat(base->u.p, base->n, more->u.p, more->n, &x->made, x->err);
  return code == LDR_OK ? take_made(x, LDR_T_JSON, out) : code;
}

static ldr_code merge(assigner *x, const ldr_set *s, const ldr_value *old, const ldr_value *more,
                      ldr_value *out) {
  ldr_value empty = ldr_bytes_of(LDR_T_JSON, "{}", 2);
  const ldr_value *base = old->type == LDR_T_NULL ? &empty : old;
  ldr_code code;
  if (s->deeper == 0) return concat_json(x, old, "{}", more, out);
  code = ldr_json_merge(base->u.p, base->n, more->u.p, more->n, s->deeper, &x->made, x->err);
  return code == LDR_OK ? take_made(x, LDR_T_JSON, out) : code;
}

static ldr_code append(assigner *x, const ldr_value *old, const ldr_value *more, ldr_value *out) {
  if (!x->f->array) return concat_json(x, old, "[]", more, out);
  if (old->type != LDR_T_NULL) return append_array(x, old, more, out);
  *out = *more;
  return LDR_OK;
}

/* ---- all of them ---- */

/* An operand that is null makes a combination null, as every SQL operator does; || on arrays keeps the other,
 * and an old null counts as the empty array. */
static ldr_code combine_null(assigner *x, const ldr_value *old, ldr_value *out) {
  if (!x->f->array || old->type != LDR_T_NULL) {
    *out = x->f->array ? *old : ldr_null();
    return LDR_OK;
  }
  ldr_array_begin(&x->made, x->f->type, 0, NULL, false);
  return take_made(x, LDR_T_ARRAY, out);
}

static ldr_code combine(assigner *x, const ldr_set *s, const ldr_value *old, const ldr_value *v,
                        ldr_value *out) {
  if (v->type == LDR_T_NULL) return combine_null(x, old, out);
  switch (s->kind) {
    case LDR_SET_INCREMENT: return increment(x, old, v, out);
    case LDR_SET_APPEND: return append(x, old, v, out);
    default: return merge(x, s, old, v, out);
  }
}

static const ldr_value *greatest(const ldr_value *a, const ldr_value *b) {
  if (a->type == LDR_T_NULL || b->type == LDR_T_NULL) return a->type == LDR_T_NULL ? b : a;
  return ldr_value_cmp(b, a) > 0 ? b : a;
}

static ldr_code assign(assigner *x, const ldr_set *s, const ldr_value *old, const ldr_value *v,
                       ldr_value *out) {
  if (s->kind == LDR_SET_DEFAULT && x->f->def == LDR_DEF_DATABASE)
    return ldr_fail(x->err, LDR_UNSUPPORTED,
                    "the default of %s is made by PostgreSQL; in memory give a value", x->f->name);
  switch (s->kind) {
    case LDR_SET_DEFAULT: /* ldr_check_sets has put it into the value */
    case LDR_SET_VALUE: *out = *v; return LDR_OK;
    case LDR_SET_COALESCE: *out = old->type == LDR_T_NULL ? *v : *old; return LDR_OK;
    case LDR_SET_GREATEST: *out = *greatest(old, v); return LDR_OK;
    default: return combine(x, s, old, v, out);
  }
}

ldr_code ldr_set_apply(const ldr_entity *e, const ldr_set *sets, unsigned n, const ldr_value *old,
                       const ldr_value *excluded, ldr_arena *a, ldr_value *out, ldr_err *err) {
  memcpy(out, old, e->nfields * sizeof *out);
  for (unsigned i = 0; i < n; i++) {
    const ldr_set *s = &sets[i];
    assigner x = {.f = &e->fields[s->field], .a = a, .err = err};
    ldr_code code =
        assign(&x, s, &old[s->field], s->excluded ? &excluded[s->field] : &s->value, &out[s->field]);
    ldr_buf_free(&x.made);
    if (code != LDR_OK) return code;
    if (out[s->field].type == LDR_T_NULL && !x.f->null) return ldr_memerr_null(e, s->field, err);
  }
  return LDR_OK;
}

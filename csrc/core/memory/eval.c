#include "memory/eval.h"

#include <math.h>

#include "memory/errors.h"
#include "values/calendar.h"
#include "values/decimal.h"
#include "values/json.h"
#include "values/numeric.h"

/* ---- values that are made ---- */

/* What is in the scratch text as a value. */
static ldr_code take_text(const ldr_matcher *m, ldr_type type, ldr_value *out) {
  const ldr_buf *b = &m->scratch->text;
  const char *copy = ldr_buf_copy(b, &m->scratch->values);
  if (copy == NULL) return ldr_fail_nomem(m->err);
  *out = ldr_bytes_of(type, copy, b->n);
  return LDR_OK;
}

/* ---- paths ---- */

static ldr_code follow(const ldr_matcher *m, const ldr_expr *x, const ldr_value *json, ldr_value *out) {
  ldr_json_text steps[LDR_MAX_PATH];
  ldr_json_event kind = LDR_JSON_END;
  ldr_ftype type = x->as.type;
  ldr_buf *text = &m->scratch->text;
  ldr_code code;
  *out = ldr_null();
  if (json->type == LDR_T_NULL) return LDR_OK;
  for (unsigned i = 0; i < x->n; i++) steps[i] = (ldr_json_text){x->values[i].u.p, x->values[i].n};
  ldr_buf_reset(text);
  code = ldr_json_at(json->u.p, json->n, steps, x->n, type == LDR_F_JSONB, &kind, text, m->err);
  if (code != LDR_OK) return code;
  if (kind == LDR_JSON_NULL || kind == LDR_JSON_END) return LDR_OK;
  if (type == LDR_F_JSONB) return take_text(m, LDR_T_JSON, out);
  if (type == LDR_F_TEXT && kind == LDR_JSON_STRING) return take_text(m, LDR_T_TEXT, out);
  if (type == LDR_F_NUMERIC && kind == LDR_JSON_INT) return take_text(m, LDR_T_NUMERIC, out);
  if (type == LDR_F_BOOL && (kind == LDR_JSON_TRUE || kind == LDR_JSON_FALSE))
    *out = ldr_bool(kind == LDR_JSON_TRUE);
  return LDR_OK;
}

/* ---- numbers ---- */

/* An argument as the type that the function computes in. */
static ldr_code widen(const ldr_matcher *m, ldr_ftype to, ldr_value *v) {
  ldr_buf *text = &m->scratch->text;
  if (v->type != LDR_T_INT || to == LDR_F_INT8) return LDR_OK;
  if (to == LDR_F_FLOAT8) *v = ldr_float((double)v->u.i);
  if (to != LDR_F_NUMERIC) return LDR_OK;
  ldr_buf_reset(text);
  ldr_buf_fmt(text, "%lld", (long long)v->u.i);
  return take_text(m, LDR_T_NUMERIC, v);
}

static ldr_code ints(const ldr_matcher *m, const ldr_expr *x, int64_t a, int64_t b, ldr_value *out) {
  bool over = x->fn == LDR_FN_ADD   ? __builtin_add_overflow(a, b, &a)
              : x->fn == LDR_FN_SUB ? __builtin_sub_overflow(a, b, &a)
                                    : __builtin_mul_overflow(a, b, &a);
  *out = ldr_int(a);
  return over ? ldr_memerr_range(&x->as, m->err) : LDR_OK;
}

static ldr_code floats(const ldr_matcher *m, const ldr_expr *x, double a, double b, ldr_value *out) {
  double r = x->fn == LDR_FN_ADD ? a + b : x->fn == LDR_FN_SUB ? a - b : a * b;
  bool lost = x->fn == LDR_FN_MUL && r == 0 && a != 0 && b != 0;
  *out = ldr_float(r);
  return lost || (isinf(r) && !isinf(a) && !isinf(b)) ? ldr_memerr_range(&x->as, m->err) : LDR_OK;
}

static bool is_nan(const ldr_value *v) { return v->u.p[0] == 'N'; }
static bool is_negative(const ldr_value *v) { return v->u.p[0] == '-'; }
static bool is_infinite(const ldr_value *v) { return v->u.p[is_negative(v)] == 'I'; }
static bool is_zero(const ldr_value *v) {
  for (uint32_t i = 0; i < v->n; i++)
    if (v->u.p[i] >= '1' && v->u.p[i] <= '9') return false;
  return !is_nan(v) && !is_infinite(v);
}

/* A product with a factor that is no finite number. */
static ldr_value endless(const ldr_value *a, const ldr_value *b) {
  if (is_nan(a) || is_nan(b) || is_zero(a) || is_zero(b)) return ldr_bytes_of(LDR_T_NUMERIC, "NaN", 3);
  return is_negative(a) == is_negative(b) ? ldr_bytes_of(LDR_T_NUMERIC, "Infinity", 8)
                                          : ldr_bytes_of(LDR_T_NUMERIC, "-Infinity", 9);
}

static ldr_code numerics(const ldr_matcher *m, const ldr_expr *x, const ldr_value *a, const ldr_value *b,
                         ldr_value *out) {
  ldr_buf *text = &m->scratch->text;
  bool ok;
  ldr_buf_reset(text);
  if (x->fn == LDR_FN_MUL && (is_nan(a) || is_infinite(a) || is_nan(b) || is_infinite(b))) {
    *out = endless(a, b);
    return LDR_OK;
  }
  if (x->fn == LDR_FN_ADD)
    ok = ldr_numeric_add(a->u.p, a->n, b->u.p, b->n, text);
  else
    ok = (x->fn == LDR_FN_SUB ? ldr_decimal_sub : ldr_decimal_mul)(a->u.p, a->n, b->u.p, b->n, text) ==
         LDR_DECIMAL_OK;
  return ok || text->broken ? take_text(m, LDR_T_NUMERIC, out) : ldr_memerr_range(&x->as, m->err);
}

static ldr_code arithmetic(const ldr_matcher *m, const ldr_expr *x, ldr_value *v, ldr_value *out) {
  ldr_ftype type = x->as.type;
  ldr_code code = widen(m, type, &v[0]);
  if (code == LDR_OK) code = widen(m, type, &v[1]);
  if (code != LDR_OK) return code;
  if (type == LDR_F_INT8) return ints(m, x, v[0].u.i, v[1].u.i, out);
  return type == LDR_F_FLOAT8 ? floats(m, x, v[0].u.f, v[1].u.f, out) : numerics(m, x, &v[0], &v[1], out);
}

static ldr_code absolute(const ldr_matcher *m, const ldr_expr *x, const ldr_value *v, ldr_value *out) {
  *out = *v;
  if (v->type == LDR_T_FLOAT) out->u.f = fabs(v->u.f);
  if (v->type == LDR_T_NUMERIC && is_negative(v)) *out = ldr_bytes_of(LDR_T_NUMERIC, v->u.p + 1, v->n - 1);
  if (v->type != LDR_T_INT || v->u.i >= 0) return LDR_OK;
  if (v->u.i == INT64_MIN) return ldr_memerr_range(&x->as, m->err);
  out->u.i = -v->u.i;
  return LDR_OK;
}

/* ---- texts ---- */

static ldr_code fold(const ldr_matcher *m, const ldr_value *v, char first, ldr_value *out) {
  char *copy = ldr_arena_copy(&m->scratch->values, v->u.p, v->n);
  if (copy == NULL) return ldr_fail_nomem(m->err);
  for (uint32_t i = 0; i < v->n; i++)
    if (copy[i] >= first && copy[i] <= first + 25) copy[i] ^= 'a' - 'A';
  *out = ldr_text(copy, v->n);
  return LDR_OK;
}

static int64_t length_of(const ldr_value *v) {
  int64_t n = 0;
  if (v->type != LDR_T_TEXT) return v->n;
  for (uint32_t i = 0; i < v->n; i++) n += ((unsigned char)v->u.p[i] & 0xC0) != 0x80;
  return n;
}

/* ---- times ---- */

static ldr_code bucket_of(const ldr_matcher *m, const ldr_expr *x, const ldr_value *v, ldr_value *out) {
  *out = *v;
  return ldr_time_trunc(v->u.i, x->bucket, &out->u.i) ? LDR_OK : ldr_memerr_time(&x->as, m->err);
}

static ldr_value part_of(ldr_part part, int64_t us) {
  int64_t days = ldr_floor_div(us, LDR_DAY_LENGTH), rest = ldr_floor_mod(us, LDR_DAY_LENGTH);
  ldr_date d = ldr_date_of(days + LDR_EPOCH_DAYS);
  if (us == LDR_TIME_INF || us == LDR_TIME_NEG_INF) return ldr_null();
  switch (part) {
    case LDR_PART_YEAR: return ldr_int(d.year > 0 ? d.year : d.year - 1);
    case LDR_PART_MONTH: return ldr_int(d.month);
    case LDR_PART_DAY: return ldr_int(d.day);
    case LDR_PART_HOUR: return ldr_int(rest / (3600 * LDR_SECOND));
    case LDR_PART_MINUTE: return ldr_int(rest / (60 * LDR_SECOND) % 60);
    case LDR_PART_WEEKDAY: return ldr_int(ldr_floor_mod(days + 5, 7) + 1); /* 0: a Saturday */
    case LDR_NPARTS: break;
  }
  return ldr_null();
}

/* ---- all of them ---- */

static ldr_code coalesce(const ldr_matcher *m, const ldr_entity *e, const ldr_row *row, const ldr_expr *x,
                         ldr_value *out) {
  *out = ldr_null();
  for (unsigned i = 0; i < x->n && out->type == LDR_T_NULL; i++) {
    ldr_code code = ldr_mem_eval(m, e, row, x->args[i], out);
    if (code != LDR_OK) return code;
  }
  return widen(m, x->as.type, out);
}

static ldr_code call(const ldr_matcher *m, const ldr_entity *e, const ldr_row *row, const ldr_expr *x,
                     ldr_value *out) {
  ldr_value v[2];
  if (x->fn == LDR_FN_COALESCE) return coalesce(m, e, row, x, out);
  *out = ldr_null();
  for (unsigned i = 0; i < x->n; i++) {
    ldr_code code = ldr_mem_eval(m, e, row, x->args[i], &v[i]);
    if (code != LDR_OK || v[i].type == LDR_T_NULL) return code;
  }
  switch (x->fn) {
    case LDR_FN_LOWER: return fold(m, v, 'A', out);
    case LDR_FN_UPPER: return fold(m, v, 'a', out);
    case LDR_FN_LENGTH: *out = ldr_int(length_of(v)); return LDR_OK;
    case LDR_FN_ABS: return absolute(m, x, v, out);
    case LDR_FN_ADD:
    case LDR_FN_SUB:
    case LDR_FN_MUL: return arithmetic(m, x, v, out);
    case LDR_FN_BUCKET: return bucket_of(m, x, v, out);
    case LDR_FN_PART: *out = part_of(x->part, v->u.i); return LDR_OK;
    case LDR_FN_COALESCE:
    case LDR_NFNS: break;
  }
  return LDR_OK;
}

/* The row of a source; NULL: there is none. */
static ldr_code source_row(const ldr_matcher *m, const ldr_entity *e, const ldr_row *row,
                           const ldr_row_source *s, const ldr_row **out) {
  ldr_truth found;
  ldr_code code;
  *out = row;
  if (s == NULL) return LDR_OK;
  code = source_row(m, e, row, s->from, &row);
  *out = NULL;
  if (code != LDR_OK || row == NULL) return code;
  found = m->exists(m->ud, ldr_row_source_entity(e, s->from), row, s->row, out, m->err);
  if (found != LDR_TRUE) *out = NULL;
  return found == LDR_BROKEN ? m->err->code : LDR_OK;
}

static ldr_code field_of(const ldr_matcher *m, const ldr_entity *e, const ldr_row *row, const ldr_expr *x,
                         ldr_value *out) {
  ldr_code code = source_row(m, e, row, x->source, &row);
  if (code == LDR_OK && row)
    ldr_row_get(ldr_row_source_entity(e, x->source), row, x->field, out);
  else
    *out = ldr_null();
  return code;
}

ldr_code ldr_mem_eval(const ldr_matcher *m, const ldr_entity *e, const ldr_row *row, const ldr_expr *x,
                      ldr_value *out) {
  ldr_value json;
  switch (x->kind) {
    case LDR_X_FIELD: return field_of(m, e, row, x, out);
    case LDR_X_PATH: ldr_row_get(e, row, x->field, &json); return follow(m, x, &json, out);
    case LDR_X_VALUE: *out = x->values[0]; return LDR_OK;
    case LDR_X_CALL: return call(m, e, row, x, out);
  }
  return LDR_OK;
}

#include "memory/match.h"

#include <string.h>

#include "base/text.h"
#include "memory/eval.h"
#include "memory/lists.h"
#include "values/codec.h"
#include "values/json.h"

static ldr_truth truth(bool b) { return b ? LDR_TRUE : LDR_FALSE; }

/* ---- comparisons ---- */

static ldr_truth json_test(const ldr_matcher *m,
                           ldr_code (*test)(const char *, size_t, const char *, size_t, bool *, ldr_err *),
                           const ldr_value *a, const ldr_value *b) {
  bool yes;
  return test(a->u.p, a->n, b->u.p, b->n, &yes, m->err) == LDR_OK ? truth(yes) : LDR_BROKEN;
}

static ldr_truth equal(const ldr_matcher *m, const ldr_value *a, const ldr_value *b) {
  if (a->type == LDR_T_JSON) return json_test(m, ldr_json_equal, a, b);
  return truth(ldr_value_cmp(a, b) == 0);
}

static ldr_truth negate(ldr_truth t) {
  if (t == LDR_TRUE) return LDR_FALSE;
  return t == LDR_FALSE ? LDR_TRUE : t;
}

static ldr_truth like(const ldr_matcher *m, const ldr_value *v, const ldr_value *pattern, bool fold) {
  int found = ldr_like(v->u.p, v->n, pattern->u.p, pattern->n, fold);
  if (found >= 0) return truth(found > 0);
  ldr_fail_state(m->err, LDR_INVALID, "22025", "a LIKE pattern must not end with the escape character");
  return LDR_BROKEN;
}

static bool has_values(const ldr_value *v, const ldr_value *wanted, unsigned n) {
  for (unsigned i = 0; i < n; i++)
    if (ldr_value_cmp(&v[i], &wanted[i]) != 0) return false;
  return true;
}

static ldr_truth is_indexed(const ldr_hash *index, uint32_t code, const ldr_value *v, unsigned width) {
  size_t at = ldr_hash_start(code);
  const ldr_value *item;
  while ((item = ldr_hash_next(index, code, &at)))
    if (has_values(v, item, width)) return LDR_TRUE;
  return LDR_FALSE;
}

static ldr_truth is_in(const ldr_matcher *m, const ldr_value *v, const ldr_pred *p) {
  uint32_t code;
  const ldr_hash *index = ldr_memlists_find(m->lists, p, v, 1, &code);
  if (index) return is_indexed(index, code, v, 1);
  for (uint32_t i = 0; i < p->n; i++) {
    ldr_truth t = equal(m, v, &p->values[i]);
    if (t != LDR_FALSE) return t;
  }
  return LDR_FALSE;
}

/* ---- arrays ---- */

/* Equal elements mostly have equal bytes; only some types have several forms of one value (1.0 and 1.00). */
static ldr_truth equal_elements(const ldr_matcher *m, ldr_ftype type, const ldr_value *a,
                                const ldr_value *b) {
  ldr_buf made[2] = {{0}, {0}};
  ldr_value va, vb;
  ldr_truth t = LDR_FALSE;
  if (a->n == b->n && memcmp(a->u.p, b->u.p, a->n) == 0) return LDR_TRUE;
  if (ldr_codec_decode(type, false, a->u.p, a->n, &made[0], &va) &&
      ldr_codec_decode(type, false, b->u.p, b->n, &made[1], &vb))
    t = equal(m, &va, &vb);
  if (made[0].broken || made[1].broken) {
    ldr_fail_nomem(m->err);
    t = LDR_BROKEN;
  }
  ldr_buf_free(&made[0]);
  ldr_buf_free(&made[1]);
  return t;
}

static ldr_truth has_element(const ldr_matcher *m, ldr_array_reader all, const ldr_value *wanted) {
  const char *p;
  int32_t n;
  while (ldr_array_next(&all, &p, &n)) {
    ldr_value element;
    ldr_truth t;
    if (n < 0) continue;
    element = ldr_bytes_of(LDR_T_BYTES, p, (size_t)n);
    t = equal_elements(m, all.elem, &element, wanted);
    if (t != LDR_FALSE) return t;
  }
  return LDR_FALSE;
}

/* all @> some: every element of some is in all; all && some: one is. A null equals nothing; dimensions do not
 * count. */
static ldr_truth array_has(const ldr_matcher *m, const ldr_value *all, const ldr_value *some, bool every) {
  ldr_array_reader a, s;
  const char *p;
  int32_t n;
  if (!ldr_array_read(&a, all->u.p, all->n) || !ldr_array_read(&s, some->u.p, some->n)) return LDR_FALSE;
  while (ldr_array_next(&s, &p, &n)) {
    ldr_value wanted;
    ldr_truth t;
    if (n < 0 && every) return LDR_FALSE;
    if (n < 0) continue;
    wanted = ldr_bytes_of(LDR_T_BYTES, p, (size_t)n);
    t = has_element(m, a, &wanted);
    if (t == LDR_BROKEN || t != truth(every)) return t;
  }
  return truth(every);
}

static ldr_truth contains(const ldr_matcher *m, const ldr_value *all, const ldr_value *some) {
  if (all->type == LDR_T_ARRAY) return array_has(m, all, some, true);
  if (all->type == LDR_T_RANGE) return truth(ldr_range_contains(all->u.p, all->n, some->u.p, some->n));
  return json_test(m, ldr_json_contains, all, some);
}

static ldr_truth overlaps(const ldr_matcher *m, const ldr_value *a, const ldr_value *b) {
  if (a->type == LDR_T_RANGE) return truth(ldr_range_overlaps(a->u.p, a->n, b->u.p, b->n));
  return array_has(m, a, b, false);
}

/* ---- predicates ---- */

static ldr_truth match_value(const ldr_matcher *m, const ldr_pred *p, const ldr_value *v) {
  const ldr_value *w = p->values;
  if (p->kind == LDR_P_IS_NULL) return truth(v->type == LDR_T_NULL);
  if (p->kind == LDR_P_IN && p->n == 0) return LDR_FALSE;
  if (v->type == LDR_T_NULL) return LDR_UNKNOWN;
  if (p->kind == LDR_P_IN) return is_in(m, v, p);
  if (w->type == LDR_T_NULL) return LDR_UNKNOWN;
  switch (p->kind) {
    case LDR_P_EQ: return equal(m, v, w);
    case LDR_P_NE: return negate(equal(m, v, w));
    case LDR_P_LT: return truth(ldr_value_cmp(v, w) < 0);
    case LDR_P_LE: return truth(ldr_value_cmp(v, w) <= 0);
    case LDR_P_GT: return truth(ldr_value_cmp(v, w) > 0);
    case LDR_P_GE: return truth(ldr_value_cmp(v, w) >= 0);
    case LDR_P_LIKE: return like(m, v, w, false);
    case LDR_P_ILIKE: return like(m, v, w, true);
    case LDR_P_CONTAINS: return contains(m, v, w);
    case LDR_P_OVERLAPS: return overlaps(m, v, w);
    case LDR_P_HAS_KEY: return json_test(m, ldr_json_has_key, v, w);
    default: return LDR_FALSE;
  }
}

/* As has_values, where a null may stand for any value. */
static bool may_have(const ldr_value *v, const ldr_value *wanted, unsigned n) {
  for (unsigned i = 0; i < n; i++)
    if (v[i].type != LDR_T_NULL && ldr_value_cmp(&v[i], &wanted[i]) != 0) return false;
  return true;
}

/* As SQL's (a, b) in (…): a null field leaves it open, unless another field rules out every row of the list.
 */
static ldr_truth match_keys(const ldr_matcher *m, const ldr_entity *e, const ldr_row *row,
                            const ldr_pred *p) {
  unsigned width;
  const uint16_t *cols = ldr_pred_cols(e, p, &width);
  ldr_value v[LDR_MAX_KEY];
  bool null = false;
  const ldr_hash *index;
  uint32_t code;
  for (unsigned i = 0; i < width; i++) {
    ldr_row_get(e, row, cols[i], &v[i]);
    null = null || v[i].type == LDR_T_NULL;
  }
  index = null ? NULL : ldr_memlists_find(m->lists, p, v, width, &code);
  if (index) return is_indexed(index, code, v, width);
  for (uint32_t i = 0; i < p->n; i++) {
    const ldr_value *wanted = p->values + (size_t)i * width;
    if (null ? may_have(v, wanted, width) : has_values(v, wanted, width))
      return null ? LDR_UNKNOWN : LDR_TRUE;
  }
  return LDR_FALSE;
}

/* AND ends at the first kid that is false, OR at the first that is true; an unknown kid is remembered. */
static ldr_truth match_kids(const ldr_matcher *m, const ldr_entity *e, const ldr_row *row,
                            const ldr_pred *p) {
  ldr_truth ends = p->kind == LDR_P_AND ? LDR_FALSE : LDR_TRUE, result = negate(ends);
  for (uint32_t i = 0; i < p->n; i++) {
    ldr_truth t = ldr_match(m, e, row, p->kids[i]);
    if (t == ends || t == LDR_BROKEN) return t;
    if (t == LDR_UNKNOWN) result = LDR_UNKNOWN;
  }
  return result;
}

ldr_code ldr_match_operand(const ldr_matcher *m, const ldr_entity *e, const ldr_row *row, unsigned field,
                           const ldr_expr *x, ldr_value *out) {
  if (x) {
    ldr_arena_reset(&m->scratch->values);
    return ldr_mem_eval(m, e, row, x, out);
  }
  ldr_row_get(e, row, field, out);
  return LDR_OK;
}

ldr_truth ldr_match(const ldr_matcher *m, const ldr_entity *e, const ldr_row *row, const ldr_pred *p) {
  ldr_value v;
  if (p == NULL) return LDR_TRUE;
  switch (p->kind) {
    case LDR_P_AND:
    case LDR_P_OR: return match_kids(m, e, row, p);
    case LDR_P_NOT: return negate(ldr_match(m, e, row, p->kids[0]));
    case LDR_P_KEYS: return match_keys(m, e, row, p);
    case LDR_P_EXISTS: return m->exists(m->ud, e, row, p, NULL, m->err);
    default:
      if (ldr_match_operand(m, e, row, p->field, p->expr, &v) != LDR_OK) return LDR_BROKEN;
      return match_value(m, p, &v);
  }
}

ldr_code ldr_match_rank(const ldr_matcher *m, const ldr_entity *e, const ldr_row *row, const ldr_order *order,
                        uint32_t *out) {
  uint32_t i = 0;
  for (; i < order->nranks; i++) {
    ldr_truth t = ldr_match(m, e, row, order->ranks[i]);
    if (t == LDR_BROKEN) return m->err->code;
    if (t == LDR_TRUE) break;
  }
  *out = i;
  return LDR_OK;
}

/* ---- orders ---- */

int ldr_order_values(const ldr_value *a, const ldr_value *b) {
  bool an = a->type == LDR_T_NULL, bn = b->type == LDR_T_NULL;
  if (an || bn) return (int)an - (int)bn;
  return ldr_value_cmp(a, b);
}

int ldr_order_rows(const ldr_entity *e, const ldr_order *order, const ldr_row *a, const ldr_row *b) {
  ldr_value va, vb;
  int c;
  ldr_row_get(e, a, order->field, &va);
  ldr_row_get(e, b, order->field, &vb);
  if (order->kind == LDR_BY_NULL)
    c = (int)(va.type == LDR_T_NULL) - (int)(vb.type == LDR_T_NULL);
  else
    c = ldr_order_values(&va, &vb);
  return order->desc ? -c : c;
}

ldr_truth ldr_order_after(const ldr_matcher *m, const ldr_entity *e, const ldr_order *order, unsigned n,
                          const ldr_row *row, const ldr_value *after) {
  for (unsigned i = 0; i < n; i++) {
    ldr_value v;
    int c;
    if (ldr_match_operand(m, e, row, order[i].field, order[i].expr, &v) != LDR_OK) return LDR_BROKEN;
    c = ldr_order_values(&v, &after[i]);
    if (c != 0) return truth(order[i].desc ? c < 0 : c > 0);
  }
  return LDR_FALSE;
}

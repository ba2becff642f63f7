#include "memory/sort.h"

#include <string.h>

/* ---- comparing ---- */

static bool is_computed(const ldr_order *o) { return o->kind == LDR_BY_RANK || o->kind == LDR_BY_EXPR; }

static int compare_rest(const ldr_memsort *s, const ldr_memitem *a, const ldr_memitem *b, unsigned from) {
  unsigned key = 0;
  for (unsigned i = 0; i < s->norder; i++) {
    const ldr_order *o = &s->order[i];
    int c;
    if (is_computed(o)) {
      c = ldr_order_values(&a->key[key], &b->key[key]);
      key++;
      if (o->desc) c = -c;
    } else {
      c = i < from ? 0 : ldr_order_rows(s->e, o, a->row, b->row);
    }
    if (c != 0) return c;
  }
  return 0;
}

static int compare(const ldr_memsort *s, const ldr_memitem *a, const ldr_memitem *b) {
  int c;
  if (s->order[0].kind != LDR_BY_FIELD) return compare_rest(s, a, b, 0);
  c = ldr_order_values(&a->first, &b->first);
  if (c != 0) return s->order[0].desc ? -c : c;
  return compare_rest(s, a, b, 1);
}

/* ---- merge sort: stable, and its memory is had before it begins ---- */

static void insertion_sort(const ldr_memsort *s, ldr_memitem *item, size_t n) {
  for (size_t i = 1; i < n; i++) {
    ldr_memitem x = item[i];
    size_t k = i;
    for (; k > 0 && compare(s, &item[k - 1], &x) > 0; k--) item[k] = item[k - 1];
    item[k] = x;
  }
}

/* Two sorted neighbours into one; half of the items need other room for that. */
static void merge(const ldr_memsort *s, ldr_memitem *item, size_t left, size_t n, ldr_memitem *room) {
  size_t i = 0, k = left, to = 0;
  if (compare(s, &item[left - 1], &item[left]) <= 0) return;
  memcpy(room, item, left * sizeof *room);
  while (i < left && k < n) item[to++] = compare(s, &room[i], &item[k]) <= 0 ? room[i++] : item[k++];
  memcpy(item + to, room + i, (left - i) * sizeof *room);
}

static void merge_sort(const ldr_memsort *s, ldr_memitem *item, size_t n, ldr_memitem *room) {
  size_t left = n / 2;
  if (n <= 8) {
    insertion_sort(s, item, n);
    return;
  }
  merge_sort(s, item, left, room);
  merge_sort(s, item + left, n - left, room);
  merge(s, item, left, n, room);
}

static ldr_code sort(ldr_memsort *s, ldr_err *err) {
  ldr_memitem *room = NULL;
  if (s->n < 2 || s->norder == 0) return LDR_OK;
  if (s->n > 8) {
    room = ldr_alloc_array(s->n / 2, sizeof *room);
    if (room == NULL) return ldr_fail_nomem(err);
  }
  merge_sort(s, s->item, s->n, room);
  ldr_free(room);
  return LDR_OK;
}

ldr_code ldr_memsort_finish(ldr_memsort *s, ldr_err *err) {
  ldr_code code = sort(s, err);
  if (code == LDR_OK && s->wanted >= 0 && (uint64_t)s->wanted < s->n) s->n = (size_t)s->wanted;
  return code;
}

/* ---- collecting ---- */

static ldr_code compute(ldr_memsort *s, const ldr_matcher *m, const ldr_order *o, const ldr_row *row,
                        ldr_value *out) {
  uint32_t rank;
  ldr_code code;
  if (o->kind == LDR_BY_RANK) {
    code = ldr_match_rank(m, s->e, row, o, &rank);
    *out = ldr_int(rank);
    return code;
  }
  code = ldr_match_operand(m, s->e, row, o->field, o->expr, out);
  return code == LDR_OK && !ldr_value_copy(out, &s->arena) ? ldr_fail_nomem(m->err) : code;
}

static ldr_code find_keys(ldr_memsort *s, const ldr_matcher *m, ldr_memitem *it) {
  unsigned n = 0, k = 0;
  ldr_value *key;
  for (unsigned i = 0; i < s->norder; i++) n += is_computed(&s->order[i]);
  if (n == 0) return LDR_OK;
  key = ldr_arena_alloc(&s->arena, n * sizeof *key);
  if (key == NULL) return ldr_fail_nomem(m->err);
  for (unsigned i = 0; i < s->norder; i++) {
    ldr_code code = LDR_OK;
    if (is_computed(&s->order[i])) code = compute(s, m, &s->order[i], it->row, &key[k++]);
    if (code != LDR_OK) return code;
  }
  it->key = key;
  return LDR_OK;
}

static bool reserve(ldr_memsort *s) {
  size_t cap = s->cap ? s->cap * 2 : 32;
  ldr_memitem *item;
  if (s->n < s->cap) return true;
  item = ldr_realloc(s->item, cap * sizeof *item);
  if (item == NULL) return false;
  s->item = item;
  s->cap = cap;
  return true;
}

/* With few rows wanted, the others are dropped time and again: twice the wanted ones are the most to be kept.
 */
static bool overfull(const ldr_memsort *s) {
  return s->norder && s->wanted >= 0 && s->n >= 64 && (uint64_t)s->wanted < s->n / 2;
}

ldr_code ldr_memsort_add(ldr_memsort *s, const ldr_matcher *m, const ldr_row *row, ldr_memver *v) {
  ldr_memitem it = {.row = row, .ver = v};
  ldr_code code = find_keys(s, m, &it);
  if (code == LDR_OK && overfull(s)) code = ldr_memsort_finish(s, m->err);
  if (code == LDR_OK && !reserve(s)) code = ldr_fail_nomem(m->err);
  if (code != LDR_OK) return code;
  if (s->norder && s->order[0].kind == LDR_BY_FIELD) ldr_row_get(s->e, it.row, s->order[0].field, &it.first);
  s->item[s->n++] = it;
  return LDR_OK;
}

void ldr_memsort_free(ldr_memsort *s) {
  ldr_free(s->item);
  ldr_arena_free(&s->arena);
}

/* ---- limits for each parent ---- */

typedef struct counter { /* of the rows that share these values */
  int64_t n;
  ldr_value v[];
} counter;

static bool same_parent(const counter *c, const ldr_value *v, unsigned n) {
  for (unsigned i = 0; i < n; i++)
    if (ldr_order_values(&c->v[i], &v[i]) != 0) return false;
  return true;
}

/* NULL: out of memory */
static counter *counter_of(ldr_hash *counters, ldr_arena *a, const ldr_value *v, unsigned n) {
  uint64_t hash = 0;
  uint32_t code;
  size_t at;
  counter *c;
  for (unsigned i = 0; i < n; i++) hash = ldr_value_hash(&v[i], hash);
  code = ldr_hash_fold(hash);
  at = ldr_hash_start(code);
  while ((c = ldr_hash_next(counters, code, &at)))
    if (same_parent(c, v, n)) return c;
  c = ldr_arena_zalloc(a, sizeof *c + n * sizeof *v);
  if (c == NULL || !ldr_hash_add(counters, code, c)) return NULL;
  for (unsigned i = 0; i < n; i++) c->v[i] = v[i];
  return c;
}

static bool within(const ldr_op *op, int64_t number) { /* from 0 */
  return number >= op->per_offset && (op->per_limit < 0 || number - op->per_offset < op->per_limit);
}

ldr_code ldr_memsort_limit_each(ldr_memsort *s, const ldr_op *op, ldr_err *err) {
  ldr_hash counters = {0};
  ldr_code code = LDR_OK;
  size_t to = 0;
  for (size_t i = 0; i < s->n; i++) {
    ldr_value v[LDR_MAX_KEY];
    counter *c;
    for (unsigned k = 0; k < op->nper; k++) ldr_row_get(s->e, s->item[i].row, op->per[k], &v[k]);
    c = counter_of(&counters, &s->arena, v, op->nper);
    if (c == NULL) {
      code = ldr_fail_nomem(err);
      break;
    }
    if (within(op, c->n++)) s->item[to++] = s->item[i];
  }
  s->n = to;
  ldr_hash_free(&counters);
  return code;
}

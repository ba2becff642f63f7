#include "memory/aggregate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory/avg.h"
#include "memory/errors.h"
#include "memory/sort.h"
#include "model/walk.h"
#include "values/numeric.h"

__extension__ typedef __int128 wide; /* a sum of int64s cannot leave it */

typedef struct sum128 { /* its value is hi * 2^64 + lo */
  int64_t hi;
  uint64_t lo;
} sum128;

static void add_int(sum128 *s, int64_t i) {
  uint64_t lo = s->lo + (uint64_t)i;
  s->hi += (lo < s->lo) - (i < 0);
  s->lo = lo;
}

static wide total(const sum128 *s) { return (wide)s->hi * ((wide)1 << 64) + (wide)s->lo; }

typedef struct cell { /* one aggregate of one group */
  int64_t count;      /* of rows, or of values that are not null */
  sum128 ints;
  double floats;
  ldr_buf numeric; /* the sum's text */
  ldr_value best;  /* the least or greatest so far: a view into a row */
  ldr_hash seen;   /* distinct: the values so far, in the arena */
} cell;

typedef struct group {
  unsigned n;
  ldr_value *value; /* n of them; views into a row */
  cell *cell;
} group;

typedef struct aggregation {
  const ldr_op *op;
  ldr_matcher m;
  ldr_arena arena; /* groups and their values and cells */
  ldr_hash index;
  group **groups;
  size_t n, cap;
  bool *asked;            /* of each figure: does `having` look at it? NULL: there is no `having` */
  ldr_buf spare;          /* for the next numeric sum */
  ldr_memscratch scratch; /* m's */
  ldr_err *err;
} aggregation;

/* ---- groups ---- */

static bool same_group(const group *g, const ldr_value *v) {
  for (unsigned i = 0; i < g->n; i++)
    if (ldr_order_values(&g->value[i], &v[i]) != 0) return false;
  return true;
}

static bool reserve(aggregation *a) {
  size_t cap = a->cap ? a->cap * 2 : 8;
  group **p;
  if (a->n < a->cap) return true;
  p = ldr_realloc(a->groups, cap * sizeof *p);
  if (p == NULL) return false;
  a->groups = p;
  a->cap = cap;
  return true;
}

static group *add_group(aggregation *a, uint32_t code, const ldr_value *v) {
  const ldr_op *op = a->op;
  group *g = ldr_arena_zalloc(&a->arena, sizeof *g);
  if (g == NULL || !reserve(a)) return NULL;
  g->n = op->ngroups;
  g->value = ldr_arena_alloc(&a->arena, op->ngroups * sizeof *v);
  g->cell = ldr_arena_zalloc(&a->arena, op->naggs * sizeof *g->cell);
  if (!g->value || !g->cell || !ldr_hash_add(&a->index, code, g)) return NULL;
  for (unsigned i = 0; i < g->n; i++) g->value[i] = v[i];
  a->groups[a->n++] = g;
  return g;
}

/* An operand's value that lasts as long as the aggregation. */
static ldr_code value_of(aggregation *a, const ldr_row *row, unsigned field, const ldr_expr *x,
                         ldr_value *out) {
  ldr_code code = ldr_match_operand(&a->m, a->op->e, row, field, x, out);
  if (code != LDR_OK || x == NULL) return code;
  return ldr_value_copy(out, &a->arena) ? LDR_OK : ldr_fail_nomem(a->err);
}

/* What the row is grouped by. */
static ldr_code group_values(aggregation *a, const ldr_row *row, ldr_value *v) {
  for (unsigned i = 0; i < a->op->ngroups; i++) {
    const ldr_group *g = &a->op->groups[i];
    ldr_code code = value_of(a, row, g->field, g->expr, &v[i]);
    if (code != LDR_OK) return code;
  }
  return LDR_OK;
}

/* NULL: out of memory */
static group *group_of(aggregation *a, const ldr_value *v) {
  uint64_t hash = 0;
  uint32_t code;
  size_t at;
  group *g;
  for (unsigned i = 0; i < a->op->ngroups; i++) hash = ldr_value_hash(&v[i], hash);
  code = ldr_hash_fold(hash);
  at = ldr_hash_start(code);
  while ((g = ldr_hash_next(&a->index, code, &at)))
    if (same_group(g, v)) return g;
  return add_group(a, code, v);
}

/* ---- taking in one value ---- */

static ldr_code add_float(aggregation *a, const ldr_agg *agg, cell *c, double f) {
  double sum = c->count == 1 ? f : c->floats + f; /* the first one keeps the sign of its zero */
  if (isinf(sum) && !isinf(c->floats) && !isinf(f))
    return ldr_memerr_range(ldr_agg_operand(a->op->e, agg), a->err);
  c->floats = sum;
  return LDR_OK;
}

static ldr_code add_numeric(aggregation *a, const ldr_agg *agg, cell *c, const ldr_value *v) {
  ldr_buf sum = a->spare;
  ldr_buf_reset(&sum);
  if (c->numeric.n == 0)
    ldr_buf_add(&sum, v->u.p, v->n);
  else if (!ldr_numeric_add(c->numeric.p, c->numeric.n, v->u.p, v->n, &sum) && !sum.broken)
    return ldr_memerr_range(ldr_agg_operand(a->op->e, agg), a->err);
  a->spare = c->numeric;
  c->numeric = sum;
  return sum.broken ? ldr_fail_nomem(a->err) : LDR_OK;
}

static ldr_code add_number(aggregation *a, const ldr_agg *agg, cell *c, const ldr_value *v) {
  switch (v->type) {
    case LDR_T_INT: add_int(&c->ints, v->u.i); return LDR_OK;
    case LDR_T_FLOAT: return add_float(a, agg, c, v->u.f);
    default: return add_numeric(a, agg, c, v);
  }
}

/* Of equal ones that print differently (1.0 and 1.00) the last, as PostgreSQL's min and max. */
static void keep_best(cell *c, const ldr_value *v, bool greatest) {
  int order = c->best.type == LDR_T_NULL ? 0 : ldr_value_cmp(v, &c->best);
  if (c->best.type == LDR_T_NULL || (greatest ? order >= 0 : order <= 0)) c->best = *v;
}

/* Is it the first of its value in the cell? false: no, or out of memory. */
static bool is_first(aggregation *a, cell *c, const ldr_value *v, ldr_code *code) {
  uint32_t hash = ldr_hash_fold(ldr_value_hash(v, 0));
  size_t at = ldr_hash_start(hash);
  ldr_value *seen;
  while ((seen = ldr_hash_next(&c->seen, hash, &at)))
    if (ldr_value_cmp(seen, v) == 0) return false;
  seen = ldr_arena_alloc(&a->arena, sizeof *seen);
  if (seen == NULL || !ldr_hash_add(&c->seen, hash, seen)) {
    *code = ldr_fail_nomem(a->err);
    return false;
  }
  *seen = *v;
  return true;
}

static ldr_code take_row(aggregation *a, const ldr_agg *agg, cell *c, const ldr_row *row) {
  ldr_truth t = ldr_match(&a->m, a->op->e, row, agg->filter);
  ldr_value v;
  if (t == LDR_BROKEN) return a->err->code;
  if (t != LDR_TRUE) return LDR_OK;
  if (ldr_agg_operand(a->op->e, agg)) {
    ldr_code code = value_of(a, row, (unsigned)agg->field, agg->expr, &v);
    if (code != LDR_OK) return code;
    if (v.type == LDR_T_NULL) return LDR_OK;
  }
  if (agg->distinct) {
    ldr_code code = LDR_OK;
    if (!is_first(a, c, &v, &code)) return code;
  }
  c->count++;
  switch (agg->fn) {
    case LDR_AGG_COUNT: return LDR_OK;
    case LDR_AGG_SUM:
    case LDR_AGG_AVG: return add_number(a, agg, c, &v);
    case LDR_AGG_MIN:
    case LDR_AGG_MAX: keep_best(c, &v, agg->fn == LDR_AGG_MAX); return LDR_OK;
  }
  return LDR_OK;
}

static ldr_code take_rows(aggregation *a, const ldr_memquery *q) {
  ldr_value *v = ldr_arena_alloc(&a->arena, (a->op->ngroups + 1) * sizeof *v);
  ldr_memreader r;
  ldr_memver *ver;
  ldr_code code;
  if (v == NULL) return ldr_fail_nomem(a->err);
  ldr_memreader_open(&r, q, a->err);
  while ((code = ldr_memreader_next(&r, &ver)) == LDR_OK && ver) {
    group *g = NULL;
    code = group_values(a, ver->data, v);
    if (code == LDR_OK && (g = group_of(a, v)) == NULL) code = ldr_fail_nomem(a->err);
    for (unsigned i = 0; code == LDR_OK && i < a->op->naggs; i++)
      code = take_row(a, &a->op->aggs[i], &g->cell[i], ver->data);
    if (code != LDR_OK) break;
  }
  ldr_memreader_close(&r);
  return code;
}

/* ---- results ---- */

static ldr_code sum_of(aggregation *a, const ldr_field *f, const cell *c, ldr_value *out) {
  switch (ldr_ftype_get(f->type)->type) {
    case LDR_T_INT:
      if (total(&c->ints) > INT64_MAX || total(&c->ints) < INT64_MIN) return ldr_memerr_range(f, a->err);
      *out = ldr_int((int64_t)total(&c->ints));
      return LDR_OK;
    case LDR_T_FLOAT: *out = ldr_float(c->floats); return LDR_OK;
    default:
      *out = c->count ? ldr_bytes_of(LDR_T_NUMERIC, c->numeric.p, c->numeric.n)
                      : ldr_bytes_of(LDR_T_NUMERIC, "0", 1);
      return LDR_OK;
  }
}

/* An integer sum as decimal text: printf knows no such type. */
static size_t print_wide(wide w, char *out) {
  char digits[48];
  size_t n = 0, len = 0;
  bool negative = w < 0;
  do {
    int d = (int)(w % 10);
    digits[n++] = (char)('0' + (d < 0 ? -d : d));
    w /= 10;
  } while (w);
  if (negative) out[len++] = '-';
  while (n) out[len++] = digits[--n];
  return len;
}

static ldr_code average_of(aggregation *a, const ldr_field *f, const cell *c, ldr_value *out) {
  ldr_type type = ldr_ftype_get(f->type)->type;
  char text[48];
  double avg = 0;
  ldr_avg_end end = LDR_AVG_OK;
  if (c->count == 0) {
    *out = ldr_null();
    return LDR_OK;
  }
  if (type == LDR_T_INT)
    end = ldr_avg(text, print_wide(total(&c->ints), text), c->count, &avg);
  else if (type == LDR_T_NUMERIC)
    end = ldr_avg(c->numeric.p, c->numeric.n, c->count, &avg);
  else
    avg = c->floats / (double)c->count;
  if (type == LDR_T_FLOAT && avg == 0 && c->floats != 0)
    end = LDR_AVG_RANGE; /* for PostgreSQL an underflow */
  if (end == LDR_AVG_RANGE) return ldr_memerr_range(f, a->err);
  if (end == LDR_AVG_NOMEM) return ldr_fail_nomem(a->err);
  *out = ldr_float(avg);
  return LDR_OK;
}

static ldr_code result_of(aggregation *a, const ldr_agg *agg, const cell *c, ldr_value *out) {
  switch (agg->fn) {
    case LDR_AGG_COUNT: *out = ldr_int(c->count); return LDR_OK;
    case LDR_AGG_SUM: return sum_of(a, ldr_agg_operand(a->op->e, agg), c, out);
    case LDR_AGG_AVG: return average_of(a, ldr_agg_operand(a->op->e, agg), c, out);
    case LDR_AGG_MIN:
    case LDR_AGG_MAX: *out = c->best; return LDR_OK;
  }
  return LDR_OK;
}

static int compare_groups(const void *a, const void *b) {
  const group *const *ga = a, *const *gb = b;
  int c = 0;
  for (unsigned i = 0; i < (*ga)->n && c == 0; i++) c = ldr_order_values(&(*ga)->value[i], &(*gb)->value[i]);
  return c;
}

static unsigned width(const aggregation *a) { return a->op->ngroups + a->op->naggs; }

/* Room for the values of n groups; NULL: out of memory */
static ldr_value *new_values(aggregation *a, size_t n) {
  if (n > SIZE_MAX / sizeof(ldr_value) / width(a)) return NULL;
  return ldr_arena_alloc(&a->arena, n * width(a) * sizeof(ldr_value));
}

static bool note_asked(void *ud, const ldr_entity *e, unsigned field, bool null_alone) {
  const aggregation *a = ud;
  (void)e;
  (void)null_alone;
  if (field >= a->op->ngroups) a->asked[field - a->op->ngroups] = true;
  return false;
}

static ldr_code find_asked(aggregation *a) {
  if (a->op->having == NULL) return LDR_OK;
  a->asked = ldr_arena_zalloc(&a->arena, a->op->naggs + 1);
  if (a->asked == NULL) return ldr_fail_nomem(a->err);
  (void)!ldr_pred_reads(a->op->result, a->op->having, note_asked, a);
  return LDR_OK;
}

/* The figures that `having` looks at, or the others. */
static ldr_code figures_of(aggregation *a, const group *g, bool asked, ldr_value *out) {
  const ldr_op *op = a->op;
  ldr_code code = LDR_OK;
  for (unsigned i = 0; code == LDR_OK && i < op->naggs; i++)
    if ((a->asked && a->asked[i]) == asked)
      code = result_of(a, &op->aggs[i], &g->cell[i], &out[op->ngroups + i]);
  return code;
}

static void begin_values(const aggregation *a, const group *g, ldr_value *out) {
  for (unsigned i = 0; i < width(a); i++) out[i] = i < a->op->ngroups ? g->value[i] : ldr_null();
}

/* What limit and offset leave of n groups, from *from on. */
static size_t cut(const ldr_op *op, size_t n, size_t *from) {
  *from = (uint64_t)op->offset < n ? (size_t)op->offset : n;
  n -= *from;
  return op->limit >= 0 && (uint64_t)op->limit < n ? (size_t)op->limit : n;
}

static ldr_code hand_out(aggregation *a, const ldr_value *values, size_t n, ldr_rows **out) {
  ldr_buf cols = {0};
  ldr_code code;
  ldr_op_columns(a->op, &cols);
  code = cols.broken ? ldr_fail_nomem(a->err)
                     : ldr_rows_from_values((const ldr_column *)(const void *)cols.p, width(a), values, n,
                                            out, a->err);
  ldr_buf_free(&cols);
  return code;
}

/* All groups, in their own order. */
static ldr_code results(aggregation *a, ldr_rows **out) {
  size_t from, n = cut(a->op, a->n, &from);
  ldr_value *values = new_values(a, n);
  ldr_code code = values ? LDR_OK : ldr_fail_nomem(a->err);
  if (code == LDR_OK && a->n) qsort(a->groups, a->n, sizeof *a->groups, compare_groups);
  for (size_t r = 0; code == LDR_OK && r < n; r++) {
    begin_values(a, a->groups[from + r], values + r * width(a));
    code = figures_of(a, a->groups[from + r], false, values + r * width(a));
  }
  return code == LDR_OK ? hand_out(a, values, n, out) : code;
}

/* ---- having and order: the groups as rows of op->result ---- */

/* LDR_TRUE: the group is wanted. LDR_BROKEN: a->err says why. */
static ldr_truth is_wanted(aggregation *a, const group *g, ldr_value *values) {
  ldr_row *row = NULL;
  ldr_truth t;
  if (a->op->having == NULL) return LDR_TRUE;
  if (figures_of(a, g, true, values) != LDR_OK || ldr_row_pack(a->op->result, values, &row, a->err) != LDR_OK)
    return LDR_BROKEN;
  t = ldr_match(&a->m, a->op->result, row, a->op->having);
  ldr_row_release(row);
  return t;
}

/* The figures that `having` does not look at are computed of wanted groups alone: elsewhere they may be
 * beyond their type. */
static ldr_code consider(aggregation *a, const group *g, ldr_value *values, ldr_memsort *s,
                         ldr_memrows *rows) {
  ldr_row *row = NULL;
  ldr_code code;
  ldr_truth t;
  begin_values(a, g, values);
  t = is_wanted(a, g, values);
  if (t != LDR_TRUE) return t == LDR_BROKEN ? a->err->code : LDR_OK;
  code = figures_of(a, g, false, values);
  if (code == LDR_OK) code = ldr_row_pack(a->op->result, values, &row, a->err);
  if (code != LDR_OK) return code;
  code = ldr_memrows_add(rows, row, a->err);
  if (code == LDR_OK) code = ldr_memsort_add(s, &a->m, row, NULL);
  ldr_row_release(row);
  return code;
}

static ldr_code chosen(aggregation *a, ldr_memsort *s, ldr_rows **out) {
  size_t from, n = cut(a->op, s->n, &from);
  ldr_value *values = new_values(a, n);
  if (values == NULL) return ldr_fail_nomem(a->err);
  for (size_t r = 0; r < n; r++)
    for (unsigned i = 0; i < width(a); i++)
      ldr_row_get(a->op->result, s->item[from + r].row, i, &values[r * width(a) + i]);
  return hand_out(a, values, n, out);
}

static ldr_code chosen_results(aggregation *a, ldr_rows **out) {
  const ldr_op *op = a->op;
  ldr_memsort s = {.e = op->result, .order = op->order, .norder = op->norder, .wanted = -1};
  ldr_memrows rows = {0};
  ldr_value *values = new_values(a, 1);
  ldr_code code = values ? find_asked(a) : ldr_fail_nomem(a->err);
  for (size_t i = 0; code == LDR_OK && i < a->n; i++) code = consider(a, a->groups[i], values, &s, &rows);
  if (code == LDR_OK) code = ldr_memsort_finish(&s, a->err);
  if (code == LDR_OK) code = chosen(a, &s, out);
  ldr_memsort_free(&s);
  ldr_memrows_free(&rows);
  return code;
}

static void free_all(aggregation *a) {
  for (size_t i = 0; i < a->n; i++)
    for (unsigned k = 0; k < a->op->naggs; k++) {
      ldr_buf_free(&a->groups[i]->cell[k].numeric);
      ldr_hash_free(&a->groups[i]->cell[k].seen);
    }
  ldr_buf_free(&a->spare);
  ldr_memscratch_free(&a->scratch);
  ldr_free(a->groups);
  ldr_hash_free(&a->index);
  ldr_arena_free(&a->arena);
}

ldr_code ldr_memagg(ldr_undo *tx, const ldr_memtab *t, const ldr_op *op, ldr_rows **out, ldr_err *err) {
  const ldr_memquery q = {.tab = t, .tx = tx, .where = op->where, .wanted = -1};
  aggregation a = {.op = op, .err = err};
  ldr_code code;
  a.m = ldr_memread_matcher(&q, &a.scratch, err);
  code = take_rows(&a, &q);
  if (code == LDR_OK && op->ngroups == 0 && a.n == 0 && !add_group(&a, 0, NULL)) code = ldr_fail_nomem(err);
  if (code == LDR_OK) code = op->having || op->norder ? chosen_results(&a, out) : results(&a, out);
  free_all(&a);
  return code;
}

#include "postgres/statement/shape.h"

#include <string.h>

/* ---- reading ---- */

static void add(ldr_shape *s, unsigned number) {
  if (s->n < LDR_SHAPE_MAX) s->number[s->n] = (uint16_t)number;
  s->n++;
}

static void add_fields(ldr_shape *s, const uint16_t *fields, unsigned n) {
  add(s, n);
  for (unsigned i = 0; i < n; i++) add(s, fields[i]);
}

/* A truth value would stand in the text. */
static bool is_equality(const ldr_entity *e, const ldr_pred *p) {
  return p->kind == LDR_P_EQ && p->expr == NULL && e->fields[p->field].type != LDR_F_BOOL;
}

static unsigned equalities(const ldr_pred *where) {
  return where == NULL ? 0 : where->kind == LDR_P_AND ? where->n : 1;
}

static const ldr_pred *equality(const ldr_pred *where, unsigned i) {
  return where->kind == LDR_P_AND ? where->kids[i] : where;
}

/* Some equalities, all of which must hold. */
static bool add_where(ldr_shape *s, const ldr_op *op) {
  unsigned n = equalities(op->where);
  if (n == 0) return false;
  for (unsigned i = 0; i < n; i++) {
    const ldr_pred *p = equality(op->where, i);
    if (!is_equality(op->e, p)) return false;
    add(s, p->field);
  }
  return true;
}

static bool add_sets(ldr_shape *s, const ldr_op *op) {
  add(s, op->nsets);
  for (unsigned i = 0; i < op->nsets; i++) {
    if (op->sets[i].kind != LDR_SET_VALUE || op->sets[i].excluded) return false;
    add(s, op->sets[i].field);
  }
  return true;
}

static bool is_plain_select(const ldr_op *op) {
  return op->how == LDR_HOW_ROWS && op->ncomputed == 0 && op->norder == 0 && op->after == NULL &&
         op->nper == 0 && op->limit < 0 && op->offset <= 0 && op->lock == LDR_LOCK_NONE;
}

static bool add_rest(ldr_shape *s, const ldr_op *op) {
  switch (op->kind) {
    case LDR_OP_INSERT:
      if (op->nrows != 1 || op->on_conflict != LDR_CONFLICT_ERROR) return false;
      add_fields(s, op->cols, op->ncols);
      return true;
    case LDR_OP_SELECT: return is_plain_select(op) && add_where(s, op);
    case LDR_OP_UPDATE: return add_sets(s, op) && add_where(s, op);
    case LDR_OP_DELETE: return add_where(s, op);
    case LDR_OP_COUNT:
    case LDR_OP_AGGREGATE: break;
  }
  return false;
}

void ldr_shape_read(const ldr_op *op, ldr_shape *out) {
  out->e = op->e;
  out->n = 0;
  add(out, op->kind);
  add_fields(out, op->out, op->nout);
  if (!add_rest(out, op) || out->n > LDR_SHAPE_MAX) out->n = 0;
}

/* ---- parameters ---- */

static void add_param(ldr_buf *params, const ldr_op *op, unsigned field, const ldr_value *v) {
  const ldr_field *f = &op->e->fields[field];
  const ldr_param p = {
      .type = f->type, .array = f->array, .is_array_value = f->array, .n = 1, .stride = 1, .v = v};
  ldr_buf_add(params, &p, sizeof p);
}

void ldr_shape_params(const ldr_op *op, ldr_buf *params) {
  unsigned n = op->kind == LDR_OP_INSERT ? 0 : equalities(op->where);
  for (unsigned i = 0; op->kind == LDR_OP_INSERT && i < op->ncols; i++)
    add_param(params, op, op->cols[i], &op->values[i]);
  for (unsigned i = 0; op->kind == LDR_OP_UPDATE && i < op->nsets; i++)
    add_param(params, op, op->sets[i].field, &op->sets[i].value);
  for (unsigned i = 0; i < n; i++) {
    const ldr_pred *p = equality(op->where, i);
    add_param(params, op, p->field, p->values);
  }
}

/* ---- the places ---- */

static ldr_shape_place *set_of(ldr_shapes *t, const ldr_shape *s) {
  uint64_t h = (uint64_t)(uintptr_t)s->e >> 4;
  for (unsigned i = 0; i < s->n; i++) h = h * 31 + s->number[i];
  return t->at[(h ^ h >> 17) % LDR_SHAPE_SETS];
}

static bool same(const ldr_shape *a, const ldr_shape *b) {
  return a->e == b->e && a->n == b->n && memcmp(a->number, b->number, a->n * sizeof *a->number) == 0;
}

struct ldr_stmt *ldr_shapes_find(ldr_shapes *t, const ldr_shape *shape) {
  const ldr_shape_place *set = set_of(t, shape);
  for (unsigned i = 0; i < LDR_SHAPE_WAYS; i++)
    if (set[i].stmt && same(&set[i].shape, shape)) return set[i].stmt;
  return NULL;
}

/* The place that has the shape or none, else the next in turn. */
static ldr_shape_place *place_for(ldr_shapes *t, const ldr_shape *shape) {
  ldr_shape_place *set = set_of(t, shape);
  for (unsigned i = 0; i < LDR_SHAPE_WAYS; i++)
    if (set[i].stmt == NULL || same(&set[i].shape, shape)) return &set[i];
  return &set[t->turn++ % LDR_SHAPE_WAYS];
}

struct ldr_stmt *ldr_shapes_put(ldr_shapes *t, const ldr_shape *shape, struct ldr_stmt *s) {
  ldr_shape_place *place = place_for(t, shape);
  struct ldr_stmt *before = place->stmt;
  place->stmt = s;
  place->shape = *shape;
  return before;
}

struct ldr_stmt *ldr_shapes_take(ldr_shapes *t, const struct ldr_stmt *s) {
  for (unsigned i = 0; i < LDR_SHAPE_SETS * LDR_SHAPE_WAYS; i++) {
    ldr_shape_place *place = &t->at[i / LDR_SHAPE_WAYS][i % LDR_SHAPE_WAYS];
    struct ldr_stmt *found = place->stmt;
    if (found == NULL || (s && found != s)) continue;
    place->stmt = NULL;
    return found;
  }
  return NULL;
}

/* The one walk over what an operation reads. */
#include "model/walk.h"

typedef struct walk {
  ldr_see_field see;
  void *ud;
  bool to_source; /* ends at the first field of a source */
} walk;

static bool in_pred(const walk *k, const ldr_entity *e, const ldr_pred *p);

/* What leads to a source's row is read, too. */
static bool in_source(const walk *k, const ldr_entity *e, const ldr_row_source *s) {
  if (s == NULL) return false;
  return in_source(k, e, s->from) || in_pred(k, ldr_row_source_entity(e, s->from), s->row);
}

static bool in_expr(const walk *k, const ldr_entity *e, const ldr_expr *x) {
  bool done = false;
  switch (x->kind) {
    case LDR_X_FIELD:
      if (k->to_source && x->source) return true;
      return in_source(k, e, x->source) ||
             k->see(k->ud, ldr_row_source_entity(e, x->source), x->field, false);
    case LDR_X_PATH: return k->see(k->ud, e, x->field, false);
    case LDR_X_VALUE: return false;
    case LDR_X_CALL:
      for (unsigned i = 0; i < x->n && !done; i++) done = in_expr(k, e, x->args[i]);
      return done;
  }
  return done;
}

static bool in_operand(const walk *k, const ldr_entity *e, unsigned field, const ldr_expr *x) {
  return x ? in_expr(k, e, x) : k->see(k->ud, e, field, false);
}

static bool in_cols(const walk *k, const ldr_entity *e, const ldr_pred *p) {
  unsigned n;
  const uint16_t *cols = ldr_pred_cols(e, p, &n);
  for (unsigned i = 0; i < n; i++)
    if (k->see(k->ud, e, cols[i], false)) return true;
  return false;
}

static bool in_semi_join(const walk *k, const ldr_entity *e, const ldr_pred *p) {
  for (unsigned i = 0; i < p->non; i++)
    if (k->see(k->ud, e, p->on[i].outer, false) || k->see(k->ud, p->inner, p->on[i].inner, false))
      return true;
  return in_pred(k, p->inner, p->kids[0]);
}

static bool in_pred(const walk *k, const ldr_entity *e, const ldr_pred *p) {
  switch (p->kind) {
    case LDR_P_AND:
    case LDR_P_OR:
    case LDR_P_NOT:
      for (uint32_t i = 0; i < p->n; i++)
        if (in_pred(k, e, p->kids[i])) return true;
      return false;
    case LDR_P_KEYS: return in_cols(k, e, p);
    case LDR_P_EXISTS: return in_semi_join(k, e, p);
    case LDR_P_IS_NULL:
      if (p->expr == NULL) return k->see(k->ud, e, p->field, true);
      return in_expr(k, e, p->expr);
    default: return in_operand(k, e, p->field, p->expr);
  }
}

static bool in_order(const walk *k, const ldr_entity *e, const ldr_order *o) {
  if (o->kind != LDR_BY_RANK) return in_operand(k, e, o->field, o->expr);
  for (unsigned i = 0; i < o->nranks; i++)
    if (in_pred(k, e, o->ranks[i])) return true;
  return false;
}

static bool in_groups(const walk *k, const ldr_op *op) {
  for (unsigned i = 0; i < op->ngroups; i++)
    if (in_operand(k, op->e, op->groups[i].field, op->groups[i].expr)) return true;
  for (unsigned i = 0; i < op->naggs; i++) {
    const ldr_agg *a = &op->aggs[i];
    if ((a->expr || a->field >= 0) && in_operand(k, op->e, (unsigned)a->field, a->expr)) return true;
    if (a->filter && in_pred(k, op->e, a->filter)) return true;
  }
  return op->having && in_pred(k, op->result, op->having);
}

static bool in_computed(const walk *k, const ldr_op *op) {
  for (unsigned i = 0; i < op->ncomputed; i++)
    if (in_operand(k, op->e, op->computed[i].field, op->computed[i].expr)) return true;
  return false;
}

bool ldr_pred_reads(const ldr_entity *e, const ldr_pred *p, ldr_see_field see, void *ud) {
  const walk k = {.see = see, .ud = ud};
  return in_pred(&k, e, p);
}

bool ldr_operand_reads(const ldr_entity *e, unsigned field, const ldr_expr *x, ldr_see_field see, void *ud) {
  const walk k = {.see = see, .ud = ud};
  return in_operand(&k, e, field, x);
}

static bool is_hidden(void *ud, const ldr_entity *e, unsigned field, bool null_alone) {
  (void)ud;
  (void)null_alone;
  return e->fields[field].hidden;
}

bool ldr_operand_hidden(const ldr_entity *e, unsigned field, const ldr_expr *x) {
  return ldr_operand_reads(e, field, x, is_hidden, NULL);
}

static bool goes_on(void *ud, const ldr_entity *e, unsigned field, bool null_alone) {
  (void)ud;
  (void)e;
  (void)field;
  (void)null_alone;
  return false;
}

bool ldr_op_picks_by_source(const ldr_op *op) {
  const walk k = {.see = goes_on, .to_source = true};
  if (op->where && in_pred(&k, op->e, op->where)) return true;
  for (unsigned i = 0; i < op->norder; i++)
    if (in_order(&k, op->e, &op->order[i])) return true;
  return false;
}

bool ldr_op_reads(const ldr_op *op, ldr_see_field see, void *ud) {
  const walk k = {.see = see, .ud = ud};
  const ldr_entity *ordered = op->result ? op->result : op->e;
  if (op->where && in_pred(&k, op->e, op->where)) return true;
  for (unsigned i = 0; i < op->norder; i++)
    if (in_order(&k, ordered, &op->order[i])) return true;
  return in_computed(&k, op) || in_groups(&k, op);
}

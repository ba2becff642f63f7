#include "postgres/statement/keyset.h"

#include "model/cursor.h"

static bool given(const ldr_value *v) { return v->type != LDR_T_NULL; }

static void after_uniform(ldr_sql *w, ldr_sql_scope s, const ldr_op *op) {
  const char *open = op->norder > 1 ? "(" : "", *close = op->norder > 1 ? ")" : "";
  ldr_sql_str(w, open);
  for (unsigned i = 0; i < op->norder; i++) {
    if (i) ldr_sql_str(w, ", ");
    ldr_sql_sortable_operand(w, s, op->order[i].field, op->order[i].expr);
  }
  ldr_sql_str(w, close);
  ldr_sql_str(w, op->order[0].desc ? " < " : " > ");
  ldr_sql_str(w, open);
  for (unsigned i = 0; i < op->norder; i++) {
    if (i) ldr_sql_str(w, ", ");
    ldr_sql_value(w, ldr_operand(op->e, op->order[i].field, op->order[i].expr), &op->after[i]);
  }
  ldr_sql_str(w, close);
}

/* Rows of one order column that come behind the cursor's value, or (or_same) are level with it. Ascending,
 * nulls come last: they are behind every value and nothing is behind them. Descending, nulls come first. */
static void behind(ldr_sql *w, ldr_sql_scope s, const ldr_order *o, unsigned number, bool or_same) {
  bool nulls_behind = !o->desc && ldr_operand(s.e, o->field, o->expr)->null;
  if (nulls_behind) ldr_sql_str(w, "(");
  ldr_sql_sortable_operand(w, s, o->field, o->expr);
  ldr_sql_str(w, o->desc ? (or_same ? " <= " : " < ") : (or_same ? " >= " : " > "));
  ldr_sql_reference(w, number);
  if (nulls_behind) {
    ldr_sql_str(w, " or ");
    ldr_sql_operand(w, s, o->field, o->expr);
    ldr_sql_str(w, " is null)");
  }
}

static void behind_null(ldr_sql *w, ldr_sql_scope s, const ldr_order *o) {
  if (!o->desc) {
    ldr_sql_str(w, "false");
    return;
  }
  ldr_sql_operand(w, s, o->field, o->expr);
  ldr_sql_str(w, " is not null");
}

static void same(ldr_sql *w, ldr_sql_scope s, const ldr_order *o, const ldr_value *v, unsigned number) {
  ldr_sql_operand(w, s, o->field, o->expr);
  if (given(v)) {
    ldr_sql_str(w, " = ");
    ldr_sql_reference(w, number);
  } else {
    ldr_sql_str(w, " is null");
  }
}

/* Order columns i and up: behind in column i, or level there and behind in the rest. number: the parameter of
 * the first value from i on that is not null. */
static void after_from(ldr_sql *w, ldr_sql_scope s, const ldr_op *op, unsigned i, unsigned number) {
  const ldr_order *o = &op->order[i];
  const ldr_value *v = &op->after[i];
  bool last = i + 1 == op->norder;
  if (!last) ldr_sql_str(w, "(");
  if (given(v))
    behind(w, s, o, number, false);
  else
    behind_null(w, s, o);
  if (last) return;
  ldr_sql_str(w, " or (");
  same(w, s, o, v, number);
  ldr_sql_str(w, " and ");
  after_from(w, s, op, i + 1, number + given(v));
  ldr_sql_str(w, "))");
}

void ldr_sql_after(ldr_sql *w, ldr_sql_scope s, const ldr_op *op) {
  unsigned first = w->n + 1;
  if (ldr_op_after_is_uniform(op)) {
    after_uniform(w, s, op);
    return;
  }
  for (unsigned i = 0; i < op->norder; i++) { /* each is referred to several times below */
    ldr_param p = ldr_sql_param_of(ldr_operand(op->e, op->order[i].field, op->order[i].expr), &op->after[i]);
    if (given(&op->after[i])) ldr_sql_collect(w, &p);
  }
  if (op->norder > 1 && given(&op->after[0]) && op->order[0].expr == NULL) {
    /* implied by the rest, but a bound that an index can use */
    behind(w, s, &op->order[0], first, true);
    ldr_sql_str(w, " and ");
  }
  after_from(w, s, op, 0, first);
}

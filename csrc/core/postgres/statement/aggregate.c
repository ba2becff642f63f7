#include "postgres/statement/aggregate.h"

static void filter(gen *g, const ldr_agg *a) {
  if (a->filter == NULL) return;
  say(g, " filter (where ");
  ldr_sql_pred(&g->w, g->t, a->filter);
  say(g, ")");
}

static void agg_operand(gen *g, const ldr_agg *a) {
  ldr_sql_operand(&g->w, g->t, (unsigned)a->field, a->expr);
}

static void count_of(gen *g, const ldr_agg *a) {
  say(g, a->distinct ? "count(distinct " : "count(");
  if (ldr_agg_operand(g->op->e, a))
    agg_operand(g, a);
  else
    say(g, "*");
  say(g, ")");
  filter(g, a);
}

/* The types that PostgreSQL would answer differ from the ones promised: int8 adds up to numeric, float4 to
 * float4. */
static void sum_of(gen *g, const ldr_agg *a) {
  ldr_ftype type = ldr_agg_operand(g->op->e, a)->type;
  say(g, a->distinct ? "coalesce(sum(distinct " : "coalesce(sum(");
  agg_operand(g, a);
  if (type == LDR_F_FLOAT4) say(g, "::float8");
  say(g, ")");
  filter(g, a);
  say(g, type == LDR_F_INT2 || type == LDR_F_INT4 || type == LDR_F_INT8 ? ", 0)::int8" : ", 0)");
}

/* avg() of floats keeps their squares as well and fails where those overflow. */
static void average_of_floats(gen *g, const ldr_agg *a) {
  say(g, "sum(");
  agg_operand(g, a);
  say(g, "::float8)");
  filter(g, a);
  say(g, " / nullif(");
  count_of(g, a);
  say(g, ", 0)");
}

static void average_of(gen *g, const ldr_agg *a) {
  ldr_ftype type = ldr_agg_operand(g->op->e, a)->type;
  if (type == LDR_F_FLOAT4 || type == LDR_F_FLOAT8) {
    average_of_floats(g, a);
    return;
  }
  say(g, a->distinct ? "avg(distinct " : "avg(");
  agg_operand(g, a);
  say(g, ")");
  filter(g, a);
  say(g, "::float8");
}

static void extreme_of(gen *g, const ldr_agg *a) {
  say(g, a->fn == LDR_AGG_MIN ? "min(" : "max(");
  ldr_sql_sortable_operand(&g->w, g->t, (unsigned)a->field, a->expr);
  say(g, ")");
  filter(g, a);
}

static void aggregate(gen *g, const ldr_agg *a) {
  switch (a->fn) {
    case LDR_AGG_COUNT: count_of(g, a); break;
    case LDR_AGG_SUM: sum_of(g, a); break;
    case LDR_AGG_AVG: average_of(g, a); break;
    case LDR_AGG_MIN:
    case LDR_AGG_MAX: extreme_of(g, a); break;
  }
}

static void by_position(gen *g) {
  for (unsigned i = 0; i < g->op->ngroups; i++) {
    say(g, i ? ", " : " group by ");
    ldr_sql_uint(&g->w, i + 1);
  }
}

static void order_of_groups(gen *g) {
  for (unsigned i = 0; i < g->op->ngroups; i++) {
    const ldr_group *group = &g->op->groups[i];
    say(g, i ? ", " : " order by ");
    if (group->expr == NULL && ldr_ftype_is_text(field(g, group->field)->type))
      ldr_sql_sortable(&g->w, g->t, group->field);
    else
      ldr_sql_uint(&g->w, i + 1);
  }
}

static void groups_of_rows(gen *g) {
  const ldr_op *op = g->op;
  say(g, "select ");
  for (unsigned i = 0; i < op->ngroups; i++) {
    if (i) say(g, ", ");
    ldr_sql_operand(&g->w, g->t, op->groups[i].field, op->groups[i].expr);
    ldr_gen_name(g, op->groups[i].name);
  }
  for (unsigned i = 0; i < op->naggs; i++) {
    if (i || op->ngroups) say(g, ", ");
    aggregate(g, &op->aggs[i]);
    ldr_gen_name(g, op->aggs[i].name);
  }
  ldr_gen_source(g);
  by_position(g);
}

/* The groups as a source of their own: their columns are its fields, so having and order are like any. */
static void chosen_groups(gen *g) {
  const ldr_op *op = g->op;
  const ldr_sql_scope result = {op->result, 0, 0};
  say(g, "select ");
  for (unsigned i = 0; i < op->result->nfields; i++) {
    if (i) say(g, ", ");
    ldr_sql_column(&g->w, result, i);
  }
  say(g, " from (");
  groups_of_rows(g);
  say(g, ") as t");
  if (op->having) {
    say(g, " where ");
    ldr_sql_pred(&g->w, result, op->having);
  }
  ldr_sql_order(&g->w, result, op->order, op->norder);
}

void ldr_gen_aggregate(gen *g) {
  if (g->op->having || g->op->norder) {
    chosen_groups(g);
  } else {
    groups_of_rows(g);
    order_of_groups(g);
  }
  ldr_gen_limits(g);
}

#include "model/op.h"

static void add_column(ldr_buf *out, const char *name, ldr_ftype type) {
  ldr_column c = {.name = name, .type = type};
  ldr_buf_add(out, &c, sizeof c);
}

static void add_field(ldr_buf *out, const char *name, const ldr_field *f) {
  ldr_column c = {name, f->type, f->array, f->places, f->places ? f->nenums : 0};
  ldr_buf_add(out, &c, sizeof c);
}

static void add_group(ldr_buf *out, const ldr_op *op, const ldr_group *g) {
  add_field(out, g->name, ldr_operand(op->e, g->field, g->expr));
}

static ldr_ftype type_of_sum(ldr_ftype t) {
  if (t == LDR_F_NUMERIC) return LDR_F_NUMERIC;
  return t == LDR_F_FLOAT4 || t == LDR_F_FLOAT8 ? LDR_F_FLOAT8 : LDR_F_INT8;
}

static void aggregate_column(const ldr_op *op, const ldr_agg *a, ldr_buf *out) {
  const ldr_field *f = ldr_agg_operand(op->e, a);
  switch (a->fn) {
    case LDR_AGG_COUNT: add_column(out, a->name, LDR_F_INT8); break;
    case LDR_AGG_SUM: add_column(out, a->name, type_of_sum(f->type)); break;
    case LDR_AGG_AVG: add_column(out, a->name, LDR_F_FLOAT8); break;
    case LDR_AGG_MIN:
    case LDR_AGG_MAX: add_field(out, a->name, f); break;
  }
}

void ldr_op_columns(const ldr_op *op, ldr_buf *out) {
  if (op->kind == LDR_OP_COUNT) {
    add_column(out, "count", LDR_F_INT8);
    return;
  }
  if (op->how == LDR_HOW_PLAN) add_column(out, "plan", LDR_F_TEXT);
  if (op->how == LDR_HOW_PLAN || op->how == LDR_HOW_DECLARE) return;
  if (op->kind != LDR_OP_AGGREGATE) {
    for (unsigned i = 0; i < op->nout; i++) {
      const ldr_field *f = &op->e->fields[op->out[i]];
      add_field(out, f->name, f);
    }
    for (unsigned i = 0; i < op->ncomputed; i++) add_group(out, op, &op->computed[i]);
    return;
  }
  for (unsigned i = 0; i < op->ngroups; i++) add_group(out, op, &op->groups[i]);
  for (unsigned i = 0; i < op->naggs; i++) aggregate_column(op, &op->aggs[i], out);
}

const ldr_entity *ldr_op_result(const ldr_op *op, ldr_arena *a) {
  ldr_entity *e = ldr_arena_zalloc(a, sizeof *e);
  ldr_buf columns = {0};
  const ldr_column *c;
  if (e == NULL) return NULL;
  ldr_op_columns(op, &columns);
  c = (const ldr_column *)(const void *)columns.p;
  e->schema = op->e->schema;
  e->name = op->e->name;
  e->tenant = e->soft_delete = -1;
  e->nfields = op->ngroups + op->naggs;
  e->fields = columns.broken ? NULL : ldr_arena_zalloc(a, e->nfields * sizeof *e->fields);
  for (unsigned i = 0; e->fields && i < e->nfields; i++) {
    e->fields[i] = (ldr_field){.type = c[i].type,
                               .array = c[i].array,
                               .null = true,
                               .places = c[i].labels,
                               .nenums = c[i].nlabels,
                               .value_type = c[i].array ? LDR_T_ARRAY : ldr_ftype_get(c[i].type)->type};
    if (c[i].name == NULL || !ldr_field_set_name(&e->fields[i], c[i].name, c[i].name, a)) e->fields = NULL;
  }
  ldr_buf_free(&columns);
  return e->fields ? e : NULL;
}

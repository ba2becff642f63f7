#include "model/given.h"

static const ldr_value *inserted(const ldr_op *op, size_t row, unsigned field) {
  const ldr_value *values = op->values + row * op->ncols;
  unsigned from = field < op->ncols ? field : op->ncols; /* most operations name all fields, in order */
  if (from < op->ncols && op->cols[from] == field) return &values[from];
  for (unsigned i = 0; i < op->ncols; i++)
    if (op->cols[i] == field) return &values[i];
  return NULL;
}

static const ldr_set *set_of(const ldr_op *op, unsigned field) {
  for (unsigned i = 0; i < op->nsets; i++)
    if (op->sets[i].field == field) return &op->sets[i];
  return NULL;
}

/* What the field must be equal to. */
static const ldr_value *equal_to(const ldr_pred *p, unsigned field) {
  const ldr_value *found = NULL;
  if (p == NULL) return NULL;
  if (p->kind == LDR_P_EQ) return p->expr == NULL && p->field == field ? p->values : NULL;
  for (uint32_t i = 0; p->kind == LDR_P_AND && i < p->n && found == NULL; i++)
    found = equal_to(p->kids[i], field);
  return found;
}

const ldr_value *ldr_op_key_value(const ldr_op *op, unsigned i) {
  unsigned field = op->e->key.field[i];
  return op->kind == LDR_OP_INSERT ? inserted(op, 0, field) : equal_to(op->where, field);
}

/* Are values that are equal the same? Not 1.0 and 1.00, nor texts that the type takes for one another. */
static bool is_told_by_equal(const ldr_field *f) {
  switch (f->value_type) {
    case LDR_T_INT:
    case LDR_T_UUID:
    case LDR_T_TIME:
    case LDR_T_TIMESTAMP:
    case LDR_T_DATE: return !f->array;
    default: return !f->array && (f->type == LDR_F_TEXT || f->type == LDR_F_VARCHAR);
  }
}

/* A row that was there keeps its key. */
static const ldr_value *found_by(const ldr_op *op, unsigned field) {
  const ldr_unique *key = &op->e->key;
  for (unsigned i = 0; i < key->n; i++)
    if (key->field[i] == field && is_told_by_equal(&op->e->fields[field])) return ldr_op_key_value(op, i);
  return NULL;
}

const ldr_value *ldr_op_given(const ldr_op *op, size_t row, unsigned field) {
  const ldr_set *s;
  if (op->kind == LDR_OP_INSERT && op->on_conflict != LDR_CONFLICT_UPDATE) return inserted(op, row, field);
  s = set_of(op, field);
  if (s == NULL) return found_by(op, field);
  if (s->kind != LDR_SET_VALUE) return NULL;
  if (op->kind == LDR_OP_UPDATE) return s->excluded ? NULL : &s->value;
  return s->excluded ? inserted(op, row, field) : NULL; /* the row may be a new one or one that was there */
}

bool ldr_op_gives_all(const ldr_op *op) {
  for (unsigned i = 0; i < op->nout; i++)
    if (ldr_op_given(op, 0, op->out[i]) == NULL) return false;
  return true;
}

/* Where the condition lists the parents and an index leads to the rows of one, each parent is asked for its
 * own: the server then reads the rows that are wanted, and not all that a parent has. Anything else numbers
 * all rows. */
#include "postgres/statement/each_parent.h"

#include <stdio.h>
#include <string.h>

/* ---- a parent at a time ---- */

/* Parts of the condition that hold together: the list of the parents, if it is there. */
static const ldr_pred *parents_in(const ldr_op *op, const ldr_pred *p) {
  const uint16_t *cols = &p->field;
  unsigned n = 1, same = 0;
  if (p->kind == LDR_P_AND) {
    const ldr_pred *found = NULL;
    for (uint32_t i = 0; i < p->n && found == NULL; i++) found = parents_in(op, p->kids[i]);
    return found;
  }
  if (p->expr || (p->kind != LDR_P_IN && p->kind != LDR_P_KEYS)) return NULL;
  if (p->kind == LDR_P_KEYS) cols = ldr_pred_cols(op->e, p, &n);
  for (unsigned i = 0; i < op->nper; i++)
    for (unsigned k = 0; k < n; k++) same += cols[k] == op->per[i];
  return n == op->nper && same == n ? p : NULL;
}

static bool is_fixed(const ldr_pred *p, unsigned field) {
  bool found = false;
  if (p->kind == LDR_P_EQ) return p->expr == NULL && p->field == field;
  for (uint32_t i = 0; p->kind == LDR_P_AND && i < p->n && !found; i++) found = is_fixed(p->kids[i], field);
  return found;
}

static bool is_parent(const ldr_op *op, unsigned field) {
  for (unsigned i = 0; i < op->nper; i++)
    if (op->per[i] == field) return true;
  return false;
}

/* Do these fields lead to the rows of one parent: do all of its fields come before any that is not known? */
static bool leads(const ldr_op *op, const uint16_t *fields, unsigned n) {
  unsigned met = 0;
  for (unsigned i = 0; i < n && met < op->nper; i++) {
    bool parent = is_parent(op, fields[i]);
    if (!parent && !is_fixed(op->where, fields[i])) return false;
    met += parent;
  }
  return met == op->nper;
}

static bool is_indexed(const ldr_op *op) {
  const ldr_entity *e = op->e;
  if (leads(op, e->key.field, e->key.n)) return true;
  for (unsigned i = 0; i < e->nuniques; i++)
    if (e->uniques[i].nwhen == 0 && leads(op, e->uniques[i].field, e->uniques[i].n)) return true;
  for (unsigned i = 0; i < e->nindexes; i++)
    if (leads(op, e->indexes[i].field, e->indexes[i].n)) return true;
  return false;
}

static void own_rows(ldr_sql *w, ldr_sql_scope t, const ldr_op *op, const ldr_pred *parents) {
  ldr_sql_str(w, " from (select distinct * from ");
  ldr_sql_keys(w, t, parents);
  ldr_sql_str(w, ") as p cross join lateral (select t.* from ");
  ldr_sql_str(w, op->e->table);
  ldr_sql_str(w, " as t");
  ldr_sql_joined(w, t);
  ldr_sql_str(w, " where ");
  w->joined = parents;
  ldr_sql_pred(w, t, op->where);
  w->joined = NULL;
  ldr_sql_order(w, t, op->order, op->norder);
  if (op->per_limit >= 0) {
    ldr_sql_str(w, " limit ");
    ldr_sql_int8(w, op->per_limit);
  }
  if (op->per_offset > 0) {
    ldr_sql_str(w, " offset ");
    ldr_sql_int8(w, op->per_offset);
  }
  ldr_sql_str(w, ") as t");
  ldr_sql_joined(w, t); /* for the columns and the order of the whole */
}

/* ---- all rows, numbered in each parent's order ---- */

/* What the number of a row is called: "larder_n", unless a column of the store is. */
static void number_name(ldr_sql *w, const ldr_entity *e) {
  char name[24] = "larder_n";
  for (unsigned i = 1; ldr_entity_column(e, name, strlen(name)) >= 0; i++)
    snprintf(name, sizeof name, "larder_n%u", i);
  ldr_sql_str(w, "\"");
  ldr_sql_str(w, name);
  ldr_sql_str(w, "\"");
}

static void number(ldr_sql *w, const ldr_op *op, const char *before, const char *comparison) {
  ldr_sql_str(w, before);
  number_name(w, op->e);
  ldr_sql_str(w, comparison);
}

static void within(ldr_sql *w, const ldr_op *op) {
  if (op->per_offset > 0) {
    number(w, op, " where t.", " > ");
    ldr_sql_int8(w, op->per_offset);
  }
  if (op->per_limit >= 0) {
    int64_t last = op->per_limit > INT64_MAX - op->per_offset ? INT64_MAX : op->per_limit + op->per_offset;
    number(w, op, op->per_offset > 0 ? " and t." : " where t.", " <= ");
    ldr_sql_int8(w, last);
  }
}

static void numbered_rows(ldr_sql *w, ldr_sql_scope t, const ldr_op *op) {
  ldr_sql_str(w, " from (select t.*, row_number() over (partition by ");
  for (unsigned i = 0; i < op->nper; i++) {
    if (i) ldr_sql_str(w, ", ");
    ldr_sql_column(w, t, op->per[i]);
  }
  ldr_sql_order(w, t, op->order, op->norder);
  number(w, op, ") as ", " from ");
  ldr_sql_str(w, op->e->table);
  ldr_sql_str(w, " as t");
  ldr_sql_joined(w, t);
  if (op->where) {
    ldr_sql_str(w, " where ");
    ldr_sql_pred(w, t, op->where);
  }
  ldr_sql_str(w, ") as t");
  ldr_sql_joined(w, t);
  within(w, op);
}

void ldr_sql_each_parent(ldr_sql *w, ldr_sql_scope t, const ldr_op *op) {
  const ldr_pred *parents = op->where ? parents_in(op, op->where) : NULL;
  if (parents && is_indexed(op))
    own_rows(w, t, op, parents);
  else
    numbered_rows(w, t, op);
}

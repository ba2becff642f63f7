/* Operation → SQL text and parameters. No I/O; golden-tested. Values only ever become parameters; identifiers
 * come from declarations and are quoted there. Statements obey scale.md 1.4 (Citus): no volatile function in
 * DO UPDATE, bare columns in RETURNING, texts ordered and range-compared with COLLATE "C" so that both
 * engines agree byte for byte. */
#ifndef LDR_SQLGEN_H
#define LDR_SQLGEN_H

#include "ldr_op.h"

typedef struct ldr_param {
  ldr_ftype type;
  bool array; /* n values become one array parameter (LDR_P_IN, LDR_P_KEYS, multi-row INSERT); or a
                 single LDR_T_ARRAY value when n = 1 and is_array_value */
  bool is_array_value;
  size_t n, stride; /* values v[0], v[stride], … */
  const ldr_value *v; /* NULL: the one value is `own` (limit, offset), see ldr_param_value */
  ldr_value own;
} ldr_param;

static inline const ldr_value *ldr_param_value(const ldr_param *p, size_t i) {
  return p->v ? p->v + i * p->stride : &p->own;
}

typedef struct ldr_column {
  const char *name; /* borrowed: from the entity, the operation, or the server's description */
  ldr_ftype type;
  bool array;
} ldr_column;

/* One walk yields both: when sql is NULL only the parameters are collected (the shape was compiled before).
 * params is appended to, as a buffer of ldr_param. Multi-row INSERT uses unnest() arrays, so one plan serves
 * any number of rows and no 65,535 limit exists. */
ldr_code ldr_sqlgen(const ldr_op *op, ldr_buf *sql, ldr_buf *params, ldr_err *err) LDR_MUSTCHECK;
/* The result columns of op, in order: fields of op->out, or groups then aggregates, or "count". Appends
 * ldr_column. */
void ldr_sqlgen_columns(const ldr_op *op, ldr_buf *columns);
/* select "a", "b" from … for COPY: column list of an entity in field order, e.g. for `copy t ("a", "b") from
 * stdin`. */
void ldr_sqlgen_copy(const ldr_entity *e, bool in, ldr_buf *sql);

#endif

/* A result set that owns its memory and refers to no connection. Read cell by cell, straight from where the
 * bytes lie. */
#ifndef LDR_MODEL_ROWS_H
#define LDR_MODEL_ROWS_H

#include "model/row.h"
#include "values/param.h"

typedef struct ldr_rows ldr_rows;

typedef struct ldr_rows_ops {
  /* Decode one cell; *out stays valid until the next call on these rows or their end. LDR_INTERNAL when the
   * server sent nonsense. */
  ldr_code (*cell)(ldr_rows *r, size_t row, unsigned col, ldr_value *out, ldr_err *err);
  void (*free)(ldr_rows *r);
} ldr_rows_ops;

struct ldr_rows { /* engines embed it first in their own struct */
  const ldr_rows_ops *ops;
  size_t nrows;
  unsigned ncols;
  const ldr_column *cols; /* owned by the rows or outliving them (entity, statement cache with a count) */
};

static inline ldr_code ldr_rows_cell(ldr_rows *r, size_t row, unsigned col, ldr_value *out, ldr_err *err) {
  return r->ops->cell(r, row, col, out, err);
}
static inline void ldr_rows_free(ldr_rows *r) {
  if (r) r->ops->free(r);
}

/* Rows held as values: small computed results (aggregates, counts). */
ldr_code ldr_rows_from_values(const ldr_column *cols, unsigned ncols, const ldr_value *values, size_t nrows,
                              ldr_rows **out, ldr_err *err) LDR_MUSTCHECK; /* copies all */
/* Rows held as packed rows: takes over the counts of rows[0 … n-1], also on failure; fields: which to show.
 */
ldr_code ldr_rows_from_packed(const ldr_entity *e, const uint16_t *fields, unsigned nfields, ldr_row **rows,
                              size_t n, ldr_rows **out, ldr_err *err) LDR_MUSTCHECK;

#endif

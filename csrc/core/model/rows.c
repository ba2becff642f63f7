#include "model/rows.h"

#include <string.h>

static ldr_code no_cell(ldr_err *err) { return ldr_fail(err, LDR_INTERNAL, "there is no such cell"); }

/* ---- rows held as values ---- */

typedef struct values_rows {
  ldr_rows base;
  ldr_value *values; /* row by row */
  ldr_arena arena;   /* owns the columns, their names and the values */
} values_rows;

static ldr_code values_cell(ldr_rows *base, size_t row, unsigned col, ldr_value *out, ldr_err *err) {
  const values_rows *r = (const values_rows *)base;
  if (row >= base->nrows || col >= base->ncols) return no_cell(err);
  *out = r->values[row * base->ncols + col];
  return LDR_OK;
}

static void values_free(ldr_rows *base) {
  values_rows *r = (values_rows *)base;
  ldr_arena_free(&r->arena);
  ldr_free(r);
}

static const ldr_rows_ops values_ops = {values_cell, values_free};

static ldr_column *copy_columns(ldr_arena *a, const ldr_column *cols, unsigned n) {
  ldr_column *copy = ldr_arena_alloc(a, n * sizeof *copy);
  if (copy == NULL) return NULL;
  for (unsigned i = 0; i < n; i++) {
    copy[i] = cols[i];
    copy[i].name = ldr_arena_copy(a, cols[i].name, strlen(cols[i].name));
    if (copy[i].name == NULL) return NULL;
  }
  return copy;
}

static ldr_value *copy_values(ldr_arena *a, const ldr_value *values, size_t nrows, unsigned ncols) {
  size_t n = nrows * ncols;
  ldr_value *copy;
  if (ncols && nrows > SIZE_MAX / sizeof *copy / ncols) return NULL;
  copy = ldr_arena_alloc(a, n * sizeof *copy);
  if (copy == NULL) return NULL;
  for (size_t i = 0; i < n; i++) {
    copy[i] = values[i];
    if (!ldr_value_copy(&copy[i], a)) return NULL;
  }
  return copy;
}

ldr_code ldr_rows_from_values(const ldr_column *cols, unsigned ncols, const ldr_value *values, size_t nrows,
                              ldr_rows **out, ldr_err *err) {
  values_rows *r = ldr_alloc(sizeof *r);
  if (r == NULL) return ldr_fail_nomem(err);
  r->base.ops = &values_ops;
  r->base.nrows = nrows;
  r->base.ncols = ncols;
  r->base.cols = copy_columns(&r->arena, cols, ncols);
  r->values = copy_values(&r->arena, values, nrows, ncols);
  if (r->base.cols == NULL || r->values == NULL) {
    values_free(&r->base);
    return ldr_fail_nomem(err);
  }
  *out = &r->base;
  return LDR_OK;
}

/* ---- rows held packed ---- */

/* One block: this struct, then ncols columns, nrows rows, ncols field numbers. */
typedef struct packed_rows {
  ldr_rows base;
  const ldr_entity *e; /* its schema is retained */
  ldr_row **rows;      /* retained */
  uint16_t *fields;
} packed_rows;

static ldr_code packed_cell(ldr_rows *base, size_t row, unsigned col, ldr_value *out, ldr_err *err) {
  const packed_rows *r = (const packed_rows *)base;
  if (row >= base->nrows || col >= base->ncols) return no_cell(err);
  ldr_row_get(r->e, r->rows[row], r->fields[col], out);
  return LDR_OK;
}

static void release_all(ldr_row **rows, size_t n) {
  for (size_t i = 0; i < n; i++) ldr_row_release(rows[i]);
}

static void packed_free(ldr_rows *base) {
  packed_rows *r = (packed_rows *)base;
  release_all(r->rows, base->nrows);
  ldr_schema_release(r->e->schema);
  ldr_free(r);
}

static const ldr_rows_ops packed_ops = {packed_cell, packed_free};

static packed_rows *alloc_packed(unsigned ncols, size_t nrows) {
  size_t columns = ncols * sizeof(ldr_column), fields = ncols * sizeof(uint16_t);
  packed_rows *r;
  if (nrows > SIZE_MAX / 2 / sizeof(ldr_row *)) return NULL;
  r = ldr_alloc(sizeof *r + columns + nrows * sizeof(ldr_row *) + fields);
  if (r == NULL) return NULL;
  r->rows = (ldr_row **)(void *)((char *)(r + 1) + columns);
  r->fields = (uint16_t *)(void *)(r->rows + nrows);
  return r;
}

ldr_code ldr_rows_from_packed(const ldr_entity *e, const uint16_t *fields, unsigned nfields, ldr_row **rows,
                              size_t n, ldr_rows **out, ldr_err *err) {
  packed_rows *r = alloc_packed(nfields, n);
  ldr_column *cols;
  if (r == NULL) {
    release_all(rows, n);
    return ldr_fail_nomem(err);
  }
  cols = (ldr_column *)(void *)(r + 1);
  for (unsigned i = 0; i < nfields; i++) {
    const ldr_field *f = &e->fields[fields[i]];
    cols[i] = (ldr_column){.name = f->name, .type = f->type, .array = f->array};
    r->fields[i] = fields[i];
  }
  if (n) memcpy(r->rows, rows, n * sizeof *rows);
  ldr_schema_retain(e->schema);
  r->e = e;
  r->base = (ldr_rows){&packed_ops, n, nfields, cols};
  *out = &r->base;
  return LDR_OK;
}

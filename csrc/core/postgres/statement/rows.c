#include "postgres/statement/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "values/codec.h"
#include "values/textform.h"

typedef struct pgrows {
  ldr_rows base;
  ldr_pgres *res;
  ldr_stmt *stmt; /* base.cols may be its */
  ldr_buf scratch;
  size_t row;               /* the one that `cells` has */
  ldr_pgcell *cells;        /* one a column: rows are read whole, one after another */
  ldr_codec_decoder **plan; /* one a column: how its cells are read; NULL: not in this plain way */
  ldr_column *own;          /* the columns when they are not the statement's */
} pgrows;

/* ---- the rows ---- */

static bool read_cell(pgrows *r, unsigned col, const char *p, size_t n, ldr_value *out) {
  const ldr_column *c = &r->base.cols[col];
  if (ldr_pgres_is_text(r->res, col)) return ldr_textform_decode(c->type, c->array, p, n, &r->scratch, out);
  return ldr_codec_decode(c->type, c->array, p, n, &r->scratch, out);
}

static ldr_code strange_label(const ldr_value *v, ldr_err *err) {
  return ldr_fail(err, LDR_UNSUPPORTED, "'%.*s' is none of the declared labels", (int)(v->n < 63 ? v->n : 63),
                  v->u.p);
}

/* The label's value, which the declaration owns; an array keeps its labels. */
static ldr_code place_label(const ldr_column *c, ldr_value *v, ldr_err *err) {
  const ldr_value *found;
  ldr_value stranger;
  if (c->array)
    return ldr_array_find_stranger(v->u.p, v->n, c->labels, c->nlabels, &stranger)
               ? strange_label(&stranger, err)
               : LDR_OK;
  found = ldr_enum_find(c->labels, c->nlabels, v->u.p, v->n);
  if (found == NULL) return strange_label(v, err);
  *v = *found;
  return LDR_OK;
}

/* A cell that the column's plan does not read. */
static LDR_APART ldr_code other_cell(pgrows *r, unsigned col, const char *p, size_t n, ldr_value *out,
                                     ldr_err *err) {
  const ldr_column *c = &r->base.cols[col];
  if (r->plan[col] == NULL && read_cell(r, col, p, n, out))
    return c->type == LDR_F_ENUM ? place_label(c, out, err) : LDR_OK;
  if (r->scratch.broken) return ldr_fail_nomem(err);
  return ldr_fail(err, LDR_INTERNAL, "column \"%s\" came malformed from the server", c->name);
}

static LDR_APART ldr_code turn_to(pgrows *r, size_t row, ldr_err *err) {
  if (row >= r->base.nrows) return ldr_fail(err, LDR_INTERNAL, "there is no such row");
  ldr_pgres_row(r->res, row, r->base.ncols, r->cells);
  r->row = row;
  return LDR_OK;
}

static ldr_code pgrows_cell(ldr_rows *base, size_t row, unsigned col, ldr_value *out, ldr_err *err) {
  pgrows *r = (pgrows *)base;
  const ldr_pgcell *cell;
  if (col >= base->ncols) return ldr_fail(err, LDR_INTERNAL, "there is no such cell");
  if (row != r->row && turn_to(r, row, err) != LDR_OK) return err->code;
  cell = &r->cells[col];
  if (cell->p == NULL) {
    *out = ldr_null();
    return LDR_OK;
  }
  ldr_buf_reset(&r->scratch);
  if (r->plan[col] && r->plan[col](cell->p, cell->n, &r->scratch, out)) return LDR_OK;
  return other_cell(r, col, cell->p, cell->n, out, err);
}

static void pgrows_free(ldr_rows *base) {
  pgrows *r = (pgrows *)base;
  ldr_pgres_free(r->res);
  ldr_stmt_release(r->stmt);
  ldr_buf_free(&r->scratch);
  ldr_free(r);
}

static const ldr_rows_ops ops = {pgrows_cell, pgrows_free};

static bool as_expected(const ldr_stmt *s, const ldr_pgres *res, unsigned ncols) {
  if (s->ncols != ncols) return false;
  for (unsigned i = 0; i < ncols; i++) {
    const ldr_ftype_info *type = ldr_ftype_get(s->cols[i].type);
    uint32_t oid = ldr_pgres_oid(res, i);
    if (ldr_ftype_is_users(s->cols[i].type) ? !ldr_oid_is_users(oid)
                                            : oid != (s->cols[i].array ? type->array_oid : type->oid))
      return false;
  }
  return true;
}

/* The table changed since it was asked about: its columns are not read as if they were what they were. */
static ldr_code check_drift(const ldr_stmt *s, const ldr_pgres *res, ldr_err *err) {
  for (unsigned i = 0; i < s->ncols; i++) {
    const ldr_column *c = &s->cols[i];
    char live[32];
    ldr_ftype type;
    bool array;
    uint32_t oid = ldr_pgres_oid(res, i);
    if (ldr_live_fits(c->type, c->array, oid)) continue;
    ldr_live_forget(s->live);
    if (ldr_ftype_by_oid(oid, &type, &array))
      snprintf(live, sizeof live, "%s%s", ldr_ftype_get(type)->sql, array ? "[]" : "");
    else
      snprintf(live, sizeof live, "the type with oid %u", (unsigned)oid);
    return ldr_live_drift(s->e, c->name, c->type, c->array, live, err);
  }
  return LDR_OK;
}

/* Texts of any kind are read as the declared one: a cursor keeps values of the declared type. */
static void read_as_declared(const ldr_stmt *s, unsigned i, ldr_column *c) {
  if (s->e && ldr_ftype_is_text(c->type) && ldr_ftype_is_text(s->cols[i].type)) c->type = s->cols[i].type;
}

static void describe(pgrows *r, unsigned ncols) {
  for (unsigned i = 0; i < ncols; i++) {
    ldr_column *c = &r->own[i];
    bool same_width = r->stmt->ncols == ncols;
    c->name = same_width ? r->stmt->cols[i].name : ldr_pgres_name(r->res, i);
    if (ldr_ftype_by_oid(ldr_pgres_oid(r->res, i), &c->type, &c->array)) {
      if (same_width) read_as_declared(r->stmt, i, c);
      continue;
    }
    if (same_width && r->stmt->e && ldr_ftype_is_users(r->stmt->cols[i].type)) {
      *c = r->stmt->cols[i];
      continue;
    }
    c->type = LDR_F_UNKNOWN;
    c->array = ldr_textform_is_array(ldr_pgres_oid(r->res, i)) && ldr_pgres_is_text(r->res, i);
  }
  r->base.cols = r->own;
}

/* Form and type are a column's, so they are looked at once and not in each cell. A label has to be looked up
 * besides. The server's cells are shorter than 2 GiB, as every decoder wants them. Returns the first column
 * that nobody can read, which is never handed out as it came, or how many there are. */
static unsigned make_plan(pgrows *r) {
  bool binary = ldr_pgres_is_binary(r->res);
  for (unsigned i = 0; i < r->base.ncols; i++) {
    const ldr_column *c = &r->base.cols[i];
    bool text = !binary && ldr_pgres_is_text(r->res, i);
    if (c->type == LDR_F_UNKNOWN && !text) return i;
    r->plan[i] = text || c->type == LDR_F_ENUM ? NULL : ldr_codec_decoder_of(c->type, c->array);
  }
  return r->base.ncols;
}

/* One block with the cells of a row, with the plan, and with room for columns of its own. */
static pgrows *new_rows(unsigned ncols, bool own) {
  pgrows *r =
      ldr_alloc(sizeof *r + ncols * (sizeof *r->cells + sizeof *r->plan + (own ? sizeof *r->own : 0)));
  if (r == NULL) return NULL;
  r->row = SIZE_MAX;
  r->cells = (ldr_pgcell *)(void *)(r + 1);
  r->plan = (ldr_codec_decoder **)(void *)(r->cells + ncols);
  r->own = (ldr_column *)(void *)(r->plan + ncols);
  return r;
}

ldr_code ldr_pgrows_new(ldr_stmt *s, ldr_pgres *res, ldr_rows **out, ldr_err *err) {
  unsigned ncols = ldr_pgres_cols(res) - s->nown, at;
  bool expected = as_expected(s, res, ncols);
  ldr_code code = s->e && !expected && s->ncols == ncols ? check_drift(s, res, err) : LDR_OK;
  pgrows *r;
  if (code != LDR_OK) {
    ldr_pgres_free(res);
    return code;
  }
  r = new_rows(ncols, !expected);
  if (r == NULL) {
    ldr_pgres_free(res);
    return ldr_fail_nomem(err);
  }
  r->base.ops = &ops;
  r->base.nrows = ldr_pgres_rows(res);
  r->base.ncols = ncols;
  r->res = res;
  r->stmt = ldr_stmt_retain(s);
  if (expected)
    r->base.cols = s->cols;
  else
    describe(r, ncols);
  at = make_plan(r);
  if (at < ncols) {
    ldr_fail(err, LDR_DRIFT, "column \"%s\" is of a type (oid %u) that is not the declared one",
             r->base.cols[at].name, ldr_pgres_oid(res, at));
    pgrows_free(&r->base);
    return err->code;
  }
  *out = &r->base;
  return LDR_OK;
}

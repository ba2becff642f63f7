#include "model/cursor.h"

#include <string.h>

#include "base/text.h"
#include "values/payload.h"
#include "values/typecheck.h"

/*  version 2 | hash of entity and order, 8 | values: type 1, payload … | hash of all before, 8
 *
 *  payload: none for null, 1 for bool, 8 for int, float and time, else be32 length and the bytes. The last
 *  hash finds accidents, not forgery: a forged cursor passes it, so every value is checked like any input. */
enum { VERSION = 2, HEAD = 9, TAIL = 8 };

/* ---- the sort that a cursor belongs to ---- */

static void put_value(const ldr_value *v, ldr_buf *b) {
  ldr_buf_chr(b, (char)v->type);
  if (v->type == LDR_T_NULL) return;
  if (ldr_payload_size(v->type) == 0) ldr_buf_be32(b, v->n);
  ldr_payload_put(v, b);
}

/* What an expression's name does not say. */
static void add_constants(const ldr_expr *x, ldr_buf *b) {
  ldr_buf_chr(b, (char)x->bucket);
  ldr_buf_chr(b, (char)x->part);
  if (x->kind == LDR_X_VALUE) put_value(x->values, b);
  for (unsigned i = 0; x->args && i < x->n; i++) add_constants(x->args[i], b);
}

/* By names and not by numbers: a declaration that gained a field still reads its old cursors. */
static ldr_code sort_hash(const ldr_op *op, uint64_t *out, ldr_err *err) {
  ldr_buf b = {0};
  bool broken;
  ldr_buf_add(&b, op->e->schema->name, strlen(op->e->schema->name) + 1);
  ldr_buf_add(&b, op->e->name, strlen(op->e->name) + 1);
  for (unsigned i = 0; i < op->norder; i++) {
    const ldr_field *f = ldr_operand(op->e, op->order[i].field, op->order[i].expr);
    ldr_buf_chr(&b, op->order[i].desc);
    ldr_buf_chr(&b, (char)f->type);
    ldr_buf_add(&b, f->name, strlen(f->name) + 1);
    if (op->order[i].expr) add_constants(op->order[i].expr, &b);
  }
  broken = b.broken;
  if (!broken) *out = ldr_hash64(b.p, b.n, LDR_CURSOR_SEED);
  ldr_buf_free(&b);
  return broken ? ldr_fail_nomem(err) : LDR_OK;
}

/* A cursor shows its values to whoever holds it, so secrets have no place in one. */
static ldr_code check_order(const ldr_op *op, ldr_err *err) {
  if (op->norder == 0) return ldr_fail(err, LDR_INVALID, "a cursor needs an order");
  for (unsigned i = 0; i < op->norder; i++) {
    if (op->order[i].kind != LDR_BY_FIELD && op->order[i].kind != LDR_BY_EXPR)
      return ldr_fail(err, LDR_INVALID, "only orders by fields and expressions have cursors");
    if (ldr_operand_hidden(op->e, op->order[i].field, op->order[i].expr))
      return ldr_fail(err, LDR_INVALID, "an order by a hidden field has no cursors");
  }
  return LDR_OK;
}

/* ---- encode ---- */

ldr_code ldr_cursor_encode(const ldr_op *op, const ldr_value *values, ldr_buf *out, ldr_err *err) {
  ldr_buf b = {0};
  uint64_t sort = 0;
  bool broken;
  ldr_code code = check_order(op, err);
  if (code == LDR_OK) code = sort_hash(op, &sort, err);
  if (code != LDR_OK) return code;
  ldr_buf_chr(&b, VERSION);
  ldr_buf_be64(&b, sort);
  for (unsigned i = 0; i < op->norder; i++) put_value(&values[i], &b);
  if (!b.broken) ldr_buf_be64(&b, ldr_hash64(b.p, b.n, LDR_CURSOR_SEED));
  if (!b.broken) ldr_base64url_add(out, b.p, b.n);
  broken = b.broken || out->broken;
  ldr_buf_free(&b);
  return broken ? ldr_fail_nomem(err) : LDR_OK;
}

/* ---- decode ---- */

typedef struct reader {
  const char *p, *end;
} reader;

static bool take(reader *r, size_t n, const char **p) {
  if ((size_t)(r->end - r->p) < n) return false;
  *p = r->p;
  r->p += n;
  return true;
}

/* One value; false when the bytes end before it does. */
static bool get_value(reader *r, ldr_value *out) {
  const char *p;
  ldr_type type;
  size_t n;
  if (!take(r, 1, &p)) return false;
  type = (ldr_type)(unsigned char)*p;
  *out = ldr_null();
  if (type == LDR_T_NULL) return true;
  n = ldr_payload_size(type);
  if (n == 0) {
    if (!take(r, 4, &p)) return false;
    n = ldr_be32(p);
  }
  return take(r, n, &p) && ldr_payload_read(type, p, n, out);
}

static ldr_code refuse(ldr_err *err, const char *why) {
  err->code = LDR_OK; /* *err may hold an older validation, to which this one would add */
  return ldr_fail_field(err, "after", "%s", why);
}

static ldr_code not_a_cursor(ldr_err *err) { return refuse(err, "is not a cursor"); }

/* Is it one of the declared labels, at its place? */
static bool in_place(const ldr_field *f, const ldr_value *v) {
  const ldr_value *found = ldr_enum_find(f->places, f->nenums, v->u.p + LDR_ENUM_HEAD, v->n - LDR_ENUM_HEAD);
  return found && ldr_value_cmp(found, v) == 0;
}

static ldr_code get_values(const ldr_op *op, reader *r, ldr_value *values, ldr_err *err) {
  for (unsigned i = 0; i < op->norder; i++) {
    const ldr_field *f = ldr_operand(op->e, op->order[i].field, op->order[i].expr);
    ldr_code code;
    if (!get_value(r, &values[i])) return not_a_cursor(err);
    if (values[i].type == LDR_T_NULL && f->null) continue;
    code = ldr_typecheck(f->name, f->type, f->array, &values[i], err);
    if (code == LDR_OK && f->type == LDR_F_ENUM && !in_place(f, &values[i])) return not_a_cursor(err);
    if (code == LDR_INVALID) return not_a_cursor(err); /* a field's fault would puzzle whoever sent none */
    if (code != LDR_OK) return code;
  }
  return r->p == r->end ? LDR_OK : not_a_cursor(err);
}

static bool is_whole(const ldr_buf *b) {
  return b->n >= HEAD + TAIL && b->p[0] == VERSION &&
         ldr_be64(b->p + b->n - TAIL) == ldr_hash64(b->p, b->n - TAIL, LDR_CURSOR_SEED);
}

/* The values' bytes, in the arena, of a cursor that belongs to this sort. */
static ldr_code open_text(const char *s, size_t n, uint64_t sort, ldr_arena *a, reader *out, ldr_err *err) {
  ldr_buf b = {0};
  ldr_code code = LDR_OK;
  if (!ldr_base64url_decode(&b, s, n) || !is_whole(&b)) {
    code = b.broken ? ldr_fail_nomem(err) : not_a_cursor(err);
  } else if (ldr_be64(b.p + 1) != sort) {
    code = refuse(err, "is a cursor of another list or order");
  } else {
    out->p = ldr_arena_copy(a, b.p + HEAD, b.n - HEAD - TAIL);
    if (out->p == NULL)
      code = ldr_fail_nomem(err);
    else
      out->end = out->p + (b.n - HEAD - TAIL);
  }
  ldr_buf_free(&b);
  return code;
}

ldr_code ldr_cursor_decode(const ldr_op *op, const char *s, size_t n, ldr_arena *a, const ldr_value **out,
                           ldr_err *err) {
  reader r = {NULL, NULL};
  uint64_t sort = 0;
  ldr_value *values;
  ldr_code code = check_order(op, err);
  if (code == LDR_OK) code = sort_hash(op, &sort, err);
  if (code == LDR_OK) code = open_text(s, n, sort, a, &r, err);
  if (code != LDR_OK) return code;
  values = ldr_arena_alloc(a, op->norder * sizeof *values);
  if (values == NULL) return ldr_fail_nomem(err);
  code = get_values(op, &r, values, err);
  if (code == LDR_OK) *out = values;
  return code;
}

bool ldr_op_after_is_uniform(const ldr_op *op) {
  for (unsigned i = 0; i < op->norder; i++) {
    if (op->order[i].desc != op->order[0].desc) return false;
    if (ldr_operand(op->e, op->order[i].field, op->order[i].expr)->null) return false;
    if (op->after[i].type == LDR_T_NULL) return false;
  }
  return true;
}

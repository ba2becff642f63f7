#include "model/given_row.h"

#include <string.h>

#include "base/hash.h"
#include "base/text.h"

/* Appends v as the server prints it in "Key (a, b)=(1, x)"; false: there may be other ways. */
static bool add_text(ldr_buf *out, const ldr_value *v) {
  char uuid[37];
  switch (v->type) {
    case LDR_T_NULL: ldr_buf_str(out, "null"); return true;
    case LDR_T_BOOL: ldr_buf_str(out, v->u.b ? "t" : "f"); return true;
    case LDR_T_INT: ldr_buf_fmt(out, "%lld", (long long)v->u.i); return true;
    case LDR_T_TEXT: ldr_buf_add(out, v->u.p, v->n); return true;
    case LDR_T_ENUM: ldr_buf_add(out, v->u.p + 2, v->n - 2u); return true;
    case LDR_T_UUID:
      ldr_uuid_format((const unsigned char *)v->u.p, uuid);
      ldr_buf_str(out, uuid);
      return true;
    default: return false;
  }
}

static uint64_t key_of(const ldr_value *values, unsigned n, ldr_buf *text) {
  ldr_buf_reset(text);
  for (unsigned i = 0; i < n; i++) {
    if (i) ldr_buf_str(text, ", ");
    if (!add_text(text, &values[i])) return 0;
  }
  return text->broken ? 0 : ldr_hash_keyed(text->p, text->n, 0);
}

void ldr_given_key(const ldr_value *values, unsigned n, ldr_err *err) {
  ldr_buf text = {0};
  err->key = key_of(values, n, &text);
  ldr_buf_free(&text);
}

/* The fields of the constraint that err names, *n of them; NULL: it is none of the store's. */
static const uint16_t *fields_of(const ldr_entity *e, const ldr_err *err, unsigned *n) {
  for (unsigned i = 0; err->code == LDR_CONFLICT && i <= e->nuniques; i++) {
    const ldr_unique *u = i ? &e->uniques[i - 1] : &e->key;
    if (strcmp(u->name, err->constraint) != 0) continue;
    *n = u->n;
    return u->field;
  }
  for (unsigned i = 0; err->code == LDR_FOREIGN_KEY && i < e->nrefs; i++) {
    if (strcmp(e->refs[i].name, err->constraint) != 0) continue;
    *n = e->refs[i].n;
    return e->refs[i].field;
  }
  return NULL;
}

/* Where the statement has the field's values; -1: the engine makes them, or there are none. */
static int column_of(const ldr_op *op, uint16_t field) {
  for (unsigned i = 0; i < op->ncols; i++)
    if (op->cols[i] == field) return (int)i;
  return -1;
}

void ldr_given_row(const ldr_op *op, ldr_err *err) {
  unsigned n = 0, found = 0;
  const uint16_t *fields = fields_of(op->e, err, &n);
  int at[LDR_MAX_KEY];
  ldr_buf text = {0};
  if (op->kind != LDR_OP_INSERT || op->nrows < 2 || op->on_conflict == LDR_CONFLICT_UPDATE) return;
  if (fields == NULL || err->key == 0 || strcmp(err->table, op->e->relname) != 0) return; /* a trigger's */
  for (unsigned i = 0; i < n; i++)
    if ((at[i] = column_of(op, fields[i])) < 0) return;
  for (size_t r = 0; r < op->nrows && found < 2 && !text.broken; r++) {
    ldr_value values[LDR_MAX_KEY];
    for (unsigned i = 0; i < n; i++) values[i] = op->values[r * op->ncols + (size_t)at[i]];
    if (key_of(values, n, &text) != err->key) continue;
    err->row = (uint32_t)r + 1;
    found++;
  }
  if (found != 1 || text.broken) err->row = 0;
  ldr_buf_free(&text);
}

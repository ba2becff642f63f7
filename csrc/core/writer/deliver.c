#include "writer/deliver.h"

#include <stdlib.h>

#include "base/clock.h"

enum { RUN_BYTES = 8 * 1024 * 1024 };

/* ---- runs ---- */

static int by_entity(const void *a, const void *b) {
  const ldr_parcel *p = a, *q = b;
  uintptr_t family = (uintptr_t)p->e->schema, other = (uintptr_t)q->e->schema;
  if (family != other) return family < other ? -1 : 1;
  if (p->e->id != q->e->id) return p->e->id < q->e->id ? -1 : 1;
  return p->number < q->number ? -1 : p->number > q->number;
}

void ldr_parcels_sort(ldr_parcel *p, size_t n) { qsort(p, n, sizeof *p, by_entity); }

/* The identity field that the engine is to number, -1: none. Rows with and without one have two statements.
 */
static int unnumbered(const ldr_parcel *p) {
  for (unsigned i = 0; i < p->e->nfields; i++) {
    ldr_value v;
    if (p->e->fields[i].def != LDR_DEF_IDENTITY) continue;
    ldr_row_get(p->e, p->row, i, &v);
    if (v.type == LDR_T_NULL) return (int)i;
  }
  return -1;
}

size_t ldr_parcels_run(const ldr_parcel *p, size_t n, size_t max) {
  size_t i, bytes = 0;
  int field = n ? unnumbered(p) : -1;
  for (i = 0; i < n && i < max && p[i].e == p->e && unnumbered(&p[i]) == field; i++) {
    bytes += ldr_row_size(p[i].row);
    if (i && bytes > RUN_BYTES) break;
  }
  return i;
}

/* ---- one statement ---- */

typedef struct delivery {
  ldr_engine *engine;
  double timeout;
  ldr_settle *settle;
  void *ud;
  uint16_t cols[LDR_MAX_FIELDS];
  unsigned ncols;
  ldr_value *values; /* room for all rows of the run */
  ldr_err *err;
} delivery;

/* One insert of many rows. COPY into a staging table takes half as long again for 500 rows (a table made and
 * dropped, and four round trips), and could not tell a key that exists from another unique. */
static ldr_code insert(delivery *d, const ldr_parcel *p, size_t n, size_t *written) {
  const ldr_call call = {ldr_deadline(d->timeout), true};
  ldr_result result = {0};
  ldr_value *v = d->values;
  ldr_code code;
  ldr_op op;
  for (size_t r = 0; r < n; r++)
    for (unsigned i = 0; i < d->ncols; i++) ldr_row_get(p[r].e, p[r].row, d->cols[i], v++);
  ldr_op_init(&op, LDR_OP_INSERT, p->e);
  op.name = "insert_async";
  op.ncols = d->ncols;
  op.cols = d->cols;
  op.nrows = n;
  op.values = d->values;
  op.on_conflict = LDR_CONFLICT_SKIP; /* of the key alone: what breaks another unique is refused */
  code = d->engine->ops->run(d->engine, NULL, &op, &call, &result, NULL, d->err);
  if (code == LDR_OK) *written = (size_t)result.affected;
  return code;
}

/* Would the same row fail again whatever the server's state? Missing rights and missing tables are not its
 * fault either: somebody will mend them, and the row waits. */
static bool is_refusal(ldr_code code) {
  switch (code) {
    case LDR_INVALID:
    case LDR_CONFLICT:
    case LDR_FOREIGN_KEY:
    case LDR_CHECK:
    case LDR_NOT_NULL:
    case LDR_NOT_FOUND:
    case LDR_UNSUPPORTED:
    case LDR_INTERNAL: return true;
    default: return false;
  }
}

/* Left half first, so that parcels are settled in their order. */
static ldr_code deliver(delivery *d, const ldr_parcel *p, size_t n) {
  size_t written = 0;
  ldr_code code = insert(d, p, n, &written);
  if (code == LDR_OK) return d->settle(d->ud, n, written, NULL) ? LDR_OK : LDR_CLOSED;
  if (!is_refusal(code) || d->err->retryable) return code;
  if (n == 1) return d->settle(d->ud, 1, 0, d->err) ? LDR_OK : LDR_CLOSED;
  code = deliver(d, p, n / 2);
  return code ? code : deliver(d, p + n / 2, n - n / 2);
}

ldr_code ldr_deliver(ldr_engine *engine, const ldr_parcel *p, size_t n, double timeout, ldr_settle *settle,
                     void *ud, ldr_err *err) {
  delivery d = {.engine = engine, .timeout = timeout, .settle = settle, .ud = ud, .err = err};
  int left_out = unnumbered(p);
  ldr_code code;
  for (unsigned i = 0; i < p->e->nfields; i++)
    if ((int)i != left_out) d.cols[d.ncols++] = (uint16_t)i;
  d.values = ldr_alloc_array(n * d.ncols, sizeof *d.values);
  if (d.values == NULL) return ldr_fail_nomem(err);
  code = deliver(&d, p, n);
  ldr_free(d.values);
  return code;
}

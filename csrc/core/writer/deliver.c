#include "writer/deliver.h"

#include <string.h>

#include "base/clock.h"

enum { BATCH_BYTES = 8 * 1024 * 1024 };

/* ---- whose fault? ---- */

/* By the SQLSTATE's first characters, the first match counts. What stands in no row was raised by a trigger
 * of the user's with a state of his own. */
static const struct fault {
  const char *state;
  bool row;
} faults[] = {
    {"2200H", false}, /* a sequence has no numbers left */
    {"21", true},     /* cardinality */
    {"22", true},     /* data exceptions */
    {"23", true},     /* constraints */
    {"27", true},     /* triggered data change */
    {"09", true},     /* triggered action */
    {"38", true},     /* functions of triggers */
    {"39", true},
    {"40002", true}, /* a constraint, found at commit */
    {"44", true},    /* WITH CHECK OPTION */
    {"54023", false},
    {"54", true}, /* too large for an index, too deep */
    {"P0", true}, /* RAISE */
    /* The server's, or the store's: connection 08, not supported 0A, read only 25, no privilege 28 and 42,
     * no table 42, no resources 53, not in this state 55, operators 57, system 58, internal XX, and all other
     * classes of the standard and of PostgreSQL. */
    {"0", false},
    {"1", false},
    {"2", false},
    {"3", false},
    {"4", false},
    {"5", false},
    {"72", false},
    {"F0", false},
    {"HV", false},
    {"XX", false},
};

static bool state_is_rows(const char *state) {
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
    if (strncmp(state, faults[i].state, strlen(faults[i].state)) == 0) return faults[i].row;
  return true;
}

bool ldr_deliver_is_refusal(const ldr_err *err) {
  if (err->retryable) return false;
  switch (err->code) {
    case LDR_CONFLICT: return true; /* also where a cluster's node reports it without a state of its own */
    case LDR_INVALID:
    case LDR_FOREIGN_KEY:
    case LDR_CHECK:
    case LDR_NOT_NULL: return *err->sqlstate == '\0' || state_is_rows(err->sqlstate);
    default: return err->row_policy || (*err->sqlstate && state_is_rows(err->sqlstate));
  }
}

/* ---- batches ---- */

/* Is the field left to the engine in this row: a number to give out, a default, what is generated? */
static bool is_left_out(const ldr_entity *e, const ldr_row *row, unsigned field) {
  ldr_value v;
  if (!ldr_field_is_engines(&e->fields[field])) return false;
  ldr_row_get(e, row, field, &v);
  return v.type == LDR_T_NULL;
}

/* Rows that leave out different fields have different statements. */
static bool same_fields(const ldr_entity *e, const ldr_row *a, const ldr_row *b) {
  for (unsigned i = 0; i < e->nfields; i++)
    if (is_left_out(e, a, i) != is_left_out(e, b, i)) return false;
  return true;
}

size_t ldr_deliver_batch(const ldr_entity *e, const ldr_queued *rows, size_t n, size_t max) {
  size_t i, bytes = 0;
  for (i = 0; i < n && i < max && same_fields(e, rows->row, rows[i].row); i++) {
    bytes += ldr_row_size(rows[i].row);
    if (i && bytes > BATCH_BYTES) break;
  }
  return i;
}

/* ---- one statement ---- */

typedef struct delivery {
  ldr_engine *engine;
  const ldr_entity *e;
  double timeout;
  const ldr_delivery_ops *ops;
  void *ud;
  uint16_t cols[LDR_MAX_FIELDS];
  unsigned ncols;
  ldr_value *values; /* room for all rows of the batch */
  ldr_err *err;
} delivery;

/* One insert of many rows. COPY into a staging table takes half as long again for 500 rows (a table made and
 * dropped, and four round trips), and could not tell a key that exists from another unique.
 * SKIP: of the key alone, what breaks another unique is refused. */
static ldr_code insert(delivery *d, const ldr_queued *rows, size_t n, ldr_conflict conflict,
                       size_t *written) {
  const ldr_call call = {.deadline = ldr_deadline(d->timeout), .block = true};
  ldr_result result = {0};
  ldr_value *v = d->values;
  ldr_code code;
  ldr_op op;
  for (size_t r = 0; r < n; r++)
    for (unsigned i = 0; i < d->ncols; i++) ldr_row_get(d->e, rows[r].row, d->cols[i], v++);
  ldr_op_init(&op, LDR_OP_INSERT, d->e);
  op.name = "insert_async";
  op.ncols = d->ncols;
  op.cols = d->cols;
  op.nrows = n;
  op.values = d->values;
  op.on_conflict = conflict;
  code = d->engine->ops->run(d->engine, NULL, &op, &call, &result, NULL, d->err);
  if (code == LDR_OK) *written = (size_t)result.affected;
  return code;
}

/* How many rows have one of these keys. */
static ldr_code count_keys(delivery *d, const ldr_queued *rows, size_t n, size_t *there) {
  const ldr_call call = {.deadline = ldr_deadline(d->timeout), .block = true};
  ldr_pred keys = {.kind = LDR_P_KEYS, .n = (uint32_t)n, .ncols = d->e->key.n, .values = d->values};
  ldr_result result = {0};
  ldr_value *v = d->values;
  ldr_code code;
  ldr_op op;
  for (size_t r = 0; r < n; r++)
    for (unsigned i = 0; i < d->e->key.n; i++) ldr_row_get(d->e, rows[r].row, d->e->key.field[i], v++);
  ldr_op_init(&op, LDR_OP_COUNT, d->e);
  op.name = "insert_async";
  op.where = &keys;
  code = d->engine->ops->run(d->engine, NULL, &op, &call, &result, NULL, d->err);
  if (code == LDR_OK) *there = (size_t)result.affected;
  return code;
}

static ldr_code refuse(delivery *d) {
  const ldr_err refused = *d->err;
  if (!d->ops->may_refuse(d->ud, d->err)) return d->err->code;
  return d->ops->settle(d->ud, 1, 0, &refused, d->err);
}

static ldr_code refuse_taken(delivery *d) {
  ldr_fail(d->err, LDR_CHECK, "the database did not store the row: a trigger, rule or policy took it");
  return refuse(d);
}

/* A right to read may be missing: then nobody can tell, and the row counts as one that was there. */
static ldr_code look_for(delivery *d, const ldr_queued *rows, size_t n, size_t *there) {
  ldr_code code = count_keys(d, rows, n, there);
  if (code != LDR_PERMISSION) return code;
  *there = n;
  return LDR_OK;
}

/* The statement wrote fewer rows than it was given. A row that is not there was no duplicate: something of
 * the database's own took it. */
static ldr_code settle_each(delivery *d, const ldr_queued *rows, size_t n, size_t written) {
  size_t there = 0;
  ldr_code code = look_for(d, rows, n, &there);
  if (code) return code;
  if (there >= n) return d->ops->settle(d->ud, n, written, NULL, d->err);
  for (size_t i = 0; i < n && code == LDR_OK; i++) {
    code = look_for(d, rows + i, 1, &there);
    if (code) return code;
    code = there ? d->ops->settle(d->ud, 1, written ? 1 : 0, NULL, d->err) : refuse_taken(d);
    if (there && written) written--;
  }
  return code;
}

/* A policy lets the row be written and not read, and ON CONFLICT reads: the insert alone does not. */
static ldr_code deliver_unread(delivery *d, const ldr_queued *row) {
  size_t written = 0;
  ldr_code code = insert(d, row, 1, LDR_CONFLICT_ERROR, &written);
  if (code == LDR_CONFLICT && strcmp(d->err->constraint, d->e->key.name) == 0)
    return d->ops->settle(d->ud, 1, 0, NULL, d->err);
  if (code) return ldr_deliver_is_refusal(d->err) ? refuse(d) : code;
  return written ? d->ops->settle(d->ud, 1, 1, NULL, d->err) : refuse_taken(d);
}

/* Left half first, so that rows are settled in their order. */
static ldr_code deliver(delivery *d, const ldr_queued *rows, size_t n) {
  size_t written = 0;
  ldr_code code = insert(d, rows, n, LDR_CONFLICT_SKIP, &written);
  if (code == LDR_OK)
    return written < n ? settle_each(d, rows, n, written) : d->ops->settle(d->ud, n, written, NULL, d->err);
  if (!ldr_deliver_is_refusal(d->err)) return code;
  if (n == 1) return d->err->row_policy ? deliver_unread(d, rows) : refuse(d);
  if (!d->ops->may_refuse(d->ud, d->err)) return code;
  code = deliver(d, rows, n / 2);
  return code ? code : deliver(d, rows + n / 2, n - n / 2);
}

ldr_code ldr_deliver(ldr_engine *engine, const ldr_entity *e, const ldr_queued *rows, size_t n,
                     double timeout, const ldr_delivery_ops *ops, void *ud, ldr_err *err) {
  delivery d = {.engine = engine, .e = e, .timeout = timeout, .ops = ops, .ud = ud, .err = err};
  ldr_code code;
  for (unsigned i = 0; i < e->nfields; i++)
    if (!is_left_out(e, rows->row, i)) d.cols[d.ncols++] = (uint16_t)i;
  d.values = ldr_alloc_array(n * d.ncols, sizeof *d.values);
  if (d.values == NULL) return ldr_fail_nomem(err);
  code = deliver(&d, rows, n);
  ldr_free(d.values);
  return code;
}

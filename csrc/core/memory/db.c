#include "memory/db.h"

#include <stddef.h>
#include <string.h>

#include "memory/aggregate.h"
#include "memory/cursor.h"
#include "memory/errors.h"
#include "memory/unknown.h"
#include "memory/write.h"
#include "model/given.h"

typedef struct family { /* the tables of one schema */
  ldr_schema *schema;   /* retained */
  ldr_memtab **tab;     /* by entity id */
} family;

typedef struct memdb {
  ldr_engine base;
  family *families;
  size_t nfamilies;
  ldr_tx *txs;      /* the open ones */
  ldr_tx *spare;    /* one that ended, for the next; NULL: none */
  ldr_undo single;  /* of statements outside a transaction; empty between them */
  uint64_t commits; /* that changed rows */
} memdb;

struct ldr_tx {
  memdb *db;
  ldr_tx *prev, *next;
  ldr_undo w;
  ldr_memcursors cursors;
  bool read_only;
  bool strict;       /* repeatable read or more: nothing else may commit meanwhile … */
  bool began;        /* … since the first statement, … */
  uint64_t snapshot; /* … when db->commits was this */
  bool failed;
  ldr_err first; /* what made it fail; the last member: unless it has failed, nothing was ever set */
};

/* ---- tables ---- */

static void free_family(family *f) {
  for (unsigned i = 0; f->tab && i < f->schema->nentities; i++) ldr_memtab_free(f->tab[i]);
  ldr_free(f->tab);
  ldr_schema_release(f->schema);
}

static ldr_code new_family(ldr_schema *schema, family *out, ldr_err *err) {
  family f = {ldr_schema_retain(schema), ldr_alloc_array(schema->nentities, sizeof(ldr_memtab *))};
  ldr_code code = f.tab ? LDR_OK : ldr_fail_nomem(err);
  for (unsigned i = 0; code == LDR_OK && i < schema->nentities; i++)
    code = ldr_memtab_new(schema->entities[i], f.tab, &f.tab[i], err);
  if (code == LDR_OK)
    *out = f;
  else
    free_family(&f);
  return code;
}

static ldr_code add_family(memdb *db, ldr_schema *schema, ldr_err *err) {
  family *more = ldr_realloc(db->families, (db->nfamilies + 1) * sizeof *more);
  ldr_code code;
  if (more == NULL) return ldr_fail_nomem(err);
  db->families = more;
  code = new_family(schema, &more[db->nfamilies], err);
  if (code == LDR_OK) db->nfamilies++;
  return code;
}

static ldr_memtab *find_table(const memdb *db, const ldr_entity *e) {
  for (size_t i = 0; i < db->nfamilies; i++)
    if (db->families[i].schema == e->schema) return db->families[i].tab[e->id];
  return NULL;
}

static ldr_code get_table(memdb *db, const ldr_entity *e, ldr_memtab **out, ldr_err *err) {
  ldr_memtab *t = find_table(db, e);
  if (t == NULL) {
    ldr_code code = add_family(db, e->schema, err);
    if (code != LDR_OK) return code;
    t = find_table(db, e);
  }
  *out = t;
  return LDR_OK;
}

/* ---- statements ---- */

/* The first fault is kept: it is what a commit answers. Nothing of the transaction (or of its innermost
 * savepoint) can last any more, so its locks go at once, as they do on the server. */
static ldr_code failed(ldr_tx *tx, ldr_code code, const ldr_err *err) {
  if (tx && !tx->failed) {
    tx->failed = true;
    tx->first = *err;
    ldr_undo_revert(&tx->w, tx->w.nmarks ? tx->w.mark[tx->w.nmarks - 1] : 0);
  }
  return code;
}

/* May a statement of tx (NULL: none) begin? */
static ldr_code begin_statement(memdb *db, ldr_tx *tx, bool writes, ldr_err *err) {
  if (tx == NULL) return LDR_OK;
  if (tx->failed) return ldr_fail_aborted(err);
  if (writes && tx->read_only)
    return failed(tx, ldr_fail_state(err, LDR_PERMISSION, "25006", "the transaction is read-only"), err);
  if (!tx->began) tx->snapshot = db->commits;
  tx->began = true;
  if (tx->strict && tx->snapshot != db->commits) return failed(tx, ldr_memerr_serialization(err), err);
  return LDR_OK;
}

/* All of a statement, or nothing of it. Outside of a transaction it is one itself. */
static ldr_code end_statement(memdb *db, ldr_tx *tx, size_t from, ldr_code code, const ldr_err *err) {
  ldr_undo *w = tx ? &tx->w : &db->single;
  if (code != LDR_OK) {
    ldr_undo_revert(w, from);
    return failed(tx, code, err);
  }
  if (tx)
    ldr_undo_settle(w, from);
  else if (ldr_undo_commit(w))
    db->commits++;
  return LDR_OK;
}

static ldr_code aggregate(ldr_undo *w, const ldr_memtab *t, const ldr_op *op, ldr_result *res, ldr_err *err) {
  ldr_code code = ldr_memagg(w, t, op, &res->rows, err);
  if (code == LDR_OK) res->affected = (int64_t)res->rows->nrows;
  return code;
}

static ldr_code rows_of(ldr_undo *w, ldr_memtab *t, const ldr_op *op, ldr_memrows *rows, int64_t *affected,
                        ldr_err *err) {
  ldr_code code;
  switch (op->kind) {
    case LDR_OP_INSERT: return ldr_memwrite_insert(w, t, op, rows, affected, err);
    case LDR_OP_UPDATE: return ldr_memwrite_update(w, t, op, rows, affected, err);
    case LDR_OP_DELETE: return ldr_memwrite_delete(w, t, op, rows, affected, err);
    default: break;
  }
  code = ldr_memread_select(w, t, op, rows, err);
  *affected = (int64_t)rows->n;
  return code;
}

/* Is the row of an insert the one that the operation gives, so that it need not come back? The operation must
 * name every field that is asked for: a number is made here. Of several rows the texts may lie in the
 * caller's tables, which a finalizer could change while rows are made into new ones. */
static bool is_as_given(const ldr_op *op) {
  if (op->kind != LDR_OP_INSERT || !op->row_known || op->on_conflict != LDR_CONFLICT_ERROR) return false;
  return op->nrows == 1 && op->nout > 0 && ldr_op_gives_all(op);
}

/* One line, as of a server's plan: are the rows sorted, or does an index have their order? */
static ldr_code plan(ldr_undo *w, const ldr_memtab *t, const ldr_op *op, ldr_rows **out, ldr_err *err) {
  static const ldr_column column = {.name = "plan", .type = LDR_F_TEXT};
  const char *step = ldr_memread_is_ordered(w, t, op) ? "Index Scan" : "Sort";
  const ldr_value line = ldr_text(step, strlen(step));
  return ldr_rows_from_values(&column, 1, &line, 1, out, err);
}

/* Rows of a cursor that is declared stay with the transaction; fetched ones go on. */
static ldr_code by_cursor(ldr_tx *tx, ldr_memtab *t, const ldr_op *op, ldr_memrows *rows, ldr_err *err) {
  ldr_code code;
  if (tx == NULL) return ldr_fail_state(err, LDR_INVALID, "25P01", "a cursor needs a transaction");
  if (op->how == LDR_HOW_FETCH) return ldr_memcursors_fetch(&tx->cursors, op->cursor, op->limit, rows, err);
  code = ldr_memread_select(&tx->w, t, op, rows, err);
  return code == LDR_OK ? ldr_memcursors_declare(&tx->cursors, op->cursor, rows, err) : code;
}

static ldr_code execute(memdb *db, ldr_tx *tx, ldr_memtab *t, const ldr_op *op, ldr_result *res,
                        ldr_err *err) {
  ldr_undo *w = tx ? &tx->w : &db->single;
  ldr_memrows rows = {0};
  bool given = is_as_given(op), cursor = op->how == LDR_HOW_DECLARE || op->how == LDR_HOW_FETCH;
  ldr_code code;
  if (op->how == LDR_HOW_PLAN) return plan(w, t, op, &res->rows, err);
  if (op->kind == LDR_OP_COUNT) return ldr_memread_count(w, t, op->where, &res->affected, err);
  if (op->kind == LDR_OP_AGGREGATE) return aggregate(w, t, op, res, err);
  code = cursor ? by_cursor(tx, t, op, &rows, err)
                : rows_of(w, t, op, given ? NULL : &rows, &res->affected, err);
  res->as_given = given;
  if (code != LDR_OK || op->how == LDR_HOW_DECLARE) {
    ldr_memrows_free(&rows);
    return code;
  }
  if (op->ncomputed)
    code = ldr_memrows_compute(w, t, &rows, op, &res->rows, err);
  else if (op->nout && !given)
    code = ldr_memrows_take(&rows, op, &res->rows, err);
  ldr_memrows_free(&rows);
  return code;
}

static bool is_write(const ldr_op *op) {
  return op->kind == LDR_OP_INSERT || op->kind == LDR_OP_UPDATE || op->kind == LDR_OP_DELETE ||
         op->lock != LDR_LOCK_NONE;
}

static ldr_code run(ldr_engine *base, ldr_tx *tx, const ldr_op *op, const ldr_call *call, ldr_result *out,
                    ldr_task **task, ldr_err *err) {
  memdb *db = (memdb *)base;
  size_t from = tx ? tx->w.n : db->single.n;
  ldr_result res = {0};
  ldr_memtab *t;
  ldr_code code = begin_statement(db, tx, is_write(op), err);
  (void)call; /* it never waits */
  (void)task;
  if (code != LDR_OK) return code;
  code = get_table(db, op->e, &t, err);
  if (code == LDR_OK) code = ldr_memop_knows(op, err);
  if (code == LDR_OK) code = execute(db, tx, t, op, &res, err);
  code = end_statement(db, tx, from, code, err);
  if (code == LDR_OK) *out = res;
  return code;
}

static ldr_code load(ldr_engine *base, ldr_tx *tx, const ldr_batch *b, ldr_conflict conflict,
                     const ldr_call *call, int64_t *loaded, ldr_task **task, ldr_err *err) {
  memdb *db = (memdb *)base;
  ldr_undo *w = tx ? &tx->w : &db->single;
  size_t from = w->n;
  int64_t n = 0;
  ldr_memtab *t;
  ldr_code code = begin_statement(db, tx, true, err);
  (void)call;
  (void)task;
  if (code != LDR_OK) return code;
  code = get_table(db, b->e, &t, err);
  if (code == LDR_OK) code = ldr_memwrite_load(w, t, b, conflict, &n, err);
  code = end_statement(db, tx, from, code, err);
  if (code == LDR_OK) *loaded = n;
  return code;
}

ldr_row *ldr_memdb_find(const ldr_engine *base, const ldr_entity *e, const ldr_value *key) {
  const ldr_memtab *t = find_table((const memdb *)base, e);
  const ldr_memver *v = t ? ldr_memtab_find(t, 0, key, NULL) : NULL;
  return v ? v->data : NULL;
}

ldr_code ldr_memdb_get(ldr_engine *base, ldr_tx *tx, const ldr_entity *e, const ldr_value *key, ldr_row **out,
                       ldr_err *err) {
  memdb *db = (memdb *)base;
  ldr_code code = begin_statement(db, tx, false, err);
  const ldr_memtab *t;
  const ldr_memver *v;
  if (code != LDR_OK) return code;
  t = find_table(db, e);
  v = t ? ldr_memtab_find(t, 0, key, tx ? &tx->w : NULL) : NULL;
  if (v == NULL) return ldr_fail(err, LDR_NOT_FOUND, "%s: there is no such row", e->name);
  *out = ldr_row_retain(v->data);
  return LDR_OK;
}

/* ---- scans: the rows of one moment, held ---- */

typedef struct memscan {
  ldr_scan base;
  const ldr_entity *e; /* its schema is retained */
  ldr_memrows rows;
  size_t at;
} memscan;

static ldr_code scan_next(ldr_scan *base, size_t max, const ldr_call *call, ldr_batch **b, ldr_err *err) {
  memscan *s = (memscan *)base;
  size_t left = s->rows.n - s->at, n = max && max < left ? max : left;
  ldr_batch *batch = NULL;
  ldr_code code = LDR_OK;
  (void)call;
  if (n > 0) code = ldr_batch_new(s->e, &batch, err);
  for (size_t i = 0; code == LDR_OK && i < n; i++)
    code = ldr_batch_add(batch, ldr_row_retain(s->rows.row[s->at + i]), err);
  if (code != LDR_OK) {
    ldr_batch_free(batch);
    return code;
  }
  s->at += n;
  *b = batch;
  return LDR_OK;
}

static void scan_close(ldr_scan *base) {
  memscan *s = (memscan *)base;
  if (s == NULL) return;
  ldr_memrows_free(&s->rows);
  ldr_schema_release(s->e->schema);
  ldr_free(s);
}

static ldr_code collect(const ldr_memtab *t, const void *tx, ldr_memrows *out, ldr_err *err) {
  for (const ldr_memslot *s = t->first; s; s = s->next) {
    const ldr_memver *v = ldr_memslot_visible(s, tx);
    ldr_code code = v ? ldr_memrows_add(out, v->data, err) : LDR_OK;
    if (code != LDR_OK) return code;
  }
  return LDR_OK;
}

static ldr_code scan(ldr_engine *base, ldr_tx *tx, const ldr_entity *e, const ldr_call *call, ldr_scan **out,
                     ldr_err *err) {
  memdb *db = (memdb *)base;
  ldr_memtab *t = NULL;
  memscan *s;
  ldr_code code = begin_statement(db, tx, false, err);
  (void)call;
  if (code != LDR_OK) return code;
  code = get_table(db, e, &t, err);
  s = code == LDR_OK ? ldr_alloc(sizeof *s) : NULL;
  if (s == NULL) return failed(tx, ldr_fail_nomem(err), err);
  s->base.next = scan_next;
  s->base.close = scan_close;
  s->e = e;
  ldr_schema_retain(e->schema);
  code = collect(t, tx ? &tx->w : NULL, &s->rows, err);
  if (code != LDR_OK) {
    scan_close(&s->base);
    return failed(tx, code, err);
  }
  *out = &s->base;
  return LDR_OK;
}

/* ---- transactions ---- */

static ldr_tx *take_spare(memdb *db) {
  ldr_tx *tx = db->spare;
  ldr_undo w;
  if (tx == NULL) return NULL;
  db->spare = NULL;
  w = tx->w; /* empty, with its memory */
  memset(tx, 0, offsetof(ldr_tx, first));
  tx->w = w;
  return tx;
}

static ldr_code begin(ldr_engine *base, const ldr_txopts *opts, ldr_tx **out, ldr_err *err) {
  memdb *db = (memdb *)base;
  ldr_tx *tx = take_spare(db);
  if (tx == NULL) tx = ldr_alloc(sizeof *tx);
  if (tx == NULL) return ldr_fail_nomem(err);
  tx->db = db;
  tx->w.lasting = true;
  tx->read_only = opts && opts->read_only;
  tx->strict = opts && opts->isolation >= LDR_REPEATABLE_READ;
  tx->next = db->txs;
  if (db->txs) db->txs->prev = tx;
  db->txs = tx;
  *out = tx;
  return LDR_OK;
}

static void free_tx(ldr_tx *tx) {
  if (tx) ldr_undo_free(&tx->w);
  ldr_free(tx);
}

static void abandon(ldr_tx *tx) {
  memdb *db = tx->db;
  ldr_undo_reset(&tx->w);
  ldr_memcursors_free(&tx->cursors);
  if (tx->prev)
    tx->prev->next = tx->next;
  else
    db->txs = tx->next;
  if (tx->next) tx->next->prev = tx->prev;
  free_tx(db->spare);
  db->spare = tx;
}

static ldr_code commit(ldr_tx *tx, const ldr_call *call, ldr_task **task, ldr_err *err) {
  ldr_code code = LDR_OK;
  (void)call;
  (void)task;
  if (tx->failed)
    *err = tx->first, code = tx->first.code;
  else if (tx->strict && tx->w.n && tx->snapshot != tx->db->commits)
    code = ldr_memerr_serialization(err);
  else if (ldr_undo_commit(&tx->w))
    tx->db->commits++;
  abandon(tx); /* what was not committed is undone */
  return code;
}

static ldr_code rollback(ldr_tx *tx, const ldr_call *call, ldr_task **task, ldr_err *err) {
  (void)call;
  (void)task;
  (void)err;
  abandon(tx);
  return LDR_OK;
}

static ldr_code no_savepoint(ldr_err *err) {
  return ldr_fail_state(err, LDR_INVALID, "3B001", "there is no savepoint");
}

static ldr_code savepoint(ldr_tx *tx, ldr_err *err) {
  return tx->failed ? ldr_fail_aborted(err) : ldr_undo_savepoint(&tx->w, err);
}

static ldr_code release(ldr_tx *tx, ldr_err *err) {
  if (tx->failed) return ldr_fail_aborted(err);
  if (tx->w.nmarks == 0) return no_savepoint(err);
  ldr_undo_release(&tx->w);
  return LDR_OK;
}

static ldr_code rollback_to(ldr_tx *tx, ldr_err *err) {
  if (tx->w.nmarks == 0) return no_savepoint(err);
  ldr_undo_rollback_to(&tx->w);
  tx->failed = false;
  return LDR_OK;
}

/* ---- the engine ---- */

static void close_db(ldr_engine *base) {
  memdb *db = (memdb *)base;
  if (db == NULL) return;
  while (db->txs) abandon(db->txs);
  free_tx(db->spare);
  ldr_undo_free(&db->single);
  for (size_t i = 0; i < db->nfamilies; i++) free_family(&db->families[i]);
  ldr_free(db->families);
  ldr_free(db);
}

static size_t stats(const ldr_engine *e, ldr_stat out[LDR_MAX_STATS]) {
  ldr_memdb_stats s;
  ldr_memdb_stats_get(e, &s);
  out[0] = (ldr_stat){"tables", s.tables, false};
  out[1] = (ldr_stat){"rows", s.rows, false};
  out[2] = (ldr_stat){"row_bytes", s.row_bytes, false};
  out[3] = (ldr_stat){"transactions", s.transactions, false};
  return 4;
}

ldr_code ldr_memdb_open(ldr_engine **out, ldr_err *err) {
  static const ldr_keyed_group keyed = {.find = ldr_memdb_find, .get = ldr_memdb_get};
  static const ldr_engine_ops ops = {.name = "memory",
                                     .run = run,
                                     .begin = begin,
                                     .savepoint = savepoint,
                                     .release = release,
                                     .rollback_to = rollback_to,
                                     .commit = commit,
                                     .rollback = rollback,
                                     .abandon = abandon,
                                     .load = load,
                                     .scan = scan,
                                     .keyed = &keyed,
                                     .stats = stats,
                                     .close = close_db};
  memdb *db = ldr_alloc(sizeof *db);
  if (db == NULL) return ldr_fail_nomem(err);
  db->base.ops = &ops;
  *out = &db->base;
  return LDR_OK;
}

void ldr_memdb_stats_get(const ldr_engine *base, ldr_memdb_stats *out) {
  const memdb *db = (const memdb *)base;
  ldr_memdb_stats stats = {0};
  for (const ldr_tx *tx = db->txs; tx; tx = tx->next) stats.transactions++;
  for (size_t i = 0; i < db->nfamilies; i++) {
    stats.tables += db->families[i].schema->nentities;
    for (unsigned k = 0; k < db->families[i].schema->nentities; k++) {
      stats.rows += db->families[i].tab[k]->rows;
      stats.row_bytes += db->families[i].tab[k]->row_bytes;
    }
  }
  *out = stats;
}

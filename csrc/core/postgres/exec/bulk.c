#include "postgres/exec/bulk.h"

#include <string.h>

#include "base/clock.h"
#include "postgres/exec/transaction.h"
#include "postgres/protocol/copy.h"
#include "postgres/statement/copyformat.h"
#include "postgres/statement/explain.h"
#include "postgres/statement/expr.h"
#include "postgres/statement/literal.h"
#include "postgres/statement/sqlgen.h"

enum { CHUNK = 64 * 1024 }; /* bytes of COPY data made at a time */

/* ---- load ----
 *
 *   ERROR:          copy t from stdin
 *   SKIP, UPDATE:   [begin] create temp table, copy into it, insert … select … on conflict, [commit]
 */

typedef struct load_request {
  ldr_request base; /* first */
  ldr_batch *rows;
  ldr_conflict conflict;
  size_t at; /* rows sent */
  ldr_live *live;
  const ldr_live_columns *known; /* when the load began */
  bool asked, headed, merging, undoing, numbering;
  int64_t loaded;
  ldr_buf chunk, sql;
  ldr_err first; /* why it is being undone */
} load_request;

static load_request *load_of(ldr_request *rq) { return (load_request *)rq; }

static void load_dispose(ldr_request *rq) {
  load_request *x = load_of(rq);
  ldr_batch_free(x->rows);
  ldr_buf_free(&x->chunk);
  ldr_buf_free(&x->sql);
}

static void add_name(ldr_buf *b, const ldr_entity *e, unsigned field, unsigned nth) {
  ldr_sql w = {.text = b};
  if (nth) ldr_buf_str(b, ", ");
  ldr_sql_name(&w, &e->fields[field]);
}

static void add_names(ldr_buf *b, const ldr_entity *e) {
  for (unsigned i = 0, n = 0; i < e->nfields; i++)
    if (!e->fields[i].generated) add_name(b, e, i, n++);
}

static void add_key(ldr_buf *b, const ldr_entity *e) {
  for (unsigned i = 0; i < e->key.n; i++) add_name(b, e, e->key.field[i], i);
}

static bool has_identity(const ldr_entity *e) {
  for (unsigned i = 0; i < e->nfields; i++)
    if (e->fields[i].def == LDR_DEF_IDENTITY) return true;
  return false;
}

/* "a" = excluded."a" of every field that is not in the key. */
static void add_sets(ldr_buf *b, const ldr_entity *e) {
  unsigned n = 0;
  for (unsigned i = 0; i < e->nfields; i++) {
    if (ldr_entity_in_key(e, i) || e->fields[i].generated) continue;
    add_name(b, e, i, n++);
    ldr_buf_str(b, " = excluded.");
    add_name(b, e, i, 0);
  }
}

/* The statements that bring the rows to the server, up to the COPY. */
static void copy_sql(const load_request *x, bool alone, ldr_buf *b) {
  const ldr_entity *e = x->rows->e;
  if (x->conflict == LDR_CONFLICT_ERROR) {
    ldr_sqlgen_copy(e, true, b);
    return;
  }
  if (alone) ldr_buf_str(b, "begin;");
  ldr_buf_str(b, "create temp table ldr_load on commit drop as select ");
  add_names(b, e);
  ldr_buf_fmt(b, " from %s with no data;copy pg_temp.ldr_load (", e->table);
  add_names(b, e);
  ldr_buf_str(b, ") from stdin (format binary)");
}

/* From the staging table into the real one. Of rows with the same key the last wins, as if they were written
 * one after the other: COPY has filled the staging table in their order. What comes back is counted (see
 * ldr_sqlgen_counts). */
static void merge_sql(const load_request *x, ldr_buf *b) {
  const ldr_entity *e = x->rows->e;
  bool update = x->conflict == LDR_CONFLICT_UPDATE && e->key.n < e->nfields;
  ldr_buf_fmt(b, "with w as (insert into %s (", e->table);
  add_names(b, e);
  ldr_buf_str(b, ") ");
  if (has_identity(e)) ldr_buf_str(b, "overriding system value ");
  ldr_buf_str(b, "select ");
  if (update) {
    ldr_buf_str(b, "distinct on (");
    add_key(b, e);
    ldr_buf_str(b, ") ");
  }
  add_names(b, e);
  ldr_buf_str(b, " from pg_temp.ldr_load");
  if (!update) {
    ldr_buf_str(b, " on conflict do nothing returning 1) select count(*) from w");
    return;
  }
  ldr_buf_str(b, " order by ");
  add_key(b, e);
  ldr_buf_str(b, ", ctid desc on conflict (");
  add_key(b, e);
  ldr_buf_str(b, ") do update set ");
  add_sets(b, e);
  ldr_buf_str(b, " returning 1) select count(*) from w");
}

/* Asked anew for each load: COPY takes eight bytes for whatever type the column has. */
static ldr_live *load_unknown(ldr_request *rq) {
  load_request *x = load_of(rq);
  ldr_live *t = x->asked ? NULL : x->live;
  x->asked = true;
  return t;
}

/* Rows travel in binary: see ldr_value_endless. */
static ldr_code check_intervals(const load_request *x, ldr_err *err) {
  const ldr_entity *e = x->rows->e;
  for (unsigned i = 0; i < e->nfields; i++) {
    for (size_t r = 0; e->fields[i].type == LDR_F_INTERVAL && r < x->rows->n; r++) {
      ldr_value v;
      ldr_row_get(e, x->rows->rows[r], i, &v);
      if (!ldr_value_endless(&v)) continue;
      ldr_fail_state(err, LDR_INVALID, "22007", "a text is not a valid date or time");
      ldr_err_set(err->hint, sizeof err->hint, "intervals can be infinite from PostgreSQL 17 on");
      ldr_err_set(err->column, sizeof err->column, e->fields[i].name);
      return err->code;
    }
  }
  return LDR_OK;
}

static ldr_code load_start(ldr_request *rq, ldr_err *err) {
  load_request *x = load_of(rq);
  ldr_code code = ldr_conn_version(rq->conn) < 170000 ? check_intervals(x, err) : LDR_OK;
  if (code) return code;
  x->known = ldr_live_known(x->live);
  copy_sql(x, rq->tx == NULL, &x->sql);
  if (ldr_buf_cstr(&x->sql) == NULL) return ldr_fail_nomem(err);
  return ldr_pgsess_simple(rq, x->sql.p, err);
}

static bool fill_chunk(load_request *x) {
  ldr_buf_reset(&x->chunk);
  if (!x->headed) ldr_copybin_header(&x->chunk);
  x->headed = true;
  while (x->at < x->rows->n && x->chunk.n < CHUNK)
    ldr_copybin_row(x->rows->e, x->known, x->rows->rows[x->at++], &x->chunk);
  if (x->at == x->rows->n) ldr_copybin_trailer(&x->chunk);
  return !x->chunk.broken;
}

static bool is_complete(const load_request *x) { return x->headed && x->at == x->rows->n; }

/* As much as the socket takes; then the end of the data. A connection that is lost meanwhile, or cut because
 * memory is short, shows in the answer. */
static ldr_code load_copying(ldr_request *rq, ldr_err *err) {
  load_request *x = load_of(rq);
  rq->caller_free = true;
  while (!is_complete(x)) {
    if (ldr_conn_events(rq->conn) & LDR_WRITE) return LDR_PENDING; /* what was given has not left yet */
    if (ldr_now_mono() >= rq->deadline) return LDR_PENDING;        /* the next step cancels */
    if (!fill_chunk(x)) {
      x->undoing = true;
      ldr_fail_nomem(&x->first);
      ldr_conn_cut(rq->conn);
      return LDR_PENDING;
    }
    if (ldr_conn_copy_put(rq->conn, x->chunk.p, x->chunk.n, err) > LDR_PENDING) return LDR_PENDING;
  }
  if (ldr_conn_copy_end(rq->conn, NULL, err) == LDR_OK) ldr_request_move(rq, LDR_REQUEST_SENT);
  return LDR_PENDING;
}

/* Numbers that rows bring along are numbers that the sequence must not give out again. */
static bool add_numbering(load_request *x) {
  const ldr_entity *e = x->rows->e;
  for (unsigned i = 0; i < e->nfields; i++) {
    int64_t top = 0;
    if (e->fields[i].def != LDR_DEF_IDENTITY) continue;
    for (size_t r = 0; r < x->rows->n; r++) {
      ldr_value v;
      ldr_row_get(e, x->rows->rows[r], i, &v);
      if (v.type == LDR_T_INT && v.u.i > top) top = v.u.i;
    }
    if (top == 0) continue;
    ldr_buf_reset(&x->sql);
    ldr_buf_fmt(&x->sql, "select setval(s::regclass, %lld) from pg_get_serial_sequence(", (long long)top);
    ldr_sql_literal(&x->sql, e->table, strlen(e->table));
    ldr_buf_str(&x->sql, ", ");
    ldr_sql_literal(&x->sql, e->fields[i].column, strlen(e->fields[i].column));
    ldr_buf_fmt(&x->sql, ") s where coalesce(pg_sequence_last_value(s::regclass), 0) < %lld", (long long)top);
    return ldr_buf_cstr(&x->sql) &&
           ldr_request_query(&x->base, x->sql.p); /* a table has one identity column */
  }
  return true;
}

static ldr_code submit_merge(ldr_request *rq, ldr_err *err) {
  load_request *x = load_of(rq);
  x->merging = true;
  ldr_exchange_reset(rq->exchange);
  ldr_buf_reset(&x->chunk);
  merge_sql(x, &x->chunk);
  if (ldr_buf_cstr(&x->chunk) == NULL || !ldr_request_query(rq, x->chunk.p) || !add_numbering(x) ||
      !ldr_request_query(rq, rq->tx ? "drop table pg_temp.ldr_load" : "commit"))
    return ldr_fail_nomem(err);
  return ldr_request_submit(rq, err);
}

static ldr_code submit_numbering(ldr_request *rq, ldr_err *err) {
  load_request *x = load_of(rq);
  x->numbering = true;
  ldr_exchange_reset(rq->exchange);
  if (!add_numbering(x)) return ldr_fail_nomem(err);
  return rq->exchange->n ? ldr_request_submit(rq, err) : LDR_OK;
}

/* The load failed: a transaction of its own is rolled back, so that the connection can be used again. */
static ldr_code undo(ldr_request *rq, ldr_err *err) {
  load_request *x = load_of(rq);
  ldr_request_error(rq, err);
  ldr_explain(x->rows->e, x->live, err);
  if (rq->tx || ldr_conn_dead(rq->conn) || !ldr_conn_in_tx(rq->conn)) return err->code;
  x->first = *err;
  x->undoing = true;
  ldr_exchange_reset(rq->exchange);
  if (!ldr_request_query(rq, "rollback")) return ldr_fail_nomem(err);
  return ldr_request_submit(rq, err);
}

static ldr_code load_answered(ldr_request *rq, ldr_err *err) {
  load_request *x = load_of(rq);
  const ldr_pgres *res = rq->exchange->cmd[0].res;
  ldr_code code = LDR_OK;
  if (x->undoing) {
    *err = x->first;
    return err->code;
  }
  if (ldr_request_failed(rq)) return undo(rq, err);
  if (rq->tx) rq->tx->wrote = true;
  if (!x->numbering) x->loaded = x->merging ? ldr_pgrun_count(res) : res ? ldr_pgres_affected(res) : 0;
  if (!x->merging && x->conflict != LDR_CONFLICT_ERROR) return submit_merge(rq, err);
  if (!x->merging && !x->numbering) code = submit_numbering(rq, err);
  rq->task.result.affected = x->loaded;
  return code;
}

static const ldr_request_kind load_kind = {.unknown = load_unknown,
                                           .exact = true,
                                           .start = load_start,
                                           .answered = load_answered,
                                           .copying = load_copying,
                                           .dispose = load_dispose,
                                           .size = sizeof(load_request)};

ldr_code ldr_pgbulk_load(ldr_engine *engine, ldr_tx *t, const ldr_batch *b, ldr_conflict conflict,
                         const ldr_call *call, int64_t *loaded, ldr_task **task, ldr_err *err) {
  ldr_result result = {0};
  ldr_request *rq = NULL;
  load_request *x;
  ldr_code code;
  if (b->n == 0) {
    *loaded = 0;
    return LDR_OK;
  }
  code = ldr_entity_writable(b->e, err);
  if (code == LDR_OK)
    code = ldr_request_new(ldr_pg_of(engine), ldr_pgtx_of(t), &load_kind, b->e->name, call, &rq, err);
  if (code) return code;
  x = load_of(rq);
  x->conflict = conflict;
  x->live = ldr_lives_get(&rq->e->stmts.lives, b->e);
  code = x->live ? LDR_OK : ldr_fail_nomem(err);
  if (code == LDR_OK)
    code = ldr_batch_slice(b, 0, b->n, &x->rows, err); /* the caller's may be gone before the task ends */
  if (code) {
    ldr_request_free(rq);
    return code;
  }
  code = ldr_request_run(rq, &result, task, err);
  if (code == LDR_OK) *loaded = result.affected;
  return code;
}

/* ---- scan ---- */

typedef struct pgscan {
  ldr_scan base; /* first */
  ldr_tx *tx;
  bool own; /* tx is a session of the scan's */
  bool over;
  const ldr_entity *e;
  ldr_value *values;
  ldr_buf scratch;
} pgscan;

static ldr_code read_row(pgscan *s, ldr_batch *b, const char *p, size_t n, ldr_err *err) {
  ldr_row *row;
  ldr_code code;
  ldr_buf_reset(&s->scratch);
  switch (ldr_copybin_read(s->e, p, n, &s->scratch, s->values)) {
    case LDR_COPY_ROW:
      code = ldr_row_pack(s->e, s->values, &row, err);
      return code ? code : ldr_batch_add(b, row, err);
    case LDR_COPY_HEADER:
    case LDR_COPY_END: return LDR_OK;
    case LDR_COPY_LABEL:
      ldr_fail(err, LDR_DRIFT, "a row of %s has a label that is none of the declared ones", s->e->name);
      ldr_err_set(err->hint, sizeof err->hint, "`larder check` names the labels of the database");
      return err->code;
    case LDR_COPY_BAD: break;
  }
  if (s->scratch.broken) return ldr_fail_nomem(err);
  return ldr_fail(err, LDR_INTERNAL, "a row of %s came malformed from the server", s->e->name);
}

static ldr_code scan_next(ldr_scan *base, size_t max, const ldr_call *call, ldr_batch **out, ldr_err *err) {
  pgscan *s = (pgscan *)base;
  ldr_batch *b = NULL;
  const char *p = NULL;
  size_t n;
  ldr_code code = ldr_batch_new(s->e, &b, err);
  while (code == LDR_OK && !s->over && b->n < max) {
    code = ldr_pg_copy_out_data(s->tx, call, &p, &n, err);
    s->over = code != LDR_OK || p == NULL;
    if (!s->over) code = read_row(s, b, p, n, err);
  }
  if (code || b->n == 0) {
    ldr_batch_free(b);
    b = NULL;
  }
  if (code == LDR_OK) *out = b;
  return code;
}

static void scan_close(ldr_scan *base) {
  pgscan *s = (pgscan *)base;
  if (s == NULL) return;
  if (s->own) /* cancels what is still coming */
    ldr_pgtx_abandon(s->tx);
  else if (!s->over)
    ldr_pgcopy_drain(s->tx);
  ldr_schema_release(s->e->schema);
  ldr_buf_free(&s->scratch);
  ldr_free(s->values);
  ldr_free(s);
}

/* ---- asking alone ---- */

typedef struct ask_request {
  ldr_request base; /* first */
  ldr_live *live;   /* NULL: it was asked about */
} ask_request;

static ldr_live *ask_unknown(ldr_request *rq) {
  ask_request *x = (ask_request *)rq;
  ldr_live *t = x->live;
  x->live = NULL;
  return t;
}

static ldr_code ask_start(ldr_request *rq, ldr_err *err) {
  (void)rq;
  (void)err;
  return LDR_OK; /* the answer was all it wanted */
}

static const ldr_request_kind ask_kind = {
    .unknown = ask_unknown, .exact = true, .start = ask_start, .size = sizeof(ask_request)};

static ldr_code check_table(const pgscan *s, const ldr_call *call, ldr_err *err) {
  const ldr_call blocking = {.deadline = call->deadline, .block = true};
  ldr_pgtx *tx = ldr_pgtx_of(s->tx);
  ldr_request *rq = NULL;
  ldr_live *live = ldr_lives_get(&tx->e->stmts.lives, s->e);
  ldr_code code = live ? LDR_OK : ldr_fail_nomem(err);
  if (code == LDR_OK) code = ldr_request_new(tx->e, tx, &ask_kind, "scan", &blocking, &rq, err);
  if (code) return code;
  ((ask_request *)rq)->live = live;
  return ldr_request_run(rq, NULL, NULL, err);
}

static ldr_code scan_open(pgscan *s, const ldr_call *call, ldr_err *err) {
  ldr_buf sql = {0};
  ldr_code code;
  ldr_sqlgen_copy(s->e, false, &sql);
  code = ldr_buf_cstr(&sql) ? ldr_pg_copy_out_begin(s->tx, sql.p, call, err) : ldr_fail_nomem(err);
  ldr_buf_free(&sql);
  s->over = code != LDR_OK;
  return code;
}

ldr_code ldr_pgbulk_scan(ldr_engine *engine, ldr_tx *t, const ldr_entity *e, const ldr_call *call,
                         ldr_scan **out, ldr_err *err) {
  pgscan *s;
  ldr_code code = LDR_OK;
  if (call->context) return ldr_fail(err, LDR_UNSUPPORTED, "a scan cannot run as a tenant or role");
  s = ldr_alloc(sizeof *s);
  if (s == NULL) return ldr_fail_nomem(err);
  s->base.next = scan_next;
  s->base.close = scan_close;
  s->e = e;
  ldr_schema_retain(e->schema);
  s->tx = t;
  s->own = t == NULL;
  s->over = true;
  s->values = ldr_alloc_array(e->nfields, sizeof *s->values);
  if (s->values == NULL) code = ldr_fail_nomem(err);
  if (code == LDR_OK && s->own) code = ldr_pg_session(engine, call, &s->tx, err);
  if (code == LDR_OK) code = check_table(s, call, err);
  if (code == LDR_OK) code = scan_open(s, call, err);
  if (code) {
    scan_close(&s->base);
    return code;
  }
  *out = &s->base;
  return LDR_OK;
}

#include "ldr_pgpipe.h"

#include <string.h>

#include "ldr_clock.h"

enum { WINDOW = 256 }; /* isolated requests in flight */

typedef struct entry { /* one item */
  ldr_stmt *stmt;
  ldr_args args;
  ldr_req req;   /* isolated */
  unsigned main; /* the command that is the statement itself */
  bool stale;    /* isolated: run it once more, alone */
} entry;

typedef struct pipe_run {
  ldr_pg *e;
  const ldr_item *items;
  size_t n;
  ldr_result *results;
  ldr_err **errs;
  entry *entries;
} pipe_run;

/* ---- items ---- */

static ldr_code prepare(pipe_run *p, size_t i, ldr_err *err) {
  const ldr_item *item = &p->items[i];
  entry *x = &p->entries[i];
  ldr_code code;
  if (item->stmt) {
    x->stmt = ldr_stmt_retain(item->stmt);
    return ldr_args_from_values(&x->args, x->stmt->params, x->stmt->oids, item->values, x->stmt->nparams,
                                err);
  }
  code = ldr_stmts_op(&p->e->stmts, item->op, &p->e->params, &x->stmt, err);
  if (code) return code;
  return ldr_args_from_params(&x->args, (const ldr_param *)(void *)p->e->params.p,
                              p->e->params.n / sizeof(ldr_param), err);
}

static ldr_code make_entries(pipe_run *p, ldr_err *err) {
  ldr_code code = LDR_OK;
  p->entries = ldr_alloc_array(p->n, sizeof *p->entries);
  if (p->entries == NULL) return ldr_fail_nomem(err);
  for (size_t i = 0; i < p->n; i++) {
    p->results[i] = (ldr_result){0};
    p->errs[i] = NULL;
  }
  for (size_t i = 0; i < p->n && code == LDR_OK; i++) code = prepare(p, i, err);
  return code;
}

static void free_entries(pipe_run *p) {
  for (size_t i = 0; p->entries && i < p->n; i++) {
    ldr_stmt_release(p->entries[i].stmt);
    ldr_args_free(&p->entries[i].args);
    ldr_req_free(&p->entries[i].req);
  }
  ldr_free(p->entries);
}

/* Nothing of a pipeline is handed out when it fails as a whole. */
static void free_results(pipe_run *p) {
  for (size_t i = 0; i < p->n; i++) {
    ldr_rows_free(p->results[i].rows);
    ldr_free(p->errs[i]);
    p->results[i] = (ldr_result){0};
    p->errs[i] = NULL;
  }
}

static ldr_code set_error(pipe_run *p, size_t i, const ldr_err *what, ldr_err *err) {
  p->errs[i] = ldr_alloc(sizeof *what);
  if (p->errs[i] == NULL) return ldr_fail_nomem(err);
  *p->errs[i] = *what;
  return LDR_OK;
}

/* The answer to item i stands in r. */
static ldr_code take(pipe_run *p, size_t i, ldr_req *r, ldr_pgtx *tx, ldr_slot *slot, ldr_err *err) {
  entry *x = &p->entries[i];
  ldr_pgres *res = ldr_req_take(r, x->main);
  if (res) ldr_pgrun_note(tx, slot, x->stmt, ldr_pgres_tag(res));
  return ldr_pgrun_result(x->stmt, res, &p->results[i], err);
}

/* ---- atomic ---- */

typedef struct pipe_job {
  ldr_job base; /* first */
  pipe_run *p;
} pipe_job;

static ldr_code atomic_start(ldr_job *j, ldr_err *err) {
  pipe_run *p = ((pipe_job *)j)->p;
  ldr_code code;
  ldr_req_reset(&j->req);
  code = ldr_job_prefix(j, err);
  for (size_t i = 0; i < p->n && code == LDR_OK; i++) {
    entry *x = &p->entries[i];
    code = ldr_pgrun_form(&j->req, x->stmt, err);
    if (code == LDR_OK) code = ldr_registry_exec(&j->slot->prepared, x->stmt, &x->args, &j->req, err);
    x->main = j->req.n - 1;
  }
  if (code) return code;
  j->e->stats.queries += p->n;
  return ldr_job_submit(j, err);
}

/* Which item failed: that of the failed command, or the last when the commit did. */
static size_t failed_item(const pipe_run *p, unsigned command) {
  size_t i = 0;
  while (i + 1 < p->n && p->entries[i].main < command) i++;
  return i;
}

static ldr_code atomic_failed(ldr_job *j, ldr_err *err) {
  pipe_run *p = ((pipe_job *)j)->p;
  size_t at = failed_item(p, j->req.error ? j->req.failed : j->req.at);
  ldr_err why, others;
  ldr_code code = LDR_OK;
  j->stmt = ldr_stmt_retain(p->entries[at].stmt); /* ldr_job_error asks what kind it is */
  ldr_job_error(j, &why);
  ldr_fail(&others, LDR_CANCELED, "item %zu of the pipeline failed, so none took effect", at + 1);
  for (size_t i = 0; i < p->n && code == LDR_OK; i++) code = set_error(p, i, i == at ? &why : &others, err);
  if (code) return code;
  *err = why;
  return why.code;
}

static ldr_code atomic_answered(ldr_job *j, ldr_err *err) {
  pipe_run *p = ((pipe_job *)j)->p;
  ldr_code code = LDR_OK;
  if (ldr_job_failed(j)) {
    if (j->retried || !ldr_req_stale(&j->req) || !ldr_conn_clean(j->conn)) return atomic_failed(j, err);
    j->retried = true;
    j->e->stats.retries_stale++;
    return atomic_start(j, err);
  }
  for (size_t i = 0; i < p->n && code == LDR_OK; i++) code = take(p, i, &j->req, j->tx, j->slot, err);
  return code;
}

static const ldr_job_kind atomic_kind = {
    .start = atomic_start, .answered = atomic_answered, .size = sizeof(pipe_job)};

/* An error of an item is told by the item; the pipeline itself has then run. */
static ldr_code run_atomic(pipe_run *p, ldr_pgtx *tx, const ldr_call *call, ldr_err *err) {
  ldr_job *j = NULL;
  ldr_code code = ldr_job_new(p->e, tx, &atomic_kind, "pipeline", call, &j, err);
  if (code) return code;
  ((pipe_job *)j)->p = p;
  code = ldr_job_run(j, NULL, NULL, err);
  return code && p->errs[p->n - 1] ? LDR_OK : code;
}

/* ---- isolated ---- */

typedef struct exchange { /* items 0 … done … sent … n */
  pipe_run *p;
  ldr_slot *slot;
  size_t sent, done;
  int64_t deadline;
  bool overdue;
} exchange;

static ldr_code send_one(exchange *x, ldr_err *err) {
  entry *it = &x->p->entries[x->sent];
  ldr_code code = ldr_pgrun_form(&it->req, it->stmt, err);
  if (code == LDR_OK) code = ldr_registry_exec(&x->slot->prepared, it->stmt, &it->args, &it->req, err);
  it->main = it->req.n - 1;
  if (code == LDR_OK) code = ldr_conn_submit(x->slot->conn, &it->req, err);
  ldr_registry_sent(&x->slot->prepared);
  if (code) { /* what it would have deallocated is still there */
    ldr_registry_settle(&x->slot->prepared, &it->req);
    return code;
  }
  x->p->e->stats.queries++;
  x->sent++;
  return LDR_OK;
}

static ldr_code fill_window(exchange *x, ldr_err *err) {
  ldr_code code = LDR_OK;
  while (code == LDR_OK && !x->overdue && x->sent < x->p->n && x->sent - x->done < WINDOW &&
         !ldr_conn_dead(x->slot->conn))
    code = send_one(x, err);
  return code == LDR_CONNECTION ? LDR_OK : code; /* the items tell that */
}

static ldr_code collect_one(exchange *x, ldr_err *err) {
  size_t i = x->done++;
  pipe_run *p = x->p;
  entry *it = &p->entries[i];
  ldr_err why;
  ldr_pg_settle(p->e, x->slot, &it->req);
  if (!it->req.error && !it->req.lost) return take(p, i, &it->req, NULL, x->slot, err);
  it->stale = ldr_req_stale(&it->req);
  if (it->stale) return LDR_OK;
  ldr_req_error(&it->req, it->stmt->deletes, &why);
  if (x->overdue && (it->req.lost || strcmp(why.sqlstate, "57014") == 0))
    ldr_fail_state(&why, LDR_TIMEOUT, "57014", "the deadline passed and the statement was cancelled");
  p->e->stats.errors++;
  return set_error(p, i, &why, err);
}

static void check_deadline(exchange *x) {
  if (ldr_millis_left(x->deadline) != 0) return;
  if (x->overdue)
    ldr_conn_drop(x->slot->conn);
  else
    ldr_conn_cancel(x->slot->conn);
  x->overdue = true;
  x->deadline = ldr_now_mono() + LDR_GRACE_US;
}

static ldr_code not_sent(exchange *x, ldr_err *err) {
  ldr_err why;
  ldr_code code = LDR_OK;
  if (x->overdue)
    ldr_fail(&why, LDR_TIMEOUT, "the deadline passed before the statement was sent");
  else
    ldr_fail(&why, LDR_CONNECTION, "the connection was lost before the statement was sent");
  why.retryable = true;
  for (size_t i = x->sent; i < x->p->n && code == LDR_OK; i++) code = set_error(x->p, i, &why, err);
  return code;
}

/* Sends and reads in turn, so that neither side's buffers can fill up for good. */
static ldr_code run_exchange(exchange *x, ldr_err *err) {
  const entry *entries = x->p->entries;
  ldr_conn *c = x->slot->conn;
  ldr_code code = fill_window(x, err);
  while (code == LDR_OK && x->done < x->sent) {
    if (!entries[x->done].req.done) ldr_pg_wait(ldr_conn_fd(c), ldr_conn_events(c), x->deadline);
    ldr_conn_pump(c);
    if (!entries[x->done].req.done) check_deadline(x);
    while (code == LDR_OK && x->done < x->sent && entries[x->done].req.done) code = collect_one(x, err);
    if (code == LDR_OK) code = fill_window(x, err);
  }
  if (x->done < x->sent) ldr_conn_drop(c); /* memory is short: nobody reads the rest */
  for (; x->done < x->sent; x->done++) ldr_pg_settle(x->p->e, x->slot, &x->p->entries[x->done].req);
  return code ? code : not_sent(x, err);
}

/* Statements that were prepared before a table changed: they did nothing, so each is run again by itself. */
static ldr_code run_stale(pipe_run *p, const ldr_call *call, ldr_err *err) {
  ldr_code code = LDR_OK;
  for (size_t i = 0; i < p->n && code == LDR_OK; i++) {
    const ldr_item *item = &p->items[i];
    ldr_err why;
    if (!p->entries[i].stale) continue;
    p->e->stats.retries_stale++;
    if (item->stmt)
      code = ldr_pg_execute(&p->e->base, NULL, item->stmt, item->values, call, &p->results[i], NULL, &why);
    else
      code = ldr_pgrun_op(&p->e->base, NULL, item->op, call, &p->results[i], NULL, &why);
    if (code) code = set_error(p, i, &why, err);
  }
  return code;
}

static ldr_code run_isolated(pipe_run *p, const ldr_call *call, ldr_err *err) {
  exchange x = {.p = p, .deadline = call->deadline};
  ldr_tx *session = NULL;
  ldr_code code = ldr_pg_session(&p->e->base, call, &session, err);
  if (code) return code;
  x.slot = ldr_pgtx_of(session)->slot;
  code = run_exchange(&x, err);
  ldr_pgtx_abandon(session);
  return code ? code : run_stale(p, call, err);
}

ldr_code ldr_pg_pipeline(ldr_engine *engine, ldr_tx *tx, const ldr_item *items, size_t n, bool atomic,
                         const ldr_call *call, ldr_result *results, ldr_err **errs, ldr_err *err) {
  const ldr_call blocking = {call->deadline, true};
  pipe_run p = {ldr_pg_of(engine), items, n, results, errs, NULL};
  ldr_code code;
  if (n == 0) return LDR_OK;
  code = make_entries(&p, err);
  if (code == LDR_OK)
    code = tx || atomic ? run_atomic(&p, ldr_pgtx_of(tx), &blocking, err) : run_isolated(&p, &blocking, err);
  if (code && p.entries) free_results(&p);
  free_entries(&p);
  return code;
}

#include "postgres/exec/pipeline.h"

#include <string.h>

#include "base/clock.h"
#include "postgres/request/context.h"
#include "postgres/statement/explain.h"

enum { ROUNDS_MAX = LDR_HEALS_MAX + 1 }; /* of isolated items again: the last answer may be unreadable */
enum { WINDOW = 256 };                   /* isolated exchanges in flight */

typedef struct entry { /* one item */
  ldr_stmt *stmt;
  ldr_bind args;
  ldr_exchange exchange; /* isolated: when it is not the last of its window, which is the request's */
  unsigned main;         /* the command that is the statement itself */
  ldr_pgres *answer;     /* until it is collected */
  bool stale;            /* isolated: it did nothing, or only read, and is run once more */
  bool as_text;          /* … with results as text: its answer could not be read */
  bool refuted;          /* its description is out of date */
  bool sent;             /* req was, and its answer is not looked at */
} entry;

/* The items are run from `at` on; [from, at) is the window that was sent last. */
typedef struct pipe_request {
  ldr_request base; /* first */
  size_t n, from, at;
  size_t last; /* the item whose exchange is the request's */
  entry *entries;
  ldr_result *results; /* the caller's, as are … */
  ldr_err **errs;      /* … these */
} pipe_request;

static pipe_request *pipe_of(ldr_request *rq) { return (pipe_request *)rq; }

/* ---- items ---- */

static ldr_code prepare(ldr_pg *e, const ldr_pgtx *tx, entry *x, const ldr_item *item, ldr_err *err) {
  ldr_code code;
  if (item->stmt) {
    x->stmt = ldr_stmt_retain(item->stmt);
    code = ldr_stmt_usable(x->stmt, ldr_pgtx_is_transaction(tx), err);
    if (code) return code;
    return ldr_bind_from_values(&x->args, x->stmt->params, x->stmt->oids, item->values, x->stmt->nparams,
                                err);
  }
  code = ldr_stmts_op(&e->stmts, item->op, &e->params, &x->stmt, err);
  if (code) return code;
  return ldr_bind_from_params(&x->args, (const ldr_param *)(void *)e->params.p,
                              e->params.n / sizeof(ldr_param), err);
}

static ldr_code make_entries(pipe_request *p, const ldr_item *items, ldr_err *err) {
  ldr_code code = LDR_OK;
  p->entries = ldr_alloc_array(p->n, sizeof *p->entries);
  if (p->entries == NULL) return ldr_fail_nomem(err);
  for (size_t i = 0; i < p->n && code == LDR_OK; i++)
    code = prepare(p->base.e, p->base.tx, &p->entries[i], &items[i], err);
  return code;
}

static ldr_live *unknown(ldr_request *rq) {
  pipe_request *p = pipe_of(rq);
  for (size_t i = 0; i < p->n; i++) {
    ldr_live *t = p->entries[i].stmt->live;
    if (t && atomic_load_explicit(&t->known, memory_order_acquire) == NULL) return t;
  }
  return NULL;
}

static void settle(pipe_request *p, entry *x) {
  if (x->sent) ldr_pg_settle(p->base.e, p->base.slot, &x->exchange);
  x->sent = false;
}

/* Work that ends early leaves answers behind that nobody will look at. */
static void leaving(ldr_request *rq) {
  pipe_request *p = pipe_of(rq);
  for (size_t i = 0; p->entries && i < p->n; i++) {
    entry *x = &p->entries[i];
    if (x->sent && !x->exchange.done) ldr_conn_drop(p->base.slot->conn);
    settle(p, x);
  }
}

static void dispose(ldr_request *rq) {
  pipe_request *p = pipe_of(rq);
  for (size_t i = 0; p->entries && i < p->n; i++) {
    entry *x = &p->entries[i];
    ldr_stmt_release(x->stmt);
    ldr_bind_free(&x->args);
    ldr_exchange_free(&x->exchange);
    ldr_pgres_free(x->answer);
  }
  ldr_free(p->entries);
}

static ldr_code set_error(pipe_request *p, size_t i, const ldr_err *what, ldr_err *err) {
  p->errs[i] = ldr_alloc(sizeof *what);
  if (p->errs[i] == NULL) return ldr_fail_nomem(err);
  *p->errs[i] = *what;
  return LDR_OK;
}

/* The answer to item i stands in r. */
static void take(pipe_request *p, size_t i, ldr_exchange *r) {
  entry *x = &p->entries[i];
  x->answer = ldr_exchange_take(r, x->main);
  if (x->answer) ldr_pgrun_note(p->base.tx, p->base.slot, x->stmt, ldr_pgres_tag(x->answer));
  if (x->answer && x->stmt->e == NULL) ldr_stmts_note_tag(&p->base.e->stmts, ldr_pgres_tag(x->answer));
}

/* An answer that nobody can read. Alone, what only reads is run again. */
static ldr_code check(pipe_request *p, size_t i, bool alone, ldr_err *err) {
  entry *x = &p->entries[i];
  ldr_err why;
  if (x->answer == NULL || x->as_text || !ldr_stmt_refuted(x->stmt, x->answer)) return LDR_OK;
  x->refuted = true;
  ldr_pgres_free(x->answer);
  x->answer = NULL;
  x->stale = x->as_text = alone && !ldr_stmt_only_once(x->stmt) && p->base.healed < ROUNDS_MAX;
  if (x->stale) return LDR_OK;
  ldr_pgrun_unreadable(p->base.tx, &why);
  if (p->base.tx) ldr_pgtx_fail(p->base.tx, &why);
  return set_error(p, i, &why, err);
}

static ldr_code add_item(pipe_request *p, size_t i, ldr_exchange *r, ldr_err *err) {
  entry *x = &p->entries[i];
  unsigned how = ldr_pgrun_how(p->base.healed, x->as_text);
  return ldr_pgrun_add(p->base.slot, x->stmt, how, &x->args, r, &x->main, err);
}

/* An item that stands alone. */
static ldr_code add_alone(pipe_request *p, size_t i, ldr_exchange *r, ldr_err *err) {
  ldr_code code = ldr_pgcontext_add(p->base.context, r, err);
  if (code == LDR_OK) code = add_item(p, i, r, err);
  return code ? code : ldr_pgrun_add_undo(&p->base, p->entries[i].stmt->effects, r, err);
}

/* On the owner's thread: rows for those who have an answer. */
static ldr_code collect(ldr_request *rq, ldr_err *err) {
  pipe_request *p = pipe_of(rq);
  ldr_code code = LDR_OK;
  for (size_t i = 0; i < p->n && code == LDR_OK; i++) {
    entry *x = &p->entries[i];
    ldr_pgres *answer = x->answer;
    if (x->refuted && x->stmt->e == NULL) ldr_stmts_forget(&rq->e->stmts, x->stmt);
    if (p->errs[i]) continue;
    x->answer = NULL;
    code = ldr_pgrun_result(x->stmt, answer, &p->results[i], err);
  }
  return code;
}

/* ---- atomic ---- */

static ldr_code atomic_start(ldr_request *rq, ldr_err *err) {
  pipe_request *p = pipe_of(rq);
  unsigned effects = 0;
  ldr_code code;
  ldr_exchange_reset(rq->exchange);
  code = ldr_request_prefix(rq, err);
  for (size_t i = 0; i < p->n && code == LDR_OK; i++) {
    effects |= p->entries[i].stmt->effects;
    code = add_item(p, i, rq->exchange, err);
  }
  if (code == LDR_OK) code = ldr_pgrun_add_undo(rq, effects, rq->exchange, err);
  if (code) return code;
  ldr_count(&rq->e->counts.queries, p->n);
  return ldr_request_submit(rq, err);
}

/* Which item failed: that of the failed command, or the last when the commit did. */
static size_t failed_item(const pipe_request *p, unsigned command) {
  size_t i = 0;
  while (i + 1 < p->n && p->entries[i].main < command) i++;
  return i;
}

/* The items tell what happened; in a transaction that fails with the first of them. */
static ldr_code atomic_failed(ldr_request *rq, ldr_err *err) {
  pipe_request *p = pipe_of(rq);
  size_t at = failed_item(p, rq->exchange->error ? rq->exchange->failed : rq->exchange->at);
  ldr_err why, others;
  ldr_code code = LDR_OK;
  rq->deletes = p->entries[at].stmt->deletes;
  p->entries[at].refuted = ldr_stmt_doubted(p->entries[at].stmt, ldr_exchange_sqlstate(rq->exchange));
  ldr_request_error(rq, &why);
  ldr_count(&rq->e->counts.errors, 1);
  ldr_fail(&others, LDR_CANCELED, "item %zu of the pipeline failed, so none took effect", at + 1);
  for (size_t i = 0; i < p->n && code == LDR_OK; i++) code = set_error(p, i, i == at ? &why : &others, err);
  if (code == LDR_OK && rq->tx) ldr_pgtx_fail(rq->tx, &why);
  return code;
}

static bool some_only_once(const pipe_request *p) {
  for (size_t i = 0; i < p->n; i++)
    if (ldr_stmt_only_once(p->entries[i].stmt)) return true;
  return false;
}

static ldr_code atomic_answered(ldr_request *rq, ldr_err *err) {
  pipe_request *p = pipe_of(rq);
  if (ldr_request_failed(rq)) {
    bool in_tx = ldr_pgtx_is_transaction(rq->tx) || !ldr_conn_clean(rq->conn);
    if (rq->healed >= LDR_HEALS_MAX || !ldr_exchange_stale(rq->exchange) || in_tx || some_only_once(p))
      return atomic_failed(rq, err);
    rq->healed++;
    ldr_count(&rq->e->counts.retries_stale, 1);
    for (size_t i = 0; i < p->n; i++) ldr_live_forget(p->entries[i].stmt->live);
    return ldr_request_begin(rq, err);
  }
  for (size_t i = 0; i < p->n; i++) take(p, i, rq->exchange);
  for (size_t i = 0; i < p->n; i++) {
    ldr_code code = check(p, i, false, err);
    if (code) return code;
  }
  return LDR_OK;
}

static const ldr_request_kind atomic_kind = {.unknown = unknown,
                                             .start = atomic_start,
                                             .answered = atomic_answered,
                                             .collect = collect,
                                             .dispose = dispose,
                                             .takes_context = true,
                                             .size = sizeof(pipe_request)};

/* ---- isolated ----
 *
 * A exchange an item, sent in windows; the last of a window is the request's own, so that its answer is the
 * window's. The reader of the socket reads while the rest of a window is still being sent, so neither side's
 * buffers can fill up for good. */

static bool wanted(const pipe_request *p, size_t i) { return p->base.healed == 0 || p->entries[i].stale; }

static size_t next_wanted(const pipe_request *p, size_t i) {
  while (i < p->n && !wanted(p, i)) i++;
  return i;
}

/* Sends the exchange of an item that is not the last of its window. */
static ldr_code send_one(pipe_request *p, size_t i, ldr_err *err) {
  entry *x = &p->entries[i];
  ldr_registry *g = &p->base.slot->prepared;
  ldr_code code;
  ldr_exchange_reset(&x->exchange);
  code = add_alone(p, i, &x->exchange, err);
  if (code == LDR_OK) code = ldr_conn_submit(p->base.conn, &x->exchange, err);
  ldr_registry_sent(g);
  x->sent = true;
  if (code == LDR_OK) return code;
  settle(p, x); /* what it would have deallocated is still there */
  ldr_conn_drop(p->base.conn);
  return code;
}

static ldr_code lost(pipe_request *p, size_t at, ldr_err *err);

static ldr_code send_window(ldr_request *rq, ldr_err *err) {
  pipe_request *p = pipe_of(rq);
  size_t i = next_wanted(p, p->at), next;
  ldr_code code = LDR_OK;
  p->from = i;
  for (size_t sent = 1; code == LDR_OK; sent++, i = next) {
    next = next_wanted(p, i + 1);
    p->last = i;
    if (next >= p->n || sent == WINDOW) break;
    code = send_one(p, i, err);
    if (code == LDR_CONNECTION) return lost(p, i, err);
    ldr_count(&rq->e->counts.queries, 1);
  }
  ldr_exchange_reset(rq->exchange);
  if (code == LDR_OK) code = add_alone(p, p->last, rq->exchange, err);
  if (code) return code;
  p->at = p->last + 1;
  ldr_count(&rq->e->counts.queries, 1);
  code = ldr_request_submit(rq, err);
  return code == LDR_CONNECTION ? lost(p, p->last, err) : code;
}

static ldr_code item_failed(pipe_request *p, size_t i, ldr_exchange *r, ldr_err *err) {
  entry *x = &p->entries[i];
  ldr_err why;
  x->refuted = x->refuted || ldr_stmt_doubted(x->stmt, ldr_exchange_sqlstate(r));
  x->stale = p->base.healed < LDR_HEALS_MAX && ldr_exchange_stale(r) && !ldr_stmt_only_once(x->stmt);
  if (x->stale) ldr_live_forget(x->stmt->live);
  if (x->stale) return LDR_OK;
  ldr_exchange_error(r, x->stmt->deletes, &why);
  ldr_stmt_explain(x->stmt, &why);
  if (p->base.timed_out && (r->lost || strcmp(why.sqlstate, "57014") == 0))
    ldr_fail_state(&why, LDR_TIMEOUT, "57014", "the deadline passed and the statement was cancelled");
  ldr_count(&p->base.e->counts.errors, 1);
  return set_error(p, i, &why, err);
}

static ldr_code take_window(pipe_request *p, ldr_err *err) {
  ldr_code code = LDR_OK;
  for (size_t i = p->from; i < p->at && code == LDR_OK; i++) {
    entry *x = &p->entries[i];
    ldr_exchange *r = i == p->last ? p->base.exchange : &x->exchange;
    if (!wanted(p, i)) continue;
    settle(p, x);
    x->stale = false;
    if (r->error || r->lost) {
      code = item_failed(p, i, r, err);
    } else {
      take(p, i, r);
      code = check(p, i, true, err);
    }
  }
  return code;
}

/* Those that were not sent, because time or the connection is gone. */
static ldr_code not_sent(pipe_request *p, ldr_err *err) {
  ldr_err why;
  ldr_code code = LDR_OK;
  if (p->base.timed_out)
    ldr_fail(&why, LDR_TIMEOUT, "the deadline passed before the statement was sent");
  else
    ldr_fail(&why, LDR_CONNECTION, "the connection was lost before the statement was sent");
  why.retryable = true;
  for (size_t i = p->at; i < p->n && code == LDR_OK; i++)
    if (wanted(p, i)) code = set_error(p, i, &why, err);
  return code;
}

/* The connection was lost when item `at` should have been sent. Before the first it is the pipeline's fault.
 */
static ldr_code lost(pipe_request *p, size_t at, ldr_err *err) {
  ldr_code code;
  if (at == 0) return err->code;
  p->at = at;
  p->last = p->n;
  code = take_window(p, err);
  return code ? code : not_sent(p, err);
}

static bool some_stale(const pipe_request *p) {
  for (size_t i = 0; i < p->n; i++)
    if (p->entries[i].stale) return true;
  return false;
}

static ldr_code isolated_answered(ldr_request *rq, ldr_err *err) {
  pipe_request *p = pipe_of(rq);
  ldr_code code = take_window(p, err);
  if (code) return code;
  if (rq->timed_out || ldr_conn_dead(rq->conn)) return not_sent(p, err);
  if (next_wanted(p, p->at) < p->n) return send_window(rq, err);
  if (p->base.healed == ROUNDS_MAX || !some_stale(p)) return LDR_OK;
  rq->healed++;
  p->at = 0;
  ldr_count(&rq->e->counts.retries_stale, 1);
  return ldr_request_begin(rq, err);
}

static const ldr_request_kind isolated_kind = {.unknown = unknown,
                                               .start = send_window,
                                               .answered = isolated_answered,
                                               .collect = collect,
                                               .leaving = leaving,
                                               .dispose = dispose,
                                               .takes_context = true,
                                               .size = sizeof(pipe_request)};

ldr_code ldr_pg_pipeline(ldr_engine *engine, ldr_tx *t, const ldr_item *items, size_t n, bool atomic,
                         const ldr_call *call, ldr_result *results, ldr_err **errs, ldr_task **task,
                         ldr_err *err) {
  const ldr_request_kind *kind = t || atomic ? &atomic_kind : &isolated_kind;
  ldr_request *rq = NULL;
  pipe_request *p;
  ldr_code code;
  if (n == 0) return LDR_OK;
  code = ldr_request_new(ldr_pg_of(engine), ldr_pgtx_of(t), kind, "pipeline", call, &rq, err);
  if (code) return code;
  p = pipe_of(rq);
  p->n = n;
  p->results = results;
  p->errs = errs;
  for (size_t i = 0; i < n; i++) {
    results[i] = (ldr_result){0};
    errs[i] = NULL;
  }
  code = make_entries(p, items, err);
  if (code) {
    ldr_request_free(rq);
    return code;
  }
  code = ldr_request_run(rq, NULL, task, err);
  for (size_t i = 0; code > LDR_PENDING && i < n; i++) { /* nothing is handed out then */
    ldr_rows_free(results[i].rows);
    ldr_free(errs[i]);
    results[i] = (ldr_result){0};
    errs[i] = NULL;
  }
  return code;
}

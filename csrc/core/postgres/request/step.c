#include "postgres/request/step.h"

#include <string.h>

#include "base/clock.h"
#include "postgres/protocol/copy.h"
#include "postgres/request/context.h"
#include "postgres/statement/explain.h"
#include "postgres/statement/undo.h"

enum { CANCEL_LOOK_US = 1000 }; /* while a cancel is on its way */

/* ---- exchanges ---- */

ldr_cmd *ldr_request_query(ldr_request *rq, const char *sql) {
  ldr_cmd *c = ldr_exchange_add(rq->exchange, LDR_CMD_QUERY);
  if (c) c->sql = sql;
  return c;
}

/* BEGIN is prepared, as all that is run again and again: the server reads and keeps its text once. Where the
 * session has forgotten it, it fails, and with it all behind it. */
static ldr_code add_pending(ldr_request *rq, const char *sql, ldr_err *err) {
  if (strcmp(sql, ldr_pgtx_begin_sql) == 0)
    return ldr_registry_exec(&rq->slot->prepared, rq->e->begin, 0, NULL, rq->exchange, err);
  return ldr_request_query(rq, sql) ? LDR_OK : ldr_fail_nomem(err);
}

/* Was BEGIN sent, and is there no transaction? Then nothing may run that is meant for it. */
static bool lacks_tx(const ldr_request *rq) {
  const ldr_pgtx *tx = rq->tx;
  return ldr_pgtx_is_transaction(tx) && tx->begun && !ldr_conn_in_tx(rq->conn);
}

ldr_code ldr_request_prefix(ldr_request *rq, ldr_err *err) {
  const char *sql = NULL;
  ldr_code code = ldr_pgcontext_add(rq->context, rq->exchange, err);
  if (code == LDR_OK && lacks_tx(rq)) code = ldr_fail(err, LDR_CLOSED, "%s", ldr_pgtx_ended);
  for (unsigned i = 0; code == LDR_OK && (sql = ldr_pgtx_next_pending(rq->tx, i, sql)) != NULL; i++)
    code = add_pending(rq, sql, err);
  if (code) return code;
  rq->prefix = rq->exchange->n;
  return LDR_OK;
}

/* An operation of one command on a connection that is its own for now: nothing comes behind it that the
 * pipeline would be for. */
static bool goes_alone(const ldr_request *rq) {
  return rq->stmt && rq->stmt->e && rq->exchange->n == 1 && !ldr_request_shared(rq) &&
         ldr_conn_head(rq->conn) == NULL;
}

ldr_code ldr_request_submit(ldr_request *rq, ldr_err *err) {
  bool pooled = !ldr_request_owns_conn(rq);
  ldr_code code;
  rq->exchange->alone = goes_alone(rq);
  rq->exchange->grouped =
      rq->on_loop && rq->waiter.share == LDR_SHARE_QUICK && ldr_request_shared(rq) && !rq->healed;
  code = ldr_conn_submit(rq->conn, rq->exchange, err);
  if (code) return code;
  ldr_request_move(rq, LDR_REQUEST_SENT);
  if (pooled) ldr_registry_sent(&rq->slot->prepared);
  if (pooled && rq->on_loop) ldr_request_await(rq);
  ldr_pgtx_sent(rq->tx);
  if (rq->e->config.spin > 0) rq->spin_until = ldr_now_mono() + (int64_t)(rq->e->config.spin * 1e6);
  return LDR_PENDING;
}

bool ldr_request_failed(const ldr_request *rq) {
  return rq->exchange->error || rq->exchange->lost || rq->exchange->skipped;
}

static bool read_only(const ldr_request *rq) { return rq->tx && rq->tx->opts.read_only; }

static ldr_code fail_timeout(const ldr_request *rq, ldr_err *err) {
  return ldr_fail_state(err, LDR_TIMEOUT, "57014",
                        rq->exchange->lost
                            ? "the deadline passed and the server did not answer; the statement may still run"
                            : "the deadline passed and the statement was cancelled");
}

/* No statement but copy_in, copy_out and load may copy: the connection was cut then. */
static ldr_code fail_lost(const ldr_request *rq, ldr_err *err) {
  bool copies = rq->exchange->copying;
  if (copies && rq->kind->copying == NULL) return err->code;
  if (copies && *err->sqlstate == '\0')
    ldr_fail(err, LDR_CONNECTION, "the connection to the server was lost during COPY");
  err->code = LDR_CONNECTION;
  err->retryable = ldr_pgtx_is_transaction(rq->tx); /* its transaction was undone as a whole */
  return err->code;
}

/* Where in a statement that the caller wrote. */
static void note_place(const ldr_request *rq, ldr_err *err) {
  unsigned at = rq->exchange->error ? ldr_pgres_error_position(rq->exchange->error) : 0;
  if (at && rq->stmt && rq->stmt->e == NULL) ldr_err_at_char(err, rq->stmt->sql, rq->stmt->sql_n, at - 1);
}

ldr_code ldr_request_error(ldr_request *rq, ldr_err *err) {
  const ldr_exchange *r = rq->exchange;
  bool stale = ldr_exchange_stale(r);
  ldr_exchange_error(r, rq->deletes || (rq->stmt && rq->stmt->deletes), err);
  note_place(rq, err);
  ldr_stmt_explain(rq->stmt, err);
  if (rq->timed_out && (r->lost || r->skipped || strcmp(err->sqlstate, "57014") == 0))
    return fail_timeout(rq, err);
  if (r->lost || ldr_pgerr_fatal(err->sqlstate)) return fail_lost(rq, err);
  /* a node that became a standby: no writer should meet this connection again */
  if (strcmp(err->sqlstate, "25006") == 0 && !read_only(rq) && rq->slot)
    rq->slot->discard = err->retryable = true;
  if (stale) err->retryable = true;
  return err->code;
}

void ldr_request_sleep(ldr_request *rq, int64_t us) {
  ldr_request_move(rq, LDR_REQUEST_SLEEPING);
  rq->wake_at = ldr_now_mono() + us;
}

void ldr_request_connect(ldr_request *rq, ldr_conn *c) {
  rq->conn = c;
  ldr_request_move(rq, LDR_REQUEST_CONNECTING);
}

/* ---- before the first statement on a table ---- */

static ldr_code ask(ldr_request *rq, ldr_live *t, ldr_err *err) {
  ldr_code code;
  ldr_exchange_reset(rq->exchange);
  code = ldr_request_prefix(rq, err);
  if (code) return code;
  if (ldr_request_query(rq, t->question) == NULL) return ldr_fail_nomem(err);
  rq->asking = t;
  return ldr_request_submit(rq, err);
}

ldr_code ldr_request_begin(ldr_request *rq, ldr_err *err) {
  ldr_live *t = rq->kind->unknown && !rq->unseen ? rq->kind->unknown(rq) : NULL;
  rq->asking = NULL; /* a request that moved may have been asking: that answer does not come to it */
  return t ? ask(rq, t, err) : rq->kind->start(rq, err);
}

static ldr_code told(ldr_request *rq, ldr_err *err) {
  ldr_live *t = rq->asking;
  bool there;
  ldr_code code;
  rq->asking = NULL;
  if (ldr_request_failed(rq)) {
    if (ldr_request_can_retry(rq) && ldr_request_requeue(rq)) return LDR_PENDING;
    return ldr_request_error(rq, err);
  }
  code = ldr_live_read(t, rq->exchange->cmd[rq->exchange->n - 1].res, rq->kind->exact, &there, err);
  rq->unseen = !there;
  return code ? code : ldr_request_begin(rq, err);
}

/* ---- READY, WAITING ---- */

/* May what was changed in the session be somebody else's? Once a transaction has begun, and in a session of
 * one's own behind its first statement, it is theirs. */
static bool may_be_others(const ldr_request *rq, bool taken) {
  return taken || (ldr_pgtx_is_transaction(rq->tx) && !rq->tx->begun);
}

/* Somebody changed the session's state on this connection: that goes first, under its own Sync.
 * taken: the connection came out of the pool just now. */
static ldr_code undo_session(ldr_request *rq, bool taken, ldr_err *err) {
  ldr_slot *s = rq->slot;
  if (!s->reset || !may_be_others(rq, taken)) return LDR_OK;
  if (!rq->e->pool->server.own_sessions) return LDR_OK; /* it is another session by now */
  ldr_exchange_reset(&s->undo);
  if (!ldr_undo_add(&s->undo, &s->prepared, false)) return ldr_fail_nomem(err);
  s->reset = false;
  return ldr_conn_submit(s->conn, &s->undo, err);
}

static const char *holder_of(const ldr_request *rq) {
  if (!ldr_pgtx_is_transaction(rq->tx)) return rq->name;
  return rq->tx->opts.cursor ? "cursor" : "transaction";
}

static ldr_code get_slot(ldr_request *rq, ldr_err *err) {
  ldr_loop *loop = ldr_request_loop_to_lock(rq);
  ldr_code code;
  ldr_loop_lock(loop);
  rq->waiter.trusts = ldr_request_may_trust(rq); /* the loop's thread looks at those that wait */
  code = ldr_pool_acquire(rq->e->pool, &rq->waiter, holder_of(rq), rq->block, rq->deadline, err);
  if (code == LDR_OK && loop) ldr_pool_unwatch(rq->e->pool, rq->waiter.slot); /* borrowed from the loop */
  ldr_loop_unlock(loop);
  if (code == LDR_PENDING) ldr_request_move(rq, LDR_REQUEST_WAITING);
  if (code) return code;
  rq->slot = rq->waiter.slot;
  rq->waiter.slot = NULL;
  if (rq->tx) rq->tx->slot = rq->slot;
  return LDR_OK;
}

static ldr_code begin(ldr_request *rq, ldr_err *err) {
  ldr_code code = LDR_OK;
  bool taken;
  if (rq->on_loop) rq->waiter.share = ldr_request_share_class(rq);
  if (rq->tx && rq->tx->slot) rq->slot = rq->tx->slot;
  taken = rq->slot == NULL;
  if (taken) code = get_slot(rq, err);
  if (code) return code;
  rq->conn = rq->slot->conn;
  if (rq->tx && rq->tx->session) code = ldr_pg_keeps_sessions(rq->e, err); /* a lazy engine learns it now */
  if (code == LDR_OK) code = undo_session(rq, taken, err);
  if (code == LDR_OK) code = ldr_request_begin(rq, err);
  return code == LDR_CONNECTION && ldr_request_requeue_unsent(rq) ? LDR_PENDING : code;
}

/* ---- SENT, EXPIRED, COPYING, CANCELLING ---- */

/* The loop reads for all requests of a slot. */
static bool pumps(const ldr_request *rq) { return !rq->on_loop || ldr_request_owns_conn(rq); }

/* On the loop an exchange is answered once that has delivered it, and not by what this step did. */
static bool is_answered(const ldr_request *rq) { return rq->exchange->done && !rq->exchange->listed; }

static bool has_begun(const ldr_request *rq) {
  return !ldr_request_shared(rq) || ldr_conn_head(rq->conn) == rq->exchange;
}

static void cancel(ldr_request *rq) {
  ldr_request_move(rq, LDR_REQUEST_CANCELLING);
  ldr_request_cancel(rq);
}

/* A read need not be waited for; for what writes it matters whether it ran, so its turn is awaited. */
static ldr_code expire_behind_others(ldr_request *rq, ldr_err *err) {
  if (!rq->timed_out && !ldr_request_reads(rq)) {
    rq->timed_out = true;
    rq->deadline = ldr_now_mono() + LDR_GRACE_US;
    ldr_request_move(rq, LDR_REQUEST_EXPIRED);
    return LDR_PENDING;
  }
  if (!ldr_request_detach_exchange(rq)) { /* then it cannot be left in flight */
    ldr_conn_drop(rq->conn);
    return ldr_fail_nomem(err);
  }
  return ldr_fail_state(err, LDR_TIMEOUT, "57014",
                        rq->timed_out
                            ? "the deadline passed while other statements were in front of this one; "
                              "it may still run"
                            : "the deadline passed while other statements were in front of this one");
}

/* The deadline passed amid COPY data. To the server: the end of the data with an error, which it reads before
 * it looks for a cancel. From the server: who knows how much there is. false: the connection is cut. */
static bool end_copy(ldr_request *rq, ldr_err *err) {
  const ldr_exchange *r = rq->exchange;
  if (ldr_pgres_copies_in(r->cmd[0].res))
    return ldr_conn_copy_end(rq->conn, "the deadline passed", err) == LDR_OK;
  ldr_conn_drop(rq->conn);
  return false;
}

/* First the server is asked to stop, then nobody listens to it any more. */
static ldr_code overdue(ldr_request *rq, ldr_err *err) {
  switch (ldr_request_state_of(rq)) {
    case LDR_REQUEST_CANCELLING: ldr_conn_drop(rq->conn); return LDR_PENDING;
    case LDR_REQUEST_COPYING:
      if (end_copy(rq, err)) break;
      rq->timed_out = true;
      return LDR_PENDING; /* its exchange is lost */
    default: break;
  }
  if (!has_begun(rq)) return expire_behind_others(rq, err);
  if (!rq->timed_out) rq->deadline = ldr_now_mono() + LDR_GRACE_US; /* else it has some of that left */
  rq->timed_out = true;
  cancel(rq);
  return LDR_PENDING;
}

static ldr_code copy(ldr_request *rq, ldr_err *err) {
  if (ldr_request_state_of(rq) == LDR_REQUEST_SENT) ldr_request_move(rq, LDR_REQUEST_COPYING);
  if (rq->kind->copying) return rq->kind->copying(rq, err);
  ldr_conn_cut(rq->conn); /* its exchange is lost, which tells the rest */
  return LDR_PENDING;
}

static bool is_due(const ldr_request *rq) {
  if (ldr_request_state_of(rq) == LDR_REQUEST_EXPIRED && has_begun(rq)) return true;
  return ldr_now_mono() >= rq->deadline;
}

static ldr_code answered(ldr_request *rq, ldr_err *err);

static ldr_code under_way(ldr_request *rq, ldr_err *err) {
  ldr_code code = LDR_PENDING;
  if (pumps(rq)) ldr_conn_pump(rq->conn);
  if (!rq->exchange->done && is_due(rq))
    code = overdue(rq, err);
  else if (!rq->exchange->done && rq->exchange->copying)
    code = copy(rq, err);
  if (code != LDR_PENDING || !is_answered(rq)) return code;
  ldr_request_move(rq, LDR_REQUEST_ANSWERED);
  return answered(rq, err);
}

/* ---- ANSWERED, DRAINING ---- */

/* While a cancel is on its way nothing else may be sent, which it could hit; for a limited time. */
static bool is_clear_of_cancels(ldr_request *rq) {
  if (!rq->timed_out || !ldr_conn_cancelling(rq->conn)) return true;
  if (ldr_now_mono() < rq->deadline) return false;
  ldr_conn_cut(rq->conn);
  return true;
}

/* All texts from here on, sent and received, would be read as something else. Where the change is undone
 * behind the statement, it does not show here. */
static ldr_code refuse_encoding(ldr_request *rq, ldr_err *err) {
  ldr_conn_cut(rq->conn);
  ldr_fail(err, LDR_INVALID, "client_encoding was changed, and texts are UTF-8; the connection was given up");
  ldr_err_set(err->hint, sizeof err->hint, "convert_to and convert_from make texts of other encodings");
  return err->code;
}

static ldr_code answered(ldr_request *rq, ldr_err *err) {
  if (!is_clear_of_cancels(rq)) {
    ldr_request_move(rq, LDR_REQUEST_DRAINING);
    return LDR_PENDING;
  }
  if (!ldr_request_owns_conn(rq)) ldr_pg_settle(rq->e, rq->slot, rq->exchange);
  if (!ldr_conn_keeps_encoding(rq->conn)) return refuse_encoding(rq, err);
  return rq->asking ? told(rq, err) : rq->kind->answered(rq, err);
}

static ldr_code drain(ldr_request *rq, ldr_err *err) {
  if (!is_clear_of_cancels(rq)) return LDR_PENDING;
  ldr_request_move(rq, LDR_REQUEST_ANSWERED);
  return answered(rq, err);
}

/* ---- CONNECTING, SLEEPING ---- */

static ldr_code connect(ldr_request *rq, ldr_err *err) {
  ldr_code code = ldr_conn_connect(rq->conn, err);
  if (code == LDR_PENDING && ldr_now_mono() < rq->deadline) return code;
  if (code == LDR_PENDING) code = ldr_fail(err, LDR_TIMEOUT, "the deadline passed while connecting");
  rq->connected = code;
  return rq->kind->resume(rq, err);
}

static ldr_code sleep_on(ldr_request *rq, ldr_err *err) {
  return ldr_now_mono() < rq->wake_at ? LDR_PENDING : rq->kind->resume(rq, err);
}

/* ---- one step ---- */

/* What it waits for now. */
static void set_wait(ldr_request *rq, ldr_task *t) {
  t->fd = -1;
  t->events = 0;
  t->deadline = LDR_NEVER;
  switch (ldr_request_state_of(rq)) {
    case LDR_REQUEST_WAITING:
      t->fd = rq->waiter.fd;
      t->events = rq->waiter.events;
      t->deadline = rq->waiter.again;
      break;
    case LDR_REQUEST_SENT:
    case LDR_REQUEST_EXPIRED:
    case LDR_REQUEST_COPYING:
    case LDR_REQUEST_CANCELLING:
      t->fd = ldr_conn_fd(rq->conn);
      t->events = ldr_conn_events(rq->conn);
      t->deadline = rq->deadline;
      break;
    case LDR_REQUEST_CONNECTING:
      t->fd = ldr_conn_fd(rq->conn);
      t->events = ldr_conn_events(rq->conn);
      t->deadline = ldr_sooner(rq->deadline, ldr_conn_due(rq->conn));
      break;
    case LDR_REQUEST_DRAINING: t->deadline = ldr_now_mono() + CANCEL_LOOK_US; break;
    case LDR_REQUEST_SLEEPING: t->deadline = rq->wake_at; break;
    default: break; /* it is run again at once */
  }
}

static void watch_own(ldr_request *rq, const ldr_task *own) {
  if (ldr_request_state_of(rq) == LDR_REQUEST_CONNECTING)
    ldr_loop_unwatch(rq->e->loop, &rq->watch, -1); /* a new socket may have the old one's number */
  ldr_loop_watch(rq->e->loop, &rq->watch, own->fd, own->events);
}

static void set_wait_on_loop(ldr_request *rq) {
  ldr_task own = {0}; /* the owner's eyes are on the task */
  set_wait(rq, &own);
  rq->due = own.deadline;
  rq->e->due = ldr_sooner(rq->e->due, rq->due);
  if (own.fd < 0)
    ldr_request_unwatch(rq);
  else if (ldr_request_owns_conn(rq))
    watch_own(rq, &own);
  else
    ldr_pool_watch(rq->e->pool, rq->slot);
}

/* The transaction block must still be open, unless the statement itself ended it. */
static void judge_tx(ldr_request *rq, ldr_code code, const ldr_err *err) {
  ldr_pgtx *tx = rq->tx;
  if (tx == NULL) return;
  ldr_pgtx_look_alive(tx);
  if (code != LDR_OK) ldr_pgtx_fail(tx, err);
  if (!tx->session && tx->begun && !tx->dead && !ldr_conn_in_tx(tx->slot->conn)) tx->dead = ldr_pgtx_ended;
}

static ldr_code finish(ldr_request *rq, ldr_code code, const ldr_err *err) {
  ldr_request_unlist(rq); /* a connection that this step cut */
  if (code != LDR_OK) {
    ldr_count(&rq->e->counts.errors, 1);
    ldr_request_undo_prepare(rq);
  }
  judge_tx(rq, code, err);
  if (rq->on_loop) ldr_request_unwatch(rq);
  ldr_request_release(rq);
  if (!rq->on_loop) ldr_request_move(rq, LDR_REQUEST_DONE); /* else the loop does it */
  return code;
}

ldr_code ldr_request_step(ldr_request *rq, ldr_err *err) {
  ldr_code code = LDR_PENDING;
  if (rq->e == NULL) return ldr_fail(err, LDR_CLOSED, "the database was closed");
  if (!rq->on_loop) ldr_pg_check_fork(rq->e);
  switch (ldr_request_state_of(rq)) {
    case LDR_REQUEST_NEW: /* its caller runs it */
    case LDR_REQUEST_WAITING:
      ldr_request_move(rq, LDR_REQUEST_READY);
      code = begin(rq, err);
      break;
    case LDR_REQUEST_READY: code = begin(rq, err); break;
    case LDR_REQUEST_SENT:
    case LDR_REQUEST_EXPIRED:
    case LDR_REQUEST_COPYING:
    case LDR_REQUEST_CANCELLING: code = under_way(rq, err); break;
    case LDR_REQUEST_ANSWERED: code = answered(rq, err); break;
    case LDR_REQUEST_DRAINING: code = drain(rq, err); break;
    case LDR_REQUEST_CONNECTING: code = connect(rq, err); break;
    case LDR_REQUEST_SLEEPING: code = sleep_on(rq, err); break;
    case LDR_REQUEST_FREE:
    case LDR_REQUEST_POSTED:
    case LDR_REQUEST_DONE:
    case LDR_REQUEST_NSTATES: return ldr_fail(err, LDR_CLOSED, "this work is over");
  }
  if (code == LDR_PENDING && !rq->on_loop && ldr_request_state_of(rq) == LDR_REQUEST_READY)
    code = begin(rq, err); /* once more, and at once: its caller has nothing to wait for */
  if (code != LDR_PENDING) return finish(rq, code, err);
  if (rq->on_loop)
    set_wait_on_loop(rq);
  else
    set_wait(rq, &rq->task);
  return code;
}

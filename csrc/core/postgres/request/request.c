#define _GNU_SOURCE
#include "postgres/request/request.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"

enum {
  SPARES_MAX = 16,      /* done requests that keep their buffers */
  KEEP_BUFFER = 1 << 16 /* larger ones are freed */
};

static void unlink_request(ldr_request *rq) {
  if (rq->prev)
    rq->prev->next = rq->next;
  else
    rq->e->requests = rq->next;
  if (rq->next) rq->next->prev = rq->prev;
}

/* The owner's side of ldr_request_release. */
static void leave_tx(ldr_request *rq) {
  if (rq->tx && rq->tx->request == rq) rq->tx->request = NULL;
}

/* ---- the end ---- */

static void destroy(ldr_request *rq) {
  ldr_waiter_done(&rq->waiter);
  if (rq->exchange) ldr_exchange_free(rq->exchange);
  ldr_free(rq->exchange);
  ldr_bind_free(&rq->args);
  ldr_bind_free(&rq->key);
  if (rq->event_fd >= 0) close(rq->event_fd);
  ldr_free(rq);
}

/* The list of spares of a kind; -1: its requests are too rare to be kept. */
static int spares_of(const ldr_request_kind *kind) { return kind->size == 0 ? 0 : kind->ends_tx ? 1 : -1; }

static bool reuse(ldr_request *rq) {
  ldr_pg *e = rq->e;
  int i = spares_of(rq->kind);
  if (i < 0 || e->spares[i].n >= SPARES_MAX) return false;
  if (rq->args.data.cap > KEEP_BUFFER) ldr_buf_free(&rq->args.data);
  rq->next = e->spares[i].first;
  e->spares[i].first = rq;
  e->spares[i].n++;
  return true;
}

static void abort_exchange(ldr_request *rq) {
  bool copies = ldr_request_state_of(rq) == LDR_REQUEST_COPYING;
  if (!rq->on_loop && !copies) ldr_conn_pump(rq->conn); /* the answer may be here already */
  if (!rq->exchange->done && ldr_request_detach_or_cancel(rq)) return;
  if (!rq->exchange->done) ldr_conn_drop(rq->conn);
  if (rq->slot && rq->conn == rq->slot->conn) ldr_pg_settle(rq->e, rq->slot, rq->exchange);
  if (rq->tx) rq->tx->dead = "a statement of this transaction was given up before its end";
}

/* The owner leaves while work is under way: the server is told, and the connection cannot be used again. */
static void abort_work(ldr_request *rq) {
  if (!rq->on_loop) ldr_pg_check_fork(rq->e);
  switch (ldr_request_state_of(rq)) {
    case LDR_REQUEST_READY:
    case LDR_REQUEST_WAITING: ldr_pool_leave(rq->e->pool, &rq->waiter); break;
    case LDR_REQUEST_SENT:
    case LDR_REQUEST_EXPIRED:
    case LDR_REQUEST_COPYING:
    case LDR_REQUEST_CANCELLING:
    case LDR_REQUEST_ANSWERED:
    case LDR_REQUEST_DRAINING: abort_exchange(rq); break;
    case LDR_REQUEST_FREE:
    case LDR_REQUEST_NEW:
    case LDR_REQUEST_POSTED:
    case LDR_REQUEST_CONNECTING:
    case LDR_REQUEST_SLEEPING:
    case LDR_REQUEST_DONE:
    case LDR_REQUEST_NSTATES: break;
  }
}

static void end_on_loop(ldr_request *rq) {
  ldr_err over;
  ldr_code code = ldr_fail(&over, LDR_CLOSED, "this work is over");
  ldr_request_finished(rq, code, &over);
}

void ldr_request_stop(ldr_request *rq) {
  bool ended = ldr_request_state_of(rq) == LDR_REQUEST_DONE;
  abort_work(rq);
  ldr_request_unlist(rq);
  ldr_request_release(rq);
  if (rq->on_loop) ldr_request_unwatch(rq);
  leave_tx(rq);
  rq->tx = NULL;
  if (ended) return;
  if (rq->on_loop)
    end_on_loop(rq);
  else
    ldr_request_move(rq, LDR_REQUEST_DONE);
}

/* Back to what it was before it ran; the result is taken or gone. */
static void clear(ldr_request *rq) {
  ldr_request_stop(rq);
  if (rq->kind->dispose) rq->kind->dispose(rq);
  ldr_rows_free(rq->task.result.rows);
  rq->task.result.rows = NULL;
  ldr_stmt_release(rq->stmt);
  rq->stmt = NULL;
  ldr_pgres_free(rq->answer);
  rq->answer = NULL;
  ldr_free(rq->why);
  rq->why = NULL;
  ldr_exchange_reset(rq->exchange); /* no command names the context any more */
  rq->exchange->finished = NULL;
  ldr_context_release(rq->context);
  rq->context = NULL;
  unlink_request(rq);
}

/* What the loop may be at, or may still signal, is cleared with the loop locked. */
static void clear_locked(ldr_request *rq) {
  bool apart = !rq->on_loop || (ldr_request_state_of(rq) == LDR_REQUEST_DONE && !rq->has_event_fd);
  ldr_loop *loop = apart ? NULL : rq->e->loop;
  ldr_loop_lock(loop);
  clear(rq);
  ldr_loop_unlock(loop);
}

void ldr_request_free(ldr_request *rq) {
  if (rq == NULL) return;
  if (rq->e == NULL) {
    destroy(rq);
    return;
  }
  ldr_pg_check_fork(rq->e);
  clear_locked(rq);
  ldr_request_move(rq, LDR_REQUEST_FREE);
  if (!reuse(rq)) destroy(rq);
}

void ldr_request_detach(ldr_request *rq) {
  clear_locked(rq);
  rq->e = NULL;
}

void ldr_request_free_spares(ldr_pg *e) {
  for (int i = 0; i < LDR_SPARES; i++)
    while (e->spares[i].first) {
      ldr_request *rq = e->spares[i].first;
      e->spares[i].first = rq->next;
      destroy(rq);
    }
}

/* ---- as a task ---- */

static ldr_code collect(ldr_request *rq, ldr_code code, ldr_err *err) {
  if (rq->forget) ldr_stmts_forget(&rq->e->stmts, rq->stmt);
  if (code == LDR_OK && rq->kind->collect) {
    code = rq->kind->collect(rq, err);
    if (code && rq->tx) ldr_pgtx_fail(rq->tx, err);
  }
  leave_tx(rq);
  return code;
}

static ldr_code collect_from_loop(ldr_request *rq, ldr_err *err) {
  ldr_code code;
  if (rq->e == NULL) return ldr_fail(err, LDR_CLOSED, "the database was closed");
  if (ldr_request_state_of(rq) != LDR_REQUEST_DONE) return LDR_PENDING;
  code = rq->outcome;
  if (code && rq->why)
    *err = *rq->why;
  else if (code)
    code = ldr_fail_nomem(err);
  return collect(rq, code, err);
}

/* The caller of a call that blocks is back. */
static ldr_code go_on(ldr_request *rq, ldr_err *err) {
  rq->ahead = false;
  ldr_request_wait(rq, LDR_NEVER);
  return ldr_request_drive(rq, err);
}

static ldr_code task_step(ldr_task *t, ldr_err *err) {
  ldr_request *rq = (ldr_request *)t;
  ldr_code code;
  if (rq->on_loop) return collect_from_loop(rq, err);
  if (rq->block && rq->e) return go_on(rq, err);
  code = ldr_request_step(rq, err);
  return code == LDR_PENDING || rq->e == NULL ? code : collect(rq, code, err);
}

static void task_free(ldr_task *t) { ldr_request_free((ldr_request *)t); }
static const ldr_task_ops task_ops = {task_step, task_free};

/* ---- the beginning ---- */

static ldr_request *make(ldr_pg *e, const ldr_request_kind *kind) {
  int i = spares_of(kind);
  ldr_request *rq = i < 0 ? NULL : e->spares[i].first;
  if (rq) {
    e->spares[i].first = rq->next;
    e->spares[i].n--;
    return rq;
  }
  rq = ldr_alloc(kind->size ? kind->size : sizeof *rq);
  if (rq == NULL) return NULL;
  rq->event_fd = -1;
  rq->exchange = ldr_alloc(sizeof *rq->exchange);
  if (rq->exchange) return rq;
  ldr_free(rq);
  return NULL;
}

static int64_t deadline_of(const ldr_pg *e, const ldr_request_kind *kind, const ldr_call *call) {
  if (call->deadline != LDR_NEVER || !kind->timed || e->config.statement_timeout < 0) return call->deadline;
  return ldr_deadline(e->config.statement_timeout);
}

/* A spare keeps what it has for the next use; all else begins anew. */
static void reset(ldr_request *rq) {
  rq->healed = 0;
  rq->timed_out = rq->forget = rq->as_text = rq->has_event_fd = rq->deletes = false;
  rq->prefix = rq->moves = 0;
  rq->given = 0;
  rq->asks_xid = false;
  rq->row_known = rq->as_given = rq->task.result.as_given = false;
  rq->asking = NULL;
  rq->unseen = false;
  rq->completion_id = 0;
  rq->caller_free = false;
  rq->left_at = 0;
  rq->outcome = LDR_OK;
  rq->task.ops = &task_ops;
  rq->task.fd = -1;
  rq->task.events = 0;
  rq->task.deadline = LDR_NEVER;
  rq->task.result.affected = 0;
  rq->waiter.woken = NULL;
  rq->waiter.trusts = rq->waiter.trusted = false;
  rq->waiter.share = LDR_SHARE_OWN;
}

/* What a call runs as is never left out: where it cannot be set, the call is refused. */
static ldr_code check_context(const ldr_pgtx *tx, const ldr_request_kind *kind, const char *name,
                              const ldr_call *call, ldr_err *err) {
  if (call->context && tx)
    return ldr_fail(err, LDR_INVALID, "a call in a transaction runs as the transaction does");
  if (call->context && !kind->takes_context)
    return ldr_fail(err, LDR_UNSUPPORTED, "%s cannot run as a tenant, role or with settings", name);
  return LDR_OK;
}

ldr_code ldr_request_new(ldr_pg *e, ldr_pgtx *tx, const ldr_request_kind *kind, const char *name,
                         const ldr_call *call, ldr_request **out, ldr_err *err) {
  ldr_code code;
  ldr_request *rq;
  ldr_pg_check_fork(e);
  if (tx && !kind->ends_tx && (code = ldr_pgtx_usable(tx, err)) != LDR_OK) return code;
  code = check_context(tx, kind, name, call, err);
  if (code) return code;
  rq = make(e, kind);
  if (rq == NULL) return ldr_fail_nomem(err);
  reset(rq);
  rq->kind = kind;
  rq->e = e;
  rq->tx = tx;
  if (tx) tx->request = rq;
  rq->context = ldr_context_retain(call->context);
  rq->block = call->block;
  rq->ahead = call->ahead;
  rq->deadline = deadline_of(e, kind, call);
  rq->on_loop = e->reactor && !call->block;
  ldr_err_set(rq->name, sizeof rq->name, name);
  rq->prev = NULL;
  rq->next = e->requests;
  if (e->requests) e->requests->prev = rq;
  e->requests = rq;
  ldr_request_move(rq, LDR_REQUEST_NEW);
  *out = rq;
  return LDR_OK;
}

/* ---- calls that wait ---- */

void ldr_pg_wait(int fd, unsigned events, int64_t deadline) {
  struct pollfd p = {
      .fd = fd, .events = (short)((events & LDR_READ ? POLLIN : 0) | (events & LDR_WRITE ? POLLOUT : 0))};
  while (poll(&p, 1, ldr_millis_left(deadline)) < 0 && errno == EINTR) continue;
}

/* The fastest way to wait for an answer that is nearly there is not to sleep. */
static bool spins(const ldr_request *rq) {
  return rq->e->config.spin > 0 && ldr_request_state_of(rq) == LDR_REQUEST_SENT &&
         ldr_now_mono() < rq->spin_until;
}

void ldr_request_wait(ldr_request *rq, int64_t deadline) {
  if (rq->e == NULL || ldr_request_state_of(rq) == LDR_REQUEST_DONE) return;
  if (rq->left_at && rq->deadline != LDR_NEVER) rq->deadline += ldr_now_mono() - rq->left_at;
  rq->left_at = 0;
  if (spins(rq)) return;
  ldr_pg_wait(rq->task.fd, rq->task.events, deadline < rq->task.deadline ? deadline : rq->task.deadline);
}

static bool is_callers(const ldr_request *rq) {
  return rq->kind->by_caller && ldr_request_state_of(rq) == LDR_REQUEST_COPYING;
}

ldr_code ldr_request_drive(ldr_request *rq, ldr_err *err) {
  ldr_code code = ldr_request_step(rq, err);
  while (code == LDR_PENDING && !is_callers(rq) && !(rq->ahead && rq->caller_free)) {
    if (!spins(rq)) ldr_pg_wait(rq->task.fd, rq->task.events, rq->task.deadline);
    code = ldr_request_step(rq, err);
  }
  return code == LDR_PENDING ? code : collect(rq, code, err);
}

ldr_code ldr_request_run(ldr_request *rq, ldr_result *out, ldr_task **task, ldr_err *err) {
  ldr_code code = LDR_PENDING;
  if (rq->block)
    code = ldr_request_drive(rq, err);
  else if (!rq->on_loop)
    code = task_step(&rq->task, err);
  if (code == LDR_PENDING) {
    if (rq->ahead) rq->left_at = ldr_now_mono();
    *task = &rq->task;
    return code;
  }
  if (code == LDR_OK && out) {
    *out = rq->task.result;
    rq->task.result.rows = NULL;
  }
  ldr_request_free(rq);
  return code;
}

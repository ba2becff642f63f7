#define _GNU_SOURCE
#include "postgres/request/request.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum {
  SPARES_MAX = 16,       /* done requests that keep their buffers */
  KEEP_BUFFER = 1 << 16, /* larger ones are freed */
  CANCEL_LOOK_US = 1000  /* while a cancel is on its way */
};

static const char ended[] = "the transaction was ended by a statement in it";

/* ---- life of a request ---- */

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

static void destroy(ldr_request *rq) {
  ldr_waiter_done(&rq->waiter);
  if (rq->exchange) ldr_exchange_free(rq->exchange);
  ldr_free(rq->exchange);
  ldr_bind_free(&rq->args);
  if (rq->event_fd >= 0) close(rq->event_fd);
  ldr_free(rq);
}

static void reuse(ldr_request *rq) {
  ldr_pg *e = rq->e;
  if (rq->args.data.cap > KEEP_BUFFER) ldr_buf_free(&rq->args.data);
  rq->next = e->spares;
  e->spares = rq;
  e->nspares++;
}

static void settle(ldr_request *rq) {
  if (rq->slot && rq->conn == rq->slot->conn) ldr_pg_settle(rq->e, rq->slot, rq->exchange);
}

/* The owner leaves while work is under way: the server is told, and the connection cannot be used again. */
static void abort_work(ldr_request *rq) {
  if (!rq->driven) ldr_pg_check_fork(rq->e);
  switch (rq->stage) {
    case LDR_REQUEST_ACQUIRE: ldr_pool_leave(rq->e->pool, &rq->waiter); break;
    case LDR_REQUEST_COPY:
    case LDR_REQUEST_REQUEST:
      if (rq->stage == LDR_REQUEST_REQUEST && !rq->driven) ldr_conn_pump(rq->conn);
      if (!rq->exchange->done && ldr_request_detach_or_cancel(rq)) break;
      if (!rq->exchange->done) ldr_conn_drop(rq->conn);
      settle(rq);
      if (rq->tx) rq->tx->dead = "a statement of this transaction was given up before its end";
      break;
    case LDR_REQUEST_CONNECT:
    case LDR_REQUEST_SLEEP:
    case LDR_REQUEST_DONE: break;
  }
}

static void withdraw(ldr_request *rq) {
  if (rq->stage != LDR_REQUEST_DONE) abort_work(rq);
  ldr_request_unlist(rq);
  ldr_request_release(rq);
  if (!rq->driven) return;
  ldr_request_not_ready(rq);
  ldr_request_not_running(rq);
  ldr_request_unwatch(rq);
}

/* Back to what it was before it ran; the result is taken or gone. With a loop, in a visit. */
static void clear(ldr_request *rq) {
  if (rq->driven && atomic_load(&rq->phase) == LDR_REQUEST_SUBMITTED)
    ldr_request_stop(rq); /* who waits is told */
  withdraw(rq);
  leave_tx(rq);
  rq->stage = LDR_REQUEST_DONE;
  if (rq->kind->dispose) rq->kind->dispose(rq);
  ldr_rows_free(rq->task.result.rows);
  rq->task.result.rows = NULL;
  ldr_stmt_release(rq->stmt);
  rq->stmt = NULL;
  ldr_pgres_free(rq->answer);
  rq->answer = NULL;
  ldr_free(rq->why);
  rq->why = NULL;
  ldr_exchange_reset(rq->exchange);
  rq->exchange->finished = NULL;
  unlink_request(rq);
}

void ldr_request_stop(ldr_request *rq) {
  ldr_err over;
  withdraw(rq);
  rq->stage = LDR_REQUEST_DONE;
  leave_tx(rq);
  rq->tx = NULL;
  if (rq->driven && atomic_load(&rq->phase) != LDR_REQUEST_FINISHED)
    ldr_request_finished(rq, ldr_fail(&over, LDR_CLOSED, "this work is over"), &over);
}

/* Must the loop be held while the owner touches rq? */
static ldr_loop *holder(const ldr_request *rq) {
  return rq->driven && atomic_load(&rq->phase) == LDR_REQUEST_FINISHED ? NULL : rq->e->loop;
}

void ldr_request_free(ldr_request *rq) {
  ldr_loop *loop;
  if (rq == NULL) return;
  if (rq->e == NULL) {
    destroy(rq);
    return;
  }
  ldr_pg_check_fork(rq->e);
  loop = rq->driven ? holder(rq) : NULL;
  ldr_loop_lock(loop);
  clear(rq);
  ldr_loop_unlock(loop);
  if (rq->kind->size == 0 && rq->e->nspares < SPARES_MAX)
    reuse(rq);
  else
    destroy(rq);
}

void ldr_request_detach(ldr_request *rq) {
  ldr_loop *loop = rq->driven ? holder(rq) : NULL;
  ldr_loop_lock(loop);
  clear(rq);
  ldr_loop_unlock(loop);
  rq->stage = LDR_REQUEST_DONE;
  rq->e = NULL;
}

void ldr_request_free_spares(ldr_pg *e) {
  while (e->spares) {
    ldr_request *rq = e->spares;
    e->spares = rq->next;
    destroy(rq);
  }
}

static ldr_code collect(ldr_request *rq, ldr_code code, ldr_err *err) {
  if (rq->forget) ldr_stmts_forget(&rq->e->stmts, rq->stmt);
  if (code == LDR_OK && rq->kind->collect) {
    code = rq->kind->collect(rq, err);
    if (code && rq->tx) ldr_pgtx_fail(rq->tx, err);
  }
  leave_tx(rq);
  return code;
}

static ldr_code collect_driven(ldr_request *rq, ldr_err *err) {
  ldr_code code;
  if (rq->e == NULL) return ldr_fail(err, LDR_CLOSED, "the database was closed");
  if (atomic_load(&rq->phase) == LDR_REQUEST_SIGNALLING) { /* who hears the bell finds it finished */
    ldr_loop_lock(rq->e->loop);
    ldr_loop_unlock(rq->e->loop);
  }
  if (atomic_load(&rq->phase) != LDR_REQUEST_FINISHED) return LDR_PENDING;
  code = rq->outcome;
  if (code && rq->why)
    *err = *rq->why;
  else if (code)
    code = ldr_fail_nomem(err);
  return collect(rq, code, err);
}

static ldr_code task_step(ldr_task *t, ldr_err *err) {
  ldr_request *rq = (ldr_request *)t;
  ldr_code code = rq->driven ? collect_driven(rq, err) : ldr_request_step(rq, err);
  return code == LDR_PENDING || rq->driven || rq->e == NULL ? code : collect(rq, code, err);
}

static void task_free(ldr_task *t) { ldr_request_free((ldr_request *)t); }
static const ldr_task_ops task_ops = {task_step, task_free};

static ldr_request *make(ldr_pg *e, const ldr_request_kind *kind) {
  ldr_request *rq = kind->size ? NULL : e->spares;
  if (rq) {
    e->spares = rq->next;
    e->nspares--;
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

ldr_code ldr_request_new(ldr_pg *e, ldr_pgtx *tx, const ldr_request_kind *kind, const char *name,
                         const ldr_call *call, ldr_request **out, ldr_err *err) {
  ldr_code code;
  ldr_request *rq;
  ldr_pg_check_fork(e);
  if (tx && !kind->ends_tx && (code = ldr_pgtx_usable(tx, err)) != LDR_OK) return code;
  rq = make(e, kind);
  if (rq == NULL) return ldr_fail_nomem(err);
  rq->task.ops = &task_ops;
  rq->kind = kind;
  rq->e = e;
  rq->tx = tx;
  if (tx) tx->request = rq;
  rq->stage = LDR_REQUEST_ACQUIRE;
  rq->block = call->block;
  rq->deadline = deadline_of(e, kind, call);
  rq->driven = e->reactor && !call->block;
  atomic_store_explicit(&rq->phase, LDR_REQUEST_FRESH, memory_order_relaxed);
  rq->cancelled = rq->retried = rq->late = rq->forget = rq->has_event_fd = rq->deletes = false;
  rq->prefix = rq->moves = 0;
  rq->asking = NULL;
  rq->unseen = false;
  rq->completion_id = 0;
  rq->outcome = LDR_OK;
  rq->task.fd = -1;
  rq->task.events = 0;
  rq->task.deadline = LDR_NEVER;
  rq->task.result.affected = 0;
  rq->waiter.woken = NULL;
  rq->waiter.lane = LDR_SHARE_OWN;
  ldr_err_set(rq->name, sizeof rq->name, name);
  rq->prev = NULL;
  rq->next = e->requests;
  if (e->requests) e->requests->prev = rq;
  e->requests = rq;
  *out = rq;
  return LDR_OK;
}

/* ---- exchanges ---- */

ldr_cmd *ldr_request_query(ldr_request *rq, const char *sql) {
  ldr_cmd *c = ldr_exchange_add(rq->exchange, LDR_CMD_QUERY);
  if (c) c->sql = sql;
  return c;
}

ldr_code ldr_request_prefix(ldr_request *rq, ldr_err *err) {
  const char *sql = rq->tx ? rq->tx->pending.p : NULL;
  for (unsigned i = 0; rq->tx && i < rq->tx->npending; i++, sql += strlen(sql) + 1)
    if (ldr_request_query(rq, sql) == NULL) return ldr_fail_nomem(err);
  rq->prefix = rq->exchange->n;
  return LDR_OK;
}

ldr_code ldr_request_submit(ldr_request *rq, ldr_err *err) {
  ldr_code code;
  rq->exchange->grouped =
      rq->driven && rq->waiter.lane == LDR_SHARE_QUICK && ldr_request_shared(rq) && !rq->retried;
  code = ldr_conn_submit(rq->conn, rq->exchange, err);
  if (code) return code;
  rq->stage = LDR_REQUEST_REQUEST;
  if (rq->slot && rq->conn == rq->slot->conn) ldr_registry_sent(&rq->slot->prepared);
  if (rq->driven && rq->slot && rq->conn == rq->slot->conn) ldr_request_await(rq);
  if (rq->tx && rq->tx->npending) {
    rq->tx->begun = true;
    rq->tx->sent = rq->tx->levels;
    rq->tx->npending = 0;
    ldr_buf_reset(&rq->tx->pending);
  }
  if (rq->e->config.spin > 0) rq->spin_until = ldr_now_mono() + (int64_t)(rq->e->config.spin * 1e6);
  return LDR_PENDING;
}

bool ldr_request_failed(const ldr_request *rq) {
  return rq->exchange->error || rq->exchange->lost || rq->exchange->skipped;
}

static bool read_only(const ldr_request *rq) { return rq->tx && rq->tx->opts.read_only; }

ldr_code ldr_request_error(ldr_request *rq, ldr_err *err) {
  bool stale = ldr_exchange_stale(rq->exchange);
  ldr_exchange_error(rq->exchange, rq->deletes || (rq->stmt && rq->stmt->deletes), err);
  if ((rq->cancelled || rq->late) &&
      (rq->exchange->lost || rq->exchange->skipped || strcmp(err->sqlstate, "57014") == 0)) {
    ldr_fail_state(err, LDR_TIMEOUT, "57014", "the deadline passed and the statement was cancelled");
    return err->code;
  }
  if (rq->exchange->lost || ldr_pgerr_fatal(err->sqlstate)) {
    err->code = LDR_CONNECTION;
    err->retryable = rq->tx && !rq->tx->session; /* its transaction was undone as a whole */
  }
  /* a node that became a standby: no writer should meet this connection again */
  if (strcmp(err->sqlstate, "25006") == 0 && !read_only(rq) && rq->slot)
    rq->slot->discard = err->retryable = true;
  if (stale) err->retryable = true;
  return err->code;
}

void ldr_request_sleep(ldr_request *rq, int64_t us) {
  rq->stage = LDR_REQUEST_SLEEP;
  rq->wake_at = ldr_now_mono() + us;
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
  code = ldr_live_read(&rq->e->stmts.lives, t, rq->exchange->cmd[rq->exchange->n - 1].res, rq->kind->exact,
                       &there, err);
  rq->unseen = !there;
  return code ? code : ldr_request_begin(rq, err);
}

/* ---- steps ---- */

/* Somebody changed the session's state on this connection: that goes first, under its own Sync. */
static ldr_code undo_session(ldr_request *rq, ldr_err *err) {
  static const char *const statements[] = {"set session authorization default", "reset all", "close all",
                                           "unlisten *", "discard temp"};
  ldr_slot *s = rq->slot;
  if (!s->reset || (rq->tx && (rq->tx->begun || rq->tx->session))) return LDR_OK;
  if (rq->e->pooler) return LDR_OK; /* it is another server's session by now */
  ldr_exchange_reset(&s->undo);
  for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
    ldr_cmd *c = ldr_exchange_add(&s->undo, LDR_CMD_QUERY);
    if (c == NULL) return ldr_fail_nomem(err);
    c->sql = statements[i];
  }
  s->reset = false;
  return ldr_conn_submit(s->conn, &s->undo, err);
}

static ldr_code acquire(ldr_request *rq, ldr_err *err) {
  ldr_code code = LDR_OK;
  if (rq->driven) rq->waiter.lane = ldr_request_share_class(rq);
  if (rq->tx && rq->tx->slot) rq->slot = rq->tx->slot;
  if (rq->slot == NULL) {
    const char *holder = rq->tx && !rq->tx->session ? "transaction" : rq->name;
    ldr_loop_lock(ldr_request_loop_to_lock(rq));
    code = ldr_pool_acquire(rq->e->pool, &rq->waiter, holder, rq->block, rq->deadline, err);
    if (code == LDR_OK && ldr_request_loop_to_lock(rq))
      ldr_pool_unwatch(rq->e->pool, rq->waiter.slot); /* borrowed */
    ldr_loop_unlock(ldr_request_loop_to_lock(rq));
    if (code) return code;
    rq->slot = rq->waiter.slot;
    rq->waiter.slot = NULL;
    if (rq->tx) rq->tx->slot = rq->slot;
  }
  rq->conn = rq->slot->conn;
  if ((code = undo_session(rq, err)) != LDR_OK) return code;
  rq->stage = LDR_REQUEST_DONE; /* until something is submitted */
  code = ldr_request_begin(rq, err);
  return code == LDR_CONNECTION && ldr_request_requeue_unsent(rq) ? LDR_PENDING : code;
}

/* The deadline passed while the server works: first ask it to stop, then stop listening to it. */
static void overdue(ldr_request *rq) {
  if (rq->cancelled) {
    ldr_conn_drop(rq->conn);
    return;
  }
  rq->cancelled = true;
  if (!rq->late) rq->deadline = ldr_now_mono() + LDR_GRACE_US; /* else these two seconds run already */
  ldr_request_cancel(rq);
}

static ldr_code begun_copy(ldr_request *rq, ldr_err *err) {
  if (rq->kind->copying) return rq->kind->copying(rq, err);
  ldr_conn_cut(rq->conn);
  settle(rq);
  return ldr_fail(err, LDR_UNSUPPORTED, "COPY from or to the client needs copy_in or copy_out");
}

/* The answer is here, but the cancel has not arrived yet: nothing else may be sent before it has. */
static bool on_its_way(ldr_request *rq) {
  if (!rq->cancelled || !ldr_conn_cancelling(rq->conn)) return false;
  if (ldr_now_mono() < rq->deadline) return true;
  ldr_conn_cut(rq->conn);
  return false;
}

/* The loop reads for all requests of a slot. */
static bool pumps(const ldr_request *rq) {
  return !rq->driven || rq->slot == NULL || rq->conn != rq->slot->conn;
}

/* Under a loop it is answered once that has told so, and not by what this step did. */
static bool is_answered(const ldr_request *rq) { return rq->exchange->done && !rq->exchange->listed; }

static ldr_code await(ldr_request *rq, ldr_err *err) {
  if (pumps(rq)) ldr_conn_pump(rq->conn);
  if (rq->exchange->copying) return begun_copy(rq, err);
  if (!rq->exchange->done && (rq->late || (rq->deadline != LDR_NEVER && ldr_now_mono() >= rq->deadline))) {
    bool begun = !ldr_request_shared(rq) || ldr_conn_head(rq->conn) == rq->exchange;
    if (begun && (!rq->cancelled || ldr_now_mono() >= rq->deadline)) overdue(rq);
    if (!begun && ldr_now_mono() >= rq->deadline) {
      ldr_code code = ldr_request_expire_queued(rq, err);
      if (code != LDR_PENDING) return code;
    }
  }
  if (!is_answered(rq) || on_its_way(rq)) return LDR_PENDING;
  settle(rq);
  rq->stage = LDR_REQUEST_DONE;
  return rq->asking ? told(rq, err) : rq->kind->answered(rq, err);
}

static ldr_code connect(ldr_request *rq, ldr_err *err) {
  ldr_code code = ldr_conn_connect(rq->conn, err);
  if (code == LDR_PENDING && ldr_now_mono() < rq->deadline) return code;
  if (code == LDR_PENDING) code = ldr_fail(err, LDR_TIMEOUT, "the deadline passed while connecting");
  rq->connected = code;
  rq->stage = LDR_REQUEST_DONE;
  return rq->kind->resume(rq, err);
}

static ldr_code sleep_on(ldr_request *rq, ldr_err *err) {
  if (ldr_now_mono() < rq->wake_at) return LDR_PENDING;
  rq->stage = LDR_REQUEST_DONE;
  return rq->kind->resume(rq, err);
}

static void watch_own(ldr_request *rq) {
  if (rq->stage == LDR_REQUEST_CONNECT)
    ldr_loop_unwatch(rq->e->loop, &rq->watch, -1); /* a new socket may have the old one's number */
  if (pumps(rq) && !rq->exchange->done &&
      (rq->stage == LDR_REQUEST_REQUEST || rq->stage == LDR_REQUEST_CONNECT))
    ldr_loop_watch(rq->e->loop, &rq->watch, ldr_conn_fd(rq->conn), ldr_conn_events(rq->conn));
  else
    ldr_request_unwatch(rq);
}

static void set_wait(ldr_request *rq) {
  ldr_task own = {0}, *t = rq->driven ? &own : &rq->task; /* the owner's eyes are on the task */
  switch (rq->stage) {
    case LDR_REQUEST_ACQUIRE:
      t->fd = rq->waiter.fd;
      t->events = rq->waiter.events;
      t->deadline = rq->waiter.again;
      break;
    case LDR_REQUEST_REQUEST:
    case LDR_REQUEST_COPY:
    case LDR_REQUEST_CONNECT:
      t->fd = rq->exchange->done ? -1 : ldr_conn_fd(rq->conn);
      t->events = ldr_conn_events(rq->conn);
      t->deadline = rq->exchange->done ? ldr_now_mono() + CANCEL_LOOK_US : rq->deadline;
      break;
    case LDR_REQUEST_SLEEP:
    case LDR_REQUEST_DONE:
      t->fd = -1;
      t->events = 0;
      t->deadline = rq->wake_at;
      break;
  }
  if (!rq->driven) return;
  rq->due = t->deadline;
  if (rq->slot && rq->stage == LDR_REQUEST_REQUEST && !pumps(rq)) ldr_pool_watch(rq->e->pool, rq->slot);
  if (rq->due < rq->e->due) rq->e->due = rq->due;
  watch_own(rq);
}

/* The transaction block must still be open, unless the statement itself ended it. */
static void judge_tx(ldr_request *rq, ldr_code code, const ldr_err *err) {
  ldr_pgtx *tx = rq->tx;
  if (tx == NULL) return;
  ldr_pgtx_look_alive(tx);
  if (code != LDR_OK) ldr_pgtx_fail(tx, err);
  if (!tx->session && tx->begun && !tx->dead && !ldr_conn_in_tx(tx->slot->conn)) tx->dead = ended;
}

static ldr_code finish(ldr_request *rq, ldr_code code, const ldr_err *err) {
  rq->stage = LDR_REQUEST_DONE;
  ldr_request_unlist(rq);
  if (code != LDR_OK) {
    ldr_count(&rq->e->counts.errors, 1);
    ldr_request_undo_prepare(rq);
  }
  judge_tx(rq, code, err);
  if (rq->driven) ldr_request_unwatch(rq);
  ldr_request_release(rq);
  return code;
}

/* One step. Driven requests: on the loop's thread. */
ldr_code ldr_request_step(ldr_request *rq, ldr_err *err) {
  ldr_code code = LDR_OK;
  if (rq->e == NULL) return ldr_fail(err, LDR_CLOSED, "the database was closed");
  if (rq->driven)
    ldr_request_running(rq);
  else
    ldr_pg_check_fork(rq->e);
  switch (rq->stage) {
    case LDR_REQUEST_ACQUIRE: code = acquire(rq, err); break;
    case LDR_REQUEST_REQUEST: code = await(rq, err); break;
    case LDR_REQUEST_CONNECT: code = connect(rq, err); break;
    case LDR_REQUEST_SLEEP: code = sleep_on(rq, err); break;
    case LDR_REQUEST_COPY:
    case LDR_REQUEST_DONE: return ldr_fail(err, LDR_CLOSED, "this work is over");
  }
  if (code != LDR_PENDING) return finish(rq, code, err);
  set_wait(rq);
  return code;
}

void ldr_pg_wait(int fd, unsigned events, int64_t deadline) {
  struct pollfd p = {
      .fd = fd, .events = (short)((events & LDR_READ ? POLLIN : 0) | (events & LDR_WRITE ? POLLOUT : 0))};
  while (poll(&p, 1, ldr_millis_left(deadline)) < 0 && errno == EINTR) continue;
}

/* The fastest way to wait for an answer that is nearly there is not to sleep. */
static bool spins(const ldr_request *rq) {
  return rq->e->config.spin > 0 && rq->stage == LDR_REQUEST_REQUEST && ldr_now_mono() < rq->spin_until;
}

ldr_code ldr_request_drive(ldr_request *rq, ldr_err *err) {
  ldr_code code = ldr_request_step(rq, err);
  while (code == LDR_PENDING && rq->stage != LDR_REQUEST_COPY) {
    if (!spins(rq)) ldr_pg_wait(rq->task.fd, rq->task.events, rq->task.deadline);
    code = ldr_request_step(rq, err);
  }
  return code == LDR_PENDING ? code : collect(rq, code, err);
}

ldr_code ldr_request_run(ldr_request *rq, ldr_result *out, ldr_task **task, ldr_err *err) {
  ldr_code code = LDR_PENDING;
  if (rq->block)
    code = ldr_request_drive(rq, err);
  else if (!rq->driven)
    code = task_step(&rq->task, err);
  if (code == LDR_PENDING) {
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

#define _GNU_SOURCE
#include "postgres/request/request.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum {
  SPARES_MAX = 16,       /* done jobs that keep their buffers */
  KEEP_BUFFER = 1 << 16, /* larger ones are freed */
  CANCEL_LOOK_US = 1000  /* while a cancel is on its way */
};

static const char ended[] = "the transaction was ended by a statement in it";

/* ---- life of a job ---- */

static void unlink_job(ldr_job *j) {
  if (j->prev)
    j->prev->next = j->next;
  else
    j->e->jobs = j->next;
  if (j->next) j->next->prev = j->prev;
}

/* The owner's side of ldr_job_release. */
static void leave_tx(ldr_job *j) {
  if (j->tx && j->tx->job == j) j->tx->job = NULL;
}

static void destroy(ldr_job *j) {
  ldr_waiter_done(&j->waiter);
  if (j->req) ldr_req_free(j->req);
  ldr_free(j->req);
  ldr_args_free(&j->args);
  if (j->bell >= 0) close(j->bell);
  ldr_free(j);
}

static void reuse(ldr_job *j) {
  ldr_pg *e = j->e;
  if (j->args.data.cap > KEEP_BUFFER) ldr_buf_free(&j->args.data);
  j->next = e->spares;
  e->spares = j;
  e->nspares++;
}

static void settle(ldr_job *j) {
  if (j->slot && j->conn == j->slot->conn) ldr_pg_settle(j->e, j->slot, j->req);
}

/* The owner leaves while work is under way: the server is told, and the connection cannot be used again. */
static void abort_work(ldr_job *j) {
  if (!j->driven) ldr_pg_check_fork(j->e);
  switch (j->stage) {
    case LDR_JOB_ACQUIRE: ldr_pool_leave(j->e->pool, &j->waiter); break;
    case LDR_JOB_COPY:
    case LDR_JOB_REQUEST:
      if (j->stage == LDR_JOB_REQUEST && !j->driven) ldr_conn_pump(j->conn);
      if (!j->req->done && ldr_job_step_aside(j)) break;
      if (!j->req->done) ldr_conn_drop(j->conn);
      settle(j);
      if (j->tx) j->tx->dead = "a statement of this transaction was given up before its end";
      break;
    case LDR_JOB_CONNECT:
    case LDR_JOB_SLEEP:
    case LDR_JOB_DONE: break;
  }
}

static void withdraw(ldr_job *j) {
  if (j->stage != LDR_JOB_DONE) abort_work(j);
  ldr_job_release(j);
  if (!j->driven) return;
  ldr_job_not_ready(j);
  ldr_job_not_running(j);
  ldr_job_unwatch(j);
}

/* Back to what it was before it ran; the result is taken or gone. With a loop, in a visit. */
static void clear(ldr_job *j) {
  if (j->driven && atomic_load(&j->phase) == LDR_JOB_SUBMITTED) ldr_job_stop(j); /* who waits is told */
  withdraw(j);
  leave_tx(j);
  j->stage = LDR_JOB_DONE;
  if (j->kind->dispose) j->kind->dispose(j);
  ldr_rows_free(j->task.result.rows);
  j->task.result.rows = NULL;
  ldr_stmt_release(j->stmt);
  j->stmt = NULL;
  ldr_pgres_free(j->answer);
  j->answer = NULL;
  ldr_free(j->why);
  j->why = NULL;
  ldr_req_reset(j->req);
  j->req->on_done = NULL;
  unlink_job(j);
}

void ldr_job_stop(ldr_job *j) {
  ldr_err over;
  withdraw(j);
  j->stage = LDR_JOB_DONE;
  leave_tx(j);
  j->tx = NULL;
  if (j->driven && atomic_load(&j->phase) != LDR_JOB_FINISHED)
    ldr_job_finished(j, ldr_fail(&over, LDR_CLOSED, "this work is over"), &over);
}

/* Must the loop be held while the owner touches j? */
static ldr_loop *holder(const ldr_job *j) {
  return j->driven && atomic_load(&j->phase) == LDR_JOB_FINISHED ? NULL : j->e->loop;
}

void ldr_job_free(ldr_job *j) {
  ldr_loop *loop;
  if (j == NULL) return;
  if (j->e == NULL) {
    destroy(j);
    return;
  }
  ldr_pg_check_fork(j->e);
  loop = j->driven ? holder(j) : NULL;
  ldr_loop_enter(loop);
  clear(j);
  ldr_loop_leave(loop);
  if (j->kind->size == 0 && j->e->nspares < SPARES_MAX)
    reuse(j);
  else
    destroy(j);
}

void ldr_job_detach(ldr_job *j) {
  ldr_loop *loop = j->driven ? holder(j) : NULL;
  ldr_loop_enter(loop);
  clear(j);
  ldr_loop_leave(loop);
  j->stage = LDR_JOB_DONE;
  j->e = NULL;
}

void ldr_job_free_spares(ldr_pg *e) {
  while (e->spares) {
    ldr_job *j = e->spares;
    e->spares = j->next;
    destroy(j);
  }
}

static ldr_code collect(ldr_job *j, ldr_code code, ldr_err *err) {
  if (j->forget) ldr_stmts_forget(&j->e->stmts, j->stmt);
  if (code == LDR_OK && j->kind->collect) {
    code = j->kind->collect(j, err);
    if (code && j->tx) ldr_pgtx_fail(j->tx, err);
  }
  leave_tx(j);
  return code;
}

static ldr_code collect_driven(ldr_job *j, ldr_err *err) {
  ldr_code code;
  if (j->e == NULL) return ldr_fail(err, LDR_CLOSED, "the database was closed");
  if (atomic_load(&j->phase) == LDR_JOB_RINGING) { /* who hears the bell finds it finished */
    ldr_loop_enter(j->e->loop);
    ldr_loop_leave(j->e->loop);
  }
  if (atomic_load(&j->phase) != LDR_JOB_FINISHED) return LDR_PENDING;
  code = j->outcome;
  if (code && j->why)
    *err = *j->why;
  else if (code)
    code = ldr_fail_nomem(err);
  return collect(j, code, err);
}

static ldr_code task_step(ldr_task *t, ldr_err *err) {
  ldr_job *j = (ldr_job *)t;
  ldr_code code = j->driven ? collect_driven(j, err) : ldr_job_step(j, err);
  return code == LDR_PENDING || j->driven || j->e == NULL ? code : collect(j, code, err);
}

static void task_free(ldr_task *t) { ldr_job_free((ldr_job *)t); }
static const ldr_task_ops task_ops = {task_step, task_free};

static ldr_job *make(ldr_pg *e, const ldr_job_kind *kind) {
  ldr_job *j = kind->size ? NULL : e->spares;
  if (j) {
    e->spares = j->next;
    e->nspares--;
    return j;
  }
  j = ldr_alloc(kind->size ? kind->size : sizeof *j);
  if (j == NULL) return NULL;
  j->bell = -1;
  j->req = ldr_alloc(sizeof *j->req);
  if (j->req) return j;
  ldr_free(j);
  return NULL;
}

static int64_t deadline_of(const ldr_pg *e, const ldr_job_kind *kind, const ldr_call *call) {
  if (call->deadline != LDR_NEVER || !kind->timed || e->config.statement_timeout < 0) return call->deadline;
  return ldr_deadline(e->config.statement_timeout);
}

ldr_code ldr_job_new(ldr_pg *e, ldr_pgtx *tx, const ldr_job_kind *kind, const char *name,
                     const ldr_call *call, ldr_job **out, ldr_err *err) {
  ldr_code code;
  ldr_job *j;
  ldr_pg_check_fork(e);
  if (tx && !kind->ends_tx && (code = ldr_pgtx_usable(tx, err)) != LDR_OK) return code;
  j = make(e, kind);
  if (j == NULL) return ldr_fail_nomem(err);
  j->task.ops = &task_ops;
  j->kind = kind;
  j->e = e;
  j->tx = tx;
  if (tx) tx->job = j;
  j->stage = LDR_JOB_ACQUIRE;
  j->block = call->block;
  j->deadline = deadline_of(e, kind, call);
  j->driven = e->reactor && !call->block;
  atomic_store_explicit(&j->phase, LDR_JOB_FRESH, memory_order_relaxed);
  j->cancelled = j->retried = j->late = j->forget = j->rings = j->deletes = false;
  j->prefix = j->moves = 0;
  j->ticket = 0;
  j->outcome = LDR_OK;
  j->task.fd = -1;
  j->task.events = 0;
  j->task.deadline = LDR_NEVER;
  j->task.result.affected = 0;
  j->waiter.woken = NULL;
  j->waiter.lane = LDR_LANE_OWN;
  ldr_err_set(j->name, sizeof j->name, name);
  j->prev = NULL;
  j->next = e->jobs;
  if (e->jobs) e->jobs->prev = j;
  e->jobs = j;
  *out = j;
  return LDR_OK;
}

/* ---- requests ---- */

ldr_cmd *ldr_job_query(ldr_job *j, const char *sql) {
  ldr_cmd *c = ldr_req_add(j->req, LDR_CMD_QUERY);
  if (c) c->sql = sql;
  return c;
}

ldr_code ldr_job_prefix(ldr_job *j, ldr_err *err) {
  const char *sql = j->tx ? j->tx->pending.p : NULL;
  for (unsigned i = 0; j->tx && i < j->tx->npending; i++, sql += strlen(sql) + 1)
    if (ldr_job_query(j, sql) == NULL) return ldr_fail_nomem(err);
  j->prefix = j->req->n;
  return LDR_OK;
}

ldr_code ldr_job_submit(ldr_job *j, ldr_err *err) {
  ldr_code code;
  j->req->grouped = j->driven && j->waiter.lane == LDR_LANE_QUICK && ldr_job_shared(j) && !j->retried;
  code = ldr_conn_submit(j->conn, j->req, err);
  if (code) return code;
  j->stage = LDR_JOB_REQUEST;
  if (j->slot && j->conn == j->slot->conn) ldr_registry_sent(&j->slot->prepared);
  if (j->driven && j->slot && j->conn == j->slot->conn) ldr_job_await(j);
  if (j->tx && j->tx->npending) {
    j->tx->begun = true;
    j->tx->sent = j->tx->levels;
    j->tx->npending = 0;
    ldr_buf_reset(&j->tx->pending);
  }
  if (j->e->config.spin > 0) j->spin_until = ldr_now_mono() + (int64_t)(j->e->config.spin * 1e6);
  return LDR_PENDING;
}

bool ldr_job_failed(const ldr_job *j) { return j->req->error || j->req->lost || j->req->skipped; }

static bool read_only(const ldr_job *j) { return j->tx && j->tx->opts.read_only; }

ldr_code ldr_job_error(ldr_job *j, ldr_err *err) {
  bool stale = ldr_req_stale(j->req);
  ldr_req_error(j->req, j->deletes || (j->stmt && j->stmt->deletes), err);
  if (j->cancelled && (j->req->lost || j->req->skipped || strcmp(err->sqlstate, "57014") == 0)) {
    ldr_fail_state(err, LDR_TIMEOUT, "57014", "the deadline passed and the statement was cancelled");
    return err->code;
  }
  if (j->req->lost || ldr_pgerr_fatal(err->sqlstate)) {
    err->code = LDR_CONNECTION;
    err->retryable = j->tx && !j->tx->session; /* its transaction was undone as a whole */
  }
  /* a node that became a standby: no writer should meet this connection again */
  if (strcmp(err->sqlstate, "25006") == 0 && !read_only(j) && j->slot)
    j->slot->discard = err->retryable = true;
  if (stale) err->retryable = true;
  return err->code;
}

void ldr_job_sleep(ldr_job *j, int64_t us) {
  j->stage = LDR_JOB_SLEEP;
  j->wake_at = ldr_now_mono() + us;
}

/* ---- steps ---- */

/* Somebody changed the session's state on this connection: that goes first, under its own Sync. */
static ldr_code undo_session(ldr_job *j, ldr_err *err) {
  static const char *const statements[] = {"set session authorization default", "reset all", "close all",
                                           "unlisten *", "discard temp"};
  ldr_slot *s = j->slot;
  if (!s->reset || (j->tx && (j->tx->begun || j->tx->session))) return LDR_OK;
  if (j->e->pooler) return LDR_OK; /* it is another server's session by now */
  ldr_req_reset(&s->undo);
  for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
    ldr_cmd *c = ldr_req_add(&s->undo, LDR_CMD_QUERY);
    if (c == NULL) return ldr_fail_nomem(err);
    c->sql = statements[i];
  }
  s->reset = false;
  return ldr_conn_submit(s->conn, &s->undo, err);
}

static ldr_code acquire(ldr_job *j, ldr_err *err) {
  ldr_code code = LDR_OK;
  if (j->driven) j->waiter.lane = ldr_job_lane(j);
  if (j->tx && j->tx->slot) j->slot = j->tx->slot;
  if (j->slot == NULL) {
    const char *holder = j->tx && !j->tx->session ? "transaction" : j->name;
    ldr_loop_enter(ldr_job_foreign_loop(j));
    code = ldr_pool_acquire(j->e->pool, &j->waiter, holder, j->block, j->deadline, err);
    if (code == LDR_OK && ldr_job_foreign_loop(j))
      ldr_pool_unwatch(j->e->pool, j->waiter.slot); /* borrowed */
    ldr_loop_leave(ldr_job_foreign_loop(j));
    if (code) return code;
    j->slot = j->waiter.slot;
    j->waiter.slot = NULL;
    if (j->tx) j->tx->slot = j->slot;
  }
  j->conn = j->slot->conn;
  if ((code = undo_session(j, err)) != LDR_OK) return code;
  j->stage = LDR_JOB_DONE; /* until something is submitted */
  code = j->kind->start(j, err);
  return code == LDR_CONNECTION && ldr_job_try_elsewhere(j) ? LDR_PENDING : code;
}

/* The deadline passed while the server works: first ask it to stop, then stop listening to it. */
static void overdue(ldr_job *j) {
  if (j->cancelled) {
    ldr_conn_drop(j->conn);
    return;
  }
  j->cancelled = true;
  j->deadline = ldr_now_mono() + LDR_GRACE_US;
  ldr_job_cancel(j);
}

static ldr_code begun_copy(ldr_job *j, ldr_err *err) {
  if (j->kind->copying) return j->kind->copying(j, err);
  ldr_conn_cut(j->conn);
  settle(j);
  return ldr_fail(err, LDR_UNSUPPORTED, "COPY from or to the client needs copy_in or copy_out");
}

/* The answer is here, but the cancel has not arrived yet: nothing else may be sent before it has. */
static bool on_its_way(ldr_job *j) {
  if (!j->cancelled || !ldr_conn_cancelling(j->conn)) return false;
  if (ldr_now_mono() < j->deadline) return true;
  ldr_conn_cut(j->conn);
  return false;
}

/* The loop reads for all jobs of a slot. */
static bool pumps(const ldr_job *j) { return !j->driven || j->slot == NULL || j->conn != j->slot->conn; }

static ldr_code await(ldr_job *j, ldr_err *err) {
  if (pumps(j)) ldr_conn_pump(j->conn);
  if (j->req->copying) return begun_copy(j, err);
  if (!j->req->done && (j->late || (j->deadline != LDR_NEVER && ldr_now_mono() >= j->deadline))) {
    bool begun = !ldr_job_shared(j) || ldr_conn_head(j->conn) == j->req;
    if (begun && (!j->cancelled || ldr_now_mono() >= j->deadline)) overdue(j);
    if (!begun && ldr_now_mono() >= j->deadline) {
      ldr_code code = ldr_job_overdue_behind(j, err);
      if (code != LDR_PENDING) return code;
    }
  }
  if (!j->req->done || on_its_way(j)) return LDR_PENDING;
  settle(j);
  j->stage = LDR_JOB_DONE;
  return j->kind->answered(j, err);
}

static ldr_code connect(ldr_job *j, ldr_err *err) {
  ldr_code code = ldr_conn_connect(j->conn, err);
  if (code == LDR_PENDING && ldr_now_mono() < j->deadline) return code;
  if (code == LDR_PENDING) code = ldr_fail(err, LDR_TIMEOUT, "the deadline passed while connecting");
  j->connected = code;
  j->stage = LDR_JOB_DONE;
  return j->kind->resume(j, err);
}

static ldr_code sleep_on(ldr_job *j, ldr_err *err) {
  if (ldr_now_mono() < j->wake_at) return LDR_PENDING;
  j->stage = LDR_JOB_DONE;
  return j->kind->resume(j, err);
}

static void watch_own(ldr_job *j) {
  if (j->stage == LDR_JOB_CONNECT)
    ldr_loop_unwatch(j->e->loop, &j->watch, -1); /* a new socket may have the old one's number */
  if (pumps(j) && !j->req->done && (j->stage == LDR_JOB_REQUEST || j->stage == LDR_JOB_CONNECT))
    ldr_loop_watch(j->e->loop, &j->watch, ldr_conn_fd(j->conn), ldr_conn_events(j->conn));
  else
    ldr_job_unwatch(j);
}

static void set_wait(ldr_job *j) {
  ldr_task own = {0}, *t = j->driven ? &own : &j->task; /* the owner's eyes are on the task */
  switch (j->stage) {
    case LDR_JOB_ACQUIRE:
      t->fd = j->waiter.fd;
      t->events = j->waiter.events;
      t->deadline = j->waiter.again;
      break;
    case LDR_JOB_REQUEST:
    case LDR_JOB_COPY:
    case LDR_JOB_CONNECT:
      t->fd = j->req->done ? -1 : ldr_conn_fd(j->conn);
      t->events = ldr_conn_events(j->conn);
      t->deadline = j->req->done ? ldr_now_mono() + CANCEL_LOOK_US : j->deadline;
      break;
    case LDR_JOB_SLEEP:
    case LDR_JOB_DONE:
      t->fd = -1;
      t->events = 0;
      t->deadline = j->wake_at;
      break;
  }
  if (!j->driven) return;
  j->due = t->deadline;
  if (j->slot && j->stage == LDR_JOB_REQUEST && !pumps(j)) ldr_pool_watch(j->e->pool, j->slot);
  if (j->due < j->e->due) j->e->due = j->due;
  watch_own(j);
}

/* The transaction block must still be open, unless the statement itself ended it. */
static void judge_tx(ldr_job *j, ldr_code code, const ldr_err *err) {
  ldr_pgtx *tx = j->tx;
  if (tx == NULL) return;
  ldr_pgtx_look_alive(tx);
  if (code != LDR_OK) ldr_pgtx_fail(tx, err);
  if (!tx->session && tx->begun && !tx->dead && !ldr_conn_in_tx(tx->slot->conn)) tx->dead = ended;
}

static ldr_code finish(ldr_job *j, ldr_code code, const ldr_err *err) {
  j->stage = LDR_JOB_DONE;
  if (code != LDR_OK) {
    ldr_count(&j->e->counts.errors, 1);
    ldr_job_unsend(j);
  }
  judge_tx(j, code, err);
  if (j->driven) ldr_job_unwatch(j);
  ldr_job_release(j);
  return code;
}

/* One step. Driven jobs: on the loop's thread. */
ldr_code ldr_job_step(ldr_job *j, ldr_err *err) {
  ldr_code code = LDR_OK;
  if (j->e == NULL) return ldr_fail(err, LDR_CLOSED, "the database was closed");
  if (j->driven)
    ldr_job_running(j);
  else
    ldr_pg_check_fork(j->e);
  switch (j->stage) {
    case LDR_JOB_ACQUIRE: code = acquire(j, err); break;
    case LDR_JOB_REQUEST: code = await(j, err); break;
    case LDR_JOB_CONNECT: code = connect(j, err); break;
    case LDR_JOB_SLEEP: code = sleep_on(j, err); break;
    case LDR_JOB_COPY:
    case LDR_JOB_DONE: return ldr_fail(err, LDR_CLOSED, "this work is over");
  }
  if (code != LDR_PENDING) return finish(j, code, err);
  set_wait(j);
  return code;
}

void ldr_pg_wait(int fd, unsigned events, int64_t deadline) {
  struct pollfd p = {
      .fd = fd, .events = (short)((events & LDR_READ ? POLLIN : 0) | (events & LDR_WRITE ? POLLOUT : 0))};
  while (poll(&p, 1, ldr_millis_left(deadline)) < 0 && errno == EINTR) continue;
}

/* The fastest way to wait for an answer that is nearly there is not to sleep. */
static bool spins(const ldr_job *j) {
  return j->e->config.spin > 0 && j->stage == LDR_JOB_REQUEST && ldr_now_mono() < j->spin_until;
}

ldr_code ldr_job_drive(ldr_job *j, ldr_err *err) {
  ldr_code code = ldr_job_step(j, err);
  while (code == LDR_PENDING && j->stage != LDR_JOB_COPY) {
    if (!spins(j)) ldr_pg_wait(j->task.fd, j->task.events, j->task.deadline);
    code = ldr_job_step(j, err);
  }
  return code == LDR_PENDING ? code : collect(j, code, err);
}

ldr_code ldr_job_run(ldr_job *j, ldr_result *out, ldr_task **task, ldr_err *err) {
  ldr_code code = LDR_PENDING;
  if (j->block)
    code = ldr_job_drive(j, err);
  else if (!j->driven)
    code = task_step(&j->task, err);
  if (code == LDR_PENDING) {
    *task = &j->task;
    return code;
  }
  if (code == LDR_OK && out) {
    *out = j->task.result;
    j->task.result.rows = NULL;
  }
  ldr_job_free(j);
  return code;
}

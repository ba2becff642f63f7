#include "postgres/request/reactor.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/eventfd.h>

#include "base/clock.h"

enum {
  LATE_TURNS = 8,   /* an owner who comes late more often than in one of so many turns … */
  LATE_US = 20000,  /* … may not drive for so long */
  RESCUE_US = 20000 /* reads that wait so long behind a statement are asked for elsewhere */
};

static ldr_request *of_post(ldr_post *p) {
  return (ldr_request *)(void *)((char *)p - offsetof(ldr_request, post));
}
static ldr_request *of_waiter(ldr_waiter *w) {
  return (ldr_request *)(void *)((char *)w - offsetof(ldr_request, waiter));
}
static ldr_request *of_watch(ldr_watch *w) {
  return (ldr_request *)(void *)((char *)w - offsetof(ldr_request, watch));
}
static ldr_slot *slot_of(ldr_watch *w) { return (ldr_slot *)(void *)((char *)w - offsetof(ldr_slot, watch)); }

/* ---- what makes a request ready ---- */

static void woken(ldr_waiter *w) { ldr_request_ready(of_waiter(w)); }
static void own_socket_ready(ldr_watch *w) { ldr_request_ready(of_watch(w)); }

static void learn(ldr_request *rq, const ldr_exchange *r, int64_t us) {
  if (rq->kind->shares && rq->stmt && !r->lost && !rq->cancelled && rq->stage == LDR_REQUEST_REQUEST)
    rq->stmt->expected = ldr_share_learn(rq->stmt->expected, us);
}

/* What waited for the owner tells nothing of the statement. (In a child the loop is gone.) */
static bool came_late(ldr_pg *e) {
  if (e->loop == NULL || ldr_loop_poll_delay(e->loop) < LDR_QUICK_US) return false;
  e->came_late = true;
  return true;
}

/* Is he busy, or are statements slower than they were? The thread, which is always there, will see. */
static void judge_owner(ldr_pg *e, int64_t now) {
  if (e->came_late) e->lateness += LATE_TURNS;
  if (e->lateness > 2 * LATE_TURNS) {
    e->no_owner_until = now + LATE_US;
    e->lateness = 0;
  } else if (e->lateness) {
    e->lateness--;
  }
  e->came_late = false;
}

/* The time of a statement whose deadline has passed already, and whose turn has come: it is cancelled. */
static void wake_late(const ldr_slot *s) {
  const ldr_exchange *head = ldr_conn_head(s->conn);
  ldr_request *rq = head ? head->request : NULL;
  if (rq && rq->late) ldr_request_ready(rq);
}

static void answered(ldr_pg *e, ldr_exchange *r) {
  ldr_slot *s = r->home;
  ldr_request *rq = r->request;
  if (s) {
    int64_t now = ldr_now_mono();
    if (rq && !came_late(e)) learn(rq, r, (now - s->head_since) / (r->peers ? r->peers : 1));
    ldr_slot_answered(s, r, now);
    wake_late(s);
  }
  if (rq) {
    ldr_request_ready(rq);
  } else {
    r->next = e->detached;
    e->detached = r;
  }
}

/* The only place where a request learns that its exchange is done. Never inside of a step, which may have
 * caused that itself: it would go on with a request that has ended under it. */
static void deliver(ldr_pg *e) {
  ldr_exchange *r;
  while ((r = ldr_exchange_take_finished(&e->finished)) != NULL) answered(e, r);
}

/* A connection on which no driven request waits may be lent, or idle in a transaction: not the loop's
 * business.
 */
static void slot_ready(ldr_watch *w) {
  ldr_slot *s = slot_of(w);
  ldr_pg *e = s->owner;
  const ldr_exchange *head;
  if (s->state == LDR_SLOT_CONNECTING || s->state == LDR_SLOT_IDLE) {
    ldr_pool_ready(e->pool, s);
    return;
  }
  if (s->in_flight == 0) {
    ldr_pool_unwatch(e->pool, s);
    return;
  }
  ldr_conn_pump(s->conn);
  deliver(e);
  head = ldr_conn_head(s->conn);
  if (head && head->copying && head->request) ldr_request_ready(head->request);
  if (ldr_conn_dead(s->conn))
    ldr_pool_unwatch(e->pool, s);
  else
    ldr_pool_watch(e->pool, s);
}

/* ---- turns ---- */

static void arrived(void *ud, ldr_post *p) {
  ldr_pg *e = ud;
  ldr_request *rq = of_post(p);
  e->event_fd_waiters += rq->has_event_fd;
  ldr_request_ready(rq);
}

static void step(ldr_request *rq) {
  ldr_err err;
  ldr_pg *e = rq->e;
  ldr_code code = ldr_request_step(rq, &err);
  if (code != LDR_PENDING) ldr_request_finished(rq, code, &err);
  deliver(e);
}

/* No exchange waits for its Sync when the loop does. */
static void seal_groups(ldr_pg *e) {
  for (ldr_slot *s = e->pool->slots.by_state[LDR_SLOT_SHARED].first; s; s = s->next) {
    if (ldr_conn_group_size(s->conn) == 0) continue;
    ldr_conn_flush_group(s->conn);
    ldr_pool_watch(e->pool, s);
  }
}

static void run_ready(ldr_pg *e) {
  ldr_request *rq;
  deliver(e); /* what a visitor ended */
  do {
    while ((rq = ldr_request_list_take(&e->ready)) != NULL) step(rq);
    ldr_reap_detached(e); /* may give a place to somebody */
    seal_groups(e);
    deliver(e);
  } while (e->ready.first);
}

static void run_due(ldr_pg *e, int64_t now) {
  if (now < e->due) return;
  e->due = LDR_NEVER;
  for (ldr_request *rq = e->running; rq; rq = rq->run_next) {
    if (rq->due <= now)
      ldr_request_ready(rq); /* its step sets the next time */
    else if (rq->due < e->due)
      e->due = rq->due;
  }
  run_ready(e);
}

/* Reads move on to another connection; nobody waits for what stays behind, so it need not run long. */
static void relieve(ldr_slot *s, int64_t now) {
  ldr_exchange *head = ldr_conn_head(s->conn), *next;
  if (head == NULL || ldr_conn_dead(s->conn)) return;
  if (head->request == NULL && now - s->head_since > LDR_GRACE_US) {
    ldr_conn_drop(s->conn);
    return;
  }
  if (head->request == NULL && s->cancelled < s->head_since) {
    ldr_conn_cancel(s->conn);
    s->cancelled = now;
  }
  for (ldr_exchange *r = head->sealed ? head->next : head; r;
       r = next) { /* of a group, any may be the slow one */
    ldr_request *rq = r->request;
    next = r->next;
    if (rq && ldr_request_reads(rq) && ldr_request_may_move(rq) && !ldr_request_requeue(rq)) return;
  }
}

/* Statements that others wait behind for too long. Returns when to look again. */
static int64_t look_at_stalls(ldr_pg *e, int64_t now) {
  int64_t due = LDR_NEVER;
  for (ldr_slot *s = e->pool->slots.by_state[LDR_SLOT_SHARED].first; s; s = s->next) {
    const ldr_exchange *head = ldr_conn_head(s->conn);
    int64_t at = s->head_since + RESCUE_US;
    if (head == NULL || (head->request && head->next == NULL)) continue;
    if (now >= at) {
      relieve(s, now);
      at = now + RESCUE_US;
    }
    if (at < due) due = at;
  }
  return due;
}

/* See postgres/pool/multiplex.h. */
static void size_groups(ldr_pg *e) {
  ldr_slots *all = &e->pool->slots;
  unsigned n = e->ready.n + e->pool->queue.n;
  for (const ldr_slot *s = all->by_state[LDR_SLOT_SHARED].first; s; s = s->next)
    if (s->quick) n += s->in_flight;
  all->group_max = n < LDR_GROUPS * LDR_SHARED_DEPTH ? (n + LDR_GROUPS - 1) / LDR_GROUPS : LDR_SHARED_DEPTH;
}

/* Opening a connection and large results take time that is not the owner's. */
static ldr_load load(const ldr_pg *e, int64_t now) {
  const ldr_slots *all = &e->pool->slots;
  ldr_load load = LDR_IDLE; /* and a connection is there */
  if (e->event_fd_waiters || now < e->no_owner_until) return LDR_HEAVY;
  if (ldr_slots_count(all, LDR_SLOT_CONNECTING) || ldr_slots_count(all, LDR_SLOT_BUSY)) return LDR_HEAVY;
  for (const ldr_slot *s = all->by_state[LDR_SLOT_SHARED].first; s; s = s->next) {
    if (!s->quick) return LDR_HEAVY;
    if (s->in_flight) load = LDR_LIGHT;
  }
  return ldr_slots_total(all) ? load : LDR_HEAVY;
}

static int64_t turn(void *ud) {
  ldr_pg *e = ud;
  int64_t now, due;
  if (e->pool->loop == NULL) return LDR_NEVER; /* not attached yet */
  size_groups(e);
  run_ready(e);
  now = ldr_now_mono();
  run_due(e, now);
  due = look_at_stalls(e, ldr_loop_last_poll(e->loop));
  run_ready(e);
  due = ldr_sooner(due, ldr_pool_turn(e->pool));
  run_ready(e);
  due = ldr_sooner(due, ldr_completions_keepalive(e->completions, now));
  judge_owner(e, now);
  ldr_loop_set_load(e->loop, load(e, now));
  return ldr_sooner(due, e->due);
}

static const ldr_loop_ops ops = {arrived, turn};

/* ---- life ---- */

static ldr_code start(ldr_pg *e, ldr_err *err) {
  ldr_code code = LDR_OK;
  ldr_pg_check_fork(e);
  if (e->loop) return LDR_OK;
  if (e->completions == NULL) code = ldr_completions_new(&e->completions, err);
  if (code == LDR_OK) code = ldr_loop_new(&ops, e, &e->loop, err);
  if (code) return code;
  ldr_loop_lock(e->loop);
  ldr_pool_attach(e->pool, e->loop, slot_ready, e);
  ldr_loop_unlock(e->loop);
  return LDR_OK;
}

/* Abandoned statements may still be under way. */
static void cut_lanes(ldr_pg *e) {
  ldr_slot *s;
  while ((s = e->pool->slots.by_state[LDR_SLOT_SHARED].first) != NULL) {
    unsigned users = s->users;
    ldr_conn_drop(s->conn);
    ldr_conn_cut(s->conn);
    deliver(e);
    ldr_reap_detached(e);
    if (s == e->pool->slots.by_state[LDR_SLOT_SHARED].first && s->users == users) return;
  }
}

void ldr_reactor_stop(ldr_pg *e) {
  ldr_loop *l = e->loop; /* NULL: never started, or the parent's */
  ldr_loop_lock(l);
  if (e->pool) { /* else it was never opened */
    cut_lanes(e);
    ldr_pool_detach(e->pool);
  }
  ldr_loop_unlock(l);
  ldr_loop_free(l);
  e->loop = NULL;
  ldr_completions_free(e->completions);
  e->completions = NULL;
}

/* ---- the owner's side ---- */

void ldr_pg_use_reactor(ldr_engine *engine) { ldr_pg_of(engine)->reactor = true; }

static ldr_code post(ldr_request *rq, ldr_err *err) {
  ldr_code code = start(rq->e, err);
  if (code == LDR_OK && rq->completion_id) code = ldr_completions_reserve(rq->e->completions, err);
  if (code) {
    rq->completion_id = 0;
    return code;
  }
  if (atomic_load(&rq->phase) == LDR_REQUEST_FINISHED) { /* it was given up with its transaction */
    if (rq->completion_id) ldr_completions_put(rq->e->completions, rq->completion_id);
    if (rq->has_event_fd) eventfd_write(rq->event_fd, 1);
    return LDR_OK;
  }
  rq->waiter.woken = woken;
  rq->watch.ready = own_socket_ready;
  rq->exchange->finished = &rq->e->finished;
  rq->exchange->request = rq;
  atomic_store(&rq->phase, LDR_REQUEST_SUBMITTED);
  ldr_loop_submit_or_run(rq->e->loop, &rq->post);
  if (rq->has_event_fd) ldr_loop_owner_blocks(rq->e->loop);
  return LDR_OK;
}

static ldr_request *driven(ldr_task *t, ldr_err *err) {
  ldr_request *rq = (ldr_request *)t;
  if (rq->e && rq->driven) return rq;
  ldr_fail(err, LDR_CLOSED, "this work is not the reactor's");
  return NULL;
}

ldr_code ldr_task_submit(ldr_task *t, uint64_t completion_id, ldr_err *err) {
  ldr_request *rq = driven(t, err);
  if (rq == NULL) return err->code;
  if (atomic_load(&rq->phase) == LDR_REQUEST_SUBMITTED || rq->completion_id || rq->has_event_fd)
    return ldr_fail(err, LDR_INVALID, "this work was submitted before");
  rq->completion_id = completion_id;
  return post(rq, err);
}

static bool make_event_fd(ldr_request *rq) {
  eventfd_t ignored;
  if (rq->event_fd < 0) rq->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (rq->event_fd < 0) return false;
  eventfd_read(rq->event_fd, &ignored);
  return true;
}

/* What was submitted with a completion_id gets a bell, too. */
static void add_event_fd(ldr_request *rq) {
  ldr_loop_lock(rq->e->loop);
  rq->has_event_fd = make_event_fd(rq);
  if (rq->has_event_fd && atomic_load(&rq->phase) == LDR_REQUEST_FINISHED)
    eventfd_write(rq->event_fd, 1);
  else if (rq->has_event_fd)
    rq->e->event_fd_waiters++;
  ldr_loop_unlock(rq->e->loop);
  ldr_loop_owner_blocks(rq->e->loop);
}

int ldr_task_fd(ldr_task *t) {
  ldr_err err;
  ldr_request *rq = driven(t, &err);
  if (rq == NULL) return -1;
  if (rq->has_event_fd) return rq->event_fd;
  if (atomic_load(&rq->phase) != LDR_REQUEST_FRESH || rq->completion_id) {
    add_event_fd(rq);
    return rq->has_event_fd ? rq->event_fd : -1;
  }
  rq->has_event_fd = make_event_fd(rq);
  if (rq->has_event_fd && post(rq, &err) == LDR_OK) return rq->event_fd;
  rq->has_event_fd = false;
  return -1;
}

bool ldr_task_wait(ldr_task *t, int64_t deadline) {
  ldr_request *rq = (ldr_request *)t;
  struct pollfd p = {.fd = ldr_task_fd(t), .events = POLLIN};
  if (p.fd < 0) return true; /* stepping it tells why */
  while (atomic_load(&rq->phase) != LDR_REQUEST_FINISHED) {
    int n = poll(&p, 1, ldr_millis_left(deadline));
    if (n == 0 && atomic_load(&rq->phase) != LDR_REQUEST_FINISHED) return false;
  }
  return true;
}

int ldr_pg_wake_fd(ldr_engine *engine, ldr_err *err) {
  ldr_pg *e = ldr_pg_of(engine);
  int fd;
  if (start(e, err) != LDR_OK) return -1;
  fd = ldr_loop_fd(e->loop, ldr_completions_fd(e->completions));
  if (fd < 0) ldr_fail(err, LDR_CAPACITY, "no descriptor is left for the database's wake-ups");
  return fd;
}

ldr_code ldr_pg_wake_path(ldr_engine *engine, const char **path, ldr_err *err) {
  ldr_pg *e = ldr_pg_of(engine);
  ldr_code code = start(e, err);
  if (code) return code;
  ldr_loop_lock(e->loop);
  code = ldr_completions_listen(e->completions, e->loop, path, err);
  ldr_loop_unlock(e->loop);
  return code;
}

size_t ldr_pg_done(ldr_engine *engine, uint64_t *completion_ids, size_t max) {
  ldr_pg *e = ldr_pg_of(engine);
  ldr_pg_check_fork(e);
  if (e->completions == NULL) return 0;
  if (e->loop) {
    ldr_completions_suppress_notify(e->completions);
    ldr_loop_run_once(e->loop);
  }
  return ldr_completions_take(e->completions, completion_ids, max);
}

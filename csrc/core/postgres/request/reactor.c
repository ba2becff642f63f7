#include "postgres/request/reactor.h"

#include <stddef.h>

#include "base/clock.h"

enum {
  LATE_TURNS = 8,    /* an owner who comes late more often than in one of so many turns … */
  LATE_US = 20000,   /* … runs no turns for so long */
  RESCUE_US = 20000, /* reads that wait so long behind a statement are asked for elsewhere */
  BATCH = 64         /* timers handled at a time */
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

/* ---- what others call: it enqueues, and nothing else ---- */

/* The pool: it has a connection for a request that waits, or an error. */
static void woken(ldr_waiter *w) {
  ldr_request *rq = of_waiter(w);
  if (ldr_request_state_of(rq) == LDR_REQUEST_WAITING) ldr_request_move(rq, LDR_REQUEST_READY);
}

static void own_socket_ready(ldr_watch *w) { ldr_request_poke(of_watch(w)); }

static void arrived(void *ud, ldr_post *p) {
  ldr_pg *e = ud;
  ldr_request *rq = of_post(p);
  e->event_fd_waiters += rq->has_event_fd;
  ldr_request_move(rq, LDR_REQUEST_READY);
}

/* ---- answers ---- */

static void learn(ldr_request *rq, const ldr_exchange *r, int64_t us) {
  if (rq->kind->shares && rq->stmt && !r->lost && !rq->asking && ldr_request_state_of(rq) == LDR_REQUEST_SENT)
    rq->stmt->expected = ldr_share_learn(rq->stmt->expected, us);
}

/* When the owner's poll came late, the time of an answer says nothing of the statement. (In a child the loop
 * is gone.) */
static bool came_late(ldr_pg *e) {
  if (e->loop == NULL || ldr_loop_poll_delay(e->loop) < LDR_QUICK_US) return false;
  e->came_late = true;
  return true;
}

/* An owner who polls late, because he is busy or statements became slower, is a penalty for every answer: for
 * a while the thread, which is always there, runs the loop alone. */
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

/* A write whose deadline passed behind others, and which is the next one now, is cancelled. */
static void poke_expired(const ldr_slot *s) {
  const ldr_exchange *head = ldr_conn_head(s->conn);
  ldr_request *rq = head ? head->request : NULL;
  if (rq && ldr_request_state_of(rq) == LDR_REQUEST_EXPIRED) ldr_request_poke(rq);
}

static void answered(ldr_pg *e, ldr_exchange *r) {
  ldr_slot *s = r->home;
  ldr_request *rq = r->request;
  if (s) {
    int64_t now = ldr_now_mono();
    if (rq && !came_late(e)) learn(rq, r, (now - s->head_since) / (r->peers ? r->peers : 1));
    ldr_slot_answered(s, r, now);
    poke_expired(s);
  }
  if (rq) {
    ldr_request_move(rq, LDR_REQUEST_ANSWERED);
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

/* A connection on which no request of the loop waits may be lent, or idle in a transaction: not the loop's
 * business. */
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
  if (head && head->copying && head->request) ldr_request_poke(head->request);
  if (ldr_conn_dead(s->conn))
    ldr_pool_unwatch(e->pool, s);
  else
    ldr_pool_watch(e->pool, s);
}

/* ---- turns ---- */

static void step(ldr_request *rq) {
  ldr_err err;
  ldr_pg *e = rq->e;
  ldr_code code = ldr_request_step(rq, &err);
  if (code != LDR_PENDING) ldr_request_finished(rq, code, &err);
  deliver(e);
}

/* What is answered first, as that frees connections. */
static ldr_request *next_to_run(const ldr_pg *e) {
  ldr_request *rq = e->in[LDR_REQUEST_ANSWERED].first;
  return rq ? rq : e->in[LDR_REQUEST_READY].first;
}

/* Runs everything that can go on now. */
static void run(ldr_pg *e) {
  ldr_request *rq;
  deliver(e);
  do {
    while ((rq = next_to_run(e)) != NULL) step(rq);
    ldr_reap_detached(e);           /* may have a connection for somebody */
    ldr_pool_flush_groups(e->pool); /* no exchange waits for its Sync when the loop does */
    deliver(e);
  } while (next_to_run(e));
}

/* Requests whose timer is due, BATCH at most; for the rest e->due is when to look again. */
static size_t take_due(ldr_pg *e, int64_t now, ldr_request **out) {
  size_t n = 0;
  e->due = LDR_NEVER;
  for (int state = LDR_REQUEST_READY; state <= LDR_REQUEST_SLEEPING; state++)
    for (ldr_request *rq = e->in[state].first; rq; rq = rq->in_next) {
      if (rq->due <= now && n < BATCH)
        out[n++] = rq;
      else
        e->due = ldr_sooner(e->due, rq->due);
    }
  return n;
}

/* A request that meanwhile was moved by another's step has no timer any more. */
static void run_due(ldr_pg *e, int64_t now) {
  ldr_request *due[BATCH];
  while (now >= e->due) {
    size_t n = take_due(e, now, due);
    for (size_t i = 0; i < n; i++)
      if (due[i]->due <= now) step(due[i]);
    run(e);
    if (n < BATCH) return;
  }
}

/* Reads behind a slow statement move on to another connection. Nobody waits for what stays behind on this
 * one, so it need not run long. */
static void relieve(ldr_pg *e, ldr_slot *s, int64_t now) {
  ldr_exchange *head = ldr_conn_head(s->conn), *next;
  if (ldr_conn_dead(s->conn)) return;
  if (head->request == NULL && now - s->head_since > LDR_GRACE_US) {
    ldr_conn_drop(s->conn);
    return;
  }
  if (head->request == NULL && s->cancelled < s->head_since) ldr_pg_cancel_slot(e, s, now);
  for (ldr_exchange *r = head->sealed ? head->next : head; r;
       r = next) { /* of a group, any may be the slow one */
    ldr_request *rq = r->request;
    next = r->next;
    if (rq == NULL || ldr_request_state_of(rq) != LDR_REQUEST_SENT)
      continue; /* it is being cancelled itself */
    if (ldr_request_reads(rq) && ldr_request_may_move(rq) && !ldr_request_requeue(rq)) return;
  }
}

/* Statements that others wait behind for too long. Returns when to look again. */
static int64_t look_at_stalls(ldr_pg *e, int64_t now) {
  int64_t due = LDR_NEVER;
  for (ldr_slot *s = ldr_pool_next_shared(e->pool, NULL); s; s = ldr_pool_next_shared(e->pool, s)) {
    const ldr_exchange *head = ldr_conn_head(s->conn);
    int64_t at = s->head_since + RESCUE_US;
    if (head == NULL || (head->request && head->next == NULL)) continue;
    if (now >= at) {
      relieve(e, s, now);
      at = now + RESCUE_US;
    }
    if (at < due) due = at;
  }
  return due;
}

static ldr_load load(const ldr_pg *e, int64_t now) {
  return e->event_fd_waiters || now < e->no_owner_until ? LDR_HEAVY : ldr_pool_load(e->pool);
}

static int64_t turn(void *ud) {
  ldr_pg *e = ud;
  int64_t now, due;
  if (e->pool->loop == NULL) return LDR_NEVER; /* not attached yet */
  ldr_pool_size_groups(e->pool, e->in[LDR_REQUEST_READY].n + e->in[LDR_REQUEST_ANSWERED].n);
  run(e);
  now = ldr_now_mono();
  run_due(e, now);
  due = look_at_stalls(e, ldr_loop_last_poll(e->loop));
  run(e);
  due = ldr_sooner(due, ldr_pool_turn(e->pool));
  run(e);
  due = ldr_sooner(due, ldr_completions_keepalive(e->completions, now));
  judge_owner(e, now);
  ldr_loop_set_load(e->loop, load(e, now));
  return ldr_sooner(due, e->due);
}

static const ldr_loop_ops ops = {arrived, turn};

/* ---- life ---- */

ldr_code ldr_reactor_start(ldr_pg *e, ldr_err *err) {
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

void ldr_reactor_prepare(ldr_request *rq) {
  rq->waiter.woken = woken;
  rq->watch.ready = own_socket_ready;
  rq->exchange->finished = &rq->e->finished;
  rq->exchange->request = rq;
}

/* Detached statements may still be under way. */
static void cut_shared(ldr_pg *e) {
  for (ldr_slot *s = ldr_pool_next_shared(e->pool, NULL); s; s = ldr_pool_next_shared(e->pool, s)) {
    ldr_conn_drop(s->conn);
    ldr_conn_cut(s->conn);
  }
  deliver(e);
  ldr_reap_detached(e);
}

void ldr_reactor_stop(ldr_pg *e) {
  ldr_loop *l = e->loop; /* NULL: never started, or the parent's */
  ldr_loop_lock(l);
  if (e->pool) { /* else it was never opened */
    cut_shared(e);
    ldr_pool_detach(e->pool);
  }
  ldr_loop_unlock(l);
  ldr_loop_free(l);
  e->loop = NULL;
  ldr_completions_free(e->completions);
  e->completions = NULL;
}

#define _GNU_SOURCE
#include "postgres/pool/pool.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "async/fork.h"
#include "base/clock.h"

enum {
  CONNECTING_MAX = 2, /* at once: a burst is over before many connections are open */
  LOOK_AGAIN_US = 250000,
  TEND_US = 100000,
  IDLE_LOOK_US = 1000000,
  BACKOFF_US = 50000,
  BACKOFF_STEPS = 5,
  HOLDERS_NAMED = 5
};

/* ---- slots ---- */

static void destroy(ldr_pool *p, ldr_slot *s) {
  ldr_slots_remove(&p->slots, s);
  ldr_pool_unwatch(p, s);
  ldr_conn_close(s->conn);
  ldr_registry_done(&s->prepared);
  ldr_exchange_free(&s->undo);
  ldr_free(s);
}

/* ---- the queue ---- */

/* A connection may be opened, or one that is being opened has lost its driver: the oldest who could do it. */
static void poke(ldr_pool *p) {
  for (ldr_waiter *w = p->queue.first; w; w = w->next)
    if (w->driving == NULL) {
      ldr_waiter_wake(w);
      return;
    }
}

static void stop_driving(ldr_waiter *w) {
  if (w->driving == NULL) return;
  if (w->has_fds) epoll_ctl(w->set, EPOLL_CTL_DEL, ldr_conn_fd(w->driving->conn), NULL);
  w->driving->driver = NULL;
  w->driving = NULL;
}

/* ---- idle connections ---- */

static void destroy_idle(ldr_pool *p, ldr_slot *s, uint64_t *counter) {
  ++*counter;
  destroy(p, s);
}

/* The one used last, if it is still alive; those found dead are destroyed on the way. */
static ldr_slot *take_idle(ldr_pool *p) {
  int64_t now = ldr_now_mono();
  ldr_slot *s;
  while ((s = p->slots.by_state[LDR_SLOT_IDLE].first) != NULL) {
    if (now >= s->expires)
      destroy_idle(p, s, &p->stats.destroyed_lifetime);
    else if (!ldr_conn_check(s->conn))
      destroy_idle(p, s, &p->stats.destroyed_broken);
    else
      break;
  }
  return s;
}

static bool reads(const ldr_waiter *w) {
  return w->lane == LDR_SHARE_QUICK || w->lane == LDR_SHARE_READ || w->lane == LDR_SHARE_NEW;
}

static ldr_slot *take_own(ldr_pool *p) {
  ldr_slot *s = take_idle(p);
  if (s) ldr_slots_move(&p->slots, s, LDR_SLOT_BUSY);
  return s;
}

static ldr_slot *take_shared(ldr_pool *p, bool solo, bool quick) {
  ldr_slot *s = take_idle(p);
  if (s == NULL) return NULL;
  ldr_slots_move(&p->slots, s, LDR_SLOT_SHARED);
  s->users = 1;
  s->exclusive = solo;
  s->quick = quick;
  s->closing = false;
  return s;
}

/* A place for w that can be had now. */
static ldr_slot *place(ldr_pool *p, const ldr_waiter *w) {
  ldr_slot *s = NULL;
  if (p->loop == NULL || w->lane == LDR_SHARE_OWN) return take_own(p);
  switch (ldr_share_place(&p->slots, p->config.max, w->lane, ldr_loop_last_poll(p->loop), &s)) {
    case LDR_PLACE_NONE: return NULL;
    case LDR_PLACE_EXCLUSIVE: return take_shared(p, true, false);
    case LDR_PLACE_SHARE: return take_shared(p, false, w->lane == LDR_SHARE_QUICK);
    case LDR_PLACE_JOIN: s->users++; break;
  }
  return s;
}

static void hand_over(ldr_pool *p, ldr_waiter *w, ldr_slot *s) {
  ldr_waiters_remove(&p->queue, w);
  w->slot = s;
  w->served = true;
  if (w->driving) {
    stop_driving(w);
    poke(p);
  }
  ldr_waiter_wake(w);
}

/* Connections go to the oldest callers; who waits for something else is passed over. */
static void serve(ldr_pool *p) {
  bool full = false; /* lanes take no more */
  for (ldr_waiter *w = p->queue.first, *next; w; w = next) {
    bool idle = ldr_slots_count(&p->slots, LDR_SLOT_IDLE) > 0;
    ldr_slot *s;
    next = w->next;
    if (!idle && (full || p->loop == NULL)) return;
    if (!idle && w->lane == LDR_SHARE_OWN) continue;
    s = place(p, w);
    if (s)
      hand_over(p, w, s);
    else if (reads(w))
      full = true;
  }
}

/* ---- opening connections ---- */

static double chance(ldr_pool *p) { /* 0 … 1, xorshift64 */
  p->random ^= p->random << 13;
  p->random ^= p->random >> 7;
  p->random ^= p->random << 17;
  return (double)(p->random >> 11) / 9007199254740992.0;
}

static int64_t after(double seconds) { return seconds > 0 ? ldr_deadline(seconds) : LDR_NEVER; }

static bool down(const ldr_pool *p) { return p->failures > 0; }

static bool may_connect(const ldr_pool *p) {
  return ldr_slots_total(&p->slots) < p->config.max &&
         ldr_slots_count(&p->slots, LDR_SLOT_CONNECTING) < (down(p) ? 1 : CONNECTING_MAX) &&
         (!down(p) || ldr_now_mono() >= p->retry_at);
}

static void note_failure(ldr_pool *p, const ldr_err *err) {
  unsigned step = p->failures < BACKOFF_STEPS ? p->failures : BACKOFF_STEPS;
  p->failures++;
  p->stats.connect_failures++;
  p->retry_at = ldr_now_mono() + (int64_t)((BACKOFF_US << step) * (0.75 + chance(p) / 2));
  p->why = *err;
}

void ldr_pool_watch(ldr_pool *p, ldr_slot *s) {
  /* while it goes from host to host, a new socket may have the number of the one before */
  if (s->state == LDR_SLOT_CONNECTING) ldr_loop_unwatch(p->loop, &s->watch, -1);
  s->watch.ready = p->ready;
  s->owner = p->owner;
  ldr_loop_watch(p->loop, &s->watch, ldr_conn_fd(s->conn), ldr_conn_events(s->conn));
}

void ldr_pool_unwatch(ldr_pool *p, ldr_slot *s) {
  if (p->loop) ldr_loop_unwatch(p->loop, &s->watch, ldr_conn_fd(s->conn));
}

static ldr_code start_connect(ldr_pool *p, ldr_slot **out, ldr_err *err) {
  ldr_slot *s = ldr_alloc(sizeof *s);
  ldr_code code;
  if (s == NULL) return ldr_fail_nomem(err);
  if (!ldr_registry_init(&s->prepared, p->unnamed ? 0 : p->config.statement_cache)) {
    ldr_free(s);
    return ldr_fail_nomem(err);
  }
  code = ldr_conn_start(p->info, &s->conn, err);
  if (code) {
    ldr_registry_done(&s->prepared);
    ldr_free(s);
    note_failure(p, err);
    return code;
  }
  s->connect_by = after(p->config.connect_timeout);
  ldr_slots_add(&p->slots, s, LDR_SLOT_CONNECTING);
  if (p->loop) ldr_pool_watch(p, s);
  *out = s;
  return LDR_OK;
}

/* libpq may only be asked to go on when the socket is ready. */
static bool socket_ready(const ldr_conn *c, int milliseconds) {
  unsigned e = ldr_conn_events(c);
  short events = (short)((e & LDR_READ ? POLLIN : 0) | (e & LDR_WRITE ? POLLOUT : 0));
  struct pollfd f = {.fd = ldr_conn_fd(c), .events = events};
  return poll(&f, 1, milliseconds) > 0;
}

/* One step of opening s. LDR_OK: it is idle now, or somebody's; on failure it is gone. */
static ldr_code step_connect(ldr_pool *p, ldr_slot *s, ldr_err *err) {
  ldr_code code = LDR_PENDING;
  if (socket_ready(s->conn, 0)) code = ldr_conn_connect(s->conn, err);
  if (code == LDR_PENDING && ldr_now_mono() >= s->connect_by)
    code = ldr_fail(err, LDR_CONNECTION, "the server did not answer within the connect timeout");
  if (code == LDR_PENDING) {
    if (p->loop) ldr_pool_watch(p, s);
    return code;
  }
  if (s->driver) stop_driving(s->driver);
  if (code) {
    destroy(p, s);
    note_failure(p, err);
    if (p->loop && ldr_pgerr_permanent(err)) ldr_waiters_wake_all(&p->queue); /* it concerns everybody */
  } else {
    if (p->loop) ldr_pool_watch(p, s);
    p->failures = 0;
    p->stats.connects++;
    s->expires = p->config.lifetime > 0 ? after(p->config.lifetime * (1 - chance(p) / 10)) : LDR_NEVER;
    ldr_slots_move(&p->slots, s, LDR_SLOT_IDLE);
    serve(p);
  }
  poke(p);
  return code;
}

ldr_code ldr_pool_connect(ldr_pool *p, int64_t deadline, ldr_err *err) {
  ldr_slot *s;
  ldr_code code = start_connect(p, &s, err);
  if (code) return code;
  s->connect_by = ldr_sooner(s->connect_by, deadline);
  while ((code = step_connect(p, s, err)) == LDR_PENDING)
    socket_ready(s->conn, ldr_millis_left(s->connect_by));
  return code;
}

/* Connections in the making that lost their driver go on whenever the pool is used. */
static void step_orphans(ldr_pool *p) {
  ldr_slot *s = p->slots.by_state[LDR_SLOT_CONNECTING].first, *next;
  for (; s; s = next) {
    ldr_err ignored;
    next = s->next;
    if (s->driver == NULL && step_connect(p, s, &ignored) == LDR_OK) return; /* lists have changed */
  }
}

static void tend(ldr_pool *p) {
  int64_t now = ldr_now_mono(), idle_us = (int64_t)(p->config.idle_timeout * 1e6);
  ldr_slot *s = p->slots.by_state[LDR_SLOT_IDLE].last;
  if (p->loop == NULL && ldr_slots_count(&p->slots, LDR_SLOT_CONNECTING)) step_orphans(p);
  if (now - p->tended < TEND_US) return;
  p->tended = now;
  while ((s = p->slots.by_state[LDR_SLOT_IDLE].last) != NULL) { /* last: idle for the longest time */
    if (now >= s->expires)
      destroy_idle(p, s, &p->stats.destroyed_lifetime);
    else if (idle_us > 0 && now - s->since > idle_us && ldr_slots_total(&p->slots) > p->config.min)
      destroy_idle(p, s, &p->stats.destroyed_idle);
    else
      break;
  }
}

static void refill(ldr_pool *p) {
  ldr_slot *s;
  ldr_err ignored;
  if (ldr_slots_total(&p->slots) < p->config.min && may_connect(p) &&
      start_connect(p, &s, &ignored) == LDR_OK)
    poke(p);
}

/* ---- acquire ---- */

static double seconds_since(int64_t t) { return (double)(ldr_now_mono() - t) / 1e6; }

/* "users.list 12.3 s, transaction 4.0 s": who has the connections, longest first. */
static void name_holders(const ldr_pool *p, char *out, size_t size) {
  size_t n = 0;
  unsigned named = 0;
  for (const ldr_slot *s = p->slots.by_state[LDR_SLOT_BUSY].last; s && named < HOLDERS_NAMED;
       s = s->prev, named++) {
    int w = snprintf(out + n, size - n, "%s%s %.1f s", named ? ", " : "", s->holder, seconds_since(s->since));
    if (w < 0 || (size_t)w >= size - n) return;
    n += (size_t)w;
  }
}

static ldr_code fail_exhausted(ldr_pool *p, const char *why, ldr_err *err) {
  char holders[300] = "";
  name_holders(p, holders, sizeof holders);
  p->stats.acquire_timeouts++;
  return ldr_fail(err, LDR_POOL_TIMEOUT, "%s; %u of %u connections are in use: %s", why,
                  ldr_slots_count(&p->slots, LDR_SLOT_BUSY), p->config.max, *holders ? holders : "none");
}

static ldr_code fail_waited(ldr_pool *p, const ldr_waiter *w, ldr_err *err) {
  char why[80];
  if (down(p)) {
    *err = p->why;
    return err->code;
  }
  if (w->hard && ldr_slots_count(&p->slots, LDR_SLOT_BUSY) < p->config.max)
    return ldr_fail(err, LDR_TIMEOUT, "the deadline passed while connecting");
  snprintf(why, sizeof why, "no connection became free within %.1f s", seconds_since(w->since));
  return fail_exhausted(p, why, err);
}

static bool hopeless(const ldr_pool *p, const ldr_waiter *w) {
  return down(p) && ldr_pgerr_permanent(&p->why) && ldr_now_mono() < p->retry_at && w->driving == NULL;
}

static ldr_code join_queue(ldr_pool *p, ldr_waiter *w, bool block, int64_t deadline, ldr_err *err) {
  int64_t own = after(p->config.acquire_timeout);
  if (!block && p->queue.n >= p->config.queue_max)
    return fail_exhausted(p, "too many callers wait for a connection", err);
  w->since = ldr_now_mono();
  w->hard = deadline <= own;
  w->deadline = w->hard ? deadline : own;
  ldr_waiters_add(&p->queue, w, block && p->loop == NULL);
  return LDR_OK;
}

static unsigned not_reading(const ldr_pool *p) {
  unsigned n = 0;
  for (const ldr_waiter *w = p->queue.first; w; w = w->next) n += !reads(w);
  return n;
}

/* Under a loop nobody drives but that. A lane may have to be emptied for w when no connection can be added.
 */
static ldr_code grow(ldr_pool *p, const ldr_waiter *w, ldr_err *err) {
  ldr_slot *s;
  ldr_code code;
  if (ldr_slots_total(&p->slots) >= p->config.max && !reads(w)) {
    s = ldr_share_pick_to_close(&p->slots, not_reading(p));
    if (s) s->closing = true;
  }
  if (!may_connect(p) || !ldr_share_wants_more(&p->slots, p->config.max, w->lane, ldr_now_mono()))
    return LDR_OK;
  code = start_connect(p, &s, err);
  return code == LDR_CAPACITY || (code && ldr_pgerr_permanent(err)) ? code : LDR_OK;
}

/* Gives w a connect to drive: one that nobody drives, or a new one. A caller that blocks takes any: nobody
 * else runs meanwhile. */
static ldr_code find_work(ldr_pool *p, ldr_waiter *w, bool block, ldr_err *err) {
  ldr_slot *s;
  if (p->loop) return grow(p, w, err);
  s = p->slots.by_state[LDR_SLOT_CONNECTING].last;
  while (s && s->driver && !block) s = s->prev;
  if (s == NULL && may_connect(p)) {
    ldr_code code = start_connect(p, &s, err);
    if (code == LDR_CAPACITY || (code && ldr_pgerr_permanent(err))) return code;
  }
  if (s == NULL) return LDR_OK;
  if (s->driver) stop_driving(s->driver);
  s->driver = w;
  w->driving = s;
  return LDR_OK;
}

/* Where and until when w waits. */
static void set_wait(const ldr_pool *p, ldr_waiter *w, bool block) {
  int64_t now = ldr_now_mono(), again = now + LOOK_AGAIN_US;
  int fd = w->driving ? ldr_conn_fd(w->driving->conn) : -1;
  unsigned events = w->driving ? ldr_conn_events(w->driving->conn) : 0;
  if (w->woken) again = LDR_NEVER; /* ldr_pool_turn looks after it */
  if ((!block || p->loop) && w->woken == NULL && ldr_waiter_make_fds(w)) {
    if (fd >= 0) ldr_waiter_watch(w, fd, events);
    fd = w->set;
    events = LDR_READ;
  }
  w->fd = fd;
  w->events = events;
  if (w->driving && w->driving->connect_by < again) again = w->driving->connect_by;
  if (w->driving == NULL && down(p) && p->retry_at > now && p->retry_at < again) again = p->retry_at;
  w->again = again < w->deadline ? again : w->deadline;
}

static ldr_code work(ldr_pool *p, ldr_waiter *w, bool block, ldr_err *err) {
  ldr_code code = LDR_OK;
  if (w->driving) code = step_connect(p, w->driving, err);
  if (w->served) return LDR_OK;
  if (code > LDR_PENDING && ldr_pgerr_permanent(err)) return code;
  if (hopeless(p, w)) {
    *err = p->why;
    return err->code;
  }
  if (w->driving == NULL && (code = find_work(p, w, block, err)) != LDR_OK) return code;
  if (block && p->loop == NULL && w->driving == NULL &&
      ldr_slots_count(&p->slots, LDR_SLOT_BUSY) >= p->config.max)
    return fail_exhausted(p, "every connection is held by this thread, so waiting cannot help", err);
  if (ldr_now_mono() >= w->deadline) return fail_waited(p, w, err);
  return LDR_PENDING;
}

static ldr_code got(ldr_pool *p, ldr_waiter *w, ldr_slot *s, const char *holder) {
  p->stats.acquires++;
  if (w->served) {
    p->stats.acquire_waits++;
    p->stats.acquire_wait_us += (uint64_t)(ldr_now_mono() - w->since);
  }
  w->served = false;
  w->slot = s;
  ldr_err_set(s->holder, sizeof s->holder, holder);
  return LDR_OK;
}

/* The lane that w joined was in use already: more lanes, until there are enough. */
static void widen(ldr_pool *p, const ldr_waiter *w) {
  ldr_err ignored;
  ldr_code code = ldr_slots_total(&p->slots) < LDR_SHARED_MAX ? grow(p, w, &ignored) : LDR_OK;
  (void)code; /* w has its place */
}

ldr_code ldr_pool_acquire(ldr_pool *p, ldr_waiter *w, const char *holder, bool block, int64_t deadline,
                          ldr_err *err) {
  ldr_code code;
  ldr_pool_check_fork(p);
  if (!w->queued && !w->served) {
    ldr_slot *s = NULL;
    tend(p);
    if (block || p->loop || p->queue.first == NULL)
      s = place(p, w); /* lanes: who waits, waits for something else */
    if (s) {
      if (s->users > 1) widen(p, w);
      return got(p, w, s, holder);
    }
    code = join_queue(p, w, block, deadline, err);
    if (code) return code;
  }
  ldr_waiter_drain(w);
  code = w->served ? LDR_OK : work(p, w, block, err);
  if (w->served) return got(p, w, w->slot, holder);
  if (code == LDR_PENDING) {
    set_wait(p, w, block);
    return code;
  }
  ldr_pool_leave(p, w);
  return code;
}

void ldr_pool_leave(ldr_pool *p, ldr_waiter *w) {
  if (w->queued) ldr_waiters_remove(&p->queue, w);
  if (w->driving) {
    stop_driving(w);
    poke(p);
  }
  if (w->served) {
    w->served = false;
    ldr_pool_release(p, w->slot, false);
    w->slot = NULL;
  }
}

/* Nobody uses s any more. */
static void retire(ldr_pool *p, ldr_slot *s) {
  s->closing = s->exclusive = false;
  if (!ldr_conn_clean(s->conn) || s->discard) {
    p->stats.destroyed_broken++;
    destroy(p, s);
  } else if (ldr_now_mono() >= s->expires) {
    p->stats.destroyed_lifetime++;
    destroy(p, s);
  } else {
    ldr_slots_move(&p->slots, s, LDR_SLOT_IDLE);
    if (p->loop) ldr_pool_watch(p, s);
  }
}

void ldr_pool_release(ldr_pool *p, ldr_slot *s, bool block) {
  ldr_pool_check_fork(p);
  if (s->state == LDR_SLOT_SHARED && s->users > 0) s->users--;
  if (s->users == 0) retire(p, s);
  if (p->queue.first) {
    serve(p);
    if (p->queue.first) poke(p);
  }
  if (!block) refill(p);
}

/* ---- under a loop ---- */

void ldr_pool_attach(ldr_pool *p, ldr_loop *l, void (*ready)(ldr_watch *w), void *owner) {
  p->loop = l;
  p->ready = ready;
  p->owner = owner;
  for (ldr_slot *s = p->slots.by_state[LDR_SLOT_IDLE].first; s; s = s->next) ldr_pool_watch(p, s);
}

void ldr_pool_detach(ldr_pool *p) {
  p->loop = NULL;
  for (int state = 0; state < LDR_SLOT_NSTATES; state++)
    for (ldr_slot *s = p->slots.by_state[state].first; s; s = s->next) s->watch.on = false;
}

void ldr_pool_ready(ldr_pool *p, ldr_slot *s) {
  ldr_err ignored;
  if (s->state == LDR_SLOT_CONNECTING) {
    ldr_code code = step_connect(p, s, &ignored);
    (void)code; /* whoever waits is told by ldr_pool_acquire */
  } else if (s->state == LDR_SLOT_IDLE && !ldr_conn_check(s->conn)) {
    destroy_idle(p, s, &p->stats.destroyed_broken);
  }
}

/* Who still waits, perhaps behind a lane that has stalled since. */
static int64_t turn_queue(ldr_pool *p, int64_t now) {
  ldr_err ignored;
  ldr_code code;
  if (p->queue.first == NULL) return LDR_NEVER;
  serve(p);
  if (p->queue.first == NULL) return LDR_NEVER;
  code = grow(p, p->queue.first, &ignored);
  (void)code; /* ldr_pool_acquire tells it */
  return down(p) ? ldr_sooner(now + LOOK_AGAIN_US, p->retry_at > now ? p->retry_at : now + BACKOFF_US)
                 : now + LDR_STALL_US;
}

int64_t ldr_pool_turn(ldr_pool *p) {
  int64_t now = ldr_now_mono(), due = LDR_NEVER;
  ldr_err ignored;
  for (ldr_slot *s = p->slots.by_state[LDR_SLOT_CONNECTING].first, *next; s; s = next) {
    next = s->next;
    if (now >= s->connect_by && step_connect(p, s, &ignored) != LDR_PENDING)
      return now; /* lists have changed */
    due = ldr_sooner(due, s->connect_by);
  }
  tend(p);
  refill(p);
  if (ldr_slots_count(&p->slots, LDR_SLOT_IDLE)) due = ldr_sooner(due, now + IDLE_LOOK_US);
  return ldr_sooner(due, turn_queue(p, now));
}

/* ---- the pool ---- */

ldr_code ldr_pool_new(const ldr_conninfo *info, const ldr_pool_config *c, ldr_pool **out, ldr_err *err) {
  ldr_pool *p = ldr_alloc(sizeof *p);
  if (p == NULL) return ldr_fail_nomem(err);
  p->config = *c;
  if (p->config.max == 0) p->config.max = 1;
  p->info = info;
  p->unnamed = c->statement_cache == 0;
  p->random = (uint64_t)ldr_now_wall() ^ (uint64_t)(uintptr_t)p;
  if (p->random == 0) p->random = 1;
  p->generation = ldr_forks();
  *out = p;
  return LDR_OK;
}

void ldr_pool_free(ldr_pool *p) {
  if (p == NULL) return;
  ldr_pool_check_fork(p);
  assert(p->slots.by_state[LDR_SLOT_BUSY].first == NULL && p->queue.first == NULL);
  assert(p->slots.by_state[LDR_SLOT_SHARED].first == NULL);
  while (p->slots.by_state[LDR_SLOT_CONNECTING].first)
    destroy(p, p->slots.by_state[LDR_SLOT_CONNECTING].first);
  while (p->slots.by_state[LDR_SLOT_IDLE].first) destroy(p, p->slots.by_state[LDR_SLOT_IDLE].first);
  ldr_free(p);
}

static void give_up_parent(ldr_pool *p) {
  ldr_pool_detach(p); /* a loop's thread is the parent's, too */
  for (int state = 0; state < LDR_SLOT_NSTATES; state++)
    for (ldr_slot *s = p->slots.by_state[state].first; s; s = s->next) ldr_conn_abandon(s->conn);
  for (ldr_waiter *w = p->queue.first; w; w = w->next) {
    ldr_waiter_done(w); /* its descriptors are the parent's, too */
    w->driving = NULL;
  }
  while (p->slots.by_state[LDR_SLOT_CONNECTING].first)
    destroy(p, p->slots.by_state[LDR_SLOT_CONNECTING].first);
  while (p->slots.by_state[LDR_SLOT_IDLE].first) destroy(p, p->slots.by_state[LDR_SLOT_IDLE].first);
  p->failures = 0;
}

void ldr_pool_check_fork(ldr_pool *p) {
  unsigned now = ldr_forks();
  if (p->generation == now) return;
  p->generation = now;
  give_up_parent(p);
}

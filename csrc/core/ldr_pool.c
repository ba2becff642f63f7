#define _GNU_SOURCE
#include "ldr_pool.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ldr_clock.h"

enum {
  CONNECTING_MAX = 2, /* at once: a burst is over before many connections are open */
  LOOK_AGAIN_US = 250000,
  TEND_US = 100000,
  BACKOFF_US = 50000,
  BACKOFF_STEPS = 5,
  HOLDERS_NAMED = 5
};

/* ---- forks ---- */

static atomic_uint forks; /* of this process' ancestors; the only state outside a pool */
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void count_fork(void) { atomic_fetch_add(&forks, 1); }
static void watch_forks(void) { pthread_atfork(NULL, NULL, count_fork); }

/* ---- states ---- */

static const bool may_move[LDR_SLOT_NSTATES][LDR_SLOT_NSTATES] = {
    [LDR_SLOT_CONNECTING] = {[LDR_SLOT_IDLE] = true},
    [LDR_SLOT_IDLE] = {[LDR_SLOT_BUSY] = true},
    [LDR_SLOT_BUSY] = {[LDR_SLOT_IDLE] = true},
};

static void list_add(ldr_pool *p, ldr_slot *s, ldr_slot_state state) {
  s->state = state;
  s->since = ldr_now_mono();
  s->prev = NULL;
  s->next = p->by_state[state].first;
  if (s->next)
    s->next->prev = s;
  else
    p->by_state[state].last = s;
  p->by_state[state].first = s;
  p->by_state[state].n++;
}

static void list_remove(ldr_pool *p, ldr_slot *s) {
  if (s->prev)
    s->prev->next = s->next;
  else
    p->by_state[s->state].first = s->next;
  if (s->next)
    s->next->prev = s->prev;
  else
    p->by_state[s->state].last = s->prev;
  p->by_state[s->state].n--;
}

/* The only place that changes a slot's state. */
static void move(ldr_pool *p, ldr_slot *s, ldr_slot_state to) {
  assert(may_move[s->state][to]);
  list_remove(p, s);
  list_add(p, s, to);
}

static unsigned count(const ldr_pool *p, ldr_slot_state state) { return p->by_state[state].n; }

unsigned ldr_pool_total(const ldr_pool *p) {
  return count(p, LDR_SLOT_CONNECTING) + count(p, LDR_SLOT_IDLE) + count(p, LDR_SLOT_BUSY);
}

static void destroy(ldr_pool *p, ldr_slot *s) {
  list_remove(p, s);
  ldr_conn_close(s->conn);
  ldr_registry_done(&s->prepared);
  ldr_req_free(&s->undo);
  ldr_free(s);
}

/* ---- the queue ---- */

static void enqueue(ldr_pool *p, ldr_waiter *w, bool in_front) {
  ldr_waiter *before = in_front ? NULL : p->last, *after = in_front ? p->first : NULL;
  w->prev = before;
  w->next = after;
  *(before ? &before->next : &p->first) = w;
  *(after ? &after->prev : &p->last) = w;
  w->queued = true;
  p->nwaiting++;
}

static void dequeue(ldr_pool *p, ldr_waiter *w) {
  *(w->prev ? &w->prev->next : &p->first) = w->next;
  *(w->next ? &w->next->prev : &p->last) = w->prev;
  w->queued = false;
  p->nwaiting--;
}

static void wake(const ldr_waiter *w) {
  if (w->has_fds) eventfd_write(w->wake, 1);
}

static void drain(const ldr_waiter *w) {
  eventfd_t ignored;
  if (w->has_fds) eventfd_read(w->wake, &ignored);
}

static bool make_fds(ldr_waiter *w) {
  struct epoll_event e = {.events = EPOLLIN};
  if (w->has_fds) return true;
  w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  w->set = epoll_create1(EPOLL_CLOEXEC);
  w->has_fds = true;
  if (w->wake >= 0 && w->set >= 0 && epoll_ctl(w->set, EPOLL_CTL_ADD, w->wake, &e) == 0) return true;
  ldr_waiter_done(w);
  return false;
}

void ldr_waiter_done(ldr_waiter *w) {
  if (!w->has_fds) return;
  if (w->wake >= 0) close(w->wake);
  if (w->set >= 0) close(w->set);
  w->has_fds = false;
}

/* The socket changes while libpq goes from host to host; a closed one has left the set by itself. */
static void watch(const ldr_waiter *w, int fd, unsigned events) {
  struct epoll_event e = {.events =
                              (events & LDR_READ ? EPOLLIN : 0u) | (events & LDR_WRITE ? EPOLLOUT : 0u)};
  if (epoll_ctl(w->set, EPOLL_CTL_MOD, fd, &e) != 0) epoll_ctl(w->set, EPOLL_CTL_ADD, fd, &e);
}

/* A connection may be opened, or one that is being opened has lost its driver: the oldest who could do it. */
static void poke(ldr_pool *p) {
  for (ldr_waiter *w = p->first; w; w = w->next)
    if (w->driving == NULL) {
      wake(w);
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
  while ((s = p->by_state[LDR_SLOT_IDLE].first) != NULL) {
    if (now >= s->expires)
      destroy_idle(p, s, &p->stats.destroyed_lifetime);
    else if (!ldr_conn_check(s->conn))
      destroy_idle(p, s, &p->stats.destroyed_broken);
    else
      break;
  }
  if (s) move(p, s, LDR_SLOT_BUSY);
  return s;
}

/* Idle connections go to the oldest callers. */
static void serve(ldr_pool *p) {
  ldr_slot *s;
  while (p->first && (s = take_idle(p)) != NULL) {
    ldr_waiter *w = p->first;
    dequeue(p, w);
    w->slot = s;
    w->served = true;
    if (w->driving) {
      stop_driving(w);
      poke(p);
    }
    wake(w);
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
  return ldr_pool_total(p) < p->config.max &&
         count(p, LDR_SLOT_CONNECTING) < (down(p) ? 1 : CONNECTING_MAX) &&
         (!down(p) || ldr_now_mono() >= p->retry_at);
}

static void note_failure(ldr_pool *p, const ldr_err *err) {
  unsigned step = p->failures < BACKOFF_STEPS ? p->failures : BACKOFF_STEPS;
  p->failures++;
  p->stats.connect_failures++;
  p->retry_at = ldr_now_mono() + (int64_t)((BACKOFF_US << step) * (0.75 + chance(p) / 2));
  p->why = *err;
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
  list_add(p, s, LDR_SLOT_CONNECTING);
  *out = s;
  return LDR_OK;
}

/* libpq may only be asked to go on when the socket is ready. */
static bool ready(const ldr_conn *c, int milliseconds) {
  unsigned e = ldr_conn_events(c);
  short events = (short)((e & LDR_READ ? POLLIN : 0) | (e & LDR_WRITE ? POLLOUT : 0));
  struct pollfd f = {.fd = ldr_conn_fd(c), .events = events};
  return poll(&f, 1, milliseconds) > 0;
}

/* One step of opening s. LDR_OK: it is idle now, or somebody's; on failure it is gone. */
static ldr_code step_connect(ldr_pool *p, ldr_slot *s, ldr_err *err) {
  ldr_code code = LDR_PENDING;
  if (ready(s->conn, 0)) code = ldr_conn_connect(s->conn, err);
  if (code == LDR_PENDING && ldr_now_mono() >= s->connect_by)
    code = ldr_fail(err, LDR_CONNECTION, "the server did not answer within the connect timeout");
  if (code == LDR_PENDING) return code;
  if (s->driver) stop_driving(s->driver);
  if (code) {
    destroy(p, s);
    note_failure(p, err);
  } else {
    p->failures = 0;
    p->stats.connects++;
    s->expires = p->config.lifetime > 0 ? after(p->config.lifetime * (1 - chance(p) / 10)) : LDR_NEVER;
    move(p, s, LDR_SLOT_IDLE);
    serve(p);
  }
  poke(p);
  return code;
}

ldr_code ldr_pool_connect(ldr_pool *p, ldr_err *err) {
  ldr_slot *s;
  ldr_code code = start_connect(p, &s, err);
  if (code) return code;
  while ((code = step_connect(p, s, err)) == LDR_PENDING) ready(s->conn, ldr_millis_left(s->connect_by));
  return code;
}

/* Connections in the making that lost their driver go on whenever the pool is used. */
static void step_orphans(ldr_pool *p) {
  ldr_slot *s = p->by_state[LDR_SLOT_CONNECTING].first, *next;
  for (; s; s = next) {
    ldr_err ignored;
    next = s->next;
    if (s->driver == NULL && step_connect(p, s, &ignored) == LDR_OK) return; /* lists have changed */
  }
}

static void tend(ldr_pool *p) {
  int64_t now = ldr_now_mono(), idle_us = (int64_t)(p->config.idle_timeout * 1e6);
  ldr_slot *s = p->by_state[LDR_SLOT_IDLE].last;
  if (count(p, LDR_SLOT_CONNECTING)) step_orphans(p);
  if (now - p->tended < TEND_US) return;
  p->tended = now;
  while ((s = p->by_state[LDR_SLOT_IDLE].last) != NULL) { /* last: idle for the longest time */
    if (now >= s->expires)
      destroy_idle(p, s, &p->stats.destroyed_lifetime);
    else if (idle_us > 0 && now - s->since > idle_us && ldr_pool_total(p) > p->config.min)
      destroy_idle(p, s, &p->stats.destroyed_idle);
    else
      break;
  }
}

static void refill(ldr_pool *p) {
  ldr_slot *s;
  ldr_err ignored;
  if (ldr_pool_total(p) < p->config.min && may_connect(p) && start_connect(p, &s, &ignored) == LDR_OK)
    poke(p);
}

/* ---- acquire ---- */

static double seconds_since(int64_t t) { return (double)(ldr_now_mono() - t) / 1e6; }

/* "users.list 12.3 s, transaction 4.0 s": who has the connections, longest first. */
static void name_holders(const ldr_pool *p, char *out, size_t size) {
  size_t n = 0;
  unsigned named = 0;
  for (const ldr_slot *s = p->by_state[LDR_SLOT_BUSY].last; s && named < HOLDERS_NAMED;
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
                  count(p, LDR_SLOT_BUSY), p->config.max, *holders ? holders : "none");
}

static ldr_code fail_waited(ldr_pool *p, const ldr_waiter *w, ldr_err *err) {
  char why[80];
  if (down(p)) {
    *err = p->why;
    return err->code;
  }
  if (w->hard && count(p, LDR_SLOT_BUSY) < p->config.max)
    return ldr_fail(err, LDR_TIMEOUT, "the deadline passed while connecting");
  snprintf(why, sizeof why, "no connection became free within %.1f s", seconds_since(w->since));
  return fail_exhausted(p, why, err);
}

static bool hopeless(const ldr_pool *p, const ldr_waiter *w) {
  return down(p) && ldr_pgerr_permanent(&p->why) && ldr_now_mono() < p->retry_at && w->driving == NULL;
}

static ldr_code join_queue(ldr_pool *p, ldr_waiter *w, bool block, int64_t deadline, ldr_err *err) {
  int64_t own = after(p->config.acquire_timeout);
  if (!block && p->nwaiting >= p->config.queue_max)
    return fail_exhausted(p, "too many callers wait for a connection", err);
  w->since = ldr_now_mono();
  w->hard = deadline <= own;
  w->deadline = w->hard ? deadline : own;
  enqueue(p, w, block);
  return LDR_OK;
}

/* Gives w a connect to drive: one that nobody drives, or a new one. A caller that blocks takes any: nobody
 * else runs meanwhile. */
static ldr_code find_work(ldr_pool *p, ldr_waiter *w, bool block, ldr_err *err) {
  ldr_slot *s = p->by_state[LDR_SLOT_CONNECTING].last;
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
  if (!block && make_fds(w)) {
    if (fd >= 0) watch(w, fd, events);
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
  if (block && w->driving == NULL && count(p, LDR_SLOT_BUSY) >= p->config.max)
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

ldr_code ldr_pool_acquire(ldr_pool *p, ldr_waiter *w, const char *holder, bool block, int64_t deadline,
                          ldr_err *err) {
  ldr_code code;
  ldr_pool_check_fork(p);
  if (!w->queued && !w->served) {
    ldr_slot *s = NULL;
    tend(p);
    if (block || p->first == NULL) s = take_idle(p);
    if (s) return got(p, w, s, holder);
    code = join_queue(p, w, block, deadline, err);
    if (code) return code;
  }
  drain(w);
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
  if (w->queued) dequeue(p, w);
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

void ldr_pool_release(ldr_pool *p, ldr_slot *s, bool block) {
  ldr_pool_check_fork(p);
  if (!ldr_conn_clean(s->conn) || s->discard) {
    p->stats.destroyed_broken++;
    destroy(p, s);
  } else if (ldr_now_mono() >= s->expires) {
    p->stats.destroyed_lifetime++;
    destroy(p, s);
  } else {
    move(p, s, LDR_SLOT_IDLE);
  }
  if (p->first) {
    serve(p);
    if (p->first) poke(p);
  }
  if (!block) refill(p);
}

/* ---- the pool ---- */

ldr_code ldr_pool_new(const ldr_conninfo *info, const ldr_pool_config *c, ldr_pool **out, ldr_err *err) {
  ldr_pool *p = ldr_alloc(sizeof *p);
  if (p == NULL) return ldr_fail_nomem(err);
  pthread_once(&fork_once, watch_forks);
  p->config = *c;
  if (p->config.max == 0) p->config.max = 1;
  p->info = info;
  p->unnamed = c->statement_cache == 0;
  p->random = (uint64_t)ldr_now_wall() ^ (uint64_t)(uintptr_t)p;
  if (p->random == 0) p->random = 1;
  p->generation = atomic_load(&forks);
  *out = p;
  return LDR_OK;
}

void ldr_pool_free(ldr_pool *p) {
  if (p == NULL) return;
  ldr_pool_check_fork(p);
  assert(p->by_state[LDR_SLOT_BUSY].first == NULL && p->first == NULL);
  while (p->by_state[LDR_SLOT_CONNECTING].first) destroy(p, p->by_state[LDR_SLOT_CONNECTING].first);
  while (p->by_state[LDR_SLOT_IDLE].first) destroy(p, p->by_state[LDR_SLOT_IDLE].first);
  ldr_free(p);
}

static void give_up_parent(ldr_pool *p) {
  for (int state = 0; state < LDR_SLOT_NSTATES; state++)
    for (ldr_slot *s = p->by_state[state].first; s; s = s->next) ldr_conn_abandon(s->conn);
  for (ldr_waiter *w = p->first; w; w = w->next) {
    ldr_waiter_done(w); /* its descriptors are the parent's, too */
    w->driving = NULL;
  }
  while (p->by_state[LDR_SLOT_CONNECTING].first) destroy(p, p->by_state[LDR_SLOT_CONNECTING].first);
  while (p->by_state[LDR_SLOT_IDLE].first) destroy(p, p->by_state[LDR_SLOT_IDLE].first);
  p->failures = 0;
}

void ldr_pool_check_fork(ldr_pool *p) {
  unsigned now = atomic_load_explicit(&forks, memory_order_relaxed);
  if (p->generation == now) return;
  p->generation = now;
  give_up_parent(p);
}

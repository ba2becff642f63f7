#include "postgres/pool/acquire.h"

#include <stdio.h>

enum {
  HOLDERS_NAMED = 5,
  DOWN_PATIENCE_US = 4000000 /* for a server that is away; a promotion takes less, a person waits no longer */
};

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
  if (ldr_pool_is_down(p)) {
    *err = p->why;
    return err->code;
  }
  if (w->hard && ldr_slots_count(&p->slots, LDR_SLOT_BUSY) < p->config.max)
    return ldr_fail(err, LDR_TIMEOUT, "the deadline passed while connecting");
  snprintf(why, sizeof why, "no connection became free within %.1f s", seconds_since(w->since));
  return fail_exhausted(p, why, err);
}

/* How long w waits: while the server is down nobody waits for all of the acquire timeout. */
static int64_t patience_ends(const ldr_pool *p, const ldr_waiter *w) {
  return ldr_pool_is_down(p) ? ldr_sooner(w->deadline, w->since + DOWN_PATIENCE_US) : w->deadline;
}

/* No connection works, and the last attempt at one was refused: one caller tries, the others are told. */
static bool is_refused(const ldr_pool *p) {
  return p->refused && ldr_slots_total(&p->slots) == ldr_slots_count(&p->slots, LDR_SLOT_CONNECTING);
}

static bool hopeless(const ldr_pool *p, const ldr_waiter *w) {
  bool pause = ldr_now_mono()<p->retry_at, tried = ldr_slots_count(&p->slots, LDR_SLOT_CONNECTING)> 0;
  if (!ldr_pool_is_down(p) || w->connecting) return false;
  if (is_refused(p)) return (pause || tried) && w->probe != p->failures + 1;
  return ldr_pgerr_permanent(&p->why) && pause;
}

static ldr_code join_queue(ldr_pool *p, ldr_waiter *w, bool block, int64_t deadline, ldr_err *err) {
  int64_t own = ldr_pool_after(p->config.acquire_timeout);
  if (!block && p->queue.n >= p->config.queue_max)
    return fail_exhausted(p, "too many callers wait for a connection", err);
  w->since = ldr_now_mono();
  w->probe = 0;
  w->hard = deadline <= own;
  w->deadline = w->hard ? deadline : own;
  ldr_waiters_add(&p->queue, w, block && p->loop == NULL);
  return LDR_OK;
}

static unsigned not_reading(const ldr_pool *p) {
  unsigned n = 0;
  for (const ldr_waiter *w = p->queue.first; w; w = w->next) n += !ldr_waiter_reads(w);
  return n;
}

/* With a loop, only that performs connects. When no connection can be added, a shared one may have to be
 * emptied for w. */
static ldr_code grow(ldr_pool *p, ldr_waiter *w, ldr_err *err) {
  ldr_slot *s;
  ldr_code code;
  if (ldr_slots_total(&p->slots) >= p->config.max && !ldr_waiter_reads(w)) {
    s = ldr_share_pick_to_close(&p->slots, not_reading(p));
    if (s) s->closing = true;
  }
  if (!ldr_pool_may_connect(p) || !ldr_share_wants_more(&p->slots, p->config.max, w->share, ldr_now_mono()))
    return LDR_OK;
  w->probe = p->failures + 1;
  code = ldr_pool_start_connect(p, &s, err);
  return code == LDR_CAPACITY || (code && ldr_pgerr_permanent(err)) ? code : LDR_OK;
}

/* Gives w a connection to open: one that nobody opens, or a new one. A caller that blocks takes any: no other
 * caller runs meanwhile. */
static ldr_code find_connect(ldr_pool *p, ldr_waiter *w, bool block, ldr_err *err) {
  ldr_slot *s;
  if (p->loop) return grow(p, w, err);
  s = p->slots.by_state[LDR_SLOT_CONNECTING].last;
  while (s && s->connector && !block) s = s->prev;
  if (s == NULL && ldr_pool_may_connect(p)) {
    ldr_code code = ldr_pool_start_connect(p, &s, err);
    if (code == LDR_CAPACITY || (code && ldr_pgerr_permanent(err))) return code;
  }
  if (s == NULL) return LDR_OK;
  if (s->connector) ldr_pool_leave_connect(s->connector);
  s->connector = w;
  w->connecting = s;
  return LDR_OK;
}

/* Where and until when w waits. */
static void set_wait(const ldr_pool *p, ldr_waiter *w, bool block) {
  int64_t now = ldr_now_mono(), again = now + LDR_POOL_LOOK_US;
  int fd = w->connecting ? ldr_conn_fd(w->connecting->conn) : -1;
  unsigned events = w->connecting ? ldr_conn_events(w->connecting->conn) : 0;
  if (w->woken) again = LDR_NEVER; /* ldr_pool_turn looks after it */
  if ((!block || p->loop) && w->woken == NULL && ldr_waiter_make_fds(w)) {
    if (fd >= 0) ldr_waiter_watch(w, fd, events);
    fd = w->set;
    events = LDR_READ;
  }
  w->fd = fd;
  w->events = events;
  if (w->connecting && w->connecting->connect_by < again) again = w->connecting->connect_by;
  if (w->connecting == NULL && ldr_pool_is_down(p) && p->retry_at > now && p->retry_at < again)
    again = p->retry_at;
  w->again = ldr_sooner(again, patience_ends(p, w));
}

static ldr_code work(ldr_pool *p, ldr_waiter *w, bool block, ldr_err *err) {
  ldr_code code = LDR_OK;
  if (w->connecting) code = ldr_pool_step_connect(p, w->connecting, err);
  if (w->served) return LDR_OK;
  if (code > LDR_PENDING && ldr_pgerr_permanent(err)) return code;
  if (!hopeless(p, w) && w->connecting == NULL && (code = find_connect(p, w, block, err)) != LDR_OK)
    return code;
  if (hopeless(p, w)) { /* a local server may refuse at once */
    *err = p->why;
    return err->code;
  }
  if (block && p->loop == NULL && w->connecting == NULL &&
      ldr_slots_count(&p->slots, LDR_SLOT_BUSY) >= p->config.max)
    return fail_exhausted(p, "every connection is held by this thread, so waiting cannot help", err);
  if (ldr_now_mono() >= patience_ends(p, w)) return fail_waited(p, w, err);
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

/* The connection that w joined was in use already: one more, until there are enough. */
static void widen(ldr_pool *p, ldr_waiter *w) {
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
    ldr_pool_reap_idle(p);
    if (block || p->loop || p->queue.first == NULL)
      s = ldr_pool_place(p, w); /* with a loop, who waits in the queue waits for another kind of connection */
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
  if (w->connecting) {
    ldr_pool_leave_connect(w);
    ldr_pool_wake_next_connector(p);
  }
  if (w->served) {
    w->served = false;
    ldr_pool_release(p, w->slot, false);
    w->slot = NULL;
  }
}

int64_t ldr_pool_serve_in_turn(ldr_pool *p, int64_t now) {
  ldr_err ignored;
  ldr_code code;
  if (p->queue.first == NULL) return LDR_NEVER;
  ldr_pool_serve(p);
  if (p->queue.first == NULL) return LDR_NEVER;
  code = grow(p, p->queue.first, &ignored);
  (void)code; /* ldr_pool_acquire tells it */
  return ldr_pool_is_down(p)
             ? ldr_sooner(now + LDR_POOL_LOOK_US, p->retry_at > now ? p->retry_at : now + LDR_POOL_BACKOFF_US)
             : now + LDR_STALL_US;
}

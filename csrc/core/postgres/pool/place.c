#define _GNU_SOURCE
#include "postgres/pool/place.h"

#include <sys/epoll.h>

/* ---- connections under a loop ---- */

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

/* ---- the end of a connection ---- */

void ldr_pool_destroy(ldr_pool *p, ldr_slot *s) {
  ldr_slots_remove(&p->slots, s);
  ldr_pool_unwatch(p, s);
  ldr_conn_drop(s->conn); /* `undo` may be under way; nobody waits for it */
  ldr_conn_close(s->conn);
  ldr_registry_done(&s->prepared);
  ldr_exchange_free(&s->undo);
  ldr_exchange_free(&s->hello);
  ldr_free(s);
}

void ldr_pool_destroy_idle(ldr_pool *p, ldr_slot *s, uint64_t *counter) {
  ++*counter;
  ldr_pool_destroy(p, s);
}

/* ---- who opens one ---- */

void ldr_pool_wake_next_connector(ldr_pool *p) {
  for (ldr_waiter *w = p->queue.first; w; w = w->next)
    if (w->connecting == NULL) {
      ldr_waiter_wake(w);
      return;
    }
}

void ldr_pool_leave_connect(ldr_waiter *w) {
  if (w->connecting == NULL) return;
  if (w->has_fds) epoll_ctl(w->set, EPOLL_CTL_DEL, ldr_conn_fd(w->connecting->conn), NULL);
  w->connecting->connector = NULL;
  w->connecting = NULL;
}

/* ---- idle connections ---- */

enum { TRUST_US = 1000000 }; /* a connection idle for longer is looked at, whoever takes it */

/* A look is a system call, one of four that a read would make. */
static bool is_alive(ldr_pool *p, ldr_waiter *w, const ldr_slot *s, int64_t now) {
  w->trusted = w->trusts && now - s->since < TRUST_US && !ldr_conn_said_farewell(s->conn);
  if (w->trusted) return true;
  p->stats.looks++;
  return ldr_conn_check(s->conn);
}

/* The one used last, if it is still alive; those found dead are destroyed on the way. */
static ldr_slot *take_idle(ldr_pool *p, ldr_waiter *w) {
  int64_t now = ldr_now_mono();
  ldr_slot *s;
  while ((s = p->slots.by_state[LDR_SLOT_IDLE].first) != NULL) {
    if (now >= s->expires)
      ldr_pool_destroy_idle(p, s, &p->stats.destroyed_lifetime);
    else if (!is_alive(p, w, s, now))
      ldr_pool_destroy_idle(p, s, &p->stats.destroyed_broken);
    else
      break;
  }
  return s;
}

static ldr_slot *take_own(ldr_pool *p, ldr_waiter *w) {
  ldr_slot *s = take_idle(p, w);
  if (s) ldr_slots_move(&p->slots, s, LDR_SLOT_BUSY);
  return s;
}

static ldr_slot *take_shared(ldr_pool *p, ldr_waiter *w, bool exclusive, bool quick) {
  ldr_slot *s = take_idle(p, w);
  if (s == NULL) return NULL;
  ldr_slots_move(&p->slots, s, LDR_SLOT_SHARED);
  s->users = 1;
  s->exclusive = exclusive;
  s->quick = quick;
  s->closing = false;
  return s;
}

ldr_slot *ldr_pool_place(ldr_pool *p, ldr_waiter *w) {
  ldr_slot *s = NULL;
  if (p->loop == NULL || w->share == LDR_SHARE_OWN) return take_own(p, w);
  switch (ldr_share_place(&p->slots, p->config.max, w->share, ldr_loop_last_poll(p->loop), &s)) {
    case LDR_PLACE_NONE: return NULL;
    case LDR_PLACE_EXCLUSIVE: return take_shared(p, w, true, false);
    case LDR_PLACE_SHARE: return take_shared(p, w, false, w->share == LDR_SHARE_QUICK);
    case LDR_PLACE_JOIN: s->users++; break;
  }
  return s;
}

static void hand_over(ldr_pool *p, ldr_waiter *w, ldr_slot *s) {
  ldr_waiters_remove(&p->queue, w);
  w->slot = s;
  w->served = true;
  if (w->connecting) {
    ldr_pool_leave_connect(w);
    ldr_pool_wake_next_connector(p);
  }
  ldr_waiter_wake(w);
}

/* Connections go to the oldest callers; who waits for something else is passed over. */
void ldr_pool_serve(ldr_pool *p) {
  bool full = false; /* the shared ones take no more reads */
  for (ldr_waiter *w = p->queue.first, *next; w; w = next) {
    bool idle = ldr_slots_count(&p->slots, LDR_SLOT_IDLE) > 0;
    ldr_slot *s;
    next = w->next;
    if (!idle && (full || p->loop == NULL)) return;
    if (!idle && w->share == LDR_SHARE_OWN) continue;
    s = ldr_pool_place(p, w);
    if (s)
      hand_over(p, w, s);
    else if (ldr_waiter_reads(w))
      full = true;
  }
}

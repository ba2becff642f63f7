#include "postgres/pool/release.h"

#include "async/fork.h"

enum { REAP_US = 100000 };

/* ---- in a forked child ---- */

void ldr_pool_detach(ldr_pool *p) {
  p->loop = NULL;
  for (int state = 0; state < LDR_SLOT_NSTATES; state++)
    for (ldr_slot *s = p->slots.by_state[state].first; s; s = s->next) s->watch.on = false;
}

static void give_up_parent(ldr_pool *p) {
  ldr_pool_detach(p); /* a loop's thread is the parent's, too */
  for (int state = 0; state < LDR_SLOT_NSTATES; state++)
    for (ldr_slot *s = p->slots.by_state[state].first; s; s = s->next) ldr_conn_abandon(s->conn);
  for (ldr_waiter *w = p->queue.first; w; w = w->next) {
    ldr_waiter_done(w); /* its descriptors are the parent's, too */
    w->connecting = NULL;
  }
  while (p->slots.by_state[LDR_SLOT_CONNECTING].first)
    ldr_pool_destroy(p, p->slots.by_state[LDR_SLOT_CONNECTING].first);
  while (p->slots.by_state[LDR_SLOT_IDLE].first) ldr_pool_destroy(p, p->slots.by_state[LDR_SLOT_IDLE].first);
  p->failures = 0;
}

void ldr_pool_check_fork(ldr_pool *p) {
  unsigned now = ldr_forks();
  if (p->generation == now) return;
  p->generation = now;
  give_up_parent(p);
}

/* ---- connections that go back, or are not needed any more ---- */

void ldr_pool_reap_idle(ldr_pool *p) {
  int64_t now = ldr_now_mono(), idle_us = (int64_t)(p->config.idle_timeout * 1e6);
  ldr_slot *s = p->slots.by_state[LDR_SLOT_IDLE].last;
  if (p->loop == NULL && ldr_slots_count(&p->slots, LDR_SLOT_CONNECTING)) ldr_pool_step_abandoned(p);
  if (now - p->reaped_at < REAP_US) return;
  p->reaped_at = now;
  while ((s = p->slots.by_state[LDR_SLOT_IDLE].last) != NULL) { /* last: idle for the longest time */
    if (now >= s->expires)
      ldr_pool_destroy_idle(p, s, &p->stats.destroyed_lifetime);
    else if (idle_us > 0 && now - s->since > idle_us && ldr_slots_total(&p->slots) > p->config.min)
      ldr_pool_destroy_idle(p, s, &p->stats.destroyed_idle);
    else
      break;
  }
}

static bool is_spoiled(const ldr_slot *s) {
  return s->discard || s->undo.error || s->undo.lost || !ldr_conn_clean(s->conn);
}

/* Nobody uses s any more. */
static void retire(ldr_pool *p, ldr_slot *s) {
  s->closing = s->exclusive = false;
  if (is_spoiled(s)) {
    p->stats.destroyed_broken++;
    ldr_pool_destroy(p, s);
  } else if (ldr_now_mono() >= s->expires) {
    p->stats.destroyed_lifetime++;
    ldr_pool_destroy(p, s);
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
    ldr_pool_serve(p);
    if (p->queue.first) ldr_pool_wake_next_connector(p);
  }
  if (!block) ldr_pool_ensure_min(p);
}

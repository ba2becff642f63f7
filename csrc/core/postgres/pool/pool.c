#include "postgres/pool/pool.h"

#include <assert.h>

#include "async/fork.h"

enum { IDLE_LOOK_US = 1000000 };

/* ---- under a loop ---- */

void ldr_pool_attach(ldr_pool *p, ldr_loop *l, void (*ready)(ldr_watch *w), void *owner) {
  p->loop = l;
  p->ready = ready;
  p->owner = owner;
  for (ldr_slot *s = p->slots.by_state[LDR_SLOT_IDLE].first; s; s = s->next) ldr_pool_watch(p, s);
}

void ldr_pool_ready(ldr_pool *p, ldr_slot *s) {
  ldr_err ignored;
  if (s->state == LDR_SLOT_CONNECTING) {
    ldr_code code = ldr_pool_step_connect(p, s, &ignored);
    (void)code; /* whoever waits is told by ldr_pool_acquire */
  } else if (s->state == LDR_SLOT_IDLE && !ldr_conn_check(s->conn)) {
    ldr_pool_destroy_idle(p, s, &p->stats.destroyed_broken);
  }
}

int64_t ldr_pool_turn(ldr_pool *p) {
  int64_t now = ldr_now_mono(), due = LDR_NEVER;
  ldr_err ignored;
  for (ldr_slot *s = p->slots.by_state[LDR_SLOT_CONNECTING].first, *next; s; s = next) {
    next = s->next;
    if (now >= s->connect_by && ldr_pool_step_connect(p, s, &ignored) != LDR_PENDING)
      return now; /* lists have changed */
    due = ldr_sooner(due, s->connect_by);
  }
  ldr_pool_reap_idle(p);
  ldr_pool_ensure_min(p);
  if (ldr_slots_count(&p->slots, LDR_SLOT_IDLE)) due = ldr_sooner(due, now + IDLE_LOOK_US);
  return ldr_sooner(due, ldr_pool_serve_in_turn(p, now));
}

/* ---- the pool ---- */

ldr_code ldr_pool_new(const ldr_conninfo *info, const ldr_pool_config *c, ldr_pool **out, ldr_err *err) {
  ldr_pool *p = ldr_alloc(sizeof *p);
  if (p == NULL) return ldr_fail_nomem(err);
  p->config = *c;
  if (p->config.max == 0) p->config.max = 1;
  p->info = info;
  p->server.own_sessions = c->pgbouncer != 1;
  p->unnamed = c->statement_cache == 0 || !p->server.own_sessions;
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
    ldr_pool_destroy(p, p->slots.by_state[LDR_SLOT_CONNECTING].first);
  while (p->slots.by_state[LDR_SLOT_IDLE].first) ldr_pool_destroy(p, p->slots.by_state[LDR_SLOT_IDLE].first);
  ldr_free(p);
}

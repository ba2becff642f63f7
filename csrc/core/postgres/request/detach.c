#include "postgres/request/detach.h"

#include "base/clock.h"

enum { CANCEL_LOOK_US = 1000 }; /* while a cancel is on its way */

/* Not to be locked twice: only the outermost functions of the owner's side lock it. */
ldr_loop *ldr_request_loop_to_lock(const ldr_request *rq) { return rq->on_loop ? NULL : rq->e->loop; }

void ldr_pg_settle(ldr_pg *e, ldr_slot *slot, ldr_exchange *r) {
  ldr_registry *g = &slot->prepared;
  ldr_registry_settle(g, r);
  if (r->undoes && r->cmd[r->n - 1].res) slot->reset = false;
  ldr_count(&e->counts.prepares, g->parses);
  ldr_count(&e->counts.evictions, g->evictions);
  g->parses = g->evictions = 0;
}

bool ldr_request_shared(const ldr_request *rq) { return rq->slot && rq->slot->state == LDR_SLOT_SHARED; }

bool ldr_request_reads(const ldr_request *rq) {
  return rq->tx == NULL && rq->stmt && rq->stmt->e && rq->stmt->reads;
}

void ldr_request_release(ldr_request *rq) {
  if (rq->slot && rq->kind->leaving) rq->kind->leaving(rq);
  if (rq->slot && rq->tx == NULL) {
    ldr_loop_lock(ldr_request_loop_to_lock(rq));
    ldr_pool_release(rq->e->pool, rq->slot, rq->block);
    ldr_loop_unlock(ldr_request_loop_to_lock(rq));
  }
  rq->slot = NULL;
  rq->conn = NULL;
}

void ldr_request_await(ldr_request *rq) {
  rq->exchange->home = rq->slot;
  ldr_slot_sent(rq->slot, ldr_now_mono());
  ldr_pool_watch(rq->e->pool, rq->slot);
}

void ldr_request_unlist(ldr_request *rq) {
  ldr_exchange *r = rq->exchange;
  if (!r->listed) return;
  ldr_exchange_unlist(r);
  if (r->home) ldr_slot_answered(r->home, r, ldr_now_mono());
}

bool ldr_request_detach_exchange(ldr_request *rq) {
  ldr_exchange *r = ldr_alloc(sizeof *r);
  if (r == NULL) return false;
  r->finished = rq->exchange->finished;
  r->request = rq;
  rq->exchange->request = NULL;
  rq->exchange = r;
  rq->slot = NULL; /* it is given back when the answer has come */
  rq->conn = NULL;
  return true;
}

/* What has not begun cannot be taken back: it runs, and nobody reads its answer. */
bool ldr_request_detach_or_cancel(ldr_request *rq) {
  if (!ldr_request_shared(rq) || ldr_conn_dead(rq->conn)) return false;
  if (ldr_conn_head(rq->conn) == rq->exchange) ldr_request_cancel(rq);
  return ldr_request_detach_exchange(rq);
}

/* A cancel on its way could hit who comes next. For a while the connection is kept for that. */
static bool may_be_hit(const ldr_slot *s) {
  return ldr_conn_cancelling(s->conn) && !ldr_conn_dead(s->conn) &&
         ldr_now_mono() - s->cancelled < LDR_GRACE_US;
}

void ldr_reap_detached(ldr_pg *e) {
  ldr_exchange *r, *later = NULL;
  while ((r = e->detached) != NULL) {
    ldr_slot *s = r->home;
    e->detached = r->next;
    if (may_be_hit(s)) {
      r->next = later;
      later = r;
      continue;
    }
    r->next = NULL;
    ldr_pg_settle(e, s, r);
    ldr_exchange_free(r);
    ldr_free(r);
    ldr_pool_release(e->pool, s, false);
  }
  e->detached = later;
  if (later) e->due = ldr_sooner(e->due, ldr_now_mono() + CANCEL_LOOK_US);
}

void ldr_pg_cancel_slot(ldr_pg *e, ldr_slot *s, int64_t now) {
  ldr_slot_cancel(s, now);
  if (e->pool->server.pooler)
    s->discard = true; /* a pooler passes it on when it likes, perhaps to the next */
}

void ldr_request_cancel(ldr_request *rq) {
  ldr_count(&rq->e->counts.cancels, 1);
  if (ldr_request_owns_conn(rq))
    ldr_conn_cancel(rq->conn);
  else
    ldr_pg_cancel_slot(rq->e, rq->slot, ldr_now_mono());
}

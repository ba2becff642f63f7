#include "postgres/request/retry.h"

#include <string.h>

#include "base/clock.h"

enum {
  CANCEL_LOOK_US = 1000,    /* while a cancel is on its way */
  CANCEL_HITS_US = 5000000, /* so long after a cancel it may have hit a neighbour */
  MOVES_MAX = 5             /* nobody is that unlucky */
};

/* Under a loop, for whoever is not on its thread. Nothing to do there: a visit inside of a visit would wait
 * for ever, so only the outermost functions of the owner's side use it. */
ldr_loop *ldr_request_loop_to_lock(const ldr_request *rq) { return rq->driven ? NULL : rq->e->loop; }

void ldr_request_release(ldr_request *rq) {
  if (rq->slot && rq->kind->leaving) rq->kind->leaving(rq);
  if (rq->slot && (rq->slot->undo.error || rq->slot->undo.lost)) rq->slot->discard = true;
  if (rq->slot && rq->tx == NULL) {
    ldr_loop_lock(ldr_request_loop_to_lock(rq));
    ldr_pool_release(rq->e->pool, rq->slot, rq->block);
    ldr_loop_unlock(ldr_request_loop_to_lock(rq));
  }
  rq->slot = NULL;
  rq->conn = NULL;
}

/* Reads of the operation language have no effect but their result, so that one may run twice. */
bool ldr_request_reads(const ldr_request *rq) {
  return rq->tx == NULL && rq->stmt && rq->stmt->e && rq->stmt->reads;
}

bool ldr_request_shared(const ldr_request *rq) { return rq->slot && rq->slot->state == LDR_SLOT_SHARED; }

/* A group is one transaction: settings of one, and locks, would reach the others. What was skipped once goes
 * alone. */
static bool groups(const ldr_request *rq) {
  return ldr_request_reads(rq) && !rq->stmt->locks && !rq->stmt->text_results && rq->moves == 0;
}

ldr_share_class ldr_request_share_class(const ldr_request *rq) {
  const ldr_stmt *s = rq->stmt;
  if (rq->tx || !rq->kind->shares || s->alone) return LDR_SHARE_OWN;
  if (s->expected > LDR_SLOW_US) return LDR_SHARE_SLOW;
  if (rq->moves && s->reads) return LDR_SHARE_NEW; /* it may be the one that others waited behind */
  if (!s->reads) return LDR_SHARE_WRITE;
  if (s->expected == 0) return LDR_SHARE_NEW;
  return s->expected < LDR_QUICK_US && groups(rq) ? LDR_SHARE_QUICK : LDR_SHARE_READ;
}

/* The exchange goes on without the request, which gets another. */
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

void ldr_request_unlist(ldr_request *rq) {
  ldr_exchange *r = rq->exchange;
  if (!r->listed) return;
  ldr_exchange_unlist(r);
  if (r->home) ldr_slot_answered(r->home, r, ldr_now_mono());
}

void ldr_reap_detached(ldr_pg *e) {
  ldr_exchange *r, *later = NULL;
  while ((r = e->detached) != NULL) {
    ldr_slot *s = r->home;
    e->detached = r->next;
    if (ldr_conn_cancelling(s->conn) && !ldr_conn_dead(s->conn)) { /* it could hit who comes next */
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
  if (later && e->due > ldr_now_mono() + CANCEL_LOOK_US) e->due = ldr_now_mono() + CANCEL_LOOK_US;
}

bool ldr_request_may_move(const ldr_request *rq) { return rq->moves < MOVES_MAX && ldr_request_shared(rq); }

static void look_elsewhere(ldr_request *rq) {
  rq->moves++;
  rq->stage = LDR_REQUEST_ACQUIRE;
  ldr_request_ready(rq);
}

bool ldr_request_requeue(ldr_request *rq) {
  if (rq->exchange->done)
    ldr_request_release(rq);
  else if (!ldr_request_detach_exchange(rq))
    return false;
  look_elsewhere(rq);
  return true;
}

void ldr_request_undo_prepare(ldr_request *rq) {
  if (rq->slot == NULL || rq->conn != rq->slot->conn) return;
  ldr_registry_sent(&rq->slot->prepared);
  ldr_pg_settle(rq->e, rq->slot, rq->exchange);
}

/* Whatever it is, it did nothing: the connection was lost before its Sync, which comes last, had left. */
bool ldr_request_requeue_unsent(ldr_request *rq) {
  if (!ldr_request_may_move(rq) || !ldr_conn_dead(rq->conn)) return false;
  ldr_request_undo_prepare(rq);
  ldr_request_release(rq);
  look_elsewhere(rq);
  return true;
}

bool ldr_request_can_retry(const ldr_request *rq) {
  if (rq->cancelled || !ldr_request_may_move(rq)) return false;
  if (rq->exchange->skipped && !rq->exchange->lost) return true;
  if (rq->exchange->lost) { /* the server tells the one that ran, if it tells anybody */
    bool behind =
        !rq->exchange->began || (rq->exchange->grouped && *ldr_exchange_sqlstate(rq->exchange) == '\0');
    return behind && ldr_request_reads(rq);
  }
  return strcmp(ldr_exchange_sqlstate(rq->exchange), "57014") == 0 &&
         ldr_now_mono() - rq->slot->cancelled < CANCEL_HITS_US;
}

/* A cancel may hit whatever runs when it arrives; the innocent are run again. */
void ldr_request_cancel(ldr_request *rq) {
  ldr_count(&rq->e->counts.cancels, 1);
  ldr_conn_cancel(rq->conn);
  if (rq->slot) rq->slot->cancelled = ldr_now_mono();
  /* a pooler passes a cancel on when it likes, perhaps to the next statement */
  if (rq->slot && rq->e->pooler) rq->slot->discard = true;
}

/* On a lane others go on. What has not begun cannot be taken back: it runs, and nobody reads its answer. */
bool ldr_request_detach_or_cancel(ldr_request *rq) {
  if (!ldr_request_shared(rq) || ldr_conn_dead(rq->conn)) return false;
  if (ldr_conn_head(rq->conn) == rq->exchange) ldr_request_cancel(rq);
  return ldr_request_detach_exchange(rq);
}

/* The deadline of a statement that waits behind others passed. A read need not be waited for; for what writes
 * it matters whether it ran, so its turn is awaited for a while. */
ldr_code ldr_request_expire_queued(ldr_request *rq, ldr_err *err) {
  if (!ldr_request_reads(rq) && !rq->late) {
    rq->late = true;
    rq->deadline = ldr_now_mono() + LDR_GRACE_US;
    return LDR_PENDING;
  }
  if (!ldr_request_detach_exchange(rq)) return ldr_fail_nomem(err);
  rq->stage = LDR_REQUEST_DONE;
  return ldr_fail_state(err, LDR_TIMEOUT, "57014",
                        rq->late ? "the deadline passed while other statements were in front of this one; "
                                   "it may still run"
                                 : "the deadline passed while other statements were in front of this one");
}

void ldr_request_await(ldr_request *rq) {
  ldr_slot *s = rq->slot;
  rq->exchange->home = s;
  ldr_slot_sent(s, ldr_now_mono());
  ldr_pool_watch(rq->e->pool, s);
}

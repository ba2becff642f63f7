#include "postgres/request/retry.h"

#include <string.h>

#include "base/clock.h"

enum {
  CANCEL_HITS_US = 5000000, /* so long after a cancel it may have hit a neighbour */
  MOVES_MAX = 5,            /* nobody is that unlucky */
  TOLD_US = 5000000         /* a connection that had ended before says so at once */
};

/* A group is one transaction: settings of one, a context first of all, and locks, would reach the others.
 * What was skipped once goes alone. */
static bool may_group(const ldr_request *rq) {
  return rq->context == NULL && ldr_request_reads(rq) && !rq->stmt->locks && !rq->stmt->text_results &&
         rq->moves == 0;
}

ldr_share_class ldr_request_share_class(const ldr_request *rq) {
  const ldr_stmt *s = rq->stmt;
  if (rq->tx || !rq->kind->shares || s->alone) return LDR_SHARE_OWN;
  if (s->expected > LDR_SLOW_US) return LDR_SHARE_SLOW;
  if (rq->moves && s->reads) return LDR_SHARE_NEW; /* it may be the one that others waited behind */
  if (!s->reads) return LDR_SHARE_WRITE;
  if (s->expected == 0) return LDR_SHARE_NEW;
  return s->expected < LDR_QUICK_US && may_group(rq) ? LDR_SHARE_QUICK : LDR_SHARE_READ;
}

/* Under a loop idle connections are watched, and single statements share. */
bool ldr_request_may_trust(const ldr_request *rq) {
  return !rq->on_loop && ldr_request_reads(rq) && rq->moves == 0;
}

bool ldr_request_may_move(const ldr_request *rq) { return rq->moves < MOVES_MAX && ldr_request_shared(rq); }

static void run_again(ldr_request *rq) {
  rq->moves++;
  rq->waiter.trusted = false; /* so not for that reason again */
  rq->healed = 0;             /* the other connection may have prepared it before the table changed, too */
  ldr_request_move(rq, LDR_REQUEST_READY);
}

bool ldr_request_requeue(ldr_request *rq) {
  if (rq->exchange->done)
    ldr_request_release(rq);
  else if (!ldr_request_detach_exchange(rq))
    return false;
  run_again(rq);
  return true;
}

void ldr_request_undo_prepare(ldr_request *rq) {
  if (rq->slot == NULL || rq->conn != rq->slot->conn) return;
  ldr_registry_sent(&rq->slot->prepared);
  ldr_pg_settle(rq->e, rq->slot, rq->exchange);
}

/* Whatever it is, it did nothing: the connection was lost before its Sync, which comes last, had left. */
bool ldr_request_requeue_unsent(ldr_request *rq) {
  if (!ldr_conn_dead(rq->conn) || !(rq->waiter.trusted || ldr_request_may_move(rq))) return false;
  ldr_request_undo_prepare(rq);
  ldr_request_release(rq);
  run_again(rq);
  return true;
}

/* Only the statement that was executed gets the server's last word, if there is one. A write that was lost
 * behind it is not run again: the server may have come to it before the connection ended. */
static bool lost_behind(const ldr_exchange *r) {
  return !r->began || (r->grouped && *ldr_exchange_sqlstate(r) == '\0');
}

/* Its connection was lost that nobody had looked at. Whether that ended before or in the middle of the
 * statement does not matter to a read; one that ran for a while is not run again, for it may be what ends
 * server processes. */
static bool trusted_in_vain(const ldr_request *rq) {
  return rq->waiter.trusted && rq->exchange->lost && ldr_now_mono() - rq->slot->since < TOLD_US;
}

bool ldr_request_can_retry(const ldr_request *rq) {
  const ldr_exchange *r = rq->exchange;
  if (rq->timed_out) return false;
  if (trusted_in_vain(rq)) return true;
  if (!ldr_request_may_move(rq)) return false;
  if (r->skipped && !r->lost) return true;
  if (r->lost) return lost_behind(r) && ldr_request_reads(rq);
  return strcmp(ldr_exchange_sqlstate(r), "57014") == 0 && /* a cancel that was meant for another */
         ldr_now_mono() - rq->slot->cancelled < CANCEL_HITS_US;
}

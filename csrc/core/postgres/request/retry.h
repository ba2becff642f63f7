/* Jobs on connections that they share (postgres/pool/multiplex.h), and connections that go back and forth
 * between a loop and its visitors. */
#ifndef LDR_POSTGRES_REQUEST_RETRY_H
#define LDR_POSTGRES_REQUEST_RETRY_H

#include "postgres/request/state.h"

/* The loop that must be visited for the pool: NULL on the loop's own thread, and when there is none. */
ldr_loop *ldr_request_loop_to_lock(const ldr_request *rq);
void ldr_request_release(
    ldr_request *rq); /* its connection goes back to the pool, or stays with its transaction */
void ldr_request_await(
    ldr_request *rq); /* its exchange was sent on its slot: the loop waits for the answer */
ldr_share_class ldr_request_share_class(const ldr_request *rq);
bool ldr_request_shared(const ldr_request *rq);
bool ldr_request_reads(const ldr_request *rq); /* an operation that cannot write */

/* The exchange goes on without the request, which gets another. false: out of memory. */
bool ldr_request_detach_exchange(ldr_request *rq);
void ldr_reap_detached(ldr_pg *e); /* settles the answers that nobody waits for */
/* What the loop knew of an exchange under way that is done now: whoever ends with it calls this first. */
void ldr_request_unlist(ldr_request *rq);
/* Gives the request a place elsewhere; its exchange stays behind, in flight or lost. false: out of memory. */
bool ldr_request_requeue(ldr_request *rq);
bool ldr_request_may_move(const ldr_request *rq); /* it shares, and has not moved too often */
/* The same for one whose exchange could not be sent. */
bool ldr_request_requeue_unsent(ldr_request *rq);
void ldr_request_undo_prepare(
    ldr_request *rq); /* a exchange was made but not sent: what it would have deallocated is still there */
/* It failed by what was meant for, or done by, another statement on its connection: it did nothing, and may
 * run again. */
bool ldr_request_can_retry(const ldr_request *rq);
void ldr_request_cancel(ldr_request *rq); /* tells the server */
/* The owner leaves: true when others go on with the connection. */
bool ldr_request_detach_or_cancel(ldr_request *rq);
/* The deadline of a statement that waits behind others passed: LDR_PENDING, or how it ends. */
ldr_code ldr_request_expire_queued(ldr_request *rq, ldr_err *err);

#endif

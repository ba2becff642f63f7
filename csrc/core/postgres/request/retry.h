/* Requests that run again: because what failed them was meant for, or done by, another statement on their
 * shared connection (postgres/pool/multiplex.h); or because their connection had ended while it was idle. On
 * the loop's thread or with the loop locked. */
#ifndef LDR_POSTGRES_REQUEST_RETRY_H
#define LDR_POSTGRES_REQUEST_RETRY_H

#include "postgres/request/detach.h"

ldr_share_class ldr_request_share_class(const ldr_request *rq);
/* May it take an idle connection without a look? What that loses is run once more, over one that is looked
 * at.
 */
bool ldr_request_may_trust(const ldr_request *rq);
bool ldr_request_may_move(const ldr_request *rq); /* it shares, and has not moved too often */
/* Ready to run on another connection; its exchange stays behind, in flight or lost. false: out of memory. */
bool ldr_request_requeue(ldr_request *rq);
/* The same for one whose exchange could not be sent; false: this one must not. */
bool ldr_request_requeue_unsent(ldr_request *rq);
/* An exchange was made but not sent: what it would have deallocated is still there. */
void ldr_request_undo_prepare(ldr_request *rq);
/* It failed by another's fault and did nothing. */
bool ldr_request_can_retry(const ldr_request *rq);

#endif

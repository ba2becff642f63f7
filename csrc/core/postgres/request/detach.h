/* A request and its connection: how it gives the connection back, and how it leaves an exchange that is still
 * under way on a shared one. Such an exchange is detached: it belongs to no request, and nobody reads its
 * answer. On the loop's thread or with the loop locked. */
#ifndef LDR_POSTGRES_REQUEST_DETACH_H
#define LDR_POSTGRES_REQUEST_DETACH_H

#include "postgres/request/state.h"

bool ldr_request_shared(const ldr_request *rq);
/* An operation that cannot write, outside of a transaction: it may run twice. */
bool ldr_request_reads(const ldr_request *rq);
/* The loop that must be locked for the pool: NULL on the loop's own thread, and when there is none. */
ldr_loop *ldr_request_loop_to_lock(const ldr_request *rq);
/* Its connection goes back to the pool, or stays with its transaction. */
void ldr_request_release(ldr_request *rq);
/* Its exchange was sent on its slot: the loop waits for the answer. */
void ldr_request_await(ldr_request *rq);
/* It ends, or is freed, before the loop delivered its exchange: takes that off the loop's list. */
void ldr_request_unlist(ldr_request *rq);
/* The exchange goes on without the request, which gets another. false: out of memory. */
bool ldr_request_detach_exchange(ldr_request *rq);
/* The caller gives up: true when others go on with the connection, false when it must be cut. */
bool ldr_request_detach_or_cancel(ldr_request *rq);
/* Gives back the connections of detached exchanges that are answered. */
void ldr_reap_detached(ldr_pg *e);
void ldr_request_cancel(ldr_request *rq); /* tells the server */
/* The same for what runs on a pooled connection, which is not used again behind a pooler. */
void ldr_pg_cancel_slot(ldr_pg *e, ldr_slot *s, int64_t now);

#endif

/* The pool: connections in one list a state (postgres/pool/slot.h), callers who wait in one queue.
 *
 * Without a loop, a caller that waits for a connection opens one itself: at most two are opened at a time,
 * and one only while the server is down. What else needs doing (unused connections that grew old, the
 * minimum) is done when a connection is taken or given back; the minimum is kept only for callers that do not
 * block, since a blocking one never needs a second connection. A pool belongs to one thread.
 *
 * With a loop the pool belongs to that, which opens the connections; ldr_pool_turn does the rest in its time.
 */
#ifndef LDR_POSTGRES_POOL_POOL_H
#define LDR_POSTGRES_POOL_POOL_H

#include "postgres/pool/acquire.h"
#include "postgres/pool/shared.h"

ldr_code ldr_pool_new(const ldr_conninfo *info, const ldr_pool_config *c, ldr_pool **out,
                      ldr_err *err) LDR_MUSTCHECK;
void ldr_pool_free(
    ldr_pool *p); /* closes what is idle; BUSY slots must be gone. NULL is fine; frees no info */

/* ---- under a loop; on its thread or with the loop locked ---- */
/* From now on connections are watched, and `ready` is called for a slot's watch; slot->owner is `owner`. */
void ldr_pool_attach(ldr_pool *p, ldr_loop *l, void (*ready)(ldr_watch *w), void *owner);
void ldr_pool_ready(ldr_pool *p, ldr_slot *s); /* a connection that is being opened, or idle, can go on */
int64_t ldr_pool_turn(ldr_pool *p);            /* what is due; returns when the next is */

#endif

/* Callers that want a connection. */
#ifndef LDR_POSTGRES_POOL_ACQUIRE_H
#define LDR_POSTGRES_POOL_ACQUIRE_H

#include "postgres/pool/release.h"

/* A connection for w, now or later: LDR_OK sets w->slot; LDR_PENDING: wait as w says, then call again. On
 * failure w is out of the queue. holder names the operation. With block, a wait that only other calls of this
 * thread could end fails at once. */
ldr_code ldr_pool_acquire(ldr_pool *p, ldr_waiter *w, const char *holder, bool block, int64_t deadline,
                          ldr_err *err) LDR_MUSTCHECK;
void ldr_pool_leave(ldr_pool *p, ldr_waiter *w); /* gives up waiting; a connection handed over goes on */
/* Under a loop: callers that still wait, perhaps for a connection that has stalled since. Returns when to
 * look again. */
int64_t ldr_pool_serve_in_turn(ldr_pool *p, int64_t now);

#endif

/* Which connection a caller gets now: connections that are there go to those who wait for them. */
#ifndef LDR_POSTGRES_POOL_PLACE_H
#define LDR_POSTGRES_POOL_PLACE_H

#include "postgres/pool/state.h"

/* Under a loop: */
void ldr_pool_watch(ldr_pool *p, ldr_slot *s); /* for what its connection waits */
void ldr_pool_unwatch(ldr_pool *p, ldr_slot *s);

void ldr_pool_destroy(ldr_pool *p, ldr_slot *s);
void ldr_pool_destroy_idle(ldr_pool *p, ldr_slot *s, uint64_t *counter);
ldr_slot *ldr_pool_place(ldr_pool *p, ldr_waiter *w); /* one for w that can be had now; NULL: none */
void ldr_pool_serve(ldr_pool *p);                     /* connections go to callers that wait */

/* A connection may be opened, or one that is being opened has nobody who does it: wakes the oldest caller
 * that could. */
void ldr_pool_wake_next_connector(ldr_pool *p);
void ldr_pool_leave_connect(ldr_waiter *w); /* it opens none any more */

#endif

/* Connections that go back, are not needed any more, or are the parent's. */
#ifndef LDR_POSTGRES_POOL_RELEASE_H
#define LDR_POSTGRES_POOL_RELEASE_H

#include "postgres/pool/connect.h"

/* Gives a connection back. One that is dead, busy, in a transaction, expired or marked is destroyed. */
void ldr_pool_release(ldr_pool *p, ldr_slot *s, bool block);
void ldr_pool_reap_idle(ldr_pool *p); /* connections that were not used for long, or are too old */
void ldr_pool_detach(ldr_pool *p);    /* its loop has ended */
/* Notices a fork: in the child every connection of the parent is given up without a byte written. Call it
 * before touching any connection. */
void ldr_pool_check_fork(ldr_pool *p);

#endif

/* What the first connection asks before anybody gets it: is there a pooler, and which server is it? */
#ifndef LDR_POSTGRES_POOL_GREET_H
#define LDR_POSTGRES_POOL_GREET_H

#include "postgres/pool/state.h"

/* s is connected. LDR_OK: the pool knows its server; LDR_PENDING: call again when the socket is ready. */
ldr_code ldr_pool_greet(ldr_pool *p, ldr_slot *s, ldr_err *err) LDR_MUSTCHECK;

#endif

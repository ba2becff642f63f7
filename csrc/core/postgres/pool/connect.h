/* Opening connections: by the loop, else by the callers that wait for one. */
#ifndef LDR_POSTGRES_POOL_CONNECT_H
#define LDR_POSTGRES_POOL_CONNECT_H

#include "postgres/pool/place.h"

/* Opens one connection, waiting, without a second attempt: proves the settings. */
ldr_code ldr_pool_connect(ldr_pool *p, int64_t deadline, ldr_err *err) LDR_MUSTCHECK;

bool ldr_pool_may_connect(const ldr_pool *p);
ldr_code ldr_pool_start_connect(ldr_pool *p, ldr_slot **out, ldr_err *err) LDR_MUSTCHECK;
/* One step of opening s. LDR_OK: it is idle now, or somebody's; on failure it is gone. */
ldr_code ldr_pool_step_connect(ldr_pool *p, ldr_slot *s, ldr_err *err) LDR_MUSTCHECK;
void ldr_pool_step_abandoned(ldr_pool *p); /* those that nobody opens any more */
void ldr_pool_ensure_min(ldr_pool *p);     /* begins to open one, when there are too few */

#endif

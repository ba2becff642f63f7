/* Connections that statements of several callers share, as the reactor needs them
 * (postgres/pool/multiplex.h). On the loop's thread or with the loop locked. */
#ifndef LDR_POSTGRES_POOL_SHARED_H
#define LDR_POSTGRES_POOL_SHARED_H

#include "postgres/pool/place.h"

ldr_slot *ldr_pool_next_shared(const ldr_pool *p, const ldr_slot *s); /* s NULL: the first; NULL: no more */
void ldr_pool_flush_groups(ldr_pool *p);                              /* ends the groups that gather */
void ldr_pool_size_groups(ldr_pool *p, unsigned running); /* … and says how large they may become */
ldr_load ldr_pool_load(const ldr_pool *p); /* opening connections and large results are heavy */

#endif

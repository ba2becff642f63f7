/* What a request runs as: settings of the server (a tenant, a role) for its own statement alone.
 *
 * They are set in front of the statement in the same exchange, local to the implicit transaction that ends
 * with the exchange's Sync. So they are gone with the answer, also when the statement fails, through every
 * pooler, and whoever uses the connection next finds none. Exchanges of a group share one Sync: a request
 * with a context is never in one (see ldr_request_share_class). */
#ifndef LDR_POSTGRES_REQUEST_CONTEXT_H
#define LDR_POSTGRES_REQUEST_CONTEXT_H

#include "engine/engine.h"
#include "postgres/protocol/exchange.h"

/* See ldr_context_group. */
ldr_code ldr_pgcontext_new(const ldr_setting *settings, size_t n, ldr_context **out,
                           ldr_err *err) LDR_MUSTCHECK;
/* The search_path that it sets; "" when it sets none, or c is NULL. */
const char *ldr_pgcontext_path(const ldr_context *c);
/* One more command of r, which sets them; NULL adds none. Reads c only: on any thread. */
ldr_code ldr_pgcontext_add(const ldr_context *c, ldr_exchange *r, ldr_err *err) LDR_MUSTCHECK;

#endif

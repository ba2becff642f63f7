/* The reactor: a loop (async/loop.h) that runs the requests and connections of one PostgreSQL engine, so that
 * any number of calls wait without a thread of their own; postgres/pool/multiplex.h for how they share
 * connections.
 *
 *   caller ── submit ──► inbox ──► [ requests by state, pool, connections ] ── completion id ──► caller
 * collects
 */
#ifndef LDR_POSTGRES_REQUEST_REACTOR_H
#define LDR_POSTGRES_REQUEST_REACTOR_H

#include "postgres/request/request.h"

ldr_code ldr_reactor_start(ldr_pg *e, ldr_err *err) LDR_MUSTCHECK; /* if it is not running */
void ldr_reactor_prepare(ldr_request *rq); /* before it is posted: the loop is to be told of its answers */
/* The engine closes: its thread ends. Requests and transactions must be gone. */
void ldr_reactor_stop(ldr_pg *e);

#endif

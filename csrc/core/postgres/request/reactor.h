/* The reactor: a loop (async/loop.h) that drives the connections of one PostgreSQL engine, so that any number
 * of calls wait without a thread of their own. See postgres/postgres.h for how it is used,
 * postgres/pool/multiplex.h for how callers share connections.
 *
 *   owner ── submit ──► inbox ──► [ jobs, pool, connections ] ── ticket ──► channel ──► owner collects
 */
#ifndef LDR_POSTGRES_REQUEST_REACTOR_H
#define LDR_POSTGRES_REQUEST_REACTOR_H

#include "postgres/request/request.h"

/* The engine closes: its thread ends. Jobs and transactions must be gone. */
void ldr_pgreact_stop(ldr_pg *e);

#endif

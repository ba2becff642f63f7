/* The reactor: a loop (ldr_loop.h) that drives the connections of one PostgreSQL engine, so that any number
 * of calls wait without a thread of their own. See ldr_pg.h for how it is used, ldr_lane.h for how callers
 * share connections.
 *
 *   owner ── submit ──► inbox ──► [ jobs, pool, connections ] ── ticket ──► channel ──► owner collects
 */
#ifndef LDR_PGREACT_H
#define LDR_PGREACT_H

#include "ldr_pgjob.h"

/* The engine closes: its thread ends. Jobs and transactions must be gone. */
void ldr_pgreact_stop(ldr_pg *e);

#endif

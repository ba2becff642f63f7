/* COPY by the caller's hand, in a transaction or session (postgres/postgres.h). Only one at a time; nothing
 * else runs in it meanwhile. */
#ifndef LDR_POSTGRES_EXEC_COPY_H
#define LDR_POSTGRES_EXEC_COPY_H

#include "postgres/exec/session.h"

/* Ends a COPY out before its end: reads and drops the rest, so that the transaction lives on. */
void ldr_pgcopy_drain(ldr_tx *tx);

#endif

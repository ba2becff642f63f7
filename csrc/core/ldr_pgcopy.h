/* COPY by the caller's hand, in a transaction or session (ldr_pg.h). Only one at a time; nothing else runs in
 * it meanwhile. */
#ifndef LDR_PGCOPY_H
#define LDR_PGCOPY_H

#include "ldr_pgsess.h"

/* Ends a COPY out before its end: reads and drops the rest, so that the transaction lives on. */
void ldr_pgcopy_drain(ldr_tx *tx);

#endif

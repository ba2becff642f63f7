/* COPY by the caller's hand, in a transaction or session. Only one at a time; nothing
 * else runs in it meanwhile. */
#ifndef LDR_POSTGRES_EXEC_COPY_H
#define LDR_POSTGRES_EXEC_COPY_H

#include "postgres/exec/session.h"

/* Ends a COPY out before its end: reads and drops the rest, so that the transaction lives on. What takes
 * longer than a second is cut off: the connection is closed, and the transaction is undone. */
void ldr_pgcopy_drain(ldr_tx *tx);

/* COPY, any format. begin sends the statement; data as often as wanted; end with why = NULL commits, else
 * cancels it. Blocking. */
ldr_code ldr_pg_copy_in_begin(ldr_tx *, const char *sql, const ldr_call *, ldr_err *) LDR_MUSTCHECK;
ldr_code ldr_pg_copy_in_data(ldr_tx *, const void *p, size_t n, const ldr_call *, ldr_err *) LDR_MUSTCHECK;
ldr_code ldr_pg_copy_in_end(ldr_tx *, const char *why, const ldr_call *, int64_t *rows,
                            ldr_err *) LDR_MUSTCHECK;
ldr_code ldr_pg_copy_out_begin(ldr_tx *, const char *sql, const ldr_call *, ldr_err *) LDR_MUSTCHECK;
/* *p = NULL at the end. The bytes are valid until the next call. */
ldr_code ldr_pg_copy_out_data(ldr_tx *, const ldr_call *, const char **p, size_t *n, ldr_err *) LDR_MUSTCHECK;

#endif

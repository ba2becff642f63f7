/* Pipelines: many statements in one round trip.
 *
 *   isolated:  a exchange an item, each with its own Sync, a window of them in flight on one connection
 *   atomic:    one exchange for all items, so one Sync and one implicit transaction */
#ifndef LDR_POSTGRES_EXEC_PIPELINE_H
#define LDR_POSTGRES_EXEC_PIPELINE_H

#include "postgres/exec/transaction.h"

/* See ldr_sql_group. */
ldr_code ldr_pg_pipeline(ldr_engine *, ldr_tx *, const ldr_item *items, size_t n, bool atomic,
                         const ldr_call *, ldr_result *results, ldr_err **errs, ldr_task **task,
                         ldr_err *) LDR_MUSTCHECK;

#endif

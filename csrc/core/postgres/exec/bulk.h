/* Bulk work of the PostgreSQL engine: rows in by binary COPY, rows out by binary COPY. */
#ifndef LDR_POSTGRES_EXEC_BULK_H
#define LDR_POSTGRES_EXEC_BULK_H

#include "postgres/exec/copy.h"

ldr_code ldr_pgbulk_load(ldr_engine *, ldr_tx *, const ldr_batch *, ldr_conflict, const ldr_call *,
                         int64_t *loaded, ldr_task **task, ldr_err *);
ldr_code ldr_pgbulk_scan(ldr_engine *, ldr_tx *, const ldr_entity *, const ldr_call *, ldr_scan **out,
                         ldr_err *);

#endif

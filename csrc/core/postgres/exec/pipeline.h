/* Pipelines: many statements in one round trip.
 *
 *   isolated:  a exchange an item, each with its own Sync, a window of them in flight on one connection
 *   atomic:    one exchange for all items, so one Sync and one implicit transaction */
#ifndef LDR_POSTGRES_EXEC_PIPELINE_H
#define LDR_POSTGRES_EXEC_PIPELINE_H

#include "postgres/exec/transaction.h"

/* Several statements or operations in one round trip. Each item is an operation, or a statement with its
 * values. atomic: one implicit transaction, the first failure stops the rest (they get LDR_CANCELED); else
 * each stands alone. results[i] and errs[i] (NULL = fine, else allocated, ldr_free it) for each item; both
 * are filled while a task runs, and belong to the caller however it ends. Fails as a whole only when nothing
 * was sent. In tx: always atomic. */
typedef struct ldr_item {
  const ldr_op *op;
  ldr_stmt *stmt;
  const ldr_value *values;
} ldr_item;
ldr_code ldr_pg_pipeline(ldr_engine *, ldr_tx *, const ldr_item *items, size_t n, bool atomic,
                         const ldr_call *, ldr_result *results, ldr_err **errs, ldr_task **task,
                         ldr_err *) LDR_MUSTCHECK;

#endif

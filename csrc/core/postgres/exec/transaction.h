/* Transactions of the PostgreSQL engine: BEGIN and savepoints travel with the next statement, COMMIT finds
 * out what became of it when its answer is lost. */
#ifndef LDR_POSTGRES_EXEC_TRANSACTION_H
#define LDR_POSTGRES_EXEC_TRANSACTION_H

#include "postgres/exec/query.h"

ldr_code ldr_pgtx_begin(ldr_engine *, const ldr_txopts *, ldr_tx **out, ldr_err *);
ldr_code ldr_pgtx_savepoint(ldr_tx *, ldr_err *);
ldr_code ldr_pgtx_release(ldr_tx *, ldr_err *);
ldr_code ldr_pgtx_rollback_to(ldr_tx *, ldr_err *);
/* A task freed before its end has consumed the transaction, too. */
ldr_code ldr_pgtx_commit(ldr_tx *, const ldr_call *, ldr_task **task, ldr_err *);
ldr_code ldr_pgtx_rollback(ldr_tx *, const ldr_call *, ldr_task **task, ldr_err *);
void ldr_pgtx_abandon(ldr_tx *);

/* A transaction, or with session a connection without one; not begun. */
ldr_code ldr_pgtx_new(ldr_pg *e, bool session, ldr_pgtx **out, ldr_err *err) LDR_MUSTCHECK;
void ldr_pgtx_free(ldr_pgtx *tx);     /* its slot is not touched; NULL is fine */
void ldr_pgtx_free_spares(ldr_pg *e); /* the engine closes */

#endif

/* Single statements of the PostgreSQL engine: operations, and raw SQL with parameters.
 */
#ifndef LDR_POSTGRES_EXEC_QUERY_H
#define LDR_POSTGRES_EXEC_QUERY_H

#include "postgres/request/request.h"

ldr_code ldr_pgrun_op(ldr_engine *, ldr_tx *, const ldr_op *, const ldr_call *, ldr_result *out,
                      ldr_task **task, ldr_err *);
/* Adds the execution of s to r, and before it what it needs; *main is its command. how: LDR_RUN_TEXT makes
 * the results travel as text, whatever its description says. */
ldr_code ldr_pgrun_add(ldr_slot *slot, ldr_stmt *s, unsigned how, const ldr_bind *args, ldr_exchange *r,
                       unsigned *main, ldr_err *err) LDR_MUSTCHECK;
/* For a statement that was stale so often: the first time it is prepared anew, then it runs without a name.
 */
unsigned ldr_pgrun_how(unsigned stale, bool as_text);
/* The answer refutes the description of s, and what s did cannot be done again to see it. */
ldr_code ldr_pgrun_unreadable(const ldr_pgtx *tx, ldr_err *err);
/* The number that is all of an answer (see ldr_sqlgen_counts); 0 without one. */
int64_t ldr_pgrun_count(const ldr_pgres *res);
/* What an answer brings its caller; takes over res, also on failure. */
ldr_code ldr_pgrun_result(ldr_stmt *s, ldr_pgres *res, ldr_result *out, ldr_err *err) LDR_MUSTCHECK;
/* A statement succeeded: what its tag says of the transaction and of prepared statements. */
void ldr_pgrun_note(ldr_pgtx *tx, ldr_slot *slot, const ldr_stmt *s, const char *tag);
/* To be called when all statements of r are in it, with their effects together: what they may change in the
 * session is undone behind them, under the same Sync, so that it is gone before anybody else has the session,
 * whatever pooler is between. In a transaction it is only noted, and undone at the end. */
ldr_code ldr_pgrun_add_undo(ldr_request *rq, unsigned effects, ldr_exchange *r, ldr_err *err) LDR_MUSTCHECK;
ldr_pgtx *ldr_pgtx_of(ldr_tx *tx);
/* One more command, which asks for the id of the request's transaction. */
ldr_code ldr_pgrun_ask_xid(ldr_request *rq, ldr_err *err) LDR_MUSTCHECK;
/* Its answer, in a column: 0 as long as the transaction has changed nothing. false: there is none. */
bool ldr_pgrun_read_xid(const ldr_pgres *res, unsigned column, uint64_t *xid);

/* ---- raw statements ---- */
/* Cached by text; *task only with LDR_PENDING (then the result is fetched with ldr_pg_prepared). */
ldr_code ldr_pg_prepare(ldr_engine *, ldr_tx *, const char *sql, size_t n, const ldr_call *, ldr_stmt **out,
                        ldr_task **task, ldr_err *) LDR_MUSTCHECK;
ldr_stmt *ldr_pg_prepared(ldr_task *done);
void ldr_pg_forget(ldr_engine *, ldr_stmt *s); /* who prepares this text next asks the server again */
/* values: one a parameter, of the parameter's type (or text for LDR_F_UNKNOWN), nulls allowed. */
ldr_code ldr_pg_execute(ldr_engine *, ldr_tx *, ldr_stmt *, const ldr_value *values, const ldr_call *,
                        ldr_result *out, ldr_task **task, ldr_err *) LDR_MUSTCHECK;

#endif

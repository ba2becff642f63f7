/* Single statements of the PostgreSQL engine: operations, and raw SQL with parameters (postgres/postgres.h).
 */
#ifndef LDR_POSTGRES_EXEC_QUERY_H
#define LDR_POSTGRES_EXEC_QUERY_H

#include "postgres/request/request.h"

ldr_code ldr_pgrun_op(ldr_engine *, ldr_tx *, const ldr_op *, const ldr_call *, ldr_result *out,
                      ldr_task **task, ldr_err *);
/* Goes before a statement whose results travel as text. */
ldr_code ldr_pgrun_form(ldr_req *r, const ldr_stmt *s, ldr_err *err) LDR_MUSTCHECK;
/* What an answer brings its caller; takes over res, also on failure. */
ldr_code ldr_pgrun_result(ldr_stmt *s, ldr_pgres *res, ldr_result *out, ldr_err *err) LDR_MUSTCHECK;
/* A statement succeeded: what its tag says of the transaction and of the session's state. */
void ldr_pgrun_note(ldr_pgtx *tx, ldr_slot *slot, const ldr_stmt *s, const char *tag);
ldr_pgtx *ldr_pgtx_of(ldr_tx *tx);
/* One more command, which asks for the id of the job's transaction. */
ldr_code ldr_pgrun_ask_xid(ldr_job *j, ldr_err *err) LDR_MUSTCHECK;
/* Its answer: 0 as long as the transaction has changed nothing. false: there is none. */
bool ldr_pgrun_read_xid(const ldr_pgres *res, uint64_t *xid);

#endif

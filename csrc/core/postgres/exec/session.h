/* Sessions and scripts of the PostgreSQL engine. */
#ifndef LDR_POSTGRES_EXEC_SESSION_H
#define LDR_POSTGRES_EXEC_SESSION_H

#include "postgres/request/request.h"

/* Submits sql by the simple protocol, behind what the transaction has pending. */
ldr_code ldr_pgsess_simple(ldr_request *rq, const char *sql, ldr_err *err) LDR_MUSTCHECK;

/* ---- a session: one connection of its own without a transaction, as an ldr_tx whose rollback gives it back
 * ---- */
/* A blocking call has the connection when it returns; else the session's first statement waits for it. */
ldr_code ldr_pg_session(ldr_engine *, const ldr_call *, ldr_tx **out, ldr_err *) LDR_MUSTCHECK;
/* LDR_UNSUPPORTED behind a pooler in transaction mode: no connection keeps its session. */
ldr_code ldr_pg_has_sessions(const ldr_engine *, ldr_err *) LDR_MUSTCHECK;
/* Several statements by the simple protocol, no results (migration files). In a session or transaction; *line
 * = line of the failing statement or 0. */
ldr_code ldr_pg_script(ldr_tx *, const char *sql, const ldr_call *, ldr_err *) LDR_MUSTCHECK;
int ldr_pg_backend_pid(const ldr_tx *); /* 0 when not connected */

#endif

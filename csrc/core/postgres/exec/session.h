/* Sessions and scripts of the PostgreSQL engine (postgres/postgres.h). */
#ifndef LDR_POSTGRES_EXEC_SESSION_H
#define LDR_POSTGRES_EXEC_SESSION_H

#include "postgres/request/request.h"

/* Submits sql by the simple protocol, behind what the transaction has pending. */
ldr_code ldr_pgsess_simple(ldr_job *j, const char *sql, ldr_err *err) LDR_MUSTCHECK;

#endif

/* Sessions and scripts of the PostgreSQL engine (ldr_pg.h). */
#ifndef LDR_PGSESS_H
#define LDR_PGSESS_H

#include "ldr_pgjob.h"

/* Submits sql by the simple protocol, behind what the transaction has pending. */
ldr_code ldr_pgsess_simple(ldr_job *j, const char *sql, ldr_err *err) LDR_MUSTCHECK;

#endif

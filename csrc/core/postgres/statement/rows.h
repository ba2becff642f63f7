/* Result rows read straight from the server's answer: texts and JSON point into it, numbers are decoded when
 * they are asked for. */
#ifndef LDR_POSTGRES_STATEMENT_ROWS_H
#define LDR_POSTGRES_STATEMENT_ROWS_H

#include "model/rows.h"
#include "postgres/statement/statement.h"

/* The rows of an answer to s; takes over res, also on failure. They count s. The columns' names are those
 * that s has, else the server's; their types are what the server sent, whatever s expects. */
ldr_code ldr_pgrows_new(ldr_stmt *s, ldr_pgres *res, ldr_rows **out, ldr_err *err) LDR_MUSTCHECK;

#endif

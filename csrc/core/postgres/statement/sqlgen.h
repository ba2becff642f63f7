/* Operation → SQL text and parameters. No I/O; golden-tested. Values only ever become parameters; identifiers
 * come from declarations and are quoted there. Statements keep to what Citus runs: no volatile function in
 * DO UPDATE, bare columns in RETURNING, texts ordered and range-compared by bytes, so that both engines
 * agree. */
#ifndef LDR_POSTGRES_STATEMENT_SQLGEN_H
#define LDR_POSTGRES_STATEMENT_SQLGEN_H

#include "postgres/statement/expr.h"

/* One walk yields both (ldr_param is in values/param.h). The text says all of the operation but the values,
 * so it is the key of compiled statements. Both buffers are appended to. Multi-row INSERT uses unnest()
 * arrays, so one plan serves any number of rows and no 65,535 limit exists.
 * lives: what is known of the server's tables (NULL: nothing): a column that is ordered by bytes anyway needs
 * no COLLATE, and so its indexes serve. */
ldr_code ldr_sqlgen(const ldr_op *op, const ldr_lives *lives, ldr_buf *sql, ldr_buf *params,
                    ldr_err *err) LDR_MUSTCHECK;
/* The same as a write that tells when it was analyzed. */
ldr_code ldr_sqlgen_given(const ldr_op *op, const ldr_sql_given *given, const ldr_lives *lives, ldr_buf *sql,
                          ldr_buf *params, ldr_err *err) LDR_MUSTCHECK;
/* Is its answer one number, in a row of its own? */
bool ldr_sqlgen_counts(const ldr_op *op);
/* `copy t ("a", "b") from stdin (format binary)` or its counterpart to stdout: every field, in order. */
void ldr_sqlgen_copy(const ldr_entity *e, bool in, ldr_buf *sql);

#endif

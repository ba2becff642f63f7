/* Operation → SQL text and parameters. No I/O; golden-tested. Values only ever become parameters; identifiers
 * come from declarations and are quoted there. Statements keep to what Citus runs: no volatile function in
 * DO UPDATE, bare columns in RETURNING, texts ordered and range-compared with COLLATE "C" so that both
 * engines agree byte for byte. */
#ifndef LDR_POSTGRES_STATEMENT_SQLGEN_H
#define LDR_POSTGRES_STATEMENT_SQLGEN_H

#include "postgres/statement/expr.h"

/* One walk yields both (ldr_param is in values/param.h): when sql is NULL only the parameters are
 * collected (the shape was compiled before). params is appended to, as a buffer of ldr_param. Multi-row
 * INSERT uses unnest() arrays, so one plan serves any number of rows and no 65,535 limit exists. */
ldr_code ldr_sqlgen(const ldr_op *op, ldr_buf *sql, ldr_buf *params, ldr_err *err) LDR_MUSTCHECK;
/* `copy t ("a", "b") from stdin (format binary)` or its counterpart to stdout: every field, in order. */
void ldr_sqlgen_copy(const ldr_entity *e, bool in, ldr_buf *sql);

#endif

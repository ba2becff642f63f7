/* Pages by keyset: the rows behind the last one seen. */
#ifndef LDR_POSTGRES_STATEMENT_KEYSET_H
#define LDR_POSTGRES_STATEMENT_KEYSET_H

#include "postgres/statement/expr.h"

/* The rows behind op->after in op's order. */
void ldr_sql_after(ldr_sql *w, ldr_sql_scope s, const ldr_op *op);

#endif

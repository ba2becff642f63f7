/* Limits for each parent: of the rows that share some fields, so many in the operation's order. */
#ifndef LDR_POSTGRES_STATEMENT_EACH_PARENT_H
#define LDR_POSTGRES_STATEMENT_EACH_PARENT_H

#include "postgres/statement/expr.h"

/* " from (…) as t": the rows under op's condition that are within the limits of their parent. */
void ldr_sql_each_parent(ldr_sql *w, ldr_sql_scope t, const ldr_op *op);

#endif

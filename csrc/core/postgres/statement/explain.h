/* What an error of the server means for a store: what only the declaration knows. */
#ifndef LDR_POSTGRES_STATEMENT_EXPLAIN_H
#define LDR_POSTGRES_STATEMENT_EXPLAIN_H

#include "postgres/statement/statement.h"

/* Says which side of a reference is at fault, whatever language the server speaks, names the uniques and
 * references of partitions as the stores declare them, fields in place of columns, and the fields that are
 * too long for an index. live: what the server has behind e; NULL: not known. */
void ldr_explain(const ldr_entity *e, const ldr_live *live, ldr_err *err);
/* The same for the store of a statement; s NULL or raw: nothing is changed. */
void ldr_stmt_explain(const ldr_stmt *s, ldr_err *err);

#endif

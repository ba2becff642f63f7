/* The text of an aggregate: figures of rows, and of their groups. Used by postgres/statement/sqlgen.c. */
#ifndef LDR_POSTGRES_STATEMENT_AGGREGATE_H
#define LDR_POSTGRES_STATEMENT_AGGREGATE_H

#include "postgres/statement/gen.h"

void ldr_gen_aggregate(gen *g);

#endif

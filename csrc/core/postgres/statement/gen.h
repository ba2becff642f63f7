/* What the files that write statements share: postgres/statement/sqlgen.c and what it is too long for. */
#ifndef LDR_POSTGRES_STATEMENT_GEN_H
#define LDR_POSTGRES_STATEMENT_GEN_H

#include "postgres/statement/expr.h"

/* A statement under way: its operation, the words written so far, and the table as `t`. */
typedef struct gen {
  ldr_sql w;
  const ldr_op *op;
  ldr_sql_scope t;
  ldr_sql_given given;
} gen;

static inline void say(gen *g, const char *s) { ldr_sql_str(&g->w, s); }
static inline const ldr_field *field(const gen *g, unsigned i) { return &g->op->e->fields[i]; }

void ldr_gen_table(gen *g, const char *verb); /* verb "schema"."table" as t */
void ldr_gen_where(gen *g);
void ldr_gen_source(gen *g);                 /* " from t … where …" */
void ldr_gen_limits(gen *g);                 /* " limit … offset …" */
void ldr_gen_name(gen *g, const char *name); /* " as …" of a result column */

#endif

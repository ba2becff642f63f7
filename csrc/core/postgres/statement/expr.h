/* What statements are made of: identifiers, parameters, predicates, orders. One walker writes the text and
 * collects the parameters in the same order, so the two cannot disagree. Used by postgres/statement/sqlgen.c.
 */
#ifndef LDR_POSTGRES_STATEMENT_EXPR_H
#define LDR_POSTGRES_STATEMENT_EXPR_H

#include <string.h>

#include "model/op.h"
#include "postgres/statement/live.h"
#include "values/param.h"

/* Sources that stand beside a table, each joined to it once: j1, j2 … */
typedef struct ldr_sql_joins {
  const struct ldr_sql_joins *around; /* those of the query around */
  const ldr_row_sources *sources;
  unsigned before; /* numbers that were taken already */
} ldr_sql_joins;

typedef struct ldr_sql {
  ldr_buf *text;
  ldr_buf *params;            /* of ldr_param */
  unsigned n;                 /* parameters of this statement so far */
  const ldr_lives *lives;     /* what is known of the server's tables; NULL: nothing */
  bool any_order;             /* texts are ordered by their columns' own collations */
  const ldr_sql_joins *joins; /* NULL: none; a source that is not among them is a subquery */
  unsigned njoined;
  const ldr_pred *joined; /* a list of values: rows of it are the source p, and joined to it; NULL: none */
} ldr_sql;

/* A table as the expressions on it see it: t, s1, s2 … inside semi-joins, and j1, j2 … of sources. */
typedef struct ldr_sql_scope {
  const ldr_entity *e;
  unsigned depth, joined;
} ldr_sql_scope;

/* A write that tells when it was analyzed (see ldr_given): behind the columns it returns that time, and
 * perhaps the transaction's id. guard: the number that the parameter behind all others gets; unless that is
 * the time or null, nothing is written. 0: no such parameter. */
typedef struct ldr_sql_given {
  bool on, xid;
  unsigned guard;
} ldr_sql_given;

/* Here, so that the length of a constant is known when it is compiled. */
static inline void ldr_sql_str(ldr_sql *w, const char *s) { ldr_buf_add(w->text, s, strlen(s)); }
void ldr_sql_uint(ldr_sql *w, unsigned n);
void ldr_sql_ident(ldr_sql *w, const char *name);
void ldr_sql_name(ldr_sql *w, const ldr_field *f);   /* "column" */
void ldr_sql_reference(ldr_sql *w, unsigned number); /* to a parameter that is there: $3 */
/* " > 10 then '…'": a limit of the field, and the text that stands for its fault. */
void ldr_sql_limit_fault(ldr_sql *w, const ldr_field *f, bool top);
ldr_param ldr_sql_param_of(const ldr_field *f, const ldr_value *v);
void ldr_sql_param(ldr_sql *w, const ldr_param *p);   /* $n */
void ldr_sql_collect(ldr_sql *w, const ldr_param *p); /* number n, referred to by the caller */
void ldr_sql_value(ldr_sql *w, const ldr_field *f, const ldr_value *v);
void ldr_sql_int8(ldr_sql *w, int64_t i);
void ldr_sql_cast_list(ldr_sql *w, const ldr_field *f, bool as_text); /* ::text[] */
void ldr_sql_constant(ldr_sql *w, const ldr_value *v); /* 'quoted': of a declaration, never of a caller */

void ldr_sql_column(ldr_sql *w, ldr_sql_scope s, unsigned field);   /* t."column" */
void ldr_sql_sortable(ldr_sql *w, ldr_sql_scope s, unsigned field); /* the same, texts by bytes */
/* A field or, when x is not NULL, the value of x; the same, texts by bytes. */
void ldr_sql_operand(ldr_sql *w, ldr_sql_scope s, unsigned field, const ldr_expr *x);
void ldr_sql_sortable_operand(ldr_sql *w, ldr_sql_scope s, unsigned field, const ldr_expr *x);
/* unnest(…) as p ("a", "b"): the values of an IN or a list of keys as rows. */
void ldr_sql_keys(ldr_sql *w, ldr_sql_scope s, const ldr_pred *p);
/* As an operand of `and`: a disjunction gets its parentheses. */
void ldr_sql_pred(ldr_sql *w, ldr_sql_scope s, const ldr_pred *p);
/* From here on the sources are meant by their names: ldr_sql_joined must stand behind each table whose rows
 * they belong to. joins lasts until w->joins is what it was before. */
void ldr_sql_join(ldr_sql *w, ldr_sql_joins *joins, const ldr_row_sources *sources);
void ldr_sql_joined(ldr_sql *w, ldr_sql_scope s); /* " left join … as j1 on …" */
void ldr_sql_order(ldr_sql *w, ldr_sql_scope s, const ldr_order *order, unsigned n); /* " order by …" */

#endif

#include "postgres/statement/gen.h"

void ldr_gen_table(gen *g, const char *verb) {
  say(g, verb);
  say(g, g->op->e->table);
  say(g, " as t");
}

void ldr_gen_where(gen *g) {
  if (g->op->where == NULL) return;
  say(g, " where ");
  ldr_sql_pred(&g->w, g->t, g->op->where);
}

void ldr_gen_source(gen *g) {
  ldr_gen_table(g, " from ");
  ldr_sql_joined(&g->w, g->t);
  ldr_gen_where(g);
}

void ldr_gen_limits(gen *g) {
  if (g->op->limit >= 0) {
    say(g, " limit ");
    ldr_sql_int8(&g->w, g->op->limit);
  }
  if (g->op->offset > 0) {
    say(g, " offset ");
    ldr_sql_int8(&g->w, g->op->offset);
  }
}

void ldr_gen_name(gen *g, const char *name) {
  say(g, " as ");
  ldr_sql_ident(&g->w, name);
}

/* The statements of COPY. */
#include "postgres/statement/expr.h"
#include "postgres/statement/sqlgen.h"

/* But those that the server generates: they are made anew wherever the rows go. */
static void all_names(ldr_sql *w, const ldr_entity *e) {
  bool first = true;
  for (unsigned i = 0; i < e->nfields; i++) {
    if (e->fields[i].generated) continue;
    if (!first) ldr_sql_str(w, ", ");
    ldr_sql_name(w, &e->fields[i]);
    first = false;
  }
}

void ldr_sqlgen_copy(const ldr_entity *e, bool in, ldr_buf *sql) {
  ldr_sql w = {.text = sql};
  if (in) {
    ldr_sql_str(&w, "copy ");
    ldr_sql_str(&w, e->table);
    ldr_sql_str(&w, " (");
    all_names(&w, e);
    ldr_sql_str(&w, ") from stdin (format binary)");
    return;
  }
  ldr_sql_str(&w, "copy (select "); /* a query also reads partitioned tables */
  all_names(&w, e);
  ldr_sql_str(&w, " from ");
  ldr_sql_str(&w, e->table);
  ldr_sql_str(&w, ") to stdout (format binary)");
}

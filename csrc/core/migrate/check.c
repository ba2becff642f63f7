#include "migrate/check.h"

#include <string.h>

#include "sqltext/split.h"

/* The place of a statement in its file. */
static ldr_code at(ldr_err *err, const ldr_migration_text *t, unsigned line, unsigned column) {
  return ldr_err_at(err, t->file, t->line + line - 1, column);
}

static ldr_code refuse(ldr_err *err, const ldr_migration_text *t, const ldr_statement *s, const char *reason,
                       const char *what, const char *hint) {
  unsigned line = t->line + s->line - 1;
  int n = s->n < 60 ? (int)s->n : 60;
  for (int i = 0; i < n; i++)
    if (t->sql[s->at + (size_t)i] == '\n' || t->sql[s->at + (size_t)i] == '\r') n = i;
  ldr_fail(err, LDR_INVALID, "%s:%u:%u: %s: %.*s", t->file, line, s->column, what, n, t->sql + s->at);
  ldr_err_set(err->hint, sizeof err->hint, hint);
  ldr_err_reason(err, reason);
  return at(err, t, s->line, s->column);
}

static ldr_code check_one(const ldr_migration_text *t, const ldr_statement *s, ldr_err *err) {
  if (s->kind == LDR_STATEMENT_COMMAND)
    return refuse(err, t, s, "psql", "a command of psql, which the server does not know",
                  "take the line out, or say the same in SQL");
  if (s->kind == LDR_STATEMENT_COPY_IN)
    return refuse(err, t, s, "psql", "copy from stdin needs psql",
                  "use insert, or load the data with larder.transfer");
  if (s->kind == LDR_STATEMENT_COPY_OUT)
    return refuse(err, t, s, "psql", "copy to stdout needs psql", "a migration has nowhere to write to");
  if (s->effects & LDR_EFFECT_TRANSACTION)
    return refuse(
        err, t, s, "own_transaction", "a migration may not end or begin a transaction itself",
        t->no_transaction
            ? "split the file: a file without a transaction runs statement by statement"
            : "take the line out: larder runs the file in a transaction, together with its version");
  if ((s->effects & LDR_EFFECT_OUTSIDE) && !t->no_transaction)
    return refuse(err, t, s, "needs_mark", "the statement runs only outside of a transaction",
                  "move it to a file of its own that begins with the line: -- larder: no-transaction");
  return LDR_OK;
}

/* The splitter's error, which knows the text's lines, as one of the file's. */
static ldr_code unreadable(const ldr_migration_text *t, ldr_err *err) {
  unsigned line = err->line ? err->line : 1, place = err->place;
  char what[sizeof err->message];
  const char *text = strstr(err->message, ": "); /* behind "line …, column …" */
  ldr_err_set(what, sizeof what, text ? text + 2 : err->message);
  ldr_fail(err, LDR_SYNTAX, "%s:%u:%u: %s", t->file, t->line + line - 1, place, what);
  ldr_err_reason(err, strstr(what, "psql") ? "psql" : "text");
  ldr_err_set(err->hint, sizeof err->hint,
              strstr(what, "psql") ? "take it out, or say the same in SQL"
                                   : "close it: all that follows is read as part of it");
  return at(err, t, line, place);
}

ldr_code ldr_migration_check(const ldr_migration_text *t, ldr_err *err) {
  ldr_splitter p;
  ldr_statement s;
  ldr_code code;
  ldr_split_init(&p, t->sql, t->n);
  while ((code = ldr_split_next(&p, &s, err)) == LDR_OK) {
    code = check_one(t, &s, err);
    if (code) return code;
  }
  return code == LDR_NOT_FOUND ? LDR_OK : unreadable(t, err);
}

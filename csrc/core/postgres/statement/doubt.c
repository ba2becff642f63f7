/* What a raw statement's text and description allow, and what speaks against them. */
#include <string.h>

#include "postgres/statement/statement.h"
#include "sqltext/split.h"

static ldr_code would_end_tx(ldr_err *err) {
  ldr_fail(err, LDR_INVALID, "this statement would end the transaction in the middle of its function");
  ldr_err_set(err->hint, sizeof err->hint,
              "the function's return commits, and `return nil, err` rolls back; db:session is for those who "
              "begin and commit themselves");
  return err->code;
}

ldr_code ldr_stmt_usable(const ldr_stmt *s, bool in_tx, ldr_err *err) {
  if (in_tx && (s->effects & LDR_EFFECT_ENDS)) return would_end_tx(err);
  if (s->doubled == NULL) return LDR_OK;
  return ldr_fail(err, LDR_INVALID,
                  "two columns of the result are called \"%.60s\": give one of them a name with AS",
                  s->doubled);
}

bool ldr_stmt_doubted(const ldr_stmt *s, const char *sqlstate) {
  return s->e == NULL && s->described && ldr_state_doubts(sqlstate);
}

/* A COPY that is misspelt is for the server to judge, which says where. */
static bool is_copy(const char *sql, const ldr_statement *s) {
  ldr_scanner scan;
  ldr_token t;
  ldr_scan_init(&scan, sql + s->at, s->n);
  (void)ldr_scan_code(&scan, &t);
  return s->data_n == 0 && ldr_token_is(&scan, &t, "copy");
}

ldr_code ldr_stmt_only_copies(const char *sql, bool in, unsigned *effects, ldr_err *err) {
  const ldr_statement_kind other = in ? LDR_STATEMENT_COPY_OUT : LDR_STATEMENT_COPY_IN;
  ldr_splitter p;
  ldr_statement first = {0}, second;
  ldr_code code, more;
  ldr_split_init(&p, sql, strlen(sql));
  code = ldr_split_next(&p, &first, err);
  if (code && code != LDR_NOT_FOUND) return code;
  more = ldr_split_next(&p, &second, err);
  *effects = first.effects;
  if (code == LDR_OK && first.kind == other)
    return ldr_fail(err, LDR_INVALID, "the statement copies in the other direction");
  if (code == LDR_OK && more == LDR_NOT_FOUND && is_copy(sql, &first)) return LDR_OK;
  return ldr_fail(err, LDR_INVALID, "the statement is not one COPY %s", in ? "from stdin" : "to stdout");
}

bool ldr_stmt_only_once(const ldr_stmt *s) {
  return s->e == NULL && s->gives_rows && (s->effects & LDR_EFFECT_WRITES);
}

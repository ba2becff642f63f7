/* What a raw statement's text and description allow, and what speaks against them. */
#include <string.h>

#include "postgres/statement/statement.h"

ldr_code ldr_stmt_usable(const ldr_stmt *s, ldr_err *err) {
  if (s->doubled == NULL) return LDR_OK;
  return ldr_fail(err, LDR_INVALID,
                  "two columns of the result are called \"%.60s\": give one of them a name with AS",
                  s->doubled);
}

bool ldr_stmt_doubted(const ldr_stmt *s, const char *sqlstate) {
  return s->e == NULL && s->described && ldr_state_doubts(sqlstate);
}

bool ldr_stmt_changes_session(const char *sql) {
  return ldr_sqltext_effects(sql, strlen(sql)) & LDR_EFFECT_SESSION;
}

bool ldr_stmt_only_once(const ldr_stmt *s) {
  return s->e == NULL && s->gives_rows && (s->effects & LDR_EFFECT_WRITES);
}

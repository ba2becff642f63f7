#include "postgres/protocol/exchange.h"

#include <assert.h>
#include <libpq-fe.h>

ldr_cmd *ldr_exchange_add(ldr_exchange *r, ldr_cmd_kind kind) {
  ldr_cmd *cmd;
  if (r->n == r->cap) {
    unsigned cap = r->cap ? r->cap * 2 : 4;
    cmd = ldr_realloc(r->cmd, cap * sizeof *cmd);
    if (cmd == NULL) return NULL;
    r->cmd = cmd;
    r->cap = cap;
  }
  cmd = &r->cmd[r->n++];
  *cmd = (ldr_cmd){.kind = kind};
  return cmd;
}

void ldr_exchange_reset(ldr_exchange *r) {
  ldr_exchange kept = {.cmd = r->cmd, .cap = r->cap, .finished = r->finished, .request = r->request};
  assert(!r->listed);
  for (unsigned i = 0; i < r->n; i++) PQclear(r->cmd[i].res);
  PQclear(r->error);
  *r = kept;
}

void ldr_exchange_free(ldr_exchange *r) {
  ldr_exchange_reset(r);
  ldr_free(r->cmd);
  *r = (ldr_exchange){0};
}

ldr_exchange *ldr_exchange_take_finished(ldr_exchange_list *l) {
  ldr_exchange *r = l->first;
  if (r) ldr_exchange_unlist(r);
  return r;
}

void ldr_exchange_unlist(ldr_exchange *r) {
  ldr_exchange_list *l = r->finished;
  ldr_exchange *before = NULL, **at;
  if (!r->listed) return;
  for (at = &l->first; *at != r; at = &(*at)->next) before = *at;
  *at = r->next;
  if (l->last == r) l->last = before;
  r->next = NULL;
  r->listed = false;
}

ldr_pgres *ldr_exchange_take(ldr_exchange *r, unsigned i) {
  ldr_pgres *res = r->cmd[i].res;
  r->cmd[i].res = NULL;
  return res;
}

static const char *field(const PGresult *res, int which) {
  const char *s = PQresultErrorField(res, which);
  return s ? s : "";
}

static ldr_pgfields fields_of(const PGresult *res) {
  return (ldr_pgfields){.sqlstate = field(res, PG_DIAG_SQLSTATE),
                        .message = field(res, PG_DIAG_MESSAGE_PRIMARY),
                        .detail = field(res, PG_DIAG_MESSAGE_DETAIL),
                        .hint = field(res, PG_DIAG_MESSAGE_HINT),
                        .schema = field(res, PG_DIAG_SCHEMA_NAME),
                        .table = field(res, PG_DIAG_TABLE_NAME),
                        .column = field(res, PG_DIAG_COLUMN_NAME),
                        .datatype = field(res, PG_DIAG_DATATYPE_NAME),
                        .constraint = field(res, PG_DIAG_CONSTRAINT_NAME),
                        .context = field(res, PG_DIAG_CONTEXT),
                        .routine = field(res, PG_DIAG_SOURCE_FUNCTION)};
}

ldr_code ldr_exchange_error(const ldr_exchange *r, bool deleting, ldr_err *err) {
  ldr_pgfields f;
  if (r->error && *field(r->error, PG_DIAG_SQLSTATE)) {
    f = fields_of(r->error);
    return ldr_pgerr_fill(&f, deleting, err);
  }
  if (r->lost && r->copying)
    return ldr_fail(err, LDR_UNSUPPORTED, "COPY from or to the client needs copy_in or copy_out");
  if (r->lost) return ldr_fail(err, LDR_CONNECTION, "the connection to the server was lost");
  return ldr_fail(err, LDR_INTERNAL, "the answer of the server could not be read");
}

const char *ldr_exchange_sqlstate(const ldr_exchange *r) {
  return r->error ? field(r->error, PG_DIAG_SQLSTATE) : "";
}

bool ldr_exchange_stale(const ldr_exchange *r) {
  ldr_pgfields f;
  if (r->error == NULL || r->lost) return false;
  f = fields_of(r->error);
  return ldr_pgerr_stale(&f);
}

void ldr_exchange_end(ldr_exchange *r, bool lost) {
  ldr_exchange_list *l = r->finished;
  r->next = NULL;
  r->done = true;
  r->lost = lost;
  if (l == NULL) return;
  r->listed = true;
  *(l->last ? &l->last->next : &l->first) = r;
  l->last = r;
}

bool ldr_state_mistyped(const char *sqlstate) {
  return strcmp(sqlstate, "42804") == 0 || strcmp(sqlstate, "42883") == 0 || strcmp(sqlstate, "42846") == 0;
}

/* A parameter of another type fails as an operator or cast that is not there, as a value that cannot be read,
 * or (a type that was made anew) as a fault inside of the server. */
bool ldr_state_doubts(const char *sqlstate) {
  static const char *const states[] = {"42", "0A000", "22P02", "22P03", "22003", "XX000"};
  for (size_t i = 0; i < sizeof states / sizeof *states; i++)
    if (strncmp(sqlstate, states[i], strlen(states[i])) == 0) return true;
  return false;
}

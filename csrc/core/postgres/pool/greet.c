#include "postgres/pool/greet.h"

static ldr_code ask(ldr_slot *s, const char *question, ldr_err *err) {
  ldr_code code;
  ldr_cmd *c;
  ldr_exchange_reset(&s->hello);
  c = ldr_exchange_add(&s->hello, LDR_CMD_QUERY);
  if (c == NULL) return ldr_fail_nomem(err);
  c->sql = question;
  code = ldr_conn_submit(s->conn, &s->hello, err);
  return code ? code : LDR_PENDING;
}

/* The first question was for the session; the one that is answered now is counted. Without an identity
 * nothing is claimed of lost commits. */
static ldr_code ask_identity(ldr_pool *p, ldr_slot *s, ldr_err *err) {
  const char *question = ldr_identity_question(s->questions - 2);
  if (question) return ask(s, question, err);
  p->server.known = true;
  return LDR_OK;
}

/* Behind a pooler the session's process is not the one that answers. */
static ldr_code session_answered(ldr_pool *p, ldr_slot *s, ldr_err *err) {
  size_t n = 0;
  const ldr_pgres *res = s->hello.cmd[0].res;
  const char *pid;
  if (s->hello.error) return ldr_exchange_error(&s->hello, false, err);
  pid = ldr_pgres_rows(res) ? ldr_pgres_cell(res, 0, 0, &n) : NULL;
  p->server.version = ldr_conn_version(s->conn);
  p->server.pooler = pid && n == 4 && (int)ldr_be32(pid) != ldr_conn_pid(s->conn);
  if (p->server.pooler && p->config.pgbouncer != 0) {
    p->server.own_sessions = false;
    p->unnamed = true;
  }
  return ask_identity(p, s, err);
}

static ldr_code identity_answered(ldr_pool *p, ldr_slot *s, ldr_err *err) {
  ldr_identity *i = &p->server.identity;
  if (s->hello.error || !ldr_identity_read(s->hello.cmd[0].res, i->text)) return ask_identity(p, s, err);
  i->since = s->begun;
  p->server.known = true;
  return LDR_OK;
}

/* Callers read what is known without a lock once they have a connection: it is written once only. */
ldr_code ldr_pool_greet(ldr_pool *p, ldr_slot *s, ldr_err *err) {
  if (s->questions == 0) {
    if (p->server.known) return LDR_OK;
    s->questions = 1;
    return ask(s, "select pg_backend_pid()", err);
  }
  ldr_conn_pump(s->conn);
  if (!s->hello.done) return LDR_PENDING;
  if (s->hello.lost) return ldr_exchange_error(&s->hello, false, err);
  if (p->server.known) return LDR_OK; /* another connection was faster */
  return s->questions++ == 1 ? session_answered(p, s, err) : identity_answered(p, s, err);
}

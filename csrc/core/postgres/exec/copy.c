#include "postgres/exec/copy.h"

#include <string.h>

#include "base/clock.h"
#include "postgres/exec/transaction.h"
#include "postgres/protocol/copy.h"

enum { DRAIN_US = 1000000 }; /* for the rest of a COPY that nobody reads to its end */

typedef struct copy_request {
  ldr_request base; /* first */
  const char *sql;
  bool in, dirties; /* dirties: it may change the session */
} copy_request;

static ldr_code start(ldr_request *rq, ldr_err *err) {
  const copy_request *x = (copy_request *)rq;
  if (x->dirties) rq->slot->reset = true;
  return ldr_pgsess_simple(rq, x->sql, err);
}

static ldr_code copying(ldr_request *rq, ldr_err *err) {
  const copy_request *x = (copy_request *)rq;
  if (ldr_pgres_copies_in(rq->exchange->cmd[0].res) != x->in) {
    ldr_conn_cut(rq->conn);
    return ldr_fail(err, LDR_INVALID, "the statement copies in the other direction");
  }
  return LDR_PENDING; /* the caller goes on */
}

static ldr_code refused(ldr_request *rq, ldr_err *err) {
  const ldr_pgres *error = rq->exchange->error;
  unsigned line = error ? ldr_pgres_error_copy_line(error) : 0;
  ldr_code code = ldr_request_error(rq, err);
  return line ? ldr_err_at(err, "", line, 0) : code;
}

static ldr_code answered(ldr_request *rq, ldr_err *err) {
  const ldr_pgres *res = rq->exchange->cmd[0].res;
  rq->tx->wrote = true;
  if (ldr_request_failed(rq)) return refused(rq, err);
  if (res == NULL || strncmp(ldr_pgres_tag(res), "COPY ", 5) != 0)
    return ldr_fail(err, LDR_INVALID, "the statement is not COPY");
  rq->task.result.affected = ldr_pgres_affected(res);
  return LDR_OK;
}

static const ldr_request_kind kind = {.start = start,
                                      .copying = copying,
                                      .answered = answered,
                                      .by_caller = true,
                                      .size = sizeof(copy_request)};

static ldr_code begin(ldr_tx *t, const char *sql, bool in, const ldr_call *call, ldr_err *err) {
  const ldr_call blocking = {.deadline = call->deadline, .block = true};
  ldr_pgtx *tx = ldr_pgtx_of(t);
  ldr_request *rq = NULL;
  unsigned effects = 0;
  ldr_code code = ldr_stmt_only_copies(sql, in, &effects, err);
  if (code == LDR_OK)
    code = ldr_request_new(tx->e, tx, &kind, in ? "copy in" : "copy out", &blocking, &rq, err);
  if (code) return code;
  ((copy_request *)rq)->dirties = (effects & LDR_EFFECT_SESSION) != 0;
  ((copy_request *)rq)->sql = sql;
  ((copy_request *)rq)->in = in;
  code = ldr_request_drive(rq, err);
  if (code == LDR_PENDING) return LDR_OK; /* tx->request is the COPY under way */
  ldr_request_free(rq);
  return code ? code : ldr_fail(err, LDR_INVALID, "the statement copied nothing");
}

/* The COPY under way in t. */
static ldr_code under_way(ldr_tx *t, bool in, ldr_request **out, ldr_err *err) {
  ldr_pgtx *tx = ldr_pgtx_of(t);
  ldr_request *rq = tx->request;
  ldr_pg_check_fork(tx->e);
  if (rq == NULL || rq->kind != &kind || ldr_request_state_of(rq) != LDR_REQUEST_COPYING ||
      ((copy_request *)rq)->in != in)
    return ldr_fail(err, LDR_INVALID, "no COPY of this kind is under way");
  *out = rq;
  return LDR_OK;
}

/* The server's word after the data. The request is gone then. */
static ldr_code finish(ldr_request *rq, int64_t *rows, ldr_err *err) {
  ldr_code code;
  ldr_request_move(rq, LDR_REQUEST_SENT);
  code = ldr_request_drive(rq, err);
  if (code == LDR_OK) *rows = rq->task.result.affected;
  ldr_request_free(rq);
  return code;
}

static ldr_code give_up(ldr_request *rq, const char *why, ldr_err *err) {
  int64_t ignored;
  ldr_code code = ldr_conn_copy_end(rq->conn, why, err);
  (void)code; /* a connection that is lost shows in the answer */
  return finish(rq, &ignored, err);
}

/* The request is cancelled like any other that is late, and gone. */
static ldr_code overdue(ldr_request *rq, int64_t deadline, ldr_err *err) {
  ldr_code code;
  rq->deadline = deadline;
  code = ldr_request_drive(rq, err);
  ldr_request_free(rq);
  (void)code;
  return ldr_fail_state(err, LDR_TIMEOUT, "57014", "the deadline passed during COPY");
}

ldr_code ldr_pg_copy_in_begin(ldr_tx *t, const char *sql, const ldr_call *call, ldr_err *err) {
  return begin(t, sql, true, call, err);
}

ldr_code ldr_pg_copy_in_data(ldr_tx *t, const void *p, size_t n, const ldr_call *call, ldr_err *err) {
  ldr_request *rq = NULL;
  ldr_code code = under_way(t, true, &rq, err);
  if (code) return code;
  code = ldr_conn_copy_put(rq->conn, p, n, err);
  while (code == LDR_PENDING) {
    if (ldr_now_mono() >= call->deadline) return overdue(rq, call->deadline, err);
    ldr_pg_wait(ldr_conn_fd(rq->conn), LDR_READ | LDR_WRITE, call->deadline);
    ldr_conn_pump(rq->conn);
    if (ldr_conn_dead(rq->conn))
      code = LDR_CONNECTION;
    else if (!(ldr_conn_events(rq->conn) & LDR_WRITE))
      code = LDR_OK;
  }
  return code ? give_up(rq, "the connection was lost", err) : LDR_OK;
}

ldr_code ldr_pg_copy_in_end(ldr_tx *t, const char *why, const ldr_call *call, int64_t *rows, ldr_err *err) {
  ldr_request *rq = NULL;
  ldr_code code = under_way(t, true, &rq, err);
  if (code) return code;
  rq->deadline = call->deadline;
  if (why) return give_up(rq, why, err);
  code = ldr_conn_copy_end(rq->conn, NULL, err);
  (void)code;
  return finish(rq, rows, err);
}

ldr_code ldr_pg_copy_out_begin(ldr_tx *t, const char *sql, const ldr_call *call, ldr_err *err) {
  return begin(t, sql, false, call, err);
}

ldr_code ldr_pg_copy_out_data(ldr_tx *t, const ldr_call *call, const char **p, size_t *n, ldr_err *err) {
  ldr_request *rq = NULL;
  int64_t ignored;
  ldr_code code = under_way(t, false, &rq, err);
  if (code) return code;
  while ((code = ldr_conn_copy_get(rq->conn, p, n, err)) == LDR_PENDING) {
    if (ldr_now_mono() >= call->deadline) return overdue(rq, call->deadline, err);
    ldr_pg_wait(ldr_conn_fd(rq->conn), ldr_conn_events(rq->conn), call->deadline);
  }
  if (code == LDR_OK && *p) return LDR_OK;
  rq->deadline = call->deadline;
  return finish(rq, &ignored, err); /* an error of the server ends the data, too */
}

/* A deadline that passes cuts the connection, and with it the transaction ends. */
void ldr_pgcopy_drain(ldr_tx *t) {
  const ldr_call call = {.deadline = ldr_now_mono() + DRAIN_US, .block = true};
  const char *p = "";
  size_t n;
  ldr_err ignored;
  while (ldr_pgtx_of(t)->request && p)
    if (ldr_pg_copy_out_data(t, &call, &p, &n, &ignored) != LDR_OK) return;
}

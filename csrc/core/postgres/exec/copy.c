#include "postgres/exec/copy.h"

#include <string.h>

#include "base/clock.h"
#include "postgres/exec/transaction.h"

typedef struct copy_job {
  ldr_job base; /* first */
  const char *sql;
  bool in;
} copy_job;

static ldr_code start(ldr_job *j, ldr_err *err) { return ldr_pgsess_simple(j, ((copy_job *)j)->sql, err); }

static ldr_code copying(ldr_job *j, ldr_err *err) {
  const copy_job *x = (copy_job *)j;
  if (ldr_pgres_copies_in(j->req->cmd[0].res) != x->in) {
    ldr_conn_cut(j->conn);
    return ldr_fail(err, LDR_INVALID, "the statement copies in the other direction");
  }
  j->stage = LDR_JOB_COPY;
  return LDR_PENDING;
}

static ldr_code answered(ldr_job *j, ldr_err *err) {
  const ldr_pgres *res = j->req->cmd[0].res;
  j->tx->wrote = true;
  if (ldr_job_failed(j)) return ldr_job_error(j, err);
  if (res == NULL || strncmp(ldr_pgres_tag(res), "COPY ", 5) != 0)
    return ldr_fail(err, LDR_INVALID, "the statement is not COPY");
  j->task.result.affected = ldr_pgres_affected(res);
  return LDR_OK;
}

static const ldr_job_kind kind = {
    .start = start, .copying = copying, .answered = answered, .size = sizeof(copy_job)};

static ldr_code begin(ldr_tx *t, const char *sql, bool in, const ldr_call *call, ldr_err *err) {
  const ldr_call blocking = {call->deadline, true};
  ldr_pgtx *tx = ldr_pgtx_of(t);
  ldr_job *j = NULL;
  ldr_code code = ldr_job_new(tx->e, tx, &kind, in ? "copy in" : "copy out", &blocking, &j, err);
  if (code) return code;
  ((copy_job *)j)->sql = sql;
  ((copy_job *)j)->in = in;
  code = ldr_job_drive(j, err);
  if (code == LDR_PENDING) return LDR_OK; /* tx->job is the COPY under way */
  ldr_job_free(j);
  return code ? code : ldr_fail(err, LDR_INVALID, "the statement copied nothing");
}

/* The COPY under way in t. */
static ldr_code under_way(ldr_tx *t, bool in, ldr_job **out, ldr_err *err) {
  ldr_pgtx *tx = ldr_pgtx_of(t);
  ldr_job *j = tx->job;
  ldr_pg_check_fork(tx->e);
  if (j == NULL || j->kind != &kind || j->stage != LDR_JOB_COPY || ((copy_job *)j)->in != in)
    return ldr_fail(err, LDR_INVALID, "no COPY of this kind is under way");
  *out = j;
  return LDR_OK;
}

/* The server's word after the data. The job is gone then. */
static ldr_code finish(ldr_job *j, int64_t *rows, ldr_err *err) {
  ldr_code code;
  j->stage = LDR_JOB_REQUEST;
  code = ldr_job_drive(j, err);
  if (code == LDR_OK) *rows = j->task.result.affected;
  ldr_job_free(j);
  return code;
}

static ldr_code give_up(ldr_job *j, const char *why, ldr_err *err) {
  int64_t ignored;
  ldr_code code = ldr_conn_copy_end(j->conn, why, err);
  (void)code; /* a connection that is lost shows in the answer */
  return finish(j, &ignored, err);
}

static ldr_code overdue(ldr_job *j, ldr_err *err) {
  give_up(j, "the deadline passed", err);
  return ldr_fail_state(err, LDR_TIMEOUT, "57014", "the deadline passed during COPY");
}

ldr_code ldr_pg_copy_in_begin(ldr_tx *t, const char *sql, const ldr_call *call, ldr_err *err) {
  return begin(t, sql, true, call, err);
}

ldr_code ldr_pg_copy_in_data(ldr_tx *t, const void *p, size_t n, const ldr_call *call, ldr_err *err) {
  ldr_job *j = NULL;
  ldr_code code = under_way(t, true, &j, err);
  if (code) return code;
  code = ldr_conn_copy_put(j->conn, p, n, err);
  while (code == LDR_PENDING) {
    if (ldr_millis_left(call->deadline) == 0) return overdue(j, err);
    ldr_pg_wait(ldr_conn_fd(j->conn), LDR_READ | LDR_WRITE, call->deadline);
    ldr_conn_pump(j->conn);
    if (ldr_conn_dead(j->conn))
      code = LDR_CONNECTION;
    else if (!(ldr_conn_events(j->conn) & LDR_WRITE))
      code = LDR_OK;
  }
  return code ? give_up(j, "the connection was lost", err) : LDR_OK;
}

ldr_code ldr_pg_copy_in_end(ldr_tx *t, const char *why, const ldr_call *call, int64_t *rows, ldr_err *err) {
  ldr_job *j = NULL;
  ldr_code code = under_way(t, true, &j, err);
  if (code) return code;
  j->deadline = call->deadline;
  if (why) return give_up(j, why, err);
  code = ldr_conn_copy_end(j->conn, NULL, err);
  (void)code;
  return finish(j, rows, err);
}

ldr_code ldr_pg_copy_out_begin(ldr_tx *t, const char *sql, const ldr_call *call, ldr_err *err) {
  return begin(t, sql, false, call, err);
}

ldr_code ldr_pg_copy_out_data(ldr_tx *t, const ldr_call *call, const char **p, size_t *n, ldr_err *err) {
  ldr_job *j = NULL;
  int64_t ignored;
  ldr_code code = under_way(t, false, &j, err);
  if (code) return code;
  while ((code = ldr_conn_copy_get(j->conn, p, n, err)) == LDR_PENDING) {
    if (ldr_millis_left(call->deadline) == 0) {
      ldr_conn_drop(j->conn);
      code = finish(j, &ignored, err);
      return ldr_fail_state(err, LDR_TIMEOUT, "57014", "the deadline passed during COPY");
    }
    ldr_pg_wait(ldr_conn_fd(j->conn), ldr_conn_events(j->conn), call->deadline);
  }
  if (code == LDR_OK && *p) return LDR_OK;
  j->deadline = call->deadline;
  return finish(j, &ignored, err); /* an error of the server ends the data, too */
}

void ldr_pgcopy_drain(ldr_tx *t) {
  const ldr_call call = {LDR_NEVER, true};
  const char *p = "";
  size_t n;
  ldr_err ignored;
  while (ldr_pgtx_of(t)->job && p)
    if (ldr_pg_copy_out_data(t, &call, &p, &n, &ignored) != LDR_OK) return;
}

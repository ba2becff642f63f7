#include "postgres/exec/session.h"

#include <string.h>

#include "postgres/exec/transaction.h"

/* ---- a session ---- */

static ldr_code ready_start(ldr_job *j, ldr_err *err) {
  (void)j;
  (void)err;
  return LDR_OK;
}

static const ldr_job_kind ready_kind = {.start = ready_start};

ldr_code ldr_pg_session(ldr_engine *engine, const ldr_call *call, ldr_tx **out, ldr_err *err) {
  const ldr_call blocking = {call->deadline, true};
  ldr_job *j = NULL;
  ldr_pgtx *tx = NULL;
  ldr_code code = ldr_pgtx_new(ldr_pg_of(engine), true, &tx, err);
  if (code) return code;
  code = ldr_job_new(tx->e, tx, &ready_kind, "session", &blocking, &j, err);
  if (code == LDR_OK) code = ldr_job_run(j, NULL, NULL, err);
  if (code) {
    ldr_pgtx_free(tx);
    return code;
  }
  *out = (ldr_tx *)(void *)tx;
  return LDR_OK;
}

int ldr_pg_backend_pid(const ldr_tx *t) {
  const ldr_pgtx *tx = (const ldr_pgtx *)(const void *)t;
  int pid;
  ldr_loop_enter(tx->e->loop);
  pid = tx->slot ? ldr_conn_pid(tx->slot->conn) : 0;
  ldr_loop_leave(tx->e->loop);
  return pid;
}

/* ---- the simple protocol ---- */

ldr_code ldr_pgsess_simple(ldr_job *j, const char *sql, ldr_err *err) {
  const char *pending = j->tx ? j->tx->pending.p : NULL;
  ldr_cmd *c;
  ldr_buf_reset(&j->args.data);
  for (unsigned i = 0; j->tx && i < j->tx->npending; i++, pending += strlen(pending) + 1)
    ldr_buf_fmt(&j->args.data, "%s;", pending);
  j->prefix = (unsigned)j->args.data.n;
  ldr_buf_str(&j->args.data, sql);
  ldr_req_reset(j->req);
  c = ldr_req_add(j->req, LDR_CMD_QUERY);
  if (c == NULL || (c->sql = ldr_buf_cstr(&j->args.data)) == NULL) return ldr_fail_nomem(err);
  j->req->simple = true;
  return ldr_job_submit(j, err);
}

typedef struct script_job {
  ldr_job base; /* first */
  const char *sql;
  unsigned *line;
} script_job;

static unsigned line_of(const char *sql, size_t chars) {
  unsigned line = 1;
  for (; *sql && chars; sql++) {
    if (((unsigned char)*sql & 0xC0) == 0x80) continue; /* the server counts characters */
    line += *sql == '\n';
    chars--;
  }
  return line;
}

static ldr_code script_start(ldr_job *j, ldr_err *err) {
  return ldr_pgsess_simple(j, ((script_job *)j)->sql, err);
}

static ldr_code script_answered(ldr_job *j, ldr_err *err) {
  script_job *x = (script_job *)j;
  unsigned at;
  j->slot->reset = true; /* it may have set anything */
  ldr_registry_forget_all(&j->slot->prepared);
  j->tx->wrote = true;
  if (!ldr_job_failed(j)) return LDR_OK;
  at = j->req->error ? ldr_pgres_error_position(j->req->error) : 0;
  if (at > j->prefix) *x->line = line_of(x->sql, at - j->prefix - 1);
  return ldr_job_error(j, err);
}

static const ldr_job_kind script_kind = {
    .start = script_start, .answered = script_answered, .size = sizeof(script_job)};

ldr_code ldr_pg_script(ldr_tx *t, const char *sql, const ldr_call *call, unsigned *line, ldr_err *err) {
  const ldr_call blocking = {call->deadline, true};
  ldr_pgtx *tx = ldr_pgtx_of(t);
  ldr_job *j = NULL;
  ldr_code code = ldr_job_new(tx->e, tx, &script_kind, "script", &blocking, &j, err);
  *line = 0;
  if (code) return code;
  ((script_job *)j)->sql = sql;
  ((script_job *)j)->line = line;
  return ldr_job_run(j, NULL, NULL, err);
}

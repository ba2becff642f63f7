#include "postgres/exec/session.h"

#include <string.h>

#include "postgres/exec/transaction.h"

/* ---- a session ---- */

static ldr_code ready_start(ldr_request *rq, ldr_err *err) {
  (void)rq;
  (void)err;
  return LDR_OK;
}

static const ldr_request_kind ready_kind = {.start = ready_start};

ldr_code ldr_pg_has_sessions(const ldr_engine *engine, ldr_err *err) {
  const ldr_pg *e = ldr_pg_of(engine);
  ldr_code code;
  ldr_loop_lock(e->loop);
  code = ldr_pg_keeps_sessions(e, err);
  ldr_loop_unlock(e->loop);
  return code;
}

ldr_code ldr_pg_session(ldr_engine *engine, const ldr_call *call, ldr_tx **out, ldr_err *err) {
  const ldr_call blocking = {.deadline = call->deadline, .block = true};
  ldr_request *rq = NULL;
  ldr_pgtx *tx = NULL;
  ldr_pg *e = ldr_pg_of(engine);
  ldr_code code;
  code = ldr_pgtx_new(e, true, &tx, err);
  if (code) return code;
  if (!call->block) { /* its first statement waits for the connection */
    *out = (ldr_tx *)(void *)tx;
    return LDR_OK;
  }
  code = ldr_request_new(tx->e, tx, &ready_kind, "session", &blocking, &rq, err);
  if (code == LDR_OK) code = ldr_request_run(rq, NULL, NULL, err);
  if (code) { /* it may have got a connection, and then a refusal */
    ldr_pgtx_abandon((ldr_tx *)(void *)tx);
    return code;
  }
  *out = (ldr_tx *)(void *)tx;
  return LDR_OK;
}

int ldr_pg_backend_pid(const ldr_tx *t) {
  const ldr_pgtx *tx = (const ldr_pgtx *)(const void *)t;
  int pid;
  ldr_loop_lock(tx->e->loop);
  pid = tx->slot ? ldr_conn_pid(tx->slot->conn) : 0;
  ldr_loop_unlock(tx->e->loop);
  return pid;
}

/* ---- the simple protocol ---- */

ldr_code ldr_pgsess_simple(ldr_request *rq, const char *sql, ldr_err *err) {
  const char *pending = NULL;
  ldr_cmd *c;
  ldr_buf_reset(&rq->args.data);
  for (unsigned i = 0; (pending = ldr_pgtx_next_pending(rq->tx, i, pending)) != NULL; i++)
    ldr_buf_fmt(&rq->args.data, "%s;", pending);
  rq->prefix = (unsigned)rq->args.data.n;
  ldr_buf_str(&rq->args.data, sql);
  ldr_exchange_reset(rq->exchange);
  c = ldr_exchange_add(rq->exchange, LDR_CMD_QUERY);
  if (c == NULL || (c->sql = ldr_buf_cstr(&rq->args.data)) == NULL) return ldr_fail_nomem(err);
  rq->exchange->simple = true;
  return ldr_request_submit(rq, err);
}

typedef struct script_request {
  ldr_request base; /* first */
  const char *sql;
} script_request;

static ldr_code script_start(ldr_request *rq, ldr_err *err) {
  rq->slot->reset = true; /* it may set anything, and prepare and forget statements */
  ldr_registry_leave_to_caller(&rq->slot->prepared);
  return ldr_pgsess_simple(rq, ((script_request *)rq)->sql, err);
}

static ldr_code script_answered(ldr_request *rq, ldr_err *err) {
  script_request *x = (script_request *)rq;
  unsigned at;
  rq->tx->wrote = true;
  if (!ldr_request_failed(rq)) return LDR_OK;
  at = rq->exchange->error ? ldr_pgres_error_position(rq->exchange->error) : 0;
  (void)ldr_request_error(rq, err);
  if (at <= rq->prefix) return err->code;
  return ldr_err_at_char(err, x->sql, strlen(x->sql), at - rq->prefix - 1);
}

static const ldr_request_kind script_kind = {
    .start = script_start, .answered = script_answered, .size = sizeof(script_request)};

ldr_code ldr_pg_script(ldr_tx *t, const char *sql, const ldr_call *call, ldr_err *err) {
  const ldr_call blocking = {.deadline = call->deadline, .block = true};
  ldr_pgtx *tx = ldr_pgtx_of(t);
  ldr_request *rq = NULL;
  ldr_code code = ldr_request_new(tx->e, tx, &script_kind, "script", &blocking, &rq, err);
  if (code) return code;
  ((script_request *)rq)->sql = sql;
  return ldr_request_run(rq, NULL, NULL, err);
}

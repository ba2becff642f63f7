#include "postgres/exec/query.h"

#include <string.h>

ldr_pgtx *ldr_pgtx_of(ldr_tx *tx) { return (ldr_pgtx *)(void *)tx; }

/* ---- answers ---- */

static int64_t int8_cell(const ldr_pgres *res) {
  size_t n = 0;
  const char *p = ldr_pgres_rows(res) ? ldr_pgres_cell(res, 0, 0, &n) : NULL;
  return p && n == 8 ? (int64_t)ldr_be64(p) : 0;
}

ldr_code ldr_pgrun_result(ldr_stmt *s, ldr_pgres *res, ldr_result *out, ldr_err *err) {
  ldr_code code = LDR_OK;
  if (res == NULL) return ldr_fail(err, LDR_INTERNAL, "the answer of the server is incomplete");
  out->affected = s->counts ? int8_cell(res) : ldr_pgres_affected(res);
  if (ldr_pgres_has_rows(res) && !s->counts)
    code = ldr_pgrows_new(s, res, &out->rows, err);
  else
    ldr_pgres_free(res);
  return code;
}

static bool tag_is(const char *tag, const char *const *words) {
  for (; *words; words++)
    if (strncmp(tag, *words, strlen(*words)) == 0) return true;
  return false;
}

void ldr_pgrun_note(ldr_pgtx *tx, ldr_slot *slot, const ldr_stmt *s, const char *tag) {
  static const char *const forgets[] = {"DISCARD", "DEALLOCATE", NULL};
  static const char *const changes[] = {"SET", "RESET", "LISTEN", "DECLARE", "LOAD", NULL};
  /* a raw SELECT may call what writes, or be the end of a WITH that does */
  if (tx && (s->e ? !s->reads : strcmp(tag, "SHOW") != 0)) tx->wrote = true;
  if (s->e) return;
  if (tag_is(tag, forgets)) ldr_registry_forget_all(&slot->prepared);
  if (tag_is(tag, changes)) slot->reset = true;
}

/* Results as text are read in the forms that do not depend on a server's settings. Local to the transaction,
 * be it the implicit one of this exchange, so that nothing stays behind, whatever pooler is between. */
ldr_code ldr_pgrun_form(ldr_exchange *r, const ldr_stmt *s, ldr_err *err) {
  ldr_cmd *c;
  if (!s->text_results) return LDR_OK;
  c = ldr_exchange_add(r, LDR_CMD_QUERY);
  if (c == NULL) return ldr_fail_nomem(err);
  c->sql =
      "select set_config('datestyle', 'ISO', true), set_config('bytea_output', 'hex', true),"
      " set_config('extra_float_digits', '1', true)";
  return LDR_OK;
}

/* ---- the transaction's id ---- */

ldr_code ldr_pgrun_ask_xid(ldr_request *rq, ldr_err *err) {
  return ldr_registry_exec(&rq->slot->prepared, rq->e->ask_xid, NULL, rq->exchange, err);
}

bool ldr_pgrun_read_xid(const ldr_pgres *res, uint64_t *xid) {
  const char *p;
  size_t n;
  if (res == NULL || ldr_pgres_rows(res) != 1) return false;
  p = ldr_pgres_cell(res, 0, 0, &n);
  if (p && n != 8) return false;
  *xid = p ? ldr_be64(p) : 0;
  return true;
}

/* COMMIT needs the id, should its answer get lost. Behind the first operation that writes the question costs
 * no wait of its own. */
static bool should_ask_xid(const ldr_request *rq) {
  const ldr_pgtx *tx = rq->tx;
  return tx && !tx->session && tx->xid == 0 && rq->stmt->e && !rq->stmt->reads;
}

/* ---- one statement ---- */

static ldr_live *unknown(ldr_request *rq) {
  ldr_live *t = rq->stmt->live;
  return t && atomic_load_explicit(&t->known, memory_order_acquire) == NULL ? t : NULL;
}

static ldr_code start(ldr_request *rq, ldr_err *err) {
  ldr_code code;
  ldr_exchange_reset(rq->exchange);
  code = ldr_request_prefix(rq, err);
  if (code == LDR_OK) code = ldr_pgrun_form(rq->exchange, rq->stmt, err);
  if (code == LDR_OK) code = ldr_registry_exec(&rq->slot->prepared, rq->stmt, &rq->args, rq->exchange, err);
  rq->main = rq->exchange->n - 1;
  if (code == LDR_OK && should_ask_xid(rq)) code = ldr_pgrun_ask_xid(rq, err);
  if (code) return code;
  ldr_count(&rq->e->counts.queries, 1);
  return ldr_request_submit(rq, err);
}

/* A prepared statement that went stale (a table changed, a session forgot it) is prepared again and run once
 * more, without a word: it failed before it did anything. Not in a transaction, which has failed by it. */
static bool may_heal(const ldr_request *rq) {
  bool in_tx = rq->slot->state != LDR_SLOT_SHARED && !ldr_conn_clean(rq->conn);
  return !rq->healed && !rq->timed_out && ldr_exchange_stale(rq->exchange) && !in_tx &&
         !ldr_conn_dead(rq->conn);
}

static ldr_code heal(ldr_request *rq, ldr_err *err) {
  rq->healed = true;
  ldr_count(&rq->e->counts.retries_stale, 1);
  ldr_live_forget(rq->stmt->live);
  rq->forget = rq->stmt->e == NULL; /* its description may be old, too */
  return ldr_request_begin(rq, err);
}

static ldr_code answered(ldr_request *rq, ldr_err *err) {
  ldr_pgres *res;
  if (ldr_request_failed(rq)) {
    if (may_heal(rq)) return heal(rq, err);
    if (ldr_request_can_retry(rq) && ldr_request_requeue(rq)) return LDR_PENDING;
    return ldr_request_error(rq, err);
  }
  if (rq->main < rq->exchange->n - 1)
    (void)ldr_pgrun_read_xid(rq->exchange->cmd[rq->exchange->n - 1].res, &rq->tx->xid);
  rq->answer = res = ldr_exchange_take(rq->exchange, rq->main);
  if (res) ldr_pgrun_note(rq->tx, rq->slot, rq->stmt, ldr_pgres_tag(res));
  return LDR_OK;
}

static ldr_code collect(ldr_request *rq, ldr_err *err) {
  ldr_pgres *res = rq->answer;
  rq->answer = NULL;
  return ldr_pgrun_result(rq->stmt, res, &rq->task.result, err);
}

static const ldr_request_kind statement = {.unknown = unknown,
                                           .start = start,
                                           .answered = answered,
                                           .collect = collect,
                                           .timed = true,
                                           .shares = true};

ldr_code ldr_pgrun_op(ldr_engine *engine, ldr_tx *tx, const ldr_op *op, const ldr_call *call, ldr_result *out,
                      ldr_task **task, ldr_err *err) {
  ldr_pg *e = ldr_pg_of(engine);
  ldr_request *rq = NULL;
  ldr_code code =
      ldr_request_new(e, ldr_pgtx_of(tx), &statement, op->name ? op->name : op->e->name, call, &rq, err);
  if (code) return code;
  code = ldr_stmts_op(&e->stmts, op, &e->params, &rq->stmt, err);
  if (code == LDR_OK)
    code = ldr_bind_from_params(&rq->args, (const ldr_param *)(void *)e->params.p,
                                e->params.n / sizeof(ldr_param), err);
  if (code) {
    ldr_request_free(rq);
    return code;
  }
  return ldr_request_run(rq, out, task, err);
}

/* ---- raw statements ---- */

ldr_code ldr_pg_execute(ldr_engine *engine, ldr_tx *tx, ldr_stmt *s, const ldr_value *values,
                        const ldr_call *call, ldr_result *out, ldr_task **task, ldr_err *err) {
  ldr_request *rq = NULL;
  ldr_code code = ldr_request_new(ldr_pg_of(engine), ldr_pgtx_of(tx), &statement, "query", call, &rq, err);
  if (code) return code;
  rq->stmt = ldr_stmt_retain(s);
  code = ldr_bind_from_values(&rq->args, s->params, s->oids, values, s->nparams, err);
  if (code) {
    ldr_request_free(rq);
    return code;
  }
  return ldr_request_run(rq, out, task, err);
}

static ldr_code describe_start(ldr_request *rq, ldr_err *err) {
  ldr_code code;
  ldr_exchange_reset(rq->exchange);
  code = ldr_request_prefix(rq, err);
  if (code == LDR_OK) code = ldr_registry_describe(&rq->slot->prepared, rq->stmt, rq->exchange, err);
  return code ? code : ldr_request_submit(rq, err);
}

static ldr_code describe_answered(ldr_request *rq, ldr_err *err) {
  if (ldr_request_failed(rq)) {
    if (may_heal(rq)) return heal(rq, err);
    rq->forget = true;
    return ldr_request_error(rq, err);
  }
  rq->answer = ldr_exchange_take(rq->exchange, rq->exchange->n - 1);
  return LDR_OK;
}

static ldr_code describe_collect(ldr_request *rq, ldr_err *err) {
  if (rq->answer == NULL) return ldr_fail(err, LDR_INTERNAL, "the statement's description did not come");
  return rq->stmt->described ? LDR_OK : ldr_stmt_describe(rq->stmt, rq->answer, err);
}

static const ldr_request_kind describe = {
    .start = describe_start, .answered = describe_answered, .collect = describe_collect, .timed = true};

ldr_code ldr_pg_prepare(ldr_engine *engine, ldr_tx *tx, const char *sql, size_t n, const ldr_call *call,
                        ldr_stmt **out, ldr_task **task, ldr_err *err) {
  ldr_pg *e = ldr_pg_of(engine);
  ldr_stmt *s = NULL;
  ldr_request *rq = NULL;
  ldr_code code = ldr_stmts_text(&e->stmts, sql, n, &s, err);
  if (code) return code;
  if (s->described) {
    *out = s;
    return LDR_OK;
  }
  code = ldr_request_new(e, ldr_pgtx_of(tx), &describe, "query", call, &rq, err);
  if (code == LDR_OK) {
    rq->stmt = ldr_stmt_retain(s);
    code = ldr_request_run(rq, NULL, task, err);
  }
  if (code == LDR_OK)
    *out = s;
  else
    ldr_stmt_release(s);
  return code;
}

ldr_stmt *ldr_pg_prepared(ldr_task *done) { return ldr_stmt_retain(((ldr_request *)done)->stmt); }

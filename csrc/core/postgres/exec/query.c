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
 * be it the implicit one of this request, so that nothing stays behind, whatever pooler is between. */
ldr_code ldr_pgrun_form(ldr_req *r, const ldr_stmt *s, ldr_err *err) {
  ldr_cmd *c;
  if (!s->text_results) return LDR_OK;
  c = ldr_req_add(r, LDR_CMD_QUERY);
  if (c == NULL) return ldr_fail_nomem(err);
  c->sql =
      "select set_config('datestyle', 'ISO', true), set_config('bytea_output', 'hex', true),"
      " set_config('extra_float_digits', '1', true)";
  return LDR_OK;
}

/* ---- the transaction's id ---- */

ldr_code ldr_pgrun_ask_xid(ldr_job *j, ldr_err *err) {
  return ldr_registry_exec(&j->slot->prepared, j->e->ask_xid, NULL, j->req, err);
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
static bool should_ask_xid(const ldr_job *j) {
  const ldr_pgtx *tx = j->tx;
  return tx && !tx->session && tx->xid == 0 && j->stmt->e && !j->stmt->reads;
}

/* ---- one statement ---- */

static ldr_code start(ldr_job *j, ldr_err *err) {
  ldr_code code;
  ldr_req_reset(j->req);
  code = ldr_job_prefix(j, err);
  if (code == LDR_OK) code = ldr_pgrun_form(j->req, j->stmt, err);
  if (code == LDR_OK) code = ldr_registry_exec(&j->slot->prepared, j->stmt, &j->args, j->req, err);
  j->main = j->req->n - 1;
  if (code == LDR_OK && should_ask_xid(j)) code = ldr_pgrun_ask_xid(j, err);
  if (code) return code;
  ldr_count(&j->e->counts.queries, 1);
  return ldr_job_submit(j, err);
}

/* A prepared statement that went stale (a table changed, a session forgot it) is prepared again and run once
 * more, without a word: it failed before it did anything. Not in a transaction, which has failed by it. */
static bool may_heal(const ldr_job *j) {
  bool in_tx = j->slot->state != LDR_SLOT_SHARED && !ldr_conn_clean(j->conn);
  return !j->retried && !j->cancelled && ldr_req_stale(j->req) && !in_tx && !ldr_conn_dead(j->conn);
}

static ldr_code heal(ldr_job *j, ldr_job_fn *again, ldr_err *err) {
  j->retried = true;
  ldr_count(&j->e->counts.retries_stale, 1);
  j->forget = j->stmt->e == NULL; /* its description may be old, too */
  return again(j, err);
}

static ldr_code answered(ldr_job *j, ldr_err *err) {
  ldr_pgres *res;
  if (ldr_job_failed(j)) {
    if (may_heal(j)) return heal(j, start, err);
    if (ldr_job_innocent(j) && ldr_job_move_on(j)) return LDR_PENDING;
    return ldr_job_error(j, err);
  }
  if (j->main < j->req->n - 1) (void)ldr_pgrun_read_xid(j->req->cmd[j->req->n - 1].res, &j->tx->xid);
  j->answer = res = ldr_req_take(j->req, j->main);
  if (res) ldr_pgrun_note(j->tx, j->slot, j->stmt, ldr_pgres_tag(res));
  return LDR_OK;
}

static ldr_code collect(ldr_job *j, ldr_err *err) {
  ldr_pgres *res = j->answer;
  j->answer = NULL;
  return ldr_pgrun_result(j->stmt, res, &j->task.result, err);
}

static const ldr_job_kind statement = {
    .start = start, .answered = answered, .collect = collect, .timed = true, .shares = true};

ldr_code ldr_pgrun_op(ldr_engine *engine, ldr_tx *tx, const ldr_op *op, const ldr_call *call, ldr_result *out,
                      ldr_task **task, ldr_err *err) {
  ldr_pg *e = ldr_pg_of(engine);
  ldr_job *j = NULL;
  ldr_code code =
      ldr_job_new(e, ldr_pgtx_of(tx), &statement, op->name ? op->name : op->e->name, call, &j, err);
  if (code) return code;
  code = ldr_stmts_op(&e->stmts, op, &e->params, &j->stmt, err);
  if (code == LDR_OK)
    code = ldr_args_from_params(&j->args, (const ldr_param *)(void *)e->params.p,
                                e->params.n / sizeof(ldr_param), err);
  if (code) {
    ldr_job_free(j);
    return code;
  }
  return ldr_job_run(j, out, task, err);
}

/* ---- raw statements ---- */

ldr_code ldr_pg_execute(ldr_engine *engine, ldr_tx *tx, ldr_stmt *s, const ldr_value *values,
                        const ldr_call *call, ldr_result *out, ldr_task **task, ldr_err *err) {
  ldr_job *j = NULL;
  ldr_code code = ldr_job_new(ldr_pg_of(engine), ldr_pgtx_of(tx), &statement, "query", call, &j, err);
  if (code) return code;
  j->stmt = ldr_stmt_retain(s);
  code = ldr_args_from_values(&j->args, s->params, s->oids, values, s->nparams, err);
  if (code) {
    ldr_job_free(j);
    return code;
  }
  return ldr_job_run(j, out, task, err);
}

static ldr_code describe_start(ldr_job *j, ldr_err *err) {
  ldr_code code;
  ldr_req_reset(j->req);
  code = ldr_job_prefix(j, err);
  if (code == LDR_OK) code = ldr_registry_describe(&j->slot->prepared, j->stmt, j->req, err);
  return code ? code : ldr_job_submit(j, err);
}

static ldr_code describe_answered(ldr_job *j, ldr_err *err) {
  if (ldr_job_failed(j)) {
    if (may_heal(j)) return heal(j, describe_start, err);
    j->forget = true;
    return ldr_job_error(j, err);
  }
  j->answer = ldr_req_take(j->req, j->req->n - 1);
  return LDR_OK;
}

static ldr_code describe_collect(ldr_job *j, ldr_err *err) {
  if (j->answer == NULL) return ldr_fail(err, LDR_INTERNAL, "the statement's description did not come");
  return j->stmt->described ? LDR_OK : ldr_stmt_describe(j->stmt, j->answer, err);
}

static const ldr_job_kind describe = {
    .start = describe_start, .answered = describe_answered, .collect = describe_collect, .timed = true};

ldr_code ldr_pg_prepare(ldr_engine *engine, ldr_tx *tx, const char *sql, size_t n, const ldr_call *call,
                        ldr_stmt **out, ldr_task **task, ldr_err *err) {
  ldr_pg *e = ldr_pg_of(engine);
  ldr_stmt *s = NULL;
  ldr_job *j = NULL;
  ldr_code code = ldr_stmts_text(&e->stmts, sql, n, &s, err);
  if (code) return code;
  if (s->described) {
    *out = s;
    return LDR_OK;
  }
  code = ldr_job_new(e, ldr_pgtx_of(tx), &describe, "query", call, &j, err);
  if (code == LDR_OK) {
    j->stmt = ldr_stmt_retain(s);
    code = ldr_job_run(j, NULL, task, err);
  }
  if (code == LDR_OK)
    *out = s;
  else
    ldr_stmt_release(s);
  return code;
}

ldr_stmt *ldr_pg_prepared(ldr_task *done) { return ldr_stmt_retain(((ldr_job *)done)->stmt); }

#include "postgres/exec/query.h"

#include <string.h>

#include "postgres/exec/given.h"
#include "postgres/request/context.h"
#include "postgres/statement/undo.h"

ldr_pgtx *ldr_pgtx_of(ldr_tx *tx) { return (ldr_pgtx *)(void *)tx; }

/* ---- answers ---- */

int64_t ldr_pgrun_count(const ldr_pgres *res) {
  size_t n = 0;
  const char *p = res && ldr_pgres_rows(res) ? ldr_pgres_cell(res, 0, 0, &n) : NULL;
  return p && n == 8 ? (int64_t)ldr_be64(p) : 0;
}

ldr_code ldr_pgrun_result(ldr_stmt *s, ldr_pgres *res, ldr_result *out, ldr_err *err) {
  ldr_code code = LDR_OK;
  if (res == NULL) return ldr_fail(err, LDR_INTERNAL, "the answer of the server is incomplete");
  out->affected = s->counts ? ldr_pgrun_count(res) : ldr_pgres_affected(res);
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

/* A raw SELECT may call what writes, or be the end of a WITH that does; not where the server refuses that,
 * which a SET may have changed. */
static bool may_write(const ldr_pgtx *tx, const ldr_stmt *s, const char *tag) {
  static const char *const harmless[] = {"SHOW", "SELECT", "FETCH", "DECLARE", "CLOSE", NULL};
  if (s->e) return !s->reads;
  return tx->opts.read_only ? !tag_is(tag, harmless) : strcmp(tag, "SHOW") != 0;
}

void ldr_pgrun_note(ldr_pgtx *tx, ldr_slot *slot, const ldr_stmt *s, const char *tag) {
  if (tx && may_write(tx, s, tag)) tx->wrote = true;
  if (s->e == NULL && strcmp(tag, "DISCARD ALL") == 0) ldr_registry_forget_all(&slot->prepared);
}

/* In a transaction the undoing waits for the end, in a session of one's own for the end of that; what takes
 * no transaction block takes no company either. */
ldr_code ldr_pgrun_add_undo(ldr_request *rq, unsigned effects, ldr_exchange *r, ldr_err *err) {
  ldr_registry *g = &rq->slot->prepared;
  bool prepares = (effects & LDR_EFFECT_PREPARES) != 0;
  if (!(effects & LDR_EFFECT_SESSION)) return LDR_OK;
  rq->slot->reset = true;
  if (rq->tx && prepares) ldr_registry_leave_to_caller(g);
  if (rq->tx == NULL && !(effects & LDR_EFFECT_OUTSIDE))
    return ldr_undo_add(r, g, prepares) ? LDR_OK : ldr_fail_nomem(err);
  if (rq->tx == NULL && prepares) ldr_registry_forget_all(g);
  return LDR_OK;
}

/* Results as text are read in the forms that do not depend on a server's settings. Local to the transaction,
 * be it the implicit one of this exchange, so that nothing stays behind, whatever pooler is between. */
static ldr_code add_form(ldr_exchange *r, ldr_err *err) {
  ldr_cmd *c = ldr_exchange_add(r, LDR_CMD_QUERY);
  if (c == NULL) return ldr_fail_nomem(err);
  c->sql =
      "select set_config('datestyle', 'ISO', true), set_config('bytea_output', 'hex', true),"
      " set_config('extra_float_digits', '1', true), set_config('timezone', 'UTC', true),"
      " set_config('intervalstyle', 'postgres', true)";
  return LDR_OK;
}

unsigned ldr_pgrun_how(unsigned stale, bool as_text) {
  return (as_text ? LDR_RUN_TEXT : 0) | (stale > 1 ? LDR_RUN_UNNAMED : 0);
}

ldr_code ldr_pgrun_add(ldr_slot *slot, ldr_stmt *s, unsigned how, const ldr_bind *args, ldr_exchange *r,
                       unsigned *main, ldr_err *err) {
  bool text = (how & LDR_RUN_TEXT) || s->text_results;
  ldr_code code = text ? add_form(r, err) : LDR_OK;
  if (code == LDR_OK) code = ldr_registry_exec(&slot->prepared, s, how, args, r, err);
  if (code) return code;
  *main = r->n - 1;
  r->cmd[*main].text = text;
  return LDR_OK;
}

/* ---- the transaction's id ---- */

ldr_code ldr_pgrun_ask_xid(ldr_request *rq, ldr_err *err) {
  return ldr_registry_exec(&rq->slot->prepared, rq->e->ask_xid, 0, NULL, rq->exchange, err);
}

bool ldr_pgrun_read_xid(const ldr_pgres *res, unsigned column, uint64_t *xid) {
  const char *p;
  size_t n;
  if (res == NULL || ldr_pgres_rows(res) != 1) return false;
  p = ldr_pgres_cell(res, 0, column, &n);
  if (p && n != 8) return false;
  *xid = p ? ldr_be64(p) : 0;
  return true;
}

/* COMMIT needs the id, should its answer get lost. Behind the first operation that writes the question costs
 * no wait of its own; a write that does not return what it gives brings the id itself. */
static bool should_ask_xid(const ldr_request *rq) {
  const ldr_pgtx *tx = rq->tx;
  return ldr_pgtx_is_transaction(tx) && tx->xid == 0 && rq->stmt->e && !rq->stmt->reads &&
         !ldr_pggiven_brings_xid(rq);
}

static void note_xid(const ldr_request *rq) {
  const ldr_exchange *r = rq->exchange;
  unsigned at = rq->asks_xid ? r->n - 1 : rq->main;
  if (rq->asks_xid || ldr_pggiven_brings_xid(rq))
    (void)ldr_pgrun_read_xid(r->cmd[at].res, rq->asks_xid ? 0 : rq->ran->ncols + 1, &rq->tx->xid);
}

/* ---- one statement ---- */

static ldr_live *unknown(ldr_request *rq) {
  ldr_live *t = rq->stmt->live;
  return t && atomic_load_explicit(&t->known, memory_order_acquire) == NULL ? t : NULL;
}

static ldr_code start(ldr_request *rq, ldr_err *err) {
  unsigned how = ldr_pgrun_how(rq->healed, rq->as_text);
  ldr_code code;
  ldr_exchange_reset(rq->exchange);
  code = ldr_request_prefix(rq, err);
  if (code == LDR_OK) code = ldr_pggiven_choose(rq, err);
  if (code == LDR_OK) code = ldr_pgrun_add(rq->slot, rq->ran, how, &rq->args, rq->exchange, &rq->main, err);
  if (code == LDR_OK && rq->given == LDR_GIVEN_ASKED) code = ldr_pggiven_ask(rq, err);
  if (code == LDR_OK) code = ldr_pgrun_add_undo(rq, rq->stmt->effects, rq->exchange, err);
  rq->asks_xid = should_ask_xid(rq);
  if (code == LDR_OK && rq->asks_xid) code = ldr_pgrun_ask_xid(rq, err);
  if (code) return code;
  ldr_count(&rq->e->counts.queries, 1);
  rq->caller_free = rq->given == LDR_GIVEN_PROVEN && rq->ran->ncols == 0;
  return ldr_request_submit(rq, err);
}

/* Do the server's words speak against what is known of the table? The statement is run once more, after the
 * table was asked again: that names the column, or the words are repeated. */
static bool refutes_live(const ldr_request *rq) {
  return rq->stmt->live && rq->healed == 0 && ldr_state_mistyped(ldr_exchange_sqlstate(rq->exchange));
}

/* A prepared statement that went stale (a table changed, a session forgot it) is run once more, without a
 * word: it failed before it did anything. Not in a transaction, which has failed by it. */
static bool may_heal(const ldr_request *rq) {
  bool in_tx =
      ldr_pgtx_is_transaction(rq->tx) || (rq->slot->state != LDR_SLOT_SHARED && !ldr_conn_clean(rq->conn));
  return rq->healed < LDR_HEALS_MAX && !rq->timed_out && !in_tx && !ldr_conn_dead(rq->conn) &&
         !ldr_stmt_only_once(rq->stmt) && (ldr_exchange_stale(rq->exchange) || refutes_live(rq));
}

static ldr_code heal(ldr_request *rq, ldr_err *err) {
  rq->healed++;
  ldr_count(&rq->e->counts.retries_stale, 1);
  ldr_live_forget(rq->stmt->live);
  rq->forget = rq->stmt->e == NULL; /* its description may be old, too */
  return ldr_request_begin(rq, err);
}

ldr_code ldr_pgrun_unreadable(const ldr_pgtx *tx, ldr_err *err) {
  ldr_fail(err, LDR_DRIFT, "a column has another type than when the statement was first run; %s",
           ldr_pgtx_is_transaction(tx) ? "the transaction is undone" : "the statement has done its work");
  err->retryable = ldr_pgtx_is_transaction(tx);
  return err->code;
}

/* Its rows came in a form that nobody can read. What only reads is run again. */
static ldr_code refuted(ldr_request *rq, ldr_err *err) {
  rq->forget = true;
  if (ldr_stmt_only_once(rq->stmt)) return ldr_pgrun_unreadable(rq->tx, err);
  rq->as_text = true;
  ldr_count(&rq->e->counts.retries_stale, 1);
  return ldr_request_begin(rq, err);
}

static ldr_code failed(ldr_request *rq, ldr_err *err) {
  if (may_heal(rq)) return heal(rq, err);
  if (ldr_request_can_retry(rq) && ldr_request_requeue(rq)) return LDR_PENDING;
  if (ldr_exchange_stale(rq->exchange) || refutes_live(rq)) ldr_live_forget(rq->stmt->live);
  rq->forget = rq->forget || ldr_stmt_doubted(rq->stmt, ldr_exchange_sqlstate(rq->exchange));
  return ldr_request_error(rq, err);
}

static ldr_code answered(ldr_request *rq, ldr_err *err) {
  ldr_pgres *res;
  if (rq->given == LDR_GIVEN_AGAIN) return ldr_pggiven_reread(rq, err);
  if (ldr_request_failed(rq)) return failed(rq, err);
  if (rq->tx) note_xid(rq);
  rq->answer = res = ldr_exchange_take(rq->exchange, rq->main);
  if (res) ldr_pgrun_note(rq->tx, rq->slot, rq->stmt, ldr_pgres_tag(res));
  if (res && rq->stmt->e == NULL) ldr_stmts_note_tag(&rq->e->stmts, ldr_pgres_tag(res));
  if (res && rq->given) return ldr_pggiven_answered(rq, err);
  if (res == NULL || rq->as_text || !ldr_stmt_refuted(rq->stmt, res)) return LDR_OK;
  ldr_pgres_free(res);
  rq->answer = NULL;
  return refuted(rq, err);
}

static ldr_code collect(ldr_request *rq, ldr_err *err) {
  ldr_pgres *res = rq->answer;
  rq->answer = NULL;
  rq->task.result.as_given = rq->as_given;
  if (!rq->as_given || rq->ran->ncols) return ldr_pgrun_result(rq->ran, res, &rq->task.result, err);
  rq->task.result.affected = ldr_pgres_affected(res);
  ldr_pgres_free(res);
  return LDR_OK;
}

static const ldr_request_kind statement = {.unknown = unknown,
                                           .start = start,
                                           .answered = answered,
                                           .collect = collect,
                                           .timed = true,
                                           .shares = true,
                                           .takes_context = true};

/* A write whose row need not come back has what that takes compiled; here, since the loop's thread may read
 * it later. */
static ldr_code need_given(ldr_request *rq, const ldr_op *op, ldr_err *err) {
  ldr_pg *e = rq->e;
  ldr_code code;
  if (!op->row_known) return LDR_OK;
  code = ldr_stmts_need_given(&e->stmts, op, &e->params, ldr_pgtx_is_transaction(rq->tx), rq->stmt, err);
  rq->row_known = rq->stmt->given != NULL;
  rq->rows_given = op->nrows;
  return code;
}

ldr_code ldr_pgrun_op(ldr_engine *engine, ldr_tx *tx, const ldr_op *op, const ldr_call *call, ldr_result *out,
                      ldr_task **task, ldr_err *err) {
  ldr_pg *e = ldr_pg_of(engine);
  ldr_request *rq = NULL;
  ldr_code code =
      ldr_request_new(e, ldr_pgtx_of(tx), &statement, op->name ? op->name : op->e->name, call, &rq, err);
  if (code) return code;
  code = ldr_stmts_op(&e->stmts, op, &e->params, &rq->stmt, err);
  if (code == LDR_OK) code = need_given(rq, op, err);
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
  ldr_code code = ldr_stmt_usable(s, ldr_pgtx_is_transaction(ldr_pgtx_of(tx)), err);
  if (code == LDR_OK)
    code = ldr_request_new(ldr_pg_of(engine), ldr_pgtx_of(tx), &statement, "query", call, &rq, err);
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
  if (code == LDR_OK) code = ldr_stmt_ask(rq->stmt, rq->exchange, err);
  return code ? code : ldr_request_submit(rq, err);
}

static ldr_code describe_answered(ldr_request *rq, ldr_err *err) {
  if (ldr_request_failed(rq)) {
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

static const ldr_request_kind describe = {.start = describe_start,
                                          .answered = describe_answered,
                                          .collect = describe_collect,
                                          .timed = true,
                                          .takes_context = true};

ldr_code ldr_pg_prepare(ldr_engine *engine, ldr_tx *tx, const char *sql, size_t n, const ldr_call *call,
                        ldr_stmt **out, ldr_task **task, ldr_err *err) {
  ldr_pg *e = ldr_pg_of(engine);
  ldr_stmt *s = NULL;
  ldr_request *rq = NULL;
  const char *path = ldr_pgcontext_path(tx ? ldr_pgtx_of(tx)->opts.context : call->context);
  ldr_code code = ldr_stmts_text(&e->stmts, sql, n, path, &s, err);
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

void ldr_pg_forget(ldr_engine *engine, ldr_stmt *s) { ldr_stmts_forget(&ldr_pg_of(engine)->stmts, s); }

ldr_stmt *ldr_pg_prepared(ldr_task *done) { return ldr_stmt_retain(((ldr_request *)done)->stmt); }

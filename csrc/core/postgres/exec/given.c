#include "postgres/exec/given.h"

#include <stdio.h>

static const ldr_given *given_of(const ldr_request *rq) { return rq->stmt->given; }

static bool in_transaction(const ldr_request *rq) { return rq->tx && !rq->tx->session; }

static ldr_stmt *insert_of(const ldr_request *rq) {
  return in_transaction(rq) ? given_of(rq)->in_tx : given_of(rq)->insert;
}

static ldr_proof *proof_of(ldr_request *rq) { return ldr_registry_proof(&rq->slot->prepared, insert_of(rq)); }

/* In a transaction once, since what it analyzes itself proves nothing (see proves), and where each statement
 * sees the newest catalog. A session may be in a transaction that we know nothing of. */
static bool may_ask(const ldr_request *rq, const ldr_proof *proof) {
  if (rq->tx == NULL) return true;
  if (rq->tx->session || rq->tx->opts.isolation > LDR_READ_COMMITTED) return false;
  return proof == NULL || proof->asked_in != rq->tx->number;
}

/* Behind a pooler each transaction may meet another session, whose statements were analyzed at other times:
 * nothing would ever hold. */
ldr_stmt *ldr_pggiven_choose(ldr_request *rq) {
  const ldr_proof *proof;
  rq->given = LDR_GIVEN_NONE;
  if (!rq->row_known || given_of(rq) == NULL || !ldr_live_plain(rq->stmt->live)) return rq->stmt;
  if (rq->slot->prepared.cap == 0 || !rq->e->pool->server.own_sessions) return rq->stmt;
  proof = proof_of(rq);
  if (proof && proof->analyzed)
    rq->given = LDR_GIVEN_PROVEN;
  else if (may_ask(rq, proof))
    rq->given = LDR_GIVEN_ASKED;
  return rq->given ? insert_of(rq) : rq->stmt;
}

ldr_code ldr_pggiven_ask(ldr_request *rq, ldr_err *err) {
  const ldr_given *g = given_of(rq);
  ldr_proof *proof;
  ldr_cmd *c;
  ldr_code code = ldr_bind_pick(&rq->key, &rq->args, g->key, g->nkey, err);
  if (code) return code;
  c = ldr_request_query(rq, g->again->sql); /* without a name, so that it is never out of date */
  if (c == NULL) return ldr_fail_nomem(err);
  c->args = &rq->key;
  rq->row_at = rq->exchange->n - 1;
  if (ldr_request_query(rq, rq->stmt->live->question) == NULL) return ldr_fail_nomem(err);
  if (!in_transaction(rq)) return LDR_OK;
  proof = proof_of(rq);
  if (proof) proof->asked_in = rq->tx->number;
  return ldr_request_query(rq, "select transaction_timestamp()") ? LDR_OK : ldr_fail_nomem(err);
}

/* An exchange of its own reads what was stored; the insert is not run again, whatever comes of it. */
static ldr_code ask_again(ldr_request *rq, ldr_err *err) {
  ldr_code code;
  rq->given = LDR_GIVEN_AGAIN;
  ldr_exchange_reset(rq->exchange);
  code = ldr_request_prefix(rq, err);
  if (code == LDR_OK) code = ldr_pggiven_ask(rq, err);
  return code ? code : ldr_request_submit(rq, err);
}

static int64_t time_of(const ldr_pgres *res) {
  size_t n = 0;
  const char *p = res && ldr_pgres_rows(res) == 1 ? ldr_pgres_cell(res, 0, 0, &n) : NULL;
  return p && n == 8 ? (int64_t)ldr_be64(p) : 0;
}

/* Is the catalog that was read that of the analysis? A transaction whose own statement was analyzed may have
 * changed the table in between, or may yet do so and analyze it again: all of that has the time of its begin.
 * With any other time there was no change since, and there will be none without another time. */
static bool proves(const ldr_request *rq) {
  int64_t begun;
  if (rq->tx == NULL) return true;
  begun = in_transaction(rq) ? time_of(rq->exchange->cmd[rq->row_at + 2].res) : 0;
  return begun && begun != rq->analyzed;
}

/* The row as it was read, and the catalog behind it: if that says that the table stores rows as they are
 * given, the analysis that came before it is proven. */
static ldr_code take_row(ldr_request *rq, ldr_err *err) {
  ldr_exchange *r = rq->exchange;
  ldr_proof *proof = proof_of(rq);
  bool there;
  ldr_err ignored = {0}; /* of another type than declared: the next statement on the table says so */
  ldr_code code = ldr_live_read(rq->stmt->live, r->cmd[rq->row_at + 1].res, false, &there, &ignored);
  bool proven = code == LDR_OK && ldr_live_plain(rq->stmt->live) && proves(rq);
  if (proof) proof->analyzed = proven ? rq->analyzed : 0;
  ldr_pgres_free(rq->answer);
  rq->answer = ldr_exchange_take(r, rq->row_at);
  if (rq->answer && ldr_pgres_rows(rq->answer) == 1) return LDR_OK;
  return ldr_fail(
      err, LDR_DRIFT,
      "the row was stored, but the key that was given does not find it: something in the database "
      "changed it");
}

ldr_code ldr_pggiven_answered(ldr_request *rq, ldr_err *err) {
  const ldr_proof *proof = proof_of(rq);
  if (ldr_pgres_rows(rq->answer) != 1) return LDR_OK; /* a trigger took the row */
  rq->analyzed = time_of(rq->answer);
  if (rq->given == LDR_GIVEN_ASKED) return take_row(rq, err);
  rq->as_given = proof && proof->analyzed && proof->analyzed == rq->analyzed;
  return rq->as_given ? LDR_OK : ask_again(rq, err);
}

/* Outside of a transaction the insert stays done, whatever its row's reading failed by. */
ldr_code ldr_pggiven_reread(ldr_request *rq, ldr_err *err) {
  char why[160];
  if (!ldr_request_failed(rq)) return take_row(rq, err);
  (void)ldr_request_error(rq, err);
  if (rq->tx) return err->code;
  ldr_err_set(why, sizeof why, err->message);
  snprintf(err->message, sizeof err->message, "the row was stored, but reading it again failed: %s", why);
  err->retryable = false;
  return err->code;
}

ldr_stmt *ldr_pggiven_answers(const ldr_request *rq, const ldr_pgres *res) {
  bool again = rq->given && res && ldr_pgres_rows(res) == 1;
  return again ? given_of(rq)->again : rq->stmt;
}

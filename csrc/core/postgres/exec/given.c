#include "postgres/exec/given.h"

#include <stdio.h>

static const ldr_given *given_of(const ldr_request *rq) { return rq->stmt->given; }

static int64_t *proof_of(ldr_request *rq) {
  return ldr_registry_proof(&rq->slot->prepared, given_of(rq)->insert);
}

/* Behind a pooler each transaction may meet another session, whose statements were analyzed at other times:
 * nothing would ever hold. In a transaction the time of the analysis is that of its begin, also behind a
 * change that it made itself: there nothing is proven anew, but a proof from before cannot be mistaken. */
ldr_stmt *ldr_pggiven_choose(ldr_request *rq) {
  const int64_t *proof;
  rq->given = LDR_GIVEN_NONE;
  if (!rq->row_known || given_of(rq) == NULL || !ldr_live_plain(rq->stmt->live)) return rq->stmt;
  if (rq->slot->prepared.cap == 0 || !rq->e->pool->server.own_sessions) return rq->stmt;
  proof = proof_of(rq);
  if (proof && *proof)
    rq->given = LDR_GIVEN_PROVEN;
  else if (rq->tx == NULL)
    rq->given = LDR_GIVEN_ASKED;
  return rq->given ? given_of(rq)->insert : rq->stmt;
}

ldr_code ldr_pggiven_ask(ldr_request *rq, ldr_err *err) {
  const ldr_given *g = given_of(rq);
  ldr_cmd *c;
  ldr_code code = ldr_bind_pick(&rq->key, &rq->args, g->key, g->nkey, err);
  if (code) return code;
  c = ldr_request_query(rq, g->again->sql); /* without a name, so that it is never out of date */
  if (c == NULL) return ldr_fail_nomem(err);
  c->args = &rq->key;
  return ldr_request_query(rq, rq->stmt->live->question) ? LDR_OK : ldr_fail_nomem(err);
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

/* The row as it was read, and the catalog behind it: if that says that the table stores rows as they are
 * given, the analysis that came before it is proven. */
static ldr_code take_row(ldr_request *rq, ldr_err *err) {
  ldr_exchange *r = rq->exchange;
  int64_t *proof = proof_of(rq);
  bool there;
  ldr_err ignored = {0}; /* of another type than declared: the next statement on the table says so */
  ldr_code code = ldr_live_read(rq->stmt->live, r->cmd[r->n - 1].res, false, &there, &ignored);
  if (proof) *proof = code == LDR_OK && rq->tx == NULL && ldr_live_plain(rq->stmt->live) ? rq->analyzed : 0;
  ldr_pgres_free(rq->answer);
  rq->answer = ldr_exchange_take(r, r->n - 2);
  if (rq->answer && ldr_pgres_rows(rq->answer) == 1) return LDR_OK;
  return ldr_fail(
      err, LDR_DRIFT,
      "the row was stored, but the key that was given does not find it: something in the database "
      "changed it");
}

static int64_t time_of(const ldr_pgres *res) {
  size_t n = 0;
  const char *p = ldr_pgres_cell(res, 0, 0, &n);
  return p && n == 8 ? (int64_t)ldr_be64(p) : 0;
}

ldr_code ldr_pggiven_answered(ldr_request *rq, ldr_err *err) {
  const int64_t *proof = proof_of(rq);
  if (ldr_pgres_rows(rq->answer) != 1) return LDR_OK; /* a trigger took the row */
  rq->analyzed = time_of(rq->answer);
  if (rq->given == LDR_GIVEN_ASKED) return take_row(rq, err);
  rq->as_given = proof && *proof && *proof == rq->analyzed;
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

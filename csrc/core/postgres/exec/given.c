#include "postgres/exec/given.h"

#include <stdio.h>

static const ldr_given *given_of(const ldr_request *rq) { return rq->stmt->given; }

static bool in_transaction(const ldr_request *rq) { return ldr_pgtx_is_transaction(rq->tx); }

static ldr_stmt *write_of(const ldr_request *rq) {
  return in_transaction(rq) && !given_of(rq)->many ? given_of(rq)->in_tx : given_of(rq)->write;
}

static ldr_proof *proof_of(ldr_request *rq) { return ldr_registry_proof(&rq->slot->prepared, write_of(rq)); }

/* What comes back costs the server and the client about as much for each column, and for each byte. That is
 * weighed against the time, which comes back in its place, and against a parameter and a condition; in place
 * of several rows nothing comes back. */
enum { WORTH_COLUMNS = 3, WORTH_BYTES = 512 };

static bool pays(const ldr_request *rq) {
  const ldr_given *g = given_of(rq);
  return !g->guarded || g->many || g->ngiven >= WORTH_COLUMNS || rq->args.data.n >= WORTH_BYTES;
}

/* Behind a pooler each transaction may meet another session, whose statements were analyzed at other times:
 * nothing would ever hold. */
static bool is_possible(const ldr_request *rq) {
  if (!rq->row_known) return false;
  if (rq->slot->prepared.cap == 0 || !rq->e->pool->server.own_sessions) return false;
  return ldr_live_plain(rq->stmt->live) && pays(rq);
}

/* In a transaction once, since what it analyzes itself proves nothing (see proves), and where each statement
 * sees the newest catalog. A session may be in a transaction that we know nothing of. */
static bool may_ask(const ldr_request *rq, const ldr_proof *proof) {
  if (rq->tx == NULL) return true;
  if (rq->tx->session || rq->tx->opts.isolation > LDR_READ_COMMITTED) return false;
  return proof == NULL || proof->asked_in != rq->tx->number;
}

/* Something may make the server analyze again and again, such as calls that take turns with two search paths.
 * Then a proof costs more than it saves, and is looked for ever more seldom. */
enum { EARLY = 16, STRIKES = 3, STRIKES_MAX = 12 };

static void lose(ldr_proof *p) {
  p->strikes = p->served >= EARLY ? 0 : p->strikes < STRIKES_MAX ? p->strikes + 1 : STRIKES_MAX;
  p->rest = p->strikes < STRIKES ? 0 : 1u << p->strikes;
  p->analyzed = p->parsed = 0;
  p->served = 0;
}

static bool rests(ldr_proof *p) {
  if (p == NULL || p->rest == 0) return false;
  p->rest--;
  return true;
}

ldr_code ldr_pggiven_choose(ldr_request *rq, ldr_err *err) {
  ldr_proof *proof;
  unsigned n = rq->stmt->nparams;
  bool proven;
  rq->ran = rq->stmt;
  if (rq->row_known) rq->args.n = n; /* without the time, when it runs once more */
  if (rq->given == LDR_GIVEN_PLAIN) return LDR_OK;
  rq->given = LDR_GIVEN_NONE;
  if (!is_possible(rq)) return LDR_OK;
  proof = proof_of(rq);
  if (rests(proof)) return LDR_OK;
  proven = proof && proof->analyzed;
  rq->given = proven ? LDR_GIVEN_PROVEN : may_ask(rq, proof) ? LDR_GIVEN_ASKED : LDR_GIVEN_NONE;
  if (!proven && proof && proof->no_row) rq->given = LDR_GIVEN_PLAIN;
  if (rq->given != LDR_GIVEN_PROVEN && rq->given != LDR_GIVEN_ASKED) return LDR_OK;
  if (given_of(rq)->many && !proven)
    return LDR_OK; /* it returns its rows, and the other is parsed behind it */
  rq->ran = write_of(rq);
  if (!given_of(rq)->guarded) return LDR_OK;
  return ldr_bind_add_time(&rq->args, n, proven ? proof->analyzed : 0, err);
}

bool ldr_pggiven_brings_xid(const ldr_request *rq) { return rq->ran->nown == 2; }

static ldr_code select_again(ldr_request *rq, ldr_err *err) {
  const ldr_given *g = given_of(rq);
  ldr_cmd *c;
  ldr_code code = ldr_bind_pick(&rq->key, &rq->args, g->key, g->nkey, err);
  if (code) return code;
  c = ldr_request_query(rq, g->again->sql); /* without a name, so that it is never out of date */
  if (c == NULL) return ldr_fail_nomem(err);
  c->args = &rq->key;
  return LDR_OK;
}

/* The insert of several rows is parsed in the transaction whose time is asked for. Not again in a
 * transaction: nothing parsed in it proves anything there. */
static ldr_code parse_many(ldr_request *rq, ldr_err *err) {
  ldr_stmt *s = given_of(rq)->write;
  const ldr_proof *proof = proof_of(rq);
  ldr_code code;
  if (in_transaction(rq) && proof && proof->parsed) return LDR_OK;
  code = ldr_bind_types(&rq->key, s->oids, s->nparams, err);
  return code ? code : ldr_registry_parse(&rq->slot->prepared, s, &rq->key, rq->exchange, err);
}

ldr_code ldr_pggiven_ask(ldr_request *rq, ldr_err *err) {
  bool many = given_of(rq)->many;
  ldr_proof *proof;
  ldr_code code = many ? parse_many(rq, err) : select_again(rq, err);
  if (code) return code;
  rq->row_at = rq->exchange->n - 1;
  if (ldr_request_query(rq, rq->stmt->live->question) == NULL) return ldr_fail_nomem(err);
  proof = proof_of(rq);
  if (in_transaction(rq) && proof) proof->asked_in = rq->tx->number;
  if (!in_transaction(rq) && !many) return LDR_OK;
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

static int64_t time_of(const ldr_pgres *res, unsigned column) {
  size_t n = 0;
  const char *p = res && ldr_pgres_rows(res) == 1 ? ldr_pgres_cell(res, 0, column, &n) : NULL;
  return p && n == 8 ? (int64_t)ldr_be64(p) : 0;
}

/* When did the transaction begin that the catalog was read in? */
static int64_t begin_of(const ldr_request *rq) { return time_of(rq->exchange->cmd[rq->row_at + 2].res, 0); }

/* Is the catalog that was read that of the analysis? A transaction whose own statement was analyzed may have
 * changed the table in between, or may yet do so and analyze it again: all of that has the time of its begin.
 * With any other time there was no change since, and there will be none without another time. */
static bool proves(const ldr_request *rq) {
  int64_t begun;
  if (rq->tx == NULL) return true;
  begun = in_transaction(rq) ? begin_of(rq) : 0;
  return begun && begun != rq->analyzed;
}

/* Does the catalog that was read say that the table stores rows as they are given? */
static bool reads_plain(ldr_request *rq) {
  bool there;
  ldr_err ignored = {0}; /* of another type than declared: the next statement on the table says so */
  ldr_code code =
      ldr_live_read(rq->stmt->live, rq->exchange->cmd[rq->row_at + 1].res, false, &there, &ignored);
  return code == LDR_OK && ldr_live_plain(rq->stmt->live);
}

/* The row as it was read, and the catalog behind it: if that says that the table stores rows as they are
 * given, the analysis that came before it is proven. */
static ldr_code take_row(ldr_request *rq, ldr_err *err) {
  ldr_exchange *r = rq->exchange;
  ldr_proof *proof = proof_of(rq);
  bool proven = reads_plain(rq) && proves(rq);
  if (proof) proof->analyzed = proven ? rq->analyzed : 0;
  ldr_pgres_free(rq->answer);
  rq->answer = ldr_exchange_take(r, rq->row_at);
  rq->ran = given_of(rq)->again;
  if (rq->answer && ldr_pgres_rows(rq->answer) == 1) return LDR_OK;
  return ldr_fail(
      err, LDR_DRIFT,
      "the row was stored, but the key that was given does not find it: something in the database "
      "changed it");
}

/* The statement that returns the row, in an exchange of its own: nothing was changed yet. */
static ldr_code run_plainly(ldr_request *rq, ldr_err *err) {
  ldr_pgres_free(rq->answer);
  rq->answer = NULL;
  rq->given = LDR_GIVEN_PLAIN;
  return ldr_request_begin(rq, err);
}

/* If there was such a row all along, the time was another. */
static void take_plain(ldr_request *rq) {
  ldr_proof *proof = proof_of(rq);
  if (proof == NULL || ldr_pgres_rows(rq->answer) != 1) return;
  if (proof->analyzed) lose(proof);
  proof->no_row = false;
}

/* ---- several rows ---- */

/* They came back. What was parsed by an earlier transaction is proven once a later one has seen such a
 * catalog: any change in between, or since, makes the server analyze it once more, at another time. */
static void note_many(ldr_request *rq) {
  ldr_proof *proof = proof_of(rq);
  bool plain = reads_plain(rq);
  if (proof == NULL) return;
  if (!in_transaction(rq) || proof->parsed == 0) proof->parsed = begin_of(rq);
  rq->analyzed = proof->parsed;
  proof->analyzed = plain && proves(rq) ? proof->parsed : 0;
}

/* All are as they were given, or none was written, since the time is another. */
static ldr_code answer_many(ldr_request *rq, ldr_err *err) {
  size_t written = (size_t)ldr_pgres_affected(rq->answer);
  ldr_proof *proof = proof_of(rq);
  if (written == 0) {
    if (proof) lose(proof);
    return run_plainly(rq, err);
  }
  if (written != rq->rows_given)
    return ldr_fail(err, LDR_DRIFT, "%zu of %zu rows were stored: something in the database took the others",
                    written, rq->rows_given);
  if (proof && proof->served < EARLY) proof->served++;
  rq->as_given = true;
  return LDR_OK;
}

static ldr_code many_answered(ldr_request *rq, ldr_err *err) {
  if (rq->given == LDR_GIVEN_PROVEN) return answer_many(rq, err);
  if (rq->given == LDR_GIVEN_ASKED) note_many(rq);
  return LDR_OK;
}

/* ---- one row ---- */

/* Nothing was written: a trigger took the row, there is none, or another time is expected. */
static ldr_code take_nothing(ldr_request *rq, ldr_err *err) {
  ldr_proof *proof = proof_of(rq);
  if (!given_of(rq)->guarded) return LDR_OK;
  if (rq->given == LDR_GIVEN_PROVEN) return run_plainly(rq, err);
  if (proof) proof->no_row = true;
  return LDR_OK;
}

ldr_code ldr_pggiven_answered(ldr_request *rq, ldr_err *err) {
  ldr_proof *proof;
  if (given_of(rq)->many) return many_answered(rq, err);
  proof = proof_of(rq);
  if (rq->given == LDR_GIVEN_PLAIN) {
    take_plain(rq);
    return LDR_OK;
  }
  if (ldr_pgres_rows(rq->answer) != 1) return take_nothing(rq, err);
  rq->analyzed = time_of(rq->answer, rq->ran->ncols);
  if (rq->given == LDR_GIVEN_ASKED) return take_row(rq, err);
  rq->as_given = given_of(rq)->guarded || (proof && proof->analyzed && proof->analyzed == rq->analyzed);
  if (proof && rq->as_given && proof->served < EARLY) proof->served++;
  if (proof && !rq->as_given) lose(proof);
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

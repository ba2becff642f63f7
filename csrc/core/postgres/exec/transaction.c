#include "postgres/exec/transaction.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "postgres/statement/undo.h"

enum {
  ASK_AGAIN_US = 20000,     /* while the server still works on a transaction whose fate is asked */
  ROLLBACK_US = 3000000,    /* for a rollback: the server does it by itself when the connection goes */
  RESOLVE_MIN_US = 5000000, /* for that question, even when the deadline has passed */
  RESOLVE_MAX_US = 60000000,
  CRASH_SLACK_MS = 200 /* for the way of the question */
};

/* ---- open and close ---- */

enum { SPARES_MAX = 16, KEEP_BUFFER = 1 << 12 };

static ldr_pgtx *take_spare(ldr_pg *e) {
  ldr_pgtx *tx = e->spare_txs;
  ldr_buf pending;
  if (tx == NULL) return NULL;
  e->spare_txs = tx->next;
  e->nspare_txs--;
  pending = tx->pending;
  memset(tx, 0, offsetof(ldr_pgtx, first));
  tx->pending = pending;
  return tx;
}

ldr_code ldr_pgtx_new(ldr_pg *e, bool session, ldr_pgtx **out, ldr_err *err) {
  ldr_pgtx *tx = take_spare(e);
  if (tx == NULL) tx = ldr_alloc(sizeof *tx);
  if (tx == NULL) return ldr_fail_nomem(err);
  tx->e = e;
  tx->number = ++e->ntxs;
  tx->session = session;
  tx->next = e->txs;
  if (tx->next) tx->next->prev = tx;
  e->txs = tx;
  *out = tx;
  return LDR_OK;
}

void ldr_pgtx_free(ldr_pgtx *tx) {
  if (tx == NULL) return;
  if (tx->prev)
    tx->prev->next = tx->next;
  else
    tx->e->txs = tx->next;
  if (tx->next) tx->next->prev = tx->prev;
  if (tx->e->nspare_txs < SPARES_MAX && tx->pending.cap <= KEEP_BUFFER) {
    ldr_buf_reset(&tx->pending);
    tx->next = tx->e->spare_txs;
    tx->e->spare_txs = tx;
    tx->e->nspare_txs++;
    return;
  }
  ldr_buf_free(&tx->pending);
  ldr_free(tx);
}

void ldr_pgtx_free_spares(ldr_pg *e) {
  while (e->spare_txs) {
    ldr_pgtx *tx = e->spare_txs;
    e->spare_txs = tx->next;
    ldr_buf_free(&tx->pending);
    ldr_free(tx);
  }
}

/* ---- what travels with the next statement ---- */

static bool queue(ldr_pgtx *tx, const char *sql) {
  ldr_buf *b = &tx->pending;
  size_t n = strlen(sql) + 1;
  if (!ldr_buf_reserve(b, n)) {
    b->broken = false; /* what was queued before still stands */
    return false;
  }
  ldr_buf_add(b, sql, n);
  tx->npending++;
  return true;
}

/* Takes back the statement queued last. */
static void unqueue(ldr_pgtx *tx) {
  ldr_buf *b = &tx->pending;
  b->n--;
  while (b->n && b->p[b->n - 1] != '\0') b->n--;
  tx->npending--;
}

static bool queue_level(ldr_pgtx *tx, const char *verb, unsigned level) {
  char sql[64];
  snprintf(sql, sizeof sql, "%s ldr_%u", verb, level);
  return queue(tx, sql);
}

ldr_code ldr_pgtx_begin(ldr_engine *engine, const ldr_txopts *o, ldr_tx **out, ldr_err *err) {
  static const char *const levels[] = {
      [LDR_ISO_DEFAULT] = "",
      [LDR_READ_COMMITTED] = " isolation level read committed",
      [LDR_REPEATABLE_READ] = " isolation level repeatable read",
      [LDR_SERIALIZABLE] = " isolation level serializable",
  };
  char sql[100];
  ldr_pgtx *tx = NULL;
  ldr_pg *e = ldr_pg_of(engine);
  ldr_code code = ldr_pgtx_new(e, false, &tx, err);
  if (code) return code;
  tx->opts = *o;
  snprintf(sql, sizeof sql, "%s%s%s%s", ldr_pgtx_begin_sql, levels[o->isolation],
           o->read_only ? " read only" : "", o->deferrable ? " deferrable" : "");
  if (!queue(tx, sql)) {
    ldr_pgtx_free(tx);
    return ldr_fail_nomem(err);
  }
  ldr_count(&e->counts.transactions, 1);
  *out = (ldr_tx *)(void *)tx;
  return LDR_OK;
}

static ldr_code no_level(ldr_err *err) { return ldr_fail(err, LDR_INVALID, "there is no open savepoint"); }

ldr_code ldr_pgtx_savepoint(ldr_tx *t, ldr_err *err) {
  ldr_pgtx *tx = ldr_pgtx_of(t);
  ldr_code code = ldr_pgtx_usable(tx, err);
  if (code) return code;
  if (tx->session) return ldr_fail(err, LDR_INVALID, "a session has no savepoints");
  if (!queue_level(tx, "savepoint", tx->levels + 1)) return ldr_fail_nomem(err);
  tx->levels++;
  return LDR_OK;
}

ldr_code ldr_pgtx_release(ldr_tx *t, ldr_err *err) {
  ldr_pgtx *tx = ldr_pgtx_of(t);
  ldr_code code = ldr_pgtx_usable(tx, err);
  if (code) return code;
  if (tx->levels == 0) return no_level(err);
  if (tx->levels > tx->sent)
    unqueue(tx); /* a savepoint that was never sent is the last that is queued */
  else if (!queue_level(tx, "release savepoint", tx->levels))
    return ldr_fail_nomem(err);
  else
    tx->sent--;
  tx->levels--;
  return LDR_OK;
}

ldr_code ldr_pgtx_rollback_to(ldr_tx *t, ldr_err *err) {
  ldr_pgtx *tx = ldr_pgtx_of(t);
  bool failed = tx->failed;
  ldr_code code;
  tx->failed = false; /* of all that stands against using tx, this is no reason */
  code = ldr_pgtx_usable(tx, err);
  tx->failed = failed;
  if (code) return code;
  if (tx->levels == 0) return no_level(err);
  if (tx->levels > tx->sent) {
    unqueue(tx);
  } else {
    if (!queue_level(tx, "rollback to savepoint", tx->levels)) return ldr_fail_nomem(err);
    if (!queue_level(tx, "release savepoint", tx->levels)) {
      unqueue(tx);
      return ldr_fail_nomem(err);
    }
    tx->sent--;
  }
  tx->levels--;
  tx->failed = false;
  return LDR_OK;
}

/* ---- the end of a transaction ---- */

typedef struct end_request {
  ldr_request base; /* first */
  bool commit;      /* else roll back */
  bool failed;      /* commit: the transaction has failed, so roll back and return `first` */
  unsigned npending;
  bool wrote;         /* commit: the transaction's id matters */
  unsigned commit_at; /* the command that commits */
  unsigned asked;     /* the command that asks for it; UINT_MAX: none, it is known or does not matter */
  bool has_xid;
  uint64_t xid;        /* 0: the transaction changed nothing */
  ldr_conn *fresh;     /* asks for the fate of a transaction whose COMMIT was not answered */
  unsigned generation; /* the process that opened it */
  bool connecting;     /* it is not connected yet */
  int64_t begun;       /* the connecting of the connection that was lost */
  bool proved;         /* the fresh one leads to the same server */
  unsigned attempt;    /* at that proof */
  /* what clear_end leaves as it is */
  ldr_buf pending; /* commit: statements that go before it, a rollback to a savepoint above all */
  ldr_err first;
  char sql[400];
} end_request;

static end_request *end_of(ldr_request *rq) { return (end_request *)rq; }

static void drop_fresh(ldr_request *rq) {
  end_request *x = end_of(rq);
  if (x->fresh == NULL) return;
  ldr_request_unwatch(rq);
  if (x->generation != rq->e->pool->generation) ldr_conn_abandon(x->fresh); /* it is the parent's */
  ldr_conn_drop(x->fresh);
  ldr_conn_close(x->fresh);
  x->fresh = NULL;
  rq->conn = NULL;
}

static void dispose(ldr_request *rq) {
  drop_fresh(rq);
  ldr_buf_free(&end_of(rq)->pending);
}

/* What is left in a spare from the end of another transaction. */
static void clear_end(end_request *x) {
  const size_t own = sizeof x->base;
  memset((char *)x + own, 0, offsetof(end_request, pending) - own);
}

static ldr_code submit_one(ldr_request *rq, const char *sql, ldr_err *err) {
  ldr_exchange_reset(rq->exchange);
  if (ldr_request_query(rq, sql) == NULL) return ldr_fail_nomem(err);
  return ldr_request_submit(rq, err);
}

/* COMMIT and ROLLBACK alone go by the simple protocol: two messages of the server in place of five. */
static ldr_code submit_end(ldr_request *rq, ldr_err *err) {
  rq->exchange->simple = rq->exchange->n == 1;
  return ldr_request_submit(rq, err);
}

/* What statements of the transaction changed in the session is undone behind its end, under the same Sync. */
static ldr_code add_undo(ldr_request *rq, ldr_err *err) {
  ldr_slot *s = rq->slot;
  if (!s->reset || ldr_undo_add(rq->exchange, &s->prepared, !rq->e->pool->server.own_sessions)) return LDR_OK;
  return ldr_fail_nomem(err);
}

/* A pooler takes the session away as soon as COMMIT has failed, and with it what should have been undone
 * behind it. So what is deferred, and may fail, runs before: while that can still be rolled back. */
static bool add_deferred(ldr_request *rq) {
  if (!rq->slot->reset || rq->e->pool->server.own_sessions) return true;
  return ldr_request_query(rq, "set constraints all immediate") != NULL;
}

/* Behind the end nothing of the session may be left to undo. */
static void note_undone(ldr_request *rq) {
  if (rq->slot == NULL) return;
  rq->slot->discard = rq->slot->discard || rq->slot->reset;
  rq->slot->reset = false;
}

static ldr_code rolled_back(ldr_request *rq, ldr_err *err) {
  const end_request *x = end_of(rq);
  note_undone(rq);
  ldr_count(&rq->e->counts.rollbacks, 1);
  if (!x->commit) return LDR_OK;
  *err = x->first;
  return err->code;
}

static ldr_code roll_back(ldr_request *rq, ldr_err *err) {
  if (ldr_conn_dead(rq->conn)) return rolled_back(rq, err); /* the server does it */
  ldr_exchange_reset(rq->exchange);
  if (ldr_request_query(rq, "rollback") == NULL) return ldr_fail_nomem(err);
  return add_undo(rq, err) ? err->code : submit_end(rq, err);
}

/* The connection died before COMMIT could have run: nothing is in the database. */
static ldr_code surely_undone(ldr_err *err) {
  ldr_fail(err, LDR_CONNECTION, "the connection was lost before the commit; the transaction is undone");
  err->retryable = true;
  return err->code;
}

static void call_hook(const ldr_request *rq, const char *point) {
  if (rq->e->hook && !rq->on_loop) rq->e->hook(rq->e->hook_ud, point, ldr_conn_pid(rq->conn));
}

static bool add_pending(ldr_request *rq, const end_request *x) {
  const char *sql = x->pending.p;
  for (unsigned i = 0; i < x->npending; i++, sql += strlen(sql) + 1)
    if (ldr_request_query(rq, sql) == NULL) return false;
  return true;
}

/* The id of the transaction must be known here by the time the outcome may get lost. Unless it is, it is
 * asked for just before COMMIT, and the server told to answer that first. */
static ldr_code add_question(ldr_request *rq, ldr_err *err) {
  end_request *x = end_of(rq);
  ldr_code code;
  x->asked = UINT_MAX;
  if (!x->wrote || x->has_xid) return LDR_OK;
  code = ldr_pgrun_ask_xid(rq, err);
  if (code) return code;
  x->asked = rq->exchange->n - 1;
  rq->exchange->cmd[x->asked].flush = true;
  return LDR_OK;
}

static ldr_code submit_commit(ldr_request *rq, ldr_err *err) {
  end_request *x = end_of(rq);
  ldr_code code;
  call_hook(rq, "before_commit");
  if (!ldr_conn_check(rq->conn)) return surely_undone(err);
  ldr_exchange_reset(rq->exchange);
  if (!add_pending(rq, x) || !add_deferred(rq)) return ldr_fail_nomem(err);
  code = add_question(rq, err);
  if (code) return code;
  if (ldr_request_query(rq, "commit") == NULL) return ldr_fail_nomem(err);
  x->commit_at = rq->exchange->n - 1;
  code = add_undo(rq, err);
  if (code) return code;
  code = submit_end(rq, err);
  if (code == LDR_PENDING) call_hook(rq, "after_commit_sent");
  return code;
}

static ldr_code start(ldr_request *rq, ldr_err *err) {
  end_request *x = end_of(rq);
  if (x->failed || !x->commit) return roll_back(rq, err);
  return submit_commit(rq, err);
}

/* ---- a COMMIT without an answer ---- */

static ldr_code unknown(ldr_err *err, const char *why) {
  return ldr_fail(err, LDR_COMMIT_UNKNOWN, "the connection was lost during the commit, and %s", why);
}

static ldr_code ask_connection(ldr_request *rq, ldr_err *err) {
  end_request *x = end_of(rq);
  drop_fresh(rq);
  x->connecting = true;
  if (ldr_now_mono() >= rq->deadline) return unknown(err, "its outcome could not be asked for in time");
  if (ldr_conn_start(rq->e->info, rq->e->config.connect_timeout, &x->fresh, err) != LDR_OK) {
    ldr_request_sleep(rq, ASK_AGAIN_US);
    return LDR_PENDING;
  }
  x->generation = rq->e->pool->generation;
  ldr_request_connect(rq, x->fresh);
  return LDR_PENDING;
}

/* After a crash the server gives those numbers again of which its log knows nothing. Its statistics begin
 * anew then, too, and everybody may read since when: has that been since our connection began? */
static ldr_code ask(ldr_request *rq, ldr_err *err) {
  end_request *x = end_of(rq);
  unsigned long long xid = x->xid;
  long long ms = (ldr_now_mono() - x->begun) / 1000 + CRASH_SLACK_MS;
  /* a commit is recorded before its rows can be seen: until then the transaction is still in progress */
  snprintf(
      x->sql, sizeof x->sql,
      "select case when s = 'committed' and not pg_visible_in_snapshot('%llu'::xid8, pg_current_snapshot())"
      " then 'in progress' else s end::text,"
      " (select stats_reset > clock_timestamp() - %lld * interval '1 millisecond' from pg_stat_bgwriter)"
      " from pg_xact_status('%llu'::xid8) s",
      xid, ms, xid);
  return submit_one(rq, x->sql, err);
}

/* Another server may have given the same number to another transaction: first it must prove to be the same.
 */
static ldr_code ask_identity(ldr_request *rq, ldr_err *err) {
  const char *question = ldr_identity_question(end_of(rq)->attempt++);
  return question ? submit_one(rq, question, err) : unknown(err, "the server that answers now is not known");
}

static ldr_code identified(ldr_request *rq, ldr_err *err) {
  end_request *x = end_of(rq);
  char now[LDR_IDENTITY_SIZE];
  if (ldr_request_failed(rq) || !ldr_identity_read(rq->exchange->cmd[0].res, now))
    return ask_identity(rq, err);
  if (!ldr_identity_proves(&rq->e->pool->server.identity, x->begun, now))
    return unknown(err, "another server answers now");
  x->proved = true;
  return ask(rq, err);
}

static ldr_code connected(ldr_request *rq, ldr_err *err) {
  end_request *x = end_of(rq);
  x->connecting = false;
  if (rq->connected != LDR_OK) {
    drop_fresh(rq);
    ldr_request_sleep(rq, ASK_AGAIN_US);
    return LDR_PENDING;
  }
  x->proved = false;
  x->attempt = 0;
  return ask_identity(rq, err);
}

static ldr_code resume(ldr_request *rq, ldr_err *err) {
  const end_request *x = end_of(rq);
  if (x->fresh && x->connecting) return connected(rq, err);
  if (x->fresh == NULL || ldr_conn_dead(x->fresh)) return ask_connection(rq, err);
  return ask(rq, err);
}

static bool cell_is(const ldr_pgres *res, unsigned column, const char *bytes, size_t size) {
  size_t n = 0;
  const char *p = res && ldr_pgres_rows(res) ? ldr_pgres_cell(res, 0, column, &n) : NULL;
  return p && n == size && memcmp(p, bytes, n) == 0;
}

/* What was committed before a crash keeps its number for ever. So when the number is nobody's yet (22023), or
 * one that was aborted, there was no commit; but another's commit cannot be told from ours. That the
 * statistics began anew is no proof of a crash: an administrator may have cleared them. */
static ldr_code told(ldr_request *rq, ldr_err *err) {
  const ldr_pgres *res = rq->exchange->cmd[0].res;
  bool no_crash = cell_is(res, 1, "\0", 1);
  if (rq->exchange->lost) {
    ldr_request_sleep(rq, ASK_AGAIN_US);
    return LDR_PENDING;
  }
  if (!end_of(rq)->proved) return identified(rq, err);
  if (strcmp(ldr_exchange_sqlstate(rq->exchange), "22023") == 0) return surely_undone(err);
  if (cell_is(res, 0, "committed", 9))
    return no_crash ? LDR_OK : unknown(err, "the server crashed since, and may have given its number again");
  if (cell_is(res, 0, "aborted", 7)) return surely_undone(err);
  if (!cell_is(res, 0, "in progress", 11)) return unknown(err, "the server does not know its outcome");
  if (ldr_now_mono() >= rq->deadline) return unknown(err, "the server has not finished it yet");
  ldr_request_sleep(rq, ASK_AGAIN_US);
  return LDR_PENDING;
}

/* The transaction changed nothing: whether it was committed makes no difference. */
static ldr_code nothing_lost(const ldr_request *rq, ldr_err *err) {
  if (!rq->timed_out) return surely_undone(err);
  return ldr_fail(err, LDR_TIMEOUT, "commit: no answer in time; the transaction changed nothing");
}

static ldr_code resolve(ldr_request *rq, ldr_err *err) {
  end_request *x = end_of(rq);
  int64_t now = ldr_now_mono();
  if (!x->wrote || (x->has_xid && x->xid == 0)) return nothing_lost(rq, err);
  if (!x->has_xid) return unknown(err, "its outcome cannot be asked for");
  if (rq->deadline < now + RESOLVE_MIN_US) rq->deadline = now + RESOLVE_MIN_US;
  if (rq->deadline > now + RESOLVE_MAX_US) rq->deadline = now + RESOLVE_MAX_US;
  rq->timed_out = false;
  x->begun = rq->slot->begun;
  return ask_connection(rq, err);
}

/* ---- the answer to the end ---- */

static ldr_code committed(ldr_request *rq, ldr_err *err) {
  const ldr_pgres *res = rq->exchange->cmd[end_of(rq)->commit_at].res;
  note_undone(rq);
  if (strcmp(ldr_pgres_tag(res), "COMMIT") == 0) {
    ldr_count(&rq->e->counts.commits, 1);
    return LDR_OK;
  }
  return ldr_fail_state(err, LDR_CLOSED, "25P02",
                        "the server rolled the transaction back instead of committing it");
}

static ldr_code commit_answered(ldr_request *rq, ldr_err *err) {
  end_request *x = end_of(rq);
  if (x->asked < rq->exchange->n)
    x->has_xid = ldr_pgrun_read_xid(rq->exchange->cmd[x->asked].res, 0, &x->xid);
  if (rq->exchange->cmd[x->commit_at].res) return committed(rq, err); /* whatever became of the undoing */
  /* the server refused, or ended the session, before it came to COMMIT */
  if (rq->exchange->error && *ldr_exchange_sqlstate(rq->exchange) && rq->exchange->failed < x->commit_at) {
    ldr_request_error(rq, err);
    err->retryable = err->retryable || rq->exchange->lost;
    if (!ldr_conn_in_tx(rq->conn)) return err->code;
    x->failed = true;
    x->first = *err;
    return roll_back(rq, err);
  }
  if (rq->exchange->lost) return resolve(rq, err);
  return ldr_request_error(
      rq, err); /* the commit itself failed: a deferred constraint, a serialization failure */
}

static ldr_code answered(ldr_request *rq, ldr_err *err) {
  end_request *x = end_of(rq);
  if (x->fresh) return told(rq, err);
  if (x->commit && !x->failed) return commit_answered(rq, err);
  return rolled_back(rq, err); /* also when the connection was lost */
}

static const ldr_request_kind end_kind = {.start = start,
                                          .answered = answered,
                                          .resume = resume,
                                          .dispose = dispose,
                                          .size = sizeof(end_request),
                                          .ends_tx = true};

/* Hands the connection of tx to a request that ends it. tx is gone. */
static ldr_code end(ldr_pgtx *tx, bool commit, const ldr_call *call, ldr_task **task, ldr_err *err) {
  ldr_pg *e = tx->e;
  ldr_request *rq = NULL;
  end_request *x;
  ldr_call limited = *call;
  ldr_code code;
  if (!commit) limited.deadline = ldr_sooner(call->deadline, ldr_now_mono() + ROLLBACK_US);
  code = ldr_request_new(e, NULL, &end_kind, commit ? "commit" : "rollback", &limited, &rq, err);
  if (code) {
    ldr_pgtx_abandon((ldr_tx *)(void *)tx);
    return code;
  }
  x = end_of(rq);
  clear_end(x);
  x->commit = commit;
  x->failed = tx->failed;
  x->wrote = tx->wrote;
  x->xid = tx->xid;
  x->has_xid = tx->xid != 0;
  if (tx->failed) x->first = tx->first;
  x->npending = tx->npending;
  x->pending = (ldr_buf){0};
  if (tx->npending) {
    x->pending = tx->pending;
    tx->pending = (ldr_buf){0};
  }
  rq->slot = tx->slot;
  ldr_pgtx_free(tx);
  return ldr_request_run(rq, NULL, task, err);
}

/* What a session may have left behind (locks, settings) must be gone at once, not with the next use. */
static void give_back(ldr_pgtx *tx) {
  if (tx->slot && tx->session && tx->slot->reset) tx->slot->discard = true;
  if (tx->slot) ldr_pool_release(tx->e->pool, tx->slot, true);
  tx->slot = NULL;
}

/* Nothing to say to the server: nothing was sent, the connection is gone, or it is a session. */
static bool silent(const ldr_pgtx *tx) { return !tx->begun || tx->dead || tx->session; }

/* Then all of tx belongs to the loop. */
static bool is_on_loop(const ldr_pgtx *tx) { return tx->request && tx->request->on_loop; }

ldr_code ldr_pgtx_commit(ldr_tx *t, const ldr_call *call, ldr_task **task, ldr_err *err) {
  ldr_pgtx *tx = ldr_pgtx_of(t);
  ldr_code code;
  ldr_pg_check_fork(tx->e);
  code = ldr_pgtx_usable(tx, err);
  if (code == LDR_OK && !silent(tx)) return end(tx, true, call, task, err);
  if (is_on_loop(tx)) {
    ldr_pgtx_abandon(t);
    return code;
  }
  if (tx->failed && !silent(tx)) return end(tx, true, call, task, err);
  if (tx->failed && !tx->dead) {
    *err = tx->first;
    code = err->code;
  }
  ldr_pgtx_abandon(t);
  return code;
}

ldr_code ldr_pgtx_rollback(ldr_tx *t, const ldr_call *call, ldr_task **task, ldr_err *err) {
  ldr_pgtx *tx = ldr_pgtx_of(t);
  ldr_err ignored;
  ldr_pg_check_fork(tx->e);
  if (!is_on_loop(tx) && ldr_pgtx_usable(tx, &ignored) != LDR_INVALID && !silent(tx))
    return end(tx, false, call, task, err);
  ldr_pgtx_abandon(t);
  return LDR_OK;
}

void ldr_pgtx_abandon(ldr_tx *t) {
  ldr_pgtx *tx = ldr_pgtx_of(t);
  ldr_loop *loop;
  ldr_request *rq;
  if (tx == NULL) return;
  ldr_pg_check_fork(tx->e);
  loop = tx->request || tx->slot ? tx->e->loop : NULL;
  ldr_loop_lock(loop);
  rq = tx->request;
  if (rq) {
    bool copies = rq->kind->by_caller; /* then it has no owner but tx */
    ldr_request_stop(rq);
    if (copies) ldr_request_free(rq);
  }
  give_back(tx);
  ldr_loop_unlock(loop);
  ldr_pgtx_free(tx);
}

/* Transactions on PostgreSQL: savepoints, lost connections, commits whose answer is lost. Needs a server. */
#include <sys/socket.h>

#include "support/pgfix.h"
#include "support/pgproxy.h"
#include "support/test.h"

static ldr_code savepoint(pgfix *f, ldr_tx *tx) { return f->db->ops->savepoint(tx, &f->err); }
static ldr_code release(pgfix *f, ldr_tx *tx) { return f->db->ops->release(tx, &f->err); }
static ldr_code rollback_to(pgfix *f, ldr_tx *tx) { return f->db->ops->rollback_to(tx, &f->err); }

TEST(an_empty_transaction_sends_nothing) {
  pgfix f;
  ldr_tx *tx;
  uint64_t before;
  if (!pg_open(&f, NULL)) return;
  before = pg_stats(&f).acquires;
  tx = pg_begin(&f);
  CHECK_INT(savepoint(&f, tx), LDR_OK);
  CHECK_INT(rollback_to(&f, tx), LDR_OK);
  CHECK_INT(ldr_pg_backend_pid(tx), 0);
  CHECK_INT(pg_commit(&f, tx), LDR_OK);
  pg_rollback(&f, pg_begin(&f));
  CHECK_INT(pg_stats(&f).acquires, before);
  pg_close(&f);
}

TEST(commit_and_rollback) {
  pgfix f;
  ldr_tx *tx;
  if (!pg_open(&f, NULL)) return;
  tx = pg_begin(&f);
  CHECK_INT(pg_insert(&f, tx, "i1", "one"), LDR_OK);
  CHECK_INT(pg_count(&f), 0);
  CHECK_INT(pg_commit(&f, tx), LDR_OK);
  CHECK_INT(pg_count(&f), 1);
  tx = pg_begin(&f);
  CHECK_INT(pg_insert(&f, tx, "i2", "two"), LDR_OK);
  pg_rollback(&f, tx);
  CHECK_INT(pg_count(&f), 1);
  tx = pg_begin(&f);
  CHECK_INT(pg_insert(&f, tx, "i3", "three"), LDR_OK);
  f.db->ops->abandon(tx);
  CHECK_INT(pg_count(&f), 1);
  CHECK_INT(pg_stats(&f).busy, 0);
  pg_close(&f);
}

TEST(savepoints_undo_their_part) {
  pgfix f;
  ldr_tx *tx;
  if (!pg_open(&f, NULL)) return;
  tx = pg_begin(&f);
  CHECK_INT(pg_insert(&f, tx, "i1", "one"), LDR_OK);
  CHECK_INT(savepoint(&f, tx), LDR_OK);
  CHECK_INT(pg_insert(&f, tx, "i2", "two"), LDR_OK);
  CHECK_INT(savepoint(&f, tx), LDR_OK);
  CHECK_INT(pg_insert(&f, tx, "i3", "one"), LDR_CONFLICT);
  CHECK_INT(pg_insert(&f, tx, "i4", "four"), LDR_CLOSED);
  CHECK_STR(f.err.sqlstate, "25P02");
  CHECK_STR(f.err.message, "transaction was aborted by an earlier error");
  CHECK_INT(release(&f, tx), LDR_CLOSED);
  CHECK_INT(savepoint(&f, tx), LDR_CLOSED);
  CHECK_INT(rollback_to(&f, tx), LDR_OK);
  CHECK_INT(release(&f, tx), LDR_OK); /* keeps i2 */
  CHECK_INT(savepoint(&f, tx), LDR_OK);
  CHECK_INT(release(&f, tx), LDR_OK);
  CHECK_INT(savepoint(&f, tx), LDR_OK);
  CHECK_INT(pg_insert(&f, tx, "i5", "five"), LDR_OK);
  CHECK_INT(rollback_to(&f, tx), LDR_OK);
  CHECK_INT(rollback_to(&f, tx), LDR_INVALID);
  CHECK_INT(pg_insert(&f, tx, "i6", "six"), LDR_OK);
  CHECK_INT(pg_commit(&f, tx), LDR_OK);
  CHECK_STR(pg_text(&f, NULL, "select string_agg(id, ' ' order by id) from ldr_test.items"), "i1 i2 i6");
  pg_close(&f);
}

TEST(what_is_pending_goes_before_the_commit) {
  pgfix f;
  ldr_tx *tx;
  if (!pg_open(&f, NULL)) return;
  tx = pg_begin(&f);
  CHECK_INT(pg_insert(&f, tx, "i1", "one"), LDR_OK);
  CHECK_INT(savepoint(&f, tx), LDR_OK);
  CHECK_INT(pg_insert(&f, tx, "i2", "one"), LDR_CONFLICT);
  CHECK_INT(rollback_to(&f, tx), LDR_OK);
  CHECK_INT(pg_commit(&f, tx), LDR_OK);
  CHECK_STR(pg_text(&f, NULL, "select string_agg(id, ' ') from ldr_test.items"), "i1");
  pg_close(&f);
}

TEST(a_failed_transaction_commits_nothing) {
  pgfix f;
  ldr_tx *tx;
  uint64_t before;
  if (!pg_open(&f, NULL)) return;
  tx = pg_begin(&f);
  CHECK_INT(pg_insert(&f, tx, "i1", "one"), LDR_OK);
  CHECK_INT(pg_insert(&f, tx, "i2", "one"), LDR_CONFLICT);
  before = pg_stats(&f).queries;
  CHECK_INT(pg_insert(&f, tx, "i3", "three"), LDR_CLOSED);
  CHECK_INT(pg_stats(&f).queries, before); /* without a round trip */
  CHECK_INT(pg_commit(&f, tx), LDR_CONFLICT);
  CHECK_STR(f.err.constraint, "items_name_key");
  CHECK_INT(pg_count(&f), 0);
  CHECK_INT(pg_stats(&f).destroyed_broken, 1); /* the fixture's session */
  pg_close(&f);
}

/* Their outcome would not be told, and behind one with `and chain` nobody could see that there was an end. */
TEST(a_statement_must_not_end_the_transaction) {
  static const char *const ends[] = {"commit", "commit and chain", "rollback", "rollback and chain",
                                     "prepare transaction 'x'"};
  pgfix f;
  ldr_tx *tx;
  if (!pg_open(&f, NULL)) return;
  tx = pg_begin(&f);
  CHECK_INT(pg_insert(&f, tx, "i1", "one"), LDR_OK);
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) CHECK_INT(pg_do(&f, tx, ends[i]), LDR_INVALID);
  CHECK_INT(pg_do(&f, tx, "savepoint a"), LDR_OK);
  CHECK_INT(pg_do(&f, tx, "rollback to savepoint a"), LDR_OK);
  CHECK_INT(pg_insert(&f, tx, "i2", "two"), LDR_OK);
  pg_rollback(&f, tx);
  CHECK_INT(pg_count(&f), 0);
  pg_close(&f);
}

TEST(a_script_that_ends_the_transaction_ends_it) {
  pgfix f;
  ldr_tx *tx;
  if (!pg_open(&f, NULL)) return;
  tx = pg_begin(&f);
  CHECK_INT(pg_insert(&f, tx, "i1", "one"), LDR_OK);
  CHECK_INT(f.db->ops->session->script(tx, "rollback", &pg_block, &f.err), LDR_OK);
  CHECK_INT(pg_insert(&f, tx, "i2", "two"), LDR_CLOSED);
  CHECK_INT(pg_commit(&f, tx), LDR_CLOSED);
  CHECK_INT(pg_count(&f), 0);
  pg_close(&f);
}

TEST(what_fails_at_commit_is_told) {
  pgfix f;
  ldr_tx *tx;
  if (!pg_open(&f, NULL)) return;
  CHECK_INT(
      pg_do(&f, NULL,
            "alter table ldr_test.lines alter constraint lines_item_fkey deferrable initially deferred"),
      LDR_OK);
  tx = pg_begin(&f);
  CHECK_INT(pg_do(&f, tx, "insert into ldr_test.lines(tenant, item) values ('acme', 'none')"), LDR_OK);
  CHECK_INT(pg_commit(&f, tx), LDR_FOREIGN_KEY);
  CHECK_STR(f.err.constraint, "lines_item_fkey");
  /* an implicit transaction commits at the end of its statement: the error is that statement's */
  CHECK_INT(pg_do(&f, NULL, "insert into ldr_test.lines(tenant, item) values ('acme', 'none')"),
            LDR_FOREIGN_KEY);
  CHECK_STR(pg_text(&f, NULL, "select count(*) from ldr_test.lines"), "0");
  CHECK_INT(pg_stats(&f).busy, 0);
  pg_close(&f);
}

TEST(options_reach_the_server) {
  const ldr_txopts o = {.isolation = LDR_SERIALIZABLE, .read_only = true, .deferrable = true};
  pgfix f;
  ldr_tx *tx = NULL;
  if (!pg_open(&f, NULL)) return;
  CHECK_INT(f.db->ops->begin(f.db, &o, &tx, &f.err), LDR_OK);
  CHECK_STR(pg_text(&f, tx, "show transaction_isolation"), "serializable");
  CHECK_STR(pg_text(&f, tx, "show transaction_deferrable"), "on");
  CHECK_INT(pg_insert(&f, tx, "i1", "one"), LDR_PERMISSION);
  CHECK_STR(f.err.sqlstate, "25006");
  CHECK(!f.err.retryable);
  pg_rollback(&f, tx);
  CHECK_INT(pg_stats(&f).destroyed_broken, 1); /* a healthy connection stays */
  pg_close(&f);
}

TEST(serialization_failures_are_retryable) {
  const ldr_txopts o = {.isolation = LDR_REPEATABLE_READ};
  pgfix f;
  ldr_tx *tx = NULL;
  if (!pg_open(&f, NULL)) return;
  CHECK_INT(pg_insert(&f, NULL, "i1", "one"), LDR_OK);
  CHECK_INT(f.db->ops->begin(f.db, &o, &tx, &f.err), LDR_OK);
  CHECK_STR(pg_text(&f, tx, "select n from ldr_test.items"), "1");
  CHECK_INT(pg_do(&f, NULL, "update ldr_test.items set n = 2"), LDR_OK);
  CHECK_INT(pg_do(&f, tx, "update ldr_test.items set n = 3"), LDR_SERIALIZATION);
  CHECK(f.err.retryable);
  pg_rollback(&f, tx);
  pg_close(&f);
}

/* ---- lost connections ---- */

TEST(nothing_runs_outside_a_killed_transaction) {
  pgfix f, other;
  ldr_tx *tx;
  if (!pg_open(&f, NULL)) return;
  CHECK(pg_open_with(&other, NULL, NULL));
  tx = pg_begin(&f);
  CHECK_INT(pg_insert(&f, tx, "i1", "one"), LDR_OK);
  pg_kill(&other, ldr_pg_backend_pid(tx));
  CHECK_INT(pg_insert(&f, tx, "i2", "two"), LDR_CONNECTION);
  CHECK_STR(f.err.sqlstate, "57P01");
  CHECK(f.err.retryable);
  for (int i = 0; i < 3; i++) CHECK_INT(pg_insert(&f, tx, "i3", "three"), LDR_CLOSED);
  CHECK_INT(savepoint(&f, tx), LDR_CLOSED);
  CHECK_INT(rollback_to(&f, tx), LDR_CLOSED);
  CHECK_INT(pg_commit(&f, tx), LDR_CLOSED);
  CHECK_INT(pg_count(&f), 0);
  CHECK_INT(pg_insert(&f, NULL, "i4", "four"), LDR_OK);
  pg_close(&other);
  pg_close(&f);
}

TEST(a_commit_on_a_dead_connection_is_surely_undone) {
  pgfix f, other;
  ldr_tx *tx;
  if (!pg_open(&f, NULL)) return;
  CHECK(pg_open_with(&other, NULL, NULL));
  tx = pg_begin(&f);
  CHECK_INT(pg_insert(&f, tx, "i1", "one"), LDR_OK);
  pg_kill(&other, ldr_pg_backend_pid(tx));
  CHECK_INT(pg_commit(&f, tx), LDR_CONNECTION);
  CHECK(f.err.retryable);
  CHECK_INT(pg_count(&f), 0);
  pg_close(&other);
  pg_close(&f);
}

static void (*before_loss)(pgfix *f); /* called before the commit; NULL: nothing */

/* Commits one row, inserted by `sql` or (NULL) an operation, over a line that fails as `mode` says. */
static ldr_code lossy_commit(const char *sql, pgproxy_mode mode, long long *count, ldr_err *err) {
  pgfix f, direct;
  pgproxy *proxy = pgproxy_start(pg_url());
  ldr_code code = LDR_INTERNAL;
  ldr_tx *tx;
  *count = -1;
  CHECK(proxy != NULL);
  if (!pg_open(&direct, NULL)) return code;
  if (proxy && pg_open_with(&f, NULL, pgproxy_settings(proxy))) {
    tx = pg_begin(&f);
    CHECK_INT(sql ? pg_do(&f, tx, sql) : pg_insert(&f, tx, "i1", "one"), LDR_OK);
    if (before_loss) before_loss(&f);
    pgproxy_set(proxy, mode, 0);
    code = pg_commit(&f, tx);
    *err = f.err;
    CHECK(pgproxy_done(proxy));
    CHECK_INT(pg_insert(&f, NULL, "i2", "two"), LDR_OK); /* the pool goes on */
    CHECK_INT(pg_stats(&f).busy, 0);
    *count = pg_count(&direct) - 1;
    pg_close(&f);
  }
  pg_close(&direct);
  pgproxy_stop(proxy);
  return code;
}

/* The id of its transaction is asked for with the commit. */
static const char raw_insert[] =
    "insert into ldr_test.items (tenant, id, name, n, at) values ('acme', 'i1', 'one', 1, now())";

TEST(a_commit_without_answer_that_took_place) {
  ldr_err err;
  long long count;
  CHECK_INT(lossy_commit(raw_insert, PGPROXY_CUT_COMMIT_REPLY, &count, &err), LDR_OK);
  CHECK_INT(count, 1);
}

TEST(a_commit_without_answer_that_did_not) {
  ldr_err err;
  long long count;
  CHECK_INT(lossy_commit(raw_insert, PGPROXY_CUT_COMMIT, &count, &err), LDR_CONNECTION);
  CHECK(err.retryable);
  CHECK_INT(count, 0);
}

static void name_another_server(pgfix *f) { ldr_pg_of(f->db)->pool->server.identity.text[0] ^= 1; }
static void know_it_too_late(pgfix *f) { ldr_pg_of(f->db)->pool->server.identity.since = ldr_now_mono(); }
static void know_no_server(pgfix *f) { ldr_pg_of(f->db)->pool->server.identity.text[0] = '\0'; }

/* A standby that took over under the same name may have given the transaction's number to another. */
TEST(a_commit_is_resolved_by_the_same_server_only) {
  static void (*const cases[])(pgfix *) = {name_another_server, know_it_too_late, know_no_server};
  ldr_err err;
  long long count;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    before_loss = cases[i];
    CHECK_INT(lossy_commit(raw_insert, PGPROXY_CUT_COMMIT_REPLY, &count, &err), LDR_COMMIT_UNKNOWN);
    CHECK(!err.retryable);
    CHECK_INT(lossy_commit(raw_insert, PGPROXY_CUT_COMMIT, &count, &err), LDR_COMMIT_UNKNOWN);
    CHECK_INT(count, 0);
  }
  before_loss = NULL;
}

TEST(the_server_is_known_by_identifier_and_timeline) {
  pgfix f;
  char now[LDR_IDENTITY_SIZE];
  if (!pg_open(&f, NULL)) return;
  snprintf(now, sizeof now, "%s", ldr_pg_of(f.db)->pool->server.identity.text);
  CHECK_STR(now, pg_text(&f, NULL,
                         "select system_identifier::text || ':' || lpad(upper(to_hex(timeline_id)), 8, '0')"
                         " from pg_control_system(), pg_control_checkpoint()"));
  pg_close(&f);
}

TEST(a_commit_of_which_nothing_is_known) {
  ldr_err err;
  long long count;
  CHECK_INT(lossy_commit(raw_insert, PGPROXY_CUT_ALL_REPLY, &count, &err), LDR_COMMIT_UNKNOWN);
  CHECK(!err.retryable);
  CHECK_INT(count, 1);
}

TEST(a_commit_of_an_operation_whose_id_is_known) {
  ldr_err err;
  long long count;
  CHECK_INT(lossy_commit(NULL, PGPROXY_CUT_ALL_REPLY, &count, &err), LDR_OK);
  CHECK_INT(count, 1);
  CHECK_INT(lossy_commit(NULL, PGPROXY_CUT_COMMIT, &count, &err), LDR_CONNECTION);
  CHECK(err.retryable);
  CHECK_INT(count, 0);
}

typedef struct killer {
  pgfix *other;
  const char *at;
  int calls;
} killer;

static void kill_at(void *ud, const char *point, int pid) {
  killer *k = ud;
  k->calls++;
  if (strcmp(point, k->at) == 0) pg_kill(k->other, pid);
}

TEST(a_backend_killed_around_commit) {
  static const char *const points[] = {"before_commit", "after_commit_sent"};
  pgfix f, other;
  if (!pg_open(&f, NULL)) return;
  CHECK(pg_open_with(&other, NULL, NULL));
  for (int i = 0; i < 2; i++) {
    killer k = {&other, points[i], 0};
    ldr_tx *tx = pg_begin(&f);
    long long before = pg_count(&f);
    ldr_code code;
    CHECK_INT(pg_insert(&f, tx, points[i], points[i]), LDR_OK);
    ldr_pg_set_hook(f.db, kill_at, &k);
    code = pg_commit(&f, tx);
    ldr_pg_set_hook(f.db, NULL, NULL);
    /* after it was sent the commit may win or lose, but what is said is what happened */
    CHECK(code == LDR_OK || (code == LDR_CONNECTION && f.err.retryable));
    CHECK_INT(pg_count(&f) - before, code == LDR_OK);
    CHECK_INT(k.calls, i == 0 ? 1 : 2);
  }
  pg_close(&other);
  pg_close(&f);
}

/* CommandComplete and ReadyForQuery, cut at each of their bytes: COMMIT alone, and with an undoing behind it.
 */
TEST(a_commit_whose_answer_is_cut_anywhere_took_place) {
  enum { ANSWER = 18, STEP = 1, LONGER = 80, LONG_STEP = 11 };
  pgfix f, direct;
  pgproxy *proxy = pgproxy_start(pg_url());
  long long there = 0;
  CHECK(proxy != NULL);
  if (!pg_open(&direct, NULL)) return;
  if (proxy && pg_open_with(&f, NULL, pgproxy_settings(proxy))) {
    for (size_t n = 0; n < LONGER; n += n < ANSWER ? STEP : LONG_STEP) {
      ldr_tx *tx = pg_begin(&f);
      char id[16];
      snprintf(id, sizeof id, "i%zu", n);
      CHECK_INT(pg_insert(&f, tx, id, id), LDR_OK);
      if (n >= ANSWER) CHECK_INT(pg_do(&f, tx, "set statement_timeout = 0"), LDR_OK);
      pgproxy_set(proxy, PGPROXY_CUT_AFTER, n);
      CHECK_INT(pg_commit(&f, tx), LDR_OK);
      CHECK(pgproxy_done(proxy));
      CHECK_INT(pg_count(&direct), ++there);
    }
    CHECK_INT(pg_stats(&f).busy, 0);
    pg_close(&f);
  }
  pg_close(&direct);
  pgproxy_stop(proxy);
}

typedef struct clearing {
  pgfix *f, *other;
} clearing;

static void clear_and_cut(void *ud, const char *point, int pid) {
  const clearing *c = ud;
  (void)pid;
  if (strcmp(point, "after_commit_sent") != 0) return;
  CHECK_INT(pg_do(c->other, NULL, "select pg_stat_reset_shared('bgwriter')"), LDR_OK);
  shutdown(ldr_conn_fd(ldr_pg_of(c->f->db)->pool->slots.by_state[LDR_SLOT_BUSY].first->conn), SHUT_RDWR);
}

/* They begin anew after a crash as well, but here the COMMIT goes on. */
TEST(cleared_statistics_do_not_undo_a_commit_that_is_under_way) {
  pgfix f, other;
  clearing c = {&f, &other};
  ldr_tx *tx;
  if (!pg_open(&f, NULL)) return;
  CHECK(pg_open_with(&other, NULL, NULL));
  CHECK_INT(pg_do(&other, NULL,
                  "create function ldr_test.late() returns trigger language plpgsql as"
                  " $$ begin perform pg_sleep(0.5); return null; end $$"),
            LDR_OK);
  CHECK_INT(pg_do(&other, NULL,
                  "create constraint trigger late after insert on ldr_test.items deferrable"
                  " initially deferred for each row execute function ldr_test.late()"),
            LDR_OK);
  tx = pg_begin(&f);
  CHECK_INT(pg_insert(&f, tx, "i1", "one"), LDR_OK);
  ldr_pg_set_hook(f.db, clear_and_cut, &c);
  CHECK_INT(pg_commit(&f, tx), LDR_COMMIT_UNKNOWN);
  CHECK(!f.err.retryable);
  ldr_pg_set_hook(f.db, NULL, NULL);
  CHECK_INT(pg_count(&other), 1);
  pg_close(&other);
  pg_close(&f);
}

/* ---- what goes to the server between the last statement and COMMIT ---- */

typedef struct last_words {
  const ldr_slot *slot;
  uint64_t sent; /* exchanges of requests, before COMMIT */
  bool idle, commit_first, undoes, simple, alone_in_flight;
} last_words;

static void look_at_commit(void *ud, const char *point, int pid) {
  last_words *w = ud;
  const ldr_exchange *head = ldr_conn_head(w->slot->conn);
  (void)pid;
  if (strcmp(point, "before_commit") == 0) {
    w->idle = head == NULL && w->slot->prepared.sent == w->sent && w->slot->undo.n == 0;
    return;
  }
  w->alone_in_flight = head && head->next == NULL && w->slot->prepared.sent == w->sent + 1;
  w->commit_first = head && head->cmd[0].sql && strcmp(head->cmd[0].sql, "commit") == 0;
  w->undoes = head && head->undoes && w->slot->undo.n == 0;
  w->simple = head && head->simple;
}

/* COMMIT runs what is deferred, and that with what the transaction has set. */
TEST(nothing_is_sent_between_the_last_statement_and_commit) {
  static const char *const changes[] = {NULL, "set search_path = pg_catalog", "select pg_advisory_lock(7)",
                                        "prepare p as select 1"};
  pgfix f;
  const ldr_pool_config one = pg_config(1);
  if (!pg_open(&f, &one)) return;
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    last_words w = {0};
    char id[8];
    ldr_tx *tx = pg_begin(&f);
    snprintf(id, sizeof id, "i%zu", i);
    CHECK_INT(pg_insert(&f, tx, id, id),
              LDR_OK); /* brings the transaction's id: COMMIT need not ask for it */
    if (changes[i]) CHECK_INT(pg_do(&f, tx, changes[i]), LDR_OK);
    w.slot = ldr_pgtx_of(tx)->slot;
    w.sent = w.slot->prepared.sent;
    ldr_pg_set_hook(f.db, look_at_commit, &w);
    CHECK_INT(pg_commit(&f, tx), LDR_OK);
    ldr_pg_set_hook(f.db, NULL, NULL);
    CHECK(w.idle);
    CHECK(w.commit_first);
    CHECK(w.alone_in_flight);
    CHECK(w.undoes == (changes[i] != NULL)); /* in the exchange of COMMIT, behind it */
    CHECK(w.simple == (changes[i] == NULL)); /* alone it goes by the simple protocol */
  }
  CHECK_INT(pg_count(&f), 4);
  pg_close(&f);
}

void test_transaction(void);
void test_transaction(void) {
  if (!pg_available("pgtx")) return;
  RUN(an_empty_transaction_sends_nothing);
  RUN(commit_and_rollback);
  RUN(savepoints_undo_their_part);
  RUN(what_is_pending_goes_before_the_commit);
  RUN(a_failed_transaction_commits_nothing);
  RUN(a_statement_must_not_end_the_transaction);
  RUN(a_script_that_ends_the_transaction_ends_it);
  RUN(what_fails_at_commit_is_told);
  RUN(options_reach_the_server);
  RUN(serialization_failures_are_retryable);
  RUN(nothing_runs_outside_a_killed_transaction);
  RUN(a_commit_on_a_dead_connection_is_surely_undone);
  RUN(a_commit_without_answer_that_took_place);
  RUN(a_commit_without_answer_that_did_not);
  RUN(a_commit_is_resolved_by_the_same_server_only);
  RUN(the_server_is_known_by_identifier_and_timeline);
  RUN(a_commit_of_which_nothing_is_known);
  RUN(a_commit_of_an_operation_whose_id_is_known);
  RUN(a_backend_killed_around_commit);
  RUN(a_commit_whose_answer_is_cut_anywhere_took_place);
  RUN(cleared_statistics_do_not_undo_a_commit_that_is_under_way);
  RUN(nothing_is_sent_between_the_last_statement_and_commit);
}

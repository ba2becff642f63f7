#include "support/memfix.h"
#include "support/test.h"

void test_undo(void);

static world w;

static void start(void) {
  CHECK(world_open(&w));
  CHECK(insert(&w, NULL, TEAMS, ROW(TEXT("a"), TEXT("A"))) == LDR_OK);
  CHECK(insert(&w, NULL, TEAMS, ROW(TEXT("b"), TEXT("B"))) == LDR_OK);
}

static const char *teams(ldr_tx *tx) { return show(&w, tx, TEAMS, NULL, FIELDS(T_ID, T_NAME)); }

static ldr_code rename_team(ldr_tx *tx, const char *id, const char *name) {
  return update(&w, tx, TEAMS, EQ(T_ID, ldr_text(id, 1)), T_NAME, ldr_text(name, strlen(name)));
}

static ldr_code savepoint(ldr_tx *tx) { return w.db->ops->savepoint(tx, &w.err); }
static ldr_code release(ldr_tx *tx) { return w.db->ops->release(tx, &w.err); }
static ldr_code rollback_to(ldr_tx *tx) { return w.db->ops->rollback_to(tx, &w.err); }

TEST(nobody_sees_what_is_not_committed) {
  ldr_tx *tx;
  start();
  tx = begin(&w);
  CHECK(insert(&w, tx, TEAMS, ROW(TEXT("c"), TEXT("C"))) == LDR_OK);
  CHECK(rename_team(tx, "a", "AA") == LDR_OK);
  CHECK(delete (&w, tx, TEAMS, EQ(T_ID, TEXT("b"))) == LDR_OK);
  CHECK_STR(teams(tx), "a|AA c|C");
  CHECK_STR(teams(NULL), "a|A b|B");
  CHECK_STR(show(&w, NULL, TEAMS, EQ(T_NAME, TEXT("AA")), FIELDS(T_ID)), "");
  CHECK_STR(show(&w, tx, TEAMS, EQ(T_NAME, TEXT("AA")), FIELDS(T_ID)), "a");
  CHECK_STR(show(&w, NULL, TEAMS, EQ(T_NAME, TEXT("A")), FIELDS(T_ID)), "a");
  CHECK(commit(&w, tx) == LDR_OK);
  CHECK_STR(teams(NULL), "a|AA c|C");
  world_close(&w);
}

TEST(rollback_and_abandon_undo) {
  ldr_tx *tx;
  start();
  for (int i = 0; i < 2; i++) {
    tx = begin(&w);
    CHECK(insert(&w, tx, TEAMS, ROW(TEXT("c"), TEXT("C"))) == LDR_OK);
    CHECK(delete (&w, tx, TEAMS, EQ(T_ID, TEXT("c"))) == LDR_OK);
    CHECK(insert(&w, tx, TEAMS, ROW(TEXT("c"), TEXT("D"))) == LDR_OK);
    CHECK(rename_team(tx, "a", "AA") == LDR_OK);
    CHECK(rename_team(tx, "a", "AB") == LDR_OK);
    if (i)
      w.db->ops->abandon(tx);
    else
      rollback(&w, tx);
    CHECK_STR(teams(NULL), "a|A b|B");
  }
  CHECK(insert(&w, NULL, TEAMS, ROW(TEXT("c"), TEXT("AB"))) == LDR_OK);
  world_close(&w);
}

TEST(closing_abandons) {
  ldr_tx *tx;
  start();
  tx = begin(&w);
  CHECK(insert(&w, tx, TEAMS, ROW(TEXT("c"), TEXT("C"))) == LDR_OK);
  CHECK(begin(&w) != NULL);
  world_close(&w);
}

/* The memory of one that ended is the next one's: nothing else of it is. */
TEST(a_transaction_begins_anew_where_another_ended) {
  ldr_tx *tx;
  start();
  for (int i = 0; i < 3; i++) {
    tx = begin(&w);
    CHECK(insert(&w, tx, TEAMS, ROW(TEXT("c"), TEXT("C"))) == LDR_OK);
    CHECK(insert(&w, tx, TEAMS, ROW(TEXT("c"), TEXT("Y"))) == LDR_CONFLICT);
    CHECK(insert(&w, tx, TEAMS, ROW(TEXT("d"), TEXT("D"))) != LDR_OK); /* it has failed */
    if (i == 1)
      CHECK(commit(&w, tx) == LDR_CONFLICT);
    else
      rollback(&w, tx);
    CHECK_STR(teams(NULL), "a|A b|B");
  }
  tx = begin(&w);
  CHECK(rename_team(tx, "a", "AA") == LDR_OK);
  CHECK(commit(&w, tx) == LDR_OK);
  CHECK_STR(teams(NULL), "a|AA b|B");
  world_close(&w);
}

/* ---- conflicts ---- */

static void check_locked(ldr_code code) {
  CHECK_INT(code, LDR_LOCK_TIMEOUT);
  CHECK_STR(w.err.sqlstate, "55P03");
}

TEST(a_row_has_one_writer) {
  ldr_tx *tx;
  start();
  tx = begin(&w);
  CHECK(rename_team(tx, "a", "AA") == LDR_OK);
  check_locked(rename_team(NULL, "a", "X"));
  check_locked(delete (&w, NULL, TEAMS, EQ(T_ID, TEXT("a"))));
  CHECK(rename_team(NULL, "b", "BB") == LDR_OK);
  CHECK(commit(&w, tx) == LDR_OK);
  CHECK(rename_team(NULL, "a", "X") == LDR_OK);
  CHECK_STR(teams(NULL), "a|X b|BB");
  world_close(&w);
}

TEST(a_value_in_doubt_is_neither_free_nor_taken) {
  ldr_tx *tx;
  start();
  tx = begin(&w);
  CHECK(insert(&w, tx, TEAMS, ROW(TEXT("c"), TEXT("C"))) == LDR_OK);
  CHECK(delete (&w, tx, TEAMS, EQ(T_ID, TEXT("a"))) == LDR_OK);
  check_locked(insert(&w, NULL, TEAMS, ROW(TEXT("c"), TEXT("X"))));
  check_locked(insert(&w, NULL, TEAMS, ROW(TEXT("x"), TEXT("C"))));
  check_locked(insert(&w, NULL, TEAMS, ROW(TEXT("a"), TEXT("X"))));
  check_locked(upsert(&w, NULL, TEAMS, -1, NULL, 0, ROW(TEXT("c"), TEXT("X"))));
  CHECK(insert(&w, tx, TEAMS, ROW(TEXT("a"), TEXT("A"))) == LDR_OK); /* for its owner it is free */
  CHECK(insert(&w, tx, TEAMS, ROW(TEXT("c"), TEXT("Y"))) == LDR_CONFLICT);
  rollback(&w, tx);
  CHECK_STR(teams(NULL), "a|A b|B");
  world_close(&w);
}

static ldr_code lock(ldr_tx *tx, const ldr_pred *where, ldr_lock how) {
  static const uint16_t out[] = {T_ID};
  static const ldr_order order[] = {ASC(T_ID)};
  ldr_op op;
  ldr_op_init(&op, LDR_OP_SELECT, w.e[TEAMS]);
  op.where = where;
  op.out = out;
  op.nout = 1;
  op.order = order;
  op.norder = 1;
  op.lock = how;
  op.limit = 1;
  return run(&w, tx, &op);
}

TEST(locks) {
  ldr_tx *tx, *other;
  start();
  tx = begin(&w);
  other = begin(&w);
  CHECK(lock(tx, NULL, LDR_LOCK_UPDATE) == LDR_OK);
  CHECK_STR(show_result(&w), "a");
  CHECK(savepoint(other) == LDR_OK);
  check_locked(lock(other, NULL, LDR_LOCK_UPDATE_NOWAIT));
  CHECK(rollback_to(other) == LDR_OK);
  CHECK(lock(other, NULL, LDR_LOCK_UPDATE_SKIP) == LDR_OK);
  CHECK_STR(show_result(&w), "b"); /* a limit counts what is not skipped */
  check_locked(rename_team(NULL, "a", "X"));
  check_locked(rename_team(NULL, "b", "X"));
  CHECK_STR(teams(NULL), "a|A b|B");
  CHECK(insert(&w, NULL, TEAMS, ROW(TEXT("a"), TEXT("X"))) == LDR_CONFLICT); /* locked, but surely there */
  CHECK(rename_team(tx, "a", "AA") == LDR_OK);
  rollback(&w, other);
  CHECK(rename_team(NULL, "b", "BB") == LDR_OK);
  CHECK(commit(&w, tx) == LDR_OK);
  CHECK(rename_team(NULL, "a", "X") == LDR_OK);
  CHECK(lock(NULL, EQ(T_ID, TEXT("a")), LDR_LOCK_SHARE) == LDR_OK); /* ends with the statement */
  CHECK(rename_team(NULL, "a", "Y") == LDR_OK);
  world_close(&w);
}

TEST(a_savepoint_gives_locks_back) {
  ldr_tx *tx;
  start();
  tx = begin(&w);
  CHECK(savepoint(tx) == LDR_OK);
  CHECK(lock(tx, EQ(T_ID, TEXT("a")), LDR_LOCK_UPDATE) == LDR_OK);
  CHECK(savepoint(tx) == LDR_OK);
  CHECK(rename_team(tx, "a", "AA") == LDR_OK);
  CHECK(rollback_to(tx) == LDR_OK);
  check_locked(rename_team(NULL, "a", "X")); /* the lock is older */
  CHECK(rollback_to(tx) == LDR_OK);
  CHECK(rename_team(NULL, "a", "X") == LDR_OK);
  CHECK(commit(&w, tx) == LDR_OK);
  CHECK_STR(teams(NULL), "a|X b|B");
  world_close(&w);
}

/* ---- savepoints ---- */

TEST(savepoints_nest) {
  ldr_tx *tx;
  start();
  tx = begin(&w);
  CHECK(rename_team(tx, "a", "1") == LDR_OK);
  CHECK(savepoint(tx) == LDR_OK);
  CHECK(rename_team(tx, "a", "2") == LDR_OK);
  CHECK(rename_team(tx, "a", "3") == LDR_OK);
  CHECK(savepoint(tx) == LDR_OK);
  CHECK(delete (&w, tx, TEAMS, EQ(T_ID, TEXT("a"))) == LDR_OK);
  CHECK(insert(&w, tx, TEAMS, ROW(TEXT("c"), TEXT("3"))) == LDR_OK);
  CHECK_STR(teams(tx), "b|B c|3");
  CHECK(rollback_to(tx) == LDR_OK);
  CHECK_STR(teams(tx), "a|3 b|B");
  CHECK(savepoint(tx) == LDR_OK);
  CHECK(rename_team(tx, "b", "4") == LDR_OK);
  CHECK(release(tx) == LDR_OK);
  CHECK_STR(teams(tx), "a|3 b|4");
  CHECK(rollback_to(tx) == LDR_OK);
  CHECK_STR(teams(tx), "a|1 b|B");
  CHECK(rollback_to(tx) == LDR_INVALID);
  CHECK_STR(w.err.sqlstate, "3B001");
  CHECK(commit(&w, tx) == LDR_OK);
  CHECK_STR(teams(NULL), "a|1 b|B");
  world_close(&w);
}

/* A row that one transaction changes again and again keeps few versions, with and without savepoints. */
TEST(long_transactions_stay_small) {
  size_t live = 0;
  ldr_tx *tx;
  start();
  tx = begin(&w);
  for (int i = 0; i < 3000; i++) {
    char name[16];
    snprintf(name, sizeof name, "n%d", i);
    if (i % 3 == 0) CHECK(savepoint(tx) == LDR_OK);
    CHECK(rename_team(tx, "a", name) == LDR_OK);
    if (i % 3 == 0) CHECK(release(tx) == LDR_OK);
    if (i == 100) live = ldr_mem_live();
  }
  CHECK_INT(ldr_mem_live(), live);
  CHECK_STR(teams(tx), "a|n2999 b|B");
  CHECK_STR(teams(NULL), "a|A b|B");
  CHECK(commit(&w, tx) == LDR_OK);
  CHECK_STR(teams(NULL), "a|n2999 b|B");
  world_close(&w);
}

/* An indexed value that goes away and comes back stands in the index twice, for the old version and the new
 * one. */
TEST(values_that_come_back) {
  const ldr_pred *one = AND(EQ(U_TEAM, TEXT("a")), EQ(U_SCORE, INT(1)));
  start();
  for (int i = 0; i < 40; i++)
    CHECK(insert(&w, NULL, USERS, ROW(TEXT("a"), INT((i + 20) % 40), NUL, INT(1))) == LDR_OK);
  CHECK(delete (&w, NULL, USERS, P1(LDR_P_GE, U_ID, INT(20))) ==
        LDR_OK); /* new versions: before and behind the old */
  for (int round = 0; round < 30; round++) {
    ldr_tx *tx = begin(&w);
    CHECK(update(&w, tx, USERS, EQ(U_ID, INT(round % 20)), U_GONE, ldr_time(round)) == LDR_OK);
    CHECK(update(&w, tx, USERS, EQ(U_ID, INT(round * 7 % 20)), U_SCORE, INT(round % 3)) == LDR_OK);
    CHECK(update(&w, tx, USERS, NULL, U_SCORE, INT(2)) == LDR_OK);
    if (round % 2) CHECK(savepoint(tx) == LDR_OK);
    CHECK(update(&w, tx, USERS, NULL, U_SCORE, INT(1)) == LDR_OK);
    CHECK_INT(count(&w, tx, USERS, one), 20);
    CHECK_INT(count(&w, NULL, USERS, one), 20);
    CHECK(update(&w, tx, USERS, NULL, U_SCORE, INT(3)) == LDR_OK);
    CHECK_INT(count(&w, tx, USERS, one), 0);
    if (round % 2) CHECK(rollback_to(tx) == LDR_OK);
    CHECK(update(&w, tx, USERS, NULL, U_SCORE, INT(1)) == LDR_OK);
    CHECK_INT(count(&w, tx, USERS, one), 20);
    if (round % 3)
      CHECK(commit(&w, tx) == LDR_OK);
    else
      rollback(&w, tx);
    CHECK_INT(count(&w, NULL, USERS, one), 20);
  }
  world_close(&w);
}

/* ---- failing ---- */

static void check_closed(ldr_code code) {
  CHECK_INT(code, LDR_CLOSED);
  CHECK_STR(w.err.sqlstate, "25P02");
  CHECK_STR(w.err.message, "transaction was aborted by an earlier error");
}

TEST(a_failed_transaction_refuses_everything) {
  const ldr_value key[] = {TEXT("a")};
  ldr_scan *scan;
  ldr_row *row;
  ldr_tx *tx;
  start();
  tx = begin(&w);
  CHECK(rename_team(tx, "a", "AA") == LDR_OK);
  CHECK(ldr_memdb_get(w.db, tx, w.e[TEAMS], (ldr_value[]){TEXT("z")}, &row, &w.err) == LDR_NOT_FOUND);
  CHECK_INT(count(&w, tx, TEAMS, NULL), 2); /* finding nothing is no failure */
  CHECK(insert(&w, tx, TEAMS, ROW(TEXT("b"), TEXT("X"))) == LDR_CONFLICT);
  check_closed(rename_team(tx, "a", "X"));
  check_closed(ldr_memdb_get(w.db, tx, w.e[TEAMS], key, &row, &w.err));
  check_closed(w.db->ops->scan(w.db, tx, w.e[TEAMS], NULL, &scan, &w.err));
  check_closed(savepoint(tx));
  check_closed(release(tx));
  CHECK_INT(commit(&w, tx), LDR_CONFLICT);
  CHECK_STR(w.err.constraint, "teams_pkey");
  CHECK_STR(teams(NULL), "a|A b|B");
  world_close(&w);
}

TEST(a_savepoint_revives) {
  ldr_tx *tx;
  start();
  tx = begin(&w);
  CHECK(rename_team(tx, "a", "AA") == LDR_OK);
  CHECK(savepoint(tx) == LDR_OK);
  CHECK(rename_team(tx, "a", "AB") == LDR_OK);
  CHECK(rename_team(tx, "a", "B") == LDR_CONFLICT);
  check_closed(rename_team(tx, "b", "X"));
  CHECK(rollback_to(tx) == LDR_OK);
  CHECK_STR(teams(tx), "a|AA b|B");
  CHECK(commit(&w, tx) == LDR_OK);
  CHECK_STR(teams(NULL), "a|AA b|B");
  world_close(&w);
}

TEST(read_only_transactions_do_not_write) {
  ldr_tx *tx;
  start();
  tx = begin_with(&w, LDR_ISO_DEFAULT, true);
  CHECK_STR(teams(tx), "a|A b|B");
  CHECK_INT(rename_team(tx, "a", "X"), LDR_PERMISSION);
  CHECK_STR(w.err.sqlstate, "25006");
  CHECK_INT(commit(&w, tx), LDR_PERMISSION);
  tx = begin_with(&w, LDR_ISO_DEFAULT, true);
  CHECK_INT(lock(tx, NULL, LDR_LOCK_UPDATE), LDR_PERMISSION);
  rollback(&w, tx);
  world_close(&w);
}

/* ---- isolation ---- */

TEST(read_committed_sees_what_others_commit) {
  ldr_tx *tx;
  start();
  tx = begin(&w);
  CHECK_STR(teams(tx), "a|A b|B");
  CHECK(rename_team(NULL, "a", "AA") == LDR_OK);
  CHECK_STR(teams(tx), "a|AA b|B");
  CHECK(rename_team(tx, "b", "BB") == LDR_OK);
  CHECK(commit(&w, tx) == LDR_OK);
  world_close(&w);
}

static void check_serialization(ldr_code code) {
  CHECK_INT(code, LDR_SERIALIZATION);
  CHECK_STR(w.err.sqlstate, "40001");
  CHECK(w.err.retryable);
}

TEST(strict_isolation_fails_when_others_commit) {
  ldr_tx *tx;
  start();
  tx = begin_with(&w, LDR_SERIALIZABLE, false);
  CHECK(rename_team(NULL, "a", "1") == LDR_OK); /* before its first statement: no matter */
  CHECK_STR(teams(tx), "a|1 b|B");
  CHECK(rename_team(NULL, "a", "2") == LDR_OK);
  CHECK(count(&w, tx, TEAMS, NULL) == -1);
  check_serialization(w.err.code);
  check_serialization(commit(&w, tx));
  tx = begin_with(&w, LDR_REPEATABLE_READ, false); /* write skew: noticed at the commit */
  CHECK(rename_team(tx, "b", "3") == LDR_OK);
  CHECK(rename_team(NULL, "a", "4") == LDR_OK);
  check_serialization(commit(&w, tx));
  tx = begin_with(&w, LDR_REPEATABLE_READ, false);
  CHECK_STR(teams(tx), "a|4 b|B");
  CHECK(rename_team(NULL, "a", "5") == LDR_OK);
  CHECK(commit(&w, tx) == LDR_OK); /* it has only read */
  world_close(&w);
}

void test_undo(void) {
  RUN(nobody_sees_what_is_not_committed);
  RUN(rollback_and_abandon_undo);
  RUN(closing_abandons);
  RUN(a_transaction_begins_anew_where_another_ended);
  RUN(a_row_has_one_writer);
  RUN(a_value_in_doubt_is_neither_free_nor_taken);
  RUN(locks);
  RUN(a_savepoint_gives_locks_back);
  RUN(savepoints_nest);
  RUN(long_transactions_stay_small);
  RUN(values_that_come_back);
  RUN(a_failed_transaction_refuses_everything);
  RUN(a_savepoint_revives);
  RUN(read_only_transactions_do_not_write);
  RUN(read_committed_sees_what_others_commit);
  RUN(strict_isolation_fails_when_others_commit);
}

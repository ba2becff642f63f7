/* The reactor while the server is frozen: its processes are stopped, so that neither a statement nor its
 * cancel is answered. Every caller must be told in time, once, and the engine must go on afterwards. Needs a
 * server whose processes this user may stop. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>

#include "support/askfix.h"
#include "support/test.h"

enum { STATEMENTS = 30 };
static const double deadline = 0.5; /* of what meets a frozen server */

/* ---- stopping and resuming ---- */

typedef struct frozen { /* stopped processes of the server */
  int pid[STATEMENTS];
  size_t n;
} frozen;

/* Stops the backends of f that run something, until there are n. */
static void freeze(pgfix *f, pgfix *other, frozen *z, size_t n) {
  static const char active[] =
      "select min(pid) from pg_stat_activity where application_name = 'driven' and state = 'active' and "
      "pid > %d";
  int64_t until = ldr_deadline(deadline * 0.8);
  char sql[200];
  int last = 0;
  z->n = 0;
  while (z->n < n && ldr_now_mono() < until) {
    int pid;
    snprintf(sql, sizeof sql, active, last);
    pid = atoi(pg_text(other, NULL, sql));
    if (pid <= 0) {
      ask_turn(f, 1);
      continue;
    }
    CHECK_INT(kill(pid, SIGSTOP), 0);
    z->pid[z->n++] = last = pid;
  }
}

static void thaw(frozen *z) {
  for (size_t i = 0; i < z->n; i++) (void)kill(z->pid[i], SIGCONT);
  z->n = 0;
}

/* ---- statements and transactions under way ---- */

static void ask_sleep(pgfix *f, ask *a, ldr_tx *tx, ldr_stmt *sleep) {
  const ldr_call call = ask_within(deadline);
  ldr_err err;
  ldr_code code = ldr_pg_execute(f->db, tx, sleep, NULL, &call, &a->result, &a->task, &err);
  ask_submit(a, code, &err);
}

/* n sleeps, alone or each in a transaction, while the server stops. */
static void meet_a_frozen_server(pgfix *f, pgfix *other, size_t n, bool in_tx) {
  ldr_stmt *sleep = ask_prepared(f, "select 1 from pg_sleep(60)");
  ldr_tx *txs[STATEMENTS] = {0};
  int64_t from;
  frozen z;
  for (size_t i = 0; i < n; i++) {
    if (in_tx) txs[i] = pg_begin(f);
    ask_sleep(f, &asks[i], txs[i], sleep);
  }
  from = ldr_now_mono();
  freeze(f, other, &z, n);
  CHECK(z.n > 0);
  ask_collect(f, 0, n);
  CHECK(ldr_now_mono() - from < 4000000); /* 2.5 s: the deadline and what a cancel gets */
  CHECK_INT(ask_ended(n, LDR_TIMEOUT), n);
  for (size_t i = 0; i < n; i++) CHECK_STR(asks[i].sqlstate, "57014");
  thaw(&z);
  for (size_t i = 0; i < n; i++)
    if (txs[i]) f->db->ops->abandon(txs[i]);
  ask_forget(n);
  ldr_stmt_release(sleep);
}

/* What comes after it is served as if nothing had been, by fresh connections. */
static void expect_service(pgfix *f) {
  ask_rows(f, 0, 200);
  ask_collect(f, 0, 200);
  ask_check_all(0, 200);
  ask_forget(200);
  CHECK_STR(pg_text(f, NULL, "select 1"), "1");
}

/* FT-r22 */
TEST(a_frozen_server_is_a_timeout) {
  static const size_t sizes[] = {1, 10, STATEMENTS};
  size_t live = ldr_mem_live();
  pgfix f, other;
  ldr_pool_config c = pg_config(STATEMENTS + 2);
  c.acquire_timeout = PATIENCE;
  if (!ask_open(&f, &other, &c, NULL)) return;
  ask_warm(&f);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    meet_a_frozen_server(&f, &other, sizes[i], i % 2);
    expect_service(&f);
  }
  meet_a_frozen_server(&f, &other, STATEMENTS, true);
  expect_service(&f);
  ask_close(&f, &other);
  pg_settle(live);
}

/* ---- behind others ---- */

/* FT-r23: a write waits behind a read on the only connection when its deadline passes. Its turn comes within
 * the two seconds that it still has, and it is cancelled at once. */
TEST(a_late_write_is_cancelled_when_its_turn_comes) {
  size_t live = ldr_mem_live();
  pgfix f, other;
  ldr_pool_config c = pg_config(1);
  const ldr_call call = ask_within(0.3);
  ldr_stmt *update;
  ldr_tx *items, *lines;
  ldr_code code;
  int64_t from;
  if (!ask_open(&f, &other, &c, NULL)) return;
  update = ask_prepared(&f, "update ldr_test.lines set item = item");
  ask_warm(&f);
  items = pg_begin(&other);
  lines = pg_begin(&other);
  CHECK_INT(pg_do(&other, items, "lock table ldr_test.items"), LDR_OK);
  CHECK_INT(pg_do(&other, lines, "lock table ldr_test.lines"), LDR_OK);
  from = ldr_now_mono();
  ask_row(&f, &asks[0], 1, PATIENCE);
  code = ldr_pg_execute(f.db, NULL, update, NULL, &call, &asks[1].result, &asks[1].task, &f.err);
  ask_submit(&asks[1], code, &f.err);
  while (ldr_now_mono() - from < 600000) ask_turn(&f, 10);
  CHECK_INT(ask_pending(0, 1), 1);
  pg_rollback(&other, items);
  ask_collect(&f, 0, 2);
  CHECK(ldr_now_mono() - from < 1800000);
  ask_check(&asks[0]);
  CHECK_INT(asks[1].code, LDR_TIMEOUT);
  pg_rollback(&other, lines);
  ask_forget(2);
  ldr_stmt_release(update);
  expect_service(&f);
  ask_close(&f, &other);
  pg_settle(live);
}

static void ask_in_one_way(void) {
  RUN(a_frozen_server_is_a_timeout);
  RUN(a_late_write_is_cancelled_when_its_turn_comes);
}

void test_freeze(void);
void test_freeze(void) {
  if (!pg_available("freeze")) return;
  ask_in_one_way();
  ask_thread_drives = true;
  ask_in_one_way();
  ask_thread_drives = false;
}

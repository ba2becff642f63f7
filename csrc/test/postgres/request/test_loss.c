/* The reactor when something ends with work in flight: the database, the process, a backend, the server.
 * Needs a server. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "async/thread.h"
#include "support/askfix.h"
#include "support/pgproxy.h"
#include "support/test.h"

/* ---- the database is closed, the process forks ---- */

/* FT-r10 */
TEST(a_database_closed_with_work_in_flight) {
  size_t live = ldr_mem_live();
  for (int round = 0; round < 4; round++) {
    pgfix f, other;
    ldr_pool_config c = pg_config(4);
    ldr_stmt *sleep;
    ldr_tx *tx;
    ldr_err err;
    if (!ask_open(&f, &other, &c, NULL)) return;
    sleep = ask_prepared(&f, "select 1 from pg_sleep(5)");
    if (round % 2) ask_warm(&f);
    ask_stmt(&f, &asks[0], NULL, sleep, NULL);
    tx = pg_begin(&f);
    ask_stmt(&f, &asks[1], tx, sleep, NULL);
    ask_rows(&f, 2, 500);
    if (round > 1) ask_turn(&f, 5);
    ldr_stmt_release(sleep);
    f.db->ops->close(f.db);
    f.db = NULL;
    CHECK(asks[0].task && asks[1].task);
    for (size_t i = 0; i < 502; i++)
      if (asks[i].task) CHECK_INT(asks[i].task->ops->step(asks[i].task, &err), LDR_CLOSED);
    ask_forget(502);
    ask_close(&f, &other);
  }
  pg_settle(live);
}

/* The child gets a reactor of its own. ThreadSanitizer cannot follow a child that starts threads. */
static bool child_works(pgfix *f) {
#ifndef __SANITIZE_THREAD__
  for (size_t i = 100; i < 120; i++) ask_row(f, &asks[i], 7, PATIENCE);
  ask_collect(f, 100, 20);
  if (ask_ended(120, LDR_OK) < 20) return false;
  for (size_t i = 100; i < 120; i++)
    if (ask_number(&asks[i], 1) != ask_answer_to(7)) return false;
#endif
  ask_forget(120);
  pg_close(f);
  return true;
}

/* FT-r9 */
TEST(a_fork_with_work_in_flight) {
  size_t live = ldr_mem_live();
  pgfix f, other;
  ldr_pool_config c = pg_config(3);
  ldr_stmt *sleep;
  int status = -1;
  pid_t child;
  if (!ask_open(&f, &other, &c, NULL)) return;
  sleep = ask_prepared(&f, "select 1 from pg_sleep(1)");
  ask_warm(&f);
  ask_stmt(&f, &asks[0], NULL, sleep, NULL);
  ask_rows(&f, 1, 99);
  fflush(stdout);
  child = fork();
  if (child == 0) {
    alarm(2 * PATIENCE);
    _exit(child_works(&f) ? 0 : 1);
  }
  CHECK(waitpid(child, &status, 0) == child);
  CHECK_INT(status, 0);
  ask_collect(&f, 0, 100);
  CHECK_INT(asks[0].code, LDR_OK);
  ask_check_all(1, 99);
  ask_forget(100);
  ldr_stmt_release(sleep);
  ask_close(&f, &other);
  pg_settle(live);
}

/* FT-r21: it does nothing else with it. */
TEST(a_child_closes_what_its_parent_waits_for) {
  size_t live = ldr_mem_live();
  pgfix f, other;
  ldr_tx *lock;
  int status = -1;
  pid_t child;
  if (!ask_open(&f, &other, NULL, NULL)) return;
  ask_warm(&f);
  lock = pg_begin(&other);
  CHECK_INT(pg_do(&other, lock, "lock table ldr_test.items"), LDR_OK);
  ask_rows(&f, 0, 64);
  for (int i = 0; i < 20; i++) ask_turn(&f, 1); /* they are sent */
  CHECK_INT(ask_pending(0, 64), 64);
  fflush(stdout);
  child = fork();
  if (child == 0) {
    alarm(2 * PATIENCE);
    ask_forget(64);
    pg_close(&f);
    _exit(0);
  }
  CHECK(waitpid(child, &status, 0) == child);
  CHECK_INT(status, 0);
  pg_rollback(&other, lock);
  ask_collect(&f, 0, 64);
  ask_check_all(0, 64);
  ask_forget(64);
  ask_close(&f, &other);
  pg_settle(live);
}

/* ---- the system has nothing left ---- */

typedef void shortage(bool begins);

static void no_descriptors(bool begins) {
  static struct rlimit before;
  struct rlimit none;
  if (begins) CHECK_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
  none = (struct rlimit){0, before.rlim_max};
  CHECK_INT(setrlimit(RLIMIT_NOFILE, begins ? &none : &before), 0);
}

static void no_threads(bool begins) { ldr_thread_fail(begins); }
static void no_memory(bool begins) { ldr_mem_fail_at(begins); }

static ldr_task *quick_task(pgfix *f, ldr_stmt *quick) {
  const ldr_call call = ask_within(PATIENCE);
  ldr_result r = {0};
  ldr_task *t = NULL;
  CHECK_INT(ldr_pg_execute(f->db, NULL, quick, NULL, &call, &r, &t, &f->err), LDR_PENDING);
  return t;
}

static void expect_refused(shortage *s) {
  pgfix f, other;
  ldr_stmt *quick;
  ldr_task *t;
  if (!ask_open(&f, &other, NULL, NULL)) return;
  quick = ask_prepared(&f, "select 1");
  t = quick_task(&f, quick);
  s(true);
  CHECK_INT(ldr_task_submit(t, 7, &f.err), LDR_CAPACITY);
  CHECK(*f.err.message != '\0');
  s(false);
  CHECK_INT(t->ops->step(t, &f.err), LDR_PENDING); /* it was not submitted … */
  s(true);
  CHECK_INT(ldr_task_fd(t), -1);
  s(false);
  s(true);
  CHECK_INT(ldr_pg_wake_fd(f.db, &f.err), -1);
  s(false);
  CHECK_INT(ldr_task_submit(t, 7, &f.err), LDR_OK); /* … and now it is */
  CHECK(ldr_task_wait(t, ldr_deadline(PATIENCE)));
  CHECK_INT(t->ops->step(t, &f.err), LDR_OK);
  ldr_rows_free(t->result.rows);
  t->result.rows = NULL;
  t->ops->free(t);
  ldr_stmt_release(quick);
  ask_close(&f, &other);
}

/* FT-r26 */
TEST(what_cannot_be_submitted_is_refused) {
  static shortage *const all[] = {no_descriptors, no_threads, no_memory};
  size_t live = ldr_mem_live();
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) expect_refused(all[i]);
  pg_settle(live);
}

/* The n-th allocation of a submit fails, for every n. */
TEST(a_submit_without_memory_is_refused) {
  size_t live = ldr_mem_live();
  for (long n = 1, more = true; more && n < 100; n++) {
    pgfix f, other;
    ldr_stmt *quick;
    ldr_task *t;
    ldr_code code;
    if (!ask_open(&f, &other, NULL, NULL)) return;
    quick = ask_prepared(&f, "select 1");
    t = quick_task(&f, quick);
    ldr_mem_fail_at(n);
    code = ldr_task_submit(t, 7, &f.err);
    if (code == LDR_OK) CHECK(ldr_task_wait(t, ldr_deadline(PATIENCE)));
    more = ldr_mem_failed();
    ldr_mem_fail_at(0);
    CHECK(code == LDR_OK || code == LDR_CAPACITY);
    t->ops->free(t);
    ldr_stmt_release(quick);
    ask_close(&f, &other);
  }
  pg_settle(live);
}

/* FT-r27 */
TEST(a_submit_to_a_closed_database_is_refused) {
  size_t live = ldr_mem_live();
  pgfix f, other;
  ldr_stmt *quick;
  ldr_task *t;
  if (!ask_open(&f, &other, NULL, NULL)) return;
  quick = ask_prepared(&f, "select 1");
  t = quick_task(&f, quick);
  ldr_stmt_release(quick);
  f.db->ops->close(f.db);
  f.db = NULL;
  CHECK_INT(ldr_task_submit(t, 7, &f.err), LDR_CLOSED);
  CHECK_INT(ldr_task_fd(t), -1);
  CHECK_INT(t->ops->step(t, &f.err), LDR_CLOSED);
  t->ops->free(t);
  ask_close(&f, &other);
  pg_settle(live);
}

/* ---- the server goes away ---- */

static const char kill_all[] =
    "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'driven'";
static const char kill_one[] =
    "select count(pg_terminate_backend(pid)) from (select pid from pg_stat_activity"
    " where application_name = 'driven' limit 1) one";

/* FT-r1. One backend of several: what it was at is lost, reads behind that move on. All of them, while every
 * caller waits for a lock: the right row or an error. */
TEST(a_killed_backend_fails_its_callers_only) {
  size_t live = ldr_mem_live();
  unsigned lost = 0;
  pgfix f, other;
  ldr_pool_config c = pg_config(4);
  int64_t until = ldr_deadline(PATIENCE);
  c.acquire_timeout = PATIENCE;
  if (!ask_open(&f, &other, &c, NULL)) return;
  ask_warm(&f);
  for (int round = 0; round < 20; round++) {
    bool all = round % 2;
    ldr_tx *lock = pg_begin(&other);
    int killed = 0;
    if (all) CHECK_INT(pg_do(&other, lock, "lock table ldr_test.items"), LDR_OK);
    ask_rows(&f, 0, 64);
    if (all) ask_turn(&f, 5 * round);
    while (killed == 0 && ldr_now_mono() < until) { /* they may be connecting yet */
      killed = atoi(pg_text(&other, NULL, all ? kill_all : kill_one));
      ask_turn(&f, 1);
    }
    pg_rollback(&other, lock);
    ask_collect(&f, 0, 64);
    lost += ask_check_or_lost(64);
    if (!all) CHECK(ask_ended(64, LDR_CONNECTION) <= 1);
    ask_forget(64);
  }
  CHECK(lost > 0);
  ask_close(&f, &other);
  pg_settle(live);
}

/* FT-r3 */
TEST(a_server_that_is_down_is_told_in_time) {
  size_t live = ldr_mem_live();
  pgfix f, other;
  pgproxy *proxy = pgproxy_start(pg_url());
  ldr_pool_config c = pg_config(4);
  int64_t from;
  unsigned served = 0;
  CHECK(proxy != NULL);
  c.acquire_timeout = 0.5;
  if (proxy == NULL || !ask_open(&f, &other, &c, pgproxy_settings(proxy))) return;
  pgproxy_set(proxy, PGPROXY_DOWN, 0); /* before the first task */
  usleep(100000);
  from = ldr_now_mono();
  ask_rows(&f, 0, 64);
  ask_collect(&f, 0, 64);
  CHECK_INT(ask_ended(64, LDR_CONNECTION), 64);
  CHECK(ldr_now_mono() - from < 20000000);
  ask_forget(64);
  pgproxy_set(proxy, PGPROXY_PASS, 0);
  for (int i = 0; i < 300 && served < 64; i++) { /* it is found again, and then serves all */
    usleep(100000);
    ask_rows(&f, 0, 64);
    ask_collect(&f, 0, 64);
    served = ask_ended(64, LDR_OK);
    if (served == 64) ask_check_all(0, 64);
    ask_forget(64);
  }
  CHECK_INT(served, 64);
  ask_close(&f, &other);
  pgproxy_stop(proxy);
  pg_settle(live);
}

/* "fast": with "immediate", a server that does not wait for its disk forgets the last commits. */
static bool restart(void) {
  const char *ctl = getenv("LARDER_TEST_PGCTL");
  char command[1000];
  if (ctl == NULL) return false;
  snprintf(command, sizeof command, "cd / && %s restart -m fast >/dev/null 2>&1 &", ctl);
  return system(command) == 0;
}

/* FT-r2 */
TEST(a_restart_under_load) {
  enum { AT_ONCE = 64 };
  size_t live = ldr_mem_live();
  pgfix f, other;
  ldr_pool_config c = pg_config(4);
  int64_t until = ldr_deadline(PATIENCE);
  unsigned since = 0; /* good answers after the last bad one */
  uint64_t connects;
  c.acquire_timeout = 30;
  if (getenv("LARDER_TEST_PGCTL") == NULL || !ask_open(&f, &other, &c, NULL)) return;
  ask_warm(&f);
  ask_rows(&f, 0, AT_ONCE);
  connects = pg_stats(&f).connects;
  CHECK(restart());
  while ((pg_stats(&f).connects == connects || since < 2000) && ldr_now_mono() < until) {
    ask_turn(&f, 100);
    for (size_t i = 0; i < AT_ONCE; i++) {
      if (asks[i].code == LDR_PENDING) continue;
      since = asks[i].code == LDR_OK ? since + 1 : 0;
      if (asks[i].code != LDR_CONNECTION) ask_check(&asks[i]);
      ldr_rows_free(asks[i].result.rows);
      asks[i] = (ask){0};
      ask_row(&f, &asks[i], ask_pick(ROWS), PATIENCE);
    }
  }
  CHECK(since >= 2000 && pg_stats(&f).connects > connects);
  ask_collect(&f, 0, AT_ONCE);
  ask_forget(AT_ONCE);
  pg_close(&f);
  for (int i = 0; i < 200 && strcmp(pg_text(&other, NULL, "select 1"), "1") != 0; i++) usleep(50000);
  pg_close(&other);
  pg_settle(live);
}

static void ask_in_one_way(void) {
  RUN(a_database_closed_with_work_in_flight);
  RUN(a_killed_backend_fails_its_callers_only);
  RUN(a_server_that_is_down_is_told_in_time);
  RUN(a_restart_under_load);
}

void test_loss(void);
void test_loss(void) {
  if (!pg_available("reactloss")) return;
  ask_in_one_way();
  RUN(what_cannot_be_submitted_is_refused);
  RUN(a_submit_without_memory_is_refused);
  RUN(a_submit_to_a_closed_database_is_refused);
  RUN(a_fork_with_work_in_flight);
  RUN(a_child_closes_what_its_parent_waits_for);
  ask_thread_drives = true;
  ask_in_one_way();
  ask_thread_drives = false;
}

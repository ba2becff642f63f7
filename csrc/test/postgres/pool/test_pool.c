/* The pool and waiting: lost connections, exhaustion, deadlines, tasks driven by poll(), forks. Needs a
 * server. */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/pgfix.h"
#include "support/pgproxy.h"
#include "support/test.h"

/* ---- tasks ---- */

enum { TASKS = 64 };

typedef struct work { /* a statement without blocking */
  ldr_task *task;
  ldr_code code; /* LDR_PENDING while it runs */
  ldr_err err;
  ldr_result result;
} work;

static ldr_call soon(double seconds) { return (ldr_call){.deadline = ldr_deadline(seconds), .block = false}; }

static void begin_sql(pgfix *f, work *w, const char *sql, double seconds) {
  const ldr_call call = soon(seconds);
  ldr_stmt *s = NULL;
  *w = (work){0};
  w->code = ldr_pg_prepare(f->db, NULL, sql, strlen(sql), &pg_block, &s, NULL, &w->err);
  if (w->code == LDR_OK) w->code = ldr_pg_execute(f->db, NULL, s, NULL, &call, &w->result, &w->task, &w->err);
  ldr_stmt_release(s);
}

static void finish_one(work *w) {
  if (w->code == LDR_OK) {
    w->result = w->task->result;
    w->task->result.rows = NULL;
  }
  w->task->ops->free(w->task);
  w->task = NULL;
}

static void step_one(work *w, short revents) {
  if (w->code != LDR_PENDING) return;
  if (!revents && ldr_now_mono() < w->task->deadline) return;
  w->code = w->task->ops->step(w->task, &w->err);
  if (w->code != LDR_PENDING) finish_one(w);
}

/* One turn of an event loop; false: nothing is left to do. */
static bool turn(work *w, size_t n, int64_t until) {
  struct pollfd p[TASKS];
  int64_t first = until;
  bool left = false;
  for (size_t i = 0; i < n; i++) {
    const ldr_task *t = w[i].code == LDR_PENDING ? w[i].task : NULL;
    p[i] = (struct pollfd){.fd = t ? t->fd : -1};
    if (t == NULL) continue;
    left = true;
    p[i].events = (short)((t->events & LDR_READ ? POLLIN : 0) | (t->events & LDR_WRITE ? POLLOUT : 0));
    if (t->deadline < first) first = t->deadline;
  }
  if (!left) return false;
  poll(p, (nfds_t)n, ldr_millis_left(first));
  for (size_t i = 0; i < n; i++) step_one(&w[i], p[i].revents);
  return true;
}

static void loop(work *w, size_t n) {
  while (turn(w, n, LDR_NEVER)) continue;
}

static void free_results(work *w, size_t n) {
  for (size_t i = 0; i < n; i++) ldr_rows_free(w[i].result.rows);
}

/* ---- lost connections ---- */

TEST(a_connection_killed_while_idle_is_replaced) {
  pgfix f, other;
  ldr_pool_config c = pg_config(1);
  if (!pg_open(&f, &c)) return;
  CHECK(pg_open_with(&other, NULL, NULL));
  for (int i = 0; i < 3; i++) {
    pg_kill(&other, pg_pid(&f, NULL));
    CHECK_STR(pg_text(&f, NULL, "select 1"), "1");
  }
  CHECK_INT(pg_stats(&f).errors, 0);
  CHECK_INT(pg_stats(&f).destroyed_broken, 4); /* with the fixture's session */
  pg_close(&other);
  pg_close(&f);
}

TEST(a_connection_killed_in_a_query_is_told_once) {
  pgfix f, other;
  work w;
  int pid;
  char sql[100];
  if (!pg_open(&f, NULL)) return;
  CHECK(pg_open_with(&other, NULL, NULL));
  pid = pg_pid(&f, NULL);
  begin_sql(&f, &w, "select pg_sleep(20)", 10);
  CHECK_INT(w.code, LDR_PENDING);
  snprintf(sql, sizeof sql, "select pg_terminate_backend(%d)", pid);
  CHECK_STR(pg_text(&other, NULL, sql), "true");
  loop(&w, 1);
  CHECK_INT(w.code, LDR_CONNECTION);
  CHECK_STR(w.err.sqlstate, "57P01");
  CHECK_STR(pg_text(&f, NULL, "select 1"), "1");
  CHECK_INT(pg_stats(&f).busy, 0);
  pg_close(&other);
  pg_close(&f);
}

/* FT-2: the answer and the end of the session are read at once, before the socket is closed. */
TEST(a_connection_that_said_farewell_is_replaced) {
  pgfix f;
  pgproxy *proxy = pgproxy_start(pg_url());
  CHECK(proxy != NULL);
  if (proxy == NULL) return;
  CHECK(pg_open_with(&f, NULL, pgproxy_settings(proxy)));
  CHECK_STR(pg_text(&f, NULL, "select 'abc'"), "abc");
  for (unsigned i = 1; i < 4; i++) {
    pgproxy_set(proxy, PGPROXY_FAREWELL, 0);
    CHECK_STR(pg_text(&f, NULL, "select 'abc'"), "abc");
    CHECK(pgproxy_done(proxy));
    CHECK_STR(pg_text(&f, NULL, "select 'abc'"), "abc");
    CHECK_INT(pg_stats(&f).destroyed_broken, i);
  }
  pg_close(&f);
  pgproxy_stop(proxy);
}

/* The line is cut after every possible number of bytes of the server's: never a hang, never a wrong success.
 */
TEST(a_line_cut_anywhere_is_an_error_or_a_success) {
  pgfix f;
  pgproxy *proxy = pgproxy_start(pg_url());
  size_t n = 0;
  bool whole = false;
  CHECK(proxy != NULL);
  if (proxy == NULL) return;
  CHECK(pg_open_with(&f, NULL, pgproxy_settings(proxy)));
  for (; !whole && n < 1000; n++) {
    CHECK_STR(pg_text(&f, NULL, "select 'abc'"), "abc");
    pgproxy_set(proxy, PGPROXY_CUT_AFTER, n);
    whole = strcmp(pg_text(&f, NULL, "select 'abc'"), "abc") == 0;
    if (!whole) CHECK_INT(f.err.code, LDR_CONNECTION);
    for (int i = 0; i < 20000 && !pgproxy_done(proxy); i++) usleep(1000);
    CHECK(pgproxy_done(proxy));
  }
  CHECK(n > 40 && n < 1000);
  usleep(10000); /* the cut reaches us */
  CHECK_STR(pg_text(&f, NULL, "select 'abc'"), "abc");
  pgproxy_set(proxy, PGPROXY_CUT_AFTER, n); /* one byte more than the answer that came through has */
  CHECK_STR(pg_text(&f, NULL, "select 'abc'"), "abc");
  CHECK(!pgproxy_done(proxy));
  CHECK_INT(pg_stats(&f).busy, 0);
  pg_close(&f);
  pgproxy_stop(proxy);
}

TEST(a_silent_network_ends_with_the_deadline) {
  size_t live = ldr_mem_live();
  pgfix f;
  pgproxy *proxy = pgproxy_start(pg_url());
  int64_t start;
  work w;
  CHECK(proxy != NULL);
  if (proxy == NULL || !pg_open_with(&f, NULL, pgproxy_settings(proxy))) return;
  CHECK_STR(pg_text(&f, NULL, "select 1"), "1");
  begin_sql(&f, &w, "select pg_sleep(30)", 0.2);
  pgproxy_set(proxy, PGPROXY_DROP, 0);
  start = ldr_now_mono();
  loop(&w, 1);
  CHECK_INT(w.code, LDR_TIMEOUT);
  CHECK(ldr_now_mono() - start < 15000000); /* not the statement's thirty seconds */
  pgproxy_set(proxy, PGPROXY_PASS, 0);
  CHECK_STR(pg_text(&f, NULL, "select 1"), "1");
  pg_close(&f);
  pgproxy_stop(proxy);
  pg_settle(live);
}

/* ---- deadlines ---- */

TEST(a_timeout_cancels_and_the_connection_goes_on) {
  pgfix f;
  ldr_pool_config c = pg_config(1);
  ldr_call call = {.deadline = 0, .block = true};
  ldr_stmt *s = NULL;
  ldr_result r = {0};
  int64_t start;
  int pid;
  if (!pg_open(&f, &c)) return;
  pid = pg_pid(&f, NULL);
  CHECK_INT(ldr_pg_prepare(f.db, NULL, "select pg_sleep(20)", 19, &pg_block, &s, NULL, &f.err), LDR_OK);
  for (int i = 0; i < 5; i++) {
    start = ldr_now_mono();
    call.deadline = ldr_deadline(0.05);
    CHECK_INT(ldr_pg_execute(f.db, NULL, s, NULL, &call, &r, NULL, &f.err), LDR_TIMEOUT);
    CHECK(ldr_now_mono() - start < 1000000);
    CHECK_STR(pg_text(&f, NULL, "select 'next'"), "next"); /* the cancel does not reach the next statement */
  }
  CHECK_INT(pg_pid(&f, NULL), pid);
  CHECK_INT(pg_stats(&f).cancels, 5);
  ldr_stmt_release(s);
  pg_close(&f);
}

TEST(a_timeout_in_a_transaction_fails_it) {
  pgfix f;
  ldr_call call = {.deadline = 0, .block = true};
  ldr_stmt *s = NULL;
  ldr_result r = {0};
  ldr_tx *tx;
  if (!pg_open(&f, NULL)) return;
  tx = pg_begin(&f);
  CHECK_INT(pg_insert(&f, tx, "i1", "one"), LDR_OK);
  CHECK_INT(ldr_pg_prepare(f.db, tx, "select pg_sleep(20)", 19, &pg_block, &s, NULL, &f.err), LDR_OK);
  call.deadline = ldr_deadline(0.05);
  CHECK_INT(ldr_pg_execute(f.db, tx, s, NULL, &call, &r, NULL, &f.err), LDR_TIMEOUT);
  CHECK_INT(pg_insert(&f, tx, "i2", "two"), LDR_CLOSED);
  pg_rollback(&f, tx);
  CHECK_INT(pg_count(&f), 0);
  ldr_stmt_release(s);
  pg_close(&f);
}

TEST(server_timeouts_have_codes_of_their_own) {
  pgfix f, other;
  ldr_tx *tx, *holder;
  if (!pg_open(&f, NULL)) return;
  CHECK(pg_open_with(&other, NULL, NULL));
  tx = pg_begin(&f);
  CHECK_INT(pg_do(&f, tx, "set local statement_timeout = '30ms'"), LDR_OK);
  CHECK_STR(pg_text(&f, tx, "select pg_sleep(5)"), "!timeout");
  pg_rollback(&f, tx);
  holder = pg_begin(&other);
  CHECK_INT(pg_do(&other, holder, "lock table ldr_test.items"), LDR_OK);
  tx = pg_begin(&f);
  CHECK_INT(pg_do(&f, tx, "set local lock_timeout = '30ms'"), LDR_OK);
  CHECK_INT(pg_insert(&f, tx, "i1", "one"), LDR_LOCK_TIMEOUT);
  pg_rollback(&f, tx);
  pg_rollback(&other, holder);
  pg_close(&other);
  pg_close(&f);
}

TEST(the_configured_timeout_is_for_statements) {
  pgfix f;
  ldr_pool_config c = pg_config(2);
  c.statement_timeout = 0.05;
  if (!pg_open(&f, &c)) return;
  CHECK_STR(pg_text(&f, NULL, "select pg_sleep(20)"), "!timeout");
  pg_close(&f);
}

/* ---- transactions by tasks ---- */

static ldr_code step_to_end(ldr_task *t, ldr_err *err) {
  ldr_code code;
  do {
    struct pollfd p = {
        .fd = t->fd,
        .events = (short)((t->events & LDR_READ ? POLLIN : 0) | (t->events & LDR_WRITE ? POLLOUT : 0))};
    poll(&p, 1, ldr_millis_left(t->deadline));
    code = t->ops->step(t, err);
  } while (code == LDR_PENDING);
  t->ops->free(t);
  return code;
}

TEST(a_transaction_by_tasks) {
  const ldr_call call = soon(5);
  size_t live = ldr_mem_live();
  pgfix f;
  ldr_value row[I_COUNT];
  ldr_result r = {0};
  ldr_task *t = NULL;
  ldr_op op;
  ldr_tx *tx;
  if (!pg_open(&f, NULL)) return;
  pg_item(row, "i1", "one", 1);
  op = pg_insert_op(&f, row);
  for (int end = 0; end < 4; end++) { /* commit, rollback, give up a statement, give up the commit */
    tx = pg_begin(&f);
    CHECK_INT(f.db->ops->run(f.db, tx, &op, &call, &r, &t, &f.err), LDR_PENDING);
    row[I_ID] = row[I_NAME] = pg_str("changed since"); /* the values were borrowed for the call only */
    CHECK_INT(pg_insert(&f, tx, "i2", "two"), LDR_INVALID);
    if (end == 2) {
      t->ops->free(t);
      CHECK_INT(pg_insert(&f, tx, "i2", "two"), LDR_CLOSED);
      f.db->ops->abandon(tx);
    } else {
      CHECK_INT(step_to_end(t, &f.err), LDR_OK);
      CHECK_INT(
          end == 1 ? f.db->ops->rollback(tx, &call, &t, &f.err) : f.db->ops->commit(tx, &call, &t, &f.err),
          LDR_PENDING);
      if (end == 3)
        t->ops->free(t);
      else
        CHECK_INT(step_to_end(t, &f.err), LDR_OK);
    }
    CHECK_INT(pg_stats(&f).busy, 0);
    pg_item(row, end ? "i4" : "i3", end ? "four" : "three", 1);
    if (end < 3) CHECK_STR(pg_text(&f, NULL, "select string_agg(id, ' ') from ldr_test.items"), "i1");
  }
  pg_close(&f);
  pg_settle(live);
}

/* ---- exhaustion ---- */

TEST(a_blocking_wait_that_cannot_help_fails_at_once) {
  pgfix f;
  ldr_pool_config c = pg_config(1);
  ldr_tx *tx;
  int64_t start;
  if (!pg_open(&f, &c)) return;
  tx = pg_begin(&f);
  CHECK_INT(pg_insert(&f, tx, "i1", "one"), LDR_OK);
  start = ldr_now_mono();
  CHECK_INT(pg_insert(&f, NULL, "i2", "two"), LDR_POOL_TIMEOUT);
  CHECK(ldr_now_mono() - start < 4000000); /* five seconds are the pool's patience */
  CHECK(strstr(f.err.message, "held by this thread") != NULL);
  CHECK(strstr(f.err.message, "transaction") != NULL);
  CHECK_INT(pg_commit(&f, tx), LDR_OK);
  CHECK_INT(pg_insert(&f, NULL, "i2", "two"), LDR_OK);
  pg_close(&f);
}

TEST(waiting_tasks_time_out_and_name_the_holders) {
  pgfix f;
  ldr_pool_config c = pg_config(1);
  work w[3];
  int64_t start;
  c.acquire_timeout = 0.2;
  c.queue_max = 1;
  if (!pg_open(&f, &c)) return;
  CHECK_STR(pg_text(&f, NULL, "select 1"), "1"); /* prepared */
  CHECK_INT(pg_do(&f, NULL, "select pg_sleep(0)"), LDR_OK);
  begin_sql(&f, &w[1], "select pg_sleep(0)", 1); /* its description is known by now */
  loop(&w[1], 1);
  free_results(&w[1], 1);
  start = ldr_now_mono();
  begin_sql(&f, &w[0], "select pg_sleep(2)", 60);
  begin_sql(&f, &w[1], "select 1", 60);
  begin_sql(&f, &w[2], "select 1", 60);
  CHECK_INT(w[2].code, LDR_POOL_TIMEOUT); /* the queue is full */
  CHECK_INT(pg_stats(&f).waiting, 1);
  while (w[1].code == LDR_PENDING) turn(w, 2, LDR_NEVER);
  CHECK_INT(w[1].code, LDR_POOL_TIMEOUT);
  CHECK(ldr_now_mono() - start > 180000 && ldr_now_mono() - start < 1800000);
  CHECK(strstr(w[1].err.message, "1 of 1 connections are in use: query") != NULL);
  loop(w, 1);
  CHECK_INT(w[0].code, LDR_OK);
  free_results(w, 2);
  pg_close(&f);
}

TEST(many_tasks_share_few_connections) {
  static const char sql[] = "select nextval('ldr_test.lines_id_seq')";
  work w[TASKS];
  for (unsigned max = 1; max <= 3; max += 2) {
    pgfix f;
    ldr_pool_config c = pg_config(max);
    if (!pg_open(&f, &c)) return;
    CHECK_STR(pg_text(&f, NULL, sql), "1");
    for (int i = 0; i < TASKS; i++) begin_sql(&f, &w[i], sql, 10);
    loop(w, TASKS);
    for (int i = 0; i < TASKS; i++) {
      ldr_value v = {0};
      CHECK_INT(w[i].code, LDR_OK);
      if (w[i].code == LDR_OK) CHECK_INT(ldr_rows_cell(w[i].result.rows, 0, 0, &v, &f.err), LDR_OK);
      if (max == 1) CHECK_INT(v.u.i, i + 2); /* first come, first served */
    }
    CHECK(pg_stats(&f).total <= max);
    CHECK_INT(pg_stats(&f).busy, 0);
    CHECK_INT(pg_stats(&f).waiting, 0);
    free_results(w, TASKS);
    pg_close(&f);
  }
}

TEST(a_burst_opens_few_connections) {
  pgfix f;
  ldr_pool_config c = pg_config(25);
  work w[50];
  if (!pg_open(&f, &c)) return;
  CHECK_STR(pg_text(&f, NULL, "select 1"), "1");
  for (int i = 0; i < 50; i++) begin_sql(&f, &w[i], "select 1", 10);
  loop(w, 50);
  for (int i = 0; i < 50; i++) CHECK_INT(w[i].code, LDR_OK);
  CHECK(pg_stats(&f).total <= 10);
  free_results(w, 50);
  pg_close(&f);
}

TEST(tasks_given_up_leave_no_slot_behind) {
  static const char still_at_work[] =
      "select count(*) from pg_stat_activity where query like 'select pg_sleep(5)%' and state = 'active'";
  size_t live = ldr_mem_live();
  pgfix f;
  ldr_pool_config c = pg_config(2);
  work w[8];
  if (!pg_open(&f, &c)) return;
  CHECK_INT(pg_do(&f, NULL, "select pg_sleep(0)"), LDR_OK);
  for (int round = 0; round < 20; round++) {
    for (int i = 0; i < 8; i++) begin_sql(&f, &w[i], i < 2 ? "select pg_sleep(5)" : "select 1", 10);
    for (int i = 0; i < round % 4; i++) turn(w, 2, ldr_deadline(0.005));
    for (int i = 0; i < 8; i++)
      if (w[(i + round) % 8].task) w[(i + round) % 8].task->ops->free(w[(i + round) % 8].task);
    free_results(w, 8);
    CHECK_INT(pg_stats(&f).busy, 0);
    CHECK_INT(pg_stats(&f).waiting, 0);
  }
  CHECK_STR(pg_text(&f, NULL, "select 1"), "1");
  for (int i = 0; i < 400 && strcmp(pg_text(&f, NULL, still_at_work), "0") != 0; i++) usleep(10000);
  CHECK_STR(pg_text(&f, NULL, still_at_work), "0");
  pg_close(&f);
  pg_settle(live);
}

TEST(closing_the_engine_ends_its_tasks) {
  size_t live = ldr_mem_live();
  pgfix f;
  work w;
  if (!pg_open(&f, NULL)) return;
  begin_sql(&f, &w, "select pg_sleep(5)", 10);
  CHECK_INT(w.code, LDR_PENDING);
  f.db->ops->close(f.db);
  f.db = NULL;
  CHECK_INT(w.task->ops->step(w.task, &w.err), LDR_CLOSED);
  w.task->ops->free(w.task);
  pg_close(&f);
  pg_settle(live);
}

/* ---- the server goes away and comes back ---- */

static ldr_pool_config patient(void) {
  ldr_pool_config c = pg_config(2);
  c.acquire_timeout = 0.7;
  c.connect_timeout = 0.2;
  return c;
}

/* How long until a caller is told, in microseconds. */
static int64_t told_after(pgfix *f) {
  int64_t start = ldr_now_mono();
  CHECK_STR(pg_text(f, NULL, "select 1"), "!connection");
  return ldr_now_mono() - start;
}

TEST(a_silent_server_is_waited_for) {
  pgfix f;
  pgproxy *proxy = pgproxy_start(pg_url());
  ldr_pool_config c = patient();
  int64_t took;
  CHECK(proxy != NULL);
  if (proxy == NULL) return;
  c.lazy = true;
  if (!pg_open_with(&f, &c, pgproxy_settings(proxy))) return;
  pgproxy_set(proxy, PGPROXY_DROP, 0);
  took = told_after(&f);
  CHECK(took > 600000);
  pg_close(&f);
  pgproxy_stop(proxy);
}

TEST(a_server_that_refuses_is_told_at_once_and_found_again) {
  pgfix f;
  pgproxy *proxy = pgproxy_start(pg_url());
  ldr_pool_config c = patient();
  const char *text = "";
  c.acquire_timeout = c.connect_timeout = 30;
  CHECK(proxy != NULL);
  if (proxy == NULL || !pg_open_with(&f, &c, pgproxy_settings(proxy))) return;
  CHECK_STR(pg_text(&f, NULL, "select 1"), "1");
  pgproxy_set(proxy, PGPROXY_DOWN, 0);
  usleep(50000);
  /* Who comes in a pause tries nothing. On a slow machine many come after it. */
  for (uint64_t calls = 1; calls < 20 || (calls < 1000 && pg_stats(&f).connect_failures >= calls); calls++)
    CHECK(told_after(&f) < 10000000);
  CHECK(pg_stats(&f).connect_failures < 999);
  pgproxy_set(proxy, PGPROXY_PASS, 0);
  for (int i = 0; i < 600 && strcmp(text, "1") != 0; i++) {
    usleep(50000);
    text = pg_text(&f, NULL, "select 1");
  }
  CHECK_STR(text, "1");
  pg_close(&f);
  pgproxy_stop(proxy);
}

TEST(a_lazy_engine_connects_at_its_first_use) {
  pgfix f;
  ldr_pool_config c = pg_config(2);
  c.lazy = true;
  if (!pg_open_with(&f, &c, NULL)) return;
  CHECK_INT(pg_stats(&f).connects, 0);
  CHECK_INT(pg_stats(&f).server_version, 0);
  CHECK_STR(pg_text(&f, NULL, "select 1"), "1");
  CHECK_INT(pg_stats(&f).connects, 1);
  CHECK(pg_stats(&f).server_version >= 120000);
  pg_close(&f);
}

TEST(old_and_unused_connections_go) {
  pgfix f;
  ldr_pool_config c = pg_config(4);
  work w[4];
  c.idle_timeout = 0.2;
  c.lifetime = 1000;
  if (!pg_open(&f, &c)) return;
  CHECK_INT(pg_do(&f, NULL, "select pg_sleep(0.05)"), LDR_OK);
  for (int i = 0; i < 4; i++) begin_sql(&f, &w[i], "select pg_sleep(0.05)", 5);
  loop(w, 4);
  free_results(w, 4);
  CHECK(pg_stats(&f).connects > 1);
  usleep(300000);
  CHECK_STR(pg_text(&f, NULL, "select 1"), "1");
  usleep(120000);
  CHECK_STR(pg_text(&f, NULL, "select 1"), "1");
  CHECK_INT(pg_stats(&f).total, 1);
  CHECK(pg_stats(&f).destroyed_idle > 0);
  pg_close(&f);
}

/* ---- processes and descriptors ---- */

TEST(a_fork_leaves_the_parent_alone) {
  pgfix f;
  ldr_pool_config c = pg_config(2);
  ldr_tx *tx;
  int status = -1, pid, idle;
  pid_t child;
  if (!pg_open(&f, &c)) return;
  idle = pg_pid(&f, NULL);
  tx = pg_begin(&f);
  CHECK_INT(pg_insert(&f, tx, "i1", "one"), LDR_OK);
  pid = ldr_pg_backend_pid(tx);
  fflush(stdout);
  child = fork();
  if (child == 0) {
    bool ok = pg_insert(&f, tx, "i2", "two") == LDR_CLOSED;     /* the parent's transaction is not ours */
    ok = strcmp(pg_text(&f, NULL, "select 1"), "1") == 0 && ok; /* but we get a connection of our own */
    ok = pg_pid(&f, NULL) != pid && pg_pid(&f, NULL) != idle && ok;
    ok = pg_commit(&f, tx) == LDR_CLOSED && ok;
    pg_close(&f);
    _exit(ok ? 0 : 1);
  }
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
  CHECK_INT(WEXITSTATUS(status), 0);
  CHECK_INT(pg_insert(&f, tx, "i3", "three"), LDR_OK);
  CHECK_INT(pg_pid(&f, tx), pid);
  CHECK_INT(pg_commit(&f, tx), LDR_OK);
  CHECK_STR(pg_text(&f, NULL, "select string_agg(id, ' ' order by id) from ldr_test.items"), "i1 i3");
  pg_close(&f);
}

TEST(descriptors_beyond_1024_work) {
  enum { MANY = 1100 };
  struct rlimit limit;
  int fd[MANY], n = 0;
  pgfix f;
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < MANY + 100) {
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  while (n < MANY && (fd[n] = dup(0)) >= 0) n++;
  CHECK_INT(n, MANY);
  if (pg_open(&f, NULL)) {
    CHECK_STR(pg_text(&f, NULL, "select pg_sleep(0.01)"), "");
    pg_close(&f);
  }
  while (n) close(fd[--n]);
}

void test_pool(void);
void test_pool(void) {
  if (!pg_available("pgpool")) return;
  RUN(a_connection_killed_while_idle_is_replaced);
  RUN(a_connection_killed_in_a_query_is_told_once);
  RUN(a_connection_that_said_farewell_is_replaced);
  RUN(a_line_cut_anywhere_is_an_error_or_a_success);
  RUN(a_silent_network_ends_with_the_deadline);
  RUN(a_timeout_cancels_and_the_connection_goes_on);
  RUN(a_timeout_in_a_transaction_fails_it);
  RUN(server_timeouts_have_codes_of_their_own);
  RUN(the_configured_timeout_is_for_statements);
  RUN(a_transaction_by_tasks);
  RUN(a_blocking_wait_that_cannot_help_fails_at_once);
  RUN(waiting_tasks_time_out_and_name_the_holders);
  RUN(many_tasks_share_few_connections);
  RUN(a_burst_opens_few_connections);
  RUN(tasks_given_up_leave_no_slot_behind);
  RUN(closing_the_engine_ends_its_tasks);
  RUN(a_silent_server_is_waited_for);
  RUN(a_server_that_refuses_is_told_at_once_and_found_again);
  RUN(a_lazy_engine_connects_at_its_first_use);
  RUN(old_and_unused_connections_go);
  RUN(a_fork_leaves_the_parent_alone);
  RUN(descriptors_beyond_1024_work);
}

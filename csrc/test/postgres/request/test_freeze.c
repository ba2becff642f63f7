/* The reactor while the server is frozen: its processes are stopped, so that neither a statement nor its
 * cancel is answered. Every caller must be told in time, once, and the engine must go on afterwards. Needs a
 * server whose processes this user may stop. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/askfix.h"
#include "support/test.h"

enum { STATEMENTS = 30 };
static const double deadline = 1; /* of what meets a frozen server */

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
  size_t cancelled = 0;
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
  CHECK(ldr_now_mono() - from <
        20000000); /* 3 s, the deadline and what a cancel gets; not the statements' 60 */
  CHECK_INT(ask_ended(n, LDR_TIMEOUT), n);
  for (size_t i = 0; i < n; i++) cancelled += strcmp(asks[i].sqlstate, "57014") == 0;
  CHECK(cancelled >= z.n); /* who got no connection in time has no state of the server's */
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

/* ---- COPY ---- */

/* Stops a process after a while, from a thread, and resumes it when it is joined. */
typedef struct stopper {
  pthread_t thread;
  int pid;
  double after; /* seconds */
} stopper;

static void *stop_later(void *ud) {
  const stopper *x = ud;
  usleep((useconds_t)(x->after * 1e6));
  (void)kill(x->pid, SIGSTOP);
  return NULL;
}

static void stop_after(stopper *x, int pid, double seconds) {
  *x = (stopper){.pid = pid, .after = seconds};
  CHECK(pid > 0);
  CHECK_INT(pthread_create(&x->thread, NULL, stop_later, x), 0);
}

static void resume(stopper *x) {
  pthread_join(x->thread, NULL);
  (void)kill(x->pid, SIGCONT);
}

/* More than the buffers between us and the server take. */
static ldr_batch *large_batch(const pgfix *f) {
  enum { BATCH = 200, SIZE = 100000 };
  static char doc[SIZE];
  ldr_batch *b = NULL;
  ldr_err err;
  memset(doc, '1', SIZE);
  CHECK_INT(ldr_batch_new(f->items, &b, &err), LDR_OK);
  for (int i = 0; i < BATCH; i++) {
    char id[24];
    ldr_value row[I_COUNT];
    ldr_row *packed = NULL;
    snprintf(id, sizeof id, "large%d", i);
    pg_item(row, id, id, i);
    row[I_DOC] = ldr_text(doc, SIZE);
    row[I_DOC].type = LDR_T_JSON;
    CHECK_INT(ldr_row_pack(f->items, row, &packed, &err), LDR_OK);
    CHECK_INT(ldr_batch_add(b, packed, &err), LDR_OK);
  }
  return b;
}

static const char slow_inserts[] =
    "create function ldr_test.slow() returns trigger language plpgsql as "
    "$$ begin perform pg_sleep(0.02); return new; end $$";
static const char slow_trigger[] =
    "create trigger slow before insert on ldr_test.items for each row execute function ldr_test.slow()";

static double cpu_seconds(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* The load of a caller that waits, or (on_loop) of one with an event loop. */
static void load_into_a_frozen_server(pgfix *f, const ldr_batch *b, int pid, bool on_loop) {
  const ldr_call call = {.deadline = ldr_deadline(deadline), .block = !on_loop};
  int64_t from = ldr_now_mono(), loaded = 0;
  double cpu = cpu_seconds();
  stopper x;
  ldr_code code;
  stop_after(&x, pid, deadline / 2);
  code = f->db->ops->load(f->db, NULL, b, LDR_CONFLICT_ERROR, &call, &loaded, &asks[0].task, &f->err);
  if (on_loop) {
    ask_submit(&asks[0], code, &f->err);
    ask_collect(f, 0, 1);
    code = asks[0].code;
    CHECK_STR(asks[0].sqlstate, "57014");
    ask_forget(1);
  } else {
    CHECK_STR(f->err.sqlstate, "57014");
  }
  CHECK_INT(code, LDR_TIMEOUT);
  CHECK(ldr_now_mono() - from < 20000000);
  CHECK(cpu_seconds() - cpu < 1.2); /* it sleeps: spinning would take two seconds */
  resume(&x);
}

/* FT-r24: the server has begun to read, and stops. */
TEST(a_load_into_a_frozen_server_is_a_timeout) {
  size_t live = ldr_mem_live();
  pgfix f, other, plain;
  ldr_pool_config c = pg_config(1);
  ldr_batch *b;
  if (!ask_open(&f, &other, &c, NULL)) return;
  CHECK(pg_open_with(&plain, &c, (const char *const[]){NULL}));
  CHECK_INT(pg_do(&other, NULL, slow_inserts), LDR_OK);
  CHECK_INT(pg_do(&other, NULL, slow_trigger), LDR_OK);
  b = large_batch(&f);
  load_into_a_frozen_server(&f, b, pg_pid(&f, NULL), true);
  load_into_a_frozen_server(&plain, b, pg_pid(&plain, NULL), false);
  expect_service(&f);
  CHECK_STR(pg_text(&plain, NULL, "select count(*) from ldr_test.items where id like 'large%'"), "0");
  ldr_batch_free(b);
  pg_close(&plain);
  ask_close(&f, &other);
  pg_settle(live);
}

/* FT-r25: a scan is closed in the middle, and the server does not send the rest. */
TEST(a_scan_of_a_frozen_server_ends_in_time) {
  size_t live = ldr_mem_live();
  pgfix f;
  ldr_pool_config c = pg_config(1);
  ldr_scan *scan = NULL;
  ldr_batch *b = NULL;
  ldr_tx *tx;
  int64_t from;
  int pid;
  if (!pg_open(&f, &c)) return;
  CHECK_INT(pg_do(&f, NULL,
                  "insert into ldr_test.items (tenant, id, name, n, doc, at) select 'acme', 'i' || k, 'n' || "
                  "k, k, to_jsonb(repeat('x', 10000)), now() from generate_series(1, 3000) k"),
            LDR_OK);
  tx = pg_begin(&f);
  pid = pg_pid(&f, tx);
  CHECK_INT(f.db->ops->scan(f.db, tx, f.items, &pg_block, &scan, &f.err), LDR_OK);
  CHECK_INT(scan->next(scan, 1, &pg_block, &b, &f.err), LDR_OK);
  ldr_batch_free(b);
  CHECK(pid > 0 && kill(pid, SIGSTOP) == 0);
  from = ldr_now_mono();
  scan->close(scan);
  CHECK(ldr_now_mono() - from < 2500000);
  (void)kill(pid, SIGCONT);
  CHECK_STR(pg_text(&f, tx, "select 1"), "!closed");
  pg_rollback(&f, tx);
  CHECK_STR(pg_text(&f, NULL, "select 1"), "1");
  pg_close(&f);
  pg_settle(live);
}

static void ask_in_one_way(void) {
  RUN(a_frozen_server_is_a_timeout);
  RUN(a_late_write_is_cancelled_when_its_turn_comes);
  RUN(a_load_into_a_frozen_server_is_a_timeout);
}

void test_freeze(void);
void test_freeze(void) {
  if (!pg_available("freeze")) return;
  ask_in_one_way();
  ask_thread_drives = true;
  ask_in_one_way();
  ask_thread_drives = false;
  RUN(a_scan_of_a_frozen_server_ends_in_time);
}

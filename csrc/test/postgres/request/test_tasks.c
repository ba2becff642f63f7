/* The reactor: callers with one call behind the other, in transactions among everybody's single statements,
 * and callers who wait for one task by itself. Needs a server. */
#define _GNU_SOURCE
#include <poll.h>
#include <unistd.h>

#include "support/askfix.h"
#include "support/test.h"

/* ---- transactions among single statements ---- */

enum { CALLERS = 16, ROUNDS = 5 };

typedef struct customer { /* begin, insert, look twice, end; again */
  ldr_tx *tx;
  int stage, round, id;
} customer;

static bool commits(const customer *k) { return (k->id + k->round) % 3 != 0; }

static void go_on(pgfix *f, customer *k, ask *a, ldr_stmt *insert, ldr_stmt *count) {
  const ldr_call call = ask_within(PATIENCE);
  const ldr_value row[] = {ldr_int(k->id * 100 + k->round), ldr_int(k->id)}, mine = ldr_int(k->id);
  ldr_err err;
  ldr_code code;
  switch (k->stage++) {
    case 0:
      k->tx = pg_begin(f);
      ask_stmt(f, a, k->tx, insert, row);
      return;
    case 1: ask_stmt(f, a, k->tx, count, &mine); return; /* sees its own row */
    case 2: ask_row(f, a, k->id, PATIENCE); return;      /* outside of it, beside it */
    case 3:
      code = commits(k) ? f->db->ops->commit(k->tx, &call, &a->task, &err)
                        : f->db->ops->rollback(k->tx, &call, &a->task, &err);
      k->tx = NULL;
      ask_submit(a, code, &err);
      return;
    default: ask_stmt(f, a, NULL, count, &mine); return; /* and after it all may see what was committed */
  }
}

static int committed(const customer *k, int rounds) {
  int n = 0;
  for (int r = 0; r < rounds; r++) n += commits(&(customer){.id = k->id, .round = r});
  return n;
}

/* The answer of the stage before. */
static void check_stage(customer *k, const ask *a) {
  if (a->code != LDR_OK) CHECK_STR(a->why, "no error");
  if (k->stage == 2) CHECK_INT(ask_number(a, 0), committed(k, k->round) + 1);
  if (k->stage == 3) ask_check(a);
  if (k->stage == 5) CHECK_INT(ask_number(a, 0), committed(k, k->round + 1));
  if (k->stage < 5) return;
  k->stage = 0;
  k->round++;
}

/* FT-r8. The pool has fewer connections than there are transactions. A caller in a transaction who asks
 * outside of it needs a second connection: two are kept free of transactions by the order of the callers. */
TEST(transactions_among_single_statements) {
  size_t live = ldr_mem_live();
  pgfix f, other;
  ldr_pool_config c = pg_config(4);
  customer customers[CALLERS] = {{0}};
  int64_t until = ldr_deadline(PATIENCE);
  ldr_stmt *insert, *count;
  unsigned busy = CALLERS, open = 0;
  c.acquire_timeout = PATIENCE;
  if (!ask_open(&f, &other, &c, NULL)) return;
  CHECK_INT(pg_do(&other, NULL, "create table ldr_test.mine (id int8 primary key, caller int8)"), LDR_OK);
  insert = ask_prepared(&f, "insert into ldr_test.mine values ($1, $2)");
  count = ask_prepared(&f, "select count(*) from ldr_test.mine where caller = $1");
  while (busy && ldr_now_mono() < until) {
    busy = 0;
    for (int i = 0; i < CALLERS; i++) {
      customer *k = &customers[i];
      k->id = i;
      if (asks[i].code == LDR_PENDING && asks[i].task) {
        busy++;
        continue;
      }
      if (k->stage) {
        check_stage(k, &asks[i]);
        open -= k->stage == 4;
        ldr_rows_free(asks[i].result.rows);
        asks[i] = (ask){0};
      }
      if (k->round == ROUNDS) continue;
      busy++;
      if (k->stage == 0 && open == c.max - 1) continue;
      open += k->stage == 0;
      go_on(&f, k, &asks[i], insert, count);
    }
    if (busy) ask_turn(&f, 20);
  }
  CHECK_INT(busy, 0);
  CHECK_INT(open, 0);
  CHECK_STR(pg_text(&other, NULL, "select count(*) from ldr_test.mine"), "53");
  ask_forget(CALLERS);
  ldr_stmt_release(insert);
  ldr_stmt_release(count);
  ask_close(&f, &other);
  pg_settle(live);
}

/* More transactions than connections, none of which asks for anything else: they wait for each other. */
TEST(transactions_wait_for_connections) {
  enum { N = 40 };
  size_t live = ldr_mem_live();
  pgfix f, other;
  ldr_pool_config c = pg_config(2);
  const ldr_call call = ask_within(PATIENCE);
  ldr_tx *txs[N];
  ldr_stmt *add;
  int64_t until = ldr_deadline(PATIENCE);
  c.acquire_timeout = PATIENCE;
  if (!ask_open(&f, &other, &c, NULL)) return;
  add = ask_prepared(&f, "update ldr_test.items set n = n + 1 where id = 'i0'");
  for (int i = 0; i < N; i++) ask_stmt(&f, &asks[i], txs[i] = pg_begin(&f), add, NULL);
  ask_rows(&f, N, 100);
  while (ask_pending(0, N + 100) && ldr_now_mono() < until) {
    ask_turn(&f, 100);
    for (int i = 0; i < N; i++) {
      ldr_err err;
      ldr_code code;
      if (asks[i].code != LDR_OK || txs[i] == NULL) continue;
      code = f.db->ops->commit(txs[i], &call, &asks[i].task, &err);
      txs[i] = NULL;
      ask_submit(&asks[i], code, &err);
    }
  }
  CHECK_INT(ask_ended(N, LDR_OK), N);
  CHECK_INT(ask_pending(N, 100), 0);
  for (size_t i = N; i < N + 100; i++)
    if (asks[i].question) ask_check(&asks[i]);
  CHECK_STR(pg_text(&other, NULL, "select n from ldr_test.items where id = 'i0'"), "43");
  ask_forget(N + 100);
  ldr_stmt_release(add);
  ask_close(&f, &other);
  pg_settle(live);
}

/* ---- waiting in other ways ---- */

static void expect_finished_when_heard(pgfix *f, ldr_stmt *quick, int tasks) {
  const ldr_call call = ask_within(PATIENCE);
  for (int i = 0; i < tasks; i++) {
    ldr_task *t = NULL;
    ldr_result r = {0};
    struct pollfd p = {.events = POLLIN};
    CHECK_INT(ldr_pg_execute(f->db, NULL, quick, NULL, &call, &r, &t, &f->err), LDR_PENDING);
    p.fd = ldr_task_fd(t);
    CHECK_INT(poll(&p, 1, PATIENCE * 1000), 1);
    CHECK_INT(t->ops->step(t, &f->err), LDR_OK);
    t->ops->free(t);
  }
}

/* FT-r18: it is finished when its descriptor is heard, however the threads are scheduled. */
TEST(a_task_is_waited_for_by_itself) {
  size_t live = ldr_mem_live();
  pgfix f, other;
  const ldr_call call = ask_within(PATIENCE);
  ldr_stmt *sleep, *quick;
  ldr_task *t = NULL;
  ldr_tx *lock;
  ldr_result r = {0};
  struct pollfd p = {.events = POLLIN};
  if (!ask_open(&f, &other, NULL, NULL)) return;
  quick = ask_prepared(&f, "select 1");
  expect_finished_when_heard(&f, quick, 500);
  ldr_stmt_release(quick);
  sleep = ask_prepared(&f, "select 1 from pg_advisory_xact_lock(4715)");
  for (int way = 0; way < 3; way++) {
    lock = pg_begin(&other);
    CHECK_INT(pg_do(&other, lock, "select pg_advisory_xact_lock(4715)"), LDR_OK);
    CHECK_INT(ldr_pg_execute(f.db, NULL, sleep, NULL, &call, &r, &t, &f.err), LDR_PENDING);
    CHECK_INT(t->ops->step(t, &f.err), LDR_PENDING); /* nobody has submitted it */
    if (way == 0) {
      CHECK(!ldr_task_wait(t, ldr_deadline(0.01)));
      pg_rollback(&other, lock);
      CHECK(ldr_task_wait(t, LDR_NEVER));
    } else {
      if (way == 2) CHECK_INT(ldr_task_submit(t, 77, &f.err), LDR_OK);
      p.fd = ldr_task_fd(t);
      CHECK_INT(poll(&p, 1, 10), 0);
      pg_rollback(&other, lock);
      CHECK_INT(poll(&p, 1, PATIENCE * 1000), 1);
      CHECK_INT(ldr_task_submit(t, 78, &f.err), LDR_INVALID);
    }
    CHECK_INT(t->ops->step(t, &f.err), LDR_OK);
    t->ops->free(t);
  }
  ldr_stmt_release(sleep);
  ask_close(&f, &other);
  pg_settle(live);
}

/* A task that was submitted for later: its id comes once, whether it is over by then or not. */
TEST(a_task_may_be_named_after_it_was_submitted) {
  size_t live = ldr_mem_live();
  pgfix f, other;
  const ldr_call call = ask_within(PATIENCE);
  ldr_stmt *sleep;
  if (!ask_open(&f, &other, NULL, NULL)) return;
  sleep = ask_prepared(&f, "select 1 from pg_advisory_xact_lock(4716)");
  for (int way = 0; way < 3; way++) { /* named before its end, behind it, and given up before that */
    ldr_task *t = NULL;
    ldr_result r = {0};
    uint64_t id = 0;
    ldr_tx *lock = pg_begin(&other);
    CHECK_INT(pg_do(&other, lock, "select pg_advisory_xact_lock(4716)"), LDR_OK);
    CHECK_INT(ldr_pg_execute(f.db, NULL, sleep, NULL, &call, &r, &t, &f.err), LDR_PENDING);
    CHECK_INT(ldr_task_submit(t, 0, &f.err), LDR_OK);
    CHECK_INT(ldr_task_submit(t, 0, &f.err), LDR_INVALID);
    if (way == 1) pg_rollback(&other, lock);
    if (way == 1) usleep(100000);
    CHECK_INT(ldr_task_submit(t, 70, &f.err), LDR_OK);
    CHECK_INT(ldr_task_submit(t, 71, &f.err), LDR_INVALID);
    if (way == 2) t->ops->free(t);
    if (way != 1) pg_rollback(&other, lock);
    while (ldr_pg_done(f.db, &id, 1) == 0) usleep(1000);
    CHECK_INT(id, 70);
    CHECK_INT(ldr_pg_done(f.db, &id, 1), 0);
    if (way == 2) continue;
    CHECK_INT(t->ops->step(t, &f.err), LDR_OK);
    t->ops->free(t);
  }
  ldr_stmt_release(sleep);
  ask_close(&f, &other);
  pg_settle(live);
}

/* FT-r20: an owner who drove a moment ago now waits for one task alone, so that he does not come to drive;
 * the thread must not wait for him. It would do so for 5 ms each time. */
TEST(who_waits_for_one_task_does_not_wait_for_himself) {
  enum { TASKS = 100 };
  size_t live = ldr_mem_live();
  pgfix f, other;
  ldr_stmt *quick;
  int64_t best = LDR_NEVER;
  if (!ask_open(&f, &other, NULL, NULL)) return;
  quick = ask_prepared(&f, "select 1");
  for (int round = 0; round < 5; round++) {
    int64_t took, from;
    ask_warm(&f); /* he drives */
    from = ldr_now_mono();
    expect_finished_when_heard(&f, quick, TASKS);
    took = ldr_now_mono() - from;
    if (took < best) best = took;
  }
  CHECK(best < TASKS * 4000);
  ldr_stmt_release(quick);
  ask_close(&f, &other);
  pg_settle(live);
}
static void call_in_one_way(void) {
  RUN(transactions_among_single_statements);
  RUN(transactions_wait_for_connections);
}

void test_tasks(void);
void test_tasks(void) {
  if (!pg_available("tasks")) return;
  call_in_one_way();
  RUN(a_task_is_waited_for_by_itself);
  RUN(a_task_may_be_named_after_it_was_submitted);
  RUN(who_waits_for_one_task_does_not_wait_for_himself);
  ask_thread_drives = true;
  call_in_one_way();
  ask_thread_drives = false;
}

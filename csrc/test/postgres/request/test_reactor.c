/* The reactor: many callers, few connections. Every answer is checked against its question, and nothing may
 * hang. Needs a server. */
#define _GNU_SOURCE
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/askfix.h"
#include "support/test.h"

/* ---- many callers ---- */

/* FT-r11 */
TEST(thousands_of_callers_get_their_own_rows) {
  size_t live = ldr_mem_live();
  pgfix f, other;
  ldr_pool_config c = pg_config(4);
  c.queue_max = ASKS;
  c.acquire_timeout = PATIENCE;
  if (!ask_open(&f, &other, &c, NULL)) return;
  ask_rows(&f, 0, 5000);
  ask_collect(&f, 0, 5000);
  ask_check_all(0, 5000);
  CHECK(pg_stats(&f).total <= 4);
  ask_forget(5000);
  ask_close(&f, &other);
  pg_settle(live);
}

/* FT-r15 */
TEST(a_full_queue_refuses_and_serves_the_rest) {
  size_t live = ldr_mem_live();
  pgfix f, other;
  ldr_pool_config c = pg_config(1);
  ldr_tx *tx;
  c.queue_max = 100;
  if (!ask_open(&f, &other, &c, NULL)) return;
  ask_warm(&f);
  tx = pg_begin(&f);
  CHECK_STR(pg_text(&f, tx, "select 1"), "1"); /* has the connection */
  ask_rows(&f, 0, 300);
  for (int i = 0; i < 200 && ask_pending(0, 300) > 100; i++) ask_turn(&f, 100);
  CHECK_INT(ask_ended(300, LDR_POOL_TIMEOUT), 200);
  CHECK_INT(pg_commit(&f, tx), LDR_OK);
  ask_collect(&f, 0, 300);
  CHECK_INT(ask_ended(300, LDR_OK), 100);
  ask_forget(300);
  ask_close(&f, &other);
  pg_settle(live);
}

/* FT-r4 */
TEST(fast_statements_finish_while_slow_ones_sleep) {
  size_t live = ldr_mem_live();
  pgfix f, other;
  ldr_pool_config c = pg_config(4);
  ldr_stmt *sleep;
  ldr_tx *lock;
  if (!ask_open(&f, &other, &c, NULL)) return;
  sleep = ask_prepared(&f, "select 1 from pg_advisory_xact_lock(4714)");
  ask_warm(&f);
  lock = pg_begin(&other);
  CHECK_INT(pg_do(&other, lock, "select pg_advisory_xact_lock(4714)"), LDR_OK);
  for (size_t i = 0; i < 2; i++) ask_stmt(&f, &asks[i], NULL, sleep, NULL);
  for (int round = 0; round < 5; round++) {
    ask_rows(&f, 2, 100);
    ask_collect(&f, 2, 100);
    ask_check_all(2, 100);
    for (size_t i = 2; i < 102; i++) ldr_rows_free(asks[i].result.rows);
  }
  CHECK_INT(ask_pending(0, 2), 2);
  pg_rollback(&other, lock);
  ask_collect(&f, 0, 2);
  for (size_t i = 0; i < 2; i++) CHECK_INT(asks[i].code, LDR_OK);
  for (size_t i = 2; i < 102; i++) asks[i] = (ask){0};
  ask_forget(2);
  ldr_stmt_release(sleep);
  ask_close(&f, &other);
  pg_settle(live);
}

/* select id from lines */
static void ask_lines(pgfix *f, ask *a, double seconds) {
  static const uint16_t out[] = {L_ID};
  const ldr_call call = ask_within(seconds);
  ldr_op op;
  ldr_err err;
  ldr_code code;
  ldr_op_init(&op, LDR_OP_SELECT, f->lines);
  op.nout = 1;
  op.out = out;
  code = f->db->ops->run(f->db, NULL, &op, &call, &a->result, &a->task, &err);
  ask_submit(a, code, &err);
}

/* FT-r14: a read that was always quick waits for a lock, with others behind it on its connection. */
TEST(reads_behind_a_stalled_one_go_elsewhere) {
  size_t live = ldr_mem_live();
  pgfix f, other;
  ldr_pool_config c = pg_config(4);
  ldr_tx *lock;
  if (!ask_open(&f, &other, &c, NULL)) return;
  ask_warm(&f);
  for (int i = 0; i < 5; i++) {
    ask_lines(&f, &asks[0], PATIENCE);
    ask_collect(&f, 0, 1);
    CHECK_INT(asks[0].code, LDR_OK);
    ask_forget(1);
  }
  lock = pg_begin(&other);
  CHECK_INT(pg_do(&other, lock, "lock table ldr_test.lines"), LDR_OK);
  for (size_t i = 0; i < 2; i++) ask_lines(&f, &asks[i], PATIENCE);
  ask_rows(&f, 2, 200);
  ask_collect(&f, 2, 200);
  ask_check_all(2, 200);
  CHECK_INT(ask_pending(0, 2), 2);
  pg_rollback(&other, lock);
  ask_collect(&f, 0, 2);
  CHECK_INT(ask_ended(202, LDR_OK), 202);
  ask_forget(202);
  ask_close(&f, &other);
  pg_settle(live);
}

/* How many of n reads ask about their table and have no answer; from now on the table is known. */
static size_t end_asking(ldr_pg *e, ldr_live *t, const ldr_live_columns *known, size_t n) {
  size_t asking = 0;
  ldr_loop_lock(e->loop);
  for (size_t i = 1; i <= n; i++) {
    const ldr_request *rq = (const ldr_request *)asks[i].task;
    asking += rq && rq->asking;
  }
  atomic_store(&t->known, known);
  ldr_loop_unlock(e->loop);
  return asking;
}

typedef struct tally {
  unsigned once, twice; /* rounds in which most of those that asked ran so often */
} tally;

/* n reads ask about their table behind a stalled one, and move on when another caller had learned about it. A
 * round in which few of them came to ask in time does not count. */
static void ask_and_move(pgfix *f, size_t n, tally *rounds) {
  ldr_pg *e = ldr_pg_of(f->db);
  ldr_live *t = ldr_lives_find(&e->stmts.lives, f->items);
  const ldr_live_columns *known = atomic_load(&t->known);
  uint64_t before = atomic_load(&e->counts.queries);
  size_t asking;
  ask_lines(f, &asks[0], PATIENCE);
  ldr_live_forget(t);
  ask_rows(f, 1, n);
  ask_turn(f, 5); /* they ask; after 20 ms they move */
  asking = end_asking(e, t, known, n);
  ask_collect(f, 1, n);
  ask_check_all(1, n);
  if (asking <= n / 2) return;
  if (atomic_load(&e->counts.queries) - before - 1 <= n + 1)
    rounds->once++;
  else
    rounds->twice++;
}

/* Two rounds on a database of their own: after that the stalled one is known as slow, and nobody waits behind
 * it. */
static void two_rounds(size_t n, tally *rounds) {
  size_t live = ldr_mem_live();
  pgfix f, other;
  ldr_pool_config c = pg_config(4);
  if (!ask_open(&f, &other, &c, NULL)) return;
  ask_warm(&f);
  for (int i = 0; i < 2; i++) {
    ldr_tx *lock;
    ask_lines(&f, &asks[0], PATIENCE);
    ask_collect(&f, 0, 1);
    ask_forget(1);
    lock = pg_begin(&other);
    CHECK_INT(pg_do(&other, lock, "lock table ldr_test.lines"), LDR_OK);
    ask_and_move(&f, n, rounds);
    pg_rollback(&other, lock);
    ask_collect(&f, 0, 1);
    ask_forget(n + 1);
  }
  ask_close(&f, &other);
  pg_settle(live);
}

/* What was asked before a read moved is not what its statement answers: else each of them runs twice. On a
 * busy machine some are started behind the stalled one without having asked, or another one is taken for
 * stalled, so single rounds may say anything. */
TEST(a_read_that_moves_while_it_asks_runs_once) {
  tally rounds = {0};
  for (int i = 0; i < 50 && (rounds.once < 6 || rounds.once <= 2 * rounds.twice); i++) two_rounds(8, &rounds);
  CHECK(rounds.once > 2 * rounds.twice);
}

/* FT-r16: reads that travel in groups, under one Sync. */
TEST(a_failure_in_a_group_touches_no_neighbour) {
  enum { N = 700, BAD = 13 };
  static const char view[] =
      "alter table ldr_test.items rename to rows;"
      "create view ldr_test.items as select * from ldr_test.rows";
  static const char wrong[] =
      "create or replace view ldr_test.items as select tenant, id, name,"
      " case id when 'i13' then n / (n - n) else n end as n, doc, price, at from ldr_test.rows";
  size_t live = ldr_mem_live();
  pgfix f, other;
  ldr_pool_config c = pg_config(3);
  ldr_tx *session = NULL;
  c.acquire_timeout = PATIENCE; /* hundreds wait for three connections, on a busy machine, too */
  if (!ask_open(&f, &other, &c, NULL)) return;
  CHECK_INT(ldr_pg_session(other.db, &pg_block, &session, &other.err), LDR_OK);
  CHECK_INT(ldr_pg_script(session, view, &pg_block, &other.err), LDR_OK);
  ask_warm(&f);
  CHECK_INT(ldr_pg_script(session, wrong, &pg_block, &other.err), LDR_OK);
  for (int round = 0; round < 3; round++) {
    for (size_t i = 0; i < N; i++) ask_row(&f, &asks[i], i % 7 == 3 ? BAD : ask_pick(BAD), PATIENCE);
    ask_collect(&f, 0, N);
    for (size_t i = 0; i < N; i++) {
      if (i % 7 == 3)
        CHECK_STR(asks[i].sqlstate, "22012");
      else
        ask_check(&asks[i]);
    }
    ask_forget(N);
  }
  CHECK(pg_stats(&f).total <= 3);
  CHECK_INT(ldr_pg_script(session, "drop view ldr_test.items; alter table ldr_test.rows rename to items",
                          &pg_block, &other.err),
            LDR_OK);
  other.db->ops->abandon(session);
  ask_close(&f, &other);
  pg_settle(live);
}

/* FT-r5 */
TEST(an_error_touches_no_neighbour) {
  enum { N = 600 };
  size_t live = ldr_mem_live();
  pgfix f, other;
  ldr_pool_config c = pg_config(2);
  ldr_stmt *divide;
  if (!ask_open(&f, &other, &c, NULL)) return;
  divide = ask_prepared(&f, "select 840 / $1::int8");
  ask_warm(&f);
  for (size_t i = 0; i < N; i++) {
    ldr_value by = ldr_int(ask_pick(8));
    asks[i].question = by.u.i;
    if (i % 3) {
      ask_stmt(&f, &asks[i], NULL, divide, &by);
    } else {
      ask_row(&f, &asks[i], ask_pick(ROWS), PATIENCE);
    }
  }
  ask_collect(&f, 0, N);
  for (size_t i = 0; i < N; i++) {
    if (i % 3 == 0) {
      ask_check(&asks[i]);
    } else if (asks[i].question == 0) {
      CHECK_INT(asks[i].code, LDR_INVALID);
      CHECK_STR(asks[i].sqlstate, "22012");
    } else {
      CHECK_INT(asks[i].code, LDR_OK);
      CHECK_INT(ask_number(&asks[i], 0), 840 / asks[i].question);
    }
  }
  ask_forget(N);
  ldr_stmt_release(divide);
  ask_close(&f, &other);
  pg_settle(live);
}

/* FT-r12: a row that is unique only at the commit, which each statement has for itself. */
TEST(a_deferred_constraint_fails_its_own_caller) {
  enum { N = 200 };
  size_t live = ldr_mem_live();
  pgfix f, other;
  ldr_pool_config c = pg_config(2);
  ldr_stmt *insert;
  if (!ask_open(&f, &other, &c, NULL)) return;
  CHECK_INT(pg_do(&other, NULL,
                  "create table ldr_test.late (id int8 primary key, n int8, constraint late_n_key unique (n) "
                  "deferrable initially deferred)"),
            LDR_OK);
  CHECK_INT(pg_do(&other, NULL, "insert into ldr_test.late values (-1, 0)"), LDR_OK);
  insert = ask_prepared(&f, "insert into ldr_test.late values ($1, $2)");
  ask_warm(&f);
  for (size_t i = 0; i < N; i++) {
    const ldr_value row[] = {ldr_int((int64_t)i), ldr_int(i % 4 ? (int64_t)i : 0)};
    ask_stmt(&f, &asks[i], NULL, insert, row);
  }
  ask_collect(&f, 0, N);
  for (size_t i = 0; i < N; i++) CHECK_INT(asks[i].code, i % 4 ? LDR_OK : LDR_CONFLICT);
  CHECK_STR(pg_text(&other, NULL, "select count(*) from ldr_test.late"), "151");
  ask_forget(N);
  ldr_stmt_release(insert);
  ask_close(&f, &other);
  pg_settle(live);
}

/* FT-r13 */
TEST(changed_tables_heal_for_every_caller) {
  static const char *const changes[] = {"alter table ldr_test.items alter n type int4",
                                        "alter table ldr_test.items alter n type int8"};
  size_t live = ldr_mem_live();
  pgfix f, other;
  ldr_pool_config c = pg_config(3);
  if (!ask_open(&f, &other, &c, NULL)) return;
  ask_warm(&f);
  for (int round = 0; round < 6; round++) {
    if (round % 3 == 0) ask_rows(&f, 0, 64); /* some before, under way, … */
    CHECK_INT(pg_do(&other, NULL, changes[round % 2]), LDR_OK);
    if (round % 3) ask_rows(&f, 0, 64); /* … some after */
    ask_collect(&f, 0, 64);
    ask_check_all(0, 64);
    ask_forget(64);
  }
  CHECK(pg_stats(&f).retries_stale > 0);
  ask_close(&f, &other);
  pg_settle(live);
}

/* FT-r6: the server does not read on while nobody reads its answers, and answers while it is still sent to.
 */
TEST(large_parameters_and_results_do_not_deadlock) {
  enum { N = 48, SIZE = 400000 };
  size_t live = ldr_mem_live();
  pgfix f, other;
  ldr_pool_config c = pg_config(2);
  ldr_stmt *twice;
  char *text = malloc(SIZE);
  c.acquire_timeout = PATIENCE; /* megabytes through two connections, on a machine that may be busy */
  if (text == NULL || !ask_open(&f, &other, &c, NULL)) return;
  twice = ask_prepared(&f, "select $1::text || $1::text");
  ask_warm(&f);
  for (int round = 0; round < 2; round++) {
    for (size_t i = 0; i < N; i++) {
      ldr_value v = ldr_text(text, i < 8 ? 10 : SIZE); /* short ones first: they are timed as quick */
      memset(text, 'a' + (int)(i % 26), SIZE);
      ask_stmt(&f, &asks[i], NULL, twice, &v);
      if (round == 0 && i == 7) ask_collect(&f, 0, 8);
    }
    ask_collect(&f, 0, N);
    for (size_t i = 0; i < N; i++) {
      ldr_value v = ldr_null();
      size_t size = i < 8 ? 10 : SIZE;
      CHECK_INT(asks[i].code, LDR_OK);
      if (asks[i].code != LDR_OK) continue;
      CHECK_INT(ldr_rows_cell(asks[i].result.rows, 0, 0, &v, &f.err), LDR_OK);
      CHECK(v.n == 2 * size && v.u.p[0] == 'a' + (int)(i % 26) && memcmp(v.u.p, v.u.p + 1, v.n - 1) == 0);
    }
    ask_forget(N);
  }
  free(text);
  ldr_stmt_release(twice);
  ask_close(&f, &other);
  pg_settle(live);
}

/* ---- callers who leave ---- */

/* Half of them for each who may drive. */
static unsigned operations(void) {
  const char *s = getenv("LARDER_REACTOR_OPS");
  return (s && atoi(s) > 1 ? (unsigned)atoi(s) : 100000) / 2;
}

/* A table that takes its time, so that cancels find something to cancel; but not so long that nobody may wait
 * behind it. */
static const char slow_lines[] =
    "create view ldr_test.lines as select 'acme' as tenant, 42::int8 as id, 'x' as item from pg_sleep(0.003)";
enum { SLOW = -1 };

static void check_hasty(const ask *a) {
  if (a->code == LDR_CANCELED && *a->why == '\0') return; /* given up */
  if (a->hasty && (a->code == LDR_TIMEOUT || a->code == LDR_POOL_TIMEOUT)) return;
  if (a->question != SLOW)
    ask_check(a);
  else if (a->code)
    CHECK_STR(a->why, "no error");
  else
    CHECK_INT(ask_number(a, 0), 42);
}

/* A new question of a caller who may be in a hurry, or gone before the answer. */
static void ask_somehow(pgfix *f, ask *a) {
  unsigned mood = ask_pick(8);
  double seconds;
  a->hasty = mood < 3;
  seconds = a->hasty ? ask_pick(6) * 0.001 : PATIENCE;
  if (ask_pick(8)) {
    ask_row(f, a, ask_pick(ROWS), seconds);
  } else {
    a->question = SLOW;
    ask_lines(f, a, seconds);
  }
  if (mood == 7) ask_give_up(a);
}

/* FT-r7 */
TEST(late_answers_reach_nobody) {
  enum { AT_ONCE = 100 };
  size_t live = ldr_mem_live();
  unsigned left = operations(), right = 0;
  int64_t until = ldr_deadline(PATIENCE + left / 100);
  pgfix f, other;
  ldr_pool_config c = pg_config(4);
  c.acquire_timeout = PATIENCE;
  if (!ask_open(&f, &other, &c, NULL)) return;
  CHECK_INT(pg_do(&other, NULL, "drop table ldr_test.lines"), LDR_OK);
  CHECK_INT(pg_do(&other, NULL, slow_lines), LDR_OK);
  ask_warm(&f);
  for (size_t i = 0; i < AT_ONCE; i++) ask_somehow(&f, &asks[i]);
  while (left && ldr_now_mono() < until) {
    ask_turn(&f, 100);
    if (ask_pick(4) == 0) ask_give_up(&asks[ask_pick(AT_ONCE)]);
    if (ask_pick(50) == 0) CHECK_STR(pg_text(&f, NULL, "select 5"), "5"); /* a borrowed connection */
    for (size_t i = 0; i < AT_ONCE && left; i++) {
      if (asks[i].code == LDR_PENDING) continue;
      check_hasty(&asks[i]);
      right += asks[i].code == LDR_OK;
      ldr_rows_free(asks[i].result.rows);
      asks[i] = (ask){0};
      ask_somehow(&f, &asks[i]);
      left--;
    }
  }
  CHECK_INT(left, 0);
  ask_collect(&f, 0, AT_ONCE);
  for (size_t i = 0; i < AT_ONCE; i++) check_hasty(&asks[i]);
  CHECK(right > operations() / 3 && pg_stats(&f).cancels > operations() / 1000);
  ask_forget(AT_ONCE);
  CHECK_INT(pg_stats(&f).waiting, 0);
  ask_close(&f, &other);
  pg_settle(live);
}

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

static void ask_in_one_way(void) {
  RUN(thousands_of_callers_get_their_own_rows);
  RUN(a_full_queue_refuses_and_serves_the_rest);
  RUN(fast_statements_finish_while_slow_ones_sleep);
  RUN(reads_behind_a_stalled_one_go_elsewhere);
  RUN(a_read_that_moves_while_it_asks_runs_once);
  RUN(a_failure_in_a_group_touches_no_neighbour);
  RUN(an_error_touches_no_neighbour);
  RUN(a_deferred_constraint_fails_its_own_caller);
  RUN(changed_tables_heal_for_every_caller);
  RUN(large_parameters_and_results_do_not_deadlock);
  RUN(late_answers_reach_nobody);
  RUN(transactions_among_single_statements);
  RUN(transactions_wait_for_connections);
}

void test_reactor(void);
void test_reactor(void) {
  if (!pg_available("reactor")) return;
  ask_in_one_way();
  RUN(a_task_is_waited_for_by_itself);
  RUN(a_task_may_be_named_after_it_was_submitted);
  RUN(who_waits_for_one_task_does_not_wait_for_himself);
  ask_thread_drives = true;
  ask_in_one_way();
  ask_thread_drives = false;
}

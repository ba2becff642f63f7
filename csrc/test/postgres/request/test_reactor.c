/* The reactor: many callers, few connections. Every answer is checked against its question, and nothing may
 * hang. Needs a server. */
#include <stdlib.h>

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
}

void test_reactor(void);
void test_reactor(void) {
  if (!pg_available("reactor")) return;
  ask_in_one_way();
  ask_thread_drives = true;
  ask_in_one_way();
  ask_thread_drives = false;
}

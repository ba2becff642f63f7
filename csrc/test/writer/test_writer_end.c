/* The writer when its queue is full, when it is closed, and in a fork. */
#define _GNU_SOURCE
#include <sys/wait.h>
#include <unistd.h>

#include "support/test.h"
#include "support/writerfix.h"

/* ---- the queue is full ---- */

TEST(a_full_queue_follows_the_policy) {
  static const ldr_code answer[] = {[LDR_POLICY_ERROR] = LDR_CAPACITY,
                                    [LDR_POLICY_BLOCK] = LDR_PENDING,
                                    [LDR_POLICY_DROP] = LDR_OK,
                                    [LDR_POLICY_SPILL] = LDR_OK};
  size_t live = ldr_mem_live();
  for (int policy = LDR_POLICY_ERROR; policy <= LDR_POLICY_SPILL; policy++) {
    ldr_writer_config c = wfix_config();
    wfix x;
    wfix_make_dir();
    c.queue = 20;
    c.batch = 10;
    c.policy = (ldr_policy)policy;
    c.spill = policy == LDR_POLICY_SPILL ? wfix_path : NULL;
    if (!wfix_begin(&x, &c)) return;
    pgproxy_set(x.proxy, PGPROXY_DOWN, 0);
    wfix_push_many(&x, 0, 20);
    CHECK_INT(ldr_writer_has_room(x.w, x.far.items), policy == LDR_POLICY_SPILL);
    CHECK_INT(wfix_push(&x, 20), answer[policy]);
    UNTIL(wfix_stats(&x).filed == (policy == LDR_POLICY_SPILL));
    CHECK_INT(wfix_stats(&x).depth, 20);
    CHECK_INT(wfix_stats(&x).filed, policy == LDR_POLICY_SPILL);
    CHECK_INT(wfix_stats(&x).dropped, policy == LDR_POLICY_DROP);
    pgproxy_set(x.proxy, PGPROXY_PASS, 0);
    CHECK(wfix_flush(&x, WFIX_PATIENCE));
    CHECK(ldr_writer_has_room(x.w, x.far.items));
    CHECK_INT(pg_count(&x.f), policy == LDR_POLICY_SPILL ? 21 : 20);
    CHECK_INT(wfix_push(&x, 21), LDR_OK);
    wfix_finish(&x);
    wfix_remove_dir();
  }
  pg_settle(live);
}

/* ---- the end ---- */

TEST(closing_writes_what_waits) {
  ldr_writer_config c = wfix_config();
  ldr_writer_stats last = {0};
  wfix x;
  c.interval = 60;
  if (!wfix_begin(&x, &c)) return;
  wfix_push_many(&x, 0, 2345);
  ldr_writer_close(x.w, WFIX_PATIENCE, &last);
  CHECK_INT(last.written, 2345);
  CHECK_INT(last.dropped, 0);
  CHECK_INT(pg_count(&x.f), 2345);
  x.w = NULL;
  wfix_finish(&x);
}

/* FT-w9: the process ends while the server is away. */
TEST(rows_survive_in_the_file) {
  ldr_writer_config c = wfix_config();
  ldr_writer_stats last = {0};
  size_t live = ldr_mem_live();
  int64_t before;
  wfix x;
  wfix_make_dir();
  c.queue = 500;
  c.batch = 100;
  c.policy = LDR_POLICY_SPILL;
  c.spill = wfix_path;
  if (!wfix_begin(&x, &c)) return;
  pgproxy_set(x.proxy, PGPROXY_DOWN, 0);
  wfix_push_many(&x, 0, 800);
  before = ldr_now_mono();
  ldr_writer_close(x.w, 0.2, &last);
  CHECK(ldr_now_mono() - before < 10000000);
  CHECK_INT(last.written, 0);
  CHECK_INT(last.dropped, 0);
  CHECK_INT(last.spilled, 800);
  pgproxy_set(x.proxy, PGPROXY_PASS, 0);
  if (!wfix_open(&x, &c)) return;
  CHECK_INT(ldr_writer_know(x.w, x.far.schema, &x.err), LDR_OK);
  wfix_push_many(&x, 700, 200); /* some of them once more */
  CHECK(wfix_flush(&x, WFIX_PATIENCE));
  CHECK_INT(wfix_stats(&x).replayed, 800);
  CHECK_INT(wfix_stats(&x).written, 900);
  CHECK_INT(wfix_stats(&x).duplicates, 100);
  CHECK_INT(wfix_stats(&x).filed, 0);
  CHECK_INT(pg_count(&x.f), 900);
  ldr_writer_close(x.w, 5, NULL);
  if (!wfix_open(&x, &c)) return;
  CHECK_INT(wfix_stats(&x).filed, 0); /* nothing is left for a third one */
  wfix_finish(&x);
  wfix_remove_dir();
  pg_settle(live);
}

/* Without a file what cannot be written is lost, and told. */
TEST(without_a_file_rows_are_counted_as_dropped) {
  ldr_writer_config c = wfix_config();
  ldr_writer_stats last = {0};
  size_t live = ldr_mem_live();
  wfix x;
  if (!wfix_begin(&x, &c)) return;
  pgproxy_set(x.proxy, PGPROXY_DOWN, 0);
  wfix_push_many(&x, 0, 30);
  ldr_writer_close(x.w, 0.1, &last);
  CHECK_INT(last.dropped, 30);
  x.w = NULL;
  wfix_finish(&x);
  pg_settle(live);
}

/* FT-w10: at the end a statement hangs. Closing does not, and the rows under way are safe. */
TEST(closing_waits_for_no_statement) {
  ldr_writer_config c = wfix_config();
  ldr_writer_stats last = {0};
  size_t live = ldr_mem_live();
  int64_t before;
  ldr_tx *tx;
  wfix x;
  wfix_make_dir();
  c.spill = wfix_path;
  if (!wfix_begin(&x, &c)) return;
  wfix_push_many(&x, 0, 1);
  CHECK(wfix_flush(&x, WFIX_PATIENCE));
  tx = pg_begin(&x.f);
  CHECK_INT(pg_do(&x.f, tx, "lock table ldr_test.items in access exclusive mode"), LDR_OK);
  wfix_push_many(&x, 1, 50);
  wfix_nap(100); /* now they are on their way */
  wfix_push_many(&x, 51, 50);
  before = ldr_now_mono();
  ldr_writer_close(x.w, 0.1, &last);
  CHECK(ldr_now_mono() - before < 10000000); /* not the statement's thirty */
  CHECK_INT(last.spilled, 100);
  if (!wfix_open(&x, &c)) return;
  CHECK_INT(ldr_writer_know(x.w, x.far.schema, &x.err), LDR_OK);
  CHECK(!wfix_flush(&x, 0.2)); /* now they are on their way from the file */
  ldr_writer_close(x.w, 0, &last);
  CHECK_INT(last.replayed, 100);
  CHECK_INT(last.spilled, 0);
  pg_rollback(&x.f, tx);
  wfix_nap(100); /* the statements that hung find nobody to report to */
  if (!wfix_open(&x, &c)) return;
  CHECK_INT(ldr_writer_know(x.w, x.far.schema, &x.err), LDR_OK);
  CHECK(wfix_flush(&x, WFIX_PATIENCE));
  CHECK_INT(pg_count(&x.f), 101);
  CHECK_INT(wfix_stats(&x).rejected, 0);
  wfix_finish(&x);
  wfix_remove_dir();
  pg_settle(live);
}

/* ---- forks ---- */

#ifndef __SANITIZE_THREAD__ /* it does not know threads in a child of a process with threads */

static int child_of(wfix *x) {
  ldr_writer_stats last;
  if (wfix_push(x, 2000) != LDR_OK || wfix_push(x, 2001) != LDR_OK) return 2;
  if (!wfix_flush(x, WFIX_PATIENCE)) return 3;
  ldr_writer_close(x->w, 5, &last);
  return last.written == 2 && last.queued == 2 ? 0 : 4;
}

/* FT-w11: a fork while rows wait and the thread works. */
TEST(a_child_starts_anew) {
  ldr_writer_config c = wfix_config();
  size_t live = ldr_mem_live();
  int status = -1;
  pid_t pid;
  wfix x;
  wfix_make_dir();
  c.interval = 60;
  c.spill = wfix_path;
  if (!wfix_begin(&x, &c)) return;
  wfix_push_many(&x, 0, 100);
  wfix_nap(100); /* a sanitizer's allocator does not survive a fork while another thread is in it */
  pid = fork();
  if (pid == 0) _exit(child_of(&x));
  CHECK_INT(waitpid(pid, &status, 0), pid);
  CHECK_INT(status, 0);
  CHECK_INT(pg_count(&x.f), 2); /* the child's alone */
  wfix_push_many(&x, 100, 1);
  CHECK(wfix_flush(&x, WFIX_PATIENCE));
  CHECK_INT(wfix_stats(&x).written, 101);
  CHECK_INT(wfix_stats(&x).duplicates, 0);
  CHECK_INT(pg_count(&x.f), 103);
  wfix_nap(100);
  pid = fork();
  if (pid == 0) { /* one that never uses it */
    ldr_writer_close(x.w, 5, NULL);
    _exit(0);
  }
  CHECK_INT(waitpid(pid, &status, 0), pid);
  CHECK_INT(status, 0);
  wfix_push_many(&x, 200, 1);
  wfix_finish(&x);
  wfix_remove_dir();
  pg_settle(live);
}

#endif

void test_writer_end(void);
void test_writer_end(void) {
  if (!pg_available("writer_end")) return;
  RUN(a_full_queue_follows_the_policy);
  RUN(closing_writes_what_waits);
  RUN(rows_survive_in_the_file);
  RUN(without_a_file_rows_are_counted_as_dropped);
  RUN(closing_waits_for_no_statement);
#ifndef __SANITIZE_THREAD__
  RUN(a_child_starts_anew);
#endif
}

/* The writer: batches, refused rows, memory; against the memory engine, and against a server that comes and
 * goes. */
#include "memory/db.h"
#include "support/spillfix.h"
#include "support/test.h"
#include "support/writerfix.h"
#include "writer/deliver.h"

/* ---- batches ---- */

TEST(rows_go_by_count_or_by_time) {
  ldr_writer_config c = wfix_config();
  wfix x;
  c.batch = 100;
  c.interval = 60;
  if (!wfix_begin(&x, &c)) return;
  wfix_push_many(&x, 0, 99);
  wfix_nap(60);
  CHECK_INT(wfix_stats(&x).written, 0);
  CHECK(wfix_stats(&x).oldest_age >= 0.05);
  wfix_push_many(&x, 99, 1);
  UNTIL(wfix_stats(&x).written == 100);
  CHECK_INT(wfix_stats(&x).written, 100);
  CHECK_INT(wfix_stats(&x).batches, 1);
  wfix_push_many(&x, 100, 1);
  CHECK(wfix_flush(&x, WFIX_PATIENCE)); /* somebody waits */
  ldr_writer_close(x.w, 5, NULL);
  c.interval = 0.5;
  if (wfix_open(&x, &c)) {
    wfix_push_many(&x, 200, 3);
    UNTIL(wfix_stats(&x).written == 3);
    CHECK_INT(wfix_stats(&x).batches, 1);
    CHECK_INT(wfix_stats(&x).depth, 0);
    CHECK(wfix_stats(&x).oldest_age == 0);
  }
  CHECK_INT(pg_count(&x.f), 104);
  wfix_finish(&x);
}

/* Children lie before their parents in the queue, but not in the statements. */
TEST(parents_are_written_before_children) {
  ldr_writer_config c = wfix_config();
  wfix x;
  c.interval = 60;
  if (!wfix_begin(&x, &c)) return;
  for (int i = 0; i < 10; i++) {
    char id[24];
    ldr_value v[L_COUNT] = {pg_str("acme"), ldr_int(i + 1), pg_str("")};
    ldr_row *row = NULL;
    snprintf(id, sizeof id, "k%06d", i);
    v[L_ITEM] = pg_str(id);
    CHECK_INT(ldr_row_pack(x.far.lines, v, &row, &x.err), LDR_OK);
    CHECK_INT(ldr_writer_push(x.w, x.far.lines, row, &x.err), LDR_OK);
    wfix_push_many(&x, i, 1);
  }
  CHECK(wfix_flush(&x, WFIX_PATIENCE));
  CHECK_INT(wfix_stats(&x).written, 20);
  CHECK_INT(wfix_stats(&x).batches, 2);
  CHECK_INT(wfix_stats(&x).rejected, 0);
  wfix_finish(&x);
}

/* FT-w5: rows that the server refuses, among many that are good. */
TEST(a_refused_row_holds_up_no_other) {
  ldr_writer_config c = wfix_config();
  ldr_reject r;
  ldr_value v;
  wfix x;
  c.interval = 60;
  if (!wfix_begin(&x, &c)) return;
  CHECK_INT(pg_insert(&x.f, NULL, "k000007", "there already"), LDR_OK);
  CHECK_INT(pg_insert(&x.f, NULL, "other", "n100"), LDR_OK);
  for (int i = 0; i < 300; i++)
    CHECK_INT(
        ldr_writer_push(x.w, x.far.items, wfix_item(x.far.items, i, NULL, i == 200 ? -1000 : i), &x.err),
        LDR_OK);
  CHECK(wfix_flush(&x, WFIX_PATIENCE));
  CHECK_INT(wfix_stats(&x).written, 297);
  CHECK_INT(wfix_stats(&x).duplicates, 1);
  CHECK_INT(wfix_stats(&x).rejected, 2);
  CHECK_INT(wfix_stats(&x).retries, 0);
  CHECK_INT(pg_count(&x.f), 299);
  CHECK(ldr_writer_has_news(x.w));
  CHECK(ldr_writer_take_reject(x.w, &r));
  CHECK_INT(r.err.code, LDR_CONFLICT);
  CHECK_STR(r.err.constraint, "items_name_key");
  CHECK(strstr(r.err.message, "n100") == NULL);
  ldr_row_get(r.e, r.key, I_ID, &v);
  CHECK(v.n == 7 && memcmp(v.u.p, "k000100", 7) == 0);
  ldr_row_get(r.e, r.key, I_NAME, &v);
  CHECK_INT(v.type, LDR_T_NULL); /* nothing but the key */
  ldr_row_release(r.key);
  CHECK(ldr_writer_take_reject(x.w, &r));
  CHECK_INT(r.err.code, LDR_CHECK);
  ldr_row_release(r.key);
  CHECK(!ldr_writer_take_reject(x.w, &r));
  for (int i = 0; i < 30; i++) /* the list is bounded; the last ones stay for the writer to free */
    CHECK_INT(ldr_writer_push(x.w, x.far.items, wfix_item(x.far.items, 1000 + i, "n1", 1), &x.err), LDR_OK);
  CHECK(wfix_flush(&x, WFIX_PATIENCE));
  CHECK_INT(wfix_stats(&x).rejected, 32);
  for (int i = 0; i < LDR_REJECTS; i++) {
    CHECK(ldr_writer_take_reject(x.w, &r));
    ldr_row_release(r.key);
  }
  CHECK(!ldr_writer_take_reject(x.w, &r));
  wfix_finish(&x);
}

TEST(the_faults_of_a_row_are_told_from_those_of_the_server) {
  static const struct {
    ldr_code code;
    const char *state;
    bool row;
  } cases[] = {
      {LDR_INVALID, "22001", true},
      {LDR_CAPACITY, "2200H", false},
      {LDR_CONFLICT, "23505", true},
      {LDR_CHECK, "23514", true},
      {LDR_CHECK, "44000", true},
      {LDR_INVALID, "54000", true},
      {LDR_INVALID, "P0001", true},
      {LDR_NOT_FOUND, "P0002", true},
      {LDR_CONFLICT, "40002", true},
      {LDR_CONFLICT, "XX000", true}, /* a cluster's node */
      {LDR_INTERNAL, "ZX001", true}, /* a trigger's own */
      {LDR_INTERNAL, "38001", true},
      {LDR_INTERNAL, "XX000", false},
      {LDR_INTERNAL, "XX001", false},
      {LDR_UNSUPPORTED, "0A000", false},
      {LDR_UNSUPPORTED, "55000", false},
      {LDR_LOCKED, "55006", false},
      {LDR_LOCK_TIMEOUT, "55P03", false},
      {LDR_CONNECTION, "57P01", false},
      {LDR_CANCELED, "57014", false},
      {LDR_CAPACITY, "53100", false},
      {LDR_CONNECTION, "08006", false},
      {LDR_PERMISSION, "42501", false},
      {LDR_SYNTAX, "42P01", false},
      {LDR_SYNTAX, "42703", false},
      {LDR_PERMISSION, "25006", false},
      {LDR_SERIALIZATION, "40001", false},
      {LDR_DEADLOCK, "40P01", false},
      {LDR_CAPACITY, "58030", false},
      {LDR_CHECK, "", true},
      {LDR_INTERNAL, "", false},
      {LDR_TIMEOUT, "", false},
      {LDR_UNSUPPORTED, "", false},
      {LDR_LOCK_TIMEOUT, "", false},
      {LDR_DRIFT, "", false},
  };
  ldr_err err;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ldr_fail_state(&err, cases[i].code, cases[i].state, "x");
    if (ldr_deliver_is_refusal(&err) != cases[i].row) printf("    %s\n", cases[i].state);
    CHECK_INT(ldr_deliver_is_refusal(&err), cases[i].row);
  }
  ldr_fail_state(&err, LDR_PERMISSION, "42501", "row-level security");
  err.row_policy = true;
  CHECK(ldr_deliver_is_refusal(&err));
}

static ldr_code push_line(wfix *x, int item_no, int line) {
  char id[24];
  ldr_value v[L_COUNT] = {pg_str("acme"), ldr_int(line), pg_str("")};
  ldr_row *row = NULL;
  snprintf(id, sizeof id, "k%06d", item_no);
  v[L_ITEM] = pg_str(id);
  CHECK_INT(ldr_row_pack(x->far.lines, v, &row, &x->err), LDR_OK);
  return ldr_writer_push(x->w, x->far.lines, row, &x->err);
}

/* The parent's store hangs; its child is tried, finds no parent, and is not refused for that. One that has no
 * parent anywhere is. */
TEST(a_child_waits_for_its_parent) {
  ldr_writer_config c = wfix_config();
  size_t live = ldr_mem_live();
  ldr_store_stats s;
  ldr_tx *tx;
  wfix x;
  c.timeout = 0.3;
  if (!wfix_begin(&x, &c)) return;
  wfix_push_many(&x, 0, 1);
  CHECK(wfix_flush(&x, WFIX_PATIENCE));
  tx = pg_begin(&x.f);
  CHECK_INT(pg_do(&x.f, tx, "lock table ldr_test.items in share mode"), LDR_OK); /* readers pass */
  wfix_push_many(&x, 1, 5);
  UNTIL(wfix_stats(&x).parked == 1);
  CHECK_INT(push_line(&x, 3, 1), LDR_OK);
  UNTIL(ldr_writer_store_stats(x.w, 1, &s) && s.retries >= 2);
  CHECK_INT(wfix_stats(&x).rejected, 0);
  CHECK_INT(wfix_stats(&x).written, 1);
  pg_rollback(&x.f, tx);
  CHECK(wfix_flush(&x, WFIX_PATIENCE));
  CHECK_INT(wfix_stats(&x).written, 7);
  CHECK_INT(push_line(&x, 999, 2), LDR_OK);
  CHECK(wfix_flush(&x, WFIX_PATIENCE));
  CHECK_INT(wfix_stats(&x).rejected, 1);
  wfix_finish(&x);
  pg_settle(live);
}

/* Through memory, through files, and through memory again. */
TEST(rows_leave_in_the_order_they_came) {
  ldr_writer_config c = wfix_config();
  size_t live = ldr_mem_live();
  ldr_tx *tx;
  wfix x;
  wfix_make_dir();
  c.queue = 20;
  c.batch = 10;
  c.policy = LDR_POLICY_SPILL;
  c.spill = wfix_path;
  c.segment_bytes = 600; /* many files */
  if (!wfix_begin(&x, &c)) return;
  tx = pg_begin(&x.f);
  CHECK_INT(pg_do(&x.f, tx, "lock table ldr_test.items in access exclusive mode"), LDR_OK);
  wfix_push_many(&x, 0, 100);
  UNTIL(wfix_stats(&x).spilled == 80);
  CHECK(spill_files(wfix_path, ".rows") > 3);
  pg_rollback(&x.f, tx);
  for (int i = 100; i < 200; i++) {
    CHECK_INT(wfix_push(&x, i), LDR_OK);
    if (i % 10 == 0) wfix_nap(2);
  }
  CHECK(wfix_flush(&x, WFIX_PATIENCE));
  CHECK_INT(pg_count(&x.f), 200);
  CHECK_INT(wfix_stats(&x).duplicates, 0);
  CHECK_INT(pg_do(&x.f, NULL,
                  "do $$ begin if exists (select from (select id, lag(id) over (order by ctid) as before"
                  " from ldr_test.items) t where id < before) then raise 'order'; end if; end $$"),
            LDR_OK);
  UNTIL(spill_files(wfix_path, ".rows") == 0);
  CHECK_INT(spill_files(wfix_path, ".rows"), 0);
  wfix_finish(&x);
  wfix_remove_dir();
  pg_settle(live);
}

/* ---- a server that comes and goes ---- */

/* FT-w6: the server goes away and comes back. */
TEST(rows_wait_for_the_server) {
  ldr_writer_config c = wfix_config();
  size_t live = ldr_mem_live();
  wfix x;
  if (!wfix_begin(&x, &c)) return;
  wfix_push_many(&x, 0, 10);
  CHECK(wfix_flush(&x, WFIX_PATIENCE));
  pgproxy_set(x.proxy, PGPROXY_DOWN, 0);
  wfix_push_many(&x, 10, 1000);
  UNTIL(wfix_stats(&x).retries >= 3);
  CHECK_INT(wfix_stats(&x).written, 10);
  CHECK_INT(wfix_stats(&x).last_error.code, LDR_CONNECTION);
  CHECK(!wfix_flush(&x, 0.05));
  pgproxy_set(x.proxy, PGPROXY_PASS, 0);
  CHECK(wfix_flush(&x, WFIX_PATIENCE));
  CHECK_INT(pg_count(&x.f), 1010);
  CHECK_INT(wfix_stats(&x).written, 1010);
  wfix_finish(&x);
  pg_settle(live);
}

/* FT-w7: the server stored a batch, but its answer is lost. */
TEST(a_lost_answer_duplicates_nothing) {
  ldr_writer_config c = wfix_config();
  size_t live = ldr_mem_live();
  wfix x;
  c.interval = 60;
  if (!wfix_begin(&x, &c)) return;
  wfix_push_many(&x, 0, 1);
  CHECK(wfix_flush(&x, WFIX_PATIENCE)); /* connected, from now on the server speaks only in answer to rows */
  for (int round = 0; round < 5; round++) {
    pgproxy_set(x.proxy, PGPROXY_CUT_AFTER, (size_t)round * 4);
    wfix_push_many(&x, 1 + round * 100, 100);
    CHECK(wfix_flush(&x, WFIX_PATIENCE));
    CHECK(pgproxy_done(x.proxy));
    CHECK_INT(pg_count(&x.f), 1 + (round + 1) * 100);
  }
  CHECK_INT(wfix_stats(&x).retries, 5);
  CHECK_INT(wfix_stats(&x).written + wfix_stats(&x).duplicates, 501);
  CHECK(wfix_stats(&x).duplicates >= 100);
  CHECK_INT(wfix_stats(&x).rejected, 0);
  wfix_finish(&x);
  pg_settle(live);
}

/* FT-w8: nothing comes back from the server, and nobody is told. */
TEST(a_statement_has_a_time_limit) {
  ldr_writer_config c = wfix_config();
  size_t live = ldr_mem_live();
  ldr_tx *tx;
  wfix x;
  c.timeout = 0.2;
  if (!wfix_begin(&x, &c)) return;
  wfix_push_many(&x, 0, 1);
  CHECK(wfix_flush(&x, WFIX_PATIENCE));
  tx = pg_begin(&x.f);
  CHECK_INT(pg_do(&x.f, tx, "lock table ldr_test.items in access exclusive mode"), LDR_OK);
  wfix_push_many(&x, 1, 100);
  UNTIL(wfix_stats(&x).retries >= 1);
  CHECK_INT(wfix_stats(&x).last_error.code, LDR_TIMEOUT);
  pg_rollback(&x.f, tx);
  CHECK(wfix_flush(&x, WFIX_PATIENCE));
  CHECK_INT(pg_count(&x.f), 101);
  pgproxy_set(x.proxy, PGPROXY_DROP, 0);
  wfix_push_many(&x, 200, 100);
  UNTIL(wfix_stats(&x).retries >= 2);
  pgproxy_set(x.proxy, PGPROXY_PASS, 0);
  CHECK(wfix_flush(&x, WFIX_PATIENCE));
  CHECK_INT(pg_count(&x.f), 201);
  wfix_finish(&x);
  pg_settle(live);
}

/* ---- memory ---- */

static ldr_code push_memory(ldr_writer *w, const pgfix *f, int i, const char *name, ldr_err *err) {
  return ldr_writer_push(w, f->items, wfix_item(f->items, i, name, i), err);
}

/* On the memory engine rows are written at once, and end as they would on PostgreSQL. */
TEST(memory_writes_at_once) {
  ldr_writer_config c = wfix_config();
  ldr_writer_stats s;
  ldr_writer *w = NULL;
  const ldr_txopts o = {0};
  ldr_tx *tx = NULL;
  uint64_t position;
  ldr_reject r;
  pgfix f = {0};
  CHECK_INT(pg_declare(&f), LDR_OK);
  CHECK_INT(ldr_memdb_open(&f.db, &f.err), LDR_OK);
  c.queue = 2;
  CHECK_INT(ldr_writer_new(f.db, &c, &w, &f.err), LDR_OK);
  CHECK_INT(push_memory(w, &f, 1, NULL, &f.err), LDR_OK);
  CHECK_INT(push_memory(w, &f, 1, NULL, &f.err), LDR_OK);
  CHECK_INT(push_memory(w, &f, 2, "n1", &f.err), LDR_OK);
  CHECK(ldr_writer_take_reject(w, &r));
  CHECK_STR(r.err.constraint, "items_name_key");
  ldr_row_release(r.key);
  CHECK_INT(f.db->ops->begin(f.db, &o, &tx, &f.err), LDR_OK);
  CHECK_INT(pg_insert(&f, tx, "k000003", "mine"), LDR_OK);
  CHECK_INT(push_memory(w, &f, 3, NULL, &f.err), LDR_OK); /* locked by the transaction: it waits */
  CHECK_INT(push_memory(w, &f, 4, NULL, &f.err), LDR_OK);
  CHECK_INT(push_memory(w, &f, 5, NULL, &f.err), LDR_CAPACITY);
  CHECK_INT(ldr_writer_flush(w, &position, &f.err), LDR_OK);
  CHECK_INT(ldr_writer_flushed(w, position), LDR_FLUSH_PARKED);
  CHECK_INT(f.db->ops->rollback(tx, &pg_block, NULL, &f.err), LDR_OK);
  CHECK_INT(ldr_writer_flushed(w, position), LDR_FLUSH_DONE);
  ldr_writer_stats_get(w, &s);
  CHECK_INT(s.written, 3);
  CHECK_INT(s.duplicates, 1);
  CHECK_INT(s.rejected, 1);
  CHECK_INT(s.depth, 0);
  ldr_writer_close(w, 0, NULL);
  pg_close(&f);
}

static bool out_of_memory(void) {
  ldr_writer_config c = wfix_config();
  ldr_writer *w = NULL;
  ldr_row *row = NULL;
  ldr_value v[I_COUNT];
  ldr_writer_stats last = {0};
  pgfix f = {0};
  bool pushed = false;
  pg_item(v, "k1", "n", 1);
  if (pg_declare(&f) == LDR_OK && ldr_memdb_open(&f.db, &f.err) == LDR_OK &&
      ldr_writer_new(f.db, &c, &w, &f.err) == LDR_OK && ldr_row_pack(f.items, v, &row, &f.err) == LDR_OK)
    pushed = ldr_writer_push(w, f.items, row, &f.err) == LDR_OK;
  ldr_writer_close(w, 0, &last);
  if (pushed) CHECK_INT(last.written, 1); /* once accepted, a want of memory only delays it */
  pg_close(&f);
  return pushed;
}

TEST(memory_runs_out) { test_oom("writer", out_of_memory); }

/* … also in the thread: whichever allocation fails, every row is written once. */
TEST(memory_runs_out_in_the_thread) {
  ldr_writer_config c = wfix_config();
  size_t live = ldr_mem_live();
  wfix x;
  if (!wfix_begin(&x, &c)) return;
  wfix_push_many(&x, 0, 1);
  CHECK(wfix_flush(&x, WFIX_PATIENCE));
  for (int n = 1; n <= 30; n++) {
    wfix_push_many(&x, n * 10, 5);
    ldr_mem_fail_at(n);
    CHECK(wfix_flush(&x, WFIX_PATIENCE));
    ldr_mem_fail_at(0);
  }
  CHECK_INT(pg_count(&x.f), 151);
  CHECK_INT(wfix_stats(&x).written + wfix_stats(&x).duplicates, 151);
  CHECK_INT(wfix_stats(&x).rejected, 0);
  wfix_finish(&x);
  pg_settle(live);
}

void test_writer(void);
void test_writer(void) {
  RUN(the_faults_of_a_row_are_told_from_those_of_the_server);
  RUN(memory_writes_at_once);
  RUN(memory_runs_out);
  if (!pg_available("writer")) return;
  RUN(rows_go_by_count_or_by_time);
  RUN(parents_are_written_before_children);
  RUN(a_refused_row_holds_up_no_other);
  RUN(a_child_waits_for_its_parent);
  RUN(rows_leave_in_the_order_they_came);
  RUN(rows_wait_for_the_server);
  RUN(a_lost_answer_duplicates_nothing);
  RUN(a_statement_has_a_time_limit);
  RUN(memory_runs_out_in_the_thread);
}

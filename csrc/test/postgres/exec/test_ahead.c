/* Inserts whose caller makes the answer while the server works: what is handed out, and when. Needs a server.
 */
#include "base/mem.h"
#include "postgres/request/request.h"
#include "support/pgfix.h"
#include "support/test.h"

static const uint16_t all[I_COUNT] = {0, 1, 2, 3, 4, 5, 6};
static const ldr_call ahead = {.deadline = LDR_NEVER, .block = true, .ahead = true};

typedef struct insert {
  ldr_value row[I_COUNT];
  ldr_op op;
  ldr_result result;
  ldr_task *task;
} insert;

/* Sends an insert of a row whose answer the caller can make. */
static ldr_code send(pgfix *f, ldr_tx *tx, const char *id, insert *s) {
  *s = (insert){0};
  pg_item(s->row, id, id, 1);
  s->op = pg_insert_op(f, s->row);
  s->op.nout = I_COUNT;
  s->op.out = all;
  s->op.row_known = true;
  return f->db->ops->run(f->db, tx, &s->op, &ahead, &s->result, &s->task, &f->err);
}

/* The result of one that was handed out. */
static ldr_code finish(pgfix *f, insert *s) {
  ldr_code code = s->task->ops->step(s->task, &f->err);
  s->result = s->task->result;
  s->task->result.rows = NULL;
  s->task->ops->free(s->task);
  s->task = NULL;
  return code;
}

static void free_result(insert *s) {
  ldr_rows_free(s->result.rows);
  s->result.rows = NULL;
}

/* The first insert of the one connection, which brings its row and is the proof for those that follow. */
static bool open_proven(pgfix *f) {
  ldr_pool_config one = pg_config(1);
  insert s;
  one.acquire_timeout = 1;
  if (!pg_open(f, &one)) return false;
  CHECK_INT(send(f, NULL, "first", &s), LDR_OK);
  CHECK(!s.result.as_given && s.result.rows);
  free_result(&s);
  return true;
}

/* The insert of transactions has a proof of its own, from the second one on. */
static void prove_in_tx(pgfix *f) {
  for (int i = 0; i < 2; i++) {
    insert s;
    char id[8];
    ldr_tx *tx = pg_begin(f);
    snprintf(id, sizeof id, "tx%d", i);
    CHECK_INT(send(f, tx, id, &s), LDR_OK);
    free_result(&s);
    CHECK_INT(pg_commit(f, tx), LDR_OK);
  }
}

static void check_works(pgfix *f, const char *id) {
  insert s;
  ldr_code code = send(f, NULL, id, &s);
  CHECK_INT(code == LDR_PENDING ? finish(f, &s) : code, LDR_OK);
  CHECK_INT(s.result.affected, 1);
  free_result(&s);
  CHECK_INT(pg_stats(f).busy, 0);
}

TEST(a_proven_insert_frees_its_caller) {
  pgfix f;
  insert s;
  if (!open_proven(&f)) return;
  for (int i = 0; i < 3; i++) {
    char id[8];
    snprintf(id, sizeof id, "i%d", i);
    CHECK_INT(send(&f, NULL, id, &s), LDR_PENDING);
    CHECK_INT(pg_stats(&f).busy, 1);
    CHECK_INT(finish(&f, &s), LDR_OK);
    CHECK(s.result.as_given && s.result.rows == NULL);
    CHECK_INT(s.result.affected, 1);
    CHECK_INT(pg_stats(&f).busy, 0);
  }
  CHECK_INT(pg_insert(&f, NULL, "i9", "i9"), LDR_OK); /* who does not ask for it is not freed */
  CHECK_INT(pg_count(&f), 5);
  pg_close(&f);
}

TEST(what_is_expected_may_not_come) {
  pgfix f;
  insert s;
  if (!open_proven(&f)) return;
  CHECK_INT(send(&f, NULL, "first", &s), LDR_PENDING);
  CHECK_INT(finish(&f, &s), LDR_CONFLICT);
  CHECK_STR(f.err.constraint, "items_pkey");
  CHECK_INT(pg_do(&f, NULL,
                  "create or replace function ldr_test.shout() returns trigger language plpgsql as"
                  " $$ begin new.name := upper(new.name); return new; end $$"),
            LDR_OK);
  CHECK_INT(pg_do(&f, NULL,
                  "create trigger t before insert on ldr_test.items for each row execute function"
                  " ldr_test.shout()"),
            LDR_OK);
  CHECK_INT(send(&f, NULL, "i1", &s), LDR_PENDING);
  CHECK_INT(finish(&f, &s), LDR_OK);
  CHECK(!s.result.as_given && s.result.rows && s.result.rows->nrows == 1);
  free_result(&s);
  CHECK_INT(send(&f, NULL, "i2", &s), LDR_OK); /* from now on the row comes back */
  CHECK(!s.result.as_given && s.result.rows);
  free_result(&s);
  CHECK_STR(pg_text(&f, NULL, "select string_agg(name, ' ' order by id) from ldr_test.items"), "first I1 I2");
  pg_close(&f);
}

TEST(a_transaction_goes_on_behind_it) {
  pgfix f;
  insert s, other;
  ldr_tx *tx;
  if (!open_proven(&f)) return;
  prove_in_tx(&f);
  tx = pg_begin(&f);
  CHECK_INT(send(&f, tx, "i1", &s), LDR_PENDING);
  CHECK_INT(send(&f, tx, "i2", &other), LDR_INVALID); /* one statement at a time */
  CHECK_INT(finish(&f, &s), LDR_OK);
  CHECK(s.result.as_given);
  CHECK_INT(send(&f, tx, "i3", &s), LDR_PENDING);
  CHECK_INT(finish(&f, &s), LDR_OK);
  CHECK_INT(send(&f, tx, "i3", &s), LDR_PENDING);
  CHECK_INT(finish(&f, &s), LDR_CONFLICT);
  CHECK_INT(pg_commit(&f, tx), LDR_CONFLICT);
  tx = pg_begin(&f);
  CHECK_INT(send(&f, tx, "i4", &s), LDR_PENDING);
  CHECK_INT(finish(&f, &s), LDR_OK);
  CHECK_INT(pg_commit(&f, tx), LDR_OK);
  CHECK_INT(pg_count(&f), 4);
  pg_close(&f);
}

/* As a coroutine that is killed while its call waits. */
TEST(one_that_is_given_up_leaves_a_clean_pool) {
  pgfix f;
  insert s;
  size_t live = ldr_mem_live();
  ldr_tx *tx;
  if (!open_proven(&f)) return;
  prove_in_tx(&f);
  tx = pg_begin(&f);
  CHECK_INT(send(&f, tx, "i1", &s), LDR_PENDING);
  s.task->ops->free(s.task);
  CHECK_INT(pg_insert(&f, tx, "i2", "i2"), LDR_CLOSED);
  pg_rollback(&f, tx);
  check_works(&f, "i3");
  CHECK_INT(send(&f, NULL, "i4", &s), LDR_PENDING);
  s.task->ops->free(s.task);
  check_works(&f, "i5");
  check_works(&f, "i6");
  CHECK_STR(pg_text(&f, NULL, "select string_agg(id, ' ') from ldr_test.items where id in ('i1', 'i2')"), "");
  pg_close(&f);
  pg_settle(live);
}

TEST(the_engine_or_the_transaction_may_end_under_it) {
  pgfix f;
  insert s;
  size_t live = ldr_mem_live();
  ldr_tx *tx;
  if (!open_proven(&f)) return;
  prove_in_tx(&f);
  tx = pg_begin(&f);
  CHECK_INT(send(&f, tx, "i1", &s), LDR_PENDING);
  f.db->ops->abandon(tx);
  CHECK_INT(finish(&f, &s), LDR_CLOSED);
  check_works(&f, "i2");
  check_works(&f, "i3");
  CHECK_INT(send(&f, NULL, "i4", &s), LDR_PENDING);
  f.db->ops->close(f.db);
  f.db = NULL;
  CHECK_INT(finish(&f, &s), LDR_CLOSED);
  pg_close(&f);
  pg_settle(live);
}

TEST(the_line_may_end_under_it) {
  pgfix f, other;
  insert s;
  ldr_tx *lock;
  int pid;
  if (!open_proven(&f)) return;
  CHECK(pg_open_with(&other, NULL, NULL));
  pid = pg_pid(&f, NULL);
  lock = pg_begin(&other);
  CHECK_INT(pg_do(&other, lock, "lock table ldr_test.items"), LDR_OK);
  CHECK_INT(send(&f, NULL, "i1", &s), LDR_PENDING);
  pg_kill(&other, pid);
  CHECK_INT(finish(&f, &s), LDR_CONNECTION);
  pg_rollback(&other, lock);
  check_works(&f, "i2");
  pg_close(&other);
  pg_close(&f);
}

/* What the caller does meanwhile does not count, but waiting does. */
TEST(its_deadline_is_kept) {
  pgfix f, other;
  insert s;
  size_t live = ldr_mem_live();
  ldr_tx *lock;
  ldr_request *rq;
  if (!open_proven(&f)) return;
  CHECK(pg_open_with(&other, NULL, NULL));
  lock = pg_begin(&other);
  CHECK_INT(pg_do(&other, lock, "lock table ldr_test.items"), LDR_OK);
  CHECK_INT(send(&f, NULL, "i1", &s), LDR_PENDING);
  rq = (ldr_request *)s.task;
  rq->deadline = rq->task.deadline = ldr_deadline(0.2);
  CHECK_INT(finish(&f, &s), LDR_TIMEOUT);
  pg_rollback(&other, lock);
  CHECK_INT(send(&f, NULL, "i2", &s), LDR_PENDING);
  rq = (ldr_request *)s.task;
  rq->deadline = rq->task.deadline = ldr_now_mono() - 50000000;
  rq->left_at = ldr_now_mono() - 60000000;
  CHECK_INT(finish(&f, &s), LDR_OK);
  CHECK(s.result.as_given);
  CHECK_STR(pg_text(&f, NULL, "select string_agg(id, ' ' order by id) from ldr_test.items"), "first i2");
  pg_close(&other);
  pg_close(&f);
  pg_settle(live);
}

void test_ahead(void);
void test_ahead(void) {
  if (!pg_available("ahead")) return;
  RUN(a_proven_insert_frees_its_caller);
  RUN(what_is_expected_may_not_come);
  RUN(a_transaction_goes_on_behind_it);
  RUN(one_that_is_given_up_leaves_a_clean_pool);
  RUN(the_engine_or_the_transaction_may_end_under_it);
  RUN(the_line_may_end_under_it);
  RUN(its_deadline_is_kept);
}

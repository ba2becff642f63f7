/* Bulk loads, scans, COPY, scripts and pipelines on PostgreSQL. Needs a server. */
#include <stdlib.h>

#include "base/clock.h"
#include "postgres/request/submit.h"
#include "support/pgfix.h"
#include "support/test.h"

enum { MANY = 10000 };

static ldr_batch *batch_of(pgfix *f, int from, int n, const char *prefix) {
  ldr_batch *b = NULL;
  CHECK_INT(ldr_batch_new(f->items, &b, &f->err), LDR_OK);
  for (int i = from; b && i < from + n; i++) {
    char id[24], name[48];
    ldr_value row[I_COUNT];
    ldr_row *packed;
    snprintf(id, sizeof id, "k%06d", i);
    snprintf(name, sizeof name, "%s%d", prefix, i);
    pg_item(row, id, name, i);
    if (ldr_row_pack(f->items, row, &packed, &f->err) != LDR_OK) continue;
    CHECK_INT(ldr_batch_add(b, packed, &f->err), LDR_OK);
  }
  return b;
}

static ldr_code load(pgfix *f, ldr_tx *tx, const ldr_batch *b, ldr_conflict how, int64_t *loaded) {
  return f->db->ops->load(f->db, tx, b, how, &pg_block, loaded, NULL, &f->err);
}

TEST(load_is_all_or_nothing) {
  pgfix f;
  ldr_batch *b;
  int64_t n = -1;
  if (!pg_open(&f, NULL)) return;
  b = batch_of(&f, 0, MANY, "n");
  CHECK_INT(pg_insert(&f, NULL, "k009999", "in the way"), LDR_OK);
  CHECK_INT(load(&f, NULL, b, LDR_CONFLICT_ERROR, &n), LDR_CONFLICT);
  CHECK_STR(f.err.constraint, "items_pkey");
  CHECK_INT(n, -1);
  CHECK_INT(pg_count(&f), 1);
  CHECK_INT(pg_do(&f, NULL, "delete from ldr_test.items"), LDR_OK);
  CHECK_INT(load(&f, NULL, b, LDR_CONFLICT_ERROR, &n), LDR_OK);
  CHECK_INT(n, MANY);
  CHECK_INT(pg_count(&f), MANY);
  CHECK_STR(pg_text(&f, NULL, "select name from ldr_test.items where id = 'k000042'"), "n42");
  CHECK_INT(pg_stats(&f).total, 1); /* the connection was good all the time */
  ldr_batch_free(b);
  pg_close(&f);
}

TEST(load_skips_or_replaces) {
  pgfix f;
  ldr_batch *old, *new;
  int64_t n = 0;
  if (!pg_open(&f, NULL)) return;
  old = batch_of(&f, 0, MANY, "old");
  new = batch_of(&f, MANY / 2, MANY, "new");
  CHECK_INT(load(&f, NULL, old, LDR_CONFLICT_SKIP, &n), LDR_OK);
  CHECK_INT(n, MANY);
  CHECK_INT(load(&f, NULL, new, LDR_CONFLICT_SKIP, &n), LDR_OK);
  CHECK_INT(n, MANY / 2);
  CHECK_STR(pg_text(&f, NULL, "select count(*) from ldr_test.items where name like 'new%'"), "5000");
  CHECK_INT(load(&f, NULL, new, LDR_CONFLICT_UPDATE, &n), LDR_OK);
  CHECK_INT(n, MANY);
  CHECK_STR(pg_text(&f, NULL, "select count(*) from ldr_test.items where name like 'new%'"), "10000");
  CHECK_INT(pg_count(&f), MANY + MANY / 2);
  ldr_batch_free(old);
  ldr_batch_free(new);
  pg_close(&f);
}

TEST(of_two_rows_with_one_key_the_last_wins) {
  pgfix f;
  ldr_batch *b, *more;
  int64_t n = 0;
  if (!pg_open(&f, NULL)) return;
  b = batch_of(&f, 1, 1, "first");
  more = batch_of(&f, 1, 1, "last");
  CHECK_INT(ldr_batch_add(b, ldr_row_retain(more->rows[0]), &f.err), LDR_OK);
  CHECK_INT(load(&f, NULL, b, LDR_CONFLICT_UPDATE, &n), LDR_OK);
  CHECK_INT(n, 1);
  CHECK_STR(pg_text(&f, NULL, "select name from ldr_test.items"), "last1");
  ldr_batch_free(b);
  ldr_batch_free(more);
  pg_close(&f);
}

/* A load whose caller does something else meanwhile; n: rows loaded. */
static ldr_code load_ahead(pgfix *f, ldr_tx *tx, const ldr_batch *b, int64_t away_us, int64_t *n) {
  const ldr_call call = {.deadline = ldr_deadline(30), .block = true, .ahead = true};
  ldr_task *t = NULL;
  ldr_code code = f->db->ops->load(f->db, tx, b, LDR_CONFLICT_ERROR, &call, n, &t, &f->err);
  ldr_request *rq = (ldr_request *)t;
  if (code != LDR_PENDING) return code;
  rq->left_at -= away_us; /* as if the caller had been away for so long */
  rq->deadline -= away_us;
  rq->task.deadline -= away_us;
  do {
    CHECK(ldr_task_wait(t, LDR_NEVER));
    code = t->ops->step(t, &f->err);
  } while (code == LDR_PENDING);
  *n = t->result.affected;
  t->ops->free(t);
  return code;
}

TEST(a_load_goes_on_while_its_caller_is_away) {
  pgfix f;
  ldr_batch *b, *more, *again;
  ldr_tx *tx;
  int64_t n = 0;
  if (!pg_open(&f, NULL)) return;
  b = batch_of(&f, 0, MANY, "n");
  more = batch_of(&f, MANY, MANY, "n");
  again = batch_of(&f, MANY / 2, MANY, "n");
  tx = pg_begin(&f);
  CHECK_INT(load_ahead(&f, tx, b, 0, &n), LDR_OK);
  CHECK_INT(n, MANY);
  CHECK_INT(load_ahead(&f, tx, more, INT64_C(60000000), &n), LDR_OK); /* twice as long as it may take */
  CHECK_INT(n, MANY);
  CHECK_INT(pg_commit(&f, tx), LDR_OK);
  CHECK_INT(load_ahead(&f, NULL, again, 0, &n), LDR_CONFLICT);
  CHECK_STR(f.err.constraint, "items_pkey");
  CHECK_INT(pg_count(&f), 2 * MANY);
  ldr_batch_free(b);
  ldr_batch_free(more);
  ldr_batch_free(again);
  pg_close(&f);
}

TEST(load_in_a_transaction) {
  pgfix f;
  ldr_batch *b;
  ldr_tx *tx;
  int64_t n = 0;
  if (!pg_open(&f, NULL)) return;
  b = batch_of(&f, 0, 100, "n");
  tx = pg_begin(&f);
  CHECK_INT(load(&f, tx, b, LDR_CONFLICT_ERROR, &n), LDR_OK);
  CHECK_INT(load(&f, tx, b, LDR_CONFLICT_SKIP, &n), LDR_OK);
  CHECK_INT(n, 0);
  CHECK_INT(f.db->ops->savepoint(tx, &f.err), LDR_OK);
  CHECK_INT(load(&f, tx, b, LDR_CONFLICT_ERROR, &n), LDR_CONFLICT);
  CHECK_INT(f.db->ops->rollback_to(tx, &f.err), LDR_OK);
  CHECK_INT(load(&f, tx, b, LDR_CONFLICT_UPDATE, &n), LDR_OK);
  CHECK_INT(n, 100);
  CHECK_INT(pg_count(&f), 0);
  CHECK_INT(pg_commit(&f, tx), LDR_OK);
  CHECK_INT(pg_count(&f), 100);
  ldr_batch_free(b);
  pg_close(&f);
}

TEST(loaded_numbers_are_not_given_out_again) {
  pgfix f;
  ldr_batch *b = NULL;
  ldr_row *row = NULL;
  int64_t n = 0;
  const ldr_value line[L_COUNT] = {pg_str("acme"), ldr_int(500), pg_str("i1")};
  if (!pg_open(&f, NULL)) return;
  CHECK_INT(pg_insert(&f, NULL, "i1", "one"), LDR_OK);
  for (int round = 0; round < 2; round++) { /* plain, then through the staging table */
    CHECK_INT(ldr_batch_new(f.lines, &b, &f.err), LDR_OK);
    CHECK_INT(ldr_row_pack(f.lines, line, &row, &f.err), LDR_OK);
    CHECK_INT(ldr_batch_add(b, row, &f.err), LDR_OK);
    CHECK_INT(load(&f, NULL, b, round ? LDR_CONFLICT_SKIP : LDR_CONFLICT_ERROR, &n), LDR_OK);
    CHECK_INT(n, 1);
    CHECK_STR(
        pg_text(&f, NULL, "insert into ldr_test.lines(tenant, item) values ('acme', 'i1') returning id"),
        "501");
    CHECK_INT(pg_do(&f, NULL, "truncate ldr_test.lines restart identity"), LDR_OK);
    ldr_batch_free(b);
  }
  pg_close(&f);
}

static ldr_code scan_all(pgfix *f, ldr_tx *tx, size_t max, size_t *rows, ldr_checksum *sum) {
  ldr_scan *s = NULL;
  ldr_batch *b = NULL;
  ldr_code code = f->db->ops->scan(f->db, tx, f->items, &pg_block, &s, &f->err);
  *rows = 0;
  while (code == LDR_OK) {
    code = s->next(s, max, &pg_block, &b, &f->err);
    if (code || b == NULL) break;
    *rows += b->n;
    code = ldr_checksum_add(sum, b, &f->err);
    ldr_batch_free(b);
  }
  if (s) s->close(s);
  return code;
}

TEST(scan_gives_back_what_was_loaded) {
  size_t live = ldr_mem_live();
  pgfix f;
  ldr_batch *b;
  ldr_checksum in = {0}, out = {0};
  ldr_scan *s = NULL;
  ldr_tx *tx;
  size_t rows;
  int64_t n = 0;
  if (!pg_open(&f, NULL)) return;
  b = batch_of(&f, 0, MANY, "n");
  CHECK_INT(load(&f, NULL, b, LDR_CONFLICT_ERROR, &n), LDR_OK);
  CHECK_INT(ldr_checksum_add(&in, b, &f.err), LDR_OK);
  CHECK_INT(scan_all(&f, NULL, 777, &rows, &out), LDR_OK);
  CHECK_INT(rows, MANY);
  CHECK(in.lo == out.lo && in.hi == out.hi && in.rows == out.rows);
  ldr_batch_free(b);
  tx = pg_begin(&f);
  CHECK_INT(f.db->ops->scan(f.db, tx, f.items, &pg_block, &s, &f.err), LDR_OK);
  CHECK_INT(s->next(s, 10, &pg_block, &b, &f.err), LDR_OK);
  CHECK_INT(b->n, 10);
  ldr_batch_free(b);
  CHECK_INT(pg_insert(&f, tx, "i1", "one"), LDR_INVALID); /* the scan has the connection */
  s->close(s);                                            /* early: the transaction lives on */
  CHECK_INT(pg_insert(&f, tx, "i1", "one"), LDR_OK);
  CHECK_INT(pg_commit(&f, tx), LDR_OK);
  CHECK_INT(f.db->ops->scan(f.db, NULL, f.items, &pg_block, &s, &f.err), LDR_OK);
  CHECK_INT(s->next(s, 10, &pg_block, &b, &f.err), LDR_OK);
  ldr_batch_free(b);
  s->close(s);
  CHECK_INT(pg_count(&f), MANY + 1);
  CHECK_INT(pg_stats(&f).busy, 0);
  pg_close(&f);
  pg_settle(live);
}

/* ---- COPY and scripts ---- */

TEST(copy_in_and_out) {
  static const char *const no_copies[] = {"select 1",
                                          "",
                                          "delete from ldr_test.items",
                                          "commit and chain",
                                          "delete from ldr_test.items; copy ldr_test.items (id) to stdout",
                                          "copy (select 1) to stdout; delete from ldr_test.items",
                                          "copy ldr_test.items (id) from stdin;\ndelete from ldr_test.items"};
  static const char in[] = "copy ldr_test.items (tenant, id, name, n, at) from stdin",
                    out[] = "copy (select id from ldr_test.items order by id) to stdout";
  static const char rows[] = "acme\ti1\tone\t1\t2026-01-01\nacme\ti2\ttwo\t2\t2026-01-01\n";
  pgfix f;
  ldr_tx *s = NULL;
  const char *p = NULL;
  char got[64] = "";
  size_t n = 0;
  int64_t copied = 0;
  if (!pg_open(&f, NULL)) return;
  CHECK_INT(ldr_pg_session(f.db, &pg_block, &s, &f.err), LDR_OK);
  CHECK_INT(ldr_pg_copy_in_begin(s, in, &pg_block, &f.err), LDR_OK);
  CHECK_INT(ldr_pg_copy_in_data(s, rows, 20, &pg_block, &f.err), LDR_OK);
  CHECK_INT(pg_do(&f, s, "select 1"), LDR_INVALID);
  CHECK_INT(ldr_pg_copy_in_data(s, rows + 20, sizeof rows - 21, &pg_block, &f.err), LDR_OK);
  CHECK_INT(ldr_pg_copy_in_end(s, NULL, &pg_block, &copied, &f.err), LDR_OK);
  CHECK_INT(copied, 2);
  CHECK_INT(ldr_pg_copy_in_begin(s, in, &pg_block, &f.err), LDR_OK);
  CHECK_INT(ldr_pg_copy_in_end(s, "not today", &pg_block, &copied, &f.err), LDR_CANCELED);
  CHECK_INT(ldr_pg_copy_in_begin(s, in, &pg_block, &f.err), LDR_OK);
  CHECK_INT(ldr_pg_copy_in_data(s, rows, sizeof rows - 1, &pg_block, &f.err), LDR_OK);
  CHECK_INT(ldr_pg_copy_in_end(s, NULL, &pg_block, &copied, &f.err), LDR_CONFLICT);
  CHECK_INT(ldr_pg_copy_out_begin(s, out, &pg_block, &f.err), LDR_OK);
  while (ldr_pg_copy_out_data(s, &pg_block, &p, &n, &f.err) == LDR_OK && p)
    snprintf(got + strlen(got), sizeof got - strlen(got), "%.*s", (int)n, p);
  CHECK_STR(got, "i1\ni2\n");
  for (size_t i = 0; i < sizeof no_copies / sizeof *no_copies; i++) {
    CHECK_INT(ldr_pg_copy_out_begin(s, no_copies[i], &pg_block, &f.err), LDR_INVALID);
    CHECK_INT(ldr_pg_copy_in_begin(s, no_copies[i], &pg_block, &f.err), LDR_INVALID);
  }
  CHECK_INT(ldr_pg_copy_in_begin(s, out, &pg_block, &f.err), LDR_INVALID);  /* in the other direction */
  CHECK_STR(pg_text(&f, NULL, "select count(*) from ldr_test.items"), "2"); /* nothing was run */
  CHECK_INT(ldr_pg_copy_in_begin(s, "copy nothing_here from stdin", &pg_block, &f.err), LDR_SYNTAX);
  CHECK_STR(pg_text(&f, s, "select 1"), "1");
  pg_rollback(&f, s);
  pg_close(&f);
}

TEST(scripts_name_the_line_of_a_fault) {
  pgfix f;
  ldr_tx *s = NULL, *tx;
  if (!pg_open(&f, NULL)) return;
  CHECK_INT(ldr_pg_session(f.db, &pg_block, &s, &f.err), LDR_OK);
  CHECK_INT(ldr_pg_script(s, "create table ldr_test.a (x int);\ndo $$ begin raise notice 'x'; end $$;\n",
                          &pg_block, &f.err),
            LDR_OK);
  CHECK_INT(ldr_pg_script(s, "select 1;\n-- é\nselect 2;\nselec 3;", &pg_block, &f.err), LDR_SYNTAX);
  CHECK_INT(f.err.line, 4);
  CHECK_INT(f.err.place, 1);
  CHECK_INT(ldr_pg_script(s, "set larder.x = '1'", &pg_block, &f.err), LDR_OK);
  CHECK_STR(pg_text(&f, s, "select current_setting('larder.x')"), "1");
  CHECK(ldr_pg_backend_pid(s) > 0);
  CHECK_INT(ldr_pg_script(s, "copy ldr_test.a from stdin", &pg_block, &f.err), LDR_UNSUPPORTED);
  CHECK_INT(ldr_pg_script(s, "select 1", &pg_block, &f.err), LDR_CLOSED);
  pg_rollback(&f, s);
  tx = pg_begin(&f);
  CHECK_INT(ldr_pg_script(tx, "insert into ldr_test.a values (1);\ninsert into ldr_test.a values (2);\nboom",
                          &pg_block, &f.err),
            LDR_SYNTAX);
  CHECK_INT(f.err.line, 3);
  CHECK_INT(f.err.place, 1);
  pg_rollback(&f, tx);
  tx = pg_begin(&f);
  CHECK_INT(ldr_pg_script(tx, "insert into ldr_test.a values (1)", &pg_block, &f.err), LDR_OK);
  CHECK_INT(pg_commit(&f, tx), LDR_OK);
  CHECK_STR(pg_text(&f, NULL, "select count(*) from ldr_test.a"), "1");
  pg_close(&f);
}

/* ---- pipelines ---- */

enum { PIECES = 200 };

typedef struct pipe {
  ldr_item items[PIECES];
  ldr_stmt *stmts[PIECES];
  ldr_result results[PIECES];
  ldr_err *errs[PIECES];
} pipe_set;

static void add_sql(pgfix *f, pipe_set *p, int i, const char *sql) {
  CHECK_INT(ldr_pg_prepare(f->db, NULL, sql, strlen(sql), &pg_block, &p->stmts[i], NULL, &f->err), LDR_OK);
  p->items[i].stmt = p->stmts[i];
}

static void free_pipe(pipe_set *p, int n) {
  for (int i = 0; i < n; i++) {
    ldr_rows_free(p->results[i].rows);
    ldr_free(p->errs[i]);
    ldr_stmt_release(p->stmts[i]);
  }
}

static ldr_code run_pipe(pgfix *f, pipe_set *p, size_t n, bool atomic, ldr_tx *tx) {
  return ldr_pg_pipeline(f->db, tx, p->items, n, atomic, &pg_block, p->results, p->errs, NULL, &f->err);
}

static long long int_of(const pipe_set *p, int i) {
  ldr_err err;
  ldr_value v = {0};
  if (p->results[i].rows) CHECK_INT(ldr_rows_cell(p->results[i].rows, 0, 0, &v, &err), LDR_OK);
  return v.u.i;
}

TEST(pipelines_evict_no_statement_in_use) {
  pgfix f;
  ldr_pool_config c = pg_config(1);
  pipe_set p = {0};
  c.statement_cache = 8;
  if (!pg_open(&f, &c)) return;
  for (int i = 0; i < PIECES; i++) {
    char sql[40];
    snprintf(sql, sizeof sql, "select %d", i);
    add_sql(&f, &p, i, sql);
  }
  for (int round = 0; round < 4; round++) {
    CHECK_INT(run_pipe(&f, &p, PIECES, round % 2, NULL), LDR_OK);
    for (int i = 0; i < PIECES; i++) {
      CHECK(p.errs[i] == NULL);
      CHECK_INT(int_of(&p, i), i);
      ldr_rows_free(p.results[i].rows);
      p.results[i].rows = NULL;
    }
  }
  CHECK_STR(pg_text(&f, NULL, "select count(*) from pg_prepared_statements"), "8");
  CHECK_INT(pg_stats(&f).retries_stale, 0);
  free_pipe(&p, PIECES);
  pg_close(&f);
}

static void three_with_a_fault(pgfix *f, pipe_set *p) {
  *p = (pipe_set){0};
  add_sql(f, p, 0, "update ldr_test.items set n = n + 10");
  add_sql(f, p, 1, "select 1 / (n - n) from ldr_test.items");
  add_sql(f, p, 2, "update ldr_test.items set n = n + 100");
}

TEST(pipeline_errors_are_isolated_or_atomic) {
  pgfix f;
  pipe_set p;
  ldr_tx *tx;
  if (!pg_open(&f, NULL)) return;
  CHECK_INT(pg_insert(&f, NULL, "i1", "one"), LDR_OK);
  three_with_a_fault(&f, &p);
  CHECK_INT(run_pipe(&f, &p, 3, false, NULL), LDR_OK);
  CHECK(p.errs[0] == NULL && p.errs[2] == NULL && p.errs[1] != NULL);
  if (p.errs[1]) CHECK_STR(p.errs[1]->sqlstate, "22012");
  CHECK_INT(p.results[2].affected, 1);
  CHECK_STR(pg_text(&f, NULL, "select n from ldr_test.items"), "111");
  free_pipe(&p, 3);
  three_with_a_fault(&f, &p);
  CHECK_INT(run_pipe(&f, &p, 3, true, NULL), LDR_OK);
  for (int i = 0; i < 3; i++)
    CHECK_INT(p.errs[i] ? p.errs[i]->code : LDR_OK, i == 1 ? LDR_INVALID : LDR_CANCELED);
  CHECK_STR(pg_text(&f, NULL, "select n from ldr_test.items"), "111");
  free_pipe(&p, 3);
  three_with_a_fault(&f, &p);
  tx = pg_begin(&f);
  CHECK_INT(run_pipe(&f, &p, 1, true, tx), LDR_OK);
  ldr_rows_free(p.results[0].rows);
  CHECK_INT(run_pipe(&f, &p, 3, true, tx), LDR_OK);
  CHECK(p.errs[1] != NULL);
  CHECK_INT(pg_insert(&f, tx, "i2", "two"), LDR_CLOSED);
  pg_rollback(&f, tx);
  CHECK_STR(pg_text(&f, NULL, "select n from ldr_test.items"), "111");
  free_pipe(&p, 3);
  CHECK_INT(pg_stats(&f).busy, 0);
  pg_close(&f);
}

TEST(a_pipeline_heals_after_ddl) {
  pgfix f;
  pipe_set p = {0};
  if (!pg_open(&f, NULL)) return;
  CHECK_INT(pg_insert(&f, NULL, "i1", "one"), LDR_OK);
  add_sql(&f, &p, 0, "select * from ldr_test.items");
  add_sql(&f, &p, 1, "select 5");
  CHECK_INT(run_pipe(&f, &p, 2, false, NULL), LDR_OK);
  for (int i = 0; i < 2; i++) ldr_rows_free(p.results[i].rows);
  for (int atomic = 0; atomic < 2; atomic++) {
    CHECK_INT(
        pg_do(&f, NULL,
              atomic ? "alter table ldr_test.items drop extra" : "alter table ldr_test.items add extra int"),
        LDR_OK);
    CHECK_INT(run_pipe(&f, &p, 2, atomic, NULL), LDR_OK);
    CHECK(p.errs[0] == NULL && p.errs[1] == NULL);
    CHECK_INT(p.results[0].rows ? p.results[0].rows->nrows : 0, 1);
    CHECK_INT(int_of(&p, 1), 5);
    for (int i = 0; i < 2; i++) ldr_rows_free(p.results[i].rows);
    p.results[0].rows = p.results[1].rows = NULL;
  }
  free_pipe(&p, 2);
  pg_close(&f);
}

TEST(big_statements_with_big_answers) {
  enum { SIZE = 1 << 20, N = 40 };
  pgfix f;
  pipe_set p = {0};
  char *big = calloc(1, SIZE);
  ldr_value v = ldr_text(big, SIZE);
  ldr_err err;
  ldr_value got;
  if (big == NULL || !pg_open(&f, NULL)) return;
  memset(big, 'x', SIZE);
  for (int i = 0; i < N; i++) {
    add_sql(&f, &p, i, "select $1::text || 'y'");
    p.items[i].values = &v;
  }
  for (int atomic = 0; atomic < 2; atomic++) {
    CHECK_INT(run_pipe(&f, &p, N, atomic, NULL), LDR_OK);
    for (int i = 0; i < N; i++) {
      CHECK(p.errs[i] == NULL);
      if (p.results[i].rows && ldr_rows_cell(p.results[i].rows, 0, 0, &got, &err) == LDR_OK)
        CHECK_INT(got.n, SIZE + 1);
      ldr_rows_free(p.results[i].rows);
      p.results[i].rows = NULL;
    }
  }
  free_pipe(&p, N);
  free(big);
  pg_close(&f);
}

TEST(a_pipeline_stops_at_its_deadline) {
  size_t live = ldr_mem_live();
  pgfix f;
  pipe_set p = {0};
  ldr_call call = {.deadline = 0, .block = true};
  int64_t start;
  if (!pg_open(&f, NULL)) return;
  add_sql(&f, &p, 0, "select 1");
  add_sql(&f, &p, 1, "select pg_sleep(20)");
  add_sql(&f, &p, 2, "select 2");
  call.deadline = ldr_deadline(0.1);
  start = ldr_now_mono();
  CHECK_INT(ldr_pg_pipeline(f.db, NULL, p.items, 3, false, &call, p.results, p.errs, NULL, &f.err), LDR_OK);
  CHECK(ldr_now_mono() - start < 2500000);
  CHECK(p.errs[0] == NULL);
  CHECK_INT(p.errs[1] ? p.errs[1]->code : LDR_OK, LDR_TIMEOUT);
  free_pipe(&p, 3);
  CHECK_STR(pg_text(&f, NULL, "select 1"), "1");
  pg_close(&f);
  pg_settle(live);
}

/* ---- memory ---- */

static bool bulk_on_a_new_engine(void) {
  size_t live = ldr_mem_live();
  pgfix f;
  pipe_set p = {0};
  ldr_batch *b = NULL;
  ldr_row *row = NULL;
  ldr_value line[I_COUNT];
  ldr_checksum sum = {0};
  size_t rows = 0;
  int64_t n = 0;
  bool ok = pg_open_with(&f, NULL, NULL);
  for (int i = 0; ok && i < 3; i++) {
    ok = ldr_pg_prepare(f.db, NULL, "select 7", 8, &pg_block, &p.stmts[i], NULL, &f.err) == LDR_OK;
    p.items[i].stmt = p.stmts[i];
  }
  for (int atomic = 0; atomic < 2 && ok; atomic++) {
    ok = run_pipe(&f, &p, 3, atomic, NULL) == LDR_OK && p.results[2].rows != NULL;
    for (int i = 0; i < 3; i++) {
      ldr_rows_free(p.results[i].rows);
      ldr_free(p.errs[i]);
      p.results[i].rows = NULL;
      p.errs[i] = NULL;
    }
  }
  pg_item(line, "i1", "one", 1);
  ok = ok && ldr_batch_new(f.items, &b, &f.err) == LDR_OK;
  ok = ok && ldr_row_pack(f.items, line, &row, &f.err) == LDR_OK;
  ok = ok && ldr_batch_add(b, row, &f.err) == LDR_OK;
  ok = ok && load(&f, NULL, b, LDR_CONFLICT_UPDATE, &n) == LDR_OK;
  ok = ok && scan_all(&f, NULL, 10, &rows, &sum) == LDR_OK && rows == 1;
  ldr_batch_free(b);
  free_pipe(&p, 3);
  if (f.db) CHECK_INT(pg_stats(&f).busy, 0);
  pg_close(&f);
  pg_settle(live);
  return ok && !ldr_mem_failed();
}

TEST(short_memory_in_bulk_work_leaks_nothing) {
  pgfix f;
  if (!pg_open(&f, NULL)) return;
  test_oom("bulk work", bulk_on_a_new_engine);
  CHECK_INT(pg_count(&f), 1);
  pg_close(&f);
}

void test_bulk(void);
void test_bulk(void) {
  if (!pg_available("pgbulk")) return;
  RUN(load_is_all_or_nothing);
  RUN(load_skips_or_replaces);
  RUN(of_two_rows_with_one_key_the_last_wins);
  RUN(a_load_goes_on_while_its_caller_is_away);
  RUN(load_in_a_transaction);
  RUN(loaded_numbers_are_not_given_out_again);
  RUN(scan_gives_back_what_was_loaded);
  RUN(copy_in_and_out);
  RUN(scripts_name_the_line_of_a_fault);
  RUN(pipelines_evict_no_statement_in_use);
  RUN(pipeline_errors_are_isolated_or_atomic);
  RUN(a_pipeline_heals_after_ddl);
  RUN(big_statements_with_big_answers);
  RUN(a_pipeline_stops_at_its_deadline);
  RUN(short_memory_in_bulk_work_leaks_nothing);
}

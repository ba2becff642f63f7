/* The migrator on a server, through a line that is cut at every place. */
#define _GNU_SOURCE
#include "migrate/migrator.h"

#include "base/clock.h"
#include "base/mem.h"
#include "support/dirfix.h"
#include "support/pgfix.h"
#include "support/pgproxy.h"
#include "support/test.h"

static ldr_err err;

static const ldr_migrator_config config = {.family = "lc", .connect_timeout = 10, .patience = 20};

static bool is_journal_there(pgfix *f) {
  return *pg_text(f, NULL, "select to_regclass('larder.migration_journal')") != '\0';
}

static void clean(pgfix *f) {
  pg_do(f, NULL, "drop schema if exists lc cascade");
  if (!is_journal_there(f)) return;
  pg_do(f, NULL, "delete from larder.schema_migrations where family = 'lc'");
  pg_do(f, NULL, "delete from larder.migration_journal where family = 'lc'");
  pg_do(f, NULL, "delete from larder.migration_history where family = 'lc'");
}

static ldr_code job(ldr_migrator *m, ldr_job j) {
  int64_t ms;
  ldr_code code = ldr_migrator_start(m, &j, &err);
  if (code) return code;
  CHECK(ldr_migrator_wait(m, LDR_NEVER));
  return ldr_migrator_result(m, &ms, &err);
}

static ldr_code run_all(ldr_migrator *m, bool resume) {
  const ldr_plan_request r = {.resume = resume};
  const ldr_step *steps;
  size_t n = 0;
  ldr_code code = job(m, (ldr_job){.kind = LDR_JOB_LOCK});
  if (code == LDR_OK) code = ldr_migrator_plan(m, &r, &steps, &n, &err);
  for (size_t i = 0; i < n && code == LDR_OK; i++) code = job(m, (ldr_job){.kind = LDR_JOB_STEP, .index = i});
  return code;
}

/* Applies what is pending in the directory over the engine. */
static ldr_code up(ldr_engine *e, const dirfix *d, bool resume) {
  ldr_migrations *files = NULL;
  ldr_migrator *m = NULL;
  ldr_code code;
  err = (ldr_err){0};
  code = ldr_migrations_read(d->path, &files, &err);
  if (code == LDR_OK) code = ldr_migrator_new(e, files, &config, &m, &err);
  if (code == LDR_OK) code = run_all(m, resume);
  ldr_migrator_free(m);
  return code;
}

static const char tables_sql[] =
    "select concat(to_regclass('lc.a') is not null, to_regclass('lc.b') is not null,"
    " (select count(*) from larder.schema_migrations where family = 'lc'))";

static void two_files(dirfix *d, const char *mark) {
  char text[256];
  dir_make(d);
  dir_write(d, "1_a.up.sql", "create schema lc; create table lc.a (i int);");
  snprintf(text, sizeof text, "%screate table lc.b (i int);\ninsert into lc.b values (1);\n", mark);
  dir_write(d, "2_b.up.sql", text);
}

TEST(jobs_one_after_the_other) {
  size_t live = ldr_mem_live();
  pgfix f;
  dirfix d;
  if (!pg_open(&f, NULL)) return;
  two_files(&d, "");
  clean(&f);
  CHECK_INT(up(f.db, &d, false), LDR_OK);
  CHECK_STR(pg_text(&f, NULL, tables_sql), "tt2");
  CHECK_INT(up(f.db, &d, false), LDR_OK);
  dir_write(&d, "3_c.up.sql", "select 1;\nselect 1/0;\n");
  CHECK_INT(up(f.db, &d, false), LDR_INVALID);
  CHECK_STR(err.sqlstate, "22012");
  CHECK_INT(err.line, 2);
  clean(&f);
  dir_remove(&d);
  pg_close(&f);
  pg_settle(live);
}

/* FT-27: the line is cut after every so many bytes from the server, COMMIT included. */
static void cut_everywhere(const char *mark) {
  size_t live = ldr_mem_live();
  pgproxy *p = pgproxy_start(pg_url());
  pgfix f, bad;
  dirfix d;
  bool cut = true;
  CHECK(p != NULL);
  if (p == NULL || !pg_open(&f, NULL)) return;
  two_files(&d, mark);
  CHECK(pg_open_with(&bad, NULL, pgproxy_settings(p)));
  for (size_t n = 1; cut && n < 100000; n += 61) {
    ldr_code code;
    const char *state;
    clean(&f);
    pgproxy_set(p, PGPROXY_CUT_AFTER, n);
    code = up(bad.db, &d, false);
    cut = pgproxy_done(p);
    if (code && err.code != LDR_CONNECTION && err.code != LDR_COMMIT_UNKNOWN)
      CHECK_STR(err.message, "a lost connection");
    pgproxy_set(p, PGPROXY_PASS, 0);
    state = pg_text(&f, NULL, tables_sql);
    if (*mark == '\0') CHECK(!strcmp(state, "ff0") || !strcmp(state, "tf1") || !strcmp(state, "tt2"));
    if (code == LDR_OK) CHECK_STR(state, "tt2");
    if (*mark && up(f.db, &d, true) && strstr(err.message, "already exists")) { /* it was done, unseen */
      pg_do(&f, NULL, "drop table lc.b");
      CHECK_INT(up(f.db, &d, true), LDR_OK);
    }
    CHECK_INT(up(f.db, &d, false), LDR_OK);
    CHECK_STR(pg_text(&f, NULL, tables_sql), "tt2");
  }
  CHECK(!cut); /* the last run went through */
  clean(&f);
  dir_remove(&d);
  pg_close(&bad);
  pg_close(&f);
  pgproxy_stop(p);
  pg_settle(live);
}

/* FT-27 */
TEST(a_line_cut_anywhere_in_transactions) { cut_everywhere(""); }

/* FT-27 */
TEST(a_line_cut_anywhere_without_a_transaction) { cut_everywhere("-- larder: no-transaction\n"); }

/* FT-27 */
TEST(the_answer_to_commit_is_lost) {
  static const pgproxy_mode modes[] = {PGPROXY_CUT_COMMIT, PGPROXY_CUT_COMMIT_REPLY};
  size_t live = ldr_mem_live();
  pgproxy *p = pgproxy_start(pg_url());
  pgfix f, bad;
  dirfix d;
  if (p == NULL || !pg_open(&f, NULL)) return;
  two_files(&d, "");
  CHECK(pg_open_with(&bad, NULL, pgproxy_settings(p)));
  for (size_t i = 0; i < 2; i++) {
    clean(&f);
    pgproxy_set(p, modes[i], 0);
    CHECK_INT(up(bad.db, &d, false), i == 0 ? LDR_CONNECTION : LDR_OK);
    CHECK(pgproxy_done(p));
    CHECK_STR(pg_text(&f, NULL, tables_sql), i == 0 ? "ff0" : "tt2");
  }
  clean(&f);
  dir_remove(&d);
  pg_close(&bad);
  pg_close(&f);
  pgproxy_stop(p);
  pg_settle(live);
}

TEST(given_up_while_a_statement_runs) {
  size_t live = ldr_mem_live();
  pgfix f;
  dirfix d;
  ldr_migrations *files = NULL;
  ldr_migrator *m = NULL;
  const ldr_plan_request r = {0};
  const ldr_step *steps;
  size_t n;
  if (!pg_open(&f, NULL)) return;
  dir_make(&d);
  dir_write(&d, "1_a.up.sql", "select pg_sleep(0.3); create schema lc; create table lc.a (i int);");
  clean(&f);
  CHECK_INT(ldr_migrations_read(d.path, &files, &err), LDR_OK);
  CHECK_INT(ldr_migrator_new(f.db, files, &config, &m, &err), LDR_OK);
  CHECK_INT(job(m, (ldr_job){.kind = LDR_JOB_LOCK}), LDR_OK);
  CHECK_INT(ldr_migrator_plan(m, &r, &steps, &n, &err), LDR_OK);
  CHECK_INT(ldr_migrator_start(m, &(ldr_job){.kind = LDR_JOB_STEP}, &err), LDR_OK);
  CHECK_INT(ldr_migrator_start(m, &(ldr_job){.kind = LDR_JOB_STEP}, &err), LDR_INVALID);
  CHECK(!ldr_migrator_done(m));
  CHECK(!ldr_migrator_wait(m, ldr_deadline(0.01)));
  ldr_migrator_free(m);
  pg_close(&f); /* its thread has a connection of its own */
  pg_settle(live);
  if (!pg_open(&f, NULL)) return;
  clean(&f);
  dir_remove(&d);
  pg_close(&f);
}

static const char bad_sums[] =
    "select count(*) from larder.migration_journal where checksum !~ '^[0-9a-f]{64}$'";

static pgfix oom_db;
static dirfix oom_dir;

/* Blocks of the migrator's thread go when it ends, so that they are counted once, at the end. */
TEST(without_memory_a_file_is_applied_or_not) {
  size_t live = ldr_mem_live();
  bool failed = true;
  if (!pg_open(&oom_db, NULL)) return;
  two_files(&oom_dir, "-- larder: no-transaction\n");
  for (long n = 1; failed && n < 20000; n += n < 300 ? 1 : 7) {
    ldr_code code;
    clean(&oom_db);
    ldr_mem_fail_at(n);
    code = up(oom_db.db, &oom_dir, true);
    failed = ldr_mem_failed();
    ldr_mem_fail_at(0);
    if (!failed) CHECK_INT(code, LDR_OK);
    if (is_journal_there(&oom_db)) CHECK_STR(pg_text(&oom_db, NULL, bad_sums), "0");
    if (code && code != LDR_CAPACITY) CHECK_STR(err.message, "out of memory");
  }
  CHECK(!failed);
  clean(&oom_db);
  dir_remove(&oom_dir);
  pg_close(&oom_db);
  pg_settle(live);
}

void test_migrator(void);
void test_migrator(void) {
  if (!pg_available("migrator")) return;
  RUN(jobs_one_after_the_other);
  RUN(a_line_cut_anywhere_in_transactions);
  RUN(a_line_cut_anywhere_without_a_transaction);
  RUN(the_answer_to_commit_is_lost);
  RUN(given_up_while_a_statement_runs);
  RUN(without_memory_a_file_is_applied_or_not);
}

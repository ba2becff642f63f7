#include "migrate/files.h"

#include "base/mem.h"
#include "support/dirfix.h"
#include "support/test.h"

static ldr_err err;

/* Reads a directory of these files (name, text, …, NULL); "" or the reason of the refusal. */
static const char *reason_of(const char *const *files, ldr_migrations **out) {
  dirfix d;
  ldr_migrations *m = NULL;
  ldr_code code;
  err = (ldr_err){0};
  dir_make(&d);
  for (; *files; files += 2) dir_write(&d, files[0], files[1]);
  code = ldr_migrations_read(d.path, &m, &err);
  dir_remove(&d);
  if (out)
    *out = m;
  else
    ldr_migrations_free(m);
  return code ? err.reason : "";
}

#define REASON(...) reason_of((const char *const[]){__VA_ARGS__, NULL}, NULL)

TEST(three_layouts_by_number) {
  ldr_migrations *m = NULL;
  const char *const files[] = {"10_ten.up.sql",
                               "select 10;",
                               "9_nine.up.sql",
                               "select 9;",
                               "9_nine.down.sql",
                               "select -9;",
                               "20240101000000_x.sql",
                               "-- migrate:up transaction:false\nselect 1;\n-- migrate:down\nselect 2;\n",
                               "11_data.lua",
                               "return {}",
                               NULL};
  CHECK_STR(reason_of(files, &m), "");
  if (m == NULL) return;
  CHECK_INT(m->n, 4);
  CHECK_INT(m->list[0].version, 9);
  CHECK_STR(m->list[0].down.sql, "select -9;");
  CHECK_INT(m->list[1].version, 10);
  CHECK(m->list[1].down.file == NULL);
  CHECK(m->list[2].lua);
  CHECK_STR(m->list[3].up.sql, "select 1;\n");
  CHECK(m->list[3].up.no_transaction && !m->list[3].down.no_transaction);
  CHECK_INT(m->list[3].up.line, 2);
  CHECK_INT(m->list[3].down.line, 4);
  CHECK(ldr_migrations_find(m, 10) == &m->list[1]);
  CHECK(ldr_migrations_find(m, 12) == NULL);
  ldr_migrations_free(m);
}

TEST(marks_and_checksums) {
  ldr_migrations *m = NULL, *crlf = NULL;
  const char *const unix_ends[] = {
      "1_a.up.sql", "-- about it\n-- larder: no-transaction\n-- larder: only plain\nvacuum;\n", NULL};
  const char *const dos_ends[] = {
      "1_a.up.sql", "-- about it\r\n-- larder: no-transaction\r\n-- larder: only plain\r\nvacuum;\r\n", NULL};
  CHECK_STR(reason_of(unix_ends, &m), "");
  CHECK_STR(reason_of(dos_ends, &crlf), "");
  if (m && crlf) {
    CHECK(m->list[0].up.no_transaction && m->list[0].only_plain);
    CHECK(crlf->list[0].up.no_transaction && crlf->list[0].only_plain);
    CHECK_STR(crlf->list[0].checksum, m->list[0].checksum);
  }
  ldr_migrations_free(m);
  ldr_migrations_free(crlf);
  CHECK_STR(REASON("1_a.up.sql", "-- larder: no-transactions\nselect 1;"), "mark");
}

/* FT-32 */
TEST(what_is_wrong_with_a_directory) {
  CHECK_STR(REASON("1_a.up.sql", "select 1;", "01_b.up.sql", "select 1;"), "duplicate");
  CHECK_STR(REASON("1_a.up.sql", "select 1;", "1_a.lua", "return {}"), "duplicate");
  CHECK_STR(REASON("1_a.up.sql", "select 1;", "1_b.down.sql", "select 1;"), "orphan");
  CHECK_STR(REASON("1_a.down.sql", "select 1;"), "orphan");
  CHECK_STR(REASON("1_a.up.sql", "\xEF\xBB\xBFselect 1;"), "bom");
  CHECK_STR(REASON("1_a.up.sql", "select 'caf\xE9';"), "encoding");
  CHECK_STR(REASON("1_a.up.sql", "\r\n \t"), "empty");
  CHECK_STR(REASON("a.up.sql", "select 1;"), "name");
  CHECK_STR(REASON("1_a.up.SQL", "select 1;"), "name");
  CHECK_STR(REASON("1_a.Up.sql", "select 1;"), "section");
  CHECK_STR(REASON("1_a b.up.sql", "select 1;"), "name");
  CHECK_STR(REASON("1234567890123456789_a.up.sql", "select 1;"), "name");
  CHECK_STR(REASON("1_.a.up.sql", "select 1;"), "name");
  CHECK_STR(REASON("1_v1.2-x.up.sql", "select 1;", "1_v1.2-x.down.sql", "select 1;"), "");
  CHECK_STR(REASON("1_a.sql", "select 1;"), "section");
  CHECK_STR(REASON("1_a.sql", "-- migrate:up\nselect 1;\n-- migrate:up\nselect 1;"), "section");
  CHECK_STR(REASON("1_a.up.sql", "select 1;", "readme.md", "not a migration", ".1_b.up.sql", "hidden"), "");
  CHECK_INT(ldr_migrations_read("/nowhere/at/all", &(ldr_migrations *){NULL}, &err), LDR_INVALID);
  CHECK_STR(err.reason, "no_directory");
}

/* reason, line, place of one text */
static void refused(const char *text, const char *reason, unsigned line, unsigned place) {
  CHECK_STR(REASON("1_a.up.sql", text), reason);
  CHECK_INT(err.line, line);
  CHECK_INT(err.place, place);
}

TEST(what_a_statement_may_not_do) {
  refused("select 1;\n commit;", "own_transaction", 2, 2);
  refused("select 1; begin;", "own_transaction", 1, 11);
  refused("-- larder: no-transaction\nbegin;\n", "own_transaction", 2, 1);
  refused("\n\nvacuum t;", "needs_mark", 3, 1);
  refused("create /* x */ index concurrently i on t (a);", "needs_mark", 1, 1);
  refused("select 1;\n\\i f.sql\n", "psql", 2, 1);
  refused("copy t from stdin;\n1\n\\.\n", "psql", 1, 1);
  refused("select $a$ $b$;", "text", 1, 8);
  refused("select 1;\nselect 2 \\gset\n", "psql", 2, 10);
  refused("select 1; /* /* */", "text", 1, 11);
  CHECK_STR(REASON("1_a.up.sql", "do $$ begin commit; end $$; select 'begin;'"), "");
  CHECK_STR(REASON("1_a.up.sql", "select 1;", "1_a.down.sql", "rollback;"), "own_transaction");
  CHECK_STR(err.file, "1_a.down.sql");
}

static bool read_some(void) {
  static const char *const files[] = {"1_a.up.sql",
                                      "create function f() returns int begin atomic select 1; end;",
                                      "1_a.down.sql",
                                      "drop function f();",
                                      "2_b.sql",
                                      "-- migrate:up\nselect 1;\n-- migrate:down\nselect 2;\n",
                                      NULL};
  return strcmp(reason_of(files, NULL), "") == 0 && err.code == LDR_OK;
}

TEST(reading_without_memory) { test_oom(__func__, read_some); }

/* A digest is whole, or an error. */
static bool digest_some(void) {
  char out[LDR_MIGRATION_CHECKSUM + 1] = "?";
  ldr_code code = ldr_migration_digest("select 1", 8, out, &err);
  CHECK_INT(code, ldr_mem_failed() ? LDR_CAPACITY : LDR_OK);
  CHECK_INT(strlen(out), code ? 1 : LDR_MIGRATION_CHECKSUM);
  return code == LDR_OK;
}

TEST(a_digest_without_memory) { test_oom(__func__, digest_some); }

void test_files(void);
void test_files(void) {
  RUN(three_layouts_by_number);
  RUN(marks_and_checksums);
  RUN(what_is_wrong_with_a_directory);
  RUN(what_a_statement_may_not_do);
  RUN(reading_without_memory);
  RUN(a_digest_without_memory);
}

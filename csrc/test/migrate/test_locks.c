#include "migrate/locks.h"

#include "base/mem.h"
#include "support/test.h"

/* "MODE table !" (! where there is a warning) */
static const char *lock_of(const char *sql) {
  static char out[256];
  ldr_table_lock lock;
  ldr_err err;
  if (ldr_lock_of(sql, strlen(sql), &lock, &err) != LDR_OK) return NULL;
  snprintf(out, sizeof out, "%s %s%s", lock.mode ? lock.mode : "-", lock.table, lock.warning ? " !" : "");
  return out;
}

TEST(locks_of_alter_table) {
  CHECK_STR(lock_of("alter table a.b add column c int"), "ACCESS EXCLUSIVE a.b");
  CHECK_STR(lock_of("ALTER TABLE IF EXISTS ONLY \"a\".b ALTER c SET NOT NULL"), "ACCESS EXCLUSIVE \"a\".b !");
  CHECK_STR(lock_of("alter table t alter column c type bigint"), "ACCESS EXCLUSIVE t !");
  CHECK_STR(lock_of("alter table t add constraint f foreign key (a) references u"),
            "SHARE ROW EXCLUSIVE t !");
  CHECK_STR(lock_of("alter table t add constraint f foreign key (a) references u not valid"),
            "SHARE ROW EXCLUSIVE t");
  CHECK_STR(lock_of("alter table t validate constraint f"), "SHARE UPDATE EXCLUSIVE t");
  CHECK_STR(lock_of("alter table t add constraint c check (a > 0)"), "ACCESS EXCLUSIVE t !");
  CHECK_STR(lock_of("alter table t add constraint c check (a > 0) not valid"), "ACCESS EXCLUSIVE t");
  CHECK_STR(lock_of("alter table t add constraint u unique (a)"), "ACCESS EXCLUSIVE t !");
  CHECK_STR(lock_of("alter table t add constraint u unique using index u"), "ACCESS EXCLUSIVE t");
  CHECK_STR(lock_of("alter table t add c uuid default gen_random_uuid()"), "ACCESS EXCLUSIVE t !");
  CHECK_STR(lock_of("alter table t alter c set default ' set not null '"), "ACCESS EXCLUSIVE t");
}

TEST(locks_of_other_statements) {
  CHECK_STR(lock_of("create index i on t (a)"), "SHARE t !");
  CHECK_STR(lock_of("create unique index concurrently i on a.t (a)"), "SHARE UPDATE EXCLUSIVE a.t");
  CHECK_STR(lock_of("create table t (a int)"), "- ");
  CHECK_STR(lock_of("create table t (a int references u on delete cascade)"), "SHARE ROW EXCLUSIVE u");
  CHECK_STR(lock_of("drop table if exists t"), "ACCESS EXCLUSIVE t !");
  CHECK_STR(lock_of("drop index i"), "ACCESS EXCLUSIVE ");
  CHECK_STR(lock_of("update t set a = 1"), "ROW EXCLUSIVE t !");
  CHECK_STR(lock_of("update t set a = 1 where b"), "ROW EXCLUSIVE t");
  CHECK_STR(lock_of("insert into t select ' where '"), "ROW EXCLUSIVE t");
  CHECK_STR(lock_of("comment on table t is 'x'"), "SHARE UPDATE EXCLUSIVE t");
  CHECK_STR(lock_of("select 1"), "- ");
  CHECK_STR(lock_of(""), "- ");
}

static int loses(const char *sql) {
  ldr_table_lock lock;
  ldr_err err;
  if (ldr_lock_of(sql, strlen(sql), &lock, &err) != LDR_OK) return -1;
  return lock.loses && lock.warning ? 1 : 0;
}

TEST(what_is_lost_for_good) {
  static const char *const lost[] = {"drop table t",
                                     "DROP SCHEMA a CASCADE",
                                     "truncate t",
                                     "delete from t where a",
                                     "alter table t drop price",
                                     "alter table t drop column if exists price",
                                     "alter table t drop constraint c, drop price",
                                     "alter table t add constraint c check (a > 0), drop \"default\"",
                                     "drop type mood cascade"};
  static const char *const kept[] = {"alter table t drop constraint c",
                                     "alter table t alter a drop not null, alter b drop default",
                                     "alter table t alter a drop identity if exists",
                                     "alter table t add b text default ' drop b '",
                                     "drop index i",
                                     "drop function f cascade",
                                     "drop type mood",
                                     "select ' drop table t '",
                                     "create table t (a int references u on delete cascade)"};
  for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) CHECK_INT(loses(lost[i]), 1);
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) CHECK_INT(loses(kept[i]), 0);
}

static bool one(void) { return lock_of("alter table t alter column c type bigint") != NULL; }

TEST(locks_without_memory) { test_oom(__func__, one); }

void test_locks(void);
void test_locks(void) {
  RUN(locks_of_alter_table);
  RUN(locks_of_other_statements);
  RUN(what_is_lost_for_good);
  RUN(locks_without_memory);
}

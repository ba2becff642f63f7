#include "sqltext/effects.h"

#include "sqltext/harmless.h"
#include "support/test.h"

enum {
  T = LDR_EFFECT_TRANSACTION,
  E = LDR_EFFECT_ENDS,
  O = LDR_EFFECT_OUTSIDE,
  S = LDR_EFFECT_SESSION,
  U = LDR_EFFECT_UTILITY
};

typedef struct row {
  const char *sql;
  unsigned effects;
} row;

static void check_rows(const row *rows, size_t n, unsigned mask) {
  for (size_t i = 0; i < n; i++) {
    unsigned got = ldr_sqltext_effects(rows[i].sql, strlen(rows[i].sql)) & mask;
    if (got != rows[i].effects) printf("    %s: %u, expected %u\n", rows[i].sql, got, rows[i].effects);
    CHECK_INT(got, rows[i].effects);
  }
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof rows / sizeof *rows, T | E | O | S | U)

TEST(rows_are_read_and_written_without_effects) {
  static const row rows[] = {
      {"", 0},
      {" -- nothing\n;", 0},
      {"select 1", 0},
      {"(select 1) union (select 2) order by (1)", 0},
      {"/* c */ SELECT count(*) FILTER (WHERE a IN (1, 2)) OVER (PARTITION BY (b)) FROM t AS u(a, b)", 0},
      {"select pg_catalog.now(), Lower(a), jsonb_build_object('a', 1), cast(a as numeric(10, 2)) from t", 0},
      {"insert into s.t (a, b) values ($1, $2) on conflict (a) do update set b = excluded.b returning a", 0},
      {"insert into \"t\" (\"a\") select a from unnest($1::int[]) as u(a)", 0},
      {"with recursive x (a) as materialized (select 1), y as (select 2) select * from x, y", 0},
      {"update t set a = coalesce($1, a) where exists (select 1 from u where u.a = any($2))", 0},
      {"delete from t using u where t.a = u.a", 0},
      {"merge into t using u on (t.a = u.a) when matched then update set b = u.b", 0},
      {"table t", 0},
      {"values (1), (2)", 0},
      {"select 'set_config(', \"pg_advisory_lock\", $$do $$, 1 -- notify(", 0},
      {"select nextval('s'), pg_notify('c', 'x'), pg_advisory_xact_lock(1), pg_advisory_unlock(1)", 0},
      {"select set_config('a.b', $1, true), set_config('a.c', lower($2), TRUE)", 0},
  };
  CHECK_ROWS(rows);
}

TEST(a_session_may_be_changed) {
  static const row rows[] = {
      {"select set_config('a.b', 'c', false)", S},
      {"select pg_catalog.set_config('a.b', 'c', $1)", S},
      {"select set_config('a', set_config('b', 'c', false), true)", S},
      {"with x as (select set_config('a.b', 'c', not true)) select * from x", S},
      {"update t set a = 1 returning set_config('a.b', 'c', false)", S},
      {"values (set_config('a.b', 'c', false))", S},
      {"explain analyze select set_config('a.b', 'c', false)", S | U},
      {"select pg_advisory_lock(1)", S},
      {"select pg_try_advisory_lock_shared /* c */ (1, 2)", S},
      {"select setseed(0.5)", S},
      {"select my_function(1)", S},
      {"select public.lower('a')", S},
      {"select app.f(a) from t", S},
      {"select \"set_config\"('a.b', 'c', true)", S},
      {"select * from conflict(1)", S},
      {"select query_to_xml('select 1', true, true, '')", S},
      {"select 1 into temp x", S},
      {"select 1 into temporary table x", S},
      {"insert into pg_temp.t values (1)", S},
      {"set x = 1", S | U},
      {"/* c */ Set Session x = 1", S | U},
      {"set role r", S | U},
      {"set session authorization r", S | U},
      {"reset all", S | U},
      {"listen c", S | U},
      {"unlisten *", S | U},
      {"do $$ begin end $$", S | U},
      {"call p(1)", S | U},
      {"prepare p as select 1", S | U},
      {"execute p", S | U},
      {"deallocate p", S | U},
      {"discard temp", S | U},
      {"discard all", S | U | O},
      {"load 'x'", S | U},
      {"declare c cursor with hold for select 1", S | U},
      {"create temp table t (a int)", S | U},
      {"create or replace temporary view v as select 1", S | U},
      {"create local temp table t (a int)", S | U},
      {"create table pg_temp.t (a int)", S | U},
      {"create table t as select f(1)", S | U},
      {"something new", S | U},
      {"select 1; set x = 1", S | U},
  };
  CHECK_ROWS(rows);
}

TEST(utilities_leave_the_session_as_it_is) {
  static const row rows[] = {
      {"set local x = 1", U},
      {"set transaction read only", U},
      {"set constraints all deferred", U},
      {"show x", U},
      {"explain select 1", U},
      {"create table t (a int, primary key (a))", S | U}, /* key (a): not told from a call; costs a reset */
      {"create index on t (a)", S | U},                   /* the same */
      {"create table t (a int primary key)", U},
      {"alter table t add b int", U},
      {"drop table t", U},
      {"truncate t", U},
      {"notify c, 'x'", U},
      {"lock table t", U},
      {"declare c cursor for select 1", U},
      {"fetch 1 from c", U},
      {"copy t (a) from stdin", U},
      {"refresh materialized view concurrently v", U},
  };
  CHECK_ROWS(rows);
}

TEST(transactions_and_what_stays_outside_of_them) {
  static const row rows[] = {
      {"begin", T | U},
      {"START TRANSACTION", T | U},
      {"commit", T | E | U},
      {"Commit work and chain", T | E | U},
      {"end", T | E | U},
      {"/* c */ rollback", T | E | U},
      {"rollback and chain", T | E | U},
      {"rollback to a", T | U},
      {"rollback transaction to savepoint a", T | U},
      {"rollback to savepoint a", T | U},
      {"abort", T | E | U},
      {"savepoint a", T | U},
      {"release a", T | U},
      {"prepare transaction 'a'", T | E | U},
      {"commit prepared 'a'", T | O | U},
      {"vacuum t (a)", O | U},
      {"vacuum", O | U},
      {"create unique index concurrently i on t (f(a))", O | U},
      {"drop index concurrently i", O | U},
      {"reindex (verbose) table concurrently t", O | U},
      {"reindex database d", O | U},
      {"reindex table t", U},
      {"create database d", O | U},
      {"drop tablespace s", O | U},
      {"alter system set x = 1", O | U},
      {"alter table t detach partition p concurrently", O | U},
      {"cluster", O | U},
      {"cluster t", U},
      {"select 1; commit; select 2", T | E | U},
      {"create function a_b() returns int begin atomic select 1; end", S | U}, /* no end of a transaction */
  };
  CHECK_ROWS(rows);
}

TEST(writes_and_prepared_statements) {
  enum { W = LDR_EFFECT_WRITES, P = LDR_EFFECT_PREPARES };
  static const row rows[] = {
      {"select lower(a) from t where b = $1", 0},
      {"values (1)", 0},
      {"table t", 0},
      {"show x", 0},
      {"select pg_sleep(1)", 0},
      {"with x as (select 1) select * from x", 0},
      {"with x as (delete from t returning a) select * from x", W},
      {"select a into b from t", W},
      {"select a from t for update", W},
      {"select nextval('s')", W},
      {"select pg_notify('a', 'b')", W},
      {"select f(1)", W},
      {"insert into t values (1)", W},
      {"create table t (a int)", W},
      {"vacuum", W},
      {"set x = 1", W},
      {"listen c", W},
      {"prepare p as select 1", W | P},
      {"do $$ begin end $$", W | P},
      {"call p()", W | P},
      {"select 'a", W | P},
  };
  check_rows(rows, sizeof rows / sizeof *rows, W | P);
}

TEST(what_is_not_closed_may_do_anything) {
  static const row rows[] = {
      {"select 'a", T | O | S | U}, {"select 1 /*", T | O | S | U}, {"1", T | O | S | U}};
  CHECK_ROWS(rows);
}

TEST(harmless_names_are_found) {
  static const char *const yes[] = {"abs", "xpath_exists", "now", "jsonb_set", "width_bucket"};
  static const char *const no[] = {"", "ab", "set_config", "setseed", "pg_advisory_lock", "zzz", "ABS"};
  for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) CHECK(ldr_sqltext_harmless(yes[i], strlen(yes[i])));
  for (size_t i = 0; i < sizeof no / sizeof *no; i++) CHECK(!ldr_sqltext_harmless(no[i], strlen(no[i])));
  CHECK(!ldr_sqltext_harmless("abs\0", 4));
}

void test_effects(void);
void test_effects(void) {
  RUN(rows_are_read_and_written_without_effects);
  RUN(a_session_may_be_changed);
  RUN(utilities_leave_the_session_as_it_is);
  RUN(transactions_and_what_stays_outside_of_them);
  RUN(writes_and_prepared_statements);
  RUN(what_is_not_closed_may_do_anything);
  RUN(harmless_names_are_found);
}

/* The PostgreSQL engine: operations, raw statements, errors, prepared statements. Needs a server. */
#include "base/mem.h"
#include "support/pgfix.h"
#include "support/pgproxy.h"
#include "support/test.h"
#include "values/time.h"

static const uint16_t all[I_COUNT] = {0, 1, 2, 3, 4, 5, 6};

static ldr_value cell(ldr_rows *rows, size_t row, unsigned col) {
  ldr_err err;
  ldr_value v = ldr_null();
  if (rows == NULL || ldr_rows_cell(rows, row, col, &v, &err) != LDR_OK) CHECK(false);
  return v;
}

static bool is_text(ldr_value v, const char *s) {
  return (v.type == LDR_T_TEXT || v.type == LDR_T_JSON || v.type == LDR_T_NUMERIC) && v.n == strlen(s) &&
         memcmp(v.u.p, s, v.n) == 0;
}

static ldr_code get(pgfix *f, ldr_tx *tx, const char *id, ldr_result *out) {
  const ldr_value key[2] = {pg_str("acme"), pg_str(id)};
  ldr_pred tenant = {.kind = LDR_P_EQ, .field = I_TENANT, .n = 1, .values = &key[0]},
           ident = {.kind = LDR_P_EQ, .field = I_ID, .n = 1, .values = &key[1]};
  const ldr_pred *kids[] = {&tenant, &ident};
  ldr_pred where = {.kind = LDR_P_AND, .n = 2, .kids = kids};
  ldr_op op;
  ldr_op_init(&op, LDR_OP_SELECT, f->items);
  op.where = &where;
  op.nout = I_COUNT;
  op.out = all;
  op.limit = 1;
  return pg_run(f, tx, &op, out);
}

TEST(insert_and_get_every_type) {
  pgfix f;
  ldr_value row[I_COUNT];
  ldr_result r = {0};
  ldr_op op;
  if (!pg_open(&f, NULL)) return;
  pg_item(row, "i1", "one", INT64_C(9007199254740993));
  row[I_DOC] = ldr_bytes_of(LDR_T_JSON, "{\"a\": []}", 9);
  row[I_PRICE] = ldr_bytes_of(LDR_T_NUMERIC, "12.3400", 7);
  op = pg_insert_op(&f, row);
  op.nout = I_COUNT;
  op.out = all;
  CHECK_INT(pg_run(&f, NULL, &op, &r), LDR_OK);
  CHECK_INT(r.affected, 1);
  CHECK_INT(cell(r.rows, 0, I_N).u.i, INT64_C(9007199254740993));
  ldr_rows_free(r.rows);
  r = (ldr_result){0};
  CHECK_INT(get(&f, NULL, "i1", &r), LDR_OK);
  CHECK_INT(r.rows->nrows, 1);
  CHECK_STR(r.rows->cols[I_NAME].name, "name");
  CHECK(is_text(cell(r.rows, 0, I_NAME), "one"));
  CHECK(is_text(cell(r.rows, 0, I_DOC), "{\"a\": []}"));
  CHECK(is_text(cell(r.rows, 0, I_PRICE), "12.3400"));
  CHECK_INT(cell(r.rows, 0, I_AT).u.i, ldr_time_of_unix(INT64_C(1700000000000001)));
  ldr_rows_free(r.rows);
  pg_close(&f);
}

static ldr_code get_one(pgfix *f) {
  ldr_result r = {0};
  ldr_code code = get(f, NULL, "i1", &r);
  if (code == LDR_OK) CHECK_INT(r.rows->nrows, 1);
  ldr_rows_free(r.rows);
  return code;
}

/* FT-2: reads do not look at a connection that was used just now, and are run again where it had ended. */
TEST(a_read_over_a_connection_that_had_ended_is_run_once_more) {
  pgfix f, other;
  if (!pg_open(&f, NULL)) return;
  CHECK(pg_open_with(&other, NULL, NULL));
  CHECK_INT(pg_insert(&f, NULL, "i1", "one"), LDR_OK);
  for (unsigned i = 0; i < 5; i++) {
    CHECK_INT(get_one(&f), LDR_OK);
    pg_kill(&other, pg_pid(&f, NULL));
    CHECK_INT(get_one(&f), LDR_OK);
  }
  CHECK_INT(pg_stats(&f).busy, 0);
  pg_close(&other);
  pg_close(&f);
}

/* FT-2: what is no read is never run twice, so its connection is looked at before. */
TEST(a_write_looks_at_its_connection_first) {
  pgfix f, other;
  char id[16];
  if (!pg_open(&f, NULL)) return;
  CHECK(pg_open_with(&other, NULL, NULL));
  for (int i = 0; i < 5; i++) {
    snprintf(id, sizeof id, "i%d", i);
    pg_kill(&other, pg_pid(&f, NULL));
    CHECK_INT(pg_insert(&f, NULL, id, id), LDR_OK);
  }
  CHECK_INT(pg_count(&f), 5);
  pg_close(&other);
  pg_close(&f);
}

/* FT-2: the same where the line ends with an answer, or in place of one. */
TEST(a_line_that_ends_is_an_error_to_writes_alone) {
  static const pgproxy_mode ends[] = {PGPROXY_FAREWELL, PGPROXY_CUT_AFTER};
  pgfix f, own;
  pgproxy *proxy = pgproxy_start(pg_url());
  if (proxy == NULL || !pg_open(&own, NULL)) return;
  CHECK_INT(pg_insert(&own, NULL, "i1", "one"), LDR_OK);
  CHECK(pg_open_with(&f, NULL, pgproxy_settings(proxy)));
  CHECK_INT(get_one(&f), LDR_OK);
  for (unsigned i = 0; i < 8; i++) {
    pgproxy_set(proxy, ends[i % 2], 0);
    CHECK_INT(get_one(&f), LDR_OK);
    CHECK_INT(get_one(&f), LDR_OK);
    CHECK(pgproxy_done(proxy));
  }
  pgproxy_set(proxy, PGPROXY_CUT_AFTER, 0);
  CHECK_INT(pg_insert(&f, NULL, "i2", "two"), LDR_CONNECTION); /* it may have run: who knows */
  CHECK_INT(pg_insert(&f, NULL, "i3", "three"), LDR_OK);
  CHECK_INT(pg_stats(&f).busy, 0);
  pg_close(&f);
  pgproxy_stop(proxy);
  pg_close(&own);
}

TEST(reads_in_a_row_look_at_no_connection) {
  pgfix f;
  uint64_t before;
  if (!pg_open(&f, NULL)) return;
  CHECK_INT(pg_insert(&f, NULL, "i1", "one"), LDR_OK);
  before = pg_stats(&f).looks;
  for (int i = 0; i < 30; i++) CHECK_INT(get_one(&f), LDR_OK);
  CHECK(pg_stats(&f).looks - before <= 5); /* none, but for pauses of a second */
  before = pg_stats(&f).looks;
  for (int i = 0; i < 30; i++) CHECK_INT(pg_do(&f, NULL, "select 1"), LDR_OK);
  CHECK(pg_stats(&f).looks - before >= 30);
  pg_close(&f);
}

/* What answers in the catalog's place, say a proxy that is out of step, is not taken for the catalog, nor for
 * a table that is not there. */
TEST(a_catalog_of_another_width_is_refused) {
  static const char *const answers[] = {
      "select 'id'::text", "select 'id'::text where false", "select 'id'::text, 1::int8, 2::int8",
      "select 'id'::text, 1::int8, 2::int8, 't', true, 3::int8, true, true, true, 'a', 'b', 'c', 'd', 'e'"};
  pgfix f;
  ldr_live *t;
  char *question;
  if (!pg_open(&f, NULL)) return;
  CHECK_INT(pg_insert(&f, NULL, "i1", "one"), LDR_OK);
  t = ldr_lives_find(&ldr_pg_of(f.db)->stmts.lives, f.items);
  CHECK(t != NULL);
  if (t == NULL) return;
  question = t->question;
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    ldr_result r = {0};
    t->question = ldr_strndup(answers[i], strlen(answers[i]));
    ldr_live_forget(t);
    CHECK_INT(get(&f, NULL, "i1", &r), LDR_INTERNAL);
    CHECK(strstr(f.err.message, "catalog") && ldr_live_known(t) == NULL);
    CHECK_STR(f.err.table, "items");
    ldr_free(t->question);
    t->question = question;
    CHECK_INT(get(&f, NULL, "i1", &r), LDR_OK);
    ldr_rows_free(r.rows);
  }
  pg_close(&f);
}

TEST(update_delete_count_aggregate) {
  pgfix f;
  ldr_set set = {.field = I_N, .kind = LDR_SET_INCREMENT, .value = ldr_int(5)};
  ldr_agg sum = {.fn = LDR_AGG_SUM, .field = I_N, .name = "total"};
  ldr_result r = {0};
  ldr_op op;
  if (!pg_open(&f, NULL)) return;
  CHECK_INT(pg_insert(&f, NULL, "i1", "one"), LDR_OK);
  CHECK_INT(pg_insert(&f, NULL, "i2", "two"), LDR_OK);
  ldr_op_init(&op, LDR_OP_UPDATE, f.items);
  op.nsets = 1;
  op.sets = &set;
  CHECK_INT(pg_run(&f, NULL, &op, &r), LDR_OK);
  CHECK_INT(r.affected, 2);
  CHECK(r.rows == NULL);
  ldr_op_init(&op, LDR_OP_AGGREGATE, f.items);
  op.naggs = 1;
  op.aggs = &sum;
  CHECK_INT(pg_run(&f, NULL, &op, &r), LDR_OK);
  CHECK_STR(r.rows->cols[0].name, "total");
  CHECK_INT(cell(r.rows, 0, 0).u.i, 12);
  ldr_rows_free(r.rows);
  r.rows = NULL;
  ldr_op_init(&op, LDR_OP_COUNT, f.items);
  CHECK_INT(pg_run(&f, NULL, &op, &r), LDR_OK);
  CHECK_INT(r.affected, 2);
  CHECK(r.rows == NULL);
  ldr_op_init(&op, LDR_OP_DELETE, f.items);
  CHECK_INT(pg_run(&f, NULL, &op, &r), LDR_OK);
  CHECK_INT(r.affected, 2);
  CHECK_INT(pg_count(&f), 0);
  pg_close(&f);
}

TEST(constraint_errors_name_but_never_quote) {
  static const uint16_t line_cols[] = {L_TENANT, L_ITEM};
  const ldr_value line[] = {pg_str("acme"), pg_str("secret-item")};
  pgfix f;
  ldr_value row[I_COUNT];
  ldr_result r = {0};
  ldr_op op;
  if (!pg_open(&f, NULL)) return;
  CHECK_INT(pg_insert(&f, NULL, "i1", "secret-name"), LDR_OK);
  CHECK_INT(pg_insert(&f, NULL, "i2", "secret-name"), LDR_CONFLICT);
  CHECK_STR(f.err.message, "duplicate value violates unique constraint \"items_name_key\"");
  CHECK_STR(f.err.constraint, "items_name_key");
  CHECK_STR(f.err.table, "items");
  CHECK_STR(f.err.sqlstate, "23505");
  CHECK_STR(f.err.detail, "Key (tenant, name) already exists.");
  pg_item(row, "i3", "three", -500);
  op = pg_insert_op(&f, row);
  CHECK_INT(pg_run(&f, NULL, &op, &r), LDR_CHECK);
  CHECK_STR(f.err.constraint, "items_n_check");
  CHECK_STR(f.err.detail, "");
  row[I_N] = ldr_null();
  CHECK_INT(pg_run(&f, NULL, &op, &r), LDR_NOT_NULL);
  CHECK_STR(f.err.column, "n");
  ldr_op_init(&op, LDR_OP_INSERT, f.lines);
  op.ncols = 2;
  op.cols = line_cols;
  op.nrows = 1;
  op.values = line;
  CHECK_INT(pg_run(&f, NULL, &op, &r), LDR_FOREIGN_KEY);
  CHECK_STR(f.err.message, "row refers to a missing row: constraint \"lines_item_fkey\"");
  CHECK(strstr(f.err.detail, "secret") == NULL);
  CHECK_INT(pg_do(&f, NULL, "insert into ldr_test.lines(tenant, item) values ('acme', 'i1')"), LDR_OK);
  ldr_op_init(&op, LDR_OP_DELETE, f.items);
  CHECK_INT(pg_run(&f, NULL, &op, &r), LDR_FOREIGN_KEY);
  CHECK_STR(f.err.message, "row is still referred to: constraint \"lines_item_fkey\"");
  CHECK_INT(pg_count(&f), 1);
  pg_close(&f);
}

TEST(raw_statements_take_and_give_types) {
  static const char sql[] =
      "select $1::int4 + 1, $2::text, $3::jsonb, $4::date, $5::numeric, $6::bool, $7::oid";
  const ldr_value v[] = {ldr_int(41),          pg_str("été"), ldr_bytes_of(LDR_T_JSON, "[1]", 3),
                         pg_str("2026-01-02"), ldr_int(5),    ldr_null(),
                         ldr_int(26)};
  const ldr_column *types;
  pgfix f;
  ldr_stmt *s = NULL;
  ldr_result r = {0};
  if (!pg_open(&f, NULL)) return;
  CHECK_INT(ldr_pg_prepare(f.db, NULL, sql, strlen(sql), &pg_block, &s, NULL, &f.err), LDR_OK);
  CHECK_INT(ldr_stmt_params(s, &types), 7);
  CHECK_INT(types[0].type, LDR_F_INT4);
  CHECK_INT(types[3].type, LDR_F_UNKNOWN);
  CHECK_INT(ldr_pg_execute(f.db, NULL, s, v, &pg_block, &r, NULL, &f.err), LDR_OK);
  CHECK_INT(cell(r.rows, 0, 0).u.i, 42);
  CHECK(is_text(cell(r.rows, 0, 1), "été"));
  CHECK(is_text(cell(r.rows, 0, 2), "[1]"));
  CHECK_INT(cell(r.rows, 0, 3).type, LDR_T_DATE);
  CHECK_INT(cell(r.rows, 0, 3).u.i, 9498);
  CHECK(is_text(cell(r.rows, 0, 4), "5"));
  CHECK_INT(cell(r.rows, 0, 5).type, LDR_T_NULL);
  CHECK_INT(cell(r.rows, 0, 6).u.i, 26);
  ldr_rows_free(r.rows);
  ldr_stmt_release(s);
  CHECK_STR(pg_text(&f, NULL, "select 7::int8"), "7");
  CHECK_STR(pg_text(&f, NULL, "select timestamptz '2026-01-02 03:04:05.000006+00', date '2026-01-01'"),
            "820638245000006");
  CHECK_STR(pg_text(&f, NULL, "select '\\x0041'::bytea is not null, interval '1 day'"), "true");
  CHECK_STR(pg_text(&f, NULL, ""), "");
  CHECK_STR(pg_text(&f, NULL, "selec 1"), "!syntax");
  CHECK_STR(f.err.sqlstate, "42601");
  CHECK_STR(pg_text(&f, NULL, "select 'secret'::text::int"), "!invalid");
  CHECK(strstr(f.err.message, "secret") == NULL);
  CHECK_STR(pg_text(&f, NULL, "copy ldr_test.items to stdout"), "!unsupported");
  CHECK_STR(pg_text(&f, NULL, "select 1"), "1");
  pg_close(&f);
}

TEST(changed_tables_heal_outside_a_transaction) {
  pgfix f;
  ldr_tx *tx;
  ldr_result r = {0};
  if (!pg_open(&f, NULL)) return;
  CHECK_INT(pg_insert(&f, NULL, "i1", "one"), LDR_OK);
  CHECK_INT(get(&f, NULL, "i1", &r), LDR_OK);
  ldr_rows_free(r.rows);
  CHECK_STR(pg_text(&f, NULL, "select * from ldr_test.items"), "acme");
  CHECK_INT(pg_do(&f, NULL, "alter table ldr_test.items alter n type int4"), LDR_OK);
  r.rows = NULL;
  CHECK_INT(get(&f, NULL, "i1", &r), LDR_OK); /* n is an int4 now */
  CHECK_INT(cell(r.rows, 0, I_N).u.i, 1);
  ldr_rows_free(r.rows);
  CHECK_STR(pg_text(&f, NULL, "select * from ldr_test.items"), "acme");
  CHECK_INT(pg_stats(&f).retries_stale, 2);
  CHECK_INT(pg_do(&f, NULL, "deallocate all"), LDR_OK);
  CHECK_STR(pg_text(&f, NULL, "select * from ldr_test.items"), "acme");
  CHECK_INT(pg_stats(&f).retries_stale, 2); /* it was seen, so nothing failed */
  tx = pg_begin(&f);
  CHECK_STR(pg_text(&f, tx, "select 1"), "1");
  CHECK_INT(pg_do(&f, tx, "alter table ldr_test.items add extra text"), LDR_OK);
  CHECK_STR(pg_text(&f, tx, "select * from ldr_test.items"), "!unsupported");
  CHECK(f.err.retryable);
  CHECK_INT(pg_commit(&f, tx), LDR_UNSUPPORTED);
  CHECK_INT(pg_count(&f), 1);
  pg_close(&f);
}

/* What the session has prepared is unknown until `deallocate all` has run, not until it was meant to. */
TEST(an_unsure_session_stays_so_without_memory) {
  pgfix f;
  ldr_pool_config c = pg_config(1);
  if (!pg_open(&f, &c)) return;
  for (int n = 1, failed = 1; failed; n++) {
    char sql[40];
    ldr_tx *tx;
    CHECK_STR(pg_text(&f, NULL, "select 1"), "1");
    CHECK_INT(pg_do(&f, NULL, "prepare mine as select 2"), LDR_OK);
    snprintf(sql, sizeof sql, "select %d", n + 1000);
    ldr_mem_fail_at(n);
    pg_text(&f, NULL, sql);
    failed = ldr_mem_failed();
    ldr_mem_fail_at(0);
    tx = pg_begin(&f);
    CHECK_STR(pg_text(&f, tx, "select 1"), "1");
    CHECK_INT(pg_commit(&f, tx), LDR_OK);
  }
  pg_close(&f);
}

TEST(statements_are_evicted_by_use) {
  pgfix f;
  ldr_pool_config c = pg_config(1);
  char sql[40];
  c.statement_cache = 8;
  if (!pg_open(&f, &c)) return;
  for (int i = 0; i < 40; i++) {
    char want[12];
    snprintf(sql, sizeof sql, "select %d", i);
    snprintf(want, sizeof want, "%d", i);
    CHECK_STR(pg_text(&f, NULL, sql), want);
    CHECK_STR(pg_text(&f, NULL, "select -1"), "-1"); /* used all the time: stays */
  }
  CHECK_STR(pg_text(&f, NULL, "select count(*) from pg_prepared_statements"), "8");
  CHECK(pg_stats(&f).prepares < 50);
  pg_close(&f);
}

TEST(unnamed_statements_leave_nothing_behind) {
  pgfix f;
  ldr_pool_config c = pg_config(1);
  ldr_result r = {0};
  c.statement_cache = 0;
  if (!pg_open(&f, &c)) return;
  CHECK_INT(pg_insert(&f, NULL, "i1", "one"), LDR_OK);
  CHECK_INT(get(&f, NULL, "i1", &r), LDR_OK);
  ldr_rows_free(r.rows);
  CHECK_STR(pg_text(&f, NULL, "select count(*) from pg_prepared_statements"), "0");
  CHECK_INT(pg_stats(&f).prepares, 0);
  pg_close(&f);
}

TEST(session_state_does_not_reach_the_next_caller) {
  pgfix f;
  ldr_pool_config c = pg_config(1);
  if (!pg_open(&f, &c)) return;
  CHECK_INT(pg_do(&f, NULL, "set statement_timeout = '77s'"), LDR_OK);
  CHECK_STR(pg_text(&f, NULL, "select current_setting('statement_timeout')"), "0");
  CHECK_INT(pg_stats(&f).connects, 2); /* the fixture's session was one */
  pg_close(&f);
}

static void refused(const char *keyword, const char *value, ldr_code code, const char *sqlstate,
                    const char *says) {
  const char *const changes[] = {keyword, value, NULL};
  pgfix f;
  CHECK(!pg_open_with(&f, NULL, changes));
  CHECK_INT(f.err.code, code);
  CHECK_STR(f.err.sqlstate, sqlstate);
  CHECK(strstr(f.err.message, says) != NULL);
  CHECK(strstr(f.err.message, "LOCATION") == NULL && strchr(f.err.message, '\n') == NULL);
  pg_close(&f);
}

TEST(connect_errors_are_clear) {
  refused("dbname", "no_such_database", LDR_CONNECTION, "3D000",
          "database \"no_such_database\" does not exist");
  refused("user", "no_such_user", LDR_PERMISSION, "28000", "role \"no_such_user\" does not exist");
  refused("port", "1", LDR_CONNECTION, "", "failed");
  refused("host", "ss@host", LDR_INVALID, "", "%40");
}

/* ---- memory ---- */

static pgfix shared; /* open while each allocation of the others fails in turn */

static bool told(ldr_code code) { return code == LDR_CAPACITY; }

static bool work_on_a_new_engine(void) {
  pgfix f;
  ldr_tx *tx = NULL;
  ldr_result r = {0};
  const ldr_txopts o = {0};
  bool ok = pg_open_with(&f, NULL, NULL);
  if (!ok) CHECK(told(f.err.code));
  ok = ok && strcmp(pg_text(&f, NULL, "select 1"), "1") == 0;
  ok = ok && get(&f, NULL, "i1", &r) == LDR_OK;
  ldr_rows_free(r.rows);
  ok = ok && f.db->ops->begin(f.db, &o, &tx, &f.err) == LDR_OK;
  ok = ok && pg_insert(&f, tx, "i9", "nine") == LDR_OK;
  ok = ok && f.db->ops->savepoint(tx, &f.err) == LDR_OK;
  ok = ok && pg_insert(&f, tx, "i8", "eight") == LDR_OK;
  ok = ok && f.db->ops->rollback_to(tx, &f.err) == LDR_OK;
  if (tx && pg_insert(&f, tx, "i7", "seven") == LDR_OK && ok) {
    ok = f.db->ops->commit(tx, &pg_block, NULL, &f.err) == LDR_OK;
  } else if (tx) {
    ok = false;
    f.db->ops->abandon(tx);
  }
  pg_close(&f);
  if (ldr_mem_failed()) return false;
  CHECK(ok);
  return ok;
}

TEST(short_memory_leaks_nothing_and_commits_no_part) {
  if (!pg_open(&shared, NULL)) return;
  CHECK_INT(pg_insert(&shared, NULL, "i1", "one"), LDR_OK);
  test_oom("an engine's life", work_on_a_new_engine);
  CHECK_STR(pg_text(&shared, NULL, "select string_agg(id, ' ' order by id) from ldr_test.items"), "i1 i7 i9");
  pg_close(&shared);
}

void test_query(void);
void test_query(void) {
  if (!pg_available("pg")) return;
  RUN(insert_and_get_every_type);
  RUN(a_read_over_a_connection_that_had_ended_is_run_once_more);
  RUN(a_write_looks_at_its_connection_first);
  RUN(a_line_that_ends_is_an_error_to_writes_alone);
  RUN(reads_in_a_row_look_at_no_connection);
  RUN(a_catalog_of_another_width_is_refused);
  RUN(update_delete_count_aggregate);
  RUN(constraint_errors_name_but_never_quote);
  RUN(raw_statements_take_and_give_types);
  RUN(changed_tables_heal_outside_a_transaction);
  RUN(an_unsure_session_stays_so_without_memory);
  RUN(statements_are_evicted_by_use);
  RUN(unnamed_statements_leave_nothing_behind);
  RUN(session_state_does_not_reach_the_next_caller);
  RUN(connect_errors_are_clear);
  RUN(short_memory_leaks_nothing_and_commits_no_part);
}

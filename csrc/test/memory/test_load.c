/* The memory engine: loads, scans, cursors. */
#include "support/memfix.h"
#include "support/test.h"

void test_load(void);

static world w;

/* ---- bulk ---- */

static ldr_batch *batch_of_teams(const char *const *ids, const char *const *names, size_t n) {
  ldr_batch *b = NULL;
  CHECK(ldr_batch_new(w.e[TEAMS], &b, &w.err) == LDR_OK);
  for (size_t i = 0; i < n; i++) {
    const ldr_value values[] = {ldr_text(ids[i], strlen(ids[i])), ldr_text(names[i], strlen(names[i]))};
    ldr_row *row;
    CHECK(ldr_row_pack(w.e[TEAMS], values, &row, &w.err) == LDR_OK);
    CHECK(ldr_batch_add(b, row, &w.err) == LDR_OK);
  }
  return b;
}

TEST(load_all_or_none) {
  const char *const ids[] = {"c", "a", "d"}, *const names[] = {"C", "A", "Beta"};
  const ldr_call call = {.block = true};
  int64_t n = -1;
  ldr_batch *b;
  world_start(&w);
  b = batch_of_teams(ids, names, 3);
  world_check(&w, w.db->ops->load(w.db, NULL, b, LDR_CONFLICT_ERROR, &call, &n, NULL, &w.err), LDR_CONFLICT,
              "23505", "teams_pkey");
  CHECK_INT(n, -1);
  CHECK_STR(show(&w, NULL, TEAMS, NULL, FIELDS(T_ID)), "a b");
  world_check(&w, w.db->ops->load(w.db, NULL, b, LDR_CONFLICT_UPDATE, &call, &n, NULL, &w.err), LDR_CONFLICT,
              "23505", "teams_name_key");
  CHECK(w.db->ops->load(w.db, NULL, b, LDR_CONFLICT_SKIP, &call, &n, NULL, &w.err) == LDR_OK);
  CHECK_INT(n, 1);
  CHECK_STR(show(&w, NULL, TEAMS, NULL, FIELDS(T_ID, T_NAME)), "a|Alpha b|Beta c|C");
  ldr_batch_free(b);
  b = batch_of_teams(ids, names, 2);
  CHECK(w.db->ops->load(w.db, NULL, b, LDR_CONFLICT_UPDATE, &call, &n, NULL, &w.err) == LDR_OK);
  CHECK_INT(n, 2);
  CHECK_STR(show(&w, NULL, TEAMS, NULL, FIELDS(T_ID, T_NAME)), "a|A b|Beta c|C");
  ldr_batch_free(b);
  world_close(&w);
}

/* The same key twice: as if the rows were written one after the other, and no constraint met in between. */
TEST(the_last_of_a_load_wins) {
  const char *const ids[] = {"c", "d", "c"}, *const names[] = {"C", "C", "D"};
  const ldr_call call = {.block = true};
  int64_t n = -1;
  ldr_batch *b;
  world_start(&w);
  b = batch_of_teams(ids, names, 3);
  CHECK(w.db->ops->load(w.db, NULL, b, LDR_CONFLICT_UPDATE, &call, &n, NULL, &w.err) == LDR_OK);
  CHECK_INT(n, 2);
  CHECK_STR(show(&w, NULL, TEAMS, NULL, FIELDS(T_ID, T_NAME)), "a|Alpha b|Beta c|D d|C");
  ldr_batch_free(b);
  world_close(&w);
}

static ldr_code load_user(ldr_value id) {
  const ldr_call call = {.block = true};
  const ldr_value values[U_COUNT] = {[U_TEAM] = TEXT("a"), [U_ID] = id};
  ldr_batch *b = NULL;
  ldr_row *row;
  int64_t n;
  ldr_code code;
  CHECK(ldr_batch_new(w.e[USERS], &b, &w.err) == LDR_OK);
  CHECK(ldr_row_pack(w.e[USERS], values, &row, &w.err) == LDR_OK);
  CHECK(ldr_batch_add(b, row, &w.err) == LDR_OK);
  code = w.db->ops->load(w.db, NULL, b, LDR_CONFLICT_ERROR, &call, &n, NULL, &w.err);
  ldr_batch_free(b);
  return code;
}

TEST(loaded_identities_are_not_given_out_again) {
  world_start(&w);
  CHECK(load_user(INT(41)) == LDR_OK);
  CHECK(insert(&w, NULL, USERS, ROW(TEXT("a"), NUL)) == LDR_OK);
  CHECK(load_user(INT(3)) == LDR_OK);
  CHECK(insert(&w, NULL, USERS, ROW(TEXT("a"), NUL)) == LDR_OK);
  CHECK_STR(show(&w, NULL, USERS, NULL, FIELDS(U_ID)), "3 41 42 43");
  world_check(&w, load_user(NUL), LDR_NOT_NULL, "23502", "");
  world_close(&w);
}

TEST(a_scan_sees_one_moment) {
  const ldr_call call = {.block = true};
  ldr_scan *s;
  ldr_batch *b;
  size_t n = 0;
  world_start(&w);
  world_add_users(&w);
  CHECK(w.db->ops->scan(w.db, NULL, w.e[USERS], &call, &s, &w.err) == LDR_OK);
  CHECK(s->next(s, 4, &call, &b, &w.err) == LDR_OK);
  CHECK_INT(b->n, 4);
  n += b->n;
  ldr_batch_free(b);
  CHECK(delete (&w, NULL, USERS, NULL) == LDR_OK);
  while (s->next(s, 4, &call, &b, &w.err) == LDR_OK && b) {
    n += b->n;
    ldr_batch_free(b);
  }
  CHECK_INT(n, 10);
  s->close(s);
  CHECK(w.db->ops->scan(w.db, NULL, w.e[USERS], &call, &s, &w.err) == LDR_OK);
  CHECK(s->next(s, 4, &call, &b, &w.err) == LDR_OK);
  CHECK(b == NULL);
  s->close(s);
  world_close(&w);
}

/* The users by score: how and limit are the caller's. */
static ldr_code by_cursor(ldr_tx *tx, ldr_how how, unsigned number, int64_t limit) {
  static const uint16_t out[] = {U_ID};
  static const ldr_order by_score[] = {DESC(U_SCORE), ASC(U_TEAM), ASC(U_ID)};
  ldr_op op;
  ldr_op_init(&op, LDR_OP_SELECT, w.e[USERS]);
  op.how = how;
  op.cursor = number;
  op.limit = limit;
  op.out = out;
  op.nout = 1;
  op.order = by_score;
  op.norder = 3;
  return run(&w, tx, &op);
}

TEST(a_cursor_shows_one_moment_by_pieces) {
  ldr_tx *tx;
  world_start(&w);
  world_add_users(&w);
  CHECK(by_cursor(NULL, LDR_HOW_PLAN, 0, 3) == LDR_OK);
  CHECK_STR(show_result(&w), "Sort");
  CHECK(by_cursor(NULL, LDR_HOW_DECLARE, 0, -1) == LDR_INVALID);
  tx = begin_with(&w, LDR_READ_COMMITTED, true);
  CHECK(by_cursor(tx, LDR_HOW_DECLARE, 0, -1) == LDR_OK);
  CHECK(by_cursor(tx, LDR_HOW_DECLARE, 7, 4) == LDR_OK);
  CHECK(delete (&w, NULL, USERS, NULL) == LDR_OK);
  CHECK(by_cursor(tx, LDR_HOW_FETCH, 0, 3) == LDR_OK);
  CHECK_STR(show_result(&w), "5 10 3");
  CHECK(by_cursor(tx, LDR_HOW_FETCH, 7, 3) == LDR_OK);
  CHECK_STR(show_result(&w), "5 10 3");
  CHECK(by_cursor(tx, LDR_HOW_FETCH, 7, 3) == LDR_OK);
  CHECK_STR(show_result(&w), "7");
  CHECK(by_cursor(tx, LDR_HOW_FETCH, 7, 3) == LDR_OK);
  CHECK_STR(show_result(&w), "");
  CHECK(by_cursor(tx, LDR_HOW_FETCH, 0, -1) == LDR_OK);
  CHECK_STR(show_result(&w), "7 2 6 1 9 4 8");
  CHECK(by_cursor(tx, LDR_HOW_DECLARE, 0, -1) == LDR_OK); /* anew */
  CHECK(by_cursor(tx, LDR_HOW_FETCH, 0, 3) == LDR_OK);
  CHECK_STR(show_result(&w), "");
  rollback(&w, tx);
  world_close(&w);
}

TEST(a_cursor_that_lacks_memory_is_an_error) {
  for (int n = 1; n < 40; n++) {
    ldr_code code;
    ldr_tx *tx;
    bool failed;
    world_start(&w);
    world_add_users(&w);
    tx = begin(&w);
    ldr_mem_fail_at(n);
    code = by_cursor(tx, LDR_HOW_DECLARE, 0, -1);
    if (code == LDR_OK) code = by_cursor(tx, LDR_HOW_FETCH, 0, 3);
    failed = ldr_mem_failed();
    ldr_mem_fail_at(0);
    CHECK(code == (failed ? LDR_CAPACITY : LDR_OK));
    rollback(&w, tx);
    world_close(&w);
    if (!failed) break;
  }
}

TEST(an_unknown_cursor_is_an_error) {
  ldr_tx *tx;
  world_start(&w);
  tx = begin(&w);
  CHECK(by_cursor(tx, LDR_HOW_FETCH, 3, 1) == LDR_INVALID);
  CHECK_STR(w.err.sqlstate, "34000");
  rollback(&w, tx);
  world_close(&w);
}

void test_load(void) {
  RUN(load_all_or_none);
  RUN(the_last_of_a_load_wins);
  RUN(loaded_identities_are_not_given_out_again);
  RUN(a_scan_sees_one_moment);
  RUN(a_cursor_shows_one_moment_by_pieces);
  RUN(a_cursor_that_lacks_memory_is_an_error);
  RUN(an_unknown_cursor_is_an_error);
}

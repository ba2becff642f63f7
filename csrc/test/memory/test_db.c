/* The memory engine: what is written, what is refused, and what a key finds. */
#include "support/memfix.h"
#include "support/test.h"

void test_db(void);

static world w;

/* ---- inserting ---- */

TEST(insert_and_read_back) {
  world_start(&w);
  CHECK_STR(show(&w, NULL, TEAMS, NULL, FIELDS(T_ID, T_NAME)), "a|Alpha b|Beta");
  CHECK_STR(show(&w, NULL, TEAMS, EQ(T_ID, TEXT("b")), FIELDS(T_NAME)), "Beta");
  CHECK_STR(show(&w, NULL, TEAMS, EQ(T_ID, TEXT("c")), FIELDS(T_NAME)), "");
  CHECK_INT(count(&w, NULL, TEAMS, NULL), 2);
  CHECK(w.res.rows == NULL);
  world_close(&w);
}

TEST(returning_gives_the_rows_as_stored) {
  const uint16_t out[] = {U_ID, U_EMAIL}, cols[] = {U_TEAM, U_EMAIL};
  const ldr_value values[] = {TEXT("a"), TEXT("x"), TEXT("a"), NUL};
  ldr_op op;
  world_start(&w);
  ldr_op_init(&op, LDR_OP_INSERT, w.e[USERS]);
  op.cols = cols;
  op.ncols = 2;
  op.values = values;
  op.nrows = 2;
  op.out = out;
  op.nout = 2;
  CHECK(run(&w, NULL, &op) == LDR_OK);
  CHECK_INT(w.affected, 2);
  CHECK_STR(show_result(&w), "1|x 2|-");
  world_close(&w);
}

TEST(results_outlive_later_writes) {
  const uint16_t out[] = {T_NAME};
  ldr_rows *rows;
  ldr_value v;
  ldr_op op;
  world_start(&w);
  ldr_op_init(&op, LDR_OP_SELECT, w.e[TEAMS]);
  op.out = out;
  op.nout = 1;
  CHECK(run(&w, NULL, &op) == LDR_OK);
  rows = w.res.rows;
  w.res.rows = NULL;
  CHECK(update(&w, NULL, TEAMS, NULL, T_NAME, NUL) == LDR_NOT_NULL);
  CHECK(update(&w, NULL, TEAMS, EQ(T_ID, TEXT("a")), T_NAME, TEXT("Other")) == LDR_OK);
  CHECK(delete (&w, NULL, TEAMS, NULL) == LDR_OK);
  world_close(&w);
  CHECK_INT(rows->nrows, 2);
  CHECK(ldr_rows_cell(rows, 0, 0, &v, &w.err) == LDR_OK);
  CHECK(v.n == 5 && memcmp(v.u.p, "Alpha", 5) == 0);
  ldr_rows_free(rows);
}

TEST(constraints_are_named_in_their_order) {
  world_start(&w);
  world_check(&w, insert(&w, NULL, TEAMS, ROW(TEXT("a"), TEXT("Beta"))), LDR_CONFLICT, "23505", "teams_pkey");
  CHECK_STR(w.err.message, "duplicate value violates unique constraint \"teams_pkey\"");
  CHECK_STR(w.err.table, "teams");
  CHECK_STR(w.err.detail, "Key (id) already exists.");
  world_check(&w, insert(&w, NULL, TEAMS, ROW(TEXT("c"), TEXT("Beta"))), LDR_CONFLICT, "23505",
              "teams_name_key");
  world_check(&w, insert_rows(&w, NULL, TEAMS, 2, ROW(TEXT("c"), TEXT("Beta"), TEXT("a"), TEXT("x"))),
              LDR_CONFLICT, "23505", "teams_name_key"); /* row by row */
  world_check(&w, insert(&w, NULL, USERS, ROW(TEXT("z"), NUL, TEXT("e"))), LDR_FOREIGN_KEY, "23503",
              "users_team_fkey");
  CHECK_STR(w.err.message, "row refers to a missing row: constraint \"users_team_fkey\"");
  CHECK_STR(w.err.detail, "Key (team) is not present in table \"teams\".");
  world_check(&w, insert(&w, NULL, USERS, ROW(NUL, NUL, TEXT("e"))), LDR_NOT_NULL, "23502", "");
  CHECK_STR(w.err.column, "team");
  CHECK_INT(count(&w, NULL, TEAMS, NULL), 2);
  world_close(&w);
}

TEST(a_failed_statement_leaves_nothing) {
  world_start(&w);
  world_add_users(&w);
  CHECK(insert_rows(&w, NULL, TEAMS, 2,
                    ROW(TEXT("c"), TEXT("C"), TEXT("d"), TEXT("D"), TEXT("a"), TEXT("E"))) == LDR_CONFLICT);
  CHECK_STR(show(&w, NULL, TEAMS, NULL, FIELDS(T_ID)), "a b");
  CHECK(insert(&w, NULL, TEAMS, ROW(TEXT("c"), TEXT("C"))) ==
        LDR_OK); /* the uniques have forgotten it, too */
  CHECK(update(&w, NULL, USERS, NULL, U_EMAIL, TEXT("same")) == LDR_CONFLICT);
  CHECK_INT(count(&w, NULL, USERS, EQ(U_EMAIL, TEXT("same"))), 0);
  CHECK_INT(count(&w, NULL, USERS, EQ(U_EMAIL, TEXT("u1"))), 1);
  world_close(&w);
}

TEST(identities_ascend_and_are_never_given_back) {
  world_start(&w);
  CHECK(insert(&w, NULL, USERS, ROW(TEXT("a"), NUL, TEXT("x"))) == LDR_OK);
  CHECK(insert(&w, NULL, USERS, ROW(TEXT("a"), NUL, TEXT("x"))) == LDR_CONFLICT);       /* burns 2 */
  CHECK(upsert(&w, NULL, USERS, 0, NULL, 0, ROW(TEXT("a"), NUL, TEXT("x"))) == LDR_OK); /* burns 3 */
  CHECK_INT(w.affected, 0);
  CHECK(insert(&w, NULL, USERS, ROW(TEXT("a"), INT(100), TEXT("y"))) == LDR_OK); /* moves nothing */
  CHECK(insert(&w, NULL, USERS, ROW(TEXT("a"), NUL, TEXT("z"))) == LDR_OK);
  CHECK_STR(show(&w, NULL, USERS, NULL, FIELDS(U_ID, U_EMAIL)), "1|x 4|z 100|y");
  world_close(&w);
}

TEST(partial_uniques_count_only_their_rows) {
  const ldr_value gone = ldr_time(5);
  world_start(&w);
  CHECK(insert(&w, NULL, USERS, ROW(TEXT("a"), NUL, TEXT("x"))) == LDR_OK);
  CHECK(insert(&w, NULL, USERS, ROW(TEXT("b"), NUL, TEXT("x"))) == LDR_OK);
  CHECK(update(&w, NULL, USERS, EQ(U_ID, INT(1)), U_GONE, gone) == LDR_OK);
  CHECK(insert(&w, NULL, USERS, ROW(TEXT("a"), NUL, TEXT("x"))) == LDR_OK);
  world_check(&w, update(&w, NULL, USERS, EQ(U_ID, INT(1)), U_GONE, NUL), LDR_CONFLICT, "23505",
              "users_email_key");
  CHECK(update(&w, NULL, USERS, EQ(U_TEAM, TEXT("a")), U_EMAIL, NUL) == LDR_OK); /* nulls never conflict */
  CHECK(update(&w, NULL, USERS, EQ(U_TEAM, TEXT("a")), U_GONE, NUL) == LDR_OK);
  CHECK_INT(w.affected, 2);
  world_close(&w);
}

/* ---- conflicts ---- */

TEST(upsert_sets_from_the_proposed_row) {
  const ldr_set sets[] = {{.field = U_SCORE, .kind = LDR_SET_INCREMENT, .excluded = true},
                          {.field = U_DATA, .kind = LDR_SET_MERGE, .value = JSON("{\"k\":1}")}};
  world_start(&w);
  for (int i = 0; i < 3; i++)
    CHECK(upsert(&w, NULL, USERS, -1, sets, 2, ROW(TEXT("a"), INT(7), TEXT("x"), INT(5))) == LDR_OK);
  CHECK_INT(w.affected, 1);
  CHECK_STR(show(&w, NULL, USERS, NULL, FIELDS(U_ID, U_SCORE)), "7|15");
  CHECK_INT(count(&w, NULL, USERS, P1(LDR_P_CONTAINS, U_DATA, JSON("{\"k\":1}"))), 1);
  world_close(&w);
}

TEST(upsert_on_a_unique_leaves_the_others_strict) {
  const ldr_set set = {.field = T_NAME, .kind = LDR_SET_VALUE, .excluded = true};
  world_start(&w);
  CHECK(upsert(&w, NULL, TEAMS, 0, &set, 1, ROW(TEXT("c"), TEXT("Alpha"))) ==
        LDR_OK); /* hits a by its name */
  CHECK_STR(show(&w, NULL, TEAMS, NULL, FIELDS(T_ID, T_NAME)), "a|Alpha b|Beta");
  world_check(&w, upsert(&w, NULL, TEAMS, -1, &set, 1, ROW(TEXT("c"), TEXT("Alpha"))), LDR_CONFLICT, "23505",
              "teams_name_key");
  world_check(&w, upsert(&w, NULL, TEAMS, -1, NULL, 0, ROW(TEXT("c"), TEXT("Alpha"))), LDR_CONFLICT, "23505",
              "teams_name_key");
  world_check(&w, upsert(&w, NULL, TEAMS, -1, &set, 1, ROW(TEXT("a"), TEXT("Beta"))), LDR_CONFLICT, "23505",
              "teams_name_key");
  world_close(&w);
}

TEST(one_statement_changes_a_row_once) {
  const ldr_set set = {.field = T_NAME, .kind = LDR_SET_VALUE, .excluded = true};
  const uint16_t cols[] = {T_ID, T_NAME};
  const ldr_value values[] = {TEXT("c"), TEXT("C"), TEXT("c"), TEXT("D")};
  ldr_op op;
  world_start(&w);
  ldr_op_init(&op, LDR_OP_INSERT, w.e[TEAMS]);
  op.cols = cols;
  op.ncols = 2;
  op.values = values;
  op.nrows = 2;
  op.on_conflict = LDR_CONFLICT_SKIP;
  CHECK(run(&w, NULL, &op) == LDR_OK);
  CHECK_INT(w.affected, 1);
  op.on_conflict = LDR_CONFLICT_UPDATE;
  op.sets = &set;
  op.nsets = 1;
  world_check(&w, run(&w, NULL, &op), LDR_INVALID, "21000", "");
  CHECK_STR(show(&w, NULL, TEAMS, EQ(T_ID, TEXT("c")), FIELDS(T_NAME)), "C");
  world_close(&w);
}

/* ---- updating ---- */

TEST(update_moves_rows_in_the_indexes) {
  world_start(&w);
  world_add_users(&w);
  CHECK(update(&w, NULL, USERS, AND(EQ(U_TEAM, TEXT("a")), EQ(U_SCORE, INT(3))), U_SCORE, INT(9)) == LDR_OK);
  CHECK_INT(w.affected, 2);
  CHECK_STR(show(&w, NULL, USERS, AND(EQ(U_TEAM, TEXT("a")), EQ(U_SCORE, INT(9))), FIELDS(U_ID)), "3 7");
  CHECK_INT(count(&w, NULL, USERS, AND(EQ(U_TEAM, TEXT("a")), EQ(U_SCORE, INT(3)))), 0);
  CHECK(update(&w, NULL, USERS, EQ(U_EMAIL, TEXT("u3")), U_EMAIL, TEXT("u3")) ==
        LDR_OK); /* itself is no conflict */
  CHECK_INT(w.affected, 1);
  world_close(&w);
}

TEST(an_increment_beyond_the_column_fails) {
  const ldr_set set = {.field = U_SCORE, .kind = LDR_SET_INCREMENT, .value = INT(INT32_MAX)};
  ldr_op op;
  world_start(&w);
  world_add_users(&w);
  ldr_op_init(&op, LDR_OP_UPDATE, w.e[USERS]);
  op.sets = &set;
  op.nsets = 1;
  world_check(&w, run(&w, NULL, &op), LDR_INVALID, "22003", "");
  CHECK_STR(w.err.column, "score");
  op.where = EQ(U_ID, INT(5)); /* null counts as 0 */
  CHECK(run(&w, NULL, &op) == LDR_OK);
  CHECK_STR(show(&w, NULL, USERS, EQ(U_ID, INT(5)), FIELDS(U_SCORE)), "2147483647");
  world_close(&w);
}

TEST(references_are_checked_on_update) {
  world_start(&w);
  world_add_users(&w);
  CHECK(insert(&w, NULL, POSTS, ROW(NUL, TEXT("a"), INT(1))) == LDR_OK);
  world_check(&w, update(&w, NULL, POSTS, NULL, P_EDITOR, INT(99)), LDR_FOREIGN_KEY, "23503",
              "posts_editor_fkey");
  CHECK(update(&w, NULL, POSTS, NULL, P_EDITOR, INT(2)) == LDR_OK);
  CHECK(update(&w, NULL, POSTS, NULL, P_EDITOR, NUL) == LDR_OK);
  world_close(&w);
}

TEST(get_by_key) {
  const ldr_value key[] = {TEXT("a"), INT(3)}, none[] = {TEXT("b"), INT(3)};
  ldr_memdb_stats stats;
  ldr_value v;
  ldr_row *row;
  world_start(&w);
  world_add_users(&w);
  ldr_mem_fail_at(1); /* a lookup allocates nothing */
  CHECK(ldr_memdb_get(w.db, NULL, w.e[USERS], key, &row, &w.err) == LDR_OK);
  CHECK(!ldr_mem_failed());
  ldr_mem_fail_at(0);
  ldr_row_get(w.e[USERS], row, U_EMAIL, &v);
  CHECK(v.n == 2 && memcmp(v.u.p, "u3", 2) == 0);
  ldr_row_release(row);
  CHECK(ldr_memdb_get(w.db, NULL, w.e[USERS], none, &row, &w.err) == LDR_NOT_FOUND);
  ldr_memdb_stats_get(w.db, &stats);
  CHECK_INT(stats.tables, TABLES);
  CHECK_INT(stats.rows, 12);
  CHECK(stats.row_bytes > 12 * 16);
  CHECK_INT(stats.transactions, 0);
  world_close(&w);
}

void test_db(void) {
  RUN(insert_and_read_back);
  RUN(returning_gives_the_rows_as_stored);
  RUN(results_outlive_later_writes);
  RUN(constraints_are_named_in_their_order);
  RUN(a_failed_statement_leaves_nothing);
  RUN(identities_ascend_and_are_never_given_back);
  RUN(partial_uniques_count_only_their_rows);
  RUN(upsert_sets_from_the_proposed_row);
  RUN(upsert_on_a_unique_leaves_the_others_strict);
  RUN(one_statement_changes_a_row_once);
  RUN(update_moves_rows_in_the_indexes);
  RUN(an_increment_beyond_the_column_fails);
  RUN(references_are_checked_on_update);
  RUN(get_by_key);
}

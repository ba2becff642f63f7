#include <stdlib.h>

#include "support/memfix.h"
#include "support/test.h"

void test_db(void);

static world w;

static void start(void) {
  CHECK(world_open(&w));
  CHECK(insert(&w, NULL, TEAMS, ROW(TEXT("a"), TEXT("Alpha"))) == LDR_OK);
  CHECK(insert(&w, NULL, TEAMS, ROW(TEXT("b"), TEXT("Beta"))) == LDR_OK);
}

/* Ten users of team a: ids 1 … 10, scores 0 … 3, every fifth without. */
static void add_users(void) {
  for (int i = 1; i <= 10; i++) {
    char email[8];
    int n = snprintf(email, sizeof email, "u%d", i);
    CHECK(insert(&w, NULL, USERS,
                 ROW(TEXT("a"), NUL, ldr_text(email, (size_t)n), i % 5 ? INT(i % 4) : NUL)) == LDR_OK);
  }
}

static void check_error(ldr_code code, ldr_code want, const char *state, const char *constraint) {
  CHECK_INT(code, want);
  CHECK_STR(w.err.sqlstate, state);
  CHECK_STR(w.err.constraint, constraint);
}

/* ---- inserting ---- */

TEST(insert_and_read_back) {
  start();
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
  start();
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
  start();
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
  start();
  check_error(insert(&w, NULL, TEAMS, ROW(TEXT("a"), TEXT("Beta"))), LDR_CONFLICT, "23505", "teams_pkey");
  CHECK_STR(w.err.message, "duplicate value violates unique constraint \"teams_pkey\"");
  CHECK_STR(w.err.table, "teams");
  CHECK_STR(w.err.detail, "Key (id) already exists.");
  check_error(insert(&w, NULL, TEAMS, ROW(TEXT("c"), TEXT("Beta"))), LDR_CONFLICT, "23505", "teams_name_key");
  check_error(insert_rows(&w, NULL, TEAMS, 2, ROW(TEXT("c"), TEXT("Beta"), TEXT("a"), TEXT("x"))),
              LDR_CONFLICT, "23505", "teams_name_key"); /* row by row */
  check_error(insert(&w, NULL, USERS, ROW(TEXT("z"), NUL, TEXT("e"))), LDR_FOREIGN_KEY, "23503",
              "users_team_fkey");
  CHECK_STR(w.err.message, "row refers to a missing row: constraint \"users_team_fkey\"");
  CHECK_STR(w.err.detail, "Key (team) is not present in table \"teams\".");
  check_error(insert(&w, NULL, USERS, ROW(NUL, NUL, TEXT("e"))), LDR_NOT_NULL, "23502", "");
  CHECK_STR(w.err.column, "team");
  CHECK_INT(count(&w, NULL, TEAMS, NULL), 2);
  world_close(&w);
}

TEST(a_failed_statement_leaves_nothing) {
  start();
  add_users();
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
  start();
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
  start();
  CHECK(insert(&w, NULL, USERS, ROW(TEXT("a"), NUL, TEXT("x"))) == LDR_OK);
  CHECK(insert(&w, NULL, USERS, ROW(TEXT("b"), NUL, TEXT("x"))) == LDR_OK);
  CHECK(update(&w, NULL, USERS, EQ(U_ID, INT(1)), U_GONE, gone) == LDR_OK);
  CHECK(insert(&w, NULL, USERS, ROW(TEXT("a"), NUL, TEXT("x"))) == LDR_OK);
  check_error(update(&w, NULL, USERS, EQ(U_ID, INT(1)), U_GONE, NUL), LDR_CONFLICT, "23505",
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
  start();
  for (int i = 0; i < 3; i++)
    CHECK(upsert(&w, NULL, USERS, -1, sets, 2, ROW(TEXT("a"), INT(7), TEXT("x"), INT(5))) == LDR_OK);
  CHECK_INT(w.affected, 1);
  CHECK_STR(show(&w, NULL, USERS, NULL, FIELDS(U_ID, U_SCORE)), "7|15");
  CHECK_INT(count(&w, NULL, USERS, P1(LDR_P_CONTAINS, U_DATA, JSON("{\"k\":1}"))), 1);
  world_close(&w);
}

TEST(upsert_on_a_unique_leaves_the_others_strict) {
  const ldr_set set = {.field = T_NAME, .kind = LDR_SET_VALUE, .excluded = true};
  start();
  CHECK(upsert(&w, NULL, TEAMS, 0, &set, 1, ROW(TEXT("c"), TEXT("Alpha"))) ==
        LDR_OK); /* hits a by its name */
  CHECK_STR(show(&w, NULL, TEAMS, NULL, FIELDS(T_ID, T_NAME)), "a|Alpha b|Beta");
  check_error(upsert(&w, NULL, TEAMS, -1, &set, 1, ROW(TEXT("c"), TEXT("Alpha"))), LDR_CONFLICT, "23505",
              "teams_name_key");
  check_error(upsert(&w, NULL, TEAMS, -1, NULL, 0, ROW(TEXT("c"), TEXT("Alpha"))), LDR_CONFLICT, "23505",
              "teams_name_key");
  check_error(upsert(&w, NULL, TEAMS, -1, &set, 1, ROW(TEXT("a"), TEXT("Beta"))), LDR_CONFLICT, "23505",
              "teams_name_key");
  world_close(&w);
}

TEST(one_statement_changes_a_row_once) {
  const ldr_set set = {.field = T_NAME, .kind = LDR_SET_VALUE, .excluded = true};
  const uint16_t cols[] = {T_ID, T_NAME};
  const ldr_value values[] = {TEXT("c"), TEXT("C"), TEXT("c"), TEXT("D")};
  ldr_op op;
  start();
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
  check_error(run(&w, NULL, &op), LDR_INVALID, "21000", "");
  CHECK_STR(show(&w, NULL, TEAMS, EQ(T_ID, TEXT("c")), FIELDS(T_NAME)), "C");
  world_close(&w);
}

/* ---- updating ---- */

TEST(update_moves_rows_in_the_indexes) {
  start();
  add_users();
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
  start();
  add_users();
  ldr_op_init(&op, LDR_OP_UPDATE, w.e[USERS]);
  op.sets = &set;
  op.nsets = 1;
  check_error(run(&w, NULL, &op), LDR_INVALID, "22003", "");
  CHECK_STR(w.err.column, "score");
  op.where = EQ(U_ID, INT(5)); /* null counts as 0 */
  CHECK(run(&w, NULL, &op) == LDR_OK);
  CHECK_STR(show(&w, NULL, USERS, EQ(U_ID, INT(5)), FIELDS(U_SCORE)), "2147483647");
  world_close(&w);
}

TEST(references_are_checked_on_update) {
  start();
  add_users();
  CHECK(insert(&w, NULL, POSTS, ROW(NUL, TEXT("a"), INT(1))) == LDR_OK);
  check_error(update(&w, NULL, POSTS, NULL, P_EDITOR, INT(99)), LDR_FOREIGN_KEY, "23503",
              "posts_editor_fkey");
  CHECK(update(&w, NULL, POSTS, NULL, P_EDITOR, INT(2)) == LDR_OK);
  CHECK(update(&w, NULL, POSTS, NULL, P_EDITOR, NUL) == LDR_OK);
  world_close(&w);
}

/* ---- selecting ---- */

static const char *select_users(const ldr_pred *where, const ldr_order *order, unsigned norder, int64_t limit,
                                int64_t offset, const ldr_value *after) {
  static const uint16_t out[] = {U_ID};
  ldr_op op;
  ldr_op_init(&op, LDR_OP_SELECT, w.e[USERS]);
  op.where = where;
  op.out = out;
  op.nout = 1;
  op.order = order;
  op.norder = norder;
  op.limit = limit;
  op.offset = offset;
  op.after = after;
  CHECK(run(&w, NULL, &op) == LDR_OK);
  return show_result(&w);
}

TEST(orders_and_limits) {
  const ldr_order by_score[] = {DESC(U_SCORE), ASC(U_ID)}, back[] = {ASC(U_SCORE), DESC(U_ID)};
  const ldr_pred *a = EQ(U_TEAM, TEXT("a"));
  start();
  add_users();
  CHECK_STR(select_users(a, by_score, 2, -1, 0, NULL), "5 10 3 7 2 6 1 9 4 8");
  CHECK_STR(select_users(NULL, by_score, 2, -1, 0, NULL), "5 10 3 7 2 6 1 9 4 8");
  CHECK_STR(select_users(a, back, 2, -1, 0, NULL), "8 4 9 1 6 2 7 3 10 5");
  CHECK_STR(select_users(a, by_score, 2, 3, 2, NULL), "3 7 2");
  CHECK_STR(select_users(a, by_score, 2, 0, 0, NULL), "");
  CHECK_STR(select_users(a, by_score, 2, 5, 20, NULL), "");
  CHECK_STR(select_users(NULL, NULL, 0, 3, 0, NULL), "1 2 3");
  world_close(&w);
}

/* Pages of every size, joined, are the whole list: through the index and, with team not fixed, by sorting. */
TEST(keyset_pages_join_to_the_whole) {
  const ldr_order order[2][3] = {{DESC(U_SCORE), ASC(U_TEAM), ASC(U_ID)},
                                 {ASC(U_SCORE), DESC(U_TEAM), DESC(U_ID)}};
  const char *want[2] = {"5 10 3 7 2 6 1 9 4 8", "8 4 9 1 6 2 7 3 10 5"};
  start();
  add_users();
  for (int o = 0; o < 2; o++)
    for (int size = 1; size <= 11; size++)
      for (int fixed = 0; fixed < 2; fixed++) {
        const ldr_pred *where = fixed ? EQ(U_TEAM, TEXT("a")) : NULL;
        ldr_value after[3], *from = NULL;
        char all[64] = "";
        for (int page = 0; page < 12; page++) {
          ldr_row *row;
          const char *text = select_users(where, order[o], 3, size, 0, from);
          const char *last = strrchr(text, ' ');
          if (*text == '\0') break;
          snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", *all ? " " : "", text);
          after[1] = TEXT("a");
          after[2] = INT(atoi(last ? last + 1 : text));
          CHECK(ldr_memdb_get(w.db, NULL, w.e[USERS], after + 1, &row, &w.err) == LDR_OK);
          ldr_row_get(w.e[USERS], row, U_SCORE, &after[0]);
          ldr_row_release(row); /* an integer is no view */
          from = after;
        }
        CHECK_STR(all, want[o]);
      }
  world_close(&w);
}

/* Once the key is reached the rest of an order decides nothing, but the row of the keyset may have changed
 * since. */
TEST(orders_may_go_on_behind_the_key) {
  const ldr_order up[] = {ASC(U_TEAM), ASC(U_ID), ASC(U_EMAIL)},
                  down[] = {DESC(U_TEAM), DESC(U_ID), DESC(U_EMAIL)};
  const ldr_pred *a = EQ(U_TEAM, TEXT("a"));
  start();
  add_users();
  CHECK_STR(select_users(a, up, 3, 2, 0, (ldr_value[]){TEXT("a"), INT(3), TEXT("a")}), "3 4");
  CHECK_STR(select_users(a, up, 3, 2, 0, (ldr_value[]){TEXT("a"), INT(3), TEXT("u3")}), "4 5");
  CHECK_STR(select_users(a, down, 3, 2, 0, (ldr_value[]){TEXT("a"), INT(3), TEXT("z")}), "3 2");
  CHECK_STR(select_users(a, down, 3, 2, 0, (ldr_value[]){TEXT("a"), INT(3), TEXT("u3")}), "2 1");
  world_close(&w);
}

TEST(sorting_many_keeps_ties_as_they_came) {
  const ldr_order by_score[] = {ASC(U_SCORE)}, by_email[] = {DESC(U_EMAIL), ASC(U_ID)};
  start();
  for (int i = 0; i < 300; i++) {
    char email[8];
    int n = snprintf(email, sizeof email, "%03d", i * 7 % 300);
    CHECK(insert(&w, NULL, USERS, ROW(TEXT("a"), INT(1 + i), ldr_text(email, (size_t)n), INT(i % 2))) ==
          LDR_OK);
  }
  CHECK_STR(select_users(NULL, by_score, 1, 4, 0, NULL), "1 3 5 7");
  CHECK_STR(select_users(NULL, by_score, 1, 4, 148, NULL), "297 299 2 4");
  CHECK_STR(select_users(NULL, by_email, 2, 3, 0, NULL), "258 215 172"); /* 299, 298, 297 */
  world_close(&w);
}

TEST(ranks_and_null_orders) {
  const ldr_pred *ranks[] = {EQ(U_SCORE, INT(2)), IN(U_ID, INT(9), INT(8))};
  const ldr_order by_rank[] = {{.kind = LDR_BY_RANK, .nranks = 2, .ranks = ranks}, DESC(U_ID)};
  const ldr_order by_null[] = {{.kind = LDR_BY_NULL, .field = U_SCORE, .desc = true}, ASC(U_ID)};
  start();
  add_users();
  CHECK_STR(select_users(NULL, by_rank, 2, 5, 0, NULL), "6 2 9 8 10");
  CHECK_STR(select_users(NULL, by_null, 2, 3, 0, NULL), "5 10 1");
  world_close(&w);
}

TEST(a_limit_for_each_value) {
  const ldr_order order[] = {DESC(U_ID)};
  static const uint16_t out[] = {U_ID};
  ldr_op op;
  start();
  add_users();
  ldr_op_init(&op, LDR_OP_SELECT, w.e[USERS]);
  op.out = out;
  op.nout = 1;
  op.order = order;
  op.norder = 1;
  op.nper = 1;
  op.per[0] = U_SCORE;
  op.per_limit = 1;
  CHECK(run(&w, NULL, &op) == LDR_OK);
  CHECK_STR(show_result(&w), "10 9 8 7 6"); /* null is a value here */
  op.limit = 2;
  op.offset = 1;
  CHECK(run(&w, NULL, &op) == LDR_OK);
  CHECK_STR(show_result(&w), "9 8");
  op.per_limit = 0;
  CHECK(run(&w, NULL, &op) == LDR_OK);
  CHECK_STR(show_result(&w), "");
  world_close(&w);
}

TEST(lists_name_a_row_once) {
  start();
  add_users();
  CHECK_STR(show(&w, NULL, USERS, AND(EQ(U_TEAM, TEXT("a")), IN(U_ID, INT(4), INT(2), INT(4), INT(77))),
                 FIELDS(U_ID)),
            "2 4");
  CHECK_STR(
      show(&w, NULL, USERS, AND(EQ(U_TEAM, TEXT("a")), IN(U_SCORE, INT(3), INT(1), INT(3))), FIELDS(U_ID)),
      "1 3 7 9");
  CHECK_STR(show(&w, NULL, USERS,
                 &(const ldr_pred){
                     .kind = LDR_P_KEYS,
                     .n = 3,
                     .values = (const ldr_value[]){TEXT("a"), INT(9), TEXT("b"), INT(9), TEXT("a"), INT(9)}},
                 FIELDS(U_ID)),
            "9");
  CHECK_STR(show(&w, NULL, USERS,
                 &(const ldr_pred){
                     .kind = LDR_P_KEYS,
                     .n = 3,
                     .ncols = 2,
                     .cols = (const uint16_t[]){U_SCORE, U_TEAM},
                     .values = (const ldr_value[]){INT(3), TEXT("a"), INT(1), TEXT("zz"), INT(3), TEXT("a")}},
                 FIELDS(U_ID)),
            "3 7");
  CHECK_INT(count(&w, NULL, USERS, &(const ldr_pred){.kind = LDR_P_IN, .field = U_ID}), 0);
  world_close(&w);
}

TEST(semi_joins) {
  const ldr_pred *inner = EQ(P_TITLE, TEXT("t")), *any = AND(NOT(IN(P_ID, INT(-1))));
  ldr_pred exists = {
      .kind = LDR_P_EXISTS, .n = 1, .kids = &inner, .non = 2, .on = {{P_TEAM, U_TEAM}, {P_AUTHOR, U_ID}}};
  start();
  add_users();
  exists.inner = w.e[POSTS];
  CHECK(insert(&w, NULL, POSTS, ROW(NUL, TEXT("a"), INT(3), NUL, NUL, TEXT("t"))) == LDR_OK);
  CHECK(insert(&w, NULL, POSTS, ROW(NUL, TEXT("a"), INT(5), NUL, NUL, TEXT("u"))) == LDR_OK);
  CHECK(insert(&w, NULL, POSTS, ROW(NUL, TEXT("a"), NUL, NUL, NUL, TEXT("t"))) == LDR_OK);
  CHECK_STR(show(&w, NULL, USERS, &exists, FIELDS(U_ID)), "3");
  CHECK_INT(count(&w, NULL, USERS, NOT(&exists)), 9);
  exists.kids = &any;
  CHECK_STR(show(&w, NULL, USERS, &exists, FIELDS(U_ID)), "3 5");
  world_close(&w);
}

TEST(a_broken_pattern_fails_the_statement) {
  start();
  check_error(run(&w, NULL,
                  &(const ldr_op){.kind = LDR_OP_COUNT,
                                  .e = w.e[TEAMS],
                                  .where = P1(LDR_P_LIKE, T_NAME, TEXT("%\\")),
                                  .per_limit = -1,
                                  .limit = -1}),
              LDR_INVALID, "22025", "");
  world_close(&w);
}

/* ---- aggregates ---- */

static const char *aggregate(const ldr_pred *where, const ldr_agg *aggs, unsigned naggs,
                             const ldr_group *groups, unsigned ngroups, int64_t limit) {
  ldr_op op;
  ldr_op_init(&op, LDR_OP_AGGREGATE, w.e[USERS]);
  op.where = where;
  op.aggs = aggs;
  op.naggs = naggs;
  op.groups = groups;
  op.ngroups = ngroups;
  op.limit = limit;
  return run(&w, NULL, &op) == LDR_OK ? show_result(&w) : w.err.sqlstate;
}

TEST(aggregates) {
  const ldr_agg aggs[] = {{.fn = LDR_AGG_COUNT, .field = -1, .name = "n"},
                          {.fn = LDR_AGG_COUNT, .field = U_SCORE, .name = "scores"},
                          {.fn = LDR_AGG_SUM, .field = U_SCORE, .name = "sum"},
                          {.fn = LDR_AGG_AVG, .field = U_SCORE, .name = "avg"},
                          {.fn = LDR_AGG_MIN, .field = U_EMAIL, .name = "least"},
                          {.fn = LDR_AGG_MAX, .field = U_ID, .filter = EQ(U_SCORE, INT(1)), .name = "most"}};
  const ldr_group by_score = {.field = U_SCORE, .name = "score"};
  start();
  CHECK_STR(aggregate(NULL, aggs, 6, NULL, 0, -1), "0|0|0|-|-|-");
  CHECK_STR(aggregate(NULL, aggs, 6, &by_score, 1, -1), "");
  add_users();
  CHECK_STR(aggregate(NULL, aggs, 6, NULL, 0, -1), "10|8|12|1.5|u1|9");
  CHECK_STR(aggregate(NULL, aggs, 3, &by_score, 1, -1), "0|2|2|0 1|2|2|2 2|2|2|4 3|2|2|6 -|2|0|0");
  CHECK_STR(aggregate(NULL, aggs, 1, &by_score, 1, 2), "0|2 1|2");
  CHECK_STR(aggregate(EQ(U_SCORE, INT(1)), aggs + 5, 1, NULL, 0, -1), "9");
  world_close(&w);
}

static ldr_code add_amounts(const char *balance, double ratio, int64_t seen) {
  return insert(&w, NULL, USERS,
                ROW(TEXT("a"), NUL, NUL, INT(1), ldr_bytes_of(LDR_T_NUMERIC, balance, strlen(balance)),
                    ldr_float(ratio), ldr_time(ldr_time_of_unix(seen))));
}

TEST(exact_sums_and_averages) {
  const ldr_agg aggs[] = {{.fn = LDR_AGG_SUM, .field = U_BALANCE, .name = "sum"},
                          {.fn = LDR_AGG_AVG, .field = U_BALANCE, .name = "avg"},
                          {.fn = LDR_AGG_SUM, .field = U_RATIO, .name = "ratio"},
                          {.fn = LDR_AGG_MAX, .field = U_BALANCE, .name = "most"}};
  ldr_expr seen = {.kind = LDR_X_FIELD, .field = U_SEEN}, hour_of = {.kind = LDR_X_CALL,
                                                                     .fn = LDR_FN_BUCKET,
                                                                     .bucket = LDR_HOUR,
                                                                     .n = 1,
                                                                     .args = (const ldr_expr *const[]){&seen},
                                                                     .as = {.name = "hour"}};
  const ldr_group by_hour = {.field = LDR_NO_FIELD, .expr = &hour_of, .name = "hour"};
  const int64_t hour = INT64_C(3600000000);
  start();
  CHECK(ldr_expr_infer(w.e[USERS], &seen) == NULL && ldr_expr_infer(w.e[USERS], &hour_of) == NULL);
  CHECK_STR(aggregate(NULL, aggs, 1, NULL, 0, -1), "0");
  CHECK(add_amounts("0.10", 0.5, 10) == LDR_OK);
  CHECK(add_amounts("0.20", 0.25, hour - 1) == LDR_OK);
  CHECK(add_amounts("9.00", 4, hour) == LDR_OK);
  CHECK_STR(aggregate(NULL, aggs, 4, NULL, 0, -1), "9.30|3.1000000000000001|4.75|9.00");
  CHECK_STR(aggregate(NULL, aggs, 1, &by_hour, 1, -1),
            "1970-01-01T00:00:00.000000Z|0.30 1970-01-01T01:00:00.000000Z|9.00");
  world_close(&w);
}

TEST(a_sum_beyond_int8_fails) {
  const ldr_agg sum = {.fn = LDR_AGG_SUM, .field = U_ID, .name = "sum"},
                avg = {.fn = LDR_AGG_AVG, .field = U_ID, .name = "avg"};
  start();
  CHECK(insert(&w, NULL, USERS, ROW(TEXT("a"), INT(INT64_MAX))) == LDR_OK);
  CHECK(insert(&w, NULL, USERS, ROW(TEXT("a"), INT(1))) == LDR_OK);
  CHECK_STR(aggregate(NULL, &sum, 1, NULL, 0, -1), "22003");
  CHECK_STR(aggregate(NULL, &avg, 1, NULL, 0, -1), "4.6116860184273879e+18");
  CHECK(insert(&w, NULL, USERS, ROW(TEXT("a"), INT(-1))) == LDR_OK);
  CHECK_STR(aggregate(NULL, &sum, 1, NULL, 0, -1), "9223372036854775807"); /* only the end counts */
  world_close(&w);
}

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
  start();
  b = batch_of_teams(ids, names, 3);
  check_error(w.db->ops->load(w.db, NULL, b, LDR_CONFLICT_ERROR, &call, &n, NULL, &w.err), LDR_CONFLICT,
              "23505", "teams_pkey");
  CHECK_INT(n, -1);
  CHECK_STR(show(&w, NULL, TEAMS, NULL, FIELDS(T_ID)), "a b");
  check_error(w.db->ops->load(w.db, NULL, b, LDR_CONFLICT_UPDATE, &call, &n, NULL, &w.err), LDR_CONFLICT,
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
  start();
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
  start();
  CHECK(load_user(INT(41)) == LDR_OK);
  CHECK(insert(&w, NULL, USERS, ROW(TEXT("a"), NUL)) == LDR_OK);
  CHECK(load_user(INT(3)) == LDR_OK);
  CHECK(insert(&w, NULL, USERS, ROW(TEXT("a"), NUL)) == LDR_OK);
  CHECK_STR(show(&w, NULL, USERS, NULL, FIELDS(U_ID)), "3 41 42 43");
  check_error(load_user(NUL), LDR_NOT_NULL, "23502", "");
  world_close(&w);
}

TEST(a_scan_sees_one_moment) {
  const ldr_call call = {.block = true};
  ldr_scan *s;
  ldr_batch *b;
  size_t n = 0;
  start();
  add_users();
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
  start();
  add_users();
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
    start();
    add_users();
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
  start();
  tx = begin(&w);
  CHECK(by_cursor(tx, LDR_HOW_FETCH, 3, 1) == LDR_INVALID);
  CHECK_STR(w.err.sqlstate, "34000");
  rollback(&w, tx);
  world_close(&w);
}

TEST(get_by_key) {
  const ldr_value key[] = {TEXT("a"), INT(3)}, none[] = {TEXT("b"), INT(3)};
  ldr_memdb_stats stats;
  ldr_value v;
  ldr_row *row;
  start();
  add_users();
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
  RUN(orders_and_limits);
  RUN(keyset_pages_join_to_the_whole);
  RUN(orders_may_go_on_behind_the_key);
  RUN(sorting_many_keeps_ties_as_they_came);
  RUN(ranks_and_null_orders);
  RUN(a_limit_for_each_value);
  RUN(lists_name_a_row_once);
  RUN(semi_joins);
  RUN(a_broken_pattern_fails_the_statement);
  RUN(aggregates);
  RUN(exact_sums_and_averages);
  RUN(a_sum_beyond_int8_fails);
  RUN(load_all_or_none);
  RUN(the_last_of_a_load_wins);
  RUN(loaded_identities_are_not_given_out_again);
  RUN(a_scan_sees_one_moment);
  RUN(a_cursor_shows_one_moment_by_pieces);
  RUN(a_cursor_that_lacks_memory_is_an_error);
  RUN(an_unknown_cursor_is_an_error);
  RUN(get_by_key);
}

/* The memory engine: conditions, orders, pages, aggregates. */
#include <stdlib.h>

#include "support/memfix.h"
#include "support/test.h"

void test_select(void);

static world w;

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
  world_start(&w);
  world_add_users(&w);
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
  world_start(&w);
  world_add_users(&w);
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
  world_start(&w);
  world_add_users(&w);
  CHECK_STR(select_users(a, up, 3, 2, 0, (ldr_value[]){TEXT("a"), INT(3), TEXT("a")}), "3 4");
  CHECK_STR(select_users(a, up, 3, 2, 0, (ldr_value[]){TEXT("a"), INT(3), TEXT("u3")}), "4 5");
  CHECK_STR(select_users(a, down, 3, 2, 0, (ldr_value[]){TEXT("a"), INT(3), TEXT("z")}), "3 2");
  CHECK_STR(select_users(a, down, 3, 2, 0, (ldr_value[]){TEXT("a"), INT(3), TEXT("u3")}), "2 1");
  world_close(&w);
}

TEST(sorting_many_keeps_ties_as_they_came) {
  const ldr_order by_score[] = {ASC(U_SCORE)}, by_email[] = {DESC(U_EMAIL), ASC(U_ID)};
  world_start(&w);
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
  world_start(&w);
  world_add_users(&w);
  CHECK_STR(select_users(NULL, by_rank, 2, 5, 0, NULL), "6 2 9 8 10");
  CHECK_STR(select_users(NULL, by_null, 2, 3, 0, NULL), "5 10 1");
  world_close(&w);
}

TEST(a_limit_for_each_value) {
  const ldr_order order[] = {DESC(U_ID)};
  static const uint16_t out[] = {U_ID};
  ldr_op op;
  world_start(&w);
  world_add_users(&w);
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
  world_start(&w);
  world_add_users(&w);
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
  world_start(&w);
  world_add_users(&w);
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
  world_start(&w);
  world_check(&w,
              run(&w, NULL,
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
  world_start(&w);
  CHECK_STR(aggregate(NULL, aggs, 6, NULL, 0, -1), "0|0|0|-|-|-");
  CHECK_STR(aggregate(NULL, aggs, 6, &by_score, 1, -1), "");
  world_add_users(&w);
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
  world_start(&w);
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
  world_start(&w);
  CHECK(insert(&w, NULL, USERS, ROW(TEXT("a"), INT(INT64_MAX))) == LDR_OK);
  CHECK(insert(&w, NULL, USERS, ROW(TEXT("a"), INT(1))) == LDR_OK);
  CHECK_STR(aggregate(NULL, &sum, 1, NULL, 0, -1), "22003");
  CHECK_STR(aggregate(NULL, &avg, 1, NULL, 0, -1), "4.6116860184273879e+18");
  CHECK(insert(&w, NULL, USERS, ROW(TEXT("a"), INT(-1))) == LDR_OK);
  CHECK_STR(aggregate(NULL, &sum, 1, NULL, 0, -1), "9223372036854775807"); /* only the end counts */
  world_close(&w);
}

void test_select(void) {
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
}

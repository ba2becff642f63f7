#include "memory/match.h"

#include "memory/avg.h"
#include "memory/set_apply.h"
#include "support/fixture.h"
#include "support/memfix.h"
#include "support/test.h"

void test_match(void);

static world w;

/* ---- predicates on one user: score 5, balance 1.50, data {"a":1}, tags {x}, the rest null ---- */

static ldr_value tags_of(ldr_buf *b, const char *const *tags, int32_t n) {
  ldr_array_begin(b, LDR_F_TEXT, n > 0, &n, false);
  for (int32_t i = 0; i < n; i++) {
    ldr_buf_be32(b, (uint32_t)strlen(tags[i]));
    ldr_buf_str(b, tags[i]);
  }
  return ldr_bytes_of(LDR_T_ARRAY, b->p, b->n);
}

static ldr_row *user(void) {
  static const char *const tags[] = {"x", "y"};
  ldr_value v[U_COUNT];
  ldr_buf b = {0};
  ldr_row *row = NULL;
  for (int i = 0; i < U_COUNT; i++) v[i] = NUL;
  v[U_TEAM] = TEXT("a");
  v[U_ID] = INT(1);
  v[U_SCORE] = INT(5);
  v[U_BALANCE] = NUM("1.50");
  v[U_DATA] = JSON("{\"a\":1}");
  v[U_TAGS] = tags_of(&b, tags, 2);
  CHECK(ldr_row_pack(w.e[USERS], v, &row, &w.err) == LDR_OK);
  ldr_buf_free(&b);
  return row;
}

static char truth_of(const ldr_pred *p) {
  const ldr_matcher m = {.err = &w.err};
  ldr_row *row = user();
  ldr_truth t = ldr_match(&m, w.e[USERS], row, p);
  ldr_row_release(row);
  return "ft?!"[t];
}

#define YES(p)     CHECK_INT(truth_of(p), 't')
#define NO(p)      CHECK_INT(truth_of(p), 'f')
#define UNKNOWN(p) CHECK_INT(truth_of(p), '?')

TEST(comparisons) {
  CHECK(world_open(&w));
  YES(EQ(U_SCORE, INT(5)));
  NO(EQ(U_SCORE, INT(6)));
  NO(P1(LDR_P_NE, U_SCORE, INT(5)));
  YES(P1(LDR_P_LT, U_SCORE, INT(6)));
  NO(P1(LDR_P_LT, U_SCORE, INT(5)));
  YES(P1(LDR_P_LE, U_SCORE, INT(5)));
  NO(P1(LDR_P_GT, U_SCORE, INT(5)));
  YES(P1(LDR_P_GE, U_SCORE, INT(5)));
  YES(EQ(U_BALANCE, NUM("1.5")));
  YES(EQ(U_DATA, JSON("{ \"a\" : 1.0 }")));
  YES(P1(LDR_P_LIKE, U_TEAM, TEXT("_")));
  NO(P1(LDR_P_LIKE, U_TEAM, TEXT("A")));
  YES(P1(LDR_P_ILIKE, U_TEAM, TEXT("A")));
  YES(IN(U_SCORE, INT(4), INT(5)));
  NO(IN(U_SCORE, INT(4)));
  YES(IN(U_DATA, JSON("2"), JSON("{\"a\":1}")));
  NO(IS_NULL(U_SCORE));
  YES(IS_NULL(U_EMAIL));
  world_close(&w);
}

TEST(nulls_are_unknown) {
  CHECK(world_open(&w));
  UNKNOWN(EQ(U_EMAIL, TEXT("x")));
  UNKNOWN(P1(LDR_P_NE, U_EMAIL, TEXT("x")));
  UNKNOWN(NOT(EQ(U_EMAIL, TEXT("x"))));
  UNKNOWN(P1(LDR_P_LIKE, U_EMAIL, TEXT("%")));
  UNKNOWN(IN(U_EMAIL, TEXT("x")));
  NO((&(const ldr_pred){.kind = LDR_P_IN, .field = U_EMAIL}));
  UNKNOWN(P1(LDR_P_GT, U_SEEN, ldr_time(0)));
  world_close(&w);
}

TEST(three_valued_logic) {
  const ldr_pred *t = EQ(U_SCORE, INT(5)), *f = EQ(U_SCORE, INT(6)), *u = EQ(U_EMAIL, TEXT("x"));
  CHECK(world_open(&w));
  YES((&(const ldr_pred){.kind = LDR_P_AND}));
  NO((&(const ldr_pred){.kind = LDR_P_OR}));
  YES(AND(t, t));
  UNKNOWN(AND(t, u));
  NO(AND(u, f));
  NO(OR(f, f));
  UNKNOWN(OR(f, u));
  YES(OR(u, t));
  NO(NOT(OR(u, t)));
  YES(NOT(AND(u, f)));
  UNKNOWN(NOT(AND(u, t)));
  world_close(&w);
}

TEST(containment) {
  static const char *const one[] = {"y"}, *const other[] = {"x", "z"};
  ldr_buf a = {0}, b = {0}, none = {0};
  CHECK(world_open(&w));
  YES(P1(LDR_P_CONTAINS, U_DATA, JSON("{}")));
  NO(P1(LDR_P_CONTAINS, U_DATA, JSON("{\"a\":2}")));
  YES(P1(LDR_P_HAS_KEY, U_DATA, TEXT("a")));
  NO(P1(LDR_P_HAS_KEY, U_DATA, TEXT("b")));
  YES(P1(LDR_P_CONTAINS, U_TAGS, tags_of(&a, one, 1)));
  NO(P1(LDR_P_CONTAINS, U_TAGS, tags_of(&b, other, 2)));
  YES(P1(LDR_P_CONTAINS, U_TAGS, tags_of(&none, NULL, 0)));
  ldr_buf_free(&a);
  ldr_buf_free(&b);
  ldr_buf_free(&none);
  world_close(&w);
}

TEST(keys) {
  const ldr_value keys[] = {TEXT("a"), INT(2), TEXT("a"), INT(1)};
  CHECK(world_open(&w));
  YES((&(const ldr_pred){.kind = LDR_P_KEYS, .n = 2, .values = keys}));
  NO((&(const ldr_pred){.kind = LDR_P_KEYS, .n = 1, .values = keys}));
  NO((&(const ldr_pred){.kind = LDR_P_KEYS}));
  world_close(&w);
}

TEST(orders_put_nulls_last_then_first) {
  const ldr_value one = INT(1), two = INT(2), null = NUL;
  CHECK(ldr_order_values(&one, &two) < 0);
  CHECK(ldr_order_values(&null, &two) > 0);
  CHECK(ldr_order_values(&two, &null) < 0);
  CHECK_INT(ldr_order_values(&null, &null), 0);
}

TEST(keysets) {
  const ldr_order order[] = {DESC(U_SCORE), ASC(U_EMAIL), ASC(U_ID)};
  const ldr_matcher m = {.err = &w.err};
  ldr_row *row;
  CHECK(world_open(&w));
  row = user(); /* 5, null, 1 */
  CHECK_INT(ldr_order_after(&m, w.e[USERS], order, 3, row, (ldr_value[]){INT(6), NUL, INT(9)}), LDR_TRUE);
  CHECK_INT(ldr_order_after(&m, w.e[USERS], order, 3, row, (ldr_value[]){INT(4), NUL, INT(0)}), LDR_FALSE);
  CHECK_INT(ldr_order_after(&m, w.e[USERS], order, 3, row, (ldr_value[]){NUL, TEXT("x"), INT(0)}), LDR_TRUE);
  CHECK_INT(ldr_order_after(&m, w.e[USERS], order, 3, row, (ldr_value[]){INT(5), TEXT("x"), INT(9)}),
            LDR_TRUE);
  CHECK_INT(ldr_order_after(&m, w.e[USERS], order, 3, row, (ldr_value[]){INT(5), NUL, INT(0)}), LDR_TRUE);
  CHECK_INT(ldr_order_after(&m, w.e[USERS], order, 3, row, (ldr_value[]){INT(5), NUL, INT(1)}), LDR_FALSE);
  ldr_row_release(row);
  world_close(&w);
}

/* ---- set expressions ---- */

static ldr_arena arena;

/* The one field after the set, as text; the SQLSTATE when it fails. */
static const char *after_set(ldr_set set, const ldr_value *old, const ldr_value *excluded) {
  static ldr_value out[U_COUNT];
  static char text[200];
  const ldr_value *v = &out[set.field];
  if (ldr_set_apply(w.e[USERS], &set, 1, old, excluded, &arena, out, &w.err) != LDR_OK) return w.err.sqlstate;
  switch (v->type) {
    case LDR_T_NULL: return "null";
    case LDR_T_INT: snprintf(text, sizeof text, "%lld", (long long)v->u.i); break;
    case LDR_T_FLOAT: snprintf(text, sizeof text, "%g", v->u.f); break;
    default: snprintf(text, sizeof text, "%.*s", (int)v->n, v->u.p);
  }
  return text;
}

static const char *set_of(uint16_t field, ldr_value now, ldr_set_kind kind, ldr_value v) {
  ldr_value old[U_COUNT] = {{.type = LDR_T_NULL}};
  old[field] = now;
  return after_set((ldr_set){.field = field, .kind = kind, .value = v}, old, NULL);
}

TEST(sets) {
  CHECK(world_open(&w));
  CHECK_STR(set_of(U_SCORE, INT(1), LDR_SET_VALUE, INT(2)), "2");
  CHECK_STR(set_of(U_SCORE, INT(1), LDR_SET_VALUE, NUL), "null");
  CHECK_STR(set_of(U_TEAM, TEXT("a"), LDR_SET_VALUE, NUL), "23502");
  CHECK_STR(set_of(U_SCORE, INT(1), LDR_SET_COALESCE, INT(2)), "1");
  CHECK_STR(set_of(U_SCORE, NUL, LDR_SET_COALESCE, INT(2)), "2");
  CHECK_STR(set_of(U_SCORE, INT(1), LDR_SET_GREATEST, INT(2)), "2");
  CHECK_STR(set_of(U_SCORE, INT(3), LDR_SET_GREATEST, INT(2)), "3");
  CHECK_STR(set_of(U_SCORE, NUL, LDR_SET_GREATEST, INT(2)), "2");
  CHECK_STR(set_of(U_SCORE, INT(3), LDR_SET_GREATEST, NUL), "3");
  CHECK_STR(set_of(U_SCORE, INT(1), LDR_SET_INCREMENT, INT(-3)), "-2");
  CHECK_STR(set_of(U_SCORE, NUL, LDR_SET_INCREMENT, INT(4)), "4");
  CHECK_STR(set_of(U_SCORE, INT(4), LDR_SET_INCREMENT, NUL), "null");
  CHECK_STR(set_of(U_SCORE, INT(INT32_MIN), LDR_SET_INCREMENT, INT(-1)), "22003");
  CHECK_STR(set_of(U_ID, INT(INT64_MAX - 1), LDR_SET_INCREMENT, INT(1)), "9223372036854775807");
  CHECK_STR(set_of(U_ID, INT(INT64_MAX), LDR_SET_INCREMENT, INT(1)), "22003");
  CHECK_STR(set_of(U_BALANCE, NUM("0.10"), LDR_SET_INCREMENT, NUM("0.205")), "0.31");
  CHECK_STR(set_of(U_BALANCE, NUM("999999.99"), LDR_SET_INCREMENT, NUM("0.01")), "22003");
  CHECK_STR(set_of(U_RATIO, ldr_float(0.5), LDR_SET_INCREMENT, ldr_float(1)), "1.5");
  CHECK_STR(set_of(U_RATIO, ldr_float(1.7e308), LDR_SET_INCREMENT, ldr_float(1.7e308)), "22003");
  CHECK_STR(set_of(U_DATA, NUL, LDR_SET_APPEND, JSON("{\"a\":1}")), "[{\"a\": 1}]");
  CHECK_STR(set_of(U_DATA, JSON("[1]"), LDR_SET_APPEND, JSON("[2,3]")), "[1, 2, 3]");
  CHECK_STR(set_of(U_DATA, NUL, LDR_SET_MERGE, JSON("{\"a\":1}")), "{\"a\": 1}");
  CHECK_STR(set_of(U_DATA, JSON("{\"a\":1,\"b\":2}"), LDR_SET_MERGE, JSON("{\"a\":null}")),
            "{\"a\": null, \"b\": 2}");
  ldr_arena_free(&arena);
  world_close(&w);
}

TEST(sets_see_the_old_row_and_the_proposed_one) {
  const ldr_set sets[] = {{.field = U_SCORE, .kind = LDR_SET_VALUE, .excluded = true},
                          {.field = U_ID, .kind = LDR_SET_INCREMENT, .value = INT(1)}};
  ldr_value old[U_COUNT] = {{.type = LDR_T_NULL}}, proposed[U_COUNT] = {{.type = LDR_T_NULL}}, out[U_COUNT];
  CHECK(world_open(&w));
  old[U_SCORE] = INT(1);
  old[U_ID] = INT(7);
  proposed[U_SCORE] = INT(50);
  proposed[U_ID] = INT(99);
  CHECK(ldr_set_apply(w.e[USERS], sets, 2, old, proposed, &arena, out, &w.err) == LDR_OK);
  CHECK_INT(out[U_SCORE].u.i, 50);
  CHECK_INT(out[U_ID].u.i, 8);
  ldr_arena_free(&arena);
  world_close(&w);
}

TEST(arrays_are_joined) {
  static const char *const xy[] = {"x", "y"}, *const z[] = {"z"}, *const xyz[] = {"x", "y", "z"};
  const int32_t two_by_one[] = {2, 1};
  ldr_buf b[4] = {{0}};
  ldr_value old[U_COUNT] = {{.type = LDR_T_NULL}}, out[U_COUNT], want;
  ldr_set set = {.field = U_TAGS, .kind = LDR_SET_APPEND};
  CHECK(world_open(&w));
  old[U_TAGS] = tags_of(&b[0], xy, 2);
  set.value = tags_of(&b[1], z, 1);
  want = tags_of(&b[2], xyz, 3);
  CHECK(ldr_set_apply(w.e[USERS], &set, 1, old, NULL, &arena, out, &w.err) == LDR_OK);
  CHECK_INT(ldr_value_cmp(&out[U_TAGS], &want), 0);
  old[U_TAGS] = NUL;
  CHECK(ldr_set_apply(w.e[USERS], &set, 1, old, NULL, &arena, out, &w.err) == LDR_OK);
  CHECK_INT(ldr_value_cmp(&out[U_TAGS], &set.value), 0);
  ldr_array_begin(&b[3], LDR_F_TEXT, 2, two_by_one, false); /* {{x},{y}} || {z} = {{x},{y},{z}} */
  ldr_buf_add(&b[3], b[0].p + 20, b[0].n - 20);
  old[U_TAGS] = ldr_bytes_of(LDR_T_ARRAY, b[3].p, b[3].n);
  CHECK(ldr_set_apply(w.e[USERS], &set, 1, old, NULL, &arena, out, &w.err) == LDR_OK);
  CHECK_INT(out[U_TAGS].n, want.n + 8);
  set.value = want;
  CHECK(ldr_set_apply(w.e[USERS], &set, 1, old, NULL, &arena, out, &w.err) == LDR_INVALID);
  CHECK_STR(w.err.sqlstate, "2202E");
  for (int i = 0; i < 4; i++) ldr_buf_free(&b[i]);
  ldr_arena_free(&arena);
  world_close(&w);
}

/* ---- averages: as `select avg(…)::float8` of PostgreSQL 15 prints them ---- */

static double average(const char *sum, int64_t count) {
  double out = -1;
  CHECK(ldr_avg(sum, strlen(sum), count, &out) == LDR_AVG_OK);
  return out;
}

TEST(averages) {
  CHECK(average("10", 4) == 2.5);
  CHECK(average("-10", 4) == -2.5);
  CHECK(average("0", 3) == 0);
  CHECK(average("10", 3) == 3.3333333333333335);
  CHECK(average("2", 3) == 0.66666666666666666667);
  CHECK(average("99999", 100000) == 0.99999);
  CHECK(average("19999999999999999999", 2) == 1e19);
  CHECK(average("9.30", 3) == 3.1);
  CHECK(average("0.00000000000000000001", 3) == 3.3333333333333333e-21);
  CHECK(average("-74748456", 4816) == -15520.858803986712); /* not so when the last digit is cut off */
  CHECK(average("0.390132570842", 3955399) == 9.863292447664572e-08);
  CHECK(average("16061452383740610000", 282) == 5.69555049068816e+16);
  CHECK(average("Infinity", 3) > 1e308);
  CHECK(average("-Infinity", 3) < -1e308);
  CHECK(average("NaN", 3) != average("NaN", 3));
  {
    char large[401] = "1", small[] = "0.0000000001", tiny[403];
    double out;
    memset(large + 1, '0', 399);
    memset(tiny, '0', sizeof tiny - 1);
    tiny[1] = '.';
    tiny[sizeof tiny - 2] = '1';
    CHECK(ldr_avg(large, 400, 1, &out) == LDR_AVG_RANGE);
    CHECK(ldr_avg(tiny, sizeof tiny - 1, 1, &out) == LDR_AVG_RANGE);
    CHECK(ldr_avg(small, sizeof small - 1, 1, &out) == LDR_AVG_OK);
  }
}

void test_match(void) {
  RUN(comparisons);
  RUN(nulls_are_unknown);
  RUN(three_valued_logic);
  RUN(containment);
  RUN(keys);
  RUN(orders_put_nulls_last_then_first);
  RUN(keysets);
  RUN(sets);
  RUN(sets_see_the_old_row_and_the_proposed_one);
  RUN(arrays_are_joined);
  RUN(averages);
}

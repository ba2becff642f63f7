#include "support/memfix.h"
#include "support/test.h"

void test_refs(void);

static world w;

static void post(int id, ldr_value author, ldr_value editor, ldr_value parent) {
  CHECK(insert(&w, NULL, POSTS, ROW(INT(id), TEXT("a"), author, editor, parent)) == LDR_OK);
}

/* Users 1 … 3 of team a, 4 of b. */
static void start(void) {
  CHECK(world_open(&w));
  CHECK(insert(&w, NULL, TEAMS, ROW(TEXT("a"), TEXT("Alpha"))) == LDR_OK);
  CHECK(insert(&w, NULL, TEAMS, ROW(TEXT("b"), TEXT("Beta"))) == LDR_OK);
  for (int i = 1; i <= 4; i++)
    CHECK(insert(&w, NULL, USERS, ROW(i < 4 ? TEXT("a") : TEXT("b"), INT(i))) == LDR_OK);
}

static const char *posts(ldr_tx *tx) { return show(&w, tx, POSTS, NULL, FIELDS(P_ID, P_EDITOR)); }

TEST(children_go_with_their_parent) {
  start();
  post(1, INT(1), NUL, NUL);
  post(2, INT(2), NUL, INT(1));
  post(3, INT(2), NUL, INT(2));
  post(4, INT(3), NUL, NUL);
  CHECK(delete (&w, NULL, USERS, EQ(U_ID, INT(1))) == LDR_OK); /* post 1, its answer 2, its answer 3 */
  CHECK_INT(w.affected, 1);
  CHECK_STR(posts(NULL), "4|-");
  CHECK(delete (&w, NULL, TEAMS, EQ(T_ID, TEXT("a"))) == LDR_OK);
  CHECK_STR(posts(NULL), "");
  CHECK_STR(show(&w, NULL, USERS, NULL, FIELDS(U_ID)), "4");
  world_close(&w);
}

TEST(set_null_keeps_the_row) {
  start();
  post(1, INT(1), INT(2), NUL);
  post(2, INT(1), INT(3), NUL);
  CHECK(delete (&w, NULL, USERS, EQ(U_ID, INT(2))) == LDR_OK);
  CHECK_STR(posts(NULL), "1|- 2|3");
  CHECK_STR(show(&w, NULL, POSTS, EQ(P_ID, INT(1)), FIELDS(P_TEAM)), "a"); /* only the named field */
  world_close(&w);
}

TEST(restrict_forbids) {
  start();
  CHECK(insert(&w, NULL, BADGES, ROW(TEXT("x"), TEXT("a"), INT(1))) == LDR_OK);
  post(1, INT(1), NUL, NUL);
  CHECK(delete (&w, NULL, USERS, EQ(U_ID, INT(1))) == LDR_FOREIGN_KEY);
  CHECK_STR(w.err.sqlstate, "23503");
  CHECK_STR(w.err.constraint, "badges_holder_fkey");
  CHECK_STR(w.err.table, "badges");
  CHECK_STR(w.err.message, "row is still referred to: constraint \"badges_holder_fkey\"");
  CHECK_STR(w.err.detail, "Key (team, id) is still referenced from table \"badges\".");
  CHECK_STR(posts(NULL), "1|-"); /* what the cascade had done before is undone */
  CHECK(delete (&w, NULL, TEAMS, EQ(T_ID, TEXT("a"))) == LDR_FOREIGN_KEY);
  CHECK(delete (&w, NULL, BADGES, NULL) == LDR_OK);
  CHECK(delete (&w, NULL, TEAMS, EQ(T_ID, TEXT("a"))) == LDR_OK);
  CHECK_STR(posts(NULL), "");
  world_close(&w);
}

TEST(self_references) {
  start();
  CHECK(insert_rows(&w, NULL, POSTS, 5,
                    ROW(INT(1), TEXT("a"), NUL, NUL, INT(2), INT(2), TEXT("a"), NUL, NUL, INT(2))) == LDR_OK);
  CHECK(insert(&w, NULL, POSTS, ROW(INT(3), TEXT("a"), NUL, NUL, INT(9))) == LDR_FOREIGN_KEY);
  CHECK_STR(w.err.constraint, "posts_parent_fkey");
  CHECK(delete (&w, NULL, POSTS, NULL) == LDR_OK); /* parent and child in one statement */
  CHECK_INT(w.affected, 2);
  CHECK_STR(posts(NULL), "");
  world_close(&w);
}

TEST(a_null_refers_to_nothing) {
  start();
  post(1, NUL, NUL, NUL);
  CHECK(insert(&w, NULL, POSTS, ROW(INT(2), TEXT("z"), NUL)) ==
        LDR_OK); /* no such team, but no author either */
  CHECK(insert(&w, NULL, POSTS, ROW(INT(3), TEXT("z"), INT(1))) == LDR_FOREIGN_KEY);
  world_close(&w);
}

TEST(rows_are_checked_before_references) {
  start();
  CHECK(insert_rows(&w, NULL, BADGES, 3, ROW(TEXT("x"), TEXT("a"), INT(99), TEXT("x"), TEXT("a"), INT(1))) ==
        LDR_CONFLICT); /* the duplicate of the second row comes before the reference of the first */
  world_close(&w);
}

/* ---- between transactions ---- */

TEST(a_parent_that_another_deletes) {
  ldr_tx *tx, *other;
  start();
  tx = begin(&w);
  CHECK(delete (&w, tx, USERS, EQ(U_ID, INT(1))) == LDR_OK);
  CHECK(insert(&w, NULL, POSTS, ROW(NUL, TEXT("a"), INT(1))) == LDR_LOCK_TIMEOUT);
  CHECK_STR(w.err.sqlstate, "55P03");
  CHECK(insert(&w, tx, POSTS, ROW(NUL, TEXT("a"), INT(1))) == LDR_FOREIGN_KEY);
  rollback(&w, tx);
  other = begin(&w);
  CHECK(insert(&w, other, USERS, ROW(TEXT("a"), INT(8))) == LDR_OK);
  CHECK(insert(&w, NULL, POSTS, ROW(NUL, TEXT("a"), INT(8))) == LDR_FOREIGN_KEY); /* not there for others */
  CHECK(insert(&w, other, POSTS, ROW(NUL, TEXT("a"), INT(8))) == LDR_OK);
  CHECK(commit(&w, other) == LDR_OK);
  CHECK_INT(count(&w, NULL, POSTS, NULL), 1);
  world_close(&w);
}

TEST(a_child_that_another_inserts) {
  ldr_tx *tx;
  start();
  tx = begin(&w);
  CHECK(insert(&w, tx, POSTS, ROW(NUL, TEXT("a"), INT(1))) == LDR_OK);
  CHECK(delete (&w, NULL, USERS, EQ(U_ID, INT(1))) == LDR_LOCK_TIMEOUT);
  CHECK(delete (&w, NULL, USERS, EQ(U_ID, INT(2))) == LDR_OK);
  rollback(&w, tx);
  CHECK(delete (&w, NULL, USERS, EQ(U_ID, INT(1))) == LDR_OK);
  world_close(&w);
}

TEST(a_cascade_is_undone_as_a_whole) {
  ldr_tx *tx;
  start();
  post(1, INT(1), INT(2), NUL);
  post(2, INT(2), INT(1), INT(1));
  tx = begin(&w);
  CHECK(delete (&w, tx, TEAMS, EQ(T_ID, TEXT("a"))) == LDR_OK);
  CHECK_STR(posts(tx), "");
  CHECK_STR(posts(NULL), "1|2 2|1");
  rollback(&w, tx);
  CHECK_STR(posts(NULL), "1|2 2|1");
  CHECK_INT(count(&w, NULL, USERS, EQ(U_TEAM, TEXT("a"))), 3);
  CHECK(delete (&w, NULL, USERS, EQ(U_ID, INT(2))) == LDR_OK);
  CHECK_STR(posts(NULL), "1|-");
  world_close(&w);
}

void test_refs(void) {
  RUN(children_go_with_their_parent);
  RUN(set_null_keeps_the_row);
  RUN(restrict_forbids);
  RUN(self_references);
  RUN(a_null_refers_to_nothing);
  RUN(rows_are_checked_before_references);
  RUN(a_parent_that_another_deletes);
  RUN(a_child_that_another_inserts);
  RUN(a_cascade_is_undone_as_a_whole);
}

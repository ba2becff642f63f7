#include "base/nearest.h"

#include "support/test.h"

void test_nearest(void);

static const char *meant(const char *name) {
  static const char *const names[] = {"email", "where", "order", "title", "at", "id", "with_deleted"};
  ldr_nearest n;
  ldr_nearest_begin(&n, name);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) ldr_nearest_try(&n, names[i]);
  return n.best ? n.best : "";
}

/* A letter too many, too few, wrong or swapped. */
TEST(finds_what_was_meant) {
  CHECK_STR(meant("emial"), "email");
  CHECK_STR(meant("wher"), "where");
  CHECK_STR(meant("titel"), "title");
  CHECK_STR(meant("orderr"), "order");
  CHECK_STR(meant("Email"), "email");
  CHECK_STR(meant("with_deletde"), "with_deleted");
}

TEST(suggests_nothing_far) {
  CHECK_STR(meant("bogus"), "");
  CHECK_STR(meant("x"), "");
  CHECK_STR(meant(""), "");
  CHECK_STR(meant("email"), ""); /* the name itself is no suggestion */
}

void test_nearest(void) {
  RUN(finds_what_was_meant);
  RUN(suggests_nothing_far);
}

#include "migrate/plan.h"

#include "base/mem.h"
#include "support/test.h"

/* Files 1 … 4, all with a way back but 3; 2 is `only plain`. */
static ldr_migration list[] = {{.version = 1,
                                .name = "a",
                                .up = {.file = "1_a.up.sql"},
                                .down = {.file = "1_a.down.sql"},
                                .checksum = "a"},
                               {.version = 2,
                                .name = "b",
                                .up = {.file = "2_b.up.sql"},
                                .down = {.file = "2_b.down.sql"},
                                .checksum = "b",
                                .only_plain = true},
                               {.version = 3, .name = "c", .up = {.file = "3_c.up.sql"}, .checksum = "c"},
                               {.version = 4,
                                .name = "d",
                                .up = {.file = "4_d.up.sql"},
                                .down = {.file = "4_d.down.sql"},
                                .checksum = "d"}};
static const ldr_migrations files = {.list = list, .n = 4};
static ldr_err err;

/* "up 1, down 2", or "!reason". applied: versions in order; a negative one was skipped. */
static const char *plan_of(const int *applied, size_t n, ldr_plan_request r, ldr_unfinished open,
                           bool citus) {
  static const char *const kinds[] = {"up", "down", "skip"};
  static char out[256];
  static const char *const sums[] = {"?", "a", "b", "c", "d"}; /* their names, too */
  ldr_applied rows[8] = {0};
  ldr_history h = {.there = true, .citus = citus, .list = rows, .n = n, .unfinished = open};
  ldr_buf steps = {0};
  size_t used = 0;
  ldr_code code;
  for (size_t i = 0; i < n; i++) {
    int v = applied[i] < 0 ? -applied[i] : applied[i];
    rows[i] = (ldr_applied){.version = v,
                            .name = v <= 4 ? sums[v] : "x",
                            .checksum = v <= 4 ? sums[v] : "?",
                            .skipped = applied[i] < 0};
  }
  err = (ldr_err){0};
  out[0] = '\0';
  code = ldr_plan(&files, &h, "f", &r, &steps, &err);
  if (code) snprintf(out, sizeof out, "!%s", err.reason);
  for (size_t i = 0; code == LDR_OK && i < steps.n / sizeof(ldr_step); i++) {
    const ldr_step *s = (const ldr_step *)(void *)steps.p + i;
    used += (size_t)snprintf(out + used, sizeof out - used, "%s%s%s %d", i ? ", " : "", kinds[s->kind],
                             s->bare ? "!" : "", (int)s->m->version);
  }
  ldr_buf_free(&steps);
  return out;
}

static const ldr_unfinished none;
#define APPLIED(...)       (const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int)
#define PLAN(applied, ...) plan_of(applied, (ldr_plan_request){__VA_ARGS__}, none, false)

TEST(up_is_what_is_pending) {
  CHECK_STR(plan_of(NULL, 0, (ldr_plan_request){0}, none, false), "up 1, up 2, up 3, up 4");
  CHECK_STR(PLAN(APPLIED(1, 2), .direction = LDR_MIGRATE_UP), "up 3, up 4");
  CHECK_STR(PLAN(APPLIED(1, 2), .count = 1), "up 3");
  CHECK_STR(PLAN(APPLIED(1), .to = 3, .has_to = true), "up 2, up 3");
  CHECK_STR(PLAN(APPLIED(1, 2, 3, 4), .direction = LDR_MIGRATE_UP), "");
}

TEST(only_plain_is_skipped_where_tables_are_distributed) {
  CHECK_STR(plan_of(APPLIED(1), (ldr_plan_request){.count = 2}, none, true), "skip 2, up 3");
  CHECK_STR(plan_of(APPLIED(1), (ldr_plan_request){.count = 1, .plain = true}, none, true), "up 2");
  CHECK_STR(plan_of(APPLIED(1, -2), (ldr_plan_request){.direction = LDR_MIGRATE_DOWN}, none, true),
            "down! 2");
}

TEST(down_goto_redo) {
  CHECK_STR(PLAN(APPLIED(1, 2), .direction = LDR_MIGRATE_DOWN), "down 2");
  CHECK_STR(PLAN(APPLIED(1, 2), .direction = LDR_MIGRATE_DOWN, .to = 0, .has_to = true), "down 2, down 1");
  CHECK_STR(PLAN(APPLIED(1, 2, 3), .direction = LDR_MIGRATE_DOWN), "!no_down");
  CHECK_STR(PLAN(APPLIED(1), .direction = LDR_MIGRATE_GOTO, .to = 2, .has_to = true), "up 2");
  CHECK_STR(PLAN(APPLIED(1, 2), .direction = LDR_MIGRATE_GOTO, .to = 1, .has_to = true), "down 2");
  CHECK_STR(PLAN(APPLIED(1), .direction = LDR_MIGRATE_GOTO, .to = 7, .has_to = true), "!unknown_version");
  CHECK(strstr(err.hint, "migrate status") != NULL);
  CHECK_STR(PLAN(APPLIED(1, 2), .direction = LDR_MIGRATE_REDO, .count = 2), "down 2, down 1, up 1, up 2");
  CHECK_STR(PLAN(APPLIED(1), .direction = LDR_MIGRATE_REDO, .count = 5), "down 1, up 1");
}

TEST(what_disagrees) {
  CHECK_STR(PLAN(APPLIED(1, 9), .direction = LDR_MIGRATE_UP), "!missing");
  CHECK_STR(PLAN(APPLIED(1, 3), .direction = LDR_MIGRATE_UP), "!out_of_order");
  CHECK_STR(PLAN(APPLIED(1, 3), .out_of_order = true), "up 2, up 4");
  memcpy(list[0].checksum, "z", 2);
  CHECK_STR(PLAN(APPLIED(1), .direction = LDR_MIGRATE_UP), "!edited");
  CHECK(strstr(err.message, "was edited after") != NULL);
  list[0].name = "other";
  CHECK_STR(PLAN(APPLIED(1), .direction = LDR_MIGRATE_UP), "!edited");
  CHECK(strstr(err.message, "was applied as a, and 1_a.up.sql is another file") != NULL);
  list[0].name = "a";
  memcpy(list[0].checksum, "a", 2);
}

TEST(what_stopped_is_refused_until_it_is_resumed) {
  const ldr_unfinished open = {.version = 2, .statement = 3, .text = "create index"};
  CHECK_STR(plan_of(APPLIED(1), (ldr_plan_request){0}, open, false), "!unfinished");
  CHECK(strstr(err.message, "statement 3: create index") != NULL);
  CHECK_STR(plan_of(APPLIED(1), (ldr_plan_request){.count = 1, .resume = true}, open, false), "up 2");
}

static bool plan_once(void) {
  const char *got = plan_of(NULL, 0, (ldr_plan_request){0}, none, false);
  return strcmp(got, "up 1, up 2, up 3, up 4") == 0;
}

TEST(planning_without_memory) { test_oom(__func__, plan_once); }

void test_plan(void);
void test_plan(void) {
  RUN(up_is_what_is_pending);
  RUN(only_plain_is_skipped_where_tables_are_distributed);
  RUN(down_goto_redo);
  RUN(what_disagrees);
  RUN(what_stopped_is_refused_until_it_is_resumed);
  RUN(planning_without_memory);
}

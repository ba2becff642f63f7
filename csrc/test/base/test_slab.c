#include "base/slab.h"
#include "support/test.h"

void test_slab(void);

enum { MANY = 5000 };

TEST(objects_do_not_overlap_and_freed_ones_come_back) {
  ldr_slab s;
  static uint64_t *object[MANY];
  void *last = NULL;
  bool reused = false;
  ldr_slab_init(&s, 20); /* rounded up to 24 */
  for (uint64_t i = 0; i < MANY; i++) {
    object[i] = ldr_slab_take(&s);
    CHECK((uintptr_t)object[i] % 8 == 0);
    object[i][0] = object[i][1] = object[i][2] = i;
  }
  for (uint64_t i = 0; i < MANY; i++) CHECK(object[i][0] == i && object[i][1] == i && object[i][2] == i);
  for (int i = 0; i < MANY; i += 2) ldr_slab_give(&s, last = object[i]);
  for (int i = 0; i < MANY; i += 2) {
    object[i] = ldr_slab_take(&s);
    if (object[i] == last) reused = true;
    object[i][0] = object[i][2] = (uint64_t)i;
  }
  CHECK(reused);
  for (uint64_t i = 0; i < MANY; i++) CHECK(object[i][0] == i && object[i][2] == i);
  ldr_slab_free(&s);
  CHECK(s.blocks == NULL);
}

static bool fill(void) {
  ldr_slab s;
  bool ok = true;
  ldr_slab_init(&s, 8);
  for (int i = 0; i < 200 && ok; i++) ok = ldr_slab_take(&s) != NULL;
  ldr_slab_free(&s);
  return ok;
}

TEST(slab_runs_out_of_memory) { test_oom("fill", fill); }

void test_slab(void) {
  RUN(objects_do_not_overlap_and_freed_ones_come_back);
  RUN(slab_runs_out_of_memory);
}

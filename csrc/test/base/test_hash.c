#include "base/hash.h"
#include "base/text.h"
#include "support/test.h"

/* Two texts that one of the plain hash's steps cancels out, whatever the seed. */
TEST(chosen_texts_do_not_collide) {
  unsigned char a[16] = {0}, b[16] = {0};
  unsigned same = 0, plain = 0;
  b[7] = 0x80;
  b[15] = 0x80;
  b[11] = 0x80;
  for (uint64_t seed = 0; seed < 64; seed++) {
    plain += ldr_hash64(a, sizeof a, seed) == ldr_hash64(b, sizeof b, seed);
    same += ldr_hash_keyed(a, sizeof a, seed) == ldr_hash_keyed(b, sizeof b, seed);
  }
  CHECK_INT(plain, 64);
  CHECK_INT(same, 0);
}

TEST(keyed_hashes_hang_on_every_byte) {
  unsigned char text[40];
  uint64_t first;
  for (size_t i = 0; i < sizeof text; i++) text[i] = (unsigned char)i;
  for (size_t n = 0; n < sizeof text; n++) {
    first = ldr_hash_keyed(text, n, 1);
    CHECK(first == ldr_hash_keyed(text, n, 1));
    CHECK(first != ldr_hash_keyed(text, n, 2));
    CHECK(first != ldr_hash_keyed(text, n + 1, 1));
    for (size_t i = 0; i < n; i++) {
      text[i] ^= 1;
      CHECK(first != ldr_hash_keyed(text, n, 1));
      text[i] ^= 1;
    }
  }
}

void test_hash(void);

/* A repeatable stream of numbers. */
static uint32_t next_random(uint32_t *state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

static unsigned count_of(const ldr_hash *h, uint32_t hash, const void *item) {
  size_t at = ldr_hash_start(hash);
  unsigned n = 0;
  const void *p;
  while ((p = ldr_hash_next(h, hash, &at))) n += p == item;
  return n;
}

TEST(empty) {
  ldr_hash h = {0};
  size_t at = ldr_hash_start(7);
  CHECK(ldr_hash_next(&h, 7, &at) == NULL);
  ldr_hash_free(&h);
}

TEST(equal_hashes_are_all_found) {
  ldr_hash h = {0};
  static char items[100];
  for (int i = 0; i < 100; i++) CHECK(ldr_hash_add(&h, i % 2 ? 0 : 1, &items[i])); /* 0 is stored as 1 */
  for (int i = 0; i < 100; i++) CHECK_INT(count_of(&h, i % 2 ? 0 : 1, &items[i]), 1);
  for (int i = 0; i < 100; i += 3) ldr_hash_remove(&h, i % 2 ? 0 : 1, &items[i]);
  for (int i = 0; i < 100; i++) CHECK_INT(count_of(&h, i % 2 ? 0 : 1, &items[i]), i % 3 != 0);
  CHECK_INT(h.n, 66);
  ldr_hash_free(&h);
}

enum { ITEMS = 600, STEPS = 40000 };

/* Against a plain array; hashes from few values in the same neighbourhood, so that runs grow, wrap and shift
 * back. */
TEST(random_adds_and_removes) {
  static uint32_t hash[ITEMS];
  static bool in[ITEMS];
  static char items[ITEMS];
  ldr_hash h = {0};
  uint32_t seed = 1;
  size_t n = 0;
  for (int step = 0; step < STEPS; step++) {
    uint32_t i = next_random(&seed) % ITEMS;
    if (in[i]) {
      ldr_hash_remove(&h, hash[i], &items[i]);
      n--;
    } else {
      uint32_t r = next_random(&seed);
      hash[i] = r % 4 == 0 ? r : UINT32_MAX - r % 40; /* near the end of any table: probing wraps */
      CHECK(ldr_hash_add(&h, hash[i], &items[i]));
      n++;
    }
    in[i] = !in[i];
    CHECK_INT(h.n, n);
    if (step % 500) continue;
    for (int k = 0; k < ITEMS; k++) CHECK_INT(count_of(&h, hash[k], &items[k]), in[k]);
  }
  ldr_hash_free(&h);
}

static bool grow(void) {
  static char items[300];
  ldr_hash h = {0};
  bool ok = true;
  int n = 0;
  for (; n < 300 && ok; n++) {
    ok = ldr_hash_add(&h, (uint32_t)n * 77, &items[n]);
    if (!ok) break;
  }
  CHECK_INT(h.n, n); /* a failed add changes nothing */
  for (int i = 0; i < n; i++) CHECK_INT(count_of(&h, (uint32_t)i * 77, &items[i]), 1);
  ldr_hash_free(&h);
  return ok;
}

TEST(hash_runs_out_of_memory) { test_oom("grow", grow); }

TEST(reserve_makes_adds_free_of_allocation) {
  static char items[1000];
  ldr_hash h = {0};
  CHECK(ldr_hash_reserve(&h, 1000));
  ldr_mem_fail_at(1);
  for (uint32_t i = 0; i < 1000; i++) CHECK(ldr_hash_add(&h, i * 2654435761u, &items[i]));
  CHECK(!ldr_mem_failed());
  ldr_mem_fail_at(0);
  CHECK(!ldr_hash_reserve(&h, SIZE_MAX / 8));
  ldr_hash_free(&h);
}

void test_hash(void) {
  RUN(chosen_texts_do_not_collide);
  RUN(keyed_hashes_hang_on_every_byte);
  RUN(empty);
  RUN(equal_hashes_are_all_found);
  RUN(random_adds_and_removes);
  RUN(hash_runs_out_of_memory);
  RUN(reserve_makes_adds_free_of_allocation);
}

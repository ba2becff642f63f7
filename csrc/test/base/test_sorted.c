#include "base/sorted.h"
#include "support/test.h"

void test_sorted(void);

/* Entries point to numbers; a probe is a number times ten, so that probes between and around entries exist.
 */
static int compare(const void *ud, const void *probe, const void *entry) {
  int a = *(const int *)probe, b = *(const int *)entry * 10;
  CHECK(ud == NULL);
  return a < b ? -1 : a > b;
}

/* Tens only: finds runs of ten entries. */
static int compare_tens(const void *ud, const void *probe, const void *entry) {
  int a = *(const int *)probe, b = *(const int *)entry / 10;
  (void)ud;
  return a < b ? -1 : a > b;
}

enum { NUMBERS = 4000 };

typedef struct model {
  int number[NUMBERS];
  bool in[NUMBERS];
  int n;
} model;

static void start(model *m) {
  memset(m, 0, sizeof *m);
  for (int i = 0; i < NUMBERS; i++) m->number[i] = i;
}

static bool toggle(ldr_sorted *s, model *m, int i) {
  int probe = i * 10;
  if (m->in[i])
    ldr_sorted_remove(s, compare, NULL, &probe);
  else if (!ldr_sorted_add(s, compare, NULL, &probe, &m->number[i]))
    return false;
  m->n += m->in[i] ? -1 : 1;
  m->in[i] = !m->in[i];
  return true;
}

static void check_all(const ldr_sorted *s, const model *m) {
  ldr_sorted_pos at = ldr_sorted_start(s), end = ldr_sorted_end(s);
  CHECK_INT(s->n, m->n);
  CHECK_INT(ldr_sorted_distance(s, at, end), m->n);
  for (int i = 0; i < NUMBERS; i++) {
    if (!m->in[i]) continue;
    CHECK(ldr_sorted_before(at, end));
    if (ldr_sorted_before(at, end)) CHECK_INT(*(int *)ldr_sorted_next(s, &at), i);
  }
  CHECK(!ldr_sorted_before(at, end));
  for (int i = NUMBERS; i-- > 0;)
    if (m->in[i]) CHECK_INT(*(int *)ldr_sorted_prev(s, &at), i);
  CHECK(!ldr_sorted_before(ldr_sorted_start(s), at));
}

static void check_range(const ldr_sorted *s, const model *m, int tens) {
  ldr_sorted_pos lo = ldr_sorted_seek(s, compare_tens, NULL, &tens, false);
  ldr_sorted_pos hi = ldr_sorted_seek(s, compare_tens, NULL, &tens, true);
  size_t want = 0;
  for (int i = tens * 10; i < tens * 10 + 10 && i < NUMBERS; i++) want += i >= 0 && m->in[i];
  CHECK_INT(ldr_sorted_distance(s, lo, hi), want);
  for (; ldr_sorted_before(lo, hi); ldr_sorted_next(s, &lo)) {
    ldr_sorted_pos here = lo;
    CHECK_INT(*(int *)ldr_sorted_next(s, &here) / 10, tens);
  }
}

static unsigned next_random(unsigned *state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

TEST(random_toggles) {
  static model m;
  ldr_sorted s = {0};
  unsigned seed = 7;
  start(&m);
  check_all(&s, &m);
  for (int step = 0; step < 60000; step++) {
    int i = (int)(next_random(&seed) % NUMBERS);
    if (step % 30000 > 20000 && !m.in[i]) continue; /* phases of removal: chunks merge and vanish */
    toggle(&s, &m, i);
    if (step % 3000 == 0) check_all(&s, &m);
    if (step % 100 == 0) check_range(&s, &m, (int)(next_random(&seed) % 402) - 1);
  }
  check_all(&s, &m);
  for (int i = 0; i < NUMBERS; i++)
    if (m.in[i]) toggle(&s, &m, i);
  check_all(&s, &m);
  CHECK_INT(s.nchunks, 0);
  ldr_sorted_free(&s);
}

TEST(ascending_fills_chunks) {
  static model m;
  ldr_sorted s = {0};
  start(&m);
  for (int i = 0; i < NUMBERS; i++) toggle(&s, &m, i);
  check_all(&s, &m);
  CHECK_INT(s.nchunks, (NUMBERS + LDR_SORTED_CHUNK - 1) / LDR_SORTED_CHUNK);
  ldr_sorted_free(&s);
}

TEST(descending_and_back) {
  static model m;
  ldr_sorted s = {0};
  start(&m);
  for (int i = NUMBERS; i-- > 0;) toggle(&s, &m, i);
  check_all(&s, &m);
  for (int i = 0; i < NUMBERS; i += 2) toggle(&s, &m, i);
  for (int i = 0; i < NUMBERS; i++)
    if (i % 20 != 1 && m.in[i]) toggle(&s, &m, i);
  check_all(&s, &m);
  CHECK(s.nchunks <= 4); /* 200 entries: merged, not thousands of crumbs */
  ldr_sorted_free(&s);
}

static bool fill(void) {
  static model m;
  ldr_sorted s = {0};
  unsigned seed = 3;
  bool ok = true;
  start(&m);
  for (int i = 0; i < 1500 && ok; i++) ok = toggle(&s, &m, (int)(next_random(&seed) % NUMBERS));
  check_all(&s, &m);
  ldr_sorted_free(&s);
  return ok;
}

TEST(sorted_runs_out_of_memory) { test_oom("fill", fill); }

/* Removing needs no memory: with none to be had it goes on all the same. */
TEST(removal_never_fails) {
  static model m;
  ldr_sorted s = {0};
  start(&m);
  for (int i = 0; i < NUMBERS; i++) toggle(&s, &m, i);
  for (int i = 0; i < NUMBERS; i++) {
    ldr_mem_fail_at(1);
    if (i % 7) toggle(&s, &m, i);
  }
  ldr_mem_fail_at(0);
  check_all(&s, &m);
  ldr_sorted_free(&s);
}

void test_sorted(void) {
  RUN(random_toggles);
  RUN(ascending_fills_chunks);
  RUN(descending_and_back);
  RUN(sorted_runs_out_of_memory);
  RUN(removal_never_fails);
}

#define _DEFAULT_SOURCE
#include "base/hash.h"

#include <assert.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

/* ---- SipHash ---- */

static inline uint64_t process_key(void) {
  static _Atomic uint64_t key; /* 0: not drawn yet; of two threads that draw the first wins */
  uint64_t drawn, none = 0, now = atomic_load_explicit(&key, memory_order_relaxed);
  if (now) return now;
  if (getentropy(&drawn, sizeof drawn) != 0) drawn = (uint64_t)time(NULL) ^ (uint64_t)(uintptr_t)&key;
  drawn |= 1;
  return atomic_compare_exchange_strong(&key, &none, drawn) ? drawn : none;
}

static inline uint64_t rotate(uint64_t v, int by) { return v << by | v >> (64 - by); }

typedef struct sip { /* four words that stay in registers: every function below is inline */
  uint64_t a, b, c, d;
} sip;

static inline sip sip_round(sip v) {
  v.a += v.b;
  v.c += v.d;
  v.b = rotate(v.b, 13) ^ v.a;
  v.d = rotate(v.d, 16) ^ v.c;
  v.a = rotate(v.a, 32) + v.d;
  v.c += v.b;
  v.d = rotate(v.d, 21) ^ v.a;
  v.b = rotate(v.b, 17) ^ v.c;
  v.c = rotate(v.c, 32);
  return v;
}

static inline uint64_t half_of(const unsigned char *s) {
  return (uint64_t)s[3] << 24 | (uint64_t)s[2] << 16 | (uint64_t)s[1] << 8 | s[0];
}

/* Eight bytes, the first one lowest. Compilers make one load of it, but not of a loop. */
static inline uint64_t word_of(const unsigned char *s) {
  return (uint64_t)s[7] << 56 | (uint64_t)s[6] << 48 | (uint64_t)s[5] << 40 | (uint64_t)s[4] << 32 |
         half_of(s);
}

/* The same of up to seven bytes. Two loads that may overlap find four and more; below that three bytes do. */
static inline uint64_t tail_of(const unsigned char *s, size_t n) {
  if (n >= 4) return half_of(s) | half_of(s + n - 4) << 8 * (n - 4);
  if (n == 0) return 0;
  return (uint64_t)s[0] | (uint64_t)s[n / 2] << 8 * (n / 2) | (uint64_t)s[n - 1] << 8 * (n - 1);
}

static inline sip take_word(sip v, uint64_t word) {
  v.d ^= word;
  v = sip_round(v);
  v.a ^= word;
  return v;
}

uint64_t ldr_hash_keyed(const void *p, size_t n, uint64_t seed) {
  const unsigned char *s = p;
  const uint64_t key = process_key();
  sip v = {seed ^ UINT64_C(0x736f6d6570736575), key ^ UINT64_C(0x646f72616e646f6d),
           seed ^ UINT64_C(0x6c7967656e657261), key ^ UINT64_C(0x7465646279746573)};
  size_t left = n;
  for (; left >= 8; left -= 8, s += 8) v = take_word(v, word_of(s));
  v = take_word(v, tail_of(s, left) | (uint64_t)n << 56);
  v.c ^= 0xff;
  v = sip_round(sip_round(sip_round(v)));
  return v.a ^ v.b ^ v.c ^ v.d;
}

/* ---- the table ---- */

enum { FIRST_PLACES = 8 };

/* At most four fifths of the places are taken: a miss then looks at about a dozen hashes. */
static bool fits(size_t n, size_t places) { return n <= places / 5 * 4 + places % 5 * 4 / 5; }

static size_t free_place(const ldr_hash *h, uint32_t code) {
  size_t i = code & h->mask;
  while (h->hash[i]) i = (i + 1) & h->mask;
  return i;
}

static bool resize(ldr_hash *h, size_t places) {
  ldr_hash bigger = {.mask = places - 1, .n = h->n};
  bigger.item = ldr_alloc_array(places, sizeof *h->item + sizeof *h->hash);
  if (bigger.item == NULL) return false;
  bigger.hash = (uint32_t *)(void *)(bigger.item + places);
  for (size_t i = 0; h->hash && i <= h->mask; i++) {
    size_t to;
    if (h->hash[i] == 0) continue;
    to = free_place(&bigger, h->hash[i]);
    bigger.hash[to] = h->hash[i];
    bigger.item[to] = h->item[i];
  }
  ldr_free(h->item);
  *h = bigger;
  return true;
}

bool ldr_hash_reserve(ldr_hash *h, size_t more) {
  size_t places = h->hash ? h->mask + 1 : FIRST_PLACES;
  if (more > SIZE_MAX / 16 - h->n) return false;
  while (!fits(h->n + more, places)) places *= 2;
  return h->hash && places == h->mask + 1 ? true : resize(h, places);
}

bool ldr_hash_add(ldr_hash *h, uint32_t hash, void *item) {
  uint32_t code = ldr_hash_code(hash);
  size_t i;
  if (!ldr_hash_reserve(h, 1)) return false;
  i = free_place(h, code);
  h->hash[i] = code;
  h->item[i] = item;
  h->n++;
  return true;
}

/* Fill the hole with the next entry that may stand there: one whose home is not between the hole and itself.
 */
static void shift_back(ldr_hash *h, size_t hole) {
  for (size_t i = (hole + 1) & h->mask; h->hash[i]; i = (i + 1) & h->mask) {
    size_t home = h->hash[i] & h->mask;
    if (((i - home) & h->mask) < ((i - hole) & h->mask)) continue;
    h->hash[hole] = h->hash[i];
    h->item[hole] = h->item[i];
    hole = i;
  }
  h->hash[hole] = 0;
  h->item[hole] = NULL;
}

static size_t place_of(const ldr_hash *h, uint32_t hash, const void *item) {
  uint32_t code = ldr_hash_code(hash);
  size_t i = code & h->mask;
  assert(h->hash);
  while (h->item[i] != item || h->hash[i] != code) {
    assert(h->hash[i]);
    i = (i + 1) & h->mask;
  }
  return i;
}

void ldr_hash_remove(ldr_hash *h, uint32_t hash, const void *item) {
  size_t i = place_of(h, hash, item);
  h->n--;
  shift_back(h, i);
}

void ldr_hash_replace(ldr_hash *h, uint32_t hash, const void *item, void *by) {
  h->item[place_of(h, hash, item)] = by;
}

void ldr_hash_free(ldr_hash *h) {
  ldr_free(h->item);
  *h = (ldr_hash){0};
}

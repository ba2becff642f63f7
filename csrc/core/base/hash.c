#define _DEFAULT_SOURCE
#include "base/hash.h"

#include <assert.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

/* ---- SipHash ---- */

static uint64_t process_key(void) {
  static _Atomic uint64_t key; /* 0: not drawn yet; of two threads that draw the first wins */
  uint64_t drawn, none = 0, now = atomic_load_explicit(&key, memory_order_relaxed);
  if (now) return now;
  if (getentropy(&drawn, sizeof drawn) != 0) drawn = (uint64_t)time(NULL) ^ (uint64_t)(uintptr_t)&key;
  drawn |= 1;
  return atomic_compare_exchange_strong(&key, &none, drawn) ? drawn : none;
}

static uint64_t rotate(uint64_t v, int by) { return v << by | v >> (64 - by); }

static void sip_round(uint64_t v[4]) {
  v[0] += v[1];
  v[2] += v[3];
  v[1] = rotate(v[1], 13) ^ v[0];
  v[3] = rotate(v[3], 16) ^ v[2];
  v[0] = rotate(v[0], 32) + v[3];
  v[2] += v[1];
  v[3] = rotate(v[3], 21) ^ v[0];
  v[1] = rotate(v[1], 17) ^ v[2];
  v[2] = rotate(v[2], 32);
}

/* Up to eight bytes, the first one lowest. */
static uint64_t word_at(const unsigned char *s, size_t n) {
  uint64_t w = 0;
  for (size_t i = 0; i < n; i++) w |= (uint64_t)s[i] << 8 * i;
  return w;
}

static void take_word(uint64_t v[4], uint64_t word) {
  v[3] ^= word;
  sip_round(v);
  v[0] ^= word;
}

uint64_t ldr_hash_keyed(const void *p, size_t n, uint64_t seed) {
  const unsigned char *s = p;
  const uint64_t key = process_key();
  uint64_t v[4] = {seed ^ UINT64_C(0x736f6d6570736575), key ^ UINT64_C(0x646f72616e646f6d),
                   seed ^ UINT64_C(0x6c7967656e657261), key ^ UINT64_C(0x7465646279746573)};
  size_t left = n;
  for (; left >= 8; left -= 8, s += 8) take_word(v, word_at(s, 8));
  take_word(v, word_at(s, left) | (uint64_t)n << 56);
  v[2] ^= 0xff;
  for (int i = 0; i < 3; i++) sip_round(v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
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

/* A hash index: from 32-bit hashes to items. Open addressing with linear probing; the hashes lie apart from
 * the items, so that a probe reads sixteen of them in one cache line and touches an item only when its whole
 * hash is equal. Removal shifts back, there are no tombstones. Items with equal hashes may be many; what
 * "equal" means beyond the hash is the caller's business.
 *
 *   hash  [ 0 | h | h | 0 | h | … ]      0: free
 *   item  [   | i | i |   | i | … ]                                                                       */
#ifndef LDR_BASE_HASH_H
#define LDR_BASE_HASH_H

#include <stdbool.h>

#include "base/mem.h"

typedef struct ldr_hash {
  void **item;    /* one block holds both arrays */
  uint32_t *hash; /* NULL while nothing was added */
  size_t mask;    /* places - 1, a power of two less one */
  size_t n;
} ldr_hash; /* zero-initialise */

bool ldr_hash_reserve(ldr_hash *h, size_t more); /* room for that many adds; false when out of memory */
bool ldr_hash_add(ldr_hash *h, uint32_t hash, void *item); /* false when out of memory: nothing changed */
void ldr_hash_remove(ldr_hash *h, uint32_t hash, const void *item); /* once; the item must be there */
void ldr_hash_replace(ldr_hash *h, uint32_t hash, const void *item, void *by); /* another of the same hash */
void ldr_hash_free(ldr_hash *h);

/* A hash of bytes that strangers may choose: SipHash-1-3 under a key that is drawn once a process, so that
 * nobody can make keys that all fall into one place. It means nothing outside the process. */
uint64_t ldr_hash_keyed(const void *p, size_t n, uint64_t seed);

static inline uint32_t ldr_hash_fold(uint64_t hash) { return (uint32_t)(hash ^ hash >> 32); }
/* 0 stands for a free place */
static inline uint32_t ldr_hash_code(uint32_t hash) { return hash ? hash : 1; }

/* Items of one hash: at = start(hash), then next until it returns NULL. */
static inline size_t ldr_hash_start(uint32_t hash) { return ldr_hash_code(hash); }
static inline void *ldr_hash_next(const ldr_hash *h, uint32_t hash, size_t *at) {
  uint32_t code = ldr_hash_code(hash);
  size_t i = *at;
  if (h->hash == NULL) return NULL;
  for (; h->hash[i & h->mask]; i++) {
    if (h->hash[i & h->mask] != code) continue;
    *at = i + 1;
    return h->item[i & h->mask];
  }
  *at = i;
  return NULL;
}

#endif

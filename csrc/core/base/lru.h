/* An intrusive hash table that remembers which entry was used last: the caches of compiled statements, and
 * the list of what a connection has prepared. It never allocates but for its buckets and never frees an
 * entry. */
#ifndef LDR_BASE_LRU_H
#define LDR_BASE_LRU_H

#include <stdbool.h>

#include "base/mem.h"

typedef struct ldr_lru_node { /* embed it; one table an entry */
  uint64_t hash;
  struct ldr_lru_node *chain;         /* next of the bucket */
  struct ldr_lru_node *newer, *older; /* order of use */
} ldr_lru_node;

/*  newest ⇄ … ⇄ oldest      bucket[hash & (nbuckets - 1)] → node → node … */
typedef struct ldr_lru {
  ldr_lru_node **bucket;
  size_t nbuckets; /* a power of two */
  size_t n;
  ldr_lru_node *newest, *oldest;
} ldr_lru;

bool ldr_lru_init(ldr_lru *t, size_t expected); /* false: out of memory */
void ldr_lru_done(ldr_lru *t); /* the entries are the caller's; zeroed or done twice is fine */

/* The entry that `same` accepts, moved to the front; NULL: none. same is asked about equal hashes only. */
ldr_lru_node *ldr_lru_find(ldr_lru *t, uint64_t hash, bool (*same)(const ldr_lru_node *, const void *key),
                           const void *key);
void ldr_lru_use(ldr_lru *t, ldr_lru_node *node); /* moves an entry to the front, found by other ways */
void ldr_lru_add(ldr_lru *t, ldr_lru_node *node, uint64_t hash); /* in front */
void ldr_lru_remove(ldr_lru *t, ldr_lru_node *node);

#endif

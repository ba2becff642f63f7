#include "base/lru.h"

bool ldr_lru_init(ldr_lru *t, size_t expected) {
  size_t n = 16;
  while (n < expected && n < SIZE_MAX / 4) n *= 2;
  *t = (ldr_lru){0};
  t->bucket = ldr_alloc_array(n, sizeof(ldr_lru_node *));
  if (t->bucket == NULL) return false;
  t->nbuckets = n;
  return true;
}

void ldr_lru_done(ldr_lru *t) {
  ldr_free(t->bucket);
  *t = (ldr_lru){0};
}

static ldr_lru_node **bucket_of(ldr_lru *t, uint64_t hash) {
  return &t->bucket[hash & (uint64_t)(t->nbuckets - 1)];
}

static void link_newest(ldr_lru *t, ldr_lru_node *node) {
  node->newer = NULL;
  node->older = t->newest;
  if (t->newest)
    t->newest->newer = node;
  else
    t->oldest = node;
  t->newest = node;
}

static void unlink_use(ldr_lru *t, ldr_lru_node *node) {
  if (node->newer)
    node->newer->older = node->older;
  else
    t->newest = node->older;
  if (node->older)
    node->older->newer = node->newer;
  else
    t->oldest = node->newer;
}

void ldr_lru_use(ldr_lru *t, ldr_lru_node *node) {
  if (node == t->newest) return;
  unlink_use(t, node);
  link_newest(t, node);
}

ldr_lru_node *ldr_lru_find(ldr_lru *t, uint64_t hash, bool (*same)(const ldr_lru_node *, const void *key),
                           const void *key) {
  ldr_lru_node *node = *bucket_of(t, hash);
  while (node && (node->hash != hash || !same(node, key))) node = node->chain;
  if (node) ldr_lru_use(t, node);
  return node;
}

void ldr_lru_add(ldr_lru *t, ldr_lru_node *node, uint64_t hash) {
  ldr_lru_node **b = bucket_of(t, hash);
  node->hash = hash;
  node->chain = *b;
  *b = node;
  link_newest(t, node);
  t->n++;
}

void ldr_lru_remove(ldr_lru *t, ldr_lru_node *node) {
  ldr_lru_node **b = bucket_of(t, node->hash);
  while (*b != node) b = &(*b)->chain;
  *b = node->chain;
  unlink_use(t, node);
  t->n--;
}

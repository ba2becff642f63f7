#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_size_t live_blocks;
static atomic_long fail_in; /* counts down to the failing allocation; 0 = off */
static atomic_int has_failed;

/* true when this allocation is the one a test asked to fail */
static int must_fail(void) {
  long now = atomic_load_explicit(&fail_in, memory_order_relaxed);
  if (now <= 0) return 0;
  if (atomic_fetch_sub_explicit(&fail_in, 1, memory_order_relaxed) != 1) return 0;
  atomic_store(&has_failed, 1);
  return 1;
}

/* A large block comes zeroed from the system; a small one is had faster without calloc, which in glibc passes
 * by the thread's own free lists. */
enum { SMALL = 1024 };

static void *zeroed(size_t n) {
  void *p;
  if (n > SMALL) return calloc(1, n);
  p = malloc(n ? n : 1);
  return p ? memset(p, 0, n) : NULL;
}

void *ldr_alloc(size_t n) {
  void *p;
  if (must_fail()) return NULL;
  p = zeroed(n);
  if (p) atomic_fetch_add_explicit(&live_blocks, 1, memory_order_relaxed);
  return p;
}

void *ldr_alloc_array(size_t count, size_t size) {
  if (size && count > SIZE_MAX / size) return NULL;
  return ldr_alloc(count * size);
}

void *ldr_realloc(void *p, size_t n) {
  void *q;
  if (p == NULL) return ldr_alloc(n);
  if (must_fail()) return NULL;
  q = realloc(p, n ? n : 1);
  return q;
}

void ldr_free(void *p) {
  if (p == NULL) return;
  atomic_fetch_sub_explicit(&live_blocks, 1, memory_order_relaxed);
  free(p);
}

char *ldr_strndup(const char *s, size_t n) {
  char *p = ldr_alloc(n + 1);
  if (p && n) memcpy(p, s, n);
  return p;
}

size_t ldr_mem_live(void) { return atomic_load(&live_blocks); }

void ldr_mem_fail_at(long n) {
  atomic_store(&has_failed, 0);
  atomic_store(&fail_in, n);
}

int ldr_mem_failed(void) { return atomic_load(&has_failed); }

/* ---- arena ---- */

typedef struct ldr_arena_block {
  struct ldr_arena_block *next; /* older block */
  size_t used, size;            /* bytes of data[] */
  max_align_t data[];
} block;

enum { FIRST_BLOCK = 2048, MAX_BLOCK = 256 * 1024 };

static block *add_block(ldr_arena *a, size_t n) {
  size_t size = a->head ? a->head->size * 2 : FIRST_BLOCK;
  block *b;
  if (size > MAX_BLOCK) size = MAX_BLOCK;
  if (size < n) size = n;
  if (size > SIZE_MAX - sizeof *b) return NULL;
  b = ldr_realloc(NULL, sizeof *b + size);
  if (b == NULL) return NULL;
  b->used = 0;
  b->size = size;
  b->next = a->head;
  a->head = b;
  return b;
}

void *ldr_arena_alloc(ldr_arena *a, size_t n) {
  block *b = a->head;
  void *p;
  if (n > SIZE_MAX / 2) return NULL;
  n = (n + 7) & ~(size_t)7;
  if (b == NULL || b->size - b->used < n) {
    b = add_block(a, n);
    if (b == NULL) return NULL;
  }
  p = (char *)b->data + b->used;
  b->used += n;
  return p;
}

void *ldr_arena_zalloc(ldr_arena *a, size_t n) {
  void *p = ldr_arena_alloc(a, n);
  if (p) memset(p, 0, n);
  return p;
}

char *ldr_arena_copy(ldr_arena *a, const void *p, size_t n) {
  char *q = ldr_arena_alloc(a, n + 1);
  if (q == NULL) return NULL;
  if (n) memcpy(q, p, n);
  q[n] = '\0';
  return q;
}

void ldr_arena_reset(ldr_arena *a) {
  block *b = a->head;
  if (b == NULL) return;
  while (b->next) { /* keep the oldest, smallest block */
    block *older = b->next;
    ldr_free(b);
    b = older;
  }
  b->used = 0;
  a->head = b;
}

void ldr_arena_free(ldr_arena *a) {
  while (a->head) {
    block *older = a->head->next;
    ldr_free(a->head);
    a->head = older;
  }
}

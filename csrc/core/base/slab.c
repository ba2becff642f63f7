#include "base/slab.h"

#include <string.h>

/* Under AddressSanitizer a freed object is poisoned, so that a use after give is found as after free. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#endif
#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum { FIRST_COUNT = 16, MAX_COUNT = 2048 };

typedef struct ldr_slab_block {
  struct ldr_slab_block *next;
  char data[];
} block;

void ldr_slab_init(ldr_slab *s, size_t size) {
  memset(s, 0, sizeof *s);
  s->size = (size + 7) & ~(size_t)7;
}

static block *add_block(ldr_slab *s) {
  size_t count = s->blocks ? s->count * 2 : FIRST_COUNT;
  block *b;
  if (count > MAX_COUNT) count = MAX_COUNT;
  b = ldr_realloc(NULL, sizeof *b + count * s->size);
  if (b == NULL) return NULL;
  b->next = s->blocks;
  s->blocks = b;
  s->count = count;
  s->used = 0;
  return b;
}

void *ldr_slab_take(ldr_slab *s) {
  void *object = s->spare;
  if (object) {
    ASAN_UNPOISON_MEMORY_REGION(object, s->size);
    memcpy(&s->spare, object, sizeof s->spare);
    return object;
  }
  if ((s->blocks == NULL || s->used == s->count) && add_block(s) == NULL) return NULL;
  return s->blocks->data + s->used++ * s->size;
}

void ldr_slab_give(ldr_slab *s, void *object) {
  memcpy(object, &s->spare, sizeof s->spare);
  s->spare = object;
  ASAN_POISON_MEMORY_REGION(object, s->size);
}

void ldr_slab_free(ldr_slab *s) {
  while (s->blocks) {
    block *next = s->blocks->next;
    ldr_free(s->blocks);
    s->blocks = next;
  }
  s->spare = NULL;
}

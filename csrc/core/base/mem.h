/* Memory: the only caller of malloc and free in the core. Counts live blocks, and lets a test
 * make the n-th allocation fail, so that "no leak, no abort" can be proved and not promised.
 * Thread-safe. */
#ifndef LDR_BASE_MEM_H
#define LDR_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/* LDR_APART: a rare branch with buffers of its own, which would cost its caller's other branches registers
 * and stack. */
#if defined(__GNUC__)
#define LDR_MUSTCHECK         __attribute__((warn_unused_result))
#define LDR_APART             __attribute__((noinline))
#define LDR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define LDR_MUSTCHECK
#define LDR_APART
#define LDR_PRINTF(fmt, args)
#endif

void *ldr_alloc(size_t n);                        /* zeroed; NULL when out of memory; n = 0 gives a block */
void *ldr_alloc_array(size_t count, size_t size); /* zeroed; NULL also when count * size overflows */
void *ldr_realloc(void *p, size_t n);             /* new bytes are not zeroed; on NULL, p is still valid */
void ldr_free(void *p);                           /* NULL is fine */
char *ldr_strndup(const char *s, size_t n);       /* adds a zero byte */

size_t ldr_mem_live(void);    /* blocks allocated and not freed */
void ldr_mem_fail_at(long n); /* n = 1: the next allocation fails, once; 0: none fails */
int ldr_mem_failed(void);     /* has the injected failure happened since fail_at? */

/* An arena: many small pieces, one lifetime. Zero-initialise; reset keeps the first block for reuse. */
typedef struct ldr_arena {
  struct ldr_arena_block *head; /* newest block; the chain ends at the oldest */
} ldr_arena;

void *ldr_arena_alloc(ldr_arena *a, size_t n);  /* 8-byte aligned, not zeroed; NULL when out of memory */
void *ldr_arena_zalloc(ldr_arena *a, size_t n); /* zeroed */
char *ldr_arena_copy(ldr_arena *a, const void *p, size_t n); /* adds a zero byte */
void ldr_arena_reset(ldr_arena *a);                          /* everything taken from it is gone */
void ldr_arena_free(ldr_arena *a); /* releases every block; the arena may be used again */

#endif

/* A growing byte buffer with a sticky "broken" state: append as often as you like, test once. */
#ifndef LDR_BASE_BUF_H
#define LDR_BASE_BUF_H

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

/*  p ─ [ n bytes used | cap - n free ]     broken: an allocation failed, appends do nothing */
typedef struct ldr_buf {
  char *p;
  size_t n, cap;
  bool broken;
} ldr_buf; /* zero-initialise */

bool ldr_buf_grow(ldr_buf *b, size_t more);
/* Room for `more` bytes at p + n; false when broken. */
static inline bool ldr_buf_reserve(ldr_buf *b, size_t more) {
  return (!b->broken && b->cap - b->n >= more) || ldr_buf_grow(b, more);
}
static inline void ldr_buf_add(ldr_buf *b, const void *p, size_t n) {
  if (n == 0 || !ldr_buf_reserve(b, n)) return;
  memcpy(b->p + b->n, p, n);
  b->n += n;
}
void ldr_buf_str(ldr_buf *b, const char *s);
static inline void ldr_buf_chr(ldr_buf *b, char c) {
  if (ldr_buf_reserve(b, 1)) b->p[b->n++] = c;
}
void ldr_buf_fmt(ldr_buf *b, const char *fmt, ...) LDR_PRINTF(2, 3);
void ldr_buf_be16(ldr_buf *b, uint16_t v); /* network order, as PostgreSQL's wire formats want it */
void ldr_buf_be32(ldr_buf *b, uint32_t v);
void ldr_buf_be64(ldr_buf *b, uint64_t v);
void ldr_buf_patch32(ldr_buf *b, size_t at, uint32_t v); /* overwrite four bytes written before */
const char *ldr_buf_cstr(ldr_buf *b); /* zero-terminated view; NULL when broken; the zero is not counted */
char *ldr_buf_copy(const ldr_buf *b, ldr_arena *a); /* the bytes in the arena, zero-terminated; NULL when
                                                        broken, or out of memory */
void ldr_buf_reset(ldr_buf *b);                     /* empty and whole again, keeps the memory */
void ldr_buf_free(ldr_buf *b);

uint16_t ldr_be16(const void *p); /* readers; p need not be aligned */
uint32_t ldr_be32(const void *p);
uint64_t ldr_be64(const void *p);

#endif

/* A growing byte buffer with a sticky "broken" state: append as often as you like, test once. */
#ifndef LDR_BASE_BUF_H
#define LDR_BASE_BUF_H

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

/* Network order, as PostgreSQL's wire formats want it; p need not be aligned. Spelled so that a compiler sees
 * one load or store with its bytes swapped. */
static inline uint16_t ldr_be16(const void *p) {
  const unsigned char *s = p;
  return (uint16_t)(s[0] << 8 | s[1]);
}
static inline uint32_t ldr_be32(const void *p) {
  const unsigned char *s = p;
  return (uint32_t)s[0] << 24 | (uint32_t)s[1] << 16 | (uint32_t)s[2] << 8 | s[3];
}
static inline uint64_t ldr_be64(const void *p) {
  const unsigned char *s = p;
  return (uint64_t)s[0] << 56 | (uint64_t)s[1] << 48 | (uint64_t)s[2] << 40 | (uint64_t)s[3] << 32 |
         (uint64_t)s[4] << 24 | (uint64_t)s[5] << 16 | (uint64_t)s[6] << 8 | s[7];
}
static inline void ldr_put_be16(void *p, uint16_t v) {
  unsigned char *d = p;
  d[0] = (unsigned char)(v >> 8);
  d[1] = (unsigned char)v;
}
static inline void ldr_put_be32(void *p, uint32_t v) {
  unsigned char *d = p;
  d[0] = (unsigned char)(v >> 24);
  d[1] = (unsigned char)(v >> 16);
  d[2] = (unsigned char)(v >> 8);
  d[3] = (unsigned char)v;
}
static inline void ldr_put_be64(void *p, uint64_t v) {
  unsigned char *d = p;
  d[0] = (unsigned char)(v >> 56);
  d[1] = (unsigned char)(v >> 48);
  d[2] = (unsigned char)(v >> 40);
  d[3] = (unsigned char)(v >> 32);
  d[4] = (unsigned char)(v >> 24);
  d[5] = (unsigned char)(v >> 16);
  d[6] = (unsigned char)(v >> 8);
  d[7] = (unsigned char)v;
}

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
void ldr_buf_be16(ldr_buf *b, uint16_t v); /* network order */
void ldr_buf_be32(ldr_buf *b, uint32_t v);
void ldr_buf_be64(ldr_buf *b, uint64_t v);
void ldr_buf_patch32(ldr_buf *b, size_t at, uint32_t v); /* overwrite four bytes written before */
const char *ldr_buf_cstr(ldr_buf *b); /* zero-terminated view; NULL when broken; the zero is not counted */
char *ldr_buf_copy(const ldr_buf *b, ldr_arena *a); /* the bytes in the arena, zero-terminated; NULL when
                                                        broken, or out of memory */
/* Empty and whole again; keeps the memory. */
static inline void ldr_buf_reset(ldr_buf *b) {
  b->n = 0;
  b->broken = false;
}
void ldr_buf_free(ldr_buf *b);

#endif

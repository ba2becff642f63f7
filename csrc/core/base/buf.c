#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool ldr_buf_grow(ldr_buf *b, size_t more) {
  size_t want, cap;
  char *p;
  if (b->broken) return false;
  if (more > SIZE_MAX / 2 - b->n) goto broken;
  want = b->n + more;
  cap = b->cap ? b->cap : 64;
  while (cap < want) cap *= 2;
  p = ldr_realloc(b->p, cap);
  if (p == NULL) goto broken;
  b->p = p;
  b->cap = cap;
  return true;
broken:
  b->broken = true;
  return false;
}

void ldr_buf_str(ldr_buf *b, const char *s) { ldr_buf_add(b, s, strlen(s)); }

void ldr_buf_fmt(ldr_buf *b, const char *fmt, ...) {
  va_list ap, again;
  int n;
  va_start(ap, fmt);
  va_copy(again, ap);
  n = vsnprintf(NULL, 0, fmt, ap);
  va_end(ap);
  if (n >= 0 && ldr_buf_reserve(b, (size_t)n + 1)) {
    vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
    b->n += (size_t)n;
  }
  va_end(again);
}

void ldr_buf_be16(ldr_buf *b, uint16_t v) {
  if (!ldr_buf_reserve(b, 2)) return;
  ldr_put_be16(b->p + b->n, v);
  b->n += 2;
}

void ldr_buf_be32(ldr_buf *b, uint32_t v) {
  if (!ldr_buf_reserve(b, 4)) return;
  ldr_put_be32(b->p + b->n, v);
  b->n += 4;
}

void ldr_buf_be64(ldr_buf *b, uint64_t v) {
  if (!ldr_buf_reserve(b, 8)) return;
  ldr_put_be64(b->p + b->n, v);
  b->n += 8;
}

void ldr_buf_patch32(ldr_buf *b, size_t at, uint32_t v) {
  if (!b->broken && at + 4 <= b->n) ldr_put_be32(b->p + at, v);
}

const char *ldr_buf_cstr(ldr_buf *b) {
  if (!ldr_buf_reserve(b, 1)) return NULL;
  b->p[b->n] = '\0';
  return b->p;
}

char *ldr_buf_copy(const ldr_buf *b, ldr_arena *a) {
  return b->broken ? NULL : ldr_arena_copy(a, b->p, b->n);
}

void ldr_buf_free(ldr_buf *b) {
  ldr_free(b->p);
  *b = (ldr_buf){0};
}

/* Bytes and text: UTF-8, base64url, hex, hashing. No allocation. */
#ifndef LDR_BASE_TEXT_H
#define LDR_BASE_TEXT_H

#include <stdbool.h>

#include "base/buf.h"

/* Valid UTF-8 as PostgreSQL takes it (RFC 3629: no overlong form, no surrogate, at most U+10FFFF).
 * Returns n when all of it is valid, else the offset of the first bad byte. */
size_t ldr_utf8_check(const char *s, size_t n);
size_t ldr_utf8_length(const char *s, size_t n); /* characters of valid UTF-8 */

/* RFC 4648 section 5, no padding. */
void ldr_base64url_add(ldr_buf *out, const void *p, size_t n);
bool ldr_base64url_decode(ldr_buf *out, const char *s, size_t n); /* false: not canonical base64url */

/* A text that is read from its front. */
typedef struct ldr_scan_text {
  const char *p, *end;
} ldr_scan_text;

static inline bool ldr_is_digit(char c) { return c >= '0' && c <= '9'; }

static inline bool ldr_take(ldr_scan_text *s, char c) {
  if (s->p == s->end || *s->p != c) return false;
  s->p++;
  return true;
}

int ldr_hex_value(char c);                               /* -1: no digit; either case */
char *ldr_hex_put(char *w, const void *p, size_t n);     /* 2 n digits in lower case; returns their end */
void ldr_hex_add(ldr_buf *out, const void *p, size_t n); /* lower case */
bool ldr_hex_decode(unsigned char *out, const char *s, size_t n); /* n even; writes n / 2 bytes */

/* The 16 bytes of a uuid from its text: 8-4-4-4-12, either case. */
bool ldr_uuid_parse(const char *s, size_t n, unsigned char out[16]);
void ldr_uuid_format(const unsigned char uuid[16], char out[37]); /* lower case, zero-terminated */

/* A 64-bit hash for tables and checksums; not for secrets. Stable across machines and releases. */
uint64_t ldr_hash64(const void *p, size_t n, uint64_t seed);

/* SQL LIKE as PostgreSQL reads it: % any run, _ one character, backslash quotes the next.
 * fold: ASCII letters compare without case. 1 match, 0 none, -1 the pattern ends in a lone backslash
 * (PostgreSQL: 22025). */
int ldr_like(const char *s, size_t n, const char *pattern, size_t np, bool fold);

#endif

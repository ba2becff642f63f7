#include "values/bits.h"

#include <string.h>

static size_t bytes_of(uint32_t bits) { return bits / 8 + (bits % 8 != 0); }

uint32_t ldr_bits_count(const char *p) { return ldr_be32(p); }

bool ldr_bits_ok(const char *p, size_t n) {
  uint32_t bits;
  if (n < LDR_BITS_HEAD) return false;
  bits = ldr_be32(p);
  if (bits > INT32_MAX || n - LDR_BITS_HEAD != bytes_of(bits)) return false;
  return bits % 8 == 0 || ((unsigned char)p[n - 1] << bits % 8 & 0xff) == 0;
}

bool ldr_bits_parse(const char *s, size_t n, ldr_buf *out) {
  unsigned byte = 0;
  if (n > INT32_MAX) return false;
  for (size_t i = 0; i < n; i++)
    if (s[i] != '0' && s[i] != '1') return false;
  ldr_buf_be32(out, (uint32_t)n);
  for (size_t i = 0; i < n; i++) {
    byte = byte << 1 | (unsigned)(s[i] - '0');
    if (i % 8 != 7) continue;
    ldr_buf_chr(out, (char)byte);
    byte = 0;
  }
  if (n % 8) ldr_buf_chr(out, (char)(byte << (8 - n % 8)));
  return !out->broken;
}

void ldr_bits_format(const char *p, ldr_buf *out) {
  uint32_t n = ldr_bits_count(p);
  for (uint32_t i = 0; i < n; i++)
    ldr_buf_chr(out, (unsigned char)p[LDR_BITS_HEAD + i / 8] >> (7 - i % 8) & 1 ? '1' : '0');
}

int ldr_bits_cmp(const char *a, size_t na, const char *b, size_t nb) {
  uint32_t x = ldr_bits_count(a), y = ldr_bits_count(b);
  size_t n = (na < nb ? na : nb) - LDR_BITS_HEAD;
  int c = n ? memcmp(a + LDR_BITS_HEAD, b + LDR_BITS_HEAD, n) : 0;
  return c ? c : (x > y) - (x < y);
}

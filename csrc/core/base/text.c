#include "base/text.h"

#include <string.h>

/* ---- UTF-8 ---- */

/* Bytes of the well-formed sequence that starts at s; 0 when there is none within n > 0 bytes. The limits on
 * the second byte are what keeps out overlong forms, surrogates and everything above U+10FFFF. */
static size_t sequence(const unsigned char *s, size_t n) {
  unsigned c = s[0], low = 0x80, high = 0xBF;
  size_t len;
  if (c < 0x80) return 1;
  if (c < 0xC2 || c > 0xF4) return 0;
  len = c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
  if (len > n) return 0;
  if (c == 0xE0) low = 0xA0;
  if (c == 0xED) high = 0x9F;
  if (c == 0xF0) low = 0x90;
  if (c == 0xF4) high = 0x8F;
  if (s[1] < low || s[1] > high) return 0;
  for (size_t i = 2; i < len; i++)
    if ((s[i] & 0xC0) != 0x80) return 0;
  return len;
}

size_t ldr_utf8_check(const char *s, size_t n) {
  const uint64_t high_bits = UINT64_C(0x8080808080808080);
  size_t i = 0;
  while (i < n) {
    uint64_t word;
    size_t len;
    if (n - i >= sizeof word) { /* most text is ASCII: eight bytes a step */
      memcpy(&word, s + i, sizeof word);
      if ((word & high_bits) == 0) {
        i += sizeof word;
        continue;
      }
    }
    len = sequence((const unsigned char *)s + i, n - i);
    if (len == 0) return i;
    i += len;
  }
  return n;
}

static bool continues(char c) { return ((unsigned char)c & 0xC0) == 0x80; }

size_t ldr_utf8_length(const char *s, size_t n) {
  size_t count = 0;
  for (size_t i = 0; i < n; i++) count += !continues(s[i]);
  return count;
}

/* ---- base64url ---- */

void ldr_base64url_add(ldr_buf *out, const void *p, size_t n) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const unsigned char *s = p;
  char *w;
  if (n > SIZE_MAX / 2) n = SIZE_MAX / 2; /* reserve refuses it: the size below must not wrap */
  if (!ldr_buf_reserve(out, n / 3 * 4 + 4)) return;
  w = out->p + out->n;
  for (; n >= 3; n -= 3, s += 3) {
    *w++ = digits[s[0] >> 2];
    *w++ = digits[(s[0] & 3) << 4 | s[1] >> 4];
    *w++ = digits[(s[1] & 15) << 2 | s[2] >> 6];
    *w++ = digits[s[2] & 63];
  }
  if (n > 0) {
    *w++ = digits[s[0] >> 2];
    *w++ = digits[(s[0] & 3) << 4 | (n == 2 ? s[1] >> 4 : 0)];
  }
  if (n == 2) *w++ = digits[(s[1] & 15) << 2];
  out->n = (size_t)(w - out->p);
}

static int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool ldr_base64url_decode(ldr_buf *out, const char *s, size_t n) {
  uint32_t bits = 0; /* only the lowest `have` of them count */
  unsigned have = 0;
  size_t start = out->n;
  if (n % 4 == 1) return false;
  for (size_t i = 0; i < n; i++) {
    int v = base64_value(s[i]);
    if (v < 0) goto bad;
    bits = bits << 6 | (uint32_t)v;
    have += 6;
    if (have < 8) continue;
    have -= 8;
    ldr_buf_chr(out, (char)(bits >> have & 0xFF));
  }
  if ((bits & ((1U << have) - 1)) == 0) return true; /* left-over bits that are not zero: a second spelling */
bad:
  out->n = start;
  return false;
}

/* ---- hex, uuid ---- */

static const char hex_digits[] = "0123456789abcdef";

char *ldr_hex_put(char *w, const void *p, size_t n) {
  const unsigned char *bytes = p;
  for (size_t i = 0; i < n; i++) {
    *w++ = hex_digits[bytes[i] >> 4];
    *w++ = hex_digits[bytes[i] & 15];
  }
  return w;
}

void ldr_hex_add(ldr_buf *out, const void *p, size_t n) {
  if (n > SIZE_MAX / 2 || !ldr_buf_reserve(out, 2 * n)) {
    out->broken = true;
    return;
  }
  if (n == 0) return;
  ldr_hex_put(out->p + out->n, p, n);
  out->n += 2 * n;
}

int ldr_hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool ldr_hex_decode(unsigned char *out, const char *s, size_t n) {
  if (n % 2 != 0) return false;
  for (size_t i = 0; i < n; i += 2) /* all is checked before a byte is written */
    if (ldr_hex_value(s[i]) < 0 || ldr_hex_value(s[i + 1]) < 0) return false;
  for (size_t i = 0; i < n; i += 2)
    out[i / 2] = (unsigned char)(ldr_hex_value(s[i]) << 4 | ldr_hex_value(s[i + 1]));
  return true;
}

bool ldr_uuid_parse(const char *s, size_t n, unsigned char out[16]) {
  char hex[32];
  size_t k = 0;
  if (n != 36) return false;
  for (size_t i = 0; i < n; i++) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash != (s[i] == '-')) return false;
    if (!dash) hex[k++] = s[i];
  }
  return ldr_hex_decode(out, hex, sizeof hex);
}

void ldr_uuid_format(const unsigned char uuid[16], char out[37]) {
  static const unsigned char part[] = {4, 2, 2, 2, 6}; /* bytes between the dashes */
  for (size_t i = 0; i < sizeof part; i++) {
    out = ldr_hex_put(out, uuid, part[i]);
    uuid += part[i];
    *out++ = i + 1 < sizeof part ? '-' : '\0';
  }
}

/* ---- hash ---- */

/* Little-endian on every machine; compilers make one load of it, but not of a loop. */
static uint64_t load64(const unsigned char *s) {
  return (uint64_t)s[7] << 56 | (uint64_t)s[6] << 48 | (uint64_t)s[5] << 40 | (uint64_t)s[4] << 32 |
         (uint64_t)s[3] << 24 | (uint64_t)s[2] << 16 | (uint64_t)s[1] << 8 | s[0];
}

/* One word a step: the product carries every bit upwards, the shift brings the upper half back down. Each
 * step is a bijection of h, so words of equal length differ in h until a later word makes up for it. */
static uint64_t stir(uint64_t h, uint64_t word) {
  h = (h ^ word) * UINT64_C(0xD1342543DE82EF95);
  return h ^ h >> 32;
}

uint64_t ldr_hash64(const void *p, size_t n, uint64_t seed) {
  const unsigned char *s = p;
  uint64_t h = stir(seed, UINT64_C(0x9E3779B97F4A7C15) ^ n), last = 0;
  for (; n >= 8; n -= 8, s += 8) h = stir(h, load64(s));
  for (size_t i = 0; i < n; i++) last |= (uint64_t)s[i] << 8 * i;
  h = stir(h, last);
  h = stir(h, UINT64_C(0x2545F4914F6CDD1D)); /* two more, so that each input bit reaches each output bit */
  return stir(h, UINT64_C(0x9E3779B97F4A7C15));
}

/* ---- LIKE ---- */

static const char *next_char(const char *s, const char *end) {
  do s++;
  while (s < end && continues(*s));
  return s;
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

/* Skips a run of % and _; each _ takes one character of the text. false: too few are left. */
static bool skip_wildcards(const char **p, const char *pend, const char **t, const char *tend) {
  for (; *p < pend && (**p == '%' || **p == '_'); ++*p) {
    if (**p == '%') continue;
    if (*t == tend) return false;
    *t = next_char(*t, tend);
  }
  return true;
}

/* Only the last % ever needs a second try: what an earlier one matched can stay as short as it was, because a
 * later % may take any text. A lone backslash is an error only when the match gets there with text left, or
 * right behind a %: exactly when PostgreSQL says so. */
int ldr_like(const char *s, size_t n, const char *pattern, size_t np, bool fold) {
  const char *t = s, *tend = s + n, *p = pattern, *pend = pattern + np;
  const char *again_t = NULL, *again_p = NULL; /* where to go on when the text behind the last % differs */
  while (t < tend) {
    if (p < pend && *p == '%') {
      if (!skip_wildcards(&p, pend, &t, tend)) return 0;
      if (p == pend) return 1;
      if (*p == '\\' && p + 1 == pend) return -1;
      again_p = p;
      again_t = t;
      continue;
    }
    if (p < pend && *p == '_') {
      t = next_char(t, tend);
      p++;
      continue;
    }
    if (p < pend) {
      const char *q = *p == '\\' ? p + 1 : p;
      if (q == pend) return -1;
      if (*q == *t || (fold && lower(*q) == lower(*t))) {
        p = q + 1;
        t++;
        continue;
      }
    }
    if (again_p == NULL) return 0;
    p = again_p;
    t = again_t = next_char(again_t, tend);
  }
  while (p < pend && *p == '%') p++;
  return p == pend;
}

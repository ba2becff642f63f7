#include "values/tsvector.h"

#include <string.h>

/*  be32 lexemes | lexemes x { bytes, a zero | be16 positions | positions x be16 { weight 2 bits, place 14
 * bits } } */

typedef struct input {
  const char *p;
  size_t n; /* bytes left */
} input;

static bool take16(input *in, unsigned *out) {
  if (in->n < 2) return false;
  *out = ldr_be16(in->p);
  in->p += 2;
  in->n -= 2;
  return true;
}

static bool add_lexeme(input *in, ldr_buf *out) {
  const char *end = in->n ? memchr(in->p, 0, in->n) : NULL;
  if (end == NULL) return false;
  ldr_buf_chr(out, '\'');
  for (; in->p < end; in->p++, in->n--) {
    if (*in->p == '\'' || *in->p == '\\') ldr_buf_chr(out, *in->p);
    ldr_buf_chr(out, *in->p);
  }
  ldr_buf_chr(out, '\'');
  in->p++;
  in->n--;
  return true;
}

static bool add_positions(input *in, ldr_buf *out) {
  static const char *const weights[] = {"", "C", "B", "A"};
  unsigned count, word;
  if (!take16(in, &count)) return false;
  for (unsigned i = 0; i < count; i++) {
    if (!take16(in, &word)) return false;
    ldr_buf_fmt(out, "%c%u%s", i ? ',' : ':', word & 0x3fff, weights[word >> 14]);
  }
  return true;
}

bool ldr_tsvector_text(const char *p, size_t n, ldr_buf *out) {
  input in = {p + 4, n - 4};
  uint32_t lexemes;
  if (n < 4) return false;
  lexemes = ldr_be32(p);
  for (uint32_t i = 0; i < lexemes; i++) {
    if (i) ldr_buf_chr(out, ' ');
    if (!add_lexeme(&in, out) || !add_positions(&in, out)) return false;
  }
  return in.n == 0;
}

#include "values/json.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "values/numeric.h"

/* What may stand next. */
enum { VALUE, FIRST_ITEM, FIRST_KEY, AFTER_VALUE, FINISHED, FAILED };

#define ONES UINT64_C(0x0101010101010101)
#define HIGH (ONES * 0x80)

static ldr_json_event fail(ldr_json_reader *r, const char *why) {
  r->state = FAILED;
  r->why = why;
  return LDR_JSON_ERROR;
}

static ldr_json_event fail_unexpected(ldr_json_reader *r) {
  return fail(r, r->p == r->end ? "the text ends too early" : "unexpected character");
}

static void skip_space(ldr_json_reader *r) {
  const char *p = r->p;
  while (p < r->end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')) p++;
  r->p = p;
}

/* ---- strings ---- */

/* Which byte of a word of text the lowest bit belongs to, where that is known. */
#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define FIRST_BYTE(bits) (__builtin_ctzll(bits) / 8)
#endif

/* End of the run at p that needs no decoding: a quote, a backslash, a control character or `end`. Eight bytes
 * a step: each term sets the top bit of some byte exactly when one of the eight is the one it looks for, and
 * the lowest bit that it sets is right. *high collects the top bits of what was passed. */
static const char *plain_run(const char *p, const char *end, uint64_t *high) {
  for (; end - p >= 8; p += 8) {
    uint64_t w, quote, backslash, stops;
    memcpy(&w, p, 8);
    quote = w ^ ONES * '"';
    backslash = w ^ ONES * '\\';
    stops = (((w - ONES * 0x20) & ~w) | ((quote - ONES) & ~quote) | ((backslash - ONES) & ~backslash)) & HIGH;
#ifdef FIRST_BYTE
    if (stops) {
      *high |= w & HIGH & (stops - 1);
      return p + FIRST_BYTE(stops);
    }
#endif
    if (stops) break;
    *high |= w & HIGH;
  }
  for (; p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20; p++)
    *high |= (unsigned char)*p & 0x80;
  return p;
}

static bool hex4(const char *p, const char *end, unsigned *out) {
  unsigned char b[2];
  if (end - p < 4 || !ldr_hex_decode(b, p, 4)) return false;
  *out = (unsigned)b[0] << 8 | b[1];
  return true;
}

static void add_utf8(ldr_buf *out, unsigned c) {
  char t[4];
  size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (size_t i = n - 1; i > 0; i--, c >>= 6) t[i] = (char)(0x80 | (c & 0x3F));
  t[0] = (char)(lead[n] | c);
  ldr_buf_add(out, t, n);
}

/* p stands behind "\u". Returns the end of the escape, or NULL with r->why set. */
static const char *unicode_escape(ldr_json_reader *r, const char *p) {
  unsigned c, low;
  if (!hex4(p, r->end, &c)) {
    r->why = "\\u needs four hexadecimal digits";
    return NULL;
  }
  p += 4;
  if (c >= 0xD800 && c <= 0xDBFF && r->end - p >= 6 && p[0] == '\\' && p[1] == 'u' &&
      hex4(p + 2, r->end, &low) && low >= 0xDC00 && low <= 0xDFFF) {
    c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    p += 6;
  }
  if (!r->lenient && (c == 0 || (c >= 0xD800 && c <= 0xDFFF))) {
    r->why = c == 0 ? "\\u0000 cannot be converted to text" : "a surrogate stands alone";
    return NULL;
  }
  add_utf8(r->scratch, c);
  return p;
}

/* p stands behind the backslash. */
static const char *escape(ldr_json_reader *r, const char *p) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  const char *at;
  if (p < r->end && *p == 'u') return unicode_escape(r, p + 1);
  at = p < r->end && *p != '\0' ? strchr(from, *p) : NULL;
  if (at == NULL) {
    r->why = "unknown escape";
    return NULL;
  }
  ldr_buf_chr(r->scratch, to[at - from]);
  return p + 1;
}

/* The string from `from` on has its first escape at p: decode it into scratch. Returns its end or NULL. */
static const char *decode(ldr_json_reader *r, const char *from, const char *p, uint64_t *high) {
  ldr_buf_reset(r->scratch);
  while (p < r->end && *p == '\\') {
    ldr_buf_add(r->scratch, from, (size_t)(p - from));
    from = escape(r, p + 1);
    if (from == NULL) {
      r->p = p;
      return NULL;
    }
    p = plain_run(from, r->end, high);
  }
  ldr_buf_add(r->scratch, from, (size_t)(p - from));
  r->s = r->scratch->p;
  r->n = r->scratch->n;
  if (!r->scratch->broken) return p;
  r->why = "out of memory";
  return NULL;
}

/* Is the string from `from` on the guess? Its bytes were looked at when they were read first: no quote, no
 * escape and no control character is among them, and they are UTF-8. */
static bool is_guess(const ldr_json_reader *r, const char *from) {
  return r->guess_n && (size_t)(r->end - from) > r->guess_n && from[r->guess_n] == '"' &&
         memcmp(from, r->guess, r->guess_n) == 0;
}

/* The string whose opening quote is at r->p. */
static bool string(ldr_json_reader *r) {
  const char *from = r->p + 1, *p;
  uint64_t high = 0;
  size_t valid;
  r->s = from;
  if (is_guess(r, from)) {
    r->guessed = true;
    r->n = r->guess_n;
    r->p = from + r->n + 1;
    return true;
  }
  p = plain_run(from, r->end, &high);
  r->n = (size_t)(p - from);
  if (p < r->end && *p == '\\') p = decode(r, from, p, &high);
  if (p == NULL) return false;
  r->p = p;
  if (p == r->end || *p != '"')
    r->why = p == r->end ? "a string does not end" : "a control character stands in a string";
  else if (high && (valid = ldr_utf8_check(from, (size_t)(p - from))) != (size_t)(p - from)) {
    r->why = "invalid UTF-8";
    r->p = from + valid;
  } else {
    r->p = p + 1;
    return true;
  }
  return false;
}

/* ---- numbers ---- */

enum { DOUBLE_DIGITS = 770 }; /* no more are needed to tell which side of a midpoint a decimal lies on */

static int64_t clamp(int64_t v, int64_t limit) { return v > limit ? limit : v < -limit ? -limit : v; }

/* The exponent of a number's text from its 'e' on; cut where it no longer matters. */
static int64_t exponent(const char *p, const char *end) {
  bool negative;
  int64_t v = 0;
  if (p == end) return 0;
  negative = *++p == '-';
  for (p += !ldr_is_digit(*p); p < end; p++) v = clamp(v * 10 + (*p - '0'), INT64_C(1000000000000));
  return negative ? -v : v;
}

static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* The double nearest to s, which is a number by the grammar. Up to 2^53 times or by a power of ten that is
 * exact itself, one rounding is the right one; otherwise strtod decides, on digits without a point so that
 * the locale has no say. */
static double to_double(const char *s, size_t n) {
  const char *end = s + n, *p = s + (*s == '-');
  char digits[DOUBLE_DIGITS + 32];
  int nd = 0;
  int64_t exp = 0;
  uint64_t m = 0;
  bool point = false, more = false;
  double f;
  for (; p < end && (ldr_is_digit(*p) || *p == '.'); p++) {
    if (*p == '.') {
      point = true;
    } else if (nd == DOUBLE_DIGITS) {
      more |= *p != '0';
      exp += !point;
    } else {
      if (nd > 0 || *p != '0') digits[nd++] = *p;
      if (nd < 19) m = m * 10 + (uint64_t)(*p - '0');
      exp -= point;
    }
  }
  exp += exponent(p, end);
  if (nd < 19 && m <= UINT64_C(1) << 53 && (m == 0 || (exp >= -22 && exp <= 22)) && FLT_EVAL_METHOD == 0) {
    f = m == 0 ? 0.0 : exp < 0 ? (double)m / tens[-exp] : (double)m * tens[exp];
  } else {
    if (more) { /* all digits left out, as one */
      digits[nd++] = '1';
      exp--;
    }
    snprintf(digits + nd, sizeof digits - (size_t)nd, "e%d", (int)clamp(exp, 100000));
    f = strtod(digits, NULL);
  }
  return *s == '-' ? -f : f;
}

static const char *digit_run(const char *p, const char *end) {
  while (p < end && ldr_is_digit(*p)) p++;
  return p;
}

/* Fraction and exponent from p on. Returns the end of the number, NULL when a digit is missing. */
static const char *tail(const char *p, const char *end) {
  const char *start;
  if (p < end && *p == '.') {
    start = p + 1;
    p = digit_run(start, end);
    if (p == start) return NULL;
  }
  if (p < end && (*p == 'e' || *p == 'E')) {
    start = p + 1;
    if (start < end && (*start == '+' || *start == '-')) start++;
    p = digit_run(start, end);
    if (p == start) return NULL;
  }
  return p;
}

/* An integer of `n` digits that is m: does it fit int64? 19 digits cannot wrap uint64. */
static bool fits(uint64_t m, size_t n, bool negative) {
  return n <= 19 && m <= (uint64_t)INT64_MAX + negative;
}

static ldr_json_event number(ldr_json_reader *r) {
  bool negative = *r->p == '-';
  const char *digits = r->p + negative, *p = digits;
  uint64_t m = 0;
  r->s = r->p;
  if (p < r->end && *p == '0')
    p++;
  else
    for (; p < r->end && ldr_is_digit(*p); p++) m = m * 10 + (uint64_t)(*p - '0');
  if (p == digits) {
    r->p = p;
    return fail_unexpected(r);
  }
  r->state = AFTER_VALUE;
  if ((p == r->end || (*p != '.' && *p != 'e' && *p != 'E')) && fits(m, (size_t)(p - digits), negative)) {
    r->i = (int64_t)(negative ? 0 - m : m);
    r->n = (size_t)(p - r->s);
    r->p = p;
    return LDR_JSON_INT;
  }
  p = tail(p, r->end);
  if (p == NULL) return fail(r, "a number lacks digits");
  r->n = (size_t)(p - r->s);
  r->p = p;
  r->f = to_double(r->s, r->n);
  return LDR_JSON_FLOAT;
}

/* ---- structure ---- */

void ldr_json_read(ldr_json_reader *r, const char *text, size_t n, ldr_buf *scratch) {
  *r = (ldr_json_reader){.p = text, .end = text + n, .scratch = scratch, .state = VALUE};
}

static bool in_object(const ldr_json_reader *r) {
  unsigned level = r->depth - 1;
  return r->in_object[level / 64] >> level % 64 & 1;
}

static ldr_json_event open_container(ldr_json_reader *r, bool object) {
  uint64_t bit = UINT64_C(1) << r->depth % 64, *word;
  if (r->depth == LDR_JSON_DEPTH) return fail(r, "nested too deeply");
  word = &r->in_object[r->depth / 64];
  *word = object ? *word | bit : *word & ~bit;
  r->depth++;
  r->p++;
  r->state = object ? FIRST_KEY : FIRST_ITEM;
  return object ? LDR_JSON_OBJECT : LDR_JSON_ARRAY;
}

static ldr_json_event close_container(ldr_json_reader *r) {
  bool object = in_object(r);
  if (r->p == r->end || *r->p != (object ? '}' : ']')) return fail_unexpected(r);
  r->p++;
  r->depth--;
  r->state = AFTER_VALUE;
  return object ? LDR_JSON_OBJECT_END : LDR_JSON_ARRAY_END;
}

static ldr_json_event word(ldr_json_reader *r, const char *text, size_t n, ldr_json_event event) {
  if ((size_t)(r->end - r->p) < n || memcmp(r->p, text, n) != 0) return fail(r, "unknown word");
  r->p += n;
  r->state = AFTER_VALUE;
  return event;
}

ldr_json_event ldr_json_value(ldr_json_reader *r) {
  skip_space(r);
  if (r->p == r->end) return fail_unexpected(r);
  switch (*r->p) {
    case '"':
      if (!string(r)) return fail(r, r->why);
      r->state = AFTER_VALUE;
      return LDR_JSON_STRING;
    case '{': return open_container(r, true);
    case '[': return open_container(r, false);
    case 't': return word(r, "true", 4, LDR_JSON_TRUE);
    case 'f': return word(r, "false", 5, LDR_JSON_FALSE);
    case 'n': return word(r, "null", 4, LDR_JSON_NULL);
    default: return *r->p == '-' || ldr_is_digit(*r->p) ? number(r) : fail_unexpected(r);
  }
}

static ldr_json_event key(ldr_json_reader *r) {
  skip_space(r);
  if (r->p == r->end || *r->p != '"') return fail_unexpected(r);
  if (!string(r)) return fail(r, r->why);
  skip_space(r);
  if (r->p == r->end || *r->p != ':') return fail_unexpected(r);
  r->p++;
  r->state = VALUE;
  return LDR_JSON_KEY;
}

ldr_json_event ldr_json_member(ldr_json_reader *r) {
  skip_space(r);
  if (r->state == FIRST_KEY) return r->p < r->end && *r->p == '}' ? close_container(r) : key(r);
  if (r->p == r->end || *r->p != ',') return close_container(r);
  r->p++;
  return key(r);
}

ldr_json_event ldr_json_element(ldr_json_reader *r) {
  skip_space(r);
  if (r->state == FIRST_ITEM) return r->p < r->end && *r->p == ']' ? close_container(r) : ldr_json_value(r);
  if (r->p == r->end || *r->p != ',') return close_container(r);
  r->p++;
  return ldr_json_value(r);
}

ldr_json_event ldr_json_end(ldr_json_reader *r) {
  skip_space(r);
  if (r->p != r->end) return fail_unexpected(r);
  r->state = FINISHED;
  return LDR_JSON_END;
}

ldr_json_event ldr_json_next(ldr_json_reader *r) {
  switch (r->state) {
    case VALUE: return ldr_json_value(r);
    case FIRST_ITEM: return ldr_json_element(r);
    case FIRST_KEY: return ldr_json_member(r);
    case AFTER_VALUE:
      if (r->depth == 0) return ldr_json_end(r);
      return in_object(r) ? ldr_json_member(r) : ldr_json_element(r);
    case FINISHED: return LDR_JSON_END;
    default: return LDR_JSON_ERROR;
  }
}

static bool is_word(const char *s, size_t n, const char *word) {
  return n == strlen(word) && memcmp(s, word, n) == 0;
}

bool ldr_json_read_double(const char *s, size_t n, double *out) {
  ldr_json_reader r = {.p = s, .end = s + n, .state = VALUE};
  if (is_word(s, n, "NaN")) {
    *out = (double)NAN;
  } else if (is_word(s, n, "Infinity") || is_word(s, n, "-Infinity")) {
    *out = *s == '-' ? -(double)INFINITY : (double)INFINITY;
  } else {
    if (n == 0 || (*s != '-' && !ldr_is_digit(*s)) || number(&r) == LDR_JSON_ERROR || r.p != r.end)
      return false;
    *out = to_double(s, n);
  }
  return true;
}

/* Digits between the first and the last that is not zero. */
static size_t significant(const char *s, size_t n) {
  size_t digits = 0, upto = 0;
  for (size_t i = 0; i < n && s[i] != 'e' && s[i] != 'E'; i++) {
    if (!ldr_is_digit(s[i]) || (digits == 0 && s[i] == '0')) continue;
    digits++;
    if (s[i] != '0') upto = digits;
  }
  return upto;
}

bool ldr_json_is_double(const char *s, size_t n, double f) {
  ldr_buf text = {0}, a = {0}, b = {0};
  bool same = true;
  size_t digits = significant(s, n);
  double size = f < 0 ? -f : f;
  if (digits == 0 || (digits <= 15 && size >= DBL_MIN && size <= DBL_MAX)) return true;
  if (!ldr_json_add_float(&text, f) || (f == 0 && digits > 0)) {
    same = false;
  } else if (!text.broken && ldr_numeric_normal(text.p, text.n, &a)) {
    same = ldr_numeric_normal(s, n, &b) && !a.broken && !b.broken ? ldr_numeric_cmp(a.p, a.n, b.p, b.n) == 0
                                                                  : a.broken || b.broken;
  }
  ldr_buf_free(&text);
  ldr_buf_free(&a);
  ldr_buf_free(&b);
  return same;
}

/* ---- writing ---- */

static void add_escape(ldr_buf *out, unsigned char c) {
  static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
  const char *at = c ? strchr(from, c) : NULL;
  ldr_buf_chr(out, '\\');
  if (at) {
    ldr_buf_chr(out, to[at - from]);
  } else {
    ldr_buf_str(out, "u00");
    ldr_hex_add(out, &c, 1);
  }
}

bool ldr_json_is_plain(const char *s, size_t n) {
  uint64_t high = 0;
  return plain_run(s, s + n, &high) == s + n && high == 0;
}

void ldr_json_add_string(ldr_buf *out, const char *s, size_t n) {
  const char *end = s + n;
  uint64_t high = 0;
  if (!ldr_buf_reserve(out, n < SIZE_MAX / 2 ? n + 2 : n)) return; /* nearly always enough */
  ldr_buf_chr(out, '"');
  for (;;) {
    const char *p = plain_run(s, end, &high);
    ldr_buf_add(out, s, (size_t)(p - s));
    if (p == end) break;
    add_escape(out, (unsigned char)*p);
    s = p + 1;
  }
  ldr_buf_chr(out, '"');
}

static void add_digits(ldr_buf *out, uint64_t v, bool negative) {
  char t[24], *w = t + sizeof t;
  do {
    *--w = (char)('0' + v % 10);
    v /= 10;
  } while (v > 0);
  if (negative) *--w = '-';
  ldr_buf_add(out, w, (size_t)(t + sizeof t - w));
}

void ldr_json_add_int(ldr_buf *out, int64_t i) {
  add_digits(out, i < 0 ? 0 - (uint64_t)i : (uint64_t)i, i < 0);
}

/* size = whole / 10^places with fewer than 16 digits, and no fewer places do: most floats that people write.
 * Such a text is the only one of its length that reads back to size, so it is the shortest. */
static bool short_decimal(double size, uint64_t *whole, int *places) {
  for (int k = 1; k <= 15 && size * tens[k] < 1e15; k++) {
    *whole = (uint64_t)(size * tens[k] + 0.5);
    *places = k;
    if ((double)*whole / tens[k] == size) return true;
  }
  return false;
}

static void add_decimal(ldr_buf *out, uint64_t whole, int places, bool negative) {
  uint64_t unit = (uint64_t)tens[places], rest = whole % unit;
  char t[16];
  add_digits(out, whole / unit, negative);
  ldr_buf_chr(out, '.');
  for (int i = places; i > 0; rest /= 10) t[--i] = (char)('0' + rest % 10);
  ldr_buf_add(out, t, (size_t)places);
}

/* As few digits as read back to f: 15 always survive a double, 17 always tell it; subnormals have fewer. */
static void add_shortest(ldr_buf *out, double f) {
  char t[40];
  bool radix = false;
  for (int precision = f > -DBL_MIN && f < DBL_MIN ? 1 : 15; precision <= 17; precision++) {
    snprintf(t, sizeof t, "%.*g", precision, f);
    if (strtod(t, NULL) == f) break;
  }
  for (const char *p = t; *p; p++) { /* whatever the locale has for a point */
    bool ours = ldr_is_digit(*p) || *p == '-' || *p == '+' || *p == 'e';
    if (ours || !radix) ldr_buf_chr(out, ours ? *p : '.');
    radix |= !ours;
  }
}

bool ldr_json_add_float(ldr_buf *out, double f) {
  double size = f < 0 ? -f : f;
  uint64_t whole = 0;
  int places;
  if (!(size <= DBL_MAX)) return false;
  if (size < 1e19) whole = (uint64_t)size;
  if ((double)whole == size) { /* all digits: numeric would make an integer of "1e+15" */
    add_digits(out, whole, f < 0);
    ldr_buf_add(out, ".0", 2);
  } else if (FLT_EVAL_METHOD == 0 && short_decimal(size, &whole, &places)) {
    add_decimal(out, whole, places, f < 0);
  } else {
    add_shortest(out, f);
  }
  return true;
}

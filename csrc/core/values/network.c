#include "values/network.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { FAMILY, BITS, IS_CIDR, LENGTH, ADDRESS }; /* bytes of an inet */
enum { V4 = 2, V6 = 3 };                         /* families, as PostgreSQL numbers them on every system */

static unsigned length_of(int family) { return family == V4 ? 4 : 16; }

static unsigned bits_of(const char *p) { return (unsigned char)p[BITS]; }

/* Are the bits of the address from `from` on zero? */
static bool is_zero_from(const char *p, unsigned from) {
  for (unsigned i = from; i < 8 * length_of(p[FAMILY]); i++)
    if ((unsigned char)p[ADDRESS + i / 8] >> (7 - i % 8) & 1) return false;
  return true;
}

bool ldr_inet_ok(const char *p, size_t n, bool cidr) {
  if (n < ADDRESS || (p[FAMILY] != V4 && p[FAMILY] != V6)) return false;
  if (n != ADDRESS + length_of(p[FAMILY]) || (unsigned char)p[LENGTH] != length_of(p[FAMILY])) return false;
  if (p[IS_CIDR] != cidr || bits_of(p) > 8 * length_of(p[FAMILY])) return false;
  return !cidr || is_zero_from(p, bits_of(p));
}

/* ---- reading ---- */

static bool at(const ldr_scan_text *s, char c) { return s->p < s->end && *s->p == c; }

static bool take_number(ldr_scan_text *s, unsigned most, unsigned *out) {
  const char *from = s->p;
  unsigned n = 0;
  while (s->p < s->end && s->p - from < 3 && ldr_is_digit(*s->p)) n = n * 10 + (unsigned)(*s->p++ - '0');
  *out = n;
  return s->p > from && n <= most && (*from != '0' || s->p - from == 1);
}

static bool take_v4(ldr_scan_text *s, char *out) {
  for (int i = 0; i < 4; i++) {
    unsigned n;
    if ((i && !ldr_take(s, '.')) || !take_number(s, 255, &n)) return false;
    out[i] = (char)n;
  }
  return true;
}

static bool take_group(ldr_scan_text *s, char *out) {
  const char *from = s->p;
  unsigned n = 0;
  while (s->p < s->end && s->p - from < 4 && ldr_hex_value(*s->p) >= 0)
    n = n << 4 | (unsigned)ldr_hex_value(*s->p++);
  out[0] = (char)(n >> 8);
  out[1] = (char)n;
  return s->p > from;
}

/* Does an IPv4 address stand here, as the end of an IPv6 one? */
static bool at_v4(const ldr_scan_text *s) {
  const char *p = s->p;
  while (p < s->end && ldr_is_digit(*p)) p++;
  return p < s->end && p > s->p && *p == '.';
}

/* The groups up to the end of the address, at most `room` bytes of them; -1: no groups. */
static int take_groups(ldr_scan_text *s, char *out, int room) {
  int n = 0;
  for (;;) {
    if (at_v4(s)) {
      bool is_end = room < 16 || n == 12; /* behind a gap, or of a whole address */
      if (!is_end || room - n < 4 || !take_v4(s, out + n)) return -1;
      return n + 4;
    }
    if (room - n < 2 || !take_group(s, out + n)) return -1;
    n += 2;
    if (!at(s, ':') || (s->end - s->p > 1 && s->p[1] == ':')) return n;
    s->p++;
  }
}

static bool at_gap(const ldr_scan_text *s) { return s->end - s->p > 1 && s->p[0] == ':' && s->p[1] == ':'; }

static bool take_v6(ldr_scan_text *s, char *out) {
  char rest[16];
  int head = 0, tail = 0;
  memset(out, 0, 16);
  if (!at_gap(s)) {
    head = take_groups(s, out, 16);
    if (head < 0) return false;
    if (head == 16) return true;
  }
  if (!at_gap(s)) return false;
  s->p += 2;
  if (s->p < s->end && *s->p != '/') {
    tail = take_groups(s, rest, 14 - head); /* the gap is one group at least */
    if (tail < 0) return false;
  }
  memcpy(out + 16 - tail, rest, (size_t)tail);
  return true;
}

size_t ldr_inet_parse(const char *text, size_t n, bool cidr, char out[LDR_INET_MAX]) {
  ldr_scan_text s = {text, text + n};
  bool v6 = n && memchr(text, ':', n) != NULL;
  unsigned bits;
  out[FAMILY] = v6 ? V6 : V4;
  out[LENGTH] = (char)length_of(out[FAMILY]);
  out[IS_CIDR] = (char)cidr;
  bits = 8 * length_of(out[FAMILY]);
  if (v6 ? !take_v6(&s, out + ADDRESS) : !take_v4(&s, out + ADDRESS)) return 0;
  if (ldr_take(&s, '/') && !take_number(&s, bits, &bits)) return 0;
  out[BITS] = (char)bits;
  if (s.p != s.end || (cidr && !is_zero_from(out, bits))) return 0;
  return ADDRESS + length_of(out[FAMILY]);
}

/* ---- writing ---- */

static size_t format_v4(const char *p, char *out) {
  const unsigned char *a = (const unsigned char *)p;
  return (size_t)snprintf(out, LDR_NETWORK_TEXT, "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
}

static unsigned group(const char *p, int i) { return ldr_be16(p + 2 * i); }

/* The first of the longest runs of zero groups; its length, 0 when no run has two. */
static int longest_gap(const char *p, int *first) {
  int best = 0;
  for (int i = 0, run = 0; i < 8; i++) {
    run = group(p, i) ? 0 : run + 1;
    if (run > best) {
      best = run;
      *first = i - run + 1;
    }
  }
  return best > 1 ? best : 0;
}

/* Do the last four bytes stand as an IPv4 address? ::1.2.3.4 and ::ffff:1.2.3.4 */
static bool ends_as_v4(const char *p, int first, int gap) {
  return gap && first == 0 && (gap == 6 || (gap == 5 && group(p, 5) == 0xffff));
}

static size_t format_v6(const char *p, char *out) {
  int first = -1, gap = longest_gap(p, &first);
  size_t n = 0;
  for (int i = 0; i < 8; i++) {
    if (gap && i >= first && i < first + gap) {
      if (i == first) out[n++] = ':';
      continue;
    }
    if (i) out[n++] = ':';
    if (i == 6 && ends_as_v4(p, first, gap)) return n + format_v4(p + 12, out + n);
    n += (size_t)snprintf(out + n, 8, "%x", group(p, i));
  }
  if (gap && first + gap == 8) out[n++] = ':';
  return n;
}

size_t ldr_inet_format(const char *p, char out[LDR_NETWORK_TEXT]) {
  char text[LDR_NETWORK_TEXT];
  size_t n = p[FAMILY] == V4 ? format_v4(p + ADDRESS, text) : format_v6(p + ADDRESS, text);
  if (p[IS_CIDR] || bits_of(p) != 8 * length_of(p[FAMILY]))
    n += (size_t)snprintf(text + n, 8, "/%u", bits_of(p));
  memcpy(out, text, n);
  return n;
}

/* ---- order ---- */

static int cmp_bits(const char *a, const char *b, unsigned bits) {
  int c = memcmp(a + ADDRESS, b + ADDRESS, bits / 8);
  unsigned shift = 8 - bits % 8, x, y;
  if (c != 0 || bits % 8 == 0) return (c > 0) - (c < 0);
  x = (unsigned)(unsigned char)a[ADDRESS + bits / 8] >> shift;
  y = (unsigned)(unsigned char)b[ADDRESS + bits / 8] >> shift;
  return (x > y) - (x < y);
}

int ldr_inet_cmp(const char *a, const char *b) {
  unsigned x = bits_of(a), y = bits_of(b);
  int c;
  if (a[FAMILY] != b[FAMILY]) return a[FAMILY] < b[FAMILY] ? -1 : 1;
  c = cmp_bits(a, b, x < y ? x : y);
  if (c == 0) c = (x > y) - (x < y);
  return c ? c : cmp_bits(a, b, 8 * length_of(a[FAMILY]));
}

bool ldr_inet_contains(const char *a, const char *b) {
  return a[FAMILY] == b[FAMILY] && bits_of(a) <= bits_of(b) && cmp_bits(a, b, bits_of(a)) == 0;
}

/* ---- macaddr ---- */

/* What stands between the digits decides how many there are in a part: 2, 4 or 6 of them. */
static bool take_parts(const char *s, size_t n, char *out, size_t *bytes) {
  char separator = 0;
  size_t part = 0, digits = 0, at_part = 0;
  for (size_t i = 0; i < n; i++) {
    int d = ldr_hex_value(s[i]);
    if (d < 0) {
      if ((s[i] != ':' && s[i] != '-' && s[i] != '.') || (separator && s[i] != separator) || at_part == 0)
        return false;
      if (part && at_part != part) return false;
      separator = s[i];
      part = at_part;
      at_part = 0;
      continue;
    }
    if (digits == 2 * LDR_MACADDR8) return false;
    out[digits / 2] = (char)(digits % 2 ? (unsigned char)out[digits / 2] | d : d << 4);
    digits++;
    at_part++;
  }
  *bytes = digits / 2;
  if (digits % 2 || (separator && at_part != part)) return false;
  if (separator == '.') return part == 4;
  return !separator || part == 2 || part == 4 || (part == 6 && digits == 12);
}

bool ldr_macaddr_parse(const char *s, size_t n, size_t size, char *out) {
  char bytes[LDR_MACADDR8];
  size_t found;
  if (n > 3 * LDR_MACADDR8 || !take_parts(s, n, bytes, &found)) return false;
  if (found == size) {
    memcpy(out, bytes, size);
    return true;
  }
  if (size != LDR_MACADDR8 || found != LDR_MACADDR) return false;
  memcpy(out, bytes, 3);
  out[3] = (char)0xff;
  out[4] = (char)0xfe;
  memcpy(out + 5, bytes + 3, 3);
  return true;
}

size_t ldr_macaddr_format(const char *p, size_t size, char out[LDR_NETWORK_TEXT]) {
  char *w = out;
  for (size_t i = 0; i < size; i++) {
    if (i) *w++ = ':';
    w = ldr_hex_put(w, p + i, 1);
  }
  return (size_t)(w - out);
}

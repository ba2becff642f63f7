/* Texts of ranges, and PostgreSQL's binary form:
 *   flags 1 | lower, if it ends | upper, if it ends; each be32 length | the element's own binary form */
#include <string.h>

#include "base/text.h"
#include "values/datetime.h"
#include "values/json.h"
#include "values/numeric.h"
#include "values/range.h"
#include "values/time.h"

/* ---- binary ---- */

static bool is_wide(ldr_range_kind kind) { return kind != LDR_RANGE_INT4 && kind != LDR_RANGE_DATE; }

/* made: what the text of a numeric lies in, while the range is put together */
static bool wire_bound(ldr_range_kind kind, const char **p, const char *end, ldr_buf *made, ldr_bound *b) {
  const char *bytes;
  uint32_t n;
  if (!b->ends) return true;
  if (!ldr_range_take(p, end, &bytes, &n)) return false;
  if (kind == LDR_RANGE_NUMERIC) {
    if (!ldr_numeric_from_wire(bytes, n, made) || made->broken) return false;
    b->p = made->p;
    b->n = (uint32_t)made->n;
    return true;
  }
  if (n != (is_wide(kind) ? 8 : 4)) return false;
  b->i = is_wide(kind) ? (int64_t)ldr_be64(bytes) : (int32_t)ldr_be32(bytes);
  return true;
}

bool ldr_range_from_wire(ldr_range_kind kind, const char *p, size_t n, ldr_buf *out) {
  ldr_range r;
  ldr_buf made[2] = {{0}, {0}};
  const char *end = p + n;
  bool ok;
  if (n == 0 || !ldr_range_begin((unsigned char)*p++, &r)) return false;
  r.kind = kind;
  ok = wire_bound(kind, &p, end, &made[0], &r.lower) && wire_bound(kind, &p, end, &made[1], &r.upper) &&
       p == end && ldr_range_add(r, out) == NULL;
  if (made[0].broken || made[1].broken) out->broken = true;
  ldr_buf_free(&made[0]);
  ldr_buf_free(&made[1]);
  return ok && !out->broken;
}

static void add_wire(ldr_range_kind kind, const ldr_bound *b, ldr_buf *out) {
  size_t at = out->n;
  if (!b->ends) return;
  ldr_buf_be32(out, 0);
  if (kind == LDR_RANGE_NUMERIC)
    ldr_numeric_to_wire(b->p, b->n, out);
  else if (is_wide(kind))
    ldr_buf_be64(out, (uint64_t)b->i);
  else
    ldr_buf_be32(out, (uint32_t)b->i);
  if (!out->broken) ldr_buf_patch32(out, at, (uint32_t)(out->n - at - 4));
}

void ldr_range_to_wire(const char *p, size_t n, ldr_buf *out) {
  ldr_range r;
  if (!ldr_range_read(p, n, &r)) r = (ldr_range){.empty = true};
  ldr_buf_chr(out, (char)ldr_range_flags(&r));
  if (r.empty) return;
  add_wire(r.kind, &r.lower, out);
  add_wire(r.kind, &r.upper, out);
}

/* ---- text ---- */

static size_t time_text(ldr_range_kind kind, int64_t i, char out[LDR_DATETIME_TEXT]) {
  if (kind == LDR_RANGE_DATE) return ldr_date_format(i, out);
  return kind == LDR_RANGE_TIMESTAMP ? ldr_timestamp_format(i, out) : ldr_time_format(i, out);
}

/* Only the blank of "BC" has to be quoted: no element's text has a bracket, a comma or a quote. */
static void add_text(ldr_range_kind kind, const ldr_bound *b, ldr_buf *out) {
  char text[LDR_DATETIME_TEXT];
  size_t n;
  bool quoted;
  if (!b->ends) return;
  if (kind == LDR_RANGE_NUMERIC) {
    ldr_buf_add(out, b->p, b->n);
    return;
  }
  if (kind == LDR_RANGE_INT4 || kind == LDR_RANGE_INT8) {
    ldr_json_add_int(out, b->i);
    return;
  }
  n = time_text(kind, b->i, text);
  quoted = memchr(text, ' ', n) != NULL;
  if (quoted) ldr_buf_chr(out, '"');
  ldr_buf_add(out, text, n);
  if (quoted) ldr_buf_chr(out, '"');
}

void ldr_range_format(const char *p, size_t n, ldr_buf *out) {
  ldr_range r;
  if (!ldr_range_read(p, n, &r) || r.empty) {
    ldr_buf_str(out, "empty");
    return;
  }
  ldr_buf_chr(out, r.lower.inclusive ? '[' : '(');
  add_text(r.kind, &r.lower, out);
  ldr_buf_chr(out, ',');
  add_text(r.kind, &r.upper, out);
  ldr_buf_chr(out, r.upper.inclusive ? ']' : ')');
}

static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static void trim(const char **s, size_t *n) {
  for (; *n && is_blank(**s); (*s)++) (*n)--;
  while (*n && is_blank((*s)[*n - 1])) (*n)--;
}

static bool is_empty_word(const char *s, size_t n) {
  static const char word[] = "empty";
  for (size_t i = 0; i < 5 && n == 5; i++)
    if ((s[i] | 0x20) != word[i]) return false;
  return n == 5;
}

static bool is_bracket(char c) { return c == '[' || c == ']' || c == '(' || c == ')'; }

/* A bound's text without its quotes, to the comma or the end; *given: there is one. */
static bool read_token(const char **at, const char *end, ldr_buf *token, bool *given) {
  const char *s = *at;
  bool quoted = false;
  *given = false;
  for (; s < end && (quoted || *s != ','); s++) {
    if (!quoted && is_bracket(*s)) return false;
    *given = *given || !is_blank(*s);
    if (*s == '"' && quoted && s + 1 < end && s[1] == '"')
      s++; /* two stand for one */
    else if (*s == '"') {
      quoted = !quoted;
      continue;
    } else if (*s == '\\' && ++s == end)
      return false;
    ldr_buf_chr(token, *s);
  }
  *at = s;
  return !quoted;
}

static bool parse_int(const char *s, size_t n, int64_t *out) {
  bool negative = n && *s == '-';
  uint64_t v = 0, max = (uint64_t)INT64_MAX + negative;
  size_t i = n && (*s == '-' || *s == '+');
  if (i == n) return false;
  for (; i < n; i++) {
    unsigned digit = (unsigned char)s[i] - (unsigned)'0';
    if (digit > 9 || v > (max - digit) / 10) return false;
    v = v * 10 + digit;
  }
  *out = (int64_t)(negative ? 0 - v : v);
  return true;
}

static bool parse_element(ldr_range_kind kind, const ldr_buf *token, ldr_buf *made, ldr_bound *b) {
  const char *s = token->n ? token->p : "";
  size_t n = token->n;
  trim(&s, &n);
  switch (kind) {
    case LDR_RANGE_DATE: return ldr_date_parse(s, n, &b->i);
    case LDR_RANGE_TIMESTAMP: return ldr_timestamp_parse(s, n, &b->i);
    case LDR_RANGE_TIMESTAMPTZ: return ldr_time_parse(s, n, &b->i);
    case LDR_RANGE_NUMERIC:
      if (!ldr_numeric_normal(s, n, made) || made->broken) return false;
      b->p = made->p;
      b->n = (uint32_t)made->n;
      return true;
    default: return parse_int(s, n, &b->i);
  }
}

/* One bound; made holds what it points to. */
static bool parse_bound(ldr_range_kind kind, const char **at, const char *end, ldr_buf *made, ldr_bound *b) {
  ldr_buf token = {0};
  bool ok = read_token(at, end, &token, &b->ends) && !token.broken;
  if (ok && b->ends) ok = parse_element(kind, &token, made, b);
  if (token.broken) made->broken = true;
  ldr_buf_free(&token);
  return ok;
}

static const char *example(ldr_range_kind kind) {
  switch (kind) {
    case LDR_RANGE_DATE: return "must be a range of dates, such as [2026-01-01,2026-02-01)";
    case LDR_RANGE_TIMESTAMP:
      return "must be a range of timestamps without an offset, such as [2026-01-01T10:00,2026-01-01T12:00)";
    case LDR_RANGE_TIMESTAMPTZ:
      return "must be a range of times, such as [2026-01-01T10:00Z,2026-01-01T12:00Z)";
    default: return "must be a range of numbers, such as [1,5)";
  }
}

const char *ldr_range_parse(ldr_range_kind kind, const char *s, size_t n, ldr_buf *out) {
  ldr_range r = {.kind = kind};
  ldr_buf made[2] = {{0}, {0}};
  const char *end, *why = example(kind);
  trim(&s, &n);
  r.empty = is_empty_word(s, n);
  if (r.empty) return ldr_range_add(r, out);
  if (n < 3 || (*s != '[' && *s != '(') || (s[n - 1] != ']' && s[n - 1] != ')')) return why;
  r.lower.inclusive = *s == '[';
  r.upper.inclusive = s[n - 1] == ']';
  end = s++ + n - 1;
  if (parse_bound(kind, &s, end, &made[0], &r.lower) && s < end && *s++ == ',' &&
      parse_bound(kind, &s, end, &made[1], &r.upper) && s == end)
    why = ldr_range_add(r, out);
  if (made[0].broken || made[1].broken) out->broken = true;
  ldr_buf_free(&made[0]);
  ldr_buf_free(&made[1]);
  return why;
}

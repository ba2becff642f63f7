#include "model/names.h"

#include <string.h>

#include "base/text.h"

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

static bool is_plain(char c) { return is_letter(c) || ldr_is_digit(c); }

bool ldr_name_ok(const char *name, size_t n) {
  if (n == 0 || n > LDR_NAME_MAX || !is_letter(name[0])) return false;
  for (size_t i = 0; i < n; i++)
    if (!is_plain(name[i])) return false;
  return true;
}

bool ldr_sql_name_ok(const char *name, size_t n) {
  return n > 0 && n <= LDR_NAME_MAX && ldr_utf8_check(name, n) == n;
}

size_t ldr_sql_quote(char *out, const char *name, size_t n) {
  char *w = out;
  *w++ = '"';
  for (size_t i = 0; i < n; i++) {
    if (name[i] == '"') *w++ = '"';
    *w++ = name[i];
  }
  *w++ = '"';
  return (size_t)(w - out);
}

const char *ldr_sql_own_column(const char *column, ldr_arena *a, uint32_t *bytes) {
  size_t n = strlen(column);
  char *p = ldr_arena_alloc(a, 2 * n + 5);
  if (p == NULL) return NULL;
  memcpy(p, "t.", 2);
  *bytes = (uint32_t)(2 + ldr_sql_quote(p + 2, column, n));
  p[*bytes] = '\0';
  return p;
}

/* ---- reading ---- */

/* "…" with "" inside; out holds what fits. false: it does not end, or is too long. */
static bool take_quoted(const char **p, char out[LDR_NAME_MAX + 1]) {
  const char *s = *p + 1;
  size_t n = 0;
  for (; *s && (*s != '"' || s[1] == '"'); s++) {
    if (n == LDR_NAME_MAX) return false;
    out[n++] = *s;
    s += *s == '"';
  }
  if (*s != '"') return false;
  out[n] = '\0';
  *p = s + 1;
  return true;
}

static bool take_plain(const char **p, char out[LDR_NAME_MAX + 1]) {
  size_t n = 0;
  while (is_plain((*p)[n])) n++;
  if (n > LDR_NAME_MAX) return false;
  memcpy(out, *p, n);
  out[n] = '\0';
  *p += n;
  return n > 0;
}

bool ldr_sql_name_take(const char **p, char out[LDR_NAME_MAX + 1]) {
  return **p == '"' ? take_quoted(p, out) : take_plain(p, out);
}

/* A part that is not quoted is plain. */
static bool take_part(const char **p, char out[LDR_NAME_MAX + 1]) {
  bool quoted = **p == '"';
  if (!ldr_sql_name_take(p, out)) return false;
  return quoted ? ldr_sql_name_ok(out, strlen(out)) : ldr_name_ok(out, strlen(out));
}

bool ldr_path_read(const char *text, ldr_path *out) {
  out->schema[0] = '\0';
  if (text == NULL || !take_part(&text, out->name)) return false;
  if (*text == '.') {
    memcpy(out->schema, out->name, sizeof out->schema);
    text++;
    if (!take_part(&text, out->name)) return false;
  }
  return *text == '\0';
}

/* ---- writing ---- */

static char *put(char *w, const char *name, bool bare) {
  size_t n = strlen(name);
  if (!bare || !ldr_name_ok(name, n)) return w + ldr_sql_quote(w, name, n);
  memcpy(w, name, n);
  return w + n;
}

static void write_path(const ldr_path *p, bool bare, char *w) {
  if (p->schema[0]) {
    w = put(w, p->schema, bare);
    *w++ = '.';
  }
  *put(w, p->name, bare) = '\0';
}

void ldr_path_quote(const ldr_path *p, char out[LDR_PATH_MAX]) { write_path(p, false, out); }

void ldr_path_write(const ldr_path *p, char out[LDR_PATH_MAX]) { write_path(p, true, out); }

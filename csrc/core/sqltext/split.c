#include "sqltext/split.h"

#include <string.h>

#include "sqltext/boundary.h"

void ldr_split_init(ldr_splitter *p, const char *text, size_t n) { ldr_scan_init(&p->scan, text, n); }

static ldr_code fail_at(ldr_err *err, const ldr_token *t, const char *what) {
  ldr_fail(err, LDR_SYNTAX, "line %u, column %u: %s", t->line, t->column, what);
  return ldr_err_at(err, "", t->line, t->column);
}

/* ---- one statement ---- */

typedef struct shape { /* what was met in the statement so far */
  ldr_boundary boundary;
  ldr_token last; /* its last token */
  bool begun;
  bool copies, in, out; /* copy, from stdin, to stdout */
  bool sets_strings;    /* set standard_conforming_strings; off: it is the last word */
  bool off;
} shape;

static bool word(const ldr_splitter *p, const ldr_token *t, const char *words) {
  return ldr_token_among(&p->scan, t, words);
}

static bool is_off(const ldr_splitter *p, const ldr_token *t) {
  const char *text = p->scan.text + t->at;
  if (t->kind == LDR_TOKEN_STRING) return t->n == 5 && memcmp(text, "'off'", 5) == 0;
  return word(p, t, "off false");
}

static void note_copy(const ldr_splitter *p, shape *s, const ldr_token *t) {
  if (s->boundary.parens) return;
  s->in = s->in || (word(p, t, "stdin") && word(p, &s->last, "from"));
  s->out = s->out || (word(p, t, "stdout") && word(p, &s->last, "to"));
}

/* Before the boundary has counted the word. */
static void note_word(const ldr_splitter *p, shape *s, const ldr_token *t) {
  unsigned at = s->boundary.words;
  if (at == 0) {
    s->copies = word(p, t, "copy");
    s->sets_strings = word(p, t, "set");
  }
  if (s->copies) note_copy(p, s, t);
  if (s->sets_strings && at == 1) s->sets_strings = word(p, t, "standard_conforming_strings session");
  if (s->sets_strings && at == 2 && word(p, &s->last, "session"))
    s->sets_strings = word(p, t, "standard_conforming_strings");
}

/* true: the statement ends with this token. */
static bool note(const ldr_splitter *p, shape *s, const ldr_token *t) {
  if (t->kind == LDR_TOKEN_WORD) note_word(p, s, t);
  if (ldr_boundary_reached(&s->boundary, &p->scan, t)) return true;
  s->off = is_off(p, t);
  s->last = *t;
  return false;
}

/* ---- the data of COPY … FROM STDIN ---- */

static size_t line_end(const ldr_splitter *p, size_t at) {
  const char *lf = memchr(p->scan.text + at, '\n', p->scan.n - at);
  return lf ? (size_t)(lf - p->scan.text) + 1 : p->scan.n;
}

/* "\." and its end of line. */
static bool closes_data(const char *line, size_t n) {
  while (n && (line[n - 1] == '\n' || line[n - 1] == '\r')) n--;
  return n == 2 && memcmp(line, "\\.", 2) == 0;
}

static ldr_code take_data(ldr_splitter *p, ldr_statement *out, ldr_err *err) {
  size_t at = p->scan.at, next;
  ldr_scanner ahead = p->scan;
  ldr_token t;
  size_t line = line_end(p, at);
  if (ldr_scan_code(&ahead, &t) != LDR_TOKEN_END && t.at < line)
    return fail_at(err, &t, "something follows COPY … FROM STDIN on its line");
  out->data_at = at = line;
  for (; at < p->scan.n; at = next) {
    next = line_end(p, at);
    if (closes_data(p->scan.text + at, next - at)) break;
  }
  out->data_n = at - out->data_at;
  ldr_scan_move(&p->scan, at < p->scan.n ? line_end(p, at) : at);
  return LDR_OK;
}

/* ---- the file ---- */

static void start(shape *s, ldr_statement *out, const ldr_token *t) {
  if (!s->begun) *out = (ldr_statement){.at = t->at, .line = t->line, .column = t->column};
  s->begun = true;
}

static ldr_code finish(ldr_splitter *p, const shape *s, ldr_statement *out, ldr_err *err) {
  out->n = s->last.at + s->last.n - out->at;
  out->effects = ldr_sqltext_effects(p->scan.text + out->at, out->n);
  if (s->sets_strings) p->scan.backslashes = s->off;
  if (s->copies && s->out) out->kind = LDR_STATEMENT_COPY_OUT;
  if (!s->copies || !s->in) return LDR_OK;
  out->kind = LDR_STATEMENT_COPY_IN;
  return take_data(p, out, err);
}

static ldr_code command(shape *s, ldr_statement *out, const ldr_token *t, ldr_err *err) {
  if (s->begun) return fail_at(err, t, "a command of psql inside a statement");
  start(s, out, t);
  out->n = t->n;
  out->kind = LDR_STATEMENT_COMMAND;
  return LDR_OK;
}

ldr_code ldr_split_next(ldr_splitter *p, ldr_statement *out, ldr_err *err) {
  shape s = {0};
  ldr_token t;
  while (ldr_scan_code(&p->scan, &t) != LDR_TOKEN_END) {
    if (t.kind == LDR_TOKEN_OPEN) return fail_at(err, &t, p->scan.fault);
    if (t.kind == LDR_TOKEN_COMMAND) return command(&s, out, &t, err);
    if (!s.begun && ldr_token_symbol(&p->scan, &t, ';')) continue; /* an empty statement */
    start(&s, out, &t);
    if (note(p, &s, &t)) break;
  }
  return s.begun ? finish(p, &s, out, err) : LDR_NOT_FOUND;
}

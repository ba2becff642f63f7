#include "sqltext/scan.h"

#include <string.h>

#include "base/text.h"

/* ---- bytes ---- */

static bool is_eol(char c) { return c == '\n' || c == '\r'; }
static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\f' || c == '\v' || is_eol(c); }
/* Every byte beyond ASCII may stand in a name, as in PostgreSQL's scanner. */
static bool starts_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}
static bool in_tag(char c) { return starts_name(c) || ldr_is_digit(c); }
static bool in_name(char c) { return in_tag(c) || c == '$'; }
static bool in_operator(char c) { return c && strchr("~!@#^&|`?+-*/%<>=", c) != NULL; }
static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c; }

/* The byte i places on; a zero byte beyond the end. */
static char peek(const ldr_scanner *s, size_t i) { return s->n - s->at > i ? s->text[s->at + i] : '\0'; }
static bool at_end(const ldr_scanner *s) { return s->at >= s->n; }
static bool at_pair(const ldr_scanner *s, const char *two) {
  return s->n - s->at >= 2 && s->text[s->at] == two[0] && s->text[s->at + 1] == two[1];
}

static void step(ldr_scanner *s) {
  char c = s->text[s->at++];
  if (c == '\n' || (c == '\r' && peek(s, 0) != '\n')) {
    s->line++;
    s->column = 1;
  } else if (((unsigned char)c & 0xC0) != 0x80 && c != '\r') {
    s->column++;
  }
}

static void skip(ldr_scanner *s, size_t bytes) {
  while (bytes-- && !at_end(s)) step(s);
}

void ldr_scan_move(ldr_scanner *s, size_t at) {
  while (s->at < at && !at_end(s)) step(s);
}

static ldr_token_kind open_ended(ldr_scanner *s, const char *fault) {
  ldr_scan_move(s, s->n);
  s->fault = fault;
  return LDR_TOKEN_OPEN;
}

/* ---- comments and commands ---- */

static ldr_token_kind rest_of_line(ldr_scanner *s, ldr_token_kind kind) {
  while (!at_end(s) && !is_eol(peek(s, 0))) step(s);
  return kind;
}

static ldr_token_kind block_comment(ldr_scanner *s) {
  size_t depth = 0;
  do {
    if (at_end(s)) return open_ended(s, "a comment is not closed");
    if (at_pair(s, "/*")) {
      depth++;
      skip(s, 2);
    } else if (at_pair(s, "*/")) {
      depth--;
      skip(s, 2);
    } else {
      step(s);
    }
  } while (depth);
  return LDR_TOKEN_COMMENT;
}

/* ---- strings ---- */

/* After a string: white space with a line end in it, and comments to the end of a line, then a quote,
 * continue the string in the same way of escaping. */
static bool continues(ldr_scanner *s) {
  ldr_scanner ahead = *s;
  bool broken = false;
  while (!at_end(&ahead)) {
    if (is_space(peek(&ahead, 0))) {
      broken = broken || is_eol(peek(&ahead, 0));
      step(&ahead);
    } else if (at_pair(&ahead, "--")) {
      (void)rest_of_line(&ahead, LDR_TOKEN_COMMENT);
    } else {
      break;
    }
  }
  if (!broken || peek(&ahead, 0) != '\'') return false;
  *s = ahead;
  return true;
}

/* From behind the opening quote to behind the closing one. */
static bool to_quote(ldr_scanner *s, char quote, bool escapes) {
  while (!at_end(s)) {
    if (escapes && peek(s, 0) == '\\') {
      skip(s, 2);
    } else if (peek(s, 0) != quote) {
      step(s);
    } else {
      step(s);
      if (peek(s, 0) != quote) return true;
      step(s); /* two quotes are one of the text */
    }
  }
  return false;
}

static ldr_token_kind string(ldr_scanner *s, size_t prefix, bool escapes) {
  skip(s, prefix);
  do {
    step(s);
    if (!to_quote(s, '\'', escapes)) return open_ended(s, "a string is not closed");
  } while (continues(s));
  return LDR_TOKEN_STRING;
}

static ldr_token_kind quoted_name(ldr_scanner *s, size_t prefix) {
  skip(s, prefix + 1);
  return to_quote(s, '"', false) ? LDR_TOKEN_QUOTED : open_ended(s, "a quoted name is not closed");
}

/* The bytes of a $tag$ that begins here; 0: none does. */
static size_t tag_length(const ldr_scanner *s) {
  size_t n = 1;
  if (starts_name(peek(s, n)))
    while (in_tag(peek(s, n))) n++;
  return peek(s, n) == '$' ? n + 1 : 0;
}

static ldr_token_kind dollar_string(ldr_scanner *s, size_t tag) {
  const char *open = s->text + s->at;
  skip(s, tag);
  while (s->n - s->at >= tag) {
    if (peek(s, 0) == '$' && memcmp(s->text + s->at, open, tag) == 0) {
      skip(s, tag);
      return LDR_TOKEN_DOLLAR;
    }
    step(s);
  }
  return open_ended(s, "a dollar-quoted string is not closed");
}

/* ---- the rest ---- */

static ldr_token_kind number(ldr_scanner *s) {
  char last = '\0';
  while (in_tag(peek(s, 0)) || (peek(s, 0) == '.' && peek(s, 1) != '.') ||
         (lower(last) == 'e' && strchr("+-", peek(s, 0)) && ldr_is_digit(peek(s, 1)))) {
    last = peek(s, 0);
    step(s);
  }
  return LDR_TOKEN_NUMBER;
}

static ldr_token_kind dollar(ldr_scanner *s) {
  size_t tag = tag_length(s);
  if (tag) return dollar_string(s, tag);
  step(s);
  if (!ldr_is_digit(peek(s, 0))) return LDR_TOKEN_SYMBOL;
  while (ldr_is_digit(peek(s, 0))) step(s);
  return LDR_TOKEN_PARAM;
}

static ldr_token_kind name(ldr_scanner *s) {
  char first = lower(peek(s, 0));
  if (peek(s, 1) == '\'' && strchr("ebxn", first))
    return string(s, 1, first == 'e' || (first == 'n' && s->backslashes));
  if (first == 'u' && peek(s, 1) == '&' && peek(s, 2) == '\'') return string(s, 2, false);
  if (first == 'u' && peek(s, 1) == '&' && peek(s, 2) == '"') return quoted_name(s, 2);
  while (in_name(peek(s, 0))) step(s);
  return LDR_TOKEN_WORD;
}

/* An operator ends where a comment begins. */
static ldr_token_kind operator(ldr_scanner *s) {
  do step(s);
  while (in_operator(peek(s, 0)) && !at_pair(s, "--") && !at_pair(s, "/*"));
  return LDR_TOKEN_OPERATOR;
}

static ldr_token_kind token(ldr_scanner *s) {
  char c = peek(s, 0);
  if (at_end(s)) return LDR_TOKEN_END;
  if (at_pair(s, "--")) return rest_of_line(s, LDR_TOKEN_COMMENT);
  if (at_pair(s, "/*")) return block_comment(s);
  if (c == '\\') return rest_of_line(s, LDR_TOKEN_COMMAND);
  if (c == '\'') return string(s, 0, s->backslashes);
  if (c == '"') return quoted_name(s, 0);
  if (c == '$') return dollar(s);
  if (ldr_is_digit(c) || (c == '.' && ldr_is_digit(peek(s, 1)))) return number(s);
  if (starts_name(c)) return name(s);
  if (in_operator(c)) return operator(s);
  step(s);
  return LDR_TOKEN_SYMBOL;
}

void ldr_scan_init(ldr_scanner *s, const char *text, size_t n) {
  *s = (ldr_scanner){.text = text, .n = n, .line = 1, .column = 1};
}

ldr_token_kind ldr_scan_next(ldr_scanner *s, ldr_token *out) {
  while (!at_end(s) && is_space(peek(s, 0))) step(s);
  *out = (ldr_token){.at = s->at, .line = s->line, .column = s->column};
  out->kind = token(s);
  out->n = s->at - out->at;
  return out->kind;
}

ldr_token_kind ldr_scan_code(ldr_scanner *s, ldr_token *out) {
  while (ldr_scan_next(s, out) == LDR_TOKEN_COMMENT) continue;
  return out->kind;
}

static bool same_word(const char *text, const char *word, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (lower(text[i]) != word[i]) return false;
  return true;
}

bool ldr_token_is(const ldr_scanner *s, const ldr_token *t, const char *word) {
  return t->kind == LDR_TOKEN_WORD && strlen(word) == t->n && same_word(s->text + t->at, word, t->n);
}

bool ldr_token_among(const ldr_scanner *s, const ldr_token *t, const char *words) {
  if (t->kind != LDR_TOKEN_WORD) return false;
  while (*words) {
    size_t n = strcspn(words, " ");
    if (n == t->n && same_word(s->text + t->at, words, n)) return true;
    words += n + (words[n] == ' ');
  }
  return false;
}

bool ldr_token_symbol(const ldr_scanner *s, const ldr_token *t, char c) {
  return t->kind == LDR_TOKEN_SYMBOL && s->text[t->at] == c;
}

/* The words of an SQL text, found without a server, as PostgreSQL and psql find them.
 *
 * White space is passed over; everything else is a token with its place. Nothing is changed or copied: a
 * token is a range of bytes of the text, with its quotes, its escapes and its line ends (CR LF stays in a
 * literal). Any bytes may come, also a zero byte and what is not UTF-8. Pure; no allocation. */
#ifndef LDR_SQLTEXT_SCAN_H
#define LDR_SQLTEXT_SCAN_H

#include <stdbool.h>
#include <stddef.h>

typedef enum ldr_token_kind {
  LDR_TOKEN_END,    /* of the text: n is 0 */
  LDR_TOKEN_WORD,   /* a keyword or a name without quotes */
  LDR_TOKEN_QUOTED, /* "a name", U&"a name" */
  LDR_TOKEN_STRING, /* 'a', E'a', N'a', B'1', X'f', U&'a', with what continues it on a further line */
  LDR_TOKEN_DOLLAR, /* $$a$$, $tag$a$tag$ */
  LDR_TOKEN_NUMBER,
  LDR_TOKEN_PARAM,    /* $1 */
  LDR_TOKEN_OPERATOR, /* + <= ->> */
  LDR_TOKEN_SYMBOL,   /* one byte: ( ) [ ] , ; : . or one that SQL does not know */
  LDR_TOKEN_COMMENT,  /* -- to the end of the line, without it; or a nested one between slash and star */
  LDR_TOKEN_COMMAND,  /* a psql command: from a backslash to the end of the line, without it */
  LDR_TOKEN_OPEN      /* a string, name or comment that the text ends in; the scanner's fault says which */
} ldr_token_kind;

typedef struct ldr_token {
  ldr_token_kind kind;
  size_t at, n;    /* bytes of the text */
  unsigned line;   /* from 1; a line ends with LF, CR LF or CR */
  unsigned column; /* from 1; characters, not bytes */
} ldr_token;

typedef struct ldr_scanner {
  const char *text; /* the caller's; must outlive the scanner */
  size_t n, at;     /* at: the next byte to read */
  unsigned line, column;
  bool backslashes;  /* standard_conforming_strings is off: a backslash escapes in every 'string' */
  const char *fault; /* static; set with LDR_TOKEN_OPEN: "a string is not closed" */
} ldr_scanner;

void ldr_scan_init(ldr_scanner *s, const char *text, size_t n);
/* The next token. After LDR_TOKEN_END and LDR_TOKEN_OPEN it answers LDR_TOKEN_END for ever. */
ldr_token_kind ldr_scan_next(ldr_scanner *s, ldr_token *out);
/* The same, passing over comments. */
ldr_token_kind ldr_scan_code(ldr_scanner *s, ldr_token *out);
/* Moves on to the byte `at`, which is not before the present one; keeps line and column right. */
void ldr_scan_move(ldr_scanner *s, size_t at);

/* Is the token this word, in any case? `word` is in lower case. */
bool ldr_token_is(const ldr_scanner *s, const ldr_token *t, const char *word);
/* Is it one of these words? `words` are in lower case and parted by one blank: "begin start". */
bool ldr_token_among(const ldr_scanner *s, const ldr_token *t, const char *words);
/* Is it this symbol? */
bool ldr_token_symbol(const ldr_scanner *s, const ldr_token *t, char c);

#endif

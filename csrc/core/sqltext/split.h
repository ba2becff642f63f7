/* An SQL file in its statements, as psql would send them.
 *
 * A semicolon ends a statement unless it stands in parentheses, in quotes, in a comment or in the body of a
 * `create function … begin atomic … end`. What psql alone understands is found and named, so that whoever
 * runs files without psql can refuse it: lines that begin with a backslash, and the data of COPY … FROM
 * STDIN.
 *
 *   ldr_splitter p;
 *   ldr_statement s;
 *   ldr_split_init(&p, text, n);
 *   while ((code = ldr_split_next(&p, &s, err)) == LDR_OK) …    LDR_NOT_FOUND: there are no more
 */
#ifndef LDR_SQLTEXT_SPLIT_H
#define LDR_SQLTEXT_SPLIT_H

#include "base/err.h"
#include "sqltext/effects.h"
#include "sqltext/scan.h"

typedef enum ldr_statement_kind {
  LDR_STATEMENT_SQL,
  LDR_STATEMENT_COPY_IN,  /* COPY … FROM STDIN; its data, if any, stand in the file behind it */
  LDR_STATEMENT_COPY_OUT, /* COPY … TO STDOUT */
  LDR_STATEMENT_COMMAND   /* \connect x: one line for psql */
} ldr_statement_kind;

typedef struct ldr_statement {
  ldr_statement_kind kind;
  size_t at, n;           /* from its first word to its last, without comments around it and without the ; */
  unsigned line, column;  /* of its first word; from 1, column in characters */
  size_t data_at, data_n; /* COPY_IN: the lines behind it, without the closing line \. */
  unsigned effects;       /* LDR_EFFECT_… (effects.h); 0 for a command of psql */
} ldr_statement;

typedef struct ldr_splitter {
  ldr_scanner scan;
} ldr_splitter;

/* The text is the caller's and must outlive the splitter. */
void ldr_split_init(ldr_splitter *p, const char *text, size_t n);
/* LDR_OK, LDR_NOT_FOUND (without text) at the end, or LDR_SYNTAX with the place: a string that is not closed,
 * a psql command inside a statement, something between COPY … FROM STDIN; and the end of its line. */
ldr_code ldr_split_next(ldr_splitter *p, ldr_statement *out, ldr_err *err) LDR_MUSTCHECK;

#endif

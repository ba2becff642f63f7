/* Where a statement ends: at a semicolon that stands in no parentheses and in no `begin atomic … end`. Pure.
 */
#ifndef LDR_SQLTEXT_BOUNDARY_H
#define LDR_SQLTEXT_BOUNDARY_H

#include "sqltext/scan.h"

typedef struct ldr_boundary { /* of the present statement; zero-initialise */
  unsigned words;             /* met so far */
  ldr_token last;             /* the token before the present one */
  unsigned parens;            /* open ones */
  unsigned blocks;            /* open begin atomic, and case in it */
  bool creates, routine;      /* create … function or procedure */
} ldr_boundary;

/* Takes the next token, which is no comment. true: it is the semicolon that ends the statement, and *b is
 * ready for the next one. */
bool ldr_boundary_reached(ldr_boundary *b, const ldr_scanner *s, const ldr_token *t);

#endif

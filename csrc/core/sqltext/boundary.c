#include "sqltext/boundary.h"

/* A label or a part of a longer name is no keyword. */
static bool is_label(const ldr_boundary *b, const ldr_scanner *s) {
  return ldr_token_symbol(s, &b->last, '.') || ldr_token_is(s, &b->last, "as");
}

static void note_word(ldr_boundary *b, const ldr_scanner *s, const ldr_token *t) {
  enum { NAMED_BY = 4 }; /* create or replace function: the kind is among the first words */
  if (b->words++ == 0) b->creates = ldr_token_is(s, t, "create");
  if (b->creates && b->words <= NAMED_BY && ldr_token_among(s, t, "function procedure")) b->routine = true;
  if (!b->routine || is_label(b, s)) return;
  if (ldr_token_is(s, t, "atomic") && ldr_token_is(s, &b->last, "begin") && b->parens == 0)
    b->blocks++;
  else if (b->blocks && ldr_token_is(s, t, "case"))
    b->blocks++;
  else if (b->blocks && ldr_token_is(s, t, "end"))
    b->blocks--;
}

bool ldr_boundary_reached(ldr_boundary *b, const ldr_scanner *s, const ldr_token *t) {
  if (ldr_token_symbol(s, t, ';') && b->parens == 0 && b->blocks == 0) {
    *b = (ldr_boundary){0};
    return true;
  }
  if (t->kind == LDR_TOKEN_WORD) note_word(b, s, t);
  if (ldr_token_symbol(s, t, '(')) b->parens++;
  if (ldr_token_symbol(s, t, ')')) b->parens -= b->parens > 0;
  b->last = *t;
  return false;
}

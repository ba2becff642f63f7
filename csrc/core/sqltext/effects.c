#include "sqltext/effects.h"

#include <string.h>

#include "sqltext/boundary.h"
#include "sqltext/harmless.h"
#include "sqltext/scan.h"

enum {
  HEAD = 8,   /* words at the beginning of a statement that say what it is */
  NESTED = 4, /* set_config in the arguments of set_config */
  NAME_MAX_BYTES = 64,
  ANYTHING = LDR_EFFECT_TRANSACTION | LDR_EFFECT_OUTSIDE | LDR_EFFECT_SESSION | LDR_EFFECT_UTILITY |
             LDR_EFFECT_PREPARES | LDR_EFFECT_WRITES
};

typedef struct reader {
  ldr_scanner scan;
  ldr_boundary boundary;
  ldr_token head[HEAD];
  unsigned nhead;
  ldr_token last[6];      /* the tokens before the present one, the latest first */
  unsigned depth;         /* of parentheses */
  unsigned local[NESTED]; /* depths of the open calls of set_config */
  unsigned nlocal;
  bool concurrently, with_hold; /* words met anywhere */
  unsigned effects;             /* of the present statement */
} reader;

static bool is(const reader *r, const ldr_token *t, const char *words) {
  return ldr_token_among(&r->scan, t, words);
}

static bool symbol(const reader *r, const ldr_token *t, char c) { return ldr_token_symbol(&r->scan, t, c); }

/* ---- calls ---- */

/* Words that a parenthesis follows only in one place, and that a user's function may be called. */
static bool is_clause(const reader *r, const ldr_token *name, const ldr_token *before) {
  if (is(r, name, "conflict")) return is(r, before, "on");
  if (is(r, name, "by")) return is(r, before, "order group partition");
  if (is(r, name, "sets")) return is(r, before, "grouping");
  if (is(r, name, "over filter")) return symbol(r, before, ')');
  if (is(r, name, "group")) return is(r, before, "within");
  if (is(r, name, "varying")) return is(r, before, "character char bit");
  return is(r, name, "materialized") && is(r, before, "as not");
}

static bool is_harmless(const reader *r, const ldr_token *name) {
  char lower[NAME_MAX_BYTES];
  if (name->kind != LDR_TOKEN_WORD || name->n > sizeof lower) return false;
  for (size_t i = 0; i < name->n; i++) {
    char c = r->scan.text[name->at + i];
    lower[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
  }
  return ldr_sqltext_harmless(lower, name->n);
}

/* A parenthesis opens. Behind a name it is a call, unless the name is that of a table whose columns follow.
 */
static void open_parenthesis(reader *r) {
  const ldr_token *name = &r->last[0], *before = &r->last[1];
  bool qualified = symbol(r, before, '.');
  bool of_server = !qualified || is(r, &r->last[2], "pg_catalog");
  r->depth++;
  if (name->kind != LDR_TOKEN_WORD && name->kind != LDR_TOKEN_QUOTED) return;
  while (symbol(r, before, '.') && before < &r->last[4]) before += 2;
  if (is(r, before, "into as with recursive copy table exists")) return;
  if (of_server && is(r, name, "set_config") && r->nlocal < NESTED) {
    r->local[r->nlocal++] = r->depth; /* judged by its last argument */
    return;
  }
  if (of_server && is(r, name, "nextval setval pg_notify pg_cancel_backend pg_terminate_backend"))
    r->effects |= LDR_EFFECT_WRITES;
  if (of_server && is_harmless(r, name)) return;
  if (!qualified && is_clause(r, name, before)) return;
  r->effects |= LDR_EFFECT_SESSION;
}

/* set_config (name, value, true) lasts to the end of the transaction; anything else for the session. */
static void close_parenthesis(reader *r) {
  if (r->nlocal && r->local[r->nlocal - 1] == r->depth) {
    r->nlocal--;
    if (!is(r, &r->last[0], "true") || !symbol(r, &r->last[1], ',')) r->effects |= LDR_EFFECT_SESSION;
  }
  r->depth -= r->depth > 0;
}

/* ---- statements ---- */

static bool names_temp(const reader *r, const ldr_token *t) {
  const char *text = r->scan.text + t->at;
  if (t->kind == LDR_TOKEN_QUOTED) return t->n == 9 && strncmp(text, "\"pg_temp\"", 9) == 0;
  return is(r, t, "pg_temp") || (is(r, t, "temp temporary local global") && is(r, &r->last[0], "into"));
}

static void consume(reader *r, const ldr_token *t) {
  if (r->nhead < HEAD && t->kind == LDR_TOKEN_WORD) r->head[r->nhead++] = *t;
  if (symbol(r, t, '(')) open_parenthesis(r);
  if (symbol(r, t, ')')) close_parenthesis(r);
  if (t->kind == LDR_TOKEN_COMMAND || names_temp(r, t)) r->effects |= LDR_EFFECT_SESSION;
  if (is(r, t, "insert update delete merge into")) r->effects |= LDR_EFFECT_WRITES;
  r->concurrently = r->concurrently || is(r, t, "concurrently");
  r->with_hold = r->with_hold || (is(r, t, "hold") && is(r, &r->last[0], "with"));
  memmove(&r->last[1], &r->last[0], sizeof r->last - sizeof *r->last);
  r->last[0] = *t;
}

static bool head_is(const reader *r, unsigned i, const char *words) {
  return i < r->nhead && is(r, &r->head[i], words);
}

static unsigned of_set(const reader *r) {
  return head_is(r, 1, "transaction constraints local") ? 0 : LDR_EFFECT_SESSION;
}

static unsigned of_create(const reader *r) {
  static const char objects[] = "database tablespace subscription";
  if (head_is(r, 1, objects) || r->concurrently) return LDR_EFFECT_OUTSIDE;
  for (unsigned i = 1; i < r->nhead && i < 5; i++)
    if (head_is(r, i, "temp temporary")) return LDR_EFFECT_SESSION;
  return 0;
}

static unsigned of_alter(const reader *r) {
  return head_is(r, 1, "system") || r->concurrently ? LDR_EFFECT_OUTSIDE : 0;
}

static unsigned of_reindex(const reader *r) {
  bool many = false;
  for (unsigned i = 1; i < r->nhead; i++) many = many || head_is(r, i, "database system schema");
  return many || r->concurrently ? LDR_EFFECT_OUTSIDE : 0;
}

/* rollback to …, rollback work to … */
static bool ends(const reader *r) {
  if (head_is(r, 0, "rollback")) return !head_is(r, 1, "to") && !head_is(r, 2, "to");
  return head_is(r, 0, "commit end abort");
}

static unsigned of_prepare(const reader *r) {
  if (head_is(r, 1, "transaction")) return LDR_EFFECT_TRANSACTION | LDR_EFFECT_ENDS;
  return LDR_EFFECT_SESSION | LDR_EFFECT_PREPARES;
}

static unsigned of_utility(const reader *r) {
  static const char clean[] =
      "explain show analyze analyse comment copy grant revoke lock notify refresh truncate checkpoint import"
      " security fetch move close reassign";
  if (head_is(r, 0, "prepare")) return of_prepare(r);
  if (head_is(r, 0, "commit rollback") && head_is(r, 1, "prepared"))
    return LDR_EFFECT_TRANSACTION | LDR_EFFECT_OUTSIDE;
  if (ends(r)) return LDR_EFFECT_TRANSACTION | LDR_EFFECT_ENDS;
  if (head_is(r, 0, "begin start rollback savepoint release")) return LDR_EFFECT_TRANSACTION;
  if (head_is(r, 0, "set")) return of_set(r);
  if (head_is(r, 0, "create drop")) return of_create(r);
  if (head_is(r, 0, "alter")) return of_alter(r);
  if (head_is(r, 0, "reindex")) return of_reindex(r);
  if (head_is(r, 0, "vacuum") || (head_is(r, 0, "cluster") && r->nhead == 1)) return LDR_EFFECT_OUTSIDE;
  if (head_is(r, 0, "discard") && head_is(r, 1, "all")) return LDR_EFFECT_OUTSIDE | LDR_EFFECT_SESSION;
  if (head_is(r, 0, "declare")) return r->with_hold ? LDR_EFFECT_SESSION : 0;
  if (head_is(r, 0, clean) || head_is(r, 0, "cluster")) return 0;
  if (head_is(r, 0, "reset listen unlisten load")) return LDR_EFFECT_SESSION;
  return LDR_EFFECT_SESSION | LDR_EFFECT_PREPARES; /* do, call, deallocate, and what is not known */
}

static unsigned finish(reader *r) {
  unsigned effects = r->effects;
  if (r->nhead == 0) effects |= r->last[0].kind == LDR_TOKEN_END ? 0 : ANYTHING; /* begins with no word */
  if (r->nhead && !head_is(r, 0, "select insert update delete merge values table with")) {
    unsigned own = of_utility(r);
    /* what runs outside of a block runs users' functions with the settings put back */
    if (own == LDR_EFFECT_OUTSIDE) effects = LDR_EFFECT_WRITES;
    effects |= own | LDR_EFFECT_UTILITY | (head_is(r, 0, "show") ? 0 : LDR_EFFECT_WRITES);
  }
  if (effects & LDR_EFFECT_SESSION) effects |= LDR_EFFECT_WRITES;
  *r = (reader){.scan = r->scan};
  return effects;
}

unsigned ldr_sqltext_effects(const char *text, size_t n) {
  reader r = {0};
  unsigned effects = 0;
  ldr_token t;
  ldr_scan_init(&r.scan, text, n);
  while (ldr_scan_code(&r.scan, &t) != LDR_TOKEN_END) {
    if (t.kind == LDR_TOKEN_OPEN) return ANYTHING;
    if (ldr_boundary_reached(&r.boundary, &r.scan, &t))
      effects |= finish(&r);
    else
      consume(&r, &t);
  }
  return effects | finish(&r);
}

/* Statements: the engine's caches of compiled ones. What each connection has prepared of them is in
 * postgres/statement/registry.h.
 *
 * A statement is named "ldr_" and a hash of its text and parameter types, so that the name means the same on
 * every connection and survives the cache. */
#ifndef LDR_POSTGRES_STATEMENT_STATEMENT_H
#define LDR_POSTGRES_STATEMENT_STATEMENT_H

#include <stdatomic.h>

#include "base/lru.h"
#include "model/op.h"
#include "postgres/protocol/connection.h"
#include "postgres/statement/live.h"
#include "postgres/statement/shape.h"
#include "sqltext/effects.h"

typedef struct ldr_stmt ldr_stmt;
struct ldr_stmt {
  ldr_lru_node node; /* in a cache, while cached */
  bool cached;
  bool described;    /* raw: the server has said what it takes and gives */
  bool text_results; /* a result column has a type without a decoder: all travel as text */
  bool gives_rows;   /* raw, once described */
  bool reads;        /* an operation that cannot write */
  bool deletes;      /* an operation that deletes */
  bool locks;        /* an operation that locks rows */
  bool counts;       /* an operation whose one number is the answer */
  bool alone;        /* raw: it may change the session or the transaction, so it never shares a connection */
  unsigned effects;  /* raw: LDR_EFFECT_… (sqltext/effects.h), as its text tells */
  int64_t expected;  /* microseconds on the server, learned (postgres/pool/multiplex.h); 0: never timed */
  unsigned refs;
  uint64_t id[2]; /* the hash behind the name */
  char name[40];  /* raw: also of what the server inferred, so that another description is another name */
  const char *sql;
  size_t sql_n;
  unsigned nparams, ncols;
  const char *path;        /* raw: the search_path that it is described under; "": the connection's */
  _Atomic int64_t since;   /* raw: described then, and not before the server was asked; 0: not yet */
  uint32_t *oids;          /* of the parameters; NULL: the server finds out */
  ldr_column *params;      /* raw, once described */
  const ldr_column *cols;  /* results, as the operation or the server describes them */
  const char *doubled;     /* raw: a name that two result columns have; NULL: none */
  const ldr_entity *e;     /* an operation's, with its schema retained */
  unsigned nown;           /* results behind cols that are not the operation's (see ldr_given) */
  struct ldr_given *given; /* a write's that may need no row back, once it was asked for; NULL: it does */
  bool given_sought;       /* … and whether it was */
  ldr_live *live;          /* an operation's: what the server has behind e; the engine's */
  ldr_arena arena;         /* owns all of it */
};

/* A write of one row, known by its key, where nothing but a table's triggers and the like can make another
 * row of it. It returns what it does not give, and the time at which the server analyzed it: 'now' in a
 * statement's text is read then, and whatever changes something about the table makes the server analyze
 * anew, be it a trigger, a rule, a column or a mere vacuum. So a write that brings the time at which the
 * table was seen to store rows as they are given has stored its row so. Any other time proves nothing.
 *
 * An insert reads its row again then. Other writes cannot, since the row is known to others, who may have
 * changed it by then: their last parameter is the time that is expected, and they do nothing where it is
 * another. Then the statement that returns its row is run.
 *
 * An insert of several rows takes that parameter, too, and returns nothing at all: how many rows it wrote
 * tells whether the time was as expected. Nothing tells the order in which rows come back, so it must give
 * all that is asked for. The time is that of the transaction in which it was parsed. */
typedef struct ldr_given {
  ldr_stmt *write; /* NULL: not needed yet, as in_tx */
  ldr_stmt *in_tx; /* returns the transaction's id as well, for which nothing else need be asked then */
  ldr_stmt *again; /* selects the row by its key */
  bool guarded;    /* it has that last parameter; null: it is to be done anyway */
  bool many;       /* an insert of several rows: `write` returns nothing, and is the only one of these */
  unsigned ngiven; /* columns that do not come back */
  unsigned nkey;
  uint16_t key[LDR_MAX_KEY]; /* the parameters that `again` takes */
} ldr_given;

/* ---- the engine's caches ---- */
typedef struct ldr_stmts {
  ldr_lru ops, texts;
  ldr_buf sql, columns; /* scratch */
  ldr_lives lives;
  ldr_shapes simple;       /* statements that are found before their text is made */
  _Atomic int64_t changed; /* when a text of ours last changed tables or types; 0: never */
} ldr_stmts;

bool ldr_stmts_init(ldr_stmts *c); /* false: out of memory */
void ldr_stmts_done(ldr_stmts *c);
/* The statement of an operation, and in params its ldr_param. The text that the operation has is the key,
 * with the store and the types of the parameters: two operations share a statement when they have the same
 * one. *out is counted for the caller. */
ldr_code ldr_stmts_op(ldr_stmts *c, const ldr_op *op, ldr_buf *params, ldr_stmt **out,
                      ldr_err *err) LDR_MUSTCHECK;
/* Makes s->given, for a call in a transaction or alone, unless it is there or a write like op needs its row
 * back. op and params: those that s was made or found for. */
ldr_code ldr_stmts_need_given(ldr_stmts *c, const ldr_op *op, const ldr_buf *params, bool in_tx, ldr_stmt *s,
                              ldr_err *err) LDR_MUSTCHECK;
/* The statement of a text under a search_path ("": the connection's), perhaps not described yet. *out is
 * counted for the caller.
 *
 * What a text gives is checked against each answer. What it takes nothing refutes: the server keeps the types
 * that it was told, so that a time would be cut down to the date that a column was. So texts with parameters
 * are described anew once a few seconds have passed, or when we changed tables ourselves. */
ldr_code ldr_stmts_text(ldr_stmts *c, const char *sql, size_t n, const char *path, ldr_stmt **out,
                        ldr_err *err) LDR_MUSTCHECK;
void ldr_stmts_note_tag(ldr_stmts *c, const char *tag); /* of what was run; any thread */
void ldr_stmts_forget(ldr_stmts *c, ldr_stmt *s);       /* who asks next gets a new one */

unsigned ldr_stmt_params(const ldr_stmt *s, const ldr_column **types);
ldr_stmt *ldr_stmt_retain(ldr_stmt *s);
void ldr_stmt_release(ldr_stmt *s); /* NULL is fine */
/* Fills in what the server says of a text's parameters and results; the statement gets its name by it. */
ldr_code ldr_stmt_describe(ldr_stmt *s, const ldr_pgres *res, ldr_err *err) LDR_MUSTCHECK;
/* Does the answer to a text show that its description is out of date: does a column have a type now that came
 * in its binary form and cannot be read? */
bool ldr_stmt_refuted(const ldr_stmt *s, const ldr_pgres *res);
/* May a failure with this SQLSTATE come from a text's description that is out of date? */
bool ldr_stmt_doubted(const ldr_stmt *s, const char *sqlstate);
/* Refuses a text that is anything but one COPY from stdin (in) or to stdout: the simple protocol would run
 * it, and whatever stands behind it. *effects: of it (sqltext/effects.h). */
ldr_code ldr_stmt_only_copies(const char *sql, bool in, unsigned *effects, ldr_err *err) LDR_MUSTCHECK;
/* A text that may have done something and that has rows to show for it: it cannot be run to try. */
bool ldr_stmt_only_once(const ldr_stmt *s);
/* A row is a table by column names: of two columns with one name the row could show one. In a transaction
 * (in_tx) it must not end that: COMMIT has one way, on which its outcome is told, and behind `commit and
 * chain` nobody could see that half of the work is stored. */
ldr_code ldr_stmt_usable(const ldr_stmt *s, bool in_tx, ldr_err *err) LDR_MUSTCHECK;

#endif

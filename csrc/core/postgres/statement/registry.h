/* What one connection has prepared. On the thread that runs the connection's requests. */
#ifndef LDR_POSTGRES_STATEMENT_REGISTRY_H
#define LDR_POSTGRES_STATEMENT_REGISTRY_H

#include "postgres/statement/statement.h"

/* How a statement is run. Without a name it is parsed and run in one transaction, which holds its tables from
 * the parsing on: it cannot go stale, whoever changes them or forgets prepared statements meanwhile. */
enum { LDR_RUN_TEXT = 1 /* with results as text */, LDR_RUN_UNNAMED = 2 };

/* What is proven of a write on one connection (see ldr_given). */
typedef struct ldr_proof {
  int64_t analyzed;  /* when s was, as its table was seen to store rows as they are given; 0: it never was */
  int64_t parsed;    /* when a transaction parsed s, in which nothing could be proven; 0: none did */
  uint64_t asked_in; /* the transaction that looked last; 0: none */
  bool no_row;       /* nothing was written when it was looked: another look waits until something is */
  unsigned served;   /* since it was proven */
  unsigned strikes, rest; /* how often in a row it was lost early; how long to do without it therefore */
} ldr_proof;

typedef struct ldr_registry {
  ldr_lru lru;
  size_t cap;
  uint64_t sent, answered;    /* exchanges; what an unanswered one uses is not evicted */
  bool unsure;                /* the session may have prepared or forgotten anything */
  bool theirs;                /* … and whoever has the connection may want what it has prepared */
  unsigned parses, evictions; /* for whoever counts them, who sets them back */
} ldr_registry;

bool ldr_registry_init(ldr_registry *g, size_t cap); /* false: out of memory */
void ldr_registry_done(ldr_registry *g);
/* Adds to r the execution of s, and before it whatever s needs on this connection: statements that made room
 * are deallocated and s is parsed, all in the same flush. s runs without a name when that is asked for
 * (LDR_RUN_UNNAMED in how), when cap is 0, when it is no select, insert, update, delete or merge (naming
 * would gain it nothing, and VACUUM suffers no command before it), and while the session's statements are the
 * caller's. Then, once r is submitted: ldr_registry_sent, and when it is done: ldr_registry_settle. */
ldr_code ldr_registry_exec(ldr_registry *g, ldr_stmt *s, unsigned how, const ldr_bind *args, ldr_exchange *r,
                           ldr_err *err) LDR_MUSTCHECK;
/* Adds to r that s is parsed, also where it was before. args: of its types. */
ldr_code ldr_registry_parse(ldr_registry *g, ldr_stmt *s, const ldr_bind *args, ldr_exchange *r,
                            ldr_err *err) LDR_MUSTCHECK;
/* Adds to r the question what s takes and gives. It is asked of a statement without a name, so that nothing
 * stays on the connection that was made from less than is known afterwards. */
ldr_code ldr_stmt_ask(const ldr_stmt *s, ldr_exchange *r, ldr_err *err) LDR_MUSTCHECK;
/* NULL: s is not prepared here. */
ldr_proof *ldr_registry_proof(ldr_registry *g, const ldr_stmt *s);
void ldr_registry_sent(ldr_registry *g);
void ldr_registry_settle(ldr_registry *g, ldr_exchange *r); /* reads the answers before anybody takes them */
void ldr_registry_forget_all(ldr_registry *g);              /* after DISCARD ALL: nothing is known any more */
/* A transaction or session runs what may prepare statements or forget them. Those are its own: until
 * ldr_registry_clear nothing is named, and so nothing deallocated. */
void ldr_registry_leave_to_caller(ldr_registry *g);
/* Adds to r the end of all prepared statements, whosever they are. It never fails, also in a transaction.
 * false: out of memory. */
bool ldr_registry_clear(ldr_registry *g, ldr_exchange *r) LDR_MUSTCHECK;

#endif

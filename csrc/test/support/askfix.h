/* Many callers of one driven engine: each has a question, and its answer is checked against that. */
#ifndef LDR_TEST_ASKFIX_H
#define LDR_TEST_ASKFIX_H

#include "support/pgfix.h"

enum { ASKS = 6000, ROWS = 1000, PATIENCE = 60 }; /* seconds, of a caller who is in no hurry */

typedef struct ask { /* one caller's question and what came of it */
  ldr_task *task;
  uint64_t completion_id;
  ldr_code code; /* LDR_PENDING while it runs */
  ldr_result result;
  char sqlstate[6], why[160];
  int64_t question;
  bool hasty; /* it may time out */
} ask;

extern ask asks[ASKS]; /* a test uses the first n */

/* The callers' event loop drives, or else the engine's thread does and they hear of it through a socket. */
extern bool ask_thread_drives;

/* ---- the database ---- */
/* `other` makes the tables, items i0 … i999 in them, and works from outside; f is driven by a reactor, under
 * the application name "driven" or with the settings given (see pg_open_with). */
bool ask_open(pgfix *f, pgfix *other, const ldr_pool_config *c, const char *const *settings);
void ask_warm(pgfix *f); /* the questions' statement is known and timed, and a few connections are open */
void ask_close(pgfix *f, pgfix *other);

/* ---- questions ---- */
void ask_row(pgfix *f, ask *a, int64_t row, double seconds); /* id and n of item i<row> */
void ask_rows(pgfix *f, size_t from, size_t n);              /* of any */
int64_t ask_answer_to(int64_t row);                          /* its n */
void ask_stmt(pgfix *f, ask *a, ldr_tx *tx, ldr_stmt *s, const ldr_value *values);
ldr_stmt *ask_prepared(pgfix *f, const char *sql);
ldr_call ask_within(double seconds);
void ask_submit(ask *a, ldr_code code, const ldr_err *err); /* what a call returned that set a->task */
void ask_give_up(ask *a);                                   /* if it runs */
unsigned ask_pick(unsigned n);                              /* 0 … n-1 */

/* ---- answers ---- */
void ask_turn(pgfix *f, int milliseconds);         /* one of the callers' event loop */
void ask_collect(pgfix *f, size_t from, size_t n); /* until all have one; none may hang */
unsigned ask_pending(size_t from, size_t n);
unsigned ask_ended(size_t n, ldr_code code);
int64_t ask_number(const ask *a, unsigned col); /* of the only row; else -1 */
void ask_check(const ask *a);                   /* of ask_row: the right one */
void ask_check_all(size_t from, size_t n);
unsigned ask_check_or_lost(size_t n); /* the right row, or one error of the connection; the number of those */
void ask_forget(size_t n);            /* frees the answers; gives up what has none */

#endif

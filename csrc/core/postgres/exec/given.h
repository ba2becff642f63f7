/* Writes that do not get back what they gave where the table stores rows as they are given: see ldr_given in
 * postgres/statement/statement.h, which says what proves that. On the thread that runs the request. */
#ifndef LDR_POSTGRES_EXEC_GIVEN_H
#define LDR_POSTGRES_EXEC_GIVEN_H

#include "postgres/request/request.h"

/* ldr_request.given */
enum {
  LDR_GIVEN_NONE,   /* the statement returns the row */
  LDR_GIVEN_PROVEN, /* it was proven on this connection, and is expected to hold */
  LDR_GIVEN_ASKED,  /* the first time: the row and the catalog are read behind it, in its transaction. Several
                       rows come back by the statement, behind which the other one is parsed */
  LDR_GIVEN_AGAIN,  /* an insert, and it did not hold: both are read by an exchange of their own */
  LDR_GIVEN_PLAIN /* the statement returns the row. The one before changed nothing: it did not hold, or there
                     is no such row, which this one tells */
};

/* The statement to send for rq->stmt, in rq->ran; sets rq->given, and the last parameter if it wants one. */
ldr_code ldr_pggiven_choose(ldr_request *rq, ldr_err *err) LDR_MUSTCHECK;
/* Adds what reads the row by its key and the catalog. */
ldr_code ldr_pggiven_ask(ldr_request *rq, ldr_err *err) LDR_MUSTCHECK;
/* Does what was sent bring the transaction's id, behind the time? */
bool ldr_pggiven_brings_xid(const ldr_request *rq);
/* The write is done, and its answer is in rq->answer. LDR_PENDING: its row is read again, or another
 * statement does it. */
ldr_code ldr_pggiven_answered(ldr_request *rq, ldr_err *err) LDR_MUSTCHECK;
/* LDR_GIVEN_AGAIN: the exchange is done. */
ldr_code ldr_pggiven_reread(ldr_request *rq, ldr_err *err) LDR_MUSTCHECK;

#endif

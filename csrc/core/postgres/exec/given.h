/* Inserts that get no row back where the table stores rows as they are given: see ldr_given in
 * postgres/statement/statement.h, which says what proves that. On the thread that runs the request, but for
 * ldr_pggiven_answers, which is the owner's. */
#ifndef LDR_POSTGRES_EXEC_GIVEN_H
#define LDR_POSTGRES_EXEC_GIVEN_H

#include "postgres/request/request.h"

/* ldr_request.given */
enum {
  LDR_GIVEN_NONE,   /* the statement returns the row */
  LDR_GIVEN_PROVEN, /* it was proven on this connection, and is expected to hold */
  LDR_GIVEN_ASKED,  /* the first time: the row and the catalog are read behind it, in its transaction */
  LDR_GIVEN_AGAIN   /* it did not hold: the row and the catalog are read by an exchange of their own */
};

/* The statement to send for rq->stmt; sets rq->given. */
ldr_stmt *ldr_pggiven_choose(ldr_request *rq);
/* Adds what reads the row by its key and the catalog. */
ldr_code ldr_pggiven_ask(ldr_request *rq, ldr_err *err) LDR_MUSTCHECK;
/* The insert is done, and its answer is in rq->answer. LDR_PENDING: its row is read again. */
ldr_code ldr_pggiven_answered(ldr_request *rq, ldr_err *err) LDR_MUSTCHECK;
/* LDR_GIVEN_AGAIN: the exchange is done. */
ldr_code ldr_pggiven_reread(ldr_request *rq, ldr_err *err) LDR_MUSTCHECK;
/* The statement that res, which is no row that was given, answers: the one that read the row, or the insert
 * itself. */
ldr_stmt *ldr_pggiven_answers(const ldr_request *rq, const ldr_pgres *res);

#endif

/* A request is every piece of the engine's work: a statement, the end of a transaction, a COPY.
 *
 *   READY ──► start() ──► SENT ──► answered() ──► DONE         each function returns LDR_PENDING after it
 *     pool                 ▲  │                                submitted an exchange, else the request's
 * result └──┘ SLEEPING, CONNECTING: resume()
 *
 * A call that blocks runs a request on its own thread and polls between its steps. A request's deadline
 * covers all of it; when it passes, the statement is cancelled and its answer awaited for two seconds, else
 * the connection is cut. So an answer never reaches anybody but its request.
 *
 * Under the reactor (postgres/request/reactor.h) a request that does not block is the loop's from its
 * submission until it is DONE; then its owner collects what it brings. Between the two its owner touches
 * nothing of it, nor of the transaction it runs in, without locking the loop. Several requests may have
 * exchanges in flight on one connection (postgres/pool/multiplex.h). A request that blocks borrows a
 * connection from the loop. */
#ifndef LDR_POSTGRES_REQUEST_REQUEST_H
#define LDR_POSTGRES_REQUEST_REQUEST_H

#include "postgres/request/step.h"

/* A request of `kind` in tx (NULL: alone), not started. Fails at once when nothing can run in tx. */
ldr_code ldr_request_new(ldr_pg *e, ldr_pgtx *tx, const ldr_request_kind *kind, const char *name,
                         const ldr_call *call, ldr_request **out, ldr_err *err) LDR_MUSTCHECK;
/* Runs it: to its end when it blocks; else *task is set with LDR_PENDING. The request is consumed. out may be
 * NULL. */
ldr_code ldr_request_run(ldr_request *rq, ldr_result *out, ldr_task **task, ldr_err *err) LDR_MUSTCHECK;
/* Blocking, and the request stays: to its end, or (LDR_PENDING) until the caller may move COPY data. */
ldr_code ldr_request_drive(ldr_request *rq, ldr_err *err) LDR_MUSTCHECK;
void ldr_request_free(ldr_request *rq); /* at any time; NULL is fine */
/* Ends the work under way; who steps its task is told that it is over. The task stays its owner's. */
void ldr_request_stop(ldr_request *rq);

/* The engine closes: */
void ldr_request_detach(ldr_request *rq); /* the task stays its owner's, and is over */
void ldr_request_free_spares(ldr_pg *e);

/* Blocks until a request that is not on the loop is to be stepped; harmless when it is over. */
void ldr_request_wait(ldr_request *rq, int64_t deadline);
/* Polls for what `fd` waits, EINTR included; deadline in monotonic microseconds. */
void ldr_pg_wait(int fd, unsigned events, int64_t deadline);

#endif

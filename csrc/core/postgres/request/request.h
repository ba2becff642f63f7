/* The PostgreSQL engine's inside: the engine itself, and the request, which is every piece of its work.
 *
 *   ACQUIRE ──► start() ──► REQUEST ──► answered() ──► end        each function returns LDR_PENDING after it
 *      pool                    ▲  │                               submitted a exchange, else the request's
 * result └──┘ SLEEP, CONNECT: resume()
 *
 * A call that blocks runs the same request and polls between its steps. A request's deadline covers all of
 * it; when it passes, the statement is cancelled and its answer awaited for two seconds, else the connection
 * is cut. So an answer never reaches anybody but its request.
 *
 * Under the reactor (postgres/request/reactor.h) a request that does not block is driven: it is submitted,
 * its steps run on the loop's thread, and when it is finished its owner collects what it brings. While it is
 * driven, nothing of it is touched by its owner, nor of the transaction it runs in. Several driven requests
 * may have exchanges in flight on one connection (postgres/pool/multiplex.h). A request that blocks borrows a
 * connection from the loop and drives it itself. */
#ifndef LDR_POSTGRES_REQUEST_REQUEST_H
#define LDR_POSTGRES_REQUEST_REQUEST_H

#include "postgres/request/retry.h"

/* A request of `kind` in tx (NULL: alone), not started. Fails at once when nothing can run in tx. */
ldr_code ldr_request_new(ldr_pg *e, ldr_pgtx *tx, const ldr_request_kind *kind, const char *name,
                         const ldr_call *call, ldr_request **out, ldr_err *err) LDR_MUSTCHECK;
/* Runs it: to its end when it blocks; else *task is set with LDR_PENDING. The request is consumed. out may be
 * NULL. */
ldr_code ldr_request_run(ldr_request *rq, ldr_result *out, ldr_task **task, ldr_err *err) LDR_MUSTCHECK;
/* Blocking, and the request stays: to its end, or (LDR_PENDING) until the caller's turn to copy has come. */
ldr_code ldr_request_drive(ldr_request *rq, ldr_err *err) LDR_MUSTCHECK;
void ldr_request_free(ldr_request *rq); /* at any time; NULL is fine */
/* Ends the work under way; who steps its task is told that it is over. The task stays its owner's. */
void ldr_request_stop(ldr_request *rq);

/* The engine closes: */
void ldr_request_detach(ldr_request *rq); /* the task stays its owner's, and is over */
void ldr_request_free_spares(ldr_pg *e);

ldr_code ldr_request_step(ldr_request *rq, ldr_err *err); /* one step; driven requests on the loop's thread */

/* For start and answered: */
/* From the beginning on the connection that it has: what is not known of its tables is asked first. */
ldr_code ldr_request_begin(ldr_request *rq, ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_request_prefix(ldr_request *rq, ldr_err *err)
    LDR_MUSTCHECK; /* what tx has pending goes into the exchange first */
ldr_code ldr_request_submit(ldr_request *rq, ldr_err *err) LDR_MUSTCHECK; /* LDR_PENDING when sent */
ldr_code ldr_request_error(ldr_request *rq, ldr_err *err); /* what the failed exchange means to the caller */
bool ldr_request_failed(const ldr_request *rq);
void ldr_request_sleep(ldr_request *rq, int64_t us);
ldr_cmd *ldr_request_query(ldr_request *rq, const char *sql); /* one more command; NULL: out of memory */

/* Polls for what `fd` waits, EINTR included; deadline in monotonic microseconds. */
void ldr_pg_wait(int fd, unsigned events, int64_t deadline);

#endif

/* The PostgreSQL engine's inside: the engine itself, and the job, which is every piece of its work.
 *
 *   ACQUIRE ──► start() ──► REQUEST ──► answered() ──► end        each function returns LDR_PENDING after it
 *      pool                    ▲  │                               submitted a request, else the job's result
 *                              └──┘ SLEEP, CONNECT: resume()
 *
 * A call that blocks runs the same job and polls between its steps. A job's deadline covers all of it; when
 * it passes, the statement is cancelled and its answer awaited for two seconds, else the connection is cut.
 * So an answer never reaches anybody but its job.
 *
 * Under the reactor (postgres/request/reactor.h) a job that does not block is driven: it is submitted, its
 * steps run on the loop's thread, and when it is finished its owner collects what it brings. While it is
 * driven, nothing of it is touched by its owner, nor of the transaction it runs in. Several driven jobs may
 * have requests in flight on one connection (postgres/pool/multiplex.h). A job that blocks borrows a
 * connection from the loop and drives it itself. */
#ifndef LDR_POSTGRES_REQUEST_REQUEST_H
#define LDR_POSTGRES_REQUEST_REQUEST_H

#include "postgres/request/retry.h"

/* A job of `kind` in tx (NULL: alone), not started. Fails at once when nothing can run in tx. */
ldr_code ldr_job_new(ldr_pg *e, ldr_pgtx *tx, const ldr_job_kind *kind, const char *name,
                     const ldr_call *call, ldr_job **out, ldr_err *err) LDR_MUSTCHECK;
/* Runs it: to its end when it blocks; else *task is set with LDR_PENDING. The job is consumed. out may be
 * NULL. */
ldr_code ldr_job_run(ldr_job *j, ldr_result *out, ldr_task **task, ldr_err *err) LDR_MUSTCHECK;
/* Blocking, and the job stays: to its end, or (LDR_PENDING) until the caller's turn to copy has come. */
ldr_code ldr_job_drive(ldr_job *j, ldr_err *err) LDR_MUSTCHECK;
void ldr_job_free(ldr_job *j); /* at any time; NULL is fine */
/* Ends the work under way; who steps its task is told that it is over. The task stays its owner's. */
void ldr_job_stop(ldr_job *j);

/* The engine closes: */
void ldr_job_detach(ldr_job *j); /* the task stays its owner's, and is over */
void ldr_job_free_spares(ldr_pg *e);

ldr_code ldr_job_step(ldr_job *j, ldr_err *err); /* one step; driven jobs on the loop's thread */

/* For start and answered: */
ldr_code ldr_job_prefix(ldr_job *j,
                        ldr_err *err) LDR_MUSTCHECK; /* what tx has pending goes into the request first */
ldr_code ldr_job_submit(ldr_job *j, ldr_err *err) LDR_MUSTCHECK; /* LDR_PENDING when sent */
ldr_code ldr_job_error(ldr_job *j, ldr_err *err); /* what the failed request means to the caller */
bool ldr_job_failed(const ldr_job *j);
void ldr_job_sleep(ldr_job *j, int64_t us);
ldr_cmd *ldr_job_query(ldr_job *j, const char *sql); /* one more command; NULL: out of memory */

/* Polls for what `fd` waits, EINTR included; deadline in monotonic microseconds. */
void ldr_pg_wait(int fd, unsigned events, int64_t deadline);

#endif

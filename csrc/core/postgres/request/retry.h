/* Jobs on connections that they share (postgres/pool/multiplex.h), and connections that go back and forth
 * between a loop and its visitors. */
#ifndef LDR_POSTGRES_REQUEST_RETRY_H
#define LDR_POSTGRES_REQUEST_RETRY_H

#include "postgres/request/state.h"

/* The loop that must be visited for the pool: NULL on the loop's own thread, and when there is none. */
ldr_loop *ldr_job_foreign_loop(const ldr_job *j);
void ldr_job_release(ldr_job *j); /* its connection goes back to the pool, or stays with its transaction */
void ldr_job_await(ldr_job *j);   /* its request was sent on its slot: the loop waits for the answer */
ldr_lane ldr_job_lane(const ldr_job *j);
bool ldr_job_shared(const ldr_job *j);
bool ldr_job_reads(const ldr_job *j); /* an operation that cannot write */

/* The request goes on without the job, which gets another. false: out of memory. */
bool ldr_job_leave_behind(ldr_job *j);
void ldr_job_left(ldr_pg *e); /* settles the answers that nobody waits for */
/* Gives the job a place elsewhere; its request stays behind, in flight or lost. false: out of memory. */
bool ldr_job_move_on(ldr_job *j);
bool ldr_job_may_move(const ldr_job *j); /* it shares, and has not moved too often */
/* The same for one whose request could not be sent. */
bool ldr_job_try_elsewhere(ldr_job *j);
void ldr_job_unsend(
    ldr_job *j); /* a request was made but not sent: what it would have deallocated is still there */
/* It failed by what was meant for, or done by, another statement on its connection: it did nothing, and may
 * run again. */
bool ldr_job_innocent(const ldr_job *j);
void ldr_job_cancel(ldr_job *j); /* tells the server */
/* The owner leaves: true when others go on with the connection. */
bool ldr_job_step_aside(ldr_job *j);
/* The deadline of a statement that waits behind others passed: LDR_PENDING, or how it ends. */
ldr_code ldr_job_overdue_behind(ldr_job *j, ldr_err *err);

#endif

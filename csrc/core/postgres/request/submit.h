/* The caller's side of the reactor: what Lua's thread does with tasks and completions.
 *
 * For programs with an event loop. From ldr_pg_use_reactor on, a call that does not block returns LDR_PENDING
 * with a task that waits to be submitted. The reactor's thread then does all the work; single statements of
 * many callers share few connections (postgres/pool/multiplex.h). A finished task is known by its completion
 * id; ops->step then brings its result, before that it answers LDR_PENDING. A task that is freed early is
 * cancelled. Deadlines are watched by the thread: the task finishes at the latest two seconds after its own.
 * Calls that block still do, on a connection that they borrow from the thread. The thread starts with the
 * first use, in a forked child anew. All of it is for one thread, that of the engine. */
#ifndef LDR_POSTGRES_REQUEST_SUBMIT_H
#define LDR_POSTGRES_REQUEST_SUBMIT_H

#include "postgres/request/reactor.h"

void ldr_pg_use_reactor(ldr_engine *);
/* completion_id: reported once by ldr_pg_done; 0: not reported, until the task is submitted with one. */
ldr_code ldr_task_submit(ldr_task *, uint64_t completion_id, ldr_err *) LDR_MUSTCHECK;
/* Submits when needed, blocks; false: not finished yet. One that its caller steps: until it is to be stepped.
 */
bool ldr_task_wait(ldr_task *, int64_t deadline);
int ldr_task_fd(
    ldr_task *); /* submits when needed; readable once it is finished, the task's own; -1: failed */
/* Readable when ldr_pg_done should be called; -1: failed. While there is only light work under way,
 * ldr_pg_done does it, a turn of the loop at a time (ldr_loop_run_once); so only the thread that submits may
 * poll and call. */
int ldr_pg_wake_fd(ldr_engine *, ldr_err *);
/* For an event loop that can wait for sockets only: the path of a unix socket. A byte arrives when
 * completion_ids begin to wait, and one twice a second. It takes one connection of this process; ask again
 * for another. */
ldr_code ldr_pg_wake_path(ldr_engine *, const char **path, ldr_err *) LDR_MUSTCHECK;
size_t ldr_pg_done(ldr_engine *, uint64_t *completion_ids,
                   size_t max); /* takes completion_ids, oldest first */

#endif

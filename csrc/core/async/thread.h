/* Threads. They take no signal that is meant for the program. */
#ifndef LDR_ASYNC_THREAD_H
#define LDR_ASYNC_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* Runs fn(ud) in a thread that somebody joins. false: there is none, and fn will not run. */
bool ldr_thread_start(void *(*fn)(void *ud), void *ud, pthread_t *out);
/* The same once, in a thread that nobody joins, with a small stack: for what the system or libpq offers only
 * as a call that waits. */
bool ldr_thread_detach(void *(*fn)(void *ud), void *ud);

/* For tests: from now on (fail) no thread can be started, as when the system has none left. */
void ldr_thread_fail(bool fail);

#endif

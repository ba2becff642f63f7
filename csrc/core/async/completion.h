/* The way back from a loop's thread to the one thread that gave it work: ids of what is finished, and a
 * descriptor that is readable while some wait.
 *
 * The descriptor is an eventfd; an event loop that can only wait for sockets connects to a path instead and
 * gets a byte each time. One signal is given for all ids that gather until they are taken. */
#ifndef LDR_ASYNC_COMPLETION_H
#define LDR_ASYNC_COMPLETION_H

#include "async/loop.h"

typedef struct ldr_completions ldr_completions;

ldr_code ldr_completions_new(ldr_completions **out, ldr_err *err) LDR_MUSTCHECK;
void ldr_completions_free(ldr_completions *c); /* its loop must have ended; NULL is fine */

/* The receiver: */
ldr_code ldr_completions_reserve(ldr_completions *c,
                                 ldr_err *err) LDR_MUSTCHECK; /* room for one more id that will be put */
void ldr_completions_suppress_notify(
    ldr_completions *c); /* it will take in a moment, so it need not be told */
size_t ldr_completions_take(ldr_completions *c, uint64_t *ids, size_t max);
int ldr_completions_fd(const ldr_completions *c);
/* A unix socket in a directory that only this user may enter. It vanishes with the first connection, whose
 * peer must be this process; a later call makes another, which takes the place of the first. With the
 * loop locked. */
ldr_code ldr_completions_listen(ldr_completions *c, ldr_loop *l, const char **path,
                                ldr_err *err) LDR_MUSTCHECK;

/* The loop: */
void ldr_completions_put(ldr_completions *c, uint64_t id); /* never fails: there is room */
int64_t ldr_completions_keepalive(
    ldr_completions *c, int64_t now); /* a byte twice a second for a connected peer; returns when next */
/* In a forked child, once the loop is freed: the descriptors are the parent's, so new ones are made. */
bool ldr_completions_reset_after_fork(ldr_completions *c);

#endif

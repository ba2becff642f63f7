/* A cancel on its way to the server. It needs a connection of its own, and until version 17 libpq waits for
 * that, so threads deliver cancels: a few for the whole process, each for as many as there are. What none of
 * them has come to within two seconds is not delivered: by then the connection is cut. */
#ifndef LDR_POSTGRES_PROTOCOL_CANCEL_H
#define LDR_POSTGRES_PROTOCOL_CANCEL_H

#include <stdbool.h>
#include <stdint.h>

enum { LDR_CANCEL_THREADS = 8 };

typedef struct ldr_cancel ldr_cancel;

typedef struct ldr_cancel_ops {                    /* of what delivers it */
  void (*deliver)(void *handle, int64_t deadline); /* in a thread; waits, but no longer than it must */
  void (*free)(void *handle);                      /* of NULL, too */
} ldr_cancel_ops;

/* Takes over handle and line. handle NULL: none is sent. insist: the connection is given up, so that no later
 * statement can be hit, and the cancel is repeated, as one that arrives before its statement has begun is
 * lost. line: a descriptor that stays open until the cancel is delivered, or given up; -1: none. NULL: out of
 * memory, none is sent. Any thread. */
ldr_cancel *ldr_cancel_start(const ldr_cancel_ops *ops, void *handle, bool insist, int line);
bool ldr_cancel_under_way(const ldr_cancel *x); /* NULL is fine */
void ldr_cancel_release(ldr_cancel *x);         /* NULL is fine */

#endif

/* A cancel on its way to the server. libpq 15 delivers it over a connection of its own and waits for that, so
 * a thread does it; whoever sent it may be gone by then. */
#ifndef LDR_POSTGRES_PROTOCOL_CANCEL_H
#define LDR_POSTGRES_PROTOCOL_CANCEL_H

#include <stdbool.h>

typedef struct ldr_cancel ldr_cancel;

typedef struct ldr_cancel_ops {  /* of what delivers it */
  void (*deliver)(void *handle); /* in a thread of its own; waits */
  void (*free)(void *handle);
} ldr_cancel_ops;

/* Takes over handle. insist: the connection is given up, so that no later statement can be hit, and the
 * cancel is repeated, as one that arrives before its statement has begun is lost. NULL: out of memory, none
 * is sent. */
ldr_cancel *ldr_cancel_start(const ldr_cancel_ops *ops, void *handle, bool insist);
bool ldr_cancel_under_way(const ldr_cancel *x); /* NULL is fine */
void ldr_cancel_release(ldr_cancel *x);         /* NULL is fine */

#endif

/* A cancel on its way to the server. It needs a connection of its own, and until version 17 libpq waits for
 * that, so threads deliver cancels: a few for the whole process, each for as many as there are. What none of
 * them has come to within two seconds is not delivered: by then the connection is cut. */
#ifndef LDR_POSTGRES_PROTOCOL_CANCEL_H
#define LDR_POSTGRES_PROTOCOL_CANCEL_H

#include <stdbool.h>
#include <stdint.h>

enum { LDR_CANCEL_THREADS = 8 };

typedef struct ldr_cancel ldr_cancel;

typedef struct ldr_cancel_ops {                    /* of what delivers it; in a thread, but for free */
  void (*deliver)(void *handle, int64_t deadline); /* waits, but no longer than it must */
  /* Has what is to be cancelled been answered? Waits for that until then; who cannot tell waits and says no.
   */
  bool (*answered)(void *handle, int64_t until);
  void (*end)(void *handle);  /* nothing more is delivered; once, before free, or by whoever starts it */
  void (*free)(void *handle); /* any thread; of NULL, too */
} ldr_cancel_ops;

/* Takes over handle; NULL: none is sent. insist: the connection is given up, and the cancel is repeated while
 * there is no answer, as one that arrives before its statement has begun is lost. before: one that is under
 * way for the same connection; the new one is a repetition of that. NULL: there is none. Returns NULL when
 * out of memory: none is sent. Any thread. */
ldr_cancel *ldr_cancel_start(const ldr_cancel_ops *ops, void *handle, bool insist, ldr_cancel *before);
bool ldr_cancel_under_way(const ldr_cancel *x); /* NULL is fine */
void ldr_cancel_release(ldr_cancel *x);         /* NULL is fine */

#endif

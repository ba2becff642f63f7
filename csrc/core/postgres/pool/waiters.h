/* The callers that wait for a connection, and how they are woken. */
#ifndef LDR_POSTGRES_POOL_WAITERS_H
#define LDR_POSTGRES_POOL_WAITERS_H

#include "postgres/pool/multiplex.h"

typedef struct ldr_waiter { /* a caller that wants a connection; zero-initialise */
  struct ldr_waiter *prev, *next;
  bool queued, served;  /* served: slot was handed over while it waited */
  ldr_slot *slot;       /* its connection */
  ldr_slot *connecting; /* the one it opens meanwhile */
  int64_t since, deadline;
  unsigned probe;        /* with a loop: it had a connection opened after so many failures, and 1 */
  bool hard;             /* the deadline is the call's, not the pool's */
  bool trusts;           /* its work can be run again, so it may get an idle connection without a look … */
  bool trusted;          /* … and did */
  ldr_share_class share; /* with a loop: which connections it may share */
  void (*woken)(struct ldr_waiter *w); /* … and who is called in place of the eventfd; NULL: use that */
  int wake;                            /* an eventfd: its turn has come, or there is a connection to open */
  int set; /* an epoll set of it and the socket of the connect; both are made when first needed */
  bool has_fds;
  int fd; /* with LDR_PENDING: wait for this (-1: for time only) … */
  unsigned events;
  int64_t again; /* … at most until then */
} ldr_waiter;

typedef struct ldr_waiters {
  ldr_waiter *first, *last; /* oldest first */
  unsigned n;
} ldr_waiters;

void ldr_waiters_add(ldr_waiters *q, ldr_waiter *w, bool in_front);
void ldr_waiters_remove(ldr_waiters *q, ldr_waiter *w);
void ldr_waiters_wake_all(ldr_waiters *q);

bool ldr_waiter_make_fds(ldr_waiter *w); /* false: none are left */
void ldr_waiter_done(ldr_waiter *w);     /* closes its descriptors */
void ldr_waiter_wake(ldr_waiter *w);
void ldr_waiter_drain(const ldr_waiter *w);
void ldr_waiter_watch(const ldr_waiter *w, int fd, unsigned events); /* beside its eventfd */

#endif

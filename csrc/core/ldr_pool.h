/* The pool: connections in one list a state, callers who wait in one queue.
 *
 *   (new) ──► CONNECTING ──► IDLE ◄──► BUSY ──► destroyed
 *
 * There is no thread behind it. Whoever waits for a connection drives the one that is being opened, at most
 * two at a time, and one only while the server is down. What else needs doing (unused connections that grew
 * old, the minimum) is done when a connection is taken or given back; the minimum is refilled only for
 * callers that do not block, since a blocking one never needs a second connection. A pool belongs to one
 * thread. */
#ifndef LDR_POOL_H
#define LDR_POOL_H

#include "ldr_stmt.h"

typedef enum ldr_slot_state {
  LDR_SLOT_CONNECTING,
  LDR_SLOT_IDLE,
  LDR_SLOT_BUSY,
  LDR_SLOT_NSTATES
} ldr_slot_state;

typedef struct ldr_waiter ldr_waiter;

typedef struct ldr_slot { /* one connection and what the pool knows of it */
  struct ldr_slot *prev, *next;
  ldr_slot_state state;
  ldr_conn *conn;
  ldr_registry prepared;
  ldr_waiter *driver; /* CONNECTING: who waits for its socket; NULL: nobody */
  int64_t since;      /* entered the state */
  int64_t connect_by, expires;
  bool discard;    /* never recycle: the server refused writes, or session state cannot be undone */
  bool reset;      /* session state was changed: undo it before the next use … */
  ldr_req undo;    /* … by this */
  char holder[64]; /* BUSY: the operation that has it */
} ldr_slot;

struct ldr_waiter { /* a caller that wants a connection; zero-initialise */
  struct ldr_waiter *prev, *next;
  bool queued, served; /* served: slot was handed over while it waited */
  ldr_slot *slot;      /* its connection */
  ldr_slot *driving;   /* the one it opens meanwhile */
  int64_t since, deadline;
  bool hard; /* the deadline is the call's, not the pool's */
  int wake;  /* an eventfd: its turn has come, or there is a connect to drive */
  int set;   /* an epoll set of it and the socket of the connect; both are made when first needed */
  bool has_fds;
  int fd; /* with LDR_PENDING: wait for this (-1: for time only) … */
  unsigned events;
  int64_t again; /* … at most until then */
};

typedef struct ldr_pool {
  ldr_pool_config config;
  const ldr_conninfo *info;
  bool unnamed; /* no named statements: behind a pooler, or by configuration */
  struct {
    ldr_slot *first, *last; /* first: entered the state last */
    unsigned n;
  } by_state[LDR_SLOT_NSTATES];
  ldr_waiter *first, *last; /* the queue, oldest first */
  unsigned nwaiting;
  int64_t retry_at; /* server down: no attempt before */
  unsigned failures;
  ldr_err why; /* of the last failure */
  int64_t tended;
  uint64_t random;
  unsigned generation; /* of the process: counts forks */
  ldr_pg_stats stats;  /* the pool's part of it */
} ldr_pool;

ldr_code ldr_pool_new(const ldr_conninfo *info, const ldr_pool_config *c, ldr_pool **out,
                      ldr_err *err) LDR_MUSTCHECK;
void ldr_pool_free(
    ldr_pool *p); /* closes what is idle; BUSY slots must be gone. NULL is fine; frees no info */

/* Notices a fork: in the child every connection of the parent is given up without a byte written. Call it
 * before touching any connection. */
void ldr_pool_check_fork(ldr_pool *p);

/* Opens one connection, waiting, without a second attempt: proves the settings. */
ldr_code ldr_pool_connect(ldr_pool *p, ldr_err *err) LDR_MUSTCHECK;
/* A connection for w, now or later: LDR_OK sets w->slot; LDR_PENDING: wait as w says, then call again. On
 * failure w is out of the queue. holder names the operation. With block, a wait that only other calls of this
 * thread could end fails at once. */
ldr_code ldr_pool_acquire(ldr_pool *p, ldr_waiter *w, const char *holder, bool block, int64_t deadline,
                          ldr_err *err) LDR_MUSTCHECK;
void ldr_pool_leave(ldr_pool *p, ldr_waiter *w); /* gives up waiting; a connection handed over goes on */
void ldr_waiter_done(ldr_waiter *w);             /* closes its descriptors */
/* Gives a connection back. One that is dead, busy, in a transaction, expired or marked is destroyed. */
void ldr_pool_release(ldr_pool *p, ldr_slot *s, bool block);
unsigned ldr_pool_total(const ldr_pool *p);

#endif

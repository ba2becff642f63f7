/* The pool: connections in one list a state (postgres/pool/slot.h), callers who wait in one queue.
 *
 * Without a loop, whoever waits for a connection drives the one that is being opened, at most two at a time,
 * and one only while the server is down. What else needs doing (unused connections that grew old, the
 * minimum) is done when a connection is taken or given back; the minimum is refilled only for callers that do
 * not block, since a blocking one never needs a second connection. A pool belongs to one thread.
 *
 * With a loop the pool belongs to that: it drives the connects, and ldr_pool_turn does the rest in its time.
 */
#ifndef LDR_POSTGRES_POOL_POOL_H
#define LDR_POSTGRES_POOL_POOL_H

#include "postgres/pool/config.h"
#include "postgres/pool/waiters.h"

typedef struct ldr_pool {
  ldr_pool_config config;
  const ldr_conninfo *info;
  bool unnamed; /* no named statements: behind a pooler, or by configuration */
  ldr_slots slots;
  ldr_loop *loop; /* NULL: none */
  void (*ready)(ldr_watch *w);
  void *owner;
  ldr_waiters queue;
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
ldr_code ldr_pool_connect(ldr_pool *p, int64_t deadline, ldr_err *err) LDR_MUSTCHECK;
/* A connection for w, now or later: LDR_OK sets w->slot; LDR_PENDING: wait as w says, then call again. On
 * failure w is out of the queue. holder names the operation. With block, a wait that only other calls of this
 * thread could end fails at once. */
ldr_code ldr_pool_acquire(ldr_pool *p, ldr_waiter *w, const char *holder, bool block, int64_t deadline,
                          ldr_err *err) LDR_MUSTCHECK;
void ldr_pool_leave(ldr_pool *p, ldr_waiter *w); /* gives up waiting; a connection handed over goes on */
/* Gives a connection back. One that is dead, busy, in a transaction, expired or marked is destroyed. */
void ldr_pool_release(ldr_pool *p, ldr_slot *s, bool block);

/* ---- under a loop; in its thread or in a visit ---- */
/* From now on connections are watched, and `ready` is called for a slot's watch; slot->owner is `owner`. */
void ldr_pool_attach(ldr_pool *p, ldr_loop *l, void (*ready)(ldr_watch *w), void *owner);
void ldr_pool_detach(ldr_pool *p);             /* the loop has ended */
void ldr_pool_ready(ldr_pool *p, ldr_slot *s); /* a connection that is being opened, or idle, can go on */
void ldr_pool_watch(ldr_pool *p, ldr_slot *s); /* for what its connection waits */
void ldr_pool_unwatch(ldr_pool *p, ldr_slot *s);
int64_t ldr_pool_turn(ldr_pool *p); /* what is due; returns when the next is */

#endif

/* The pool as data, and what all of its files ask of it. */
#ifndef LDR_POSTGRES_POOL_STATE_H
#define LDR_POSTGRES_POOL_STATE_H

#include "base/clock.h"
#include "postgres/pool/config.h"
#include "postgres/pool/identity.h"
#include "postgres/pool/waiters.h"

/* What the first connection found, before anybody got it. */
typedef struct ldr_server {
  bool known;
  int version;           /* 150020 */
  bool pooler;           /* a pooler was seen between us and the server */
  bool own_sessions;     /* each connection keeps one session: no pooler, or one in session mode */
  ldr_identity identity; /* of the server that was found */
} ldr_server;

typedef struct ldr_pool {
  ldr_pool_config config;
  const ldr_conninfo *info;
  ldr_server server;
  bool unnamed; /* no named statements: behind a pooler, or by configuration */
  ldr_slots slots;
  ldr_loop *loop; /* NULL: none */
  void (*ready)(ldr_watch *w);
  void *owner;
  ldr_waiters queue;
  int64_t retry_at; /* server down: no attempt before */
  unsigned failures;
  ldr_err why;  /* of the last failure */
  bool refused; /* it was an answer, and not silence */
  int64_t reaped_at;
  uint64_t random;
  unsigned generation; /* of the process: counts forks */
  ldr_pg_stats stats;  /* the pool's part of it */
} ldr_pool;

enum {
  LDR_POOL_BACKOFF_US = 50000, /* between attempts while the server is down; more with each failure */
  LDR_POOL_LOOK_US = 250000    /* a caller that waits looks again after so long, whatever happens */
};

static inline int64_t ldr_pool_after(double seconds) {
  return seconds > 0 ? ldr_deadline(seconds) : LDR_NEVER;
}
static inline bool ldr_pool_is_down(const ldr_pool *p) { return p->failures > 0; }
/* It waits for a place among reads. */
static inline bool ldr_waiter_reads(const ldr_waiter *w) {
  return w->share == LDR_SHARE_QUICK || w->share == LDR_SHARE_READ || w->share == LDR_SHARE_NEW;
}

#endif

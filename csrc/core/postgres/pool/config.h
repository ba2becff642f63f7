/* Settings and counters of a pool. */
#ifndef LDR_POSTGRES_POOL_CONFIG_H
#define LDR_POSTGRES_POOL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

typedef struct ldr_pool_config {
  unsigned max, min;        /* 25, 5 */
  double connect_timeout;   /* seconds for each host, 30 */
  bool lazy;                /* ldr_pg_open connects to nothing; the first use does */
  double open_timeout;      /* of ldr_pg_open, which waits; 0: as long as connecting may take */
  double idle_timeout;      /* 600 */
  double lifetime;          /* 3600, with up to 10 % of jitter */
  double acquire_timeout;   /* 30 */
  unsigned queue_max;       /* waiting callers, 1000; more get LDR_POOL_TIMEOUT at once */
  unsigned statement_cache; /* prepared statements a connection, 256; 0: never name a statement */
  int pgbouncer; /* behind a transaction pooler, so no named statements: 1 yes, 0 no, -1 find out */
  double spin;   /* seconds to spin on the socket before sleeping, 0 */
  double statement_timeout; /* seconds, default deadline of a call; < 0 none */
} ldr_pool_config;
void ldr_pool_config_default(ldr_pool_config *c);

typedef struct ldr_pg_stats {
  unsigned max, total, idle, busy, waiting;
  uint64_t connects, connect_failures, destroyed_idle, destroyed_lifetime, destroyed_broken;
  uint64_t looks; /* at idle connections, before they were used: a system call each */
  uint64_t acquires, acquire_waits, acquire_timeouts, acquire_wait_us;
  uint64_t queries, errors, transactions, commits, rollbacks, retries_stale, cancels, prepares, evictions;
  int server_version; /* 150020 */
  bool pooler;        /* a pooler was seen between us and the server */
  bool own_sessions;  /* each connection keeps one session of the server, also through a pooler */
} ldr_pg_stats;

#endif

/* The PostgreSQL engine's inside as data: the engine, its transactions, and the request, which is every piece
 * of its work; and what is done with these in one move. How a request runs is in postgres/request/request.h.
 */
#ifndef LDR_POSTGRES_REQUEST_STATE_H
#define LDR_POSTGRES_REQUEST_STATE_H

#include <stdatomic.h>

#include "async/completion.h"
#include "engine/engine.h"
#include "postgres/pool/pool.h"
#include "postgres/statement/rows.h"

typedef struct ldr_request ldr_request;
typedef struct ldr_pgtx ldr_pgtx;

/* Called between the steps of a commit ("before_commit", "after_commit_sent"), for tests. */
typedef void ldr_pg_hook(void *ud, const char *point, int backend_pid);

typedef struct ldr_pg_counts { /* from any thread */
  _Atomic uint64_t queries, errors, transactions, commits, rollbacks, retries_stale, cancels, prepares,
      evictions;
} ldr_pg_counts;

static inline void ldr_count(_Atomic uint64_t *counter, uint64_t n) {
  atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

typedef struct ldr_request_list { /* a list of driven requests, oldest first */
  ldr_request *first, *last;
  unsigned n;
} ldr_request_list;

typedef struct ldr_pg {
  ldr_engine base;
  ldr_conninfo *info;
  ldr_pool *pool;
  ldr_pool_config config;
  ldr_stmts stmts;
  ldr_stmt *ask_xid;     /* for a transaction's id */
  ldr_buf params;        /* scratch: ldr_param of the operation at hand */
  ldr_pgtx *txs;         /* open ones */
  ldr_request *requests; /* running ones */
  ldr_request *spares;   /* done ones with their buffers */
  unsigned nspares;
  ldr_pg_hook *hook;
  void *hook_ud;
  ldr_pg_counts counts;
  int server_version;
  bool pooler; /* a pooler was seen between us and the server */
  /* the reactor */
  bool reactor;   /* requests that do not block are driven */
  ldr_loop *loop; /* NULL: not started yet */
  ldr_completions *completions;
  bool came_late; /* the loop's: the owner, in this turn; how often lately; when he may drive again */
  unsigned lateness;
  unsigned event_fd_waiters; /* the loop's: requests whose owner waits for their own descriptors, and so does
                                not drive */
  int64_t no_owner_until;
  ldr_request_list ready;     /* the loop's: can go on now */
  ldr_request *running;       /* the loop's: not finished */
  ldr_exchange_list finished; /* the loop's: exchanges that are done, before their requests know it */
  ldr_exchange
      *detached; /* the loop's: answered exchanges whose requests did not wait for it; a list by `next` */
  int64_t due;   /* the loop's: the first deadline of a running request */
} ldr_pg;

/* ---- transactions, as requests see them ---- */
struct ldr_pgtx {
  ldr_pg *e;
  ldr_pgtx *prev, *next;
  ldr_txopts opts;
  ldr_slot *slot;       /* the one connection; NULL: nothing was sent yet */
  ldr_request *request; /* runs in it now */
  bool session;         /* no transaction: a connection of one's own */
  bool begun;           /* BEGIN was sent */
  bool failed;          /* by `first`; until a rollback to a savepoint */
  const char *dead;     /* why nothing may run any more; NULL: alive */
  bool wrote;           /* an operation that writes, or a statement that may */
  uint64_t xid;         /* its id on the server; 0: not known yet */
  unsigned levels;      /* savepoints */
  unsigned sent;        /* … of which the server knows these */
  ldr_buf pending;      /* statements that travel with the next one, each with its zero byte */
  unsigned npending;
  ldr_err first;
};

enum { LDR_GRACE_US = 2000000 }; /* for the answer to a cancelled statement */

/* ---- requests ---- */
typedef enum ldr_request_stage {
  LDR_REQUEST_ACQUIRE,
  LDR_REQUEST_REQUEST,
  LDR_REQUEST_COPY, /* the caller moves data; blocking only */
  LDR_REQUEST_CONNECT,
  LDR_REQUEST_SLEEP,
  LDR_REQUEST_DONE
} ldr_request_stage;
typedef enum ldr_request_phase {                         /* of a driven request: whose it is */
                                 LDR_REQUEST_FRESH,      /* the owner's: not submitted */
                                 LDR_REQUEST_SUBMITTED,  /* the loop's */
                                 LDR_REQUEST_SIGNALLING, /* the loop's for a moment: its bell must outlive the
                                                         ring */
                                 LDR_REQUEST_FINISHED    /* the owner's again */
} ldr_request_phase;
typedef ldr_code ldr_request_fn(ldr_request *rq, ldr_err *err);

typedef struct ldr_request_kind {
  /* a table that nothing is known of, and that must be asked about before start; NULL: none is left */
  ldr_live *(*unknown)(ldr_request *rq);
  ldr_request_fn *start;    /* the connection is there */
  ldr_request_fn *answered; /* the exchange is done; its error, if any, was not looked at */
  ldr_request_fn *copying;  /* each time COPY can go on; NULL: this request knows no COPY */
  ldr_request_fn *resume;   /* after SLEEP, and after CONNECT with its outcome in rq->connected */
  ldr_request_fn *collect;  /* it went well: what is left to do on the owner's thread; NULL: nothing */
  void (*leaving)(ldr_request *rq); /* before its connection goes back; NULL: nothing */
  void (*dispose)(ldr_request *rq); /* frees what the kind added; NULL: nothing */
  size_t size;                      /* of its struct, 0: a plain request */
  bool exact;                       /* columns must have the very types that are declared: binary COPY */
  bool timed;                       /* without a deadline of its own it has the configured one */
  bool shares;                      /* outside of a transaction it may go to a lane */
  bool ends_tx;                     /* may be made for a transaction in which nothing can run any more */
} ldr_request_kind;

struct ldr_request {
  ldr_task task; /* first */
  const ldr_request_kind *kind;
  ldr_pg *e; /* NULL: the engine was closed under it */
  ldr_request *prev, *next;
  ldr_pgtx *tx;
  ldr_waiter waiter;
  ldr_slot *slot;
  ldr_conn *conn;         /* that answers the exchange: the slot's, or one of the request's own */
  ldr_exchange *exchange; /* never NULL */
  ldr_request_stage stage;
  ldr_code connected; /* CONNECT: how it ended */
  int64_t deadline, wake_at, spin_until;
  bool block;
  bool cancelled;   /* the deadline passed and the server was told */
  bool retried;     /* run again on the same connection */
  unsigned moves;   /* times it was run again on another */
  bool deletes;     /* the statement that failed was a DELETE */
  char name[64];    /* of the operation */
  ldr_live *asking; /* the table that the exchange asks about */
  bool unseen;      /* one of its tables does not exist: its own statement will say so */
  /* one statement */
  ldr_stmt *stmt;
  ldr_bind args;
  unsigned prefix;   /* commands of the exchange before the statement's own */
  unsigned main;     /* the command that is the statement itself */
  ldr_pgres *answer; /* of it, until it is collected */
  bool forget;       /* the statement's description may be old */
  /* driven */
  bool driven, late; /* late: its deadline has passed, but it has not begun */
  _Atomic ldr_request_phase phase;
  ldr_post post;
  ldr_request *next_ready;
  bool is_ready, is_running;
  ldr_request *run_prev, *run_next;
  int64_t due;            /* step it then at the latest */
  ldr_watch watch;        /* of a connection of its own */
  uint64_t completion_id; /* 0: nobody is told */
  int event_fd;           /* an eventfd, once somebody wanted one; -1 */
  bool has_event_fd;      /* … and is told by it */
  ldr_code outcome;
  ldr_err *why; /* NULL: out of memory */
};

/* A statement on e alone or in tx; fails with what stands against it. */
ldr_code ldr_pgtx_usable(ldr_pgtx *tx, ldr_err *err) LDR_MUSTCHECK;
void ldr_pgtx_look_alive(ldr_pgtx *tx); /* notices that its connection was lost */
void ldr_pgtx_fail(ldr_pgtx *tx, const ldr_err *err);
extern const char ldr_pgtx_lost[]; /* a reason to be dead */
/* What an answered exchange says of prepared statements; before anybody takes its answers. */
void ldr_pg_settle(ldr_pg *e, ldr_slot *slot, ldr_exchange *r);
/* Before anything of the engine is touched: in a forked child all connections are given up. */
void ldr_pg_check_fork(ldr_pg *e);

/* ---- driven requests; on the loop's thread or in a visit ---- */
void ldr_request_ready(ldr_request *rq); /* it can go on: it is stepped at the end of the turn */
void ldr_request_not_ready(ldr_request *rq);
ldr_request *ldr_request_list_take(ldr_request_list *l);
void ldr_request_running(ldr_request *rq); /* into the list of those that are not finished */
void ldr_request_not_running(ldr_request *rq);
void ldr_request_unwatch(ldr_request *rq); /* before its own connection is closed */
void ldr_request_finished(ldr_request *rq, ldr_code code, const ldr_err *err); /* it goes back to its owner */

static inline ldr_pg *ldr_pg_of(const ldr_engine *e) {
  union {
    const ldr_engine *in;
    ldr_pg *out; /* base is its first member */
  } u = {e};
  return u.out;
}

#endif

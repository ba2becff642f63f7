/* The PostgreSQL engine's inside as data: the engine, its transactions, and the job, which is every piece of
 * its work; and what is done with these in one move. How a job runs is in postgres/request/request.h. */
#ifndef LDR_POSTGRES_REQUEST_STATE_H
#define LDR_POSTGRES_REQUEST_STATE_H

#include <stdatomic.h>

#include "async/completion.h"
#include "postgres/pool/pool.h"
#include "postgres/statement/rows.h"

typedef struct ldr_job ldr_job;
typedef struct ldr_pgtx ldr_pgtx;

typedef struct ldr_pg_counts { /* from any thread */
  _Atomic uint64_t queries, errors, transactions, commits, rollbacks, retries_stale, cancels, prepares,
      evictions;
} ldr_pg_counts;

static inline void ldr_count(_Atomic uint64_t *counter, uint64_t n) {
  atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

typedef struct ldr_jobs { /* a list of driven jobs, oldest first */
  ldr_job *first, *last;
  unsigned n;
} ldr_jobs;

typedef struct ldr_pg {
  ldr_engine base;
  ldr_conninfo *info;
  ldr_pool *pool;
  ldr_pool_config config;
  ldr_stmts stmts;
  ldr_stmt *ask_xid; /* for a transaction's id */
  ldr_buf params;    /* scratch: ldr_param of the operation at hand */
  ldr_pgtx *txs;     /* open ones */
  ldr_job *jobs;     /* running ones */
  ldr_job *spares;   /* done ones with their buffers */
  unsigned nspares;
  ldr_pg_hook *hook;
  void *hook_ud;
  ldr_pg_counts counts;
  int server_version;
  bool pooler; /* a pooler was seen between us and the server */
  /* the reactor */
  bool reactor;   /* jobs that do not block are driven */
  ldr_loop *loop; /* NULL: not started yet */
  ldr_chan *chan;
  bool came_late; /* the loop's: the owner, in this turn; how often lately; when he may drive again */
  unsigned lateness;
  unsigned bells; /* the loop's: jobs whose owner waits for their own descriptors, and so does not drive */
  int64_t no_owner_until;
  ldr_jobs ready;   /* the loop's: can go on now */
  ldr_job *running; /* the loop's: not finished */
  ldr_req *left;    /* the loop's: answered requests whose jobs did not wait for it; a list by `next` */
  int64_t due;      /* the loop's: the first deadline of a running job */
} ldr_pg;

/* ---- transactions, as jobs see them ---- */
struct ldr_pgtx {
  ldr_pg *e;
  ldr_pgtx *prev, *next;
  ldr_txopts opts;
  ldr_slot *slot;   /* the one connection; NULL: nothing was sent yet */
  ldr_job *job;     /* runs in it now */
  bool session;     /* no transaction: a connection of one's own */
  bool begun;       /* BEGIN was sent */
  bool failed;      /* by `first`; until a rollback to a savepoint */
  const char *dead; /* why nothing may run any more; NULL: alive */
  bool wrote;       /* an operation that writes, or a statement that may */
  uint64_t xid;     /* its id on the server; 0: not known yet */
  unsigned levels;  /* savepoints */
  unsigned sent;    /* … of which the server knows these */
  ldr_buf pending;  /* statements that travel with the next one, each with its zero byte */
  unsigned npending;
  ldr_err first;
};

enum { LDR_GRACE_US = 2000000 }; /* for the answer to a cancelled statement */

/* ---- jobs ---- */
typedef enum ldr_job_stage {
  LDR_JOB_ACQUIRE,
  LDR_JOB_REQUEST,
  LDR_JOB_COPY, /* the caller moves data; blocking only */
  LDR_JOB_CONNECT,
  LDR_JOB_SLEEP,
  LDR_JOB_DONE
} ldr_job_stage;
typedef enum ldr_job_phase {                    /* of a driven job: whose it is */
                             LDR_JOB_FRESH,     /* the owner's: not submitted */
                             LDR_JOB_SUBMITTED, /* the loop's */
                             LDR_JOB_RINGING,   /* the loop's for a moment: its bell must outlive the ring */
                             LDR_JOB_FINISHED   /* the owner's again */
} ldr_job_phase;
typedef ldr_code ldr_job_fn(ldr_job *j, ldr_err *err);

typedef struct ldr_job_kind {
  ldr_job_fn *start;           /* the connection is there */
  ldr_job_fn *answered;        /* the request is done; its error, if any, was not looked at */
  ldr_job_fn *copying;         /* each time COPY can go on; NULL: this job knows no COPY */
  ldr_job_fn *resume;          /* after SLEEP, and after CONNECT with its outcome in j->connected */
  ldr_job_fn *collect;         /* it went well: what is left to do on the owner's thread; NULL: nothing */
  void (*leaving)(ldr_job *j); /* before its connection goes back; NULL: nothing */
  void (*dispose)(ldr_job *j); /* frees what the kind added; NULL: nothing */
  size_t size;                 /* of its struct, 0: a plain job */
  bool timed;                  /* without a deadline of its own it has the configured one */
  bool shares;                 /* outside of a transaction it may go to a lane */
  bool ends_tx;                /* may be made for a transaction in which nothing can run any more */
} ldr_job_kind;

struct ldr_job {
  ldr_task task; /* first */
  const ldr_job_kind *kind;
  ldr_pg *e; /* NULL: the engine was closed under it */
  ldr_job *prev, *next;
  ldr_pgtx *tx;
  ldr_waiter waiter;
  ldr_slot *slot;
  ldr_conn *conn; /* that answers the request: the slot's, or one of the job's own */
  ldr_req *req;   /* never NULL */
  ldr_job_stage stage;
  ldr_code connected; /* CONNECT: how it ended */
  int64_t deadline, wake_at, spin_until;
  bool block;
  bool cancelled; /* the deadline passed and the server was told */
  bool retried;   /* run again on the same connection */
  unsigned moves; /* times it was run again on another */
  bool deletes;   /* the statement that failed was a DELETE */
  char name[64];  /* of the operation */
  /* one statement */
  ldr_stmt *stmt;
  ldr_args args;
  unsigned prefix;   /* commands of the request before the statement's own */
  unsigned main;     /* the command that is the statement itself */
  ldr_pgres *answer; /* of it, until it is collected */
  bool forget;       /* the statement's description may be old */
  /* driven */
  bool driven, late; /* late: its deadline has passed, but it has not begun */
  _Atomic ldr_job_phase phase;
  ldr_post post;
  ldr_job *next_ready;
  bool is_ready, is_running;
  ldr_job *run_prev, *run_next;
  int64_t due;     /* step it then at the latest */
  ldr_watch watch; /* of a connection of its own */
  uint64_t ticket; /* 0: nobody is told */
  int bell;        /* an eventfd, once somebody wanted one; -1 */
  bool rings;      /* … and is told by it */
  ldr_code outcome;
  ldr_err *why; /* NULL: out of memory */
};

/* A statement on e alone or in tx; fails with what stands against it. */
ldr_code ldr_pgtx_usable(ldr_pgtx *tx, ldr_err *err) LDR_MUSTCHECK;
void ldr_pgtx_look_alive(ldr_pgtx *tx); /* notices that its connection was lost */
void ldr_pgtx_fail(ldr_pgtx *tx, const ldr_err *err);
extern const char ldr_pgtx_lost[]; /* a reason to be dead */
/* What an answered request says of prepared statements; before anybody takes its answers. */
void ldr_pg_settle(ldr_pg *e, ldr_slot *slot, ldr_req *r);
/* Before anything of the engine is touched: in a forked child all connections are given up. */
void ldr_pg_check_fork(ldr_pg *e);

/* ---- driven jobs; on the loop's thread or in a visit ---- */
void ldr_job_ready(ldr_job *j); /* it can go on: it is stepped at the end of the turn */
void ldr_job_not_ready(ldr_job *j);
ldr_job *ldr_jobs_take(ldr_jobs *l);
void ldr_job_running(ldr_job *j); /* into the list of those that are not finished */
void ldr_job_not_running(ldr_job *j);
void ldr_job_unwatch(ldr_job *j); /* before its own connection is closed */
void ldr_job_finished(ldr_job *j, ldr_code code, const ldr_err *err); /* it goes back to its owner */

static inline ldr_pg *ldr_pg_of(const ldr_engine *e) {
  union {
    const ldr_engine *in;
    ldr_pg *out; /* base is its first member */
  } u = {e};
  return u.out;
}

#endif

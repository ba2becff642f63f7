/* The PostgreSQL engine's inside: the engine itself, and the job, which is every piece of its work.
 *
 *   ACQUIRE ──► start() ──► REQUEST ──► answered() ──► end        each function returns LDR_PENDING after it
 *      pool                    ▲  │                               submitted a request, else the job's result
 *                              └──┘ SLEEP, CONNECT: resume()
 *
 * A call that blocks runs the same job and polls between its steps. A job's deadline covers all of it; when
 * it passes, the statement is cancelled and its answer awaited for two seconds, else the connection is cut.
 * So an answer never reaches anybody but its job. */
#ifndef LDR_PGJOB_H
#define LDR_PGJOB_H

#include "ldr_pgrows.h"
#include "ldr_pool.h"

typedef struct ldr_job ldr_job;
typedef struct ldr_pgtx ldr_pgtx;

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
  ldr_pg_stats stats; /* the engine's part of it */
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
typedef ldr_code ldr_job_fn(ldr_job *j, ldr_err *err);

typedef struct ldr_job_kind {
  ldr_job_fn *start;           /* the connection is there */
  ldr_job_fn *answered;        /* the request is done; its error, if any, was not looked at */
  ldr_job_fn *copying;         /* each time COPY can go on; NULL: this job knows no COPY */
  ldr_job_fn *resume;          /* after SLEEP, and after CONNECT with its outcome in j->connected */
  void (*dispose)(ldr_job *j); /* frees what the kind added; NULL: nothing */
  size_t size;                 /* of its struct, 0: a plain job */
  bool timed;                  /* without a deadline of its own it has the configured one */
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
  ldr_req req;
  ldr_job_stage stage;
  ldr_code connected; /* CONNECT: how it ended */
  int64_t deadline, wake_at, spin_until;
  bool block;
  bool cancelled; /* the deadline passed and the server was told */
  bool retried;
  char name[64]; /* of the operation */
  /* one statement */
  ldr_stmt *stmt;
  ldr_args args;
  unsigned prefix; /* commands of the request before the statement's own */
  unsigned main;   /* the command that is the statement itself */
  bool wants_rows;
};

/* A job of `kind` in tx (NULL: alone), not started. Fails at once when nothing can run in tx. */
ldr_code ldr_job_new(ldr_pg *e, ldr_pgtx *tx, const ldr_job_kind *kind, const char *name,
                     const ldr_call *call, ldr_job **out, ldr_err *err) LDR_MUSTCHECK;
/* Runs it: to its end when it blocks; else *task is set with LDR_PENDING. The job is consumed. out may be
 * NULL. */
ldr_code ldr_job_run(ldr_job *j, ldr_result *out, ldr_task **task, ldr_err *err) LDR_MUSTCHECK;
/* Blocking, and the job stays: to its end, or (LDR_PENDING) until the caller's turn to copy has come. */
ldr_code ldr_job_drive(ldr_job *j, ldr_err *err) LDR_MUSTCHECK;
void ldr_job_free(ldr_job *j); /* at any time; NULL is fine */
/* Ends the work under way; who steps its task is told that it is over. The task stays its owner's. */
void ldr_job_stop(ldr_job *j);

/* The engine closes: */
void ldr_job_detach(ldr_job *j); /* the task stays its owner's, and is over */
void ldr_job_free_spares(ldr_pg *e);

/* For start and answered: */
ldr_code ldr_job_prefix(ldr_job *j,
                        ldr_err *err) LDR_MUSTCHECK; /* what tx has pending goes into the request first */
ldr_code ldr_job_submit(ldr_job *j, ldr_err *err) LDR_MUSTCHECK; /* LDR_PENDING when sent */
ldr_code ldr_job_error(ldr_job *j, ldr_err *err); /* what the failed request means to the caller */
bool ldr_job_failed(const ldr_job *j);
void ldr_job_sleep(ldr_job *j, int64_t us);
ldr_cmd *ldr_job_query(ldr_job *j, const char *sql); /* one more command; NULL: out of memory */

/* A statement on e alone or in tx; fails with what stands against it. */
ldr_code ldr_pgtx_usable(ldr_pgtx *tx, ldr_err *err) LDR_MUSTCHECK;
void ldr_pgtx_fail(ldr_pgtx *tx, const ldr_err *err);
extern const char ldr_pgtx_lost[]; /* a reason to be dead */
/* What an answered request says of prepared statements; before anybody takes its answers. */
void ldr_pg_settle(ldr_pg *e, ldr_slot *slot, ldr_req *r);
/* Polls for what `fd` waits, EINTR included; deadline in monotonic microseconds. */
void ldr_pg_wait(int fd, unsigned events, int64_t deadline);

static inline ldr_pg *ldr_pg_of(const ldr_engine *e) {
  union {
    const ldr_engine *in;
    ldr_pg *out; /* base is its first member */
  } u = {e};
  return u.out;
}

#endif

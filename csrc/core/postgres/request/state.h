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
typedef ldr_hook ldr_pg_hook;

typedef struct ldr_pg_counts { /* from any thread */
  _Atomic uint64_t queries, errors, transactions, commits, rollbacks, retries_stale, cancels, prepares,
      evictions;
} ldr_pg_counts;

static inline void ldr_count(_Atomic uint64_t *counter, uint64_t n) {
  atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* Every request is in exactly one state. One that the loop runs is on the list of its state, too, from READY
 * to SLEEPING. ldr_request_move alone changes the state; docs/architecture.md shows what may follow what. */
typedef enum ldr_request_state {
  LDR_REQUEST_FREE,       /* no request: a spare */
  LDR_REQUEST_NEW,        /* made, not submitted */
  LDR_REQUEST_POSTED,     /* in the loop's inbox */
  LDR_REQUEST_READY,      /* asks for a connection, or has one, and starts */
  LDR_REQUEST_WAITING,    /* for a connection */
  LDR_REQUEST_SENT,       /* its exchange is under way */
  LDR_REQUEST_EXPIRED,    /* the same; its deadline passed behind others, and it may have effects */
  LDR_REQUEST_COPYING,    /* the server takes or gives COPY data */
  LDR_REQUEST_CANCELLING, /* its deadline passed; the server was told, and its answer is awaited */
  LDR_REQUEST_ANSWERED,   /* the exchange is done or lost */
  LDR_REQUEST_DRAINING,   /* answered, but its cancel is still on its way to the server */
  LDR_REQUEST_CONNECTING, /* to the server by itself, without the pool */
  LDR_REQUEST_SLEEPING,   /* until a time */
  LDR_REQUEST_DONE,       /* the outcome is there */
  LDR_REQUEST_NSTATES
} ldr_request_state;

typedef struct ldr_request_list { /* requests of one state, in the order in which they entered it */
  ldr_request *first, *last;
  unsigned n;
} ldr_request_list;

enum { LDR_SPARES = 2 };

typedef struct ldr_pg {
  ldr_engine base;
  ldr_conninfo *info;
  ldr_pool *pool;
  ldr_pool_config config;
  ldr_stmts stmts;
  ldr_stmt *ask_xid;     /* for a transaction's id */
  ldr_stmt *begin;       /* ldr_pgtx_begin_sql */
  ldr_buf params;        /* scratch: ldr_param of the operation at hand */
  ldr_pgtx *txs;         /* open ones */
  uint64_t ntxs;         /* that there were */
  ldr_request *requests; /* running ones */
  struct {               /* done ones with their buffers: statements, ends of transactions */
    ldr_request *first;
    unsigned n;
  } spares[LDR_SPARES];
  ldr_pgtx *spare_txs; /* a list by `next` */
  unsigned nspare_txs;
  ldr_pg_hook *hook;
  void *hook_ud;
  ldr_pg_counts counts;
  /* the reactor */
  bool reactor;   /* requests that do not block run on the loop */
  ldr_loop *loop; /* NULL: not started yet */
  ldr_completions *completions;
  /* the loop's: */
  bool came_late;            /* the owner's poll came late in this turn */
  unsigned lateness;         /* how often it did lately */
  int64_t no_owner_until;    /* no inline runs before */
  unsigned event_fd_waiters; /* requests whose owner waits for their own descriptors, so he runs no turns */
  ldr_request_list in[LDR_REQUEST_NSTATES];
  ldr_exchange_list finished; /* exchanges that are done, before their requests know it */
  ldr_exchange *detached;     /* answered exchanges that have no request any more; a list by `next` */
  int64_t due;                /* no timer of a request is due earlier */
} ldr_pg;

/* ---- transactions, as requests see them ---- */
struct ldr_pgtx {
  ldr_pg *e;
  ldr_pgtx *prev, *next;
  uint64_t number; /* from 1 */
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
  ldr_err first; /* the last member: what `failed` does not vouch for was never set */
};

/* Prepared anew; then without a name, since its table may have changed again. */
enum { LDR_HEALS_MAX = 2 };

enum { LDR_GRACE_US = 2000000 }; /* for the answer to a cancelled statement */

/* ---- requests ---- */
typedef ldr_code ldr_request_fn(ldr_request *rq, ldr_err *err);

typedef struct ldr_request_kind {
  /* a table that nothing is known of, and that must be asked about before start; NULL: none is left */
  ldr_live *(*unknown)(ldr_request *rq);
  ldr_request_fn *start;    /* the connection is there */
  ldr_request_fn *answered; /* the exchange is done; its error, if any, was not looked at */
  ldr_request_fn *copying;  /* each time COPY can go on; NULL: this request knows no COPY */
  ldr_request_fn *resume;   /* after SLEEPING, and after CONNECTING with its outcome in rq->connected */
  ldr_request_fn *collect;  /* it went well: what is left to do on the owner's thread; NULL: nothing */
  void (*leaving)(ldr_request *rq); /* before its connection goes back; NULL: nothing */
  void (*dispose)(ldr_request *rq); /* frees what the kind added; NULL: nothing */
  size_t size;                      /* of its struct, 0: a plain request */
  bool exact;                       /* columns must have the very types that are declared: binary COPY */
  bool timed;                       /* without a deadline of its own it has the configured one */
  bool shares;                      /* outside of a transaction it may go to a shared connection */
  bool by_caller;                   /* once COPY has begun, the caller moves the data; blocking only */
  bool takes_context;               /* sets what the call runs as, in front of its statements */
  bool ends_tx;                     /* may be made for a transaction in which nothing can run any more */
} ldr_request_kind;

struct ldr_request {
  ldr_task task; /* first */
  const ldr_request_kind *kind;
  ldr_pg *e; /* NULL: the engine was closed under it */
  ldr_request *prev, *next;
  ldr_pgtx *tx;
  ldr_context *context; /* what it runs as, counted; NULL: as the connection */
  ldr_waiter waiter;
  ldr_slot *slot;
  ldr_conn *conn;                  /* that answers the exchange: the slot's, or one of the request's own */
  ldr_exchange *exchange;          /* never NULL */
  _Atomic ldr_request_state state; /* changed by ldr_request_move only */
  ldr_request *in_prev, *in_next;  /* on the list of its state */
  ldr_code connected;              /* CONNECTING: how it ended */
  int64_t deadline, wake_at, spin_until;
  int64_t left_at;  /* when its caller went to do something else; 0: it is at it */
  bool block;       /* the caller waits inside; else a task is handed out */
  bool ahead;       /* … but no longer than until it can do something else: then it is handed out, too */
  bool caller_free; /* it can: data is under way, or the answer is expected to be what was given */
  bool on_loop;     /* the reactor runs it; else its caller does, and it is on no list */
  bool timed_out;   /* its deadline passed: what it fails with is that */
  unsigned healed;  /* how often it ran again on its connection, since its statement was stale */
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
  bool asks_xid;     /* the last command asks for the transaction's id */
  ldr_pgres *answer; /* of it, until it is collected */
  bool forget;       /* the statement's description may be old */
  bool as_text;      /* … and is: it runs once more, with results as text */
  int given;      /* LDR_GIVEN_… (postgres/exec/given.h): how a write learns what it stored; 0: as usual */
  ldr_stmt *ran;  /* … the statement that `answer` answers: stmt, or one of its ldr_given; stmt counts it */
  bool row_known; /* … and whether its caller can do without the row, and the statement has a ldr_given */
  size_t rows_given; /* … of an insert: how many rows */
  bool as_given;     /* … and what was given is stored so */
  unsigned row_at;   /* … else the command that reads its row, with the catalog behind it */
  int64_t analyzed;  /* … the time that came back with it */
  ldr_bind key;      /* … and what reads its row again */
  /* on the loop */
  ldr_post post;
  int64_t due;            /* its timer: it is stepped then, unless something else comes first */
  ldr_watch watch;        /* of a connection of its own */
  uint64_t completion_id; /* 0: nobody is told */
  int event_fd;           /* an eventfd, once somebody wanted one; -1 */
  bool has_event_fd;      /* … and is told by it; changed with the loop locked */
  ldr_code outcome;
  ldr_err *why; /* NULL: out of memory */
};

/* A statement on e alone or in tx; fails with what stands against it. */
ldr_code ldr_pgtx_usable(ldr_pgtx *tx, ldr_err *err) LDR_MUSTCHECK;
/* Fails when it is known that a session cannot be kept. With a connection, or with the loop locked. */
ldr_code ldr_pg_keeps_sessions(const ldr_pg *e, ldr_err *err) LDR_MUSTCHECK;
void ldr_pgtx_look_alive(ldr_pgtx *tx); /* notices that its connection was lost */
void ldr_pgtx_fail(ldr_pgtx *tx, const ldr_err *err);
extern const char ldr_pgtx_lost[], ldr_pgtx_ended[]; /* reasons to be dead */
/* A transaction, and no session of one's own; NULL: neither. */
static inline bool ldr_pgtx_is_transaction(const ldr_pgtx *tx) { return tx && !tx->session; }
extern const char ldr_pgtx_begin_sql[]; /* BEGIN without options */
/* The statements that travel with the next one: the i-th, after the one `before` it; NULL: no more. tx may be
 * NULL. Once that is sent: ldr_pgtx_sent. */
const char *ldr_pgtx_next_pending(const ldr_pgtx *tx, unsigned i, const char *before);
void ldr_pgtx_sent(ldr_pgtx *tx);
/* What an answered exchange says of the session: its prepared statements, and whether it was put back. Before
 * anybody takes its answers. */
void ldr_pg_settle(ldr_pg *e, ldr_slot *slot, ldr_exchange *r);
/* Before anything of the engine is touched: in a forked child all connections are given up. */
void ldr_pg_check_fork(ldr_pg *e);

/* ---- states ---- */
static inline ldr_request_state ldr_request_state_of(const ldr_request *rq) {
  return atomic_load_explicit(&rq->state, memory_order_acquire);
}
/* The only way to another state. Requests on the loop: with the loop locked, but for NEW to POSTED and DONE
 * to FREE, which are the owner's. A move that the table does not know ends the process. */
void ldr_request_move(ldr_request *rq, ldr_request_state to);
/* The timer of rq is due at once. */
void ldr_request_poke(ldr_request *rq);
/* A request on the loop ends: it is DONE and goes back to its owner, who is told. Nothing of it may be
 * touched afterwards. */
void ldr_request_finished(ldr_request *rq, ldr_code code, const ldr_err *err);
void ldr_request_unwatch(ldr_request *rq); /* before its own connection is closed */
/* Its connection is none of the pool's: it asks for a commit's outcome. */
static inline bool ldr_request_owns_conn(const ldr_request *rq) {
  return rq->conn && (rq->slot == NULL || rq->conn != rq->slot->conn);
}

static inline ldr_pg *ldr_pg_of(const ldr_engine *e) {
  union {
    const ldr_engine *in;
    ldr_pg *out; /* base is its first member */
  } u = {e};
  return u.out;
}

#endif

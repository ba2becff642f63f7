/* The PostgreSQL engine: operations compiled by shape, statements prepared by hash, a pool, transactions
 * bound to one physical connection. libpq itself is behind postgres/protocol/connection.h. */
#ifndef LDR_POSTGRES_POSTGRES_H
#define LDR_POSTGRES_POSTGRES_H

#include "engine/engine.h"

typedef struct ldr_pool_config {
  unsigned max, min;        /* 25, 5 */
  double connect_timeout;   /* seconds, 30 */
  double open_timeout;      /* of ldr_pg_open, which waits; 0: connect_timeout */
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

/* keywords, values: NULL-ended arrays as PQconnectdbParams takes them (no conninfo text is ever built, so
 * nothing is escaped). Connects once, waiting, to prove the settings; detects a pooler and the server's
 * version. */
ldr_code ldr_pg_open(const char *const *keywords, const char *const *values, const ldr_pool_config *,
                     ldr_engine **out, ldr_err *) LDR_MUSTCHECK;
/* What an engine was opened with, borrowed from it: for another one to the same server. */
void ldr_pg_settings(const ldr_engine *, const char *const **keywords, const char *const **values,
                     ldr_pool_config *config);
/* Parse a URI or key/value conninfo exactly as libpq does: calls each(ud, keyword, value) for every setting
 * given. The error never quotes the text. */
ldr_code ldr_pg_parse_conninfo(const char *s, void (*each)(void *ud, const char *keyword, const char *value),
                               void *ud, ldr_err *) LDR_MUSTCHECK;

/* ---- raw statements ---- */
typedef struct ldr_stmt ldr_stmt; /* counted; parameter and result types as the server described them */
/* Cached by text; *task only with LDR_PENDING (then the result is fetched with ldr_pg_prepared). */
ldr_code ldr_pg_prepare(ldr_engine *, ldr_tx *, const char *sql, size_t n, const ldr_call *, ldr_stmt **out,
                        ldr_task **task, ldr_err *) LDR_MUSTCHECK;
ldr_stmt *ldr_pg_prepared(ldr_task *done);
unsigned ldr_stmt_params(const ldr_stmt *, const ldr_column **types);
void ldr_stmt_release(ldr_stmt *); /* NULL is fine */
/* values: one a parameter, of the parameter's type (or text for LDR_F_UNKNOWN), nulls allowed. */
ldr_code ldr_pg_execute(ldr_engine *, ldr_tx *, ldr_stmt *, const ldr_value *values, const ldr_call *,
                        ldr_result *out, ldr_task **task, ldr_err *) LDR_MUSTCHECK;

/* Several statements or operations in one round trip. Each item is an operation, or a statement with its
 * values. atomic: one implicit transaction, the first failure stops the rest (they get LDR_CANCELED); else
 * each stands alone. results[i] and errs[i] (NULL = fine, else allocated, ldr_free it) for each item; both
 * are filled while a task runs, and belong to the caller however it ends. Fails as a whole only when nothing
 * was sent. In tx: always atomic. */
typedef struct ldr_item {
  const ldr_op *op;
  ldr_stmt *stmt;
  const ldr_value *values;
} ldr_item;
ldr_code ldr_pg_pipeline(ldr_engine *, ldr_tx *, const ldr_item *items, size_t n, bool atomic,
                         const ldr_call *, ldr_result *results, ldr_err **errs, ldr_task **task,
                         ldr_err *) LDR_MUSTCHECK;

/* ---- a session: one connection of its own without a transaction, as an ldr_tx whose rollback gives it back
 * ---- */
ldr_code ldr_pg_session(ldr_engine *, const ldr_call *, ldr_tx **out, ldr_err *) LDR_MUSTCHECK; /* blocking */
/* Several statements by the simple protocol, no results (migration files). In a session or transaction; *line
 * = line of the failing statement or 0. */
ldr_code ldr_pg_script(ldr_tx *, const char *sql, const ldr_call *, unsigned *line, ldr_err *) LDR_MUSTCHECK;
int ldr_pg_backend_pid(const ldr_tx *); /* 0 when not connected */
/* COPY, any format. begin sends the statement; data as often as wanted; end with why = NULL commits, else
 * cancels it. Blocking. */
ldr_code ldr_pg_copy_in_begin(ldr_tx *, const char *sql, const ldr_call *, ldr_err *) LDR_MUSTCHECK;
ldr_code ldr_pg_copy_in_data(ldr_tx *, const void *p, size_t n, const ldr_call *, ldr_err *) LDR_MUSTCHECK;
ldr_code ldr_pg_copy_in_end(ldr_tx *, const char *why, const ldr_call *, int64_t *rows,
                            ldr_err *) LDR_MUSTCHECK;
ldr_code ldr_pg_copy_out_begin(ldr_tx *, const char *sql, const ldr_call *, ldr_err *) LDR_MUSTCHECK;
/* *p = NULL at the end. The bytes are valid until the next call. */
ldr_code ldr_pg_copy_out_data(ldr_tx *, const ldr_call *, const char **p, size_t *n, ldr_err *) LDR_MUSTCHECK;

/* ---- the reactor: a thread that drives the engine's connections ----
 *
 * For programs with an event loop. From ldr_pg_use_reactor on, a call that does not block returns LDR_PENDING
 * with a task that waits to be submitted. The thread then does all the work; single statements of many
 * callers share few connections (postgres/pool/multiplex.h). A finished task is known by its ticket;
 * ops->step then brings its result, before that it answers LDR_PENDING. A task that is freed early is
 * cancelled. Deadlines are watched by the thread: the task finishes at the latest two seconds after its own.
 * Calls that block still do, on a connection that the thread lends them. The thread starts with the first
 * use, in a forked child anew. */
void ldr_pg_use_reactor(ldr_engine *);
/* ticket: reported once by ldr_pg_done; 0: not reported. */
ldr_code ldr_task_submit(ldr_task *, uint64_t ticket, ldr_err *) LDR_MUSTCHECK;
bool ldr_task_wait(ldr_task *, int64_t deadline); /* submits when needed, blocks; false: not finished yet */
int ldr_task_fd(
    ldr_task *); /* submits when needed; readable once it is finished, the task's own; -1: failed */
/* Readable when ldr_pg_done should be called; -1: failed. While there is only light work under way that does
 * it, a turn of the loop at a time (ldr_loop_drive); so only the thread that submits may poll and call. */
int ldr_pg_wake_fd(ldr_engine *, ldr_err *);
/* For an event loop that can wait for sockets only: the path of a unix socket. A byte arrives when tickets
 * begin to wait, and one twice a second. It takes one connection of this process; ask again for another. */
ldr_code ldr_pg_wake_path(ldr_engine *, const char **path, ldr_err *) LDR_MUSTCHECK;
size_t ldr_pg_done(ldr_engine *, uint64_t *tickets, size_t max); /* takes tickets, oldest first */

/* ---- observation ---- */
typedef struct ldr_pg_stats {
  unsigned max, total, idle, busy, waiting;
  uint64_t connects, connect_failures, destroyed_idle, destroyed_lifetime, destroyed_broken;
  uint64_t acquires, acquire_waits, acquire_timeouts, acquire_wait_us;
  uint64_t queries, errors, transactions, commits, rollbacks, retries_stale, cancels, prepares, evictions;
  int server_version; /* 150020 */
  bool pooler;        /* a pooler was seen between us and the server */
} ldr_pg_stats;
void ldr_pg_stats_get(const ldr_engine *, ldr_pg_stats *out);

/* Test hook: called between the steps of a commit ("before_commit", "after_commit_sent"); NULL: off. */
typedef void ldr_pg_hook(void *ud, const char *point, int backend_pid);
void ldr_pg_set_hook(ldr_engine *, ldr_pg_hook *, void *ud);

#endif

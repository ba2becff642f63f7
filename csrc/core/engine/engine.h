/* What an engine is. Two exist: memory (memory/db.h) and PostgreSQL (postgres/postgres.h).
 *
 * Waiting: with call->block the engine waits inside (a plain script). Without, an engine that must wait
 * returns LDR_PENDING and a task; the caller waits for the task's file descriptor in its own way and steps
 * it. The memory engine never waits. One engine, its transactions and tasks belong to one thread. */
#ifndef LDR_ENGINE_ENGINE_H
#define LDR_ENGINE_ENGINE_H

#include "base/io.h"
#include "model/op.h"
#include "model/rows.h"

typedef struct ldr_engine ldr_engine;
typedef struct ldr_tx ldr_tx;
typedef struct ldr_task ldr_task;
typedef struct ldr_scan ldr_scan;

/* What a call runs as: settings of the server that hold for its own statement alone. Only an engine that can
 * keep them apart makes one. Immutable; counted, by the engine's thread. */
typedef struct ldr_context ldr_context;
struct ldr_context { /* engines embed it first */
  unsigned refs;
  void (*free)(ldr_context *);
};
typedef struct ldr_setting {
  const char *name, *value;
} ldr_setting;

typedef struct ldr_call {
  int64_t deadline; /* monotonic microseconds, LDR_NEVER: covers pool wait, connect and statement */
  bool block;
  bool ahead;           /* of what blocks: LDR_PENDING when its caller may do something else while the server
                           works, see `run` and `load`; step then waits inside, to the end */
  ldr_context *context; /* borrowed; NULL: none. Not in a transaction, which has settings of its own */
} ldr_call;

typedef struct ldr_result {
  ldr_rows *rows;   /* owned by the caller; NULL when the operation returns none */
  int64_t affected; /* rows inserted, updated, deleted, counted */
  bool as_given;    /* the rows of a write are stored as the operation gives them: `rows` has the columns that
                       ldr_op_given does not know, in order, and is NULL when there are none, as of several
                       rows */
} ldr_result;

typedef enum ldr_isolation {
  LDR_ISO_DEFAULT,
  LDR_READ_COMMITTED,
  LDR_REPEATABLE_READ,
  LDR_SERIALIZABLE
} ldr_isolation;
typedef struct ldr_txopts {
  ldr_isolation isolation;
  bool read_only, deferrable;
  bool cursor; /* it is there for a cursor alone: errors that name holders say so */
  const ldr_context
      *context; /* what it is begun for, which the caller sets in it; lives as long. NULL: none */
} ldr_txopts;

/* What one more engine to the same database is opened with: a connection of one's own for a thread of one's
 * own. Made on the engine's thread; opened and freed on any, which then owns the engine. */
typedef struct ldr_source ldr_source;
struct ldr_source {                                            /* engines embed it first */
  ldr_code (*open)(ldr_source *, ldr_engine **out, ldr_err *); /* waits; as often as wanted */
  void (*free)(ldr_source *);
};

/* Groups of what not every engine can do; an engine without one has NULL there. */

typedef struct ldr_stmt ldr_stmt; /* counted; its engine releases it */
typedef struct ldr_item {         /* of a pipeline: an operation, or a statement with its values */
  const ldr_op *op;
  ldr_stmt *stmt;
  const ldr_value *values;
} ldr_item;

typedef struct ldr_sql_group { /* raw statements */
  /* Cached by text. *task only with LDR_PENDING. */
  ldr_code (*prepare)(ldr_engine *, ldr_tx *, const char *sql, size_t n, const ldr_call *, ldr_stmt **out,
                      ldr_task **task, ldr_err *);
  ldr_stmt *(*prepared)(ldr_task *done); /* what a task that prepares has brought */
  unsigned (*params)(const ldr_stmt *, const ldr_column **types);
  void (*forget)(ldr_engine *, ldr_stmt *); /* who prepares this text next asks the server again */
  ldr_code (*execute)(ldr_engine *, ldr_tx *, ldr_stmt *, const ldr_value *values, const ldr_call *,
                      ldr_result *out, ldr_task **task, ldr_err *);
  /* Several in one round trip. atomic: one implicit transaction, the first failure stops the rest (they get
   * LDR_CANCELED); else each stands alone; in tx always atomic. results[i] and errs[i] (NULL: fine; else
   * ldr_free it) are filled while a task runs and are the caller's however it ends. Fails as a whole only
   * when nothing was sent. */
  ldr_code (*pipeline)(ldr_engine *, ldr_tx *, const ldr_item *items, size_t n, bool atomic, const ldr_call *,
                       ldr_result *results, ldr_err **errs, ldr_task **task, ldr_err *);
  void (*release)(ldr_stmt *); /* also after the engine's end */
} ldr_sql_group;

typedef struct ldr_session_group { /* a connection of one's own without a transaction; all of it waits */
  ldr_code (*available)(const ldr_engine *, ldr_err *); /* LDR_UNSUPPORTED: a pooler keeps no sessions */
  ldr_code (*open)(ldr_engine *, const ldr_call *, ldr_tx **out, ldr_err *); /* rollback gives it back */
  /* Several statements, no results. An error's line and place are those in the text where the server says so.
   */
  ldr_code (*script)(ldr_tx *, const char *sql, const ldr_call *, ldr_err *);
  int (*backend_pid)(const ldr_tx *); /* 0 when not connected */
  /* COPY, any format, also in a transaction. begin sends the statement; data as often as wanted; end with
   * why NULL ends it well, else cancels it. */
  ldr_code (*copy_in_begin)(ldr_tx *, const char *sql, const ldr_call *, ldr_err *);
  ldr_code (*copy_in_data)(ldr_tx *, const void *p, size_t n, const ldr_call *, ldr_err *);
  ldr_code (*copy_in_end)(ldr_tx *, const char *why, const ldr_call *, int64_t *rows, ldr_err *);
  ldr_code (*copy_out_begin)(ldr_tx *, const char *sql, const ldr_call *, ldr_err *);
  /* *p = NULL at the end. The bytes are valid until the next call. */
  ldr_code (*copy_out_data)(ldr_tx *, const ldr_call *, const char **p, size_t *n, ldr_err *);
} ldr_session_group;

typedef struct ldr_context_group { /* calls that run as somebody */
  /* Settings in the order in which they take effect; copied. */
  ldr_code (*make)(const ldr_setting *settings, size_t n, ldr_context **out, ldr_err *);
} ldr_context_group;

typedef struct ldr_async_group { /* a thread that works on submitted tasks: see postgres/request/submit.h */
  void (*use)(ldr_engine *);     /* from now on calls that do not block give tasks to submit */
  ldr_code (*submit)(ldr_task *, uint64_t completion_id, ldr_err *);
  /* Submits when needed, blocks; false: not finished yet. One that its caller steps: until it is to be
   * stepped. */
  bool (*wait)(ldr_task *, int64_t deadline);
  int (*fd)(ldr_task *);                   /* submits when needed; readable once it is finished; -1 */
  int (*wake_fd)(ldr_engine *, ldr_err *); /* readable when `done` should be called; -1: failed */
  ldr_code (*wake_path)(ldr_engine *, const char **path, ldr_err *); /* the same as a unix socket */
  size_t (*done)(ldr_engine *, uint64_t *completion_ids, size_t max);
} ldr_async_group;

typedef struct ldr_keyed_group { /* rows by their key at once: the engine has them in this process */
  ldr_row *(*find)(const ldr_engine *, const ldr_entity *, const ldr_value *key); /* borrowed, or NULL */
  ldr_code (*get)(ldr_engine *, ldr_tx *, const ldr_entity *, const ldr_value *key, ldr_row **out, ldr_err *);
} ldr_keyed_group;

typedef struct ldr_stat { /* a counter or gauge */
  const char *name;
  uint64_t value;
  bool flag; /* the value is a boolean */
} ldr_stat;
enum { LDR_MAX_STATS = 32 };

/* Test hook: called at points of a commit, on the thread that commits. */
typedef void ldr_hook(void *ud, const char *point, int backend_pid);

typedef struct ldr_engine_ops {
  const char *name; /* "memory", "postgres" */

  /* Run one operation, in tx or (NULL) alone and atomic. *task is set only with LDR_PENDING. After a failed
   * statement in a transaction, every later one fails with LDR_CLOSED and sqlstate 25P02 until a rollback to
   * a savepoint, on both engines. With call->ahead and call->block LDR_PENDING says that the operation was
   * sent and that its result is expected to be `as_given`, without rows: the caller may make its answer of
   * the operation meanwhile. The result tells whether it is so. */
  ldr_code (*run)(ldr_engine *, ldr_tx *, const ldr_op *, const ldr_call *, ldr_result *out, ldr_task **task,
                  ldr_err *);

  /* Never waits: BEGIN travels with the first statement. */
  ldr_code (*begin)(ldr_engine *, const ldr_txopts *, ldr_tx **out, ldr_err *);
  /* Savepoints nest; each call opens one more level / closes the innermost. Never wait: they travel with the
   * next statement. */
  ldr_code (*savepoint)(ldr_tx *, ldr_err *);
  ldr_code (*release)(ldr_tx *, ldr_err *);
  ldr_code (*rollback_to)(
      ldr_tx *, ldr_err *); /* undoes and closes the innermost level; revives a failed transaction */
  /* Both consume tx once they are done, also on error (with LDR_PENDING: when the task ends). Committing a
   * failed transaction rolls back and returns the error that made it fail. */
  ldr_code (*commit)(ldr_tx *, const ldr_call *, ldr_task **task, ldr_err *);
  ldr_code (*rollback)(ldr_tx *, const ldr_call *, ldr_task **task, ldr_err *);
  /* Give up tx without waiting (garbage collection): its work is undone, its connection destroyed. */
  void (*abandon)(ldr_tx *);

  /* Bulk. load: all rows of b or none, by binary COPY or its twin. conflict SKIP leaves rows whose key or
   * unique exists, UPDATE replaces every column of the row with the same key. *loaded = rows written. tx may
   * be NULL. With call->ahead LDR_PENDING comes once the server is at the rows. What the caller does then,
   * before it waits or steps, does not count against the deadline. */
  ldr_code (*load)(ldr_engine *, ldr_tx *, const ldr_batch *b, ldr_conflict, const ldr_call *,
                   int64_t *loaded, ldr_task **task, ldr_err *);
  /* scan: every row of e in no order, all fields with the hidden ones, as of one snapshot. */
  ldr_code (*scan)(ldr_engine *, ldr_tx *, const ldr_entity *e, const ldr_call *, ldr_scan **out, ldr_err *);

  /* The settings of one more engine with a single connection; timeout: seconds that connecting may take.
   * NULL: there is only this one. */
  ldr_code (*clone)(const ldr_engine *, double timeout, ldr_source **out, ldr_err *);

  const ldr_sql_group *sql;
  const ldr_session_group *session;
  const ldr_context_group *context;
  const ldr_async_group *async;
  const ldr_keyed_group *keyed;

  size_t (*stats)(const ldr_engine *, ldr_stat out[LDR_MAX_STATS]); /* how many */
  void (*set_hook)(ldr_engine *, ldr_hook *, void *ud);             /* NULL: it has none */

  void (*close)(ldr_engine *); /* frees; open transactions are abandoned. NULL is fine */
} ldr_engine_ops;

struct ldr_engine {
  const ldr_engine_ops *ops;
}; /* engines embed it first */

/* The groups of an engine; NULL, and err says what is not supported, when it has none. */
const ldr_sql_group *ldr_engine_sql(const ldr_engine *e, ldr_err *err) LDR_MUSTCHECK;
const ldr_session_group *ldr_engine_session(const ldr_engine *e, ldr_err *err) LDR_MUSTCHECK;
const ldr_context_group *ldr_engine_context(const ldr_engine *e, ldr_err *err) LDR_MUSTCHECK;
const ldr_async_group *ldr_engine_async(const ldr_engine *e, ldr_err *err) LDR_MUSTCHECK;
/* LDR_UNSUPPORTED: what the engine has not. Whoever needs several groups at once says it by this, too. */
ldr_code ldr_engine_lacks(const ldr_engine *e, const char *what, ldr_err *err);

ldr_context *ldr_context_retain(ldr_context *c); /* NULL is fine; returns c */
void ldr_context_release(ldr_context *c);        /* NULL is fine; also after the engine's end */

/* A scan hands out batches; *b is NULL at the end. Blocking only. */
struct ldr_scan {
  ldr_code (*next)(ldr_scan *, size_t max, const ldr_call *, ldr_batch **b, ldr_err *);
  void (*close)(ldr_scan *); /* early close is safe */
};

/* ---- tasks: work of one engine that waits ---- */
typedef struct ldr_task_ops {
  ldr_code (*step)(ldr_task *,
                   ldr_err *); /* LDR_PENDING, or LDR_OK: finished well, take the result; else failed */
  void (*free)(ldr_task *); /* before the end: cancels; the connection is cleaned or destroyed, never handed
                               on dirty */
} ldr_task_ops;

struct ldr_task { /* engines embed it first */
  const ldr_task_ops *ops;
  int fd;            /* what it waits for; -1: only for time or for another task of the pool */
  unsigned events;   /* LDR_READ | LDR_WRITE */
  int64_t deadline;  /* step again at the latest then */
  ldr_result result; /* after LDR_OK; the taker sets rows to NULL */
};
#endif

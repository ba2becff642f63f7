/* One connection on which migrations run: it holds the lock, and nothing of one file reaches the next.
 * Blocking; of one thread. */
#ifndef LDR_MIGRATE_SESSION_H
#define LDR_MIGRATE_SESSION_H

#include <stdatomic.h>

#include "engine/engine.h"

typedef struct ldr_session {
  ldr_engine *engine; /* of its own */
  ldr_tx *tx;         /* the connection; NULL: not there */
  int pid;            /* of its backend */
  bool locked;
  double statement_timeout; /* seconds a statement of a file may take; 0: no limit */
  double table_timeout;     /* seconds it may wait for a lock; 0: no limit */
  double patience;          /* seconds to wait for the migration lock */
  atomic_bool *stop;        /* from any thread: give up at the next wait; NULL: never */
} ldr_session;

/* Connects. LDR_UNSUPPORTED (pooler) when what answers is not the session's own backend. */
ldr_code ldr_session_open(ldr_session *s, ldr_source *source, ldr_err *err) LDR_MUSTCHECK;
void ldr_session_close(ldr_session *s); /* the lock ends with the connection */

/* LDR_PERMISSION with reason read_only: a standby, or a session that may only read. */
ldr_code ldr_session_writable(ldr_session *s, ldr_err *err) LDR_MUSTCHECK;

/* The lock of all migrations of a database, tried again and again: a call that waits inside the server would
 * hold a snapshot. LDR_LOCKED names who holds it. */
ldr_code ldr_session_lock(ldr_session *s, ldr_err *err) LDR_MUSTCHECK;
/* Is it still this connection that holds it? A file may have let it go. */
ldr_code ldr_session_check(ldr_session *s, ldr_err *err) LDR_MUSTCHECK;

/* Rows of one statement; *rows may be NULL (then its rows are dropped). */
ldr_code ldr_session_ask(ldr_session *s, const char *sql, const ldr_value *values, ldr_rows **rows,
                         ldr_err *err) LDR_MUSTCHECK;
/* Its first cell as an integer or boolean; LDR_NOT_FOUND without a row. */
ldr_code ldr_session_number(ldr_session *s, const char *sql, const ldr_value *values, int64_t *out,
                            ldr_err *err) LDR_MUSTCHECK;
/* A text of several statements. An error's line and place are those in the text; 0: the server names none. */
ldr_code ldr_session_script(ldr_session *s, const char *sql, ldr_err *err) LDR_MUSTCHECK;
/* Settings, temporary tables, prepared statements, roles: as on a new connection. The lock stays. */
ldr_code ldr_session_reset(ldr_session *s, ldr_err *err) LDR_MUSTCHECK;

#endif

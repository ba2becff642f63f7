/* An exchange: commands up to one Sync, and the answers to them.
 *
 *   head → exchange → exchange → tail          in flight on a connection
 *
 * An exchange ends at its Sync, so that an implicit commit (and what it may fail with) belongs to it. Reads
 * may be grouped: they share the Sync of the last of them, and when one fails, the server skips those behind
 * it, which then have done nothing. Outside of pipeline mode goes what is an exchange of its own: scripts and
 * COPY by the simple protocol, COMMIT and ROLLBACK when nothing travels with them (two messages of the server
 * in place of five), and one command where nobody else sends (libpq makes fewer results of its answer). Its
 * error counts as that of command 0, also when it is the commit's. */
#ifndef LDR_POSTGRES_PROTOCOL_EXCHANGE_H
#define LDR_POSTGRES_PROTOCOL_EXCHANGE_H

#include "postgres/protocol/bind.h"
#include "postgres/protocol/errors.h"
#include "postgres/protocol/result.h"

typedef enum ldr_cmd_kind {
  LDR_CMD_PARSE,    /* prepare `sql` under `name` */
  LDR_CMD_DESCRIBE, /* the prepared statement `name` */
  LDR_CMD_EXEC,     /* bind and execute the prepared statement `name` */
  LDR_CMD_QUERY     /* `sql` without a name: parse, bind and execute */
} ldr_cmd_kind;

typedef struct ldr_cmd {
  ldr_cmd_kind kind;
  bool text;        /* results as text: a column's type has no decoder */
  bool flush;       /* the server shall answer before it goes on to the next command */
  const char *name; /* these are read by ldr_conn_submit only */
  const char *sql;
  const ldr_bind *args; /* NULL: none */
  void *mark;           /* the owner's */
  ldr_pgres *res;       /* the answer when it is no error; owned by the exchange until taken */
} ldr_cmd;

typedef struct ldr_exchange { /* zero-initialise */
  struct ldr_exchange *next;
  ldr_cmd *cmd;
  unsigned n, cap;
  unsigned at;      /* the command whose answer is due; n: the Sync */
  unsigned failed;  /* when error is set: whose it is; n: the Sync's, that is the commit's (in a pipeline) */
  bool grouped;     /* the next one may share its Sync: ldr_conn_flush_group ends the group */
  bool sealed;      /* its Sync was sent */
  bool skipped;     /* behind another's failure in its group: it did nothing */
  bool alone;       /* one command outside of pipeline mode, by the extended protocol */
  bool simple;      /* outside of it by the simple protocol: one text, of any number of statements, or COPY */
  bool unsent;      /* alone, simple: waits for those in front of it */
  bool copying;     /* simple: waits for copy data from or to the owner */
  bool done;        /* answered, or lost */
  bool lost;        /* the connection ended before the whole answer came */
  ldr_pgres *error; /* the first error */
  bool began;       /* nothing under another Sync was in front of it, so the server may have begun it */
  unsigned peers;   /* done: exchanges under the same Sync */
  bool listed;      /* it is on `finished`, and nobody has taken it from there yet */
  /* the owner's: */
  bool undoes;                        /* its last command is the last of those that put the session back */
  struct ldr_exchange_list *finished; /* where it is put once it is done; NULL: nowhere */
  void *request, *home;
} ldr_exchange;

/* Exchanges by `next`, oldest first. Whatever ends an exchange (pump, cut, submit …) only puts it on the list
 * that its owner named, and calls nobody: the owner empties the list where nothing else is under way. */
typedef struct ldr_exchange_list {
  ldr_exchange *first, *last;
} ldr_exchange_list;

ldr_exchange *ldr_exchange_take_finished(ldr_exchange_list *l); /* the oldest; NULL: none */
void ldr_exchange_unlist(ldr_exchange *r);                      /* off its list, if it is on it */
/* For the connection: the answer is here, or (lost) will never come. */
void ldr_exchange_end(ldr_exchange *r, bool lost);

ldr_cmd *ldr_exchange_add(ldr_exchange *r,
                          ldr_cmd_kind kind); /* zeroed; valid until the next add; NULL: out of memory */
/* Frees the answers, keeps the memory and the owner's list; not in flight, not on the list. */
void ldr_exchange_reset(ldr_exchange *r);
void ldr_exchange_free(ldr_exchange *r);
ldr_pgres *ldr_exchange_take(ldr_exchange *r, unsigned i); /* the answer of command i becomes the caller's */
/* The error of a exchange that is done and failed, also of a lost one. */
ldr_code ldr_exchange_error(const ldr_exchange *r, bool deleting, ldr_err *err);
const char *ldr_exchange_sqlstate(const ldr_exchange *r); /* "" when it has no error */
/* May a failure with this SQLSTATE come from what was known of the statement's parameters and columns? */
bool ldr_state_doubts(const char *sqlstate);
/* Does the SQLSTATE say that a value or operator is of a type that the column is not? */
bool ldr_state_mistyped(const char *sqlstate);
bool ldr_exchange_stale(
    const ldr_exchange *r); /* failed by a prepared statement that should be prepared again */

#endif

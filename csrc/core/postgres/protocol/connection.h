/* One connection to PostgreSQL as a state machine that never blocks: the only module that sees libpq.
 *
 *   names looked up ──► connect ──► exchanges in flight, in pipeline mode ──► closed
 *                                     head → req → req → tail      each exchange = its commands, then one
 * Sync
 *
 * A exchange ends at its Sync, so that an implicit commit (and what it may fail with) belongs to it. Reads
 * may be grouped: they share the Sync of the last of them, and when one fails, the server skips those behind
 * it, which then have done nothing. Scripts of the simple protocol and COPY leave pipeline mode for a
 * exchange of their own. A connection and its exchanges belong to one owner at a time. */
#ifndef LDR_POSTGRES_PROTOCOL_CONNECTION_H
#define LDR_POSTGRES_PROTOCOL_CONNECTION_H

#include "base/io.h"
#include "postgres/protocol/bind.h"
#include "postgres/protocol/conninfo.h"
#include "postgres/protocol/errors.h"

typedef struct ldr_conn ldr_conn;
typedef struct pg_result ldr_pgres; /* one answer; libpq's result behind its tag */

/* ---- settings ---- */
/* What libpq reads in a URI or key/value text. The error does not quote it. */
ldr_code ldr_conninfo_parse(const char *s, void (*each)(void *ud, const char *keyword, const char *value),
                            void *ud, ldr_err *err) LDR_MUSTCHECK;

/* ---- a connection ---- */
/* i stays the caller's and must live until the connection is made. A host's name is looked up beside the
 * caller (postgres/protocol/resolve.h); what the settings leave to Kerberos or LDAP is not. */
ldr_code ldr_conn_start(const ldr_conninfo *i, ldr_conn **out, ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_conn_connect(ldr_conn *c,
                          ldr_err *err) LDR_MUSTCHECK; /* LDR_PENDING until connected or failed */
void ldr_conn_close(
    ldr_conn *c); /* never blocks; NULL is fine. No exchange may be in flight but dropped ones */
/* In a forked child: the session is the parent's. Nothing is written to it, now or later. */
void ldr_conn_abandon(ldr_conn *c);
void ldr_conn_cut(ldr_conn *c);              /* ends the session at once; exchanges in flight are lost */
int ldr_conn_fd(const ldr_conn *c);          /* -1 when dead */
unsigned ldr_conn_events(const ldr_conn *c); /* LDR_READ | LDR_WRITE: what it waits for */
bool ldr_conn_dead(const ldr_conn *c);
bool ldr_conn_clean(const ldr_conn *c); /* alive, nothing in flight or being cancelled, no transaction open */
bool ldr_conn_in_tx(const ldr_conn *c); /* a transaction block is open, failed or not */
bool ldr_conn_check(ldr_conn *c);       /* an idle connection: is it still alive? No round trip */
int ldr_conn_pid(const ldr_conn *c);
int ldr_conn_version(const ldr_conn *c);
const char *ldr_conn_host(const ldr_conn *c); /* "" before there is one */
const char *ldr_conn_port(const ldr_conn *c);
/* Asks the server to cancel what runs now, without waiting. While it is on its way it could hit a later
 * statement, so the connection is not clean before it has arrived. */
void ldr_conn_cancel(ldr_conn *c);
bool ldr_conn_cancelling(const ldr_conn *c);

/* ---- exchanges ---- */
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
  unsigned failed;  /* when error is set: whose it is; n: the Sync's, that is the commit's */
  bool grouped;     /* the next one may share its Sync: ldr_conn_flush_group ends the group */
  bool sealed;      /* its Sync was sent */
  bool skipped;     /* behind another's failure in its group: it did nothing */
  bool simple;      /* one command by the simple protocol: any number of statements, or COPY */
  bool unsent;      /* simple: waits for those in front of it */
  bool copying;     /* simple: waits for copy data from or to the owner */
  bool done;        /* answered, or lost */
  bool lost;        /* the connection ended before the whole answer came */
  ldr_pgres *error; /* the first error */
  bool began;       /* nothing under another Sync was in front of it, so the server may have begun it */
  unsigned peers;   /* done: exchanges under the same Sync */
  bool listed;      /* it is on `finished`, and nobody has taken it from there yet */
  /* the owner's: */
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

ldr_cmd *ldr_exchange_add(ldr_exchange *r,
                          ldr_cmd_kind kind); /* zeroed; valid until the next add; NULL: out of memory */
/* Frees the answers, keeps the memory and the owner's list; not in flight, not on the list. */
void ldr_exchange_reset(ldr_exchange *r);
void ldr_exchange_free(ldr_exchange *r);
ldr_pgres *ldr_exchange_take(ldr_exchange *r, unsigned i); /* the answer of command i becomes the caller's */
/* The error of a exchange that is done and failed, also of a lost one. */
ldr_code ldr_exchange_error(const ldr_exchange *r, bool deleting, ldr_err *err);
const char *ldr_exchange_sqlstate(const ldr_exchange *r); /* "" when it has no error */
bool ldr_exchange_stale(
    const ldr_exchange *r); /* failed by a prepared statement that should be prepared again */

/* Sends r behind the exchanges in flight; r stays the caller's and must live until done, and so must the text
 * of a simple one. On failure r will not be answered; the connection is dead. */
ldr_code ldr_conn_submit(ldr_conn *c, ldr_exchange *r, ldr_err *err) LDR_MUSTCHECK;
void ldr_conn_pump(ldr_conn *c); /* reads and writes what is possible now, hands out answers */
/* Ends a group, whose exchanges are only now sent for sure. Nothing to do without one. */
void ldr_conn_flush_group(ldr_conn *c);
unsigned ldr_conn_group_size(const ldr_conn *c); /* exchanges in the group that is not sealed */
unsigned ldr_conn_syncs(const ldr_conn *c);      /* groups, and exchanges without one, under way */
ldr_exchange *ldr_conn_head(const ldr_conn *c);  /* the oldest exchange in flight; NULL: none */
void ldr_conn_drop(
    ldr_conn *c); /* the owner leaves its exchanges in flight: cancels them, cuts the connection */

/* ---- COPY, after a simple exchange is `copying` ---- */
/* LDR_PENDING: taken, but wait for the socket to drain before giving more. */
ldr_code ldr_conn_copy_put(ldr_conn *c, const void *p, size_t n, ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_conn_copy_end(ldr_conn *c, const char *why,
                           ldr_err *err) LDR_MUSTCHECK; /* why: NULL = complete */
/* LDR_OK with one message, valid until the next call, or with *p = NULL at the end; LDR_PENDING: wait. */
ldr_code ldr_conn_copy_get(ldr_conn *c, const char **p, size_t *n, ldr_err *err) LDR_MUSTCHECK;

/* ---- answers ---- */
void ldr_pgres_free(ldr_pgres *res); /* NULL is fine */
size_t ldr_pgres_rows(const ldr_pgres *res);
unsigned ldr_pgres_cols(const ldr_pgres *res);
const char *ldr_pgres_name(const ldr_pgres *res, unsigned col);
uint32_t ldr_pgres_oid(const ldr_pgres *res, unsigned col);
bool ldr_pgres_is_text(const ldr_pgres *res, unsigned col);
const char *ldr_pgres_cell(const ldr_pgres *res, size_t row, unsigned col, size_t *n); /* NULL: null */
bool ldr_pgres_has_rows(const ldr_pgres *res); /* a row set, even an empty one */
int64_t ldr_pgres_affected(const ldr_pgres *res);
const char *ldr_pgres_tag(const ldr_pgres *res); /* "INSERT 0 1" */
unsigned ldr_pgres_params(const ldr_pgres *res); /* of a described statement */
uint32_t ldr_pgres_param_oid(const ldr_pgres *res, unsigned i);
bool ldr_pgres_copies_in(const ldr_pgres *res);          /* of a exchange that is copying */
unsigned ldr_pgres_error_position(const ldr_pgres *res); /* 1-based character of the statement, 0: unknown */

#endif

/* One connection to PostgreSQL as a state machine that never blocks. Only this folder sees libpq.
 *
 *   names looked up ──► connect ──► exchanges in flight, in pipeline mode ──► closed
 *
 * A connection and its exchanges belong to one owner at a time. */
#ifndef LDR_POSTGRES_PROTOCOL_CONNECTION_H
#define LDR_POSTGRES_PROTOCOL_CONNECTION_H

#include "base/io.h"
#include "postgres/protocol/conninfo.h"
#include "postgres/protocol/exchange.h"

typedef struct ldr_conn ldr_conn;

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
ldr_exchange *ldr_conn_head(const ldr_conn *c); /* the oldest exchange in flight; NULL: none */
void ldr_conn_drop(
    ldr_conn *c); /* the owner leaves its exchanges in flight: cancels them, cuts the connection */
/* Within this folder: c is found dead, exchanges in flight are lost. */
void ldr_conn_lose(ldr_conn *c);

#endif

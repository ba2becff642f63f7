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
 * caller (postgres/protocol/resolve.h); what the settings leave to Kerberos or LDAP is not.
 *
 * host_limit: seconds for the look-up of the names, and then for each address of each host, as libpq's
 * connect_timeout; <= 0: none. A host that says nothing for so long is left out, and the attempt begins anew
 * with the others (a host that answers and is not what target_session_attrs asks for is asked again). All
 * together take no longer than the limit times the number of addresses and one more. */
ldr_code ldr_conn_start(const ldr_conninfo *i, double host_limit, ldr_conn **out, ldr_err *err) LDR_MUSTCHECK;
/* LDR_PENDING until connected or failed. Call it when the socket is ready, or when ldr_conn_due has passed.
 */
ldr_code ldr_conn_connect(ldr_conn *c, ldr_err *err) LDR_MUSTCHECK;
int64_t ldr_conn_due(const ldr_conn *c); /* when the host that is tried has had its time */
/* Goes on without that host, also when it is connected to and says nothing more: exchanges in flight are
 * lost. LDR_PENDING; LDR_CONNECTION: no other is left. */
ldr_code ldr_conn_skip_host(ldr_conn *c, ldr_err *err) LDR_MUSTCHECK;
unsigned ldr_conn_silent(const ldr_conn *c); /* how many hosts did not answer in time */
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
bool ldr_conn_keeps_encoding(const ldr_conn *c); /* false: by what the server said last, texts are no UTF-8 */
bool ldr_conn_said_farewell(ldr_conn *c);        /* in what was read so far; no system call */
bool ldr_conn_check(ldr_conn *c);                /* an idle connection: is it still alive? No round trip */
int ldr_conn_pid(const ldr_conn *c);
int ldr_conn_version(const ldr_conn *c);
const char *ldr_conn_host(const ldr_conn *c); /* "" before there is one */
const char *ldr_conn_port(const ldr_conn *c);
/* Asks the server to cancel what runs now, without waiting. While it is on its way it could hit a later
 * statement, so the connection is not clean before it has arrived. */
void ldr_conn_cancel(ldr_conn *c);
bool ldr_conn_cancelling(const ldr_conn *c);
/* A pooler is between us and the server: it knows a cancel's statement by our session alone, so that
 * ldr_conn_drop keeps that open, in the cancel's hands, until the answer has come (for a second at most). */
void ldr_conn_set_pooled(ldr_conn *c);
ldr_exchange *ldr_conn_head(const ldr_conn *c); /* the oldest exchange in flight; NULL: none */
void ldr_conn_drop(
    ldr_conn *c); /* the owner leaves its exchanges in flight: cancels them, cuts the connection */
/* Within this folder: c is found dead, exchanges in flight are lost. */
void ldr_conn_lose(ldr_conn *c);

#endif

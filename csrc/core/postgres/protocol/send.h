/* Exchanges on their way over a connection, and the answers that come back. */
#ifndef LDR_POSTGRES_PROTOCOL_SEND_H
#define LDR_POSTGRES_PROTOCOL_SEND_H

#include "postgres/protocol/connection.h"

/* Sends r behind the exchanges in flight; r stays the caller's and must live until done, and so must the
 * commands of one that is alone or simple: it is sent once those in front are answered. On failure r will not
 * be answered; the connection is dead. */
ldr_code ldr_conn_submit(ldr_conn *c, ldr_exchange *r, ldr_err *err) LDR_MUSTCHECK;
void ldr_conn_pump(ldr_conn *c); /* reads and writes what is possible now, hands out answers */
/* Ends a group, whose exchanges are only now sent for sure. Nothing to do without one. */
void ldr_conn_flush_group(ldr_conn *c);
unsigned ldr_conn_group_size(const ldr_conn *c); /* exchanges in the group that is not sealed */
unsigned ldr_conn_syncs(const ldr_conn *c);      /* groups, and exchanges without one, under way */

#endif

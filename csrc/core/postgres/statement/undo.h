/* What puts a session of the server back as it was when it was opened. */
#ifndef LDR_POSTGRES_STATEMENT_UNDO_H
#define LDR_POSTGRES_STATEMENT_UNDO_H

#include "postgres/protocol/connection.h"

/* Adds the commands to r: role, settings, cursors, channels, temporary tables, advisory locks; with
 * `prepared` the prepared statements, too. Each of them may stand in a transaction. false: out of memory. */
bool ldr_undo_add(ldr_exchange *r, bool prepared);

#endif

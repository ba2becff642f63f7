/* What puts a session of the server back as it was when it was opened. */
#ifndef LDR_POSTGRES_STATEMENT_UNDO_H
#define LDR_POSTGRES_STATEMENT_UNDO_H

#include "postgres/statement/registry.h"

/* Adds the commands to r: role, settings, cursors, channels, temporary tables, advisory locks; with
 * `prepared`, and where g says that there may be some, the prepared statements, too. Each of them may stand
 * in a transaction. r then undoes the session, which whoever settles it notes. false: out of memory. */
bool ldr_undo_add(ldr_exchange *r, ldr_registry *g, bool prepared) LDR_MUSTCHECK;

#endif

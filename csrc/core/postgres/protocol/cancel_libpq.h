/* How libpq delivers a cancel. */
#ifndef LDR_POSTGRES_PROTOCOL_CANCEL_LIBPQ_H
#define LDR_POSTGRES_PROTOCOL_CANCEL_LIBPQ_H

#include <libpq-fe.h>

#include "postgres/protocol/cancel.h"

/* Asks the server to cancel what runs on pg; see ldr_cancel_start. */
ldr_cancel *ldr_cancel_send(PGconn *pg, bool insist, ldr_cancel *before);

/* The same for a session that was given up, behind a pooler: that knows by this session alone what to cancel,
 * and once it has ended gives its server to somebody else. Takes over pg, also when it returns NULL. The
 * session ends once all is answered, or after half a second and a bit; its number stays taken until then.
 *
 * syncs: that are not answered. partly: a part of what was to be sent may still be in pg's hands. It is not
 * sent any more, and answers are not waited for. */
ldr_cancel *ldr_cancel_drop(PGconn *pg, unsigned syncs, bool partly, ldr_cancel *before);

#endif

/* How libpq delivers a cancel. */
#ifndef LDR_POSTGRES_PROTOCOL_CANCEL_LIBPQ_H
#define LDR_POSTGRES_PROTOCOL_CANCEL_LIBPQ_H

#include <libpq-fe.h>

#include "postgres/protocol/cancel.h"

/* Asks the server to cancel what runs on pg; see ldr_cancel_start. */
ldr_cancel *ldr_cancel_send(PGconn *pg, bool insist, int line);

#endif

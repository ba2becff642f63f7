/* Pipelines (postgres/postgres.h): many statements in one round trip.
 *
 *   isolated:  a request an item, each with its own Sync, a window of them in flight on one connection
 *   atomic:    one request for all items, so one Sync and one implicit transaction */
#ifndef LDR_POSTGRES_EXEC_PIPELINE_H
#define LDR_POSTGRES_EXEC_PIPELINE_H

#include "postgres/exec/transaction.h"

#endif

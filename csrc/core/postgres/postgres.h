/* The PostgreSQL engine: operations compiled once, statements prepared by hash, a pool, transactions
 * bound to one physical connection. libpq itself is behind postgres/protocol/connection.h. */
#ifndef LDR_POSTGRES_POSTGRES_H
#define LDR_POSTGRES_POSTGRES_H

#include "postgres/exec/bulk.h"
#include "postgres/exec/pipeline.h"
#include "postgres/exec/session.h"
#include "postgres/request/submit.h"

/* keywords, values: NULL-ended arrays as PQconnectdbParams takes them (no conninfo text is ever built, so
 * nothing is escaped). Connects once, waiting, to prove the settings, unless it shall be lazy; the first
 * connection detects a pooler and the server's version. */
ldr_code ldr_pg_open(const char *const *keywords, const char *const *values, const ldr_pool_config *,
                     ldr_engine **out, ldr_err *) LDR_MUSTCHECK;
/* Parse a URI or key/value conninfo exactly as libpq does: calls each(ud, keyword, value) for every setting
 * given. The error never quotes the text. */
ldr_code ldr_pg_parse_conninfo(const char *s, void (*each)(void *ud, const char *keyword, const char *value),
                               void *ud, ldr_err *) LDR_MUSTCHECK;

/* ---- observation ---- */
void ldr_pg_stats_get(const ldr_engine *, ldr_pg_stats *out);

/* Test hook; NULL: off. */
void ldr_pg_set_hook(ldr_engine *, ldr_pg_hook *, void *ud);

#endif

/* What the tests against a server share: a database from LARDER_TEST_URL, two tables, and short ways to say
 * things.
 *
 * ldr_test.items(tenant, id, name, n, doc, price, at), key (tenant, id), unique (tenant, name)
 * ldr_test.lines(tenant, id identity, item), key (tenant, id), reference (tenant, item) to items */
#ifndef LDR_TEST_PGFIX_H
#define LDR_TEST_PGFIX_H

#include "base/clock.h"
#include "postgres/postgres.h"

enum { I_TENANT, I_ID, I_NAME, I_N, I_DOC, I_PRICE, I_AT, I_COUNT };
enum { L_TENANT, L_ID, L_ITEM, L_COUNT };

typedef struct pgfix {
  ldr_engine *db;
  ldr_schema *schema;
  const ldr_entity *items, *lines;
  ldr_err err; /* of the last call */
} pgfix;

extern const ldr_call pg_block; /* blocking, no deadline */

bool pg_available(const char *module); /* false, and says so, when there is no server to test with */
/* Opens a database with empty tables. config NULL: small defaults. */
bool pg_open(pgfix *f, const ldr_pool_config *config);
/* The same with settings in place of those of the URL: keyword, value, …, NULL. No tables are made, and a
 * failure is not a fault of the test. */
bool pg_open_with(pgfix *f, const ldr_pool_config *config, const char *const *settings);
void pg_close(pgfix *f);
ldr_code pg_declare(pgfix *f); /* the tables alone, for another engine */
ldr_pool_config pg_config(unsigned max);

/* Raw statements without parameters. The text lives until the next call; "" for null or no row, "!code" for a
 * failure. */
const char *pg_text(pgfix *f, ldr_tx *tx, const char *sql);
ldr_code pg_do(pgfix *f, ldr_tx *tx, const char *sql);
long long pg_count(pgfix *f); /* rows of items, asked outside of any transaction */
int pg_pid(pgfix *f, ldr_tx *tx);
/* Ends a session from outside, and waits until it is gone. */
void pg_kill(pgfix *other, int pid);

/* A cancel may still be on its way in a thread of its own: waits until no more blocks are live. */
void pg_settle(size_t live);

ldr_value pg_str(const char *s);
void pg_item(ldr_value row[I_COUNT], const char *id, const char *name, int64_t n);
ldr_op pg_insert_op(const pgfix *f, const ldr_value *row);
ldr_code pg_insert(pgfix *f, ldr_tx *tx, const char *id, const char *name);
ldr_code pg_run(pgfix *f, ldr_tx *tx, const ldr_op *op, ldr_result *out);
ldr_tx *pg_begin(pgfix *f);
ldr_code pg_commit(pgfix *f, ldr_tx *tx);
void pg_rollback(pgfix *f, ldr_tx *tx);
ldr_pg_stats pg_stats(const pgfix *f);
const char *pg_url(void);

#endif

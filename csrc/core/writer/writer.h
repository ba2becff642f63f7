/* The writer: rows that nobody waits for. Callers push; a thread of the writer's own writes what they pushed,
 * many rows a statement, through a connection of its own, and tries again for as long as the server is away.
 *
 *   push ─► backlog ─► batch ─► deliver ─► server        one lock, held for no longer than it takes to move a
 * row (memory, spill file)                         (or to write one into the file)
 *
 * On an engine without a server there is no thread: push delivers at once, and what another transaction has
 * locked is tried again with every later call.
 *
 * All functions may be called from one thread only, and in a forked child, where the writer starts anew: rows
 * that were queued before the fork are the parent's. */
#ifndef LDR_WRITER_WRITER_H
#define LDR_WRITER_WRITER_H

#include "engine/engine.h"

typedef enum ldr_policy {
  LDR_POLICY_ERROR, /* a row for which there is no room is refused with LDR_CAPACITY, … */
  LDR_POLICY_BLOCK, /* … with LDR_PENDING: the caller waits in its own way, … */
  LDR_POLICY_DROP,  /* … counted and forgotten, … */
  LDR_POLICY_SPILL  /* … or written into the file */
} ldr_policy;

typedef struct ldr_writer_config {
  size_t queue, batch; /* rows in memory, 10,000; rows a statement, 500 */
  size_t queue_bytes;  /* of the rows in memory, 64 MiB: the row that reaches it is the last one with room */
  double interval;     /* seconds that a row waits for company, 0.2 */
  double timeout;      /* of a statement, 5 */
  ldr_policy policy;
  const char *spill; /* where rows go that find no room or no server; NULL: nowhere. Only with a thread */
} ldr_writer_config;
void ldr_writer_config_default(ldr_writer_config *c);

typedef struct ldr_writer_stats {
  uint64_t queued, written, duplicates, rejected, spilled, replayed, dropped; /* rows */
  uint64_t batches, retries, damaged; /* statements; failed ones; places of the file that cannot be read */
  size_t depth, filed;                /* rows waiting: in memory, in the file */
  size_t bytes;                       /* of those in memory */
  double oldest_age;                  /* seconds */
  ldr_err last_error;                 /* its code LDR_OK: none yet */
} ldr_writer_stats;

/* A row that the server refused. */
typedef struct ldr_reject {
  const ldr_entity *e;
  ldr_row *key; /* the other fields are null; NULL: memory was short */
  ldr_err err;
} ldr_reject;
enum { LDR_REJECTS = 16 }; /* kept until they are taken; then the oldest goes */

typedef struct ldr_writer ldr_writer;

/* e must be open until the writer is closed. threaded: e is a PostgreSQL engine, of which the writer takes
 * the settings alone; else rows go into e itself. */
ldr_code ldr_writer_new(ldr_engine *e, bool threaded, const ldr_writer_config *c, ldr_writer **out,
                        ldr_err *err) LDR_MUSTCHECK;
/* Ends within about `seconds`, whatever the server does: what is not written then goes into the spill file,
 * or is lost and counted as dropped. *last (may be NULL): the counters at the end. NULL is fine. */
void ldr_writer_close(ldr_writer *w, double seconds, ldr_writer_stats *last);

/* Takes over the caller's count of row, also on failure. The row is complete and checked. */
ldr_code ldr_writer_push(ldr_writer *w, const ldr_entity *e, ldr_row *row, ldr_err *err) LDR_MUSTCHECK;
bool ldr_writer_has_room(ldr_writer *w);

/* Writes at once, without waiting for company. *ticket stands for all rows pushed so far, and for what an
 * earlier process left in the spill file … */
ldr_code ldr_writer_flush(ldr_writer *w, uint64_t *ticket, ldr_err *err) LDR_MUSTCHECK;
bool ldr_writer_flushed(ldr_writer *w, uint64_t ticket); /* … and each of them was written or refused */

/* Families of rows in the spill file. name: of family number i, if the writer does not know it yet. */
ldr_code ldr_writer_know(ldr_writer *w, ldr_schema *s, ldr_err *err) LDR_MUSTCHECK;
bool ldr_writer_family(ldr_writer *w, unsigned i, char name[64], bool *known); /* false: no such number */

void ldr_writer_stats_get(ldr_writer *w, ldr_writer_stats *out);
/* The oldest refused row that nobody has taken; the caller releases its key. */
bool ldr_writer_take_reject(ldr_writer *w, ldr_reject *out);
unsigned ldr_writer_rejects(ldr_writer *w); /* how many there are to take */

#endif

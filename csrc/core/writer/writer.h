/* The writer: rows that nobody waits for. Callers push; threads of the writer's own write what they pushed,
 * many rows a statement, through connections of their own, and try again for as long as the server is away.
 *
 *   push ─► one queue a store ─► batch ─► deliver ─► server        flushers, see writer/flush.h
 *                 │    ▲            └─► dead letters
 *                 ▼    │
 *             spill directory                                      the file thread, see writer/replay.h
 *
 * One lock guards the queues. It is held for no longer than it takes to move rows; nobody waits for a server
 * or a disk under it. A store that cannot be written pauses alone.
 *
 * On an engine without a server there is no thread: push delivers at once, and what another transaction has
 * locked is tried again with every later call.
 *
 * All functions may be called from one thread only, and in a forked child, where the writer starts anew: rows
 * that were queued before the fork are the parent's. */
#ifndef LDR_WRITER_WRITER_H
#define LDR_WRITER_WRITER_H

#include "engine/engine.h"
#include "writer/config.h"
#include "writer/record.h"

void ldr_writer_config_default(ldr_writer_config *c);

/* e must be open until the writer is closed. An engine that can be cloned is written by threads, through
 * connections of their own; else rows go into e itself. */
ldr_code ldr_writer_new(ldr_engine *e, const ldr_writer_config *c, ldr_writer **out,
                        ldr_err *err) LDR_MUSTCHECK;
/* Ends within about `seconds`, whatever the server does: what is not written then goes into the spill
 * directory, or is lost and counted as dropped. *last (may be NULL): the counters at the end. NULL is fine.
 */
void ldr_writer_close(ldr_writer *w, double seconds, ldr_writer_stats *last);

/* Takes over the caller's count of row, also on failure. The row is complete and checked. */
ldr_code ldr_writer_push(ldr_writer *w, const ldr_entity *e, ldr_row *row, ldr_err *err) LDR_MUSTCHECK;
bool ldr_writer_has_room(ldr_writer *w, const ldr_entity *e);

/* Writes at once, without waiting for company. *position stands for all rows pushed so far, and for what an
 * earlier process left in the spill directory … */
ldr_code ldr_writer_flush(ldr_writer *w, uint64_t *position, ldr_err *err) LDR_MUSTCHECK;
typedef enum ldr_flushed {
  LDR_FLUSH_WAITS,
  LDR_FLUSH_PARKED, /* all that waits is of stores that cannot be written */
  LDR_FLUSH_DONE    /* … and each of them was written or refused */
} ldr_flushed;
ldr_flushed ldr_writer_flushed(ldr_writer *w, uint64_t position);

/* Families of rows in the spill directory. name: of family number i, if it is not known to the writer. */
ldr_code ldr_writer_know(ldr_writer *w, ldr_schema *s, ldr_err *err) LDR_MUSTCHECK;
bool ldr_writer_family(ldr_writer *w, unsigned i, char name[65], bool *known); /* false: no such number */

void ldr_writer_stats_get(ldr_writer *w, ldr_writer_stats *out);
bool ldr_writer_store_stats(ldr_writer *w, unsigned i, ldr_store_stats *out); /* false: no such number */
/* The oldest refused row that nobody has taken; the caller releases its key. */
bool ldr_writer_take_reject(ldr_writer *w, ldr_reject *out);
bool ldr_writer_take_news(ldr_writer *w, ldr_writer_news *out);
bool ldr_writer_has_news(ldr_writer *w); /* refused rows or news are there to take */

/* Dead letters, see writer/dead_letters.h. These may wait for the disk. replay queues the row; the letter
 * goes once it is written, or a new one takes its place. */
enum { LDR_LETTER_ID = 128 }; /* bytes of an id, at most */
typedef void ldr_writer_letter(void *ud, const char *id, const ldr_record *r, const ldr_entity *e);
ldr_code ldr_writer_letters(ldr_writer *w, const char *after, size_t max, ldr_writer_letter *each, void *ud,
                            size_t *n, ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_writer_replay(ldr_writer *w, const char *id, ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_writer_discard(ldr_writer *w, const char *id, ldr_err *err) LDR_MUSTCHECK;

#endif

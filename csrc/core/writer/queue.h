/* The backlog: accepted rows in their order, in memory and beyond that in a spill file.
 *
 *   spill file, what an earlier process left ─► ring in memory ─► spill file, what found no room
 *   `old` bytes from the front                   at most cap       while `beyond`: until the file was read up
 *        └──────────── taken in this order into the hand, and settled from its front ───────────┘
 *
 * Not thread-safe: the writer's lock guards it, but the hand's parcels stay where they are until settled. */
#ifndef LDR_WRITER_QUEUE_H
#define LDR_WRITER_QUEUE_H

#include "writer/deliver.h"
#include "writer/spill.h"

typedef struct ldr_backlog {
  ldr_parcel *ring;
  size_t cap, first, n;
  size_t bytes, bytes_max; /* of the rows that lie in memory only; full from there on, 0: no limit */
  ldr_parcel *hand;        /* taken: [at, held) wait to be settled */
  size_t batch, held, at;
  ldr_spill *spill;      /* NULL: none */
  uint64_t read, old;    /* bytes of it that were read; that are older than what lies in memory */
  bool beyond;           /* new rows go to the file, since older ones lie there */
  bool replaying;        /* the hand is older than what lies in memory */
  size_t kept;           /* records read that are of an unknown family or do not fit: they stay in the file */
  bool learned;          /* since then another family became known */
  ldr_schema **families; /* known, retained */
  size_t nfamilies;
  uint64_t entered, left; /* rows of this process; `left` moves by whole hands: a hand has its own order */
  uint64_t replayed;      /* rows taken from the file */
} ldr_backlog;

ldr_code ldr_backlog_init(ldr_backlog *b, size_t cap, size_t batch, const char *spill,
                          ldr_err *err) LDR_MUSTCHECK; /* zeroed before; spill NULL: none */
void ldr_backlog_free(ldr_backlog *b);                 /* rows in memory are lost; harmless when half made */
/* In a forked child: as before init, but for the families. torn: another thread was at it when the process
 * forked, so that nothing of it can be freed. */
void ldr_backlog_forsake(ldr_backlog *b, bool torn);
void ldr_backlog_unspill(ldr_backlog *b); /* gives the file up */

/* A family whose rows may come, also out of the file. */
ldr_code ldr_backlog_know(ldr_backlog *b, ldr_schema *s, ldr_err *err) LDR_MUSTCHECK;
bool ldr_backlog_knows(const ldr_backlog *b, const char *family);

size_t ldr_backlog_depth(const ldr_backlog *b);   /* rows in memory */
size_t ldr_backlog_filed(const ldr_backlog *b);   /* rows in the file that are not in memory */
int64_t ldr_backlog_oldest(const ldr_backlog *b); /* when it was accepted; LDR_NEVER: nothing in memory */
static inline bool ldr_backlog_full(const ldr_backlog *b) {
  return b->beyond || ldr_backlog_depth(b) >= b->cap || (b->bytes_max && b->bytes >= b->bytes_max);
}

void ldr_backlog_add(ldr_backlog *b, const ldr_entity *e, ldr_row *row, int64_t now); /* not when full */
ldr_code ldr_backlog_file(ldr_backlog *b, const ldr_entity *e, const ldr_row *row,
                          ldr_err *err) LDR_MUSTCHECK; /* the same into the file */

/* Fills the empty hand, sorted; held stays 0 when there is nothing. Of a record that does not fit its store
 * any more, which stays in the file, *odd tells why. */
ldr_code ldr_backlog_take(ldr_backlog *b, ldr_err *odd, ldr_err *err) LDR_MUSTCHECK;
bool ldr_backlog_unread(const ldr_backlog *b);     /* may take() find something in the file? */
void ldr_backlog_settle(ldr_backlog *b, size_t n); /* the first n of the hand are done with */
/* Is all that an earlier process left written, and of this one's rows the first `ticket`? */
bool ldr_backlog_passed(const ldr_backlog *b, uint64_t ticket);

/* Puts every row that lies in memory only into the file. *lost: those that found no place there (all, without
 * a file). The rows stay where they are. */
size_t ldr_backlog_save(ldr_backlog *b, size_t *lost);

#endif

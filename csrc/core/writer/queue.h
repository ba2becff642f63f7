/* One store's rows that wait, in their order, and the state of the store: is it written, or does it pause?
 *
 *   old files ─► replay ─┐
 *   push ─► ring ────────┼─► in_flight ─► the engine
 *   push, no room ─► spilling ─► files ─► replay
 *
 * The writer's lock guards it, but for two parts: rows in flight are touched by nobody but the flusher that
 * has the queue (`busy`), and `segments` by the file thread alone. */
#ifndef LDR_WRITER_QUEUE_H
#define LDR_WRITER_QUEUE_H

#include "writer/deliver.h"
#include "writer/segment.h"

typedef struct ldr_fifo {
  ldr_queued *p;
  size_t cap, first, n;
} ldr_fifo; /* zero-initialise; grows as it is filled */

bool ldr_fifo_reserve(ldr_fifo *f, size_t more); /* false when out of memory */
void ldr_fifo_put(ldr_fifo *f, ldr_queued q);    /* room must be reserved */
static inline ldr_queued *ldr_fifo_at(const ldr_fifo *f, size_t i) { return &f->p[(f->first + i) % f->cap]; }
void ldr_fifo_drop(ldr_fifo *f, size_t n); /* the first n */
void ldr_fifo_free(ldr_fifo *f);           /* releases the rows, too */

/* Rows; sums over all queues are those of the writer. */
typedef struct ldr_queue_stats {
  uint64_t queued, written, duplicates, rejected, spilled, replayed, dropped;
  uint64_t batches, retries; /* statements; failed ones */
  size_t depth, bytes;       /* rows in memory, their size */
  size_t filed;              /* rows in files only */
} ldr_queue_stats;

typedef struct ldr_queue {
  const ldr_entity *e;
  ldr_fifo ring, spilling, replay;
  ldr_queued *in_flight; /* [at, held) wait to be settled */
  size_t at, held;
  size_t bytes, spilling_bytes; /* of ring and rows in flight, unless a file holds them; of spilling */
  bool busy;                    /* a flusher has it */

  size_t unread, old_unread; /* rows in files only; those that an earlier process wrote */
  uint64_t unread_from;      /* none of the unread has a smaller number */
  ldr_segment *segments;     /* the file thread's: the oldest first, … */
  ldr_segment *tail;         /* … new rows go to this one; NULL: to a new one */

  /* a store that cannot be written pauses alone */
  size_t limit;         /* rows a statement; fewer after one that took too long */
  unsigned failures;    /* in a row; 0: all is well */
  int64_t pause, until; /* the last pause; its end, monotonic */
  bool parked;          /* cannot be written, and the reason is not the connection */
  bool told;            /* as the caller heard it last */
  bool given_up;        /* at the end */
  size_t saved;         /* at the end: rows in memory that went into files */
  uint64_t parents; /* waits until the stores it refers to have written their rows up to this number; 0: no */
  ldr_err err;      /* why it is parked */
  ldr_queue_stats stats;
} ldr_queue;

ldr_code ldr_queue_new(const ldr_entity *e, size_t batch, ldr_queue **out, ldr_err *err) LDR_MUSTCHECK;
void ldr_queue_free(ldr_queue *q); /* rows are lost, files stay. NULL is fine */

/* Rows whose number begins at LDR_FIRST_NUMBER were accepted by this process; smaller ones by an earlier one.
 */
#define LDR_FIRST_NUMBER (UINT64_C(1) << 62)
uint64_t ldr_queue_first(
    const ldr_queue *q); /* no row that waits has a smaller number; UINT64_MAX: none waits */
bool ldr_queue_can_take(const ldr_queue *q);
/* The number of the next row to be taken; something can be taken. */
uint64_t ldr_queue_next(const ldr_queue *q);
/* Fills the rows in flight, which are all settled: at most `batch`, with numbers up to `limit`. */
void ldr_queue_take(ldr_queue *q, size_t batch, uint64_t limit);
size_t ldr_queue_depth(const ldr_queue *q);   /* rows in memory */
int64_t ldr_queue_oldest(const ldr_queue *q); /* when it was accepted; LDR_NEVER: nothing in memory */
void ldr_queue_stats_get(const ldr_queue *q, ldr_queue_stats *out);

/* Older rows are on their way through the files: new ones follow them there. */
static inline bool ldr_queue_is_spilling(const ldr_queue *q) {
  return q->spilling.n || q->unread > q->old_unread;
}

#endif

/* Delivery: rows that were accepted earlier into an engine, each once. A row whose key is there already
 * counts as delivered, so that repeating a delivery whose answer was lost duplicates nothing. A row that the
 * engine refuses is found by halving, so that it holds up no other. */
#ifndef LDR_WRITER_DELIVER_H
#define LDR_WRITER_DELIVER_H

#include "engine/engine.h"

struct ldr_segment;

/* A row that waits to be written. */
typedef struct ldr_queued {
  ldr_row *row;
  struct ldr_segment
      *from;        /* the file that holds it; NULL: it came from the caller, and lies in memory only */
  uint64_t at;      /* its place there */
  uint64_t number;  /* in the order of acceptance, over all stores */
  int64_t accepted; /* monotonic microseconds */
} ldr_queued;

/* How many of the first rows one statement can write: at most max, and not too many bytes. */
size_t ldr_deliver_batch(const ldr_entity *e, const ldr_queued *rows, size_t n, size_t max);

/* Is this error the row's own fault, so that the same row would fail again whatever state the server is in?
 * Else it is the server's or the store's (down, full, locked, a table or a right is missing): the row waits.
 */
bool ldr_deliver_is_refusal(const ldr_err *err);

typedef struct ldr_delivery_ops {
  /* What became of the next n rows: `written` of them are new, the others were there already; or err tells
   * why the one row was refused. Not LDR_OK: stop, with this code. */
  ldr_code (*settle)(void *ud, size_t n, size_t written, const ldr_err *refused, ldr_err *err);
  /* May rows be refused for this reason now? false: deliver them later. */
  bool (*may_refuse)(void *ud, const ldr_err *err);
} ldr_delivery_ops;

/* Delivers the n rows of one batch. LDR_OK: every one was settled. Else the rest was not, for a reason that
 * is no fault of a row: deliver it later. */
ldr_code ldr_deliver(ldr_engine *engine, const ldr_entity *e, const ldr_queued *rows, size_t n,
                     double timeout, const ldr_delivery_ops *ops, void *ud, ldr_err *err) LDR_MUSTCHECK;

#endif

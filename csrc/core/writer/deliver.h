/* Delivery: rows that were accepted earlier into an engine, each once. A row whose key is there already
 * counts as delivered, so that repeating a delivery whose answer was lost duplicates nothing. A row that the
 * engine refuses is found by halving, so that it holds up no other. */
#ifndef LDR_WRITER_DELIVER_H
#define LDR_WRITER_DELIVER_H

#include "engine/engine.h"

typedef struct ldr_parcel {
  const ldr_entity *e;
  ldr_row *row;
  int64_t accepted; /* monotonic microseconds */
  uint64_t number;  /* in the order of acceptance */
  int64_t at;       /* in the spill file; -1: it came from memory */
} ldr_parcel;

/* Parents before children (families declare them so), and within an entity the order of acceptance. */
void ldr_parcels_sort(ldr_parcel *p, size_t n);
/* How many of the first rows one statement can write: of one entity, at most max, and not too many bytes. */
size_t ldr_parcels_run(const ldr_parcel *p, size_t n, size_t max);

/* What became of the next n parcels: `written` of them are new, the others were there already; or err tells
 * why the one parcel was refused. false: stop. */
typedef bool ldr_settle(void *ud, size_t n, size_t written, const ldr_err *err);

/* Delivers the n parcels of one run. LDR_OK: every one was settled. Else the rest was not, for a reason that
 * is no fault of a row (the server is down, …): deliver it later. */
ldr_code ldr_deliver(ldr_engine *engine, const ldr_parcel *p, size_t n, double timeout, ldr_settle *settle,
                     void *ud, ldr_err *err) LDR_MUSTCHECK;

#endif

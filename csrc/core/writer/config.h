/* Settings and counters of the writer. */
#ifndef LDR_WRITER_CONFIG_H
#define LDR_WRITER_CONFIG_H

#include "model/row.h"

typedef enum ldr_policy {
  LDR_POLICY_ERROR, /* a row for which there is no room is refused with LDR_CAPACITY, … */
  LDR_POLICY_BLOCK, /* … with LDR_PENDING: the caller waits in its own way, … */
  LDR_POLICY_DROP,  /* … counted and forgotten, … */
  LDR_POLICY_SPILL /* … or written into a file. LDR_PENDING while the disk is behind, LDR_CAPACITY when it is
                      full */
} ldr_policy;

typedef struct ldr_writer_config {
  size_t queue, batch; /* rows of one store in memory, 10,000; rows a statement, 500 */
  size_t
      queue_bytes; /* of the rows of one store in memory, 64 MiB: the row that reaches it is the last one */
  double interval; /* seconds that a row waits for company, 0.2 */
  double timeout;  /* of a statement, 5 */
  ldr_policy policy;
  const char *spill;    /* directory of rows that find no room or no server; NULL: none. Only with a server */
  uint64_t spill_bytes; /* of our files there, and of all dead letters there: 1 GiB each */
  size_t segment_bytes; /* of one file, 4 MiB */
} ldr_writer_config;

typedef struct ldr_writer_stats {
  uint64_t queued, written, duplicates, rejected, spilled, replayed, dropped; /* rows */
  uint64_t batches, retries, damaged; /* statements; failed ones; places of files that cannot be read */
  uint64_t letters_lost;              /* refused rows for which there was no room */
  size_t depth, filed;                /* rows waiting: in memory, in files */
  size_t bytes;                       /* of those in memory */
  size_t parked;                      /* stores that cannot be written */
  size_t unclaimed;                   /* files of families that are not declared here */
  double oldest_age;                  /* seconds */
  ldr_err last_error;                 /* its code LDR_OK: none yet */
} ldr_writer_stats;

typedef struct ldr_store_stats {
  const ldr_entity *e;
  uint64_t queued, written, duplicates, rejected, spilled, replayed, dropped, batches, retries;
  size_t depth, filed, bytes;
  bool parked;
  double oldest_age;
  ldr_err err; /* why it is parked; LDR_OK: it is not */
} ldr_store_stats;

/* A row that the server refused. */
typedef struct ldr_reject {
  const ldr_entity *e;
  ldr_row *key; /* the other fields are null; NULL: memory was short */
  ldr_err err;
} ldr_reject;
enum { LDR_REJECTS = 16 }; /* kept until they are taken; then the oldest goes */

/* A store that cannot be written any more, or that can be written again; e NULL: the server is away, or back.
 */
typedef struct ldr_writer_news {
  const ldr_entity *e;
  bool parked;
  ldr_err err;
} ldr_writer_news;

typedef struct ldr_writer ldr_writer;

#endif

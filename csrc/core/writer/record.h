/* A row as bytes that outlive the process: what a segment holds, of rows that wait and of dead letters.
 *
 *   number 8 | accepted 8 | family 0 | store 0 | why: length 2, bytes | fields 2 | each: name 0, type 0,
 *   array 1, length 4 (all ones: null), bytes
 *   why (empty for a row that waits): refused 8 | retryable 1 | code 0 | sqlstate 0 | message 0 |
 *   constraint 0 | table 0 | column 0
 *
 * A record names what it holds, so that a later declaration of the store can read it. */
#ifndef LDR_WRITER_RECORD_H
#define LDR_WRITER_RECORD_H

#include "model/row.h"

typedef struct ldr_record {
  uint64_t number;  /* in the order of acceptance, of the process that accepted the row */
  int64_t accepted; /* wall clock, microseconds */
  const char *family, *store;
  const char *why; /* nwhy bytes, 0: the row waits */
  size_t nwhy;
  const char *fields; /* nfields of them, up to end */
  const char *end;
  unsigned nfields;
} ldr_record; /* a view: lives as long as the bytes that were parsed */

/* Appends the record of a row. why NULL: it waits; else a dead letter, refused at the wall clock `refused`.
 */
void ldr_record_put(ldr_buf *b, const ldr_entity *e, const ldr_row *row, uint64_t number, int64_t accepted,
                    const ldr_err *why, int64_t refused);
/* Appends r again, as a dead letter: a record that no declaration can read. */
void ldr_record_refuse(ldr_buf *b, const ldr_record *r, const ldr_err *why, int64_t refused);

bool ldr_record_parse(const char *p, size_t n, ldr_record *out);
/* Its row as e is declared now: fields that are new take their defaults. LDR_DRIFT when a field is gone or of
 * another type, LDR_INVALID when e refuses a value. */
ldr_code ldr_record_row(const ldr_record *r, const ldr_entity *e, ldr_row **out, ldr_err *err) LDR_MUSTCHECK;
/* Why it was refused, and when; false: it was not, or the bytes are malformed. */
bool ldr_record_why(const ldr_record *r, ldr_err *out, int64_t *refused);

#endif

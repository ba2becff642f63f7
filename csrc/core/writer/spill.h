/* The spill file: rows that found no room in memory, or no server before the end, until they are written.
 *
 *   [ record | record | … ]      appended to, and truncated once no record is live any more
 *   record:  "LDR1" | live 1 | length 4 | checksum 8 | payload
 *   payload: accepted at 8 | family 0 | store 0 | fields 2 | each: name 0, type 0, array 1, length 4, bytes
 *
 * A payload names what it holds, so that a later declaration of the store can read it. Opening scans the
 * file: a torn record at the end is cut off, and one with a wrong checksum is passed over and counted.
 * Appending survives the end of the process at once, and that of the machine after ldr_spill_sync.
 *
 * A file belongs to one process (flock). When `path` is taken, path.1, path.2 … serve; whoever opens looks
 * first for one that nobody has and that holds records. Mode 0600: rows are data of users. Not thread-safe.
 */
#ifndef LDR_WRITER_SPILL_H
#define LDR_WRITER_SPILL_H

#include "model/row.h"

enum { LDR_SPILL_FAMILIES = 16, LDR_SPILL_NAME = 64 };

typedef struct ldr_spill {
  char *path; /* as configured */
  int fd;
  uint64_t end;                                      /* of the last whole record */
  size_t live;                                       /* records not done */
  uint64_t damaged;                                  /* places passed over, since the process began */
  char families[LDR_SPILL_FAMILIES][LDR_SPILL_NAME]; /* of the live records that opening found */
  unsigned nfamilies;
  ldr_buf buf; /* one record */
} ldr_spill;

/* One record; the texts lie in the spill's buffer until the next call. */
typedef struct ldr_spilled {
  uint64_t at;      /* names the record */
  int64_t accepted; /* wall clock, microseconds */
  const char *family, *store;
  const char *fields; /* nfields of them, up to end */
  const char *end;
  unsigned nfields;
} ldr_spilled;

ldr_code ldr_spill_open(const char *path, ldr_spill **out, ldr_err *err) LDR_MUSTCHECK;
void ldr_spill_close(ldr_spill *s); /* the file stays. NULL is fine */
void ldr_spill_forsake(
    ldr_spill *s); /* in a forked child: gives up the descriptor, and touches nothing else */

/* All or nothing: when the disk is full, no part of the record stays. */
ldr_code ldr_spill_append(ldr_spill *s, const ldr_entity *e, const ldr_row *row, int64_t accepted,
                          ldr_err *err) LDR_MUSTCHECK;
void ldr_spill_sync(ldr_spill *s); /* as far as the system lets */

/* The next live record from *pos on, which moves behind it; LDR_NOT_FOUND (without text) at the end. */
ldr_code ldr_spill_next(ldr_spill *s, uint64_t *pos, ldr_spilled *out, ldr_err *err) LDR_MUSTCHECK;
/* Its row as e is declared now: fields that are new take their defaults. LDR_DRIFT when a field is gone or of
 * another type, LDR_INVALID when e refuses a value. */
ldr_code ldr_spill_row(const ldr_spilled *r, const ldr_entity *e, ldr_row **out, ldr_err *err) LDR_MUSTCHECK;
/* Moves the record that was read last to the end. */
ldr_code ldr_spill_move(ldr_spill *s, const ldr_spilled *r, ldr_err *err) LDR_MUSTCHECK;
void ldr_spill_done(ldr_spill *s, uint64_t at); /* the record is not live any more */
void ldr_spill_empty(ldr_spill *s);             /* forgets every record */
/* Changes over to a file that another process left behind with records; ours holds none. false: none. */
bool ldr_spill_adopt(ldr_spill *s);

#endif

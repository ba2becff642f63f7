/* A segment: a file of records that is written once, read once, and unlinked when each of them is done.
 *
 *   "LDRSEG2\n" | salt 16 | [ "LDR2" | live 1 | length 4 | checksum 16 | record ] …
 *
 * The checksum is BLAKE2b, keyed by the directory's secret, the segment's salt and the record's place: bytes
 * of a user's value are never taken for a record, wherever reading has to begin anew after damage. The live
 * byte is not covered: done() clears it in place.
 *
 * A segment without a name lies in memory. Not thread-safe: whoever owns it guards it. */
#ifndef LDR_WRITER_SEGMENT_H
#define LDR_WRITER_SEGMENT_H

#include "writer/record.h"

enum { LDR_SEGMENT_KEY = 32 };

typedef struct ldr_segment {
  struct ldr_segment *next; /* in the list of its owner */
  char *name;               /* NULL: in memory */
  int dir, fd;              /* dir: borrowed */
  const unsigned char *key; /* borrowed */
  unsigned char salt[16];
  ldr_buf out;      /* records that were added and not written yet */
  ldr_buf data;     /* all of it, while it is read */
  uint64_t end;     /* bytes written */
  uint64_t pos;     /* bytes read, see ldr_segment_next */
  size_t live;      /* records not done, without those in `out` */
  size_t unread;    /* live ones behind pos; kept by the owner */
  size_t pending;   /* records in `out` */
  uint64_t damaged; /* places that cannot be read */
  unsigned refs;    /* for the owner */
  uint64_t number;  /* for the owner */
  bool old;         /* for the owner: an earlier process wrote it */
  bool letter;      /* for the owner: its records are dead letters */
  bool sealed;      /* takes no more records */
  bool dirty;       /* written since the last sync */
} ldr_segment;

/* All names are relative to the directory. create: a new file, mode 0600. open: reads and counts one that is
 * there; LDR_NOT_FOUND when it is not. */
ldr_code ldr_segment_create(int dir, const unsigned char key[LDR_SEGMENT_KEY], const char *name,
                            ldr_segment **out, ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_segment_open(int dir, const unsigned char key[LDR_SEGMENT_KEY], const char *name,
                          ldr_segment **out, ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_segment_memory(const unsigned char key[LDR_SEGMENT_KEY], ldr_segment **out,
                            ldr_err *err) LDR_MUSTCHECK;
void ldr_segment_free(ldr_segment *s); /* the file stays. NULL is fine */
void ldr_segment_remove(ldr_segment *s);

/* add only collects. write: all that was added reaches the system, or nothing of it stays (disk full); then
 * it survives the end of the process, and after sync that of the machine. When sync fails, what was written
 * since the last one may be lost: the segment is sealed. */
ldr_code ldr_segment_add(ldr_segment *s, const ldr_buf *record, ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_segment_write(ldr_segment *s, ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_segment_sync(ldr_segment *s, ldr_err *err) LDR_MUSTCHECK;
void ldr_segment_take_back(ldr_segment *s); /* forgets what was added and not written */

ldr_code ldr_segment_load(ldr_segment *s, ldr_err *err) LDR_MUSTCHECK; /* into memory; seals it */
void ldr_segment_unload(ldr_segment *s);
/* The next live record of a loaded segment from *pos on, which moves behind it; *at names it. */
bool ldr_segment_next(ldr_segment *s, uint64_t *pos, ldr_record *out, uint64_t *at);
/* The live record at `at` of a loaded segment; false: there is none. */
bool ldr_segment_get(ldr_segment *s, uint64_t at, ldr_record *out);
void ldr_segment_done(ldr_segment *s, uint64_t at); /* the record is not live any more */

ldr_code ldr_file_fail(const char *what, const char *name, int why, ldr_err *err); /* errno → error */
extern int (*ldr_file_sync)(int fd); /* fsync; a test puts a disk that fails here */

#endif

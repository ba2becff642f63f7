/* Dead letters: rows that the database refused for their own sake, with the reason, until somebody replays or
 * discards them.
 *
 * With a spill directory they lie in files there (one for all that was refused at one time), which every
 * process with that directory sees: a file is whole when it appears, changes only by marks on letters that
 * are done, and goes with its last letter. Without one, and when the disk is full, they lie in memory, the
 * last LDR_LETTERS_KEPT of them. Thread-safe; the lock is held during I/O, and callers of insert_async never
 * take it. */
#ifndef LDR_WRITER_DEAD_LETTERS_H
#define LDR_WRITER_DEAD_LETTERS_H

#include <pthread.h>

#include "writer/spool.h"

enum { LDR_LETTERS_KEPT = 1000 };

typedef struct ldr_letters {
  pthread_mutex_t lock;
  const ldr_spool *spool; /* its directory, key and owner's name; NULL: memory alone */
  unsigned char key[LDR_SEGMENT_KEY];
  uint64_t bytes_max;  /* of all files of dead letters in the directory */
  ldr_segment *part;   /* being written */
  ldr_segment *files;  /* that are read, or whose rows are replayed */
  ldr_segment *last;   /* of these, the one that is kept open while nothing of it is replayed */
  ldr_segment *memory; /* one letter each, the oldest first */
  size_t kept;         /* how many */
  uint64_t serial;
  uint64_t lost; /* letters for which there was no room */
} ldr_letters;

void ldr_letters_init(ldr_letters *l, const ldr_spool *spool, uint64_t bytes_max);
void ldr_letters_free(ldr_letters *l); /* files stay */

/* add collects, commit makes a file of it that is on disk when it returns. On failure nothing is stored:
 * keep() each of them. */
ldr_code ldr_letters_add(ldr_letters *l, const ldr_buf *record, ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_letters_commit(ldr_letters *l, ldr_err *err) LDR_MUSTCHECK;
void ldr_letters_keep(ldr_letters *l, const ldr_buf *record); /* in memory, or counted as lost */

/* Up to `max` letters behind the one with this id (NULL: from the first on), in the order of refusal; each()
 * must not call back. *n: how many there were. */
typedef void ldr_letter_each(void *ud, const char *id, const ldr_record *r);
ldr_code ldr_letters_page(ldr_letters *l, const char *after, size_t max, ldr_letter_each *each, void *ud,
                          size_t *n, ldr_err *err) LDR_MUSTCHECK;
/* The letter as a row of e, and where it lies: done() must follow, whatever becomes of the row. LDR_NOT_FOUND
 * when there is none (any more). e_of gives the entity of a record, NULL: not declared. */
typedef const ldr_entity *ldr_letter_entity(void *ud, const ldr_record *r);
ldr_code ldr_letters_take(ldr_letters *l, const char *id, ldr_letter_entity *e_of, void *ud,
                          const ldr_entity **e, ldr_row **row, ldr_segment **from, uint64_t *at,
                          ldr_err *err) LDR_MUSTCHECK;
/* gone: the letter is done with; else it stays. */
void ldr_letters_done(ldr_letters *l, ldr_segment *s, uint64_t at, bool gone);
ldr_code ldr_letters_discard(ldr_letters *l, const char *id, ldr_err *err) LDR_MUSTCHECK;
uint64_t ldr_letters_lost(ldr_letters *l);

#endif

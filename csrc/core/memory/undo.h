/* What one transaction did to the tables: a log of pending versions and locks, newest last. Undoing is
 * unlinking; neither undoing nor committing needs memory or can fail. */
#ifndef LDR_MEMORY_UNDO_H
#define LDR_MEMORY_UNDO_H

#include "memory/table.h"

typedef struct ldr_memlog {
  ldr_memtab *tab;
  ldr_memslot *slot;
  ldr_memver *ver;     /* NULL: the slot was locked, … */
  ldr_memshare *share; /* … or shared by this */
} ldr_memlog;

typedef struct ldr_undo { /* zero-initialise; its address is the owner of the slots it holds */
  bool lasting;           /* a transaction of several statements: what it only refers to must be held, too */
  ldr_memlog *log;
  size_t n, cap;
  size_t *mark; /* length of the log at each open savepoint */
  size_t nmarks, marks_cap;
} ldr_undo;

/* Write one row: `slot` NULL inserts, `row` NULL deletes. Takes over the caller's count of row, also on
 * failure. LDR_LOCK_TIMEOUT when another transaction holds the slot or an equal value, LDR_CONFLICT for a
 * duplicate. */
ldr_code ldr_undo_write(ldr_undo *tx, ldr_memtab *t, ldr_memslot *slot, ldr_row *row,
                        ldr_err *err) LDR_MUSTCHECK;
/* Holds a slot without a change: KEY_SHARE, SHARE or UPDATE, until the transaction or its savepoint ends.
 * LDR_LOCK_TIMEOUT when another transaction's hold is against it. */
ldr_code ldr_undo_hold(ldr_undo *tx, ldr_memtab *t, ldr_memslot *slot, ldr_memhold hold,
                       ldr_err *err) LDR_MUSTCHECK;

void ldr_undo_revert(ldr_undo *tx, size_t to); /* back to a length of the log */
/* A statement that began at this length has succeeded: versions of the same savepoint that it replaced are
 * dropped, so that a row has at most one version for each savepoint. */
void ldr_undo_settle(ldr_undo *tx, size_t from);
bool ldr_undo_commit(ldr_undo *tx); /* true: rows changed; false: there were at most locks */

ldr_code ldr_undo_savepoint(ldr_undo *tx, ldr_err *err) LDR_MUSTCHECK;
void ldr_undo_release(ldr_undo *tx);     /* the innermost savepoint, which exists */
void ldr_undo_rollback_to(ldr_undo *tx); /* undo to it and close it */

void ldr_undo_reset(ldr_undo *tx); /* undoes what is left, and keeps some memory for the next use */
void ldr_undo_free(ldr_undo *tx);  /* undoes what is left */

#endif

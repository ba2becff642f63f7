/* Reading tables: rows that match, sorted, limited, locked. */
#ifndef LDR_MEMORY_READ_H
#define LDR_MEMORY_READ_H

#include "memory/access.h"
#include "memory/lists.h"
#include "memory/match.h"
#include "memory/undo.h"
#include "model/rows.h"

/* The rows that satisfy the query's predicate and keyset, one by one. */
typedef struct ldr_memreader {
  ldr_memcur cur;
  ldr_matcher m;
  ldr_memscratch scratch; /* m's */
  ldr_memlists lists;
} ldr_memreader;

void ldr_memreader_open(ldr_memreader *r, const ldr_memquery *q, ldr_err *err);
ldr_code ldr_memreader_next(ldr_memreader *r, ldr_memver **out) LDR_MUSTCHECK; /* NULL at the end */
void ldr_memreader_close(ldr_memreader *r);
/* Predicates as q's transaction sees them. */
ldr_matcher ldr_memread_matcher(const ldr_memquery *q, ldr_memscratch *scratch, ldr_err *err);

/* A growing list of counted rows, on their way into a result. Zero-initialise. */
typedef struct ldr_memrows {
  ldr_row **row;
  size_t n, cap;
} ldr_memrows;
ldr_code ldr_memrows_add(ldr_memrows *l, ldr_row *row, ldr_err *err) LDR_MUSTCHECK; /* counts it once more */
void ldr_memrows_free(ldr_memrows *l);
/* Moves the rows into a result set; the list is empty afterwards, also on failure. */
ldr_code ldr_memrows_take(ldr_memrows *l, const ldr_op *op, ldr_rows **out, ldr_err *err) LDR_MUSTCHECK;

/* The same for an operation with computed columns; the list stays. */
ldr_code ldr_memrows_compute(ldr_undo *tx, const ldr_memtab *t, const ldr_memrows *l, const ldr_op *op,
                             ldr_rows **out, ldr_err *err) LDR_MUSTCHECK;

/* A growing list of slots. Zero-initialise. */
typedef struct ldr_memslots {
  ldr_memslot **slot;
  size_t n, cap;
} ldr_memslots;
ldr_code ldr_memslots_add(ldr_memslots *l, ldr_memslot *slot, ldr_err *err) LDR_MUSTCHECK;
void ldr_memslots_free(ldr_memslots *l);

/* Every row that tx sees and `where` holds for: what an UPDATE or DELETE is about to change. */
ldr_code ldr_memread_targets(ldr_undo *tx, const ldr_memtab *t, const ldr_pred *where, ldr_memslots *out,
                             ldr_err *err) LDR_MUSTCHECK;
/* Locks of a SELECT stay in a lasting tx; elsewhere conflicts are all that counts. */
ldr_code ldr_memread_select(ldr_undo *tx, ldr_memtab *t, const ldr_op *op, ldr_memrows *out,
                            ldr_err *err) LDR_MUSTCHECK;
/* Do an index's rows come in the order of a SELECT? If not, each page of it sorts all that is left. */
bool ldr_memread_is_ordered(const ldr_undo *tx, const ldr_memtab *t, const ldr_op *op);
ldr_code ldr_memread_count(ldr_undo *tx, const ldr_memtab *t, const ldr_pred *where, int64_t *out,
                           ldr_err *err) LDR_MUSTCHECK;

#endif

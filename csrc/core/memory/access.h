/* Access paths: which rows of a table have to be looked at for a predicate, and in which order they come. The
 * rows found are candidates; the predicate and the keyset still have to be tested on each. */
#ifndef LDR_MEMORY_ACCESS_H
#define LDR_MEMORY_ACCESS_H

#include "memory/table.h"
#include "model/op.h"

typedef struct ldr_memquery { /* borrowed while a cursor is open */
  const ldr_memtab *tab;
  const void *tx;
  const ldr_pred *where;
  unsigned norder;
  const ldr_order *order;
  const ldr_value *after; /* as in an operation */
  int64_t wanted;         /* rows that are wanted at most, -1: all */
} ldr_memquery;

enum { LDR_MEMCUR_PARTS = 48 };

typedef enum ldr_mempath { LDR_MEM_ALL, LDR_MEM_POINTS, LDR_MEM_RANGES } ldr_mempath;

typedef struct ldr_memcur {
  const ldr_memquery *q;
  const ldr_pred *part[LDR_MEMCUR_PARTS]; /* predicates that all hold … */
  unsigned nparts;
  bool more; /* … and there are more of them than fit; those are only tested */
  ldr_mempath path;
  bool ordered;         /* candidates come in the order of the query */
  unsigned which;       /* number of the hash (points) or ordered index (ranges) */
  const ldr_pred *list; /* an IN or KEYS whose items are looked up one by one; NULL: one lookup */
  unsigned column;      /* the place in v[] that takes its items */
  uint32_t item;        /* the next one */
  ldr_value v[LDR_MEMINDEX_COLS];
  unsigned n; /* ranges: columns bound by equality (with the list's) */
  bool backward;
  ldr_sorted_pos at, end;
  ldr_memslot *slot; /* all: the next one */
  ldr_hash seen;     /* with a list, which may name a row twice */
} ldr_memcur;

void ldr_memcur_open(ldr_memcur *c, const ldr_memquery *q);
/* The next candidate, each visible row once; NULL at the end. The table must not change meanwhile. */
ldr_code ldr_memcur_next(ldr_memcur *c, ldr_memver **out, ldr_err *err) LDR_MUSTCHECK;
void ldr_memcur_close(ldr_memcur *c);

#endif

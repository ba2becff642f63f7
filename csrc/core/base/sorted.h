/* An ordered index: pointers in sorted chunks of at most 512. About 8 bytes an entry; a search is two binary
 * searches, an insertion moves at most one chunk's worth of pointers.
 *
 *   chunk  ─► [ a c d ]  [ f g i k ]  [ m n ]  …       each at least a quarter full, or merged with a
 * neighbour position = (chunk, place in it)                    valid until the next add or remove */
#ifndef LDR_BASE_SORTED_H
#define LDR_BASE_SORTED_H

#include <stdbool.h>

#include "base/mem.h"

enum { LDR_SORTED_CHUNK = 512 };

/* <0, 0, >0: the probe stands before, at, behind the entry. A probe is whatever the caller searches by: 0 may
 * hold for a whole run of entries, but a probe for adding or removing an entry equals that entry alone. */
typedef int ldr_sorted_cmp(const void *ud, const void *probe, const void *entry);

typedef struct ldr_sorted {
  struct ldr_sorted_chunk **chunk;
  size_t nchunks, cap;
  size_t n;   /* entries */
} ldr_sorted; /* zero-initialise */

typedef struct ldr_sorted_pos {
  size_t chunk;
  uint32_t at; /* less than the chunk's entries, except at the very end: (nchunks, 0) */
} ldr_sorted_pos;

/* false: out of memory, nothing changed */
bool ldr_sorted_add(ldr_sorted *s, ldr_sorted_cmp *cmp, const void *ud, const void *probe, void *entry);
void ldr_sorted_remove(ldr_sorted *s, ldr_sorted_cmp *cmp, const void *ud,
                       const void *probe); /* must be there */
/* The entry that the probe equals gives its place to another, which the same order puts there. */
void ldr_sorted_replace(ldr_sorted *s, ldr_sorted_cmp *cmp, const void *ud, const void *probe, void *by);
void ldr_sorted_free(ldr_sorted *s);

ldr_sorted_pos ldr_sorted_start(const ldr_sorted *s);
ldr_sorted_pos ldr_sorted_end(const ldr_sorted *s);
/* The first entry that is not before probe; with `past`, the first one after it. */
ldr_sorted_pos ldr_sorted_seek(const ldr_sorted *s, ldr_sorted_cmp *cmp, const void *ud, const void *probe,
                               bool past);
bool ldr_sorted_before(ldr_sorted_pos a, ldr_sorted_pos b);
size_t ldr_sorted_distance(const ldr_sorted *s, ldr_sorted_pos from,
                           ldr_sorted_pos to); /* 0 when to < from */
void *ldr_sorted_next(const ldr_sorted *s,
                      ldr_sorted_pos *at); /* the entry here, then step; not at the end */
void *ldr_sorted_prev(const ldr_sorted *s,
                      ldr_sorted_pos *at); /* step back, then the entry; not at the start */

#endif

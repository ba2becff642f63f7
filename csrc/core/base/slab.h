/* Many small objects of one size: no header each, freed ones are reused first. The blocks go back to the
 * system only with the whole slab, which is what a table of rows wants.
 *
 *   blocks ─► [ next | object | object | … ] ─► …      spare ─► freed object ─► freed object ─► NULL */
#ifndef LDR_BASE_SLAB_H
#define LDR_BASE_SLAB_H

#include "base/mem.h"

typedef struct ldr_slab {
  size_t size;  /* of one object, a multiple of 8 */
  size_t count; /* objects of the newest block */
  size_t used;  /* of them, handed out at least once */
  void *spare;
  struct ldr_slab_block *blocks;
} ldr_slab;

void ldr_slab_init(ldr_slab *s, size_t size);
void *ldr_slab_take(ldr_slab *s); /* not zeroed; NULL when out of memory */
void ldr_slab_give(ldr_slab *s, void *object);
void ldr_slab_free(ldr_slab *s); /* every object is gone */

#endif

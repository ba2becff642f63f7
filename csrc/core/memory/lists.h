/* Long lists of a predicate (IN, KEYS) as hash indexes, so that a scan looks each row up in place of going
 * through the list. A list gets its index when it is asked about for the third time; before that, and for
 * short ones, it would cost more than it saves. */
#ifndef LDR_MEMORY_LISTS_H
#define LDR_MEMORY_LISTS_H

#include "base/hash.h"
#include "model/op.h"

enum { LDR_MEMLISTS_MAX = 4 }; /* lists of one predicate that get an index */

typedef struct ldr_memlists { /* n is set to 0 before its first use */
  struct {
    const ldr_pred *list;
    unsigned uses;
    ldr_hash index; /* of its items: `width` values each */
  } at[LDR_MEMLISTS_MAX];
  unsigned n;
} ldr_memlists;

void ldr_memlists_free(ldr_memlists *l);

/* The index of p, whose items of the hash *code may be equal to the `width` values v, none of them null.
 * NULL: it has none, go through the list. */
const ldr_hash *ldr_memlists_find(ldr_memlists *l, const ldr_pred *p, const ldr_value *v, unsigned width,
                                  uint32_t *code);

#endif

/* What looks at rows: the operation language's logic, and the room that values are made in. */
#ifndef LDR_MEMORY_MATCHER_H
#define LDR_MEMORY_MATCHER_H

#include "model/op.h"
#include "model/row.h"

typedef enum ldr_truth { LDR_FALSE, LDR_TRUE, LDR_UNKNOWN, LDR_BROKEN /* see the matcher's err */ } ldr_truth;

typedef struct ldr_memscratch { /* what the values of expressions are made in; zero-initialise */
  ldr_buf text;
  ldr_arena values;
} ldr_memscratch;

static inline void ldr_memscratch_free(ldr_memscratch *s) {
  ldr_buf_free(&s->text);
  ldr_arena_free(&s->values);
}

typedef struct ldr_matcher {
  /* Answers LDR_P_EXISTS for a row of `outer`; never LDR_UNKNOWN. found, unless it is NULL: the row there is,
   * which stays as long as nothing is written. */
  ldr_truth (*exists)(void *ud, const ldr_entity *outer, const ldr_row *row, const ldr_pred *p,
                      const ldr_row **found, ldr_err *err);
  void *ud;
  ldr_err *err;
  ldr_memscratch *scratch;
  struct ldr_memlists *lists; /* indexes of long lists (memory/lists.h); NULL: none are made */
} ldr_matcher;

#endif

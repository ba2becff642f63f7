/* Cursors of a transaction: rows of one moment, handed out by pieces. */
#ifndef LDR_MEMORY_CURSOR_H
#define LDR_MEMORY_CURSOR_H

#include "memory/read.h"

typedef struct ldr_memcursors { /* zero-initialise */
  struct ldr_memcursor *first;
} ldr_memcursors;

/* Keeps the rows under this number, in place of those that it had; the list is empty afterwards, also on
 * failure. */
ldr_code ldr_memcursors_declare(ldr_memcursors *c, unsigned number, ldr_memrows *rows,
                                ldr_err *err) LDR_MUSTCHECK;
/* Moves the next rows, at most so many, into an empty list; none at the end. */
ldr_code ldr_memcursors_fetch(ldr_memcursors *c, unsigned number, int64_t limit, ldr_memrows *out,
                              ldr_err *err) LDR_MUSTCHECK;
void ldr_memcursors_free(ldr_memcursors *c);

#endif

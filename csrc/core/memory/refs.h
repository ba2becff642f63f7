/* References, checked when a statement's rows are all written. */
#ifndef LDR_MEMORY_REFS_H
#define LDR_MEMORY_REFS_H

#include "memory/undo.h"

/* For every row that tx wrote since `from`, oldest first: a new or changed reference finds its target, a
 * deleted row's children are deleted, set to null, or forbid it. What that writes is appended to the log and
 * so has its own turn: breadth first. */
ldr_code ldr_memfk_run(ldr_undo *tx, size_t from, ldr_err *err) LDR_MUSTCHECK;

#endif

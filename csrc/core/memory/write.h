/* Statements that write. Each leaves its rows pending in tx and checks every constraint; on failure the
 * caller undoes to where the log was. */
#ifndef LDR_MEMORY_WRITE_H
#define LDR_MEMORY_WRITE_H

#include "memory/read.h"

/* *affected rows; with op->nout, the rows themselves are added to out. */
ldr_code ldr_memwrite_insert(ldr_undo *tx, ldr_memtab *t, const ldr_op *op, ldr_memrows *out,
                             int64_t *affected, ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_memwrite_update(ldr_undo *tx, ldr_memtab *t, const ldr_op *op, ldr_memrows *out,
                             int64_t *affected, ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_memwrite_delete(ldr_undo *tx, ldr_memtab *t, const ldr_op *op, ldr_memrows *out,
                             int64_t *affected, ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_memwrite_load(ldr_undo *tx, ldr_memtab *t, const ldr_batch *b, ldr_conflict conflict,
                           int64_t *loaded, ldr_err *err) LDR_MUSTCHECK;

#endif

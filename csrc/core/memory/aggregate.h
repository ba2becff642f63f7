/* Aggregates over the rows of one table. */
#ifndef LDR_MEMORY_AGGREGATE_H
#define LDR_MEMORY_AGGREGATE_H

#include "memory/read.h"

ldr_code ldr_memagg(ldr_undo *tx, const ldr_memtab *t, const ldr_op *op, ldr_rows **out,
                    ldr_err *err) LDR_MUSTCHECK;

#endif

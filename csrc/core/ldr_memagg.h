/* Aggregates over the rows of one table. */
#ifndef LDR_MEMAGG_H
#define LDR_MEMAGG_H

#include "ldr_memread.h"

ldr_code ldr_memagg(ldr_memtx *tx, const ldr_memtab *t, const ldr_op *op, ldr_rows **out,
                    ldr_err *err) LDR_MUSTCHECK;

#endif

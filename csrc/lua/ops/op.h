/* Operation tables → ldr_op, in the work's arena. */
#ifndef LDR_LUA_OPS_OP_H
#define LDR_LUA_OPS_OP_H

#include "lua/ops/args.h"

/* Reads the table at idx into w->op and w->finish. Misuse raises; LDR_INVALID: w->err. */
ldr_code l_op_build(l_opargs *a, int idx) LDR_MUSTCHECK;

#endif

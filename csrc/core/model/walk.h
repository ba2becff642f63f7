/* The walk over what a condition reads; that over a whole operation is ldr_op_reads (model/op.h). */
#ifndef LDR_MODEL_WALK_H
#define LDR_MODEL_WALK_H

#include "model/op.h"

bool ldr_pred_reads(const ldr_entity *e, const ldr_pred *p, ldr_see_field see, void *ud);

#endif

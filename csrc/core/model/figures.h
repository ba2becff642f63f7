/* Which figures there are of which type. */
#ifndef LDR_MODEL_FIGURES_H
#define LDR_MODEL_FIGURES_H

#include "model/entity.h"

typedef enum ldr_agg_fn { LDR_AGG_COUNT, LDR_AGG_SUM, LDR_AGG_AVG, LDR_AGG_MIN, LDR_AGG_MAX } ldr_agg_fn;

/* Is there such a figure of a field, or (name NULL) of an expression of its type? LDR_INVALID says which ones
 * there are. */
ldr_code ldr_figure_check(ldr_agg_fn fn, const ldr_field *f, const char *name, ldr_err *err) LDR_MUSTCHECK;

#endif

/* What a statement takes and gives: its parameters with their values, its result columns. */
#ifndef LDR_VALUES_PARAM_H
#define LDR_VALUES_PARAM_H

#include "values/value.h"

typedef struct ldr_column {
  const char *name; /* borrowed: from the entity, the operation, or the server's description */
  ldr_ftype type;
  bool array;
  const ldr_value *labels; /* LDR_F_ENUM: those of the declaration, which the schema owns */
  unsigned nlabels;
} ldr_column;

typedef struct ldr_param {
  ldr_ftype type;
  bool array; /* n values become one array parameter (LDR_P_IN, LDR_P_KEYS, multi-row INSERT); or a
                 single LDR_T_ARRAY value when n = 1 and is_array_value */
  bool is_array_value;
  size_t n, stride;   /* values v[0], v[stride], … */
  const ldr_value *v; /* borrowed from the operation; NULL: the one value is `own` (limit, offset) */
  ldr_value own;
} ldr_param;

static inline const ldr_value *ldr_param_value(const ldr_param *p, size_t i) {
  return p->v ? p->v + i * p->stride : &p->own;
}

#endif

/* Set expressions of UPDATE and ON CONFLICT DO UPDATE on values, with PostgreSQL's results and overflows. */
#ifndef LDR_MEMORY_SET_APPLY_H
#define LDR_MEMORY_SET_APPLY_H

#include "model/op.h"

/* out := old with sets applied; all three one value a field. Every expression sees the old row; excluded: the
 * proposed row of an insert, NULL for an update. New bytes are the arena's. A number beyond its column is
 * LDR_INVALID (22003) with the column. */
ldr_code ldr_set_apply(const ldr_entity *e, const ldr_set *sets, unsigned n, const ldr_value *old,
                       const ldr_value *excluded, ldr_arena *a, ldr_value *out, ldr_err *err) LDR_MUSTCHECK;

#endif

/* Does a value fit a column type: of the right kind, well formed, in the type's range. What a declaration
 * adds to the type (lengths, enum, min …) is model/validate.h's. */
#ifndef LDR_VALUES_TYPECHECK_H
#define LDR_VALUES_TYPECHECK_H

#include "values/value.h"

/* A null fits no type. LDR_INVALID adds the fault to err->fields under the name `field`; the value itself is
 * never part of it. LDR_CAPACITY when out of memory. */
ldr_code ldr_typecheck(const char *field, ldr_ftype t, bool array, const ldr_value *v,
                       ldr_err *err) LDR_MUSTCHECK;

#endif

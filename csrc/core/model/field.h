/* Fields, as the other parts of a declaration see them. */
#ifndef LDR_MODEL_FIELD_H
#define LDR_MODEL_FIELD_H

#include "model/entity.h"

bool ldr_field_is(const ldr_field *f, ldr_type type); /* an array is LDR_T_ARRAY and nothing else */
bool ldr_field_is_text(const ldr_field *f);

/* A value written in a declaration (default, condition of a unique): of the field's type, and possible. */
ldr_code ldr_decl_literal(const ldr_entity *e, const ldr_field *f, const ldr_value *v, const char *what,
                          ldr_err *err) LDR_MUSTCHECK;

#endif

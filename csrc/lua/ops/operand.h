/* Names → operands: fields, and larder.path: values inside of a jsonb field. */
#ifndef LDR_LUA_OPS_OPERAND_H
#define LDR_LUA_OPS_OPERAND_H

#include "lua/values/value.h"
#include "model/expr.h"

/* Number of the field named at idx; -1: LDR_INVALID was put into w->err. */
int l_field_get(lua_State *L, int idx, l_work *w, const ldr_entity *e);

/* Reads the larder.path at idx, with the type that it names (*typed), else text; then l_path_type may give
 * another. */
ldr_code l_path_get(lua_State *L, int idx, l_work *w, const ldr_entity *e, ldr_expr **out,
                    bool *typed) LDR_MUSTCHECK;
void l_path_type(ldr_expr *p, ldr_ftype type);

#endif

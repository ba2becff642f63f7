/* where tables → predicates, in the work's arena. */
#ifndef LDR_LUA_OPS_WHERE_H
#define LDR_LUA_OPS_WHERE_H

#include "lua/ops/expr.h"
#include "lua/ops/operand.h"

/* The W at idx (see docs/inside/core-module.md); nil: no condition, *out is NULL. An unknown field or
 * operator and a value of the wrong kind are LDR_INVALID in w->err; something that is no W at all raises. */
ldr_code l_where_get(lua_State *L, int idx, l_work *w, const ldr_entity *e,
                     const ldr_pred **out) LDR_MUSTCHECK;

/* What reads expressions and conditions on e. */
l_builder l_builder_of(lua_State *L, l_work *w, const ldr_entity *e);

/* key fields = values, as one predicate. */
ldr_code l_where_key(l_work *w, const ldr_entity *e, const ldr_value *values,
                     const ldr_pred **out) LDR_MUSTCHECK;

#endif

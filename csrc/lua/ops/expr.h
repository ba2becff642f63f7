/* Expressions of Lua → ldr_expr, in the work's arena. */
#ifndef LDR_LUA_OPS_EXPR_H
#define LDR_LUA_OPS_EXPR_H

#include "lua/ops/pred.h"

/* Is the value at idx larder.path, larder.field or a function of those? */
bool l_is_expr(lua_State *L, int idx);
/* Reads it. *typed: its type is known; else (a path that names none) it is text until l_path_type. */
ldr_code l_expr_get(l_builder *b, int idx, ldr_expr **out, bool *typed) LDR_MUSTCHECK;
/* "field" or "relation.field", of n bytes: *out is NULL for a field of the builder's store, whose number is
 * *field then. */
ldr_code l_name_get(l_builder *b, const char *name, size_t n, unsigned *field,
                    const ldr_expr **out) LDR_MUSTCHECK;
/* What may stand for a field, at idx: its name, or an expression. Both as l_name_get has them. */
ldr_code l_operand_get(l_builder *b, int idx, unsigned *field, const ldr_expr **out) LDR_MUSTCHECK;
/* The start of the bucket that the field, or `of`, is in. */
ldr_code l_expr_bucket(l_builder *b, unsigned field, const ldr_expr *of, ldr_bucket bucket,
                       ldr_expr **out) LDR_MUSTCHECK;
/* The name of a result column made of x when nobody gives one: "author_name" of author.name; NULL: it has
 * none, which is in w->err. */
const char *l_expr_column(l_work *w, const ldr_expr *x);

#endif

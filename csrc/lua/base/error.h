/* Error objects: a table with error_mt and the fields of the design (code, message, sqlstate …). */
#ifndef LDR_LUA_BASE_ERROR_H
#define LDR_LUA_BASE_ERROR_H

#include "base/err.h"
#include "lua/base/compat.h"

void l_error_open(lua_State *L, int module); /* adds error and error_mt to the module table */

/* Pushes the error object; store and op (NULL: none) say where it happened. */
void l_error_push(lua_State *L, const ldr_err *e, const char *store, const char *op);
/* Pushes nil, err and returns 2, so that `return l_fail(…)` reads well. */
int l_fail(lua_State *L, const ldr_err *e, const char *store, const char *op);
int l_fail_code(lua_State *L, ldr_code code, const char *message);

#endif

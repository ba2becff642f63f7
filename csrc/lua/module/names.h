/* Names of SQL for the Lua side: model/names.h. */
#ifndef LDR_LUA_MODULE_NAMES_H
#define LDR_LUA_MODULE_NAMES_H

#include "lua/base/compat.h"

/* core.sql_name(name) → "name": for a statement. Raises when no such name can be. */
int l_sql_name(lua_State *L);
/* core.sql_path(text) → schema | nil, name: of a declared table or type; nothing: the text is no such name */
int l_sql_path(lua_State *L);
/* core.sql_table(text) → the same as statements have it, all in quotes; nothing: the text is no such name */
int l_sql_table(lua_State *L);
/* core.sql_join(schema | nil, name) → text that core.sql_path reads: quoted only where it must be */
int l_sql_join(lua_State *L);

#endif

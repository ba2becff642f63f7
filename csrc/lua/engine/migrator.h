/* Migrations in Lua: `core.migrations(dir)` reads a directory, `engine:migrator(dir, options)` runs it beside
 * the caller (migrate/migrator.h). */
#ifndef LDR_LUA_ENGINE_MIGRATOR_H
#define LDR_LUA_ENGINE_MIGRATOR_H

#include "lua/call/owners.h"

extern const l_class l_migrator_class, l_files_class;
void l_migrator_open(lua_State *L);
void l_files_open(lua_State *L);
int l_migrations(lua_State *L);      /* core.migrations */
int l_statement_locks(lua_State *L); /* core.statement_locks(sql) */
int l_migrator_new(lua_State *L);    /* engine:migrator */

#endif

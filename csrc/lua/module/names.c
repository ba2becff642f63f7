#include "lua/module/names.h"

#include <string.h>

#include "model/names.h"

static const char *check_name(lua_State *L, int arg) {
  size_t n;
  const char *name = luaL_checklstring(L, arg, &n);
  luaL_argcheck(L, strlen(name) == n && ldr_sql_name_ok(name, n), arg, LDR_SQL_NAME_RULE);
  return name;
}

int l_sql_name(lua_State *L) {
  const char *name = check_name(L, 1);
  char quoted[LDR_QUOTED_MAX];
  lua_pushlstring(L, quoted, ldr_sql_quote(quoted, name, strlen(name)));
  return 1;
}

/* The argument as a path; false: it is none. */
static bool get_path(lua_State *L, ldr_path *out) {
  size_t n;
  const char *text = luaL_checklstring(L, 1, &n);
  return strlen(text) == n && ldr_path_read(text, out);
}

int l_sql_path(lua_State *L) {
  ldr_path path;
  if (!get_path(L, &path)) return 0;
  if (path.schema[0])
    lua_pushstring(L, path.schema);
  else
    lua_pushnil(L);
  lua_pushstring(L, path.name);
  return 2;
}

int l_sql_table(lua_State *L) {
  char quoted[LDR_PATH_MAX];
  ldr_path path;
  if (!get_path(L, &path)) return 0;
  ldr_path_quote(&path, quoted);
  lua_pushstring(L, quoted);
  return 1;
}

int l_sql_join(lua_State *L) {
  const char *schema = lua_isnoneornil(L, 1) ? "" : check_name(L, 1), *name = check_name(L, 2);
  char text[LDR_PATH_MAX];
  ldr_path path;
  memcpy(path.schema, schema, strlen(schema) + 1);
  memcpy(path.name, name, strlen(name) + 1);
  ldr_path_write(&path, text);
  lua_pushstring(L, text);
  return 1;
}

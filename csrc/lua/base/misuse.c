#include "lua/base/misuse.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/nearest.h"
#include "lua/base/state.h"
#include "lua/base/table.h"

/* ---- whose line it is ---- */

/* Is source a file below larder's own directory (see own)? */
static bool is_own(lua_State *L, const char *source) {
  bool own;
  l_ref_push(L, L_HOME);
  own = lua_type(L, -1) == LUA_TSTRING && strncmp(source, lua_tostring(L, -1), lua_rawlen(L, -1)) == 0;
  lua_pop(L, 1);
  return own;
}

void l_caller_push(lua_State *L) {
  lua_Debug ar;
  luaL_checkstack(L, 4, NULL);
  for (int level = 0; lua_getstack(L, level, &ar); level++) {
    if (!lua_getinfo(L, "Sl", &ar) || ar.currentline <= 0 || is_own(L, ar.source)) continue;
    lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
    return;
  }
  lua_pushliteral(L, "");
}

int l_misuse(lua_State *L, const char *fmt, ...) {
  va_list ap;
  l_caller_push(L);
  va_start(ap, fmt);
  lua_pushvfstring(L, fmt, ap);
  va_end(ap);
  lua_concat(L, 2);
  return lua_error(L);
}

int l_misuse_in(lua_State *L, const char *store, const char *method, const char *fmt, ...) {
  va_list ap;
  l_caller_push(L);
  if (store && method)
    lua_pushfstring(L, "%s:%s: ", store, method);
  else
    lua_pushfstring(L, store || method ? "%s: " : "%s", store ? store : method ? method : "");
  va_start(ap, fmt);
  lua_pushvfstring(L, fmt, ap);
  va_end(ap);
  lua_concat(L, 3);
  return lua_error(L);
}

const char *l_hint_push(lua_State *L, const char *name, const char *const *names, unsigned n) {
  ldr_nearest near;
  ldr_nearest_begin(&near, name);
  for (unsigned i = 0; i < n; i++)
    if (names[i]) ldr_nearest_try(&near, names[i]);
  return lua_pushfstring(L, near.best ? "; did you mean %s?" : "", near.best);
}

/* ---- for Lua ---- */

/* core.misuse(text): raises it at the caller's line */
static int misuse(lua_State *L) { return l_misuse(L, "%s", luaL_checkstring(L, 1)); }

/* core.caller() → "file:line: " */
static int caller(lua_State *L) {
  l_caller_push(L);
  return 1;
}

/* core.own(prefix): sources that begin so are larder's own */
static int own(lua_State *L) {
  luaL_checkstring(L, 1);
  lua_settop(L, 1);
  l_ref_set(L, L_HOME);
  return 0;
}

/* core.shape_fault(t, "list" | "record" | "condition" | "table") → why t is none, or nil */
static int shape_fault(lua_State *L) {
  static const char *const names[] = {"list", "record", "condition", "table", NULL};
  int i = luaL_checkoption(L, 2, NULL, names);
  return l_shape_fault(L, 1, (l_shape)(i + 1)) != NULL;
}

/* What an option may be, in the numbers that options_fit reads: Lua types as bits, and limits above them. */
enum { NOT_NEGATIVE = 1 << 16, WHOLE = 1 << 17, FROM_ONE = 1 << 18, A_LIST = 1 << 19 };

static bool is_kind(lua_State *L, int idx, lua_Integer kind) {
  int type = lua_type(L, idx);
  lua_Number n;
  if (!(kind >> type & 1)) return false;
  if (type == LUA_TTABLE) return !(kind & A_LIST) || l_shape_fault(L, idx, L_LIST) == NULL;
  if (type != LUA_TNUMBER) return true;
  n = lua_tonumber(L, idx);
  if ((kind & NOT_NEGATIVE && !(n >= 0)) || (kind & FROM_ONE && !(n >= 1))) return false;
  return !(kind & WHOLE) || n - floor(n) == 0; /* of infinity that is no number */
}

/* Is the option on top of the stack, of the name below it, one of those at idx? { name = kind | { word = true
 * } } */
static bool fits(lua_State *L, int idx) {
  int value = lua_gettop(L);
  bool yes = false;
  lua_pushvalue(L, -2);
  lua_rawget(L, idx);
  if (lua_type(L, -1) == LUA_TNUMBER) {
    yes = is_kind(L, value, lua_tointeger(L, -1));
  } else if (lua_istable(L, -1) && lua_type(L, value) == LUA_TSTRING) {
    lua_pushvalue(L, value);
    lua_rawget(L, -2);
    yes = lua_toboolean(L, -1);
  }
  lua_settop(L, value);
  return yes;
}

/* core.options_fit(opts, kinds) → is opts a plain table of such options alone? Says nothing of what is wrong:
 * who asks looks again, and raises. */
static int options_fit(lua_State *L) {
  bool good = lua_istable(L, 1) && !lua_getmetatable(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_pushnil(L);
  while (good && lua_next(L, 1)) {
    good = fits(L, 2);
    lua_settop(L, 3);
  }
  lua_pushboolean(L, good);
  return 1;
}

/* core.nearest(name, names) → the name that was probably meant, or nil */
static int nearest(lua_State *L) {
  const char *name = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : NULL;
  ldr_nearest n;
  luaL_checktype(L, 2, LUA_TTABLE);
  if (name == NULL) return 0;
  ldr_nearest_begin(&n, name);
  for (int i = 1, all = (int)lua_rawlen(L, 2); i <= all; i++) {
    lua_rawgeti(L, 2, i);
    if (lua_type(L, -1) == LUA_TSTRING) ldr_nearest_try(&n, lua_tostring(L, -1));
    lua_pop(L, 1); /* the list keeps it */
  }
  if (n.best == NULL) return 0;
  lua_pushstring(L, n.best);
  return 1;
}

void l_misuse_open(lua_State *L, int module) {
  static const luaL_Reg functions[] = {
      {"misuse", misuse},           {"caller", caller},           {"own", own}, {"nearest", nearest},
      {"shape_fault", shape_fault}, {"options_fit", options_fit}, {NULL, NULL}};
  lua_pushvalue(L, module);
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
}

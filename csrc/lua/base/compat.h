/* Lua 5.4 and LuaJIT (Lua 5.1's interface) from one source. Every version #if of the project is here; the
 * rest of the binding speaks Lua 5.4's names, and asks L_EXACT_INT where the two differ in kind. */
#ifndef LDR_LUA_BASE_COMPAT_H
#define LDR_LUA_BASE_COMPAT_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define L_EXPORT __attribute__((visibility("default")))
#else
#define L_EXPORT
#endif

#if LUA_VERSION_NUM >= 504

enum {
  L_EXACT_INT = 1,   /* lua_Integer values of Lua hold 64 bits */
  L_CDATA = -2,      /* no value has this type */
  L_INTERN_CHEAP = 0 /* making a string that is there costs no more than finding it in a table */
};

/* Raises when the Lua that loads the module is not the one that it was built for. */
static inline void l_check_version(lua_State *L) { luaL_checkversion(L); }

/* A box's environment: one table that lives as long as the box. */
static inline void l_env_push(lua_State *L, int idx) { lua_getiuservalue(L, idx, 1); }
static inline void l_env_set(lua_State *L, int idx) { lua_setiuservalue(L, idx, 1); }
static inline void *l_newuserdata(lua_State *L, size_t n) { return lua_newuserdatauv(L, n, 1); }

#else

#if LUA_VERSION_NUM != 501 || !__has_include(<luajit.h>)
#error "larder is built for Lua 5.4 or LuaJIT 2.1"
#endif

static inline void l_check_version(lua_State *L) {
  (void)L;
} /* another Lua lacks functions, and does not load it */

enum {
  L_EXACT_INT = 0,
  L_CDATA = 10,
  L_INTERN_CHEAP = 1
}; /* numbers are doubles; wide integers are cdata, LuaJIT's type 10 */

#define LUA_OK              0
#define lua_isinteger(L, i) ((void)(L), (void)(i), 0)
#define lua_rawlen(L, i)    lua_objlen(L, i)

static inline void l_env_push(lua_State *L, int idx) { lua_getfenv(L, idx); }
static inline void l_env_set(lua_State *L, int idx) { lua_setfenv(L, idx); }
static inline void *l_newuserdata(lua_State *L, size_t n) { return lua_newuserdata(L, n); }

static inline int lua_absindex(lua_State *L, int idx) {
  return idx > 0 || idx <= LUA_REGISTRYINDEX ? idx : lua_gettop(L) + idx + 1;
}

/* Only used on the registry, whose index does not move when a key is pushed. */
static inline void lua_rawgetp(lua_State *L, int idx, void *p) {
  lua_pushlightuserdata(L, p);
  lua_rawget(L, idx);
}

static inline void lua_rawsetp(lua_State *L, int idx, void *p) {
  lua_pushlightuserdata(L, p);
  lua_insert(L, -2);
  lua_rawset(L, idx);
}

#endif

#endif

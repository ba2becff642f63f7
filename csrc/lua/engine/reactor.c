#include "lua/engine/reactor.h"

#include "lua/base/error.h"
#include "lua/call/owners.h"

enum { CHUNK = 64 };

static l_engine *check(lua_State *L) { return l_box_check(L, 1, &l_engine_class); }

int l_engine_use_reactor(lua_State *L) {
  l_engine *eng = check(L);
  ldr_err err;
  if (eng->e == NULL) return l_fail_code(L, LDR_CLOSED, "the database is closed");
  if (ldr_engine_async(eng->e, &err) == NULL) return luaL_error(L, "%s", err.message);
  l_engine_use_thread(eng);
  return 0;
}

/* Room first: a completion id that was taken must reach Lua, whatever memory is left. */
static void make_room(lua_State *L, int t, size_t n) {
  size_t have = lua_rawlen(L, t);
  while (have < n) {
    lua_pushinteger(L, 0);
    lua_rawseti(L, t, (int)++have);
  }
}

int l_engine_done(lua_State *L) {
  l_engine *eng = check(L);
  uint64_t ids[CHUNK];
  size_t n = 0, got = CHUNK;
  luaL_checktype(L, 2, LUA_TTABLE);
  if (eng->e == NULL || !eng->reactor) got = 0;
  while (got == CHUNK) {
    make_room(L, 2, n + CHUNK);
    got = eng->ops->async->done(eng->e, ids, CHUNK);
    for (size_t i = 0; i < got; i++) {
      lua_pushinteger(L, (lua_Integer)ids[i]);
      lua_rawseti(L, 2, (int)++n);
    }
  }
  lua_pushinteger(L, (lua_Integer)n);
  return 1;
}

int l_engine_wake_fd(lua_State *L) {
  l_engine *eng = check(L);
  ldr_err err;
  lua_pushinteger(L, eng->e && eng->reactor ? eng->ops->async->wake_fd(eng->e, &err) : -1);
  return 1;
}

int l_engine_wake_path(lua_State *L) {
  l_engine *eng = check(L);
  const char *path;
  ldr_err err;
  if (eng->e == NULL || !eng->reactor) return l_fail_code(L, LDR_CLOSED, "the database is closed");
  if (eng->ops->async->wake_path(eng->e, &path, &err) != LDR_OK) return l_fail(L, &err, NULL, "wake_path");
  lua_pushstring(L, path);
  return 1;
}

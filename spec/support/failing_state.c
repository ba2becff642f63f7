/* For specs of memory that runs out: a second Lua state whose allocator fails. It is a Lua module that asks the running
 * interpreter for everything, so it is compiled without a library.
 *
 *   run(source, n, path, cpath) → ok, message, failed
 *
 * runs source in a fresh state of which every allocation from the n-th on fails (n = 0: none), counted from the moment the
 * standard library is open, and closes the state. failed: has an allocation been refused?
 * The source may begin by itself: fail_from(n) counts from there on (0: no more) and tells whether one was refused since
 * the last time. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

typedef struct memory {
  long count, fail_from; /* fail_from 0: never */
  int failed;
} memory;

static void *allocate(void *ud, void *p, size_t old, size_t size) {
  memory *m = ud;
  if (size == 0) {
    free(p);
    return NULL;
  }
  if (p == NULL || size > old) {
    m->count++;
    if (m->fail_from && m->count >= m->fail_from) {
      m->failed = 1;
      return NULL;
    }
  }
  return realloc(p, size);
}

/* fail_from(n) → has an allocation been refused? */
static int fail_from(lua_State *L) {
  memory *m = lua_touserdata(L, lua_upvalueindex(1));
  lua_pushboolean(L, m->failed);
  m->failed = 0;
  m->count = 0;
  m->fail_from = (long)lua_tointeger(L, 1);
  return 1;
}

static void set_path(lua_State *L, const char *field, const char *value) {
  lua_getglobal(L, "package");
  lua_pushstring(L, value);
  lua_setfield(L, -2, field);
  lua_pop(L, 1);
}

static int run(lua_State *caller) {
  size_t size;
  const char *source = luaL_checklstring(caller, 1, &size), *text = NULL;
  memory m = {0, 0, 0};
  lua_State *L = lua_newstate(allocate, &m);
  char message[256] = "";
  int status;
  if (L == NULL) return luaL_error(caller, "no state");
  luaL_openlibs(L);
  /* LuaJIT itself does not survive a failure in the middle of opening its ffi library */
  (void)luaL_dostring(L, "pcall(require, 'ffi')");
  set_path(L, "path", luaL_checkstring(caller, 3));
  set_path(L, "cpath", luaL_checkstring(caller, 4));
  lua_pushlightuserdata(L, &m);
  lua_pushcclosure(L, fail_from, 1);
  lua_setglobal(L, "fail_from");
  status = luaL_loadbuffer(L, source, size, "=scenario");
  m.count = 0;
  m.fail_from = (long)luaL_checkinteger(caller, 2);
  if (status == 0) status = lua_pcall(L, 0, 0, 0);
  m.fail_from = 0;
  if (status != 0) text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "(an error object)";
  if (text) strncpy(message, text, sizeof message - 1);
  lua_close(L);
  lua_pushboolean(caller, status == 0);
  lua_pushstring(caller, message);
  lua_pushboolean(caller, m.failed);
  return 3;
}

int luaopen_failing_state(lua_State *L);

int luaopen_failing_state(lua_State *L) {
  lua_pushcfunction(L, run);
  return 1;
}

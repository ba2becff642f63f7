#include "lua/base/int.h"

#include <math.h>

#include "lua/base/state.h"

#define EXACT INT64_C(9007199254740992) /* 2^53: beyond, doubles leave integers out */

/* LuaJIT has no C interface to cdata; its ffi module is the interface. */
static const char helpers[] =
    "local ffi, bit = require 'ffi', require 'bit'\n"
    "local i64, u64 = ffi.typeof 'int64_t', ffi.typeof 'uint64_t'\n"
    "local function make(high, low) return i64(high) * 4294967296LL + low end\n"
    "local function split(v)\n"
    "  if ffi.istype(i64, v) or ffi.istype(u64, v) and v <= 0x7fffffffffffffffULL then\n"
    "    return tonumber(bit.arshift(i64(v), 32)), tonumber(bit.band(i64(v), 0xffffffffLL))\n"
    "  end\n"
    "end\n"
    "return make, split\n";

void l_int_open(lua_State *L) {
  if (L_EXACT_INT) return;
  if (luaL_loadbuffer(L, helpers, sizeof helpers - 1, "=larder.int64") != 0) lua_error(L);
  lua_call(L, 0, 2);
  l_ref_set(L, L_INT64_SPLIT);
  l_ref_set(L, L_INT64_MAKE);
}

static bool from_cdata(lua_State *L, int idx, int64_t *out) {
  bool ok;
  idx = lua_absindex(L, idx);
  luaL_checkstack(L, 4, NULL);
  l_ref_push(L, L_INT64_SPLIT);
  lua_pushvalue(L, idx);
  lua_call(L, 1, 2);
  ok = lua_isnumber(L, -1);
  if (ok) {
    int64_t high = (int64_t)lua_tonumber(L, -2), low = (int64_t)lua_tonumber(L, -1);
    *out = high * INT64_C(4294967296) + low; /* high is at least -2^31: no overflow */
  }
  lua_pop(L, 2);
  return ok;
}

bool l_int_get(lua_State *L, int idx, int64_t *out) {
  lua_Number n;
  if (lua_isinteger(L, idx)) {
    *out = lua_tointeger(L, idx);
    return true;
  }
  if (lua_type(L, idx) == L_CDATA) return from_cdata(L, idx, out);
  if (lua_type(L, idx) != LUA_TNUMBER) return false;
  n = lua_tonumber(L, idx);
  if (!(n >= -0x1p63 && n < 0x1p63) || n != floor(n)) return false;
  *out = (int64_t)n;
  return true;
}

void l_int_push(lua_State *L, int64_t i) {
  if (L_EXACT_INT) {
    lua_pushinteger(L, i);
    return;
  }
  if (i >= -EXACT && i <= EXACT) {
    lua_pushnumber(L, (lua_Number)i);
    return;
  }
  l_ref_push(L, L_INT64_MAKE);
  lua_pushnumber(L, (lua_Number)(i >> 32));
  lua_pushnumber(L, (lua_Number)(i & INT64_C(0xffffffff)));
  lua_call(L, 2, 1);
}

int64_t l_int_check(lua_State *L, int idx, const char *what) {
  int64_t i = 0;
  if (!l_int_get(L, idx, &i)) luaL_error(L, "%s must be an integer", what);
  return i;
}

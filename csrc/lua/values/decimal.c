#include "lua/values/decimal.h"

#include "lua/base/state.h"

bool l_decimal_is(lua_State *L, int idx) {
  return lua_type(L, idx) == LUA_TTABLE && l_has_mt(L, idx, L_DECIMAL_MT);
}

bool l_decimal_text(lua_State *L, int idx) {
  if (!l_decimal_is(L, idx)) return false;
  idx = lua_absindex(L, idx);
  lua_pushliteral(L, "text");
  lua_rawget(L, idx);
  if (lua_type(L, -1) == LUA_TSTRING) return true;
  lua_pop(L, 1);
  return false;
}

void l_decimal_push(lua_State *L, const char *text, size_t n) {
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "text");
  lua_pushlstring(L, text, n);
  lua_rawset(L, -3);
  l_ref_push(L, L_DECIMAL_MT);
  lua_setmetatable(L, -2);
}

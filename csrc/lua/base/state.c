#include "lua/base/state.h"

static char keys[L_NREFS]; /* only their addresses matter */
static char pending;

void l_ref_push(lua_State *L, l_ref r) { lua_rawgetp(L, LUA_REGISTRYINDEX, &keys[r]); }
void l_ref_set(lua_State *L, l_ref r) { lua_rawsetp(L, LUA_REGISTRYINDEX, &keys[r]); }
void l_pending_push(lua_State *L) { lua_pushlightuserdata(L, &pending); }

/* Takes cjson's own value where it has one, so that its encoder and ours agree on every table. */
static void adopt(lua_State *L, int cjson, const char *name, l_ref r) {
  lua_getfield(L, cjson, name);
  if (lua_istable(L, -1) || lua_islightuserdata(L, -1))
    l_ref_set(L, r);
  else
    lua_pop(L, 1);
}

static void new_metatable(lua_State *L, const char *name, l_ref r) {
  lua_createtable(L, 0, 4);
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__name");
  l_ref_set(L, r);
}

static void remember_resumes(lua_State *L) {
  lua_getglobal(L, "coroutine");
  lua_getfield(L, -1, "resume");
  l_ref_set(L, L_RESUME);
  lua_getfield(L, -1, "wrap");
  lua_getfield(L, -2, "resume"); /* any function; it is never called */
  /* nginx has a wrap of its own, which refuses phases without coroutines: then none was made by it */
  if (lua_pcall(L, 1, 1, 0) == LUA_OK)
    l_ref_set(L, L_WRAPPED);
  else
    lua_pop(L, 1);
  lua_pop(L, 1);
}

void l_state_open(lua_State *L) {
  int top = lua_gettop(L);
  remember_resumes(L);
  new_metatable(L, "larder.array", L_ARRAY_MT);
  new_metatable(L, "larder.error", L_ERROR_MT);
  new_metatable(L, "larder.expr", L_EXPR_MT);
  new_metatable(L, "larder.pred", L_PRED_MT);
  new_metatable(L, "larder.decimal", L_DECIMAL_MT);
  new_metatable(L, "larder.json_text", L_JSON_TEXT_MT);
  lua_newtable(L);
  l_ref_set(L, L_MODULE_ENV);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cjson");
  if (lua_pcall(L, 1, 1, 0) == LUA_OK && lua_istable(L, -1)) {
    adopt(L, top + 1, "array_mt", L_ARRAY_MT);
    adopt(L, top + 1, "empty_array_mt", L_EMPTY_ARRAY_MT);
    adopt(L, top + 1, "empty_array", L_EMPTY_ARRAY);
  }
  lua_settop(L, top);
}

bool l_is_null(lua_State *L, int idx) {
  return lua_type(L, idx) == LUA_TLIGHTUSERDATA && lua_touserdata(L, idx) == NULL;
}

bool l_is_empty(lua_State *L, int idx) {
  int type = lua_type(L, idx);
  return type <= LUA_TNIL || (type == LUA_TLIGHTUSERDATA && lua_touserdata(L, idx) == NULL);
}

bool l_has_mt(lua_State *L, int idx, l_ref mt) {
  bool same;
  if (!lua_getmetatable(L, idx)) return false;
  l_ref_push(L, mt);
  same = lua_istable(L, -1) && lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same;
}

/* Functions that coroutine.wrap makes have their C function in common. LuaJIT shows none for what is not
 * written in C, but of those only these two can have resumed a coroutine. */
bool l_is_resume(lua_State *L, int idx) {
  bool is;
  if (!lua_iscfunction(L, idx)) return false;
  idx = lua_absindex(L, idx);
  l_ref_push(L, L_RESUME);
  l_ref_push(L, L_WRAPPED);
  is = lua_rawequal(L, idx, -2) || lua_tocfunction(L, idx) == lua_tocfunction(L, -1);
  lua_pop(L, 2);
  return is;
}

bool l_marked_array(lua_State *L, int idx) {
  bool same;
  if (lua_type(L, idx) == LUA_TTABLE)
    return l_has_mt(L, idx, L_ARRAY_MT) || l_has_mt(L, idx, L_EMPTY_ARRAY_MT);
  if (lua_type(L, idx) != LUA_TLIGHTUSERDATA || l_is_null(L, idx)) return false;
  idx = lua_absindex(L, idx);
  l_ref_push(L, L_EMPTY_ARRAY);
  same = lua_rawequal(L, idx, -1);
  lua_pop(L, 1);
  return same;
}

#include "lua/values/memo.h"

#include <string.h>

#include "lua/call/owners.h"

static void look_again(l_memo *m) {
  for (unsigned i = 0; i < L_MEMO_TEXTS; i++) m->seen[i].tries = L_MEMO_TRIES;
}

void l_memo_open(lua_State *L, l_memo *m) {
  luaL_checkstack(L, L_MEMO_TEXTS + LUA_MINSTACK, "too many columns");
  memset(m, 0, sizeof *m);
  look_again(m);
  m->base = lua_gettop(L) + 1;
  lua_settop(L, m->base + L_MEMO_TEXTS - 1);
}

/* Replaces the nil on top by a memo that the table of names keeps from now on. */
static l_memo *make(lua_State *L, int names) {
  l_memo *m = l_newuserdata(L, sizeof *m);
  memset(m, 0, sizeof *m);
  lua_createtable(L, L_MEMO_TEXTS, 0);
  l_env_set(L, -2);
  lua_replace(L, -2);
  lua_pushvalue(L, -1);
  lua_rawseti(L, names, L_NAMES_KEPT);
  return m;
}

l_memo *l_memo_borrow(lua_State *L, int names) {
  l_memo *m;
  luaL_checkstack(L, LUA_MINSTACK, NULL); /* the row is pushed behind it */
  if (!lua_istable(L, names)) {
    lua_pushnil(L);
    return NULL;
  }
  lua_rawgeti(L, names, L_NAMES_KEPT);
  m = lua_touserdata(L, -1);
  if (m == NULL) m = make(L, names);
  if (m->table_at) {
    lua_pushnil(L);
    lua_replace(L, -2);
    return NULL;
  }
  l_env_push(L, -1);
  lua_replace(L, -2);
  m->table_at = lua_gettop(L);
  m->text = m->table = 0;
  if (m->rows++ % L_MEMO_AGAIN == 0) look_again(m);
  return m;
}

static void push_kept(lua_State *L, const l_memo *m, int i) {
  if (m->base)
    lua_pushvalue(L, m->base + i);
  else
    lua_rawgeti(L, m->table_at, i + 1);
}

static void keep(lua_State *L, const l_memo *m, int i) {
  lua_pushvalue(L, -1);
  if (m->base)
    lua_replace(L, m->base + i);
  else
    lua_rawseti(L, m->table_at, i + 1);
}

void l_memo_push_guess(lua_State *L, l_memo *m) {
  unsigned i = m->text++;
  m->seen[i].tries = L_MEMO_TRIES;
  push_kept(L, m, (int)i);
}

void l_memo_push_text(lua_State *L, l_memo *m, const char *s, size_t n, bool plain) {
  unsigned i = m->text++;
  if (i >= L_MEMO_TEXTS || m->seen[i].tries == 0 || n > L_MEMO_LONGEST) {
    lua_pushlstring(L, s, n);
    return;
  }
  if (m->seen[i].s && m->seen[i].n == n && memcmp(m->seen[i].s, s, n) == 0) {
    m->seen[i].tries = L_MEMO_TRIES;
    push_kept(L, m, (int)i);
    return;
  }
  m->seen[i].s = NULL; /* what follows may raise */
  m->seen[i].plain = false;
  lua_pushlstring(L, s, n);
  keep(L, m, (int)i);
  m->seen[i].s = lua_tolstring(L, -1, NULL);
  m->seen[i].n = (unsigned)n;
  m->seen[i].plain = plain;
  m->seen[i].tries--;
}

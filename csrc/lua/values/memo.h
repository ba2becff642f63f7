/* What the row before held. The rows of a list repeat themselves: names of JSON members, states, tenants, the
 * shape of a document. Each text has a place in its row, and the one that stood there in the row before is
 * kept on the stack: an equal one is taken from there, neither hashed nor interned again. */
#ifndef LDR_LUA_VALUES_MEMO_H
#define LDR_LUA_VALUES_MEMO_H

#include <string.h>

#include "lua/base/compat.h"

enum {
  L_MEMO_TEXTS = 48,  /* places; texts behind them are made anew */
  L_MEMO_TABLES = 16, /* JSON objects and arrays whose size is kept */
  L_MEMO_TRIES = 4,   /* a place that differs so often in a row is no longer looked at */
  L_MEMO_LONGEST = 64 /* bytes of a text that is kept */
};

typedef struct l_memo {
  int base;             /* stack index of the first place */
  unsigned text, table; /* places of the next ones */
  struct {
    const char *s; /* of the Lua string at its place; NULL: none yet */
    unsigned n;
    unsigned char tries;
  } seen[L_MEMO_TEXTS];
  unsigned char sizes[L_MEMO_TABLES]; /* 0: not known */
} l_memo;

/* Reserves the places on top of the stack. */
static inline void l_memo_open(lua_State *L, l_memo *m) {
  luaL_checkstack(L, L_MEMO_TEXTS, "too many columns");
  memset(m, 0, sizeof *m);
  m->base = lua_gettop(L) + 1;
  for (unsigned i = 0; i < L_MEMO_TEXTS; i++) m->seen[i].tries = L_MEMO_TRIES;
  lua_settop(L, m->base + L_MEMO_TEXTS - 1);
}

/* Pushes a text; m NULL: nothing is kept. */
static inline void l_memo_push(lua_State *L, l_memo *m, const char *s, size_t n) {
  unsigned i = m ? m->text++ : L_MEMO_TEXTS;
  if (i >= L_MEMO_TEXTS || m->seen[i].tries == 0 || n > L_MEMO_LONGEST) {
    lua_pushlstring(L, s, n);
    return;
  }
  if (m->seen[i].s && m->seen[i].n == n && memcmp(m->seen[i].s, s, n) == 0) {
    m->seen[i].tries = L_MEMO_TRIES;
    lua_pushvalue(L, m->base + (int)i);
    return;
  }
  lua_pushlstring(L, s, n);
  lua_pushvalue(L, -1);
  lua_replace(L, m->base + (int)i);
  m->seen[i].s = lua_tolstring(L, -1, NULL);
  m->seen[i].n = (unsigned)n;
  m->seen[i].tries--;
}

/* The place of the next table's size; NULL: none. */
static inline unsigned char *l_memo_size(l_memo *m) {
  return m && m->table < L_MEMO_TABLES ? &m->sizes[m->table++] : NULL;
}

#endif

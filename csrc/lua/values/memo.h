/* What the row before held. Rows of a store repeat themselves: names of JSON members, states, tenants, the
 * shape of a document. Each text has a place in its row, and the one that stood there in the row before is
 * kept: an equal one is taken from there, neither hashed nor interned again. The rows of a list keep theirs
 * on the stack, rows that are answered alone in a table beside the names of the store's fields. */
#ifndef LDR_LUA_VALUES_MEMO_H
#define LDR_LUA_VALUES_MEMO_H

#include "lua/base/compat.h"

enum {
  L_MEMO_TEXTS = 48,   /* places; texts behind them are made anew */
  L_MEMO_TABLES = 16,  /* JSON objects and arrays whose size is kept */
  L_MEMO_LARGEST = 64, /* members of a table whose size is kept: the next one may have but one */
  L_MEMO_TRIES = 4,    /* a place that differs so often in a row is no longer looked at … */
  L_MEMO_AGAIN = 256,  /* … until so many rows were read alone */
  L_MEMO_LONGEST = 64  /* bytes of a text that is kept */
};

typedef struct l_memo {
  int base;             /* stack index of the first place; 0: they are in a table */
  int table_at;         /* stack index of that table; 0: nobody uses the memo */
  unsigned rows;        /* read alone so far */
  unsigned text, table; /* places of the next ones */
  struct {
    const char *s; /* of the Lua string at its place; NULL: none yet */
    unsigned n;
    unsigned char tries;
    bool plain; /* a JSON string that stood there without escapes */
  } seen[L_MEMO_TEXTS];
  unsigned char sizes[L_MEMO_TABLES]; /* 0: not known */
} l_memo;

/* Of a list: reserves the places on top of the stack. */
void l_memo_open(lua_State *L, l_memo *m);
/* Of rows that are answered alone: pushes the table of the places. `names`: the store's table of names, which
 * keeps it; when that is none, or a finalizer runs in the middle of another row, it returns NULL and pushes
 * nil. Whoever gets a memo closes it; if an error is raised before, it is not used again. */
l_memo *l_memo_borrow(lua_State *L, int names);

static inline void l_memo_return(l_memo *m) {
  if (m) m->table_at = 0;
}

void l_memo_push_text(lua_State *L, l_memo *m, const char *s, size_t n, bool plain);

/* Pushes a text; m NULL: nothing is kept. */
static inline void l_memo_push(lua_State *L, l_memo *m, const char *s, size_t n) {
  if (m)
    l_memo_push_text(L, m, s, n, false);
  else
    lua_pushlstring(L, s, n);
}

/* The JSON string that may come next: the one that stood there, as long as looking pays. Its length; 0: none.
 */
static inline size_t l_memo_guess(const l_memo *m, const char **s) {
  if (m->text >= L_MEMO_TEXTS || !m->seen[m->text].plain || m->seen[m->text].tries == 0) return 0;
  *s = m->seen[m->text].s;
  return m->seen[m->text].n;
}
/* Pushes the text of l_memo_guess, which came indeed. */
void l_memo_push_guess(lua_State *L, l_memo *m);

/* The rest of the row is made without the memo: its places are not known, and keep what they have. */
static inline void l_memo_skip(l_memo *m) {
  m->text = L_MEMO_TEXTS;
  m->table = L_MEMO_TABLES;
}

/* The place of the next table's size; NULL: none. */
static inline unsigned char *l_memo_size(l_memo *m) {
  return m && m->table < L_MEMO_TABLES ? &m->sizes[m->table++] : NULL;
}

#endif

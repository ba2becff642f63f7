#include "l_texts.h"

#include <string.h>

void l_texts_open(lua_State *L, l_texts *t) {
  luaL_checkstack(L, L_TEXTS + 12, NULL);
  t->base = lua_gettop(L) + 1;
  lua_settop(L, t->base + L_TEXTS - 1);
  for (int i = 0; i < L_TEXTS; i++) t->kept[i].n = 0;
}

/* 1 to 16 bytes as two words, which overlap unless there are 8 or 16: with the length, they are the text. */
static void words(const char *s, size_t n, uint64_t *head, uint64_t *tail) {
  uint32_t a, b;
  if (n >= 8) {
    memcpy(head, s, 8);
    memcpy(tail, s + n - 8, 8);
  } else if (n >= 4) {
    memcpy(&a, s, 4);
    memcpy(&b, s + n - 4, 4);
    *head = a;
    *tail = b;
  } else {
    *head = (unsigned char)s[0] | (unsigned)(unsigned char)s[n / 2] << 8;
    *tail = (unsigned char)s[n - 1];
  }
}

static unsigned slot_of(uint64_t head, uint64_t tail, size_t n) {
  uint64_t h = (head ^ tail << 17 ^ tail >> 47 ^ n) * UINT64_C(0x9E3779B97F4A7C15);
  return (unsigned)(h >> 59); /* the top five bits: 32 slots */
}

void l_texts_push(lua_State *L, l_texts *t, const char *s, size_t n) {
  uint64_t head, tail;
  unsigned i;
  if (t->base == 0 || n == 0 || n >= L_TEXT_LONG) {
    lua_pushlstring(L, s, n);
    return;
  }
  words(s, n, &head, &tail);
  i = slot_of(head, tail, n);
  if (t->kept[i].head == head && t->kept[i].tail == tail && t->kept[i].n == n) {
    lua_pushvalue(L, t->base + (int)i);
    return;
  }
  lua_pushlstring(L, s, n);
  lua_pushvalue(L, -1);
  lua_replace(L, t->base + (int)i);
  t->kept[i].head = head;
  t->kept[i].tail = tail;
  t->kept[i].n = n;
}

/* Short texts that come again and again in one result: the keys of a thousand JSON objects, a tenant, a status.
 * To make a Lua string is to hash it and to look it up among all strings of the state; here the last ones
 * wait on the stack, and finding one compares two words. */
#ifndef LDR_L_TEXTS_H
#define LDR_L_TEXTS_H

#include "compat.h"

enum { L_TEXTS = 32, L_TEXT_LONG = 17 }; /* slots; bytes from which a text is not kept */

typedef struct l_texts {
  int base; /* stack index of the first slot; 0: nothing is kept */
  struct {
    uint64_t head, tail; /* all bytes of it; see words() */
    size_t n;            /* 0: free */
  } kept[L_TEXTS];
} l_texts;

void l_texts_open(lua_State *L, l_texts *t); /* pushes L_TEXTS slots; whoever pops them sets base to 0 */
void l_texts_push(lua_State *L, l_texts *t, const char *s, size_t n);

#endif

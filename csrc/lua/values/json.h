/* Lua values ↔ JSON text, straight and without loss. A table is an array when it carries array_mt or its keys
 * are 1 … n; an empty table without the mark is an object. Decoded arrays carry array_mt; null is
 * larder.null. */
#ifndef LDR_LUA_VALUES_JSON_H
#define LDR_LUA_VALUES_JSON_H

#include "lua/values/memo.h"
#include "values/json.h"

/* Appends the value at idx. NULL when done, else why it is no JSON ("must not hold NaN or an infinity"). Out
 * of memory shows in out->broken. */
const char *l_json_encode(lua_State *L, int idx, ldr_buf *out);
/* The same, and pushes what l_json_decode would make of the text, in tables of its own; nil where only
 * reading the text tells: decimals, wide integers, objects of many members, what lies deep. A refusal pushes
 * nothing. array_mt: absolute stack index of array_mt. New tables run the collector, and so finalizers. */
const char *l_json_encode_copy(lua_State *L, int idx, ldr_buf *out, int array_mt);

typedef struct l_json_decoder {
  ldr_json_reader r;
  ldr_buf *scratch; /* borrowed; must lie in a box, since decoding may raise */
  bool lenient;     /* as ldr_json_reader: for what a database holds */
  int array_mt;     /* absolute stack index of array_mt */
  int checked;      /* private: the stack has room up to this index */
  l_memo *memo;     /* what the document before held; NULL: there is none */
} l_json_decoder;

/* Pushes the value of text; false (nothing pushed, d->r.why says why) when it is not JSON. */
bool l_json_decode(lua_State *L, l_json_decoder *d, const char *text, size_t n);

#endif

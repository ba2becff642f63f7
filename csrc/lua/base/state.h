/* What the module keeps in each Lua state's registry, and the sentinels. */
#ifndef LDR_LUA_BASE_STATE_H
#define LDR_LUA_BASE_STATE_H

#include "lua/base/compat.h"

typedef enum l_ref {
  L_ARRAY_MT,       /* metatable: this table is a JSON array, a SQL array */
  L_EMPTY_ARRAY_MT, /* cjson's second one, or nil */
  L_EMPTY_ARRAY,    /* cjson's light userdata, or nil */
  L_ERROR_MT,
  L_EXPR_MT,
  L_PRED_MT,
  L_RESUME,       /* coroutine.resume */
  L_WRAPPED,      /* a function that coroutine.wrap has made */
  L_DECIMAL_MT,   /* larder.decimal */
  L_JSON_TEXT_MT, /* { text = JSON }: a JSON value given as its text */
  L_MODULE_ENV,   /* environment of work that belongs to no engine */
  L_INT64_MAKE,   /* LuaJIT only: (high, low) → int64 cdata */
  L_INT64_SPLIT,  /* LuaJIT only: cdata → high, low; nothing when it is no integer that fits */
  L_UNREADABLE_MT,
  L_HOME,   /* how the sources of larder's own Lua files begin */
  L_EXPECT, /* call/run.c's function that makes an answer */
  L_NREFS
} l_ref;

void l_ref_push(lua_State *L, l_ref r);
void l_ref_set(lua_State *L, l_ref r); /* pops the value */

/* Makes the metatables and looks for cjson; before anything else of the module. */
void l_state_open(lua_State *L);

bool l_is_null(lua_State *L, int idx);  /* larder.null, the light userdata NULL */
bool l_is_empty(lua_State *L, int idx); /* nil, none or larder.null */
bool l_has_mt(lua_State *L, int idx, l_ref mt);
bool l_marked_array(lua_State *L, int idx); /* a table or value that says it is an array */

bool l_is_resume(lua_State *L, int idx); /* coroutine.resume, or what coroutine.wrap makes */

void l_pending_push(lua_State *L); /* core.PENDING */

#endif

/* Declarations → ldr_schema, and back. */
#ifndef LDR_LUA_STORE_SCHEMA_H
#define LDR_LUA_STORE_SCHEMA_H

#include "lua/values/value.h"

typedef struct l_schema {
  ldr_schema *s;
} l_schema;

extern const l_class l_schema_class; /* "larder.schema" */

void l_schema_open(lua_State *L);
int l_schema_new(lua_State *L); /* core.schema */
/* The entity named at name_idx; raises when there is none. Pushes its table of names (see L_ENV_NAMES). */
const ldr_entity *l_schema_entity(lua_State *L, int schema_idx, int name_idx);

/* Pushes the checked declaration of one entity as a table, in the form that core.schema takes. */
void l_schema_describe(lua_State *L, l_work *w, const ldr_entity *e);

#endif

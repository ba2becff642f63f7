/* Passwords, keys, sealing, random: from ldr_secret and ldr_apikey. */
#ifndef LDR_LUA_MODULE_SECRET_H
#define LDR_LUA_MODULE_SECRET_H

#include "lua/base/compat.h"

void l_secret_open(lua_State *L, int module); /* adds the functions to the module table */

#endif

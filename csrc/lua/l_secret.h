/* Passwords, keys, sealing, random: from ldr_secret and ldr_apikey. */
#ifndef LDR_L_SECRET_H
#define LDR_L_SECRET_H

#include "compat.h"

void l_secret_open(lua_State *L, int module); /* adds the functions to the module table */

#endif

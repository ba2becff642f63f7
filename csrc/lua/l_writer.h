/* The writer box: rows that nobody waits for. */
#ifndef LDR_L_WRITER_H
#define LDR_L_WRITER_H

#include "l_engine.h"

extern const l_class l_writer_class; /* "larder.writer" */

int l_writer_new(lua_State *L); /* engine:writer */

#endif

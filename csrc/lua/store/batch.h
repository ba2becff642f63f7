/* Batches of rows on their way from one place to another, scans and checksums. */
#ifndef LDR_LUA_STORE_BATCH_H
#define LDR_LUA_STORE_BATCH_H

#include "lua/call/frame.h"

extern const l_class l_batch_class;    /* "larder.batch" */
extern const l_class l_scan_class;     /* "larder.scan" */
extern const l_class l_checksum_class; /* "larder.checksum" */

void l_batch_open(lua_State *L);
void l_scan_open(lua_State *L);
void l_checksum_open(lua_State *L);

ldr_batch *l_batch_check(lua_State *L, int idx);
/* Pushes an empty batch box for rows with the table of names at `names`; returns where to put the batch. */
ldr_batch **l_batch_push(lua_State *L, int names);

int l_bulk_batch(lua_State *L);    /* core.batch */
int l_bulk_checksum(lua_State *L); /* core.checksum */
int l_bulk_load(lua_State *L);     /* cstore:load */
int l_bulk_scan(lua_State *L);     /* cstore:scan */

#endif

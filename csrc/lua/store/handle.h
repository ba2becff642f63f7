/* The box of a store: one entity on one engine. */
#ifndef LDR_LUA_STORE_HANDLE_H
#define LDR_LUA_STORE_HANDLE_H

#include "lua/call/owners.h"

typedef struct l_store {
  l_engine *eng;        /* anchored by the environment, as is … */
  ldr_context *context; /* … what its calls run as; NULL: nothing */
  ldr_schema *schema;
  const ldr_entity *e;
  char *full;        /* "shop.users": err.store */
  uint16_t *visible; /* fields that are not hidden: what reads return unless told otherwise */
  unsigned nvisible;
} l_store;

extern const l_class l_store_class; /* "larder.store" */

#endif

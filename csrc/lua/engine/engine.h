/* The engine's box, and what hangs on it. */
#ifndef LDR_LUA_ENGINE_ENGINE_H
#define LDR_LUA_ENGINE_ENGINE_H

#include "lua/base/handle.h"
#include "postgres/postgres.h"

/* Something whose C part ends with the engine: a transaction, a scan, a running task. Newest first, so that
 * closing the engine drops a task before the transaction that it runs in. */
typedef struct l_child {
  struct l_child *next, **link; /* link: the pointer that points here; NULL: not in a list */
  struct l_ctx *ctx;            /* the transaction it runs in, if any: it ends with that, too */
  void (*drop)(struct l_child *);
} l_child;

typedef struct l_engine {
  ldr_engine *e; /* NULL: closed */
  l_child *children;
  double timeout;  /* seconds, default of a call; < 0: none */
  unsigned nbound; /* upper bound of the coroutines with a transaction of their own; 0: no need to look */
  bool postgres, block, reactor, has_clock, hooked;
  const struct l_armed *armed; /* while a core call may call the test hook, else NULL */
} l_engine;

/* Slots of the environment table of a box. */
enum {
  L_ENV_WORK = 1, /* the work box to reuse */
  L_ENV_ENGINE,
  L_ENV_NAMES, /* of an entity's fields: number from 1 → name, name → number */
  L_ENV_OWNER, /* of a task: the box that was called */
  L_ENV_TX,    /* of a task: what it runs in */
  L_ENV_CLOCK, /* of an engine */
  L_ENV_BOUND, /* of an engine: coroutine → context, weak */
  L_ENV_HOOK,  /* of an engine */
  L_ENV_PARAMS /* of a task: parameters still to be read */
};

extern const l_class l_engine_class;
int l_memory(lua_State *L);         /* core.memory */
int l_postgres(lua_State *L);       /* core.postgres */
int l_parse_conninfo(lua_State *L); /* core.parse_conninfo */

void l_child_add(l_engine *eng, l_child *c, struct l_ctx *ctx, void (*drop)(l_child *));
void l_child_remove(l_child *c); /* harmless when it is in no list */
void l_child_drop_of(l_engine *eng, const struct l_ctx *ctx);

#endif

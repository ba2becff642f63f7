/* The two boxes that others hang on: an engine, and a transaction or session of it. */
#ifndef LDR_LUA_CALL_OWNERS_H
#define LDR_LUA_CALL_OWNERS_H

#include "engine/engine.h"
#include "lua/base/handle.h"

/* Something whose C part ends with the engine: a transaction, a scan, a running task. Newest first, so that
 * closing the engine drops a task before the transaction that it runs in. */
typedef struct l_child {
  struct l_child *next, **link; /* link: the pointer that points here; NULL: not in a list */
  struct l_ctx *ctx;            /* the transaction it runs in, if any: it ends with that, too */
  void (*drop)(struct l_child *);
} l_child;

/* Work that a call waits for and that goes on while Lua runs: see call/run.h. */
typedef struct l_ahead {
  void (*settle)(struct l_ahead *); /* waits for its result */
} l_ahead;

typedef struct l_engine {
  ldr_engine *e;             /* NULL: closed */
  const ldr_engine_ops *ops; /* what it can do; also when it is closed. NULL: it was never open */
  l_child *children;
  double timeout;     /* seconds, default of a call; < 0: none */
  unsigned nbound;    /* transactions that a coroutine runs; 0: no need to look for one */
  struct l_ctx *last; /* of these the one found last, or NULL … */
  lua_State *last_in; /* … and in which coroutine: only ever compared, it may be gone */
  int depth;          /* frames on the stack when one was bound last */
  bool block, reactor, has_clock, hooked;
  const struct l_armed *armed; /* while a core call may call the test hook, else NULL */
  l_ahead *ahead;              /* an answer is made while the server works; else NULL */
} l_engine;

typedef struct l_ctx {
  l_child child;
  l_engine *eng;              /* anchored by the environment */
  ldr_tx *tx;                 /* NULL: over */
  const ldr_context *context; /* what it was begun for; anchored by the environment */
  const void *runner;         /* the function that runs it, by its address; anchored by the engine */
  int frame;       /* of the function that runs it: its number from the stack's bottom, see call/scope.c */
  int level;       /* … and from the top, where it was found last: it is looked for there first */
  bool bound;      /* a coroutine runs it: see call/scope.h */
  bool rooted;     /* the event loop itself keeps that coroutine */
  bool seen;       /* by the sweep that goes on */
  unsigned levels; /* open savepoints */
} l_ctx;

/* Slots of the environment table of a box. */
enum {
  L_ENV_WORK = 1, /* the work box to reuse */
  L_ENV_ENGINE,
  L_ENV_NAMES,   /* of an entity's fields: number from 1 → name, name → number */
  L_ENV_OWNER,   /* of a task: the box that was called */
  L_ENV_TX,      /* of a task: what it runs in */
  L_ENV_CLOCK,   /* of an engine */
  L_ENV_BOUND,   /* of an engine: coroutine → context, weak */
  L_ENV_SCOPES,  /* of an engine: what its event loop knows of coroutines */
  L_ENV_HOOK,    /* of an engine */
  L_ENV_PARAMS,  /* of a task: parameters still to be read */
  L_ENV_RUNNERS, /* of an engine: function → true, those that run transactions */
  L_ENV_CONTEXT  /* of a transaction or store: what its calls run as */
};

/* Slots of an entity's table of names, beside number from 1 → name and name → number. */
enum {
  L_NAMES_RELATIONS = 0, /* name → { name, number, store, on = { there = "here" }, alive = W or nil } */
  L_NAMES_ENTITY = -1,   /* the ldr_entity that they are of */
  L_NAMES_OTHERS = -2,   /* of the family: store → its table of names */
  L_NAMES_KEPT = -3      /* what the last row that was answered alone held (values/memo.h) */
};

extern const l_class l_engine_class; /* "larder.engine" */
extern const l_class l_ctx_class;    /* "larder.ctx" */

/* Before anything else of it runs. */
static inline void l_engine_settle(l_engine *eng) {
  if (eng->ahead) eng->ahead->settle(eng->ahead);
}

/* From now on what does not block is done by the engine's thread; open, and of a kind that has one. */
void l_engine_use_thread(l_engine *eng);
void l_engine_close(l_engine *eng); /* its children first; a second call does nothing */
ldr_tx *l_ctx_take(l_ctx *c);       /* the transaction ends: what runs in it is dropped; NULL: it was over */
void l_ctx_bind(l_ctx *c, lua_State *co); /* the coroutine runs it from now on */
void l_ctx_note(l_ctx *c, lua_State *co); /* … and makes calls in it; harmless when it does not */
void l_ctx_unbind(l_ctx *c);              /* none does; harmless when none did */
void l_ctx_abandon(l_ctx *c);             /* undone without waiting; harmless when it is over */
void l_ctx_add(l_ctx *c, l_engine *e);    /* it has a transaction now, which ends with the engine */
l_ctx *l_ctx_next(const l_child *c); /* the first transaction or session from this child on; NULL: none */

void l_child_add(l_engine *eng, l_child *c, l_ctx *ctx, void (*drop)(l_child *));
void l_child_remove(l_child *c); /* harmless when it is in no list */

#endif

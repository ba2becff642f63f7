/* Work: everything of C that one call of the binding holds, in one box: scratch memory, the operation, the
 * result until it is in Lua tables, and the task while it waits. So a Lua error at any point leaves nothing
 * behind but a box for the collector, and no function has to clean up after one.
 *
 * Each engine, store and context keeps work boxes to reuse. A call takes one and gives it back at its end;
 * one that a Lua error interrupted stays marked as busy, is replaced by the next call and collected. Work
 * that has to wait is handed to Lua as the task object; it is reused once a step has brought its results, so
 * whoever stepped it must forget it then. One that is given up is not. */
#ifndef LDR_LUA_CALL_FRAME_H
#define LDR_LUA_CALL_FRAME_H

#include <assert.h>

#include "lua/call/owners.h"

/* Where the values of one running C function lie on its stack. It lives in that function: work outlives it,
 * and another function finds other values at the same indexes. */
typedef struct l_slots {
  int owner, self, env, names, tx, params, array_mt;
  int answer;         /* that was made before the result was there (call/run.h); 0: none */
  int copy;           /* of the first JSON document that is read, for the answer; 0: none is wanted */
  const char *copied; /* the text of that document, among the values read; NULL: the slot holds no copy */
} l_slots;

typedef struct l_work l_work;
typedef int l_finish(lua_State *L, l_work *w); /* pushes the results; ends with l_work_end or l_work_fail */
/* Pushes what w->op answers if its result is as_given, from the operation alone. False: it cannot be made. */
typedef bool l_expect(lua_State *L, l_work *w);

struct l_work {
  l_child child;     /* in the engine's list while a task runs */
  bool busy, shared; /* shared: Lua has it as a task */
  bool anchors;      /* has an environment of its own, with what it uses */
  unsigned kept;     /* boxes in the chain from here on */
  bool copy;         /* texts must not be borrowed from Lua strings */
  bool as_given;     /* the row that was written last was answered as it was given, and so may be the next */
  l_engine *eng;
  l_ctx *ctx; /* runs in this transaction; NULL: alone */
  ldr_call call;
  const char *store, *name; /* err.store, err.op */

  ldr_err err;
  ldr_arena arena;
  ldr_buf buf;   /* for one text at a time */
  ldr_buf array; /* for one array, while buf serves its elements */

  ldr_result result;
  ldr_row *row;
  ldr_stmt *stmt;
  ldr_schema *schema;   /* retained while waiting */
  ldr_context *context; /* counted; call.context, unless the transaction is its own */
  void *extra;          /* what only one kind of call holds */
  void (*free_extra)(void *);
  ldr_task *task;

  l_finish *finish;
  l_expect *expect; /* NULL: nothing is known of the answer */
  ldr_op *op;
  unsigned nshow; /* the first columns of the result that Lua sees */
  int64_t keep;   /* page: rows that Lua sees; -1: all */
  bool columns;   /* describe them, too */
  bool held;      /* the answer is here, and not yet in Lua tables: see task:rows */
  bool preparing; /* the task makes a statement, not a result */
  bool known;     /* the statement was described by an earlier call, perhaps before a table changed … */
  bool doubted;   /* … and is described again, since the parameters do not fit */

  int64_t time; /* formatted last, as time_text */
  size_t time_length;
  char time_text[LDR_TIME_TEXT];

  struct l_memo *memo; /* of the list that is made now (values/memo.h); NULL: none */
  l_slots *at;         /* of the C function that runs now; NULL between two */
};

extern const l_class l_work_class; /* "larder.task" */
void l_task_open(lua_State *L);    /* its methods: see call/task.c */

/* The slots that work pushes: env, self, names, tx, params and array_mt. Above these, and above options, a
 * function finds LUA_MINSTACK free slots, as at its start; what goes deeper asks for its own. */
enum { L_WORK_SLOTS = 6 };

/* Takes work for a call on the box at `owner` (0: the module) and pushes its slots, which `at` then names: it
 * must live until the work is given back. eng NULL: no engine. */
l_work *l_work_take(lua_State *L, l_slots *at, int owner, l_engine *eng);
/* The slots of the running function. */
static inline const l_slots *l_at(const l_work *w) {
  assert(w->at != NULL); /* also in release builds: a stale index would read beyond the stack */
  return w->at;
}
void l_work_done(l_work *w);
void l_work_free_task(l_work *w);
void l_work_take_result(l_work *w); /* the task is over: what it made moves to the work */

int l_work_end(lua_State *L, l_work *w, int nresults); /* gives the work back; returns nresults */
int l_work_fail(lua_State *L, l_work *w);              /* nil, w->err; gives it back */

/* Options that every call takes: tx (context, nil: the coroutine's own, false: none), timeout and name. tx,
 * timeout and name are stack indexes of their values. Raises on misuse. */
void l_work_options(lua_State *L, l_work *w, int tx, int timeout, int name);
void l_work_join(lua_State *L, l_work *w);             /* the running coroutine's transaction, if any */
void l_work_timeout(lua_State *L, l_work *w, int idx); /* seconds, or nil */
void l_work_context(l_work *w, ldr_context *c);        /* what the call runs as; NULL: nothing to say */
int64_t l_work_now(lua_State *L, l_work *w);           /* the engine's clock; may call Lua */
/* The transaction to use, read at the last moment: Lua code may have ended it. LDR_CLOSED when it or the
 * engine is over; LDR_INVALID when the call is to run as somebody whom the transaction was not begun for. */
ldr_code l_work_tx(l_work *w, ldr_tx **out) LDR_MUSTCHECK;

int l_work_after(lua_State *L, l_work *w, ldr_code code); /* what follows any core call that may wait */

/* Spreads the options table at idx over n new stack slots in the order of names (absent: nil) and returns the
 * first slot. idx may be nil or none. An unknown name raises; positions are the caller's own (a statement's
 * text). names: the same array in every call, since its address is what its table is known by. */
int l_options(lua_State *L, int idx, const char *const *names, int n, const char *what);
bool l_option_bool(lua_State *L, int idx, const char *name);

#endif

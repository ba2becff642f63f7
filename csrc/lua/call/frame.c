#include "lua/call/frame.h"

#include <string.h>

#include "base/clock.h"
#include "lua/base/error.h"
#include "lua/base/int.h"
#include "lua/base/misuse.h"
#include "lua/base/state.h"
#include "lua/call/scope.h"
#include "model/given_row.h"

enum {
  KEEP_BUFFER = 64 * 1024, /* a larger buffer is given back after the call */
  KEEP_WORK = 256,         /* boxes that an owner keeps for calls that wait at once */
  BESIDE_SECONDS = 30      /* that a call may take at most whose coroutine a transaction waits for */
};

/* ---- the box ---- */

void l_work_free_task(l_work *w) {
  ldr_task *t = w->task;
  l_child_remove(&w->child);
  w->task = NULL;
  if (t) t->ops->free(t);
}

void l_work_take_result(l_work *w) {
  if (w->preparing) {
    w->stmt = w->eng->ops->sql->prepared(w->task);
    w->preparing = false;
  }
  w->result = w->task->result;
  w->task->result.rows = NULL;
  l_work_free_task(w);
}

static void free_results(l_work *w) {
  l_work_free_task(w);
  ldr_rows_free(w->result.rows);
  ldr_row_release(w->row);
  if (w->stmt) w->eng->ops->sql->release(w->stmt);
  ldr_schema_release(w->schema);
  ldr_context_release(w->context);
  if (w->extra) w->free_extra(w->extra);
  w->result = (ldr_result){0};
  w->row = NULL;
  w->stmt = NULL;
  w->schema = NULL;
  w->context = w->call.context = NULL;
  w->extra = NULL;
}

static void work_close(void *p) {
  l_work *w = p;
  free_results(w);
  ldr_arena_free(&w->arena);
  ldr_buf_free(&w->buf);
  ldr_buf_free(&w->array);
}

const l_class l_work_class = {"larder.task", sizeof(l_work), work_close};

/* The engine or the transaction ends, and the task's work with it. The task stays: somebody may wait for its
 * descriptor. */
static void drop(l_child *c) { l_child_remove(c); }

/* Boxes to reuse are a chain, which begins in the owner's environment and goes on in their own. */
static l_work *spare(lua_State *L, int env) {
  l_work *w;
  lua_rawgeti(L, env, L_ENV_WORK);
  w = lua_touserdata(L, -1);
  if (w && !w->busy) return w;
  lua_pop(L, 1);
  w = l_box_new(L, &l_work_class);
  lua_pushvalue(L, -1);
  lua_rawseti(L, env, L_ENV_WORK);
  return w;
}

l_work *l_work_take(lua_State *L, l_slots *at, int owner, l_engine *eng) {
  l_work *w;
  int env = lua_gettop(L) + 1;
  if (eng) l_engine_settle(eng);
  luaL_checkstack(L, L_WORK_SLOTS + LUA_MINSTACK, NULL);
  if (owner)
    l_env_push(L, owner);
  else
    l_ref_push(L, L_MODULE_ENV);
  w = spare(L, env);
  w->busy = true;
  w->at = at;
  lua_rawgeti(L, env, L_ENV_NAMES);
  lua_pushnil(L);
  lua_pushnil(L);
  lua_pushnil(L);
  *at = (l_slots){owner, env + 1, env, env + 2, env + 3, env + 4, env + 5, 0, 0, NULL};
  w->eng = eng;
  w->ctx = NULL;
  w->copy = !L_EXACT_INT || (eng && !eng->block); /* LuaJIT: reading a cdata runs Lua code */
  w->call.block = eng == NULL || eng->block;
  w->call.ahead = false;
  w->call.deadline = eng ? ldr_deadline(eng->timeout) : LDR_NEVER;
  w->store = w->name = NULL;
  w->expect = NULL;
  w->op = NULL;
  w->memo = NULL;
  w->nshow = UINT32_MAX;
  w->keep = -1;
  w->held = w->columns = w->preparing = w->known = w->doubted = false;
  w->err.code = LDR_OK;
  return w;
}

/* Empties a buffer; one that is large or will not be used again is given back. */
static void empty(ldr_buf *b, bool all) {
  if (all || b->cap > KEEP_BUFFER)
    ldr_buf_free(b);
  else
    ldr_buf_reset(b);
}

void l_work_done(l_work *w) {
  free_results(w);
  w->at = NULL;
  empty(&w->buf, w->shared);
  empty(&w->array, w->shared);
  if (w->shared) { /* given up, and Lua code still has it as a task: never reused */
    ldr_arena_free(&w->arena);
    w->finish = NULL;
    return;
  }
  ldr_arena_reset(&w->arena);
  w->busy = false;
}

/* A task that came to its end is forgotten by those who waited: its owner may use it again. So may another
 * with the same environment, a later transaction: this one is not kept by it. */
static void keep(lua_State *L, l_work *w) {
  const l_work *next;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  l_env_push(L, l_at(w)->self);
  lua_pushnil(L);
  lua_rawseti(L, -2, L_ENV_TX);
  lua_pushnil(L);
  lua_rawseti(L, -2, L_ENV_PARAMS);
  lua_rawgeti(L, -1, L_ENV_OWNER);
  lua_pushnil(L);
  lua_rawseti(L, -3, L_ENV_OWNER);
  l_env_push(L, -1);
  lua_rawgeti(L, -1, L_ENV_WORK); /* own environment, owner, its environment, next */
  next = lua_touserdata(L, -1);
  w->kept = next ? next->kept + 1 : 1;
  if (w->kept <= KEEP_WORK) {
    lua_rawseti(L, -4, L_ENV_WORK);
    lua_pushvalue(L, l_at(w)->self);
    lua_rawseti(L, -2, L_ENV_WORK);
    w->shared = false;
    w->finish = NULL;
  } else {
    lua_pop(L, 1);
  }
  lua_pop(L, 3);
}

int l_work_end(lua_State *L, l_work *w, int nresults) {
  if (w->shared) keep(L, w);
  l_work_done(w);
  return nresults;
}

int l_work_fail(lua_State *L, l_work *w) {
  if (w->op) ldr_given_row(w->op, &w->err);
  return l_work_end(L, w, l_fail(L, &w->err, w->store, w->name));
}

/* ---- options ---- */

/* Pushes the table name → number from 1 of a list of names, which is made once a state: Lua's own strings are
 * found by their address, so that an option costs one look-up and no comparison of texts. */
static void push_numbers(lua_State *L, const char *const *names, int n) {
  void *key = (void *)(uintptr_t)names; /* only ever a key */
  lua_rawgetp(L, LUA_REGISTRYINDEX, key);
  if (!lua_isnil(L, -1)) return;
  lua_pop(L, 1);
  lua_createtable(L, 0, n);
  for (int i = 0; i < n; i++) {
    lua_pushinteger(L, i + 1);
    lua_setfield(L, -2, names[i]);
  }
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

static void unknown_option(lua_State *L, const char *name, const char *const *names, int n,
                           const char *what) {
  l_misuse(L, "%s: unknown option '%s'%s", what, name, l_hint_push(L, name, names, (unsigned)n));
}

int l_options(lua_State *L, int idx, const char *const *names, int n, const char *what) {
  int base = lua_gettop(L) + 1, numbers = base + n;
  luaL_checkstack(L, n + LUA_MINSTACK, NULL);
  lua_settop(L, base + n - 1);
  if (lua_isnoneornil(L, idx) || idx >= base) return base;
  if (!lua_istable(L, idx)) l_misuse(L, "%s must be a table, not a %s", what, luaL_typename(L, idx));
  push_numbers(L, names, n);
  lua_pushnil(L);
  while (lua_next(L, idx)) {
    int i;
    if (lua_type(L, -2) == LUA_TSTRING) {
      lua_pushvalue(L, -2);
      lua_rawget(L, numbers);
      i = (int)lua_tointeger(L, -1);
      if (i == 0) unknown_option(L, lua_tostring(L, -3), names, n, what);
      lua_pop(L, 1);
      lua_replace(L, base + i - 1);
    } else {
      lua_pop(L, 1);
    }
  }
  lua_settop(L, numbers - 1);
  return base;
}

bool l_option_bool(lua_State *L, int idx, const char *name) {
  if (!lua_isnil(L, idx) && !lua_isboolean(L, idx)) l_misuse(L, "%s must be a boolean", name);
  return lua_toboolean(L, idx);
}

static void use_ctx(lua_State *L, l_work *w, int idx) {
  w->ctx = l_box_test(L, idx, &l_ctx_class);
  if (w->ctx == NULL) l_misuse(L, "tx must be a transaction or session");
  if (w->ctx->eng != w->eng) l_misuse(L, "the transaction belongs to another engine");
  lua_pushvalue(L, idx);
  lua_replace(L, l_at(w)->tx);
}

void l_work_join(lua_State *L, l_work *w) {
  int64_t limit;
  switch (l_scope_find(L, w->eng, l_at(w)->env)) {
    case L_SCOPE_OWN:
    case L_SCOPE_JOINED:
      w->ctx = lua_touserdata(L, -1);
      lua_replace(L, l_at(w)->tx);
      break;
    case L_SCOPE_BESIDE: /* the transaction may hold what this call waits for, and waits for it */
      limit = ldr_deadline(BESIDE_SECONDS);
      if (limit < w->call.deadline) w->call.deadline = limit;
      break;
    case L_SCOPE_NONE: break;
  }
}

void l_work_timeout(lua_State *L, l_work *w, int idx) {
  double s;
  if (lua_isnil(L, idx)) return;
  s = lua_tonumber(L, idx);
  if (lua_type(L, idx) != LUA_TNUMBER || !(s >= 0))
    l_misuse(L, "a timeout must be a number of seconds, not negative");
  w->call.deadline = ldr_deadline(s < 1e9 ? s : -1);
}

void l_work_options(lua_State *L, l_work *w, int tx, int timeout, int name) {
  if (lua_isnil(L, tx))
    l_work_join(L, w);
  else if (!lua_isboolean(L, tx) || lua_toboolean(L, tx))
    use_ctx(L, w, tx);
  l_work_timeout(L, w, timeout);
  if (lua_type(L, name) == LUA_TSTRING)
    w->name = ldr_arena_copy(&w->arena, lua_tostring(L, name), lua_rawlen(L, name));
  else if (!lua_isnil(L, name))
    l_misuse(L, "name must be text");
}

void l_work_context(l_work *w, ldr_context *c) { w->context = w->call.context = ldr_context_retain(c); }

int64_t l_work_now(lua_State *L, l_work *w) {
  int64_t now = 0;
  if (!w->eng->has_clock) return ldr_now_wall();
  lua_rawgeti(L, l_at(w)->env, L_ENV_ENGINE);
  l_env_push(L, -1);
  lua_rawgeti(L, -1, L_ENV_CLOCK);
  lua_call(L, 0, 1);
  if (!l_int_get(L, -1, &now)) luaL_error(L, "the clock must return integer microseconds");
  lua_pop(L, 3);
  return now;
}

/* ---- running ---- */

ldr_code l_work_tx(l_work *w, ldr_tx **out) {
  if (w->eng->e == NULL) return ldr_fail(&w->err, LDR_CLOSED, "the database is closed");
  if (w->ctx && w->ctx->tx == NULL) return ldr_fail(&w->err, LDR_CLOSED, "the transaction is over");
  if (w->ctx && w->context) {
    if (w->ctx->context != w->context)
      return ldr_fail(&w->err, LDR_INVALID, "the transaction was not begun by this view of the database");
    w->call.context = NULL; /* it holds for the whole transaction */
  }
  *out = w->ctx ? w->ctx->tx : NULL;
  return LDR_OK;
}

/* Pushes the environment of work that was never a task. */
static void make_env(lua_State *L, l_work *w) {
  lua_createtable(L, 5, 1);
  lua_pushvalue(L, l_at(w)->names);
  lua_rawseti(L, -2, L_ENV_NAMES);
  lua_rawgeti(L, l_at(w)->env, L_ENV_ENGINE);
  lua_rawseti(L, -2, L_ENV_ENGINE);
  lua_pushvalue(L, -1);
  l_env_set(L, l_at(w)->self);
  w->anchors = true;
}

/* The owner lets go of the box, so that a task whose coroutine is gone is collected, and so cancelled; the
 * box anchors what it uses. */
static void hand_out(lua_State *L, l_work *w) {
  if (w->anchors)
    l_env_push(L, l_at(w)->self);
  else
    make_env(L, w);
  w->shared = true;
  lua_rawgeti(L, -1, L_ENV_WORK);
  lua_rawseti(L, l_at(w)->env, L_ENV_WORK);
  lua_pushnil(L);
  lua_rawseti(L, -2, L_ENV_WORK);
  lua_pushvalue(L, l_at(w)->owner);
  lua_rawseti(L, -2, L_ENV_OWNER);
  lua_pushvalue(L, l_at(w)->tx);
  lua_rawseti(L, -2, L_ENV_TX);
  lua_pushvalue(L, l_at(w)->params);
  lua_rawseti(L, -2, L_ENV_PARAMS);
  lua_pop(L, 1);
}

/* Hands the work out as a task: in the engine's list before Lua runs again. */
static int suspend(lua_State *L, l_work *w) {
  if (w->child.link == NULL) l_child_add(w->eng, &w->child, w->ctx, drop);
  if (w->op && w->schema == NULL) w->schema = ldr_schema_retain(w->op->e->schema);
  if (!w->shared) hand_out(L, w);
  l_pending_push(L);
  lua_pushvalue(L, l_at(w)->self);
  w->at = NULL;
  return 2;
}

int l_work_after(lua_State *L, l_work *w, ldr_code code) {
  if (code == LDR_PENDING) return suspend(L, w);
  if (code != LDR_OK) return l_work_fail(L, w);
  return w->finish(L, w);
}

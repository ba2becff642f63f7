#include "lua/call/run.h"

#include "lua/base/state.h"

/* Lives in answer_ahead; the engine points to it until the result is there. */
typedef struct l_run {
  l_ahead ahead; /* first */
  l_work *w;
  ldr_code code; /* the result's */
  ldr_err err;   /* making an answer uses the one of the work */
} l_run;

static void settle(l_ahead *a) {
  l_run *r = (l_run *)a;
  l_work *w = r->w;
  w->eng->ahead = NULL;
  r->code = w->task->ops->step(w->task, &r->err);
  if (r->code == LDR_OK)
    l_work_take_result(w);
  else
    l_work_free_task(w);
}

/* (work, names, copy) → answer, or nil. Protected. */
static int make(lua_State *L) {
  l_work *w = lua_touserdata(L, 1);
  l_slots at = {.names = 2, .copy = 3, .copied = l_at(w)->copied, .array_mt = 4};
  lua_settop(L, 4);
  w->at = &at;
  if (!w->expect(L, w)) lua_pushnil(L);
  return 1;
}

/* Kept, since pushing a new function may raise on LuaJIT, and the work is under way by then. */
void l_run_open(lua_State *L) {
  lua_pushcfunction(L, make);
  l_ref_set(L, L_EXPECT);
}

/* The task of w was sent: makes the answer, and waits for the result. */
static ldr_code answer_ahead(lua_State *L, l_work *w) {
  l_run r;
  l_slots *at = w->at;
  bool made;
  r.ahead.settle = settle;
  r.w = w;
  w->eng->ahead = &r.ahead;
  l_ref_push(L, L_EXPECT);
  lua_pushlightuserdata(L, w);
  lua_pushvalue(L, at->names);
  if (at->copied)
    lua_pushvalue(L, at->copy);
  else
    lua_pushnil(L);
  made = lua_pcall(L, 3, 1, 0) == LUA_OK;
  w->at = at;
  l_engine_settle(w->eng);
  if (!made) {
    l_work_done(w);
    lua_error(L);
  }
  if (!lua_isnil(L, -1)) at->answer = lua_gettop(L);
  w->err.code = LDR_OK;
  if (r.code != LDR_OK) w->err = r.err;
  return r.code;
}

int l_work_run(lua_State *L, l_work *w) {
  ldr_tx *tx = NULL;
  ldr_engine *e;
  ldr_code code;
  if (l_work_tx(w, &tx) != LDR_OK) return l_work_fail(L, w);
  e = w->eng->e;
  w->call.ahead = w->call.block && w->expect;
  code = e->ops->run(e, tx, w->op, &w->call, &w->result, &w->task, &w->err);
  if (code == LDR_PENDING && w->call.ahead) code = answer_ahead(L, w);
  return l_work_after(L, w, code);
}

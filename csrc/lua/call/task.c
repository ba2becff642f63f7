/* The task object: work that waits. Lua waits for fd() in its own way and calls step(). */
#include "base/clock.h"
#include "lua/base/error.h"
#include "lua/base/state.h"
#include "lua/call/frame.h"
#include "lua/call/hook.h"
#include "lua/call/run.h"

static l_work *check(lua_State *L) {
  l_work *w = l_box_check(L, 1, &l_work_class);
  w->at = NULL; /* a function that a Lua error ended may have left its slots behind */
  return w;
}

/* The slots that l_work_take pushes, for the function that runs now. The task itself is at 1. */
static void push_slots(lua_State *L, l_slots *at, l_work *w) {
  luaL_checkstack(L, L_WORK_SLOTS + LUA_MINSTACK, NULL);
  lua_settop(L, 1);
  l_env_push(L, 1);
  lua_rawgeti(L, 2, L_ENV_NAMES);
  lua_rawgeti(L, 2, L_ENV_TX);
  lua_rawgeti(L, 2, L_ENV_PARAMS);
  lua_pushnil(L);
  *at = (l_slots){.self = 1, .env = 2, .names = 3, .tx = 4, .params = 5, .array_mt = 6};
  w->at = at;
}

/* Nothing is left to wait for; nil, err */
static int closed(lua_State *L, l_work *w) {
  ldr_fail(&w->err, LDR_CLOSED, "the database was closed");
  return l_work_fail(L, w);
}

/* task:step() → PENDING, task, or the results of the call that made the task */
static int task_step(lua_State *L) {
  l_work *w = check(L);
  l_slots at;
  l_armed armed;
  ldr_code code;
  if (w->finish == NULL || w->held) return luaL_error(L, "the task is finished");
  push_slots(L, &at, w);
  if (w->task == NULL) return closed(L, w);
  l_hook_arm(L, w->eng, at.env, &armed);
  code = w->task->ops->step(w->task, &w->err);
  l_hook_disarm(L, w->eng);
  if (code == LDR_OK)
    l_work_take_result(w);
  else if (code != LDR_PENDING)
    l_work_free_task(w);
  return l_work_after(L, w, code);
}

/* task:rows() → the rows of a page that its step announced | nil, err */
static int task_rows(lua_State *L) {
  l_work *w = check(L);
  l_slots at;
  if (w->finish == NULL || !w->held) return luaL_error(L, "the task holds no rows");
  push_slots(L, &at, w);
  w->held = false;
  return w->finish(L, w);
}

/* task:submit(id) → true | nil, err: to the engine's thread, which reports the id by engine:done() */
static int task_submit(lua_State *L) {
  l_work *w = check(L);
  lua_Number id = luaL_checknumber(L, 2);
  l_slots at;
  luaL_argcheck(L, id >= 1 && id <= 9007199254740992.0, 2, "must be a positive integer");
  if (w->finish == NULL || w->held) return luaL_error(L, "the task is finished");
  push_slots(L, &at, w);
  if (w->task == NULL) return closed(L, w);
  if (w->eng->ops->async->submit(w->task, (uint64_t)id, &w->err) != LDR_OK) return l_work_fail(L, w);
  w->at = NULL;
  lua_pushboolean(L, true);
  return 1;
}

/* task:wait(seconds | nil) → is it finished, or to be stepped? Submits when nobody did, and blocks. */
static int task_wait(lua_State *L) {
  l_work *w = check(L);
  double seconds = luaL_optnumber(L, 2, -1);
  lua_pushboolean(
      L, w->task == NULL || w->eng->ops->async->wait(w->task, ldr_deadline(seconds < 1e9 ? seconds : -1)));
  return 1;
}

/* The task's own descriptor; with a reactor that submits it when nobody did. -1: there is none */
static int task_fd(lua_State *L) {
  l_work *w = check(L);
  int fd = -1;
  if (w->task) fd = w->eng->reactor ? w->eng->ops->async->fd(w->task) : w->task->fd;
  lua_pushinteger(L, fd >= 0 ? fd : -1);
  return 1;
}

static int task_events(lua_State *L) {
  static const char *const names[] = {"", "r", "w", "rw"};
  l_work *w = check(L);
  unsigned events = w->task ? w->task->events & (LDR_READ | LDR_WRITE) : 0;
  lua_pushstring(L, names[w->task && w->eng->reactor ? LDR_READ : events]);
  return 1;
}

/* Seconds after which it must be stepped; nil: never, or a reactor watches its deadline. */
static int task_timeout(lua_State *L) {
  l_work *w = check(L);
  int64_t left;
  if (w->task == NULL || w->eng->reactor || w->task->deadline == LDR_NEVER) return 0;
  left = w->task->deadline - ldr_now_mono();
  lua_pushnumber(L, left > 0 ? (lua_Number)left / 1e6 : 0);
  return 1;
}

/* Gives up: the statement is cancelled. Harmless when the task is over. */
static int task_close(lua_State *L) {
  l_work *w = check(L);
  if (w->shared) l_work_done(w);
  return 0;
}

/* The same with the transaction that it runs in: whoever ran that is gone. */
static int task_abandon(lua_State *L) {
  l_work *w = check(L);
  l_ctx *ctx = w->ctx; /* anchored by the task */
  task_close(L);
  if (ctx) l_ctx_abandon(ctx);
  return 0;
}

static const luaL_Reg methods[] = {
    {"submit", task_submit}, {"wait", task_wait},
    {"step", task_step},     {"fd", task_fd},
    {"events", task_events}, {"timeout", task_timeout},
    {"close", task_close},   {"abandon", task_abandon},
    {"rows", task_rows},     {NULL, NULL},
};

void l_task_open(lua_State *L) {
  l_class_register(L, &l_work_class, methods);
  l_run_open(L);
}

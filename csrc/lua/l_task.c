/* The task object: work that waits. Lua waits for fd() in its own way and calls step(). */
#include "l_error.h"
#include "l_hook.h"
#include "l_state.h"
#include "l_work.h"
#include "ldr_clock.h"

static l_work *check(lua_State *L) { return l_box_check(L, 1, &l_work_class); }

/* The slots that l_work_take pushes, for the function that runs now. */
static void push_slots(lua_State *L, l_work *w) {
  luaL_checkstack(L, L_WORK_SLOTS + LUA_MINSTACK, NULL);
  lua_settop(L, 1);
  w->self = 1;
  l_env_push(L, 1);
  w->env = 2;
  lua_rawgeti(L, 2, L_ENV_NAMES);
  w->names = 3;
  lua_rawgeti(L, 2, L_ENV_TX);
  w->tx = 4;
  lua_rawgeti(L, 2, L_ENV_PARAMS);
  w->params = 5;
  lua_pushnil(L);
  w->array_mt = 6;
}

/* The task is over: what it made moves to the work. */
static void take_result(l_work *w) {
  if (w->preparing) {
    w->stmt = ldr_pg_prepared(w->task);
    w->preparing = false;
  }
  w->result = w->task->result;
  w->task->result.rows = NULL;
  l_work_free_task(w);
}

/* task:step() → PENDING, task, or the results of the call that made the task */
static int task_step(lua_State *L) {
  l_work *w = check(L);
  ldr_code code;
  if (w->finish == NULL) return luaL_error(L, "the task is finished");
  push_slots(L, w);
  if (w->task == NULL) {
    ldr_fail(&w->err, LDR_CLOSED, "the database was closed");
    return l_work_fail(L, w);
  }
  l_hook_arm(L, w->eng, w->env);
  code = w->task->ops->step(w->task, &w->err);
  l_hook_disarm(L, w->eng);
  if (code == LDR_OK)
    take_result(w);
  else if (code != LDR_PENDING)
    l_work_free_task(w);
  return l_work_after(L, w, code);
}

static int task_fd(lua_State *L) {
  l_work *w = check(L);
  lua_pushinteger(L, w->task && w->task->fd >= 0 ? w->task->fd : -1);
  return 1;
}

static int task_events(lua_State *L) {
  static const char *const names[] = {"", "r", "w", "rw"};
  l_work *w = check(L);
  lua_pushstring(L, names[w->task ? w->task->events & (LDR_READ | LDR_WRITE) : 0]);
  return 1;
}

static int task_timeout(lua_State *L) {
  l_work *w = check(L);
  int64_t left;
  if (w->task == NULL || w->task->deadline == LDR_NEVER) return 0;
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

static const luaL_Reg methods[] = {
    {"step", task_step},       {"fd", task_fd},       {"events", task_events},
    {"timeout", task_timeout}, {"close", task_close}, {NULL, NULL},
};

const l_class l_work_class = {"larder.task", sizeof(l_work), l_work_close, methods};

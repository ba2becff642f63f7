#include "lua/call/context.h"

#include <string.h>

#include "lua/base/error.h"
#include "lua/call/frame.h"

typedef struct context_box {
  ldr_context *c;
} context_box;

static void context_close(void *p) {
  context_box *box = p;
  ldr_context *c = box->c;
  box->c = NULL;
  ldr_context_release(c);
}

static const l_class context_class = {"larder.context", sizeof(context_box), context_close};

ldr_context *l_context_opt(lua_State *L, int idx) {
  if (lua_isnil(L, idx)) return NULL;
  return ((context_box *)l_box_check(L, idx, &context_class))->c;
}

static const char *get_text(lua_State *L, int list, int i) {
  size_t n;
  const char *s;
  lua_rawgeti(L, list, i);
  if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "settings must be text");
  s = lua_tolstring(L, -1, &n);
  if (strlen(s) != n) luaL_error(L, "a setting holds a zero byte");
  lua_pop(L, 1); /* it stays in the list */
  return s;
}

/* engine:context{ name, value, name, value, … } → context | nil, err */
int l_context_new(lua_State *L) {
  l_slots at;
  l_engine *eng = l_box_check(L, 1, &l_engine_class);
  const ldr_context_group *g = NULL;
  ldr_setting *settings;
  context_box *box;
  l_work *w;
  int n;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  n = (int)lua_rawlen(L, 2) / 2;
  box = l_box_new(L, &context_class); /* 3 */
  w = l_work_take(L, &at, 1, eng);
  w->name = "with";
  if (eng->e == NULL)
    ldr_fail(&w->err, LDR_CLOSED, "the database is closed");
  else
    g = ldr_engine_context(eng->e, &w->err);
  if (g == NULL) return l_work_fail(L, w);
  settings = ldr_arena_alloc(&w->arena, (size_t)n * sizeof *settings);
  if (settings == NULL) {
    ldr_fail_nomem(&w->err);
    return l_work_fail(L, w);
  }
  for (int i = 0; i < n; i++)
    settings[i] = (ldr_setting){get_text(L, 2, 2 * i + 1), get_text(L, 2, 2 * i + 2)};
  if (g->make(settings, (size_t)n, &box->c, &w->err) != LDR_OK) return l_work_fail(L, w);
  l_work_done(w);
  lua_settop(L, 3);
  return 1;
}

static const luaL_Reg no_methods[] = {{NULL, NULL}};

void l_context_open(lua_State *L) { l_class_register(L, &context_class, no_methods); }

#include "lua/call/scope.h"

#include "lua/base/state.h"

/* ---- is the function that runs it on the stack? ---- */

/* Frames on a coroutine's stack. */
static int depth(lua_State *co) {
  lua_Debug ar;
  int low = 0, high = 1;
  while (lua_getstack(co, high - 1, &ar)) {
    low = high;
    high *= 2;
  }
  while (high - low > 1) { /* low frames there are, high there are not */
    int middle = (low + high) / 2;
    if (lua_getstack(co, middle - 1, &ar))
      low = middle;
    else
      high = middle;
  }
  return low;
}

/* The same when it is likely to be `guess`. */
static int depth_near(lua_State *co, int guess) {
  lua_Debug ar;
  bool right = guess > 0 && lua_getstack(co, guess - 1, &ar) && !lua_getstack(co, guess, &ar);
  return right ? guess : depth(co);
}

/* Moves the value on top of co's stack to L's, when these are two. */
static void take(lua_State *L, lua_State *co) {
  if (co != L) lua_xmove(co, L, 1);
}

/* Is the frame at this level of co's stack that of the transaction c? It is known by the function, which the
 * engine keeps, and by its first argument, the context's box, which no other call of it has. Pushes that box
 * on L when it is. */
static bool push_framed(lua_State *L, lua_State *co, int level, const l_ctx *c) {
  lua_Debug ar;
  bool same;
  if (level < 0 || !lua_checkstack(co, 2) || !lua_getstack(co, level, &ar)) return false;
  luaL_checkstack(L, 1, NULL);
  lua_getinfo(co, "f", &ar);
  same = lua_topointer(co, -1) == c->runner;
  lua_pop(co, 1);
  if (!same || lua_getlocal(co, &ar, 1) == NULL) return false;
  take(L, co);
  if (lua_type(L, -1) == LUA_TUSERDATA && lua_touserdata(L, -1) == c) return true;
  lua_pop(L, 1);
  return false;
}

/* Does co still run the transaction c? Pushes its box on L when it does. The calls of a transaction's
 * function are mostly equally deep; to count the frames of the stack takes longer. */
static bool push_running(lua_State *L, lua_State *co, l_ctx *c) {
  if (push_framed(L, co, c->level, c)) return true;
  c->level = depth(co) - c->frame;
  return push_framed(L, co, c->level, c);
}

static bool runs(lua_State *L, lua_State *co, l_ctx *c) {
  bool found = push_running(L, co, c);
  if (found) lua_pop(L, 1);
  return found;
}

/* Most calls come from the coroutine that was found last. That is a guess: the coroutine at this address may
 * be another one by now, or may have ended the transaction's function. The frame tells; no guess can make
 * one. */
static bool push_last(lua_State *L, const l_engine *eng) {
  return eng->last && eng->last_in == L && push_running(L, L, eng->last);
}

/* ---- who waits for whom ---- */

/* Has co resumed another coroutine, and waits for it? */
static bool has_resumed(lua_State *co) {
  lua_Debug ar;
  return lua_status(co) == LUA_OK && lua_getstack(co, 0, &ar);
}

/* It ran to its end or was closed; one that is suspended may be so for good, which nobody can tell. */
static bool is_over(lua_State *co) {
  lua_Debug ar;
  return lua_status(co) != LUA_YIELD && !lua_getstack(co, 0, &ar);
}

/* Did it do so itself, and not by a function of C that resumes coroutines for others (an event loop)? */
static bool by_itself(lua_State *L, lua_State *co) {
  lua_Debug ar;
  bool plain;
  if (!lua_checkstack(co, 1) || !lua_getstack(co, 0, &ar)) return false;
  lua_getinfo(co, "f", &ar);
  take(L, co);
  plain = l_is_resume(L, -1);
  lua_pop(L, 1);
  return plain;
}

/* ---- the engine's tables ---- */

/* Pushes the weak table coroutine → context of the engine whose box is at idx; makes it when there is none.
 */
static void push_bound(lua_State *L, int idx) {
  l_env_push(L, idx);
  lua_rawgeti(L, -1, L_ENV_BOUND);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_newtable(L);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, L_ENV_BOUND);
  }
  lua_remove(L, -2);
}

/* An event loop that resumes coroutines in ways of its own says what Lua cannot know:
 *   { known = { [coroutine] = boolean, weak }, rooted = function(co), waits = function(co) }
 * rooted: the loop itself keeps and resumes co, so nobody has resumed it who waits; always the same for one
 * coroutine. waits: co has resumed the running coroutine, or one that has. Pushes the table or nil. */
static bool push_scopes(lua_State *L, int engine) {
  l_env_push(L, engine);
  lua_rawgeti(L, -1, L_ENV_SCOPES);
  lua_remove(L, -2);
  return !lua_isnil(L, -1);
}

static bool ask(lua_State *L, int scopes, const char *name, int co) {
  bool yes;
  lua_getfield(L, scopes, name);
  lua_pushvalue(L, co);
  lua_call(L, 1, 1);
  yes = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return yes;
}

/* Is the running coroutine one that the loop itself resumes? */
static bool is_rooted(lua_State *L, int scopes) {
  int top = lua_gettop(L);
  bool rooted;
  lua_getfield(L, scopes, "known");
  lua_pushthread(L);
  lua_pushvalue(L, -1);
  lua_rawget(L, top + 1);
  rooted = lua_toboolean(L, -1);
  if (lua_isnil(L, -1)) {
    rooted = ask(L, scopes, "rooted", top + 2);
    lua_pushvalue(L, top + 2);
    lua_pushboolean(L, rooted);
    lua_rawset(L, top + 1);
  }
  lua_settop(L, top);
  return rooted;
}

/* ---- finding ---- */

/* The transaction at -1 of the coroutine at -2 is not run any more: it ends, and so does the binding. */
static void unbind(lua_State *L, int bound) {
  l_ctx *c = lua_touserdata(L, -1);
  l_ctx_unbind(c);
  l_ctx_abandon(c);
  lua_pushvalue(L, -2);
  lua_pushnil(L);
  lua_rawset(L, bound);
}

/* One that waits for the running coroutine; pushes its context when that joins. scopes 0: there is none. */
static l_scope find_resumer(lua_State *L, int bound, int scopes) {
  l_scope found = L_SCOPE_NONE;
  lua_pushnil(L);
  while (lua_next(L, bound)) {
    int co = lua_gettop(L) - 1;
    lua_State *other = lua_tothread(L, co);
    bool waits = other != L && (scopes ? ask(L, scopes, "waits", co) : has_resumed(other));
    if (waits ? !runs(L, other, lua_touserdata(L, -1)) : is_over(other)) {
      unbind(L, bound);
      waits = false;
    }
    if (waits && (scopes || by_itself(L, other))) {
      lua_replace(L, co);
      return L_SCOPE_JOINED;
    }
    if (waits) found = L_SCOPE_BESIDE;
    lua_pop(L, 1);
  }
  return found;
}

/* With the engine's box at `engine`; pushes as l_scope_find. */
static l_scope find(lua_State *L, int engine) {
  int top = lua_gettop(L), scopes;
  l_scope found;
  l_ctx *c;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  push_bound(L, engine); /* top + 1 */
  lua_pushthread(L);
  lua_pushvalue(L, -1);
  lua_rawget(L, top + 1); /* top + 3 */
  c = lua_touserdata(L, -1);
  if (c) {
    if (runs(L, L, c)) {
      l_ctx_note(c, L);
      lua_replace(L, top + 1);
      lua_settop(L, top + 1);
      return L_SCOPE_OWN;
    }
    unbind(L, top + 1);
  }
  lua_settop(L, top + 1);
  scopes = push_scopes(L, engine) ? top + 2 : 0;
  found = scopes && is_rooted(L, scopes) ? L_SCOPE_NONE : find_resumer(L, top + 1, scopes);
  if (found == L_SCOPE_JOINED) lua_replace(L, top + 1);
  lua_settop(L, found == L_SCOPE_JOINED ? top + 1 : top);
  return found;
}

l_scope l_scope_find(lua_State *L, l_engine *eng, int env) {
  l_scope found;
  if (eng->nbound == 0) return L_SCOPE_NONE;
  if (push_last(L, eng)) return L_SCOPE_OWN;
  lua_rawgeti(L, env, L_ENV_ENGINE);
  found = find(L, lua_gettop(L));
  lua_remove(L, found == L_SCOPE_OWN || found == L_SCOPE_JOINED ? -2 : -1);
  return found;
}

/* ---- methods of the engine ---- */

/* engine:ambient() → ctx | nil */
int l_scope_ambient(lua_State *L) {
  l_engine *eng = l_box_check(L, 1, &l_engine_class);
  l_scope found = eng->nbound ? find(L, 1) : L_SCOPE_NONE;
  return found == L_SCOPE_OWN || found == L_SCOPE_JOINED;
}

/* engine:joined() → does the coroutine that resumed this one wait, with a transaction? Then a yield would
 * reach that coroutine, not the loop. */
int l_scope_joined(lua_State *L) {
  l_engine *eng = l_box_check(L, 1, &l_engine_class);
  lua_pushboolean(L, eng->nbound && find(L, 1) == L_SCOPE_JOINED);
  return 1;
}

/* Pops a function, which the engine with the environment at `env` keeps from now on: so no other ever has its
 * address. There are few that run transactions. */
static void keep_runner(lua_State *L, int env) {
  lua_rawgeti(L, env, L_ENV_RUNNERS);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawseti(L, env, L_ENV_RUNNERS);
  }
  lua_pushvalue(L, -2);
  lua_rawget(L, -2);
  if (lua_isnil(L, -1)) {
    lua_pushvalue(L, -3);
    lua_pushboolean(L, 1);
    lua_rawset(L, -4);
  }
  lua_pop(L, 3);
}

/* The calling function runs the transaction c from now on. */
static void remember_frame(lua_State *L, l_ctx *c, int env) {
  lua_Debug ar;
  if (!lua_getstack(L, 1, &ar)) luaL_error(L, "bind is for the function that runs the transaction");
  c->eng->depth = depth_near(L, c->eng->depth);
  c->frame = c->eng->depth - 1;
  c->level = 1;
  lua_getinfo(L, "f", &ar);
  c->runner = lua_topointer(L, -1);
  keep_runner(L, env);
  if (!runs(L, L, c)) luaL_error(L, "bind needs the transaction as the first argument of its caller");
}

/* engine:bind(ctx | nil): for the running coroutine, while the calling function runs */
int l_scope_bind(lua_State *L) {
  l_engine *eng = l_box_check(L, 1, &l_engine_class);
  l_ctx *c = NULL, *before;
  lua_settop(L, 2);
  l_env_push(L, 1); /* 3 */
  if (!lua_isnil(L, 2)) {
    c = l_box_check(L, 2, &l_ctx_class);
    luaL_argcheck(L, c->eng == eng, 2, "the transaction belongs to another engine");
    remember_frame(L, c, 3);
    lua_rawgeti(L, 3, L_ENV_SCOPES);
    c->rooted = !lua_isnil(L, 4) && is_rooted(L, 4);
    lua_settop(L, 3);
  }
  push_bound(L, 1); /* 4 */
  lua_pushthread(L);
  lua_pushvalue(L, -1);
  lua_rawget(L, 4);
  before = lua_touserdata(L, -1);
  if (before) l_ctx_unbind(before);
  if (before && c) l_ctx_abandon(before); /* left by who was killed */
  lua_pop(L, 1);
  lua_pushvalue(L, 2);
  lua_rawset(L, 4);
  if (c) l_ctx_bind(c, L);
  return 0;
}

/* engine:set_scopes(table): see push_scopes */
int l_scope_set(lua_State *L) {
  l_box_check(L, 1, &l_engine_class);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  l_env_push(L, 1);
  lua_pushvalue(L, 2);
  lua_rawseti(L, -2, L_ENV_SCOPES);
  return 0;
}

/* engine:bound() → transactions that coroutines run, or ran when they were killed */
int l_scope_bound(lua_State *L) {
  l_engine *eng = l_box_check(L, 1, &l_engine_class);
  lua_pushinteger(L, (lua_Integer)eng->nbound);
  return 1;
}

/* Ends those whose coroutine was collected: the sweep has not seen their binding. */
static void end_unseen(l_engine *eng) {
  l_ctx *c = l_ctx_next(eng->children);
  while (c) {
    if (c->bound && !c->seen) {
      l_ctx_unbind(c);
      l_ctx_abandon(c);
      c = l_ctx_next(eng->children); /* others may have gone with it */
    } else {
      c = l_ctx_next(c->child.next);
    }
  }
}

/* engine:sweep(alive): ends transactions whose function does not run any more. `alive`: { [coroutine] = true
 * } of those that the loop keeps now */
int l_scope_sweep(lua_State *L) {
  l_engine *eng = l_box_check(L, 1, &l_engine_class);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  push_bound(L, 1); /* 3 */
  for (l_ctx *c = l_ctx_next(eng->children); c; c = l_ctx_next(c->child.next)) c->seen = false;
  lua_pushnil(L);
  while (lua_next(L, 3)) { /* 4: coroutine, 5: context */
    l_ctx *c = lua_touserdata(L, 5);
    lua_pushvalue(L, 4);
    lua_rawget(L, 2);
    if ((c->rooted && !lua_toboolean(L, -1)) || !runs(L, lua_tothread(L, 4), c)) {
      lua_settop(L, 5);
      unbind(L, 3);
    } else {
      c->seen = true;
    }
    lua_settop(L, 4);
  }
  end_unseen(eng);
  return 0;
}

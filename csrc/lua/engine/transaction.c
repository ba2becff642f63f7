#include "lua/engine/transaction.h"

#include <string.h>

#include "lua/base/error.h"
#include "lua/base/table.h"
#include "lua/call/context.h"
#include "lua/call/frame.h"
#include "lua/call/hook.h"
#include "lua/engine/copy.h"
#include "lua/engine/query.h"

static l_ctx *check(lua_State *L) {
  l_ctx *c = l_box_check(L, 1, &l_ctx_class);
  l_engine_settle(c->eng);
  return c;
}

/* Pushes a context of the engine at stack index 1 that has no transaction yet. Its environment is the
 * engine's: that names the engine, and has the work boxes that the engine's other calls use again. */
static l_ctx *push_ctx(lua_State *L, l_engine *eng) {
  l_ctx *c = l_box_new(L, &l_ctx_class);
  l_env_push(L, 1);
  l_env_set(L, -2);
  c->eng = eng;
  return c;
}

/* The context at `idx` is begun for what is at `what`, and anchors it in an environment of its own. */
static void set_context(lua_State *L, l_ctx *c, int idx, int what) {
  c->context = l_context_opt(L, what);
  if (c->context == NULL) return;
  lua_createtable(L, 0, 2);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, L_ENV_ENGINE);
  lua_pushvalue(L, what);
  lua_rawseti(L, -2, L_ENV_CONTEXT);
  l_env_set(L, idx);
}

/* ---- beginning ---- */

static ldr_isolation get_isolation(lua_State *L, int idx) {
  static const char *const names[] = {NULL, "read_committed", "repeatable_read", "serializable"};
  unsigned i;
  if (lua_isnil(L, idx)) return LDR_ISO_DEFAULT;
  i = l_name_among(L, idx, names, 4);
  if (i == 4) luaL_error(L, "isolation must be read_committed, repeatable_read or serializable");
  return (ldr_isolation)i;
}

/* The options at 2 of the context at 3. */
static void read_begin(lua_State *L, l_ctx *c, ldr_txopts *opts) {
  static const char *const names[] = {"isolation", "read_only", "deferrable", "context", "cursor"};
  int base = l_options(L, 2, names, 5, "options");
  set_context(L, c, 3, base + 3);
  opts->isolation = get_isolation(L, base);
  opts->read_only = l_option_bool(L, base + 1, "read_only");
  opts->deferrable = l_option_bool(L, base + 2, "deferrable");
  opts->cursor = l_option_bool(L, base + 4, "cursor");
  opts->context = c->context;
}

/* engine:begin{ isolation =, read_only =, deferrable =, context =, cursor = } → ctx. context: what it is
 * begun for, so that calls that run as this may join it; whoever begins it sets it in the transaction. */
int l_ctx_begin(lua_State *L) {
  l_engine *eng = l_box_check(L, 1, &l_engine_class);
  ldr_txopts opts = {0};
  ldr_err err;
  l_ctx *c;
  lua_settop(L, 2);
  c = push_ctx(L, eng); /* 3 */
  if (!lua_isnil(L, 2)) read_begin(L, c, &opts);
  if (eng->e == NULL) return l_fail_code(L, LDR_CLOSED, "the database is closed");
  if (eng->e->ops->begin(eng->e, &opts, &c->tx, &err) != LDR_OK) return l_fail(L, &err, NULL, "begin");
  l_ctx_add(c, eng);
  lua_settop(L, 3);
  return 1;
}

/* engine:session(opts) → ctx: one connection of its own, without a transaction. A call that blocks has it at
 * once; otherwise the first statement waits for it. */
int l_ctx_session(lua_State *L) {
  l_slots at;
  static const char *const names[] = {"timeout"};
  l_engine *eng = l_box_check(L, 1, &l_engine_class);
  l_ctx *c;
  l_work *w;
  const ldr_session_group *g = NULL;
  int base;
  lua_settop(L, 2);
  c = push_ctx(L, eng); /* 3 */
  w = l_work_take(L, &at, 1, eng);
  w->name = "session";
  base = l_options(L, 2, names, 1, "options");
  l_work_timeout(L, w, base);
  if (eng->e == NULL)
    ldr_fail(&w->err, LDR_CLOSED, "the database is closed");
  else
    g = ldr_engine_session(eng->e, &w->err);
  if (g == NULL || g->available(eng->e, &w->err) != LDR_OK ||
      g->open(eng->e, &w->call, &c->tx, &w->err) != LDR_OK)
    return l_work_fail(L, w);
  l_ctx_add(c, eng);
  l_work_done(w);
  lua_settop(L, 3);
  return 1;
}

/* ---- savepoints: each has a number, its level ---- */

static int closed(lua_State *L) { return l_fail_code(L, LDR_CLOSED, "the transaction is over"); }

/* ctx:savepoint() → level | nil, err */
static int ctx_savepoint(lua_State *L) {
  l_ctx *c = check(L);
  ldr_err err;
  if (c->tx == NULL) return closed(L);
  if (c->eng->e->ops->savepoint(c->tx, &err) != LDR_OK) return l_fail(L, &err, NULL, "savepoint");
  lua_pushinteger(L, (lua_Integer)++c->levels);
  return 1;
}

/* The level at 2, the innermost without one; 0 and closed when it has ended already. */
static unsigned read_level(lua_State *L, const l_ctx *c, ldr_err *err) {
  lua_Integer level = luaL_optinteger(L, 2, (lua_Integer)c->levels);
  if (level >= 1 && level <= (lua_Integer)c->levels) return (unsigned)level;
  ldr_fail(err, LDR_CLOSED, "the savepoint is over");
  return 0;
}

/* ctx:release([level]) → true | nil, err; only the innermost can be released */
static int ctx_release(lua_State *L) {
  l_ctx *c = check(L);
  unsigned level;
  ldr_err err;
  if (c->tx == NULL) return closed(L);
  level = read_level(L, c, &err);
  if (level == 0) return l_fail(L, &err, NULL, "release");
  if (level < c->levels) return l_fail_code(L, LDR_INVALID, "a transaction inside of this one has not ended");
  if (c->eng->e->ops->release(c->tx, &err) != LDR_OK) return l_fail(L, &err, NULL, "release");
  c->levels--;
  lua_pushboolean(L, 1);
  return 1;
}

/* ctx:rollback_to([level]) → true | nil, err; ends the levels above it, too */
static int ctx_rollback_to(lua_State *L) {
  l_ctx *c = check(L);
  unsigned level;
  ldr_err err;
  if (c->tx == NULL) return closed(L);
  level = read_level(L, c, &err);
  if (level == 0) return l_fail(L, &err, NULL, "rollback_to");
  for (; c->levels >= level; c->levels--)
    if (c->eng->e->ops->rollback_to(c->tx, &err) != LDR_OK) return l_fail(L, &err, NULL, "rollback_to");
  lua_pushboolean(L, 1);
  return 1;
}

/* ---- ending ---- */

static int finish_true(lua_State *L, l_work *w) {
  lua_pushboolean(L, 1);
  return l_work_end(L, w, 1);
}

/* ctx:commit([seconds | { timeout = seconds }]), ctx:rollback(…) → true | nil, err. They consume the
 * transaction, also when they fail. */
static int end(lua_State *L, bool commit) {
  l_armed armed;
  l_slots at;
  static const char *const names[] = {"timeout"};
  l_ctx *c = check(L);
  l_engine *eng = c->eng;
  ldr_tx *tx;
  l_work *w;
  ldr_code code;
  lua_settop(L, 2);
  l_env_push(L, 1);
  lua_rawgeti(L, -1, L_ENV_ENGINE);
  lua_replace(L, 3);
  w = l_work_take(L, &at, 3, eng); /* the engine's: this box has none to use again */
  w->name = commit ? "commit" : "rollback";
  l_work_timeout(L, w, lua_type(L, 2) == LUA_TNUMBER ? 2 : l_options(L, 2, names, 1, "options"));
  if (c->tx == NULL) {
    ldr_fail(&w->err, LDR_CLOSED, "the transaction is over");
    return l_work_fail(L, w);
  }
  if (commit) l_hook_arm(L, eng, at.env, &armed);
  tx = l_ctx_take(c);
  w->finish = finish_true;
  if (commit)
    code = eng->e->ops->commit(tx, &w->call, &w->task, &w->err);
  else
    code = eng->e->ops->rollback(tx, &w->call, &w->task, &w->err);
  if (commit) l_hook_disarm(L, eng);
  return l_work_after(L, w, code);
}

static int ctx_commit(lua_State *L) { return end(L, true); }
static int ctx_rollback(lua_State *L) { return end(L, false); }

/* ctx:context() → what it was begun for, or nil */
static int ctx_context(lua_State *L) {
  check(L);
  l_env_push(L, 1);
  lua_rawgeti(L, -1, L_ENV_CONTEXT);
  return 1;
}

static int ctx_active(lua_State *L) {
  lua_pushboolean(L, check(L)->tx != NULL);
  return 1;
}

/* 0 when there is no connection (yet), and on memory. */
static int ctx_backend_pid(lua_State *L) {
  l_ctx *c = check(L);
  lua_pushinteger(L, c->tx && c->eng->ops->session ? c->eng->ops->session->backend_pid(c->tx) : 0);
  return 1;
}

static const luaL_Reg methods[] = {
    {"savepoint", ctx_savepoint},
    {"release", ctx_release},
    {"rollback_to", ctx_rollback_to},
    {"commit", ctx_commit},
    {"rollback", ctx_rollback},
    {"active", ctx_active},
    {"context", ctx_context},
    {"backend_pid", ctx_backend_pid},
    {"query", l_ctx_query},
    {"script", l_ctx_script},
    {"copy_in", l_ctx_copy_in},
    {"copy_out", l_ctx_copy_out},
    {NULL, NULL},
};

void l_ctx_open(lua_State *L) { l_class_register(L, &l_ctx_class, methods); }

#include "lua/engine/copy.h"

#include <string.h>

#include "base/clock.h"
#include "lua/base/error.h"
#include "lua/base/int.h"
#include "lua/call/frame.h"

/* Arguments: ctx, sql, [function,] opts at index `opts`. Takes work; *code says whether there is something to
 * talk to. */
static l_work *enter(lua_State *L, l_slots *at, l_ctx *c, const char *name, int opts, ldr_code *code) {
  static const char *const names[] = {"timeout"};
  l_work *w;
  int base;
  size_t n;
  const char *sql = luaL_checklstring(L, 2, &n);
  luaL_argcheck(L, strlen(sql) == n, 2, "holds a zero byte");
  lua_settop(L, opts);
  w = l_work_take(L, at, 1, c->eng);
  w->name = name;
  w->ctx = c;
  w->call.block = true;
  w->call.deadline = LDR_NEVER; /* the default is for single statements */
  base = l_options(L, opts, names, 1, "options");
  l_work_timeout(L, w, base);
  *code = LDR_OK;
  if (c->tx == NULL)
    *code = ldr_fail(&w->err, LDR_CLOSED, "the transaction is over");
  else if (ldr_engine_session(c->eng->e, &w->err) == NULL)
    *code = w->err.code;
  return w;
}

/* ctx:script(sql, opts) → true | nil, err; err.line, err.place: where in the text */
int l_ctx_script(lua_State *L) {
  l_ctx *c = l_box_check(L, 1, &l_ctx_class);
  l_slots at;
  ldr_code code;
  l_work *w = enter(L, &at, c, "script", 3, &code);
  if (code == LDR_OK) code = c->eng->ops->session->script(c->tx, lua_tostring(L, 2), &w->call, &w->err);
  if (code) return l_work_fail(L, w);
  lua_pushboolean(L, 1);
  return l_work_end(L, w, 1);
}

/* ---- copy_in ---- */

typedef enum fed { MORE, END, BAD } fed;

/* Calls next_chunk, protected: the statement must be ended before its error goes on. Pushes the chunk or the
 * error. */
static fed next_chunk(lua_State *L) {
  lua_pushvalue(L, 3);
  if (lua_pcall(L, 0, 1, 0) != LUA_OK) return BAD;
  if (lua_isnil(L, -1)) return END;
  if (lua_type(L, -1) == LUA_TSTRING) return MORE;
  lua_pushliteral(L, "the source of a copy must return strings, then nil");
  return BAD;
}

/* Sends chunks until the source ends. Leaves on the stack what next_chunk pushed last. */
static fed feed(lua_State *L, l_ctx *c, l_work *w, ldr_code *code) {
  fed f;
  for (;;) {
    f = next_chunk(L);
    if (f != MORE) return f;
    if (c->tx == NULL) { /* the source ended the transaction it feeds */
      *code = ldr_fail(&w->err, LDR_CLOSED, "the transaction is over");
      return END;
    }
    *code =
        c->eng->ops->session->copy_in_data(c->tx, lua_tostring(L, -1), lua_rawlen(L, -1), &w->call, &w->err);
    lua_pop(L, 1);
    if (*code != LDR_OK) return END;
  }
}

/* ctx:copy_in(sql, next_chunk, opts) → rows */
int l_ctx_copy_in(lua_State *L) {
  l_ctx *c = l_box_check(L, 1, &l_ctx_class);
  l_slots at;
  int64_t rows = 0;
  ldr_code code;
  l_work *w;
  fed f;
  luaL_checktype(L, 3, LUA_TFUNCTION);
  w = enter(L, &at, c, "copy_in", 4, &code);
  if (code == LDR_OK)
    code = c->eng->ops->session->copy_in_begin(c->tx, lua_tostring(L, 2), &w->call, &w->err);
  if (code != LDR_OK) return l_work_fail(L, w);
  f = feed(L, c, w, &code);
  if (f == BAD) {
    ldr_err ignored; /* the source's own error is the one to tell */
    if (c->tx)
      (void)!c->eng->ops->session->copy_in_end(c->tx, "the source failed", &w->call, &rows, &ignored);
    l_work_done(w);
    return lua_error(L);
  }
  if (code == LDR_OK && c->tx == NULL) code = ldr_fail(&w->err, LDR_CLOSED, "the transaction is over");
  if (code == LDR_OK) code = c->eng->ops->session->copy_in_end(c->tx, NULL, &w->call, &rows, &w->err);
  if (code != LDR_OK) return l_work_fail(L, w);
  l_int_push(L, rows);
  return l_work_end(L, w, 1);
}

/* ---- copy_out ---- */

/* Hands one piece to the sink, protected; both may raise. Stack of the protected call: sink, piece. */
typedef struct piece {
  const char *p;
  size_t n;
} piece;

static int deliver(lua_State *L) {
  const piece *x = lua_touserdata(L, 2);
  lua_settop(L, 1);
  lua_pushlstring(L, x->p, x->n);
  lua_call(L, 1, 0);
  return 0;
}

/* ctx:copy_out(sql, sink, opts) → true */
int l_ctx_copy_out(lua_State *L) {
  l_ctx *c = l_box_check(L, 1, &l_ctx_class);
  l_slots at;
  bool raised = false;
  int deliver_at;
  piece x;
  ldr_code code;
  l_work *w;
  luaL_checktype(L, 3, LUA_TFUNCTION);
  w = enter(L, &at, c, "copy_out", 4, &code);
  lua_pushcfunction(L, deliver);
  deliver_at = lua_gettop(L);
  if (code == LDR_OK)
    code = c->eng->ops->session->copy_out_begin(c->tx, lua_tostring(L, 2), &w->call, &w->err);
  while (code == LDR_OK) {
    if (c->tx == NULL) code = ldr_fail(&w->err, LDR_CLOSED, "the transaction is over");
    if (code == LDR_OK) code = c->eng->ops->session->copy_out_data(c->tx, &w->call, &x.p, &x.n, &w->err);
    if (code != LDR_OK || x.p == NULL) break;
    if (raised) continue; /* the rest is read and dropped: the connection stays usable */
    lua_pushvalue(L, deliver_at);
    lua_pushvalue(L, 3);
    lua_pushlightuserdata(L, &x);
    raised = lua_pcall(L, 2, 0, 0) != LUA_OK; /* the error stays on the stack */
  }
  if (raised) {
    l_work_done(w);
    return lua_error(L);
  }
  if (code != LDR_OK) return l_work_fail(L, w);
  lua_pushboolean(L, 1);
  return l_work_end(L, w, 1);
}

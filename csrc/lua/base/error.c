#include "lua/base/error.h"

#include <string.h>

#include "lua/base/state.h"

static void set_text(lua_State *L, const char *key, const char *text) {
  if (text == NULL || *text == '\0') return;
  lua_pushstring(L, text);
  lua_setfield(L, -2, key);
}

/* err.fields: { name = message } */
static void set_fields(lua_State *L, const ldr_err *e) {
  const char *p = e->fields;
  if (e->nfields == 0) return;
  lua_createtable(L, 0, e->nfields);
  for (unsigned i = 0; i < e->nfields; i++) {
    const char *name = p, *text = name + strlen(name) + 1;
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
    p = text + strlen(text) + 1;
  }
  lua_setfield(L, -2, "fields");
}

/* err.file, err.line, err.place */
static void set_place(lua_State *L, const ldr_err *e) {
  set_text(L, "file", e->file);
  if (e->line == 0) return;
  lua_pushinteger(L, (lua_Integer)e->line);
  lua_setfield(L, -2, "line");
  if (e->place == 0) return;
  lua_pushinteger(L, (lua_Integer)e->place);
  lua_setfield(L, -2, "place");
}

void l_error_push(lua_State *L, const ldr_err *e, const char *store, const char *op) {
  luaL_checkstack(L, 6, NULL);
  lua_createtable(L, 0, 8);
  set_text(L, "code", ldr_code_name(e->code));
  lua_pushstring(L, e->message);
  lua_setfield(L, -2, "message");
  lua_pushboolean(L, e->retryable);
  lua_setfield(L, -2, "retryable");
  set_text(L, "sqlstate", e->sqlstate);
  set_text(L, "constraint", e->constraint);
  set_text(L, "table", e->table);
  set_text(L, "column", e->column);
  set_text(L, "detail", e->detail);
  set_text(L, "hint", e->hint);
  set_text(L, "reason", e->reason);
  set_place(L, e);
  if (e->row) {
    lua_pushinteger(L, (lua_Integer)e->row);
    lua_setfield(L, -2, "row");
  }
  set_text(L, "store", store);
  set_text(L, "op", op);
  set_fields(L, e);
  l_ref_push(L, L_ERROR_MT);
  lua_setmetatable(L, -2);
}

int l_fail(lua_State *L, const ldr_err *e, const char *store, const char *op) {
  lua_pushnil(L);
  l_error_push(L, e, store, op);
  return 2;
}

int l_fail_code(lua_State *L, ldr_code code, const char *message) {
  ldr_err e;
  ldr_fail(&e, code, "%s", message);
  return l_fail(L, &e, NULL, NULL);
}

/* Pushes field `key` of the error at idx, or "" when it is no text. */
static void push_text(lua_State *L, int idx, const char *key) {
  lua_getfield(L, idx, key);
  if (lua_type(L, -1) == LUA_TSTRING) return;
  lua_pop(L, 1);
  lua_pushliteral(L, "");
}

/* Pushes "shop.items:create: ", as much of it as the error knows. */
static void push_where(lua_State *L) {
  const char *store, *op;
  push_text(L, 1, "store");
  push_text(L, 1, "op");
  store = lua_tostring(L, -2);
  op = lua_tostring(L, -1);
  lua_pushfstring(L, "%s%s%s%s", store, *store && *op ? ":" : "", op, *store || *op ? ": " : "");
  lua_replace(L, -3);
  lua_pop(L, 1);
}

/* Pushes the message without the store it may begin with, which was said before. */
static void push_message(lua_State *L) {
  const char *message, *store;
  size_t n;
  push_text(L, 1, "message");
  push_text(L, 1, "store");
  message = lua_tostring(L, -2);
  store = lua_tolstring(L, -1, &n);
  if (n && strncmp(message, store, n) == 0 && message[n] == ':' && message[n + 1] == ' ')
    lua_pushstring(L, message + n + 2);
  else
    lua_pushvalue(L, -2);
  lua_replace(L, -3);
  lua_pop(L, 1);
}

/* Does the message say the file already? */
static bool names_file(lua_State *L, const char *file) {
  bool found;
  lua_getfield(L, 1, "message");
  found = lua_type(L, -1) == LUA_TSTRING && strstr(lua_tostring(L, -1), file) != NULL;
  lua_pop(L, 1);
  return found;
}

/* Pushes " (row 2)" of an error that is about one row of a list, else "". */
static void push_row(lua_State *L) {
  lua_getfield(L, 1, "row");
  if (lua_type(L, -1) == LUA_TNUMBER)
    lua_pushfstring(L, " (row %d)", (int)lua_tointeger(L, -1));
  else
    lua_pushliteral(L, "");
  lua_replace(L, -2);
}

/* Pushes " (file:3)" of an error that has a place in a file, " (line 3)" in a statement, " (row 2)" in a
 * list, else "". */
static void push_place(lua_State *L) {
  lua_getfield(L, 1, "file");
  lua_getfield(L, 1, "line");
  if (lua_type(L, -2) != LUA_TSTRING && lua_type(L, -1) == LUA_TNUMBER)
    lua_pushfstring(L, " (line %d)", (int)lua_tointeger(L, -1));
  else if (lua_type(L, -2) != LUA_TSTRING)
    push_row(L);
  else if (names_file(L, lua_tostring(L, -2)))
    lua_pushliteral(L, "");
  else if (lua_type(L, -1) != LUA_TNUMBER)
    lua_pushfstring(L, " (%s)", lua_tostring(L, -2));
  else
    lua_pushfstring(L, " (%s:%d)", lua_tostring(L, -2), (int)lua_tointeger(L, -1));
  lua_replace(L, -3);
  lua_pop(L, 1);
}

/* "invalid: shop.items:create: email is required (file:3); hint: …" */
static int error_tostring(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  push_text(L, 1, "code");
  lua_pushliteral(L, ": ");
  push_where(L);
  push_message(L);
  push_place(L);
  push_text(L, 1, "hint");
  if (lua_rawlen(L, -1)) {
    lua_pushliteral(L, "; hint: ");
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  lua_concat(L, 6);
  return 1;
}

/* One operand of .. may be anything; an error counts as its text. */
static void push_operand(lua_State *L, int idx) {
  if (l_has_mt(L, idx, L_ERROR_MT)) {
    lua_pushcfunction(L, error_tostring);
    lua_pushvalue(L, idx);
    lua_call(L, 1, 1);
  } else {
    lua_pushvalue(L, idx);
  }
}

static int error_concat(lua_State *L) {
  lua_settop(L, 2);
  push_operand(L, 1);
  push_operand(L, 2);
  lua_concat(L, 2);
  return 1;
}

/* core.error{ code =, message =, … }: the same table, as an error object */
static int error_new(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "code");
  if (lua_type(L, -1) != LUA_TSTRING) return luaL_argerror(L, 1, "an error needs a code");
  lua_getfield(L, 1, "message");
  if (lua_isnil(L, -1)) {
    lua_pushvalue(L, 2);
    lua_setfield(L, 1, "message");
  }
  lua_getfield(L, 1, "retryable");
  if (lua_isnil(L, -1)) {
    lua_pushboolean(L, 0);
    lua_setfield(L, 1, "retryable");
  }
  l_ref_push(L, L_ERROR_MT);
  lua_setmetatable(L, 1);
  lua_settop(L, 1);
  return 1;
}

void l_error_open(lua_State *L, int module) {
  l_ref_push(L, L_ERROR_MT);
  lua_pushcfunction(L, error_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pushcfunction(L, error_concat);
  lua_setfield(L, -2, "__concat");
  lua_setfield(L, module, "error_mt");
  lua_pushcfunction(L, error_new);
  lua_setfield(L, module, "error");
}

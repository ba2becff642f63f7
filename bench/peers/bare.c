/* libpq and bare tables: what any client costs that makes the same rows in Lua. Each result becomes tables at
 * once by Lua's C interface, texts as they come, jsonb as tables; nothing is checked, kept for later or freed
 * after an error.
 *
 *   link = bare.connect(url)
 *   link:prepare(name, sql)
 *   link:run(name, text …) → { row … }
 *   link:batch(name, list of two texts each, n) → { row … }
 */
#include <lauxlib.h>
#include <libpq-fe.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

#define PARAMETERS 16
#define JSONB      3802

/* ---- JSON: well formed, as the server writes it ---- */

static const char *push_json(lua_State *L, const char *s);

static const char *push_text(lua_State *L, const char *s) { /* s: behind the opening quote */
  const char *end = s;
  luaL_Buffer b;
  while (*end != '"' && *end != '\\') end++;
  if (*end == '"') {
    lua_pushlstring(L, s, (size_t)(end - s));
    return end + 1;
  }
  luaL_buffinit(L, &b);
  for (; *s != '"'; s++) {
    if (*s == '\\') s++;
    luaL_addchar(&b, *s);
  }
  luaL_pushresult(&b);
  return s + 1;
}

static const char *skip(const char *s) {
  while (*s == ' ' || *s == ',' || *s == ':') s++;
  return s;
}

static const char *push_object(lua_State *L, const char *s) {
  lua_createtable(L, 0, 4);
  for (s = skip(s); *s != '}'; s = skip(s)) {
    s = push_text(L, s + 1);
    s = push_json(L, skip(s));
    lua_rawset(L, -3);
  }
  return s + 1;
}

static const char *push_array(lua_State *L, const char *s) {
  int n = 0;
  lua_createtable(L, 2, 0);
  for (s = skip(s); *s != ']'; s = skip(s)) {
    s = push_json(L, s);
    lua_rawseti(L, -2, ++n);
  }
  return s + 1;
}

static const char *push_number(lua_State *L, const char *s) {
  char *end;
  long long i = strtoll(s, &end, 10);
  if (*end == '.' || *end == 'e')
    lua_pushnumber(L, strtod(s, &end));
  else
    lua_pushinteger(L, (lua_Integer)i);
  return end;
}

static const char *push_json(lua_State *L, const char *s) {
  switch (*s) {
    case '{': return push_object(L, s + 1);
    case '[': return push_array(L, s + 1);
    case '"': return push_text(L, s + 1);
    case 't': lua_pushboolean(L, 1); return s + 4;
    case 'f': lua_pushboolean(L, 0); return s + 5;
    case 'n': lua_pushlightuserdata(L, NULL); return s + 4;
    default: return push_number(L, s);
  }
}

/* ---- rows ---- */

static void push_row(lua_State *L, const PGresult *r, int row, int names, int columns) {
  lua_createtable(L, 0, columns);
  for (int c = 0; c < columns; c++) {
    if (PQgetisnull(r, row, c)) continue;
    lua_pushvalue(L, names + c);
    if (PQftype(r, c) == JSONB)
      push_json(L, PQgetvalue(r, row, c));
    else
      lua_pushlstring(L, PQgetvalue(r, row, c), (size_t)PQgetlength(r, row, c));
    lua_rawset(L, -3);
  }
}

/* Pushes the list of rows, and frees r. */
static void push_rows(lua_State *L, PGresult *r) {
  int rows = PQntuples(r), columns = PQnfields(r), names = lua_gettop(L) + 2;
  if (PQresultStatus(r) != PGRES_TUPLES_OK && PQresultStatus(r) != PGRES_COMMAND_OK)
    luaL_error(L, "%s", PQresultErrorMessage(r));
  luaL_checkstack(L, columns + 16, NULL);
  lua_createtable(L, rows, 0);
  for (int c = 0; c < columns; c++) lua_pushstring(L, PQfname(r, c));
  for (int i = 0; i < rows; i++) {
    push_row(L, r, i, names, columns);
    lua_rawseti(L, names - 1, i + 1);
  }
  lua_settop(L, names - 1);
  PQclear(r);
}

/* ---- methods ---- */

static PGconn *link_of(lua_State *L) { return *(PGconn **)lua_touserdata(L, 1); }

static int link_prepare(lua_State *L) {
  PQclear(PQprepare(link_of(L), lua_tostring(L, 2), lua_tostring(L, 3), 0, NULL));
  return 0;
}

static int link_run(lua_State *L) {
  const char *values[PARAMETERS];
  int n = lua_gettop(L) - 2;
  for (int i = 0; i < n && i < PARAMETERS; i++) values[i] = lua_tostring(L, i + 3);
  push_rows(L, PQexecPrepared(link_of(L), lua_tostring(L, 2), n, values, NULL, NULL, 0));
  return 1;
}

static int link_batch(lua_State *L) {
  PGconn *db = link_of(L);
  int n = (int)lua_tointeger(L, 4);
  lua_settop(L, 3);
  PQenterPipelineMode(db);
  for (int i = 1; i <= n; i++) {
    const char *values[2];
    lua_rawgeti(L, 3, i);
    lua_rawgeti(L, 4, 1);
    lua_rawgeti(L, 4, 2);
    values[0] = lua_tostring(L, 5);
    values[1] = lua_tostring(L, 6);
    PQsendQueryPrepared(db, lua_tostring(L, 2), 2, values, NULL, NULL, 0);
    lua_settop(L, 3);
  }
  PQpipelineSync(db);
  lua_createtable(L, n, 0);
  for (int i = 1; i <= n; i++) {
    push_rows(L, PQgetResult(db));
    lua_rawgeti(L, -1, 1);
    lua_rawseti(L, 4, i);
    lua_settop(L, 4);
    PQgetResult(db); /* the end of this statement */
  }
  PQclear(PQgetResult(db));
  PQexitPipelineMode(db);
  return 1;
}

static int connect_db(lua_State *L) {
  PGconn **link = lua_newuserdata(L, sizeof *link);
  *link = PQconnectdb(lua_tostring(L, 1));
  if (PQstatus(*link) != CONNECTION_OK) return luaL_error(L, "%s", PQerrorMessage(*link));
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_setmetatable(L, -2);
  return 1;
}

static void add(lua_State *L, const char *name, lua_CFunction fn) {
  lua_pushcfunction(L, fn);
  lua_setfield(L, -2, name);
}

int luaopen_bare(lua_State *L);
int luaopen_bare(lua_State *L) {
  lua_newtable(L);
  add(L, "prepare", link_prepare);
  add(L, "run", link_run);
  add(L, "batch", link_batch);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pushcclosure(L, connect_db, 1);
  return 1;
}

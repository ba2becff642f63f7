#include "lua/store/direct.h"

#include <string.h>

#include "base/text.h"
#include "lua/base/int.h"
#include "lua/base/misuse.h"
#include "lua/base/state.h"
#include "lua/store/handle.h"
#include "lua/values/decimal.h"
#include "lua/values/rows.h"
#include "values/typecheck.h"

/* Upvalues of the functions. */
enum { CSTORE = 1, STORE, METHOD };

typedef struct lookup {
  const l_store *s;
  ldr_value key[LDR_MAX_KEY];
  unsigned char uuid[LDR_MAX_KEY][16];
} lookup;

/* One argument as it is, without any check of what it holds: no row has what does not fit. */
static bool read_value(lua_State *L, int idx, ldr_type type, ldr_value *out, unsigned char *uuid) {
  size_t n;
  int64_t i;
  switch (type) {
    case LDR_T_TEXT:
      if (lua_type(L, idx) != LUA_TSTRING) return false;
      *out = (ldr_value){.type = LDR_T_TEXT, .u.p = lua_tolstring(L, idx, &n)};
      out->n = (uint32_t)n;
      return n <= INT32_MAX;
    case LDR_T_UUID:
      if (lua_type(L, idx) != LUA_TSTRING || !ldr_uuid_parse(lua_tostring(L, idx), lua_rawlen(L, idx), uuid))
        return false;
      *out = ldr_bytes_of(LDR_T_UUID, uuid, 16);
      return true;
    case LDR_T_INT:
      if (lua_type(L, idx) != LUA_TNUMBER || !l_int_get(L, idx, &i)) return false;
      *out = ldr_int(i);
      return true;
    default: return false;
  }
}

/* Is this call simple: on the store itself, by the key alone, outside of any transaction? */
static bool read_call(lua_State *L, lookup *k) {
  const l_store *s = lua_touserdata(L, lua_upvalueindex(CSTORE));
  const ldr_entity *e = s->e;
  if (e == NULL || s->eng->e == NULL || s->eng->ops->keyed == NULL || s->eng->nbound) return false;
  if (lua_gettop(L) != (int)e->key.n + 1 || !lua_rawequal(L, 1, lua_upvalueindex(STORE))) return false;
  for (unsigned i = 0; i < e->key.n; i++)
    if (!read_value(L, (int)i + 2, e->fields[e->key.field[i]].value_type, &k->key[i], k->uuid[i]))
      return false;
  k->s = s;
  return true;
}

/* A missing part of the key raises here, where the caller is still known by its line. */
static int leave_to_method(lua_State *L, const char *name) {
  const l_store *s = lua_touserdata(L, lua_upvalueindex(CSTORE));
  int n = s->e ? (int)s->e->key.n : 0;
  bool ours = lua_rawequal(L, 1, lua_upvalueindex(STORE));
  for (int i = 2; ours && i <= n + 1; i++)
    if (l_is_empty(L, i) || (lua_istable(L, i) && !l_decimal_is(L, i)))
      return l_misuse_in(L, s->full, name, "argument %d must be the value of %s, not %s", i - 1,
                         s->e->fields[s->e->key.field[i - 2]].name,
                         lua_isnoneornil(L, i) ? "nil"
                         : l_is_null(L, i)     ? "null"
                                               : "a table");
  lua_pushvalue(L, lua_upvalueindex(METHOD));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

static bool fits(const lookup *k) {
  const ldr_entity *e = k->s->e;
  for (unsigned i = 0; i < e->key.n; i++) {
    const ldr_field *f = &e->fields[e->key.field[i]];
    ldr_err err = {0};
    if (ldr_typecheck(f->name, f->type, f->array, &k->key[i], &err) != LDR_OK) return false;
  }
  return true;
}

static int direct_exists(lua_State *L) {
  lookup k;
  bool found;
  if (!read_call(L, &k)) return leave_to_method(L, "exists");
  found = k.s->eng->ops->keyed->find(k.s->eng->e, k.s->e, k.key) != NULL;
  if (!found && !fits(&k)) return leave_to_method(L, "exists"); /* which says what is wrong with the key */
  lua_pushboolean(L, found);
  return 1;
}

static int direct_get(lua_State *L) {
  l_slots at;
  int top = lua_gettop(L);
  lookup k;
  l_work *w;
  ldr_row *row;
  if (!read_call(L, &k)) return leave_to_method(L, "get");
  w = l_work_take(L, &at, lua_upvalueindex(CSTORE), k.s->eng);
  row = k.s->eng->ops->keyed->find(k.s->eng->e, k.s->e, k.key);
  if (row == NULL) {
    l_work_done(w);
    lua_settop(L, top);
    return leave_to_method(L, "get");
  }
  w->store = k.s->full;
  w->name = "get";
  w->row = ldr_row_retain(row);
  if (!l_rows_push_packed(L, w, k.s->e, w->row, k.s->visible, k.s->nvisible)) return l_work_fail(L, w);
  return l_work_end(L, w, 1);
}

int l_direct(lua_State *L) {
  const char *name = luaL_checkstring(L, 3);
  bool exists = strcmp(name, "exists") == 0;
  luaL_argcheck(L, exists || strcmp(name, "get") == 0, 3, "must be get or exists");
  l_box_check(L, 1, &l_store_class);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 4, LUA_TFUNCTION);
  lua_settop(L, 4);
  lua_remove(L, 3); /* cstore, store, method */
  lua_pushcclosure(L, exists ? direct_exists : direct_get, 3);
  return 1;
}

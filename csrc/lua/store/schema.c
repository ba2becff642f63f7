#include "lua/store/schema.h"

#include <string.h>

#include "lua/base/misuse.h"
#include "lua/store/decl.h"

/* ---- the box ---- */

static void schema_close(void *p) {
  l_schema *box = p;
  ldr_schema *s = box->s;
  box->s = NULL;
  ldr_schema_release(s);
}

/* schema:relate(store, { name = { name, number, store, on = { there = "here" }, alive = W } }): by these
 * names conditions on its rows speak of rows of other stores. */
static int schema_relate(lua_State *L) {
  l_schema *box = l_box_check(L, 1, &l_schema_class);
  const char *name = luaL_checkstring(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  if (ldr_schema_find(box->s, name) == NULL) l_misuse(L, "family %s has no store '%s'", box->s->name, name);
  l_env_push(L, 1);
  lua_getfield(L, -1, name);
  lua_pushvalue(L, 3);
  lua_rawseti(L, -2, L_NAMES_RELATIONS);
  return 0;
}

static const luaL_Reg methods[] = {{"relate", schema_relate}, {NULL, NULL}};
const l_class l_schema_class = {"larder.schema", sizeof(l_schema), schema_close};

void l_schema_open(lua_State *L) { l_class_register(L, &l_schema_class, methods); }

/* ---- parts of an entity ---- */

static void add_fields(l_decl *d, int t) {
  int list;
  if (!l_decl_open(d, t, "fields")) l_decl_fail(d, "fields is missing");
  list = lua_gettop(d->L);
  for (int i = 1, n = (int)l_decl_list(d, list, "fields"); i <= n; i++) {
    lua_rawgeti(d->L, list, i);
    l_decl_field(d, lua_gettop(d->L));
    lua_pop(d->L, 1);
  }
  lua_pop(d->L, 1);
}

static void set_key(l_decl *d, int t) {
  static const char *const keys[] = {"name", NULL};
  l_names names;
  int key;
  if (!l_decl_open(d, t, "key")) l_decl_fail(d, "key is missing");
  key = lua_gettop(d->L);
  l_decl_keys(d, key, "key", keys);
  names = l_decl_names(d, key);
  l_decl_check(
      d, ldr_entity_set_key(d->s, d->e, l_decl_need_text(d, key, "name"), names.v, names.n, &d->w->err));
  lua_pop(d->L, 1);
}

/* where of a unique: { field = value | larder.null } */
static void narrow_unique(l_decl *d, int t) {
  lua_State *L = d->L;
  if (!l_decl_open(d, t, "where")) return;
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    int field = ldr_entity_field(d->e, name, strlen(name));
    ldr_column c;
    ldr_value v;
    if (field < 0) l_decl_fail(d, "where of a unique names no field '%s'", name);
    c = l_column_of(&d->e->fields[field]);
    l_decl_check(d, l_value_get(L, lua_gettop(L), &c, d->w, &v));
    l_decl_check(d, ldr_entity_unique_when(d->s, d->e, name, v.type == LDR_T_NULL ? NULL : &v, &d->w->err));
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

static void add_unique(l_decl *d, int t) {
  static const char *const keys[] = {"name", "where", "nulls_distinct", NULL};
  l_names names;
  l_decl_keys(d, t, "a unique", keys);
  names = l_decl_names(d, t);
  l_decl_check(
      d, ldr_entity_add_unique(d->s, d->e, l_decl_need_text(d, t, "name"), names.v, names.n, &d->w->err));
  lua_getfield(d->L, t, "nulls_distinct");
  if (!lua_isnil(d->L, -1) && !lua_isboolean(d->L, -1)) l_decl_fail(d, "nulls_distinct must be a boolean");
  if (lua_isboolean(d->L, -1) && !lua_toboolean(d->L, -1))
    l_decl_check(d, ldr_entity_unique_nulls_equal(d->e, &d->w->err));
  lua_pop(d->L, 1);
  narrow_unique(d, t);
}

static ldr_action read_action(const l_decl *d, int t) {
  const char *action = l_decl_text(d, t, "on_delete");
  if (action == NULL || strcmp(action, "restrict") == 0) return LDR_RESTRICT;
  if (strcmp(action, "cascade") == 0) return LDR_CASCADE;
  if (strcmp(action, "set_null") != 0) l_decl_fail(d, "on_delete must be restrict, cascade or set_null");
  return LDR_SET_NULL;
}

static l_names named_list(const l_decl *d, int t, const char *key) {
  l_names names = {NULL, 0};
  if (!l_decl_open(d, t, key)) return names;
  names = l_decl_names(d, lua_gettop(d->L));
  lua_pop(d->L, 1);
  return names;
}

static void add_reference(l_decl *d, int t) {
  static const char *const keys[] = {"name", "fields", "to", "on_delete", "set_null", NULL};
  l_names fields, nulls;
  l_decl_keys(d, t, "a reference", keys);
  fields = named_list(d, t, "fields");
  nulls = named_list(d, t, "set_null");
  l_decl_check(
      d, ldr_entity_add_ref(d->s, d->e, l_decl_need_text(d, t, "name"), fields.v, fields.n,
                            l_decl_need_text(d, t, "to"), read_action(d, t), nulls.v, nulls.n, &d->w->err));
}

static void add_index(l_decl *d, int t) {
  static const char *const keys[] = {NULL};
  l_names names;
  l_decl_keys(d, t, "an index", keys);
  names = l_decl_names(d, t);
  l_decl_check(d, ldr_entity_add_index(d->s, d->e, names.v, names.n, &d->w->err));
}

static void each(l_decl *d, int t, const char *key, void (*add)(l_decl *, int)) {
  int list;
  if (!l_decl_open(d, t, key)) return;
  list = lua_gettop(d->L);
  for (int i = 1, n = (int)l_decl_list(d, list, key); i <= n; i++) {
    lua_rawgeti(d->L, list, i);
    add(d, lua_gettop(d->L));
    lua_pop(d->L, 1);
  }
  lua_pop(d->L, 1);
}

static void add_entity(l_decl *d, int t) {
  static const char *const keys[] = {"name",    "table",  "fields",      "key",       "uniques", "references",
                                     "indexes", "tenant", "soft_delete", "read_only", NULL};
  const char *name;
  d->store = NULL;
  l_decl_keys(d, t, "an entity", keys);
  name = l_decl_need_text(d, t, "name");
  l_decl_check(d, ldr_schema_add(d->s, name, l_decl_need_text(d, t, "table"), &d->e, &d->w->err));
  d->store = name;
  d->e->read_only = l_decl_bool(d, t, "read_only");
  add_fields(d, t);
  set_key(d, t);
  each(d, t, "uniques", add_unique);
  each(d, t, "references", add_reference);
  each(d, t, "indexes", add_index);
  name = l_decl_text(d, t, "tenant");
  if (name) l_decl_check(d, ldr_entity_set_tenant(d->e, name, &d->w->err));
  name = l_decl_text(d, t, "soft_delete");
  if (name) l_decl_check(d, ldr_entity_set_soft_delete(d->e, name, &d->w->err));
}

/* ---- the whole ---- */

/* Pushes the table of names of an entity: number from 1 → name, name → number. */
static void push_names(lua_State *L, const ldr_entity *e) {
  lua_createtable(L, (int)e->nfields, (int)e->nfields);
  for (unsigned i = 0; i < e->nfields; i++) {
    lua_pushstring(L, e->fields[i].name);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, (int)i + 1);
    lua_pushinteger(L, (lua_Integer)i + 1);
    lua_rawset(L, -3);
  }
}

/* The box's environment: store name → table of names. */
static void set_env(lua_State *L, int box, const ldr_schema *s) {
  lua_createtable(L, 0, (int)s->nentities);
  for (unsigned i = 0; i < s->nentities; i++) {
    push_names(L, s->entities[i]);
    lua_pushlightuserdata(L, s->entities[i]);
    lua_rawseti(L, -2, L_NAMES_ENTITY);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, L_NAMES_OTHERS);
    lua_setfield(L, -2, s->entities[i]->name);
  }
  l_env_set(L, box);
}

int l_schema_new(lua_State *L) {
  l_slots at;
  static const char *const keys[] = {"name", "entities", NULL};
  l_decl d = {.L = L, .family = "a family"};
  l_schema *box;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  box = l_box_new(L, &l_schema_class);
  d.w = l_work_take(L, &at, 0, NULL);
  l_decl_keys(&d, 1, "a family", keys);
  d.family = l_decl_need_text(&d, 1, "name");
  l_decl_check(&d, ldr_schema_new(d.family, &box->s, &d.w->err));
  d.s = box->s;
  each(&d, 1, "entities", add_entity);
  l_decl_check(&d, ldr_schema_finish(d.s, &d.w->err));
  set_env(L, 2, d.s);
  l_work_done(d.w);
  lua_settop(L, 2);
  return 1;
}

const ldr_entity *l_schema_entity(lua_State *L, int schema_idx, int name_idx) {
  l_schema *box = l_box_check(L, schema_idx, &l_schema_class);
  const char *name = luaL_checkstring(L, name_idx);
  const ldr_entity *e = ldr_schema_find(box->s, name);
  if (e == NULL) l_misuse(L, "family %s has no store '%s'", box->s->name, name);
  l_env_push(L, schema_idx);
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
  return e;
}

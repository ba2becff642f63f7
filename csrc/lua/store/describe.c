/* The checked declaration of an entity back as a table. */
#include <string.h>

#include "lua/base/int.h"
#include "lua/store/schema.h"
#include "model/names.h"

static void set_string(lua_State *L, const char *key, const char *value) {
  lua_pushstring(L, value);
  lua_setfield(L, -2, key);
}

static void set_true(lua_State *L, const char *key, bool value) {
  if (!value) return;
  lua_pushboolean(L, 1);
  lua_setfield(L, -2, key);
}

static void set_int(lua_State *L, const char *key, int64_t value, bool given) {
  if (!given) return;
  l_int_push(L, value);
  lua_setfield(L, -2, key);
}

/* "shop"."users" → shop.users; in quotes what needs them: see model/names.h. */
static void set_name(lua_State *L, const char *key, const char *quoted) {
  char text[LDR_PATH_MAX] = "";
  ldr_path path;
  if (ldr_path_read(quoted, &path)) ldr_path_write(&path, text);
  set_string(L, key, text);
}

/* ---- fields ---- */

/* larder's own kind of default, as { "now" }. */
static void push_made(lua_State *L, const ldr_field *f) {
  static const char *const names[] = {[LDR_DEF_NOW] = "now",
                                      [LDR_DEF_UUID] = "uuid",
                                      [LDR_DEF_CUID] = "cuid",
                                      [LDR_DEF_IDENTITY] = "identity",
                                      [LDR_DEF_DATABASE] = "database"};
  lua_createtable(L, 1, 0);
  lua_pushstring(L, names[f->def]);
  lua_rawseti(L, -2, 1);
  if (f->def != LDR_DEF_DATABASE || f->expression == NULL) return;
  lua_pushstring(L, f->expression);
  lua_rawseti(L, -2, 2);
}

static void describe_default(lua_State *L, l_work *w, const ldr_field *f) {
  if (f->def == LDR_DEF_NONE || f->stamp_insert || f->version) return;
  if (f->def != LDR_DEF_VALUE)
    push_made(L, f);
  else if (!l_value_push(L, w, &f->def_value))
    lua_pushnil(L);
  lua_setfield(L, -2, "default");
}

static void describe_enum(lua_State *L, const ldr_field *f) {
  if (f->nenums == 0) return;
  lua_createtable(L, (int)f->nenums, 0);
  for (unsigned i = 0; i < f->nenums; i++) {
    lua_pushstring(L, f->enums[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "enum");
}

static void set_limit(lua_State *L, l_work *w, const char *key, const ldr_value *limit) {
  if (limit->type != LDR_T_NULL && l_value_push(L, w, limit)) lua_setfield(L, -2, key);
}

static void describe_field(lua_State *L, l_work *w, const ldr_field *f) {
  lua_createtable(L, 0, 8);
  set_string(L, "name", f->name);
  if (strcmp(f->column, f->name) != 0) set_string(L, "column", f->column);
  lua_pushfstring(L, "%s%s", ldr_ftype_get(f->type)->name, f->array ? "[]" : "");
  lua_setfield(L, -2, "type");
  lua_pushboolean(L, f->null);
  lua_setfield(L, -2, "null");
  set_true(L, "hidden", f->hidden);
  set_true(L, "immutable", f->immutable);
  if (f->stamp_insert || f->stamp_update) set_string(L, "stamp", f->stamp_insert ? "insert" : "update");
  if (f->version) set_string(L, "stamp", "version");
  set_limit(L, w, "min", &f->min);
  set_limit(L, w, "max", &f->max);
  set_int(L, "min_len", f->min_len, f->min_len > 0);
  set_int(L, "max_len", f->max_len, f->max_len > 0);
  set_int(L, "precision", f->has_digits ? f->digits : f->precision, f->has_digits || f->precision > 0);
  set_int(L, "scale", f->scale, f->precision > 0);
  if (f->generated && f->expression)
    set_string(L, "generated", f->expression);
  else
    set_true(L, "generated", f->generated);
  if (f->sql_type) set_name(L, "sql_type", f->sql_type);
  describe_enum(L, f);
  describe_default(L, w, f);
}

/* ---- keys, references, indexes ---- */

/* Puts the names of fields into the table on top, from position 1. */
static void set_fields(lua_State *L, const ldr_entity *e, const uint16_t *fields, unsigned n) {
  for (unsigned i = 0; i < n; i++) {
    lua_pushstring(L, e->fields[fields[i]].name);
    lua_rawseti(L, -2, (int)i + 1);
  }
}

static void describe_unique(lua_State *L, l_work *w, const ldr_entity *e, const ldr_unique *u) {
  lua_createtable(L, (int)u->n, 2);
  set_string(L, "name", u->name);
  set_fields(L, e, u->field, u->n);
  if (u->nulls_equal) {
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "nulls_distinct");
  }
  if (u->nwhen == 0) return;
  lua_createtable(L, 0, (int)u->nwhen);
  for (unsigned i = 0; i < u->nwhen; i++) {
    if (u->when[i].is_null || !l_value_push(L, w, &u->when[i].value)) lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, e->fields[u->when[i].field].name);
  }
  lua_setfield(L, -2, "where");
}

static void describe_reference(lua_State *L, const ldr_entity *e, const ldr_ref *r) {
  static const char *const actions[] = {
      [LDR_RESTRICT] = "restrict", [LDR_CASCADE] = "cascade", [LDR_SET_NULL] = "set_null"};
  lua_createtable(L, 0, 5);
  set_string(L, "name", r->name);
  set_string(L, "to", r->target->name);
  set_string(L, "on_delete", actions[r->on_delete]);
  lua_createtable(L, (int)r->n, 0);
  set_fields(L, e, r->field, r->n);
  lua_setfield(L, -2, "fields");
  if (r->nset_null == 0) return;
  lua_createtable(L, (int)r->nset_null, 0);
  set_fields(L, e, r->set_null, r->nset_null);
  lua_setfield(L, -2, "set_null");
}

static void describe_index(lua_State *L, const ldr_entity *e, const ldr_index *x) {
  lua_createtable(L, (int)x->n, 0);
  for (unsigned i = 0; i < x->n; i++) {
    lua_pushfstring(L, "%s%s", x->desc[i] ? "-" : "", e->fields[x->field[i]].name);
    lua_rawseti(L, -2, (int)i + 1);
  }
}

void l_schema_describe(lua_State *L, l_work *w, const ldr_entity *e) {
  luaL_checkstack(L, 12, NULL);
  lua_createtable(L, 0, 9);
  set_string(L, "name", e->name);
  set_name(L, "table", e->table);
  lua_createtable(L, (int)e->nfields, 0);
  for (unsigned i = 0; i < e->nfields; i++) {
    describe_field(L, w, &e->fields[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "fields");
  describe_unique(L, w, e, &e->key);
  lua_setfield(L, -2, "key");
  lua_createtable(L, (int)e->nuniques, 0);
  for (unsigned i = 0; i < e->nuniques; i++) {
    describe_unique(L, w, e, &e->uniques[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "uniques");
  lua_createtable(L, (int)e->nrefs, 0);
  for (unsigned i = 0; i < e->nrefs; i++) {
    describe_reference(L, e, &e->refs[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "references");
  lua_createtable(L, (int)e->nindexes, 0);
  for (unsigned i = 0; i < e->nindexes; i++) {
    describe_index(L, e, &e->indexes[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "indexes");
  set_true(L, "read_only", e->read_only);
  if (e->tenant >= 0) set_string(L, "tenant", e->fields[e->tenant].name);
  if (e->soft_delete >= 0) set_string(L, "soft_delete", e->fields[e->soft_delete].name);
}

#include "lua/engine/writer.h"

#include <stdio.h>
#include <string.h>

#include "lua/base/error.h"
#include "lua/base/int.h"
#include "lua/base/table.h"
#include "lua/ops/op.h"
#include "lua/store/schema.h"
#include "lua/store/store.h"
#include "writer/writer.h"

/* A dead letter; row NULL: its store is not declared, or cannot read it any more. */
typedef struct l_letter {
  char id[LDR_LETTER_ID], store[160];
  const ldr_entity *e;
  ldr_row *row;
  int64_t accepted, refused;
  ldr_err err;
} l_letter;

typedef struct l_writer {
  l_child child;     /* first: the writer ends before its engine */
  l_engine *eng;     /* anchored by the environment */
  ldr_writer *w;     /* NULL: closed */
  double seconds;    /* that closing may take */
  ldr_reject reject; /* on its way to Lua */
  l_letter *letters; /* a page of them, on its way to Lua */
  size_t nletters;
  ldr_writer_stats last; /* of a closed writer */
} l_writer;

enum { LETTERS = 100 }; /* a page */

/* ---- the box ---- */

static void forget_reject(l_writer *box) {
  ldr_row_release(box->reject.key);
  box->reject = (ldr_reject){0};
}

static void forget_letters(l_writer *box) {
  for (size_t i = 0; i < box->nletters; i++) ldr_row_release(box->letters[i].row);
  ldr_free(box->letters);
  box->letters = NULL;
  box->nletters = 0;
}

static void end(l_writer *box, double seconds) {
  ldr_writer *w = box->w;
  l_child_remove(&box->child);
  forget_reject(box);
  forget_letters(box);
  box->w = NULL;
  ldr_writer_close(w, seconds, &box->last);
}

/* The one box whose closing waits, for a bounded time: a row that was accepted is not lost without a try. */
static void writer_close(void *p) {
  l_writer *box = p;
  if (box->w) end(box, box->seconds);
}

static void drop(l_child *c) { writer_close(c); }

static l_writer *check(lua_State *L) { return l_box_check(L, 1, &l_writer_class); }

static int closed(lua_State *L) { return l_fail_code(L, LDR_CLOSED, "the database is closed"); }

/* ---- engine:writer(options) → writer ---- */

static ldr_policy read_policy(lua_State *L, int idx) {
  static const char *const names[] = {"error", "block", "drop", "spill"};
  unsigned i = l_name_among(L, idx, names, 4);
  if (i == 4) luaL_error(L, "policy must be error, block, drop or spill");
  return (ldr_policy)i;
}

static double read_seconds(lua_State *L, int idx, const char *name) {
  double s = lua_tonumber(L, idx);
  if (lua_type(L, idx) != LUA_TNUMBER || !(s >= 0 && s <= 1e6))
    luaL_error(L, "%s must be a number of seconds, not negative", name);
  return s;
}

static size_t read_count(lua_State *L, int idx, const char *name, int64_t max, const char *max_text) {
  int64_t n = l_int_check(L, idx, name);
  if (n < 1 || n > max) luaL_error(L, "%s must be between 1 and %s", name, max_text);
  return (size_t)n;
}

static size_t read_rows(lua_State *L, int idx, const char *name) {
  return read_count(L, idx, name, 10000000, "10,000,000");
}

static void read_config(lua_State *L, int idx, l_writer *box, ldr_writer_config *c) {
  static const char *const names[] = {"queue", "batch",         "interval",    "timeout",    "policy",
                                      "spill", "close_timeout", "queue_bytes", "spill_bytes"};
  int o = l_options(L, idx, names, 9, "writer");
  ldr_writer_config_default(c);
  if (!lua_isnil(L, o)) c->queue = read_rows(L, o, "queue");
  if (!lua_isnil(L, o + 1)) c->batch = read_rows(L, o + 1, "batch");
  if (!lua_isnil(L, o + 2)) c->interval = read_seconds(L, o + 2, "interval");
  if (!lua_isnil(L, o + 3)) c->timeout = read_seconds(L, o + 3, "timeout");
  if (!lua_isnil(L, o + 4)) c->policy = read_policy(L, o + 4);
  if (!lua_isnil(L, o + 5)) c->spill = luaL_checkstring(L, o + 5);
  if (!lua_isnil(L, o + 7)) c->queue_bytes = read_count(L, o + 7, "queue_bytes", INT64_C(1) << 40, "2^40");
  if (!lua_isnil(L, o + 8)) c->spill_bytes = read_count(L, o + 8, "spill_bytes", INT64_C(1) << 40, "2^40");
  box->seconds = lua_isnil(L, o + 6) ? 5 : read_seconds(L, o + 6, "close_timeout");
}

int l_writer_new(lua_State *L) {
  l_engine *eng = l_box_check(L, 1, &l_engine_class);
  ldr_writer_config config;
  l_writer *box;
  ldr_err err;
  lua_settop(L, 2);
  box = l_box_new(L, &l_writer_class); /* 3 */
  lua_createtable(L, L_ENV_ENGINE, 0);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, L_ENV_ENGINE);
  l_env_set(L, 3);
  box->eng = eng;
  read_config(L, 2, box, &config);
  if (eng->e == NULL) return closed(L);
  if (ldr_writer_new(eng->e, &config, &box->w, &err) != LDR_OK) return l_fail(L, &err, NULL, "writer");
  l_child_add(eng, &box->child, NULL, drop);
  lua_settop(L, 3);
  return 1;
}

/* ---- rows ---- */

/* A number that only the server can give would be another one when the row is written once more. */
static ldr_code check_key(const ldr_entity *e, const ldr_value *values, ldr_err *err) {
  for (unsigned i = 0; i < e->key.n; i++)
    if (values[e->key.field[i]].type == LDR_T_NULL)
      return ldr_fail(err, LDR_UNSUPPORTED,
                      "%s: without %s, which the server would number, the row could be stored twice", e->name,
                      e->fields[e->key.field[i]].name);
  return LDR_OK;
}

static ldr_code pack(lua_State *L, int idx, l_work *w, const ldr_entity *e, ldr_row **out) {
  ldr_value values[LDR_MAX_FIELDS];
  bool given[LDR_MAX_FIELDS], named[LDR_MAX_FIELDS] = {false};
  int64_t now = l_work_now(L, w);
  ldr_code code = l_op_row(L, idx, w, e, now, values, given, named);
  if (code == LDR_OK) code = check_key(e, values, &w->err);
  return code == LDR_OK ? ldr_row_pack(e, values, out, &w->err) : code;
}

/* writer:push(cstore, row) → true, is there news to take; "full": there may be room in a moment */
static int writer_push(lua_State *L) {
  l_slots at;
  l_writer *box = check(L);
  l_store *s = l_box_check(L, 2, &l_store_class);
  ldr_row *row;
  l_work *w;
  ldr_code code;
  luaL_argcheck(L, s->eng == box->eng, 2, "the store belongs to another engine");
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  w = l_work_take(L, &at, 2, s->eng);
  w->store = s->full;
  w->name = "insert_async";
  code = pack(L, 3, w, s->e, &row);
  if (code == LDR_OK && box->w == NULL) {
    ldr_row_release(row);
    code = ldr_fail(&w->err, LDR_CLOSED, "the database is closed");
  }
  if (code == LDR_OK) code = ldr_writer_push(box->w, s->e, row, &w->err);
  if (code == LDR_PENDING) {
    lua_pushliteral(L, "full");
    return l_work_end(L, w, 1);
  }
  if (code != LDR_OK) return l_work_fail(L, w);
  lua_pushboolean(L, 1);
  lua_pushboolean(L, ldr_writer_has_news(box->w));
  return l_work_end(L, w, 2);
}

static int writer_room(lua_State *L) {
  l_writer *box = check(L);
  l_store *s = l_box_check(L, 2, &l_store_class);
  lua_pushboolean(L, box->w == NULL || ldr_writer_has_room(box->w, s->e));
  return 1;
}

/* writer:flush() → position: all rows pushed so far */
static int writer_flush(lua_State *L) {
  l_writer *box = check(L);
  uint64_t position;
  ldr_err err;
  if (box->w == NULL) return closed(L);
  if (ldr_writer_flush(box->w, &position, &err) != LDR_OK) return l_fail(L, &err, NULL, "flush");
  l_int_push(L, (int64_t)position);
  return 1;
}

/* writer:flushed(position) → true: they are written or refused; "parked": what waits is of stores that cannot
 * be written; false */
static int writer_flushed(lua_State *L) {
  l_writer *box = check(L);
  int64_t position = l_int_check(L, 2, "a position");
  if (box->w == NULL) return closed(L);
  switch (ldr_writer_flushed(box->w, (uint64_t)position)) {
    case LDR_FLUSH_DONE: lua_pushboolean(L, 1); break;
    case LDR_FLUSH_PARKED: lua_pushliteral(L, "parked"); break;
    case LDR_FLUSH_WAITS: lua_pushboolean(L, 0); break;
  }
  return 1;
}

/* ---- families of the spill directory ---- */

static int writer_know(lua_State *L) {
  l_writer *box = check(L);
  l_schema *schema = l_box_check(L, 2, &l_schema_class);
  ldr_err err;
  if (box->w == NULL) return closed(L);
  if (ldr_writer_know(box->w, schema->s, &err) != LDR_OK) return l_fail(L, &err, NULL, "know");
  lua_pushboolean(L, 1);
  return 1;
}

/* writer:unknown() → names of families whose rows lie there */
static int writer_unknown(lua_State *L) {
  l_writer *box = check(L);
  char name[65];
  bool known;
  lua_newtable(L);
  for (unsigned i = 0; box->w && ldr_writer_family(box->w, i, name, &known); i++) {
    if (known) continue;
    lua_pushstring(L, name);
    lua_rawseti(L, -2, (int)lua_rawlen(L, -2) + 1);
  }
  return 1;
}

/* writer:leftover() → do rows of known families lie there, from before the writer was made? */
static int writer_leftover(lua_State *L) {
  l_writer *box = check(L);
  char name[65];
  bool known = false;
  for (unsigned i = 0; box->w && !known && ldr_writer_family(box->w, i, name, &known); i++) continue;
  lua_pushboolean(L, known);
  return 1;
}

/* ---- observation ---- */

/* { store =, key = { field = value }, err = } of box->reject */
static void push_reject(lua_State *L, l_work *w, const ldr_reject *r) {
  const ldr_entity *e = r->e;
  lua_createtable(L, 0, 3);
  lua_pushfstring(L, "%s.%s", e->schema->name, e->name);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "store");
  l_error_push(L, &r->err, lua_tostring(L, -1), "insert_async");
  lua_setfield(L, -3, "err");
  lua_pop(L, 1);
  if (r->key == NULL) return;
  lua_createtable(L, 0, (int)e->key.n);
  for (unsigned i = 0; i < e->key.n; i++) {
    unsigned f = e->key.field[i];
    ldr_value v;
    ldr_row_get(e, r->key, f, &v);
    if (l_value_push(L, w, &v)) lua_setfield(L, -2, e->fields[f].name);
  }
  lua_setfield(L, -2, "key");
}

/* writer:rejects() → rows that were refused since the last call, the newest last */
static int writer_rejects(lua_State *L) {
  l_slots at;
  l_writer *box = check(L);
  l_work *w;
  int list;
  lua_settop(L, 1);
  w = l_work_take(L, &at, 0, NULL);
  lua_newtable(L);
  list = lua_gettop(L);
  for (int i = 1; box->w && (forget_reject(box), ldr_writer_take_reject(box->w, &box->reject)); i++) {
    push_reject(L, w, &box->reject);
    lua_rawseti(L, list, i);
  }
  forget_reject(box);
  return l_work_end(L, w, 1);
}

/* writer:news() → { store =, parked =, err = } for each store that cannot be written any more or can be
 * again, since the last call; without a store: the server */
static int writer_news(lua_State *L) {
  l_writer *box = check(L);
  ldr_writer_news n;
  lua_settop(L, 1);
  lua_newtable(L);
  for (int i = 1; box->w && ldr_writer_take_news(box->w, &n); i++) {
    lua_createtable(L, 0, 3);
    if (n.e) lua_pushfstring(L, "%s.%s", n.e->schema->name, n.e->name);
    if (n.e) lua_setfield(L, -2, "store");
    lua_pushboolean(L, n.parked);
    lua_setfield(L, -2, "parked");
    if (n.parked) l_error_push(L, &n.err, NULL, "insert_async");
    if (n.parked) lua_setfield(L, -2, "err");
    lua_rawseti(L, 2, i);
  }
  return 1;
}

static void set(lua_State *L, const char *key, uint64_t n) {
  l_int_push(L, (int64_t)n);
  lua_setfield(L, -2, key);
}

/* writer:stats() → counters; those of the end once it is closed */
static int writer_stats(lua_State *L) {
  l_writer *box = check(L);
  ldr_writer_stats s = box->last;
  if (box->w) ldr_writer_stats_get(box->w, &s);
  lua_createtable(L, 0, 20);
  set(L, "queued", s.queued);
  set(L, "written", s.written);
  set(L, "duplicates", s.duplicates);
  set(L, "rejected", s.rejected);
  set(L, "spilled", s.spilled);
  set(L, "replayed", s.replayed);
  set(L, "dropped", s.dropped);
  set(L, "batches", s.batches);
  set(L, "retries", s.retries);
  set(L, "damaged", s.damaged);
  set(L, "depth", s.depth);
  set(L, "bytes", s.bytes);
  set(L, "in_file", s.filed);
  set(L, "parked", s.parked);
  set(L, "unclaimed", s.unclaimed);
  set(L, "letters_lost", s.letters_lost);
  lua_pushnumber(L, s.oldest_age);
  lua_setfield(L, -2, "oldest_age");
  if (s.last_error.code == LDR_OK) return 1;
  l_error_push(L, &s.last_error, NULL, "insert_async");
  lua_setfield(L, -2, "last_error");
  return 1;
}

static void push_store_stats(lua_State *L, const ldr_store_stats *s) {
  lua_createtable(L, 0, 16);
  set(L, "queued", s->queued);
  set(L, "written", s->written);
  set(L, "duplicates", s->duplicates);
  set(L, "rejected", s->rejected);
  set(L, "spilled", s->spilled);
  set(L, "replayed", s->replayed);
  set(L, "dropped", s->dropped);
  set(L, "batches", s->batches);
  set(L, "retries", s->retries);
  set(L, "depth", s->depth);
  set(L, "bytes", s->bytes);
  set(L, "in_file", s->filed);
  lua_pushnumber(L, s->oldest_age);
  lua_setfield(L, -2, "oldest_age");
  lua_pushboolean(L, s->parked);
  lua_setfield(L, -2, "parked");
  if (!s->parked) return;
  l_error_push(L, &s->err, NULL, "insert_async");
  lua_setfield(L, -2, "err");
}

/* writer:stores() → counters of each store that rows were queued for, by its name */
static int writer_stores(lua_State *L) {
  l_writer *box = check(L);
  ldr_store_stats s;
  lua_settop(L, 1);
  lua_newtable(L);
  for (unsigned i = 0; box->w && ldr_writer_store_stats(box->w, i, &s); i++) {
    lua_pushfstring(L, "%s.%s", s.e->schema->name, s.e->name);
    push_store_stats(L, &s);
    lua_rawset(L, 2);
  }
  return 1;
}

/* ---- dead letters ---- */

/* Called under the lock of the dead letters: nothing here may raise. */
static void collect(void *ud, const char *id, const ldr_record *r, const ldr_entity *e) {
  l_writer *box = ud;
  l_letter *l = &box->letters[box->nletters++];
  ldr_err err;
  snprintf(l->id, sizeof l->id, "%s", id);
  snprintf(l->store, sizeof l->store, "%s.%s", r->family, r->store);
  l->e = e;
  l->accepted = r->accepted;
  if (!ldr_record_why(r, &l->err, &l->refused)) ldr_fail(&l->err, LDR_INTERNAL, "the reason cannot be read");
  if (e && ldr_record_row(r, e, &l->row, &err) != LDR_OK) l->row = NULL;
}

/* The row as a table; hidden fields stay hidden. */
static void push_letter_row(lua_State *L, l_work *w, const l_letter *l) {
  lua_createtable(L, 0, (int)l->e->nfields);
  for (unsigned i = 0; i < l->e->nfields; i++) {
    ldr_value v;
    if (l->e->fields[i].hidden) continue;
    ldr_row_get(l->e, l->row, i, &v);
    if (v.type != LDR_T_NULL && l_value_push(L, w, &v)) lua_setfield(L, -2, l->e->fields[i].name);
  }
  lua_setfield(L, -2, "row");
}

static void push_time(lua_State *L, const char *key, int64_t us) {
  lua_pushnumber(L, (lua_Number)us / 1e6);
  lua_setfield(L, -2, key);
}

static void push_letter(lua_State *L, l_work *w, const l_letter *l) {
  lua_createtable(L, 0, 6);
  lua_pushstring(L, l->id);
  lua_setfield(L, -2, "id");
  lua_pushstring(L, l->store);
  lua_setfield(L, -2, "store");
  l_error_push(L, &l->err, l->store, "insert_async");
  lua_setfield(L, -2, "err");
  push_time(L, "accepted_at", l->accepted);
  push_time(L, "refused_at", l->refused);
  if (l->row) push_letter_row(L, w, l);
}

/* writer:letters([after]) → up to 100 dead letters behind the one with that id */
static int writer_letters(lua_State *L) {
  l_slots at;
  l_writer *box = check(L);
  const char *after = luaL_optstring(L, 2, NULL);
  l_work *w;
  size_t n;
  ldr_err err;
  ldr_code code;
  lua_settop(L, 2);
  if (box->w == NULL) return closed(L);
  w = l_work_take(L, &at, 0, NULL);
  lua_newtable(L);
  forget_letters(box);
  box->letters = ldr_alloc_array(LETTERS, sizeof *box->letters);
  code = box->letters ? ldr_writer_letters(box->w, after, LETTERS, collect, box, &n, &err)
                      : ldr_fail_nomem(&err);
  for (size_t i = 0; i < box->nletters && code == LDR_OK; i++) {
    push_letter(L, w, &box->letters[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  forget_letters(box);
  if (code == LDR_OK) return l_work_end(L, w, 1);
  w->err = err;
  return l_work_fail(L, w);
}

/* writer:replay(id) → true: its row waits to be written */
static int writer_replay(lua_State *L) {
  l_writer *box = check(L);
  ldr_err err;
  const char *id = luaL_checkstring(L, 2);
  if (box->w == NULL) return closed(L);
  if (ldr_writer_replay(box->w, id, &err) != LDR_OK) return l_fail(L, &err, NULL, "dead_letters");
  lua_pushboolean(L, 1);
  return 1;
}

/* writer:discard(id) → true */
static int writer_discard(lua_State *L) {
  l_writer *box = check(L);
  ldr_err err;
  const char *id = luaL_checkstring(L, 2);
  if (box->w == NULL) return closed(L);
  if (ldr_writer_discard(box->w, id, &err) != LDR_OK) return l_fail(L, &err, NULL, "dead_letters");
  lua_pushboolean(L, 1);
  return 1;
}

/* writer:close([seconds]) */
static int writer_close_method(lua_State *L) {
  l_writer *box = check(L);
  double seconds = luaL_optnumber(L, 2, box->seconds);
  if (box->w) end(box, seconds > 0 ? seconds : 0);
  return 0;
}

static const luaL_Reg methods[] = {
    {"push", writer_push},          {"room", writer_room},
    {"flush", writer_flush},        {"flushed", writer_flushed},
    {"know", writer_know},          {"unknown", writer_unknown},
    {"leftover", writer_leftover},  {"rejects", writer_rejects},
    {"news", writer_news},          {"stats", writer_stats},
    {"stores", writer_stores},      {"letters", writer_letters},
    {"replay", writer_replay},      {"discard", writer_discard},
    {"close", writer_close_method}, {NULL, NULL},
};

const l_class l_writer_class = {"larder.writer", sizeof(l_writer), writer_close};

void l_writer_open(lua_State *L) { l_class_register(L, &l_writer_class, methods); }

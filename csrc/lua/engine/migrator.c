#include "lua/engine/migrator.h"

#include "base/clock.h"
#include "lua/base/error.h"
#include "lua/base/int.h"
#include "lua/call/frame.h"
#include "migrate/locks.h"
#include "migrate/migrator.h"
#include "sqltext/split.h"
#include "values/time.h"

typedef struct l_migrator {
  l_child child; /* first: it ends before its engine */
  ldr_migrator *m;
} l_migrator;

static void migrator_close(void *p) {
  l_migrator *box = p;
  ldr_migrator *m = box->m;
  if (m == NULL) return;
  l_child_remove(&box->child);
  box->m = NULL;
  ldr_migrator_free(m);
}

static void drop(l_child *c) { migrator_close(c); }

static l_migrator *check(lua_State *L) {
  l_migrator *box = l_box_check(L, 1, &l_migrator_class);
  if (box->m == NULL) luaL_error(L, "the migrator is closed");
  return box;
}

/* ---- files as tables ---- */

static void set_int(lua_State *L, const char *key, int64_t i) {
  l_int_push(L, i);
  lua_setfield(L, -2, key);
}

static void set_text(lua_State *L, const char *key, const char *s) {
  if (s == NULL) return;
  lua_pushstring(L, s);
  lua_setfield(L, -2, key);
}

static void set_bool(lua_State *L, const char *key, bool b) {
  lua_pushboolean(L, b);
  lua_setfield(L, -2, key);
}

static void push_file(lua_State *L, const ldr_migration *m) {
  lua_createtable(L, 0, 10);
  set_int(L, "version", m->version);
  set_text(L, "name", m->name);
  set_text(L, "file", m->up.file);
  set_text(L, "down_file", m->down.file);
  set_text(L, "up_sql", m->up.sql);
  set_text(L, "down_sql", m->down.sql);
  set_int(L, "up_line", m->up.line);
  set_int(L, "down_line", m->down.line);
  set_text(L, "checksum", m->checksum);
  set_bool(L, "lua", m->lua);
  set_bool(L, "only_plain", m->only_plain);
  set_bool(L, "no_transaction", m->up.no_transaction);
}

/* A directory's migrations on their way to Lua: freed by the collector when Lua runs out of memory meanwhile.
 */
typedef struct l_files {
  ldr_migrations *m;
} l_files;

static void files_close(void *p) {
  l_files *box = p;
  ldr_migrations_free(box->m);
  box->m = NULL;
}

static const luaL_Reg no_methods[] = {{NULL, NULL}};
const l_class l_files_class = {"larder.migrations", sizeof(l_files), files_close};

void l_files_open(lua_State *L) { l_class_register(L, &l_files_class, no_methods); }

/* core.migrations(dir) → list of files, by version */
int l_migrations(lua_State *L) {
  const char *dir = luaL_checkstring(L, 1);
  l_files *box = l_box_new(L, &l_files_class);
  ldr_err err;
  if (ldr_migrations_read(dir, &box->m, &err) != LDR_OK) return l_fail(L, &err, NULL, "migrate");
  lua_createtable(L, (int)box->m->n, 0);
  for (size_t i = 0; i < box->m->n; i++) {
    push_file(L, &box->m->list[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  files_close(box);
  return 1;
}

/* ---- locks ---- */

static void push_lock(lua_State *L, const char *sql, const ldr_statement *s, const ldr_table_lock *lock) {
  lua_createtable(L, 0, 6);
  set_int(L, "line", s->line);
  lua_pushlstring(L, sql + s->at, s->n);
  lua_setfield(L, -2, "sql");
  set_text(L, "lock", lock->mode);
  set_text(L, "warning", lock->warning);
  if (*lock->table) set_text(L, "table", lock->table);
  if (!lock->loses) return;
  lua_pushboolean(L, 1);
  lua_setfield(L, -2, "loses");
}

/* core.statement_locks(sql) → list of { line, sql, lock, table, warning, loses }, one a statement */
int l_statement_locks(lua_State *L) {
  size_t n;
  const char *sql = luaL_checklstring(L, 1, &n);
  ldr_splitter p;
  ldr_statement s;
  ldr_table_lock lock;
  ldr_err err;
  ldr_code code;
  ldr_split_init(&p, sql, n);
  lua_newtable(L);
  for (int i = 1; (code = ldr_split_next(&p, &s, &err)) == LDR_OK; i++) {
    code = ldr_lock_of(sql + s.at, s.n, &lock, &err);
    if (code) break;
    push_lock(L, sql, &s, &lock);
    lua_rawseti(L, -2, i);
  }
  return code == LDR_NOT_FOUND ? 1 : l_fail(L, &err, NULL, "migrate");
}

/* ---- engine:migrator(dir, options) ---- */

static double seconds(lua_State *L, int idx, const char *name, double otherwise) {
  double s = lua_tonumber(L, idx);
  if (lua_isnil(L, idx)) return otherwise;
  if (lua_type(L, idx) != LUA_TNUMBER || !(s >= 0 && s <= 1e7))
    luaL_error(L, "%s must be a number of seconds, not negative", name);
  return s;
}

static void read_config(lua_State *L, int idx, ldr_migrator_config *c) {
  static const char *const names[] = {"family",  "connect_timeout", "lock_timeout",
                                      "timeout", "table_timeout",   "retries"};
  int o = l_options(L, idx, names, 6, "migrator");
  int64_t retries = lua_isnil(L, o + 5) ? 0 : l_int_check(L, o + 5, "retries");
  c->family = luaL_checkstring(L, o);
  c->connect_timeout = seconds(L, o + 1, "connect_timeout", 30);
  c->patience = seconds(L, o + 2, "lock_timeout", 30);
  c->statement_timeout = seconds(L, o + 3, "timeout", 0);
  c->table_timeout = seconds(L, o + 4, "table_timeout", 0);
  if (retries < 0 || retries > 1000) luaL_error(L, "retries must be between 0 and 1000");
  c->retries = (unsigned)retries;
}

int l_migrator_new(lua_State *L) {
  l_engine *eng = l_box_check(L, 1, &l_engine_class);
  const char *dir = luaL_checkstring(L, 2);
  ldr_migrator_config config;
  ldr_migrations *files = NULL;
  l_migrator *box;
  ldr_err err;
  lua_settop(L, 3);
  box = l_box_new(L, &l_migrator_class); /* 4 */
  lua_createtable(L, L_ENV_ENGINE, 0);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, L_ENV_ENGINE);
  l_env_set(L, 4);
  read_config(L, 3, &config);
  if (eng->e == NULL) return l_fail_code(L, LDR_CLOSED, "the database is closed");
  if (ldr_migrations_read(dir, &files, &err) != LDR_OK) return l_fail(L, &err, NULL, "migrate");
  if (ldr_migrator_new(eng->e, files, &config, &box->m, &err) != LDR_OK)
    return l_fail(L, &err, NULL, "migrate");
  l_child_add(eng, &box->child, NULL, drop);
  lua_settop(L, 4);
  return 1;
}

/* ---- jobs ---- */

static const char *const job_names[] = {"history", "lock", "step", "record", NULL};
static const char *const actions[] = {"up", "down", "force", "baseline", "repair", NULL};

static void read_job(lua_State *L, ldr_job *job) {
  static const char *const names[] = {"dry", "index", "skip_statement", "action", "version", "applied"};
  int o;
  job->kind = (ldr_job_kind)luaL_checkoption(L, 2, NULL, job_names);
  o = l_options(L, 3, names, 6, "job");
  job->dry = l_option_bool(L, o, "dry");
  if (job->kind == LDR_JOB_STEP) {
    int64_t index = l_int_check(L, o + 1, "index");
    luaL_argcheck(L, index >= 1, 3, "index counts from 1");
    job->index = (size_t)index - 1;
    job->skip_statement = l_option_bool(L, o + 2, "skip_statement");
  }
  if (job->kind == LDR_JOB_RECORD) {
    job->action = actions[luaL_checkoption(L, o + 3, NULL, actions)];
    job->version = l_int_check(L, o + 4, "version");
    job->applied = l_option_bool(L, o + 5, "applied");
  }
}

/* migrator:start("history" | "lock" | "step" | "record", { dry, index, skip_statement, action, version,
 * applied }) */
static int migrator_start(lua_State *L) {
  l_migrator *box = check(L);
  ldr_job job = {0};
  ldr_err err;
  lua_settop(L, 3);
  read_job(L, &job);
  if (ldr_migrator_start(box->m, &job, &err) != LDR_OK) return l_fail(L, &err, NULL, "migrate");
  lua_pushboolean(L, 1);
  return 1;
}

/* migrator:done() → bool; migrator:wait(seconds) → bool, blocks */
static int migrator_done(lua_State *L) {
  lua_pushboolean(L, ldr_migrator_done(check(L)->m));
  return 1;
}

static int migrator_wait(lua_State *L) {
  l_migrator *box = check(L);
  lua_pushboolean(L, ldr_migrator_wait(box->m, ldr_deadline(luaL_checknumber(L, 2))));
  return 1;
}

static ldr_migrator *idle(lua_State *L) {
  ldr_migrator *m = check(L)->m;
  if (!ldr_migrator_done(m)) luaL_error(L, "a step of this migration is still running");
  return m;
}

/* migrator:result() → milliseconds | nil, err */
static int migrator_result(lua_State *L) {
  ldr_migrator *m = idle(L);
  ldr_err err;
  int64_t ms = 0;
  if (ldr_migrator_result(m, &ms, &err) != LDR_OK) return l_fail(L, &err, NULL, "migrate");
  l_int_push(L, ms);
  return 1;
}

/* ---- what is there, and what is to be done ---- */

static void push_applied(lua_State *L, const ldr_applied *a) {
  char text[LDR_TIME_TEXT];
  lua_createtable(L, 0, 7);
  set_int(L, "version", a->version);
  set_text(L, "name", a->name);
  set_text(L, "checksum", a->checksum);
  set_bool(L, "skipped", a->skipped);
  lua_pushlstring(L, text, ldr_time_format(a->at, text));
  lua_setfield(L, -2, "applied_at");
  set_int(L, "duration_ms", a->duration_ms);
  set_text(L, "applied_by", a->by);
}

/* migrator:history() → { there, citus, applied = { … }, unfinished = { version, down, statement, text } | nil
 * } */
static int migrator_history(lua_State *L) {
  const ldr_history *h = ldr_migrator_history(idle(L));
  if (h == NULL) return luaL_error(L, "the history was not read yet");
  lua_createtable(L, 0, 4);
  set_bool(L, "there", h->there);
  set_bool(L, "citus", h->citus);
  lua_createtable(L, (int)h->n, 0);
  for (size_t i = 0; i < h->n; i++) {
    push_applied(L, &h->list[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "applied");
  if (h->unfinished.version) {
    lua_createtable(L, 0, 4);
    set_int(L, "version", h->unfinished.version);
    set_bool(L, "down", h->unfinished.down);
    if (h->unfinished.statement) set_int(L, "statement", h->unfinished.statement);
    set_text(L, "text", h->unfinished.text);
    lua_setfield(L, -2, "unfinished");
  }
  return 1;
}

static void read_request(lua_State *L, ldr_plan_request *r) {
  static const char *const names[] = {"direction", "to", "count", "plain", "out_of_order", "resume"};
  static const char *const ways[] = {"up", "down", "goto", "redo", NULL};
  int o = l_options(L, 2, names, 6, "plan");
  r->direction = (ldr_direction)luaL_checkoption(L, o, NULL, ways);
  if (!lua_isnil(L, o + 1)) {
    r->has_to = true;
    r->to = l_int_check(L, o + 1, "to");
  }
  if (!lua_isnil(L, o + 2)) {
    int64_t count = l_int_check(L, o + 2, "count");
    if (count < 1 || count > 1000000) luaL_error(L, "count must be at least 1");
    r->count = (unsigned)count;
  }
  r->plain = l_option_bool(L, o + 3, "plain");
  r->out_of_order = l_option_bool(L, o + 4, "out_of_order");
  r->resume = l_option_bool(L, o + 5, "resume");
}

/* migrator:plan{ direction, to, count, plain, out_of_order, resume } → { { action, version, name, … }, … } */
static int migrator_plan(lua_State *L) {
  static const char *const kinds[] = {"up", "down", "skip"};
  ldr_migrator *m = idle(L);
  ldr_plan_request r = {0};
  const ldr_step *steps;
  size_t n;
  ldr_err err;
  lua_settop(L, 2);
  read_request(L, &r);
  if (ldr_migrator_plan(m, &r, &steps, &n, &err) != LDR_OK) return l_fail(L, &err, NULL, "migrate");
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    push_file(L, steps[i].m);
    set_text(L, "action", kinds[steps[i].kind]);
    set_bool(L, "bare", steps[i].bare);
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

static int migrator_close_method(lua_State *L) {
  migrator_close(l_box_check(L, 1, &l_migrator_class));
  return 0;
}

static const luaL_Reg methods[] = {
    {"start", migrator_start},        {"done", migrator_done},
    {"wait", migrator_wait},          {"result", migrator_result},
    {"history", migrator_history},    {"plan", migrator_plan},
    {"close", migrator_close_method}, {NULL, NULL},
};

const l_class l_migrator_class = {"larder.migrator", sizeof(l_migrator), migrator_close};

void l_migrator_open(lua_State *L) { l_class_register(L, &l_migrator_class, methods); }

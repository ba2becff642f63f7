/* engine:stats() */
#include "lua/engine/stats.h"
#include "lua/base/int.h"
#include "memory/db.h"

static void set(lua_State *L, const char *key, uint64_t n) {
  l_int_push(L, (int64_t)n);
  lua_setfield(L, -2, key);
}

static void push_memory(lua_State *L, const l_engine *eng) {
  ldr_memdb_stats s;
  ldr_memdb_stats_get(eng->e, &s);
  set(L, "tables", s.tables);
  set(L, "rows", s.rows);
  set(L, "row_bytes", s.row_bytes);
  set(L, "transactions", s.transactions);
}

static void push_postgres(lua_State *L, const l_engine *eng) {
  ldr_pg_stats s;
  ldr_pg_stats_get(eng->e, &s);
  set(L, "max", s.max);
  set(L, "total", s.total);
  set(L, "idle", s.idle);
  set(L, "busy", s.busy);
  set(L, "waiting", s.waiting);
  set(L, "connects", s.connects);
  set(L, "connect_failures", s.connect_failures);
  set(L, "destroyed_idle", s.destroyed_idle);
  set(L, "destroyed_lifetime", s.destroyed_lifetime);
  set(L, "destroyed_broken", s.destroyed_broken);
  set(L, "acquires", s.acquires);
  set(L, "acquire_waits", s.acquire_waits);
  set(L, "acquire_timeouts", s.acquire_timeouts);
  set(L, "acquire_wait_us", s.acquire_wait_us);
  set(L, "queries", s.queries);
  set(L, "errors", s.errors);
  set(L, "transactions", s.transactions);
  set(L, "commits", s.commits);
  set(L, "rollbacks", s.rollbacks);
  set(L, "retries_stale", s.retries_stale);
  set(L, "cancels", s.cancels);
  set(L, "prepares", s.prepares);
  set(L, "evictions", s.evictions);
  set(L, "server_version", (uint64_t)s.server_version);
  lua_pushboolean(L, s.pooler);
  lua_setfield(L, -2, "pooler");
}

/* An empty table once the engine is closed. */
int l_engine_stats(lua_State *L) {
  l_engine *eng = l_box_check(L, 1, &l_engine_class);
  lua_newtable(L);
  if (eng->e == NULL) return 1;
  if (eng->postgres)
    push_postgres(L, eng);
  else
    push_memory(L, eng);
  return 1;
}

#include "base/clock.h"
#include "postgres/exec/bulk.h"
#include "postgres/exec/transaction.h"
#include "postgres/postgres.h"
#include "postgres/request/context.h"
#include "postgres/request/reactor.h"

void ldr_pool_config_default(ldr_pool_config *c) {
  *c = (ldr_pool_config){.max = 25,
                         .min = 5,
                         .connect_timeout = 30,
                         .idle_timeout = 600,
                         .lifetime = 3600,
                         .acquire_timeout = 30,
                         .queue_max = 1000,
                         .statement_cache = 256,
                         .pgbouncer = -1,
                         .statement_timeout = -1};
}

ldr_code ldr_pg_parse_conninfo(const char *s, void (*each)(void *ud, const char *keyword, const char *value),
                               void *ud, ldr_err *err) {
  return ldr_conninfo_parse(s, each, ud, err);
}

/* ---- close ---- */

static void pg_close(ldr_engine *engine) {
  ldr_pg *e = ldr_pg_of(engine);
  if (e == NULL) return;
  while (e->txs) ldr_pgtx_abandon((ldr_tx *)(void *)e->txs);
  while (e->requests) ldr_request_detach(e->requests);
  ldr_reactor_stop(e);
  ldr_request_free_spares(e);
  ldr_pgtx_free_spares(e);
  ldr_pool_free(e->pool);
  ldr_conninfo_free(e->info);
  ldr_stmt_release(e->ask_xid);
  ldr_stmt_release(e->begin);
  ldr_stmts_done(&e->stmts);
  ldr_buf_free(&e->params);
  ldr_free(e);
}

/* ---- one more engine ---- */

typedef struct pg_source {
  ldr_source base;
  ldr_conninfo *info; /* a copy: the engine may be closed meanwhile */
  ldr_pool_config config;
} pg_source;

static ldr_code source_open(ldr_source *base, ldr_engine **out, ldr_err *err) {
  pg_source *s = (pg_source *)base;
  return ldr_pg_open((const char *const *)s->info->keywords, (const char *const *)s->info->values, &s->config,
                     out, err);
}

static void source_free(ldr_source *base) {
  pg_source *s = (pg_source *)base;
  if (s == NULL) return;
  ldr_conninfo_free(s->info);
  ldr_free(s);
}

static double at_most(double seconds, double limit) {
  return seconds > 0 && seconds < limit ? seconds : limit;
}

static ldr_code pg_clone(const ldr_engine *engine, double timeout, ldr_source **out, ldr_err *err) {
  const ldr_pg *e = ldr_pg_of(engine);
  pg_source *s = ldr_alloc(sizeof *s);
  ldr_code code;
  if (s == NULL) return ldr_fail_nomem(err);
  s->base.open = source_open;
  s->base.free = source_free;
  s->config = e->config;
  s->config.max = 1;
  s->config.min = 0;
  s->config.statement_timeout = -1;
  s->config.open_timeout = 0;
  s->config.lazy = false;
  s->config.connect_timeout = at_most(s->config.connect_timeout, timeout);
  s->config.acquire_timeout = at_most(s->config.acquire_timeout, timeout);
  code = ldr_conninfo_new((const char *const *)e->info->keywords, (const char *const *)e->info->values,
                          &s->info, err);
  if (code) {
    source_free(&s->base);
    return code;
  }
  *out = &s->base;
  return LDR_OK;
}

static const ldr_sql_group sql_group = {.prepare = ldr_pg_prepare,
                                        .prepared = ldr_pg_prepared,
                                        .params = ldr_stmt_params,
                                        .forget = ldr_pg_forget,
                                        .execute = ldr_pg_execute,
                                        .pipeline = ldr_pg_pipeline,
                                        .release = ldr_stmt_release};
static const ldr_session_group session_group = {.available = ldr_pg_has_sessions,
                                                .open = ldr_pg_session,
                                                .script = ldr_pg_script,
                                                .backend_pid = ldr_pg_backend_pid,
                                                .copy_in_begin = ldr_pg_copy_in_begin,
                                                .copy_in_data = ldr_pg_copy_in_data,
                                                .copy_in_end = ldr_pg_copy_in_end,
                                                .copy_out_begin = ldr_pg_copy_out_begin,
                                                .copy_out_data = ldr_pg_copy_out_data};
static const ldr_context_group context_group = {.make = ldr_pgcontext_new};
static const ldr_async_group async_group = {.use = ldr_pg_use_reactor,
                                            .submit = ldr_task_submit,
                                            .wait = ldr_task_wait,
                                            .fd = ldr_task_fd,
                                            .wake_fd = ldr_pg_wake_fd,
                                            .wake_path = ldr_pg_wake_path,
                                            .done = ldr_pg_done};

static size_t pg_stats(const ldr_engine *e, ldr_stat out[LDR_MAX_STATS]) {
  ldr_pg_stats s;
  ldr_pg_stats_get(e, &s);
  {
    const ldr_stat all[] = {{"max", s.max, false},
                            {"total", s.total, false},
                            {"idle", s.idle, false},
                            {"busy", s.busy, false},
                            {"waiting", s.waiting, false},
                            {"connects", s.connects, false},
                            {"connect_failures", s.connect_failures, false},
                            {"destroyed_idle", s.destroyed_idle, false},
                            {"destroyed_lifetime", s.destroyed_lifetime, false},
                            {"destroyed_broken", s.destroyed_broken, false},
                            {"acquires", s.acquires, false},
                            {"acquire_waits", s.acquire_waits, false},
                            {"acquire_timeouts", s.acquire_timeouts, false},
                            {"acquire_wait_us", s.acquire_wait_us, false},
                            {"queries", s.queries, false},
                            {"errors", s.errors, false},
                            {"transactions", s.transactions, false},
                            {"commits", s.commits, false},
                            {"rollbacks", s.rollbacks, false},
                            {"retries_stale", s.retries_stale, false},
                            {"cancels", s.cancels, false},
                            {"prepares", s.prepares, false},
                            {"evictions", s.evictions, false},
                            {"server_version", (uint64_t)s.server_version, false},
                            {"pooler", s.pooler, true},
                            {"own_sessions", s.own_sessions, true}};
    _Static_assert(sizeof all / sizeof *all <= LDR_MAX_STATS, "there is room for all");
    memcpy(out, all, sizeof all);
    return sizeof all / sizeof *all;
  }
}

static const ldr_engine_ops ops = {.name = "postgres",
                                   .run = ldr_pgrun_op,
                                   .begin = ldr_pgtx_begin,
                                   .savepoint = ldr_pgtx_savepoint,
                                   .release = ldr_pgtx_release,
                                   .rollback_to = ldr_pgtx_rollback_to,
                                   .commit = ldr_pgtx_commit,
                                   .rollback = ldr_pgtx_rollback,
                                   .abandon = ldr_pgtx_abandon,
                                   .load = ldr_pgbulk_load,
                                   .scan = ldr_pgbulk_scan,
                                   .clone = pg_clone,
                                   .sql = &sql_group,
                                   .session = &session_group,
                                   .context = &context_group,
                                   .async = &async_group,
                                   .stats = pg_stats,
                                   .set_hook = ldr_pg_set_hook,
                                   .close = pg_close};

/* ---- open ---- */

static ldr_code prove(ldr_pg *e, ldr_err *err) {
  double patience = e->config.open_timeout;
  return ldr_pool_connect(e->pool, ldr_deadline(patience > 0 ? patience : -1), err);
}

static ldr_code own_statements(ldr_pg *e, ldr_err *err) {
  static const char ask_xid[] = "select pg_current_xact_id_if_assigned()";
  ldr_code code = ldr_stmts_text(&e->stmts, ask_xid, sizeof ask_xid - 1, "", &e->ask_xid, err);
  if (code == LDR_OK)
    code = ldr_stmts_text(&e->stmts, ldr_pgtx_begin_sql, strlen(ldr_pgtx_begin_sql), "", &e->begin, err);
  if (code) return code;
  ldr_stmts_forget(&e->stmts, e->begin); /* a session's own BEGIN is another */
  e->begin->effects = 0;                 /* unlike other utilities it is worth a name */
  return LDR_OK;
}

ldr_code ldr_pg_open(const char *const *keywords, const char *const *values, const ldr_pool_config *config,
                     ldr_engine **out, ldr_err *err) {
  ldr_pg *e = ldr_alloc(sizeof *e);
  ldr_code code;
  if (e == NULL) return ldr_fail_nomem(err);
  e->base.ops = &ops;
  e->config = *config;
  code = ldr_conninfo_new(keywords, values, &e->info, err);
  if (code == LDR_OK) code = ldr_pool_new(e->info, config, &e->pool, err);
  if (code == LDR_OK && !ldr_stmts_init(&e->stmts)) code = ldr_fail_nomem(err);
  if (code == LDR_OK) code = own_statements(e, err);
  if (code == LDR_OK && !config->lazy) code = prove(e, err);
  if (code) {
    pg_close(&e->base);
    return code;
  }
  *out = &e->base;
  return LDR_OK;
}

/* ---- observation ---- */

void ldr_pg_stats_get(const ldr_engine *engine, ldr_pg_stats *out) {
  const ldr_pg *e = ldr_pg_of(engine);
  const ldr_pool *p = e->pool;
  const ldr_pg_counts *c = &e->counts;
  ldr_loop_lock(e->loop);
  *out = p->stats;
  out->server_version = p->server.version;
  out->pooler = p->server.pooler;
  out->own_sessions = p->server.own_sessions;
  out->queries = c->queries;
  out->errors = c->errors;
  out->transactions = c->transactions;
  out->commits = c->commits;
  out->rollbacks = c->rollbacks;
  out->retries_stale = c->retries_stale;
  out->cancels = c->cancels;
  out->prepares = c->prepares;
  out->evictions = c->evictions;
  out->max = p->config.max;
  out->total = ldr_slots_total(&p->slots);
  out->idle = p->slots.by_state[LDR_SLOT_IDLE].n;
  out->busy = p->slots.by_state[LDR_SLOT_BUSY].n + p->slots.by_state[LDR_SLOT_SHARED].n;
  out->waiting = p->queue.n;
  ldr_loop_unlock(e->loop);
}

void ldr_pg_set_hook(ldr_engine *engine, ldr_pg_hook *hook, void *ud) {
  ldr_pg *e = ldr_pg_of(engine);
  e->hook = hook;
  e->hook_ud = ud;
}

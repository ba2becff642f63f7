#include "migrate/session.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"

/* One lock for all families of a database: their files may refer to each other. Never changed: other versions
 * of larder take the same. */
#define LOCK "7810201938420631"

enum { TRY_AGAIN_US = 100000 };

static const char try_lock[] = "select pg_try_advisory_lock(" LOCK ")";
static const char still_locked[] =
    "select exists (select from pg_locks where locktype = 'advisory' and granted and pid = pg_backend_pid()"
    " and database = (select oid from pg_database where datname = current_database())"
    " and classid::int8 = " LOCK " >> 32 and objid::int8 = " LOCK " & 4294967295)";
static const char who_holds[] =
    "select a.pid::int8, coalesce(nullif(a.application_name, ''), 'no name') as name,"
    " extract(epoch from clock_timestamp() - a.backend_start)::int8 as age, coalesce(a.client_addr::text, "
    "'local') as place"
    " from pg_locks l join pg_stat_activity a on a.pid = l.pid"
    " where l.locktype = 'advisory' and l.granted"
    " and l.database = (select oid from pg_database where datname = current_database())"
    " and l.classid::int8 = " LOCK " >> 32 and l.objid::int8 = " LOCK " & 4294967295";

static const ldr_call no_limit = {.deadline = LDR_NEVER, .block = true};

/* ---- statements ---- */

ldr_code ldr_session_ask(ldr_session *s, const char *sql, const ldr_value *values, ldr_rows **rows,
                         ldr_err *err) {
  const ldr_sql_group *g = s->engine->ops->sql;
  ldr_stmt *stmt = NULL;
  ldr_task *task = NULL;
  ldr_result result = {0};
  ldr_code code = g->prepare(s->engine, s->tx, sql, strlen(sql), &no_limit, &stmt, &task, err);
  if (code == LDR_OK) code = g->execute(s->engine, s->tx, stmt, values, &no_limit, &result, &task, err);
  g->release(stmt);
  if (code == LDR_OK && rows)
    *rows = result.rows;
  else
    ldr_rows_free(result.rows);
  return code;
}

ldr_code ldr_session_number(ldr_session *s, const char *sql, const ldr_value *values, int64_t *out,
                            ldr_err *err) {
  ldr_rows *rows = NULL;
  ldr_value v;
  ldr_code code = ldr_session_ask(s, sql, values, &rows, err);
  if (code) return code;
  if (rows == NULL || rows->nrows == 0)
    code = LDR_NOT_FOUND;
  else
    code = ldr_rows_cell(rows, 0, 0, &v, err);
  if (code == LDR_OK) *out = v.type == LDR_T_BOOL ? v.u.b : v.type == LDR_T_INT ? v.u.i : 0;
  ldr_rows_free(rows);
  return code;
}

ldr_code ldr_session_script(ldr_session *s, const char *sql, ldr_err *err) {
  return s->engine->ops->session->script(s->tx, sql, &no_limit, err);
}

/* DISCARD ALL would give the lock away, too. */
ldr_code ldr_session_reset(ldr_session *s, ldr_err *err) {
  static const char *const each[] = {"close all",     "set session authorization default",
                                     "reset all",     "deallocate all",
                                     "unlisten *",    "discard temp",
                                     "discard plans", "discard sequences"};
  ldr_code code = LDR_OK;
  for (size_t i = 0; i < sizeof each / sizeof *each && code == LDR_OK; i++)
    code = ldr_session_script(s, each[i], err);
  return code;
}

/* ---- the connection ---- */

static ldr_code behind_pooler(ldr_err *err) {
  ldr_fail(err, LDR_UNSUPPORTED, "migrations need a direct connection: a pooler between would lose the lock");
  ldr_err_set(
      err->hint, sizeof err->hint,
      "name the server itself for migrations: POSTGRES_URL_NON_POOLING, --migrations-url, or the option "
      "migrations of larder.open");
  return ldr_err_reason(err, "pooler");
}

ldr_code ldr_session_open(ldr_session *s, ldr_source *source, ldr_err *err) {
  int64_t pid = 0;
  ldr_code code = source->open(source, &s->engine, err);
  if (code) return code;
  code = s->engine->ops->session->open(s->engine, &no_limit, &s->tx, err);
  if (code == LDR_OK) code = ldr_session_number(s, "select pg_backend_pid()", NULL, &pid, err);
  if (code == LDR_UNSUPPORTED || (code == LDR_OK && pid != s->engine->ops->session->backend_pid(s->tx)))
    code = behind_pooler(err);
  s->pid = (int)pid;
  if (code) ldr_session_close(s);
  return code;
}

void ldr_session_close(ldr_session *s) {
  ldr_err ignored;
  ldr_task *task = NULL;
  if (s->engine == NULL) return;
  if (s->tx && s->engine->ops->rollback(s->tx, &no_limit, &task, &ignored) == LDR_PENDING && task)
    task->ops->free(task);
  s->engine->ops->close(s->engine);
  s->engine = NULL;
  s->tx = NULL;
  s->locked = false;
}

static const char standby_sql[] = "select pg_is_in_recovery()";
static const char read_only_sql[] = "select current_setting('transaction_read_only')::bool";

/* Asked before anything is done: the server's own words would name larder's tables, not what to do. */
ldr_code ldr_session_writable(ldr_session *s, ldr_err *err) {
  int64_t standby = 0, read_only = 0;
  ldr_code code = ldr_session_number(s, standby_sql, NULL, &standby, err);
  if (code == LDR_OK) code = ldr_session_number(s, read_only_sql, NULL, &read_only, err);
  if (code || !(standby || read_only)) return code;
  if (standby)
    ldr_fail_state(err, LDR_PERMISSION, "25006",
                   "migrations need the primary: this server is a standby, which is read-only");
  else
    ldr_fail_state(err, LDR_PERMISSION, "25006",
                   "migrations must write: this session is read-only (default_transaction_read_only)");
  ldr_err_set(err->hint, sizeof err->hint,
              standby
                  ? "name all servers with target_session_attrs=read-write, or the primary with "
                    "--migrations-url or the option migrations of larder.open"
                  : "use a role or a connection that may write: --migrations-url, or the option migrations "
                    "of larder.open");
  return ldr_err_reason(err, "read_only");
}

/* ---- the lock ---- */

static bool told_to_stop(const ldr_session *s) { return s->stop && atomic_load(s->stop); }

static void rest(void) {
  struct timespec t = {.tv_nsec = TRY_AGAIN_US * 1000L};
  nanosleep(&t, NULL);
}

static ldr_code held_by(ldr_session *s, ldr_err *err) {
  ldr_rows *rows = NULL;
  ldr_value pid, name, age, from;
  ldr_err ignored;
  ldr_fail(err, LDR_LOCKED, "migrations are being run by another process");
  if (ldr_session_ask(s, who_holds, NULL, &rows, &ignored) != LDR_OK) return ldr_err_reason(err, "locked");
  if (rows && rows->nrows && ldr_rows_cell(rows, 0, 0, &pid, &ignored) == LDR_OK) {
    char text[65] = "";
    if (ldr_rows_cell(rows, 0, 1, &name, &ignored) == LDR_OK && name.type == LDR_T_TEXT) {
      size_t n = name.n < sizeof text - 1 ? name.n : sizeof text - 1;
      memcpy(text, name.u.p, n);
      text[n] = '\0';
    }
    if (ldr_rows_cell(rows, 0, 2, &age, &ignored) != LDR_OK) age = ldr_int(0);
    if (ldr_rows_cell(rows, 0, 3, &from, &ignored) != LDR_OK || from.type != LDR_T_TEXT)
      from = ldr_text("", 0);
    ldr_fail(
        err, LDR_LOCKED, "migrations are being run by backend %lld (%s, from %.*s, connected for %lld s)",
        (long long)pid.u.i, text, (int)from.n, from.u.p, (long long)(age.type == LDR_T_INT ? age.u.i : 0));
  }
  ldr_rows_free(rows);
  return ldr_err_reason(err, "locked");
}

ldr_code ldr_session_lock(ldr_session *s, ldr_err *err) {
  int64_t give_up = ldr_deadline(s->patience), got = 0;
  if (s->locked) return LDR_OK;
  for (;;) {
    ldr_code code = ldr_session_number(s, try_lock, NULL, &got, err);
    if (code) return code;
    if (got) break;
    if (told_to_stop(s)) return ldr_fail(err, LDR_CANCELED, "the migration was given up");
    if (ldr_now_mono() >= give_up) return held_by(s, err);
    rest();
  }
  s->locked = true;
  return LDR_OK;
}

ldr_code ldr_session_check(ldr_session *s, ldr_err *err) {
  int64_t held = 0;
  ldr_code code = s->locked ? ldr_session_number(s, still_locked, NULL, &held, err) : LDR_OK;
  if (code || held || !s->locked) return code;
  s->locked = false;
  ldr_fail(err, LDR_LOCKED, "a migration let the migration lock go (pg_advisory_unlock_all, discard all)");
  return ldr_err_reason(err, "lock_lost");
}

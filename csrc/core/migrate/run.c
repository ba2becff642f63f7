#define _GNU_SOURCE
#include "migrate/run.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "sqltext/split.h"

enum { RETRY_FIRST_US = 250000, RETRY_MAX_US = 5000000 };

static const char *action_of(const ldr_step *step) {
  static const char *const names[] = {"up", "down", "skip"};
  return names[step->kind];
}

static const ldr_migration_text *text_of(const ldr_step *step) {
  if (step->kind == LDR_STEP_SKIP || step->bare) return NULL;
  return step->kind == LDR_STEP_UP ? &step->m->up : &step->m->down;
}

static int64_t millis_since(int64_t start) { return (ldr_now_mono() - start) / 1000; }

/* The error of a statement as one of its file: where the server saw it, else where the statement begins. */
static ldr_code in_file(ldr_err *err, const ldr_migration_text *t, const ldr_statement *one) {
  char message[sizeof err->message];
  unsigned line = t->line + one->line - 1, place = one->column;
  if (err->code == LDR_CONNECTION) return err->code;
  if (err->line) {
    line += err->line - 1;
    place = err->line > 1 ? err->place : one->column + err->place - 1;
  }
  ldr_err_set(message, sizeof message, err->message);
  snprintf(err->message, sizeof err->message, "%s:%u:%u: %.400s", t->file, line, place, message);
  return ldr_err_at(err, t->file, line, place);
}

/* A body of code that commits: what the text says was checked before. */
static ldr_code own_transaction(ldr_err *err) {
  ldr_err_reason(err, "own_transaction");
  ldr_err_set(
      err->hint, sizeof err->hint,
      "a file runs in a transaction, together with its version: take the commit out, or mark the file "
      "-- larder: no-transaction");
  return err->code;
}

static ldr_code set_limits(ldr_session *s, bool local, ldr_err *err) {
  char sql[200];
  snprintf(sql, sizeof sql, "set %s statement_timeout = %lld; set %s lock_timeout = %lld",
           local ? "local" : "session", (long long)(s->statement_timeout * 1000), local ? "local" : "session",
           (long long)(s->table_timeout * 1000));
  return ldr_session_script(s, sql, err);
}

/* ---- in a transaction ---- */

/* One statement at a time, so that an error has a line even where the server names no place. */
static ldr_code run_all(ldr_session *s, const ldr_migration_text *t, ldr_err *err) {
  ldr_splitter p;
  ldr_statement one;
  ldr_code code;
  ldr_split_init(&p, t->sql, t->n);
  while ((code = ldr_split_next(&p, &one, err)) == LDR_OK) {
    char *sql = ldr_strndup(t->sql + one.at, one.n);
    if (sql == NULL) return ldr_fail_nomem(err);
    code = ldr_session_script(s, sql, err);
    ldr_free(sql);
    if (code) {
      (void)in_file(err, t, &one);
      return strcmp(err->sqlstate, "2D000") == 0 ? own_transaction(err) : code;
    }
  }
  return code == LDR_NOT_FOUND ? LDR_OK : code;
}

static const char xid_sql[] = "select pg_current_xact_id()::text::int8";

static ldr_code inside(ldr_session *s, const ldr_step *step, const ldr_run_options *o, int64_t start,
                       ldr_err *err) {
  const ldr_migration_text *t = text_of(step);
  int64_t before = 0, after = 0;
  ldr_code code = set_limits(s, true, err);
  if (code == LDR_OK && t) {
    code = ldr_session_number(s, xid_sql, NULL, &before, err);
    if (code) return code;
    code = run_all(s, t, err);
    if (code == LDR_OK) code = ldr_session_number(s, xid_sql, NULL, &after, err);
    if (code == LDR_OK && before != after) { /* by a function: the text itself was checked */
      ldr_fail(err, LDR_INVALID, "%s: %s ends its transaction itself", o->family, t->file);
      ldr_err_at(err, t->file, 0, 0);
      return own_transaction(err);
    }
  }
  if (code) return code;
  return ldr_history_record(s, o->family, step->m->version, step->m->name, step->m->checksum, action_of(step),
                            millis_since(start), err);
}

/* The answer to COMMIT is lost: a new connection sees whether the version's row is there. */
static ldr_code after_lost_commit(ldr_session *s, ldr_source *source, const ldr_step *step,
                                  const ldr_run_options *o, ldr_err *err) {
  ldr_session again = *s;
  ldr_history *h = NULL;
  ldr_err why = *err;
  bool applied, wanted = step->kind != LDR_STEP_DOWN;
  ldr_code code;
  ldr_session_close(s);
  again.engine = NULL;
  again.tx = NULL;
  again.locked = false;
  code = ldr_session_open(&again, source, err);
  if (code == LDR_OK) code = ldr_session_lock(&again, err);
  if (code == LDR_OK) code = ldr_history_read(&again, o->family, &h, err);
  if (code) {
    ldr_session_close(&again);
    ldr_fail(err, LDR_COMMIT_UNKNOWN,
             "%s: the connection was lost at commit of version %06lld, and the server could not be asked",
             o->family, (long long)step->m->version);
    return err->code;
  }
  applied = ldr_history_find(h, step->m->version) != NULL;
  ldr_history_free(h);
  *s = again;
  if (applied == wanted) return LDR_OK;
  *err = why;
  return err->code;
}

static ldr_code in_transaction(ldr_session *s, ldr_source *source, const ldr_step *step,
                               const ldr_run_options *o, int64_t start, ldr_err *err) {
  ldr_err ignored;
  ldr_code code = ldr_session_script(s, "begin", err);
  if (code == LDR_OK) code = inside(s, step, o, start, err);
  if (code) {
    if (ldr_session_script(s, "rollback", &ignored) != LDR_OK) s->locked = false; /* the connection is gone */
    return code;
  }
  code = ldr_session_script(s, "commit", err);
  return code == LDR_CONNECTION ? after_lost_commit(s, source, step, o, err) : code;
}

/* ---- statement by statement ---- */

static ldr_code changed(ldr_err *err, const ldr_migration_text *t, int64_t number, const ldr_statement *one) {
  unsigned line = t->line + one->line - 1;
  ldr_fail(err, LDR_DIRTY, "%s:%u:%u: statement %lld was edited after it had run", t->file, line, one->column,
           (long long)number);
  ldr_err_set(err->hint, sizeof err->hint, "undo the edit of what has run; statements behind it may change");
  ldr_err_reason(err, "edited");
  return ldr_err_at(err, t->file, line, one->column);
}

/* An index that is not valid and that nobody is making: what a failed CONCURRENTLY leaves. */
static const char invalid_index[] =
    "select format('drop index concurrently %s', i.indexrelid::regclass) from pg_index i"
    " where not i.indisvalid and i.indexrelid not in"
    " (select index_relid from pg_stat_progress_create_index where index_relid is not null)"
    " order by i.indexrelid desc limit 1";

static void name_leftover(ldr_session *s, ldr_err *err) {
  ldr_rows *rows = NULL;
  ldr_value v;
  ldr_err ignored;
  if (ldr_session_ask(s, invalid_index, NULL, &rows, &ignored) != LDR_OK) return;
  if (rows && rows->nrows && ldr_rows_cell(rows, 0, 0, &v, &ignored) == LDR_OK && v.type == LDR_T_TEXT) {
    char hint[sizeof err->hint];
    snprintf(hint, sizeof hint, "an index is there that is not valid: %.*s; then `larder migrate resume`",
             (int)v.n, v.u.p);
    ldr_err_set(err->hint, sizeof err->hint, hint);
  }
  ldr_rows_free(rows);
}

static ldr_code failed(ldr_session *s, const ldr_migration_text *t, const char *sql, const ldr_statement *one,
                       ldr_err *err) {
  if (err->code != LDR_CONNECTION && strcasestr(sql, "concurrently")) name_leftover(s, err);
  return in_file(err, t, one);
}

static ldr_code one_statement(ldr_session *s, const ldr_step *step, const ldr_run_options *o, const char *sql,
                              int64_t number, const ldr_statement *one, ldr_err *err) {
  const ldr_migration_text *t = text_of(step);
  char sum[LDR_MIGRATION_CHECKSUM + 1], done[LDR_MIGRATION_CHECKSUM + 1];
  bool down = step->kind == LDR_STEP_DOWN;
  ldr_code code = ldr_migration_digest(sql, strlen(sql), sum, err);
  if (code) return code;
  code = ldr_journal_find(s, o->family, step->m->version, down, number, done, err);
  if (code == LDR_OK) return strcmp(sum, done) == 0 ? LDR_OK : changed(err, t, number, one);
  if (code != LDR_NOT_FOUND) return code;
  code = ldr_journal_begin(s, o->family, step->m->version, down, number, sum, sql, err);
  if (code == LDR_OK) code = set_limits(s, false, err);
  if (code) return code;
  code = ldr_session_script(s, sql, err);
  if (code) return failed(s, t, sql, one, err);
  return ldr_journal_done(s, o->family, step->m->version, number, err);
}

/* The last statement and the record of the version are two transactions; a crash between them is resumed with
 * nothing left to run. */
static ldr_code finish_journal(ldr_session *s, const ldr_step *step, const ldr_run_options *o, int64_t start,
                               ldr_err *err) {
  ldr_err ignored;
  ldr_code code = ldr_session_script(s, "begin", err);
  if (code == LDR_OK) code = ldr_journal_forget(s, o->family, step->m->version, err);
  if (code == LDR_OK)
    code = ldr_history_record(s, o->family, step->m->version, step->m->name, step->m->checksum,
                              action_of(step), millis_since(start), err);
  if (code == LDR_OK) return ldr_session_script(s, "commit", err);
  if (ldr_session_script(s, "rollback", &ignored) != LDR_OK) s->locked = false;
  return code;
}

static ldr_code by_statement(ldr_session *s, const ldr_step *step, const ldr_run_options *o, int64_t start,
                             ldr_err *err) {
  const ldr_migration_text *t = text_of(step);
  ldr_splitter p;
  ldr_statement one;
  ldr_code code;
  int64_t number = 0;
  ldr_split_init(&p, t->sql, t->n);
  while ((code = ldr_split_next(&p, &one, err)) == LDR_OK) {
    char *sql = ldr_strndup(t->sql + one.at, one.n);
    number++;
    if (sql == NULL) return ldr_fail_nomem(err);
    code = one_statement(s, step, o, sql, number, &one, err);
    ldr_free(sql);
    if (code) return code;
  }
  return code == LDR_NOT_FOUND ? finish_journal(s, step, o, start, err) : code;
}

/* ---- a step ---- */

static void pause_before(unsigned attempt) {
  int64_t us = RETRY_FIRST_US << (attempt < 5 ? attempt : 5);
  struct timespec t;
  if (us > RETRY_MAX_US) us = RETRY_MAX_US;
  t.tv_sec = (time_t)(us / 1000000);
  t.tv_nsec = (long)(us % 1000000) * 1000;
  nanosleep(&t, NULL);
}

static bool may_retry(ldr_session *s, const ldr_run_options *o, ldr_code code, unsigned attempt) {
  if (s->stop && atomic_load(s->stop)) return false;
  return (code == LDR_LOCK_TIMEOUT || code == LDR_DEADLOCK) && attempt < o->retries;
}

/* What resume was told of the statement under way: it was done. */
static ldr_code believe(ldr_session *s, const ldr_step *step, const ldr_run_options *o, ldr_err *err) {
  ldr_history *h = NULL;
  ldr_code code = ldr_history_read(s, o->family, &h, err);
  if (code == LDR_OK && h->unfinished.version == step->m->version && h->unfinished.statement)
    code = ldr_journal_done(s, o->family, step->m->version, h->unfinished.statement, err);
  ldr_history_free(h);
  return code;
}

ldr_code ldr_run_step(ldr_session *s, ldr_source *source, const ldr_step *step, const ldr_run_options *o,
                      int64_t *ms, ldr_err *err) {
  const ldr_migration_text *t = text_of(step);
  int64_t start = ldr_now_mono();
  ldr_err ignored;
  ldr_code code = ldr_session_check(s, err);
  if (code == LDR_OK && o->skip_statement) code = believe(s, step, o, err);
  if (code) return code;
  for (unsigned attempt = 0;; attempt++) {
    code = t && t->no_transaction ? by_statement(s, step, o, start, err)
                                  : in_transaction(s, source, step, o, start, err);
    if (!may_retry(s, o, code, attempt)) break;
    pause_before(attempt);
  }
  *ms = millis_since(start);
  if (s->tx && ldr_session_reset(s, code ? &ignored : err) != LDR_OK && code == LDR_OK) return err->code;
  return code;
}

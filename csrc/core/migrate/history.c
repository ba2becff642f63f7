#include "migrate/history.h"

#include <string.h>

static const char tables_sql[] =
    "create schema if not exists larder;\n"
    "create table if not exists larder.schema_migrations (\n"
    "  family      text collate \"C\" not null,\n"
    "  version     bigint           not null,\n"
    "  name        text             not null,\n"
    "  checksum    text             not null,\n"
    "  skipped     boolean          not null default false,\n"
    "  applied_at  timestamptz      not null default clock_timestamp(),\n"
    "  duration_ms bigint           not null,\n"
    "  applied_by  text             not null default session_user,\n"
    "  constraint schema_migrations_pkey primary key (family, version)\n"
    ");\n"
    "create table if not exists larder.migration_history (\n"
    "  id          bigint generated always as identity,\n"
    "  family      text collate \"C\" not null,\n"
    "  version     bigint           not null,\n"
    "  name        text             not null,\n"
    "  action      text             not null,\n"
    "  checksum    text             not null,\n"
    "  at          timestamptz      not null default clock_timestamp(),\n"
    "  duration_ms bigint           not null,\n"
    "  done_by     text             not null default session_user,\n"
    "  constraint migration_history_pkey primary key (id)\n"
    ");\n"
    /* an earlier version knew fewer actions */
    "alter table larder.migration_history drop constraint if exists migration_history_action_check;\n"
    "create table if not exists larder.migration_journal (\n"
    "  family      text collate \"C\" not null,\n"
    "  version     bigint           not null,\n"
    "  statement   bigint           not null,\n"
    "  down        boolean          not null,\n"
    "  checksum    text             not null,\n"
    "  sql         text             not null,\n"
    "  state       jsonb,\n"
    "  begun_at    timestamptz      not null default clock_timestamp(),\n"
    "  done_at     timestamptz,\n"
    "  constraint migration_journal_pkey primary key (family, version, statement)\n"
    ");\n";

/* All of them, in their present shape: then no right to make anything is needed. */
static const char tables_made[] =
    "select to_regclass('larder.schema_migrations') is not null"
    " and to_regclass('larder.migration_history') is not null"
    " and to_regclass('larder.migration_journal') is not null"
    " and not exists (select from pg_constraint where conname = 'migration_history_action_check'"
    " and conrelid = to_regclass('larder.migration_history'))";
static const char tables_there[] = "select to_regclass('larder.schema_migrations') is not null";
static const char journal_there[] = "select to_regclass('larder.migration_journal') is not null";
static const char citus_there[] = "select exists (select from pg_extension where extname = 'citus')";

static const char applied_sql[] =
    "select version, name, checksum, skipped, applied_at, duration_ms, applied_by"
    " from larder.schema_migrations where family = $1 order by version";

/* The statement under way, else the last one that is done. */
static const char unfinished_sql[] =
    "select version, down, case when done_at is null then statement else 0 end, left(sql, 100)"
    " from larder.migration_journal where family = $1 order by done_at is null desc, statement desc limit 1";

static const char insert_version[] =
    "insert into larder.schema_migrations (family, version, name, checksum, skipped, duration_ms)"
    " values ($1, $2, $3, $4, $5, $6)"
    " on conflict (family, version) do update set name = excluded.name, checksum = excluded.checksum,"
    " skipped = excluded.skipped";
static const char delete_version[] =
    "delete from larder.schema_migrations where family = $1 and version = $2";
static const char insert_history[] =
    "insert into larder.migration_history (family, version, name, action, checksum, duration_ms)"
    " values ($1, $2, $3, $4, $5, $6)";

static const char journal_begin[] =
    "insert into larder.migration_journal (family, version, statement, down, checksum, sql)"
    " values ($1, $2, $3, $4, $5, $6)"
    " on conflict (family, version, statement) do update set down = excluded.down, checksum = "
    "excluded.checksum,"
    " sql = excluded.sql, begun_at = excluded.begun_at, done_at = null";
static const char journal_done[] =
    "update larder.migration_journal set done_at = clock_timestamp()"
    " where family = $1 and version = $2 and statement = $3";
static const char journal_find[] =
    "select checksum from larder.migration_journal"
    " where family = $1 and version = $2 and down = $3 and statement = $4 and done_at is not null";
static const char journal_forget[] =
    "delete from larder.migration_journal where family = $1 and version = $2";

static ldr_value text_of(const char *s) { return ldr_text(s, strlen(s)); }

/* ---- reading ---- */

static ldr_code cell_text(ldr_history *h, ldr_rows *rows, size_t row, unsigned col, const char **out,
                          ldr_err *err) {
  ldr_value v;
  ldr_code code = ldr_rows_cell(rows, row, col, &v, err);
  if (code) return code;
  *out = ldr_arena_copy(&h->arena, v.type == LDR_T_TEXT ? v.u.p : "", v.type == LDR_T_TEXT ? v.n : 0);
  return *out ? LDR_OK : ldr_fail_nomem(err);
}

static ldr_code cell_int(ldr_rows *rows, size_t row, unsigned col, int64_t *out, ldr_err *err) {
  ldr_value v;
  ldr_code code = ldr_rows_cell(rows, row, col, &v, err);
  if (code == LDR_OK) *out = v.type == LDR_T_BOOL ? v.u.b : v.type == LDR_T_NULL ? 0 : v.u.i;
  return code;
}

static ldr_code read_applied(ldr_history *h, ldr_rows *rows, ldr_err *err) {
  ldr_code code = LDR_OK;
  h->list = ldr_arena_zalloc(&h->arena, sizeof *h->list * (rows->nrows + 1));
  if (h->list == NULL) return ldr_fail_nomem(err);
  for (size_t i = 0; i < rows->nrows && code == LDR_OK; i++) {
    ldr_applied *a = &h->list[i];
    int64_t skipped = 0;
    code = cell_int(rows, i, 0, &a->version, err);
    if (code == LDR_OK) code = cell_text(h, rows, i, 1, &a->name, err);
    if (code == LDR_OK) code = cell_text(h, rows, i, 2, &a->checksum, err);
    if (code == LDR_OK) code = cell_int(rows, i, 3, &skipped, err);
    if (code == LDR_OK) code = cell_int(rows, i, 4, &a->at, err);
    if (code == LDR_OK) code = cell_int(rows, i, 5, &a->duration_ms, err);
    if (code == LDR_OK) code = cell_text(h, rows, i, 6, &a->by, err);
    a->skipped = skipped != 0;
  }
  h->n = rows->nrows;
  return code;
}

static ldr_code read_unfinished(ldr_session *s, const char *family, ldr_history *h, ldr_err *err) {
  const ldr_value values[] = {text_of(family)};
  ldr_rows *rows = NULL;
  int64_t there = 0, down = 0;
  ldr_code code = ldr_session_number(s, journal_there, NULL, &there, err);
  if (code || !there) return code;
  code = ldr_session_ask(s, unfinished_sql, values, &rows, err);
  if (code == LDR_OK && rows->nrows) {
    code = cell_int(rows, 0, 0, &h->unfinished.version, err);
    if (code == LDR_OK) code = cell_int(rows, 0, 1, &down, err);
    if (code == LDR_OK) code = cell_int(rows, 0, 2, &h->unfinished.statement, err);
    if (code == LDR_OK) code = cell_text(h, rows, 0, 3, &h->unfinished.text, err);
    h->unfinished.down = down != 0;
  }
  ldr_rows_free(rows);
  return code;
}

ldr_code ldr_history_read(ldr_session *s, const char *family, ldr_history **out, ldr_err *err) {
  const ldr_value values[] = {text_of(family)};
  ldr_history *h = ldr_alloc(sizeof *h);
  ldr_rows *rows = NULL;
  int64_t there = 0, citus = 0;
  ldr_code code = h ? ldr_session_number(s, tables_there, NULL, &there, err) : ldr_fail_nomem(err);
  if (code == LDR_OK) code = ldr_session_number(s, citus_there, NULL, &citus, err);
  if (code == LDR_OK && there) {
    code = ldr_session_ask(s, applied_sql, values, &rows, err);
    if (code == LDR_OK) code = read_applied(h, rows, err);
    ldr_rows_free(rows);
    if (code == LDR_OK) code = read_unfinished(s, family, h, err);
  }
  if (code) {
    ldr_history_free(h);
    return code;
  }
  h->there = there != 0;
  h->citus = citus != 0;
  *out = h;
  return LDR_OK;
}

void ldr_history_free(ldr_history *h) {
  if (h == NULL) return;
  ldr_arena_free(&h->arena);
  ldr_free(h);
}

const ldr_applied *ldr_history_find(const ldr_history *h, int64_t version) {
  for (size_t i = 0; i < h->n; i++)
    if (h->list[i].version == version) return &h->list[i];
  return NULL;
}

/* ---- writing ---- */

ldr_code ldr_history_prepare(ldr_session *s, ldr_err *err) {
  int64_t made = 0;
  ldr_code code = ldr_session_number(s, tables_made, NULL, &made, err);
  return code || made ? code : ldr_session_script(s, tables_sql, err);
}

ldr_code ldr_history_record(ldr_session *s, const char *family, int64_t version, const char *name,
                            const char *checksum, const char *action, int64_t ms, ldr_err *err) {
  const ldr_value gone[] = {text_of(family), ldr_int(version)};
  const ldr_value row[] = {text_of(family),
                           ldr_int(version),
                           text_of(name),
                           text_of(checksum),
                           ldr_bool(strcmp(action, "skip") == 0),
                           ldr_int(ms)};
  const ldr_value ever[] = {text_of(family), ldr_int(version),  text_of(name),
                            text_of(action), text_of(checksum), ldr_int(ms)};
  bool down = strcmp(action, "down") == 0;
  ldr_code code = ldr_session_ask(s, down ? delete_version : insert_version, down ? gone : row, NULL, err);
  return code ? code : ldr_session_ask(s, insert_history, ever, NULL, err);
}

ldr_code ldr_journal_begin(ldr_session *s, const char *family, int64_t version, bool down, int64_t statement,
                           const char *checksum, const char *text, ldr_err *err) {
  const ldr_value values[] = {text_of(family), ldr_int(version),  ldr_int(statement),
                              ldr_bool(down),  text_of(checksum), text_of(text)};
  return ldr_session_ask(s, journal_begin, values, NULL, err);
}

ldr_code ldr_journal_done(ldr_session *s, const char *family, int64_t version, int64_t statement,
                          ldr_err *err) {
  const ldr_value values[] = {text_of(family), ldr_int(version), ldr_int(statement)};
  return ldr_session_ask(s, journal_done, values, NULL, err);
}

ldr_code ldr_journal_find(ldr_session *s, const char *family, int64_t version, bool down, int64_t statement,
                          char *out, ldr_err *err) {
  const ldr_value values[] = {text_of(family), ldr_int(version), ldr_bool(down), ldr_int(statement)};
  ldr_rows *rows = NULL;
  ldr_value v;
  ldr_code code = ldr_session_ask(s, journal_find, values, &rows, err);
  if (code) return code;
  code = rows->nrows ? ldr_rows_cell(rows, 0, 0, &v, err) : LDR_NOT_FOUND;
  if (code == LDR_OK) {
    size_t n = v.type == LDR_T_TEXT && v.n <= LDR_MIGRATION_CHECKSUM ? v.n : 0;
    memcpy(out, v.u.p, n);
    out[n] = '\0';
  }
  ldr_rows_free(rows);
  return code;
}

ldr_code ldr_journal_forget(ldr_session *s, const char *family, int64_t version, ldr_err *err) {
  const ldr_value values[] = {text_of(family), ldr_int(version)};
  return ldr_session_ask(s, journal_forget, values, NULL, err);
}

#include "migrate/plan.h"

#include <string.h>

static bool edited(const ldr_migration *m, const ldr_applied *a) {
  return *a->checksum && strcmp(m->checksum, a->checksum) != 0;
}

/* ---- what disagrees ---- */

static ldr_code check_applied(const ldr_migrations *files, const ldr_history *h, const char *family,
                              ldr_err *err) {
  for (size_t i = 0; i < h->n; i++) {
    const ldr_applied *a = &h->list[i];
    const ldr_migration *m = ldr_migrations_find(files, a->version);
    if (m == NULL) {
      ldr_fail(err, LDR_DRIFT, "%s: version %06lld (%s) is applied, but its file is gone", family,
               (long long)a->version, a->name);
      ldr_err_set(err->hint, sizeof err->hint,
                  "bring the file back; or, if it is gone for good, `larder migrate repair`");
      return ldr_err_reason(err, "missing");
    }
    if (edited(m, a) && *a->name && strcmp(m->name, a->name) != 0) {
      ldr_fail(err, LDR_DRIFT, "%s: version %06lld was applied as %s, and %s is another file", family,
               (long long)a->version, a->name, m->up.file);
      ldr_err_set(
          err->hint, sizeof err->hint,
          "bring the applied file back, and give this one a version of its own; or, if it was renamed "
          "and edited on purpose, `larder migrate repair`");
      ldr_err_reason(err, "edited");
      return ldr_err_at(err, m->up.file, 0, 0);
    }
    if (edited(m, a)) {
      ldr_fail(err, LDR_DRIFT, "%s: %s was edited after it was applied", family, m->up.file);
      ldr_err_set(
          err->hint, sizeof err->hint,
          "undo the edit and write a new migration; or, if only a comment changed, `larder migrate repair`");
      ldr_err_reason(err, "edited");
      return ldr_err_at(err, m->up.file, 0, 0);
    }
  }
  return LDR_OK;
}

static ldr_code check_order(const ldr_migrations *files, const ldr_history *h, const char *family,
                            ldr_err *err) {
  int64_t last = h->n ? h->list[h->n - 1].version : 0;
  for (size_t i = 0; i < files->n; i++) {
    const ldr_migration *m = &files->list[i];
    if (m->version >= last || ldr_history_find(h, m->version)) continue;
    ldr_fail(err, LDR_INVALID, "%s: %s comes before version %06lld, which is applied already", family,
             m->up.file, (long long)last);
    ldr_err_set(err->hint, sizeof err->hint,
                "give it a higher number; or apply it all the same with --out-of-order");
    ldr_err_reason(err, "out_of_order");
    return ldr_err_at(err, m->up.file, 0, 0);
  }
  return LDR_OK;
}

static ldr_code check_finished(const ldr_history *h, const char *family, ldr_err *err) {
  const ldr_unfinished *u = &h->unfinished;
  if (u->version == 0) return LDR_OK;
  if (u->statement)
    ldr_fail(err, LDR_DIRTY, "%s: version %06lld was begun and stopped in statement %lld: %s", family,
             (long long)u->version, (long long)u->statement, u->text);
  else
    ldr_fail(err, LDR_DIRTY, "%s: version %06lld was begun and stopped behind the statement: %s", family,
             (long long)u->version, u->text);
  ldr_err_set(err->hint, sizeof err->hint,
              "`larder migrate resume` goes on with it; `larder migrate force` says what is true");
  return ldr_err_reason(err, "unfinished");
}

/* ---- steps ---- */

static ldr_code push(ldr_buf *steps, ldr_step step, ldr_err *err) {
  ldr_buf_add(steps, &step, sizeof step);
  return steps->broken ? ldr_fail_nomem(err) : LDR_OK;
}

static ldr_code push_up(const ldr_history *h, const ldr_plan_request *r, const ldr_migration *m,
                        ldr_buf *steps, ldr_err *err) {
  bool skip = m->only_plain && h->citus && !r->plain;
  return push(steps, (ldr_step){.kind = skip ? LDR_STEP_SKIP : LDR_STEP_UP, .m = m}, err);
}

static ldr_code plan_up(const ldr_migrations *files, const ldr_history *h, const ldr_plan_request *r,
                        ldr_buf *steps, ldr_err *err) {
  unsigned taken = 0;
  for (size_t i = 0; i < files->n; i++) {
    const ldr_migration *m = &files->list[i];
    ldr_code code;
    if (ldr_history_find(h, m->version) || (r->has_to && m->version > r->to)) continue;
    if (r->count && taken == r->count) break;
    code = push_up(h, r, m, steps, err);
    if (code) return code;
    taken++;
  }
  return LDR_OK;
}

static ldr_code push_down(const ldr_migrations *files, const ldr_applied *a, const char *family,
                          ldr_buf *steps, ldr_err *err) {
  const ldr_migration *m = ldr_migrations_find(files, a->version);
  if (m->down.file == NULL && !a->skipped && !m->lua) {
    ldr_fail(err, LDR_INVALID, "%s: version %06lld cannot be undone: %s has no way down", family,
             (long long)a->version, m->up.file);
    ldr_err_set(err->hint, sizeof err->hint,
                "write its .down.sql file (or its section `-- migrate:down`); nothing was undone");
    ldr_err_reason(err, "no_down");
    return ldr_err_at(err, m->up.file, 0, 0);
  }
  return push(steps, (ldr_step){.kind = LDR_STEP_DOWN, .m = m, .bare = a->skipped}, err);
}

/* The newest first: `count` of them, or all above `to`. */
static ldr_code plan_down(const ldr_migrations *files, const ldr_history *h, const char *family, bool has_to,
                          int64_t to, size_t count, ldr_buf *steps, ldr_err *err) {
  for (size_t i = h->n; i-- > 0;) {
    ldr_code code;
    if (has_to ? h->list[i].version <= to : h->n - i > count) break;
    code = push_down(files, &h->list[i], family, steps, err);
    if (code) return code;
  }
  return LDR_OK;
}

static ldr_code plan_redo(const ldr_migrations *files, const ldr_history *h, const char *family,
                          const ldr_plan_request *r, ldr_buf *steps, ldr_err *err) {
  size_t count = r->count ? r->count : 1, first = h->n > count ? h->n - count : 0;
  ldr_code code = plan_down(files, h, family, false, 0, count, steps, err);
  for (size_t i = first; i < h->n && code == LDR_OK; i++)
    code = push_up(h, r, ldr_migrations_find(files, h->list[i].version), steps, err);
  return code;
}

static ldr_code plan_goto(const ldr_migrations *files, const ldr_history *h, const char *family,
                          const ldr_plan_request *r, ldr_buf *steps, ldr_err *err) {
  ldr_code code;
  if (r->to && ldr_migrations_find(files, r->to) == NULL) {
    ldr_fail(err, LDR_INVALID, "%s: there is no version %06lld", family, (long long)r->to);
    ldr_err_set(err->hint, sizeof err->hint, "`larder migrate status` lists the versions that there are");
    return ldr_err_reason(err, "unknown_version");
  }
  code = plan_down(files, h, family, true, r->to, 0, steps, err);
  return code ? code : plan_up(files, h, r, steps, err);
}

ldr_code ldr_plan(const ldr_migrations *files, const ldr_history *h, const char *family,
                  const ldr_plan_request *r, ldr_buf *steps, ldr_err *err) {
  ldr_code code = r->resume ? LDR_OK : check_finished(h, family, err);
  if (code == LDR_OK) code = check_applied(files, h, family, err);
  if (code == LDR_OK && !r->out_of_order && r->direction != LDR_MIGRATE_DOWN)
    code = check_order(files, h, family, err);
  if (code) return code;
  switch (r->direction) {
    case LDR_MIGRATE_UP: return plan_up(files, h, r, steps, err);
    case LDR_MIGRATE_DOWN:
      return plan_down(files, h, family, r->has_to, r->to, r->count ? r->count : 1, steps, err);
    case LDR_MIGRATE_GOTO: return plan_goto(files, h, family, r, steps, err);
    case LDR_MIGRATE_REDO: return plan_redo(files, h, family, r, steps, err);
  }
  return ldr_fail(err, LDR_INTERNAL, "no such direction");
}

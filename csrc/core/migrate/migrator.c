#define _GNU_SOURCE
#include "migrate/migrator.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "async/fork.h"
#include "async/thread.h"
#include "base/clock.h"

struct ldr_migrator {
  ldr_migrations *files;
  ldr_source *source;
  char *family;
  unsigned retries;
  unsigned forks; /* of the process that made it */
  ldr_buf steps;  /* of ldr_step: the plan */

  pthread_mutex_t lock; /* guards what follows */
  pthread_cond_t wake;  /* the thread: there is a job, or the end has come */
  pthread_cond_t over;  /* who waits: the job is done */
  bool busy;            /* a job runs, or is about to: the rest of the struct is the thread's */
  bool ending;          /* no more jobs; the thread frees the migrator */
  bool started;         /* there is a thread */

  ldr_job job;
  ldr_code code;
  ldr_err err;
  int64_t ms;
  atomic_bool stop; /* from any thread */
  ldr_session session;
  ldr_history *history;
};

/* ---- jobs, on the thread ---- */

static ldr_code read_history(ldr_migrator *m) {
  ldr_history *h = NULL;
  ldr_code code = ldr_history_read(&m->session, m->family, &h, &m->err);
  if (code) return code;
  ldr_history_free(m->history);
  m->history = h;
  return LDR_OK;
}

static ldr_code connected(ldr_migrator *m) {
  return m->session.tx ? LDR_OK : ldr_session_open(&m->session, m->source, &m->err);
}

static ldr_code take_lock(ldr_migrator *m) {
  ldr_code code = connected(m);
  if (code == LDR_OK && !m->job.dry) code = ldr_session_writable(&m->session, &m->err);
  if (code == LDR_OK) code = ldr_session_lock(&m->session, &m->err);
  if (code == LDR_OK && !m->job.dry) code = ldr_history_prepare(&m->session, &m->err);
  return code ? code : read_history(m);
}

static ldr_code run_step(ldr_migrator *m) {
  const ldr_step *steps = (const ldr_step *)(void *)m->steps.p;
  const ldr_run_options o = {m->family, m->retries, m->job.skip_statement};
  if (!m->session.locked || m->job.index >= m->steps.n / sizeof *steps)
    return ldr_fail(&m->err, LDR_INTERNAL, "a step without a plan or without the lock");
  return ldr_run_step(&m->session, m->source, &steps[m->job.index], &o, &m->ms, &m->err);
}

static ldr_code record_one(ldr_migrator *m, ldr_session *s) {
  const ldr_migration *f = ldr_migrations_find(m->files, m->job.version);
  const ldr_applied *a = m->history ? ldr_history_find(m->history, m->job.version) : NULL;
  const char *name = f ? f->name : a ? a->name : "", *sum = f ? f->checksum : a ? a->checksum : "";
  ldr_code code = ldr_journal_forget(s, m->family, m->job.version, &m->err);
  if (code == LDR_OK && !m->job.applied) /* the row goes; the history keeps why */
    code = ldr_history_record(s, m->family, m->job.version, name, sum, "down", 0, &m->err);
  if (code == LDR_OK && m->job.applied)
    code = ldr_history_record(s, m->family, m->job.version, name, sum, m->job.action, 0, &m->err);
  return code;
}

static ldr_code record(ldr_migrator *m) {
  ldr_err ignored;
  ldr_code code = ldr_session_check(&m->session, &m->err);
  if (code == LDR_OK) code = ldr_session_script(&m->session, "begin", &m->err);
  if (code) return code;
  code = record_one(m, &m->session);
  if (code == LDR_OK) code = ldr_session_script(&m->session, "commit", &m->err);
  if (code && ldr_session_script(&m->session, "rollback", &ignored) != LDR_OK) m->session.locked = false;
  return code ? code : read_history(m);
}

static ldr_code run_job(ldr_migrator *m) {
  ldr_code code = LDR_INTERNAL;
  m->ms = 0;
  switch (m->job.kind) {
    case LDR_JOB_HISTORY: code = connected(m); return code ? code : read_history(m);
    case LDR_JOB_LOCK: return take_lock(m);
    case LDR_JOB_STEP: return run_step(m);
    case LDR_JOB_RECORD: return record(m);
  }
  return code;
}

/* ---- the thread ---- */

static void destroy(ldr_migrator *m, bool same_process) {
  if (same_process) ldr_session_close(&m->session);
  ldr_history_free(m->history);
  if (m->source) m->source->free(m->source);
  ldr_migrations_free(m->files);
  ldr_buf_free(&m->steps);
  ldr_free(m->family);
  pthread_cond_destroy(&m->wake);
  pthread_cond_destroy(&m->over);
  pthread_mutex_destroy(&m->lock);
  ldr_free(m);
}

static void *work(void *ud) {
  ldr_migrator *m = ud;
  pthread_mutex_lock(&m->lock);
  while (!m->ending) {
    if (!m->busy) {
      pthread_cond_wait(&m->wake, &m->lock);
      continue;
    }
    pthread_mutex_unlock(&m->lock);
    m->code = run_job(m);
    pthread_mutex_lock(&m->lock);
    m->busy = false;
    pthread_cond_broadcast(&m->over);
  }
  pthread_mutex_unlock(&m->lock);
  destroy(m, true);
  return NULL;
}

/* ---- the caller's side ---- */

static ldr_code configure(ldr_migrator *m, const ldr_engine *e, const ldr_migrator_config *c, ldr_err *err) {
  if (e->ops->clone == NULL || e->ops->sql == NULL || e->ops->session == NULL)
    return ldr_engine_lacks(e, "migrations", err);
  m->family = ldr_strndup(c->family, strlen(c->family));
  if (m->family == NULL) return ldr_fail_nomem(err);
  m->retries = c->retries;
  m->session.patience = c->patience;
  m->session.statement_timeout = c->statement_timeout;
  m->session.table_timeout = c->table_timeout;
  m->session.stop = &m->stop;
  return e->ops->clone(e, c->connect_timeout, &m->source, err);
}

ldr_code ldr_migrator_new(const ldr_engine *e, ldr_migrations *files, const ldr_migrator_config *c,
                          ldr_migrator **out, ldr_err *err) {
  ldr_migrator *m = ldr_alloc(sizeof *m);
  pthread_condattr_t monotonic;
  ldr_code code;
  if (m == NULL) {
    ldr_migrations_free(files);
    return ldr_fail_nomem(err);
  }
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&m->lock, NULL);
  pthread_cond_init(&m->wake, &monotonic);
  pthread_cond_init(&m->over, &monotonic);
  pthread_condattr_destroy(&monotonic);
  m->files = files;
  m->forks = ldr_forks();
  code = configure(m, e, c, err);
  if (code) {
    destroy(m, true);
    return code;
  }
  *out = m;
  return LDR_OK;
}

static bool forked(const ldr_migrator *m) { return m->forks != ldr_forks(); }

ldr_code ldr_migrator_start(ldr_migrator *m, const ldr_job *job, ldr_err *err) {
  pthread_t thread;
  if (forked(m)) return ldr_fail(err, LDR_CLOSED, "migrations do not go on in a forked process");
  pthread_mutex_lock(&m->lock);
  if (m->busy) {
    pthread_mutex_unlock(&m->lock);
    return ldr_fail(err, LDR_INVALID, "another step of this migration is still running");
  }
  if (!m->started && ldr_thread_start(work, m, &thread)) {
    m->started = true;
    pthread_detach(thread);
  }
  if (m->started) {
    m->job = *job;
    m->busy = true;
    pthread_cond_signal(&m->wake);
  }
  pthread_mutex_unlock(&m->lock);
  return m->started ? LDR_OK : ldr_fail(err, LDR_CAPACITY, "no thread can be started for migrations");
}

bool ldr_migrator_done(ldr_migrator *m) {
  bool done;
  if (forked(m)) return true;
  pthread_mutex_lock(&m->lock);
  done = !m->busy;
  pthread_mutex_unlock(&m->lock);
  return done;
}

bool ldr_migrator_wait(ldr_migrator *m, int64_t deadline) {
  struct timespec until = {.tv_sec = (time_t)(deadline / 1000000),
                           .tv_nsec = (long)(deadline % 1000000) * 1000};
  bool done;
  if (forked(m)) return true;
  pthread_mutex_lock(&m->lock);
  while (m->busy) {
    if (deadline == LDR_NEVER)
      pthread_cond_wait(&m->over, &m->lock);
    else if (pthread_cond_timedwait(&m->over, &m->lock, &until) != 0)
      break;
  }
  done = !m->busy;
  pthread_mutex_unlock(&m->lock);
  return done;
}

ldr_code ldr_migrator_result(ldr_migrator *m, int64_t *ms, ldr_err *err) {
  if (forked(m)) return ldr_fail(err, LDR_CLOSED, "migrations do not go on in a forked process");
  *ms = m->ms;
  if (m->code) *err = m->err;
  return m->code;
}

const ldr_history *ldr_migrator_history(const ldr_migrator *m) { return m->history; }

ldr_code ldr_migrator_plan(ldr_migrator *m, const ldr_plan_request *r, const ldr_step **steps, size_t *n,
                           ldr_err *err) {
  ldr_code code;
  if (m->history == NULL) return ldr_fail(err, LDR_INTERNAL, "a plan needs the history");
  ldr_buf_reset(&m->steps);
  code = ldr_plan(m->files, m->history, m->family, r, &m->steps, err);
  *steps = (const ldr_step *)(void *)m->steps.p;
  *n = code ? 0 : m->steps.n / sizeof **steps;
  return code;
}

void ldr_migrator_free(ldr_migrator *m) {
  if (m == NULL) return;
  if (forked(m) || !m->started) {
    destroy(m, !forked(m));
    return;
  }
  atomic_store(&m->stop, true);
  pthread_mutex_lock(&m->lock);
  m->ending = true;
  pthread_cond_signal(&m->wake);
  pthread_mutex_unlock(&m->lock);
}

/* Migrations beside the caller: a thread of its own with a connection of its own works at one job at a time,
 * so that an event loop goes on meanwhile. The caller starts a job, asks whether it is done, and takes what
 * it brought.
 *
 *   caller ── start(job) ──► thread: session, run, history ── done ──► caller takes the result
 *
 * All functions here are for the caller's thread. While a job runs, the thread owns the session, the history
 * and the plan; between jobs the caller does. */
#ifndef LDR_MIGRATE_MIGRATOR_H
#define LDR_MIGRATE_MIGRATOR_H

#include "migrate/run.h"

typedef struct ldr_migrator ldr_migrator;

typedef struct ldr_migrator_config {
  const char *family;                                                 /* copied */
  double connect_timeout, patience, statement_timeout, table_timeout; /* seconds; see session.h */
  unsigned retries;
} ldr_migrator_config;

typedef enum ldr_job_kind {
  LDR_JOB_HISTORY, /* connect if needed, read what is applied */
  LDR_JOB_LOCK,    /* the same, with the migration lock; makes the tables unless `dry` */
  LDR_JOB_STEP,    /* run plan[index] */
  LDR_JOB_RECORD   /* say that a version is (or is not) applied, without running it */
} ldr_job_kind;

typedef struct ldr_job {
  ldr_job_kind kind;
  bool dry;            /* LOCK */
  size_t index;        /* STEP */
  bool skip_statement; /* STEP: see ldr_run_options */
  const char *action;  /* RECORD: force, baseline, repair, up, down: a static text */
  int64_t version;     /* RECORD */
  bool applied;        /* RECORD: else its row and its journal go */
} ldr_job;

/* Takes over files, also on failure. LDR_UNSUPPORTED on an engine that has no SQL. */
ldr_code ldr_migrator_new(const ldr_engine *e, ldr_migrations *files, const ldr_migrator_config *c,
                          ldr_migrator **out, ldr_err *err) LDR_MUSTCHECK;
/* LDR_INVALID while another job runs. */
ldr_code ldr_migrator_start(ldr_migrator *m, const ldr_job *job, ldr_err *err) LDR_MUSTCHECK;
bool ldr_migrator_done(ldr_migrator *m); /* nothing runs */
/* Blocks until then, or the deadline (monotonic microseconds). */
bool ldr_migrator_wait(ldr_migrator *m, int64_t deadline);
/* How the last job ended; *ms: how long a step took. */
ldr_code ldr_migrator_result(ldr_migrator *m, int64_t *ms, ldr_err *err) LDR_MUSTCHECK;
/* Between jobs: what was read last (NULL: nothing yet), borrowed until the next job. */
const ldr_history *ldr_migrator_history(const ldr_migrator *m);
/* Between jobs: makes the plan that LDR_JOB_STEP runs. */
ldr_code ldr_migrator_plan(ldr_migrator *m, const ldr_plan_request *r, const ldr_step **steps, size_t *n,
                           ldr_err *err) LDR_MUSTCHECK;
/* Never waits: a job that runs is told to stop, and the thread ends by itself when its statement has. In a
 * forked child nothing is said to the server. NULL is fine. */
void ldr_migrator_free(ldr_migrator *m);

#endif

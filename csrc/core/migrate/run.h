/* One step of a plan on the database. Blocking; on the session's thread. */
#ifndef LDR_MIGRATE_RUN_H
#define LDR_MIGRATE_RUN_H

#include "migrate/plan.h"

typedef struct ldr_run_options {
  const char *family;
  unsigned retries;    /* of a file that waited too long for a lock (table_timeout) */
  bool skip_statement; /* resume: the statement under way was done, whatever the journal says */
} ldr_run_options;

/* Runs the step and records it, in one transaction; a file marked no-transaction statement by statement with
 * a journal, where it goes on behind what is done already. *ms: how long it took. Errors carry file and line;
 * when the answer to COMMIT is lost, the version's row tells what became of it, on a new connection. */
ldr_code ldr_run_step(ldr_session *s, ldr_source *source, const ldr_step *step, const ldr_run_options *o,
                      int64_t *ms, ldr_err *err) LDR_MUSTCHECK;

#endif

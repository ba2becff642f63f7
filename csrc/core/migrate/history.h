/* What was applied: larder.schema_migrations (now), larder.migration_history (ever), larder.migration_journal
 * (files without a transaction, and migrations of data, that were begun and not finished). */
#ifndef LDR_MIGRATE_HISTORY_H
#define LDR_MIGRATE_HISTORY_H

#include "migrate/files.h"
#include "migrate/session.h"

typedef struct ldr_applied {
  int64_t version;
  const char *name, *checksum, *by;
  bool skipped;
  int64_t at; /* microseconds since 1970 */
  int64_t duration_ms;
} ldr_applied;

typedef struct ldr_unfinished { /* a file that was begun and did not come to its end */
  int64_t version;
  bool down;
  int64_t statement; /* the one that was under way, from 1; 0: none, those before are done */
  const char *text;  /* its beginning */
} ldr_unfinished;

typedef struct ldr_history {
  bool there; /* the tables are */
  bool citus;
  ldr_applied *list; /* by version */
  size_t n;
  ldr_unfinished unfinished; /* version 0: none */
  ldr_arena arena;
} ldr_history;

/* Needs no right but to read. */
ldr_code ldr_history_read(ldr_session *s, const char *family, ldr_history **out, ldr_err *err) LDR_MUSTCHECK;
void ldr_history_free(ldr_history *h); /* NULL is fine */
const ldr_applied *ldr_history_find(const ldr_history *h, int64_t version);

/* Makes the tables where they are missing. */
ldr_code ldr_history_prepare(ldr_session *s, ldr_err *err) LDR_MUSTCHECK;

/* Inside the transaction of the file. action: up, down, skip, force, baseline, repair. */
ldr_code ldr_history_record(ldr_session *s, const char *family, int64_t version, const char *name,
                            const char *checksum, const char *action, int64_t ms, ldr_err *err) LDR_MUSTCHECK;

/* The journal of one file: each statement is noted before it runs and after it has. */
ldr_code ldr_journal_begin(ldr_session *s, const char *family, int64_t version, bool down, int64_t statement,
                           const char *checksum, const char *text, ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_journal_done(ldr_session *s, const char *family, int64_t version, int64_t statement,
                          ldr_err *err) LDR_MUSTCHECK;
/* The checksum of a statement that is done; LDR_NOT_FOUND: it is not. out: LDR_MIGRATION_CHECKSUM + 1 bytes.
 */
ldr_code ldr_journal_find(ldr_session *s, const char *family, int64_t version, bool down, int64_t statement,
                          char *out, ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_journal_forget(ldr_session *s, const char *family, int64_t version, ldr_err *err) LDR_MUSTCHECK;

#endif

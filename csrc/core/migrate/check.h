/* What the statements of a migration may do, told from the text. Pure. */
#ifndef LDR_MIGRATE_CHECK_H
#define LDR_MIGRATE_CHECK_H

#include <stddef.h>

#include "base/err.h"

typedef struct ldr_migration_text {
  const char *file; /* its name, without the directory; NULL: there is none */
  const char *sql;  /* zero-terminated; as the file has it, line ends included */
  size_t n;
  unsigned line; /* of its first line in the file */
  bool no_transaction;
} ldr_migration_text;

/* LDR_SYNTAX or LDR_INVALID with file, line and place. Reasons:
 *   psql             a command of psql, or COPY … FROM STDIN with data: the server does not know them
 *   own_transaction  begin, commit, rollback: the file's transaction is the runner's, with the version in it
 *   needs_mark       vacuum, create index concurrently …: only outside of a transaction
 *   text             a string, name or comment that is not closed */
ldr_code ldr_migration_check(const ldr_migration_text *t, ldr_err *err) LDR_MUSTCHECK;

#endif

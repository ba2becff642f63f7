/* A directory of migrations, read and checked before any of it runs.
 *
 * - NNNNNN_name.up.sql with NNNNNN_name.down.sql: any number of digits, also 14, a time (golang-migrate's
 * layout)
 * - NNNNNN_name.sql with `-- migrate:up` and `-- migrate:down` in it (dbmate's layout)
 * - NNNNNN_name.lua: a migration of data, which Lua runs
 *
 * Marks stand in the first lines of a file: `-- larder: no-transaction` runs its statements one by one,
 * `-- larder: only plain` leaves the file out where tables are distributed. dbmate's `transaction:false`
 * behind
 * `-- migrate:up` is the first of them. */
#ifndef LDR_MIGRATE_FILES_H
#define LDR_MIGRATE_FILES_H

#include "base/buf.h"
#include "migrate/check.h"

enum { LDR_MIGRATION_CHECKSUM = 64 }; /* hexadecimal digits: BLAKE2b-256 */

typedef struct ldr_migration {
  int64_t version;
  const char *name;
  ldr_migration_text up, down;               /* of a Lua migration: its text, which is not SQL */
  char checksum[LDR_MIGRATION_CHECKSUM + 1]; /* of the up text; a CR before a LF does not count */
  bool lua, only_plain;
} ldr_migration;

typedef struct ldr_migrations {
  ldr_migration *list; /* by version */
  size_t n;
  ldr_arena arena; /* owns all of it */
} ldr_migrations;

/* Reads and checks the directory: names, versions, texts, and what each statement may not do in a migration
 * (check.h). LDR_INVALID or LDR_SYNTAX with reason, file and place; reasons: no_directory, unreadable, name,
 * duplicate, orphan, empty, bom, encoding, mark, section, and those of check.h. */
ldr_code ldr_migrations_read(const char *dir, ldr_migrations **out, ldr_err *err) LDR_MUSTCHECK;
void ldr_migrations_free(ldr_migrations *m);                                        /* NULL is fine */
const ldr_migration *ldr_migrations_find(const ldr_migrations *m, int64_t version); /* NULL: there is none */

/* Hexadecimal digits of a text's BLAKE2b-256. */
ldr_code ldr_migration_digest(const char *p, size_t n, char out[LDR_MIGRATION_CHECKSUM + 1],
                              ldr_err *err) LDR_MUSTCHECK;

#endif

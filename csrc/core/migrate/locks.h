/* Which lock a statement takes, what that means for a large table, and whether rows go for good, told from
 * its words. Pure. */
#ifndef LDR_MIGRATE_LOCKS_H
#define LDR_MIGRATE_LOCKS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { LDR_LOCK_TABLE_MAX = 127 };

typedef struct ldr_table_lock {
  const char *mode;    /* "ACCESS EXCLUSIVE"; NULL: none on a table that was there before */
  const char *warning; /* what it costs on a large table, and what to do instead; NULL: nothing */
  char table[LDR_LOCK_TABLE_MAX + 1]; /* its name as it stands there; "": not told from the words */
  bool loses; /* what is in a table or column goes for good; what a body of code does is not seen */
} ldr_table_lock;

/* Of one statement. LDR_CAPACITY: out of memory. */
ldr_code ldr_lock_of(const char *sql, size_t n, ldr_table_lock *out, ldr_err *err) LDR_MUSTCHECK;

#endif

/* How to reach the server: settings as libpq knows them, kept for every connection that a pool opens. */
#ifndef LDR_POSTGRES_PROTOCOL_CONNINFO_H
#define LDR_POSTGRES_PROTOCOL_CONNINFO_H

#include "base/err.h"

typedef struct ldr_conninfo {
  size_t n;
  char **keywords, **values; /* n of each, then NULL, as PQconnectStartParams takes them */
} ldr_conninfo;

/* Copies the settings (arrays that end with NULL) and adds what larder wants unless given: application name,
 * keepalives, a limit for unacknowledged data. The client encoding is always UTF-8. */
ldr_code ldr_conninfo_new(const char *const *keywords, const char *const *values, ldr_conninfo **out,
                          ldr_err *err) LDR_MUSTCHECK;
/* Both lists in one block, the keywords first, with those of `more` (LDR_CONNINFO_MORE pairs, of which the
 * last may be null) at their ends, where they count. Borrows the texts; NULL: out of memory. */
enum { LDR_CONNINFO_MORE = 3 };
const char **ldr_conninfo_merge(const ldr_conninfo *i, const char *const more[][2]);
void ldr_conninfo_free(ldr_conninfo *i); /* wipes; NULL is fine */

#endif

/* Functions of PostgreSQL that are known to change nothing in a session. */
#ifndef LDR_SQLTEXT_HARMLESS_H
#define LDR_SQLTEXT_HARMLESS_H

#include <stdbool.h>
#include <stddef.h>

/* Is it one of them, or a keyword that a parenthesis may follow? The name is in lower case, without its
 * schema. */
bool ldr_sqltext_harmless(const char *name, size_t n);

#endif

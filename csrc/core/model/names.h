/* Names: those of families, stores and fields, which Lua programs write, and those of what PostgreSQL has,
 * which may be called anything. */
#ifndef LDR_MODEL_NAMES_H
#define LDR_MODEL_NAMES_H

#include <stdbool.h>

#include "base/mem.h"

enum {
  LDR_NAME_MAX = 63,                     /* bytes: PostgreSQL cuts longer ones */
  LDR_QUOTED_MAX = 2 * LDR_NAME_MAX + 2, /* bytes of a quoted name */
  LDR_PATH_MAX = 2 * LDR_QUOTED_MAX + 2  /* "schema"."name" and the zero */
};

#define LDR_NAME_RULE     "names are letters, digits and underscores, at most 63 bytes, and begin with no digit"
#define LDR_SQL_NAME_RULE "a name in PostgreSQL is valid UTF-8 of 1 to 63 bytes"
#define LDR_PATH_RULE                                                           \
  "\"schema.name\" or \"name\"; what has other signs than letters, digits and " \
  "underscores stands in quotes, as in SQL: \"public.\\\"Order Details\\\"\""

/* Letters, digits and underscores, not beginning with a digit, 1 to 63 bytes. */
bool ldr_name_ok(const char *name, size_t n);
/* Valid UTF-8 of 1 to 63 bytes: what PostgreSQL takes between quotes, and keeps whole. name has no zero. */
bool ldr_sql_name_ok(const char *name, size_t n);
/* The one place where a name becomes SQL: "name", with each quote in it doubled. out: room for 2 n + 2 bytes;
 * no zero is written. Returns the bytes written. */
size_t ldr_sql_quote(char *out, const char *name, size_t n);

/* t."column": as a statement's own table has it; bytes: without its zero. NULL: out of memory. */
const char *ldr_sql_own_column(const char *column, ldr_arena *a, uint32_t *bytes);

/* The name of a table or type, maybe with its schema. */
typedef struct ldr_path {
  char schema[LDR_NAME_MAX + 1]; /* "": none is said */
  char name[LDR_NAME_MAX + 1];
} ldr_path;

/* From a text as LDR_PATH_RULE says; false: it is none. NULL is none. */
bool ldr_path_read(const char *text, ldr_path *out);
/* Back to a text, which ends in a zero: quoted whole, as statements have it, or only what needs it, as
 * declarations do. Both can be read again. */
void ldr_path_quote(const ldr_path *p, char out[LDR_PATH_MAX]);
void ldr_path_write(const ldr_path *p, char out[LDR_PATH_MAX]);

/* A name as PostgreSQL writes it in its messages, quoted or not, is at *p: into out, and *p behind it. false:
 * there is none that fits. */
bool ldr_sql_name_take(const char **p, char out[LDR_NAME_MAX + 1]);

#endif

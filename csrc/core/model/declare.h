/* What the files that build a schema share: entity.c (stores), field.c (fields), constraint.c (keys, uniques,
 * indexes, references). Nobody else includes it. */
#ifndef LDR_MODEL_DECLARE_H
#define LDR_MODEL_DECLARE_H

#include "model/entity.h"
#include "model/names.h"

/* "shop.users: field "email": …": where the declaration is wrong, then what is wrong there. LDR_INVALID. */
ldr_code ldr_decl_fault(ldr_err *err, const ldr_entity *e, const char *kind, const char *name,
                        const char *fmt, ...) LDR_PRINTF(5, 6);
bool ldr_decl_name_ok(const char *name);     /* of what Lua programs name; NULL is no name */
bool ldr_decl_sql_name_ok(const char *name); /* of what PostgreSQL has */

/* A copy in the schema's arena; NULL: out of memory. */
char *ldr_decl_copy(ldr_schema *s, const char *text);
/* Room for item n of a list: lists double when n is a power of two, so none stores a capacity. NULL: out of
 * memory. */
void *ldr_decl_grow(ldr_schema *s, void *list, size_t n, size_t size);

/* A text as LDR_PATH_RULE says → "schema"."name", name. */
ldr_code ldr_decl_quote(ldr_schema *s, const ldr_entity *e, const char *kind, const char *text,
                        const char **out, const char **last, ldr_err *err) LDR_MUSTCHECK;

#endif

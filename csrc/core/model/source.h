/* Rows of other stores that an operation's expressions name. */
#ifndef LDR_MODEL_SOURCE_H
#define LDR_MODEL_SOURCE_H

#include "base/mem.h"
#include "model/entity.h"

struct ldr_pred;

/* Another store's row that a row leads to: one at most, so that it never multiplies rows. Its fields are null
 * where there is none. */
typedef struct ldr_row_source {
  const char *path;                  /* "post.author", from the row on that the whole is about */
  const ldr_entity *e;               /* the other store */
  const struct ldr_row_source *from; /* "post": the row that leads here; NULL: the row itself */
  const struct ldr_pred *row;        /* an LDR_P_EXISTS of e for a row of `from` */
} ldr_row_source;

/* Ordered by their paths: what others come from stands before them. All zero: empty. */
typedef struct ldr_row_sources {
  unsigned n, cap;
  const ldr_row_source **list;
} ldr_row_sources;

/* Whose fields are those of a source of e's row. */
static inline const ldr_entity *ldr_row_source_entity(const ldr_entity *e, const ldr_row_source *s) {
  return s ? s->e : e;
}

/* The source with that path; NULL: there is none. */
const ldr_row_source *ldr_row_sources_find(const ldr_row_sources *l, const char *path);
/* Adds one that is not there, in its place; false: out of memory. The list lies in a. */
bool ldr_row_sources_add(ldr_row_sources *l, const ldr_row_source *s, ldr_arena *a);

/* Do values of these fields leave one row at most: is the key, or a unique without a condition, among them?
 */
bool ldr_fields_tell_rows(const ldr_entity *e, const uint16_t *fields, unsigned n);

#endif

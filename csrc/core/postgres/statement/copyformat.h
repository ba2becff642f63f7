/* Binary COPY framing over bytes (PostgreSQL, COPY "Binary Format"); no I/O. */
#ifndef LDR_POSTGRES_STATEMENT_COPYFORMAT_H
#define LDR_POSTGRES_STATEMENT_COPYFORMAT_H

#include "model/row.h"
#include "postgres/statement/live.h"

void ldr_copybin_header(ldr_buf *out);
/* All fields, in their order. live: the table's types, by which arrays of enums and citext name their
 * elements; NULL for a table that has none. */
void ldr_copybin_row(const ldr_entity *e, const ldr_live_columns *live, const ldr_row *r, ldr_buf *out);
void ldr_copybin_trailer(ldr_buf *out);

/* Reading: one CopyData message of COPY TO holds the header, one tuple, or the trailer. */
typedef enum ldr_copybin_what {
  LDR_COPY_BAD,
  LDR_COPY_HEADER,
  LDR_COPY_ROW,
  LDR_COPY_LABEL, /* a row with a label that is none of the declared ones */
  LDR_COPY_END
} ldr_copybin_what;
/* Skips the header if it stands in front. For LDR_COPY_ROW, values gets e->nfields views into p (numeric
 * texts into scratch). */
ldr_copybin_what ldr_copybin_read(const ldr_entity *e, const char *p, size_t n, ldr_buf *scratch,
                                  ldr_value *values);

#endif

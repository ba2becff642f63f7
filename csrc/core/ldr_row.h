/* A packed row: one immutable, counted block that owns its bytes. The currency between Lua tables, the memory
 * engine, COPY and result sets. Not thread-safe: a row belongs to one thread at a time.
 *
 *   refs | size | null bitmap | end offsets, one u32 a field | bytes of field 0 | bytes of field 1 | …
 *
 * bool 1 byte, int / float / time 8, uuid 16, texts, numeric, json, arrays as they are. A null takes no
 * bytes. */
#ifndef LDR_ROW_H
#define LDR_ROW_H

#include "ldr_entity.h"

typedef struct ldr_row ldr_row;

/* values: one for each field of e. */
ldr_code ldr_row_pack(const ldr_entity *e, const ldr_value *values, ldr_row **out,
                      ldr_err *err) LDR_MUSTCHECK;
void ldr_row_get(const ldr_entity *e, const ldr_row *r, unsigned field, ldr_value *out); /* a view into r */
ldr_row *ldr_row_retain(ldr_row *r);
void ldr_row_release(ldr_row *r);      /* NULL is fine */
size_t ldr_row_size(const ldr_row *r); /* bytes of the block */

/* Rows of one entity on their way from one place to another. */
typedef struct ldr_batch {
  ldr_schema *schema; /* retained */
  const ldr_entity *e;
  ldr_row **rows; /* retained */
  size_t n, cap;
} ldr_batch;

ldr_code ldr_batch_new(const ldr_entity *e, ldr_batch **out, ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_batch_add(ldr_batch *b, ldr_row *r,
                       ldr_err *err) LDR_MUSTCHECK; /* takes over the caller's count of r, also on failure */
ldr_code ldr_batch_slice(const ldr_batch *b, size_t from, size_t n, ldr_batch **out,
                         ldr_err *err) LDR_MUSTCHECK;
void ldr_batch_free(ldr_batch *b); /* NULL is fine */

/* An order-free checksum of rows: equal multisets of rows give equal sums, whatever engine they came from.
 * JSON counts by its canonical form, numeric by value. hidden fields count too. */
typedef struct ldr_checksum {
  uint64_t lo, hi, rows;
} ldr_checksum;
ldr_code ldr_checksum_add(ldr_checksum *c, const ldr_batch *b, ldr_err *err) LDR_MUSTCHECK;

#endif

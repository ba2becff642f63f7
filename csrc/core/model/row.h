/* A packed row: one immutable, counted block that owns its bytes. The currency between Lua tables, the memory
 * engine, COPY and result sets. Not thread-safe: a row belongs to one thread at a time.
 *
 *   refs | size | null bitmap | end offsets, one u32 a field | bytes of field 0 | bytes of field 1 | …
 *
 * bool 1 byte, int / float / times 8, uuid and interval 16, texts, numeric, json, arrays as they are. A null
 * takes no bytes. */
#ifndef LDR_MODEL_ROW_H
#define LDR_MODEL_ROW_H

#include <string.h>

#include "model/entity.h"

/* For model/row.c and the getter below. Offsets count from the first field's byte. Nothing behind the header
 * is aligned: it is read and written by memcpy. */
typedef struct ldr_row {
  uint32_t refs, size; /* size: of the whole block */
  char data[];
} ldr_row;

static inline size_t ldr_row_bitmap(const ldr_entity *e) { return (e->nfields + 7u) / 8; }
static inline size_t ldr_row_head(const ldr_entity *e) {
  return ldr_row_bitmap(e) + e->nfields * sizeof(uint32_t);
}

/* values: one for each field of e. */
ldr_code ldr_row_pack(const ldr_entity *e, const ldr_value *values, ldr_row **out,
                      ldr_err *err) LDR_MUSTCHECK;
/* A view into r. Here, since indexes and results do hardly anything else. */
static inline void ldr_row_get(const ldr_entity *e, const ldr_row *r, unsigned field, ldr_value *out) {
  const char *ends = r->data + ldr_row_bitmap(e), *p;
  uint32_t from = 0, to;
  if ((unsigned char)r->data[field / 8] >> field % 8 & 1) {
    *out = (ldr_value){.type = LDR_T_NULL};
    return;
  }
  if (field) memcpy(&from, ends + (field - 1) * sizeof from, sizeof from);
  memcpy(&to, ends + field * sizeof to, sizeof to);
  p = r->data + ldr_row_head(e) + from;
  out->type = e->fields[field].value_type;
  out->n = 0;
  switch (out->type) {
    case LDR_T_BOOL: out->u.b = *p != 0; return;
    case LDR_T_INT:
    case LDR_T_TIME:
    case LDR_T_DATE:
    case LDR_T_TIMESTAMP:
    case LDR_T_CLOCK: memcpy(&out->u.i, p, sizeof out->u.i); return;
    case LDR_T_FLOAT: memcpy(&out->u.f, p, sizeof out->u.f); return;
    default: out->u.p = p; out->n = to - from;
  }
}
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

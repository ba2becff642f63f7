/* Ranges: int4range, int8range, numrange, tsrange, tstzrange, daterange; read, written, ordered and compared
 * as PostgreSQL does it. A value of LDR_T_RANGE is always in PostgreSQL's canonical form: int4range,
 * int8range and daterange are [a,b), a bound without end is exclusive, and no range is empty but "empty".
 *
 *  kind 1 | flags 1 (PostgreSQL's) | lower, if it ends | upper, if it ends
 *  bound: be32 length | be64 of what counts, the normal form of a numeric */
#ifndef LDR_VALUES_RANGE_H
#define LDR_VALUES_RANGE_H

#include <stdbool.h>

#include "base/buf.h"

/* In the order of the types in values/value.h. The numbers are in cursors: new kinds stand at the end. */
typedef enum ldr_range_kind {
  LDR_RANGE_INT4,
  LDR_RANGE_INT8,
  LDR_RANGE_NUMERIC,
  LDR_RANGE_TIMESTAMP,
  LDR_RANGE_TIMESTAMPTZ,
  LDR_RANGE_DATE,
  LDR_RANGE_KINDS
} ldr_range_kind;

typedef struct ldr_bound {
  bool ends, inclusive;
  int64_t i;     /* of all but numeric: as the value of the element's type */
  const char *p; /* of numeric: its normal form */
  uint32_t n;
} ldr_bound;

typedef struct ldr_range {
  ldr_range_kind kind;
  bool empty; /* the bounds say nothing */
  ldr_bound lower, upper;
} ldr_range;

/* Appends the value's bytes of a range whose bounds are values of the element's type. NULL: it was done,
 * unless out is broken; else why there is no such range, as a field's reason, and nothing was appended. */
const char *ldr_range_add(ldr_range r, ldr_buf *out);
/* Views into p. false: no value's bytes; whether they are canonical is ldr_range_ok's to say. */
bool ldr_range_read(const char *p, size_t n, ldr_range *out);
/* Are these the bytes of a value of this kind? *broken: memory ran out. */
bool ldr_range_ok(ldr_range_kind kind, const char *p, size_t n, bool *broken);
/* What has to be contained in a range that contains v alone; `inclusive` counts for nothing in v. */
ldr_range ldr_range_of_one(ldr_range_kind kind, ldr_bound v);

/* ---- values, of one kind ---- */

/* As PostgreSQL's btree: empty first, then by the lower bound, then by the upper. */
int ldr_range_cmp(const char *a, size_t na, const char *b, size_t nb);
uint64_t ldr_range_hash(const char *p, size_t n, uint64_t seed);
bool ldr_range_contains(const char *a, size_t na, const char *b, size_t nb); /* a @> b */
bool ldr_range_overlaps(const char *a, size_t na, const char *b, size_t nb); /* a && b */

/* ---- texts and PostgreSQL's binary form: values/rangeform.c ---- */

/* "[1,5)", "(,2026-01-01]", "empty": what PostgreSQL takes, with elements as larder takes them. Appends the
 * value's bytes. NULL or a reason, as ldr_range_add. */
const char *ldr_range_parse(ldr_range_kind kind, const char *s, size_t n, ldr_buf *out);
void ldr_range_format(const char *p, size_t n, ldr_buf *out);
/* false: malformed, or out is broken */
bool ldr_range_from_wire(ldr_range_kind kind, const char *p, size_t n, ldr_buf *out);
void ldr_range_to_wire(const char *p, size_t n, ldr_buf *out);

/* What the two files share: flags, which are PostgreSQL's. */
enum {
  LDR_RANGE_EMPTY = 1,
  LDR_RANGE_LOWER_INCLUSIVE = 2,
  LDR_RANGE_UPPER_INCLUSIVE = 4,
  LDR_RANGE_LOWER_ENDLESS = 8,
  LDR_RANGE_UPPER_ENDLESS = 16
};
unsigned ldr_range_flags(const ldr_range *r);
/* false: the flags do not agree with each other. The bounds have none of their values yet. */
bool ldr_range_begin(unsigned flags, ldr_range *out);
/* Takes a be32 length and as many bytes from *p; false: the bytes end before. */
bool ldr_range_take(const char **p, const char *end, const char **bytes, uint32_t *n);

#endif

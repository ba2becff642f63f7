/* One typed cell. A view: texts and bytes are borrowed from whoever made the value. */
#ifndef LDR_VALUES_VALUE_H
#define LDR_VALUES_VALUE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "values/range.h"

typedef enum ldr_type {
  LDR_T_NULL, /* NULL is a type, not an empty string */
  LDR_T_BOOL,
  LDR_T_INT,
  LDR_T_FLOAT,
  LDR_T_NUMERIC, /* p, n: normal form, see values/numeric.h */
  LDR_T_TEXT,
  LDR_T_BYTES,
  LDR_T_UUID,  /* p: 16 bytes, n = 16 */
  LDR_T_TIME,  /* i: microseconds since 2000, see values/time.h */
  LDR_T_JSON,  /* p, n: valid JSON text */
  LDR_T_ARRAY, /* p, n: PostgreSQL's binary array (array_send): ndim, flags, element oid, {size, lower}…,
                 {len, bytes}…; the oid of an enum's or citext's element is that of ldr_ftype_get */
  /* the numbers above are in cursors: new types stand behind them; values/datetime.h has these */
  LDR_T_DATE,      /* i: days since 2000 */
  LDR_T_TIMESTAMP, /* i: microseconds since 2000 by a clock without a zone */
  LDR_T_CLOCK,     /* i: microseconds since midnight */
  LDR_T_INTERVAL,  /* p, n = 16: PostgreSQL's binary form; equal when the spans are */
  LDR_T_ENUM,      /* p, n: the label's place, be16, and the label: so bytes order as labels do */
  LDR_T_CHAR,      /* p, n: a text whose blanks at the end do not count */
  LDR_T_INET,      /* p, n: values/network.h */
  LDR_T_MACADDR,   /* p, n: 6 or 8 bytes */
  LDR_T_BITS,      /* p, n: values/bits.h */
  LDR_T_RANGE      /* p, n: values/range.h */
} ldr_type;

typedef struct ldr_value {
  ldr_type type;
  uint32_t n;
  union {
    bool b;
    int64_t i;
    double f;
    const char *p;
  } u;
} ldr_value;

/* Column types that a declaration may name. The table behind it (name, oid, ldr_type) is in values/value.c.
 */
typedef enum ldr_ftype {
  LDR_F_BOOL,
  LDR_F_INT2,
  LDR_F_INT4,
  LDR_F_INT8,
  LDR_F_FLOAT4,
  LDR_F_FLOAT8,
  LDR_F_NUMERIC,
  LDR_F_TEXT,
  LDR_F_BYTEA,
  LDR_F_UUID,
  LDR_F_TIMESTAMPTZ,
  LDR_F_JSON,
  LDR_F_JSONB,
  LDR_F_DATE, /* from here on, parameters of raw queries travel as text */
  LDR_F_TIMESTAMP,
  LDR_F_TIME,
  LDR_F_INTERVAL,
  LDR_F_VARCHAR,
  LDR_F_CHAR,
  LDR_F_ENUM, /* oid: anyenum's, which no column has; each enum has its own */
  LDR_F_INET,
  LDR_F_CIDR,
  LDR_F_MACADDR,
  LDR_F_MACADDR8,
  LDR_F_BIT,
  LDR_F_VARBIT,
  LDR_F_CITEXT, /* oid: the extension gives one, another in each database */
  LDR_F_XML,
  LDR_F_TSVECTOR,  /* read only: the database makes it */
  LDR_F_INT4RANGE, /* ranges, in the order of ldr_range_kind */
  LDR_F_INT8RANGE,
  LDR_F_NUMRANGE,
  LDR_F_TSRANGE,
  LDR_F_TSTZRANGE,
  LDR_F_DATERANGE,
  LDR_F_UNKNOWN, /* raw queries only: a type without a decoder; travels as text */
  LDR_NFTYPES
} ldr_ftype;

typedef struct ldr_ftype_info {
  const char *name; /* "int8" */
  const char *sql;  /* "bigint", as format_type() prints it without a length */
  uint32_t oid, array_oid;
  ldr_type type; /* of a value that is not null and not an array */
} ldr_ftype_info;

const ldr_ftype_info *ldr_ftype_get(ldr_ftype t);
/* Of a parameter; 0: the server finds out from what stands around it. */
static inline uint32_t ldr_ftype_param_oid(ldr_ftype t, bool array) {
  if (t == LDR_F_ENUM) return 0; /* a citext has none here, nor have arrays of either */
  return array ? ldr_ftype_get(t)->array_oid : ldr_ftype_get(t)->oid;
}
bool ldr_ftype_by_name(const char *name, ldr_ftype *out); /* all spellings: "int8", "bigint" */
bool ldr_ftype_by_oid(uint32_t oid, ldr_ftype *out,
                      bool *array); /* also name and "char" as text; xid8, oid as int8 */

enum { LDR_ENUM_HEAD = 2 }; /* bytes before an enum's label */
/* The label among those of a declaration; NULL: it is none of them. */
const ldr_value *ldr_enum_find(const ldr_value *labels, unsigned n, const char *p, size_t size);
/* A type that a user made, by its oid: what a column of an enum may have. */
static inline bool ldr_oid_is_users(uint32_t oid) { return oid >= 16384; }
/* Has its type another oid in each database? */
static inline bool ldr_ftype_is_users(ldr_ftype t) { return t == LDR_F_ENUM || t == LDR_F_CITEXT; }
/* Does memory know no values of it? What is equal, ordered or well formed is PostgreSQL's to say. */
static inline bool ldr_ftype_is_servers(ldr_ftype t) { return t == LDR_F_CITEXT || t == LDR_F_XML; }
static inline bool ldr_ftype_is_range(ldr_ftype t) { return t >= LDR_F_INT4RANGE && t <= LDR_F_DATERANGE; }
static inline ldr_range_kind ldr_ftype_range_kind(ldr_ftype t) { /* of a range */
  return (ldr_range_kind)((int)t - (int)LDR_F_INT4RANGE);
}
ldr_ftype ldr_ftype_range_element(ldr_ftype t); /* LDR_F_INT4 of LDR_F_INT4RANGE */
bool ldr_ftype_is_text(ldr_ftype t);            /* text, varchar, char: of a collation */
static inline bool ldr_ftype_is_int(ldr_ftype t) {
  return t == LDR_F_INT2 || t == LDR_F_INT4 || t == LDR_F_INT8;
}
static inline bool ldr_type_is_number(ldr_type t) {
  return t == LDR_T_INT || t == LDR_T_FLOAT || t == LDR_T_NUMERIC;
}
static inline bool ldr_ftype_has_seconds(ldr_ftype t) { /* a time, an interval: with parts of a second */
  return t == LDR_F_TIMESTAMPTZ || t == LDR_F_TIMESTAMP || t == LDR_F_TIME || t == LDR_F_INTERVAL;
}
/* Is the value of a type in u.i? */
static inline bool ldr_type_counts(ldr_type t) {
  return t == LDR_T_INT || t == LDR_T_TIME || t == LDR_T_DATE || t == LDR_T_TIMESTAMP || t == LDR_T_CLOCK;
}

ldr_value ldr_null(void);
ldr_value ldr_bool(bool b);
ldr_value ldr_int(int64_t i);
ldr_value ldr_float(double f);
ldr_value ldr_time(int64_t us);               /* as values/time.h counts */
ldr_value ldr_counted(ldr_type t, int64_t i); /* any of the types that count */
ldr_value ldr_text(const char *s, size_t n);
ldr_value ldr_bytes_of(ldr_type t, const void *p, size_t n); /* any of the p, n types */

/* Order as PostgreSQL's btree with COLLATE "C": false < true, NaN last, texts by bytes. Both of one type, not
 * null. JSON and ARRAY have no order here (0 when equal, else 1; JSON compares as jsonb does). */
int ldr_value_cmp(const ldr_value *a, const ldr_value *b);
/* Makes of a value that fits the type what a column of it holds: a real has 24 bits. Stored values and
 * operands are both rounded, so that what was written is found again. What is out of range stays, to be
 * refused. */
void ldr_value_round(ldr_ftype t, ldr_value *v);
/* Equal values hash alike; null hashes too. Keyed, see ldr_hash_keyed. */
uint64_t ldr_value_hash(const ldr_value *v, uint64_t seed);
bool ldr_value_copy(ldr_value *v,
                    ldr_arena *a); /* borrowed bytes become the arena's; false when out of memory */

/* ---- arrays: build and read PostgreSQL's binary array form ---- */
typedef struct ldr_array_reader {
  ldr_ftype elem;
  int ndim;
  int32_t dims[6];
  size_t count; /* elements in all */
  const char *p, *end;
} ldr_array_reader;

bool ldr_array_read(ldr_array_reader *r, const char *p, size_t n); /* false: malformed or too large */
bool ldr_array_next(ldr_array_reader *r, const char **p,
                    int32_t *n); /* element's wire bytes; n = -1 for null */
/* Is v an infinite interval, or an array with one? Servers before PostgreSQL 17 have none: they take its
 * bytes for a long one, and refuse its text. */
bool ldr_value_endless(const ldr_value *v);
/* Appends the array's bytes with this oid for its elements' type: enums and citext have another in each
 * database. */
void ldr_array_add_as(ldr_buf *out, uint32_t oid, const char *p, size_t n);
/* The first element that is none of the labels; false: there is none such. */
bool ldr_array_find_stranger(const char *p, size_t n, const ldr_value *labels, unsigned nlabels,
                             ldr_value *out);
void ldr_array_begin(ldr_buf *out, ldr_ftype elem, int ndim, const int32_t *dims, bool has_null);
/* elements follow in row-major order: be32 length (-1 = null), then ldr_codec bytes */

#endif

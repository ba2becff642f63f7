#include "values/value.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"
#include "values/bits.h"
#include "values/datetime.h"
#include "values/json.h"
#include "values/network.h"
#include "values/numeric.h"

/* ---- column types ---- */

static const ldr_ftype_info types[LDR_NFTYPES] = {
    [LDR_F_BOOL] = {"bool", "boolean", 16, 1000, LDR_T_BOOL},
    [LDR_F_INT2] = {"int2", "smallint", 21, 1005, LDR_T_INT},
    [LDR_F_INT4] = {"int4", "integer", 23, 1007, LDR_T_INT},
    [LDR_F_INT8] = {"int8", "bigint", 20, 1016, LDR_T_INT},
    [LDR_F_FLOAT4] = {"float4", "real", 700, 1021, LDR_T_FLOAT},
    [LDR_F_FLOAT8] = {"float8", "double precision", 701, 1022, LDR_T_FLOAT},
    [LDR_F_NUMERIC] = {"numeric", "numeric", 1700, 1231, LDR_T_NUMERIC},
    [LDR_F_TEXT] = {"text", "text", 25, 1009, LDR_T_TEXT},
    [LDR_F_BYTEA] = {"bytea", "bytea", 17, 1001, LDR_T_BYTES},
    [LDR_F_UUID] = {"uuid", "uuid", 2950, 2951, LDR_T_UUID},
    [LDR_F_TIMESTAMPTZ] = {"timestamptz", "timestamp with time zone", 1184, 1185, LDR_T_TIME},
    [LDR_F_JSON] = {"json", "json", 114, 199, LDR_T_JSON},
    [LDR_F_JSONB] = {"jsonb", "jsonb", 3802, 3807, LDR_T_JSON},
    [LDR_F_DATE] = {"date", "date", 1082, 1182, LDR_T_DATE},
    [LDR_F_TIMESTAMP] = {"timestamp", "timestamp without time zone", 1114, 1115, LDR_T_TIMESTAMP},
    [LDR_F_TIME] = {"time", "time without time zone", 1083, 1183, LDR_T_CLOCK},
    [LDR_F_INTERVAL] = {"interval", "interval", 1186, 1187, LDR_T_INTERVAL},
    [LDR_F_VARCHAR] = {"varchar", "character varying", 1043, 1015, LDR_T_TEXT},
    [LDR_F_CHAR] = {"char", "bpchar", 1042, 1014, LDR_T_CHAR},
    [LDR_F_ENUM] = {"enum", "anyenum", 3500, 0, LDR_T_ENUM},
    [LDR_F_INET] = {"inet", "inet", 869, 1041, LDR_T_INET},
    [LDR_F_CIDR] = {"cidr", "cidr", 650, 651, LDR_T_INET},
    [LDR_F_MACADDR] = {"macaddr", "macaddr", 829, 1040, LDR_T_MACADDR},
    [LDR_F_MACADDR8] = {"macaddr8", "macaddr8", 774, 775, LDR_T_MACADDR},
    [LDR_F_BIT] = {"bit", "\"bit\"", 1560, 1561, LDR_T_BITS},
    [LDR_F_VARBIT] = {"varbit", "bit varying", 1562, 1563, LDR_T_BITS},
    [LDR_F_CITEXT] = {"citext", "citext", 0, 0, LDR_T_TEXT},
    [LDR_F_XML] = {"xml", "xml", 142, 143, LDR_T_TEXT},
    [LDR_F_TSVECTOR] = {"tsvector", "tsvector", 3614, 3643, LDR_T_TEXT},
    [LDR_F_INT4RANGE] = {"int4range", "int4range", 3904, 3905, LDR_T_RANGE},
    [LDR_F_INT8RANGE] = {"int8range", "int8range", 3926, 3927, LDR_T_RANGE},
    [LDR_F_NUMRANGE] = {"numrange", "numrange", 3906, 3907, LDR_T_RANGE},
    [LDR_F_TSRANGE] = {"tsrange", "tsrange", 3908, 3909, LDR_T_RANGE},
    [LDR_F_TSTZRANGE] = {"tstzrange", "tstzrange", 3910, 3911, LDR_T_RANGE},
    [LDR_F_DATERANGE] = {"daterange", "daterange", 3912, 3913, LDR_T_RANGE},
    [LDR_F_UNKNOWN] = {"unknown", "unknown", 705, 0, LDR_T_TEXT},
};

/* Types of results that are read like one of the above. */
static const struct {
  uint32_t oid, array_oid;
  ldr_ftype type;
} aliases[] = {
    {19, 1003, LDR_F_TEXT},  /* name */
    {18, 1002, LDR_F_TEXT},  /* "char" */
    {5069, 271, LDR_F_INT8}, /* xid8 */
    {26, 1028, LDR_F_INT8},  /* oid */
};

const ldr_ftype_info *ldr_ftype_get(ldr_ftype t) { return &types[t]; }

const ldr_value *ldr_enum_find(const ldr_value *labels, unsigned n, const char *p, size_t size) {
  for (unsigned i = 0; i < n; i++)
    if (labels[i].n == size + LDR_ENUM_HEAD && memcmp(labels[i].u.p + LDR_ENUM_HEAD, p, size) == 0)
      return &labels[i];
  return NULL;
}

ldr_ftype ldr_ftype_range_element(ldr_ftype t) {
  static const ldr_ftype elements[LDR_RANGE_KINDS] = {
      [LDR_RANGE_INT4] = LDR_F_INT4,
      [LDR_RANGE_INT8] = LDR_F_INT8,
      [LDR_RANGE_NUMERIC] = LDR_F_NUMERIC,
      [LDR_RANGE_TIMESTAMP] = LDR_F_TIMESTAMP,
      [LDR_RANGE_TIMESTAMPTZ] = LDR_F_TIMESTAMPTZ,
      [LDR_RANGE_DATE] = LDR_F_DATE,
  };
  return elements[ldr_ftype_range_kind(t)];
}

bool ldr_ftype_is_text(ldr_ftype t) { return t == LDR_F_TEXT || t == LDR_F_VARCHAR || t == LDR_F_CHAR; }

/* More of SQL's names. */
static const struct {
  const char *name;
  ldr_ftype type;
} spellings[] = {{"int", LDR_F_INT4}, {"decimal", LDR_F_NUMERIC}, {"character", LDR_F_CHAR}};

bool ldr_ftype_by_name(const char *name, ldr_ftype *out) {
  for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
    if (strcmp(name, spellings[i].name) != 0) continue;
    *out = spellings[i].type;
    return true;
  }
  for (int t = 0; t < LDR_F_UNKNOWN; t++) { /* nobody declares an unknown type */
    if (strcmp(name, types[t].name) != 0 && strcmp(name, types[t].sql) != 0) continue;
    *out = (ldr_ftype)t;
    return true;
  }
  return false;
}

bool ldr_ftype_by_oid(uint32_t oid, ldr_ftype *out, bool *array) {
  if (oid == 0) return false; /* what `unknown` has for an array type */
  for (int t = 0; t < LDR_NFTYPES; t++) {
    if (oid != types[t].oid && oid != types[t].array_oid) continue;
    *out = (ldr_ftype)t;
    *array = oid == types[t].array_oid;
    return true;
  }
  for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
    if (oid != aliases[i].oid && oid != aliases[i].array_oid) continue;
    *out = aliases[i].type;
    *array = oid == aliases[i].array_oid;
    return true;
  }
  return false;
}

/* ---- making values ---- */

ldr_value ldr_null(void) { return (ldr_value){.type = LDR_T_NULL}; }
ldr_value ldr_bool(bool b) { return (ldr_value){.type = LDR_T_BOOL, .u.b = b}; }
ldr_value ldr_int(int64_t i) { return (ldr_value){.type = LDR_T_INT, .u.i = i}; }
ldr_value ldr_float(double f) { return (ldr_value){.type = LDR_T_FLOAT, .u.f = f}; }
ldr_value ldr_time(int64_t us) { return (ldr_value){.type = LDR_T_TIME, .u.i = us}; }
ldr_value ldr_counted(ldr_type t, int64_t i) { return (ldr_value){.type = t, .u.i = i}; }
ldr_value ldr_text(const char *s, size_t n) { return ldr_bytes_of(LDR_T_TEXT, s, n); }

ldr_value ldr_bytes_of(ldr_type t, const void *p, size_t n) {
  return (ldr_value){.type = t, .n = (uint32_t)n, .u.p = p};
}

bool ldr_value_copy(ldr_value *v, ldr_arena *a) {
  const char *p;
  if (ldr_type_counts(v->type) || v->type == LDR_T_NULL || v->type == LDR_T_BOOL || v->type == LDR_T_FLOAT)
    return true;
  p = ldr_arena_copy(a, v->u.p, v->n);
  if (p == NULL) return false;
  v->u.p = p;
  return true;
}

void ldr_value_round(ldr_ftype t, ldr_value *v) {
  float rounded;
  if (t != LDR_F_FLOAT4 || v->type != LDR_T_FLOAT) return;
  rounded = (float)v->u.f;
  if (isfinite(rounded)) v->u.f = (double)rounded;
}

/* ---- order and hash ---- */

static int cmp_bytes(const char *a, size_t na, const char *b, size_t nb) {
  size_t n = na < nb ? na : nb;
  int c = n ? memcmp(a, b, n) : 0;
  return c != 0 ? c : (na > nb) - (na < nb);
}

static int cmp_int(int64_t a, int64_t b) { return (a > b) - (a < b); }

/* NaN is the largest and equals itself; the two zeros are equal. */
static int cmp_float(double a, double b) {
  bool nan_a = a != a, nan_b = b != b;
  if (nan_a || nan_b) return nan_a - nan_b;
  return (a > b) - (a < b);
}

/* JSON needs memory to be compared as jsonb does. Without it, texts that differ count as different. */
static bool same_json(const char *a, size_t na, const char *b, size_t nb) {
  ldr_err err;
  bool same = false;
  if (na == nb && memcmp(a, b, na) == 0) return true;
  return ldr_json_equal(a, na, b, nb, &same, &err) == LDR_OK && same;
}

/* By bytes, but for the blanks at their ends. */
static uint32_t bare(const ldr_value *v) {
  uint32_t n = v->n;
  while (n && v->u.p[n - 1] == ' ') n--;
  return n;
}

static int cmp_intervals(const char *a, const char *b) {
  int64_t days[2], us[2];
  ldr_interval_span(a, &days[0], &us[0]);
  ldr_interval_span(b, &days[1], &us[1]);
  return days[0] != days[1] ? cmp_int(days[0], days[1]) : cmp_int(us[0], us[1]);
}

static bool same_array(const ldr_value *a, const ldr_value *b);

int ldr_value_cmp(const ldr_value *a, const ldr_value *b) {
  switch (a->type) {
    case LDR_T_NULL: return 0;
    case LDR_T_BOOL: return a->u.b - b->u.b;
    case LDR_T_INT:
    case LDR_T_TIME:
    case LDR_T_DATE:
    case LDR_T_TIMESTAMP:
    case LDR_T_CLOCK: return cmp_int(a->u.i, b->u.i);
    case LDR_T_FLOAT: return cmp_float(a->u.f, b->u.f);
    case LDR_T_NUMERIC: return ldr_numeric_cmp(a->u.p, a->n, b->u.p, b->n);
    case LDR_T_TEXT:
    case LDR_T_BYTES:
    case LDR_T_ENUM:
    case LDR_T_MACADDR:
    case LDR_T_UUID: return cmp_bytes(a->u.p, a->n, b->u.p, b->n);
    case LDR_T_JSON: return !same_json(a->u.p, a->n, b->u.p, b->n);
    case LDR_T_ARRAY: return !same_array(a, b);
    case LDR_T_INTERVAL: return cmp_intervals(a->u.p, b->u.p);
    case LDR_T_CHAR: return cmp_bytes(a->u.p, bare(a), b->u.p, bare(b));
    case LDR_T_INET: return ldr_inet_cmp(a->u.p, b->u.p);
    case LDR_T_BITS: return ldr_bits_cmp(a->u.p, a->n, b->u.p, b->n);
    case LDR_T_RANGE: return ldr_range_cmp(a->u.p, a->n, b->u.p, b->n);
  }
  return 1;
}

static uint64_t hash_int(uint64_t v, uint64_t seed) {
  unsigned char t[8]; /* the same bytes on every machine */
  for (int i = 0; i < 8; i++) t[i] = (unsigned char)(v >> 8 * i);
  return ldr_hash_keyed(t, sizeof t, seed);
}

static uint64_t hash_float(double f, uint64_t seed) {
  uint64_t bits;
  if (f == 0) f = 0.0; /* not -0.0 */
  memcpy(&bits, &f, sizeof bits);
  return hash_int(f == f ? bits : UINT64_MAX, seed); /* one hash for all NaNs */
}

static uint64_t hash_json(const char *p, size_t n, uint64_t seed) {
  ldr_err err;
  uint64_t h;
  return ldr_json_hash(p, n, seed, &h, &err) == LDR_OK ? h : seed;
}

static uint64_t hash_interval(const char *p, uint64_t seed) {
  int64_t days, us;
  ldr_interval_span(p, &days, &us);
  return hash_int((uint64_t)us, hash_int((uint64_t)days, seed));
}

static uint64_t hash_array(const ldr_value *v, uint64_t seed);

uint64_t ldr_value_hash(const ldr_value *v, uint64_t seed) {
  seed += (uint64_t)v->type;
  switch (v->type) {
    case LDR_T_NULL: return hash_int(0, seed);
    case LDR_T_BOOL: return hash_int(v->u.b, seed);
    case LDR_T_INT:
    case LDR_T_TIME:
    case LDR_T_DATE:
    case LDR_T_TIMESTAMP:
    case LDR_T_CLOCK: return hash_int((uint64_t)v->u.i, seed);
    case LDR_T_FLOAT: return hash_float(v->u.f, seed);
    case LDR_T_NUMERIC: return ldr_numeric_hash(v->u.p, v->n, seed);
    case LDR_T_TEXT:
    case LDR_T_BYTES:
    case LDR_T_ENUM:
    case LDR_T_INET:
    case LDR_T_MACADDR:
    case LDR_T_BITS:
    case LDR_T_UUID: return ldr_hash_keyed(v->u.p, v->n, seed);
    case LDR_T_JSON: return hash_json(v->u.p, v->n, seed);
    case LDR_T_ARRAY: return hash_array(v, seed);
    case LDR_T_INTERVAL: return hash_interval(v->u.p, seed);
    case LDR_T_CHAR: return ldr_hash_keyed(v->u.p, bare(v), seed);
    case LDR_T_RANGE: return ldr_range_hash(v->u.p, v->n, seed);
  }
  return seed;
}

/* ---- arrays:
 *   be32 ndim | be32 has null | be32 element oid | ndim × { be32 size | be32 lower bound } |
 *   elements × { be32 length, -1 for null | bytes }
 * ---- */

enum { ARRAY_HEADER = 12, MAX_DIMS = 6 };

/* Reads the dimensions behind the header; leaves r->p at the first element. */
static bool read_dims(ldr_array_reader *r) {
  size_t left = (size_t)(r->end - r->p), limit;
  if (left < 8 * (size_t)r->ndim) return false;
  limit = (left - 8 * (size_t)r->ndim) / 4; /* an element takes four bytes at least */
  r->count = r->ndim > 0;
  for (int i = 0; i < r->ndim; i++, r->p += 8) {
    r->dims[i] = (int32_t)ldr_be32(r->p);
    if (r->dims[i] < 0) return false;
    if (r->dims[i] > 0 && r->count > limit / (size_t)r->dims[i]) return false;
    r->count *= (size_t)r->dims[i];
  }
  return true;
}

bool ldr_array_read(ldr_array_reader *out, const char *p, size_t n) {
  ldr_array_reader r = {.p = p, .end = p + n}, walk;
  uint32_t ndim;
  const char *element;
  int32_t size;
  size_t found = 0;
  bool array;
  if (n < ARRAY_HEADER) return false;
  ndim = ldr_be32(p);
  if (ndim > MAX_DIMS || ldr_be32(p + 4) > 1) return false;
  r.ndim = (int)ndim;
  if (ldr_be32(p + 8) == types[LDR_F_CITEXT].oid)
    r.elem = LDR_F_CITEXT;
  else if (!ldr_ftype_by_oid(ldr_be32(p + 8), &r.elem, &array) || array)
    r.elem = LDR_F_UNKNOWN;
  r.p += ARRAY_HEADER;
  if (!read_dims(&r)) return false;
  walk = r;
  while (ldr_array_next(&walk, &element, &size)) found++;
  if (found != r.count || walk.p != walk.end) return false; /* so that next can only end */
  *out = r;
  return true;
}

bool ldr_array_next(ldr_array_reader *r, const char **p, int32_t *n) {
  int32_t size;
  if (r->end - r->p < 4) return false;
  size = (int32_t)ldr_be32(r->p);
  if (size < -1 || size > r->end - r->p - 4) return false;
  r->p += 4;
  *p = r->p;
  *n = size;
  if (size > 0) r->p += size;
  return true;
}

void ldr_array_begin(ldr_buf *out, ldr_ftype elem, int ndim, const int32_t *dims, bool has_null) {
  ldr_buf_be32(out, (uint32_t)ndim);
  ldr_buf_be32(out, has_null);
  ldr_buf_be32(out, types[elem].oid);
  for (int i = 0; i < ndim; i++) {
    ldr_buf_be32(out, (uint32_t)dims[i]);
    ldr_buf_be32(out, 1);
  }
}

bool ldr_value_endless(const ldr_value *v) {
  ldr_array_reader r;
  const char *p;
  int32_t n;
  if (v->type == LDR_T_INTERVAL) return ldr_interval_endless(v->u.p);
  if (v->type != LDR_T_ARRAY || !ldr_array_read(&r, v->u.p, v->n) || r.elem != LDR_F_INTERVAL) return false;
  while (ldr_array_next(&r, &p, &n))
    if (n == LDR_INTERVAL_WIRE && ldr_interval_endless(p)) return true;
  return false;
}

void ldr_array_add_as(ldr_buf *out, uint32_t oid, const char *p, size_t n) {
  size_t at = out->n;
  ldr_buf_add(out, p, n);
  if (!out->broken && n >= ARRAY_HEADER) ldr_buf_patch32(out, at + 8, oid);
}

bool ldr_array_find_stranger(const char *p, size_t n, const ldr_value *labels, unsigned nlabels,
                             ldr_value *out) {
  ldr_array_reader r;
  const char *label;
  int32_t size;
  if (!ldr_array_read(&r, p, n)) return false;
  while (ldr_array_next(&r, &label, &size)) {
    if (size < 0 || ldr_enum_find(labels, nlabels, label, (size_t)size)) continue;
    *out = ldr_text(label, (size_t)size);
    return true;
  }
  return false;
}

/* An element's float; false when its length is wrong. */
static bool wire_float(ldr_ftype t, const char *p, int32_t n, double *out) {
  uint32_t half;
  uint64_t bits;
  float f;
  if (t == LDR_F_FLOAT4 && n == 4) {
    half = ldr_be32(p);
    memcpy(&f, &half, sizeof f);
    *out = (double)f;
    return true;
  }
  if (t != LDR_F_FLOAT8 || n != 8) return false;
  bits = ldr_be64(p);
  memcpy(out, &bits, sizeof *out);
  return true;
}

/* A range's value from its binary form, in *made; false: malformed, or memory ran out. */
static bool element_range(ldr_ftype t, const char *p, int32_t n, ldr_buf *made) {
  return ldr_range_from_wire(ldr_ftype_range_kind(t), p, (size_t)n, made) && !made->broken;
}

/* Without memory, ranges whose bytes differ count as different. */
static bool same_range(ldr_ftype t, const char *p, int32_t n, const char *q, int32_t m) {
  ldr_buf a = {0}, b = {0};
  bool same =
      element_range(t, p, n, &a) && element_range(t, q, m, &b) && ldr_range_cmp(a.p, a.n, b.p, b.n) == 0;
  ldr_buf_free(&a);
  ldr_buf_free(&b);
  return same;
}

static uint64_t hash_range(ldr_ftype t, const char *p, int32_t n, uint64_t seed) {
  ldr_buf made = {0};
  if (element_range(t, p, n, &made)) seed = ldr_range_hash(made.p, made.n, seed);
  ldr_buf_free(&made);
  return seed;
}

/* A char, whose blanks at the end do not count. */
static ldr_value element_char(const char *p, int32_t n) {
  ldr_value v = ldr_bytes_of(LDR_T_CHAR, p, (size_t)n);
  v.n = bare(&v);
  return v;
}

static bool same_char(const char *p, int32_t n, const char *q, int32_t m) {
  ldr_value a = element_char(p, n), b = element_char(q, m);
  return a.n == b.n && memcmp(a.u.p, b.u.p, a.n) == 0;
}

/* Equal elements may differ in their bytes: zeros and NaNs, the scale of a numeric (bytes 6 and 7), blanks at
 * the end of a char, bounds of a numrange, JSON. */
static bool same_element(ldr_ftype t, const char *p, int32_t n, const char *q, int32_t m) {
  double x, y;
  if (n < 0 || m < 0) return n == m;
  if (n == m && memcmp(p, q, (size_t)n) == 0) return true;
  if (t == LDR_F_NUMERIC)
    return n == m && n >= 8 && memcmp(p, q, 6) == 0 && memcmp(p + 8, q + 8, (size_t)n - 8) == 0;
  if (t == LDR_F_INTERVAL)
    return n == LDR_INTERVAL_WIRE && m == LDR_INTERVAL_WIRE && cmp_intervals(p, q) == 0;
  if (t == LDR_F_CHAR) return same_char(p, n, q, m);
  if (ldr_ftype_is_range(t)) return same_range(t, p, n, q, m);
  if (t == LDR_F_JSON) return same_json(p, (size_t)n, q, (size_t)m);
  if (t == LDR_F_JSONB) /* behind a version byte */
    return n > 0 && m > 0 && *p == *q && same_json(p + 1, (size_t)n - 1, q + 1, (size_t)m - 1);
  return wire_float(t, p, n, &x) && wire_float(t, q, m, &y) && cmp_float(x, y) == 0;
}

static uint64_t hash_element(ldr_ftype t, const char *p, int32_t n, uint64_t seed) {
  double f;
  if (n < 0) return hash_int(0, seed);
  if (t == LDR_F_NUMERIC && n >= 8) return ldr_hash_keyed(p + 8, (size_t)n - 8, ldr_hash_keyed(p, 6, seed));
  if (t == LDR_F_INTERVAL && n == LDR_INTERVAL_WIRE) return hash_interval(p, seed);
  if (t == LDR_F_CHAR) n = (int32_t)element_char(p, n).n;
  if (ldr_ftype_is_range(t)) return hash_range(t, p, n, seed);
  if (t == LDR_F_JSON) return hash_json(p, (size_t)n, seed);
  if (t == LDR_F_JSONB && n > 0) return hash_json(p + 1, (size_t)n - 1, seed);
  return wire_float(t, p, n, &f) ? hash_float(f, seed) : ldr_hash_keyed(p, (size_t)n, seed);
}

/* The dimensions as they stand in the wire form: sizes and lower bounds. */
static size_t dims_size(const ldr_array_reader *r) { return 8 * (size_t)r->ndim; }

static bool same_array(const ldr_value *a, const ldr_value *b) {
  ldr_array_reader x, y;
  const char *p, *q;
  int32_t n, m;
  if (!ldr_array_read(&x, a->u.p, a->n) || !ldr_array_read(&y, b->u.p, b->n)) return false;
  if (x.ndim != y.ndim || x.elem != y.elem) return false;
  if (memcmp(a->u.p + ARRAY_HEADER, b->u.p + ARRAY_HEADER, dims_size(&x)) != 0) return false;
  while (ldr_array_next(&x, &p, &n) && ldr_array_next(&y, &q, &m))
    if (!same_element(x.elem, p, n, q, m)) return false;
  return true;
}

static uint64_t hash_array(const ldr_value *v, uint64_t seed) {
  ldr_array_reader r;
  const char *p;
  int32_t n;
  if (!ldr_array_read(&r, v->u.p, v->n)) return seed;
  seed = ldr_hash_keyed(v->u.p + ARRAY_HEADER, dims_size(&r), seed);
  while (ldr_array_next(&r, &p, &n)) seed = hash_element(r.elem, p, n, seed);
  return seed;
}

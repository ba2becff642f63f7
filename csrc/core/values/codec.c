#include "values/codec.h"

#include <math.h>
#include <string.h>

#include "base/text.h"
#include "values/bits.h"
#include "values/datetime.h"
#include "values/json.h"
#include "values/network.h"
#include "values/numeric.h"
#include "values/time.h"
#include "values/tsvector.h"

enum { JSONB_VERSION = 1 };

/* ---- floats as bits ---- */

static double double_of(uint64_t bits) {
  double d;
  memcpy(&d, &bits, sizeof d);
  return d;
}

static uint64_t bits_of(double d) {
  uint64_t bits;
  memcpy(&bits, &d, sizeof bits);
  return bits;
}

static float float_of(uint32_t bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

static uint32_t float_bits(float f) {
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  return bits;
}

/* ---- decoding: one function a type; each gets at most UINT32_MAX bytes ---- */

static bool read_bool(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  (void)scratch;
  if (n != 1) return false;
  *out = ldr_bool(*p != 0);
  return true;
}

static bool read_int2(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  (void)scratch;
  if (n != 2) return false;
  *out = ldr_int((int16_t)ldr_be16(p));
  return true;
}

static bool read_int4(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  (void)scratch;
  if (n != 4) return false;
  *out = ldr_int((int32_t)ldr_be32(p));
  return true;
}

/* Also the types that count as int8: xid8 looks like one, oid is four bytes without a sign. */
static bool read_int8(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  (void)scratch;
  if (n != 8 && n != 4) return false;
  *out = ldr_int(n == 8 ? (int64_t)ldr_be64(p) : (int64_t)ldr_be32(p));
  return true;
}

static bool read_float4(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  (void)scratch;
  if (n != 4) return false;
  *out = ldr_float((double)float_of(ldr_be32(p)));
  return true;
}

static bool read_float8(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  (void)scratch;
  if (n != 8) return false;
  *out = ldr_float(double_of(ldr_be64(p)));
  return true;
}

static bool read_numeric(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  size_t start = scratch->n;
  if (!ldr_numeric_from_wire(p, n, scratch) || scratch->broken) return false;
  *out = ldr_bytes_of(LDR_T_NUMERIC, scratch->p + start, scratch->n - start);
  return true;
}

static bool read_text(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  (void)scratch;
  *out = ldr_text(p, n);
  return true;
}

static bool read_bytea(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  (void)scratch;
  *out = ldr_bytes_of(LDR_T_BYTES, p, n);
  return true;
}

static bool read_uuid(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  (void)scratch;
  if (n != 16) return false;
  *out = ldr_bytes_of(LDR_T_UUID, p, n);
  return true;
}

static bool read_time(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  int64_t us;
  (void)scratch;
  if (n != 8 || !ldr_time_ok(us = (int64_t)ldr_be64(p))) return false;
  *out = ldr_time(us);
  return true;
}

static bool read_timestamp(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  if (!read_time(p, n, scratch, out)) return false;
  out->type = LDR_T_TIMESTAMP;
  return true;
}

static bool read_date(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  (void)scratch;
  if (n != 4 || !ldr_date_ok((int32_t)ldr_be32(p))) return false;
  *out = ldr_counted(LDR_T_DATE, (int32_t)ldr_be32(p));
  return true;
}

static bool read_clock(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  (void)scratch;
  if (n != 8 || ldr_be64(p) > LDR_CLOCK_LAST) return false;
  *out = ldr_counted(LDR_T_CLOCK, (int64_t)ldr_be64(p));
  return true;
}

static bool read_interval(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  (void)scratch;
  if (n != LDR_INTERVAL_WIRE) return false;
  *out = ldr_bytes_of(LDR_T_INTERVAL, p, n);
  return true;
}

static bool read_char(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  (void)scratch;
  *out = ldr_bytes_of(LDR_T_CHAR, p, n);
  return true;
}

static bool read_network(const char *p, size_t n, ldr_value *out, bool cidr) {
  if (!ldr_inet_ok(p, n, cidr)) return false;
  *out = ldr_bytes_of(LDR_T_INET, p, n);
  return true;
}

static bool read_inet(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  (void)scratch;
  return read_network(p, n, out, false);
}

static bool read_cidr(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  (void)scratch;
  return read_network(p, n, out, true);
}

static bool read_macaddr(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  (void)scratch;
  if (n != LDR_MACADDR) return false;
  *out = ldr_bytes_of(LDR_T_MACADDR, p, n);
  return true;
}

static bool read_macaddr8(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  (void)scratch;
  if (n != LDR_MACADDR8) return false;
  *out = ldr_bytes_of(LDR_T_MACADDR, p, n);
  return true;
}

static bool read_bits(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  (void)scratch;
  if (!ldr_bits_ok(p, n)) return false;
  *out = ldr_bytes_of(LDR_T_BITS, p, n);
  return true;
}

static bool read_tsvector(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  size_t start = scratch->n;
  if (!ldr_tsvector_text(p, n, scratch) || scratch->broken) return false;
  *out = ldr_text(scratch->n > start ? scratch->p + start : "", scratch->n - start);
  return true;
}

static bool read_range(ldr_range_kind kind, const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  size_t start = scratch->n;
  if (!ldr_range_from_wire(kind, p, n, scratch)) return false;
  *out = ldr_bytes_of(LDR_T_RANGE, scratch->p + start, scratch->n - start);
  return true;
}

static bool read_int4range(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  return read_range(LDR_RANGE_INT4, p, n, scratch, out);
}

static bool read_int8range(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  return read_range(LDR_RANGE_INT8, p, n, scratch, out);
}

static bool read_numrange(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  return read_range(LDR_RANGE_NUMERIC, p, n, scratch, out);
}

static bool read_tsrange(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  return read_range(LDR_RANGE_TIMESTAMP, p, n, scratch, out);
}

static bool read_tstzrange(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  return read_range(LDR_RANGE_TIMESTAMPTZ, p, n, scratch, out);
}

static bool read_daterange(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  return read_range(LDR_RANGE_DATE, p, n, scratch, out);
}

/* A label alone has no place: whoever knows the declaration looks it up (ldr_enum_find). */
static bool read_enum(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  (void)scratch;
  *out = ldr_text(p, n);
  return true;
}

static bool read_json(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  (void)scratch;
  *out = ldr_bytes_of(LDR_T_JSON, p, n);
  return true;
}

static bool read_jsonb(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  if (n < 1 || *p != JSONB_VERSION) return false;
  return read_json(p + 1, n - 1, scratch, out);
}

/* The elements' type says its own oid, which is another in each database: the value has the one that it has
 * everywhere. */
static bool read_users_array(ldr_ftype t, const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  ldr_array_reader r;
  size_t start = scratch->n;
  if (!ldr_array_read(&r, p, n) || (r.elem != t && !ldr_oid_is_users(ldr_be32(p + 8)))) return false;
  ldr_array_add_as(scratch, ldr_ftype_get(t)->oid, p, n);
  if (scratch->broken) return false;
  *out = ldr_bytes_of(LDR_T_ARRAY, scratch->p + start, n);
  return true;
}

/* The bytes stay as they are: ldr_array_read proves them whole. */
static bool read_array(ldr_ftype t, const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  ldr_array_reader r;
  if (ldr_ftype_is_users(t)) return read_users_array(t, p, n, scratch, out);
  if (!ldr_array_read(&r, p, n) || (r.count && r.elem != t)) return false;
  *out = ldr_bytes_of(LDR_T_ARRAY, p, n);
  return true;
}

/* ---- encoding ---- */

typedef void encoder(const ldr_value *v, ldr_buf *out);

static void write_bool(const ldr_value *v, ldr_buf *out) { ldr_buf_chr(out, v->u.b ? 1 : 0); }
static void write_int8(const ldr_value *v, ldr_buf *out) { ldr_buf_be64(out, (uint64_t)v->u.i); }

/* A value that does not fit goes out whole: the server refuses its length, and nothing is ever cut. */
static void write_int2(const ldr_value *v, ldr_buf *out) {
  if (v->u.i < INT16_MIN || v->u.i > INT16_MAX)
    write_int8(v, out);
  else
    ldr_buf_be16(out, (uint16_t)v->u.i);
}

static void write_int4(const ldr_value *v, ldr_buf *out) {
  if (v->u.i < INT32_MIN || v->u.i > INT32_MAX)
    write_int8(v, out);
  else
    ldr_buf_be32(out, (uint32_t)v->u.i);
}

static void write_float4(const ldr_value *v, ldr_buf *out) { ldr_buf_be32(out, float_bits((float)v->u.f)); }
static void write_float8(const ldr_value *v, ldr_buf *out) { ldr_buf_be64(out, bits_of(v->u.f)); }
static void write_numeric(const ldr_value *v, ldr_buf *out) { ldr_numeric_to_wire(v->u.p, v->n, out); }
static void write_bytes(const ldr_value *v, ldr_buf *out) { ldr_buf_add(out, v->u.p, v->n); }

static void write_date(const ldr_value *v, ldr_buf *out) { ldr_buf_be32(out, (uint32_t)v->u.i); }

static void write_enum(const ldr_value *v, ldr_buf *out) {
  size_t head = v->type == LDR_T_ENUM ? LDR_ENUM_HEAD : 0;
  ldr_buf_add(out, v->u.p + head, v->n - head);
}

static void write_range(const ldr_value *v, ldr_buf *out) { ldr_range_to_wire(v->u.p, v->n, out); }

static void write_jsonb(const ldr_value *v, ldr_buf *out) {
  ldr_buf_chr(out, JSONB_VERSION);
  write_bytes(v, out);
}

/* ---- the table ---- */

static const struct {
  ldr_codec_decoder *decode;
  encoder *encode;
} codecs[LDR_NFTYPES] = {
    [LDR_F_BOOL] = {read_bool, write_bool},
    [LDR_F_INT2] = {read_int2, write_int2},
    [LDR_F_INT4] = {read_int4, write_int4},
    [LDR_F_INT8] = {read_int8, write_int8},
    [LDR_F_FLOAT4] = {read_float4, write_float4},
    [LDR_F_FLOAT8] = {read_float8, write_float8},
    [LDR_F_NUMERIC] = {read_numeric, write_numeric},
    [LDR_F_TEXT] = {read_text, ldr_codec_text},
    [LDR_F_BYTEA] = {read_bytea, write_bytes},
    [LDR_F_UUID] = {read_uuid, write_bytes},
    [LDR_F_TIMESTAMPTZ] = {read_time, write_int8},
    [LDR_F_JSON] = {read_json, write_bytes},
    [LDR_F_JSONB] = {read_jsonb, write_jsonb},
    [LDR_F_DATE] = {read_date, write_date},
    [LDR_F_TIMESTAMP] = {read_timestamp, write_int8},
    [LDR_F_TIME] = {read_clock, write_int8},
    [LDR_F_INTERVAL] = {read_interval, write_bytes},
    [LDR_F_VARCHAR] = {read_text, ldr_codec_text},
    [LDR_F_CHAR] = {read_char, write_bytes},
    [LDR_F_ENUM] = {read_enum, write_enum},
    [LDR_F_INET] = {read_inet, write_bytes},
    [LDR_F_CIDR] = {read_cidr, write_bytes},
    [LDR_F_MACADDR] = {read_macaddr, write_bytes},
    [LDR_F_MACADDR8] = {read_macaddr8, write_bytes},
    [LDR_F_BIT] = {read_bits, write_bytes},
    [LDR_F_VARBIT] = {read_bits, write_bytes},
    [LDR_F_CITEXT] = {read_text, ldr_codec_text},
    [LDR_F_XML] = {read_text, ldr_codec_text},
    [LDR_F_TSVECTOR] = {read_tsvector, ldr_codec_text},
    [LDR_F_INT4RANGE] = {read_int4range, write_range},
    [LDR_F_INT8RANGE] = {read_int8range, write_range},
    [LDR_F_NUMRANGE] = {read_numrange, write_range},
    [LDR_F_TSRANGE] = {read_tsrange, write_range},
    [LDR_F_TSTZRANGE] = {read_tstzrange, write_range},
    [LDR_F_DATERANGE] = {read_daterange, write_range},
    [LDR_F_UNKNOWN] = {read_text, ldr_codec_text},
};

bool ldr_codec_decode(ldr_ftype t, bool array, const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  if (n > UINT32_MAX) return false;
  if (array && t != LDR_F_UNKNOWN) return read_array(t, p, n, scratch, out);
  return codecs[t].decode(p, n, scratch, out);
}

ldr_codec_decoder *ldr_codec_decoder_of(ldr_ftype t, bool array) {
  return array && t != LDR_F_UNKNOWN ? NULL : codecs[t].decode;
}

void ldr_codec_encode(ldr_ftype t, const ldr_value *v, ldr_buf *out) {
  if (v->type == LDR_T_ARRAY && t != LDR_F_UNKNOWN)
    write_bytes(v, out);
  else
    codecs[t].encode(v, out);
}

typedef void writer(ldr_ftype t, const ldr_value *v, ldr_buf *out);

static void framed(writer *write, ldr_ftype t, const ldr_value *v, ldr_buf *out) {
  size_t at = out->n;
  ldr_buf_be32(out, UINT32_MAX);
  if (v->type == LDR_T_NULL) return;
  write(t, v, out);
  if (out->n - at - 4 > INT32_MAX) out->broken = true; /* a wrapped length would be somebody else's bytes */
  ldr_buf_patch32(out, at, (uint32_t)(out->n - at - 4));
}

static void frame_bytes(const ldr_value *v, ldr_buf *out) {
  if (v->n > INT32_MAX) out->broken = true;
  if (!ldr_buf_reserve(out, (size_t)v->n + 4)) return;
  ldr_put_be32(out->p + out->n, v->n);
  if (v->n) memcpy(out->p + out->n + 4, v->u.p, v->n);
  out->n += (size_t)v->n + 4;
}

static void frame_int8(const ldr_value *v, ldr_buf *out) {
  if (!ldr_buf_reserve(out, 12)) return;
  ldr_put_be32(out->p + out->n, 8);
  ldr_put_be64(out->p + out->n + 4, (uint64_t)v->u.i);
  out->n += 12;
}

/* Bytes as they are and counts, which nearly all values are, are written at once with their length. */
void ldr_codec_encode_framed(ldr_ftype t, const ldr_value *v, ldr_buf *out) {
  encoder *encode = codecs[t].encode;
  if (v->type == LDR_T_TEXT ? encode == ldr_codec_text : encode == write_bytes && v->type != LDR_T_NULL)
    frame_bytes(v, out);
  else if (encode == write_int8 && ldr_type_counts(v->type))
    frame_int8(v, out);
  else
    framed(ldr_codec_encode, t, v, out);
}

static void write_element(ldr_ftype t, const ldr_value *v, ldr_buf *out) {
  if (v->type == LDR_T_ARRAY)
    ldr_codec_text(v, out);
  else
    ldr_codec_encode(t, v, out);
}

void ldr_codec_encode_list(ldr_ftype t, const ldr_value *v, size_t n, size_t stride, ldr_buf *out) {
  int32_t count = (int32_t)n;
  bool has_null = false;
  if (n > INT32_MAX) {
    out->broken = true;
    return;
  }
  for (size_t i = 0; i < n && !has_null; i++) has_null = v[i * stride].type == LDR_T_NULL;
  ldr_array_begin(out, t, n ? 1 : 0, &count, has_null);
  for (size_t i = 0; i < n; i++) framed(write_element, t, &v[i * stride], out);
}

/* ---- text forms ---- */

static void float_text(double f, ldr_buf *out) {
  if (isnan(f))
    ldr_buf_str(out, "NaN");
  else if (isinf(f))
    ldr_buf_str(out, f > 0 ? "Infinity" : "-Infinity");
  else if (f == 0 && signbit(f))
    ldr_buf_str(out, "-0");
  else
    (void)ldr_json_add_float(out, f); /* false only for what is handled above */
}

static void uuid_text(const ldr_value *v, ldr_buf *out) {
  char text[37];
  ldr_uuid_format((const unsigned char *)v->u.p, text);
  ldr_buf_str(out, text);
}

static void time_text(int64_t us, ldr_buf *out) {
  char text[LDR_TIME_TEXT];
  ldr_buf_add(out, text, ldr_time_format(us, text));
}

static void datetime_text(const ldr_value *v, ldr_buf *out) {
  char text[LDR_DATETIME_TEXT];
  ldr_buf_add(out, text, ldr_codec_datetime(v, text));
}

size_t ldr_codec_datetime(const ldr_value *v, char out[LDR_DATETIME_TEXT]) {
  ldr_interval interval;
  switch (v->type) {
    case LDR_T_DATE: return ldr_date_format(v->u.i, out);
    case LDR_T_CLOCK: return ldr_clock_format(v->u.i, out);
    case LDR_T_INTERVAL: ldr_interval_read(v->u.p, &interval); return ldr_interval_format(&interval, out);
    default: return ldr_timestamp_format(v->u.i, out);
  }
}

size_t ldr_codec_network(const ldr_value *v, char out[LDR_NETWORK_TEXT]) {
  return v->type == LDR_T_INET ? ldr_inet_format(v->u.p, out) : ldr_macaddr_format(v->u.p, v->n, out);
}

static void network_text(const ldr_value *v, ldr_buf *out) {
  char text[LDR_NETWORK_TEXT];
  ldr_buf_add(out, text, ldr_codec_network(v, text));
}

void ldr_codec_quote(ldr_buf *out, const char *s, size_t n) {
  ldr_buf_chr(out, '"');
  for (size_t i = 0; i < n; i++) {
    if (s[i] == '"' || s[i] == '\\') ldr_buf_chr(out, '\\');
    ldr_buf_chr(out, s[i]);
  }
  ldr_buf_chr(out, '"');
}

/* text: reused for each element. */
static bool add_element(ldr_array_reader *r, ldr_buf *text, ldr_buf *scratch, ldr_buf *out) {
  ldr_value v;
  const char *p;
  int32_t n;
  if (!ldr_array_next(r, &p, &n)) return false;
  if (n < 0) {
    ldr_buf_str(out, "NULL");
    return true;
  }
  ldr_buf_reset(text);
  ldr_buf_reset(scratch);
  if (!ldr_codec_decode(r->elem, false, p, (size_t)n, scratch, &v)) return false;
  ldr_codec_text(&v, text);
  if (text->broken) return false;
  ldr_codec_quote(out, text->p, text->n);
  return true;
}

/* '{', '}' stand where a row of a dimension begins or ends: before the element whose number is a multiple of
 * the row's size, and after it. */
static void add_braces(ldr_buf *out, const ldr_array_reader *r, size_t number, char brace) {
  size_t row = 1;
  for (int d = r->ndim - 1; d >= 0; d--) {
    row *= (size_t)r->dims[d];
    if (number % row != 0) return;
    ldr_buf_chr(out, brace);
  }
}

/* "[0:1]=": only in front of an array that does not begin at 1 throughout. The bounds stand behind the three
 * words of the header, each behind its dimension's size. */
static void add_bounds(ldr_buf *out, const ldr_array_reader *r, const ldr_value *v) {
  const char *bounds = v->u.p + 12;
  bool plain = true;
  for (int d = 0; d < r->ndim; d++) plain = plain && ldr_be32(bounds + 8 * d + 4) == 1;
  if (plain) return;
  for (int d = 0; d < r->ndim; d++) {
    int64_t lower = (int32_t)ldr_be32(bounds + 8 * d + 4);
    ldr_buf_fmt(out, "[%lld:%lld]", (long long)lower, (long long)(lower + r->dims[d] - 1));
  }
  ldr_buf_chr(out, '=');
}

static void array_text(const ldr_value *v, ldr_buf *out) {
  ldr_buf text = {0}, scratch = {0};
  ldr_array_reader r;
  if (!ldr_array_read(&r, v->u.p, v->n)) {
    out->broken = true;
    return;
  }
  if (r.count == 0)
    ldr_buf_str(out, "{}");
  else
    add_bounds(out, &r, v);
  for (size_t i = 0; i < r.count; i++) {
    if (i) ldr_buf_chr(out, ',');
    add_braces(out, &r, i, '{');
    if (!add_element(&r, &text, &scratch, out)) out->broken = true;
    add_braces(out, &r, i + 1, '}');
  }
  ldr_buf_free(&text);
  ldr_buf_free(&scratch);
}

void ldr_codec_text(const ldr_value *v, ldr_buf *out) {
  switch (v->type) {
    case LDR_T_NULL: break;
    case LDR_T_BOOL: ldr_buf_chr(out, v->u.b ? 't' : 'f'); break;
    case LDR_T_INT: ldr_json_add_int(out, v->u.i); break;
    case LDR_T_FLOAT: float_text(v->u.f, out); break;
    case LDR_T_BYTES:
      ldr_buf_str(out, "\\x");
      ldr_hex_add(out, v->u.p, v->n);
      break;
    case LDR_T_UUID: uuid_text(v, out); break;
    case LDR_T_TIME: time_text(v->u.i, out); break;
    case LDR_T_DATE:
    case LDR_T_TIMESTAMP:
    case LDR_T_CLOCK:
    case LDR_T_INTERVAL: datetime_text(v, out); break;
    case LDR_T_ENUM: write_enum(v, out); break;
    case LDR_T_INET:
    case LDR_T_MACADDR: network_text(v, out); break;
    case LDR_T_BITS: ldr_bits_format(v->u.p, out); break;
    case LDR_T_RANGE: ldr_range_format(v->u.p, v->n, out); break;
    case LDR_T_ARRAY: array_text(v, out); break;
    case LDR_T_NUMERIC:
    case LDR_T_TEXT:
    case LDR_T_CHAR:
    case LDR_T_JSON: write_bytes(v, out); break;
  }
}

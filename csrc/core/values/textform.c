#include "values/textform.h"

#include <math.h>
#include <string.h>

#include "base/text.h"
#include "values/bits.h"
#include "values/codec.h"
#include "values/datetime.h"
#include "values/json.h"
#include "values/network.h"
#include "values/time.h"

/* ---- scalars ---- */

static bool text_int(const char *p, size_t n, ldr_value *out) {
  bool negative = n > 0 && *p == '-';
  uint64_t v = 0, max = (uint64_t)INT64_MAX + negative;
  if (n == negative) return false;
  for (size_t i = negative; i < n; i++) {
    unsigned digit = (unsigned char)p[i] - (unsigned)'0';
    if (digit > 9 || v > (max - digit) / 10) return false;
    v = v * 10 + digit;
  }
  *out = ldr_int((int64_t)(negative ? 0 - v : v));
  return true;
}

static bool text_float(ldr_ftype t, const char *p, size_t n, ldr_value *out) {
  double f;
  if (!ldr_json_read_double(p, n, &f)) return false;
  if (t == LDR_F_FLOAT4 && isfinite(f) && !isfinite((float)f)) return false; /* no real is printed so */
  *out = ldr_float(f);
  ldr_value_round(t, out);
  return true;
}

static bool text_time(const char *p, size_t n, ldr_value *out) {
  int64_t us;
  if (!ldr_time_parse(p, n, &us)) return false;
  *out = ldr_time(us);
  return true;
}

static bool text_count(ldr_type type, bool (*parse)(const char *, size_t, int64_t *), const char *p, size_t n,
                       ldr_value *out) {
  int64_t i;
  if (!parse(p, n, &i)) return false;
  *out = ldr_counted(type, i);
  return true;
}

static bool text_interval(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  ldr_interval v;
  char *to;
  if (!ldr_interval_parse(p, n, &v) || !ldr_buf_reserve(scratch, LDR_INTERVAL_WIRE)) return false;
  to = scratch->p + scratch->n;
  ldr_interval_write(&v, to);
  scratch->n += LDR_INTERVAL_WIRE;
  *out = ldr_bytes_of(LDR_T_INTERVAL, to, LDR_INTERVAL_WIRE);
  return true;
}

static bool text_bytes(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  char *to;
  if (n < 2 || p[0] != '\\' || p[1] != 'x' || n % 2 || !ldr_buf_reserve(scratch, n)) return false;
  to = scratch->p + scratch->n;
  if (!ldr_hex_decode((unsigned char *)to, p + 2, n - 2)) return false;
  scratch->n += (n - 2) / 2;
  *out = ldr_bytes_of(LDR_T_BYTES, to, (n - 2) / 2);
  return true;
}

static bool text_uuid(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  char *to;
  if (!ldr_buf_reserve(scratch, 16)) return false;
  to = scratch->p + scratch->n;
  if (!ldr_uuid_parse(p, n, (unsigned char *)to)) return false;
  scratch->n += 16;
  *out = ldr_bytes_of(LDR_T_UUID, to, 16);
  return true;
}

/* Room for `size` bytes at the end of scratch; they count once they are added to scratch->n. */
static char *room(ldr_buf *scratch, size_t size) {
  return ldr_buf_reserve(scratch, size) ? scratch->p + scratch->n : NULL;
}

static bool text_inet(ldr_ftype t, const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  char *to = room(scratch, LDR_INET_MAX);
  size_t size = to ? ldr_inet_parse(p, n, t == LDR_F_CIDR, to) : 0;
  scratch->n += size;
  *out = ldr_bytes_of(LDR_T_INET, to, size);
  return size > 0;
}

static bool text_macaddr(ldr_ftype t, const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  size_t size = t == LDR_F_MACADDR8 ? LDR_MACADDR8 : LDR_MACADDR;
  char *to = room(scratch, size);
  if (to == NULL || !ldr_macaddr_parse(p, n, size, to)) return false;
  scratch->n += size;
  *out = ldr_bytes_of(LDR_T_MACADDR, to, size);
  return true;
}

static bool text_bits(const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  size_t from = scratch->n;
  if (!ldr_bits_parse(p, n, scratch)) return false;
  *out = ldr_bytes_of(LDR_T_BITS, scratch->p + from, scratch->n - from);
  return true;
}

static bool text_range(ldr_ftype t, const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  size_t from = scratch->n;
  if (ldr_range_parse(ldr_ftype_range_kind(t), p, n, scratch) != NULL || scratch->broken) return false;
  *out = ldr_bytes_of(LDR_T_RANGE, scratch->p + from, scratch->n - from);
  return true;
}

static bool fits(ldr_ftype t, int64_t i) {
  if (t == LDR_F_INT2) return i >= INT16_MIN && i <= INT16_MAX;
  return t != LDR_F_INT4 || (i >= INT32_MIN && i <= INT32_MAX);
}

static bool scalar(ldr_ftype t, const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  ldr_type type = ldr_ftype_get(t)->type;
  switch (type) {
    case LDR_T_BOOL: *out = ldr_bool(n == 1 && *p == 't'); return n == 1 && (*p == 't' || *p == 'f');
    case LDR_T_INT: return text_int(p, n, out) && fits(t, out->u.i);
    case LDR_T_FLOAT: return text_float(t, p, n, out);
    case LDR_T_TIME: return text_time(p, n, out);
    case LDR_T_BYTES: return text_bytes(p, n, scratch, out);
    case LDR_T_UUID: return text_uuid(p, n, scratch, out);
    case LDR_T_DATE: return text_count(type, ldr_date_parse, p, n, out);
    case LDR_T_TIMESTAMP: return text_count(type, ldr_timestamp_parse, p, n, out);
    case LDR_T_CLOCK: return text_count(type, ldr_clock_parse, p, n, out);
    case LDR_T_INTERVAL: return text_interval(p, n, scratch, out);
    case LDR_T_INET: return text_inet(t, p, n, scratch, out);
    case LDR_T_MACADDR: return text_macaddr(t, p, n, scratch, out);
    case LDR_T_BITS: return text_bits(p, n, scratch, out);
    case LDR_T_RANGE: return text_range(t, p, n, scratch, out);
    case LDR_T_NUMERIC:
    case LDR_T_CHAR:
    case LDR_T_JSON: *out = ldr_bytes_of(type, p, n); return true;
    default: *out = ldr_text(p, n); return true;
  }
}

/* ---- arrays: [0:1]={{a,"b c"},{NULL,"\"d\""}} ---- */

enum { MAX_DIM = 6 };

typedef struct literal {
  const char *p, *end;
  ldr_ftype elem;
  int ndim, nbounds; /* dimensions; bounds that are written in front: none, or one for each */
  int32_t dims[MAX_DIM], lower[MAX_DIM], upper[MAX_DIM];
  bool has_null;
  ldr_buf body, token, scratch;
} literal;

static bool at(const literal *l, char c) { return l->p < l->end && *l->p == c; }

static bool take(literal *l, char c) {
  if (!at(l, c)) return false;
  l->p++;
  return true;
}

static bool number(literal *l, int32_t *out) {
  const char *from = l->p;
  ldr_value v;
  while (l->p < l->end && (*l->p == '-' || (*l->p >= '0' && *l->p <= '9'))) l->p++;
  if (!text_int(from, (size_t)(l->p - from), &v) || v.u.i < INT32_MIN || v.u.i > INT32_MAX) return false;
  *out = (int32_t)v.u.i;
  return true;
}

static bool bounds(literal *l) {
  while (take(l, '[')) {
    int d = l->nbounds++;
    if (d == MAX_DIM || !number(l, &l->lower[d]) || !take(l, ':') || !number(l, &l->upper[d]) ||
        !take(l, ']'))
      return false;
  }
  return l->nbounds == 0 || take(l, '=');
}

/* Are the bounds those of the elements that came? */
static bool bounds_fit(const literal *l) {
  for (int d = 0; d < l->nbounds; d++)
    if (d >= l->ndim || (int64_t)l->upper[d] - l->lower[d] + 1 != l->dims[d]) return false;
  return l->nbounds == 0 || l->nbounds == l->ndim;
}

/* One element's text into token; *quoted: it cannot stand for a null. */
static bool read_token(literal *l, bool *quoted) {
  ldr_buf_reset(&l->token);
  *quoted = take(l, '"');
  while (l->p < l->end && (*quoted ? *l->p != '"' : *l->p != ',' && *l->p != '}')) {
    if (*l->p == '\\' && ++l->p == l->end) return false;
    ldr_buf_chr(&l->token, *l->p++);
  }
  return *quoted ? take(l, '"') : l->token.n > 0;
}

static bool element(literal *l) {
  bool quoted;
  ldr_value v = ldr_null();
  if (!read_token(l, &quoted) || l->token.broken) return false;
  if (!quoted && l->token.n == 4 && memcmp(l->token.p, "NULL", 4) == 0) {
    l->has_null = true;
  } else {
    ldr_buf_reset(&l->scratch);
    if (!scalar(l->elem, l->token.n ? l->token.p : "", l->token.n, &l->scratch, &v)) return false;
  }
  ldr_codec_encode_framed(l->elem, &v, &l->body);
  return !l->body.broken;
}

static bool level(literal *l, int dim) {
  int32_t count = 0;
  if (dim == MAX_DIM || !take(l, '{')) return false;
  if (dim == 0 && take(l, '}')) return true; /* the empty array has no dimension */
  if (dim == l->ndim) {
    if (l->body.n) return false; /* deeper than the elements that came before */
    l->dims[l->ndim++] = -1;
  }
  do {
    bool ok = at(l, '{') ? level(l, dim + 1) : dim + 1 == l->ndim && element(l);
    if (!ok) return false;
    count++;
  } while (take(l, ','));
  if (l->dims[dim] != -1 && l->dims[dim] != count) return false;
  l->dims[dim] = count;
  return take(l, '}');
}

static bool build(literal *l, ldr_buf *out, ldr_value *v) {
  size_t start = out->n;
  ldr_array_begin(out, l->elem, l->ndim, l->dims, l->has_null);
  for (int d = 0; d < l->nbounds && !out->broken; d++)
    ldr_buf_patch32(out, start + 12 + 8 * (size_t)d + 4, (uint32_t)l->lower[d]);
  if (l->body.n) ldr_buf_add(out, l->body.p, l->body.n);
  if (out->broken || out->n - start > UINT32_MAX) return false;
  *v = ldr_bytes_of(LDR_T_ARRAY, out->p + start, out->n - start);
  return true;
}

/* A tsvector is read only: nothing makes its binary form of a text. */
static bool has_text_elements(ldr_ftype elem) { return elem == LDR_F_UNKNOWN || elem == LDR_F_TSVECTOR; }

static bool array(ldr_ftype elem, const char *p, size_t n, ldr_buf *scratch, ldr_value *out) {
  literal l = {.p = p, .end = p + n, .elem = has_text_elements(elem) ? LDR_F_TEXT : elem};
  bool ok = bounds(&l) && level(&l, 0) && l.p == l.end && bounds_fit(&l) && build(&l, scratch, out);
  if (l.body.broken || l.token.broken || l.scratch.broken) scratch->broken = true;
  ldr_buf_free(&l.body);
  ldr_buf_free(&l.token);
  ldr_buf_free(&l.scratch);
  return ok;
}

bool ldr_textform_decode(ldr_ftype t, bool is_array, const char *p, size_t n, ldr_buf *scratch,
                         ldr_value *out) {
  if (n > UINT32_MAX) return false;
  return is_array ? array(t, p, n, scratch, out) : scalar(t, p, n, scratch, out);
}

/* All built-in array types but those that have a decoder, and box[], which has semicolons. */
bool ldr_textform_is_array(uint32_t oid) {
  static const uint16_t arrays[] = {
      1006, 1008, 1010, 1011, 1012, 1013, 1017, 1018, 1019, 1027, 1028, 629,  143,  719,
      791,  1034, 1270, 2201, 2207, 2208, 2209, 2210, 2211, 2949, 3221, 3643, 3644, 3645,
      3735, 3770, 4073, 4090, 4097, 4192, 5039, 6150, 6151, 6152, 6153, 6155, 6157,
  };
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
    if (arrays[i] == oid) return true;
  return false;
}

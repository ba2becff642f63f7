#include "lua/values/scalar.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "lua/base/int.h"
#include "lua/base/state.h"
#include "lua/base/table.h"
#include "lua/values/decimal.h"
#include "values/bits.h"
#include "values/codec.h"
#include "values/datetime.h"
#include "values/network.h"
#include "values/numeric.h"
#include "values/time.h"
#include "values/typecheck.h"

ldr_column l_column_of(const ldr_field *f) {
  return (ldr_column){f->name, f->type, f->array, f->places, f->places ? f->nenums : 0};
}

/* ---- Lua → value: one function a type ---- */

typedef ldr_code reader(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out);

static ldr_code fault(l_work *w, const ldr_column *c, const char *text) {
  return ldr_fail_field(&w->err, c->name, "%s", text);
}

/* The bytes as a value of type t, in the arena or where they are. */
static ldr_code bytes(l_work *w, const ldr_column *c, ldr_type t, const char *s, size_t n, bool copy,
                      ldr_value *out) {
  if (n > INT32_MAX) return fault(w, c, "is too long");
  if (copy) {
    s = ldr_arena_copy(&w->arena, s, n);
    if (s == NULL) return ldr_fail_nomem(&w->err);
  }
  *out = ldr_bytes_of(t, s, n);
  return LDR_OK;
}

static ldr_code read_bool(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  if (lua_type(L, idx) != LUA_TBOOLEAN) return fault(w, c, "must be a boolean");
  *out = ldr_bool(lua_toboolean(L, idx));
  return LDR_OK;
}

static ldr_code read_int(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  int64_t i;
  if (!l_int_get(L, idx, &i)) return fault(w, c, "must be an integer");
  *out = ldr_int(i);
  return LDR_OK;
}

static ldr_code read_float(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  int64_t i;
  if (lua_type(L, idx) == LUA_TNUMBER)
    *out = ldr_float(lua_tonumber(L, idx));
  else if (lua_type(L, idx) == L_CDATA && l_int_get(L, idx, &i))
    *out = ldr_float((double)i);
  else
    return fault(w, c, "must be a number");
  ldr_value_round(c->type, out);
  return LDR_OK;
}

/* The shortest text that reads back as the same double, whatever the locale has for a point. */
static void add_float(double f, ldr_buf *out) {
  ldr_value v = ldr_float(f);
  ldr_codec_text(&v, out);
  if (!out->broken && out->n > 2 && memcmp(out->p + out->n - 2, ".0", 2) == 0) out->n -= 2;
}

/* Appends the text of a number or 64-bit cdata, which nothing need be quoted in; false: it is neither. */
static bool add_number(lua_State *L, int idx, ldr_buf *out) {
  int64_t i;
  if (lua_isinteger(L, idx) || lua_type(L, idx) == L_CDATA) {
    if (!l_int_get(L, idx, &i)) return false;
    ldr_buf_fmt(out, "%" PRId64, i);
    return true;
  }
  if (lua_type(L, idx) != LUA_TNUMBER) return false;
  add_float(lua_tonumber(L, idx), out);
  return true;
}

static ldr_code read_numeric(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  char text[40]; /* no number's is as long */
  const char *s = text;
  size_t n;
  ldr_buf_reset(&w->buf);
  if (l_decimal_text(L, idx)) {
    s = lua_tolstring(L, -1, &n);
    lua_pop(L, 1); /* the decimal holds it */
  } else if (lua_type(L, idx) == LUA_TSTRING)
    s = lua_tolstring(L, idx, &n);
  else if (add_number(L, idx, &w->buf))
    n = w->buf.n;
  else
    return fault(w, c, "must be a number");
  if (w->buf.broken) return ldr_fail_nomem(&w->err);
  if (s == text) memcpy(text, w->buf.p, n);
  ldr_buf_reset(&w->buf);
  if (!ldr_numeric_normal(s, n, &w->buf)) {
    if (w->buf.broken) return ldr_fail_nomem(&w->err);
    return fault(w, c,
                 memchr(s, 'e', n) ? "must be a number; an exponent stands for at most 1000 digits"
                                   : "must be a number");
  }
  if (w->buf.broken) return ldr_fail_nomem(&w->err);
  return bytes(w, c, LDR_T_NUMERIC, w->buf.p, w->buf.n, true, out);
}

static ldr_code read_text(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  size_t n;
  const char *s;
  if (lua_type(L, idx) != LUA_TSTRING) return fault(w, c, "must be text");
  s = lua_tolstring(L, idx, &n);
  return bytes(w, c, LDR_T_TEXT, s, n, w->copy, out);
}

static ldr_code read_bytea(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  size_t n;
  const char *s;
  if (lua_type(L, idx) != LUA_TSTRING) return fault(w, c, "must be a string of bytes");
  s = lua_tolstring(L, idx, &n);
  return bytes(w, c, LDR_T_BYTES, s, n, w->copy, out);
}

static ldr_code read_uuid(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  unsigned char id[16];
  bool text = lua_type(L, idx) == LUA_TSTRING;
  if (!text || !ldr_uuid_parse(lua_tostring(L, idx), lua_rawlen(L, idx), id))
    return fault(w, c, "must be a uuid");
  return bytes(w, c, LDR_T_UUID, (const char *)id, sizeof id, true, out);
}

static ldr_code read_time(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  int64_t us;
  if (!l_time_get(L, idx, &us))
    return fault(w, c,
                 "must be a time: RFC 3339 text such as 2026-01-02T03:04:05Z (with its offset), or seconds "
                 "since 1970");
  *out = ldr_time(us);
  return LDR_OK;
}

/* A value that was read as text: JSON's null, which no Lua value is when a field is written, and numbers and
 * members exactly as they were spelt. */
static ldr_code read_json_text(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  ldr_code code;
  lua_pushvalue(L, idx);
  lua_pushliteral(L, "text");
  lua_rawget(L, -2);
  if (lua_type(L, -1) != LUA_TSTRING) {
    lua_pop(L, 2);
    return fault(w, c, "must be JSON");
  }
  code = bytes(w, c, LDR_T_JSON, lua_tostring(L, -1), lua_rawlen(L, -1), true, out);
  lua_pop(L, 2);
  return code == LDR_OK ? ldr_typecheck(c->name, c->type, false, out, &w->err) : code;
}

/* A text that one of the parsers takes. */
static ldr_code read_count(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out,
                           bool (*parse)(const char *, size_t, int64_t *), const char *what) {
  int64_t i;
  if (lua_type(L, idx) != LUA_TSTRING || !parse(lua_tostring(L, idx), lua_rawlen(L, idx), &i))
    return fault(w, c, what);
  *out = ldr_counted(ldr_ftype_get(c->type)->type, i);
  return LDR_OK;
}

static ldr_code read_date(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  return read_count(L, idx, c, w, out, ldr_date_parse, "must be a date that there is, such as 2026-01-31");
}

static ldr_code read_timestamp(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  return read_count(L, idx, c, w, out, ldr_timestamp_parse,
                    "must be a timestamp without an offset, such as 2026-01-31T03:04:05");
}

static ldr_code read_clock(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  return read_count(L, idx, c, w, out, ldr_clock_parse, "must be a time of day, such as 03:04:05");
}

/* A number is seconds, as every number that stands for time. */
static bool interval_of(lua_State *L, int idx, ldr_interval *out) {
  double f;
  *out = (ldr_interval){0};
  if (lua_type(L, idx) == LUA_TSTRING)
    return ldr_interval_parse(lua_tostring(L, idx), lua_rawlen(L, idx), out);
  if (lua_type(L, idx) != LUA_TNUMBER) return false;
  f = lua_tonumber(L, idx);
  if (!(f >= -9.2e12 && f <= 9.2e12)) return false; /* NaN, too */
  out->us = (int64_t)(f * 1e6 + (f < 0 ? -0.5 : 0.5));
  return true;
}

static ldr_code read_interval(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  char wire[LDR_INTERVAL_WIRE];
  ldr_interval v;
  if (!interval_of(L, idx, &v))
    return fault(w, c, "must be an interval, such as P1DT2H30M or 1 day 02:30:00, or seconds");
  ldr_interval_write(&v, wire);
  return bytes(w, c, LDR_T_INTERVAL, wire, sizeof wire, true, out);
}

static ldr_code read_inet(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  char inet[LDR_INET_MAX];
  bool cidr = c->type == LDR_F_CIDR;
  size_t n = 0;
  if (lua_type(L, idx) == LUA_TSTRING)
    n = ldr_inet_parse(lua_tostring(L, idx), lua_rawlen(L, idx), cidr, inet);
  if (n == 0)
    return fault(w, c,
                 cidr ? "must be a network, such as 10.1.0.0/16, with nothing to the right of its bits"
                      : "must be an address, such as 10.1.2.3, 10.1.2.3/16 or ::1");
  return bytes(w, c, LDR_T_INET, inet, n, true, out);
}

static ldr_code read_macaddr(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  char mac[LDR_MACADDR8];
  size_t size = c->type == LDR_F_MACADDR8 ? LDR_MACADDR8 : LDR_MACADDR;
  if (lua_type(L, idx) != LUA_TSTRING ||
      !ldr_macaddr_parse(lua_tostring(L, idx), lua_rawlen(L, idx), size, mac))
    return fault(w, c,
                 size == LDR_MACADDR ? "must be a MAC address, such as 08:00:2b:01:02:03"
                                     : "must be a MAC address, such as 08:00:2b:01:02:03:04:05");
  return bytes(w, c, LDR_T_MACADDR, mac, size, true, out);
}

static ldr_code read_bits(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  ldr_buf_reset(&w->buf);
  if (lua_type(L, idx) != LUA_TSTRING || !ldr_bits_parse(lua_tostring(L, idx), lua_rawlen(L, idx), &w->buf))
    return w->buf.broken ? ldr_fail_nomem(&w->err) : fault(w, c, "must be a text of 0 and 1, such as 0101");
  return bytes(w, c, LDR_T_BITS, w->buf.p, w->buf.n, true, out);
}

/* From its text; a table is read by lua/values/range.c. */
static ldr_code read_range(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  const char *why;
  if (lua_type(L, idx) != LUA_TSTRING)
    return fault(w, c, "must be a range: a text such as [1,5), or { lower = 1, upper = 5 }");
  ldr_buf_reset(&w->buf);
  why = ldr_range_parse(ldr_ftype_range_kind(c->type), lua_tostring(L, idx), lua_rawlen(L, idx), &w->buf);
  if (w->buf.broken) return ldr_fail_nomem(&w->err);
  return why ? fault(w, c, why) : bytes(w, c, LDR_T_RANGE, w->buf.p, w->buf.n, true, out);
}

/* Which labels there are, the message of a row says; a condition's is as short as others. */
static ldr_code read_enum(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  const ldr_value *found = NULL;
  size_t n;
  const char *s;
  char list[160] = "";
  if (lua_type(L, idx) == LUA_TSTRING) {
    s = lua_tolstring(L, idx, &n);
    found = ldr_enum_find(c->labels, c->nlabels, s, n);
  }
  if (found) {
    *out = *found;
    return LDR_OK;
  }
  for (unsigned i = 0; i < c->nlabels && strlen(list) + c->labels[i].n + 4 < sizeof list; i++)
    snprintf(list + strlen(list), sizeof list - strlen(list), "%s%.*s", i ? ", " : "",
             (int)c->labels[i].n - LDR_ENUM_HEAD, c->labels[i].u.p + LDR_ENUM_HEAD);
  return ldr_fail_field(&w->err, c->name, "must be one of %s", list);
}

static ldr_code read_char(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  ldr_code code = read_text(L, idx, c, w, out);
  if (code == LDR_OK) out->type = LDR_T_CHAR;
  return code;
}

/* Where a copy is wanted (l_slots), the first document's is made with its text. Sets *copied when it was. */
static const char *encode_json(lua_State *L, int idx, l_work *w, bool *copied) {
  const l_slots *at = l_at(w);
  const char *why;
  *copied = false;
  if (at->copy == 0 || at->copied) return l_json_encode(L, idx, &w->buf);
  why = l_json_encode_copy(L, idx, &w->buf, l_array_mark(L, w));
  if (why) return why;
  *copied = !lua_isnil(L, -1);
  lua_replace(L, at->copy);
  return NULL;
}

static ldr_code read_json(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  const char *why;
  bool copied;
  ldr_code code;
  if (lua_type(L, idx) == LUA_TTABLE && l_has_mt(L, idx, L_JSON_TEXT_MT))
    return read_json_text(L, idx, c, w, out);
  ldr_buf_reset(&w->buf);
  why = encode_json(L, idx, w, &copied);
  if (why) return fault(w, c, why);
  if (w->buf.broken) return ldr_fail_nomem(&w->err);
  code = bytes(w, c, LDR_T_JSON, w->buf.p, w->buf.n, true, out);
  if (code == LDR_OK && copied) w->at->copied = out->u.p;
  return code;
}

/* Appends the element at the top of the stack to an array's literal. */
static bool add_to_literal(lua_State *L, ldr_buf *out);

/* {"a","b c",NULL}: a list for an array whose type larder does not know. */
static bool add_literal(lua_State *L, int idx, ldr_buf *out) {
  long n = l_sequence(L, idx);
  if (n < 0 || !lua_checkstack(L, 8)) return false;
  ldr_buf_chr(out, '{');
  for (long i = 1; i <= n; i++) {
    bool ok;
    if (i > 1) ldr_buf_chr(out, ',');
    lua_rawgeti(L, idx, (int)i);
    ok = add_to_literal(L, out);
    lua_pop(L, 1);
    if (!ok) return false;
  }
  ldr_buf_chr(out, '}');
  return true;
}

static bool add_to_literal(lua_State *L, ldr_buf *out) {
  int idx = lua_gettop(L);
  const char *s;
  size_t n;
  if (l_is_null(L, idx)) {
    ldr_buf_str(out, "NULL");
    return true;
  }
  if (lua_type(L, idx) == LUA_TTABLE && !l_has_mt(L, idx, L_DECIMAL_MT)) return add_literal(L, idx, out);
  if (lua_type(L, idx) == LUA_TBOOLEAN)
    s = lua_toboolean(L, idx) ? "true" : "false";
  else if (l_decimal_text(L, idx)) {
    s = lua_tostring(L, -1);
    lua_pop(L, 1);
  } else if (lua_type(L, idx) == LUA_TSTRING)
    s = lua_tostring(L, idx);
  else
    return add_number(L, idx, out);
  n = lua_type(L, idx) == LUA_TSTRING ? lua_rawlen(L, idx) : strlen(s);
  ldr_codec_quote(out, s, n);
  return true;
}

static ldr_code read_list(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  ldr_buf_reset(&w->buf);
  luaL_checkstack(L, 8, NULL);
  if (!add_literal(L, lua_absindex(L, idx), &w->buf))
    return fault(w, c, "must be a list of texts, numbers, booleans and larder.null");
  if (w->buf.broken) return ldr_fail_nomem(&w->err);
  return bytes(w, c, LDR_T_TEXT, w->buf.p, w->buf.n, true, out);
}

/* A type that larder does not know travels as the text PostgreSQL reads. */
static ldr_code read_unknown(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  if (lua_type(L, idx) == LUA_TSTRING) return read_text(L, idx, c, w, out);
  if (l_decimal_text(L, idx)) {
    ldr_code code = read_text(L, lua_gettop(L), c, w, out);
    lua_pop(L, 1); /* the decimal holds it */
    return code;
  }
  if (lua_type(L, idx) == LUA_TTABLE || l_marked_array(L, idx)) return read_list(L, idx, c, w, out);
  ldr_buf_reset(&w->buf);
  if (lua_type(L, idx) == LUA_TBOOLEAN)
    ldr_buf_str(&w->buf, lua_toboolean(L, idx) ? "true" : "false");
  else if (!add_number(L, idx, &w->buf))
    return fault(w, c, "must be text, a number, a boolean or a list");
  if (w->buf.broken) return ldr_fail_nomem(&w->err);
  return bytes(w, c, LDR_T_TEXT, w->buf.p, w->buf.n, true, out);
}

static reader *const readers[LDR_NFTYPES] = {
    [LDR_F_BOOL] = read_bool,       [LDR_F_INT2] = read_int,          [LDR_F_INT4] = read_int,
    [LDR_F_INT8] = read_int,        [LDR_F_FLOAT4] = read_float,      [LDR_F_FLOAT8] = read_float,
    [LDR_F_NUMERIC] = read_numeric, [LDR_F_TEXT] = read_text,         [LDR_F_BYTEA] = read_bytea,
    [LDR_F_UUID] = read_uuid,       [LDR_F_TIMESTAMPTZ] = read_time,  [LDR_F_JSON] = read_json,
    [LDR_F_JSONB] = read_json,      [LDR_F_DATE] = read_date,         [LDR_F_TIMESTAMP] = read_timestamp,
    [LDR_F_TIME] = read_clock,      [LDR_F_INTERVAL] = read_interval, [LDR_F_VARCHAR] = read_text,
    [LDR_F_CHAR] = read_char,       [LDR_F_ENUM] = read_enum,         [LDR_F_INET] = read_inet,
    [LDR_F_CIDR] = read_inet,       [LDR_F_MACADDR] = read_macaddr,   [LDR_F_MACADDR8] = read_macaddr,
    [LDR_F_BIT] = read_bits,        [LDR_F_VARBIT] = read_bits,       [LDR_F_CITEXT] = read_text,
    [LDR_F_XML] = read_text,        [LDR_F_TSVECTOR] = read_text,     [LDR_F_UNKNOWN] = read_unknown,
    [LDR_F_INT4RANGE] = read_range, [LDR_F_INT8RANGE] = read_range,   [LDR_F_NUMRANGE] = read_range,
    [LDR_F_TSRANGE] = read_range,   [LDR_F_TSTZRANGE] = read_range,   [LDR_F_DATERANGE] = read_range,
};

ldr_code l_scalar_get(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  return readers[c->type](L, idx, c, w, out);
}

ldr_code l_scalar_operand(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  ldr_value v;
  ldr_code code;
  if (l_is_empty(L, idx)) return fault(w, c, "must not be null");
  code = readers[c->type](L, idx, c, w, &v);
  if (code != LDR_OK) return code;
  if (v.type != LDR_T_JSON) { /* which was made here, and well */
    code = ldr_typecheck(c->name, c->type, false, &v, &w->err);
    if (code != LDR_OK) return code;
    ldr_value_round(c->type, &v);
  }
  *out = v;
  return LDR_OK;
}

bool l_time_get(lua_State *L, int idx, int64_t *us) {
  int64_t s;
  if (lua_type(L, idx) == LUA_TSTRING) return ldr_time_parse(lua_tostring(L, idx), lua_rawlen(L, idx), us);
  if (l_int_get(L, idx, &s)) return ldr_time_from_int_seconds(s, us);
  return lua_type(L, idx) == LUA_TNUMBER && ldr_time_from_seconds(lua_tonumber(L, idx), us);
}

/* ---- value → Lua ---- */

int l_array_mark(lua_State *L, l_work *w) {
  if (lua_isnil(L, l_at(w)->array_mt)) {
    l_ref_push(L, L_ARRAY_MT);
    lua_replace(L, l_at(w)->array_mt);
  }
  return l_at(w)->array_mt;
}

/* The two stamps of a row are often one, and so are those of rows made together. */
static LDR_APART void push_time(lua_State *L, l_work *w, int64_t us) {
  if (w->time_length == 0 || w->time != us) {
    w->time = us;
    w->time_length = ldr_time_format(us, w->time_text);
  }
  l_memo_push(L, w->memo, w->time_text, w->time_length);
}

static LDR_APART void push_uuid(lua_State *L, const char *id) {
  char text[37];
  ldr_uuid_format((const unsigned char *)id, text);
  lua_pushlstring(L, text, 36);
}

static LDR_APART bool push_json(lua_State *L, l_work *w, const ldr_value *v) {
  l_json_decoder d;
  if (l_at(w)->copied && v->u.p == l_at(w)->copied) {
    if (w->memo) l_memo_skip(w->memo);
    lua_pushvalue(L, l_at(w)->copy);
    return true;
  }
  d.array_mt = l_array_mark(L, w);
  d.scratch = &w->buf;
  d.lenient = true;
  d.memo = w->memo;
  ldr_buf_reset(&w->buf);
  if (l_json_decode(L, &d, v->u.p, v->n)) return true;
  if (w->buf.broken)
    (void)!ldr_fail_nomem(&w->err);
  else
    ldr_fail(&w->err, LDR_UNSUPPORTED, "JSON in which %s", d.r.why ? d.r.why : "something is out of place");
  return false;
}

static LDR_APART void push_datetime(lua_State *L, const ldr_value *v) {
  char text[LDR_DATETIME_TEXT];
  lua_pushlstring(L, text, ldr_codec_datetime(v, text));
}

static LDR_APART void push_network(lua_State *L, const ldr_value *v) {
  char text[LDR_NETWORK_TEXT];
  lua_pushlstring(L, text, ldr_codec_network(v, text));
}

/* A text of any length. */
static LDR_APART bool push_text(lua_State *L, l_work *w, const ldr_value *v) {
  ldr_buf_reset(&w->buf);
  ldr_codec_text(v, &w->buf);
  if (w->buf.broken) {
    (void)!ldr_fail_nomem(&w->err);
    return false;
  }
  lua_pushlstring(L, w->buf.n ? w->buf.p : "", w->buf.n);
  return true;
}

bool l_scalar_push(lua_State *L, l_work *w, const ldr_value *v) {
  switch (v->type) {
    case LDR_T_NULL: lua_pushnil(L); return true;
    case LDR_T_BOOL: lua_pushboolean(L, v->u.b); return true;
    case LDR_T_INT: l_int_push(L, v->u.i); return true;
    case LDR_T_FLOAT: lua_pushnumber(L, v->u.f); return true;
    case LDR_T_NUMERIC:
    case LDR_T_TEXT:
    case LDR_T_CHAR:
    case LDR_T_BYTES: l_memo_push(L, w->memo, v->u.p, v->n); return true;
    case LDR_T_ENUM: lua_pushlstring(L, v->u.p + LDR_ENUM_HEAD, v->n - LDR_ENUM_HEAD); return true;
    case LDR_T_UUID: push_uuid(L, v->u.p); return true;
    case LDR_T_TIME: push_time(L, w, v->u.i); return true;
    case LDR_T_DATE:
    case LDR_T_TIMESTAMP:
    case LDR_T_CLOCK:
    case LDR_T_INTERVAL: push_datetime(L, v); return true;
    case LDR_T_INET:
    case LDR_T_MACADDR: push_network(L, v); return true;
    case LDR_T_BITS:
    case LDR_T_RANGE: return push_text(L, w, v);
    case LDR_T_JSON: return push_json(L, w, v);
    case LDR_T_ARRAY: break; /* no scalar */
  }
  ldr_fail(&w->err, LDR_INTERNAL, "a value of no known type");
  return false;
}

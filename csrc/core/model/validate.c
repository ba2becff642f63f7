#include "model/validate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "crypto/secret.h"
#include "values/bits.h"
#include "values/calendar.h"
#include "values/codec.h"
#include "values/datetime.h"
#include "values/numeric.h"
#include "values/time.h"
#include "values/typecheck.h"

/* ---- one value ---- */

/* "must be one of a, b, c"; a list too long for the message ends in "…". */
static ldr_code not_in_enum(const ldr_field *f, ldr_err *err) {
  char list[150];
  size_t n = 0, room = sizeof list - sizeof ", …";
  for (unsigned i = 0; i < f->nenums; i++) {
    const char *text = f->enums[i];
    if (strlen(text) + 2 > room - n) text = "…";
    n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", text);
    if (text != f->enums[i]) break;
  }
  return ldr_fail_field(err, f->name, "must be one of %s", list);
}

static ldr_code check_length(const ldr_field *f, size_t n, const char *unit, ldr_err *err) {
  if (n == 0 && f->min_len) return ldr_fail_field(err, f->name, "must not be empty");
  if (n < f->min_len) return ldr_fail_field(err, f->name, "is shorter than %u %s", f->min_len, unit);
  if (f->max_len && n > f->max_len)
    return ldr_fail_field(err, f->name, "is longer than %u %s", f->max_len, unit);
  return LDR_OK;
}

static ldr_code check_text(const ldr_field *f, const ldr_value *v, ldr_err *err) {
  if (f->min_len || f->max_len) {
    ldr_code code = check_length(f, ldr_utf8_length(v->u.p, v->n), "characters", err);
    if (code != LDR_OK) return code;
  }
  return ldr_field_in_enum(f, v->u.p, v->n) ? LDR_OK : not_in_enum(f, err);
}

/* As few digits as read back to the value; a real needs fewer than a double. */
static void shortest(bool is_real, double f, ldr_buf *out) {
  char t[40];
  if (!isfinite(f)) {
    ldr_buf_str(out, f < 0 ? "-Infinity" : "Infinity");
    return;
  }
  for (int precision = 1; precision <= 17; precision++) {
    snprintf(t, sizeof t, "%.*g", precision, f);
    if (is_real ? strtof(t, NULL) == (float)f : strtod(t, NULL) == f) break;
  }
  for (const char *p = t; *p; p++) /* whatever the locale has for a point */
    ldr_buf_chr(out, ldr_is_digit(*p) || *p == '-' || *p == '+' || *p == 'e' ? *p : '.');
}

void ldr_limit_text(const ldr_field *f, const ldr_value *limit, ldr_buf *out) {
  char text[LDR_TIME_TEXT];
  switch (limit->type) {
    case LDR_T_FLOAT: shortest(f->type == LDR_F_FLOAT4, limit->u.f, out); break;
    case LDR_T_TIME: ldr_buf_add(out, text, ldr_time_format(limit->u.i, text)); break;
    default: ldr_codec_text(limit, out);
  }
}

static ldr_code beyond(const ldr_field *f, bool top, ldr_err *err) {
  ldr_buf text = {0};
  const char *s;
  ldr_code code;
  ldr_limit_text(f, top ? &f->max : &f->min, &text);
  s = ldr_buf_cstr(&text);
  code =
      s ? ldr_fail_field(err, f->name, "must be at %s %s", top ? "most" : "least", s) : ldr_fail_nomem(err);
  ldr_buf_free(&text);
  return code;
}

ldr_code ldr_check_limits(const ldr_field *f, const ldr_value *v, ldr_err *err) {
  if (f->min.type != LDR_T_NULL && ldr_value_cmp(v, &f->min) < 0) return beyond(f, false, err);
  if (f->max.type != LDR_T_NULL && ldr_value_cmp(v, &f->max) > 0) return beyond(f, true, err);
  return LDR_OK;
}

static ldr_code round_numeric(const ldr_field *f, ldr_value *v, ldr_arena *a, ldr_err *err) {
  ldr_buf b = {0};
  const char *p = NULL;
  size_t n = 0;
  bool fits = ldr_numeric_fit(v->u.p, v->n, f->precision, f->scale, &b), broken = b.broken;
  if (fits && !broken) {
    n = b.n;
    p = ldr_arena_copy(a, b.p, n);
  }
  ldr_buf_free(&b);
  if (!fits && !broken)
    return ldr_fail_field(err, f->name, "does not fit numeric(%d,%d)", f->precision, f->scale);
  if (p == NULL) return ldr_fail_nomem(err);
  *v = ldr_bytes_of(LDR_T_NUMERIC, p, n);
  return LDR_OK;
}

/* What is longer only by blanks fits, and what is shorter gets them: so it is stored on both engines. */
static ldr_code pad_char(const ldr_field *f, ldr_value *v, ldr_arena *a, ldr_err *err) {
  uint32_t n = v->n;
  size_t length;
  char *p;
  ldr_code code;
  while (n && v->u.p[n - 1] == ' ') n--;
  length = ldr_utf8_length(v->u.p, n);
  code = check_length(f, length, "characters", err);
  if (code != LDR_OK) return code;
  if (v->n == n + (f->max_len - length)) return LDR_OK;
  p = ldr_arena_alloc(a, n + (f->max_len - length));
  if (p == NULL) return ldr_fail_nomem(err);
  if (n) memcpy(p, v->u.p, n);
  memset(p + n, ' ', f->max_len - length);
  *v = ldr_bytes_of(LDR_T_CHAR, p, n + (f->max_len - length));
  return LDR_OK;
}

/* bit(8) takes eight bits and no others: PostgreSQL refuses them, too. */
static ldr_code check_bits(const ldr_field *f, const ldr_value *v, ldr_err *err) {
  uint32_t n = ldr_bits_count(v->u.p);
  if (f->type == LDR_F_BIT && n != f->max_len)
    return ldr_fail_field(err, f->name, "has %u bits, not %u", (unsigned)n, (unsigned)f->max_len);
  return check_length(f, n, "bits", err);
}

/* Away from zero at the half, as PostgreSQL rounds what it counts from 2000. */
static int64_t round_micros(int64_t us, int digits) {
  static const int64_t units[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
  int64_t unit = units[digits], rest = us % unit;
  if (rest >= 0) return us - rest + (2 * rest >= unit ? unit : 0);
  return us - rest - (2 * -rest >= unit ? unit : 0);
}

static ldr_code round_interval(const ldr_field *f, ldr_value *v, ldr_arena *a, ldr_err *err) {
  ldr_interval x;
  char *p = ldr_arena_alloc(a, LDR_INTERVAL_WIRE);
  if (p == NULL) return ldr_fail_nomem(err);
  ldr_interval_read(v->u.p, &x);
  if (x.us > INT64_MIN + LDR_SECOND && x.us < INT64_MAX - LDR_SECOND) x.us = round_micros(x.us, f->digits);
  ldr_interval_write(&x, p);
  *v = ldr_bytes_of(LDR_T_INTERVAL, p, LDR_INTERVAL_WIRE);
  return LDR_OK;
}

static ldr_code round_time(const ldr_field *f, ldr_value *v, ldr_arena *a, ldr_err *err) {
  if (!f->has_digits) return LDR_OK;
  if (v->type == LDR_T_INTERVAL) return round_interval(f, v, a, err);
  if (v->u.i == LDR_TIME_INF || v->u.i == LDR_TIME_NEG_INF) return LDR_OK;
  v->u.i = round_micros(v->u.i, f->digits);
  return ldr_typecheck(f->name, f->type, false, v, err);
}

/* A label as a text, as arrays keep it. */
static ldr_code check_label(const ldr_field *f, const ldr_value *label, ldr_err *err) {
  return ldr_enum_find(f->places, f->nenums, label->u.p, label->n) ? LDR_OK : not_in_enum(f, err);
}

/* A label that came from elsewhere (a cursor, a file) may have another place, or none. */
static ldr_code place_label(const ldr_field *f, ldr_value *v, ldr_err *err) {
  const ldr_value *found = ldr_enum_find(f->places, f->nenums, v->u.p + LDR_ENUM_HEAD, v->n - LDR_ENUM_HEAD);
  if (found == NULL) return not_in_enum(f, err);
  *v = *found;
  return LDR_OK;
}

/* ---- what an array's type says of each element ---- */

/* Is there anything that the type alone does not say? */
static bool has_rules(const ldr_field *f) {
  return f->type == LDR_F_ENUM || f->max_len || f->precision || f->has_digits;
}

/* One element, as a field of its own type takes it, behind its length. */
static ldr_code add_element(const ldr_field *one, const char *p, int32_t n, ldr_arena *a, ldr_buf *scratch,
                            ldr_buf *out, ldr_err *err) {
  ldr_value v = ldr_null();
  ldr_code code = LDR_OK;
  ldr_buf_reset(scratch);
  if (n >= 0 && !ldr_codec_decode(one->type, false, p, (size_t)n, scratch, &v))
    return scratch->broken ? ldr_fail_nomem(err) : ldr_fail_field(err, one->name, "is malformed");
  if (n >= 0) code = one->type == LDR_F_ENUM ? check_label(one, &v, err) : ldr_check_value(one, &v, a, err);
  if (code == LDR_OK) ldr_codec_encode_framed(one->type, &v, out);
  return code;
}

static ldr_code check_elements(const ldr_field *f, ldr_value *v, ldr_arena *a, ldr_err *err) {
  ldr_field one = *f;
  ldr_array_reader r;
  ldr_buf scratch = {0}, out = {0};
  ldr_code code = LDR_OK;
  const char *p = NULL;
  int32_t n;
  if (!has_rules(f)) return LDR_OK;
  if (!ldr_array_read(&r, v->u.p, v->n)) return ldr_fail_field(err, f->name, "is not a well-formed array");
  one.array = false;
  ldr_buf_add(&out, v->u.p, (size_t)(r.p - v->u.p)); /* the header and the dimensions */
  for (size_t i = 1; code == LDR_OK && ldr_array_next(&r, &p, &n); i++) {
    code = add_element(&one, p, n, a, &scratch, &out, err);
    if (code == LDR_INVALID) ldr_fail_element(err, f->name, i);
  }
  if (code == LDR_OK && !out.broken && (out.n != v->n || memcmp(out.p, v->u.p, out.n) != 0)) {
    p = ldr_buf_copy(&out, a);
    if (p) *v = ldr_bytes_of(LDR_T_ARRAY, p, out.n);
    if (p == NULL) out.broken = true;
  }
  if ((code != LDR_OK && code != LDR_INVALID) || out.broken) code = ldr_fail_nomem(err);
  ldr_buf_free(&scratch);
  ldr_buf_free(&out);
  return code;
}

/* Rounds, pads and checks what the type alone does not say. */
static ldr_code fit(const ldr_field *f, ldr_value *v, ldr_arena *a, ldr_err *err) {
  switch (v->type) {
    case LDR_T_TEXT: return check_text(f, v, err);
    case LDR_T_BYTES: return check_length(f, v->n, "bytes", err);
    case LDR_T_NUMERIC: return f->precision ? round_numeric(f, v, a, err) : LDR_OK;
    case LDR_T_FLOAT: ldr_value_round(f->type, v); return LDR_OK;
    case LDR_T_CHAR: return pad_char(f, v, a, err);
    case LDR_T_ENUM: return place_label(f, v, err);
    case LDR_T_BITS: return check_bits(f, v, err);
    case LDR_T_TIME:
    case LDR_T_TIMESTAMP:
    case LDR_T_CLOCK:
    case LDR_T_INTERVAL: return round_time(f, v, a, err);
    case LDR_T_ARRAY: return check_elements(f, v, a, err);
    default: return LDR_OK;
  }
}

ldr_code ldr_check_value(const ldr_field *f, ldr_value *v, ldr_arena *a, ldr_err *err) {
  ldr_code code;
  if (v->type == LDR_T_NULL) return f->null ? LDR_OK : ldr_fail_field(err, f->name, "is required");
  code = ldr_typecheck(f->name, f->type, f->array, v, err);
  if (code == LDR_OK) code = fit(f, v, a, err);
  if (code != LDR_OK || (f->min.type == LDR_T_NULL && f->max.type == LDR_T_NULL)) return code;
  return ldr_check_limits(f, v, err);
}

/* ---- defaults ---- */

static ldr_code new_uuid(const ldr_field *f, ldr_arena *a, ldr_value *out, ldr_err *err) {
  unsigned char uuid[16];
  char text[37];
  bool as_text = ldr_ftype_is_text(f->type);
  const char *p;
  ldr_code code = ldr_secret_init(err);
  if (code != LDR_OK) return code;
  ldr_uuid4(uuid);
  ldr_uuid_format(uuid, text);
  p = as_text ? ldr_arena_copy(a, text, 36) : ldr_arena_copy(a, uuid, 16);
  if (p == NULL) return ldr_fail_nomem(err);
  *out = ldr_bytes_of(f->value_type, p, as_text ? 36 : 16);
  return LDR_OK;
}

static ldr_code new_cuid(const ldr_field *f, ldr_arena *a, ldr_value *out, ldr_err *err) {
  char text[26];
  const char *p;
  ldr_code code = ldr_secret_init(err);
  if (code != LDR_OK) return code;
  ldr_cuid(text);
  p = ldr_arena_copy(a, text, 25);
  if (p == NULL) return ldr_fail_nomem(err);
  *out = ldr_bytes_of(f->value_type, p, 25);
  return LDR_OK;
}

/* The clock's time as the field has it. A date and a timestamp are those of UTC. */
static ldr_value now_of(const ldr_field *f, int64_t now) {
  int64_t us = ldr_time_of_unix(now);
  if (f->value_type == LDR_T_DATE) return ldr_counted(LDR_T_DATE, ldr_floor_div(us, LDR_DAY_LENGTH));
  return ldr_counted(f->value_type, f->has_digits ? round_micros(us, f->digits) : us);
}

/* The value of a field that nobody named. IDENTITY: null, the engine assigns it. */
static ldr_code make_default(const ldr_field *f, int64_t now, ldr_arena *a, ldr_value *out, ldr_err *err) {
  switch (f->def) {
    case LDR_DEF_VALUE: *out = f->def_value; return LDR_OK;
    case LDR_DEF_NOW: *out = now_of(f, now); return LDR_OK;
    case LDR_DEF_UUID: return new_uuid(f, a, out, err);
    case LDR_DEF_CUID: return new_cuid(f, a, out, err);
    case LDR_DEF_NONE:
      if (f->stamp_update && !f->null) { /* a stamp that is never null begins with the insert */
        *out = now_of(f, now);
        return LDR_OK;
      }
      break;
    case LDR_DEF_IDENTITY:
    case LDR_DEF_DATABASE: break;
  }
  *out = ldr_null();
  return LDR_OK;
}

/* ---- a row ---- */

/* JSON of a row is the text that the binding has just written: to parse it again would find nothing. */
static bool is_made(const ldr_field *f, const ldr_value *v) {
  return v->type == LDR_T_JSON && f->value_type == LDR_T_JSON;
}

ldr_code ldr_check_row(const ldr_entity *e, ldr_value *row, bool *given, int64_t now, ldr_arena *a,
                       ldr_err *err) {
  ldr_code result = LDR_OK;
  err->code = LDR_OK; /* *err may hold an older validation, to which this one would add */
  for (unsigned i = 0; i < e->nfields; i++) {
    const ldr_field *f = &e->fields[i];
    ldr_code code = LDR_OK;
    if (!given[i]) {
      code = make_default(f, now, a, &row[i], err);
      if (code == LDR_OK && ldr_field_is_engines(f)) continue;
      given[i] = true;
    } else if (f->generated) {
      code = ldr_fail_field(err, f->name, "is generated by the database and never written");
    }
    if (code == LDR_OK && !is_made(f, &row[i])) code = ldr_check_value(f, &row[i], a, err);
    if (code != LDR_OK && code != LDR_INVALID) return code;
    if (code == LDR_INVALID) result = code;
  }
  return result;
}

/* ---- sets ---- */

static ldr_code check_set(const ldr_field *f, ldr_set *s, int64_t now, ldr_arena *a, ldr_err *err) {
  ldr_code code = f->generated
                      ? ldr_fail_field(err, f->name, "is generated by the database and never written")
                      : ldr_set_check(f, s, err);
  if (code != LDR_OK || s->excluded) return code; /* the proposed row was checked as a row */
  switch (s->kind) {
    case LDR_SET_DEFAULT: /* made here, where the clock is */
      if (f->def == LDR_DEF_IDENTITY) return ldr_fail_field(err, f->name, "is assigned only on insert");
      if (f->def == LDR_DEF_DATABASE) return LDR_OK; /* the server's, in the statement */
      code = make_default(f, now, a, &s->value, err);
      if (code != LDR_OK) return code;
      s->kind = LDR_SET_VALUE;
      break;
    case LDR_SET_VALUE: break;
    case LDR_SET_COALESCE:
    case LDR_SET_GREATEST:
      if (s->value.type == LDR_T_NULL) return LDR_OK; /* changes nothing, whatever the field allows */
      break;
    case LDR_SET_APPEND:
      if (f->array) break; /* its elements become the column's, each as if it were written */
      return LDR_OK;
    default: return LDR_OK;
  }
  return ldr_check_value(f, &s->value, a, err);
}

static void add_stamps(const ldr_entity *e, const bool *named, ldr_set *sets, unsigned *nsets, int64_t now) {
  for (unsigned i = 0; i < e->nfields; i++)
    if (e->fields[i].version && !named[i])
      sets[(*nsets)++] = (ldr_set){.field = (uint16_t)i, .kind = LDR_SET_INCREMENT, .value = ldr_int(1)};
  for (unsigned i = 0; i < e->nfields; i++)
    if (e->fields[i].stamp_update && !named[i])
      sets[(*nsets)++] =
          (ldr_set){.field = (uint16_t)i, .kind = LDR_SET_VALUE, .value = now_of(&e->fields[i], now)};
}

ldr_code ldr_check_sets(const ldr_entity *e, ldr_set *sets, unsigned *nsets, int64_t now, ldr_arena *a,
                        ldr_err *err) {
  bool named[LDR_MAX_FIELDS] = {false};
  ldr_code result = LDR_OK;
  err->code = LDR_OK; /* *err may hold an older validation, to which this one would add */
  for (unsigned i = 0; i < *nsets; i++) {
    const ldr_field *f = &e->fields[sets[i].field];
    ldr_code code = named[sets[i].field] ? ldr_fail_field(err, f->name, "is set twice")
                                         : check_set(f, &sets[i], now, a, err);
    named[sets[i].field] = true;
    if (code != LDR_OK && code != LDR_INVALID) return code;
    if (code == LDR_INVALID) result = code;
  }
  if (result == LDR_OK) add_stamps(e, named, sets, nsets, now);
  return result;
}

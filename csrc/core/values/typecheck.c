#include "values/typecheck.h"

#include <math.h>
#include <string.h>

#include "base/text.h"
#include "values/bits.h"
#include "values/datetime.h"
#include "values/json.h"
#include "values/network.h"
#include "values/numeric.h"
#include "values/time.h"

static ldr_code fit_text(const char *field, const char *p, size_t n, ldr_err *err) {
  size_t good;
  if (n && memchr(p, 0, n)) return ldr_fail_field(err, field, "contains a zero byte");
  good = ldr_utf8_check(p, n);
  if (good < n) return ldr_fail_field(err, field, "is not valid UTF-8 (byte %zu)", good + 1);
  return LDR_OK;
}

static ldr_code fit_json(const char *field, const char *p, size_t n, ldr_err *err) {
  ldr_json_reader r;
  ldr_json_event event;
  ldr_buf scratch = {0};
  bool broken;
  ldr_json_read(&r, p, n, &scratch);
  do event = ldr_json_next(&r);
  while (event != LDR_JSON_ERROR && event != LDR_JSON_END);
  broken = scratch.broken;
  ldr_buf_free(&scratch);
  if (broken) return ldr_fail_nomem(err);
  if (event == LDR_JSON_ERROR) return ldr_fail_field(err, field, "is not valid JSON: %s", r.why);
  return LDR_OK;
}

/* The text must be the normal form, not only a number: engines compare and store it as it is. */
static ldr_code fit_numeric(const char *field, const char *p, size_t n, ldr_err *err) {
  ldr_buf b = {0};
  bool same = ldr_numeric_normal(p, n, &b) && b.n == n && memcmp(b.p, p, n) == 0, broken = b.broken;
  ldr_buf_free(&b);
  if (broken) return ldr_fail_nomem(err);
  return same ? LDR_OK : ldr_fail_field(err, field, "is not a number in normal form");
}

static ldr_code fit_numeric_wire(const char *field, const char *p, size_t n, ldr_err *err) {
  ldr_buf b = {0};
  bool ok = ldr_numeric_from_wire(p, n, &b), broken = b.broken;
  ldr_buf_free(&b);
  if (broken) return ldr_fail_nomem(err);
  return ok ? LDR_OK : ldr_fail_field(err, field, "has a malformed element");
}

/* Bytes of an array's element whose binary form has one length; 0 when it varies. */
static size_t wire_size(ldr_ftype t) {
  switch (t) {
    case LDR_F_BOOL: return 1;
    case LDR_F_INT2: return 2;
    case LDR_F_INT4:
    case LDR_F_DATE:
    case LDR_F_FLOAT4: return 4;
    case LDR_F_INT8:
    case LDR_F_FLOAT8:
    case LDR_F_TIMESTAMP:
    case LDR_F_TIME:
    case LDR_F_TIMESTAMPTZ: return 8;
    case LDR_F_MACADDR: return LDR_MACADDR;
    case LDR_F_MACADDR8: return LDR_MACADDR8;
    case LDR_F_INTERVAL:
    case LDR_F_UUID: return 16;
    default: return 0;
  }
}

static ldr_code fit_inet(const char *field, ldr_ftype t, const char *p, size_t n, ldr_err *err) {
  if (ldr_inet_ok(p, n, t == LDR_F_CIDR)) return LDR_OK;
  return ldr_fail_field(err, field, "is not %s", t == LDR_F_CIDR ? "a cidr" : "an inet");
}

static ldr_code fit_macaddr(const char *field, ldr_ftype t, size_t n, ldr_err *err) {
  if (n == wire_size(t)) return LDR_OK;
  return ldr_fail_field(err, field, "is not a %s", ldr_ftype_get(t)->name);
}

static ldr_code fit_bits(const char *field, const char *p, size_t n, ldr_err *err) {
  return ldr_bits_ok(p, n) ? LDR_OK : ldr_fail_field(err, field, "is not a string of bits");
}

static ldr_code fit_bounds(const char *field, ldr_ftype t, const char *p, size_t n, ldr_err *err) {
  bool broken;
  if (ldr_range_ok(ldr_ftype_range_kind(t), p, n, &broken)) return LDR_OK;
  if (broken) return ldr_fail_nomem(err);
  return ldr_fail_field(err, field, "is not of type %s", ldr_ftype_get(t)->name);
}

static ldr_code fit_range_wire(const char *field, ldr_ftype t, const char *p, size_t n, ldr_err *err) {
  ldr_buf b = {0};
  bool ok = ldr_range_from_wire(ldr_ftype_range_kind(t), p, n, &b), broken = b.broken;
  ldr_buf_free(&b);
  if (broken) return ldr_fail_nomem(err);
  return ok ? LDR_OK : ldr_fail_field(err, field, "has a malformed element");
}

static ldr_code fit_element(const char *field, ldr_ftype t, const char *p, size_t n, ldr_err *err) {
  size_t size = wire_size(t);
  if (size && size != n) return ldr_fail_field(err, field, "has a malformed element");
  if (ldr_ftype_is_range(t)) return fit_range_wire(field, t, p, n, err);
  switch (t) {
    case LDR_F_TEXT:
    case LDR_F_VARCHAR:
    case LDR_F_CITEXT:
    case LDR_F_XML:
    case LDR_F_ENUM:
    case LDR_F_CHAR: return fit_text(field, p, n, err);
    case LDR_F_NUMERIC: return fit_numeric_wire(field, p, n, err);
    case LDR_F_JSON: return fit_json(field, p, n, err);
    case LDR_F_INET:
    case LDR_F_CIDR: return fit_inet(field, t, p, n, err);
    case LDR_F_BIT:
    case LDR_F_VARBIT: return fit_bits(field, p, n, err);
    case LDR_F_JSONB: /* the binary form begins with a version */
      if (n == 0 || p[0] != 1) return ldr_fail_field(err, field, "has a malformed element");
      return fit_json(field, p + 1, n - 1, err);
    default: return LDR_OK;
  }
}

static ldr_code fit_array(const char *field, ldr_ftype t, const char *p, size_t n, ldr_err *err) {
  ldr_array_reader r;
  const char *element;
  int32_t size;
  if (!ldr_array_read(&r, p, n)) return ldr_fail_field(err, field, "is not a well-formed array");
  if (r.elem != t) return ldr_fail_field(err, field, "must be an array of %s", ldr_ftype_get(t)->name);
  for (size_t i = 0; i < r.count; i++) {
    ldr_code code;
    if (!ldr_array_next(&r, &element, &size)) return ldr_fail_field(err, field, "is not a well-formed array");
    if (size < 0) continue;
    code = fit_element(field, t, element, (size_t)size, err);
    if (code != LDR_OK) return code;
  }
  return LDR_OK;
}

static ldr_code fit_int(const char *field, ldr_ftype t, int64_t i, ldr_err *err) {
  int64_t max = t == LDR_F_INT2 ? INT16_MAX : t == LDR_F_INT4 ? INT32_MAX : INT64_MAX;
  if (i > max || i < -max - 1)
    return ldr_fail_field(err, field, "is out of range for %s", ldr_ftype_get(t)->sql);
  return LDR_OK;
}

static ldr_code fit_float(const char *field, ldr_ftype t, double f, ldr_err *err) {
  if (t == LDR_F_FLOAT4 && isfinite(f) && !isfinite((float)f))
    return ldr_fail_field(err, field, "is out of range for real");
  return LDR_OK;
}

static ldr_code fit_range(const char *field, ldr_ftype t, bool inside, ldr_err *err) {
  return inside ? LDR_OK : ldr_fail_field(err, field, "is out of range for %s", ldr_ftype_get(t)->sql);
}

ldr_code ldr_typecheck(const char *field, ldr_ftype t, bool array, const ldr_value *v, ldr_err *err) {
  const ldr_ftype_info *info = ldr_ftype_get(t);
  if (v->type != (array ? LDR_T_ARRAY : info->type))
    return ldr_fail_field(err, field, "must be of type %s%s", info->sql, array ? "[]" : "");
  switch (v->type) {
    case LDR_T_INT: return fit_int(field, t, v->u.i, err);
    case LDR_T_FLOAT: return fit_float(field, t, v->u.f, err);
    case LDR_T_TEXT:
    case LDR_T_CHAR: return fit_text(field, v->u.p, v->n, err);
    case LDR_T_JSON: return fit_json(field, v->u.p, v->n, err);
    case LDR_T_NUMERIC: return fit_numeric(field, v->u.p, v->n, err);
    case LDR_T_ARRAY: return fit_array(field, t, v->u.p, v->n, err);
    case LDR_T_UUID: return v->n == 16 ? LDR_OK : ldr_fail_field(err, field, "is not a uuid");
    case LDR_T_INET: return fit_inet(field, t, v->u.p, v->n, err);
    case LDR_T_MACADDR: return fit_macaddr(field, t, v->n, err);
    case LDR_T_BITS: return fit_bits(field, v->u.p, v->n, err);
    case LDR_T_RANGE: return fit_bounds(field, t, v->u.p, v->n, err);
    case LDR_T_ENUM: return v->n >= LDR_ENUM_HEAD ? LDR_OK : ldr_fail_field(err, field, "is no label");
    case LDR_T_INTERVAL:
      return v->n == LDR_INTERVAL_WIRE ? LDR_OK : ldr_fail_field(err, field, "is not an interval");
    case LDR_T_TIME:
    case LDR_T_TIMESTAMP: return fit_range(field, t, ldr_time_ok(v->u.i), err);
    case LDR_T_DATE: return fit_range(field, t, ldr_date_ok(v->u.i), err);
    case LDR_T_CLOCK: return fit_range(field, t, v->u.i >= 0 && v->u.i <= LDR_CLOCK_LAST, err);
    default: return LDR_OK;
  }
}

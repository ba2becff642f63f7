/* The functions under larder.decimal: exact arithmetic on the texts of numbers. */
#include "lua/module/decimal.h"

#include <string.h>

#include "lua/values/value.h"
#include "values/decimal.h"
#include "values/numeric.h"

enum { MAX_DIGITS = 4096 }; /* of what is divided, and of a scale */

typedef struct operand {
  const char *p;
  size_t n;
} operand;

static operand text_at(lua_State *L, int idx) {
  operand o;
  o.p = luaL_checklstring(L, idx, &o.n);
  luaL_argcheck(L, o.n > 0 && memchr(o.p, 'e', o.n) == NULL && memchr(o.p, 'E', o.n) == NULL, idx,
                "must be a number without an exponent");
  return o;
}

static l_work *begin(lua_State *L, l_slots *at) {
  l_work *w = l_work_take(L, at, 0, NULL);
  w->name = "decimal";
  ldr_buf_reset(&w->buf);
  return w;
}

static int finish(lua_State *L, l_work *w, ldr_decimal_end end) {
  static const char *const why[] = {
      [LDR_DECIMAL_RANGE] = "the result has more digits than a decimal can have",
      [LDR_DECIMAL_ZERO] = "a decimal is divided by zero",
      [LDR_DECIMAL_INFINITE] = "a decimal that is not finite can neither be multiplied nor divided",
  };
  if (end != LDR_DECIMAL_OK)
    ldr_fail(&w->err, LDR_INVALID, "%s", why[end]);
  else if (w->buf.broken)
    ldr_fail_nomem(&w->err);
  if (end != LDR_DECIMAL_OK || w->buf.broken) return l_work_fail(L, w);
  lua_pushlstring(L, w->buf.p, w->buf.n);
  return l_work_end(L, w, 1);
}

/* core.decimal_normal(text | number | int64) → its normal form; nil, err */
int l_decimal_normal(lua_State *L) {
  static const ldr_column c = {.name = "a decimal", .type = LDR_F_NUMERIC};
  l_slots at;
  l_work *w;
  ldr_value v;
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  w = begin(L, &at);
  if (l_value_operand(L, 1, &c, w, &v) != LDR_OK) return l_work_fail(L, w);
  lua_pushlstring(L, v.u.p, v.n);
  return l_work_end(L, w, 1);
}

/* core.decimal_add(a, b) and its kin take and give normal forms. */
int l_decimal_add(lua_State *L) {
  l_slots at;
  operand a = text_at(L, 1), b = text_at(L, 2);
  l_work *w = begin(L, &at);
  bool ok = ldr_numeric_add(a.p, a.n, b.p, b.n, &w->buf);
  return finish(L, w, ok || w->buf.broken ? LDR_DECIMAL_OK : LDR_DECIMAL_RANGE);
}

int l_decimal_sub(lua_State *L) {
  l_slots at;
  operand a = text_at(L, 1), b = text_at(L, 2);
  l_work *w = begin(L, &at);
  return finish(L, w, ldr_decimal_sub(a.p, a.n, b.p, b.n, &w->buf));
}

int l_decimal_mul(lua_State *L) {
  l_slots at;
  operand a = text_at(L, 1), b = text_at(L, 2);
  l_work *w = begin(L, &at);
  return finish(L, w, ldr_decimal_mul(a.p, a.n, b.p, b.n, &w->buf));
}

/* core.decimal_div(a, b [, scale]) */
int l_decimal_div(lua_State *L) {
  l_slots at;
  operand a = text_at(L, 1), b = text_at(L, 2);
  int scale = (int)luaL_optinteger(L, 3, -1);
  l_work *w;
  luaL_argcheck(L, scale >= -1 && scale <= MAX_DIGITS, 3, "must be 0 to 4096 digits");
  luaL_argcheck(L, a.n <= MAX_DIGITS && b.n <= MAX_DIGITS, 1, "has too many digits to divide");
  w = begin(L, &at);
  return finish(L, w, ldr_decimal_div(a.p, a.n, b.p, b.n, scale, &w->buf));
}

/* core.decimal_round(a, scale) */
int l_decimal_round(lua_State *L) {
  l_slots at;
  operand a = text_at(L, 1);
  int scale = (int)luaL_checkinteger(L, 2);
  l_work *w;
  luaL_argcheck(L, scale >= 0 && scale <= MAX_DIGITS, 2, "must be 0 to 4096 digits");
  w = begin(L, &at);
  return finish(L, w, ldr_decimal_round(a.p, a.n, scale, &w->buf));
}

/* core.decimal_cmp(a, b) → -1, 0, 1 */
int l_decimal_cmp(lua_State *L) {
  operand a = text_at(L, 1), b = text_at(L, 2);
  lua_pushinteger(L, ldr_numeric_cmp(a.p, a.n, b.p, b.n));
  return 1;
}

/* core.decimal_tonumber(a) → the nearest number */
int l_decimal_tonumber(lua_State *L) {
  size_t n;
  const char *s = luaL_checklstring(L, 1, &n);
  double f;
  luaL_argcheck(L, ldr_json_read_double(s, n, &f), 1, "must be a number");
  lua_pushnumber(L, f);
  return 1;
}

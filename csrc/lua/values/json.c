#include "lua/values/json.h"

#include <string.h>

#include "base/text.h"
#include "lua/base/int.h"
#include "lua/base/state.h"
#include "lua/base/table.h"
#include "lua/values/decimal.h"
#include "values/numeric.h"

/* A table that grows is allocated several times over. So the first members of one wait on the stack until
 * their number is known, or BATCH of them are there; far down, where the stack is dear, they do not. */
enum { BATCH = 16, FLAT = 16, STEP = 48 };

/* ---- Lua → text ---- */

typedef struct encoder {
  ldr_buf *out;
  int array_mt; /* of the copy; 0: none is made, or no longer */
  unsigned depth;
  const char *why;
} encoder;

static bool encode(lua_State *L, encoder *e, int idx);

static bool refuse(encoder *e, const char *why) {
  e->why = why;
  return false;
}

static bool refuse_keys(encoder *e) {
  return refuse(e, "must not hold a table whose keys are neither 1 to n nor all text");
}

static bool encode_string(lua_State *L, encoder *e, int idx) {
  size_t n;
  const char *s = lua_tolstring(L, idx, &n);
  if (ldr_json_is_plain(s, n)) {
    char *to;
    if (!ldr_buf_reserve(e->out, n + 2)) return true; /* whoever asked looks at out->broken */
    to = e->out->p + e->out->n;
    *to++ = '"';
    memcpy(to, s, n);
    to[n] = '"';
    e->out->n += n + 2;
    return true;
  }
  if (memchr(s, '\0', n)) return refuse(e, "must not hold a zero byte");
  if (ldr_utf8_check(s, n) != n) return refuse(e, "must be valid UTF-8");
  ldr_json_add_string(e->out, s, n);
  return true;
}

/* -0.0, which jsonb does not know, reads back as 0.0. */
static void copy_zero(lua_State *L, const encoder *e, int idx) {
  if (!e->array_mt || lua_isinteger(L, idx)) return;
  lua_pushnumber(L, 0);
  lua_replace(L, idx);
}

static bool encode_number(lua_State *L, encoder *e, int idx) {
  int64_t i;
  /* LuaJIT has one kind of number: it is an integer as long as integers are exact */
  lua_Number n = lua_tonumber(L, idx);
  bool integral = lua_isinteger(L, idx) || (!L_EXACT_INT && n >= -0x1p53 && n <= 0x1p53);
  if (n == 0) copy_zero(L, e, idx);
  if (integral && l_int_get(L, idx, &i)) {
    ldr_json_add_int(e->out, i);
    return true;
  }
  return ldr_json_add_float(e->out, n) || refuse(e, "must not hold NaN or an infinity");
}

static bool encode_cdata(lua_State *L, encoder *e, int idx) {
  int64_t i;
  e->array_mt = 0;
  if (!l_int_get(L, idx, &i)) return refuse(e, "must not hold a cdata that is no 64-bit integer");
  ldr_json_add_int(e->out, i);
  return true;
}

/* The element on top. */
static bool encode_element(lua_State *L, encoder *e, int copy, long i) {
  if (!encode(L, e, lua_gettop(L))) return false;
  if (e->array_mt)
    lua_rawseti(L, copy, (int)i);
  else
    lua_pop(L, 1);
  return true;
}

/* The array on top, if it is whole, takes the place of what it is a copy of. */
static void end_array(lua_State *L, const encoder *e, int idx) {
  if (e->array_mt) {
    lua_pushvalue(L, e->array_mt);
    lua_setmetatable(L, -2);
    lua_replace(L, idx);
  }
  lua_settop(L, idx);
}

/* The elements from i on, one by one, of a list of n; n < 0: it is none. */
static bool encode_rest(lua_State *L, encoder *e, int idx, int copy, long i, long n) {
  if (n < 0) return refuse_keys(e);
  for (; i <= n; i++) {
    if (i > 1) ldr_buf_chr(e->out, ',');
    lua_rawgeti(L, idx, (int)i);
    if (!encode_element(L, e, copy, i)) return false;
  }
  return true;
}

/* The first pair lies on the stack. Most lists hand out their elements in order, and one walk will do. */
static bool encode_elements(lua_State *L, encoder *e, int idx, int copy) {
  int top = lua_gettop(L) - 2;
  long i = 1;
  do {
    if (lua_type(L, -2) != LUA_TNUMBER || lua_tonumber(L, -2) != (lua_Number)i) {
      lua_settop(L, top);
      return encode_rest(L, e, idx, copy, i, l_sequence(L, idx));
    }
    if (i > 1) ldr_buf_chr(e->out, ',');
    if (!encode_element(L, e, copy, i++)) {
      lua_settop(L, top);
      return l_sequence(L, idx) < 0 && refuse_keys(e); /* of two faults the table's own is told */
    }
  } while (lua_next(L, idx));
  return true;
}

/* The first pair, if there is any, lies above `top`. */
static bool encode_array(lua_State *L, encoder *e, int idx, int top) {
  int copy = e->array_mt ? top + 1 : 0;
  bool empty = lua_gettop(L) == top;
  if (copy) {
    lua_createtable(L, (int)lua_rawlen(L, idx), 0);
    lua_insert(L, copy);
  }
  ldr_buf_chr(e->out, '[');
  if (!empty && !encode_elements(L, e, idx, copy)) return false;
  ldr_buf_chr(e->out, ']');
  if (copy) end_array(L, e, idx);
  return true;
}

/* The n pairs above idx, if they are all, become the copy of the object there. */
static void end_object(lua_State *L, const encoder *e, int idx, int n) {
  if (e->array_mt) {
    lua_createtable(L, 0, n);
    lua_replace(L, idx);
    for (; n > 0; n--) lua_rawset(L, idx);
  }
  lua_settop(L, idx);
}

/* The first pair lies on the stack. */
static bool encode_object(lua_State *L, encoder *e, int idx) {
  char before = '{';
  bool copying = e->array_mt != 0;
  int n = 0;
  do {
    if (lua_type(L, -2) != LUA_TSTRING) return refuse_keys(e);
    ldr_buf_chr(e->out, before);
    before = ',';
    if (!encode_string(L, e, lua_gettop(L) - 1)) return false;
    ldr_buf_chr(e->out, ':');
    if (!encode(L, e, lua_gettop(L))) return false;
    if (n++ == BATCH) e->array_mt = 0;
    if (e->array_mt)
      lua_pushvalue(L, -2); /* the pair waits */
    else
      lua_pop(L, 1);
  } while (lua_next(L, idx));
  ldr_buf_chr(e->out, '}');
  if (copying) end_object(L, e, idx, n);
  return true;
}

/* A table that is marked or whose first key is a number means to be an array. */
static bool encode_members(lua_State *L, encoder *e, int idx, bool marked) {
  lua_pushnil(L);
  if (!lua_next(L, idx)) {
    if (marked) return encode_array(L, e, idx, lua_gettop(L));
    ldr_buf_str(e->out, "{}");
    if (e->array_mt) end_object(L, e, idx, 0);
    return true;
  }
  if (!marked && lua_type(L, -2) != LUA_TNUMBER) return encode_object(L, e, idx);
  return encode_array(L, e, idx, lua_gettop(L) - 2);
}

static bool encode_decimal(lua_State *L, encoder *e) {
  size_t n;
  const char *s = lua_tolstring(L, -1, &n);
  e->array_mt = 0;
  if (n == 0 || (*s != '-' && (*s < '0' || *s > '9')) || s[n - 1] < '0' || s[n - 1] > '9')
    return refuse(e, "must not hold NaN or an infinity");
  ldr_buf_add(e->out, s, n);
  lua_pop(L, 1);
  return true;
}

static bool check_metatable(lua_State *L, encoder *e, int idx) {
  if (!l_table_plain(L, idx))
    return refuse(e, "must not hold a table with a metatable that hides its contents");
  if (l_has_mt(L, idx, L_EXPR_MT) || l_has_mt(L, idx, L_PRED_MT))
    return refuse(e, "must not hold an expression or a condition of larder");
  return true;
}

static bool encode_table(lua_State *L, encoder *e, int idx) {
  bool ok, has_metatable = lua_getmetatable(L, idx);
  if (has_metatable) {
    lua_pop(L, 1);
    if (l_decimal_text(L, idx)) return encode_decimal(L, e);
  }
  if (e->depth == FLAT) e->array_mt = 0;
  /* an endless loop of tables ends here too */
  if (e->depth >= LDR_JSON_WRITE_DEPTH || !lua_checkstack(L, e->array_mt ? 2 * BATCH + 8 : 8))
    return refuse(e, "is nested too deeply");
  if (has_metatable && !check_metatable(L, e, idx)) return false;
  e->depth++;
  ok = encode_members(L, e, idx, has_metatable && l_marked_array(L, idx));
  e->depth--;
  return ok;
}

/* Appends the value at idx. While a copy is made, idx is the top, where the value's copy then lies. */
static bool encode(lua_State *L, encoder *e, int idx) {
  switch (lua_type(L, idx)) {
    case LUA_TBOOLEAN: ldr_buf_str(e->out, lua_toboolean(L, idx) ? "true" : "false"); return true;
    case LUA_TNUMBER: return encode_number(L, e, idx);
    case LUA_TSTRING: return encode_string(L, e, idx);
    case LUA_TTABLE: return encode_table(L, e, idx);
    case L_CDATA: return encode_cdata(L, e, idx);
    case LUA_TNIL:
      e->array_mt = 0;
      ldr_buf_str(e->out, "null");
      return true;
    case LUA_TLIGHTUSERDATA:
      if (l_is_null(L, idx)) {
        ldr_buf_str(e->out, "null");
        return true;
      }
      if (l_marked_array(L, idx)) {
        e->array_mt = 0;
        ldr_buf_str(e->out, "[]");
        return true;
      }
      break;
    default: break;
  }
  return refuse(e, "must not hold a function, thread or userdata");
}

const char *l_json_encode(lua_State *L, int idx, ldr_buf *out) {
  encoder e = {.out = out};
  int top = lua_gettop(L);
  luaL_checkstack(L, 8, NULL);
  encode(L, &e, lua_absindex(L, idx));
  lua_settop(L, top); /* a refusal leaves the path to the culprit on the stack */
  return e.why;
}

const char *l_json_encode_copy(lua_State *L, int idx, ldr_buf *out, int array_mt) {
  encoder e = {.out = out, .array_mt = array_mt};
  int copy = lua_gettop(L) + 1;
  luaL_checkstack(L, 8, NULL);
  lua_pushvalue(L, idx);
  encode(L, &e, copy);
  lua_settop(L, e.why || !e.array_mt ? copy - 1 : copy);
  if (e.why == NULL && !e.array_mt) lua_pushnil(L);
  return e.why;
}

/* ---- text → Lua ---- */

static bool push_value(lua_State *L, l_json_decoder *d, ldr_json_event ev);

/* What comes next may be the text that the document before had here. */
static ldr_json_reader *guess(l_json_decoder *d) {
  d->r.guessed = false;
  d->r.guess_n = d->memo ? l_memo_guess(d->memo, &d->r.guess) : 0;
  return &d->r;
}

static void push_string(lua_State *L, l_json_decoder *d) {
  if (d->r.guessed)
    l_memo_push_guess(L, d->memo);
  else if (d->memo)
    l_memo_push_text(L, d->memo, d->r.s, d->r.n, d->r.s != d->scratch->p);
  else
    lua_pushlstring(L, d->r.s, d->r.n);
}

/* Room on the stack for n values from index `at` on. It is asked for in steps: most documents ask once. */
static void check_stack(lua_State *L, l_json_decoder *d, int at, int n) {
  int last = at - 1 + n;
  if (last <= d->checked) return;
  luaL_checkstack(L, n + STEP, "JSON is nested too deeply"); /* at is the first free index */
  d->checked = last + STEP;
}

static unsigned batch_of(const l_json_decoder *d) { return d->r.depth <= FLAT ? BATCH : 1; }

/* The next document's table at this place is made at the size of this one. */
static void keep_size(unsigned char *size, unsigned n) {
  if (size) *size = n <= L_MEMO_LARGEST ? (unsigned char)n : 0;
}

/* The elements that wait on the stack above the table's place, up to `batch` of them; *ev: what came last. */
static int push_elements(lua_State *L, l_json_decoder *d, int batch, ldr_json_event *ev) {
  int waiting = 0;
  *ev = LDR_JSON_ARRAY_END;
  while (waiting < batch && (*ev = ldr_json_element(guess(d))) != LDR_JSON_ARRAY_END) {
    if (!push_value(L, d, *ev)) return -1;
    waiting++;
  }
  return waiting;
}

static LDR_APART bool push_array(lua_State *L, l_json_decoder *d) {
  unsigned char *size = l_memo_size(d->memo);
  int at = lua_gettop(L) + 1, n = 0, batch = size && *size ? 1 : (int)batch_of(d);
  ldr_json_event ev;
  check_stack(L, d, at, batch + 4);
  if (size && *size)
    lua_createtable(L, *size, 0);
  else
    lua_pushnil(L); /* the table's place */
  do {
    int waiting = push_elements(L, d, batch, &ev);
    if (waiting < 0) return false;
    if (lua_isnil(L, at)) {
      lua_createtable(L, waiting, 0);
      lua_replace(L, at);
    }
    n += waiting;
    for (int i = n; waiting > 0; waiting--) lua_rawseti(L, at, i--);
  } while (ev != LDR_JSON_ARRAY_END);
  keep_size(size, (unsigned)n);
  lua_pushvalue(L, d->array_mt);
  lua_setmetatable(L, at);
  return true;
}

/* Pushes the member whose name was read. */
static bool push_member(lua_State *L, l_json_decoder *d) {
  push_string(L, d);
  return push_value(L, d, ldr_json_value(guess(d)));
}

/* Members of a table whose size is known; *n of them. */
static bool set_members(lua_State *L, l_json_decoder *d, unsigned *n) {
  int at = lua_gettop(L);
  ldr_json_event ev;
  while ((ev = ldr_json_member(guess(d))) == LDR_JSON_KEY) {
    if (!push_member(L, d)) return false;
    lua_rawset(L, at);
    ++*n;
  }
  return ev == LDR_JSON_OBJECT_END;
}

/* Moves the pairs above `at` into the table there, in their order: of equal keys the last one stays. */
static void set_pairs(lua_State *L, int at) {
  int top = lua_gettop(L);
  for (int i = at + 1; i < top; i += 2) {
    lua_pushvalue(L, i);
    lua_pushvalue(L, i + 1);
    lua_rawset(L, at);
  }
  lua_settop(L, at);
}

static LDR_APART bool push_object(lua_State *L, l_json_decoder *d) {
  unsigned char *size = l_memo_size(d->memo);
  int at = lua_gettop(L) + 1, batch = (int)batch_of(d);
  unsigned n = 0;
  ldr_json_event ev = LDR_JSON_KEY;
  check_stack(L, d, at, size && *size ? 6 : 2 * batch + 6);
  if (size && *size) {
    lua_createtable(L, 0, *size);
  } else {
    lua_pushnil(L); /* the table's place */
    while (n < (unsigned)batch && (ev = ldr_json_member(guess(d))) == LDR_JSON_KEY) {
      if (!push_member(L, d)) return false;
      n++;
    }
    lua_createtable(L, 0, (int)n);
    lua_replace(L, at);
    set_pairs(L, at);
  }
  if (ev == LDR_JSON_KEY ? !set_members(L, d, &n) : ev != LDR_JSON_OBJECT_END) return false;
  keep_size(size, n);
  return true;
}

/* A number that no double is keeps its digits. One whose exponent stands for too many stays as it is written.
 */
static LDR_APART void push_float(lua_State *L, l_json_decoder *d) {
  const ldr_json_reader *r = &d->r;
  if (ldr_json_is_double(r->s, r->n, r->f)) {
    lua_pushnumber(L, r->f);
    return;
  }
  ldr_buf_reset(d->scratch);
  if (ldr_numeric_normal(r->s, r->n, d->scratch) && !d->scratch->broken)
    l_decimal_push(L, d->scratch->p, d->scratch->n);
  else
    l_decimal_push(L, r->s, r->n);
}

static bool push_value(lua_State *L, l_json_decoder *d, ldr_json_event ev) {
  switch (ev) {
    case LDR_JSON_NULL: lua_pushlightuserdata(L, NULL); return true;
    case LDR_JSON_TRUE: lua_pushboolean(L, 1); return true;
    case LDR_JSON_FALSE: lua_pushboolean(L, 0); return true;
    case LDR_JSON_INT: l_int_push(L, d->r.i); return true;
    case LDR_JSON_FLOAT: push_float(L, d); return true;
    case LDR_JSON_STRING: push_string(L, d); return true;
    case LDR_JSON_ARRAY: return push_array(L, d);
    case LDR_JSON_OBJECT: return push_object(L, d);
    case LDR_JSON_ERROR:
    case LDR_JSON_END:
    case LDR_JSON_KEY:
    case LDR_JSON_ARRAY_END:
    case LDR_JSON_OBJECT_END: break;
  }
  return false;
}

bool l_json_decode(lua_State *L, l_json_decoder *d, const char *text, size_t n) {
  int top = lua_gettop(L);
  ldr_json_read(&d->r, text, n, d->scratch);
  d->r.lenient = d->lenient;
  luaL_checkstack(L, 4, NULL);
  d->checked = top + 4;
  if (push_value(L, d, ldr_json_value(&d->r)) && ldr_json_end(&d->r) == LDR_JSON_END) return true;
  lua_settop(L, top);
  return false;
}

#include "lua/values/array.h"

#include "lua/base/state.h"
#include "lua/base/table.h"
#include "lua/values/decimal.h"
#include "lua/values/range.h"
#include "values/codec.h"

enum { MAX_DIM = 6, FLAGS_AT = 4 }; /* PostgreSQL's limit; offset of the has-null word */

/* ---- Lua → array ---- */

typedef struct builder {
  l_work *w;
  ldr_buf *out; /* the work's, so that it lies in a box */
  ldr_column elem;
  int ndim;
  int32_t dims[MAX_DIM];
  size_t added; /* elements */
} builder;

static ldr_code fault(builder *b, const char *text) {
  return ldr_fail_field(&b->w->err, b->elem.name, "%s", text);
}

/* Is the table at idx an element, and no row of elements? */
static bool is_element(lua_State *L, const builder *b, int idx) {
  return b->elem.type == LDR_F_JSON || b->elem.type == LDR_F_JSONB || l_decimal_is(L, idx) ||
         l_range_is(L, idx, &b->elem);
}

/* Length of the sequence at idx; -1: it is none. */
static long length(lua_State *L, int idx) {
  if (lua_istable(L, idx)) return l_sequence(L, idx);
  return l_marked_array(L, idx) ? 0 : -1;
}

/* Finds the dimensions by walking down the first elements, which replace each other at idx. */
static ldr_code measure(lua_State *L, builder *b, int idx) {
  do {
    long n = length(L, idx);
    if (n < 0) return fault(b, "must be a sequence (larder.null stands for a missing element)");
    if (n == 0 && b->ndim == 0) return LDR_OK; /* the empty array has no dimension */
    if (n == 0) return fault(b, "must not hold an empty row");
    if (b->ndim == MAX_DIM) return fault(b, "has too many dimensions");
    b->dims[b->ndim++] = (int32_t)n;
    lua_rawgeti(L, idx, 1);
    lua_replace(L, idx);
  } while (lua_istable(L, idx) && !is_element(L, b, idx));
  return LDR_OK;
}

static ldr_code add_element(lua_State *L, builder *b, int idx) {
  ldr_value v;
  size_t at = b->out->n;
  ldr_code code;
  b->added++;
  if (l_is_null(L, idx)) {
    ldr_buf_be32(b->out, UINT32_MAX);
    if (!b->out->broken) ldr_buf_patch32(b->out, FLAGS_AT, 1);
    return LDR_OK;
  }
  code = l_range_is(L, idx, &b->elem) ? l_range_get(L, idx, &b->elem, b->w, &v)
                                      : l_scalar_operand(L, idx, &b->elem, b->w, &v);
  if (code == LDR_INVALID) return ldr_fail_element(&b->w->err, b->elem.name, b->added);
  if (code != LDR_OK) return code;
  ldr_buf_be32(b->out, 0);
  ldr_codec_encode(b->elem.type, &v, b->out);
  if (!b->out->broken) ldr_buf_patch32(b->out, at, (uint32_t)(b->out->n - at - 4));
  return LDR_OK;
}

static ldr_code add_level(lua_State *L, builder *b, int idx, int dim) {
  long n = length(L, idx);
  ldr_code code = LDR_OK;
  if (n != b->dims[dim]) return fault(b, "must have rows of one length");
  for (long i = 1; i <= n && code == LDR_OK; i++) {
    lua_rawgeti(L, idx, (int)i);
    if (dim + 1 < b->ndim)
      code = add_level(L, b, lua_gettop(L), dim + 1);
    else
      code = add_element(L, b, lua_gettop(L));
    lua_pop(L, 1);
  }
  return code;
}

ldr_code l_array_get(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  builder b = {.w = w, .out = &w->array, .elem = *c};
  ldr_code code;
  const char *p;
  b.elem.array = false;
  luaL_checkstack(L, 16, NULL);
  idx = lua_absindex(L, idx);
  lua_pushvalue(L, idx);
  code = measure(L, &b, lua_gettop(L));
  lua_pop(L, 1);
  if (code != LDR_OK) return code;
  ldr_buf_reset(b.out);
  ldr_array_begin(b.out, c->type, b.ndim, b.dims, false);
  if (b.ndim) code = add_level(L, &b, idx, 0);
  if (code != LDR_OK) return code;
  p = ldr_buf_copy(b.out, &w->arena);
  if (p == NULL) return ldr_fail_nomem(&w->err);
  *out = ldr_bytes_of(LDR_T_ARRAY, p, b.out->n);
  return LDR_OK;
}

/* ---- array → Lua ---- */

static bool push_element(lua_State *L, l_work *w, ldr_array_reader *r) {
  const char *p;
  int32_t n;
  ldr_value v;
  if (!ldr_array_next(r, &p, &n)) return false;
  if (n < 0) {
    lua_pushlightuserdata(L, NULL);
    return true;
  }
  ldr_buf_reset(&w->array);
  return ldr_codec_decode(r->elem, false, p, (size_t)n, &w->array, &v) && l_scalar_push(L, w, &v);
}

static bool push_level(lua_State *L, l_work *w, ldr_array_reader *r, int dim) {
  int n = r->ndim ? r->dims[dim] : 0;
  lua_createtable(L, n, 0);
  for (int i = 1; i <= n; i++) {
    bool ok = dim + 1 < r->ndim ? push_level(L, w, r, dim + 1) : push_element(L, w, r);
    if (!ok) return false;
    lua_rawseti(L, -2, i);
  }
  lua_pushvalue(L, l_array_mark(L, w));
  lua_setmetatable(L, -2);
  return true;
}

bool l_array_push(lua_State *L, l_work *w, const ldr_value *v) {
  ldr_array_reader r;
  int top = lua_gettop(L);
  luaL_checkstack(L, 16, NULL);
  if (ldr_array_read(&r, v->u.p, v->n) && push_level(L, w, &r, 0)) return true;
  lua_settop(L, top);
  return false;
}

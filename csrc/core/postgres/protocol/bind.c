#include "postgres/protocol/bind.h"

#include <limits.h>
#include <string.h>

#include "values/codec.h"

/* Room for n parameters, and for one more; what was in *a is gone. One block holds the five arrays, widest
 * first. */
static bool prepare(ldr_bind *a, size_t n) {
  ldr_buf_reset(&a->data);
  a->n = 0;
  if (n >= a->cap) {
    size_t one = sizeof *a->value + sizeof *a->from + sizeof *a->oid + sizeof *a->length + sizeof *a->format;
    size_t cap = n < 16 ? 16 : n + 1;
    char *block = ldr_alloc_array(cap, one);
    if (block == NULL) return false;
    ldr_free(a->value);
    a->value = (const char **)(void *)block;
    a->from = (size_t *)(void *)(a->value + cap);
    a->oid = (uint32_t *)(void *)(a->from + cap);
    a->length = (int *)(void *)(a->oid + cap);
    a->format = a->length + cap;
    a->cap = (unsigned)cap;
  }
  return true;
}

static void add_null(ldr_bind *a, uint32_t oid) {
  unsigned i = a->n++;
  a->oid[i] = oid;
  a->from[i] = SIZE_MAX;
  a->length[i] = 0;
  a->format[i] = 1;
}

/* The bytes of a parameter stand at the end of data since offset `from`. */
static bool add_bytes(ldr_bind *a, uint32_t oid, size_t from, int format) {
  size_t n = a->data.n - from;
  unsigned i = a->n++;
  if (n > INT_MAX) return false;
  a->oid[i] = oid;
  a->from[i] = from;
  a->length[i] = (int)n;
  a->format[i] = format;
  ldr_buf_chr(&a->data, '\0');
  return true;
}

static ldr_code finish(ldr_bind *a, ldr_err *err) {
  if (a->data.broken) return ldr_fail_nomem(err);
  for (unsigned i = 0; i < a->n; i++) a->value[i] = a->from[i] == SIZE_MAX ? NULL : a->data.p + a->from[i];
  return LDR_OK;
}

static ldr_code too_many(ldr_err *err, size_t n) {
  return ldr_fail(err, LDR_INVALID, "a statement takes at most %d parameters, not %zu", LDR_MAX_PARAMS, n);
}

static ldr_code too_large(ldr_err *err, size_t i) {
  return ldr_fail(err, LDR_INVALID, "parameter $%zu is larger than 2 GB", i + 1);
}

static void encode_param(ldr_bind *a, const ldr_param *p) {
  const ldr_value *v = ldr_param_value(p, 0);
  if (p->array && !p->is_array_value)
    ldr_codec_encode_list(p->type, v, p->n, p->stride, &a->data);
  else if (p->is_array_value)
    ldr_buf_add(&a->data, v->u.p, v->n);
  else
    ldr_codec_encode(p->type, v, &a->data);
}

/* An array says its elements' oid in binary, which is not known of an enum or citext. Old servers refuse an
 * infinite interval by its text alone. */
static bool goes_as_text(const ldr_param *p) {
  if (p->array && ldr_ftype_is_users(p->type)) return true;
  if (p->type != LDR_F_INTERVAL) return false;
  for (size_t i = 0; i < p->n; i++)
    if (ldr_value_endless(ldr_param_value(p, i))) return true;
  return false;
}

static void add_quoted(ldr_buf *out, const ldr_value *v) {
  uint32_t head = v->type == LDR_T_ENUM ? LDR_ENUM_HEAD : 0;
  if (v->type == LDR_T_INTERVAL)
    ldr_codec_text(v, out); /* nothing in it needs quotes */
  else
    ldr_codec_quote(out, v->u.p + head, v->n - head);
}

/* {"sad",NULL}, or one value. */
static void add_texts(ldr_buf *out, const ldr_param *p) {
  if (p->is_array_value || !p->array) {
    ldr_codec_text(ldr_param_value(p, 0), out);
    return;
  }
  ldr_buf_chr(out, '{');
  for (size_t i = 0; i < p->n; i++) {
    const ldr_value *v = ldr_param_value(p, i);
    if (i) ldr_buf_chr(out, ',');
    if (v->type == LDR_T_NULL)
      ldr_buf_str(out, "NULL");
    else
      add_quoted(out, v);
  }
  ldr_buf_chr(out, '}');
}

ldr_code ldr_bind_from_params(ldr_bind *a, const ldr_param *p, size_t n, ldr_err *err) {
  if (n > LDR_MAX_PARAMS) return too_many(err, n);
  if (!prepare(a, n)) return ldr_fail_nomem(err);
  for (size_t i = 0; i < n; i++) {
    bool list = p[i].array && !p[i].is_array_value, text = goes_as_text(&p[i]);
    uint32_t oid = ldr_ftype_param_oid(p[i].type, p[i].array || p[i].is_array_value);
    size_t from = a->data.n;
    if (!list && ldr_param_value(&p[i], 0)->type == LDR_T_NULL) {
      add_null(a, oid);
      continue;
    }
    if (text)
      add_texts(&a->data, &p[i]);
    else
      encode_param(a, &p[i]);
    if (!add_bytes(a, oid, from, !text)) return too_large(err, i);
  }
  return finish(a, err);
}

/* Has v the very type of the parameter, so that it can travel in binary? */
static bool fits(const ldr_column *type, const ldr_value *v) {
  ldr_array_reader r;
  if (type->type == LDR_F_UNKNOWN) return false;
  if (!type->array) return v->type == ldr_ftype_get(type->type)->type;
  return v->type == LDR_T_ARRAY && ldr_array_read(&r, v->u.p, v->n) && r.elem == type->type;
}

static void encode_value(ldr_bind *a, const ldr_column *type, const ldr_value *v) {
  if (type->array)
    ldr_buf_add(&a->data, v->u.p, v->n);
  else
    ldr_codec_encode(type->type, v, &a->data);
}

ldr_code ldr_bind_from_values(ldr_bind *a, const ldr_column *types, const uint32_t *oids, const ldr_value *v,
                              size_t n, ldr_err *err) {
  if (n > LDR_MAX_PARAMS) return too_many(err, n);
  if (!prepare(a, n)) return ldr_fail_nomem(err);
  for (size_t i = 0; i < n; i++) {
    size_t from = a->data.n;
    bool binary = v[i].type != LDR_T_NULL && fits(&types[i], &v[i]);
    if (v[i].type == LDR_T_NULL) {
      add_null(a, oids[i]);
      continue;
    }
    if (binary)
      encode_value(a, &types[i], &v[i]);
    else
      ldr_codec_text(&v[i], &a->data);
    /* text form ends at its zero byte: what comes behind one would be lost without a word */
    if (!binary && !a->data.broken && memchr(a->data.p + from, '\0', a->data.n - from))
      return ldr_fail(err, LDR_INVALID, "parameter $%zu holds a zero byte", i + 1);
    if (!add_bytes(a, oids[i], from, binary)) return too_large(err, i);
  }
  return finish(a, err);
}

ldr_code ldr_bind_from_texts(ldr_bind *a, const char *const *texts, size_t n, ldr_err *err) {
  if (n > LDR_MAX_PARAMS) return too_many(err, n);
  if (!prepare(a, n)) return ldr_fail_nomem(err);
  for (size_t i = 0; i < n; i++) {
    size_t from = a->data.n;
    ldr_buf_add(&a->data, texts[i], strlen(texts[i]));
    if (!add_bytes(a, ldr_ftype_get(LDR_F_TEXT)->oid, from, 1)) return too_large(err, i);
  }
  return finish(a, err);
}

ldr_code ldr_bind_pick(ldr_bind *a, const ldr_bind *from, const uint16_t *which, unsigned n, ldr_err *err) {
  if (!prepare(a, n)) return ldr_fail_nomem(err);
  for (unsigned i = 0; i < n; i++) {
    unsigned k = which[i];
    size_t at = a->data.n;
    if (from->value[k] == NULL) {
      add_null(a, from->oid[k]);
      continue;
    }
    ldr_buf_add(&a->data, from->value[k], (size_t)from->length[k]);
    if (!add_bytes(a, from->oid[k], at, from->format[k])) return too_large(err, i);
  }
  return finish(a, err);
}

ldr_code ldr_bind_types(ldr_bind *a, const uint32_t *oids, unsigned n, ldr_err *err) {
  if (!prepare(a, n)) return ldr_fail_nomem(err);
  for (unsigned i = 0; i < n; i++) add_null(a, oids[i]);
  return finish(a, err);
}

ldr_code ldr_bind_add_time(ldr_bind *a, unsigned n, int64_t time, ldr_err *err) {
  size_t from = a->data.n;
  uint32_t oid = ldr_ftype_get(LDR_F_TIMESTAMPTZ)->oid;
  char wire[8];
  a->n = n;
  if (time == 0) {
    add_null(a, oid);
    return finish(a, err);
  }
  ldr_put_be64(wire, (uint64_t)time);
  ldr_buf_add(&a->data, wire, sizeof wire);
  return add_bytes(a, oid, from, 1) ? finish(a, err) : too_large(err, n);
}

void ldr_bind_free(ldr_bind *a) {
  ldr_buf_free(&a->data);
  ldr_free(a->value);
  *a = (ldr_bind){0};
}

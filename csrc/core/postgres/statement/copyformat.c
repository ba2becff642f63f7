#include "postgres/statement/copyformat.h"

#include <string.h>

#include "values/codec.h"

/* The zero that ends the literal is the signature's last byte. */
static const char signature[11] = "PGCOPY\n\377\r\n";
enum { CRITICAL_FLAGS = 16 }; /* from this bit up, a flag changes what the tuples look like */

/* ---- writing ---- */

void ldr_copybin_header(ldr_buf *out) {
  ldr_buf_add(out, signature, sizeof signature);
  ldr_buf_be32(out, 0); /* flags */
  ldr_buf_be32(out, 0); /* length of the header's extension */
}

/* Fields that a row of COPY has: all but those that the server generates. */
static unsigned width(const ldr_entity *e) {
  unsigned n = 0;
  for (unsigned i = 0; i < e->nfields; i++) n += !e->fields[i].generated;
  return n;
}

/* The elements' type has another oid in each database: the server takes none but its own. */
static void add_users_array(const ldr_value *v, uint32_t element, ldr_buf *out) {
  if (v->n > INT32_MAX) out->broken = true;
  ldr_buf_be32(out, v->n);
  ldr_array_add_as(out, element, v->u.p, v->n);
}

void ldr_copybin_row(const ldr_entity *e, const ldr_live_columns *live, const ldr_row *r, ldr_buf *out) {
  ldr_buf_be16(out, (uint16_t)width(e));
  for (unsigned i = 0; i < e->nfields; i++) {
    ldr_value v;
    if (e->fields[i].generated) continue;
    ldr_row_get(e, r, i, &v);
    if (v.type == LDR_T_ARRAY && ldr_ftype_is_users(e->fields[i].type))
      add_users_array(&v, live ? live->fields[i].element : 0, out);
    else
      ldr_codec_encode_framed(e->fields[i].type, &v, out);
  }
}

void ldr_copybin_trailer(ldr_buf *out) { ldr_buf_be16(out, UINT16_MAX); }

/* ---- reading ---- */

typedef struct input {
  const char *p;
  size_t n; /* bytes left */
} input;

static bool skip(input *in, size_t n) {
  if (in->n < n) return false;
  in->p += n;
  in->n -= n;
  return true;
}

static bool take16(input *in, uint16_t *out) {
  const char *p = in->p;
  if (!skip(in, 2)) return false;
  *out = ldr_be16(p);
  return true;
}

static bool take32(input *in, uint32_t *out) {
  const char *p = in->p;
  if (!skip(in, 4)) return false;
  *out = ldr_be32(p);
  return true;
}

static bool at_header(const input *in) {
  return in->n >= sizeof signature && memcmp(in->p, signature, sizeof signature) == 0;
}

static bool skip_header(input *in) {
  uint32_t flags, extension;
  return skip(in, sizeof signature) && take32(in, &flags) && flags >> CRITICAL_FLAGS == 0 &&
         take32(in, &extension) && skip(in, extension);
}

static bool read_field(const ldr_field *f, input *in, ldr_buf *scratch, ldr_value *out) {
  const char *p;
  uint32_t n;
  if (f->generated) {
    *out = ldr_null();
    return true;
  }
  if (!take32(in, &n)) return false;
  if (n == UINT32_MAX) {
    *out = ldr_null();
    return true;
  }
  p = in->p;
  if (!skip(in, n)) return false;
  return ldr_codec_decode(f->type, f->array, p, n, scratch, out);
}

/* Made values lie one behind the other in scratch, which moved while it grew. */
static void settle(const ldr_entity *e, ldr_value *values, const char *text) {
  for (unsigned i = 0; i < e->nfields; i++) {
    if (!ldr_codec_makes(e->fields[i].type, values[i].type)) continue;
    values[i].u.p = text;
    text += values[i].n;
  }
}

/* false: a label is none of the declared ones. */
static bool place_label(const ldr_field *f, ldr_value *v) {
  const ldr_value *label;
  ldr_value stranger;
  if (f->type != LDR_F_ENUM || v->type == LDR_T_NULL) return true;
  if (f->array) return !ldr_array_find_stranger(v->u.p, v->n, f->places, f->nenums, &stranger);
  label = ldr_enum_find(f->places, f->nenums, v->u.p, v->n);
  if (label) *v = *label;
  return label != NULL;
}

static ldr_copybin_what read_row(const ldr_entity *e, input *in, ldr_buf *scratch, ldr_value *values) {
  size_t start = scratch->n;
  for (unsigned i = 0; i < e->nfields; i++)
    if (!read_field(&e->fields[i], in, scratch, &values[i])) return LDR_COPY_BAD;
  if (in->n) return LDR_COPY_BAD;
  if (scratch->n > start) settle(e, values, scratch->p + start);
  for (unsigned i = 0; i < e->nfields; i++)
    if (!place_label(&e->fields[i], &values[i])) return LDR_COPY_LABEL;
  return LDR_COPY_ROW;
}

ldr_copybin_what ldr_copybin_read(const ldr_entity *e, const char *p, size_t n, ldr_buf *scratch,
                                  ldr_value *values) {
  input in = {p, n};
  uint16_t count;
  if (at_header(&in)) {
    if (!skip_header(&in)) return LDR_COPY_BAD;
    if (in.n == 0) return LDR_COPY_HEADER;
  }
  if (!take16(&in, &count)) return LDR_COPY_BAD;
  if (count == UINT16_MAX) return in.n == 0 ? LDR_COPY_END : LDR_COPY_BAD;
  return count == width(e) ? read_row(e, &in, scratch, values) : LDR_COPY_BAD;
}

#include "writer/record.h"

#include "model/validate.h"
#include "values/payload.h"

/* ---- writing ---- */

static void put_bytes(ldr_buf *b, const ldr_value *v) {
  size_t at = b->n;
  ldr_buf_be32(b, UINT32_MAX); /* a null's */
  if (v->type == LDR_T_NULL) return;
  ldr_payload_put(v, b);
  ldr_buf_patch32(b, at, (uint32_t)(b->n - at - 4));
}

static void put_name(ldr_buf *b, const char *name) { ldr_buf_add(b, name, strlen(name) + 1); }

static void put_why(ldr_buf *b, const ldr_err *why, int64_t refused) {
  size_t at = b->n;
  ldr_buf_be16(b, 0);
  if (why == NULL) return;
  ldr_buf_be64(b, (uint64_t)refused);
  ldr_buf_chr(b, why->retryable);
  put_name(b, ldr_code_name(why->code));
  put_name(b, why->sqlstate);
  put_name(b, why->message);
  put_name(b, why->constraint);
  put_name(b, why->table);
  put_name(b, why->column);
  if (b->broken) return;
  b->p[at] = (char)((b->n - at - 2) >> 8);
  b->p[at + 1] = (char)(b->n - at - 2);
}

static void put_head(ldr_buf *b, uint64_t number, int64_t accepted, const char *family, const char *store,
                     const ldr_err *why, int64_t refused) {
  ldr_buf_be64(b, number);
  ldr_buf_be64(b, (uint64_t)accepted);
  put_name(b, family);
  put_name(b, store);
  put_why(b, why, refused);
}

void ldr_record_put(ldr_buf *b, const ldr_entity *e, const ldr_row *row, uint64_t number, int64_t accepted,
                    const ldr_err *why, int64_t refused) {
  put_head(b, number, accepted, e->schema->name, e->name, why, refused);
  ldr_buf_be16(b, (uint16_t)e->nfields);
  for (unsigned i = 0; i < e->nfields; i++) {
    const ldr_field *f = &e->fields[i];
    ldr_value v;
    ldr_row_get(e, row, i, &v);
    put_name(b, f->name);
    put_name(b, ldr_ftype_get(f->type)->name);
    ldr_buf_chr(b, f->array);
    put_bytes(b, &v);
  }
}

void ldr_record_refuse(ldr_buf *b, const ldr_record *r, const ldr_err *why, int64_t refused) {
  put_head(b, r->number, r->accepted, r->family, r->store, why, refused);
  ldr_buf_be16(b, (uint16_t)r->nfields);
  ldr_buf_add(b, r->fields, (size_t)(r->end - r->fields));
}

/* ---- reading ---- */

static bool take_name(const char **p, const char *end, const char **out) {
  const char *zero = memchr(*p, 0, (size_t)(end - *p));
  if (zero == NULL) return false;
  *out = *p;
  *p = zero + 1;
  return true;
}

bool ldr_record_parse(const char *p, size_t n, ldr_record *out) {
  const char *end = p + n;
  if (n < 16) return false;
  out->number = ldr_be64(p);
  out->accepted = (int64_t)ldr_be64(p + 8);
  p += 16;
  if (!take_name(&p, end, &out->family) || !take_name(&p, end, &out->store) || end - p < 2) return false;
  out->nwhy = ldr_be16(p);
  out->why = p + 2;
  p += 2;
  if ((size_t)(end - p) < out->nwhy + 2) return false;
  p += out->nwhy;
  out->nfields = ldr_be16(p);
  out->fields = p + 2;
  out->end = end;
  return true;
}

static ldr_code code_named(const char *name) {
  for (int i = 0; i < LDR_NCODES; i++)
    if (strcmp(ldr_code_name((ldr_code)i), name) == 0) return (ldr_code)i;
  return LDR_INTERNAL;
}

bool ldr_record_why(const ldr_record *r, ldr_err *out, int64_t *refused) {
  const char *p = r->why, *end = r->why + r->nwhy, *text[6];
  if (r->nwhy < 9) return false;
  *refused = (int64_t)ldr_be64(p);
  p += 9;
  for (int i = 0; i < 6; i++)
    if (!take_name(&p, end, &text[i])) return false;
  ldr_fail(out, code_named(text[0]), "%s", text[2]);
  out->retryable = r->why[8] != 0;
  ldr_err_set(out->sqlstate, sizeof out->sqlstate, text[1]);
  ldr_err_set(out->constraint, sizeof out->constraint, text[3]);
  ldr_err_set(out->table, sizeof out->table, text[4]);
  ldr_err_set(out->column, sizeof out->column, text[5]);
  return true;
}

/* ---- a record as a row ---- */

typedef struct field {
  const char *name, *type, *p;
  uint32_t n;
  bool array, null;
} field;

static bool take_field(const char **p, const char *end, field *f) {
  if (!take_name(p, end, &f->name) || !take_name(p, end, &f->type) || end - *p < 5) return false;
  f->array = **p != 0;
  f->n = ldr_be32(*p + 1);
  *p += 5;
  f->p = *p;
  f->null = f->n == UINT32_MAX;
  if (f->null) return true;
  if ((size_t)(end - *p) < f->n) return false;
  *p += f->n;
  return true;
}

/* One field of the record into the row; what is null of the engine's own fields, the engine makes. */
static ldr_code place(const field *f, const ldr_entity *e, ldr_value *values, bool *given, ldr_err *err) {
  int i = ldr_entity_field(e, f->name, strlen(f->name));
  const ldr_field *to = i < 0 ? NULL : &e->fields[i];
  if (to == NULL || to->array != f->array || strcmp(ldr_ftype_get(to->type)->name, f->type) != 0 ||
      !(f->null || ldr_payload_read(to->value_type, f->p, f->n, &values[i])))
    return ldr_fail(err, LDR_DRIFT, "%s.%s: a stored row does not fit the declaration: field %.64s",
                    e->schema->name, e->name, f->name);
  if (f->null) values[i] = ldr_null();
  given[i] = !(f->null && ldr_field_is_engines(to));
  return LDR_OK;
}

ldr_code ldr_record_row(const ldr_record *r, const ldr_entity *e, ldr_row **out, ldr_err *err) {
  ldr_value values[LDR_MAX_FIELDS];
  bool given[LDR_MAX_FIELDS] = {false};
  ldr_arena arena = {0};
  const char *p = r->fields;
  ldr_code code = LDR_OK;
  for (unsigned i = 0; i < r->nfields && code == LDR_OK; i++) {
    field f;
    code = take_field(&p, r->end, &f) ? place(&f, e, values, given, err)
                                      : ldr_fail(err, LDR_DRIFT, "a stored row is malformed");
  }
  for (unsigned i = 0; i < e->nfields; i++)
    if (!given[i]) values[i] = ldr_null();
  if (code == LDR_OK) code = ldr_check_row(e, values, given, r->accepted, &arena, err);
  if (code == LDR_OK) code = ldr_row_pack(e, values, out, err);
  ldr_arena_free(&arena);
  return code;
}

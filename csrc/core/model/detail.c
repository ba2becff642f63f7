#include "model/detail.h"

#include <stdio.h>

#include "model/names.h"

static void key(const ldr_entity *e, const uint16_t *field, unsigned n, const char *what, ldr_err *err) {
  ldr_buf b = {0};
  const char *text;
  ldr_buf_str(&b, "Key (");
  for (unsigned i = 0; i < n; i++) {
    if (i) ldr_buf_str(&b, ", ");
    ldr_buf_str(&b, e->fields[field[i]].name);
  }
  ldr_buf_fmt(&b, ") %s.", what);
  text = ldr_buf_cstr(&b);
  if (text) ldr_err_set(err->detail, sizeof err->detail, text); /* else without: memory is short */
  ldr_buf_free(&b);
}

void ldr_detail_duplicate(const ldr_entity *e, const ldr_unique *u, ldr_err *err) {
  key(e, u->field, u->n, "already exists", err);
}

void ldr_detail_missing(const ldr_entity *e, const ldr_ref *r, ldr_err *err) {
  char what[LDR_NAME_MAX + 40];
  snprintf(what, sizeof what, "is not present in table \"%s\"", r->target->relname);
  key(e, r->field, r->n, what, err);
}

void ldr_detail_referred(const ldr_entity *child, const ldr_ref *r, ldr_err *err) {
  char what[LDR_NAME_MAX + 40];
  snprintf(what, sizeof what, "is still referenced from table \"%s\"", child->relname);
  key(r->target, r->target_field, r->n, what, err);
}

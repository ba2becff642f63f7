#include "memory/errors.h"

#include "model/detail.h"
#include "model/given_row.h"

static ldr_code constraint(ldr_code code, const char *state, const ldr_entity *e, const char *name,
                           const char *what, ldr_err *err) {
  ldr_fail_state(err, code, state, "%s constraint \"%s\"", what, name);
  ldr_err_set(err->constraint, sizeof err->constraint, name);
  ldr_err_set(err->table, sizeof err->table, e->relname);
  return code;
}

ldr_code ldr_memerr_duplicate(const ldr_entity *e, const ldr_unique *u, const ldr_row *row, ldr_err *err) {
  ldr_value key[LDR_MAX_KEY];
  constraint(LDR_CONFLICT, "23505", e, u->name, "duplicate value violates unique", err);
  ldr_detail_duplicate(e, u, err);
  for (unsigned i = 0; i < u->n; i++) ldr_row_get(e, row, u->field[i], &key[i]);
  ldr_given_key(key, u->n, err);
  return err->code;
}

ldr_code ldr_memerr_missing(const ldr_entity *e, const ldr_ref *r, const ldr_value *key, ldr_err *err) {
  constraint(LDR_FOREIGN_KEY, "23503", e, r->name, "row refers to a missing row:", err);
  ldr_detail_missing(e, r, err);
  ldr_given_key(key, r->n, err);
  return err->code;
}

ldr_code ldr_memerr_still_referred(const ldr_entity *child, const ldr_ref *r, ldr_err *err) {
  constraint(LDR_FOREIGN_KEY, "23503", child, r->name, "row is still referred to:", err);
  ldr_detail_referred(child, r, err);
  return err->code;
}

static ldr_code column(ldr_err *err, const ldr_field *f) {
  ldr_err_set(err->column, sizeof err->column, f->name);
  return err->code;
}

ldr_code ldr_memerr_null(const ldr_entity *e, unsigned field, ldr_err *err) {
  const ldr_field *f = &e->fields[field];
  ldr_fail_state(err, LDR_NOT_NULL, "23502", "%s must not be null", f->name);
  ldr_err_set(err->table, sizeof err->table, e->relname);
  return column(err, f);
}

ldr_code ldr_memerr_range(const ldr_field *f, ldr_err *err) {
  ldr_fail_state(err, LDR_INVALID, "22003", "a number is out of the range of its type");
  return column(err, f);
}

ldr_code ldr_memerr_time(const ldr_field *f, ldr_err *err) {
  ldr_fail_state(err, LDR_INVALID, "22008", "a date or time is out of range");
  return column(err, f);
}

ldr_code ldr_memerr_dims(const ldr_field *f, ldr_err *err) {
  ldr_fail_state(err, LDR_INVALID, "2202E", "an array subscript is wrong");
  return column(err, f);
}

ldr_code ldr_memerr_locked(ldr_err *err) {
  return ldr_fail_state(err, LDR_LOCK_TIMEOUT, "55P03",
                        "another transaction holds a lock that the statement needs");
}

ldr_code ldr_memerr_twice(ldr_err *err) {
  return ldr_fail_state(err, LDR_INVALID, "21000", "one statement cannot change a row twice");
}

ldr_code ldr_memerr_serialization(ldr_err *err) {
  return ldr_fail_state(err, LDR_SERIALIZATION, "40001",
                        "another transaction changed the data since this one began");
}

#include "model/figures.h"

static bool fits(ldr_agg_fn fn, const ldr_field *f) {
  switch (fn) {
    case LDR_AGG_COUNT: return true;
    case LDR_AGG_SUM:
    case LDR_AGG_AVG: return ldr_type_is_number(f->value_type);
    case LDR_AGG_MIN:
    case LDR_AGG_MAX: /* PostgreSQL has none for bool, uuid, macaddr, bits and (before 18) bytea; a cidr's
                         is an inet */
      return !f->array && (ldr_type_is_number(f->value_type) || ldr_ftype_is_text(f->type) ||
                           ldr_ftype_is_users(f->type) || ldr_field_has_seconds(f) || f->type == LDR_F_DATE ||
                           f->type == LDR_F_INET);
  }
  return false;
}

ldr_code ldr_figure_check(ldr_agg_fn fn, const ldr_field *f, const char *name, ldr_err *err) {
  static const char *const names[] = {[LDR_AGG_COUNT] = "count",
                                      [LDR_AGG_SUM] = "sum",
                                      [LDR_AGG_AVG] = "avg",
                                      [LDR_AGG_MIN] = "min",
                                      [LDR_AGG_MAX] = "max"};
  const char *possible = fits(LDR_AGG_MIN, f) ? "are min, max and count" : "is count";
  const char *type = ldr_ftype_get(f->type)->name, *array = f->array ? "[]" : "";
  if ((unsigned)fn > LDR_AGG_MAX) return ldr_fail(err, LDR_INVALID, "there is no such aggregate");
  if (fits(fn, f)) return LDR_OK;
  if (name == NULL)
    return ldr_fail(err, LDR_INVALID, "there is no %s of an expression of type %s%s; possible %s", names[fn],
                    type, array, possible);
  return ldr_fail_field(err, name, "is of type %s%s, which has no %s; possible %s", type, array, names[fn],
                        possible);
}

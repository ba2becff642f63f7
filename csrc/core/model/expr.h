/* Typed expressions: what a condition, an order, a group or a figure is of, where a field alone does not say
 * it. Each has a declared type, and means the same on every engine. Null goes through: a function of null is
 * null, but for coalesce.
 */
#ifndef LDR_MODEL_EXPR_H
#define LDR_MODEL_EXPR_H

#include "model/source.h"
#include "values/time.h"

enum { LDR_NO_FIELD = UINT16_MAX, LDR_MAX_PATH = 32, LDR_MAX_ARGS = 8 };

typedef enum ldr_expr_kind {
  LDR_X_FIELD,
  LDR_X_PATH,  /* inside of a jsonb field: what the members named in values[] lead to; a text of digits also
                  counts as a place in an array, from 0. Any value but one of its type, JSON's null and nothing
                  at all are null */
  LDR_X_VALUE, /* a constant, values[0], not null: always a parameter */
  LDR_X_CALL   /* fn of args[] */
} ldr_expr_kind;

typedef enum ldr_fn {
  LDR_FN_COALESCE, /* the first that is not null; numbers of one kind, texts, or values of one type */
  LDR_FN_LOWER,    /* of a text: ASCII letters alone, as ILIKE folds */
  LDR_FN_UPPER,
  LDR_FN_LENGTH, /* int8: characters of a text, bytes of a bytea */
  LDR_FN_ABS,
  LDR_FN_ADD, /* integers are int8; with a numeric they are numeric, with a float float8; what does not fit is
                 22003. A numeric and a float do not go together: the result would not be exact */
  LDR_FN_SUB,
  LDR_FN_MUL,
  LDR_FN_BUCKET, /* of a timestamptz (in UTC) or timestamp: the start of its bucket */
  LDR_FN_PART,   /* int8: a part of one, in UTC; null of an infinite one */
  LDR_NFNS
} ldr_fn;

/* Years before 1 count from -1 down; weekday: Monday is 1, Sunday 7. */
typedef enum ldr_part {
  LDR_PART_YEAR,
  LDR_PART_MONTH,
  LDR_PART_DAY,
  LDR_PART_HOUR,
  LDR_PART_MINUTE,
  LDR_PART_WEEKDAY,
  LDR_NPARTS
} ldr_part;

typedef struct ldr_expr {
  ldr_expr_kind kind;
  ldr_field as;                 /* its type, as if it were a field; its name is for messages */
  const ldr_row_source *source; /* FIELD: whose field it is; NULL: of the row itself */
  uint16_t field;               /* FIELD, PATH */
  ldr_fn fn;
  ldr_bucket bucket; /* BUCKET */
  ldr_part part;     /* PART */
  unsigned n;        /* steps of a PATH, args of a CALL */
  const ldr_value *values;
  const struct ldr_expr *const *args;
} ldr_expr;

extern const char *const ldr_fn_names[LDR_NFNS]; /* "lower" */
extern const char *const ldr_part_names[LDR_NPARTS];

/* Fills in the type of x, whose arguments have theirs; that of a PATH or VALUE is given. Returns what is
 * wrong with x, NULL: nothing. */
const char *ldr_expr_infer(const ldr_entity *e, ldr_expr *x);
/* The type in which a CALL takes its arguments: numbers are brought to it first. */
ldr_ftype ldr_expr_arg_type(const ldr_expr *x);
/* The type that all of these arguments fit, where a constant among them must take it; false: there is none.
 */
bool ldr_expr_common(const ldr_expr *const *args, unsigned n, ldr_ftype *out);

/* The type of an operand. Where an expression stands, `field` is LDR_NO_FIELD, so that nobody takes it for a
 * field. */
static inline const ldr_field *ldr_operand(const ldr_entity *e, unsigned field, const ldr_expr *x) {
  return x ? &x->as : &e->fields[field];
}

#endif

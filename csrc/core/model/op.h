/* The operation language: what a store asks of an engine. A small value built by the binding in an arena,
 * borrowed by the engine for the call. Fields are numbers of the entity, so names were checked before an
 * operation exists. docs/architecture.md shows how the hardest methods of the four contracts are said in it.
 */
#ifndef LDR_MODEL_OP_H
#define LDR_MODEL_OP_H

#include "model/expr.h"
#include "model/figures.h"
#include "values/param.h"

typedef enum ldr_op_kind {
  LDR_OP_SELECT,
  LDR_OP_INSERT,
  LDR_OP_UPDATE,
  LDR_OP_DELETE,
  LDR_OP_COUNT,
  LDR_OP_AGGREGATE
} ldr_op_kind;

/* ---- predicates: SQL's three-valued logic on both engines ---- */
typedef enum ldr_pred_kind {
  LDR_P_AND, /* kids; none = true */
  LDR_P_OR,  /* kids; none = false */
  LDR_P_NOT, /* kids[0] */
  LDR_P_EQ,
  LDR_P_NE,
  LDR_P_LT,
  LDR_P_LE,
  LDR_P_GT,
  LDR_P_GE, /* field, values[0]; texts compare by bytes */
  LDR_P_LIKE,
  LDR_P_ILIKE,    /* text field, text pattern; ILIKE folds ASCII letters only, on both engines */
  LDR_P_IN,       /* field, values[0 … n-1], none null; n = 0 is false */
  LDR_P_IS_NULL,  /* field */
  LDR_P_CONTAINS, /* jsonb field @> JSON value; array or range field @> value of its type */
  LDR_P_OVERLAPS, /* array or range field && value of its type */
  LDR_P_HAS_KEY,  /* jsonb field ? text */
  LDR_P_KEYS,     /* (cols) IN a list: n rows of ncols values each; without cols, of the key's fields */
  LDR_P_EXISTS    /* semi-join: a row of `inner` exists with on[] equal and `kids[0]` (on inner) true */
} ldr_pred_kind;

typedef struct ldr_pred {
  ldr_pred_kind kind;
  uint16_t field;
  const ldr_expr *expr; /* in place of the field */
  uint32_t n;           /* kids or values */
  const struct ldr_pred **kids;
  const ldr_value *values;
  unsigned ncols; /* LDR_P_KEYS */
  const uint16_t *cols;
  const ldr_entity *inner; /* LDR_P_EXISTS */
  unsigned non;
  struct {
    uint16_t inner, outer;
  } on[LDR_MAX_KEY];
  ldr_row_sources sources; /* LDR_P_EXISTS: those of its rows */
} ldr_pred;

/* The fields of LDR_P_KEYS on e, *n of them. */
static inline const uint16_t *ldr_pred_cols(const ldr_entity *e, const ldr_pred *p, unsigned *n) {
  *n = p->cols ? p->ncols : e->key.n;
  return p->cols ? p->cols : e->key.field;
}

/* ---- set expressions ---- */
typedef enum ldr_set_kind {
  LDR_SET_VALUE,     /* field = value */
  LDR_SET_DEFAULT,   /* field = its declared default */
  LDR_SET_INCREMENT, /* field = coalesce(field, 0) + value */
  LDR_SET_APPEND,    /* jsonb: coalesce(field, '[]') || value, an array is concatenated; array field: field ||
                        value */
  LDR_SET_MERGE,    /* jsonb: coalesce(field, '{}') || value; with `deeper`, objects below the top likewise */
  LDR_SET_COALESCE, /* field = coalesce(field, value): fills only what is null */
  LDR_SET_GREATEST  /* field = greatest(field, value), nulls ignored */
} ldr_set_kind;

/* One level of a deep merge, made from the value of the set by ldr_merge_read. */
typedef struct ldr_merge {
  unsigned depth;
  const ldr_value *path;        /* depth names, from the top */
  ldr_value own;                /* a JSON object of the members that are laid over as they are */
  const struct ldr_merge *kids; /* those that are merged on their own */
  const struct ldr_merge *next;
} ldr_merge;

typedef struct ldr_set {
  uint16_t field;
  ldr_set_kind kind;
  bool excluded;   /* upsert: the value is the proposed row's (EXCLUDED.field) and not `value` */
  unsigned deeper; /* MERGE: this many levels below the top are merged, too; what is no object there is
                      replaced … */
  const ldr_merge *levels; /* … as ldr_merge_read says; NULL: the top alone */
  ldr_value value;
} ldr_set;

/* ---- order ---- */
typedef enum ldr_order_kind {
  LDR_BY_FIELD,
  LDR_BY_EXPR,
  LDR_BY_NULL /* field IS NULL: false first */,
  LDR_BY_RANK /* number of the first predicate that holds, n when none */
} ldr_order_kind;
typedef struct ldr_order {
  ldr_order_kind kind;
  uint16_t field;
  const ldr_expr *expr; /* LDR_BY_EXPR */
  bool desc;            /* nulls last when ascending, first when descending, as PostgreSQL */
  unsigned nranks;
  const ldr_pred **ranks;
} ldr_order;

/* ---- aggregates ---- */
typedef struct ldr_agg {
  ldr_agg_fn fn;
  int field;              /* -1: count(*), or the expression */
  const ldr_pred *filter; /* NULL: all rows of the group */
  const char *name;       /* of the result column */
  bool distinct;          /* each value once */
  const ldr_expr *expr;   /* in place of the field */
} ldr_agg; /* count, sum of ints → int8; sum of float8 → float8, of numeric → numeric; avg → float8; min, max
              → the field's type */
typedef struct ldr_group {
  uint16_t field;
  const ldr_expr *expr; /* in place of the field; those of text need an order */
  const char *name;
} ldr_group; /* also a computed column. Without an order, groups come out in ascending order of the group
                columns, nulls last */

/* What an aggregate is of; NULL: rows. */
static inline const ldr_field *ldr_agg_operand(const ldr_entity *e, const ldr_agg *a) {
  return a->expr || a->field >= 0 ? ldr_operand(e, (unsigned)a->field, a->expr) : NULL;
}

typedef enum ldr_lock {
  LDR_LOCK_NONE,
  LDR_LOCK_UPDATE,
  LDR_LOCK_SHARE,
  LDR_LOCK_UPDATE_SKIP /* skip locked */,
  LDR_LOCK_UPDATE_NOWAIT
} ldr_lock;
/* What a SELECT asks for: its rows; how the engine would find them (lines of text); a cursor of them, which
 * the transaction keeps; the next rows of that cursor. */
typedef enum ldr_how { LDR_HOW_ROWS, LDR_HOW_PLAN, LDR_HOW_DECLARE, LDR_HOW_FETCH } ldr_how;
typedef enum ldr_conflict { LDR_CONFLICT_ERROR, LDR_CONFLICT_SKIP, LDR_CONFLICT_UPDATE } ldr_conflict;
enum { LDR_TARGET_KEY = -1, LDR_TARGET_ANY = -2 /* with SKIP only: the key and every unique */ };

typedef struct ldr_op {
  ldr_op_kind kind;
  const ldr_entity *e;
  const char *name;        /* store method, for errors and events: "users.list" */
  int64_t now;             /* the operation's clock, microseconds: stamps and defaults were made from it */
  ldr_row_sources sources; /* rows of other stores that its expressions name, each once */
  const ldr_pred *where; /* NULL: every row; of an INSERT with LDR_CONFLICT_UPDATE: what must hold of the row
                            in the way, which else stays as it is and is not returned */

  /* INSERT: nrows × ncols values; columns not named take NULL (defaults were filled in before, see
   * model/validate.h), but an IDENTITY column that is not named is assigned by the engine */
  unsigned ncols;
  const uint16_t *cols;
  size_t nrows;
  const ldr_value *values;
  ldr_conflict on_conflict;
  int target; /* number of the unique, or LDR_TARGET_… */

  unsigned nsets; /* UPDATE, and INSERT with LDR_CONFLICT_UPDATE */
  const ldr_set *sets;
  bool row_known; /* a write of one row, or an insert: what is stored as it is given need not come back
                     (ldr_result.as_given) */

  /* result rows: SELECT, and RETURNING of the writes. nout = 0 on a write: only the number of rows */
  unsigned nout;
  const uint16_t *out;
  unsigned ncomputed; /* SELECT: more columns behind those, each with a name of its own */
  const ldr_group *computed;
  unsigned norder;
  const ldr_order *order; /* total: the binding ends it by the key */
  bool any_order; /* texts may be ordered by their columns' own collation: any order will do that a keyset
                     follows */
  int64_t limit;  /* -1: none */
  int64_t offset;
  const ldr_value *after; /* keyset: norder values of the last row seen; LDR_BY_FIELD and LDR_BY_EXPR; NULL:
                             from the start */
  /* Per parent: of the rows that are equal in the fields per[], in the given order, those behind the first
   * per_offset, at most per_limit of them (-1: all). nper = 0: off. */
  unsigned nper;
  uint16_t per[LDR_MAX_KEY];
  int64_t per_limit, per_offset;
  ldr_lock lock;
  ldr_how how;
  unsigned cursor; /* DECLARE, FETCH: its number in the transaction; FETCH takes `limit` rows */

  unsigned naggs, ngroups; /* AGGREGATE; order, limit and offset apply to the groups */
  const ldr_agg *aggs;
  const ldr_group *groups;
  const ldr_entity
      *result;            /* its columns as fields (ldr_op_result): those that having and order are made of */
  const ldr_pred *having; /* NULL: every group */
} ldr_op;

void ldr_op_init(ldr_op *op, ldr_op_kind kind,
                 const ldr_entity *e); /* all off: the limits and target are -1 */

/* The levels of a JSON object that is merged, down to `deepest` below the top; everything lies in a. */
ldr_code ldr_merge_read(const ldr_value *object, unsigned deepest, ldr_arena *a, const ldr_merge **out,
                        ldr_err *err) LDR_MUSTCHECK;

/* LDR_UNSUPPORTED when nothing is written to the store, since it is read-only. */
ldr_code ldr_entity_writable(const ldr_entity *e, ldr_err *err) LDR_MUSTCHECK;

/* Why a change of this kind is not for the field, whatever its value is; NULL: it is. */
const char *ldr_set_fault(const ldr_field *f, ldr_set_kind kind);

/* Does the kind of set suit the field, and (INCREMENT, APPEND, MERGE) the value the kind? The value of the
 * other kinds is left to the caller. LDR_INVALID adds to err->fields. */
ldr_code ldr_set_check(const ldr_field *f, const ldr_set *s, ldr_err *err) LDR_MUSTCHECK;

/* Is the operation well formed for its entity: types of values against fields, order ends with the key when
 * `after` is used, sets do not touch key or immutable fields, SET kinds fit the field's type. The binding
 * builds only such; tests and fuzzers call it on anything. */
ldr_code ldr_op_check(const ldr_op *op, ldr_err *err) LDR_MUSTCHECK;

/* The result columns of op, in order: fields of op->out, or groups then aggregates, or "count". Appends
 * ldr_column. */
void ldr_op_columns(const ldr_op *op, ldr_buf *columns);

/* Goes through every field that the operation reads: in its conditions, orders, groups and figures, those of
 * other stores, too. null_alone: it is asked whether it is null, no more. see: true ends the walk. Returns
 * whether it was ended. */
typedef bool (*ldr_see_field)(void *ud, const ldr_entity *e, unsigned field, bool null_alone);
bool ldr_op_reads(const ldr_op *op, ldr_see_field see, void *ud);
bool ldr_operand_reads(const ldr_entity *e, unsigned field, const ldr_expr *x, ldr_see_field see, void *ud);
/* Do its condition or its order read a source, so that the rows cannot be chosen without it? */
bool ldr_op_picks_by_source(const ldr_op *op);
/* Does it read a secret? */
bool ldr_operand_hidden(const ldr_entity *e, unsigned field, const ldr_expr *x);
/* Is there one row at most for which the LDR_P_EXISTS holds: are its fields the key of `inner`, or a unique
 * without a condition? */
static inline bool ldr_pred_one_row(const ldr_pred *p) {
  uint16_t inner[LDR_MAX_KEY];
  for (unsigned i = 0; i < p->non; i++) inner[i] = p->on[i].inner;
  return ldr_fields_tell_rows(p->inner, inner, p->non);
}

/* The result columns of an aggregate as the fields of an entity without a table or key; NULL: out of memory.
 */
const ldr_entity *ldr_op_result(const ldr_op *op, ldr_arena *a);

#endif

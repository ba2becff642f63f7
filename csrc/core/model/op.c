#include "model/op.h"

#include <string.h>

#include "model/names.h"
#include "values/typecheck.h"

void ldr_op_init(ldr_op *op, ldr_op_kind kind, const ldr_entity *e) {
  *op = (ldr_op){.kind = kind, .e = e, .target = -1, .limit = -1, .per_limit = -1};
}

/* ---- rules of the language ---- */

enum { MAX_DEPTH = 64 }; /* of predicates: whoever walks them may recurse */
/* Values in the conditions of one operation: SQL has 65,535 parameters, of which the rest of an operation
 * needs a few hundred. */
enum { MAX_COMPARED = 65000 };

static bool is_number(const ldr_field *f) { return ldr_type_is_number(f->value_type); }

static bool is_jsonb(const ldr_field *f) { return f->type == LDR_F_JSONB && !f->array; }

/* ---- sets ---- */

const char *ldr_set_fault(const ldr_field *f, ldr_set_kind kind) {
  if (f->immutable) return "cannot be changed";
  if (f->version && kind != LDR_SET_INCREMENT) return "counts the changes by itself";
  switch (kind) {
    case LDR_SET_VALUE:
    case LDR_SET_DEFAULT:
    case LDR_SET_COALESCE: return NULL;
    case LDR_SET_INCREMENT: return is_number(f) ? NULL : "cannot be incremented: it is no number";
    case LDR_SET_APPEND:
      return is_jsonb(f) || f->array ? NULL : "cannot be appended to: it is neither jsonb nor an array";
    case LDR_SET_MERGE: return is_jsonb(f) ? NULL : "cannot be merged into: it is not jsonb";
    case LDR_SET_GREATEST: return ldr_field_comparable(f) ? NULL : "has no order to take the greatest by";
  }
  return "has no such kind of set";
}

static bool combines(ldr_set_kind k) {
  return k == LDR_SET_INCREMENT || k == LDR_SET_APPEND || k == LDR_SET_MERGE;
}

static bool is_object(const ldr_value *v) {
  size_t skip = 0;
  while (skip < v->n && memchr(" \t\r\n", v->u.p[skip], 4)) skip++;
  return skip < v->n && v->u.p[skip] == '{';
}

ldr_code ldr_set_check(const ldr_field *f, const ldr_set *s, ldr_err *err) {
  const char *why = ldr_set_fault(f, s->kind);
  ldr_code code;
  if (why) return ldr_fail_field(err, f->name, "%s", why);
  if (s->excluded || !combines(s->kind)) return LDR_OK;
  /* an operand, not yet what the field will hold: lengths, limits and scale are not for it */
  if (s->value.type == LDR_T_NULL) return ldr_fail_field(err, f->name, "needs a value to combine with");
  code = ldr_typecheck(f->name, f->type, f->array, &s->value, err);
  if (code == LDR_OK && s->kind == LDR_SET_MERGE && !is_object(&s->value))
    return ldr_fail_field(err, f->name, "must be a JSON object to merge");
  if (code == LDR_OK && (s->deeper > 0) != (s->levels != NULL))
    return ldr_fail_field(err, f->name, "has no levels to merge");
  return code;
}

/* ---- check ---- */

typedef struct checker {
  const ldr_op *op;
  ldr_err *err;
  size_t *compared; /* values that conditions name; a list is one */
} checker;

static ldr_code bad(const checker *c, const char *what) { return ldr_fail(c->err, LDR_INVALID, "%s", what); }

static ldr_code need(const checker *c, bool good, const ldr_field *f, const char *what) {
  return good ? LDR_OK : ldr_fail_field(c->err, f->name, "%s", what);
}

static ldr_code need_equality(const checker *c, const ldr_field *f) {
  return need(c, ldr_field_has_equality(f), f, "cannot be compared: json, xml and tsvector have no equality");
}

static ldr_code need_order(const checker *c, const ldr_field *f) {
  return need(c, ldr_field_comparable(f), f, "cannot be sorted: json, xml, tsvector, arrays have no order");
}

static ldr_code check_value(const checker *c, const ldr_field *f, const ldr_value *v) {
  if (v->type == LDR_T_NULL) return need(c, false, f, "must not be null where a value is compared");
  return ldr_typecheck(f->name, f->type, f->array, v, c->err);
}

static ldr_code check_values(const checker *c, const ldr_field *f, const ldr_value *v, size_t n) {
  ldr_code code = LDR_OK;
  for (size_t i = 0; i < n && code == LDR_OK; i++) code = check_value(c, f, &v[i]);
  return code;
}

static ldr_code check_pred(const checker *c, const ldr_entity *e, const ldr_pred *p, unsigned depth);
static ldr_code check_expr(const checker *c, const ldr_entity *e, const ldr_expr *x, unsigned depth);
static ldr_code check_sources(const checker *c, const ldr_entity *e, const ldr_row_sources *l);

static ldr_code check_kids(const checker *c, const ldr_entity *e, const ldr_pred *p, unsigned depth) {
  ldr_code code = LDR_OK;
  if (p->n && p->kids == NULL) return bad(c, "a predicate has no kids");
  for (uint32_t i = 0; i < p->n && code == LDR_OK; i++) code = check_pred(c, e, p->kids[i], depth + 1);
  return code;
}

/* Fields that can be told apart by equality, each once. */
static ldr_code check_cols(const checker *c, const ldr_entity *e, const uint16_t *cols, unsigned n) {
  if (n == 0 || n > LDR_MAX_KEY) return bad(c, "1 to 8 fields stand together");
  for (unsigned i = 0; i < n; i++) {
    if (cols[i] >= e->nfields) return bad(c, "there is no such field");
    if (!ldr_field_comparable(&e->fields[cols[i]]))
      return need(c, false, &e->fields[cols[i]], "is of a type that tells no rows apart");
    for (unsigned k = 0; k < i; k++)
      if (cols[k] == cols[i]) return need(c, false, &e->fields[cols[i]], "is named twice");
  }
  return LDR_OK;
}

static ldr_code check_keys(const checker *c, const ldr_entity *e, const ldr_pred *p) {
  unsigned width;
  const uint16_t *cols = ldr_pred_cols(e, p, &width);
  ldr_code code = check_cols(c, e, cols, width);
  if (code == LDR_OK && p->n && p->values == NULL) return bad(c, "keys has no values");
  for (size_t i = 0; i < (size_t)p->n * width && code == LDR_OK; i++)
    code = check_value(c, &e->fields[cols[i % width]], &p->values[i]);
  return code;
}

static ldr_code check_exists(const checker *c, const ldr_entity *e, const ldr_pred *p, unsigned depth) {
  ldr_code code;
  if (p->inner == NULL || p->inner->schema != e->schema)
    return bad(c, "exists needs a store of the same family");
  if (p->n != 1) return bad(c, "exists has one predicate");
  if (p->non == 0 || p->non > LDR_MAX_KEY) return bad(c, "exists joins on 1 to 8 fields");
  for (unsigned i = 0; i < p->non; i++) {
    const ldr_field *in, *out;
    if (p->on[i].inner >= p->inner->nfields || p->on[i].outer >= e->nfields)
      return bad(c, "there is no such field");
    in = &p->inner->fields[p->on[i].inner];
    out = &e->fields[p->on[i].outer];
    if (in->type != out->type || !ldr_field_comparable(in) || !ldr_field_comparable(out))
      return ldr_fail_field(c->err, in->name, "cannot be joined with %s: of another type", out->name);
  }
  code = check_sources(c, p->inner, &p->sources);
  return code == LDR_OK ? check_kids(c, p->inner, p, depth) : code;
}

static ldr_code check_contains(const checker *c, const ldr_field *f, const ldr_pred *p) {
  bool many = f->array || f->value_type == LDR_T_RANGE;
  ldr_code code =
      p->kind == LDR_P_OVERLAPS
          ? need(c, many, f, "has another type: overlaps is for arrays and ranges")
          : need(c, many || is_jsonb(f), f, "has another type: contains is for jsonb, arrays and ranges");
  if (code == LDR_OK) code = need_equality(c, f);
  return code == LDR_OK ? check_value(c, f, p->values) : code;
}

/* A text operand that is not of the field's own type: a pattern, a key. */
static ldr_code check_text(const checker *c, const ldr_field *f, const ldr_pred *p) {
  return ldr_typecheck(f->name, LDR_F_TEXT, false, p->values, c->err);
}

/* A pattern that ends in the middle of an escape is refused at once: a server notices only when it gets as
 * far as that with some row. */
static ldr_code check_pattern(const checker *c, const ldr_field *f, const ldr_pred *p) {
  ldr_code code = check_text(c, f, p);
  uint32_t slashes = 0, n = p->values->n;
  if (code != LDR_OK) return code;
  while (slashes < n && p->values->u.p[n - 1 - slashes] == '\\') slashes++;
  return slashes % 2 ? ldr_fail_field(c->err, f->name, "is a pattern that ends with the escape character")
                     : LDR_OK;
}

/* ---- expressions ---- */

enum { MAX_EXPR_DEPTH = 16 };

static ldr_code check_path(const checker *c, const ldr_entity *e, const ldr_expr *x) {
  if (x->field >= e->nfields || !is_jsonb(&e->fields[x->field])) return bad(c, "a path is for jsonb");
  if (x->n == 0 || x->n > LDR_MAX_PATH || x->values == NULL) return bad(c, "a path has 1 to 32 steps");
  switch (x->as.type) {
    case LDR_F_TEXT:
    case LDR_F_NUMERIC:
    case LDR_F_BOOL:
    case LDR_F_JSONB: break;
    default: return bad(c, "a path has no proper type");
  }
  for (unsigned i = 0; i < x->n; i++) {
    ldr_code code = ldr_typecheck(x->as.name, LDR_F_TEXT, false, &x->values[i], c->err);
    if (code != LDR_OK) return code;
    if (x->values[i].type != LDR_T_TEXT) return bad(c, "a path is made of texts");
  }
  return LDR_OK;
}

static ldr_code check_args(const checker *c, const ldr_entity *e, const ldr_expr *x, unsigned depth) {
  ldr_code code = LDR_OK;
  bool constant = true;
  if (x->args == NULL || x->n == 0 || x->n > LDR_MAX_ARGS) return bad(c, "a function has 1 to 8 arguments");
  for (unsigned i = 0; i < x->n && code == LDR_OK; i++) {
    code = check_expr(c, e, x->args[i], depth + 1);
    constant = constant && code == LDR_OK && x->args[i]->kind == LDR_X_VALUE;
  }
  return code == LDR_OK && constant ? bad(c, "a function of constants alone") : code;
}

/* The row that a source is, and those on the way to it. */
static ldr_code check_source(const checker *c, const ldr_entity *e, const ldr_row_source *s, unsigned depth) {
  ldr_code code = LDR_OK;
  if (s == NULL) return LDR_OK;
  if (depth > MAX_EXPR_DEPTH) return bad(c, "expressions are nested too deep");
  if (s->path == NULL || s->row == NULL || s->row->kind != LDR_P_EXISTS || s->row->inner != s->e)
    return bad(c, "a related value has a row");
  code = check_source(c, e, s->from, depth + 1);
  if (code == LDR_OK) code = check_pred(c, ldr_row_source_entity(e, s->from), s->row, depth);
  if (code != LDR_OK) return code;
  return ldr_pred_one_row(s->row) ? LDR_OK : bad(c, "a related value is of one row");
}

/* Each can be joined to what stands before it. */
static ldr_code check_sources(const checker *c, const ldr_entity *e, const ldr_row_sources *l) {
  if (l->n && l->list == NULL) return bad(c, "its sources are missing");
  for (unsigned i = 0; i < l->n; i++) {
    unsigned k = 0;
    ldr_code code = check_source(c, e, l->list[i], 0);
    if (code != LDR_OK) return code;
    while (k < i && l->list[k] != l->list[i]->from) k++;
    if (l->list[i]->from && k == i) return bad(c, "a source comes before the one that leads to it");
  }
  return LDR_OK;
}

/* Is the declared type the one that x has? */
static ldr_code check_type(const checker *c, const ldr_entity *e, const ldr_expr *x) {
  ldr_expr own = *x;
  const char *why = ldr_expr_infer(e, &own);
  if (why) return ldr_fail_field(c->err, x->as.name, "%s", why);
  if (own.as.type != x->as.type || own.as.array != x->as.array || own.as.value_type != x->as.value_type)
    return bad(c, "an expression has another type than it says");
  return LDR_OK;
}

static ldr_code check_expr(const checker *c, const ldr_entity *e, const ldr_expr *x, unsigned depth) {
  ldr_code code = LDR_OK;
  if (x == NULL) return bad(c, "an expression is missing");
  if (depth > MAX_EXPR_DEPTH) return bad(c, "expressions are nested too deep");
  if (x->as.name == NULL) return bad(c, "an expression has no name");
  switch (x->kind) {
    case LDR_X_FIELD: code = check_source(c, e, x->source, depth); break;
    case LDR_X_PATH: code = check_path(c, e, x); break;
    case LDR_X_VALUE:
      if (x->values == NULL) return bad(c, "a constant has no value");
      code = ++*c->compared > MAX_COMPARED ? bad(c, "its conditions name more than 65000 values")
                                           : check_value(c, &x->as, x->values);
      break;
    case LDR_X_CALL: code = check_args(c, e, x, depth); break;
    default: return bad(c, "there is no such expression");
  }
  return code == LDR_OK ? check_type(c, e, x) : code;
}

static ldr_code check_operand(const checker *c, const ldr_entity *e, unsigned field, const ldr_expr *x) {
  if (x)
    return field == LDR_NO_FIELD ? check_expr(c, e, x, 0) : bad(c, "an expression stands beside a field");
  return field < e->nfields ? LDR_OK : bad(c, "there is no such field");
}

static ldr_code check_field_pred(const checker *c, const ldr_entity *e, const ldr_pred *p) {
  const ldr_field *f;
  ldr_code code = check_operand(c, e, p->field, p->expr);
  if (code != LDR_OK) return code;
  f = ldr_operand(e, p->field, p->expr);
  if (p->kind == LDR_P_IS_NULL) return LDR_OK;
  if (++*c->compared > MAX_COMPARED) return bad(c, "its conditions name more than 65000 values");
  if (p->kind != LDR_P_IN && p->n != 1) return bad(c, "a comparison has one value");
  if (p->n && p->values == NULL) return bad(c, "a comparison has no values");
  switch (p->kind) {
    case LDR_P_LT:
    case LDR_P_LE:
    case LDR_P_GT:
    case LDR_P_GE: code = need_order(c, f); return code == LDR_OK ? check_value(c, f, p->values) : code;
    case LDR_P_LIKE:
    case LDR_P_ILIKE:
      if (f->value_type == LDR_T_TEXT && ldr_field_has_equality(f)) return check_pattern(c, f, p);
      return need(c, false, f, "has another type: like is for text");
    case LDR_P_IN:
      if (f->array) return need(c, false, f, "is an array: a condition takes no list of arrays");
      code = need_equality(c, f);
      return code == LDR_OK ? check_values(c, f, p->values, p->n) : code;
    case LDR_P_CONTAINS:
    case LDR_P_OVERLAPS: return check_contains(c, f, p);
    case LDR_P_HAS_KEY: return is_jsonb(f) ? check_text(c, f, p) : need(c, false, f, "is no jsonb with keys");
    default: code = need_equality(c, f); return code == LDR_OK ? check_value(c, f, p->values) : code;
  }
}

static ldr_code check_pred(const checker *c, const ldr_entity *e, const ldr_pred *p, unsigned depth) {
  if (p == NULL) return bad(c, "a predicate is missing");
  if (depth > MAX_DEPTH) return bad(c, "predicates are nested too deep");
  if ((unsigned)p->kind > LDR_P_EXISTS) return bad(c, "there is no such predicate");
  switch (p->kind) {
    case LDR_P_AND:
    case LDR_P_OR: return check_kids(c, e, p, depth);
    case LDR_P_NOT: return p->n == 1 ? check_kids(c, e, p, depth) : bad(c, "not has one predicate");
    case LDR_P_KEYS: return check_keys(c, e, p);
    case LDR_P_EXISTS: return check_exists(c, e, p, depth);
    default: return check_field_pred(c, e, p);
  }
}

static ldr_code check_optional_pred(const checker *c, const ldr_pred *p) {
  return p ? check_pred(c, c->op->e, p, 0) : LDR_OK;
}

static ldr_code check_insert(const checker *c) {
  const ldr_op *op = c->op;
  bool seen[LDR_MAX_FIELDS] = {false};
  if (op->ncols > op->e->nfields || op->cols == NULL ||
      (op->ncols == 0 && ldr_entity_given(op->e) < op->e->nfields))
    return bad(c, "an insert names its columns");
  if (op->nrows == 0 || op->values == NULL) return bad(c, "an insert has rows");
  if ((unsigned)op->on_conflict > LDR_CONFLICT_UPDATE) return bad(c, "there is no such conflict action");
  if (op->target < LDR_TARGET_ANY || op->target >= (int)op->e->nuniques)
    return bad(c, "there is no such unique");
  if (op->target == LDR_TARGET_ANY && op->on_conflict != LDR_CONFLICT_SKIP)
    return bad(c, "an update needs one unique");
  for (unsigned i = 0; i < op->ncols; i++) {
    if (op->cols[i] >= op->e->nfields || seen[op->cols[i]]) return bad(c, "the columns are wrong");
    seen[op->cols[i]] = true;
  }
  for (size_t i = 0; i < op->nrows * op->ncols; i++) {
    const ldr_field *f = &op->e->fields[op->cols[i % op->ncols]];
    ldr_code code = LDR_OK;
    if (op->values[i].type != LDR_T_NULL) code = check_value(c, f, &op->values[i]);
    if (code != LDR_OK) return code;
  }
  return LDR_OK;
}

static ldr_code check_set(const checker *c, const ldr_set *s) {
  const ldr_field *f = &c->op->e->fields[s->field];
  ldr_code code = ldr_set_check(f, s, c->err);
  if (code != LDR_OK) return code;
  if (s->excluded) {
    if (c->op->kind != LDR_OP_INSERT) return bad(c, "only an insert proposes a row");
    return s->kind == LDR_SET_DEFAULT ? bad(c, "a default comes from no proposed row") : LDR_OK;
  }
  if (s->kind == LDR_SET_DEFAULT || s->value.type == LDR_T_NULL || combines(s->kind)) return LDR_OK;
  return check_value(c, f, &s->value);
}

static ldr_code check_sets(const checker *c) {
  const ldr_op *op = c->op;
  bool seen[LDR_MAX_FIELDS] = {false};
  bool allowed =
      op->kind == LDR_OP_UPDATE || (op->kind == LDR_OP_INSERT && op->on_conflict == LDR_CONFLICT_UPDATE);
  if (!allowed && op->nsets > 0) return bad(c, "it sets nothing");
  if (op->nsets && op->sets == NULL) return bad(c, "nothing is set");
  for (unsigned i = 0; i < op->nsets; i++) {
    uint16_t field = op->sets[i].field;
    ldr_code code;
    if (field >= op->e->nfields) return bad(c, "there is no such field");
    if (seen[field]) return bad(c, "a field is set twice");
    seen[field] = true;
    code = check_set(c, &op->sets[i]);
    if (code != LDR_OK) return code;
  }
  return LDR_OK;
}

static ldr_code check_computed(const checker *c) {
  const ldr_op *op = c->op;
  for (unsigned i = 0; i < op->ncomputed; i++) {
    const ldr_group *g = &op->computed[i];
    ldr_code code = check_operand(c, op->e, g->field, g->expr);
    if (code != LDR_OK) return code;
    if (g->name == NULL || !ldr_name_ok(g->name, strlen(g->name)))
      return bad(c, "a result column has no proper name");
    for (unsigned k = 0; k < i; k++)
      if (strcmp(op->computed[k].name, g->name) == 0) return bad(c, "two result columns share a name");
    for (unsigned k = 0; k < op->nout; k++)
      if (strcmp(op->e->fields[op->out[k]].name, g->name) == 0)
        return bad(c, "two result columns share a name");
  }
  return LDR_OK;
}

static ldr_code check_out(const checker *c) {
  const ldr_op *op = c->op;
  bool none = op->kind == LDR_OP_COUNT || op->kind == LDR_OP_AGGREGATE;
  if (none && op->nout) return bad(c, "it returns no fields");
  if (op->kind == LDR_OP_SELECT && op->nout + op->ncomputed == 0) return bad(c, "a select names its fields");
  if (op->kind != LDR_OP_SELECT && op->ncomputed) return bad(c, "only a select computes columns");
  if ((op->nout && op->out == NULL) || (op->ncomputed && op->computed == NULL))
    return bad(c, "its fields are missing");
  for (unsigned i = 0; i < op->nout; i++)
    if (op->out[i] >= op->e->nfields) return bad(c, "there is no such field");
  return check_computed(c);
}

static ldr_code check_rank(const checker *c, const ldr_entity *e, const ldr_order *o) {
  ldr_code code = LDR_OK;
  if (o->nranks == 0 || o->ranks == NULL) return bad(c, "a rank has predicates");
  for (unsigned i = 0; i < o->nranks && code == LDR_OK; i++) code = check_pred(c, e, o->ranks[i], 0);
  return code;
}

static ldr_code check_order(const checker *c, const ldr_entity *e, const ldr_order *o) {
  ldr_code code;
  if ((unsigned)o->kind > LDR_BY_RANK) return bad(c, "there is no such order");
  if (o->kind == LDR_BY_RANK) return check_rank(c, e, o);
  if ((o->kind == LDR_BY_EXPR) != (o->expr != NULL)) return bad(c, "an order by an expression has one");
  code = check_operand(c, e, o->expr ? LDR_NO_FIELD : o->field, o->expr);
  if (code != LDR_OK || o->kind == LDR_BY_NULL) return code;
  return need_order(c, ldr_operand(e, o->field, o->expr));
}

static ldr_code check_orders(const checker *c, const ldr_entity *e) {
  ldr_code code = LDR_OK;
  if (c->op->norder && c->op->order == NULL) return bad(c, "its order is missing");
  for (unsigned i = 0; i < c->op->norder && code == LDR_OK; i++) code = check_order(c, e, &c->op->order[i]);
  return code;
}

static bool is_again(const ldr_op *op, unsigned i) {
  for (unsigned k = 0; k < i; k++)
    if (op->order[k].kind == LDR_BY_FIELD && op->order[k].field == op->order[i].field) return true;
  return false;
}

/* A keyset must tell every row from every other: its order holds the whole key. */
static ldr_code check_after(const checker *c) {
  const ldr_op *op = c->op;
  unsigned keys = 0;
  for (unsigned i = 0; i < op->norder; i++) {
    const ldr_order *o = &op->order[i];
    const ldr_field *f;
    ldr_code code = LDR_OK;
    if (o->kind != LDR_BY_FIELD && o->kind != LDR_BY_EXPR)
      return bad(c, "a keyset is for orders by fields and expressions");
    f = ldr_operand(op->e, o->field, o->expr);
    if (o->kind == LDR_BY_FIELD && !is_again(op, i) && ldr_entity_in_key(op->e, o->field)) keys++;
    if (op->after[i].type != LDR_T_NULL || !f->null) code = check_value(c, f, &op->after[i]);
    if (code != LDR_OK) return code;
  }
  return keys == op->e->key.n ? LDR_OK : bad(c, "a keyset's order ends with the key");
}

static ldr_code check_per(const checker *c) {
  const ldr_op *op = c->op;
  ldr_code code;
  if (op->nper == 0)
    return op->per_limit == -1 && op->per_offset == 0 ? LDR_OK : bad(c, "a limit per nothing");
  code = check_cols(c, op->e, op->per, op->nper);
  if (code != LDR_OK) return code;
  if (op->per_limit < -1 || op->per_offset < 0) return bad(c, "a limit is not negative");
  /* SQL says it with a window function, which cannot lock, and which a keyset would cut differently */
  if (op->lock != LDR_LOCK_NONE || op->after)
    return bad(c, "a limit for each value goes with no lock or keyset");
  return LDR_OK;
}

static ldr_code check_select(const checker *c) {
  const ldr_op *op = c->op;
  ldr_code code = check_orders(c, op->e);
  if (code == LDR_OK && op->after) code = check_after(c);
  if (code == LDR_OK) code = check_per(c);
  if (code != LDR_OK) return code;
  return (unsigned)op->lock > LDR_LOCK_UPDATE_NOWAIT ? bad(c, "there is no such lock") : LDR_OK;
}

/* The name of result column i, groups first. */
static const char *result_name(const ldr_op *op, unsigned i) {
  return i < op->ngroups ? op->groups[i].name : op->aggs[i - op->ngroups].name;
}

static ldr_code check_names(const checker *c) {
  for (unsigned i = 0; i < c->op->ngroups + c->op->naggs; i++) {
    const char *name = result_name(c->op, i);
    if (name == NULL || !ldr_name_ok(name, strlen(name))) return bad(c, "a result column has no proper name");
    for (unsigned k = 0; k < i; k++)
      if (strcmp(result_name(c->op, k), name) == 0) return bad(c, "two result columns share a name");
  }
  return LDR_OK;
}

static ldr_code check_group(const checker *c, const ldr_group *g) {
  const ldr_entity *e = c->op->e;
  ldr_code code = check_operand(c, e, g->field, g->expr);
  const ldr_field *f;
  if (code != LDR_OK) return code;
  f = ldr_operand(e, g->field, g->expr);
  return need(c, ldr_field_comparable(f), f, "makes no groups: json, xml, tsvector and arrays do not");
}

static ldr_code check_agg(const checker *c, const ldr_agg *a) {
  const ldr_entity *e = c->op->e;
  const ldr_field *f;
  ldr_code code = LDR_OK;
  if (a->expr || a->field != -1)
    code = check_operand(c, e, a->expr ? LDR_NO_FIELD : (unsigned)a->field, a->expr);
  if (code != LDR_OK) return code;
  f = ldr_agg_operand(e, a);
  if (f == NULL && a->fn != LDR_AGG_COUNT) return bad(c, "there is no such field to aggregate");
  if (f) code = ldr_figure_check(a->fn, f, a->expr ? NULL : f->name, c->err);
  if (code != LDR_OK) return code;
  if (a->distinct && f == NULL) return bad(c, "distinct is for a field");
  return a->distinct ? need(c, ldr_field_comparable(f), f, "has no order, and distinct needs one") : LDR_OK;
}

static ldr_code check_aggregate(const checker *c) {
  const ldr_op *op = c->op;
  if (op->naggs + op->ngroups == 0) return bad(c, "an aggregate without aggs and groups computes nothing");
  if ((op->naggs && op->aggs == NULL) || (op->ngroups && op->groups == NULL))
    return bad(c, "its parts are missing");
  for (unsigned i = 0; i < op->ngroups; i++) {
    ldr_code code = check_group(c, &op->groups[i]);
    if (code != LDR_OK) return code;
  }
  for (unsigned i = 0; i < op->naggs; i++) {
    ldr_code code = check_agg(c, &op->aggs[i]);
    if (code == LDR_OK) code = check_optional_pred(c, op->aggs[i].filter);
    if (code != LDR_OK) return code;
  }
  return check_names(c);
}

/* having and order see the result columns as fields. */
static ldr_code check_groups_wanted(const checker *c) {
  const ldr_op *op = c->op;
  ldr_code code = LDR_OK;
  for (unsigned i = 0; i < op->ngroups; i++) /* SQL would have to say it, with its parameters, once more */
    if (op->groups[i].expr && ldr_ftype_is_text(op->groups[i].expr->as.type) && op->norder == 0)
      return bad(c, "groups by a text that is no field need an order");
  if (op->having == NULL && op->norder == 0) return LDR_OK;
  if (op->result == NULL || op->result->nfields != op->ngroups + op->naggs)
    return bad(c, "its result is not described");
  if (op->having) code = check_pred(c, op->result, op->having, 0);
  return code == LDR_OK ? check_orders(c, op->result) : code;
}

/* What only a select (or, for limits, an aggregate) has. */
static ldr_code check_foreign_parts(const checker *c) {
  const ldr_op *op = c->op;
  bool select = op->kind == LDR_OP_SELECT, limits = select || op->kind == LDR_OP_AGGREGATE;
  if (op->limit < -1 || op->offset < 0) return bad(c, "a limit is not negative");
  if (!limits && (op->limit != -1 || op->offset)) return bad(c, "it has no limit");
  if (!limits && op->norder) return bad(c, "it has no order");
  if (!select && (op->after || op->nper || op->lock != LDR_LOCK_NONE))
    return bad(c, "keyset and lock are for a select");
  if (op->kind != LDR_OP_AGGREGATE && (op->naggs || op->ngroups || op->having))
    return bad(c, "it has no aggregates");
  if (op->kind == LDR_OP_INSERT && op->where && op->on_conflict != LDR_CONFLICT_UPDATE)
    return bad(c, "a where of an insert is for the row that is updated");
  return LDR_OK;
}

ldr_code ldr_entity_writable(const ldr_entity *e, ldr_err *err) {
  if (!e->read_only) return LDR_OK;
  return ldr_fail(err, LDR_UNSUPPORTED, "%s.%s is read-only: its rows are those of a view or a foreign table",
                  e->schema->name, e->name);
}

ldr_code ldr_op_check(const ldr_op *op, ldr_err *err) {
  size_t compared = 0;
  const checker c = {op, err, &compared};
  ldr_code code;
  if (op->e == NULL) return ldr_fail(err, LDR_INVALID, "operation without a store");
  if ((unsigned)op->kind > LDR_OP_AGGREGATE) return bad(&c, "there is no such operation");
  err->code = LDR_OK; /* *err may hold an older validation, to which this one would add */
  code = check_foreign_parts(&c);
  if (code == LDR_OK) code = check_sources(&c, op->e, &op->sources);
  if (code == LDR_OK) code = check_optional_pred(&c, op->where);
  if (code == LDR_OK) code = check_sets(&c);
  if (code == LDR_OK) code = check_out(&c);
  if (code != LDR_OK) return code;
  switch (op->kind) {
    case LDR_OP_INSERT: return check_insert(&c);
    case LDR_OP_SELECT: return check_select(&c);
    case LDR_OP_AGGREGATE: code = check_aggregate(&c); return code == LDR_OK ? check_groups_wanted(&c) : code;
    default: return LDR_OK;
  }
}

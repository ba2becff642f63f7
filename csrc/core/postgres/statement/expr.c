#include "postgres/statement/expr.h"

#include <string.h>

#include "postgres/protocol/errors.h"
#include "values/codec.h"

/* ---- words ---- */

void ldr_sql_uint(ldr_sql *w, unsigned n) {
  char digits[12];
  unsigned at = sizeof digits;
  do digits[--at] = (char)('0' + n % 10);
  while (n /= 10);
  ldr_buf_add(w->text, digits + at, sizeof digits - at);
}

void ldr_sql_ident(ldr_sql *w, const char *name) { /* letters, digits, underscores: see model/entity.h */
  ldr_sql_str(w, "\"");
  ldr_sql_str(w, name);
  ldr_sql_str(w, "\"");
}

void ldr_sql_name(ldr_sql *w, const ldr_field *f) { ldr_buf_add(w->text, f->column + 2, f->column_n - 2); }

/* Right whatever standard_conforming_strings says. */
static void quote(ldr_buf *out, const char *s, size_t n) {
  ldr_buf_str(out, memchr(s, '\\', n) ? "E'" : "'");
  for (size_t i = 0; i < n; i++) {
    if (s[i] == '\'' || s[i] == '\\') ldr_buf_chr(out, s[i]);
    ldr_buf_chr(out, s[i]);
  }
  ldr_buf_chr(out, '\'');
}

void ldr_sql_constant(ldr_sql *w, const ldr_value *v) {
  ldr_buf plain = {0};
  const char *s;
  ldr_codec_text(v, &plain);
  s = ldr_buf_cstr(&plain);
  if (s)
    quote(w->text, s, plain.n);
  else
    w->text->broken = true;
  ldr_buf_free(&plain);
}

/* ---- parameters ---- */

void ldr_sql_collect(ldr_sql *w, const ldr_param *p) {
  ldr_buf_add(w->params, p, sizeof *p);
  w->n++;
}

void ldr_sql_reference(ldr_sql *w, unsigned number) {
  ldr_sql_str(w, "$");
  ldr_sql_uint(w, number);
}

static ldr_param of_field(const ldr_field *f, const ldr_value *v) {
  return (ldr_param){
      .type = f->type, .array = f->array, .is_array_value = f->array, .n = 1, .stride = 1, .v = v};
}

void ldr_sql_param(ldr_sql *w, const ldr_param *p) {
  ldr_sql_collect(w, p);
  ldr_sql_reference(w, w->n);
}

void ldr_sql_value(ldr_sql *w, const ldr_field *f, const ldr_value *v) {
  ldr_param p = of_field(f, v);
  ldr_sql_param(w, &p);
}

void ldr_sql_int8(ldr_sql *w, int64_t i) {
  ldr_param p = {.type = LDR_F_INT8, .n = 1, .stride = 1, .own = ldr_int(i)};
  ldr_sql_param(w, &p);
}

void ldr_sql_limit_fault(ldr_sql *w, const ldr_field *f, bool top) {
  ldr_buf_fmt(w->text, " %s %lld then '" LDR_LIMIT_FAULT "%s:must be at %s %lld;'", top ? ">" : "<",
              (long long)(top ? f->max : f->min), f->name, top ? "most" : "least",
              (long long)(top ? f->max : f->min));
}

/* unnest() is the one place where PostgreSQL does not take a type from what stands around the parameter. */
void ldr_sql_cast_list(ldr_sql *w, const ldr_field *f, bool as_text) {
  ldr_ftype t = as_text ? LDR_F_TEXT : f->type;
  ldr_sql_str(w, "::");
  ldr_sql_str(w, t == LDR_F_ENUM ? f->sql_type : ldr_ftype_get(t)->sql);
  ldr_sql_str(w, "[]");
}

/* ---- columns ---- */

static void alias(ldr_sql *w, unsigned depth) {
  ldr_buf_chr(w->text, depth ? 's' : 't');
  if (depth) ldr_sql_uint(w, depth);
}

void ldr_sql_column(ldr_sql *w, ldr_sql_scope s, unsigned field) {
  const ldr_field *f = &s.e->fields[field];
  if (s.depth == 0) {
    ldr_buf_add(w->text, f->column, f->column_n);
    return;
  }
  alias(w, s.depth);
  ldr_buf_chr(w->text, '.');
  ldr_sql_name(w, f);
}

static void by_bytes(ldr_sql *w, ldr_sql_scope s, unsigned field) {
  ldr_sql_column(w, s, field);
  ldr_sql_str(w, " collate \"C\"");
}

void ldr_sql_sortable(ldr_sql *w, ldr_sql_scope s, unsigned field) {
  const ldr_live *live = w->lives ? ldr_lives_find(w->lives, s.e) : NULL;
  if (ldr_ftype_is_text(s.e->fields[field].type) && !w->any_order && !ldr_live_bytewise(live, field))
    by_bytes(w, s, field);
  else
    ldr_sql_column(w, s, field);
}

/* ---- operands ---- */

static void inside(ldr_sql *w, ldr_sql_scope s, const ldr_path *p, const char *op, unsigned number) {
  ldr_sql_column(w, s, p->field);
  ldr_sql_str(w, op);
  ldr_sql_reference(w, number);
}

/* A value of the type wanted, or null: a cast never meets what it cannot take. The path is one parameter. */
static void path_value(ldr_sql *w, ldr_sql_scope s, const ldr_path *p) {
  ldr_param steps = {.type = LDR_F_TEXT, .array = true, .n = p->n, .stride = 1, .v = p->path};
  ldr_ftype type = p->as.type;
  ldr_sql_collect(w, &steps);
  if (type == LDR_F_JSONB) {
    ldr_sql_str(w, "nullif(");
    inside(w, s, p, " #> ", w->n);
    ldr_sql_str(w, ", 'null'::jsonb)");
    return;
  }
  ldr_sql_str(w, "(case jsonb_typeof(");
  inside(w, s, p, " #> ", w->n);
  ldr_sql_str(w, type == LDR_F_TEXT   ? ") when 'string' then "
                 : type == LDR_F_BOOL ? ") when 'boolean' then ("
                                      : ") when 'number' then (");
  inside(w, s, p, type == LDR_F_TEXT ? " #>> " : " #> ", w->n);
  ldr_sql_str(w, type == LDR_F_TEXT ? " end)" : type == LDR_F_BOOL ? ")::bool end)" : ")::numeric end)");
}

void ldr_sql_operand(ldr_sql *w, ldr_sql_scope s, unsigned field, const ldr_path *path) {
  if (path)
    path_value(w, s, path);
  else
    ldr_sql_column(w, s, field);
}

void ldr_sql_sortable_operand(ldr_sql *w, ldr_sql_scope s, unsigned field, const ldr_path *path) {
  if (path == NULL) {
    ldr_sql_sortable(w, s, field);
    return;
  }
  path_value(w, s, path);
  if (path->as.type == LDR_F_TEXT) ldr_sql_str(w, " collate \"C\"");
}

/* ---- predicates ---- */

static const char *const operators[] = {
    [LDR_P_EQ] = " = ",        [LDR_P_NE] = " <> ",     [LDR_P_LT] = " < ",      [LDR_P_LE] = " <= ",
    [LDR_P_GT] = " > ",        [LDR_P_GE] = " >= ",     [LDR_P_LIKE] = " like ", [LDR_P_ILIKE] = " ilike ",
    [LDR_P_CONTAINS] = " @> ", [LDR_P_HAS_KEY] = " ? ",
};

/* The operand stands already: what it is compared with. */
static void compared_with(ldr_sql *w, ldr_sql_scope s, const ldr_pred *p) {
  ldr_sql_str(w, operators[p->kind]);
  ldr_sql_value(w, ldr_operand(s.e, p->field, p->path), p->values);
}

/* A truth value stands in the text: a plan for any parameter could not use an index on rows "where enabled",
 * so that the server would plan such a statement anew each time. */
static bool is_truth(ldr_sql_scope s, const ldr_pred *p) {
  const ldr_field *f = &s.e->fields[p->field];
  return p->path == NULL && !f->array && f->type == LDR_F_BOOL && p->values->type == LDR_T_BOOL;
}

static void compare(ldr_sql *w, ldr_sql_scope s, const ldr_pred *p) {
  ldr_sql_operand(w, s, p->field, p->path);
  if (is_truth(s, p))
    ldr_buf_fmt(w->text, "%s%s", operators[p->kind], p->values->u.b ? "true" : "false");
  else
    compared_with(w, s, p);
}

static void compare_sorted(ldr_sql *w, ldr_sql_scope s, const ldr_pred *p) { /* <, <=, >, >= by bytes */
  ldr_sql_sortable_operand(w, s, p->field, p->path);
  compared_with(w, s, p);
}

static void ilike(ldr_sql *w, ldr_sql_scope s, const ldr_pred *p) { /* folds ASCII letters only, by C alone */
  if (p->path)
    ldr_sql_sortable_operand(w, s, p->field, p->path);
  else
    by_bytes(w, s, p->field);
  compared_with(w, s, p);
}

static void has_key(ldr_sql *w, ldr_sql_scope s, const ldr_pred *p) {
  ldr_param key = {.type = LDR_F_TEXT, .n = 1, .stride = 1, .v = p->values};
  ldr_sql_operand(w, s, p->field, p->path);
  ldr_sql_str(w, operators[p->kind]);
  ldr_sql_param(w, &key);
}

static ldr_param list_of(const ldr_field *f, const ldr_value *v, size_t n, size_t stride) {
  return (ldr_param){.type = f->type, .array = true, .n = n, .stride = stride, .v = v};
}

static void in_list(ldr_sql *w, ldr_sql_scope s, const ldr_pred *p) {
  ldr_param list = list_of(ldr_operand(s.e, p->field, p->path), p->values, p->n, 1);
  ldr_sql_operand(w, s, p->field, p->path);
  ldr_sql_str(w, " = any(");
  ldr_sql_param(w, &list);
  ldr_sql_str(w, ")");
}

static void is_null(ldr_sql *w, ldr_sql_scope s, unsigned field, const ldr_path *path) {
  ldr_sql_operand(w, s, field, path);
  ldr_sql_str(w, " is null");
}

/* The fields of a list of values. */
static const uint16_t *cols_of(ldr_sql_scope s, const ldr_pred *p, unsigned *n) {
  *n = 1;
  return p->kind == LDR_P_IN ? &p->field : ldr_pred_cols(s.e, p, n);
}

/* p->n rows of some fields: one array a field, so that one plan serves any number of rows. */
static void unnested(ldr_sql *w, ldr_sql_scope s, const ldr_pred *p) {
  unsigned width;
  const uint16_t *cols = cols_of(s, p, &width);
  ldr_sql_str(w, "unnest(");
  for (unsigned i = 0; i < width; i++) {
    const ldr_field *f = &s.e->fields[cols[i]];
    ldr_param list = list_of(f, p->values + i, p->n, width);
    ldr_sql_str(w, i ? ", " : "");
    ldr_sql_param(w, &list);
    ldr_sql_cast_list(w, f, false);
  }
  ldr_sql_str(w, ")");
}

static void in_keys(ldr_sql *w, ldr_sql_scope s, const ldr_pred *p) {
  unsigned width;
  const uint16_t *cols = cols_of(s, p, &width);
  for (unsigned i = 0; i < width; i++) {
    ldr_sql_str(w, i ? ", " : "(");
    ldr_sql_column(w, s, cols[i]);
  }
  ldr_sql_str(w, ") in (select * from ");
  unnested(w, s, p);
  ldr_sql_str(w, ")");
}

void ldr_sql_keys(ldr_sql *w, ldr_sql_scope s, const ldr_pred *p) {
  unsigned width;
  const uint16_t *cols = cols_of(s, p, &width);
  unnested(w, s, p);
  for (unsigned i = 0; i < width; i++) {
    ldr_sql_str(w, i ? ", " : " as p (");
    ldr_sql_name(w, &s.e->fields[cols[i]]);
  }
  ldr_sql_str(w, ")");
}

/* The list's rows stand beside the table. */
static void equal_to_keys(ldr_sql *w, ldr_sql_scope s, const ldr_pred *p) {
  unsigned width;
  const uint16_t *cols = cols_of(s, p, &width);
  for (unsigned i = 0; i < width; i++) {
    if (i) ldr_sql_str(w, " and ");
    ldr_sql_column(w, s, cols[i]);
    ldr_sql_str(w, " = p.");
    ldr_sql_name(w, &s.e->fields[cols[i]]);
  }
}

static void semi_join(ldr_sql *w, ldr_sql_scope outer, const ldr_pred *p) {
  ldr_sql_scope inner = {p->inner, outer.depth + 1};
  ldr_sql_str(w, "exists (select 1 from ");
  ldr_sql_str(w, p->inner->table);
  ldr_sql_str(w, " as ");
  alias(w, inner.depth);
  ldr_sql_str(w, " where ");
  for (unsigned i = 0; i < p->non; i++) {
    ldr_sql_column(w, inner, p->on[i].inner);
    ldr_sql_str(w, " = ");
    ldr_sql_column(w, outer, p->on[i].outer);
    ldr_sql_str(w, " and ");
  }
  ldr_sql_pred(w, inner, p->kids[0]);
  ldr_sql_str(w, ")");
}

static void junction(ldr_sql *w, ldr_sql_scope s, const ldr_pred *p) {
  bool all = p->kind == LDR_P_AND;
  if (p->n == 0) ldr_sql_str(w, all ? "true" : "false");
  if (p->n > 1) ldr_sql_str(w, "(");
  for (uint32_t i = 0; i < p->n; i++) {
    if (i) ldr_sql_str(w, all ? " and " : " or ");
    ldr_sql_pred(w, s, p->kids[i]);
  }
  if (p->n > 1) ldr_sql_str(w, ")");
}

static void negation(ldr_sql *w, ldr_sql_scope s, const ldr_pred *p) {
  ldr_sql_str(w, "not (");
  ldr_sql_pred(w, s, p->kids[0]);
  ldr_sql_str(w, ")");
}

void ldr_sql_pred(ldr_sql *w, ldr_sql_scope s, const ldr_pred *p) {
  if (p == w->joined) {
    equal_to_keys(w, s, p);
    return;
  }
  switch (p->kind) {
    case LDR_P_AND:
    case LDR_P_OR: junction(w, s, p); break;
    case LDR_P_NOT: negation(w, s, p); break;
    case LDR_P_LT:
    case LDR_P_LE:
    case LDR_P_GT:
    case LDR_P_GE: compare_sorted(w, s, p); break;
    case LDR_P_ILIKE: ilike(w, s, p); break;
    case LDR_P_EQ:
    case LDR_P_NE:
    case LDR_P_LIKE:
    case LDR_P_CONTAINS: compare(w, s, p); break;
    case LDR_P_HAS_KEY: has_key(w, s, p); break;
    case LDR_P_IN: in_list(w, s, p); break;
    case LDR_P_IS_NULL: is_null(w, s, p->field, p->path); break;
    case LDR_P_KEYS: in_keys(w, s, p); break;
    case LDR_P_EXISTS: semi_join(w, s, p); break;
  }
}

/* ---- order ---- */

static void rank(ldr_sql *w, ldr_sql_scope s, const ldr_order *o) {
  ldr_sql_str(w, "case");
  for (unsigned i = 0; i < o->nranks; i++) {
    ldr_sql_str(w, " when ");
    ldr_sql_pred(w, s, o->ranks[i]);
    ldr_sql_str(w, " then ");
    ldr_sql_uint(w, i);
  }
  ldr_sql_str(w, " else ");
  ldr_sql_uint(w, o->nranks);
  ldr_sql_str(w, " end");
}

static void order_item(ldr_sql *w, ldr_sql_scope s, const ldr_order *o) {
  switch (o->kind) {
    case LDR_BY_FIELD:
    case LDR_BY_PATH: ldr_sql_sortable_operand(w, s, o->field, o->path); break;
    case LDR_BY_NULL:
      ldr_sql_str(w, "(");
      is_null(w, s, o->field, o->path);
      ldr_sql_str(w, ")");
      break;
    case LDR_BY_RANK: rank(w, s, o); break;
  }
  if (o->desc) ldr_sql_str(w, " desc");
}

void ldr_sql_order(ldr_sql *w, ldr_sql_scope s, const ldr_order *order, unsigned n) {
  for (unsigned i = 0; i < n; i++) {
    ldr_sql_str(w, i ? ", " : " order by ");
    order_item(w, s, &order[i]);
  }
}

/* ---- keyset ---- */

static bool given(const ldr_value *v) { return v->type != LDR_T_NULL; }

static void after_uniform(ldr_sql *w, ldr_sql_scope s, const ldr_op *op) {
  const char *open = op->norder > 1 ? "(" : "", *close = op->norder > 1 ? ")" : "";
  ldr_sql_str(w, open);
  for (unsigned i = 0; i < op->norder; i++) {
    if (i) ldr_sql_str(w, ", ");
    ldr_sql_sortable(w, s, op->order[i].field);
  }
  ldr_sql_str(w, close);
  ldr_sql_str(w, op->order[0].desc ? " < " : " > ");
  ldr_sql_str(w, open);
  for (unsigned i = 0; i < op->norder; i++) {
    if (i) ldr_sql_str(w, ", ");
    ldr_sql_value(w, &op->e->fields[op->order[i].field], &op->after[i]);
  }
  ldr_sql_str(w, close);
}

/* Rows of one order column that come behind the cursor's value, or (or_same) are level with it. Ascending,
 * nulls come last: they are behind every value and nothing is behind them. Descending, nulls come first. */
static void behind(ldr_sql *w, ldr_sql_scope s, const ldr_order *o, unsigned number, bool or_same) {
  bool nulls_behind = !o->desc && s.e->fields[o->field].null;
  if (nulls_behind) ldr_sql_str(w, "(");
  ldr_sql_sortable(w, s, o->field);
  ldr_sql_str(w, operators[o->desc ? (or_same ? LDR_P_LE : LDR_P_LT) : (or_same ? LDR_P_GE : LDR_P_GT)]);
  ldr_sql_reference(w, number);
  if (nulls_behind) {
    ldr_sql_str(w, " or ");
    is_null(w, s, o->field, o->path);
    ldr_sql_str(w, ")");
  }
}

static void behind_null(ldr_sql *w, ldr_sql_scope s, const ldr_order *o) {
  if (!o->desc) {
    ldr_sql_str(w, "false");
    return;
  }
  ldr_sql_column(w, s, o->field);
  ldr_sql_str(w, " is not null");
}

static void same(ldr_sql *w, ldr_sql_scope s, const ldr_order *o, const ldr_value *v, unsigned number) {
  ldr_sql_column(w, s, o->field);
  if (given(v)) {
    ldr_sql_str(w, " = ");
    ldr_sql_reference(w, number);
  } else {
    ldr_sql_str(w, " is null");
  }
}

/* Order columns i and up: behind in column i, or level there and behind in the rest. number: the parameter of
 * the first value from i on that is not null. */
static void after_from(ldr_sql *w, ldr_sql_scope s, const ldr_op *op, unsigned i, unsigned number) {
  const ldr_order *o = &op->order[i];
  const ldr_value *v = &op->after[i];
  bool last = i + 1 == op->norder;
  if (!last) ldr_sql_str(w, "(");
  if (given(v))
    behind(w, s, o, number, false);
  else
    behind_null(w, s, o);
  if (last) return;
  ldr_sql_str(w, " or (");
  same(w, s, o, v, number);
  ldr_sql_str(w, " and ");
  after_from(w, s, op, i + 1, number + given(v));
  ldr_sql_str(w, "))");
}

void ldr_sql_after(ldr_sql *w, ldr_sql_scope s, const ldr_op *op) {
  unsigned first = w->n + 1;
  if (ldr_op_after_is_uniform(op)) {
    after_uniform(w, s, op);
    return;
  }
  for (unsigned i = 0; i < op->norder; i++) { /* each is referred to several times below */
    ldr_param p = of_field(&op->e->fields[op->order[i].field], &op->after[i]);
    if (given(&op->after[i])) ldr_sql_collect(w, &p);
  }
  if (op->norder > 1 && given(&op->after[0])) { /* implied by the rest, but a bound that an index can use */
    behind(w, s, &op->order[0], first, true);
    ldr_sql_str(w, " and ");
  }
  after_from(w, s, op, 0, first);
}

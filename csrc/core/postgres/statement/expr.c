#include "postgres/statement/expr.h"

#include <string.h>

#include "model/names.h"
#include "model/validate.h"
#include "postgres/protocol/errors.h"
#include "postgres/statement/literal.h"
#include "values/codec.h"

/* ---- words ---- */

void ldr_sql_uint(ldr_sql *w, unsigned n) {
  char digits[12];
  unsigned at = sizeof digits;
  do digits[--at] = (char)('0' + n % 10);
  while (n /= 10);
  ldr_buf_add(w->text, digits + at, sizeof digits - at);
}

void ldr_sql_ident(ldr_sql *w, const char *name) {
  size_t n = strlen(name);
  if (ldr_buf_reserve(w->text, 2 * n + 2)) w->text->n += ldr_sql_quote(w->text->p + w->text->n, name, n);
}

void ldr_sql_name(ldr_sql *w, const ldr_field *f) { ldr_buf_add(w->text, f->sql + 2, f->sql_n - 2); }

void ldr_sql_constant(ldr_sql *w, const ldr_value *v) {
  ldr_buf plain = {0};
  const char *s;
  ldr_codec_text(v, &plain);
  s = ldr_buf_cstr(&plain);
  if (s)
    ldr_sql_literal(w->text, s, plain.n);
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

ldr_param ldr_sql_param_of(const ldr_field *f, const ldr_value *v) {
  return (ldr_param){
      .type = f->type, .array = f->array, .is_array_value = f->array, .n = 1, .stride = 1, .v = v};
}

void ldr_sql_param(ldr_sql *w, const ldr_param *p) {
  ldr_sql_collect(w, p);
  ldr_sql_reference(w, w->n);
}

void ldr_sql_value(ldr_sql *w, const ldr_field *f, const ldr_value *v) {
  ldr_param p = ldr_sql_param_of(f, v);
  ldr_sql_param(w, &p);
}

void ldr_sql_int8(ldr_sql *w, int64_t i) {
  ldr_param p = {.type = LDR_F_INT8, .n = 1, .stride = 1, .own = ldr_int(i)};
  ldr_sql_param(w, &p);
}

void ldr_sql_limit_fault(ldr_sql *w, const ldr_field *f, bool top) {
  ldr_buf limit = {0};
  const char *s;
  ldr_limit_text(f, top ? &f->max : &f->min, &limit);
  s = ldr_buf_cstr(&limit);
  if (s)
    ldr_buf_fmt(w->text, " %s '%s'::%s then nullif('" LDR_LIMIT_FAULT "%s:must be at %s %s;', %s::text)::%s",
                top ? ">" : "<", s, ldr_ftype_get(f->type)->sql, f->name, top ? "most" : "least", s, f->sql,
                ldr_ftype_get(f->type)->sql);
  else
    w->text->broken = true;
  ldr_buf_free(&limit);
}

/* unnest() is the one place where PostgreSQL does not take a type from what stands around the parameter. */
void ldr_sql_cast_list(ldr_sql *w, const ldr_field *f, bool as_text) {
  ldr_ftype t = as_text ? LDR_F_TEXT : f->type;
  ldr_sql_str(w, "::");
  ldr_sql_str(w, t == LDR_F_ENUM ? f->sql_type : ldr_ftype_get(t)->sql);
  ldr_sql_str(w, "[]");
}

/* ---- columns ---- */

static void alias(ldr_sql *w, ldr_sql_scope s) {
  ldr_buf_chr(w->text, s.joined ? 'j' : s.depth ? 's' : 't');
  if (s.joined || s.depth) ldr_sql_uint(w, s.joined ? s.joined : s.depth);
}

void ldr_sql_column(ldr_sql *w, ldr_sql_scope s, unsigned field) {
  const ldr_field *f = &s.e->fields[field];
  if (s.depth == 0 && s.joined == 0) {
    ldr_buf_add(w->text, f->sql, f->sql_n);
    return;
  }
  alias(w, s);
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

/* ---- expressions: what each means is said in model/expr.h; memory/eval.c computes the same ---- */

static void inside(ldr_sql *w, ldr_sql_scope s, const ldr_expr *x, const char *op, unsigned number) {
  ldr_sql_column(w, s, x->field);
  ldr_sql_str(w, op);
  ldr_sql_reference(w, number);
}

/* A value of the type wanted, or null: a cast never meets what it cannot take. The path is one parameter. */
static void path_value(ldr_sql *w, ldr_sql_scope s, const ldr_expr *x) {
  ldr_param steps = {.type = LDR_F_TEXT, .array = true, .n = x->n, .stride = 1, .v = x->values};
  ldr_ftype type = x->as.type;
  ldr_sql_collect(w, &steps);
  if (type == LDR_F_JSONB) {
    ldr_sql_str(w, "nullif(");
    inside(w, s, x, " #> ", w->n);
    ldr_sql_str(w, ", 'null'::jsonb)");
    return;
  }
  ldr_sql_str(w, "(case jsonb_typeof(");
  inside(w, s, x, " #> ", w->n);
  ldr_sql_str(w, type == LDR_F_TEXT   ? ") when 'string' then "
                 : type == LDR_F_BOOL ? ") when 'boolean' then ("
                                      : ") when 'number' then (");
  inside(w, s, x, type == LDR_F_TEXT ? " #>> " : " #> ", w->n);
  ldr_sql_str(w, type == LDR_F_TEXT ? " end)" : type == LDR_F_BOOL ? ")::bool end)" : ")::numeric end)");
}

/* ---- calls ---- */

/* An argument, brought to the type that the function computes in. */
static void argument(ldr_sql *w, ldr_sql_scope s, const ldr_expr *x, unsigned i) {
  ldr_ftype type = ldr_expr_arg_type(x);
  ldr_sql_operand(w, s, LDR_NO_FIELD, x->args[i]);
  if (!ldr_type_is_number(ldr_ftype_get(type)->type) || x->args[i]->as.type == type) return;
  ldr_sql_str(w, "::");
  ldr_sql_str(w, ldr_ftype_get(type)->sql);
}

/* open a, b close */
static void arguments(ldr_sql *w, ldr_sql_scope s, const ldr_expr *x, const char *open, const char *between,
                      const char *close) {
  ldr_sql_str(w, open);
  for (unsigned i = 0; i < x->n; i++) {
    if (i) ldr_sql_str(w, between);
    argument(w, s, x, i);
  }
  ldr_sql_str(w, close);
}

/* Of an infinite time the server's year is infinite, and its other parts are null. */
static void part(ldr_sql *w, ldr_sql_scope s, const ldr_expr *x) {
  bool year = x->part == LDR_PART_YEAR;
  ldr_sql_str(w, year ? "nullif(nullif(extract(" : "extract(");
  ldr_sql_str(w, x->part == LDR_PART_WEEKDAY ? "isodow" : ldr_part_names[x->part]);
  ldr_sql_str(w, " from ");
  argument(w, s, x, 0);
  if (x->args[0]->as.type == LDR_F_TIMESTAMPTZ) ldr_sql_str(w, " at time zone 'UTC'");
  ldr_sql_str(w, year ? "), 'Infinity'), '-Infinity')::bigint" : ")::bigint");
}

/* date_trunc('day', operand, 'UTC'); a timestamp has no zone. */
static void bucket(ldr_sql *w, ldr_sql_scope s, const ldr_expr *x) {
  ldr_sql_str(w, "date_trunc('");
  ldr_sql_str(w, ldr_bucket_names[x->bucket]);
  ldr_sql_str(w, "', ");
  argument(w, s, x, 0);
  ldr_sql_str(w, x->as.type == LDR_F_TIMESTAMPTZ ? ", 'UTC')" : ")");
}

/* Texts of several columns may have no collation in common: what is made of them has one of its own. */
static void coalesce(ldr_sql *w, ldr_sql_scope s, const ldr_expr *x) {
  bool text = x->as.type == LDR_F_TEXT;
  arguments(w, s, x, text ? "(coalesce(" : "coalesce(", ", ", text ? ") collate \"C\")" : ")");
}

static void call(ldr_sql *w, ldr_sql_scope s, const ldr_expr *x) {
  switch (x->fn) {
    case LDR_FN_COALESCE: coalesce(w, s, x); break;
    case LDR_FN_LOWER: arguments(w, s, x, "lower(", "", " collate \"C\")"); break; /* C folds ASCII alone */
    case LDR_FN_UPPER: arguments(w, s, x, "upper(", "", " collate \"C\")"); break;
    case LDR_FN_LENGTH: arguments(w, s, x, "length(", "", ")::bigint"); break;
    case LDR_FN_ABS: arguments(w, s, x, "abs(", "", ")"); break;
    case LDR_FN_ADD: arguments(w, s, x, "(", " + ", ")"); break;
    case LDR_FN_SUB: arguments(w, s, x, "(", " - ", ")"); break;
    case LDR_FN_MUL: arguments(w, s, x, "(", " * ", ")"); break;
    case LDR_FN_BUCKET: bucket(w, s, x); break;
    case LDR_FN_PART: part(w, s, x); break;
    case LDR_NFNS: break;
  }
}

/* ---- sources: the rows of other stores that a row leads to ---- */

/* The server knows that a table's key is one. What stands behind a view's may come twice: a subquery fails
 * then, where a join would multiply rows. */
static bool is_joinable(const ldr_row_source *source) { return !source->e->read_only; }

/* Its place among the sources that are joined to the tables around; 0: it is not. */
static unsigned number_of(const ldr_sql *w, const ldr_row_source *source) {
  for (const ldr_sql_joins *j = w->joins; j && is_joinable(source); j = j->around)
    for (unsigned i = 0; i < j->sources->n; i++)
      if (j->sources->list[i] == source) return j->before + i + 1;
  return 0;
}

static void field_of(ldr_sql *w, ldr_sql_scope s, const ldr_row_source *source, unsigned field);

/* "schema"."table" as j1 */
static void table_as(ldr_sql *w, ldr_sql_scope s) {
  ldr_sql_str(w, s.e->table);
  ldr_sql_str(w, " as ");
  alias(w, s);
}

/* j1."id" = t."author_id" and …: what makes a row that of the source. */
static void is_source(ldr_sql *w, ldr_sql_scope s, const ldr_row_source *source, ldr_sql_scope there) {
  const ldr_pred *p = source->row;
  for (unsigned i = 0; i < p->non; i++) {
    ldr_sql_column(w, there, p->on[i].inner);
    ldr_sql_str(w, " = ");
    field_of(w, s, source->from, p->on[i].outer);
    ldr_sql_str(w, " and ");
  }
  ldr_sql_pred(w, there, p->kids[0]);
}

static void field_of(ldr_sql *w, ldr_sql_scope s, const ldr_row_source *source, unsigned field) {
  const unsigned number = source ? number_of(w, source) : 0;
  const ldr_sql_scope there = {ldr_row_source_entity(s.e, source), s.depth + !number, number};
  if (source == NULL || number) {
    ldr_sql_column(w, source ? there : s, field);
    return;
  }
  ldr_sql_str(w, "(select ");
  ldr_sql_column(w, there, field);
  ldr_sql_str(w, " from ");
  table_as(w, there);
  ldr_sql_str(w, " where ");
  is_source(w, s, source, there);
  ldr_sql_str(w, ")");
}

void ldr_sql_join(ldr_sql *w, ldr_sql_joins *joins, const ldr_row_sources *sources) {
  *joins = (ldr_sql_joins){w->joins, sources, w->njoined};
  w->joins = joins;
  w->njoined += sources->n;
}

void ldr_sql_joined(ldr_sql *w, ldr_sql_scope s) {
  for (unsigned i = 0; w->joins && i < w->joins->sources->n; i++) {
    const ldr_row_source *source = w->joins->sources->list[i];
    const ldr_sql_scope there = {source->e, s.depth, w->joins->before + i + 1};
    if (!is_joinable(source)) continue;
    ldr_sql_str(w, " left join ");
    table_as(w, there);
    ldr_sql_str(w, " on ");
    is_source(w, s, source, there);
  }
}

/* ---- all of them ---- */

static void expression(ldr_sql *w, ldr_sql_scope s, const ldr_expr *x) {
  switch (x->kind) {
    case LDR_X_FIELD: field_of(w, s, x->source, x->field); break;
    case LDR_X_PATH: path_value(w, s, x); break;
    case LDR_X_VALUE: ldr_sql_value(w, &x->as, x->values); break;
    case LDR_X_CALL: call(w, s, x); break;
  }
}

void ldr_sql_operand(ldr_sql *w, ldr_sql_scope s, unsigned field, const ldr_expr *x) {
  if (x)
    expression(w, s, x);
  else
    ldr_sql_column(w, s, field);
}

void ldr_sql_sortable_operand(ldr_sql *w, ldr_sql_scope s, unsigned field, const ldr_expr *x) {
  if (x == NULL) {
    ldr_sql_sortable(w, s, field);
    return;
  }
  expression(w, s, x);
  if (ldr_ftype_is_text(x->as.type)) ldr_sql_str(w, " collate \"C\"");
}

/* ---- predicates ---- */

static const char *const operators[] = {
    [LDR_P_EQ] = " = ",        [LDR_P_NE] = " <> ",       [LDR_P_LT] = " < ",      [LDR_P_LE] = " <= ",
    [LDR_P_GT] = " > ",        [LDR_P_GE] = " >= ",       [LDR_P_LIKE] = " like ", [LDR_P_ILIKE] = " ilike ",
    [LDR_P_CONTAINS] = " @> ", [LDR_P_OVERLAPS] = " && ", [LDR_P_HAS_KEY] = " ? ",
};

/* The operand stands already: what it is compared with. */
static void compared_with(ldr_sql *w, ldr_sql_scope s, const ldr_pred *p) {
  ldr_sql_str(w, operators[p->kind]);
  ldr_sql_value(w, ldr_operand(s.e, p->field, p->expr), p->values);
}

/* A truth value stands in the text: a plan for any parameter could not use an index on rows "where enabled",
 * so that the server would plan such a statement anew each time. */
static bool is_truth(ldr_sql_scope s, const ldr_pred *p) {
  const ldr_field *f = &s.e->fields[p->field];
  return p->expr == NULL && !f->array && f->type == LDR_F_BOOL && p->values->type == LDR_T_BOOL;
}

static void compare(ldr_sql *w, ldr_sql_scope s, const ldr_pred *p) {
  ldr_sql_operand(w, s, p->field, p->expr);
  if (is_truth(s, p))
    ldr_buf_fmt(w->text, "%s%s", operators[p->kind], p->values->u.b ? "true" : "false");
  else
    compared_with(w, s, p);
}

static void compare_sorted(ldr_sql *w, ldr_sql_scope s, const ldr_pred *p) { /* <, <=, >, >= by bytes */
  ldr_sql_sortable_operand(w, s, p->field, p->expr);
  compared_with(w, s, p);
}

static void ilike(ldr_sql *w, ldr_sql_scope s, const ldr_pred *p) { /* folds ASCII letters only, by C alone */
  if (p->expr)
    ldr_sql_sortable_operand(w, s, p->field, p->expr);
  else
    by_bytes(w, s, p->field);
  compared_with(w, s, p);
}

static void has_key(ldr_sql *w, ldr_sql_scope s, const ldr_pred *p) {
  ldr_param key = {.type = LDR_F_TEXT, .n = 1, .stride = 1, .v = p->values};
  ldr_sql_operand(w, s, p->field, p->expr);
  ldr_sql_str(w, operators[p->kind]);
  ldr_sql_param(w, &key);
}

static ldr_param list_of(const ldr_field *f, const ldr_value *v, size_t n, size_t stride) {
  return (ldr_param){.type = f->type, .array = true, .n = n, .stride = stride, .v = v};
}

static void in_list(ldr_sql *w, ldr_sql_scope s, const ldr_pred *p) {
  ldr_param list = list_of(ldr_operand(s.e, p->field, p->expr), p->values, p->n, 1);
  ldr_sql_operand(w, s, p->field, p->expr);
  ldr_sql_str(w, " = any(");
  ldr_sql_param(w, &list);
  ldr_sql_str(w, ")");
}

static void is_null(ldr_sql *w, ldr_sql_scope s, unsigned field, const ldr_expr *x) {
  ldr_sql_operand(w, s, field, x);
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
  const ldr_sql_scope inner = {p->inner, outer.depth + 1, 0};
  ldr_sql_joins joins;
  ldr_sql_join(w, &joins, &p->sources);
  ldr_sql_str(w, "exists (select 1 from ");
  table_as(w, inner);
  ldr_sql_joined(w, inner);
  ldr_sql_str(w, " where ");
  for (unsigned i = 0; i < p->non; i++) {
    ldr_sql_column(w, inner, p->on[i].inner);
    ldr_sql_str(w, " = ");
    ldr_sql_column(w, outer, p->on[i].outer);
    ldr_sql_str(w, " and ");
  }
  ldr_sql_pred(w, inner, p->kids[0]);
  ldr_sql_str(w, ")");
  w->joins = joins.around;
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
    case LDR_P_CONTAINS:
    case LDR_P_OVERLAPS: compare(w, s, p); break;
    case LDR_P_HAS_KEY: has_key(w, s, p); break;
    case LDR_P_IN: in_list(w, s, p); break;
    case LDR_P_IS_NULL: is_null(w, s, p->field, p->expr); break;
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
    case LDR_BY_EXPR: ldr_sql_sortable_operand(w, s, o->field, o->expr); break;
    case LDR_BY_NULL:
      ldr_sql_str(w, "(");
      is_null(w, s, o->field, o->expr);
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

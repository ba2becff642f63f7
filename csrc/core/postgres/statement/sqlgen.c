#include "postgres/statement/sqlgen.h"

#include <inttypes.h>
#include <stdio.h>

#include "postgres/statement/aggregate.h"
#include "postgres/statement/each_parent.h"
#include "postgres/statement/gen.h"
#include "postgres/statement/keyset.h"

static void names(gen *g, const uint16_t *fields, unsigned n) { /* "a", "b" */
  for (unsigned i = 0; i < n; i++) {
    if (i) say(g, ", ");
    ldr_sql_name(&g->w, field(g, fields[i]));
  }
}

static void columns(gen *g, const uint16_t *fields, unsigned n) { /* t."a", t."b" */
  for (unsigned i = 0; i < n; i++) {
    if (i) say(g, ", ");
    ldr_sql_column(&g->w, g->t, fields[i]);
  }
}

/* The literal is read when the statement is analyzed, and stays until it is analyzed again. */
static const char analyzed[] = "'now'::timestamptz";

/* row: part of what is looked at in each row found. The server would look at a condition that is about none
 * of its columns beforehand, in a step of its own, which costs more. */
static void guard(gen *g, const char *joint, bool row) {
  if (g->given.guard == 0) return;
  say(g, joint);
  say(g, "coalesce(");
  ldr_sql_reference(&g->w, g->given.guard);
  say(g, " = ");
  say(g, analyzed);
  say(g, ", ");
  if (row) ldr_sql_column(&g->w, g->t, g->op->e->key.field[0]);
  say(g, row ? " is not null)" : "true)");
}

static void returning(gen *g) {
  if (g->op->nout == 0 && !g->given.on) return;
  say(g, " returning ");
  columns(g, g->op->out, g->op->nout);
  if (!g->given.on) return;
  if (g->op->nout) say(g, ", ");
  say(g, analyzed);
  if (g->given.xid) say(g, ", pg_current_xact_id_if_assigned()");
}

/* ---- select ---- */

/* Where a row is written or locked, a source stays a subquery: the table to update or delete from cannot be
 * the one that others are joined to, ON CONFLICT knows of no other table, and a row that changed while a lock
 * was waited for would be looked at beside the row that it led to before. */
static bool joins_sources(const ldr_op *op) {
  return op->kind == LDR_OP_COUNT || op->kind == LDR_OP_AGGREGATE ||
         (op->kind == LDR_OP_SELECT && op->lock == LDR_LOCK_NONE);
}

/* Statements about cursors take no parameters. */
static void number(gen *g, int64_t n) {
  char text[24];
  snprintf(text, sizeof text, "%" PRId64, n);
  say(g, text);
}

static void fetch_rows(gen *g) {
  say(g, "fetch ");
  number(g, g->op->limit);
  say(g, " from larder_each_");
  number(g, g->op->cursor);
}

static void ask_for(gen *g) {
  if (g->op->how == LDR_HOW_PLAN) say(g, "explain (costs off) ");
  if (g->op->how != LDR_HOW_DECLARE) return;
  say(g, "declare larder_each_");
  number(g, g->op->cursor);
  say(g, " no scroll cursor for ");
}

static void chosen_order(gen *g) {
  g->w.any_order = g->op->any_order;
  ldr_sql_order(&g->w, g->t, g->op->order, g->op->norder);
  g->w.any_order = false;
}

/* What goes on behind the condition. */
static void page(gen *g) {
  const ldr_op *op = g->op;
  if (op->after) {
    g->w.any_order = op->any_order;
    say(g, op->where ? " and " : " where ");
    ldr_sql_after(&g->w, g->t, op);
  }
  chosen_order(g);
  ldr_gen_limits(g);
}

/* Where sources are for columns alone, the page is taken first: the server would join all rows before it
 * sorts them, and only then leave out all but the page. */
static bool takes_page_first(const ldr_op *op) {
  return op->sources.n && op->limit >= 0 && op->nper == 0 && joins_sources(op) && !ldr_op_picks_by_source(op);
}

static void page_first(gen *g) {
  say(g, " from (select t.*");
  ldr_gen_table(g, " from ");
  ldr_gen_where(g);
  page(g);
  say(g, ") as t");
  ldr_sql_joined(&g->w, g->t);
  chosen_order(g);
}

static void select_rows(gen *g) {
  static const char *const locks[] = {
      [LDR_LOCK_NONE] = "",
      [LDR_LOCK_UPDATE] = " for update",
      [LDR_LOCK_SHARE] = " for share",
      [LDR_LOCK_UPDATE_SKIP] = " for update skip locked",
      [LDR_LOCK_UPDATE_NOWAIT] = " for update nowait",
  };
  const ldr_op *op = g->op;
  if (op->how == LDR_HOW_FETCH) {
    fetch_rows(g);
    return;
  }
  ask_for(g);
  say(g, "select ");
  columns(g, op->out, op->nout);
  for (unsigned i = 0; i < op->ncomputed; i++) {
    if (i || op->nout) say(g, ", ");
    ldr_sql_operand(&g->w, g->t, op->computed[i].field, op->computed[i].expr);
    ldr_gen_name(g, op->computed[i].name);
  }
  if (takes_page_first(op)) {
    page_first(g);
    return;
  }
  if (op->nper)
    ldr_sql_each_parent(&g->w, g->t, op);
  else
    ldr_gen_source(g);
  page(g);
  say(g, locks[op->lock]);
}

static void count_rows(gen *g) {
  say(g, "select count(*)");
  ldr_gen_source(g);
}

/* ---- sets ---- */

static void operand(gen *g, const ldr_set *s) { /* what is set, added, appended … */
  if (s->excluded) {
    say(g, "excluded.");
    ldr_sql_name(&g->w, field(g, s->field));
  } else {
    ldr_sql_value(&g->w, field(g, s->field), &s->value);
  }
}

static void combine(gen *g, const ldr_set *s, const char *open, const char *middle, const char *close) {
  say(g, open);
  ldr_sql_column(&g->w, g->t, s->field);
  say(g, middle);
  operand(g, s);
  say(g, close);
}

/* What the field would hold. number: the parameter that has the operand already; 0: it becomes one here. */
static void sum_with(gen *g, const ldr_set *s, unsigned number) {
  say(g, "coalesce(");
  ldr_sql_column(&g->w, g->t, s->field);
  say(g, ", 0) + ");
  if (number)
    ldr_sql_reference(&g->w, number);
  else
    operand(g, s);
}

/* The declared limits hold for what an increment makes. SQL has no statement that fails, but a text that is
 * no number does, and the server's error quotes it: postgres/protocol/errors.c reads the fault out of it. */
static void limited_sum(gen *g, const ldr_set *s) {
  const ldr_field *f = field(g, s->field);
  unsigned number = 0;
  say(g, "(case");
  for (int top = 0; top < 2; top++) {
    if ((top ? f->max : f->min).type == LDR_T_NULL) continue;
    say(g, f->precision ? " when (" : " when ");
    sum_with(g, s, number);
    if (f->precision) ldr_buf_fmt(g->w.text, ")::numeric(%d,%d)", f->precision, f->scale);
    if (!s->excluded) number = g->w.n;
    ldr_sql_limit_fault(&g->w, f, top);
  }
  say(g, " else ");
  sum_with(g, s, number);
  say(g, " end)");
}

static void increment(gen *g, const ldr_set *s) {
  const ldr_field *f = field(g, s->field);
  if (ldr_field_is_limited(f))
    limited_sum(g, s);
  else
    sum_with(g, s, 0);
}

/* t."field" #> path, or the field itself at the top. */
static void merge_base(gen *g, const ldr_set *s, unsigned number) {
  ldr_sql_column(&g->w, g->t, s->field);
  if (number == 0) return;
  say(g, " #> ");
  ldr_sql_reference(&g->w, number);
}

/* What stands at path, an object or else none, with the members of m laid over it: those that are no objects
 * as one object, each that is one merged on its own and laid over by its name. So each level is said once,
 * and the functions are immutable ones. */
static void merge_level(gen *g, const ldr_set *s, const ldr_merge *m) {
  ldr_param path = {.type = LDR_F_TEXT, .array = true, .n = m->depth, .stride = 1, .v = m->path};
  unsigned number = 0;
  if (m->depth) {
    ldr_sql_collect(&g->w, &path);
    number = g->w.n;
  }
  say(g, "case jsonb_typeof(");
  merge_base(g, s, number);
  say(g, ") when 'object' then ");
  merge_base(g, s, number);
  say(g, " else '{}'::jsonb end || ");
  ldr_sql_value(&g->w, field(g, s->field), &m->own);
  for (const ldr_merge *kid = m->kids; kid; kid = kid->next) {
    ldr_param name = {
        .type = LDR_F_TEXT, .array = true, .n = 1, .stride = 1, .v = &kid->path[kid->depth - 1]};
    say(g, " || jsonb_set('{}'::jsonb, ");
    ldr_sql_param(&g->w, &name);
    say(g, ", ");
    merge_level(g, s, kid);
    say(g, ")");
  }
}

static void merge(gen *g, const ldr_set *s) {
  if (s->levels)
    merge_level(g, s, s->levels);
  else
    combine(g, s, "coalesce(", ", '{}'::jsonb) || ", "");
}

static void set_field(gen *g, const ldr_set *s) {
  const ldr_field *f = field(g, s->field);
  ldr_sql_name(&g->w, f);
  say(g, " = ");
  switch (s->kind) {
    case LDR_SET_VALUE: operand(g, s); break;
    case LDR_SET_DEFAULT: say(g, "default"); break;
    case LDR_SET_INCREMENT: increment(g, s); break;
    case LDR_SET_APPEND:
      combine(g, s, "coalesce(", f->array ? ", '{}') || " : ", '[]'::jsonb) || ", "");
      break;
    case LDR_SET_MERGE: merge(g, s); break;
    case LDR_SET_COALESCE: combine(g, s, "coalesce(", ", ", ")"); break;
    case LDR_SET_GREATEST:
      combine(g, s, "greatest(", ldr_ftype_is_text(f->type) ? " collate \"C\", " : ", ", ")");
      break;
  }
}

/* Without sets the rows stay as they are, but are found and returned. Nothing but a default can be written to
 * a key that the server generates. */
static void set_nothing(gen *g) {
  const ldr_entity *e = g->op->e;
  unsigned given = ldr_entity_given(e);
  uint16_t kept = e->key.field[e->key.n - 1];
  if (ldr_field_is_engines(&e->fields[kept]) && given < e->nfields) kept = (uint16_t)given;
  say(g, " set ");
  names(g, &kept, 1);
  say(g, " = ");
  columns(g, &kept, 1);
}

static void set_fields(gen *g) {
  if (g->op->nsets == 0) set_nothing(g);
  for (unsigned i = 0; i < g->op->nsets; i++) {
    say(g, i ? ", " : " set ");
    set_field(g, &g->op->sets[i]);
  }
}

static void update_rows(gen *g) {
  ldr_gen_table(g, "update ");
  set_fields(g);
  ldr_gen_where(g);
  guard(g, g->op->where ? " and " : " where ", true);
  returning(g);
}

static void delete_rows(gen *g) {
  ldr_gen_table(g, "delete from ");
  ldr_gen_where(g);
  returning(g);
}

/* ---- insert ---- */

static void single_row(gen *g) {
  const ldr_op *op = g->op;
  say(g, g->given.guard ? "select " : "values (");
  for (unsigned i = 0; i < op->ncols; i++) {
    if (i) say(g, ", ");
    ldr_sql_value(&g->w, field(g, op->cols[i]), &op->values[i]);
  }
  if (g->given.guard == 0) say(g, ")");
  guard(g, " where ", false);
}

/* Each column's values travel as one array, so one plan serves any number of rows. Arrays of arrays would be
 * one array of more dimensions: an array column travels as PostgreSQL's literals of its arrays and is read
 * back by a cast. */
static void many_rows(gen *g) {
  const ldr_op *op = g->op;
  say(g, "select ");
  for (unsigned i = 0; i < op->ncols; i++) {
    const ldr_field *f = field(g, op->cols[i]);
    say(g, i ? ", r." : "r.");
    ldr_sql_name(&g->w, f);
    if (f->array) ldr_sql_cast_list(&g->w, f, false);
  }
  say(g, " from unnest(");
  for (unsigned i = 0; i < op->ncols; i++) {
    const ldr_field *f = field(g, op->cols[i]);
    ldr_ftype type = f->array ? LDR_F_TEXT : f->type;
    ldr_param p = {.type = type, .array = true, .n = op->nrows, .stride = op->ncols, .v = op->values + i};
    if (i) say(g, ", ");
    ldr_sql_param(&g->w, &p);
    ldr_sql_cast_list(&g->w, f, f->array);
  }
  say(g, ") as r (");
  names(g, op->cols, op->ncols);
  say(g, ")");
  guard(g, " where ", false);
}

/* The constraint meant: its columns, and a partial one's condition so that PostgreSQL finds the index. */
static void conflict_target(gen *g) {
  const ldr_entity *e = g->op->e;
  const ldr_unique *u = g->op->target < 0 ? &e->key : &e->uniques[g->op->target];
  say(g, " (");
  names(g, u->field, u->n);
  say(g, ")");
  for (unsigned i = 0; i < u->nwhen; i++) {
    say(g, i ? " and " : " where ");
    ldr_sql_name(&g->w, &e->fields[u->when[i].field]);
    if (u->when[i].is_null) {
      say(g, " is null");
    } else {
      say(g, " = ");
      ldr_sql_constant(&g->w, &u->when[i].value);
    }
  }
}

static bool names_identity(const ldr_op *op) {
  for (unsigned i = 0; i < op->ncols; i++)
    if (op->e->fields[op->cols[i]].def == LDR_DEF_IDENTITY) return true;
  return false;
}

/* Rows of which the server makes all there is: a statement names one column at least. */
static void rows_of_defaults(gen *g) {
  say(g, "(");
  ldr_sql_name(&g->w, field(g, 0));
  say(g, ") values ");
  for (size_t i = 0; i < g->op->nrows; i++) say(g, i ? ", (default)" : "(default)");
}

static void inserted_rows(gen *g) {
  const ldr_op *op = g->op;
  if (op->ncols == 0) {
    rows_of_defaults(g);
    return;
  }
  say(g, "(");
  names(g, op->cols, op->ncols);
  say(g, names_identity(op) ? ") overriding system value " : ") ");
  if (op->nrows == 1)
    single_row(g);
  else
    many_rows(g);
}

bool ldr_sqlgen_counts(const ldr_op *op) {
  bool skips = op->kind == LDR_OP_INSERT && op->on_conflict == LDR_CONFLICT_SKIP;
  return op->kind == LDR_OP_COUNT || (skips && op->nrows != 1 && op->nout == 0);
}

/* Of several rows, those that were there already do not count. Citus counts them in what it says of an INSERT
 * … SELECT, so what comes back is counted. */
static void insert_rows(gen *g) {
  bool counts = ldr_sqlgen_counts(g->op);
  if (counts) say(g, "with w as (");
  ldr_gen_table(g, "insert into ");
  say(g, " ");
  inserted_rows(g);
  if (g->op->on_conflict != LDR_CONFLICT_ERROR) say(g, " on conflict");
  if (g->op->on_conflict != LDR_CONFLICT_ERROR && g->op->target != LDR_TARGET_ANY) conflict_target(g);
  if (g->op->on_conflict == LDR_CONFLICT_SKIP) say(g, " do nothing");
  if (g->op->on_conflict == LDR_CONFLICT_UPDATE) {
    say(g, " do update");
    set_fields(g);
    ldr_gen_where(g);
  }
  returning(g);
  if (counts) say(g, " returning 1) select count(*) from w");
}

/* ---- the whole ---- */

/* The guard's value is not known yet: who runs the statement adds it. */
static void collect_guard(gen *g) {
  const ldr_param time = {.type = LDR_F_TIMESTAMPTZ, .n = 1, .stride = 1};
  if (g->given.guard) ldr_sql_collect(&g->w, &time);
}

ldr_code ldr_sqlgen_given(const ldr_op *op, const ldr_sql_given *given, const ldr_lives *lives, ldr_buf *sql,
                          ldr_buf *params, ldr_err *err) {
  gen g = {
      .w = {.text = sql, .params = params, .lives = lives}, .op = op, .t = {op->e, 0, 0}, .given = *given};
  ldr_sql_joins joins;
  bool writes = op->kind == LDR_OP_INSERT || op->kind == LDR_OP_UPDATE || op->kind == LDR_OP_DELETE;
  if (writes && ldr_entity_writable(op->e, err) != LDR_OK) return err->code;
  if (joins_sources(op)) ldr_sql_join(&g.w, &joins, &op->sources);
  switch (op->kind) {
    case LDR_OP_SELECT: select_rows(&g); break;
    case LDR_OP_INSERT: insert_rows(&g); break;
    case LDR_OP_UPDATE: update_rows(&g); break;
    case LDR_OP_DELETE: delete_rows(&g); break;
    case LDR_OP_COUNT: count_rows(&g); break;
    case LDR_OP_AGGREGATE: ldr_gen_aggregate(&g); break;
  }
  collect_guard(&g);
  if (sql->broken || params->broken) return ldr_fail_nomem(err);
  return LDR_OK;
}

ldr_code ldr_sqlgen(const ldr_op *op, const ldr_lives *lives, ldr_buf *sql, ldr_buf *params, ldr_err *err) {
  static const ldr_sql_given plain;
  return ldr_sqlgen_given(op, &plain, lives, sql, params, err);
}

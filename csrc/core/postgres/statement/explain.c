#include "postgres/statement/explain.h"

#include <stdio.h>
#include <string.h>

#include "model/detail.h"
#include "model/names.h"

/* May the fault of this constraint be on either side of the store's own table? */
static bool refers_to_itself(const ldr_entity *e, const char *constraint) {
  for (unsigned i = 0; i < e->nrefs; i++)
    if (e->refs[i].target == e && strcmp(e->refs[i].name, constraint) == 0) return true;
  return false;
}

/* What one side of a reference is called when the server's words do not tell: the error names the table that
 * refers. When that is another one, a row of this store is referred to. */
static const char *reference_words(const ldr_entity *e, const ldr_err *err) {
  bool own = strcmp(e->relname, err->table) == 0;
  if (strncmp(err->message, LDR_FK_MISSING, strlen(LDR_FK_MISSING)) == 0) return LDR_FK_MISSING;
  if (strncmp(err->message, LDR_FK_REFERRED, strlen(LDR_FK_REFERRED)) == 0) return LDR_FK_REFERRED;
  if (strncmp(err->message, LDR_FK_EITHER, strlen(LDR_FK_EITHER)) != 0) return NULL; /* a function's own */
  if (*err->table == '\0' || err->nested || (own && refers_to_itself(e, err->constraint)))
    return LDR_FK_EITHER;
  return own ? LDR_FK_MISSING : LDR_FK_REFERRED;
}

static bool is_reference_of(const ldr_entity *e, const char *constraint) {
  for (unsigned i = 0; i < e->nrefs; i++)
    if (strcmp(e->refs[i].name, constraint) == 0) return true;
  return false;
}

/* The one reference to e of the table that the error names, or of all tables when none has its name: NULL
 * when there are several, or the name is one that was declared. */
static const ldr_ref *reference_of_partition(const ldr_entity *e, const ldr_err *err, bool by_table) {
  const ldr_ref *found = NULL;
  for (unsigned i = 0; i < e->nchildren; i++) {
    const ldr_entity *child = e->children[i].entity;
    if (is_reference_of(child, err->constraint)) return NULL;
    if (by_table && strcmp(child->relname, err->table) != 0) continue;
    if (found) return NULL;
    found = &child->refs[e->children[i].ref];
  }
  return found;
}

/* The detail as the declaration has it: the server's names columns, and may be in another language. None is
 * made where the server gave none. */
static void detail_reference(const ldr_entity *e, const char *words, ldr_err *err) {
  bool missing = strcmp(words, LDR_FK_MISSING) == 0;
  const ldr_schema *s = e->schema;
  if (*err->detail == '\0' || strcmp(words, LDR_FK_EITHER) == 0) return;
  for (unsigned i = 0; i < s->nentities; i++) {
    const ldr_entity *child = s->entities[i];
    if (strcmp(child->relname, err->table) != 0) continue;
    for (unsigned k = 0; k < child->nrefs; k++) {
      if (strcmp(child->refs[k].name, err->constraint) != 0) continue;
      if (missing)
        ldr_detail_missing(child, &child->refs[k], err);
      else
        ldr_detail_referred(child, &child->refs[k], err);
      return;
    }
  }
}

/* A reference to a partitioned table has a constraint for each partition, with a name of its own. One to a
 * table that stands alone has the name that it says, declared or not. */
static void explain_reference(const ldr_entity *e, const ldr_live *live, ldr_err *err) {
  const char *words = reference_words(e, err);
  if (words == NULL || *err->constraint == '\0') return;
  if (strcmp(words, LDR_FK_REFERRED) == 0 && !is_reference_of(e, err->constraint) && !err->nested &&
      !ldr_live_alone(live)) {
    const ldr_ref *ref = reference_of_partition(e, err, true);
    if (ref == NULL) ref = reference_of_partition(e, err, false);
    if (ref) ldr_err_set(err->constraint, sizeof err->constraint, ref->name);
  }
  snprintf(err->message, sizeof err->message, "%s: constraint \"%s\"", words, err->constraint);
  detail_reference(e, words, err);
}

/* "Key (tenant_id, "timestamp") …": is it the columns of u, in order? Words of SQL are in quotes. */
static bool same_columns(const ldr_entity *e, const ldr_unique *u, const char *detail) {
  const char *p = strchr(detail, '(');
  char name[LDR_NAME_MAX + 1];
  for (unsigned i = 0; p && i < u->n; i++) {
    p += i ? strlen(", ") : strlen("(");
    if (!ldr_sql_name_take(&p, name) || strcmp(name, e->fields[u->field[i]].column) != 0) return false;
    if (*p != (i + 1 < u->n ? ',' : ')')) return false;
  }
  return p != NULL;
}

/* The store of the table that the error names: a trigger may have met another one than the statement's. A
 * table that no store has is a partition of e; or, when e has none or a trigger met it, nobody's: NULL. */
static const ldr_entity *store_of(const ldr_entity *e, const ldr_live *live, const ldr_err *err) {
  const char *table = err->table;
  if (*table == '\0' || strcmp(e->relname, table) == 0) return e;
  for (unsigned i = 0; i < e->schema->nentities; i++)
    if (strcmp(e->schema->entities[i]->relname, table) == 0) return e->schema->entities[i];
  return err->nested || ldr_live_alone(live) ? NULL : e;
}

/* The index of a partition has a name of its own; its columns are those of the key or a unique of the store.
 */
static void explain_unique(const ldr_entity *e, ldr_err *err) {
  const ldr_unique *found = NULL;
  bool named = false;
  for (unsigned i = 0; i <= e->nuniques && !named; i++) {
    const ldr_unique *u = i ? &e->uniques[i - 1] : &e->key;
    named = strcmp(u->name, err->constraint) == 0;
    if (named || (found == NULL && same_columns(e, u, err->detail))) found = u;
  }
  if (found && *err->detail) ldr_detail_duplicate(e, found, err);
  if (found == NULL || named) return;
  ldr_err_set(err->constraint, sizeof err->constraint, found->name);
  ldr_err_set(err->table, sizeof err->table, e->relname);
  snprintf(err->message, sizeof err->message, "duplicate value violates unique constraint \"%s\"",
           found->name);
}

/* The server names a column, a program knows its field. A function may have said it in words of its own. */
static void explain_column(const ldr_entity *e, ldr_err *err) {
  int i = ldr_entity_column(e, err->column, strlen(err->column));
  char null[sizeof err->message];
  if (i < 0) return;
  snprintf(null, sizeof null, LDR_NOT_NULL_WORDS, err->column);
  ldr_err_set(err->column, sizeof err->column, e->fields[i].name);
  if (strcmp(err->message, null) == 0)
    snprintf(err->message, sizeof err->message, LDR_NOT_NULL_WORDS, err->column);
}

/* Of a value that a domain does not take the server names the domain alone. */
static void explain_domain(const ldr_entity *e, const ldr_live *live, ldr_err *err) {
  int field = err->nested || *err->column ? -1 : ldr_live_of_domain(live, err->domain);
  if (field < 0) return;
  ldr_err_set(err->column, sizeof err->column, e->fields[field].name);
  ldr_err_set(err->table, sizeof err->table, e->relname);
}

static bool has_no_size(const ldr_field *f) {
  return f->array || f->value_type == LDR_T_TEXT || f->value_type == LDR_T_BYTES ||
         f->value_type == LDR_T_NUMERIC;
}

/* A row of an index has a largest size: each field whose values may be long is told of. */
static void explain_too_long(const ldr_entity *e, ldr_err *err) {
  for (unsigned i = 0; i <= e->nuniques; i++) {
    const ldr_unique *u = i ? &e->uniques[i - 1] : &e->key;
    if (strcmp(u->name, err->constraint) != 0) continue;
    for (unsigned k = 0; k < u->n; k++)
      if (has_no_size(&e->fields[u->field[k]]))
        ldr_err_add_field(err, e->fields[u->field[k]].name, "is too long for its index");
  }
}

void ldr_explain(const ldr_entity *e, const ldr_live *live, ldr_err *err) {
  const ldr_entity *of = store_of(e, live, err);
  if (of && *err->column && *err->sqlstate) explain_column(of, err);
  explain_domain(e, live, err);
  if (err->code == LDR_FOREIGN_KEY) explain_reference(e, live, err);
  if (of && err->code == LDR_CONFLICT && strcmp(err->sqlstate, "23505") == 0) explain_unique(of, err);
  if (err->code == LDR_INVALID && strcmp(err->sqlstate, "54000") == 0) explain_too_long(e, err);
}

void ldr_stmt_explain(const ldr_stmt *s, ldr_err *err) {
  if (s && s->e) ldr_explain(s->e, s->live, err);
}

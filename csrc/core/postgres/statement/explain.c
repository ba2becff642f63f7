#include "postgres/statement/explain.h"

#include <stdio.h>
#include <string.h>

/* May the fault of this constraint be on either side of the store's own table? */
static bool refers_to_itself(const ldr_entity *e, const char *constraint) {
  for (unsigned i = 0; i < e->nrefs; i++)
    if (e->refs[i].target == e && strcmp(e->refs[i].name, constraint) == 0) return true;
  return false;
}

/* The error names the table that refers. When that is another one, a row of this store is referred to. */
static void explain_reference(const ldr_entity *e, ldr_err *err) {
  size_t n = strlen(LDR_FK_EITHER);
  bool own = strcmp(e->relname, err->table) == 0;
  char text[sizeof err->message];
  if (strncmp(err->message, LDR_FK_EITHER, n) != 0 || *err->table == '\0') return;
  if (own && refers_to_itself(e, err->constraint)) return;
  snprintf(text, sizeof text, "%s%s", own ? LDR_FK_MISSING : LDR_FK_REFERRED, err->message + n);
  ldr_err_set(err->message, sizeof err->message, text);
}

/* "Key (tenant_id, "timestamp") …": is it the fields of u, in order? Words of SQL are in quotes. */
static bool same_columns(const ldr_entity *e, const ldr_unique *u, const char *detail) {
  const char *p = strchr(detail, '(');
  for (unsigned i = 0; p && i < u->n; i++) {
    const char *name = e->fields[u->field[i]].name;
    size_t n = strlen(name);
    bool quoted;
    p += i ? strlen(", ") : strlen("(");
    quoted = *p == '"';
    p += quoted;
    if (strncmp(p, name, n) != 0 || (quoted && p[n] != '"')) return false;
    p += n + quoted;
    if (*p != (i + 1 < u->n ? ',' : ')')) return false;
  }
  return p != NULL;
}

/* The index of a partition has a name of its own; its columns are those of the key or a unique of the store.
 */
static void explain_unique(const ldr_entity *e, ldr_err *err) {
  const ldr_unique *found = NULL;
  for (unsigned i = 0; i <= e->nuniques; i++) {
    const ldr_unique *u = i ? &e->uniques[i - 1] : &e->key;
    if (strcmp(u->name, err->constraint) == 0) return;
    if (found == NULL && same_columns(e, u, err->detail)) found = u;
  }
  if (found == NULL) return;
  ldr_err_set(err->constraint, sizeof err->constraint, found->name);
  ldr_err_set(err->table, sizeof err->table, e->relname);
  snprintf(err->message, sizeof err->message, "duplicate value violates unique constraint \"%s\"",
           found->name);
}

void ldr_stmt_explain(const ldr_stmt *s, ldr_err *err) {
  if (s == NULL || s->e == NULL) return;
  if (err->code == LDR_FOREIGN_KEY) explain_reference(s->e, err);
  if (err->code == LDR_CONFLICT && strcmp(err->sqlstate, "23505") == 0) explain_unique(s->e, err);
}

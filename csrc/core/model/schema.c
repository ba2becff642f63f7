/* A schema is begun, gets its stores, and is checked as a whole. */
#include "model/declare.h"

#include <string.h>

/* ---- schema and entities ---- */

ldr_code ldr_schema_new(const char *name, ldr_schema **out, ldr_err *err) {
  ldr_schema *s;
  if (!ldr_decl_name_ok(name))
    return ldr_fail(err, LDR_INVALID, "family \"%.80s\": " LDR_NAME_RULE, name ? name : "");
  s = ldr_alloc(sizeof *s);
  if (s == NULL) goto nomem;
  atomic_init(&s->refs, 1);
  s->name = ldr_decl_copy(s, name);
  if (s->name == NULL) goto nomem;
  *out = s;
  return LDR_OK;

nomem:
  ldr_schema_release(s);
  return ldr_fail_nomem(err);
}

static ldr_code set_table(ldr_schema *s, ldr_entity *e, const char *table, ldr_err *err) {
  return ldr_decl_quote(s, e, "table", table, &e->table, &e->relname, err);
}

ldr_code ldr_schema_add(ldr_schema *s, const char *name, const char *table, ldr_entity **out, ldr_err *err) {
  ldr_entity *e, **list;
  ldr_code code;
  if (!ldr_decl_name_ok(name))
    return ldr_fail(err, LDR_INVALID, "%s: store \"%.80s\": " LDR_NAME_RULE, s->name, name ? name : "");
  if (ldr_schema_find(s, name)) return ldr_fail(err, LDR_INVALID, "%s.%s: is declared twice", s->name, name);
  e = ldr_arena_zalloc(&s->arena, sizeof *e);
  if (e == NULL) return ldr_fail_nomem(err);
  e->schema = s;
  e->id = s->nentities;
  e->tenant = e->soft_delete = -1;
  e->name = ldr_decl_copy(s, name);
  if (e->name == NULL) return ldr_fail_nomem(err);
  code = set_table(s, e, table, err);
  if (code != LDR_OK) return code;
  for (unsigned i = 0; i < s->nentities; i++)
    if (strcmp(s->entities[i]->table, e->table) == 0)
      return ldr_fail(err, LDR_INVALID, "%s.%s: table %s belongs to store %s", s->name, name, e->table,
                      s->entities[i]->name);
  list = ldr_decl_grow(s, s->entities, s->nentities, sizeof(ldr_entity *));
  if (list == NULL) return ldr_fail_nomem(err);
  s->entities = list;
  list[s->nentities++] = e;
  *out = e;
  return LDR_OK;
}

/* ---- finish ---- */

/* A reference fits its target's key in number, order and type; the target learns of it. */
static ldr_code link_ref(ldr_entity *e, unsigned number, ldr_err *err) {
  ldr_ref *r = &e->refs[number];
  ldr_entity *t = r->target;
  void *children;
  if (r->n != t->key.n)
    return ldr_decl_fault(err, e, "reference", r->name, "has %u fields, the key of %s has %u", r->n, t->name,
                          t->key.n);
  for (unsigned i = 0; i < r->n; i++) {
    const ldr_field *here = &e->fields[r->field[i]], *there = &t->fields[t->key.field[i]];
    if (here->type != there->type)
      return ldr_decl_fault(err, e, "reference", r->name, "field %s is %s, %s of %s is %s", here->name,
                            ldr_ftype_get(here->type)->name, there->name, t->name,
                            ldr_ftype_get(there->type)->name);
    r->target_field[i] = t->key.field[i];
  }
  children = ldr_decl_grow(e->schema, t->children, t->nchildren, sizeof *t->children);
  if (children == NULL) return ldr_fail_nomem(err);
  t->children = children;
  t->children[t->nchildren].entity = e;
  t->children[t->nchildren].ref = number;
  t->nchildren++;
  return LDR_OK;
}

ldr_code ldr_schema_finish(ldr_schema *s, ldr_err *err) {
  for (unsigned i = 0; i < s->nentities; i++) {
    ldr_entity *e = s->entities[i];
    if (e->key.n == 0) return ldr_fail(err, LDR_INVALID, "%s.%s: has no key", s->name, e->name);
    e->nchildren = 0;
    e->children = NULL;
  }
  for (unsigned i = 0; i < s->nentities; i++)
    for (unsigned k = 0; k < s->entities[i]->nrefs; k++) {
      ldr_code code = link_ref(s->entities[i], k, err);
      if (code != LDR_OK) return code;
    }
  return LDR_OK;
}

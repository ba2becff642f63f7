#include "model/entity.h"

#include <string.h>

ldr_schema *ldr_schema_retain(ldr_schema *s) {
  atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
  return s;
}

void ldr_schema_release(ldr_schema *s) {
  if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) return;
  ldr_arena_free(&s->arena);
  ldr_free(s);
}

ldr_entity *ldr_schema_find(const ldr_schema *s, const char *name) {
  for (unsigned i = 0; i < s->nentities; i++)
    if (strcmp(s->entities[i]->name, name) == 0) return s->entities[i];
  return NULL;
}

int ldr_entity_field(const ldr_entity *e, const char *name, size_t n) {
  for (unsigned i = 0; i < e->nfields; i++)
    if (strncmp(e->fields[i].name, name, n) == 0 && e->fields[i].name[n] == '\0') return (int)i;
  return -1;
}

int ldr_entity_column(const ldr_entity *e, const char *column, size_t n) {
  for (unsigned i = 0; i < e->nfields; i++)
    if (strncmp(e->fields[i].column, column, n) == 0 && e->fields[i].column[n] == '\0') return (int)i;
  return -1;
}

bool ldr_entity_in_key(const ldr_entity *e, unsigned field) {
  for (unsigned i = 0; i < e->key.n; i++)
    if (e->key.field[i] == field) return true;
  return false;
}

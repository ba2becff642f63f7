#include "model/source.h"

#include <string.h>

/* ---- is it one row? ---- */

static bool holds(const uint16_t *fields, unsigned n, const ldr_unique *u) {
  for (unsigned i = 0; i < u->n; i++) {
    unsigned k = 0;
    while (k < n && fields[k] != u->field[i]) k++;
    if (k == n) return false;
  }
  return u->n > 0 && u->nwhen == 0;
}

bool ldr_fields_tell_rows(const ldr_entity *e, const uint16_t *fields, unsigned n) {
  if (holds(fields, n, &e->key)) return true;
  for (unsigned i = 0; i < e->nuniques; i++)
    if (holds(fields, n, &e->uniques[i])) return true;
  return false;
}

/* ---- the list: conditions come in any order, but one operation should have one statement ---- */

const ldr_row_source *ldr_row_sources_find(const ldr_row_sources *l, const char *path) {
  for (unsigned i = 0; i < l->n; i++)
    if (strcmp(l->list[i]->path, path) == 0) return l->list[i];
  return NULL;
}

static bool reserve(ldr_row_sources *l, ldr_arena *a) {
  unsigned cap = l->cap ? l->cap * 2 : 4;
  const ldr_row_source **p;
  if (l->n < l->cap) return true;
  p = ldr_arena_alloc(a, cap * sizeof *p);
  if (p == NULL) return false;
  for (unsigned i = 0; i < l->n; i++) p[i] = l->list[i];
  l->list = p;
  l->cap = cap;
  return true;
}

bool ldr_row_sources_add(ldr_row_sources *l, const ldr_row_source *s, ldr_arena *a) {
  unsigned i;
  if (!reserve(l, a)) return false;
  for (i = l->n++; i > 0 && strcmp(l->list[i - 1]->path, s->path) > 0; i--) l->list[i] = l->list[i - 1];
  l->list[i] = s;
  return true;
}

#include "memory/lists.h"

enum {
  SHORT = 8, /* a list of no more items is gone through */
  EARLY = 2  /* uses without an index */
};

void ldr_memlists_free(ldr_memlists *l) {
  for (unsigned i = 0; i < l->n; i++) ldr_hash_free(&l->at[i].index);
  l->n = 0;
}

static uint32_t code_of(const ldr_value *v, unsigned width) {
  uint64_t h = 0;
  for (unsigned i = 0; i < width; i++) h = ldr_value_hash(&v[i], h);
  return ldr_hash_fold(h);
}

/* Equal values of these types hash alike; JSON has another equality. */
static bool suits(const ldr_pred *p, unsigned width) {
  if (p->n <= SHORT) return false;
  for (unsigned i = 0; i < width; i++)
    if (p->values[i].type == LDR_T_JSON || p->values[i].type == LDR_T_ARRAY) return false;
  return true;
}

/* false: memory is short, and the list is gone through as before. */
static bool build(ldr_hash *index, const ldr_pred *p, unsigned width) {
  if (!ldr_hash_reserve(index, p->n)) return false;
  for (uint32_t i = 0; i < p->n; i++) {
    const ldr_value *item = p->values + (size_t)i * width;
    union { /* the index only hands it back */
      const ldr_value *in;
      void *out;
    } u = {item};
    if (!ldr_hash_add(index, code_of(item, width), u.out)) {
      ldr_hash_free(index);
      return false;
    }
  }
  return true;
}

const ldr_hash *ldr_memlists_find(ldr_memlists *l, const ldr_pred *p, const ldr_value *v, unsigned width,
                                  uint32_t *code) {
  unsigned i = 0;
  if (l == NULL || !suits(p, width)) return NULL;
  while (i < l->n && l->at[i].list != p) i++;
  if (i == LDR_MEMLISTS_MAX) return NULL;
  if (i == l->n) {
    l->at[i].list = p;
    l->at[i].uses = 0;
    l->at[i].index = (ldr_hash){0};
    l->n++;
  }
  if (l->at[i].index.n == 0 && (l->at[i].uses++ < EARLY || !build(&l->at[i].index, p, width))) return NULL;
  *code = code_of(v, width);
  return &l->at[i].index;
}

#include "memory/table.h"

#include <assert.h>
#include <string.h>

#include "memory/match.h"

/* ---- entries ---- */

enum {
  COVERS = 30
}; /* indexes that a version can be covered in; in later ones it always has its own entry */

static bool is_covered(const ldr_memver *v, unsigned bit) { return bit < COVERS && v->covered >> bit & 1; }

static ldr_memver *older(const ldr_memver *v) { return v->prev ? v->prev : v->slot->committed; }

static ldr_memver *through(ldr_memver *entry, unsigned bit, const void *tx) {
  ldr_memver *seen = ldr_memslot_visible(entry->slot, tx), *v = seen;
  while (v && v != entry && is_covered(v, bit)) v = older(v);
  return v == entry ? seen : NULL;
}

ldr_memver *ldr_memtab_by_hash(const ldr_memtab *t, unsigned i, ldr_memver *entry, const void *tx) {
  (void)t;
  return through(entry, i, tx);
}

ldr_memver *ldr_memtab_by_index(const ldr_memtab *t, unsigned i, ldr_memver *entry, const void *tx) {
  return through(entry, t->nhash + i, tx);
}

/* ---- hash indexes ---- */

static uint32_t hash_values(const ldr_value *v, unsigned n) {
  uint64_t h = 0;
  for (unsigned i = 0; i < n; i++) h = ldr_value_hash(&v[i], h);
  return ldr_hash_fold(h);
}

/* A row's values of a unique's fields; false when the row is no concern of the unique. */
static bool unique_values(const ldr_entity *e, const ldr_unique *u, const ldr_row *row, ldr_value *v) {
  for (unsigned i = 0; i < u->n; i++) {
    ldr_row_get(e, row, u->field[i], &v[i]);
    if (v[i].type == LDR_T_NULL && !u->nulls_equal) return false;
  }
  for (unsigned i = 0; i < u->nwhen; i++) {
    ldr_value w;
    ldr_row_get(e, row, u->when[i].field, &w);
    if (u->when[i].is_null != (w.type == LDR_T_NULL)) return false;
    if (!u->when[i].is_null && ldr_value_cmp(&w, &u->when[i].value) != 0) return false;
  }
  return true;
}

/* ldr_value_cmp, with the most common kind of key at hand. Nulls are here where they are equal. */
static bool equal(const ldr_value *a, const ldr_value *b) {
  if (a->type == LDR_T_NULL || b->type == LDR_T_NULL) return a->type == b->type;
  if (a->type != LDR_T_TEXT || b->type != LDR_T_TEXT) return ldr_value_cmp(a, b) == 0;
  return a->n == b->n && memcmp(a->u.p, b->u.p, a->n) == 0;
}

static bool row_has(const ldr_entity *e, const ldr_unique *u, const ldr_row *row, const ldr_value *v) {
  for (unsigned i = 0; i < u->n; i++) {
    ldr_value w;
    ldr_row_get(e, row, u->field[i], &w);
    if (!equal(&w, &v[i])) return false;
  }
  return true;
}

ldr_memver *ldr_memtab_find(const ldr_memtab *t, unsigned i, const ldr_value *values, const void *tx) {
  const ldr_memhash *x = &t->hash[i];
  uint32_t code = hash_values(values, x->u->n);
  size_t at = ldr_hash_start(code);
  ldr_memver *v;
  while ((v = ldr_hash_next(&x->h, code, &at)))
    if (row_has(t->e, x->u, v->data, values)) {
      ldr_memver *seen = ldr_memtab_by_hash(t, i, v, tx);
      if (seen) return seen;
    }
  return NULL;
}

uint32_t ldr_memtab_key_code(const ldr_memtab *t, const ldr_row *row) {
  ldr_value v[LDR_MAX_KEY];
  for (unsigned i = 0; i < t->e->key.n; i++) ldr_row_get(t->e, row, t->e->key.field[i], &v[i]);
  return hash_values(v, t->e->key.n);
}

void ldr_memtab_probe(ldr_memtab *t, const ldr_row *row) {
  for (unsigned i = 0; i < t->nhash; i++) {
    ldr_memhash *x = &t->hash[i];
    ldr_value v[LDR_MAX_KEY];
    x->member = unique_values(t->e, x->u, row, v);
    if (x->member) x->code = hash_values(v, x->u->n);
  }
  t->probed = row;
}

/* What an entry with equal values means to tx. A slot that another transaction has only locked keeps its
 * values. */
static ldr_memclash judge(const ldr_memtab *t, unsigned i, ldr_memver *v, const void *tx) {
  if (ldr_memslot_held(v->slot, tx) && v->slot->pending) return LDR_MEM_HELD;
  return ldr_memtab_by_hash(t, i, v, tx) ? LDR_MEM_TAKEN : LDR_MEM_FREE;
}

ldr_memclash ldr_memtab_clash(const ldr_memtab *t, unsigned i, const ldr_memslot *own, const void *tx,
                              ldr_memslot **by) {
  const ldr_memhash *x = &t->hash[i];
  size_t at = ldr_hash_start(x->code);
  ldr_value values[LDR_MAX_KEY];
  ldr_memver *v;
  if (!x->member) return LDR_MEM_FREE;
  unique_values(t->e, x->u, t->probed, values);
  while ((v = ldr_hash_next(&x->h, x->code, &at))) {
    ldr_memclash clash;
    if (v->slot == own || !row_has(t->e, x->u, v->data, values)) continue;
    clash = judge(t, i, v, tx);
    if (clash == LDR_MEM_FREE) continue;
    *by = v->slot;
    return clash;
  }
  return LDR_MEM_FREE;
}

ldr_memclash ldr_memtab_parent(const ldr_memtab *t, const ldr_value *key, const void *tx,
                               ldr_memslot **slot) {
  const ldr_memver *v = ldr_memtab_find(t, 0, key, tx);
  if (v == NULL) return LDR_MEM_FREE;
  *slot = v->slot;
  return ldr_memslot_blocked(v->slot, tx, LDR_HOLD_KEY_SHARE) ? LDR_MEM_HELD : LDR_MEM_TAKEN;
}

/* ---- holds ---- */

/* A lock without a change is FOR UPDATE. */
static ldr_memhold owners_hold(const ldr_memslot *s) {
  const ldr_memver *v = s->pending;
  return v == NULL || v->moves_key ? LDR_HOLD_UPDATE : LDR_HOLD_CHANGE;
}

bool ldr_memslot_blocked(const ldr_memslot *s, const void *tx, ldr_memhold hold) {
  if (ldr_memslot_held(s, tx) && (hold > LDR_HOLD_KEY_SHARE || owners_hold(s) == LDR_HOLD_UPDATE))
    return true;
  if (hold < LDR_HOLD_CHANGE) return false;
  for (const ldr_memshare *m = s->shares; m; m = m->next)
    if (m->tx != tx && (hold == LDR_HOLD_UPDATE || m->hold == LDR_HOLD_SHARE)) return true;
  return false;
}

/* ---- ordered indexes ---- */

static uint64_t age(const ldr_memver *v) { return v == v->slot->committed ? 0 : (uint64_t)v->log + 1; }

/* Among entries with equal columns: rows with the same key (all but one of them deleted) by their slot's
 * address, versions of one row by age, which is the one thing that a merge leaves in order. */
static int compare_ages(const ldr_memver *a, const ldr_memver *b) {
  uintptr_t sa = (uintptr_t)a->slot, sb = (uintptr_t)b->slot;
  if (sa != sb) return sa < sb ? -1 : 1;
  return age(a) < age(b) ? -1 : age(a) > age(b);
}

/* ldr_order_values, with the most common kind of key at hand. */
static int order(const ldr_value *a, const ldr_value *b) {
  int c;
  if (a->type != LDR_T_TEXT || b->type != LDR_T_TEXT) return ldr_order_values(a, b);
  c = memcmp(a->u.p, b->u.p, a->n < b->n ? a->n : b->n);
  return c != 0 ? c : (a->n > b->n) - (a->n < b->n);
}

static int compare_bound(const void *ud, const void *probe, const void *entry) {
  const ldr_memindex *ix = ud;
  const ldr_membound *bound = probe;
  const ldr_memver *v = entry;
  for (unsigned i = 0; i < bound->n; i++) {
    ldr_value x;
    int c;
    ldr_row_get(ix->e, v->data, ix->field[i], &x);
    c = order(&bound->v[i], &x);
    if (c != 0) return ix->desc[i] ? -c : c;
  }
  return bound->exact ? compare_ages(bound->exact, v) : 0;
}

/* Where exactly one version stands. */
static ldr_membound bound_of(const ldr_memindex *ix, const ldr_memver *v, ldr_value *values) {
  for (unsigned i = 0; i < ix->n; i++) ldr_row_get(ix->e, v->data, ix->field[i], &values[i]);
  return (ldr_membound){values, ix->n, v};
}

static bool index_add(ldr_memindex *ix, ldr_memver *v) {
  ldr_value values[LDR_MEMINDEX_COLS];
  ldr_membound b = bound_of(ix, v, values);
  return ldr_sorted_add(&ix->s, compare_bound, ix, &b, v);
}

static void index_replace(ldr_memindex *ix, const ldr_memver *v, ldr_memver *by) {
  ldr_value values[LDR_MEMINDEX_COLS];
  ldr_membound b = bound_of(ix, v, values);
  ldr_sorted_replace(&ix->s, compare_bound, ix, &b, by);
}

static void index_remove(ldr_memindex *ix, const ldr_memver *v) {
  ldr_value values[LDR_MEMINDEX_COLS];
  ldr_membound b = bound_of(ix, v, values);
  ldr_sorted_remove(&ix->s, compare_bound, ix, &b);
}

ldr_sorted_pos ldr_memindex_seek(const ldr_memindex *ix, const ldr_membound *b, bool past) {
  return ldr_sorted_seek(&ix->s, compare_bound, ix, b, past);
}

/* ---- versions in the indexes ---- */

static bool same_in_hash(const ldr_memtab *t, unsigned i, const ldr_row *a, const ldr_row *b) {
  ldr_value v[LDR_MAX_KEY];
  const ldr_unique *u = t->hash[i].u;
  return t->hash[i].member && unique_values(t->e, u, a, v) && row_has(t->e, u, b, v);
}

static bool same_in_index(const ldr_memindex *ix, const ldr_row *a, const ldr_row *b) {
  for (unsigned i = 0; i < ix->n; i++) {
    const ldr_order by_field = {.field = ix->field[i]};
    if (ldr_order_rows(ix->e, &by_field, a, b) != 0) return false;
  }
  return true;
}

/* The indexes in which the probed row is covered by the version before it. */
static uint32_t covered_by(const ldr_memtab *t, const ldr_memver *before, const ldr_row *row) {
  uint32_t bits = 0;
  if (before == NULL || before->data == NULL || row == NULL) return 0;
  for (unsigned i = 0; i < t->nhash && i < COVERS; i++)
    if (same_in_hash(t, i, before->data, row)) bits |= 1u << i;
  for (unsigned i = 0; i < t->nindex && t->nhash + i < COVERS; i++)
    if (same_in_index(&t->index[i], before->data, row)) bits |= 1u << (t->nhash + i);
  return bits;
}

static bool has_hash_entry(const ldr_memtab *t, const ldr_memver *v, unsigned i) {
  return v->data && t->hash[i].member && !is_covered(v, i);
}

static bool has_index_entry(const ldr_memtab *t, const ldr_memver *v, unsigned i) {
  return v->data && !is_covered(v, t->nhash + i);
}

static void unlink_first(ldr_memtab *t, ldr_memver *v, unsigned nhash, unsigned nindex) {
  for (unsigned i = 0; i < nhash; i++)
    if (has_hash_entry(t, v, i)) ldr_hash_remove(&t->hash[i].h, t->hash[i].code, v);
  for (unsigned i = 0; i < nindex; i++)
    if (has_index_entry(t, v, i)) index_remove(&t->index[i], v);
}

static bool link_all(ldr_memtab *t, ldr_memver *v) {
  unsigned h = 0, x = 0;
  for (; h < t->nhash; h++)
    if (has_hash_entry(t, v, h) && !ldr_hash_add(&t->hash[h].h, t->hash[h].code, v)) goto fail;
  for (; x < t->nindex; x++)
    if (has_index_entry(t, v, x) && !index_add(&t->index[x], v)) goto fail;
  return true;

fail:
  unlink_first(t, v, h, x);
  return false;
}

ldr_memver *ldr_memtab_add_version(ldr_memtab *t, ldr_memslot *s, ldr_row *row, size_t log) {
  ldr_memver *before = s->pending ? s->pending : s->committed, *v = ldr_slab_take(&t->versions);
  assert(row == NULL || t->probed == row);
  if (v == NULL) return NULL;
  *v = (ldr_memver){.slot = s, .data = row, .prev = s->pending, .log = (uint32_t)log};
  v->covered = covered_by(t, before, row) & ((1u << COVERS) - 1);
  if (!link_all(t, v)) {
    ldr_slab_give(&t->versions, v);
    return NULL;
  }
  return v;
}

void ldr_memtab_drop_version(ldr_memtab *t, ldr_memver *v) {
  if (v->data) {
    ldr_memtab_probe(t, v->data);
    unlink_first(t, v, t->nhash, t->nindex);
  }
  ldr_row_release(v->data);
  ldr_slab_give(&t->versions, v);
}

/* Has it no entry in any hash, since the version before it has the same values? */
static bool covered_in_hashes(const ldr_memtab *t, const ldr_memver *v) {
  unsigned i = 0;
  while (i < t->nhash && is_covered(v, i)) i++;
  return i == t->nhash;
}

/* Where v is covered, the entry in force already is older's or one before it. */
static void merge_hashes(ldr_memtab *t, ldr_memver *old, ldr_memver *v) {
  if (covered_in_hashes(t, v)) return;
  if (old->data) ldr_memtab_probe(t, old->data);
  for (unsigned i = 0; i < t->nhash; i++)
    if (!is_covered(v, i) && has_hash_entry(t, old, i)) ldr_hash_remove(&t->hash[i].h, t->hash[i].code, old);
  if (v->data) ldr_memtab_probe(t, v->data);
  for (unsigned i = 0; i < t->nhash; i++)
    if (has_hash_entry(t, v, i)) ldr_hash_replace(&t->hash[i].h, t->hash[i].code, v, old);
}

static void merge_indexes(ldr_memtab *t, ldr_memver *old, ldr_memver *v) {
  for (unsigned i = 0; i < t->nindex; i++) {
    if (is_covered(v, t->nhash + i)) continue;
    if (has_index_entry(t, old, i)) index_remove(&t->index[i], old);
    if (v->data) index_replace(&t->index[i], v, old);
  }
}

void ldr_memtab_merge(ldr_memtab *t, ldr_memver *old, ldr_memver *v) {
  merge_hashes(t, old, v);
  merge_indexes(t, old, v);
  ldr_row_release(old->data);
  old->data = v->data;
  old->covered &= v->covered;
  old->moves_key |= v->moves_key;
  ldr_slab_give(&t->versions, v);
}

/* ---- slots ---- */

ldr_memslot *ldr_memtab_add_slot(ldr_memtab *t) {
  ldr_memslot *s = ldr_slab_take(&t->slots);
  if (s == NULL) return NULL;
  *s = (ldr_memslot){.prev = t->last};
  if (t->last)
    t->last->next = s;
  else
    t->first = s;
  t->last = s;
  return s;
}

void ldr_memtab_drop_slot(ldr_memtab *t, ldr_memslot *s) {
  if (s->prev)
    s->prev->next = s->next;
  else
    t->first = s->next;
  if (s->next)
    s->next->prev = s->prev;
  else
    t->last = s->prev;
  ldr_slab_give(&t->slots, s);
}

bool ldr_memtab_reserve(ldr_memtab *t, size_t more) {
  for (unsigned i = 0; i < t->nhash; i++)
    if (!ldr_hash_reserve(&t->hash[i].h, more)) return false;
  return true;
}

/* ---- making a table ---- */

static bool has_column(const ldr_memindex *ix, unsigned n, uint16_t field) {
  for (unsigned i = 0; i < n; i++)
    if (ix->field[i] == field) return true;
  return false;
}

static void add_column(ldr_memindex *ix, uint16_t field, bool desc) {
  ix->field[ix->n] = field;
  ix->desc[ix->n++] = desc;
}

static void add_index(ldr_memtab *t, const uint16_t *field, const bool *desc, unsigned n) {
  ldr_memindex *ix = &t->index[t->nindex++];
  ix->e = t->e;
  for (unsigned i = 0; i < n; i++) add_column(ix, field[i], desc && desc[i]);
  for (unsigned i = 0; i < t->e->key.n; i++)
    if (!has_column(ix, ix->n, t->e->key.field[i])) add_column(ix, t->e->key.field[i], false);
}

/* The index whose first n columns are these fields, in this order (and one direction) or in any; nindex:
 * none. */
static unsigned find_index(const ldr_memtab *t, const uint16_t *field, unsigned n, bool in_order) {
  unsigned i = 0;
  for (; i < t->nindex; i++) {
    const ldr_memindex *ix = &t->index[i];
    bool fits = ix->n >= n;
    for (unsigned k = 0; k < n && fits; k++)
      fits = in_order ? ix->field[k] == field[k] && ix->desc[k] == ix->desc[0] : has_column(ix, n, field[k]);
    if (fits) break;
  }
  return i;
}

static void add_indexes(ldr_memtab *t) {
  const ldr_entity *e = t->e;
  for (unsigned i = 0; i < e->nindexes; i++)
    add_index(t, e->indexes[i].field, e->indexes[i].desc, e->indexes[i].n);
  if (find_index(t, e->key.field, e->key.n, true) == t->nindex) add_index(t, e->key.field, NULL, e->key.n);
  for (unsigned i = 0; i < e->nrefs; i++) {
    const ldr_ref *r = &e->refs[i];
    t->ref_index[i] = find_index(t, r->field, r->n, false);
    if (t->ref_index[i] == t->nindex) add_index(t, r->field, NULL, r->n);
  }
}

ldr_code ldr_memtab_new(const ldr_entity *e, ldr_memtab **family, ldr_memtab **out, ldr_err *err) {
  ldr_memtab *t = ldr_alloc(sizeof *t);
  if (t == NULL) goto nomem;
  t->e = e;
  t->family = family;
  ldr_slab_init(&t->slots, sizeof(ldr_memslot));
  ldr_slab_init(&t->versions, sizeof(ldr_memver));
  ldr_slab_init(&t->shares, sizeof(ldr_memshare));
  t->hash = ldr_alloc_array(1 + e->nuniques, sizeof *t->hash);
  t->index = ldr_alloc_array(e->nindexes + 1 + e->nrefs, sizeof *t->index);
  t->ref_index = ldr_alloc_array(e->nrefs, sizeof *t->ref_index);
  t->identity = ldr_alloc_array(e->nfields, sizeof *t->identity);
  if (!t->hash || !t->index || !t->ref_index || !t->identity) goto nomem;
  t->nhash = 1 + e->nuniques;
  t->hash[0].u = &e->key;
  for (unsigned i = 0; i < e->nuniques; i++) t->hash[i + 1].u = &e->uniques[i];
  add_indexes(t);
  *out = t;
  return LDR_OK;

nomem:
  ldr_memtab_free(t);
  return ldr_fail_nomem(err);
}

static void release_rows(ldr_memtab *t) {
  for (ldr_memslot *s = t->first; s; s = s->next) {
    if (s->committed) ldr_row_release(s->committed->data);
    for (ldr_memver *v = s->pending; v; v = v->prev) ldr_row_release(v->data);
  }
}

void ldr_memtab_free(ldr_memtab *t) {
  if (t == NULL) return;
  release_rows(t);
  for (unsigned i = 0; i < t->nhash; i++) ldr_hash_free(&t->hash[i].h);
  for (unsigned i = 0; i < t->nindex; i++) ldr_sorted_free(&t->index[i].s);
  ldr_slab_free(&t->slots);
  ldr_slab_free(&t->versions);
  ldr_slab_free(&t->shares);
  ldr_free(t->hash);
  ldr_free(t->index);
  ldr_free(t->ref_index);
  ldr_free(t->identity);
  ldr_free(t);
}

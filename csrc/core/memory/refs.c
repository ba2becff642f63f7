#include "memory/refs.h"

#include "memory/errors.h"
#include "memory/read.h"

/* ---- a row and its targets ---- */

static bool reference_values(const ldr_entity *e, const ldr_ref *r, const ldr_row *row, ldr_value *v) {
  for (unsigned i = 0; i < r->n; i++) {
    ldr_row_get(e, row, r->field[i], &v[i]);
    if (v[i].type == LDR_T_NULL) return false; /* match simple: a null refers to nothing */
  }
  return true;
}

static bool unchanged(const ldr_entity *e, const ldr_ref *r, const ldr_row *old, const ldr_value *v) {
  for (unsigned i = 0; i < r->n; i++) {
    ldr_value w;
    ldr_row_get(e, old, r->field[i], &w);
    if (ldr_order_values(&w, &v[i]) != 0) return false;
  }
  return true;
}

/* Finds the rows that this one refers to, and holds them so that they stay: PostgreSQL's FOR KEY SHARE. */
static ldr_code find_targets(ldr_undo *tx, const ldr_memtab *t, const ldr_row *row, const ldr_row *old,
                             ldr_err *err) {
  for (unsigned i = 0; i < t->e->nrefs; i++) {
    const ldr_ref *r = &t->e->refs[i];
    ldr_memtab *target = t->family[r->target->id];
    ldr_memslot *slot = NULL;
    ldr_value v[LDR_MAX_KEY];
    ldr_code code = LDR_OK;
    if (!reference_values(t->e, r, row, v) || (old && unchanged(t->e, r, old, v))) continue;
    switch (ldr_memtab_parent(target, v, tx, &slot)) {
      case LDR_MEM_FREE: return ldr_memerr_missing(t->e, r, v, err);
      case LDR_MEM_HELD: return ldr_memerr_locked(err);
      case LDR_MEM_TAKEN:
        if (tx->lasting) code = ldr_undo_hold(tx, target, slot, LDR_HOLD_KEY_SHARE, err);
        break;
    }
    if (code != LDR_OK) return code;
  }
  return LDR_OK;
}

/* ---- a deleted row and its children ---- */

/* The deleted row's key in the order in which the child's index has the reference's fields. */
static void index_values(const ldr_memindex *ix, const ldr_ref *r, const ldr_row *gone, ldr_value *v) {
  for (unsigned i = 0; i < r->n; i++)
    for (unsigned k = 0; k < r->n; k++)
      if (ix->field[i] == r->field[k]) ldr_row_get(r->target, gone, r->target_field[k], &v[i]);
}

/* The child rows that tx sees. Another transaction's hold on one of them is a conflict: `restrict` only looks
 * and shares the row's key, the other actions change it. */
static ldr_code find_children(const ldr_undo *tx, const ldr_memtab *t, unsigned ref, const ldr_row *gone,
                              ldr_memslots *out, ldr_err *err) {
  const ldr_memindex *ix = &t->index[t->ref_index[ref]];
  const ldr_ref *r = &t->e->refs[ref];
  ldr_value v[LDR_MEMINDEX_COLS];
  ldr_membound b = {v, r->n, NULL};
  ldr_sorted_pos at, end;
  index_values(ix, r, gone, v);
  at = ldr_memindex_seek(ix, &b, false);
  end = ldr_memindex_seek(ix, &b, true);
  while (ldr_sorted_before(at, end)) {
    ldr_memver *found = ldr_sorted_next(&ix->s, &at);
    ldr_code code = LDR_OK;
    if (ldr_memtab_by_index(t, t->ref_index[ref], found, tx) == NULL) continue;
    if (ldr_memslot_blocked(found->slot, tx,
                            r->on_delete == LDR_RESTRICT ? LDR_HOLD_KEY_SHARE : LDR_HOLD_CHANGE))
      return ldr_memerr_locked(err);
    if (r->on_delete == LDR_RESTRICT) return ldr_memerr_still_referred(t->e, r, err);
    code = ldr_memslots_add(out, found->slot, err);
    if (code != LDR_OK) return code;
  }
  return LDR_OK;
}

static ldr_code set_null(ldr_undo *tx, ldr_memtab *t, const ldr_ref *r, ldr_memslot *slot, ldr_err *err) {
  const ldr_row *old = ldr_memslot_visible(slot, tx)->data;
  const uint16_t *list = r->nset_null ? r->set_null : r->field;
  unsigned n = r->nset_null ? r->nset_null : r->n;
  ldr_value values[LDR_MAX_FIELDS];
  ldr_row *row;
  ldr_code code;
  for (unsigned i = 0; i < t->e->nfields; i++) ldr_row_get(t->e, old, i, &values[i]);
  for (unsigned i = 0; i < n; i++) values[list[i]] = ldr_null();
  code = ldr_row_pack(t->e, values, &row, err);
  return code == LDR_OK ? ldr_undo_write(tx, t, slot, row, err) : code;
}

static ldr_code act_on(ldr_undo *tx, ldr_memtab *t, unsigned ref, const ldr_row *gone, ldr_err *err) {
  const ldr_ref *r = &t->e->refs[ref];
  ldr_memslots children = {0};
  ldr_code code = find_children(tx, t, ref, gone, &children, err);
  for (size_t i = 0; i < children.n && code == LDR_OK; i++) {
    if (r->on_delete == LDR_CASCADE)
      code = ldr_undo_write(tx, t, children.slot[i], NULL, err);
    else
      code = set_null(tx, t, r, children.slot[i], err);
  }
  ldr_memslots_free(&children);
  return code;
}

static ldr_code act_on_children(ldr_undo *tx, const ldr_memtab *t, const ldr_row *gone, ldr_err *err) {
  for (unsigned i = 0; i < t->e->nchildren; i++) {
    ldr_memtab *child = t->family[t->e->children[i].entity->id];
    ldr_code code = act_on(tx, child, t->e->children[i].ref, gone, err);
    if (code != LDR_OK) return code;
  }
  return LDR_OK;
}

/* ---- all rows of a statement ---- */

/* The row that a pending version replaced; NULL: none. */
static const ldr_row *replaced(const ldr_memver *v) {
  const ldr_memver *old = v->prev ? v->prev : v->slot->committed;
  return old ? old->data : NULL;
}

ldr_code ldr_memfk_run(ldr_undo *tx, size_t from, ldr_err *err) {
  for (size_t i = from; i < tx->n; i++) { /* the log grows meanwhile */
    const ldr_memlog rec = tx->log[i];
    const ldr_row *old;
    ldr_code code = LDR_OK;
    if (rec.ver == NULL || rec.slot->pending != rec.ver)
      continue; /* written again since: that record counts */
    old = replaced(rec.ver);
    if (rec.ver->data)
      code = find_targets(tx, rec.tab, rec.ver->data, old, err);
    else if (old)
      code = act_on_children(tx, rec.tab, old, err);
    if (code != LDR_OK) return code;
  }
  return LDR_OK;
}

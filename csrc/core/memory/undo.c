#include "memory/undo.h"

#include <assert.h>

#include "memory/errors.h"

enum { KEPT = 1024 }; /* records that an empty log keeps room for, and savepoints */

/* ---- writing ---- */

static bool reserve(ldr_undo *tx) {
  size_t cap = tx->cap ? tx->cap * 2 : 16;
  ldr_memlog *log;
  if (tx->n < tx->cap) return true;
  if (cap > UINT32_MAX) return false; /* versions keep their place in 32 bits */
  log = ldr_realloc(tx->log, cap * sizeof *log);
  if (log == NULL) return false;
  tx->log = log;
  tx->cap = cap;
  return true;
}

static ldr_code check_uniques(const ldr_undo *tx, const ldr_memtab *t, const ldr_memslot *slot,
                              const ldr_row *row, ldr_err *err) {
  for (unsigned i = 0; i < t->nhash; i++) {
    ldr_memslot *by;
    switch (ldr_memtab_clash(t, i, slot, tx, &by)) {
      case LDR_MEM_FREE: break;
      case LDR_MEM_TAKEN: return ldr_memerr_duplicate(t->e, t->hash[i].u, row, err);
      case LDR_MEM_HELD: return ldr_memerr_locked(err);
    }
  }
  return LDR_OK;
}

static bool same_value(const ldr_entity *e, unsigned field, const ldr_row *a, const ldr_row *b) {
  ldr_value x, y;
  ldr_row_get(e, a, field, &x);
  ldr_row_get(e, b, field, &y);
  if (x.type == LDR_T_NULL || y.type == LDR_T_NULL) return x.type == y.type;
  return ldr_value_cmp(&x, &y) == 0;
}

/* Does the new row (NULL: it is deleted) differ in a field that a reference could use: of the key, or of a
 * unique without a condition? */
static bool moves_key(const ldr_memtab *t, const ldr_row *old, const ldr_row *row) {
  if (row == NULL) return true;
  for (unsigned i = 0; i < t->nhash; i++) {
    const ldr_unique *u = t->hash[i].u;
    for (unsigned k = 0; k < u->n && u->nwhen == 0; k++)
      if (!same_value(t->e, u->field[k], old, row)) return true;
  }
  return false;
}

/* The strongest hold that writing `row` over what tx sees of the slot needs. */
static ldr_memhold hold_of(const ldr_undo *tx, const ldr_memtab *t, const ldr_memslot *slot,
                           const ldr_row *row) {
  const ldr_memver *v = ldr_memslot_visible(slot, tx);
  return v && moves_key(t, v->data, row) ? LDR_HOLD_UPDATE : LDR_HOLD_CHANGE;
}

static void push(ldr_undo *tx, ldr_memtab *t, ldr_memslot *slot, ldr_memver *v, ldr_memhold hold) {
  if (v) {
    v->was_locked = slot->owner == tx && slot->pending == NULL;
    v->moves_key = hold == LDR_HOLD_UPDATE || v->was_locked || (v->prev && v->prev->moves_key);
    slot->pending = v;
  }
  slot->owner = tx;
  tx->log[tx->n++] = (ldr_memlog){.tab = t, .slot = slot, .ver = v};
}

/* Takes over the row on success only. */
static bool add_version(ldr_undo *tx, ldr_memtab *t, ldr_memslot *slot, ldr_row *row, ldr_memhold hold) {
  ldr_memslot *s = slot;
  ldr_memver *v;
  if (!reserve(tx)) return false;
  if (s == NULL) s = ldr_memtab_add_slot(t);
  if (s == NULL) return false;
  v = ldr_memtab_add_version(t, s, row, tx->n);
  if (v)
    push(tx, t, s, v, hold);
  else if (slot == NULL)
    ldr_memtab_drop_slot(t, s);
  return v != NULL;
}

ldr_code ldr_undo_write(ldr_undo *tx, ldr_memtab *t, ldr_memslot *slot, ldr_row *row, ldr_err *err) {
  ldr_memhold hold = slot ? hold_of(tx, t, slot, row) : LDR_HOLD_CHANGE;
  ldr_code code = LDR_OK;
  if (slot && ldr_memslot_blocked(slot, tx, hold)) code = ldr_memerr_locked(err);
  if (code == LDR_OK && row) {
    ldr_memtab_probe(t, row);
    code = check_uniques(tx, t, slot, row, err);
  }
  if (code == LDR_OK && !add_version(tx, t, slot, row, hold)) code = ldr_fail_nomem(err);
  if (code != LDR_OK) ldr_row_release(row);
  return code;
}

/* ---- holds without a change ---- */

static bool has_share(const ldr_undo *tx, const ldr_memslot *slot, ldr_memhold hold) {
  for (const ldr_memshare *m = slot->shares; m; m = m->next)
    if (m->tx == tx && m->hold >= hold) return true;
  return false;
}

static bool share(ldr_undo *tx, ldr_memtab *t, ldr_memslot *slot, ldr_memhold hold) {
  ldr_memshare *m = ldr_slab_take(&t->shares);
  if (m == NULL) return false;
  *m = (ldr_memshare){.tx = tx, .next = slot->shares, .hold = hold};
  slot->shares = m;
  tx->log[tx->n++] = (ldr_memlog){.tab = t, .slot = slot, .share = m};
  return true;
}

static void unshare(const ldr_memlog *rec) {
  ldr_memshare **link = &rec->slot->shares;
  while (*link != rec->share) link = &(*link)->next;
  *link = rec->share->next;
  ldr_slab_give(&rec->tab->shares, rec->share);
}

ldr_code ldr_undo_hold(ldr_undo *tx, ldr_memtab *t, ldr_memslot *slot, ldr_memhold hold, ldr_err *err) {
  if (ldr_memslot_blocked(slot, tx, hold)) return ldr_memerr_locked(err);
  if (slot->owner == tx && (hold < LDR_HOLD_UPDATE || slot->pending == NULL)) return LDR_OK;
  if (hold < LDR_HOLD_UPDATE && has_share(tx, slot, hold)) return LDR_OK;
  if (slot->owner ==
      tx) { /* a change, held more strongly until the change ends; a savepoint does not weaken it */
    slot->pending->moves_key = true;
    return LDR_OK;
  }
  if (!reserve(tx)) return ldr_fail_nomem(err);
  if (hold == LDR_HOLD_UPDATE)
    push(tx, t, slot, NULL, hold);
  else if (!share(tx, t, slot, hold))
    return ldr_fail_nomem(err);
  return LDR_OK;
}

/* ---- undoing ---- */

static void undo_last(ldr_undo *tx) {
  ldr_memlog last = tx->log[--tx->n];
  ldr_memslot *s = last.slot;
  if (last.share) {
    unshare(&last);
    return;
  }
  assert(s->pending == last.ver && s->owner == tx);
  if (last.ver == NULL) {
    s->owner = NULL;
    return;
  }
  s->pending = last.ver->prev;
  if (s->pending == NULL && !last.ver->was_locked) s->owner = NULL;
  ldr_memtab_drop_version(last.tab, last.ver);
  if (s->pending == NULL && s->committed == NULL) ldr_memtab_drop_slot(last.tab, s);
}

void ldr_undo_revert(ldr_undo *tx, size_t to) {
  while (tx->n > to) undo_last(tx);
}

/* ---- settling: a version becomes one with the version before it ---- */

static void merge_into_prev(const ldr_undo *tx, ldr_memtab *t, ldr_memver *v) {
  ldr_memver *old = v->prev, **link = &v->slot->pending;
  while (*link != v) link = &(*link)->prev;
  assert(tx->log[old->log].ver == old);
  *link = old;
  ldr_memtab_merge(t, old, v);
}

void ldr_undo_settle(ldr_undo *tx, size_t from) {
  size_t base = tx->nmarks ? tx->mark[tx->nmarks - 1] : 0, to = from;
  for (size_t i = from; i < tx->n; i++) {
    ldr_memlog rec = tx->log[i];
    if (rec.ver && rec.ver->prev && rec.ver->prev->log >= base) {
      merge_into_prev(tx, rec.tab, rec.ver);
      continue;
    }
    if (rec.ver) rec.ver->log = (uint32_t)to;
    tx->log[to++] = rec;
  }
  tx->n = to;
}

/* ---- committing ---- */

static void count_row(ldr_memtab *t, const ldr_memver *v, bool in) {
  if (v == NULL || v->data == NULL) return;
  t->rows = in ? t->rows + 1 : t->rows - 1;
  t->row_bytes = in ? t->row_bytes + ldr_row_size(v->data) : t->row_bytes - ldr_row_size(v->data);
}

/* All versions of a slot become the committed one. */
static void commit_slot(ldr_memtab *t, ldr_memslot *s) {
  count_row(t, s->committed, false);
  while (s->pending) {
    ldr_memver *v = s->pending, *old = v->prev ? v->prev : s->committed;
    s->pending = v->prev;
    if (old)
      ldr_memtab_merge(t, old, v);
    else
      s->committed = v;
  }
  s->owner = NULL;
  count_row(t, s->committed, true);
  if (s->committed->data) return;
  ldr_memtab_drop_version(t, s->committed);
  ldr_memtab_drop_slot(t, s);
}

bool ldr_undo_commit(ldr_undo *tx) {
  bool changed = false;
  for (size_t i = 0; i < tx->n;
       i++) { /* a slot ends with the record of its newest version: no later one names it */
    ldr_memlog rec = tx->log[i];
    if (rec.share) /* always before the records of what its transaction did to the slot afterwards */
      unshare(&rec);
    else if (rec.slot->pending == NULL)
      rec.slot->owner = NULL;
    else if (rec.slot->pending == rec.ver)
      commit_slot(rec.tab, rec.slot);
    changed = changed || rec.ver;
  }
  tx->n = 0;
  ldr_undo_reset(tx);
  return changed;
}

/* ---- savepoints ---- */

ldr_code ldr_undo_savepoint(ldr_undo *tx, ldr_err *err) {
  if (tx->nmarks == tx->marks_cap) {
    size_t cap = tx->marks_cap ? tx->marks_cap * 2 : 4;
    size_t *mark = ldr_realloc(tx->mark, cap * sizeof *mark);
    if (mark == NULL) return ldr_fail_nomem(err);
    tx->mark = mark;
    tx->marks_cap = cap;
  }
  tx->mark[tx->nmarks++] = tx->n;
  return LDR_OK;
}

void ldr_undo_release(ldr_undo *tx) { ldr_undo_settle(tx, tx->mark[--tx->nmarks]); }

void ldr_undo_rollback_to(ldr_undo *tx) { ldr_undo_revert(tx, tx->mark[--tx->nmarks]); }

void ldr_undo_reset(ldr_undo *tx) {
  ldr_undo_revert(tx, 0);
  tx->nmarks = 0;
  if (tx->cap > KEPT || tx->marks_cap > KEPT)
    ldr_undo_free(tx); /* what a bulk load took is not worth keeping */
}

void ldr_undo_free(ldr_undo *tx) {
  ldr_undo_revert(tx, 0);
  ldr_free(tx->log);
  ldr_free(tx->mark);
  *tx = (ldr_undo){.lasting = tx->lasting};
}

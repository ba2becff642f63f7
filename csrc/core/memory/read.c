#include "memory/read.h"

#include <string.h>

#include "memory/errors.h"
#include "memory/sort.h"

/* ---- semi-joins ---- */

enum { MAX_JOIN = LDR_MAX_KEY + 1 };

/* The predicate on the inner table: its fields equal the outer row's values, and the rest. false: a joined
 * value is null, so nothing can be equal to it. */
static bool join(const ldr_entity *outer, const ldr_row *row, const ldr_pred *p, ldr_value *values,
                 ldr_pred *eq, const ldr_pred **kids, ldr_pred *all) {
  for (unsigned i = 0; i < p->non; i++) {
    ldr_row_get(outer, row, p->on[i].outer, &values[i]);
    if (values[i].type == LDR_T_NULL) return false;
    eq[i] = (ldr_pred){.kind = LDR_P_EQ, .field = p->on[i].inner, .n = 1, .values = &values[i]};
    kids[i] = &eq[i];
  }
  kids[p->non] = p->kids[0];
  *all = (ldr_pred){.kind = LDR_P_AND, .n = p->non + 1, .kids = kids};
  return true;
}

static ldr_truth exists(void *ud, const ldr_entity *outer, const ldr_row *row, const ldr_pred *p,
                        const ldr_row **row_found, ldr_err *err) {
  const ldr_memquery *from = ud;
  ldr_value values[LDR_MAX_KEY];
  ldr_pred eq[LDR_MAX_KEY], all;
  const ldr_pred *kids[MAX_JOIN];
  ldr_memquery q = {.tab = from->tab->family[p->inner->id], .tx = from->tx, .where = &all, .wanted = 1};
  ldr_memreader r;
  ldr_memver *found = NULL;
  ldr_code code;
  if (!join(outer, row, p, values, eq, kids, &all)) return LDR_FALSE;
  ldr_memreader_open(&r, &q, err);
  code = ldr_memreader_next(&r, &found);
  ldr_memreader_close(&r);
  if (code != LDR_OK) return LDR_BROKEN;
  if (found && row_found) *row_found = found->data;
  return found ? LDR_TRUE : LDR_FALSE;
}

/* ---- the reader ---- */

ldr_matcher ldr_memread_matcher(const ldr_memquery *q, ldr_memscratch *scratch, ldr_err *err) {
  union { /* the matcher hands it back to exists(), which only reads it */
    const void *in;
    void *out;
  } ud = {q};
  return (ldr_matcher){.exists = exists, .ud = ud.out, .err = err, .scratch = scratch};
}

void ldr_memreader_open(ldr_memreader *r, const ldr_memquery *q, ldr_err *err) {
  ldr_memcur_open(&r->cur, q);
  r->scratch = (ldr_memscratch){0};
  r->m = ldr_memread_matcher(q, &r->scratch, err);
  r->lists.n = 0;
  r->m.lists = &r->lists;
}

void ldr_memreader_close(ldr_memreader *r) {
  ldr_memcur_close(&r->cur);
  ldr_memscratch_free(&r->scratch);
  ldr_memlists_free(&r->lists);
}

/* Does the predicate hold? A list that led to the candidate holds for it, and going through a long one again
 * and again would take longer than all the rest. */
static ldr_truth holds(const ldr_memreader *r, const ldr_row *row) {
  const ldr_memcur *c = &r->cur;
  if (c->list == NULL || c->more) return ldr_match(&r->m, c->q->tab->e, row, c->q->where);
  for (unsigned i = 0; i < c->nparts; i++) {
    ldr_truth t = c->part[i] == c->list ? LDR_TRUE : ldr_match(&r->m, c->q->tab->e, row, c->part[i]);
    if (t != LDR_TRUE) return t;
  }
  return LDR_TRUE;
}

ldr_code ldr_memreader_next(ldr_memreader *r, ldr_memver **out) {
  const ldr_memquery *q = r->cur.q;
  for (;;) {
    ldr_memver *v = NULL;
    ldr_truth t;
    ldr_code code = ldr_memcur_next(&r->cur, &v, r->m.err);
    if (code != LDR_OK) return code;
    if (v == NULL) {
      *out = NULL;
      return LDR_OK;
    }
    t = holds(r, v->data);
    if (t == LDR_TRUE && q->after)
      t = ldr_order_after(&r->m, q->tab->e, q->order, q->norder, v->data, q->after);
    if (t == LDR_BROKEN) return r->m.err->code;
    if (t != LDR_TRUE) continue;
    *out = v;
    return LDR_OK;
  }
}

/* ---- lists ---- */

/* Room for one more pointer in a list that doubles. */
static bool reserve(void *list, size_t n, size_t *cap) {
  size_t more = *cap ? *cap * 2 : 16;
  void *p, *old;
  if (n < *cap) return true;
  memcpy(&old, list, sizeof old);
  p = ldr_realloc(old, more * sizeof p);
  if (p == NULL) return false;
  memcpy(list, &p, sizeof p);
  *cap = more;
  return true;
}

ldr_code ldr_memrows_add(ldr_memrows *l, ldr_row *row, ldr_err *err) {
  if (!reserve(&l->row, l->n, &l->cap)) return ldr_fail_nomem(err);
  l->row[l->n++] = ldr_row_retain(row);
  return LDR_OK;
}

void ldr_memrows_free(ldr_memrows *l) {
  for (size_t i = 0; i < l->n; i++) ldr_row_release(l->row[i]);
  ldr_free(l->row);
  *l = (ldr_memrows){0};
}

ldr_code ldr_memrows_take(ldr_memrows *l, const ldr_op *op, ldr_rows **out, ldr_err *err) {
  ldr_code code = ldr_rows_from_packed(op->e, op->out, op->nout, l->row, l->n, out, err);
  l->n = 0; /* the counts went over */
  ldr_memrows_free(l);
  return code;
}

static ldr_code compute_row(const ldr_matcher *m, const ldr_op *op, const ldr_row *row, ldr_arena *a,
                            ldr_value *v) {
  for (unsigned i = 0; i < op->nout; i++) ldr_row_get(op->e, row, op->out[i], v++);
  for (unsigned i = 0; i < op->ncomputed; i++, v++) {
    ldr_code code = ldr_match_operand(m, op->e, row, op->computed[i].field, op->computed[i].expr, v);
    if (code != LDR_OK) return code;
    if (!ldr_value_copy(v, a)) return ldr_fail_nomem(m->err);
  }
  return LDR_OK;
}

ldr_code ldr_memrows_compute(ldr_undo *tx, const ldr_memtab *t, const ldr_memrows *l, const ldr_op *op,
                             ldr_rows **out, ldr_err *err) {
  const ldr_memquery q = {.tab = t, .tx = tx};
  const unsigned width = op->nout + op->ncomputed;
  ldr_memscratch scratch = {{0}, {0}};
  ldr_matcher m = ldr_memread_matcher(&q, &scratch, err);
  ldr_arena arena = {0};
  ldr_buf cols = {0};
  ldr_value *values = l->n > SIZE_MAX / sizeof *values / width
                          ? NULL
                          : ldr_arena_alloc(&arena, l->n * width * sizeof *values);
  ldr_code code = values ? LDR_OK : ldr_fail_nomem(err);
  ldr_op_columns(op, &cols);
  if (code == LDR_OK && cols.broken) code = ldr_fail_nomem(err);
  for (size_t i = 0; i < l->n && code == LDR_OK; i++)
    code = compute_row(&m, op, l->row[i], &arena, values + i * width);
  if (code == LDR_OK)
    code = ldr_rows_from_values((const ldr_column *)(const void *)cols.p, width, values, l->n, out, err);
  ldr_buf_free(&cols);
  ldr_arena_free(&arena);
  ldr_memscratch_free(&scratch);
  return code;
}

ldr_code ldr_memslots_add(ldr_memslots *l, ldr_memslot *slot, ldr_err *err) {
  if (!reserve(&l->slot, l->n, &l->cap)) return ldr_fail_nomem(err);
  l->slot[l->n++] = slot;
  return LDR_OK;
}

void ldr_memslots_free(ldr_memslots *l) {
  ldr_free(l->slot);
  *l = (ldr_memslots){0};
}

ldr_code ldr_memread_targets(ldr_undo *tx, const ldr_memtab *t, const ldr_pred *where, ldr_memslots *out,
                             ldr_err *err) {
  const ldr_memquery q = {.tab = t, .tx = tx, .where = where, .wanted = -1};
  ldr_memreader r;
  ldr_memver *v;
  ldr_code code;
  ldr_memreader_open(&r, &q, err);
  while ((code = ldr_memreader_next(&r, &v)) == LDR_OK && v)
    if ((code = ldr_memslots_add(out, v->slot, err)) != LDR_OK) break;
  ldr_memreader_close(&r);
  return code;
}

ldr_code ldr_memread_count(ldr_undo *tx, const ldr_memtab *t, const ldr_pred *where, int64_t *out,
                           ldr_err *err) {
  const ldr_memquery q = {.tab = t, .tx = tx, .where = where, .wanted = -1};
  ldr_memreader r;
  ldr_memver *v;
  int64_t n = 0;
  ldr_code code;
  ldr_memreader_open(&r, &q, err);
  while ((code = ldr_memreader_next(&r, &v)) == LDR_OK && v) n++;
  ldr_memreader_close(&r);
  if (code == LDR_OK) *out = n;
  return code;
}

/* ---- SELECT ---- */

/* Rows of the order that are looked at at most; -1: all. */
static int64_t wanted_of(const ldr_op *op) {
  if (op->limit < 0 || op->nper) return -1;
  return op->limit > INT64_MAX - op->offset ? -1 : op->limit + op->offset;
}

static ldr_code collect(const ldr_memquery *q, const ldr_op *op, ldr_memsort *s, ldr_err *err) {
  ldr_memreader r;
  ldr_memver *v;
  ldr_code code;
  ldr_memreader_open(&r, q, err);
  if (r.cur.ordered) s->norder = 0; /* they come sorted */
  while ((code = ldr_memreader_next(&r, &v)) == LDR_OK && v) {
    if (op->lock == LDR_LOCK_UPDATE_SKIP && ldr_memslot_blocked(v->slot, q->tx, LDR_HOLD_UPDATE)) continue;
    code = ldr_memsort_add(s, &r.m, v->data, v);
    if (code != LDR_OK || (s->norder == 0 && q->wanted >= 0 && s->n >= (uint64_t)q->wanted)) break;
  }
  ldr_memreader_close(&r);
  if (code == LDR_OK) code = ldr_memsort_finish(s, err);
  if (code == LDR_OK && op->nper) code = ldr_memsort_limit_each(s, op, err);
  return code;
}

static ldr_code lock_rows(ldr_undo *tx, ldr_memtab *t, const ldr_memsort *s, ldr_memhold hold, ldr_err *err) {
  for (size_t i = 0; i < s->n; i++) {
    ldr_memslot *slot = s->item[i].ver->slot;
    ldr_code code = LDR_OK;
    if (ldr_memslot_blocked(slot, tx, hold)) return ldr_memerr_locked(err);
    if (tx->lasting) code = ldr_undo_hold(tx, t, slot, hold, err);
    if (code != LDR_OK) return code;
  }
  return LDR_OK;
}

static ldr_code cut(const ldr_memsort *s, const ldr_op *op, ldr_memrows *out, ldr_err *err) {
  size_t from = (uint64_t)op->offset < s->n ? (size_t)op->offset : s->n, n = s->n - from;
  if (op->limit >= 0 && (uint64_t)op->limit < n) n = (size_t)op->limit;
  for (size_t i = from; i < from + n; i++) {
    ldr_code code = ldr_memrows_add(out, s->item[i].ver->data, err);
    if (code != LDR_OK) return code;
  }
  return LDR_OK;
}

static ldr_memquery query_of(const ldr_undo *tx, const ldr_memtab *t, const ldr_op *op) {
  return (ldr_memquery){.tab = t,
                        .tx = tx,
                        .where = op->where,
                        .norder = op->norder,
                        .order = op->order,
                        .after = op->after,
                        .wanted = wanted_of(op)};
}

bool ldr_memread_is_ordered(const ldr_undo *tx, const ldr_memtab *t, const ldr_op *op) {
  const ldr_memquery q = query_of(tx, t, op);
  ldr_memcur c;
  bool ordered;
  ldr_memcur_open(&c, &q);
  ordered = c.ordered;
  ldr_memcur_close(&c);
  return ordered;
}

ldr_code ldr_memread_select(ldr_undo *tx, ldr_memtab *t, const ldr_op *op, ldr_memrows *out, ldr_err *err) {
  ldr_memhold hold = op->lock == LDR_LOCK_SHARE ? LDR_HOLD_SHARE : LDR_HOLD_UPDATE;
  const ldr_memquery q = query_of(tx, t, op);
  ldr_memsort s = {.e = op->e, .order = op->order, .norder = op->norder, .wanted = q.wanted};
  ldr_code code = LDR_OK;
  if (q.wanted != 0) code = collect(&q, op, &s, err);
  if (code == LDR_OK && op->lock != LDR_LOCK_NONE) code = lock_rows(tx, t, &s, hold, err);
  if (code == LDR_OK) code = cut(&s, op, out, err);
  ldr_memsort_free(&s);
  return code;
}

#include "memory/write.h"

#include "memory/errors.h"
#include "memory/refs.h"
#include "memory/set_apply.h"
#include "memory/unknown.h"

/* One statement under way. */
typedef struct writer {
  ldr_undo *tx;
  ldr_memtab *t;
  const ldr_op *op; /* NULL: a load */
  size_t from;      /* the log's length when it began */
  ldr_memrows *out; /* NULL: the rows are not wanted */
  int64_t affected;
  ldr_arena arena; /* bytes of one row under construction */
  ldr_memscratch scratch;
  ldr_err *err;
} writer;

static ldr_code wrote(writer *w, ldr_row *row) {
  w->affected++;
  return w->out ? ldr_memrows_add(w->out, row, w->err) : LDR_OK;
}

static ldr_code finish(writer *w, ldr_code code, int64_t *affected) {
  if (code == LDR_OK) code = ldr_memfk_run(w->tx, w->from, w->err);
  if (code == LDR_OK) *affected = w->affected;
  ldr_arena_free(&w->arena);
  ldr_memscratch_free(&w->scratch);
  return code;
}

static void unpack(const ldr_entity *e, const ldr_row *row, ldr_value *values) {
  for (unsigned i = 0; i < e->nfields; i++) ldr_row_get(e, row, i, &values[i]);
}

/* ---- changing a row ---- */

/* Writes the row in place of what the slot has; the caller's count of it goes over. */
static ldr_code replace(writer *w, ldr_memslot *slot, ldr_row *row) {
  ldr_code code = ldr_undo_write(w->tx, w->t, slot, row, w->err);
  return code == LDR_OK ? wrote(w, row) : code;
}

static ldr_code change(writer *w, ldr_memslot *slot, const ldr_value *excluded) {
  const ldr_entity *e = w->t->e;
  ldr_value old[LDR_MAX_FIELDS], values[LDR_MAX_FIELDS];
  ldr_row *row;
  ldr_code code;
  ldr_arena_reset(&w->arena);
  unpack(e, ldr_memslot_visible(slot, w->tx)->data, old);
  code = ldr_set_apply(e, w->op->sets, w->op->nsets, old, excluded, &w->arena, values, w->err);
  if (code == LDR_OK) code = ldr_memop_takes(e, values, w->err);
  if (code == LDR_OK) code = ldr_row_pack(e, values, &row, w->err);
  return code == LDR_OK ? replace(w, slot, row) : code;
}

/* ---- inserting ---- */

typedef enum answer { INSERT, SKIP, REPLACE, FAILED } answer;

static bool written_here(const writer *w, const ldr_memslot *slot) {
  return slot->owner == w->tx && slot->pending && slot->pending->log >= w->from;
}

/* What becomes of the probed row, if unique i is the one that decides about it. */
static answer judge(writer *w, unsigned i, ldr_conflict conflict, ldr_memslot **by) {
  switch (ldr_memtab_clash(w->t, i, NULL, w->tx, by)) {
    case LDR_MEM_FREE: return INSERT;
    case LDR_MEM_HELD: ldr_memerr_locked(w->err); return FAILED;
    case LDR_MEM_TAKEN: break;
  }
  if (conflict == LDR_CONFLICT_SKIP) return SKIP;
  if (!written_here(w, *by)) return REPLACE; /* writing finds out whether it is locked */
  ldr_memerr_twice(w->err);
  return FAILED;
}

/* SKIP looks at the key and every unique, UPDATE at the key alone. */
static answer judge_all(writer *w, ldr_conflict conflict, ldr_memslot **by) {
  unsigned n = conflict == LDR_CONFLICT_SKIP ? w->t->nhash : conflict == LDR_CONFLICT_UPDATE;
  answer what = INSERT;
  for (unsigned i = 0; i < n && what == INSERT; i++) what = judge(w, i, conflict, by);
  return what;
}

/* Nulls, and values that memory does not have. */
static ldr_code check_values(writer *w, const ldr_value *values) {
  const ldr_entity *e = w->t->e;
  for (unsigned i = 0; i < e->nfields; i++)
    if (values[i].type == LDR_T_NULL && !e->fields[i].null && !e->fields[i].generated)
      return ldr_memerr_null(e, i, w->err);
  return ldr_memop_takes(e, values, w->err);
}

static bool in_unique(const ldr_memtab *t, uint16_t field) {
  for (unsigned i = 0; i < t->nhash; i++)
    for (unsigned k = 0; k < t->hash[i].u->n && t->hash[i].u->nwhen == 0; k++)
      if (t->hash[i].u->field[k] == field) return true;
  return false;
}

/* ON CONFLICT DO UPDATE locks the row before it knows what will become of it: as for update, when a field is
 * named that a reference could use. */
static ldr_code lock_in_way(writer *w, ldr_memslot *slot) {
  ldr_memhold hold = LDR_HOLD_CHANGE;
  for (unsigned i = 0; i < w->op->nsets; i++)
    if (in_unique(w->t, w->op->sets[i].field)) hold = LDR_HOLD_UPDATE;
  if (ldr_memslot_blocked(slot, w->tx, hold)) return ldr_memerr_locked(w->err);
  /* a change holds it by itself; but with a condition there may be none */
  if ((hold == LDR_HOLD_CHANGE && w->op->where == NULL) || !w->tx->lasting) return LDR_OK;
  return ldr_undo_hold(w->tx, w->t, slot, hold, w->err);
}

/* Changes the row in the way, unless the statement's condition does not hold of it. */
static ldr_code change_in_way(writer *w, ldr_memslot *slot, const ldr_value *excluded) {
  const ldr_memquery q = {.tab = w->t, .tx = w->tx};
  ldr_matcher m = ldr_memread_matcher(&q, &w->scratch, w->err);
  ldr_code code = lock_in_way(w, slot);
  ldr_truth holds;
  if (code != LDR_OK) return code;
  holds = ldr_match(&m, w->t->e, ldr_memslot_visible(slot, w->tx)->data, w->op->where);
  if (holds == LDR_BROKEN) return w->err->code;
  return holds == LDR_TRUE ? change(w, slot, excluded) : LDR_OK;
}

static ldr_code insert_row(writer *w, ldr_value *values) {
  ldr_memslot *by = NULL;
  answer what = INSERT;
  ldr_row *row;
  ldr_code code = check_values(w, values);
  if (code == LDR_OK) code = ldr_row_pack(w->t->e, values, &row, w->err);
  if (code != LDR_OK) return code;
  if (w->op->on_conflict != LDR_CONFLICT_ERROR) {
    ldr_memtab_probe(w->t, row);
    what = w->op->target == LDR_TARGET_ANY ? judge_all(w, w->op->on_conflict, &by)
                                           : judge(w, (unsigned)(w->op->target + 1), w->op->on_conflict, &by);
  }
  if (what == INSERT) return replace(w, NULL, row);
  ldr_row_release(row);
  if (what == REPLACE) return change_in_way(w, by, values);
  return what == SKIP ? LDR_OK : w->err->code;
}

/* The fields of the engine's own that the statement does not name. */
static unsigned unnamed_fields(const ldr_op *op, uint16_t *out) {
  unsigned n = 0;
  for (unsigned i = 0; i < op->e->nfields; i++) {
    bool named = !ldr_field_is_engines(&op->e->fields[i]) || op->e->fields[i].generated;
    for (unsigned k = 0; k < op->ncols && !named; k++) named = op->cols[k] == i;
    if (!named) out[n++] = (uint16_t)i;
  }
  return n;
}

static ldr_code number(writer *w, uint16_t field, ldr_value *out) {
  const ldr_field *f = &w->t->e->fields[field];
  const int64_t last = f->type == LDR_F_INT2 ? INT16_MAX : f->type == LDR_F_INT4 ? INT32_MAX : INT64_MAX;
  if (f->def == LDR_DEF_DATABASE)
    return ldr_fail(w->err, LDR_UNSUPPORTED,
                    "%s.%s: the default of %s is made by PostgreSQL; in memory give a value",
                    w->t->e->schema->name, w->t->e->name, f->name);
  if (w->t->identity[field] >= last)
    return ldr_fail_state(w->err, LDR_CAPACITY, "2200H", "a sequence has no numbers left");
  *out = ldr_int(++w->t->identity[field]);
  return LDR_OK;
}

ldr_code ldr_memwrite_insert(ldr_undo *tx, ldr_memtab *t, const ldr_op *op, ldr_memrows *out,
                             int64_t *affected, ldr_err *err) {
  writer w = {.tx = tx, .t = t, .op = op, .from = tx->n, .out = op->nout ? out : NULL, .err = err};
  uint16_t numbered[LDR_MAX_FIELDS];
  unsigned nnumbered = unnamed_fields(op, numbered);
  ldr_code code = LDR_OK;
  for (size_t r = 0; r < op->nrows && code == LDR_OK; r++) {
    ldr_value values[LDR_MAX_FIELDS];
    for (unsigned i = 0; i < t->e->nfields; i++) values[i] = ldr_null();
    for (unsigned i = 0; i < op->ncols; i++) values[op->cols[i]] = op->values[r * op->ncols + i];
    for (unsigned i = 0; i < nnumbered && code == LDR_OK; i++)
      code = number(&w, numbered[i], &values[numbered[i]]);
    if (code == LDR_OK) code = insert_row(&w, values);
  }
  return finish(&w, code, affected);
}

/* ---- updating and deleting ---- */

ldr_code ldr_memwrite_update(ldr_undo *tx, ldr_memtab *t, const ldr_op *op, ldr_memrows *out,
                             int64_t *affected, ldr_err *err) {
  writer w = {.tx = tx, .t = t, .op = op, .from = tx->n, .out = op->nout ? out : NULL, .err = err};
  ldr_memslots targets = {0};
  ldr_code code = ldr_memread_targets(tx, t, op->where, &targets, err);
  for (size_t i = 0; i < targets.n && code == LDR_OK; i++) code = change(&w, targets.slot[i], NULL);
  ldr_memslots_free(&targets);
  return finish(&w, code, affected);
}

static ldr_code delete_row(writer *w, ldr_memslot *slot) {
  ldr_code code = wrote(w, ldr_memslot_visible(slot, w->tx)->data);
  return code == LDR_OK ? ldr_undo_write(w->tx, w->t, slot, NULL, w->err) : code;
}

ldr_code ldr_memwrite_delete(ldr_undo *tx, ldr_memtab *t, const ldr_op *op, ldr_memrows *out,
                             int64_t *affected, ldr_err *err) {
  writer w = {.tx = tx, .t = t, .op = op, .from = tx->n, .out = op->nout ? out : NULL, .err = err};
  ldr_memslots targets = {0};
  ldr_code code = ldr_memread_targets(tx, t, op->where, &targets, err);
  for (size_t i = 0; i < targets.n && code == LDR_OK; i++) code = delete_row(&w, targets.slot[i]);
  ldr_memslots_free(&targets);
  return finish(&w, code, affected);
}

/* ---- loading ---- */

static ldr_code load_row(writer *w, ldr_row *row, ldr_conflict conflict) {
  ldr_value values[LDR_MAX_FIELDS];
  ldr_memslot *by = NULL;
  answer what = INSERT;
  ldr_code code;
  unpack(w->t->e, row, values);
  code = check_values(w, values);
  if (code != LDR_OK) return code;
  if (conflict != LDR_CONFLICT_ERROR) {
    ldr_memtab_probe(w->t, row);
    what = judge_all(w, conflict, &by);
  }
  if (what == INSERT || what == REPLACE) return replace(w, by, ldr_row_retain(row));
  return what == SKIP ? LDR_OK : w->err->code;
}

static bool same_key(const ldr_entity *e, const ldr_row *a, const ldr_row *b) {
  for (unsigned i = 0; i < e->key.n; i++) {
    const ldr_order by_field = {.field = e->key.field[i]};
    if (ldr_order_rows(e, &by_field, a, b) != 0) return false;
  }
  return true;
}

/* Marks the rows whose key a later row of the batch has, too: with UPDATE the last one wins. */
static bool find_outdated(const ldr_memtab *t, const ldr_batch *b, ldr_hash *seen, bool *outdated) {
  if (!ldr_hash_reserve(seen, b->n)) return false;
  for (size_t i = b->n; i-- > 0;) {
    uint32_t code = ldr_memtab_key_code(t, b->rows[i]);
    size_t at = ldr_hash_start(code);
    const ldr_row *other;
    while ((other = ldr_hash_next(seen, code, &at)) && !outdated[i])
      outdated[i] = same_key(b->e, other, b->rows[i]);
    if (!outdated[i] && !ldr_hash_add(seen, code, b->rows[i])) return false;
  }
  return true;
}

/* Numbers that rows bring along are not given out again. */
static void move_identities(ldr_memtab *t, const ldr_batch *b) {
  for (unsigned f = 0; f < t->e->nfields; f++) {
    if (t->e->fields[f].def != LDR_DEF_IDENTITY) continue;
    for (size_t i = 0; i < b->n; i++) {
      ldr_value v;
      ldr_row_get(t->e, b->rows[i], f, &v);
      if (v.u.i > t->identity[f]) t->identity[f] = v.u.i;
    }
  }
}

ldr_code ldr_memwrite_load(ldr_undo *tx, ldr_memtab *t, const ldr_batch *b, ldr_conflict conflict,
                           int64_t *loaded, ldr_err *err) {
  writer w = {.tx = tx, .t = t, .from = tx->n, .err = err};
  ldr_hash seen = {0};
  bool *outdated = conflict == LDR_CONFLICT_UPDATE ? ldr_alloc_array(b->n, sizeof *outdated) : NULL;
  ldr_code code = LDR_OK;
  if (conflict == LDR_CONFLICT_UPDATE && (outdated == NULL || !find_outdated(t, b, &seen, outdated)))
    code = ldr_fail_nomem(err);
  ldr_hash_free(&seen);
  if (code == LDR_OK && !ldr_memtab_reserve(t, b->n)) code = ldr_fail_nomem(err);
  for (size_t i = 0; i < b->n && code == LDR_OK; i++)
    if (outdated == NULL || !outdated[i]) code = load_row(&w, b->rows[i], conflict);
  ldr_free(outdated);
  code = finish(&w, code, loaded);
  if (code == LDR_OK) move_identities(t, b);
  return code;
}

#include "memory/access.h"

#include "memory/match.h"

static const ldr_value null_value; /* zeroed: LDR_T_NULL */

/* ---- what the predicate says about single fields ---- */

static void split(ldr_memcur *c, const ldr_pred *p) {
  if (p == NULL) return;
  if (p->kind == LDR_P_AND) {
    for (uint32_t i = 0; i < p->n; i++) split(c, p->kids[i]);
  } else if (c->nparts < LDR_MEMCUR_PARTS) {
    c->part[c->nparts++] = p;
  } else {
    c->more = true;
  }
}

/* The one value that a field can have; NULL: not known. */
static const ldr_value *fixed(const ldr_memcur *c, unsigned field) {
  for (unsigned i = 0; i < c->nparts; i++) {
    const ldr_pred *p = c->part[i];
    if (p->kind == LDR_P_EQ && p->field == field && p->values->type != LDR_T_NULL) return p->values;
    if (p->kind == LDR_P_IS_NULL && p->field == field) return &null_value;
  }
  return NULL;
}

static const ldr_pred *list_of(const ldr_memcur *c, unsigned field) {
  for (unsigned i = 0; i < c->nparts; i++)
    if (c->part[i]->kind == LDR_P_IN && c->part[i]->field == field) return c->part[i];
  return NULL;
}

/* Place of a field among the fields of a list; LDR_MAX_KEY: it is not there. */
static unsigned place_of(const uint16_t *cols, unsigned n, unsigned field) {
  for (unsigned i = 0; i < n; i++)
    if (cols[i] == field) return i;
  return LDR_MAX_KEY;
}

/* A list of the values of the first n fields, in any order. */
static const ldr_pred *keys_of(const ldr_memcur *c, const uint16_t *fields, unsigned n) {
  for (unsigned i = 0; i < c->nparts; i++) {
    unsigned width, k = 0;
    const uint16_t *cols;
    if (c->part[i]->kind != LDR_P_KEYS) continue;
    cols = ldr_pred_cols(c->q->tab->e, c->part[i], &width);
    while (k < width && k < n && place_of(cols, width, fields[k]) < width) k++;
    if (k == width) return c->part[i];
  }
  return NULL;
}

/* How many values a list gives for one candidate. */
static unsigned width_of(const ldr_memcur *c, const ldr_pred *list) {
  unsigned width = 1;
  if (list->kind == LDR_P_KEYS) ldr_pred_cols(c->q->tab->e, list, &width);
  return width;
}

/* Item number `item` of a list as values of the fields, which begin with the list's. */
static void take_item(const ldr_memcur *c, const ldr_pred *list, uint32_t item, const uint16_t *fields,
                      ldr_value *v) {
  unsigned width;
  const uint16_t *cols;
  if (list->kind == LDR_P_IN) {
    *v = list->values[item];
    return;
  }
  cols = ldr_pred_cols(c->q->tab->e, list, &width);
  for (unsigned i = 0; i < width; i++)
    v[i] = list->values[(size_t)item * width + place_of(cols, width, fields[i])];
}

static bool is_bound(ldr_pred_kind k) {
  return k == LDR_P_LT || k == LDR_P_LE || k == LDR_P_GT || k == LDR_P_GE;
}

/* ---- points: the key or a unique by hash ---- */

/* Does the predicate say that the rows are within the unique's condition? */
static bool implied(const ldr_memcur *c, const ldr_unique *u) {
  for (unsigned i = 0; i < u->nwhen; i++) {
    const ldr_value *v = fixed(c, u->when[i].field);
    if (v == NULL || (v->type == LDR_T_NULL) != u->when[i].is_null) return false;
    if (!u->when[i].is_null && ldr_value_cmp(v, &u->when[i].value) != 0) return false;
  }
  return true;
}

/* All fields of the unique fixed, or all but one that has a list. */
static bool points_of(ldr_memcur *c, unsigned which, const ldr_unique *u) {
  const ldr_pred *list = NULL;
  unsigned column = 0;
  if (!implied(c, u)) return false;
  for (unsigned i = 0; i < u->n; i++) {
    const ldr_value *v = fixed(c, u->field[i]);
    if (v && v->type != LDR_T_NULL) {
      c->v[i] = *v;
      continue;
    }
    if (list || v) return false;
    list = list_of(c, u->field[i]);
    column = i;
    if (list == NULL) return false;
  }
  c->path = LDR_MEM_POINTS;
  c->which = which;
  c->list = list;
  c->column = column;
  c->ordered = list == NULL || c->q->norder == 0;
  return true;
}

static bool use_points(ldr_memcur *c) {
  const ldr_entity *e = c->q->tab->e;
  if (points_of(c, 0, &e->key)) return true;
  for (unsigned i = 0; i < e->nuniques; i++)
    if (points_of(c, i + 1, &e->uniques[i])) return true;
  c->list = keys_of(c, e->key.field, e->key.n);
  if (c->list == NULL || width_of(c, c->list) != e->key.n) {
    c->list = NULL;
    return false;
  }
  c->path = LDR_MEM_POINTS;
  c->which = 0;
  return true;
}

/* ---- ranges of an ordered index ---- */

typedef struct plan {
  unsigned which, n;    /* the index, and how many of its columns are fixed */
  const ldr_pred *list; /* on the columns behind them … */
  unsigned width;       /* … so many */
  ldr_sorted_pos lo, hi;
  bool ordered, backward;
  unsigned items; /* order items taken by columns: item[i] is column i's, -1 for a fixed one */
  int item[LDR_MEMINDEX_COLS];
  unsigned columns;
  double cost;
} plan;

static ldr_sorted_pos later(ldr_sorted_pos a, ldr_sorted_pos b) { return ldr_sorted_before(a, b) ? b : a; }
static ldr_sorted_pos earlier(ldr_sorted_pos a, ldr_sorted_pos b) { return ldr_sorted_before(b, a) ? b : a; }

static void whole_range(const ldr_memindex *ix, const ldr_value *v, unsigned n, plan *p) {
  ldr_membound b = {v, n, NULL};
  p->lo = n ? ldr_memindex_seek(ix, &b, false) : ldr_sorted_start(&ix->s);
  p->hi = n ? ldr_memindex_seek(ix, &b, true) : ldr_sorted_end(&ix->s);
}

/* Narrow by <, <=, >, >= on the first column that is not fixed. In a descending column "greater" comes first.
 */
static bool narrow(const ldr_memcur *c, const ldr_memindex *ix, ldr_value *v, plan *p) {
  ldr_membound b = {v, p->n + 1, NULL};
  bool any = false;
  if (p->n == ix->n) return false;
  for (unsigned i = 0; i < c->nparts; i++) {
    const ldr_pred *part = c->part[i];
    bool strict = part->kind == LDR_P_LT || part->kind == LDR_P_GT;
    bool greater = part->kind == LDR_P_GT || part->kind == LDR_P_GE;
    if (!is_bound(part->kind) || part->field != ix->field[p->n] || part->values->type == LDR_T_NULL) continue;
    v[p->n] = *part->values;
    if (greater != ix->desc[p->n])
      p->lo = later(p->lo, ldr_memindex_seek(ix, &b, strict));
    else
      p->hi = earlier(p->hi, ldr_memindex_seek(ix, &b, !strict));
    any = true;
  }
  return any;
}

/* Does an item of the order distinguish no rows? */
static bool idle(const ldr_memcur *c, unsigned item) {
  const ldr_order *o = &c->q->order[item];
  if (o->kind != LDR_BY_FIELD && o->kind != LDR_BY_NULL) return false;
  if (fixed(c, o->field)) return true;
  for (unsigned i = 0; i < item; i++)
    if (c->q->order[i].kind == LDR_BY_FIELD && c->q->order[i].field == o->field) return true;
  return o->kind == LDR_BY_NULL && !c->q->tab->e->fields[o->field].null;
}

/* Do the index' columns, the fixed ones left out, give the order in one of the two directions? Since an index
 * ends with the key, nothing is left to order once its columns are used up. */
static void fit_order(const ldr_memcur *c, const ldr_memindex *ix, plan *p) {
  unsigned column = 0;
  for (unsigned i = 0; i < c->q->norder; i++) {
    const ldr_order *o = &c->q->order[i];
    bool backward;
    if (idle(c, i)) continue;
    while (column < ix->n && fixed(c, ix->field[column])) p->item[column++] = -1;
    if (column == ix->n) break;
    if (o->kind != LDR_BY_FIELD || ix->field[column] != o->field) return;
    backward = o->desc != ix->desc[column];
    if (p->items && backward != p->backward) return;
    p->backward = backward;
    p->item[column++] = (int)i;
    p->items++;
  }
  p->columns = column;
  p->ordered = true;
}

/* Can a row have the keyset's values? Not when one contradicts the predicate, or another value of the same
 * field. */
static bool keyset_possible(const ldr_memcur *c) {
  const ldr_memquery *q = c->q;
  for (unsigned i = 0; i < q->norder; i++) {
    const ldr_value *f;
    if (q->order[i].kind != LDR_BY_FIELD) continue;
    f = fixed(c, q->order[i].field);
    if (f && ldr_order_values(f, &q->after[i]) != 0) return false;
    for (unsigned k = 0; k < i; k++)
      if (q->order[k].kind == LDR_BY_FIELD && q->order[k].field == q->order[i].field &&
          ldr_order_values(&q->after[k], &q->after[i]) != 0)
        return false;
  }
  return true;
}

/* The keyset says where to begin, as far as columns are known; rows before it are left out by the test on
 * each. */
static void start_after(const ldr_memcur *c, const ldr_memindex *ix, ldr_value *v, plan *p) {
  const ldr_memquery *q = c->q;
  ldr_membound b = {v, p->columns, NULL};
  unsigned busy = 0;
  bool all;
  if (!keyset_possible(c)) return;
  for (unsigned i = 0; i < q->norder; i++) busy += !idle(c, i);
  for (unsigned i = 0; i < p->columns; i++)
    v[i] = p->item[i] < 0 ? *fixed(c, ix->field[i]) : q->after[p->item[i]];
  all = busy == p->items;
  if (p->backward)
    p->hi = earlier(p->hi, ldr_memindex_seek(ix, &b, !all));
  else
    p->lo = later(p->lo, ldr_memindex_seek(ix, &b, all));
}

/* What a look at one candidate costs: a list that did not lead to it is gone through. */
static double look_cost(const ldr_memcur *c, const ldr_pred *list) {
  enum { VALUES = 8 }; /* of a list are as dear as a candidate */
  double cost = 1;
  for (unsigned i = 0; i < c->nparts; i++) {
    const ldr_pred *part = c->part[i];
    if (part != list && (part->kind == LDR_P_IN || part->kind == LDR_P_KEYS))
      cost += (double)part->n / VALUES;
  }
  return cost;
}

/* What it costs to look at `rows` candidates: with an order to keep, only as many as are wanted (the more,
 * the more conditions the path does not cover), else all, and they must be sorted. list: led to them. */
static double cost_of(const ldr_memcur *c, double rows, unsigned covered, bool ordered,
                      const ldr_pred *list) {
  double wanted = (double)c->q->wanted, each = look_cost(c, list);
  if (!ordered) return rows * (each + 1);
  if (c->q->wanted < 0) return rows * each;
  wanted = covered >= c->nparts ? wanted + 1 : wanted * 8 + 32;
  return (wanted < rows ? wanted : rows) * each;
}

/* A list's ranges are not looked up for an estimate: a few of them stand for all. */
static double list_rows(const ldr_memcur *c, const ldr_memindex *ix, ldr_value *v, plan *p) {
  enum { SAMPLE = 4 };
  uint32_t n = p->list->n < SAMPLE ? p->list->n : SAMPLE;
  double rows = 0;
  for (uint32_t i = 0; i < n; i++) {
    take_item(c, p->list, i, ix->field + p->n, v + p->n);
    whole_range(ix, v, p->n + p->width, p);
    rows += (double)ldr_sorted_distance(&ix->s, p->lo, p->hi);
  }
  return n ? rows / n * p->list->n + p->list->n : 0;
}

/* false: the index helps neither to find nor to order. */
static bool plan_index(const ldr_memcur *c, unsigned which, plan *p) {
  const ldr_memindex *ix = &c->q->tab->index[which];
  ldr_value v[LDR_MEMINDEX_COLS];
  unsigned covered;
  *p = (plan){.which = which};
  for (; p->n < ix->n; p->n++) {
    const ldr_value *f = fixed(c, ix->field[p->n]);
    if (f == NULL) break;
    v[p->n] = *f;
  }
  p->list = p->n < ix->n ? list_of(c, ix->field[p->n]) : NULL;
  if (p->list == NULL && p->n == 0) p->list = keys_of(c, ix->field, ix->n);
  if (p->list) {
    p->width = width_of(c, p->list);
    p->cost = cost_of(c, list_rows(c, ix, v, p), p->n + 1, c->q->norder == 0, p->list);
    p->ordered = c->q->norder == 0;
    return true;
  }
  whole_range(ix, v, p->n, p);
  covered = p->n + narrow(c, ix, v, p);
  fit_order(c, ix, p);
  if (covered == 0 && (!p->ordered || c->q->norder == 0)) return false;
  if (p->ordered && c->q->after && p->columns) start_after(c, ix, v, p);
  p->cost = cost_of(c, (double)ldr_sorted_distance(&ix->s, p->lo, p->hi), covered, p->ordered, NULL);
  return true;
}

static void use_plan(ldr_memcur *c, const plan *p) {
  const ldr_memindex *ix = &c->q->tab->index[p->which];
  c->path = LDR_MEM_RANGES;
  c->which = p->which;
  c->list = p->list;
  c->column = p->n;
  c->ordered = p->ordered;
  c->backward = p->backward;
  c->n = p->n + p->width;
  for (unsigned i = 0; i < p->n; i++) c->v[i] = *fixed(c, ix->field[i]);
  c->at = p->backward ? p->hi : p->lo;
  c->end = p->backward ? p->lo : p->hi;
  if (p->list) c->at = c->end; /* the first step takes the first item */
}

static void choose(ldr_memcur *c) {
  const ldr_memtab *t = c->q->tab;
  double best = cost_of(c, (double)t->hash[0].h.n, 0, c->q->norder == 0, NULL);
  if (use_points(c)) {
    best = c->list ? cost_of(c, c->list->n, c->nparts, c->q->norder == 0, c->list) : 0;
    if (best <= 2) return;
  }
  for (unsigned i = 0; i < t->nindex; i++) {
    plan p;
    if (!plan_index(c, i, &p) || p.cost > best) continue;
    use_plan(c, &p);
    best = p.cost;
  }
}

void ldr_memcur_open(ldr_memcur *c, const ldr_memquery *q) {
  c->q = q;
  c->nparts = 0;
  c->more = false;
  c->path = LDR_MEM_ALL;
  c->ordered = q->norder == 0;
  c->list = NULL;
  c->column = 0;
  c->item = 0;
  c->backward = false;
  c->at = c->end = (ldr_sorted_pos){0, 0};
  c->slot = q->tab->first;
  c->seen = (ldr_hash){0};
  split(c, q->where);
  choose(c);
}

void ldr_memcur_close(ldr_memcur *c) { ldr_hash_free(&c->seen); }

/* ---- stepping ---- */

static ldr_memver *next_slot(ldr_memcur *c) {
  while (c->slot) {
    ldr_memver *v = ldr_memslot_visible(c->slot, c->q->tx);
    c->slot = c->slot->next;
    if (v) return v;
  }
  return NULL;
}

/* The next item of the list (or the only lookup) into v; false: there is none. fields: of v, from the list's
 * column on. */
static bool next_item(ldr_memcur *c, const uint16_t *fields) {
  if (c->item == (c->list ? c->list->n : 1)) return false;
  if (c->list) take_item(c, c->list, c->item, fields + c->column, c->v + c->column);
  c->item++;
  return true;
}

static ldr_memver *next_point(ldr_memcur *c) {
  const ldr_entity *e = c->q->tab->e;
  const ldr_unique *u = c->which ? &e->uniques[c->which - 1] : &e->key;
  while (next_item(c, u->field)) {
    ldr_memver *v = ldr_memtab_find(c->q->tab, c->which, c->v, c->q->tx);
    if (v) return v;
  }
  return NULL;
}

static bool has_more(const ldr_memcur *c) {
  return c->backward ? ldr_sorted_before(c->end, c->at) : ldr_sorted_before(c->at, c->end);
}

static ldr_memver *next_in_range(ldr_memcur *c) {
  const ldr_memindex *ix = &c->q->tab->index[c->which];
  ldr_membound b = {c->v, c->n, NULL};
  for (;;) {
    while (has_more(c)) {
      ldr_memver *entry = c->backward ? ldr_sorted_prev(&ix->s, &c->at) : ldr_sorted_next(&ix->s, &c->at);
      ldr_memver *v = ldr_memtab_by_index(c->q->tab, c->which, entry, c->q->tx);
      if (v) return v;
    }
    if (c->list == NULL || !next_item(c, ix->field)) return NULL;
    c->at = ldr_memindex_seek(ix, &b, false);
    c->end = ldr_memindex_seek(ix, &b, true);
  }
}

static uint32_t pointer_code(const void *p) {
  return ldr_hash_fold((uint64_t)(uintptr_t)p * UINT64_C(0x9e3779b97f4a7c15));
}

static bool was_seen(const ldr_memcur *c, const ldr_memver *v) {
  uint32_t code = pointer_code(v);
  size_t at = ldr_hash_start(code);
  const void *p;
  while ((p = ldr_hash_next(&c->seen, code, &at)))
    if (p == v) return true;
  return false;
}

static ldr_memver *step(ldr_memcur *c) {
  switch (c->path) {
    case LDR_MEM_ALL: return next_slot(c);
    case LDR_MEM_POINTS: return next_point(c);
    case LDR_MEM_RANGES: return next_in_range(c);
  }
  return NULL;
}

ldr_code ldr_memcur_next(ldr_memcur *c, ldr_memver **out, ldr_err *err) {
  ldr_memver *v = step(c);
  if (c->list && c->list->n > 1) {
    while (v && was_seen(c, v)) v = step(c);
    if (v && !ldr_hash_add(&c->seen, pointer_code(v), v)) return ldr_fail_nomem(err);
  }
  *out = v;
  return LDR_OK;
}

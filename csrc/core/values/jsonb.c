/* The jsonb half of values/json.h: what needs a whole value at once. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"
#include "values/json.h"
#include "values/numeric.h"

/* A value in memory. Texts point into the input where they stand there as they are, else into the arena. */
typedef struct node {
  ldr_json_event kind; /* NULL, TRUE, FALSE, INT for every number, STRING, KEY, ARRAY, OBJECT */
  uint32_t order;      /* of a key: its place in the text */
  size_t n;            /* bytes, elements, or pairs */
  union {
    const char *s; /* a number in ldr_numeric's normal form */
    struct node *items;
    struct pair *pairs; /* sorted as jsonb does: by length, then bytes; no key twice */
  } u;
} node;

typedef struct pair {
  node key, value;
} pair;

typedef struct doc {
  ldr_arena arena;
  ldr_buf stack;   /* nodes of the containers that are still open; an object's alternate key, value */
  ldr_buf strings; /* the reader's scratch */
  ldr_buf number;
} doc;

static void doc_free(doc *d) {
  ldr_arena_free(&d->arena);
  ldr_buf_free(&d->stack);
  ldr_buf_free(&d->strings);
  ldr_buf_free(&d->number);
}

/* ---- reading ---- */

static node *stack_nodes(const doc *d) { return (node *)(void *)d->stack.p; }
static size_t stack_count(const doc *d) { return d->stack.n / sizeof(node); }

static ldr_code push_text(doc *d, ldr_json_event kind, const char *s, size_t n, bool borrowed, ldr_err *err) {
  node v = {.kind = kind, .order = (uint32_t)stack_count(d), .n = n};
  v.u.s = borrowed ? s : ldr_arena_copy(&d->arena, s, n);
  if (v.u.s == NULL) return ldr_fail_nomem(err);
  ldr_buf_add(&d->stack, &v, sizeof v);
  return LDR_OK;
}

static ldr_code push_number(doc *d, const ldr_json_reader *r, ldr_json_event event, ldr_err *err) {
  if (event == LDR_JSON_INT && !(r->i == 0 && r->n > 1)) /* normal as it stands, but for -0 */
    return push_text(d, LDR_JSON_INT, r->s, r->n, true, err);
  ldr_buf_reset(&d->number);
  if (!ldr_numeric_normal(r->s, r->n, &d->number))
    return ldr_fail_state(err, LDR_INVALID, "22003", "invalid JSON: a number is out of range");
  if (d->number.broken) return ldr_fail_nomem(err);
  return push_text(d, LDR_JSON_INT, d->number.p, d->number.n, false, err);
}

static int cmp_text(const node *a, const node *b) {
  if (a->n != b->n) return a->n < b->n ? -1 : 1;
  return a->n ? memcmp(a->u.s, b->u.s, a->n) : 0;
}

static int cmp_pair(const void *a, const void *b) {
  const node *x = &((const pair *)a)->key, *y = &((const pair *)b)->key;
  int c = cmp_text(x, y);
  return c != 0 ? c : x->order < y->order ? -1 : 1;
}

/* Sorts by key and keeps the last of equal keys. Returns the number of pairs left. */
static size_t sort_pairs(pair *p, size_t n) {
  size_t kept = 0;
  bool sorted = true; /* what the server sends is */
  for (size_t i = 1; i < n && sorted; i++) sorted = cmp_text(&p[i - 1].key, &p[i].key) < 0;
  if (sorted) return n;
  qsort(p, n, sizeof *p, cmp_pair);
  for (size_t i = 0; i < n; i++) {
    if (kept > 0 && cmp_text(&p[kept - 1].key, &p[i].key) == 0) kept--;
    p[kept++] = p[i];
  }
  return kept;
}

/* Replaces the nodes from `base` on by one container that holds them. */
static ldr_code push_container(doc *d, ldr_json_event kind, size_t base, ldr_err *err) {
  size_t count = stack_count(d) - base, bytes = count * sizeof(node);
  node v = {.kind = kind, .n = count};
  v.u.items = ldr_arena_alloc(&d->arena, bytes);
  if (v.u.items == NULL) return ldr_fail_nomem(err);
  if (count) memcpy(v.u.items, stack_nodes(d) + base, bytes);
  if (kind == LDR_JSON_OBJECT) v.n = sort_pairs(v.u.pairs, count / 2);
  d->stack.n -= bytes;
  ldr_buf_add(&d->stack, &v, sizeof v);
  return LDR_OK;
}

static ldr_code bad_text(const doc *d, const ldr_json_reader *r, ldr_err *err) {
  if (d->strings.broken) return ldr_fail_nomem(err);
  return ldr_fail_state(err, LDR_INVALID, "22P02", "invalid JSON: %s", r->why);
}

/* One event that is neither END nor ERROR. base[]: where each open container's nodes begin. */
static ldr_code take(doc *d, const ldr_json_reader *r, ldr_json_event event, size_t *base, ldr_err *err) {
  node leaf = {.kind = event};
  switch (event) {
    case LDR_JSON_KEY:
    case LDR_JSON_STRING: return push_text(d, event, r->s, r->n, r->s != d->strings.p, err);
    case LDR_JSON_INT:
    case LDR_JSON_FLOAT: return push_number(d, r, event, err);
    case LDR_JSON_ARRAY:
    case LDR_JSON_OBJECT: base[r->depth - 1] = stack_count(d); return LDR_OK;
    case LDR_JSON_ARRAY_END: return push_container(d, LDR_JSON_ARRAY, base[r->depth], err);
    case LDR_JSON_OBJECT_END: return push_container(d, LDR_JSON_OBJECT, base[r->depth], err);
    default: ldr_buf_add(&d->stack, &leaf, sizeof leaf); return LDR_OK;
  }
}

static ldr_code load(doc *d, const char *text, size_t n, node *out, ldr_err *err) {
  ldr_json_reader r;
  size_t base[LDR_JSON_DEPTH];
  ldr_json_event event;
  d->stack.n = 0;
  ldr_json_read(&r, text, n, &d->strings);
  while ((event = ldr_json_next(&r)) != LDR_JSON_END) {
    ldr_code code = event == LDR_JSON_ERROR ? bad_text(d, &r, err) : take(d, &r, event, base, err);
    if (code != LDR_OK) return code;
    if (d->stack.broken) return ldr_fail_nomem(err);
  }
  *out = *stack_nodes(d);
  return LDR_OK;
}

/* Two documents in one arena: the operators need both at once. */
static ldr_code load_two(doc *d, const char *a, size_t na, node *x, const char *b, size_t nb, node *y,
                         ldr_err *err) {
  ldr_code code = load(d, a, na, x, err);
  return code == LDR_OK ? load(d, b, nb, y, err) : code;
}

/* ---- canonical form ---- */

static void write_value(const node *v, ldr_buf *out);

static void write_items(const node *v, ldr_buf *out) {
  ldr_buf_chr(out, '[');
  for (size_t i = 0; i < v->n; i++) {
    if (i > 0) ldr_buf_add(out, ", ", 2);
    write_value(&v->u.items[i], out);
  }
  ldr_buf_chr(out, ']');
}

static void write_pairs(const node *v, ldr_buf *out) {
  ldr_buf_chr(out, '{');
  for (size_t i = 0; i < v->n; i++) {
    const pair *p = &v->u.pairs[i];
    if (i > 0) ldr_buf_add(out, ", ", 2);
    ldr_json_add_string(out, p->key.u.s, p->key.n);
    ldr_buf_add(out, ": ", 2);
    write_value(&p->value, out);
  }
  ldr_buf_chr(out, '}');
}

static void write_value(const node *v, ldr_buf *out) {
  switch (v->kind) {
    case LDR_JSON_NULL: ldr_buf_str(out, "null"); break;
    case LDR_JSON_TRUE: ldr_buf_str(out, "true"); break;
    case LDR_JSON_FALSE: ldr_buf_str(out, "false"); break;
    case LDR_JSON_STRING: ldr_json_add_string(out, v->u.s, v->n); break;
    case LDR_JSON_ARRAY: write_items(v, out); break;
    case LDR_JSON_OBJECT: write_pairs(v, out); break;
    default: ldr_buf_add(out, v->u.s, v->n); break; /* a number */
  }
}

static ldr_code write_doc(const node *v, ldr_buf *out, ldr_err *err) {
  size_t start = out->n;
  write_value(v, out);
  if (!out->broken) return LDR_OK;
  out->n = start;
  return ldr_fail_nomem(err);
}

ldr_code ldr_json_canonical(const char *text, size_t n, ldr_buf *out, ldr_err *err) {
  doc d = {0};
  node v;
  ldr_code code = load(&d, text, n, &v, err);
  if (code == LDR_OK) code = write_doc(&v, out, err);
  doc_free(&d);
  return code;
}

/* ---- equality, hash ---- */

static bool is_container(const node *v) { return v->kind == LDR_JSON_ARRAY || v->kind == LDR_JSON_OBJECT; }

static bool equal(const node *a, const node *b) {
  if (a->kind != b->kind) return false;
  if (a->kind == LDR_JSON_INT) return ldr_numeric_cmp(a->u.s, a->n, b->u.s, b->n) == 0;
  if (a->n != b->n) return false;
  if (a->kind == LDR_JSON_STRING) return cmp_text(a, b) == 0;
  for (size_t i = 0; a->kind == LDR_JSON_ARRAY && i < a->n; i++)
    if (!equal(&a->u.items[i], &b->u.items[i])) return false;
  for (size_t i = 0; a->kind == LDR_JSON_OBJECT && i < a->n; i++) {
    const pair *p = &a->u.pairs[i], *q = &b->u.pairs[i];
    if (cmp_text(&p->key, &q->key) != 0 || !equal(&p->value, &q->value)) return false;
  }
  return true;
}

ldr_code ldr_json_equal(const char *a, size_t na, const char *b, size_t nb, bool *out, ldr_err *err) {
  doc d = {0};
  node x, y;
  ldr_code code = load_two(&d, a, na, &x, b, nb, &y, err);
  if (code == LDR_OK) *out = equal(&x, &y);
  doc_free(&d);
  return code;
}

static uint64_t hash(const node *v, uint64_t seed) {
  uint64_t h = seed + (uint64_t)v->kind;
  if (v->kind == LDR_JSON_INT) return ldr_numeric_hash(v->u.s, v->n, h);
  if (v->kind == LDR_JSON_STRING) return ldr_hash_keyed(v->u.s, v->n, h);
  h = ldr_hash_keyed(NULL, 0, h);
  for (size_t i = 0; v->kind == LDR_JSON_ARRAY && i < v->n; i++) h = hash(&v->u.items[i], h);
  for (size_t i = 0; v->kind == LDR_JSON_OBJECT && i < v->n; i++) {
    const pair *p = &v->u.pairs[i];
    h = hash(&p->value, ldr_hash_keyed(p->key.u.s, p->key.n, h));
  }
  return h;
}

ldr_code ldr_json_hash(const char *text, size_t n, uint64_t seed, uint64_t *out, ldr_err *err) {
  doc d = {0};
  node v;
  ldr_code code = load(&d, text, n, &v, err);
  if (code == LDR_OK) *out = hash(&v, seed);
  doc_free(&d);
  return code;
}

/* ---- a @> b ---- */

static const node *find(const node *object, const node *key) {
  size_t low = 0, high = object->n;
  while (low < high) {
    size_t mid = low + (high - low) / 2;
    int c = cmp_text(&object->u.pairs[mid].key, key);
    if (c == 0) return &object->u.pairs[mid].value;
    if (c < 0)
      low = mid + 1;
    else
      high = mid;
  }
  return NULL;
}

static bool contains(const node *a, const node *b);

static bool has_item(const node *array, const node *item) {
  for (size_t i = 0; i < array->n; i++)
    if (contains(&array->u.items[i], item)) return true;
  return false;
}

/* Containers hold their like in part, scalars only their equal. */
static bool contains(const node *a, const node *b) {
  if (!is_container(b) || a->kind != b->kind) return equal(a, b);
  for (size_t i = 0; b->kind == LDR_JSON_ARRAY && i < b->n; i++)
    if (!has_item(a, &b->u.items[i])) return false;
  for (size_t i = 0; b->kind == LDR_JSON_OBJECT && i < b->n; i++) {
    const node *mine = find(a, &b->u.pairs[i].key);
    if (mine == NULL || !contains(mine, &b->u.pairs[i].value)) return false;
  }
  return true;
}

ldr_code ldr_json_contains(const char *a, size_t na, const char *b, size_t nb, bool *out, ldr_err *err) {
  doc d = {0};
  node x, y;
  ldr_code code = load_two(&d, a, na, &x, b, nb, &y, err);
  if (code == LDR_OK) {
    bool item = x.kind == LDR_JSON_ARRAY && !is_container(&y); /* only at the top: [1, 2] @> 1 */
    *out = item ? has_item(&x, &y) : contains(&x, &y);
  }
  doc_free(&d);
  return code;
}

/* ---- a ? key ---- */

ldr_code ldr_json_has_key(const char *a, size_t na, const char *key, size_t nk, bool *out, ldr_err *err) {
  doc d = {0};
  node v, k = {.kind = LDR_JSON_STRING, .n = nk, .u.s = key};
  ldr_code code = load(&d, a, na, &v, err);
  if (code == LDR_OK) /* a text among an array's, or alone, counts as a key */
    *out = v.kind == LDR_JSON_OBJECT  ? find(&v, &k) != NULL
           : v.kind == LDR_JSON_ARRAY ? has_item(&v, &k)
                                      : equal(&v, &k);
  doc_free(&d);
  return code;
}

/* ---- a || b ---- */

/* The elements that v brings to a joined array: its own, or itself as the only one. */
static ldr_code add_items(doc *d, const node *v, ldr_err *err) {
  bool array = v->kind == LDR_JSON_ARRAY;
  ldr_buf_add(&d->stack, array ? v->u.items : v, (array ? v->n : 1) * sizeof *v);
  return d->stack.broken ? ldr_fail_nomem(err) : LDR_OK;
}

static ldr_code add_pairs(doc *d, const node *v, uint32_t order, ldr_err *err) {
  for (size_t i = 0; i < v->n; i++) {
    pair p = v->u.pairs[i];
    p.key.order = order;
    ldr_buf_add(&d->stack, &p, sizeof p);
  }
  return d->stack.broken ? ldr_fail_nomem(err) : LDR_OK;
}

/* Leaves the joined value as the only node of the stack. */
static ldr_code join(doc *d, const node *a, const node *b, ldr_err *err) {
  bool objects = a->kind == LDR_JSON_OBJECT && b->kind == LDR_JSON_OBJECT;
  ldr_code code;
  d->stack.n = 0;
  code = objects ? add_pairs(d, a, 0, err) : add_items(d, a, err);
  if (code == LDR_OK) code = objects ? add_pairs(d, b, 1, err) : add_items(d, b, err);
  if (code == LDR_OK) code = push_container(d, objects ? LDR_JSON_OBJECT : LDR_JSON_ARRAY, 0, err);
  return code;
}

ldr_code ldr_json_concat(const char *a, size_t na, const char *b, size_t nb, ldr_buf *out, ldr_err *err) {
  doc d = {0};
  node x, y;
  ldr_code code = load_two(&d, a, na, &x, b, nb, &y, err);
  if (code == LDR_OK) code = join(&d, &x, &y, err);
  if (code == LDR_OK) code = write_doc(stack_nodes(&d), out, err);
  doc_free(&d);
  return code;
}

/* ---- a #> path ---- */

/* The place that a step means in an array: digits, perhaps behind a minus that counts from the end. */
static const node *element(const node *array, ldr_json_text step) {
  char digits[24], *end;
  long long i;
  if (step.n == 0 || step.n >= sizeof digits) return NULL;
  memcpy(digits, step.p, step.n);
  digits[step.n] = '\0';
  i = strtoll(digits, &end, 10);
  if (*end != '\0' || digits[0] == '+' || digits[0] == ' ') return NULL;
  if (i < 0) i += (long long)array->n;
  return i >= 0 && (unsigned long long)i < array->n ? &array->u.items[i] : NULL;
}

static const node *step_into(const node *v, ldr_json_text step) {
  node key = {.kind = LDR_JSON_STRING, .n = step.n, .u.s = step.p};
  if (v->kind == LDR_JSON_OBJECT) return find(v, &key);
  return v->kind == LDR_JSON_ARRAY ? element(v, step) : NULL;
}

ldr_code ldr_json_at(const char *a, size_t na, const ldr_json_text *path, unsigned npath, bool as_json,
                     ldr_json_event *kind, ldr_buf *out, ldr_err *err) {
  doc d = {0};
  node top;
  const node *v = &top;
  ldr_code code = load(&d, a, na, &top, err);
  if (code == LDR_OK) {
    for (unsigned i = 0; v && i < npath; i++) v = step_into(v, path[i]);
    *kind = v ? v->kind : LDR_JSON_END;
    if (v && v->kind == LDR_JSON_STRING && !as_json)
      ldr_buf_add(out, v->u.s, v->n);
    else if (v)
      write_value(v, out);
    if (out->broken) code = ldr_fail_nomem(err);
  }
  doc_free(&d);
  return code;
}

/* ---- members, deep merge ---- */

ldr_code ldr_json_members(const char *a, size_t na,
                          ldr_code (*each)(void *ud, ldr_json_text name, ldr_json_text value, bool object),
                          void *ud, ldr_err *err) {
  doc d = {0};
  ldr_buf text = {0};
  node top;
  ldr_code code = load(&d, a, na, &top, err);
  for (size_t i = 0; code == LDR_OK && top.kind == LDR_JSON_OBJECT && i < top.n; i++) {
    const pair *p = &top.u.pairs[i];
    ldr_buf_reset(&text);
    write_value(&p->value, &text);
    code = text.broken ? ldr_fail_nomem(err)
                       : each(ud, (ldr_json_text){p->key.u.s, p->key.n}, (ldr_json_text){text.p, text.n},
                              p->value.kind == LDR_JSON_OBJECT);
  }
  ldr_buf_free(&text);
  doc_free(&d);
  return code;
}

static void write_merged(const node *a, const node *b, unsigned deepest, ldr_buf *out);

static void write_merged_pair(const node *mine, const pair *p, unsigned deepest, ldr_buf *out) {
  static const node none = {.kind = LDR_JSON_OBJECT};
  ldr_json_add_string(out, p->key.u.s, p->key.n);
  ldr_buf_add(out, ": ", 2);
  if (p->value.kind == LDR_JSON_OBJECT && deepest)
    write_merged(mine ? mine : &none, &p->value, deepest - 1, out);
  else
    write_value(&p->value, out);
}

/* Both are sorted: one walk through the two, as in a merge sort. */
static void write_merged(const node *a, const node *b, unsigned deepest, ldr_buf *out) {
  size_t i = 0, k = 0, na = a->kind == LDR_JSON_OBJECT ? a->n : 0;
  ldr_buf_chr(out, '{');
  while (i < na || k < b->n) {
    int c = i == na ? 1 : k == b->n ? -1 : cmp_text(&a->u.pairs[i].key, &b->u.pairs[k].key);
    if (i + k > 0) ldr_buf_add(out, ", ", 2);
    if (c < 0) {
      ldr_json_add_string(out, a->u.pairs[i].key.u.s, a->u.pairs[i].key.n);
      ldr_buf_add(out, ": ", 2);
      write_value(&a->u.pairs[i++].value, out);
      continue;
    }
    write_merged_pair(c == 0 ? &a->u.pairs[i].value : NULL, &b->u.pairs[k], deepest, out);
    i += c == 0;
    k++;
  }
  ldr_buf_chr(out, '}');
}

ldr_code ldr_json_merge(const char *a, size_t na, const char *b, size_t nb, unsigned deepest, ldr_buf *out,
                        ldr_err *err) {
  doc d = {0};
  node x, y;
  ldr_code code = load_two(&d, a, na, &x, b, nb, &y, err);
  if (code == LDR_OK) write_merged(&x, &y, deepest, out);
  if (code == LDR_OK && out->broken) code = ldr_fail_nomem(err);
  doc_free(&d);
  return code;
}

#include "postgres/statement/statement.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "model/given.h"
#include "postgres/statement/sqlgen.h"

enum { CACHE_MAX = 1024 }; /* compiled statements of each kind an engine */

/* ---- one statement ---- */

ldr_stmt *ldr_stmt_retain(ldr_stmt *s) {
  s->refs++;
  return s;
}

static void release_given(const ldr_given *g) {
  ldr_stmt_release(g->write);
  ldr_stmt_release(g->in_tx);
  ldr_stmt_release(g->again);
}

void ldr_stmt_release(ldr_stmt *s) {
  if (s == NULL || --s->refs > 0) return;
  assert(!s->cached);
  if (s->e) ldr_schema_release(s->e->schema);
  if (s->given) release_given(s->given);
  ldr_arena_free(&s->arena);
  ldr_free(s);
}

unsigned ldr_stmt_params(const ldr_stmt *s, const ldr_column **types) {
  *types = s->params;
  return s->nparams;
}

/* The name: two hashes of the text and the parameter types, so that no two statements ever share one. */
static void name_it(ldr_stmt *s) {
  size_t noids = s->oids ? s->nparams * sizeof *s->oids : 0;
  for (unsigned i = 0; i < 2; i++) s->id[i] = ldr_hash64(s->oids, noids, ldr_hash64(s->sql, s->sql_n, i + 1));
  snprintf(s->name, sizeof s->name, "ldr_%016llx%016llx", (unsigned long long)s->id[0],
           (unsigned long long)s->id[1]);
}

static ldr_stmt *new_stmt(const char *sql, size_t n) {
  ldr_stmt *s = ldr_alloc(sizeof *s);
  if (s == NULL) return NULL;
  s->refs = 1;
  s->sql_n = n;
  s->sql = ldr_arena_copy(&s->arena, sql, n);
  if (s->sql) return s;
  ldr_stmt_release(s);
  return NULL;
}

static bool copy_columns(ldr_stmt *s, const ldr_column *cols, unsigned n) {
  ldr_column *copy = ldr_arena_alloc(&s->arena, n * sizeof *copy);
  if (copy == NULL) return false;
  for (unsigned i = 0; i < n; i++) {
    copy[i] = cols[i];
    copy[i].name = ldr_arena_copy(&s->arena, cols[i].name, strlen(cols[i].name));
    if (copy[i].name == NULL) return false;
  }
  s->cols = copy;
  s->ncols = n;
  return true;
}

/* ---- the caches ---- */

static ldr_stmt *of_node(ldr_lru_node *node) { return (ldr_stmt *)(void *)node; } /* node is first */

bool ldr_stmts_init(ldr_stmts *c) {
  *c = (ldr_stmts){0};
  if (ldr_lru_init(&c->ops, CACHE_MAX) && ldr_lru_init(&c->texts, CACHE_MAX)) return true;
  ldr_stmts_done(c);
  return false;
}

static void evict(ldr_lru *t, ldr_stmt *s) {
  ldr_lru_remove(t, &s->node);
  s->cached = false;
  ldr_stmt_release(s);
}

/* s, which may have several shapes; NULL: all. */
static void forget_shapes(ldr_stmts *c, const ldr_stmt *s) {
  for (ldr_stmt *found; (found = ldr_shapes_take(&c->simple, s)) != NULL;) ldr_stmt_release(found);
}

void ldr_stmts_done(ldr_stmts *c) {
  forget_shapes(c, NULL);
  while (c->ops.oldest) evict(&c->ops, of_node(c->ops.oldest));
  while (c->texts.oldest) evict(&c->texts, of_node(c->texts.oldest));
  ldr_lru_done(&c->ops);
  ldr_lru_done(&c->texts);
  ldr_buf_free(&c->sql);
  ldr_buf_free(&c->columns);
  ldr_lives_free(&c->lives);
}

void ldr_stmts_forget(ldr_stmts *c, ldr_stmt *s) {
  if (s->e) forget_shapes(c, s);
  if (s->cached) evict(s->e ? &c->ops : &c->texts, s);
}

/* The cache counts the statement once more. What has a shape is in the cache as well. */
static void cache(ldr_stmts *c, ldr_lru *t, ldr_stmt *s, uint64_t hash) {
  if (t->n >= CACHE_MAX) ldr_stmts_forget(c, of_node(t->oldest));
  ldr_lru_add(t, &ldr_stmt_retain(s)->node, hash);
  s->cached = true;
}

static uint32_t oid_of(const ldr_param *p) {
  return ldr_ftype_param_oid(p->type, p->array || p->is_array_value);
}

typedef struct op_key {
  const ldr_entity *e;
  const ldr_buf *sql, *params;
} op_key;

static bool same_op(const ldr_lru_node *node, const void *key) {
  const ldr_stmt *s = (const ldr_stmt *)(const void *)node;
  const op_key *k = key;
  const ldr_param *params = (const ldr_param *)(const void *)k->params->p;
  if (s->e != k->e || s->sql_n != k->sql->n || memcmp(s->sql, k->sql->p, k->sql->n) != 0) return false;
  if (s->nparams != k->params->n / sizeof *params) return false;
  for (unsigned i = 0; i < s->nparams; i++)
    if (s->oids[i] != oid_of(&params[i])) return false;
  return true;
}

static bool op_reads(const ldr_op *op) {
  return op->kind == LDR_OP_SELECT || op->kind == LDR_OP_COUNT || op->kind == LDR_OP_AGGREGATE;
}

static bool fill_op(ldr_stmts *c, ldr_stmt *s, const ldr_op *op, const ldr_param *params, unsigned n) {
  s->e = op->e;
  ldr_schema_retain(op->e->schema);
  s->live = ldr_lives_get(&c->lives, op->e);
  s->reads = op_reads(op);
  s->locks = op->lock != LDR_LOCK_NONE;
  s->deletes = op->kind == LDR_OP_DELETE;
  s->counts = ldr_sqlgen_counts(op);
  s->described = true;
  s->nparams = n;
  s->oids = ldr_arena_alloc(&s->arena, n * sizeof *s->oids);
  if (s->oids == NULL || s->live == NULL) return false;
  for (unsigned i = 0; i < n; i++) s->oids[i] = oid_of(&params[i]);
  return copy_columns(s, (const ldr_column *)(void *)c->columns.p,
                      (unsigned)(c->columns.n / sizeof(ldr_column)));
}

/* A statement of the text in c->sql, made of op. */
static ldr_code make_op(ldr_stmts *c, const ldr_op *op, const ldr_buf *params, ldr_stmt **out, ldr_err *err) {
  size_t n = params->n / sizeof(ldr_param);
  ldr_stmt *s;
  ldr_buf_reset(&c->columns);
  ldr_op_columns(op, &c->columns);
  if (c->columns.broken) return ldr_fail_nomem(err);
  if (n > LDR_MAX_PARAMS)
    return ldr_fail(err, LDR_INVALID, "the operation has more than %d parameters", LDR_MAX_PARAMS);
  s = new_stmt(c->sql.p, c->sql.n);
  if (s == NULL) return ldr_fail_nomem(err);
  if (!fill_op(c, s, op, (const ldr_param *)(void *)params->p, (unsigned)n)) {
    ldr_stmt_release(s);
    return ldr_fail_nomem(err);
  }
  name_it(s);
  *out = s;
  return LDR_OK;
}

/* ---- writes whose row is known ---- */

/* Does the operation make, or find, one row by its key? What an upsert finds by another unique has its own.
 */
static bool knows_its_row(const ldr_op *op) {
  const ldr_unique *key = &op->e->key;
  bool insert = op->kind == LDR_OP_INSERT, update = op->kind == LDR_OP_UPDATE;
  if ((!insert && !update) || op->nout == 0 || key->n == 0) return false;
  if (insert && (op->nrows != 1 || op->on_conflict == LDR_CONFLICT_SKIP)) return false;
  if (op->on_conflict == LDR_CONFLICT_UPDATE && op->target != LDR_TARGET_KEY) return false;
  for (unsigned i = 0; i < key->n; i++)
    if (ldr_op_key_value(op, i) == NULL) return false;
  for (unsigned i = 0; i < op->nsets; i++)
    if (ldr_entity_in_key(op->e, op->sets[i].field)) return false;
  return true;
}

/* Does the operation make several rows, all of which it gives? */
static bool knows_its_rows(const ldr_op *op) {
  if (op->kind != LDR_OP_INSERT || op->nrows < 2 || op->on_conflict != LDR_CONFLICT_ERROR) return false;
  return op->nout > 0 && op->ncols > 0 && ldr_op_gives_all(op);
}

/* What the operation does not give is all that its write returns, in order; NULL: out of memory. */
static ldr_op *without_given(const ldr_op *op, ldr_arena *a) {
  ldr_op *less = ldr_arena_alloc(a, sizeof *less);
  uint16_t *out = ldr_arena_alloc(a, op->nout * sizeof *out);
  if (less == NULL || out == NULL) return NULL;
  *less = *op;
  less->out = out;
  less->nout = 0;
  for (unsigned i = 0; i < op->nout; i++)
    if (ldr_op_given(op, 0, op->out[i]) == NULL) out[less->nout++] = op->out[i];
  return less;
}

/* Another statement on the way to an operation's own. */
static ldr_code make_beside(ldr_stmts *c, const ldr_op *like, const ldr_sql_given *given, ldr_stmt **out,
                            ldr_err *err) {
  ldr_buf params = {0};
  ldr_code code;
  ldr_buf_reset(&c->sql);
  code = ldr_sqlgen_given(like, given, &c->lives, &c->sql, &params, err);
  if (code == LDR_OK) code = make_op(c, like, &params, out, err);
  if (code == LDR_OK) (*out)->nown = given->on + given->xid;
  ldr_buf_free(&params);
  return code;
}

/* The number of the parameter that has this value, which stands in the operation; -1: there is none. */
static int parameter_of(const ldr_buf *params, const ldr_value *v) {
  const ldr_param *p = (const ldr_param *)(const void *)params->p;
  for (unsigned i = 0; i < params->n / sizeof *p; i++)
    if (p[i].v == v) return (int)i;
  return -1;
}

static ldr_code make_again(ldr_stmts *c, const ldr_op *op, ldr_given *g, ldr_err *err) {
  static const ldr_sql_given plain;
  const ldr_unique *key = &op->e->key;
  ldr_pred equal[LDR_MAX_KEY], all = {.kind = LDR_P_AND, .n = key->n};
  const ldr_pred *kids[LDR_MAX_KEY];
  ldr_op select;
  for (unsigned i = 0; i < key->n; i++) {
    equal[i] =
        (ldr_pred){.kind = LDR_P_EQ, .field = key->field[i], .n = 1, .values = ldr_op_key_value(op, i)};
    kids[i] = &equal[i];
  }
  all.kids = kids;
  ldr_op_init(&select, LDR_OP_SELECT, op->e);
  select.where = &all;
  select.out = op->out;
  select.nout = op->nout;
  return make_beside(c, &select, &plain, &g->again, err);
}

/* A truth value that is looked for is said in the text. */
static bool find_key(const ldr_op *op, const ldr_buf *params, ldr_given *g) {
  g->nkey = op->e->key.n;
  for (unsigned i = 0; i < g->nkey; i++) {
    int at = parameter_of(params, ldr_op_key_value(op, i));
    if (at < 0 || op->e->fields[op->e->key.field[i]].type == LDR_F_BOOL) return false;
    g->key[i] = (uint16_t)at;
  }
  return true;
}

/* What s->given says without a statement of its own; it stays NULL where the row must come back. */
static ldr_code seek_given(const ldr_op *op, const ldr_buf *params, ldr_stmt *s, ldr_err *err) {
  bool many = knows_its_rows(op);
  ldr_given *g;
  s->given_sought = true;
  if (!many && !knows_its_row(op)) return LDR_OK;
  g = ldr_arena_zalloc(&s->arena, sizeof *g);
  if (g == NULL) return ldr_fail_nomem(err);
  g->many = many;
  g->guarded = many || op->kind == LDR_OP_UPDATE || op->on_conflict == LDR_CONFLICT_UPDATE;
  for (unsigned i = 0; i < op->nout; i++) g->ngiven += ldr_op_given(op, 0, op->out[i]) != NULL;
  if (g->ngiven == 0 || (!g->guarded && g->ngiven < op->nout)) return LDR_OK;
  if (many || find_key(op, params, g)) s->given = g;
  return LDR_OK;
}

ldr_code ldr_stmts_need_given(ldr_stmts *c, const ldr_op *op, const ldr_buf *params, bool in_tx, ldr_stmt *s,
                              ldr_err *err) {
  ldr_code code = s->given_sought ? LDR_OK : seek_given(op, params, s, err);
  ldr_given *g = s->given;
  ldr_stmt **write;
  ldr_sql_given given = {0};
  ldr_op *less;
  if (code || g == NULL) return code;
  write = in_tx && !g->many ? &g->in_tx : &g->write;
  if (*write) return LDR_OK;
  less = without_given(op, &s->arena);
  if (less == NULL) return ldr_fail_nomem(err);
  given.on = !g->many;
  given.xid = write == &g->in_tx;
  if (g->guarded) given.guard = s->nparams + 1;
  if (!g->many && g->again == NULL) code = make_again(c, op, g, err);
  return code ? code : make_beside(c, less, &given, write, err);
}

static ldr_code find_or_compile(ldr_stmts *c, const ldr_op *op, ldr_buf *params, ldr_stmt **out,
                                ldr_err *err) {
  const op_key key = {op->e, &c->sql, params};
  ldr_lru_node *node;
  uint64_t hash;
  ldr_stmt *s = NULL;
  ldr_code code;
  ldr_buf_reset(&c->sql);
  code = ldr_sqlgen(op, &c->lives, &c->sql, params, err);
  if (code) return code;
  hash = ldr_hash64(c->sql.p, c->sql.n, (uint64_t)(uintptr_t)op->e);
  node = ldr_lru_find(&c->ops, hash, same_op, &key);
  if (node) {
    *out = ldr_stmt_retain(of_node(node));
    return LDR_OK;
  }
  code = make_op(c, op, params, &s, err);
  if (code) return code;
  cache(c, &c->ops, s, hash);
  *out = s;
  return LDR_OK;
}

ldr_code ldr_stmts_op(ldr_stmts *c, const ldr_op *op, ldr_buf *params, ldr_stmt **out, ldr_err *err) {
  ldr_shape shape;
  ldr_stmt *kept;
  ldr_code code;
  ldr_buf_reset(params);
  ldr_shape_read(op, &shape);
  kept = shape.n ? ldr_shapes_find(&c->simple, &shape) : NULL;
  if (kept) {
    ldr_lru_use(&c->ops, &kept->node);
    ldr_shape_params(op, params);
    if (params->broken) return ldr_fail_nomem(err);
    *out = ldr_stmt_retain(kept);
    return LDR_OK;
  }
  code = find_or_compile(c, op, params, out, err);
  if (code == LDR_OK && shape.n) ldr_stmt_release(ldr_shapes_put(&c->simple, &shape, ldr_stmt_retain(*out)));
  return code;
}

enum { DESCRIPTION_US = 5000000 }; /* how long parameters are believed */

typedef struct text_key {
  const char *p;
  size_t n;
  const char *path;
} text_key;

static bool same_text(const ldr_lru_node *node, const void *key) {
  const ldr_stmt *s = (const ldr_stmt *)(const void *)node;
  const text_key *k = key;
  return s->sql_n == k->n && memcmp(s->sql, k->p, k->n) == 0 && strcmp(s->path, k->path) == 0;
}

static bool is_old(const ldr_stmts *c, const ldr_stmt *s) {
  int64_t since = atomic_load(&s->since);
  if (!s->described || s->nparams == 0) return false;
  return since <= atomic_load(&c->changed) || ldr_now_mono() - since > DESCRIPTION_US;
}

void ldr_stmts_note_tag(ldr_stmts *c, const char *tag) {
  static const char *const changes[] = {"ALTER ", "CREATE ", "DROP "};
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
    if (strncmp(tag, changes[i], strlen(changes[i])) == 0) atomic_store(&c->changed, ldr_now_mono());
}

ldr_code ldr_stmts_text(ldr_stmts *c, const char *sql, size_t n, const char *path, ldr_stmt **out,
                        ldr_err *err) {
  text_key key = {sql, n, path};
  uint64_t hash = ldr_hash64(sql, n, *path ? ldr_hash64(path, strlen(path), 0) : 0);
  ldr_lru_node *node = ldr_lru_find(&c->texts, hash, same_text, &key);
  ldr_stmt *s;
  if (node && is_old(c, of_node(node))) {
    ldr_stmts_forget(c, of_node(node));
    node = NULL;
  }
  if (node) {
    *out = ldr_stmt_retain(of_node(node));
    return LDR_OK;
  }
  if (memchr(sql, '\0', n)) return ldr_fail(err, LDR_INVALID, "the statement holds a zero byte");
  if (ldr_utf8_check(sql, n) != n) return ldr_fail(err, LDR_INVALID, "the statement is not valid UTF-8");
  s = new_stmt(sql, n);
  if (s == NULL) return ldr_fail_nomem(err);
  s->path = ldr_arena_copy(&s->arena, path, strlen(path));
  if (s->path == NULL) {
    ldr_stmt_release(s);
    return ldr_fail_nomem(err);
  }
  name_it(s);
  s->effects = ldr_sqltext_effects(sql, n);
  atomic_store(&s->since, ldr_now_mono()); /* before the server is asked */
  s->alone = (s->effects & ~(unsigned)LDR_EFFECT_WRITES) != 0;
  cache(c, &c->texts, s, hash);
  *out = s;
  return LDR_OK;
}

/* ---- raw statements: what the server says of them ---- */

/* Types that are only read like one of ours (name, oid) do not take its binary form: they travel as text. So
 * do dates, intervals and the like, of which the server takes more spellings ('today', '2 h') than a store.
 */
static ldr_column param_of(uint32_t oid) {
  ldr_column c = {.name = ""};
  const ldr_ftype_info *type;
  if (!ldr_ftype_by_oid(oid, &c.type, &c.array)) return (ldr_column){.name = "", .type = LDR_F_UNKNOWN};
  type = ldr_ftype_get(c.type);
  if ((oid != type->oid && oid != type->array_oid) || c.type >= LDR_F_DATE)
    return (ldr_column){.name = "", .type = LDR_F_UNKNOWN};
  return c;
}

static bool has_decoder(uint32_t oid) {
  ldr_ftype type;
  bool array;
  return ldr_ftype_by_oid(oid, &type, &array) && type != LDR_F_UNKNOWN;
}

static bool find_doubled(ldr_stmt *s, const ldr_pgres *res, unsigned ncols) {
  s->doubled = NULL;
  for (unsigned i = 1; i < ncols && s->doubled == NULL; i++)
    for (unsigned k = 0; k < i && s->doubled == NULL; k++) {
      const char *name = ldr_pgres_name(res, i);
      if (strcmp(name, ldr_pgres_name(res, k)) != 0) continue;
      s->doubled = ldr_arena_copy(&s->arena, name, strlen(name));
      if (s->doubled == NULL) return false;
    }
  return true;
}

ldr_code ldr_stmt_describe(ldr_stmt *s, const ldr_pgres *res, ldr_err *err) {
  unsigned n = ldr_pgres_params(res), ncols = ldr_pgres_cols(res);
  uint32_t *oids = ldr_arena_alloc(&s->arena, n * sizeof *oids);
  ldr_column *params = ldr_arena_alloc(&s->arena, n * sizeof *params);
  if (oids == NULL || params == NULL) return ldr_fail_nomem(err);
  for (unsigned i = 0; i < n; i++) {
    oids[i] = ldr_pgres_param_oid(res, i);
    params[i] = param_of(oids[i]);
  }
  for (unsigned i = 0; i < ncols; i++)
    if (!has_decoder(ldr_pgres_oid(res, i))) s->text_results = true;
  s->nparams = n;
  s->oids = oids;
  s->params = params;
  if (!find_doubled(s, res, ncols)) return ldr_fail_nomem(err);
  s->gives_rows = ncols > 0;
  s->described = true;
  name_it(s);
  return LDR_OK;
}

bool ldr_stmt_refuted(const ldr_stmt *s, const ldr_pgres *res) {
  if (s->e || !ldr_pgres_has_rows(res)) return false;
  for (unsigned i = 0; i < ldr_pgres_cols(res); i++)
    if (!ldr_pgres_is_text(res, i) && !has_decoder(ldr_pgres_oid(res, i))) return true;
  return false;
}

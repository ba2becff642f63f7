#include "postgres/statement/live.h"

#include <string.h>

#include "base/text.h"
#include "postgres/statement/literal.h"

enum { NAME, OID, ELEMENT, TYPE, BYTEWISE, LIMIT, PLAIN, ALONE, DOMAIN, COLUMNS }; /* columns of the answer */

/* What a column makes of a value: -1 nothing, else its type's modifier (numeric(6,2)), or -2: it is made by
 * the server, of a domain, or has a collation by which other texts are equal to it. */
#define LIMIT_SQL                                                                                    \
  "case when a.attgenerated <> '' or a.attidentity <> '' or t.typtype <> 'b' or t.oid <> a.atttypid" \
  " or c.collisdeterministic is false then -2::int8 else a.atttypmod::int8 end"
/* Does the table keep what it is given? Partitions are left out, since servers before 15 do not tell the
 * triggers that they have from their parents from their own, and tables that have children, since what
 * changes about these is no reason to analyze a statement on the parent again, and so is Citus, whose workers
 * run what the coordinator has analyzed. Under another isolation the catalog may be older than what the write
 * met. */
#define PLAIN_SQL                                                                             \
  "r.relkind = 'r' and not r.relispartition and not r.relhassubclass and not r.relhasrules"   \
  " and not r.relrowsecurity"                                                                 \
  " and not exists (select from pg_trigger g where g.tgrelid = r.oid and not g.tgisinternal)" \
  " and not exists (select from pg_extension where extname = 'citus')"                        \
  " and current_setting('server_encoding') = 'UTF8'"                                          \
  " and current_setting('transaction_isolation') = 'read committed'"

/* Are the table's rows in no other table, such as a partition? */
#define ALONE_SQL "r.relkind = 'r' and not r.relhassubclass"

/* The domain by which the table's columns tell this one: no other column is of it, and no view, rule or
 * policy brings values of its own into a statement. */
#define DOMAIN_SQL                                                                                           \
  "case when a.atttypid <> b.oid and r.relkind in ('r', 'p') and not r.relhasrules and not r.relrowsecurity" \
  " and not exists (select from pg_attribute o where o.attrelid = a.attrelid and o.attnum > 0"               \
  " and o.attnum <> a.attnum and o.atttypid = a.atttypid)"                                                   \
  " then (select n.nspname || '.' || o.typname from pg_type o join pg_namespace n on n.oid = o.typnamespace" \
  " where o.oid = a.atttypid) end"

/* A domain counts as the type below it, through any number of domains, an enum as any. A domain over an enum
 * is no enum: PostgreSQL has no operators for it. An array of enums counts as its element, which is said,
 * too, and of citext arrays: by that oid COPY knows them. */
static const char before_table[] =
    "select a.attname::text, case when t.typtype = 'e' and t.oid = a.atttypid or l.typtype = 'e'"
    " then 'anyenum'::regtype else b.oid end::int8,"
    " case when l.oid >= 16384 then l.oid else 0 end::int8, format_type(b.oid, b.mod),"
    " coalesce(" LDR_BYTEWISE_SQL ", false), " LIMIT_SQL ", " PLAIN_SQL ", " ALONE_SQL ", " DOMAIN_SQL
    " from pg_attribute a cross join lateral (with recursive below(oid, mod) as ("
    "select a.atttypid, a.atttypmod union all select y.typbasetype, y.typtypmod"
    " from below w join pg_type y on y.oid = w.oid and y.typtype = 'd')"
    " select w.oid, w.mod from below w join pg_type y on y.oid = w.oid and y.typtype <> 'd') b"
    " join pg_type t on t.oid = b.oid join pg_class r on r.oid = a.attrelid"
    " left join pg_type l on l.oid = t.typelem and l.typarray = t.oid"
    " left join pg_collation c on c.oid = a.attcollation"
    " left join pg_database d on d.datname = current_database()"
    " where a.attrelid = to_regclass(";
static const char after_table[] = ") and a.attnum > 0 and not a.attisdropped";

/* ---- tables ---- */

ldr_live *ldr_lives_find(const ldr_lives *l, const ldr_entity *e) {
  ldr_live *t = l->first;
  while (t && t->e != e) t = t->next;
  return t;
}

static void free_table(ldr_live *t) {
  for (ldr_live_columns *c = atomic_load(&t->all), *older; c; c = older) {
    older = c->older;
    ldr_free(c);
  }
  ldr_schema_release(t->e->schema);
  ldr_free(t->question);
  ldr_free(t);
}

static char *question_of(const ldr_entity *e) {
  ldr_buf b = {0};
  const char *text;
  char *sql;
  ldr_buf_str(&b, before_table);
  ldr_sql_literal(&b, e->table, strlen(e->table));
  ldr_buf_str(&b, after_table);
  text = ldr_buf_cstr(&b);
  sql = text ? ldr_strndup(text, b.n) : NULL;
  ldr_buf_free(&b);
  return sql;
}

ldr_live *ldr_lives_get(ldr_lives *l, const ldr_entity *e) {
  ldr_live *t = ldr_lives_find(l, e);
  if (t) return t;
  t = ldr_alloc(sizeof *t);
  if (t == NULL) return NULL;
  t->e = e;
  ldr_schema_retain(e->schema);
  t->question = question_of(e);
  if (t->question == NULL) {
    free_table(t);
    return NULL;
  }
  t->next = l->first;
  l->first = t;
  return t;
}

void ldr_lives_free(ldr_lives *l) {
  while (l->first) {
    ldr_live *next = l->first->next;
    free_table(l->first);
    l->first = next;
  }
}

void ldr_live_forget(ldr_live *t) {
  if (t == NULL) return;
  atomic_fetch_add(&t->changes, 1);
  atomic_store_explicit(&t->known, NULL, memory_order_release);
}

bool ldr_live_plain(const ldr_live *t) {
  const ldr_live_columns *c = t ? atomic_load_explicit(&t->known, memory_order_acquire) : NULL;
  return c && c->plain;
}

bool ldr_live_alone(const ldr_live *t) {
  const ldr_live_columns *c = t ? atomic_load_explicit(&t->known, memory_order_acquire) : NULL;
  return c && c->alone;
}

bool ldr_live_bytewise(const ldr_live *t, unsigned field) {
  const ldr_live_columns *c = t ? atomic_load_explicit(&t->known, memory_order_acquire) : NULL;
  return c && c->fields[field].bytewise;
}

int ldr_live_of_domain(const ldr_live *t, uint64_t domain) {
  const ldr_live_columns *c = t ? atomic_load_explicit(&t->known, memory_order_acquire) : NULL;
  for (unsigned i = 0; c && domain && i < t->e->nfields; i++)
    if (c->fields[i].domain == domain) return (int)i;
  return -1;
}

const ldr_live_columns *ldr_live_known(const ldr_live *t) {
  return atomic_load_explicit(&t->known, memory_order_acquire);
}

/* ---- types ---- */

/* Types that look alike on the wire are taken for one another: varchar and name for text, but no oid for an
 * int8. */
static bool fits(ldr_ftype type, bool array, uint32_t oid, bool exact) {
  const ldr_ftype_info *info = ldr_ftype_get(type);
  ldr_ftype live;
  bool live_array;
  if (oid == (array ? info->array_oid : info->oid)) return true;
  if (!ldr_ftype_by_oid(oid, &live, &live_array) || live_array != array) return false;
  if (type == LDR_F_TEXT) return ldr_ftype_is_text(live);
  if (type == LDR_F_VARCHAR) return live == LDR_F_TEXT; /* and name, which is longer than it says */
  info = ldr_ftype_get(live);
  return !exact && !array && ldr_ftype_is_int(type) && ldr_ftype_is_int(live) && oid == info->oid;
}

bool ldr_live_fits(ldr_ftype type, bool array, uint32_t oid) {
  if (ldr_ftype_is_users(type)) return ldr_oid_is_users(oid); /* which one, the table was asked */
  return fits(type, array, oid, false);
}

ldr_code ldr_live_drift(const ldr_entity *e, const char *field, ldr_ftype type, bool array, const char *live,
                        ldr_err *err) {
  int i = ldr_entity_field(e, field, strlen(field));
  ldr_fail(err, LDR_DRIFT, "column \"%s\" of %s is %s in the database, declared as %s%s",
           i < 0 ? field : e->fields[i].column, e->relname, live, ldr_ftype_get(type)->sql,
           array ? "[]" : "");
  ldr_err_set(err->table, sizeof err->table, e->relname);
  ldr_err_set(err->column, sizeof err->column, field);
  ldr_err_set(err->hint, sizeof err->hint, "`larder check` lists every difference; nothing was done");
  return err->code;
}

/* ---- reading ---- */

static int64_t int_of(const ldr_pgres *res, size_t row, unsigned col) {
  size_t n = 0;
  const char *p = ldr_pgres_cell(res, row, col, &n);
  return p && n == 8 ? (int64_t)ldr_be64(p) : 0;
}

static bool bool_of(const ldr_pgres *res, size_t row, unsigned col) {
  size_t n = 0;
  const char *p = ldr_pgres_cell(res, row, col, &n);
  return p && n == 1 && *p == 1;
}

static uint64_t hash_of(const ldr_pgres *res, size_t row, unsigned col) {
  size_t n = 0;
  const char *p = ldr_pgres_cell(res, row, col, &n);
  return p ? ldr_hash64(p, n, 0) : 0;
}

/* Does the column keep every value that the declaration lets through? The types that larder takes for one
 * another, such as text and name, do not count here. What limits an array's type limits each element. */
static bool keeps(const ldr_field *f, uint32_t oid, int64_t limit) {
  const ldr_ftype_info *type = ldr_ftype_get(f->type);
  bool own = oid == (f->array && f->type != LDR_F_ENUM ? type->array_oid : type->oid);
  if (!own || f->type == LDR_F_XML) return false;
  if (limit == -1) return true;
  switch (f->type) { /* as the server writes numeric(p,s), varchar(n) and char(n) */
    case LDR_F_NUMERIC: return f->precision && limit == ((int64_t)f->precision << 16 | f->scale) + 4;
    case LDR_F_VARCHAR:
      return f->max_len && limit >= (int64_t)f->max_len + 4;  /* what it cut is not let through */
    case LDR_F_CHAR: return limit == (int64_t)f->max_len + 4; /* padded as the server does it */
    default: return false;
  }
}

/* Of the types that users make, the one with this name. A schema in front of it says that the search path
 * does not lead to the extension: then = and < would be those of text, without a word. */
static bool is_citext(const char *type, size_t n, bool array) {
  size_t size = array ? sizeof "citext[]" - 1 : sizeof "citext" - 1;
  return n == size && memcmp(type, "citext[]", size) == 0;
}

/* Has the column the declared type, or one like it? element: of an array, when a user made it. */
static bool is_declared(const ldr_field *f, uint32_t oid, uint32_t element, const char *type, size_t n,
                        bool exact) {
  if (f->type == LDR_F_CITEXT) return ldr_oid_is_users(oid) && is_citext(type, n, f->array);
  if (f->type == LDR_F_ENUM) return oid == ldr_ftype_get(f->type)->oid && (element != 0) == f->array;
  return fits(f->type, f->array, oid, exact);
}

static ldr_code read_column(const ldr_live *t, const ldr_pgres *res, size_t row, bool exact,
                            ldr_live_columns *out, ldr_err *err) {
  size_t n = 0, n_type = 0;
  const char *name = ldr_pgres_cell(res, row, NAME, &n), *type = ldr_pgres_cell(res, row, TYPE, &n_type);
  int field = name ? ldr_entity_column(t->e, name, n) : -1;
  uint32_t oid = (uint32_t)int_of(res, row, OID), element = (uint32_t)int_of(res, row, ELEMENT);
  const ldr_field *f;
  char live[128];
  if (field < 0 || type == NULL) return LDR_OK; /* not declared */
  f = &t->e->fields[field];
  if (!is_declared(f, oid, element, type, n_type, exact)) {
    if (n_type >= sizeof live) n_type = sizeof live - 1;
    memcpy(live, type, n_type);
    live[n_type] = '\0';
    return ldr_live_drift(t->e, f->name, f->type, f->array, live, err);
  }
  out->fields[field].bytewise = bool_of(res, row, BYTEWISE);
  out->fields[field].element = element;
  out->fields[field].domain = hash_of(res, row, DOMAIN);
  out->alone = bool_of(res, row, ALONE);
  out->plain = out->plain && bool_of(res, row, PLAIN) && keeps(f, oid, int_of(res, row, LIMIT));
  return LDR_OK;
}

static bool same(const ldr_live_columns *a, const ldr_live_columns *b, unsigned n) {
  for (unsigned i = 0; i < n; i++)
    if (a->fields[i].bytewise != b->fields[i].bytewise || a->fields[i].element != b->fields[i].element ||
        a->fields[i].domain != b->fields[i].domain)
      return false;
  return a->plain == b->plain && a->alone == b->alone;
}

/* Takes over c. An answer that was there before is used again: tables are asked about again and again. */
static void publish(ldr_live *t, ldr_live_columns *c) {
  ldr_live_columns *old = atomic_load(&t->all);
  while (old && !same(old, c, t->e->nfields)) old = old->older;
  if (old) {
    ldr_free(c);
    c = old;
  } else {
    c->older = atomic_load(&t->all);
    while (!atomic_compare_exchange_weak(&t->all, &c->older, c)) continue;
  }
  atomic_store_explicit(&t->known, c, memory_order_release);
}

/* Whatever answered, it was not the catalog. */
static ldr_code refuse_width(const ldr_entity *e, unsigned columns, ldr_err *err) {
  ldr_fail(err, LDR_INTERNAL, "the catalog's answer about %s has %u columns, not %d: something else answered",
           e->relname, columns, COLUMNS);
  ldr_err_set(err->table, sizeof err->table, e->relname);
  return err->code;
}

ldr_code ldr_live_read(ldr_live *t, const ldr_pgres *res, bool exact, bool *there, ldr_err *err) {
  size_t rows = res ? ldr_pgres_rows(res) : 0;
  ldr_live_columns *c;
  ldr_code code = LDR_OK;
  *there = rows > 0;
  if (res && ldr_pgres_cols(res) != COLUMNS) return refuse_width(t->e, ldr_pgres_cols(res), err);
  if (rows == 0) return LDR_OK;
  c = ldr_alloc(sizeof *c + t->e->nfields * sizeof *c->fields);
  if (c == NULL) return ldr_fail_nomem(err);
  c->plain = true;
  for (size_t i = 0; i < rows && code == LDR_OK; i++) code = read_column(t, res, i, exact, c, err);
  if (code != LDR_OK) {
    ldr_free(c);
    ldr_live_forget(t);
    return code;
  }
  publish(t, c);
  return LDR_OK;
}

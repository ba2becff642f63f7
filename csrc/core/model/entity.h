/* A declared store: fields, key, uniques, references, indexes. Built once from data, checked once, then
 * read-only; any number of engines and threads may read it. Entities of one family live in one schema, which
 * is counted. */
#ifndef LDR_MODEL_ENTITY_H
#define LDR_MODEL_ENTITY_H

#include <stdatomic.h>

#include "values/value.h"

enum { LDR_MAX_FIELDS = 256, LDR_MAX_KEY = 8 };

typedef enum ldr_default {
  LDR_DEF_NONE,
  LDR_DEF_VALUE,
  LDR_DEF_NOW,
  LDR_DEF_UUID,     /* version 4 */
  LDR_DEF_CUID,     /* 25 characters, 'c' first */
  LDR_DEF_IDENTITY, /* assigned by the engine, ascending; integers */
  LDR_DEF_DATABASE /* an expression that only the server can compute: memory refuses an insert without a value
                    */
} ldr_default;

typedef struct ldr_field {
  const char *name;
  const char *column; /* its name in PostgreSQL; NULL in what ldr_entity_add_field is given: as the field's */
  const char *sql;    /* t."column": as a statement's own table has it; filled by ldr_field_set_name */
  uint32_t sql_n;     /* bytes of sql */
  ldr_ftype type;
  bool array;
  bool null;                 /* may be NULL */
  bool hidden;               /* a secret: returned only when the columns of an operation name it */
  bool immutable;            /* set on insert, never changed after (key fields always are) */
  bool stamp_update;         /* set to the operation's clock on each update that does not name it */
  bool stamp_insert;         /* default = now */
  bool generated;            /* the server computes it: never written; memory does not know it */
  bool version;              /* begins with 1, and each update adds 1: what optimistic locking compares */
  ldr_value min, max;        /* the least and greatest value there may be; null: no limit */
  uint32_t min_len, max_len; /* characters (text, varchar, char) or bytes (bytea); max_len 0 = no limit */
  int precision, scale;      /* numeric; precision 0 = any */
  bool has_digits;           /* times: only so many digits of a second are kept */
  int digits;
  const char *const *enums; /* allowed texts */
  unsigned nenums;
  const char *expression;  /* SQL of LDR_DEF_DATABASE or of a generated field; NULL: not said */
  const char *sql_type;    /* "schema"."type": of an enum, or the domain that the column has; NULL: none */
  const ldr_value *places; /* LDR_F_ENUM: nenums values, see LDR_T_ENUM; filled by ldr_entity_add_field */
  ldr_default def;
  ldr_value def_value; /* LDR_DEF_VALUE */
  ldr_type value_type; /* of its values that are not null: filled by ldr_entity_add_field */
} ldr_field;

typedef struct ldr_unique {
  const char *name; /* the constraint's or index' name in PostgreSQL */
  unsigned n;
  uint16_t field[LDR_MAX_KEY];
  bool nulls_equal; /* NULLS NOT DISTINCT: rows with a null count, and nulls are one value */
  /* partial: rows count only while each of these holds */
  unsigned nwhen;
  struct {
    uint16_t field;
    bool is_null;
    ldr_value value;
  } when[2]; /* field IS NULL, or field = value */
} ldr_unique;

typedef enum ldr_action { LDR_RESTRICT, LDR_CASCADE, LDR_SET_NULL } ldr_action;

typedef struct ldr_ref {
  const char *name; /* constraint name */
  unsigned n;
  uint16_t field[LDR_MAX_KEY];        /* here */
  uint16_t target_field[LDR_MAX_KEY]; /* there: always the target's key, in its order */
  struct ldr_entity *target;
  ldr_action on_delete;
  unsigned nset_null; /* LDR_SET_NULL: these become null (0 = all of field[]) */
  uint16_t set_null[LDR_MAX_KEY];
} ldr_ref;

typedef struct ldr_index { /* ordered; the memory engine builds it, SQL has its own */
  unsigned n;
  uint16_t field[LDR_MAX_KEY];
  bool desc[LDR_MAX_KEY];
} ldr_index;

typedef struct ldr_entity {
  struct ldr_schema *schema;
  const char *name;    /* store name: "users" */
  const char *table;   /* "shop"."users", quoted once at declaration */
  const char *relname; /* users: what PostgreSQL reports as table, without quotes */
  unsigned id;         /* position in the schema */
  unsigned nfields;
  ldr_field *fields;
  ldr_unique key; /* name = primary key constraint, e.g. users_pkey */
  unsigned nuniques;
  ldr_unique *uniques;
  unsigned nrefs;
  ldr_ref *refs;
  unsigned nindexes;
  ldr_index *indexes;
  unsigned nchildren; /* references that point here, in declaration order: filled by finish */
  struct {
    struct ldr_entity *entity;
    unsigned ref;
  } * children;
  bool generates;  /* has a field that memory does not know */
  bool read_only;  /* a view or a foreign table: no engine but memory, where tests fill it, writes it */
  int tenant;      /* field number of the tenant column, -1 none */
  int soft_delete; /* field number of the timestamptz marker, -1 none */
} ldr_entity;

typedef struct ldr_schema {
  const char *name; /* family: "shop" */
  unsigned nentities;
  ldr_entity **entities; /* in declaration order: targets of references come first */
  atomic_uint refs;
  ldr_arena arena; /* owns everything above */
} ldr_schema;

/* ---- building: new, then add …, then finish. Every text is copied. All faults are LDR_INVALID and name the
 * place. ---- */
ldr_code ldr_schema_new(const char *name, ldr_schema **out, ldr_err *err) LDR_MUSTCHECK;
/* table: as LDR_PATH_RULE of model/names.h says. */
ldr_code ldr_schema_add(ldr_schema *s, const char *name, const char *table, ldr_entity **out,
                        ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_entity_add_field(ldr_schema *s, ldr_entity *e, const ldr_field *f, ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_entity_set_key(ldr_schema *s, ldr_entity *e, const char *constraint, const char *const *fields,
                            unsigned n, ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_entity_add_unique(ldr_schema *s, ldr_entity *e, const char *constraint,
                               const char *const *fields, unsigned n, ldr_err *err) LDR_MUSTCHECK;
/* Narrows the unique added last: only rows with field IS NULL (value NULL pointer) or field = *value count.
 */
ldr_code ldr_entity_unique_when(ldr_schema *s, ldr_entity *e, const char *field, const ldr_value *value,
                                ldr_err *err) LDR_MUSTCHECK;
/* In the unique added last nulls are equal. */
ldr_code ldr_entity_unique_nulls_equal(ldr_entity *e, ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_entity_add_ref(ldr_schema *s, ldr_entity *e, const char *constraint, const char *const *fields,
                            unsigned n, const char *target, ldr_action on_delete, const char *const *set_null,
                            unsigned nset_null, ldr_err *err) LDR_MUSTCHECK;
/* A field name with a leading '-' is descending. */
ldr_code ldr_entity_add_index(ldr_schema *s, ldr_entity *e, const char *const *fields, unsigned n,
                              ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_entity_set_tenant(ldr_entity *e, const char *field, ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_entity_set_soft_delete(ldr_entity *e, const char *field, ldr_err *err) LDR_MUSTCHECK;
/* Checks the whole: every entity has a key, references fit their target's key in number and type, defaults
 * fit. */
ldr_code ldr_schema_finish(ldr_schema *s, ldr_err *err) LDR_MUSTCHECK;

ldr_schema *ldr_schema_retain(ldr_schema *s);
void ldr_schema_release(ldr_schema *s); /* NULL is fine; the last one frees */

ldr_entity *ldr_schema_find(const ldr_schema *s, const char *name);       /* NULL: none */
int ldr_entity_field(const ldr_entity *e, const char *name, size_t n);    /* field number, -1: none */
int ldr_entity_column(const ldr_entity *e, const char *column, size_t n); /* the same by the column's name */
bool ldr_entity_in_key(const ldr_entity *e, unsigned field);
/* Is an insert to leave the field to the engine when nobody gives it? */
static inline bool ldr_field_is_engines(const ldr_field *f) {
  return f->generated || f->def == LDR_DEF_IDENTITY || f->def == LDR_DEF_DATABASE;
}
/* The first field that is the caller's to give; nfields: the engine makes all. */
static inline unsigned ldr_entity_given(const ldr_entity *e) {
  unsigned i = 0;
  while (i < e->nfields && ldr_field_is_engines(&e->fields[i])) i++;
  return i;
}
bool ldr_field_is_limited(const ldr_field *f); /* has a min or a max */
/* What is wrong with a min or max of such a field, whatever its value; NULL: nothing. */
const char *ldr_field_limit_fault(const ldr_field *f);
/* A time, an interval: does it hold parts of a second? */
bool ldr_field_has_seconds(const ldr_field *f);
bool ldr_field_is_time(const ldr_field *f);      /* timestamptz, timestamp or date: a clock can fill it */
bool ldr_field_has_equality(const ldr_field *f); /* json, xml and tsvector have none */
bool ldr_field_comparable(const ldr_field *f);   /* nor have arrays an order */
bool ldr_field_in_enum(const ldr_field *f, const char *p, size_t n); /* true when it has none */
/* Sets f's name and that of its column, which are copied; false: out of memory. */
bool ldr_field_set_name(ldr_field *f, const char *name, const char *column, ldr_arena *a);

#endif

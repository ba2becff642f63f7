/* What the server has behind a declared table: the types of its columns, and which texts it orders by bytes.
 * Asked before the first statement on the table, since a wrong type does harm without a word: 5.00 dollars of
 * a money column are 500 as a bigint, a time without its zone is another time.
 *
 * Tables are made and found on the engine's thread; what is known of one is written by whoever asked, which
 * may be the loop's thread, and may be read by both. */
#ifndef LDR_POSTGRES_STATEMENT_LIVE_H
#define LDR_POSTGRES_STATEMENT_LIVE_H

#include <stdatomic.h>

#include "model/entity.h"
#include "postgres/protocol/connection.h"

/* Does the collation c (of pg_collation), in the database d (of pg_database), order by bytes? C and its kin
 * by name, the database's default by its locale; C.UTF-8 of an old C library is put to the test. to_jsonb:
 * columns that older servers do not have. */
#define LDR_BYTEWISE_SQL                                                                       \
  "case when c.collname = 'default' then case coalesce(to_jsonb(d) ->> 'datlocprovider', 'c')" \
  " when 'c' then d.datcollate in ('C', 'POSIX') or d.datcollate in ('C.UTF-8', 'C.utf8')"     \
  " and 'B' < 'a' and '_' < 'a' and 'a b' < 'aB' and chr(65374) < chr(128512)"                 \
  " when 'b' then true else false end"                                                         \
  " else c.collprovider = 'b' or c.collprovider = 'c' and c.collcollate in ('C', 'POSIX') end"

typedef struct ldr_live_columns { /* never changed after it is published */
  struct ldr_live_columns *older;
  bool plain; /* the table stores rows as they are given */
  bool alone; /* nothing inherits from the table: its rows, and their constraints, are its own */
  struct {
    bool bytewise;    /* a text whose own collation orders by bytes */
    uint32_t element; /* oid of an array's elements, when it is a type that users make; else 0 */
    uint64_t
        domain; /* the hash of the name of the column's domain, as ldr_err has it; 0: none, or not certain */
  } fields[];
} ldr_live_columns;

typedef struct ldr_live {
  struct ldr_live *next;
  const ldr_entity *e; /* its schema is retained */
  _Atomic(const ldr_live_columns *) known;
  _Atomic(ldr_live_columns *) all; /* every answer there was, for the sake of who still reads an old one */
  _Atomic unsigned changes;        /* how often it was forgotten, since an answer spoke against it */
  char *question;                  /* the SQL that asks */
} ldr_live;

typedef struct ldr_lives {
  ldr_live *first;
} ldr_lives;

void ldr_lives_free(ldr_lives *l);
ldr_live *ldr_lives_get(ldr_lives *l, const ldr_entity *e); /* made when it is new; NULL: out of memory */
ldr_live *ldr_lives_find(const ldr_lives *l, const ldr_entity *e); /* NULL: there is none */

/* Reads the answer. LDR_INTERNAL: it is of another width. LDR_DRIFT names the first column whose live type is
 * not the declared one. Integers of another width are taken for the declared ones, unless `exact`, as binary
 * COPY needs it. *there: the table exists. */
ldr_code ldr_live_read(ldr_live *t, const ldr_pgres *res, bool exact, bool *there,
                       ldr_err *err) LDR_MUSTCHECK;
void ldr_live_forget(ldr_live *t); /* ask again before the next statement; NULL is fine */

/* Does the table store a row as it is given? It has no trigger, rule, row security, domain, generated or
 * identity column, nor one that pads, cuts or rounds otherwise than the declaration does. A guess until an
 * insert proves it: see ldr_given. false: no, or not known. */
bool ldr_live_plain(const ldr_live *t);
/* Are the table's rows in no partition or other table that inherits from it? false: no, or not known. */
bool ldr_live_alone(const ldr_live *t);
/* Does the column's own collation order by bytes? false: no, or not known. */
bool ldr_live_bytewise(const ldr_live *t, unsigned field);
/* The field whose column alone is of this domain (see ldr_err); -1: none, or not known. */
int ldr_live_of_domain(const ldr_live *t, uint64_t domain);
/* What is known now; NULL: nothing. It lives as long as the table does. */
const ldr_live_columns *ldr_live_known(const ldr_live *t);
/* May a result column of this type stand for the field? */
bool ldr_live_fits(ldr_ftype type, bool array, uint32_t oid);
/* `column "at" of t is timestamp without time zone, declared as timestamp with time zone`; err.column is the
 * field. field: the name of one, or that of a computed column */
ldr_code ldr_live_drift(const ldr_entity *e, const char *field, ldr_ftype type, bool array, const char *live,
                        ldr_err *err);

#endif

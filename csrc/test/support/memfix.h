/* A family "org" on a memory engine, and short ways to say operations and to read answers. */
#ifndef LDR_TEST_MEMFIX_H
#define LDR_TEST_MEMFIX_H

#include "memory/db.h"

/* teams(id, name)                                              key id, unique name
 * users(team, id identity, email, score, balance, ratio, seen, data, tags, gone)
 *       key (team, id), unique (team, email) while gone is null, team → teams cascade, index (team, -score)
 * posts(id identity, team, author, editor, parent, title)      key id, (team, author) → users cascade,
 *       (team, editor) → users set null (editor), parent → posts cascade
 * badges(id, team, holder, slot)                               key id, unique slot, (team, holder) → users
 * restrict */
typedef enum table { TEAMS, USERS, POSTS, BADGES, TABLES } table;
enum { T_ID, T_NAME, T_COUNT };
enum { U_TEAM, U_ID, U_EMAIL, U_SCORE, U_BALANCE, U_RATIO, U_SEEN, U_DATA, U_TAGS, U_GONE, U_COUNT };
enum { P_ID, P_TEAM, P_AUTHOR, P_EDITOR, P_PARENT, P_TITLE, P_COUNT };
enum { B_ID, B_TEAM, B_HOLDER, B_SLOT, B_COUNT };

typedef struct world {
  ldr_schema *schema;
  ldr_engine *db;
  const ldr_entity *e[TABLES];
  ldr_err err;
  ldr_result res;   /* of the last operation */
  ldr_buf text;     /* what show() wrote last */
  int64_t affected; /* of the last operation that succeeded */
} world;

bool world_open(world *w); /* false: out of memory (world_close is needed all the same) */
void world_close(world *w);
void world_start(world *w);     /* opens it, with the teams a and b */
void world_add_users(world *w); /* ten of team a: ids 1 … 10, scores 0 … 3, every fifth without */
/* Of the last operation, which answered code. */
void world_check(const world *w, ldr_code code, ldr_code want, const char *state, const char *constraint);

/* Values; texts are borrowed. */
#define NUL     ldr_null()
#define INT(i)  ldr_int(i)
#define TEXT(s) ldr_text(s, sizeof(s) - 1)
#define NUM(s)  ldr_bytes_of(LDR_T_NUMERIC, s, sizeof(s) - 1)
#define JSON(s) ldr_bytes_of(LDR_T_JSON, s, sizeof(s) - 1)
#define ROW(...) \
  (const ldr_value[]){__VA_ARGS__}, sizeof((const ldr_value[]){__VA_ARGS__}) / sizeof(ldr_value)

/* Predicates; what they point to lives as long as the enclosing block. */
#define P1(k, f, v) (&(const ldr_pred){.kind = (k), .field = (f), .n = 1, .values = (const ldr_value[]){v}})
#define EQ(f, v)    P1(LDR_P_EQ, f, v)
#define IS_NULL(f)  (&(const ldr_pred){.kind = LDR_P_IS_NULL, .field = (f)})
#define IN(f, ...)                                                                      \
  (&(const ldr_pred){.kind = LDR_P_IN,                                                  \
                     .field = (f),                                                      \
                     .n = sizeof((const ldr_value[]){__VA_ARGS__}) / sizeof(ldr_value), \
                     .values = (const ldr_value[]){__VA_ARGS__}})
#define KIDS(k, ...)                                                                  \
  (&(const ldr_pred){.kind = (k),                                                     \
                     .n = sizeof((const ldr_pred *[]){__VA_ARGS__}) / sizeof(void *), \
                     .kids = (const ldr_pred *[]){__VA_ARGS__}})
#define AND(...) KIDS(LDR_P_AND, __VA_ARGS__)
#define OR(...)  KIDS(LDR_P_OR, __VA_ARGS__)
#define NOT(p)   KIDS(LDR_P_NOT, p)
#define ASC(f) \
  { .field = (f) }
#define DESC(f) \
  { .field = (f), .desc = true }

ldr_code run(world *w, ldr_tx *tx, const ldr_op *op); /* frees the answer before it */

/* Rows of all columns from the first on; fewer values than columns: the others are not named. Null in an
 * identity column: not given. */
ldr_code insert(world *w, ldr_tx *tx, table t, const ldr_value *values, size_t n);
ldr_code insert_rows(world *w, ldr_tx *tx, table t, unsigned ncols, const ldr_value *values, size_t n);
ldr_code upsert(world *w, ldr_tx *tx, table t, int target, const ldr_set *sets, unsigned nsets,
                const ldr_value *values, size_t n); /* nsets 0: skip */
ldr_code update(world *w, ldr_tx *tx, table t, const ldr_pred *where, uint16_t field, ldr_value v);
ldr_code delete (world *w, ldr_tx *tx, table t, const ldr_pred *where);
int64_t count(world *w, ldr_tx *tx, table t, const ldr_pred *where); /* -1: failed */
/* "1|a 2|b": the fields of all rows that match, in the order of the key */
const char *show(world *w, ldr_tx *tx, table t, const ldr_pred *where, const uint16_t *fields, unsigned n);
const char *show_result(world *w); /* the rows of the last operation, in the same form */
#define FIELDS(...) \
  (const uint16_t[]){__VA_ARGS__}, sizeof((const uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t)

ldr_tx *begin(world *w);
ldr_tx *begin_with(world *w, ldr_isolation isolation, bool read_only);
ldr_code commit(world *w, ldr_tx *tx);
void rollback(world *w, ldr_tx *tx);

#endif

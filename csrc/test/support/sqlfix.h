/* A schema "shop" for statements, short ways to say operations on it, and what compares what is made of them.
 */
#ifndef LDR_TEST_SQLFIX_H
#define LDR_TEST_SQLFIX_H

#include "postgres/statement/sqlgen.h"
#include "support/test.h"

enum {
  TENANT,
  ID,
  EMAIL,
  NICK,
  AGE,
  SCORE,
  AMOUNT,
  ACTIVE,
  CREATED,
  SEEN,
  DOC,
  TAGS,
  TOKEN,
  DELETED,
  SEQ,
  NUSERS
};
enum { O_TENANT, O_ID, O_USER, O_STATE, NORDERS };

extern ldr_entity *users, *orders; /* between sql_open and sql_close */

bool sql_open(void); /* false: it failed, which is checked */
void sql_close(void);

/* ---- operations ---- */

#define COUNT_OF(type, ...) (sizeof((type[]){__VA_ARGS__}) / sizeof(type))
#define VALUES(...)         ((ldr_value[]){__VA_ARGS__})
#define FIELDS(...)         ((const uint16_t[]){__VA_ARGS__})
#define PRED(k, f, ...) \
  (&(ldr_pred){         \
      .kind = (k), .field = (f), .n = COUNT_OF(ldr_value, __VA_ARGS__), .values = VALUES(__VA_ARGS__)})
#define JOIN(k, ...) \
  (&(ldr_pred){      \
      .kind = (k), .n = COUNT_OF(const ldr_pred *, __VA_ARGS__), .kids = (const ldr_pred *[]){__VA_ARGS__}})
#define NONE(k, f) (&(ldr_pred){.kind = (k), .field = (f)})
#define EXISTS(of, in, out, kid)                  \
  (&(ldr_pred){.kind = LDR_P_EXISTS,              \
               .n = 1,                            \
               .kids = (const ldr_pred *[]){kid}, \
               .inner = (of),                     \
               .non = 2,                          \
               .on = {{0, 0}, {(in), (out)}}})
#define OUT(op, ...)  ((op)->out = FIELDS(__VA_ARGS__), (op)->nout = COUNT_OF(uint16_t, __VA_ARGS__))
#define COLS(op, ...) ((op)->cols = FIELDS(__VA_ARGS__), (op)->ncols = COUNT_OF(uint16_t, __VA_ARGS__))
#define SETS(op, ...) \
  ((op)->sets = (const ldr_set[]){__VA_ARGS__}, (op)->nsets = COUNT_OF(ldr_set, __VA_ARGS__))
#define ORDER(op, ...) \
  ((op)->order = (const ldr_order[]){__VA_ARGS__}, (op)->norder = COUNT_OF(ldr_order, __VA_ARGS__))
#define UP(f)   ((ldr_order){.field = (f)})
#define DOWN(f) ((ldr_order){.field = (f), .desc = true})

static inline ldr_value txt(const char *s) { return ldr_text(s, strlen(s)); }
static inline ldr_value json(const char *s) { return ldr_bytes_of(LDR_T_JSON, s, strlen(s)); }
static inline ldr_value num(const char *s) { return ldr_bytes_of(LDR_T_NUMERIC, s, strlen(s)); }

ldr_value two_tags(void);       /* '{a,b}' as text[], in memory that lives until the next call */
ldr_op op_of(ldr_op_kind kind); /* on the users */
ldr_op select_id(const ldr_pred *where);

ldr_expr of_field(unsigned field);
ldr_expr of_value(ldr_ftype type, const ldr_value *v);
ldr_expr of_call(ldr_fn fn, const ldr_expr *const *args, unsigned n);
#define CALL(fn, ...) \
  of_call(fn, (const ldr_expr *const[]){__VA_ARGS__}, COUNT_OF(const ldr_expr *, __VA_ARGS__))

/* ---- comparing ---- */

/* The operation is checked as well-formed and compiled; its parameters are those of a walk that writes no
 * text. want_params: "text=acme, text[]={u1,u2}" */
void sql_check_at(const char *file, int line, const ldr_op *op, const char *want_sql,
                  const char *want_params);
#define GOLD(op, sql, params) sql_check_at(__FILE__, __LINE__, op, sql, params)
/* The same of a write that tells when it was analyzed. */
void sql_check_given_at(const char *file, int line, const ldr_op *op, const ldr_sql_given *given,
                        const char *want_sql, const char *want_params);
#define GIVEN(op, with_xid, with_guard, sql, params) \
  sql_check_given_at(__FILE__, __LINE__, op,         \
                     &(ldr_sql_given){.on = true, .xid = (with_xid), .guard = (with_guard)}, sql, params)

/* The condition of `select t."id" from users where …`. */
void sql_check_where_at(const char *file, int line, const ldr_pred *where, const char *want,
                        const char *want_params);
#define WHERE(pred, sql, params) sql_check_where_at(__FILE__, __LINE__, pred, sql, params)

#endif

/* What an operation is read from, and what its parts offer each other: one file a part. */
#ifndef LDR_LUA_OPS_ARGS_H
#define LDR_LUA_OPS_ARGS_H

#include "lua/ops/where.h"

/* The options of all operations, at base + their number. */
typedef enum l_opt {
  L_OP,
  L_NAME,
  L_TX,
  L_TIMEOUT,
  L_WHERE,
  L_COLUMNS,
  L_ORDER,
  L_LIMIT,
  L_OFFSET,
  L_AFTER,
  L_LOCK,
  L_PER,
  L_PAGE,
  L_PLAIN,
  L_BY_KEY,
  L_ANY_ORDER,
  L_HOW,
  L_CURSOR,
  L_ROWS,
  L_ROW,
  L_ON_CONFLICT,
  L_TARGET,
  L_SET,
  L_KEEP_STAMPS,
  L_RETURNING,
  L_AGGS,
  L_GROUPS,
  L_HAVING,
  L_NOPTS
} l_opt;

typedef struct l_opargs {
  lua_State *L;
  l_work *w;
  const ldr_entity *e;
  const uint16_t *visible; /* fields that are not hidden: what is answered unless columns are named */
  unsigned nvisible;
  bool keyed; /* the engine reads rows by key itself, so texts may be borrowed */
  int base;   /* first option; 0: there are none */
  int64_t now;
  bool keep_stamps;
  bool nothing; /* the answer is known to be empty */
} l_opargs;

/* An operation without a table of options: an insert of the row at idx, or the changes at idx in the row with
 * this key, whose values stay. Both return the row. */
ldr_code l_op_create(l_opargs *a, int idx) LDR_MUSTCHECK;
ldr_code l_op_patch(l_opargs *a, const ldr_value *key, int idx) LDR_MUSTCHECK;

/* ---- parts, one file each; all fill a->w->op ---- */
ldr_code l_op_select(l_opargs *a) LDR_MUSTCHECK;
ldr_code l_op_aggregate(l_opargs *a) LDR_MUSTCHECK;
ldr_code l_op_insert(l_opargs *a) LDR_MUSTCHECK;
ldr_code l_op_update(l_opargs *a) LDR_MUSTCHECK;
ldr_code l_op_delete(l_opargs *a) LDR_MUSTCHECK;
ldr_code l_op_count(l_opargs *a) LDR_MUSTCHECK;

/* order at idx (nil: none) by fields of e, ended by the fields of last[] that it does not name. */
ldr_code l_op_order(l_opargs *a, int idx, const ldr_entity *e, const uint16_t *last,
                    unsigned nlast) LDR_MUSTCHECK;
/* limit and offset. */
ldr_code l_op_limits(l_opargs *a) LDR_MUSTCHECK;
/* The fields named in the sequence at idx, or (nil) all that are not hidden. */
ldr_code l_op_columns(l_opargs *a, int idx) LDR_MUSTCHECK;
/* get_many: the condition holds a list of keys, and the rows are answered in its order. */
ldr_code l_op_by_key(l_opargs *a) LDR_MUSTCHECK;
int l_finish_by_key(lua_State *L, l_work *w); /* rows, false where a key has none */
/* returning: columns and the finish function. */
ldr_code l_op_returning(l_opargs *a) LDR_MUSTCHECK;
/* The set table at idx → sets of the operation, checked and stamped. */
ldr_code l_op_sets(l_opargs *a, int idx) LDR_MUSTCHECK;
/* The same for an upsert without a set table: the fields of named[] that may change, from the proposed
 * row. */
ldr_code l_op_sets_excluded(l_opargs *a, const bool *named) LDR_MUSTCHECK;

/* One row table → values[] and given[] of all fields; every fault of the row is in w->err. */
ldr_code l_op_row(lua_State *L, int idx, l_work *w, const ldr_entity *e, int64_t now, ldr_value *values,
                  bool *given, bool *named) LDR_MUSTCHECK;

#endif

/* Statements of simple operations, found without making their text: an insert of one row, and a select,
 * update or delete by equality. The text of such a one depends on nothing but which fields stand where, which
 * is its shape. On the engine's thread. */
#ifndef LDR_POSTGRES_STATEMENT_SHAPE_H
#define LDR_POSTGRES_STATEMENT_SHAPE_H

#include "model/op.h"

struct ldr_stmt;

/* Four of those that one set is for find room in it: which set that is depends on addresses, so that two
 * statements may always meet. */
enum { LDR_SHAPE_MAX = 60, LDR_SHAPE_SETS = 32, LDR_SHAPE_WAYS = 4 };

typedef struct ldr_shape {
  const ldr_entity *e;
  unsigned n; /* numbers of the shape; 0: the operation is not simple */
  uint16_t number[LDR_SHAPE_MAX];
} ldr_shape;

typedef struct ldr_shape_place {
  struct ldr_stmt *stmt; /* counted by the caller; NULL: empty */
  ldr_shape shape;
} ldr_shape_place;

typedef struct ldr_shapes { /* who comes later takes the place of another */
  ldr_shape_place at[LDR_SHAPE_SETS][LDR_SHAPE_WAYS];
  unsigned turn;
} ldr_shapes; /* zero-initialise */

void ldr_shape_read(const ldr_op *op, ldr_shape *out);
/* Appends the ldr_param of a simple operation, in the order of its text. */
void ldr_shape_params(const ldr_op *op, ldr_buf *params);
struct ldr_stmt *ldr_shapes_find(ldr_shapes *t, const ldr_shape *shape); /* NULL: none */
/* Gives s a place; returns the one that was there, or NULL. */
struct ldr_stmt *ldr_shapes_put(ldr_shapes *t, const ldr_shape *shape, struct ldr_stmt *s);
/* Takes out s, or with NULL any; returns what was taken out, or NULL. */
struct ldr_stmt *ldr_shapes_take(ldr_shapes *t, const struct ldr_stmt *s);

#endif

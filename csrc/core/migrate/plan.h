/* What is to be done: files against history. Pure. */
#ifndef LDR_MIGRATE_PLAN_H
#define LDR_MIGRATE_PLAN_H

#include "migrate/history.h"

typedef enum ldr_direction {
  LDR_MIGRATE_UP,   /* what is pending: at most `count` files (0: all), none above `to` (0: no limit) */
  LDR_MIGRATE_DOWN, /* the last `count` files, or with `has_to` everything above `to` */
  LDR_MIGRATE_GOTO, /* up or down, until `to` is the last one */
  LDR_MIGRATE_REDO  /* the last `count` files, down and up again */
} ldr_direction;

typedef struct ldr_plan_request {
  ldr_direction direction;
  int64_t to;
  bool has_to;
  unsigned count;
  bool plain;        /* run files marked `only plain` also where tables are distributed */
  bool out_of_order; /* files below the last applied one are applied, too */
  bool resume;       /* a file that was begun and not finished is gone on with, not refused */
} ldr_plan_request;

typedef enum ldr_step_kind { LDR_STEP_UP, LDR_STEP_DOWN, LDR_STEP_SKIP } ldr_step_kind;

typedef struct ldr_step {
  ldr_step_kind kind;
  const ldr_migration *m; /* the file's; of a skipped one that goes down: no SQL runs */
  bool bare;              /* DOWN of what was skipped: only the record goes */
} ldr_step;

/* Appends ldr_step to `steps`. Reasons: LDR_DRIFT missing (an applied file is gone), edited; LDR_INVALID
 * out_of_order, no_down, unknown_version; LDR_DIRTY unfinished. */
ldr_code ldr_plan(const ldr_migrations *files, const ldr_history *h, const char *family,
                  const ldr_plan_request *r, ldr_buf *steps, ldr_err *err) LDR_MUSTCHECK;

#endif

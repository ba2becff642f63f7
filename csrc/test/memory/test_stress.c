#include <stdlib.h>

#include "memory/match.h"
#include "support/memfix.h"
#include "support/test.h"

void test_stress(void);

/* Random statements of several transactions. After them, selects by every access path are compared with a
 * scan that is filtered and sorted here, and what was rolled back must have left no trace. */

static world w;
static unsigned seed;

static int pick(int n) {
  seed = seed * 1664525u + 1013904223u;
  return (int)(seed >> 8) % n;
}

/* ---- the sum of all rows that a transaction sees ---- */

static bool sum_of(ldr_tx *tx, ldr_checksum *out) {
  static const ldr_call call = {.block = true};
  ldr_checksum sum = {0};
  for (int i = 0; i < TABLES; i++) {
    ldr_scan *s;
    ldr_batch *b = NULL;
    ldr_code code = w.db->ops->scan(w.db, tx, w.e[i], &call, &s, &w.err);
    if (code != LDR_OK) return false;
    while ((code = s->next(s, 7, &call, &b, &w.err)) == LDR_OK && b && code == LDR_OK) {
      code = ldr_checksum_add(&sum, b, &w.err);
      ldr_batch_free(b);
      if (code != LDR_OK) break;
    }
    s->close(s);
    if (code != LDR_OK) return false;
  }
  *out = sum;
  return true;
}

static void check_same(const ldr_checksum *a, const ldr_checksum *b) {
  CHECK_INT(a->rows, b->rows);
  CHECK(a->lo == b->lo && a->hi == b->hi);
}

/* ---- random statements ---- */

static ldr_value some_team(void) { return ldr_text(&"abc"[pick(3)], 1); }
static ldr_value some_id(void) { return pick(8) ? INT(1 + pick(12)) : NUL; }
static ldr_value some_score(void) { return pick(5) ? INT(pick(4)) : NUL; }
static ldr_value some_name(void) { return ldr_text(&"uvwxyz"[pick(6)], 1); }

static ldr_code random_insert(ldr_tx *tx) {
  switch (pick(5)) {
    case 0: return insert(&w, tx, TEAMS, ROW(some_team(), some_name()));
    case 1: return insert(&w, tx, BADGES, ROW(some_name(), some_team(), some_id(), some_score()));
    case 2:
      return insert(&w, tx, POSTS, ROW(INT(1 + pick(20)), some_team(), some_id(), some_id(), some_id()));
    default:
      return insert(&w, tx, USERS,
                    ROW(some_team(), INT(1 + pick(12)), pick(3) ? some_name() : NUL, some_score()));
  }
}

static ldr_code random_upsert(ldr_tx *tx) {
  const ldr_set sets[] = {{.field = U_SCORE, .kind = LDR_SET_INCREMENT, .value = INT(1)},
                          {.field = U_EMAIL, .kind = LDR_SET_COALESCE, .excluded = true}};
  return upsert(&w, tx, USERS, pick(2) - 1, sets, pick(2) ? 2 : 0,
                ROW(some_team(), INT(1 + pick(12)), some_name(), some_score()));
}

static ldr_code random_update(ldr_tx *tx) {
  switch (pick(6)) {
    case 0: return update(&w, tx, TEAMS, EQ(T_ID, some_team()), T_NAME, some_name());
    case 1:
      return update(&w, tx, USERS, AND(EQ(U_TEAM, some_team()), EQ(U_SCORE, INT(pick(4)))), U_SCORE,
                    some_score());
    case 2: return update(&w, tx, USERS, EQ(U_ID, INT(1 + pick(12))), U_GONE, pick(2) ? ldr_time(1) : NUL);
    case 3: return update(&w, tx, POSTS, EQ(P_ID, INT(1 + pick(20))), P_EDITOR, some_id());
    case 4: return update(&w, tx, BADGES, EQ(B_SLOT, INT(pick(4))), B_SLOT, some_score());
    default: return update(&w, tx, USERS, EQ(U_ID, INT(1 + pick(12))), U_EMAIL, some_name());
  }
}

static ldr_code random_delete(ldr_tx *tx) {
  switch (pick(12)) {
    case 0: return delete (&w, tx, TEAMS, EQ(T_ID, some_team()));
    case 1: return delete (&w, tx, POSTS, EQ(P_TEAM, some_team()));
    case 2:
    case 3: return delete (&w, tx, BADGES, EQ(B_ID, some_name()));
    case 4:
    case 5: return delete (&w, tx, POSTS, EQ(P_ID, INT(1 + pick(20))));
    default: return delete (&w, tx, USERS, AND(EQ(U_TEAM, some_team()), EQ(U_ID, INT(1 + pick(12)))));
  }
}

static ldr_code random_statement(ldr_tx *tx) {
  int what = pick(10);
  if (what < 5) return random_insert(tx);
  if (what < 6) return random_upsert(tx);
  return what < 9 ? random_update(tx) : random_delete(tx);
}

/* ---- selects against filtered scans ---- */

enum { MOST = 64 };

typedef struct listing {
  ldr_row *row[MOST];
  size_t n;
} listing;

static const ldr_order *sort_order;
static unsigned sort_items;

static int compare_rows(const void *a, const void *b) {
  ldr_row *const *x = a, *const *y = b;
  for (unsigned i = 0; i < sort_items; i++) {
    int c = ldr_order_rows(w.e[USERS], &sort_order[i], *x, *y);
    if (c != 0) return c;
  }
  return 0;
}

/* What the select has to answer; the rows stay counted by the batch. */
static ldr_batch *expected(ldr_tx *tx, const ldr_op *op, listing *out) {
  static const ldr_call call = {.block = true};
  const ldr_matcher m = {.err = &w.err};
  ldr_scan *s;
  ldr_batch *b = NULL;
  size_t n = 0;
  CHECK(w.db->ops->scan(w.db, tx, op->e, &call, &s, &w.err) == LDR_OK);
  CHECK(s->next(s, 0, &call, &b, &w.err) == LDR_OK);
  s->close(s);
  for (size_t i = 0; b && i < b->n; i++) {
    if (ldr_match(&m, op->e, b->rows[i], op->where) != LDR_TRUE) continue;
    if (op->after && ldr_order_after(&m, op->e, op->order, op->norder, b->rows[i], op->after) != LDR_TRUE)
      continue;
    if (n < MOST) out->row[n++] = b->rows[i];
  }
  sort_order = op->order;
  sort_items = op->norder;
  qsort(out->row, n, sizeof *out->row, compare_rows);
  out->n = 0;
  for (size_t i = (size_t)op->offset; i < n && (op->limit < 0 || i < (size_t)(op->offset + op->limit)); i++)
    out->row[out->n++] = out->row[i];
  return b;
}

static void compare_with_scan(ldr_tx *tx, const ldr_op *op) {
  listing want;
  ldr_batch *b = expected(tx, op, &want);
  CHECK(run(&w, tx, op) == LDR_OK);
  CHECK_INT(w.res.rows->nrows, want.n);
  for (size_t i = 0; i < want.n && i < w.res.rows->nrows; i++)
    for (unsigned c = 0; c < op->nout; c++) {
      ldr_value got, v;
      CHECK(ldr_rows_cell(w.res.rows, i, c, &got, &w.err) == LDR_OK);
      ldr_row_get(op->e, want.row[i], op->out[c], &v);
      CHECK_INT(ldr_order_values(&got, &v), 0);
    }
  ldr_batch_free(b);
}

static const ldr_pred *some_part(ldr_pred *p, ldr_value *v) {
  static const ldr_value ids[] = {
      {.type = LDR_T_INT, .u.i = 3}, {.type = LDR_T_INT, .u.i = 8}, {.type = LDR_T_INT, .u.i = 3}};
  static const ldr_pred_kind bounds[] = {LDR_P_LT, LDR_P_LE, LDR_P_GT, LDR_P_GE, LDR_P_EQ};
  switch (pick(7)) {
    case 0:
    case 1:
      *v = some_team();
      *p = (ldr_pred){.kind = LDR_P_EQ, .field = U_TEAM, .n = 1, .values = v};
      break;
    case 2:
      *v = INT(1 + pick(12));
      *p = (ldr_pred){.kind = bounds[pick(5)], .field = U_ID, .n = 1, .values = v};
      break;
    case 3:
      *v = INT(pick(4));
      *p = (ldr_pred){.kind = bounds[pick(5)], .field = U_SCORE, .n = 1, .values = v};
      break;
    case 4:
      *p = (ldr_pred){
          .kind = LDR_P_IN, .field = pick(2) ? U_ID : U_SCORE, .n = (uint32_t)pick(4), .values = ids};
      break;
    case 5: *p = (ldr_pred){.kind = LDR_P_IS_NULL, .field = pick(2) ? U_SCORE : U_GONE}; break;
    default:
      *v = some_name();
      *p = (ldr_pred){.kind = LDR_P_EQ, .field = U_EMAIL, .n = 1, .values = v};
      break;
  }
  return p;
}

static unsigned some_order(ldr_order *order) {
  static const uint16_t fields[] = {U_TEAM, U_SCORE, U_EMAIL, U_ID};
  unsigned n = (unsigned)pick(3);
  bool down = pick(2);
  for (unsigned i = 0; i < n; i++)
    order[i] = (ldr_order){.field = fields[pick(4)], .desc = pick(4) ? down : !down};
  order[n++] = (ldr_order){.field = U_TEAM, .desc = down};
  order[n++] = (ldr_order){.field = U_ID, .desc = down};
  return n;
}

static void some_after(ldr_value *after, const ldr_order *order, unsigned n) {
  for (unsigned i = 0; i < n; i++) switch (order[i].field) {
      case U_TEAM: after[i] = some_team(); break;
      case U_SCORE: after[i] = some_score(); break;
      case U_EMAIL: after[i] = pick(3) ? some_name() : NUL; break;
      default: after[i] = INT(pick(13)); break;
    }
}

static void random_select(ldr_tx *tx) {
  static const uint16_t out[] = {U_TEAM, U_ID, U_SCORE, U_EMAIL};
  ldr_pred parts[3], all;
  const ldr_pred *kids[3];
  ldr_value values[3], after[4];
  ldr_order order[4];
  ldr_op op;
  unsigned n = (unsigned)pick(4);
  for (unsigned i = 0; i < n; i++) kids[i] = some_part(&parts[i], &values[i]);
  all = (ldr_pred){.kind = pick(6) ? LDR_P_AND : LDR_P_OR, .n = n, .kids = kids};
  ldr_op_init(&op, LDR_OP_SELECT, w.e[USERS]);
  op.where = n || pick(2) ? &all : NULL;
  op.out = out;
  op.nout = 4;
  op.order = order;
  op.norder = some_order(order);
  op.limit = pick(2) ? pick(6) : -1;
  op.offset = pick(4) ? 0 : pick(4);
  some_after(after, order, op.norder);
  if (pick(3) == 0) op.after = after;
  compare_with_scan(tx, &op);
}

/* ---- transactions ---- */

enum { TXS = 3, STEPS = 6000 };

typedef struct session {
  ldr_tx *tx;
  unsigned depth;
  ldr_checksum at[4]; /* what it saw when each savepoint was set */
  ldr_checksum all;   /* what everybody saw when it began */
  bool alone;         /* nothing was committed since */
} session;

static session sessions[TXS];

static void others_committed(const session *but) {
  for (int i = 0; i < TXS; i++)
    if (&sessions[i] != but) sessions[i].alone = false;
}

static void start_session(session *s) {
  s->tx = begin(&w);
  s->depth = 0;
  s->alone = true;
  CHECK(sum_of(NULL, &s->all));
}

static void end_session(session *s) {
  ldr_checksum now;
  if (pick(2)) {
    CHECK(commit(&w, s->tx) == LDR_OK);
    others_committed(s);
  } else {
    rollback(&w, s->tx);
    CHECK(sum_of(NULL, &now));
    if (s->alone) check_same(&now, &s->all);
  }
  s->tx = NULL;
}

/* Back to the savepoint; when nobody else has committed, to the very rows that were seen there. */
static void back(session *s) {
  ldr_checksum now;
  CHECK(w.db->ops->rollback_to(s->tx, &w.err) == LDR_OK);
  CHECK(sum_of(s->tx, &now));
  s->depth--;
  if (s->alone) check_same(&now, &s->at[s->depth]);
}

static void step_session(session *s) {
  if (s->depth < 4 && pick(4) == 0) {
    CHECK(sum_of(s->tx, &s->at[s->depth++]));
    CHECK(w.db->ops->savepoint(s->tx, &w.err) == LDR_OK);
  }
  if (random_statement(s->tx) != LDR_OK) {
    if (s->depth) {
      back(s);
    } else {
      CHECK(commit(&w, s->tx) != LDR_OK);
      s->tx = NULL;
    }
    return;
  }
  if (s->depth && pick(4) == 0) {
    if (pick(2)) {
      back(s);
    } else {
      CHECK(w.db->ops->release(s->tx, &w.err) == LDR_OK);
      s->depth--;
    }
  }
}

static void step_alone(void) {
  ldr_checksum before, after;
  CHECK(sum_of(NULL, &before));
  if (random_statement(NULL) == LDR_OK) {
    others_committed(NULL);
    return;
  }
  CHECK(sum_of(NULL, &after));
  check_same(&before, &after);
}

TEST(random_transactions) {
  CHECK(world_open(&w));
  seed = 11;
  for (int step = 0; step < STEPS; step++) {
    session *s = &sessions[pick(TXS)];
    if (s->tx == NULL)
      pick(3) ? step_alone() : start_session(s);
    else if (pick(12) == 0)
      end_session(s);
    else
      step_session(s);
    random_select(NULL);
    if (s->tx) random_select(s->tx);
  }
  for (int i = 0; i < TXS; i++)
    if (sessions[i].tx) end_session(&sessions[i]);
  CHECK(delete (&w, NULL, BADGES, NULL) == LDR_OK);
  CHECK(delete (&w, NULL, POSTS, NULL) == LDR_OK);
  CHECK(delete (&w, NULL, TEAMS, NULL) == LDR_OK);
  for (int i = 0; i < TABLES; i++) CHECK_INT(count(&w, NULL, (table)i, NULL), 0);
  world_close(&w);
}

/* ---- with any allocation failing ---- */

/* A statement that memory was too short for has changed nothing. */
static bool try_statement(ldr_code (*statement)(ldr_tx *)) {
  ldr_checksum before, after;
  ldr_code code;
  if (!sum_of(NULL, &before)) return false;
  code = statement(NULL);
  if (code != LDR_CAPACITY) return true;
  CHECK(sum_of(NULL, &after)); /* the failure happens only once */
  check_same(&before, &after);
  return false;
}

static bool try_transaction(void) {
  ldr_checksum before, after;
  ldr_tx *tx;
  bool ok;
  if (!sum_of(NULL, &before)) return false;
  tx = begin(&w);
  if (tx == NULL) return false;
  ok = w.db->ops->savepoint(tx, &w.err) == LDR_OK;
  for (int i = 0; i < 3 && ok; i++) ok = random_statement(tx) != LDR_CAPACITY;
  if (ok) ok = w.db->ops->rollback_to(tx, &w.err) == LDR_OK;
  rollback(&w, tx);
  if (!sum_of(NULL, &after)) return false;
  check_same(&before, &after);
  return ok;
}

static ldr_code aggregate_all(ldr_tx *tx) {
  const ldr_agg aggs[] = {{.fn = LDR_AGG_AVG, .field = U_SCORE, .name = "avg"},
                          {.fn = LDR_AGG_SUM, .field = U_BALANCE, .name = "sum"}};
  const ldr_group group = {.field = U_TEAM, .name = "team"};
  ldr_op op;
  ldr_op_init(&op, LDR_OP_AGGREGATE, w.e[USERS]);
  op.aggs = aggs;
  op.naggs = 2;
  op.groups = &group;
  op.ngroups = 1;
  return run(&w, tx, &op);
}

static ldr_code select_each(ldr_tx *tx) {
  static const uint16_t out[] = {U_ID};
  const ldr_pred *rank = EQ(U_SCORE, INT(1));
  const ldr_order order[] = {{.kind = LDR_BY_RANK, .nranks = 1, .ranks = &rank}, DESC(U_ID)};
  const ldr_value id[] = {INT(1), INT(3), INT(5), INT(7)};
  const ldr_pred in = {.kind = LDR_P_IN, .field = U_ID, .n = 4, .values = id};
  ldr_op op;
  ldr_op_init(&op, LDR_OP_SELECT, w.e[USERS]);
  op.where = AND(EQ(U_TEAM, TEXT("a")), &in);
  op.out = out;
  op.nout = 1;
  op.order = order;
  op.norder = 2;
  op.nper = 1;
  op.per[0] = U_SCORE;
  op.per_limit = 2;
  return run(&w, tx, &op);
}

static bool scenario(void) {
  bool ok = world_open(&w);
  seed = 5;
  for (int i = 0; i < 60 && ok; i++) ok = try_statement(random_statement);
  if (ok) ok = try_statement(select_each) && try_statement(aggregate_all);
  for (int i = 0; i < 5 && ok; i++) ok = try_transaction();
  world_close(&w);
  return ok;
}

TEST(no_allocation_failure_leaves_a_trace) { test_oom("scenario", scenario); }

void test_stress(void) {
  RUN(random_transactions);
  RUN(no_allocation_failure_leaves_a_trace);
}

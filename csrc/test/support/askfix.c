#define _GNU_SOURCE
#include "support/askfix.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/test.h"

/* ---- callers ---- */

ask asks[ASKS];
static uint64_t serial; /* completion_ids: serial number, place in asks */

static uint64_t seed = 88172645463325252u;

unsigned ask_pick(unsigned n) { /* 0 … n-1 */
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (unsigned)(seed >> 33) % n;
}

ldr_call ask_within(double seconds) { return (ldr_call){.deadline = ldr_deadline(seconds), .block = false}; }

static void end(ask *a, ldr_code code, const ldr_err *err) {
  a->code = code;
  if (code == LDR_OK) {
    a->result = a->task->result;
    a->task->result.rows = NULL;
  } else {
    snprintf(a->sqlstate, sizeof a->sqlstate, "%s", err->sqlstate);
    snprintf(a->why, sizeof a->why, "%.159s", err->message);
  }
  if (a->task) a->task->ops->free(a->task);
  a->task = NULL;
}

void ask_give_up(ask *a) {
  if (a->task == NULL) return;
  a->task->ops->free(a->task);
  a->task = NULL;
  a->code = LDR_CANCELED;
}

/* Hands in what a call returned. */
void ask_submit(ask *a, ldr_code code, const ldr_err *err) {
  ldr_err refused;
  a->code = code;
  if (code != LDR_PENDING) {
    CHECK(code != LDR_OK);
    end(a, code, err);
    return;
  }
  a->completion_id = ++serial * ASKS + (uint64_t)(a - asks);
  code = ldr_task_submit(a->task, a->completion_id, &refused);
  if (code) end(a, code, &refused);
}

static void take(pgfix *f) {
  uint64_t completion_ids[50];
  size_t n;
  while ((n = ldr_pg_done(f->db, completion_ids, 50)) > 0)
    for (size_t i = 0; i < n; i++) {
      ask *a = &asks[completion_ids[i] % ASKS];
      ldr_err err;
      ldr_code code;
      if (a->completion_id != completion_ids[i] || a->task == NULL) continue; /* given up meanwhile */
      code = a->task->ops->step(a->task, &err);
      CHECK(code != LDR_PENDING);
      end(a, code, &err);
    }
}

bool ask_thread_drives;
static int wake_socket = -1;

static void drop_event_fd(void) {
  if (wake_socket >= 0) close(wake_socket);
  wake_socket = -1;
}

static int dial(pgfix *f) {
  const char *path = NULL;
  if (wake_socket >= 0) return wake_socket;
  CHECK_INT(ldr_pg_wake_path(f->db, &path, &f->err), LDR_OK);
  if (path) wake_socket = test_dial(path);
  return wake_socket;
}

/* One turn of the callers' loop. */
void ask_turn(pgfix *f, int milliseconds) {
  struct pollfd p = {.fd = ask_thread_drives ? dial(f) : ldr_pg_wake_fd(f->db, &f->err), .events = POLLIN};
  char bytes[64];
  CHECK(p.fd >= 0);
  if (poll(&p, 1, milliseconds) > 0 && ask_thread_drives)
    (void)!recv(wake_socket, bytes, sizeof bytes, MSG_DONTWAIT);
  take(f);
}

unsigned ask_pending(size_t from, size_t n) {
  unsigned left = 0;
  for (size_t i = from; i < from + n; i++) left += asks[i].code == LDR_PENDING;
  return left;
}

void ask_collect(pgfix *f, size_t from, size_t n) {
  int64_t until = ldr_deadline(PATIENCE);
  while (ask_pending(from, n) && ldr_now_mono() < until) ask_turn(f, 1000);
  CHECK_INT(ask_pending(from, n), 0); /* none hangs */
}

/* Forgets n answers; gives up what has none. */
void ask_forget(size_t n) {
  for (size_t i = 0; i < n; i++) {
    ask_give_up(&asks[i]);
    ldr_rows_free(asks[i].result.rows);
    asks[i] = (ask){0};
  }
}

unsigned ask_ended(size_t n, ldr_code code) {
  unsigned k = 0;
  for (size_t i = 0; i < n; i++) k += asks[i].code == code;
  return k;
}

/* ---- questions ---- */

int64_t ask_number(const ask *a, unsigned col) {
  ldr_err err;
  ldr_value v = ldr_int(-1);
  if (a->result.rows == NULL || a->result.rows->nrows != 1) return -1;
  CHECK_INT(ldr_rows_cell(a->result.rows, 0, col, &v, &err), LDR_OK);
  return v.u.i;
}

int64_t ask_answer_to(int64_t row) { return row * 7 + 3; } /* the n of item i<row> */

/* select id, n from items where tenant = 'acme' and id = 'i<row>' */
void ask_row(pgfix *f, ask *a, int64_t row, double seconds) {
  static const uint16_t out[] = {I_ID, I_N};
  const ldr_call call = ask_within(seconds);
  char id[24];
  ldr_value key[2] = {pg_str("acme"), ldr_null()};
  ldr_pred tenant = {.kind = LDR_P_EQ, .field = I_TENANT, .n = 1, .values = &key[0]},
           ident = {.kind = LDR_P_EQ, .field = I_ID, .n = 1, .values = &key[1]};
  const ldr_pred *kids[] = {&tenant, &ident};
  ldr_pred where = {.kind = LDR_P_AND, .n = 2, .kids = kids};
  ldr_op op;
  ldr_err err;
  ldr_code code;
  snprintf(id, sizeof id, "i%lld", (long long)row);
  key[1] = pg_str(id);
  ldr_op_init(&op, LDR_OP_SELECT, f->items);
  op.where = &where;
  op.nout = 2;
  op.out = out;
  op.limit = 1;
  a->question = row;
  code = f->db->ops->run(f->db, NULL, &op, &call, &a->result, &a->task, &err);
  ask_submit(a, code, &err);
}

void ask_check(const ask *a) {
  char id[24];
  ldr_err err;
  ldr_value v = ldr_null();
  snprintf(id, sizeof id, "i%lld", (long long)a->question);
  if (a->code != LDR_OK) {
    CHECK_STR(a->why, "no error");
    return;
  }
  CHECK_INT(a->result.rows ? a->result.rows->nrows : 0, 1);
  if (a->result.rows == NULL || a->result.rows->nrows != 1) return;
  CHECK_INT(ask_number(a, 1), ask_answer_to(a->question));
  CHECK_INT(ldr_rows_cell(a->result.rows, 0, 0, &v, &err), LDR_OK);
  CHECK(v.n == strlen(id) && memcmp(v.u.p, id, v.n) == 0);
}

void ask_rows(pgfix *f, size_t from, size_t n) {
  for (size_t i = from; i < from + n; i++) ask_row(f, &asks[i], ask_pick(ROWS), PATIENCE);
}

void ask_check_all(size_t from, size_t n) {
  for (size_t i = from; i < from + n; i++) ask_check(&asks[i]);
}

/* The right row, or one error of the connection; the number of those. */
unsigned ask_check_or_lost(size_t n) {
  for (size_t i = 0; i < n; i++)
    if (asks[i].code != LDR_CONNECTION) ask_check(&asks[i]);
  return ask_ended(n, LDR_CONNECTION);
}

ldr_stmt *ask_prepared(pgfix *f, const char *sql) {
  ldr_stmt *s = NULL;
  CHECK_INT(ldr_pg_prepare(f->db, NULL, sql, strlen(sql), &pg_block, &s, NULL, &f->err), LDR_OK);
  return s;
}

void ask_stmt(pgfix *f, ask *a, ldr_tx *tx, ldr_stmt *s, const ldr_value *values) {
  const ldr_call call = ask_within(PATIENCE);
  ldr_err err;
  ldr_code code = ldr_pg_execute(f->db, tx, s, values, &call, &a->result, &a->task, &err);
  ask_submit(a, code, &err);
}

/* ---- the database ---- */

/* `other` makes the tables and works from outside; f is driven. */
bool ask_open(pgfix *f, pgfix *other, const ldr_pool_config *c, const char *const *settings) {
  static const char *const name[] = {"application_name", "driven", NULL};
  char sql[300];
  drop_event_fd();
  if (!pg_open(other, NULL)) return false;
  snprintf(
      sql, sizeof sql,
      "insert into ldr_test.items (tenant, id, name, n, at) select 'acme', 'i' || k, 'name ' || k, k * 7 "
      "+ 3, now() from generate_series(0, %d) k",
      ROWS - 1);
  CHECK_INT(pg_do(other, NULL, sql), LDR_OK);
  if (!pg_open_with(f, c, settings ? settings : name)) {
    CHECK_STR(f->err.message, "no error");
    pg_close(other);
    return false;
  }
  ldr_pg_use_reactor(f->db);
  return true;
}

/* Statements are known and timed, and a few connections are open. */
void ask_warm(pgfix *f) {
  for (int i = 0; i < 3; i++) {
    ask_rows(f, 0, 64);
    ask_collect(f, 0, 64);
    ask_check_all(0, 64);
    ask_forget(64);
  }
}

void ask_close(pgfix *f, pgfix *other) {
  pg_close(f);
  pg_close(other);
  drop_event_fd();
}

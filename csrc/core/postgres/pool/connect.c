#include "postgres/pool/connect.h"

#include <poll.h>

#include "postgres/pool/greet.h"

enum {
  CONNECTING_MAX = 2, /* at once: a burst is over before many connections are open */
  BACKOFF_STEPS = 5
};

/* ---- opening connections ---- */

static double chance(ldr_pool *p) { /* 0 … 1, xorshift64 */
  p->random ^= p->random << 13;
  p->random ^= p->random >> 7;
  p->random ^= p->random << 17;
  return (double)(p->random >> 11) / 9007199254740992.0;
}

bool ldr_pool_may_connect(const ldr_pool *p) {
  return ldr_slots_total(&p->slots) < p->config.max &&
         ldr_slots_count(&p->slots, LDR_SLOT_CONNECTING) < (ldr_pool_is_down(p) ? 1 : CONNECTING_MAX) &&
         (!ldr_pool_is_down(p) || ldr_now_mono() >= p->retry_at);
}

/* It concerns everybody: some give up at once, the others have less patience now. */
static void note_failure(ldr_pool *p, const ldr_err *err, bool silent) {
  unsigned step = p->failures < BACKOFF_STEPS ? p->failures : BACKOFF_STEPS;
  p->failures++;
  p->stats.connect_failures++;
  p->retry_at = ldr_now_mono() + (int64_t)((LDR_POOL_BACKOFF_US << step) * (0.75 + chance(p) / 2));
  p->why = *err;
  p->refused = !silent && *err->sqlstate == '\0'; /* with a state, a server is there and may soon be ready */
  if (p->loop && (p->refused || ldr_pgerr_permanent(err) || p->failures == 1))
    ldr_waiters_wake_all(&p->queue);
}

ldr_code ldr_pool_start_connect(ldr_pool *p, ldr_slot **out, ldr_err *err) {
  ldr_slot *s = ldr_alloc(sizeof *s);
  ldr_code code;
  if (s == NULL) return ldr_fail_nomem(err);
  if (!ldr_registry_init(&s->prepared, p->unnamed ? 0 : p->config.statement_cache)) {
    ldr_free(s);
    return ldr_fail_nomem(err);
  }
  code = ldr_conn_start(p->info, p->config.connect_timeout, &s->conn, err);
  if (code) {
    ldr_registry_done(&s->prepared);
    ldr_free(s);
    note_failure(p, err, false);
    return code;
  }
  s->begun = ldr_now_mono();
  s->give_up = LDR_NEVER;
  s->connect_by = ldr_conn_due(s->conn);
  ldr_slots_add(&p->slots, s, LDR_SLOT_CONNECTING);
  if (p->loop) ldr_pool_watch(p, s);
  *out = s;
  return LDR_OK;
}

/* libpq may only be asked to go on when the socket is ready. */
static bool socket_ready(const ldr_conn *c, int milliseconds) {
  unsigned e = ldr_conn_events(c);
  short events = (short)((e & LDR_READ ? POLLIN : 0) | (e & LDR_WRITE ? POLLOUT : 0));
  struct pollfd f = {.fd = ldr_conn_fd(c), .events = events};
  return poll(&f, 1, milliseconds) > 0;
}

static void opened(ldr_pool *p, ldr_slot *s) {
  if (p->loop) ldr_pool_watch(p, s);
  p->failures = 0;
  p->stats.connects++;
  if (p->server.pooler) ldr_conn_set_pooled(s->conn);
  if (p->unnamed) s->prepared.cap = 0; /* it may have begun before that was known */
  s->expires = p->config.lifetime > 0 ? ldr_pool_after(p->config.lifetime * (1 - chance(p) / 10)) : LDR_NEVER;
  ldr_slots_move(&p->slots, s, LDR_SLOT_IDLE);
  ldr_pool_serve(p);
}

static ldr_code ready(ldr_pool *p, ldr_slot *s, ldr_err *err) {
  ldr_code code = LDR_OK;
  if (s->questions == 0) code = ldr_conn_connect(s->conn, err);
  return code ? code : ldr_pool_greet(p, s, err);
}

/* *silent: that nothing was said in time is why it fails. */
static ldr_code go_on(ldr_pool *p, ldr_slot *s, bool *silent, ldr_err *err) {
  ldr_code code = socket_ready(s->conn, 0) ? ready(p, s, err) : LDR_PENDING;
  if (code == LDR_PENDING && ldr_now_mono() >= ldr_conn_due(s->conn)) {
    s->questions = 0;
    code = ldr_conn_skip_host(s->conn, err);
  }
  s->connect_by = ldr_sooner(ldr_conn_due(s->conn), s->give_up);
  *silent = ldr_conn_silent(s->conn) > 0;
  if (code != LDR_PENDING || ldr_now_mono() < s->give_up) return code;
  *silent = true;
  return ldr_fail(err, LDR_CONNECTION, "the server did not answer within the connect timeout");
}

ldr_code ldr_pool_step_connect(ldr_pool *p, ldr_slot *s, ldr_err *err) {
  bool silent;
  ldr_code code = go_on(p, s, &silent, err);
  if (code == LDR_PENDING) {
    if (p->loop) ldr_pool_watch(p, s);
    return code;
  }
  if (s->connector) ldr_pool_leave_connect(s->connector);
  if (code) {
    ldr_pool_destroy(p, s);
    note_failure(p, err, silent);
  } else {
    opened(p, s);
  }
  ldr_pool_wake_next_connector(p);
  return code;
}

ldr_code ldr_pool_connect(ldr_pool *p, int64_t deadline, ldr_err *err) {
  ldr_slot *s;
  ldr_code code = ldr_pool_start_connect(p, &s, err);
  if (code) return code;
  s->give_up = deadline;
  s->connect_by = ldr_sooner(s->connect_by, deadline);
  while ((code = ldr_pool_step_connect(p, s, err)) == LDR_PENDING)
    socket_ready(s->conn, ldr_millis_left(s->connect_by));
  return code;
}

void ldr_pool_step_abandoned(ldr_pool *p) {
  ldr_slot *s = p->slots.by_state[LDR_SLOT_CONNECTING].first, *next;
  for (; s; s = next) {
    ldr_err ignored;
    next = s->next;
    if (s->connector == NULL && ldr_pool_step_connect(p, s, &ignored) == LDR_OK)
      return; /* lists have changed */
  }
}

void ldr_pool_ensure_min(ldr_pool *p) {
  ldr_slot *s;
  ldr_err ignored;
  if (ldr_slots_total(&p->slots) < p->config.min && ldr_pool_may_connect(p) &&
      ldr_pool_start_connect(p, &s, &ignored) == LDR_OK)
    ldr_pool_wake_next_connector(p);
}

/* The model test: every order of events, up to a depth, for two or three requests on one or two connections.
 *
 * Events: a request is submitted, the loop takes a turn, an answer arrives, time goes to what is due next,
 * cancels arrive, the server ends a session, a caller gives up, the process forks, the database closes. After
 * each event the rules of docs/architecture.md ("One request, one state") are checked; at the end of each
 * script the server is frozen, and every caller must still be told, two seconds after its deadline at the
 * latest. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "world.h"

enum { REQUESTS = 3, DEPTH_MAX = 40, DEADLINE_US = 100000, SLACK_US = 20000 };

/* ---- one engine and its requests ---- */

typedef struct config { /* what is tried */
  const char
      *what;    /* a letter for each request: q quick read, r read, w write, o on a connection of its own */
  unsigned max; /* connections */
  unsigned prefix; /* so many are submitted and sent before the first event */
  unsigned depth;
} config;

static struct {
  ldr_pg e;
  const config *how;
  ldr_request *rq[REQUESTS];
  bool submitted[REQUESTS];
  int told[REQUESTS];     /* completions that were taken */
  int64_t late[REQUESTS]; /* when it must be over */
  bool child, closed;
} w;

static char script[DEPTH_MAX * 4 + 1];
static unsigned long scripts, faults;

void world_check(bool ok, const char *what) {
  if (ok) return;
  if (faults++ < 20) printf("    %s/%u%s: not true: %s\n", w.how->what, w.how->max, script, what);
}

static ldr_code start(ldr_request *rq, ldr_err *err) {
  ldr_exchange_reset(rq->exchange);
  if (ldr_request_query(rq, "select") == NULL) return ldr_fail_nomem(err);
  rq->exchange->cmd[0].args = &rq->args; /* by which the answer is known */
  return ldr_request_submit(rq, err);
}

static ldr_code answered(ldr_request *rq, ldr_err *err) {
  world_check(rq->exchange->done && rq->exchange->cmd[0].args == &rq->args, "an answer reaches who asked");
  world_check(rq->exchange->lost || world_answered(rq->exchange), "an answer is there, or it was lost");
  if (!ldr_request_failed(rq)) return LDR_OK;
  if (ldr_request_can_retry(rq) && ldr_request_requeue(rq)) return LDR_PENDING;
  return ldr_request_error(rq, err);
}

static const ldr_request_kind shared = {.start = start, .answered = answered, .shares = true};
static const ldr_request_kind own = {.start = start, .answered = answered};

static ldr_stmt *statement(char what) {
  static const ldr_entity entity;
  static ldr_stmt quick = {.e = &entity, .reads = true, .expected = 500, .refs = 1u << 30},
                  read = {.e = &entity, .reads = true, .expected = 3000, .refs = 1u << 30},
                  writes = {.e = &entity, .expected = 3000, .refs = 1u << 30};
  return ldr_stmt_retain(what == 'q' ? &quick : what == 'r' ? &read : &writes);
}

static void open_engine(const config *how) {
  ldr_pool_config c = {.max = how->max, .connect_timeout = 10, .acquire_timeout = 10, .queue_max = 100};
  ldr_err err;
  memset(&w, 0, sizeof w);
  w.how = how;
  world_reset();
  w.e.config = c;
  w.e.reactor = true;
  world_check(ldr_pool_new(NULL, &c, &w.e.pool, &err) == LDR_OK, "a pool");
  w.e.pool->server.known = true; /* no connection asks */
  for (size_t i = 0; how->what[i]; i++) {
    const ldr_call call = {.deadline = world_now() + DEADLINE_US * (int64_t)(REQUESTS - i), .block = false};
    const ldr_request_kind *kind = how->what[i] == 'o' ? &own : &shared;
    world_check(ldr_request_new(&w.e, NULL, kind, "model", &call, &w.rq[i], &err) == LDR_OK, "a request");
    w.rq[i]->stmt = statement(how->what[i]);
    w.late[i] = call.deadline + LDR_GRACE_US;
  }
}

static void take(void) {
  uint64_t ids[REQUESTS];
  size_t n = ldr_pg_done(&w.e.base, ids, REQUESTS);
  for (size_t i = 0; i < n; i++) w.told[ids[i] - 1]++;
}

static void close_engine(void) {
  if (w.closed) return;
  w.closed = true;
  ldr_pg_check_fork(&w.e);
  while (w.e.requests) ldr_request_detach(w.e.requests);
  take();
  ldr_reactor_stop(&w.e);
  ldr_request_free_spares(&w.e);
  ldr_pool_free(w.e.pool);
}

/* ---- the rules ---- */

static bool has_list(ldr_request_state s) { return s >= LDR_REQUEST_READY && s <= LDR_REQUEST_SLEEPING; }

static unsigned times_listed(const ldr_request *rq, ldr_request_state in) {
  unsigned n = 0;
  for (const ldr_request *x = w.e.in[in].first; x; x = x->in_next) n += x == rq;
  return n;
}

static bool awaits_answer(ldr_request_state s) {
  return s == LDR_REQUEST_SENT || s == LDR_REQUEST_EXPIRED || s == LDR_REQUEST_CANCELLING;
}

static void check_request(const ldr_request *rq) {
  ldr_request_state s = ldr_request_state_of(rq);
  for (int in = 0; in < LDR_REQUEST_NSTATES; in++)
    world_check(times_listed(rq, (ldr_request_state)in) == ((int)s == in && has_list(s)),
                "a request is on the list of its state and on no other");
  if (awaits_answer(s))
    world_check(world_in_flight(rq->exchange) || rq->exchange->listed,
                "what waits for an answer is in flight, or finished and not delivered");
  if (s == LDR_REQUEST_WAITING)
    world_check(rq->waiter.queued && rq->slot == NULL, "who waits for a connection is in the pool's queue");
  if (s == LDR_REQUEST_DONE || s == LDR_REQUEST_NEW)
    world_check(rq->slot == NULL && !rq->waiter.queued && !rq->exchange->listed, "who is over holds nothing");
}

static unsigned users_of(const ldr_slot *s) {
  unsigned n = 0;
  for (const ldr_request *rq = w.e.requests; rq; rq = rq->next)
    n += rq->slot == s || (rq->waiter.served && rq->waiter.slot == s);
  for (const ldr_exchange *r = w.e.detached; r; r = r->next) n += r->home == s;
  for (const ldr_exchange *r = w.e.finished.first; r; r = r->next) n += r->home == s && r->request == NULL;
  for (const ldr_exchange *r = ldr_conn_head(s->conn); r; r = r->next) n += r->request == NULL;
  return n;
}

static unsigned in_flight_of(const ldr_slot *s) {
  unsigned n = 0;
  for (const ldr_exchange *r = w.e.finished.first; r; r = r->next) n += r->home == s;
  for (const ldr_exchange *r = ldr_conn_head(s->conn); r; r = r->next) n++;
  return n;
}

static void check_rules(bool after_turn) {
  if (w.closed) return;
  for (const ldr_request *rq = w.e.requests; rq; rq = rq->next) check_request(rq);
  for (int state = 0; state < LDR_SLOT_NSTATES; state++)
    for (const ldr_slot *s = w.e.pool->slots.by_state[state].first; s; s = s->next) {
      unsigned users = users_of(s);
      if (state == LDR_SLOT_SHARED)
        world_check(users == s->users && users > 0, "a shared connection knows its users");
      if (state == LDR_SLOT_BUSY) world_check(users == 1, "a connection of one's own has one user");
      if (state == LDR_SLOT_IDLE) world_check(users == 0, "an idle connection has no user");
      world_check(in_flight_of(s) == s->in_flight, "a connection knows what is in flight on it");
    }
  for (size_t i = 0; i < REQUESTS; i++) world_check(w.told[i] <= 1, "a completion id is told once");
  if (!after_turn) return;
  world_check(w.e.finished.first == NULL, "a turn delivers everything");
  world_check(w.e.in[LDR_REQUEST_READY].n + w.e.in[LDR_REQUEST_ANSWERED].n == 0,
              "a turn runs what can go on");
}

/* ---- events ---- */

static void submit(size_t i) {
  ldr_err err;
  w.submitted[i] = true;
  world_check(ldr_task_submit(&w.rq[i]->task, i + 1, &err) == LDR_OK, "a submit");
}

static void turn(void) {
  world_turn(w.e.loop);
  check_rules(true);
  take();
}

/* One step of time: to what is due, but no less than a little. */
static void tick(int64_t until) {
  int64_t due = world_due(w.e.loop), least = world_now() + SLACK_US / 2;
  world_advance(ldr_sooner(due > least ? due : least, until));
}

/* Time passes, with the loop at work. */
static void pass(int64_t us) {
  int64_t until = world_now() + us;
  while (world_now() < until) {
    tick(until);
    turn();
  }
}

static void give_up(size_t i) {
  w.rq[i]->task.ops->free(&w.rq[i]->task);
  w.rq[i] = NULL;
}

/* The name of event `n`, after it happened; NULL: it cannot happen now. */
static const char *happen(unsigned n) {
  static const char *const submits[] = {" s0", " s1", " s2"}, *const gives_up[] = {" g0", " g1", " g2"},
                           *const answers[] = {" a0", " a1"}, *const loses[] = {" l0", " l1"};
  ldr_conn *c;
  if (w.closed) return NULL;
  if (n < 3) {
    if (w.rq[n] == NULL || w.submitted[n]) return NULL;
    submit(n);
    return submits[n];
  }
  if (n < 6) {
    if (w.rq[n - 3] == NULL) return NULL;
    give_up(n - 3);
    return gives_up[n - 3];
  }
  if (n < 8) {
    if ((c = world_conn(n - 6)) == NULL || !world_can_answer(c)) return NULL;
    world_answer(c);
    return answers[n - 6];
  }
  if (n < 10) {
    if ((c = world_conn(n - 8)) == NULL) return NULL;
    world_lose(c);
    return loses[n - 8];
  }
  switch (n) {
    case 10:
      if (w.e.loop == NULL) return NULL;
      turn();
      return " t";
    case 11:
      if (w.e.loop == NULL || world_due(w.e.loop) == LDR_NEVER) return NULL;
      world_advance(world_due(w.e.loop));
      return " d";
    case 12: world_deliver_cancels(); return " c";
    case 13:
      if (w.child) return NULL;
      w.child = true;
      world_fork(w.e.loop);
      ldr_pg_check_fork(&w.e);
      return " f";
    case 14:
      if (w.e.loop == NULL) return NULL;
      pass(700000);
      return " p";
    case 15: close_engine(); return " x";
    default: return NULL;
  }
}
enum { EVENTS = 16 };

/* ---- scripts ---- */

static bool all_told(void) {
  for (size_t i = 0; i < REQUESTS; i++)
    if (w.rq[i] && w.submitted[i] && w.told[i] == 0) return false;
  return true;
}

static void check_in_time(void) {
  for (size_t i = 0; i < REQUESTS; i++) {
    if (w.rq[i] == NULL || !w.submitted[i] || w.told[i] || world_now() <= w.late[i] + SLACK_US) continue;
    world_check(false, "a caller is told two seconds after its deadline at the latest");
    w.late[i] = LDR_NEVER - SLACK_US;
  }
}

/* The server answers nothing any more, and no cancel arrives; whoever asked is told in time. */
static void end_frozen(void) {
  ldr_err err;
  if (!w.closed && w.child && w.e.loop == NULL)
    world_check(ldr_reactor_start(&w.e, &err) == LDR_OK, "a start");
  for (int i = 0; i < 400 && !w.closed && w.e.loop && !all_told(); i++) {
    turn();
    check_in_time();
    tick(world_now() + 1000000);
  }
  if (!w.closed && w.e.loop) world_check(all_told(), "every caller is told in the end");
}

static void finish(void) {
  end_frozen();
  for (size_t i = 0; i < REQUESTS; i++)
    if (w.rq[i]) give_up(i);
  if (!w.closed) take();
  close_engine();
  for (size_t i = 0; i < REQUESTS; i++)
    world_check(w.told[i] == w.submitted[i], "every submitted request is told of, once");
}

static void begin(const config *how) {
  open_engine(how);
  for (unsigned i = 0; i < how->prefix; i++) submit(i);
  for (int i = 0; how->prefix && i < 3; i++) turn();
}

/* Runs the events. One that cannot happen is left out, or (strict) ends the script: false, as a shorter one
 * says the same. */
static bool run(const config *how, const unsigned char *events, unsigned n, bool strict) {
  size_t live = ldr_mem_live(), at = 0;
  bool whole = true;
  begin(how);
  *script = '\0';
  for (unsigned i = 0; i < n && whole; i++) {
    const char *name = happen(events[i]);
    whole = name != NULL || !strict;
    if (name == NULL) continue;
    at += (size_t)snprintf(script + at, sizeof script - at, "%s", name);
    check_rules(false);
  }
  finish();
  world_check(ldr_mem_live() == live, "no block is left");
  scripts += whole;
  return whole;
}

/* All scripts of `depth` events: what cannot happen is not followed further. */
static void run_all(const config *how) {
  unsigned char events[DEPTH_MAX] = {0};
  unsigned n = 1;
  while (n > 0) {
    if (events[n - 1] == EVENTS) {
      n--;
      if (n) events[n - 1]++;
    } else if (n < how->depth) {
      events[n++] = 0;
    } else {
      unsigned good = n;
      if (!run(how, events, n, true)) { /* skip all that begin with what cannot happen */
        good = 0;
        for (size_t i = 0; script[i]; i++) good += script[i] == ' ';
        n = good + 1;
      }
      events[n - 1]++;
    }
  }
}

static void run_random(const config *how, unsigned times) {
  static unsigned seed = 12345;
  for (unsigned i = 0; i < times; i++) {
    unsigned char events[DEPTH_MAX];
    for (unsigned k = 0; k < DEPTH_MAX; k++) {
      seed = seed * 1103515245u + 12345u;
      events[k] = (unsigned char)((seed >> 16) % (EVENTS - 1)); /* closing ends a script anyway */
    }
    (void)run(how, events, DEPTH_MAX, false);
  }
}

int main(void) {
  static const config exhaustive[] = {{"w", 1, 0, 6},  {"rw", 1, 2, 4}, {"qw", 1, 2, 4}, {"qq", 1, 2, 4},
                                      {"wo", 1, 2, 4}, {"rr", 2, 2, 4}, {"qwo", 2, 3, 3}};
  static const config random[] = {{"rww", 1, 3, 0}, {"qqw", 1, 3, 0}, {"qrw", 2, 3, 0}, {"owr", 2, 3, 0}};
  const char *more = getenv("LARDER_MODEL_DEPTH");
  for (size_t i = 0; i < sizeof exhaustive / sizeof *exhaustive; i++) {
    config how = exhaustive[i];
    if (more) how.depth += (unsigned)atoi(more);
    run_all(&how);
  }
  for (size_t i = 0; i < sizeof random / sizeof *random; i++) run_random(&random[i], 2000);
  printf("%s model: %lu scripts, %lu violations\n", faults ? "not ok" : "ok", scripts, faults);
  return faults ? EXIT_FAILURE : EXIT_SUCCESS;
}

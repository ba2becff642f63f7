#include "postgres/request/reactor.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/eventfd.h>

#include "base/clock.h"

enum {
  LATE_TURNS = 8,   /* an owner who comes late more often than in one of so many turns … */
  LATE_US = 20000,  /* … may not drive for so long */
  RESCUE_US = 20000 /* reads that wait so long behind a statement are asked for elsewhere */
};

static ldr_job *of_post(ldr_post *p) { return (ldr_job *)(void *)((char *)p - offsetof(ldr_job, post)); }
static ldr_job *of_waiter(ldr_waiter *w) {
  return (ldr_job *)(void *)((char *)w - offsetof(ldr_job, waiter));
}
static ldr_job *of_watch(ldr_watch *w) { return (ldr_job *)(void *)((char *)w - offsetof(ldr_job, watch)); }
static ldr_slot *slot_of(ldr_watch *w) { return (ldr_slot *)(void *)((char *)w - offsetof(ldr_slot, watch)); }

/* ---- what makes a job ready ---- */

static void woken(ldr_waiter *w) { ldr_job_ready(of_waiter(w)); }
static void own_socket_ready(ldr_watch *w) { ldr_job_ready(of_watch(w)); }

static void learn(ldr_job *j, const ldr_req *r, int64_t us) {
  if (j->kind->shares && j->stmt && !r->lost && !j->cancelled && j->stage == LDR_JOB_REQUEST)
    j->stmt->expected = ldr_lane_learn(j->stmt->expected, us);
}

/* What waited for the owner tells nothing of the statement. (In a child the loop is gone.) */
static bool came_late(ldr_pg *e) {
  if (e->loop == NULL || ldr_loop_unseen(e->loop) < LDR_QUICK_US) return false;
  e->came_late = true;
  return true;
}

/* Is he busy, or are statements slower than they were? The thread, which is always there, will see. */
static void judge_owner(ldr_pg *e, int64_t now) {
  if (e->came_late) e->lateness += LATE_TURNS;
  if (e->lateness > 2 * LATE_TURNS) {
    e->no_owner_until = now + LATE_US;
    e->lateness = 0;
  } else if (e->lateness) {
    e->lateness--;
  }
  e->came_late = false;
}

static void request_done(ldr_req *r) {
  ldr_slot *s = r->home;
  ldr_job *j = r->job;
  if (s) {
    int64_t now = ldr_now_mono();
    if (j && !came_late(s->owner)) learn(j, r, (now - s->head_since) / (r->peers ? r->peers : 1));
    s->in_flight--;
    if (r->sealed) s->head_since = now; /* the last of its group */
  }
  if (j) {
    ldr_job_ready(j);
  } else {
    ldr_pg *e = s->owner;
    r->next = e->left;
    e->left = r;
  }
}

/* A connection on which no driven job waits may be lent, or idle in a transaction: not the loop's business.
 */
static void slot_ready(ldr_watch *w) {
  ldr_slot *s = slot_of(w);
  ldr_pg *e = s->owner;
  const ldr_req *head;
  if (s->state == LDR_SLOT_CONNECTING || s->state == LDR_SLOT_IDLE) {
    ldr_pool_ready(e->pool, s);
    return;
  }
  if (s->in_flight == 0) {
    ldr_pool_unwatch(e->pool, s);
    return;
  }
  ldr_conn_pump(s->conn);
  head = ldr_conn_head(s->conn);
  if (head && head->copying && head->job) ldr_job_ready(head->job);
  if (ldr_conn_dead(s->conn))
    ldr_pool_unwatch(e->pool, s);
  else
    ldr_pool_watch(e->pool, s);
}

/* ---- turns ---- */

static void arrived(void *ud, ldr_post *p) {
  ldr_pg *e = ud;
  ldr_job *j = of_post(p);
  e->bells += j->rings;
  ldr_job_ready(j);
}

static void step(ldr_job *j) {
  ldr_err err;
  ldr_code code = ldr_job_step(j, &err);
  if (code != LDR_PENDING) ldr_job_finished(j, code, &err);
}

/* No request waits for its Sync when the loop does. */
static void seal_groups(ldr_pg *e) {
  for (ldr_slot *s = e->pool->slots.by_state[LDR_SLOT_SHARED].first; s; s = s->next) {
    if (ldr_conn_gathers(s->conn) == 0) continue;
    ldr_conn_seal(s->conn);
    ldr_pool_watch(e->pool, s);
  }
}

static void run_ready(ldr_pg *e) {
  ldr_job *j;
  do {
    while ((j = ldr_jobs_take(&e->ready)) != NULL) step(j);
    ldr_job_left(e); /* may give a place to somebody */
    seal_groups(e);
  } while (e->ready.first);
}

static void run_due(ldr_pg *e, int64_t now) {
  if (now < e->due) return;
  e->due = LDR_NEVER;
  for (ldr_job *j = e->running; j; j = j->run_next) {
    if (j->due <= now)
      ldr_job_ready(j); /* its step sets the next time */
    else if (j->due < e->due)
      e->due = j->due;
  }
  run_ready(e);
}

/* Reads move on to another connection; nobody waits for what stays behind, so it need not run long. */
static void relieve(ldr_slot *s, int64_t now) {
  ldr_req *head = ldr_conn_head(s->conn), *next;
  if (head == NULL || ldr_conn_dead(s->conn)) return;
  if (head->job == NULL && now - s->head_since > LDR_GRACE_US) {
    ldr_conn_drop(s->conn);
    return;
  }
  if (head->job == NULL && s->cancelled < s->head_since) {
    ldr_conn_cancel(s->conn);
    s->cancelled = now;
  }
  for (ldr_req *r = head->sealed ? head->next : head; r; r = next) { /* of a group, any may be the slow one */
    ldr_job *j = r->job;
    next = r->next;
    if (j && ldr_job_reads(j) && ldr_job_may_move(j) && !ldr_job_move_on(j)) return;
  }
}

/* Statements that others wait behind for too long. Returns when to look again. */
static int64_t look_at_stalls(ldr_pg *e, int64_t now) {
  int64_t due = LDR_NEVER;
  for (ldr_slot *s = e->pool->slots.by_state[LDR_SLOT_SHARED].first; s; s = s->next) {
    const ldr_req *head = ldr_conn_head(s->conn);
    int64_t at = s->head_since + RESCUE_US;
    if (head == NULL || (head->job && head->next == NULL)) continue;
    if (now >= at) {
      relieve(s, now);
      at = now + RESCUE_US;
    }
    if (at < due) due = at;
  }
  return due;
}

/* See postgres/pool/multiplex.h. */
static void size_groups(ldr_pg *e) {
  ldr_slots *all = &e->pool->slots;
  unsigned n = e->ready.n + e->pool->queue.n;
  for (const ldr_slot *s = all->by_state[LDR_SLOT_SHARED].first; s; s = s->next)
    if (s->quick) n += s->in_flight;
  all->group_max = n < LDR_GROUPS * LDR_LANE_DEPTH ? (n + LDR_GROUPS - 1) / LDR_GROUPS : LDR_LANE_DEPTH;
}

/* Opening a connection and large results take time that is not the owner's. */
static ldr_load load(const ldr_pg *e, int64_t now) {
  const ldr_slots *all = &e->pool->slots;
  ldr_load load = LDR_IDLE; /* and a connection is there */
  if (e->bells || now < e->no_owner_until) return LDR_HEAVY;
  if (ldr_slots_count(all, LDR_SLOT_CONNECTING) || ldr_slots_count(all, LDR_SLOT_BUSY)) return LDR_HEAVY;
  for (const ldr_slot *s = all->by_state[LDR_SLOT_SHARED].first; s; s = s->next) {
    if (!s->quick) return LDR_HEAVY;
    if (s->in_flight) load = LDR_LIGHT;
  }
  return ldr_slots_total(all) ? load : LDR_HEAVY;
}

static int64_t turn(void *ud) {
  ldr_pg *e = ud;
  int64_t now, due;
  if (e->pool->loop == NULL) return LDR_NEVER; /* not attached yet */
  size_groups(e);
  run_ready(e);
  now = ldr_now_mono();
  run_due(e, now);
  due = look_at_stalls(e, ldr_loop_seen(e->loop));
  run_ready(e);
  due = ldr_sooner(due, ldr_pool_turn(e->pool));
  run_ready(e);
  due = ldr_sooner(due, ldr_chan_tick(e->chan, now));
  judge_owner(e, now);
  ldr_loop_lend(e->loop, load(e, now));
  return ldr_sooner(due, e->due);
}

static const ldr_loop_ops ops = {arrived, turn};

/* ---- life ---- */

static ldr_code start(ldr_pg *e, ldr_err *err) {
  ldr_code code = LDR_OK;
  ldr_pg_check_fork(e);
  if (e->loop) return LDR_OK;
  if (e->chan == NULL) code = ldr_chan_new(&e->chan, err);
  if (code == LDR_OK) code = ldr_loop_new(&ops, e, &e->loop, err);
  if (code) return code;
  ldr_loop_enter(e->loop);
  ldr_pool_attach(e->pool, e->loop, slot_ready, e);
  ldr_loop_leave(e->loop);
  return LDR_OK;
}

/* Abandoned statements may still be under way. */
static void cut_lanes(ldr_pg *e) {
  ldr_slot *s;
  while ((s = e->pool->slots.by_state[LDR_SLOT_SHARED].first) != NULL) {
    unsigned users = s->users;
    ldr_conn_drop(s->conn);
    ldr_conn_cut(s->conn);
    ldr_job_left(e);
    if (s == e->pool->slots.by_state[LDR_SLOT_SHARED].first && s->users == users) return;
  }
}

void ldr_pgreact_stop(ldr_pg *e) {
  ldr_loop *l = e->loop; /* NULL: never started, or the parent's */
  ldr_loop_enter(l);
  if (e->pool) { /* else it was never opened */
    cut_lanes(e);
    ldr_pool_detach(e->pool);
  }
  ldr_loop_leave(l);
  ldr_loop_free(l);
  e->loop = NULL;
  ldr_chan_free(e->chan);
  e->chan = NULL;
}

/* ---- the owner's side ---- */

void ldr_pg_use_reactor(ldr_engine *engine) { ldr_pg_of(engine)->reactor = true; }

static ldr_code post(ldr_job *j, ldr_err *err) {
  ldr_code code = start(j->e, err);
  if (code == LDR_OK && j->ticket) code = ldr_chan_expect(j->e->chan, err);
  if (code) {
    j->ticket = 0;
    return code;
  }
  if (atomic_load(&j->phase) == LDR_JOB_FINISHED) { /* it was given up with its transaction */
    if (j->ticket) ldr_chan_put(j->e->chan, j->ticket);
    if (j->rings) eventfd_write(j->bell, 1);
    return LDR_OK;
  }
  j->waiter.woken = woken;
  j->watch.ready = own_socket_ready;
  j->req->on_done = request_done;
  j->req->job = j;
  atomic_store(&j->phase, LDR_JOB_SUBMITTED);
  ldr_loop_hand_in(j->e->loop, &j->post);
  if (j->rings) ldr_loop_alone(j->e->loop);
  return LDR_OK;
}

static ldr_job *driven(ldr_task *t, ldr_err *err) {
  ldr_job *j = (ldr_job *)t;
  if (j->e && j->driven) return j;
  ldr_fail(err, LDR_CLOSED, "this work is not the reactor's");
  return NULL;
}

ldr_code ldr_task_submit(ldr_task *t, uint64_t ticket, ldr_err *err) {
  ldr_job *j = driven(t, err);
  if (j == NULL) return err->code;
  if (atomic_load(&j->phase) == LDR_JOB_SUBMITTED || j->ticket || j->rings)
    return ldr_fail(err, LDR_INVALID, "this work was submitted before");
  j->ticket = ticket;
  return post(j, err);
}

static bool make_bell(ldr_job *j) {
  eventfd_t ignored;
  if (j->bell < 0) j->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (j->bell < 0) return false;
  eventfd_read(j->bell, &ignored);
  return true;
}

/* What was submitted with a ticket gets a bell, too. */
static void add_bell(ldr_job *j) {
  ldr_loop_enter(j->e->loop);
  j->rings = make_bell(j);
  if (j->rings && atomic_load(&j->phase) == LDR_JOB_FINISHED)
    eventfd_write(j->bell, 1);
  else if (j->rings)
    j->e->bells++;
  ldr_loop_leave(j->e->loop);
  ldr_loop_alone(j->e->loop);
}

int ldr_task_fd(ldr_task *t) {
  ldr_err err;
  ldr_job *j = driven(t, &err);
  if (j == NULL) return -1;
  if (j->rings) return j->bell;
  if (atomic_load(&j->phase) != LDR_JOB_FRESH || j->ticket) {
    add_bell(j);
    return j->rings ? j->bell : -1;
  }
  j->rings = make_bell(j);
  if (j->rings && post(j, &err) == LDR_OK) return j->bell;
  j->rings = false;
  return -1;
}

bool ldr_task_wait(ldr_task *t, int64_t deadline) {
  ldr_job *j = (ldr_job *)t;
  struct pollfd p = {.fd = ldr_task_fd(t), .events = POLLIN};
  if (p.fd < 0) return true; /* stepping it tells why */
  while (atomic_load(&j->phase) != LDR_JOB_FINISHED) {
    int n = poll(&p, 1, ldr_millis_left(deadline));
    if (n == 0 && atomic_load(&j->phase) != LDR_JOB_FINISHED) return false;
  }
  return true;
}

int ldr_pg_wake_fd(ldr_engine *engine, ldr_err *err) {
  ldr_pg *e = ldr_pg_of(engine);
  int fd;
  if (start(e, err) != LDR_OK) return -1;
  fd = ldr_loop_fd(e->loop, ldr_chan_fd(e->chan));
  if (fd < 0) ldr_fail(err, LDR_CAPACITY, "no descriptor is left for the database's wake-ups");
  return fd;
}

ldr_code ldr_pg_wake_path(ldr_engine *engine, const char **path, ldr_err *err) {
  ldr_pg *e = ldr_pg_of(engine);
  ldr_code code = start(e, err);
  if (code) return code;
  ldr_loop_enter(e->loop);
  code = ldr_chan_listen(e->chan, e->loop, path, err);
  ldr_loop_leave(e->loop);
  return code;
}

size_t ldr_pg_done(ldr_engine *engine, uint64_t *tickets, size_t max) {
  ldr_pg *e = ldr_pg_of(engine);
  ldr_pg_check_fork(e);
  if (e->chan == NULL) return 0;
  if (e->loop) {
    ldr_chan_hush(e->chan);
    ldr_loop_drive(e->loop);
  }
  return ldr_chan_take(e->chan, tickets, max);
}

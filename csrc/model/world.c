#include "world.h"

#include <stdio.h>
#include <sys/eventfd.h>

#include "async/fork.h"
#include "base/clock.h"
#include "postgres/protocol/copy.h"

/* ---- time, forks ---- */

static int64_t now = 1000000;
static unsigned forks;

int64_t ldr_now_mono(void) { return now; }
int64_t ldr_now_wall(void) { return now; }
int64_t ldr_deadline(double seconds) { return seconds < 0 ? LDR_NEVER : now + (int64_t)(seconds * 1e6); }
int ldr_millis_left(int64_t deadline) { return deadline <= now ? 0 : 1; }
unsigned ldr_forks(void) { return forks; }
int64_t world_now(void) { return now; }
void world_advance(int64_t to) {
  if (to > now) now = to;
}

/* ---- the loop ---- */

enum { WATCHES = 16 };

struct ldr_loop {
  const ldr_loop_ops *ops;
  void *ud;
  ldr_post *first, *last;
  ldr_watch *watches[WATCHES];
  int64_t due;
  bool forked;
};

ldr_code ldr_loop_new(const ldr_loop_ops *ops, void *ud, ldr_loop **out, ldr_err *err) {
  ldr_loop *l = ldr_alloc(sizeof *l);
  if (l == NULL) return ldr_fail_nomem(err);
  l->ops = ops;
  l->ud = ud;
  l->due = LDR_NEVER;
  *out = l;
  return LDR_OK;
}

void ldr_loop_free(ldr_loop *l) { ldr_free(l); }
bool ldr_loop_forked(const ldr_loop *l) { return l->forked; }

void ldr_loop_post(ldr_loop *l, ldr_post *p) {
  p->next = NULL;
  *(l->first ? &l->last->next : &l->first) = p;
  l->last = p;
}

void ldr_loop_submit_or_run(ldr_loop *l, ldr_post *p) { ldr_loop_post(l, p); }

static void take_posts(ldr_loop *l) {
  ldr_post *p;
  while ((p = l->first) != NULL) {
    l->first = p->next;
    l->ops->arrived(l->ud, p);
  }
}

void ldr_loop_lock(ldr_loop *l) {
  if (l && !l->forked) take_posts(l);
}
void ldr_loop_unlock(ldr_loop *l) { (void)l; }
int ldr_loop_fd(ldr_loop *l, int also) {
  (void)l;
  return also;
}
void ldr_loop_owner_blocks(ldr_loop *l) { (void)l; }
void ldr_loop_run_once(ldr_loop *l) { (void)l; }
void ldr_loop_set_load(ldr_loop *l, ldr_load load) {
  (void)l;
  (void)load;
}
int64_t ldr_loop_poll_delay(const ldr_loop *l) {
  (void)l;
  return 0;
}
int64_t ldr_loop_last_poll(const ldr_loop *l) {
  (void)l;
  return now;
}

void ldr_loop_watch(ldr_loop *l, ldr_watch *w, int fd, unsigned events) {
  w->fd = fd;
  w->events = events;
  if (w->on) return;
  for (int i = 0; i < WATCHES; i++)
    if (l->watches[i] == NULL) {
      l->watches[i] = w;
      w->on = true;
      return;
    }
  world_check(false, "there is room for one more watch");
}

void ldr_loop_unwatch(ldr_loop *l, ldr_watch *w, int fd) {
  (void)fd;
  for (int i = 0; i < WATCHES; i++)
    if (l->watches[i] == w) l->watches[i] = NULL;
  w->on = false;
}

/* A socket may always be reported once too often. */
void world_turn(ldr_loop *l) {
  for (int i = 0; i < WATCHES; i++)
    if (l->watches[i]) l->watches[i]->ready(l->watches[i]);
  take_posts(l);
  l->due = l->ops->turn(l->ud);
}

int64_t world_due(const ldr_loop *l) { return l->due; }

void world_fork(ldr_loop *l) {
  forks++;
  if (l) l->forked = true;
}

/* ---- connections ---- */

struct ldr_conn {
  ldr_exchange *head, *tail;
  unsigned group, syncs, answers; /* answers: on their way */
  bool connected, dead, ended, cancelling, used;
};

static struct ldr_conn conns[WORLD_CONNS];
static int ready_fd = -1; /* always ready */

void world_reset(void) {
  memset(conns, 0, sizeof conns);
  if (ready_fd < 0) ready_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
}

ldr_code ldr_conn_start(const ldr_conninfo *i, double host_limit, ldr_conn **out, ldr_err *err) {
  (void)i;
  (void)host_limit;
  for (size_t k = 0; k < WORLD_CONNS; k++)
    if (!conns[k].used) {
      conns[k] = (struct ldr_conn){.used = true};
      *out = &conns[k];
      return LDR_OK;
    }
  return ldr_fail(err, LDR_CONNECTION, "too many connections");
}

ldr_code ldr_conn_connect(ldr_conn *c, ldr_err *err) {
  (void)err;
  c->connected = true;
  return LDR_OK;
}

int64_t ldr_conn_due(const ldr_conn *c) {
  (void)c;
  return LDR_NEVER;
}

ldr_code ldr_conn_skip_host(ldr_conn *c, ldr_err *err) {
  (void)c;
  return ldr_fail(err, LDR_CONNECTION, "the world has one host");
}

void ldr_conn_set_pooled(ldr_conn *c) { (void)c; }

unsigned ldr_conn_silent(const ldr_conn *c) {
  (void)c;
  return 0;
}

void ldr_conn_close(ldr_conn *c) {
  if (c == NULL) return;
  world_check(c->head == NULL, "nothing is in flight on a connection that is closed");
  c->used = false;
}

static void end_head(ldr_conn *c, bool lost) {
  ldr_exchange *r = c->head;
  c->head = r->next;
  if (c->head == NULL) c->tail = NULL;
  ldr_exchange_end(r, lost);
}

void ldr_conn_lose(ldr_conn *c) {
  c->dead = true;
  c->group = c->syncs = c->answers = 0;
  while (c->head) end_head(c, true);
}

void ldr_conn_abandon(ldr_conn *c) { ldr_conn_lose(c); }
void ldr_conn_cut(ldr_conn *c) {
  if (!c->dead) ldr_conn_lose(c);
}
void ldr_conn_drop(ldr_conn *c) {
  if (c->head) ldr_conn_cut(c);
}
int ldr_conn_fd(const ldr_conn *c) { return c->dead ? -1 : ready_fd; }
unsigned ldr_conn_events(const ldr_conn *c) {
  (void)c;
  return LDR_READ;
}
bool ldr_conn_dead(const ldr_conn *c) { return c->dead; }
bool ldr_conn_clean(const ldr_conn *c) {
  return c->connected && !c->dead && !c->ended && c->head == NULL && !c->cancelling;
}
bool ldr_conn_in_tx(const ldr_conn *c) {
  (void)c;
  return false;
}
bool ldr_conn_keeps_encoding(const ldr_conn *c) {
  (void)c;
  return true;
}
bool ldr_conn_said_farewell(ldr_conn *c) { return c->ended; }
bool ldr_conn_check(ldr_conn *c) {
  if (c->ended) ldr_conn_cut(c);
  return !c->dead;
}
void ldr_conn_cancel(ldr_conn *c) { c->cancelling = !c->dead; }
bool ldr_conn_cancelling(const ldr_conn *c) { return c->cancelling; }
ldr_exchange *ldr_conn_head(const ldr_conn *c) { return c->head; }
int ldr_conn_pid(const ldr_conn *c) { return c->dead ? 0 : 1; }
int ldr_conn_version(const ldr_conn *c) { return c->dead ? 0 : 150000; }

static void mark_begun(const ldr_conn *c) {
  for (ldr_exchange *r = c->head; r; r = r->next) {
    r->began = true;
    if (r->sealed) return;
  }
}

ldr_code ldr_conn_submit(ldr_conn *c, ldr_exchange *r, ldr_err *err) {
  if (!r->grouped) ldr_conn_flush_group(c);
  if (c->dead) return ldr_fail(err, LDR_CONNECTION, "the connection to the server was lost");
  *(c->tail ? &c->tail->next : &c->head) = r;
  c->tail = r;
  r->sealed = !r->grouped;
  c->group = r->grouped ? c->group + 1 : 0;
  c->syncs += r->sealed;
  mark_begun(c);
  return LDR_OK;
}

void ldr_conn_flush_group(ldr_conn *c) {
  if (c->group == 0) return;
  c->tail->sealed = true;
  c->syncs++;
  c->group = 0;
}
unsigned ldr_conn_group_size(const ldr_conn *c) { return c->group; }
unsigned ldr_conn_syncs(const ldr_conn *c) { return c->syncs; }

/* Everything up to the next Sync is answered: at = n says so to world_answered. */
static void answer_one(ldr_conn *c) {
  unsigned n = 0;
  bool sealed = false;
  for (const ldr_exchange *r = c->head; r && !sealed; r = r->next, n++) sealed = r->sealed;
  if (!sealed) return;
  c->syncs--;
  for (unsigned i = 0; i < n; i++) {
    c->head->peers = n;
    c->head->at = c->head->n;
    end_head(c, false);
  }
  mark_begun(c);
}

void ldr_conn_pump(ldr_conn *c) {
  for (; c->answers && !c->dead; c->answers--) answer_one(c);
  if (c->ended && !c->dead) ldr_conn_lose(c);
}

ldr_code ldr_conn_copy_put(ldr_conn *c, const void *p, size_t n, ldr_err *err) {
  (void)c;
  (void)p;
  (void)n;
  return ldr_fail(err, LDR_INTERNAL, "the model does not copy");
}
ldr_code ldr_conn_copy_end(ldr_conn *c, const char *why, ldr_err *err) {
  return ldr_conn_copy_put(c, why, 0, err);
}

/* ---- the server ---- */

size_t world_conns(void) { return WORLD_CONNS; }
ldr_conn *world_conn(size_t i) {
  struct ldr_conn *c = &conns[i];
  return c->used && c->connected && !c->dead && !c->ended ? c : NULL;
}
bool world_can_answer(const ldr_conn *c) { return c->syncs > c->answers; }
void world_answer(ldr_conn *c) { c->answers++; }
void world_lose(ldr_conn *c) { c->ended = true; }
void world_deliver_cancels(void) {
  for (size_t i = 0; i < WORLD_CONNS; i++) conns[i].cancelling = false;
}

bool world_in_flight(const ldr_exchange *r) {
  for (size_t i = 0; i < WORLD_CONNS; i++)
    for (const ldr_exchange *x = conns[i].head; x; x = x->next)
      if (x == r) return true;
  return false;
}

bool world_answered(const ldr_exchange *r) { return r->done && !r->lost && r->at == r->n && r->n > 0; }

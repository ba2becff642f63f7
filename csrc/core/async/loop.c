#define _GNU_SOURCE
#include "async/loop.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "async/thread.h"
#include "base/clock.h"

enum { EVENTS = 64, BUCKETS = 64, WATCH_US = 5000 };

struct ldr_loop {
  const ldr_loop_ops *ops;
  void *ud;
  ldr_loop *prev, *next; /* of all loops of the process */
  pthread_t thread;
  int set, thread_wake_fd;   /* epoll; an eventfd that ends a wait of the thread */
  _Atomic(ldr_post *) inbox; /* newest first */
  atomic_bool asleep, stop;
  atomic_bool wants_turn; /* somebody had the loop locked and may have left work: no sleep before a turn */
  pthread_mutex_t gate, turn;  /* whoever waits for `turn` holds `gate` meanwhile, so that nobody starves */
  ldr_watch *watches[BUCKETS]; /* by id */
  uint64_t last_id;
  struct epoll_event events[EVENTS];
  int nevents;       /* still to be handled in this turn */
  bool set_is_stale; /* `set` reports what nobody watches */
  _Atomic int64_t due, sleeps_until;
  bool forked;
  /* inline runs, by an owner who polls owner_set: epoll over owner_wake_fd, which asks for a turn, and over
   * `set` while the load allows */
  int owner_set, owner_wake_fd;
  _Atomic ldr_load load;
  atomic_bool has_owner, owner_blocks;
  atomic_bool owner_notified;    /* by owner_wake_fd, and has not come yet */
  atomic_uint owner_runs;        /* turns that the owner took */
  int64_t last_poll, poll_delay; /* of the descriptors; how long that was ago when the owner came */
  unsigned runs_seen;            /* of owner_runs, by the thread, which watches … */
  bool owner_absent;             /* … and found that the owner does not come */
};

/* ---- all loops, for forks ---- */

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static ldr_loop *all;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void lock_turns(ldr_loop *l) {
  pthread_mutex_lock(&l->gate);
  pthread_mutex_lock(&l->turn);
  pthread_mutex_unlock(&l->gate);
}

static bool try_lock_turns(ldr_loop *l) {
  bool held = pthread_mutex_trylock(&l->gate) == 0;
  if (!held) return false;
  held = pthread_mutex_trylock(&l->turn) == 0;
  pthread_mutex_unlock(&l->gate);
  return held;
}

static void unlock_turns(ldr_loop *l) { pthread_mutex_unlock(&l->turn); }

static void before_fork(void) {
  pthread_mutex_lock(&all_lock);
  for (ldr_loop *l = all; l; l = l->next) lock_turns(l);
}

static void after_fork(bool child) {
  for (ldr_loop *l = all; l; l = l->next) {
    if (child) l->forked = true;
    unlock_turns(l);
  }
  pthread_mutex_unlock(&all_lock);
}

static void in_parent(void) { after_fork(false); }
static void in_child(void) { after_fork(true); }
static void watch_forks(void) { pthread_atfork(before_fork, in_parent, in_child); }

static void enlist(ldr_loop *l) {
  pthread_mutex_lock(&all_lock);
  l->next = all;
  if (all) all->prev = l;
  all = l;
  pthread_mutex_unlock(&all_lock);
}

static void delist(ldr_loop *l) {
  pthread_mutex_lock(&all_lock);
  *(l->prev ? &l->prev->next : &all) = l->next;
  if (l->next) l->next->prev = l->prev;
  pthread_mutex_unlock(&all_lock);
}

bool ldr_loop_forked(const ldr_loop *l) { return l->forked; }

/* ---- descriptors ---- */

static uint32_t epoll_events(unsigned events) {
  return (events & LDR_READ ? EPOLLIN : 0u) | (events & LDR_WRITE ? EPOLLOUT : 0u);
}

static ldr_watch **place(ldr_loop *l, uint64_t id) {
  ldr_watch **at = &l->watches[id % BUCKETS];
  while (*at && (*at)->id != id) at = &(*at)->next;
  return at;
}

/* In a forked child the epoll set is the parent's, too, and is not touched. */
static void tell_kernel(ldr_loop *l, const ldr_watch *w) {
  struct epoll_event e = {.events = epoll_events(w->events), .data.u64 = w->id};
  if (l->forked || w->fd < 0) return;
  if (epoll_ctl(l->set, EPOLL_CTL_MOD, w->fd, &e) != 0) epoll_ctl(l->set, EPOLL_CTL_ADD, w->fd, &e);
}

void ldr_loop_watch(ldr_loop *l, ldr_watch *w, int fd, unsigned events) {
  if (w->on && w->fd == fd && w->events == events) return;
  ldr_loop_unwatch(l, w, -1);
  w->on = true;
  w->fd = fd;
  w->events = events;
  w->id = ++l->last_id;
  *place(l, w->id) = w;
  w->next = NULL;
  tell_kernel(l, w);
}

void ldr_loop_unwatch(ldr_loop *l, ldr_watch *w, int fd) {
  ldr_watch **at;
  if (!w->on) return;
  w->on = false;
  at = place(l, w->id);
  if (*at) *at = w->next;
  if (!l->forked && fd >= 0 && fd == w->fd) epoll_ctl(l->set, EPOLL_CTL_DEL, fd, NULL);
  for (int i = 0; i < l->nevents; i++)
    if (l->events[i].data.u64 == w->id) l->events[i].data.u64 = 0;
}

static bool may_run_inline(const ldr_loop *l) { return atomic_load(&l->load) != LDR_HEAVY; }

/* The owner polls `set` only while he may run turns; else he could do nothing about its events. */
static int show_to_owner(ldr_loop *l, int how) {
  struct epoll_event e = {.events = may_run_inline(l) ? EPOLLIN : 0u};
  return epoll_ctl(l->owner_set, how, l->set, &e);
}

/* Something closed is still reported, because somebody else has it open. Only a new set forgets it. */
static void remake_set(ldr_loop *l) {
  int old = l->set, set = epoll_create1(EPOLL_CLOEXEC);
  l->set_is_stale = false;
  if (set < 0) return; /* again when it is reported again */
  l->set = set;
  if (l->owner_set >= 0) {
    epoll_ctl(l->owner_set, EPOLL_CTL_DEL, old, NULL);
    show_to_owner(l, EPOLL_CTL_ADD);
  }
  for (int i = 0; i < BUCKETS; i++)
    for (const ldr_watch *w = l->watches[i]; w; w = w->next) tell_kernel(l, w);
  close(old);
}

/* ---- posts ---- */

static void wake(ldr_loop *l) {
  if (atomic_exchange(&l->asleep, false)) eventfd_write(l->thread_wake_fd, 1);
}

static bool owner_may_run(const ldr_loop *l) {
  return atomic_load(&l->has_owner) && may_run_inline(l) && !atomic_load(&l->owner_blocks);
}

/* Was the inbox empty? */
static bool push(ldr_loop *l, ldr_post *p) {
  ldr_post *before = atomic_load_explicit(&l->inbox, memory_order_relaxed);
  do {
    p->next = before;
  } while (!atomic_compare_exchange_weak(&l->inbox, &before, p));
  return before == NULL;
}

void ldr_loop_post(ldr_loop *l, ldr_post *p) {
  if (push(l, p) && owner_may_run(l) && !atomic_exchange(&l->owner_notified, true))
    eventfd_write(l->owner_wake_fd, 1);
  wake(l); /* with an owner who owner_runs: to look on */
}

static void take_posts(ldr_loop *l) {
  ldr_post *p = atomic_exchange(&l->inbox, NULL), *oldest = NULL;
  while (p) {
    ldr_post *older = p->next;
    p->next = oldest;
    oldest = p;
    p = older;
  }
  while (oldest) {
    ldr_post *next = oldest->next;
    l->ops->arrived(l->ud, oldest);
    oldest = next;
  }
}

/* ---- turns ---- */

static void handle_events(ldr_loop *l, int max) {
  int n = epoll_wait(l->set, l->events, max, 0);
  l->nevents = n > 0 ? n : 0;
  for (int i = 0; i < l->nevents; i++) {
    uint64_t id = l->events[i].data.u64;
    ldr_watch *w = id ? *place(l, id) : NULL;
    if (w) w->ready(w);
    if (id && w == NULL) l->set_is_stale = true;
  }
  l->nevents = 0;
}

/* With `turn` locked. */
static void take_turn(ldr_loop *l, int events) {
  atomic_store(&l->wants_turn, false);
  if (events) handle_events(l, events);
  take_posts(l);
  atomic_store(&l->due, l->ops->turn(l->ud));
}

/* While the owner runs turns often enough, the thread only waits for the time when he does not. */
static void watch_owner(ldr_loop *l) {
  struct pollfd p = {.fd = l->thread_wake_fd, .events = POLLIN};
  eventfd_t ignored;
  bool came;
  do {
    unsigned owner_runs;
    poll(&p, 1, ldr_millis_left(ldr_sooner(atomic_load(&l->due), ldr_now_mono() + WATCH_US)));
    if (p.revents) eventfd_read(l->thread_wake_fd, &ignored);
    owner_runs = atomic_load(&l->owner_runs);
    came = owner_runs != l->runs_seen;
    l->runs_seen = owner_runs;
  } while (came && owner_may_run(l) && !atomic_load(&l->stop) && ldr_now_mono() < atomic_load(&l->due));
  l->owner_absent = !came;
}

static bool has_work(const ldr_loop *l) { return atomic_load(&l->inbox) || atomic_load(&l->wants_turn); }

/* Waits without a lock, so the events are fetched in the turn. Are there any? */
static bool await_something(ldr_loop *l) {
  struct pollfd p[] = {{.fd = l->set, .events = POLLIN}, {.fd = l->thread_wake_fd, .events = POLLIN}};
  eventfd_t ignored;
  int64_t due;
  bool idle;
  atomic_store(&l->asleep, true);
  do { /* whoever makes it due sooner looks at `sleeps_until` after that */
    due = atomic_load(&l->due);
    atomic_store(&l->sleeps_until, due);
  } while (atomic_load(&l->due) < due);
  idle = !has_work(l) && !atomic_load(&l->stop);
  if (idle) poll(p, 2, ldr_millis_left(due));
  atomic_store(&l->asleep, false);
  if (p[1].revents) eventfd_read(l->thread_wake_fd, &ignored);
  return !idle || p[0].revents; /* posts without end must not starve the descriptors */
}

/* The owner was notified, or has run turns by himself. Work of which he was not notified is the thread's, and
 * so is all work while he is absent. */
static bool is_owners_turn(ldr_loop *l) {
  bool asked = atomic_load(&l->owner_notified), came = atomic_load(&l->owner_runs) != l->runs_seen;
  if (came) l->owner_absent = false;
  if (!owner_may_run(l) || (has_work(l) && !asked)) return false;
  return came || (asked && !l->owner_absent);
}

static void *run(void *ud) {
  ldr_loop *l = ud;
  bool ready = false;
  while (!atomic_load(&l->stop)) {
    lock_turns(l);
    if (l->set_is_stale) remake_set(l); /* by the thread, which sleeps on it without a lock */
    l->last_poll = ldr_now_mono();      /* nothing waited for the owner */
    take_turn(l, ready ? EVENTS : 0);
    unlock_turns(l);
    ready = true;
    if (!owner_may_run(l) || atomic_load(&l->owner_runs) == l->runs_seen) ready = await_something(l);
    if (!is_owners_turn(l)) continue;
    watch_owner(l);
    ready = true;
  }
  return NULL;
}

int ldr_loop_fd(ldr_loop *l, int also) {
  struct epoll_event e = {.events = EPOLLIN};
  if (atomic_load(&l->has_owner)) return l->owner_set;
  ldr_loop_lock(l);
  if (l->owner_wake_fd < 0) l->owner_wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (l->owner_set < 0) l->owner_set = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ctl(l->owner_set, EPOLL_CTL_ADD, l->owner_wake_fd, &e) == 0 &&
      epoll_ctl(l->owner_set, EPOLL_CTL_ADD, also, &e) == 0 && show_to_owner(l, EPOLL_CTL_ADD) == 0) {
    atomic_store(&l->has_owner, true);
  } else if (l->owner_set >= 0) {
    close(l->owner_set);
    l->owner_set = -1;
  }
  ldr_loop_unlock(l);
  return atomic_load(&l->has_owner) ? l->owner_set : -1;
}

void ldr_loop_owner_blocks(ldr_loop *l) {
  if (!atomic_load(&l->has_owner)) return;
  atomic_store(&l->owner_blocks, true);
  eventfd_write(l->thread_wake_fd, 1);
}

int64_t ldr_loop_poll_delay(const ldr_loop *l) { return l->poll_delay; }
int64_t ldr_loop_last_poll(const ldr_loop *l) { return l->last_poll; }

void ldr_loop_set_load(ldr_loop *l, ldr_load load) {
  ldr_load before = atomic_exchange(&l->load, load);
  atomic_store(&l->owner_blocks, false);
  if ((before == LDR_HEAVY) != (load == LDR_HEAVY) && l->owner_set >= 0) show_to_owner(l, EPOLL_CTL_MOD);
}

/* By the owner, with `turn` locked, which this unlocks. Does the thread have to take the next one? */
static bool take_own_turn(ldr_loop *l, int events) {
  bool its;
  if (events) {
    int64_t now = ldr_now_mono();
    l->poll_delay = now - l->last_poll;
    l->last_poll = now;
  }
  take_turn(l, events);
  l->poll_delay = 0;
  its = l->set_is_stale || !may_run_inline(l);
  unlock_turns(l);
  return its;
}

void ldr_loop_submit_or_run(ldr_loop *l, ldr_post *p) {
  if (atomic_load(&l->has_owner) || atomic_load(&l->load) != LDR_IDLE || !try_lock_turns(l)) {
    ldr_loop_post(l, p);
    return;
  }
  push(l, p);
  take_own_turn(l, 0); /* the thread sleeps, with what is due now in its poll set */
  if (atomic_load(&l->due) < atomic_load(&l->sleeps_until)) wake(l);
}

void ldr_loop_run_once(ldr_loop *l) {
  eventfd_t ignored;
  if (!atomic_load(&l->has_owner)) return;
  if (atomic_load(&l->owner_notified)) {
    eventfd_read(l->owner_wake_fd,
                 &ignored); /* before `owner_notified` is taken back, so that no post is forgotten */
    atomic_store(&l->owner_notified, false);
  }
  if (!owner_may_run(l)) {
    if (has_work(l)) wake(l);
    return;
  }
  lock_turns(l);
  if (atomic_load(&l->inbox)) take_turn(l, 0); /* what was asked is sent first */
  if (take_own_turn(l, 1)) eventfd_write(l->thread_wake_fd, 1);
  atomic_fetch_add(&l->owner_runs, 1);
  wake(l); /* to watch the owner */
}

void ldr_loop_lock(ldr_loop *l) {
  if (l == NULL) return;
  lock_turns(l);
  take_posts(l);
}

void ldr_loop_unlock(ldr_loop *l) {
  if (l == NULL) return;
  atomic_store(&l->wants_turn, true);
  unlock_turns(l);
  if (!l->forked) wake(l);
}

/* ---- life ---- */

static void dispose(ldr_loop *l) {
  if (l->set >= 0) close(l->set);
  if (l->thread_wake_fd >= 0) close(l->thread_wake_fd);
  if (l->owner_set >= 0) close(l->owner_set);
  if (l->owner_wake_fd >= 0) close(l->owner_wake_fd);
  pthread_mutex_destroy(&l->gate);
  pthread_mutex_destroy(&l->turn);
  ldr_free(l);
}

/* Whoever waits for a turn to end waits for a few microseconds: less than it takes to sleep and be woken. */
static void init_spinning(pthread_mutex_t *m) {
  pthread_mutexattr_t a;
  pthread_mutexattr_init(&a);
  pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ADAPTIVE_NP);
  pthread_mutex_init(m, &a);
  pthread_mutexattr_destroy(&a);
}

ldr_code ldr_loop_new(const ldr_loop_ops *ops, void *ud, ldr_loop **out, ldr_err *err) {
  ldr_loop *l = ldr_alloc(sizeof *l);
  if (l == NULL) return ldr_fail_nomem(err);
  pthread_once(&once, watch_forks);
  pthread_mutex_init(&l->gate, NULL);
  init_spinning(&l->turn);
  l->ops = ops;
  l->ud = ud;
  l->due = LDR_NEVER;
  l->owner_set = l->owner_wake_fd = -1;
  l->load = LDR_HEAVY;
  l->set = epoll_create1(EPOLL_CLOEXEC);
  l->thread_wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  *out = l; /* the thread may need it at once */
  enlist(l);
  if (l->set >= 0 && l->thread_wake_fd >= 0 && ldr_thread_start(run, l, &l->thread)) return LDR_OK;
  delist(l);
  dispose(l);
  *out = NULL;
  return ldr_fail(err, LDR_CAPACITY, "the thread for the database could not be started");
}

void ldr_loop_free(ldr_loop *l) {
  if (l == NULL) return;
  if (!l->forked) {
    atomic_store(&l->stop, true);
    eventfd_write(l->thread_wake_fd, 1);
    pthread_join(l->thread, NULL);
  }
  delist(l);
  dispose(l);
}

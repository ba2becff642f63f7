#define _GNU_SOURCE
#include "ldr_loop.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ldr_clock.h"
#include "ldr_thread.h"

enum { EVENTS = 64, BUCKETS = 64 };

struct ldr_loop {
  const ldr_loop_ops *ops;
  void *ud;
  ldr_loop *prev, *next; /* of all loops of the process */
  pthread_t thread;
  int set, bell;             /* epoll; an eventfd that ends a wait */
  _Atomic(ldr_post *) inbox; /* newest first */
  atomic_bool asleep, stop;
  pthread_mutex_t gate, turn;  /* whoever wants `turn` waits for it at the gate, so nobody starves */
  ldr_watch *watches[BUCKETS]; /* by id */
  uint64_t last_id;
  struct epoll_event events[EVENTS];
  int nevents; /* still to be handled in this turn */
  bool ready;  /* there are some */
  int64_t due;
  bool forked;
};

/* ---- all loops, for forks ---- */

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static ldr_loop *all;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void hold(ldr_loop *l) {
  pthread_mutex_lock(&l->gate);
  pthread_mutex_lock(&l->turn);
  pthread_mutex_unlock(&l->gate);
}

static void let_go(ldr_loop *l) { pthread_mutex_unlock(&l->turn); }

static void before_fork(void) {
  pthread_mutex_lock(&all_lock);
  for (ldr_loop *l = all; l; l = l->next) hold(l);
}

static void after_fork(bool child) {
  for (ldr_loop *l = all; l; l = l->next) {
    if (child) l->forked = true;
    let_go(l);
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

/* In a child the set is the parent's, too: hands off. */
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
  ldr_watch **at = place(l, w->id);
  if (!w->on) return;
  w->on = false;
  if (*at) *at = w->next;
  if (!l->forked && fd >= 0 && fd == w->fd) epoll_ctl(l->set, EPOLL_CTL_DEL, fd, NULL);
  for (int i = 0; i < l->nevents; i++)
    if (l->events[i].data.u64 == w->id) l->events[i].data.u64 = 0;
}

/* Something closed is still reported, because somebody else has it open. Only a new set forgets it. */
static void renew_set(ldr_loop *l) {
  int old = l->set, set = epoll_create1(EPOLL_CLOEXEC);
  if (set < 0) return; /* again when it is reported again */
  l->set = set;
  for (int i = 0; i < BUCKETS; i++)
    for (const ldr_watch *w = l->watches[i]; w; w = w->next) tell_kernel(l, w);
  close(old);
}

/* ---- posts ---- */

static void wake(ldr_loop *l) {
  if (atomic_exchange(&l->asleep, false)) eventfd_write(l->bell, 1);
}

void ldr_loop_post(ldr_loop *l, ldr_post *p) {
  p->next = atomic_load_explicit(&l->inbox, memory_order_relaxed);
  while (!atomic_compare_exchange_weak(&l->inbox, &p->next, p)) continue;
  wake(l);
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

static void handle_events(ldr_loop *l) {
  int n = l->ready ? epoll_wait(l->set, l->events, EVENTS, 0) : 0;
  bool stale = false;
  l->nevents = n > 0 ? n : 0;
  for (int i = 0; i < l->nevents; i++) {
    uint64_t id = l->events[i].data.u64;
    ldr_watch *w = id ? *place(l, id) : NULL;
    if (w) w->ready(w);
    if (id && w == NULL) stale = true;
  }
  l->nevents = 0;
  if (stale) renew_set(l);
}

/* Waits without touching what a visitor may touch: the events are fetched in the turn. */
static void wait(ldr_loop *l) {
  struct pollfd p[] = {{.fd = l->set, .events = POLLIN}, {.fd = l->bell, .events = POLLIN}};
  eventfd_t ignored;
  bool idle;
  atomic_store(&l->asleep, true);
  idle = atomic_load(&l->inbox) == NULL && !atomic_load(&l->stop);
  if (idle) poll(p, 2, ldr_millis_left(l->due));
  atomic_store(&l->asleep, false);
  l->ready = !idle || p[0].revents; /* posts without end must not starve the descriptors */
  if (p[1].revents) eventfd_read(l->bell, &ignored);
}

static void *run(void *ud) {
  ldr_loop *l = ud;
  while (!atomic_load(&l->stop)) {
    hold(l);
    handle_events(l);
    take_posts(l);
    l->due = l->ops->turn(l->ud);
    let_go(l);
    wait(l);
  }
  return NULL;
}

void ldr_loop_enter(ldr_loop *l) {
  if (l == NULL) return;
  hold(l);
  take_posts(l);
}

void ldr_loop_leave(ldr_loop *l) {
  if (l == NULL) return;
  let_go(l);
  if (!l->forked) wake(l); /* what is due may have changed */
}

/* ---- life ---- */

static void dispose(ldr_loop *l) {
  if (l->set >= 0) close(l->set);
  if (l->bell >= 0) close(l->bell);
  pthread_mutex_destroy(&l->gate);
  pthread_mutex_destroy(&l->turn);
  ldr_free(l);
}

ldr_code ldr_loop_new(const ldr_loop_ops *ops, void *ud, ldr_loop **out, ldr_err *err) {
  ldr_loop *l = ldr_alloc(sizeof *l);
  if (l == NULL) return ldr_fail_nomem(err);
  pthread_once(&once, watch_forks);
  pthread_mutex_init(&l->gate, NULL);
  pthread_mutex_init(&l->turn, NULL);
  l->ops = ops;
  l->ud = ud;
  l->due = LDR_NEVER;
  l->set = epoll_create1(EPOLL_CLOEXEC);
  l->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  *out = l; /* the thread may need it at once */
  enlist(l);
  if (l->set >= 0 && l->bell >= 0 && ldr_thread_start(run, l, &l->thread)) return LDR_OK;
  delist(l);
  dispose(l);
  *out = NULL;
  return ldr_fail(err, LDR_CAPACITY, "the thread for the database could not be started");
}

void ldr_loop_free(ldr_loop *l) {
  if (l == NULL) return;
  if (!l->forked) {
    atomic_store(&l->stop, true);
    eventfd_write(l->bell, 1);
    pthread_join(l->thread, NULL);
  }
  delist(l);
  dispose(l);
}

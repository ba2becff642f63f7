#define _POSIX_C_SOURCE 200809L
#include "postgres/protocol/cancel.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "async/thread.h"
#include "base/clock.h"
#include "base/mem.h"

enum {
  LIMIT_US = 2000000,
  TIMES = 3,       /* that one is delivered */
  HOLD_US = 50000, /* for which a pooler may have a cancel in hand after it took it */
  SLICE_US = 5000  /* the longest wait while others wait for the thread */
};

struct ldr_cancel {
  ldr_cancel *next; /* in the list */
  const ldr_cancel_ops *ops;
  void *handle;
  ldr_cancel *before; /* its own end is awaited first; NULL: none */
  bool insist;
  int64_t deadline; /* for the first delivery */
  /* of the thread that has it: */
  bool over;         /* what it is for has been answered */
  unsigned times;    /* delivered so often */
  int64_t delivered; /* the last time … */
  int64_t due;       /* … and when to go on */
  atomic_bool returned;
  atomic_int refs; /* the connection, a later cancel, and whoever delivers it */
};

/* ---- those that wait for a thread ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of these: */
static ldr_cancel *first, **last = &first;
static unsigned threads;

static void finish(ldr_cancel *x) {
  ldr_cancel_release(x->before);
  x->before = NULL;
  x->ops->end(x->handle);
  atomic_store(&x->returned, true);
  ldr_cancel_release(x);
}

static void before_fork(void) { pthread_mutex_lock(&lock); }
static void in_parent(void) { pthread_mutex_unlock(&lock); }

/* The threads are the parent's, and so is what they have to deliver. */
static void in_child(void) {
  threads = 0;
  first = NULL;
  last = &first;
  pthread_mutex_unlock(&lock);
}

/* When the library is loaded, so before any loop: of the handlers, those registered last run first. So a fork
 * takes a loop's turn before this lock, as a turn that cancels does; the other way round both would wait for
 * each other. */
__attribute__((constructor)) static void watch_forks(void) {
  pthread_atfork(before_fork, in_parent, in_child);
}

/* The oldest, in x. When there is none, the thread that asks has ended. */
static ldr_cancel *next(void) {
  ldr_cancel *x;
  pthread_mutex_lock(&lock);
  x = first;
  if (x == NULL) {
    threads--;
  } else {
    first = x->next;
    if (first == NULL) last = &first;
  }
  pthread_mutex_unlock(&lock);
  return x;
}

static bool others_wait(void) {
  bool others;
  pthread_mutex_lock(&lock);
  others = first != NULL;
  pthread_mutex_unlock(&lock);
  return others;
}

/* Back to the end, while others wait. false: nobody does. */
static bool again_later(ldr_cancel *x) {
  bool others;
  pthread_mutex_lock(&lock);
  others = first != NULL;
  if (others) {
    x->next = NULL;
    *last = x;
    last = &x->next;
  }
  pthread_mutex_unlock(&lock);
  return others;
}

static void pause_until(int64_t t) { (void)poll(NULL, 0, ldr_millis_left(t)); }

/* A cancel that arrives before its statement hits nothing, so who insists is delivered again, after pauses
 * that grow. Each needs a reason, though: the answer of the statement has not come yet. */
static void deliver(ldr_cancel *x) {
  static const int64_t pause[TIMES] = {50000, 500000, 50000};
  int64_t now = ldr_now_mono();
  x->ops->deliver(x->handle, x->times == 0 ? x->deadline : now + LIMIT_US);
  x->delivered = ldr_now_mono();
  x->due = x->delivered + pause[x->times++];
}

/* The one before counts as the first delivery. */
static void await_before(ldr_cancel *x, int64_t until) {
  if (ldr_cancel_under_way(x->before) && ldr_now_mono() < x->deadline) {
    pause_until(until);
    return;
  }
  ldr_cancel_release(x->before);
  x->before = NULL;
  x->times = 1;
  x->delivered = ldr_now_mono();
  x->due = x->delivered + HOLD_US;
}

/* Waits for the answer, or until it is due. What was answered is not cancelled again, and its line is kept
 * for as long as a cancel may still be on its way, which would find the line's next user. */
static void await_answer(ldr_cancel *x, int64_t until) {
  until = ldr_sooner(until, x->due);
  if (x->over) {
    pause_until(until);
  } else if (x->ops->answered(x->handle, until)) {
    x->over = true;
    x->due = ldr_sooner(x->due, x->delivered + HOLD_US);
  }
}

/* One step. true: it goes on. */
static bool step(ldr_cancel *x) {
  int64_t until = others_wait() ? ldr_now_mono() + SLICE_US : LDR_NEVER;
  if (x->before) {
    await_before(x, ldr_sooner(until, ldr_now_mono() + SLICE_US));
    return true;
  }
  if (x->times == 0) {
    if (ldr_now_mono() >= x->deadline) return false;
    deliver(x);
    return x->insist;
  }
  await_answer(x, until);
  if (ldr_now_mono() < x->due) return true;
  if (x->over || x->times == TIMES) return false;
  deliver(x);
  return true;
}

static void *run(void *ud) {
  ldr_cancel *x;
  (void)ud;
  while ((x = next()) != NULL) {
    bool goes_on;
    do goes_on = step(x);
    while (goes_on && !again_later(x));
    if (!goes_on) finish(x);
  }
  return NULL;
}

/* With the lock. Is there, or will there be, a thread for x? */
static bool enlist(ldr_cancel *x) {
  if (threads < LDR_CANCEL_THREADS && ldr_thread_detach(run, NULL)) threads++;
  if (threads == 0) return false;
  *last = x;
  last = &x->next;
  return true;
}

/* ---- one cancel ---- */

ldr_cancel *ldr_cancel_start(const ldr_cancel_ops *ops, void *handle, bool insist, ldr_cancel *before) {
  ldr_cancel *x = handle ? ldr_alloc(sizeof *x) : NULL;
  bool ok;
  if (x == NULL) {
    if (handle) ops->end(handle);
    ops->free(handle);
    return NULL;
  }
  x->ops = ops;
  x->handle = handle;
  x->insist = insist;
  x->deadline = ldr_now_mono() + LIMIT_US;
  atomic_init(&x->refs, 2);
  if (before) atomic_fetch_add(&before->refs, 1);
  x->before = before;
  pthread_mutex_lock(&lock);
  ok = enlist(x);
  pthread_mutex_unlock(&lock);
  if (!ok) finish(x);
  return x;
}

void ldr_cancel_release(ldr_cancel *x) {
  if (x == NULL || atomic_fetch_sub(&x->refs, 1) > 1) return;
  x->ops->free(x->handle);
  ldr_free(x);
}

bool ldr_cancel_under_way(const ldr_cancel *x) { return x && !atomic_load(&x->returned); }

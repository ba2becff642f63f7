#define _POSIX_C_SOURCE 200809L
#include "postgres/protocol/cancel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "async/thread.h"
#include "base/clock.h"
#include "base/mem.h"

enum { LIMIT_US = 2000000 };

struct ldr_cancel {
  ldr_cancel *next; /* of those that no thread has come to yet */
  const ldr_cancel_ops *ops;
  void *handle;
  bool insist;
  int line;       /* -1: none, or closed */
  unsigned times; /* delivered again; its thread's */
  int64_t deadline;
  atomic_bool returned;
  atomic_int refs; /* the connection, and whoever delivers it */
};

/* ---- those that wait for a thread ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of these: */
static ldr_cancel *first, **last = &first;
static unsigned threads;

static void hang_up(int line) {
  if (line < 0) return;
  shutdown(line, SHUT_RDWR); /* a forked child may hold it open */
  close(line);
}

static void finish(ldr_cancel *x) {
  hang_up(x->line);
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

/* A cancel that arrives before its statement hits nothing, so who insists is delivered again; behind those
 * that wait for their first time. true: it lies in the list again. */
static bool deliver(ldr_cancel *x) {
  static const struct timespec pauses[] = {{0, 50000000}, {0, 500000000}};
  int64_t now = ldr_now_mono();
  if (x->times == 0 && now >= x->deadline) return false;
  x->ops->deliver(x->handle, x->times == 0 ? x->deadline : now + LIMIT_US);
  while (x->insist && x->times < sizeof pauses / sizeof *pauses) {
    const struct timespec *pause = &pauses[x->times++];
    if (again_later(x)) return true;
    nanosleep(pause, NULL);
    x->ops->deliver(x->handle, ldr_now_mono() + LIMIT_US);
  }
  return false;
}

static void *run(void *ud) {
  ldr_cancel *x;
  (void)ud;
  while ((x = next()) != NULL)
    if (!deliver(x)) finish(x);
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

ldr_cancel *ldr_cancel_start(const ldr_cancel_ops *ops, void *handle, bool insist, int line) {
  ldr_cancel *x = handle ? ldr_alloc(sizeof *x) : NULL;
  bool ok;
  if (x == NULL) {
    hang_up(line);
    ops->free(handle);
    return NULL;
  }
  x->line = line;
  x->ops = ops;
  x->handle = handle;
  x->insist = insist;
  x->deadline = ldr_now_mono() + LIMIT_US;
  atomic_init(&x->refs, 2);
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

#define _POSIX_C_SOURCE 200809L
#include "async/thread.h"

#include <signal.h>
#include <stdatomic.h>

enum { STACK = 256 * 1024 }; /* the system's resolver and its plug-ins are modest */

static atomic_bool failing;

void ldr_thread_fail(bool fail) { atomic_store(&failing, fail); }

static bool start(void *(*fn)(void *ud), void *ud, const pthread_attr_t *attr, pthread_t *out) {
  sigset_t all, before;
  int failed;
  if (atomic_load(&failing)) return false;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  failed = pthread_create(out, attr, fn, ud);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return !failed;
}

bool ldr_thread_start(void *(*fn)(void *ud), void *ud, pthread_t *out) { return start(fn, ud, NULL, out); }

bool ldr_thread_detach(void *(*fn)(void *ud), void *ud) {
  pthread_attr_t attr;
  pthread_t thread;
  bool ok;
  if (pthread_attr_init(&attr) != 0) return false;
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attr, STACK);
  ok = start(fn, ud, &attr, &thread);
  pthread_attr_destroy(&attr);
  return ok;
}

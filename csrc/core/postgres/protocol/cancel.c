#define _POSIX_C_SOURCE 200809L
#include "postgres/protocol/cancel.h"

#include <stdatomic.h>
#include <time.h>

#include "async/thread.h"
#include "base/mem.h"

struct ldr_cancel {
  const ldr_cancel_ops *ops;
  void *handle;
  bool insist;
  atomic_bool returned;
  atomic_int refs; /* the connection and the thread */
};

void ldr_cancel_release(ldr_cancel *x) {
  if (x == NULL || atomic_fetch_sub(&x->refs, 1) > 1) return;
  x->ops->free(x->handle);
  ldr_free(x);
}

static void *run(void *ud) {
  static const struct timespec pauses[] = {{0, 50000000}, {0, 500000000}};
  ldr_cancel *x = ud;
  x->ops->deliver(x->handle);
  for (size_t i = 0; x->insist && i < sizeof pauses / sizeof *pauses; i++) {
    nanosleep(&pauses[i], NULL);
    x->ops->deliver(x->handle);
  }
  atomic_store(&x->returned, true);
  ldr_cancel_release(x);
  return NULL;
}

ldr_cancel *ldr_cancel_start(const ldr_cancel_ops *ops, void *handle, bool insist) {
  ldr_cancel *x = ldr_alloc(sizeof *x);
  if (x == NULL) {
    ops->free(handle);
    return NULL;
  }
  x->ops = ops;
  x->handle = handle;
  x->insist = insist;
  atomic_init(&x->refs, 2);
  if (handle && ldr_thread_detach(run, x)) return x;
  atomic_store(&x->returned, true);
  ldr_cancel_release(x); /* the thread's count */
  return x;
}

bool ldr_cancel_under_way(const ldr_cancel *x) { return x && !atomic_load(&x->returned); }

#include "postgres/protocol/cancel_libpq.h"

#include <poll.h>

#include "base/clock.h"

/* Whether it was delivered nobody asks: the statement's owner has a deadline of its own. */

#ifdef LIBPQ_HAS_ASYNC_CANCEL

/* Since libpq 17: encrypted like the session, and for a limited time. */
static void deliver(void *handle, int64_t deadline) {
  PGcancelConn *x = handle;
  PostgresPollingStatusType s = PGRES_POLLING_WRITING;
  PQcancelReset(x);
  if (!PQcancelStart(x)) return;
  while (s == PGRES_POLLING_READING || s == PGRES_POLLING_WRITING) {
    struct pollfd p = {.fd = PQcancelSocket(x), .events = s == PGRES_POLLING_READING ? POLLIN : POLLOUT};
    if (poll(&p, 1, ldr_millis_left(deadline)) == 0) return;
    s = PQcancelPoll(x);
  }
}

static void release(void *handle) { PQcancelFinish(handle); }
static void *handle_of(PGconn *pg) { return PQcancelCreate(pg); }

#else

/* Connects for as long as the system takes for that: why ldr_cancel has few threads. */
static void deliver(void *handle, int64_t deadline) {
  char why[256];
  (void)deadline;
  (void)PQcancel(handle, why, sizeof why);
}

static void release(void *handle) { PQfreeCancel(handle); }
static void *handle_of(PGconn *pg) { return PQgetCancel(pg); }

#endif

ldr_cancel *ldr_cancel_send(PGconn *pg, bool insist, int line) {
  static const ldr_cancel_ops by_libpq = {deliver, release};
  return ldr_cancel_start(&by_libpq, handle_of(pg), insist, line);
}

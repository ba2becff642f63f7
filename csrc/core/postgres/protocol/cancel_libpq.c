#include "postgres/protocol/cancel_libpq.h"

#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"

/* Whether it was delivered nobody asks: the statement's owner has a deadline of its own. */

#ifdef LIBPQ_HAS_ASYNC_CANCEL

/* Since libpq 17: encrypted like the session, and for a limited time. */
typedef PGcancelConn address;

static void tell(address *x, int64_t deadline) {
  PostgresPollingStatusType s = PGRES_POLLING_WRITING;
  PQcancelReset(x);
  if (!PQcancelStart(x)) return;
  while (s == PGRES_POLLING_READING || s == PGRES_POLLING_WRITING) {
    struct pollfd p = {.fd = PQcancelSocket(x), .events = s == PGRES_POLLING_READING ? POLLIN : POLLOUT};
    if (poll(&p, 1, ldr_millis_left(deadline)) == 0) return;
    s = PQcancelPoll(x);
  }
}

static void forget(address *x) { PQcancelFinish(x); }
static address *address_of(PGconn *pg) { return PQcancelCreate(pg); }

#else

typedef PGcancel address;

/* Connects for as long as the system takes for that: why ldr_cancel has few threads. */
static void tell(address *x, int64_t deadline) {
  char why[256];
  (void)deadline;
  (void)PQcancel(x, why, sizeof why);
}

static void forget(address *x) { PQfreeCancel(x); }
static address *address_of(PGconn *pg) { return PQgetCancel(pg); }

#endif

/* ---- what is delivered ---- */

typedef struct errand {
  address *to;
  PGconn *dropped; /* its own; NULL: none, or it has ended */
  unsigned syncs;  /* that are not answered there */
  bool partly;     /* see ldr_cancel_drop */
} errand;

static void deliver(void *handle, int64_t deadline) { tell(((errand *)handle)->to, deadline); }

/* Rows that nobody wants. false: more may come. */
static bool copied(PGconn *pg) {
  char *row = NULL;
  int n;
  while ((n = PQgetCopyData(pg, &row, 1)) > 0) PQfreemem(row);
  return n < 0;
}

/* Reads away what has come. true: nothing is under way any more. */
static bool drained(errand *x) {
  bool piped = PQpipelineStatus(x->dropped) != PQ_PIPELINE_OFF;
  while ((!piped || x->syncs > 0) && !PQisBusy(x->dropped)) {
    PGresult *res = PQgetResult(x->dropped);
    ExecStatusType status = PQresultStatus(res);
    if (res == NULL && (!piped || PQstatus(x->dropped) == CONNECTION_BAD)) return true;
    PQclear(res);
    if (status == PGRES_PIPELINE_SYNC) x->syncs--;
    if (status == PGRES_COPY_OUT && !copied(x->dropped)) return false;
    if (status == PGRES_COPY_IN || status == PGRES_COPY_BOTH) x->partly = true;
    if (x->partly) return false;
  }
  return piped && x->syncs == 0;
}

static bool wait_for_answer(errand *x, int64_t until) {
  for (;;) {
    struct pollfd p = {.fd = PQsocket(x->dropped), .events = POLLIN};
    if (!PQconsumeInput(x->dropped) || drained(x)) return true;
    if (x->partly || poll(&p, 1, ldr_millis_left(until)) == 0) return false;
  }
}

static bool answered(void *handle, int64_t until) {
  errand *x = handle;
  if (x->dropped && !x->partly && wait_for_answer(x, until)) return true;
  (void)poll(NULL, 0, ldr_millis_left(until));
  return false;
}

/* The socket is shut first: neither what libpq still has to send, nor a farewell, is to go out. A forked
 * child may hold it open. */
static void end(void *handle) {
  errand *x = handle;
  if (x->dropped == NULL) return;
  if (PQsocket(x->dropped) >= 0) shutdown(PQsocket(x->dropped), SHUT_RDWR);
  PQfinish(x->dropped);
  x->dropped = NULL;
}

static void release(void *handle) {
  errand *x = handle;
  if (x == NULL) return;
  forget(x->to);
  ldr_free(x);
}

static ldr_cancel *start(PGconn *pg, errand what, bool insist, ldr_cancel *before) {
  static const ldr_cancel_ops ops = {deliver, answered, end, release};
  errand *x;
  what.to = address_of(pg);
  x = what.to ? ldr_alloc(sizeof *x) : NULL;
  if (x == NULL) {
    end(&what);
    forget(what.to);
    return NULL;
  }
  *x = what;
  return ldr_cancel_start(&ops, x, insist, before);
}

ldr_cancel *ldr_cancel_send(PGconn *pg, bool insist, ldr_cancel *before) {
  return start(pg, (errand){0}, insist, before);
}

static void ignore(void *ud, const PGresult *res) {
  (void)ud;
  (void)res;
}

ldr_cancel *ldr_cancel_drop(PGconn *pg, unsigned syncs, bool partly, ldr_cancel *before) {
  bool blind = partly || (PQpipelineStatus(pg) != PQ_PIPELINE_OFF && syncs == 0);
  PQsetNoticeReceiver(pg, ignore, NULL);
  return start(pg, (errand){.dropped = pg, .syncs = syncs, .partly = blind}, true, before);
}

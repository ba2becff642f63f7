#include "postgres/request/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

/* ---- states ---- */

#define TO(state) (1u << LDR_REQUEST_##state)

/* What may follow each state; docs/architecture.md says when. */
static const unsigned may_follow[LDR_REQUEST_NSTATES] = {
    [LDR_REQUEST_FREE] = TO(NEW),
    [LDR_REQUEST_NEW] = TO(POSTED) | TO(READY) | TO(DONE),
    [LDR_REQUEST_POSTED] = TO(READY),
    [LDR_REQUEST_READY] = TO(READY) | TO(WAITING) | TO(SENT) | TO(DONE),
    [LDR_REQUEST_WAITING] = TO(READY) | TO(DONE),
    [LDR_REQUEST_SENT] = TO(ANSWERED) | TO(COPYING) | TO(CANCELLING) | TO(EXPIRED) | TO(READY) | TO(DONE),
    [LDR_REQUEST_EXPIRED] = TO(ANSWERED) | TO(CANCELLING) | TO(DONE),
    [LDR_REQUEST_COPYING] = TO(SENT) | TO(ANSWERED) | TO(CANCELLING) | TO(DONE),
    [LDR_REQUEST_CANCELLING] = TO(ANSWERED) | TO(DONE),
    [LDR_REQUEST_ANSWERED] = TO(DRAINING) | TO(SENT) | TO(READY) | TO(CONNECTING) | TO(SLEEPING) | TO(DONE),
    [LDR_REQUEST_DRAINING] = TO(ANSWERED) | TO(DONE),
    [LDR_REQUEST_CONNECTING] = TO(SENT) | TO(SLEEPING) | TO(DONE),
    [LDR_REQUEST_SLEEPING] = TO(CONNECTING) | TO(SENT) | TO(SLEEPING) | TO(DONE),
    [LDR_REQUEST_DONE] = TO(FREE),
};

static bool has_list(ldr_request_state s) { return s >= LDR_REQUEST_READY && s <= LDR_REQUEST_SLEEPING; }

static void take_off(ldr_request_list *l, ldr_request *rq) {
  *(rq->in_prev ? &rq->in_prev->in_next : &l->first) = rq->in_next;
  *(rq->in_next ? &rq->in_next->in_prev : &l->last) = rq->in_prev;
  l->n--;
}

static void put_on(ldr_request_list *l, ldr_request *rq) {
  rq->in_prev = l->last;
  rq->in_next = NULL;
  *(l->last ? &l->last->in_next : &l->first) = rq;
  l->last = rq;
  l->n++;
}

/* A state that must not follow: going on would hand one caller's answer to another. */
static void refuse(ldr_request_state from, ldr_request_state to) {
  fprintf(stderr, "larder: a request in state %d may not go to %d\n", (int)from, (int)to);
  abort();
}

void ldr_request_move(ldr_request *rq, ldr_request_state to) {
  ldr_request_state from = ldr_request_state_of(rq);
  if (!(may_follow[from] & 1u << to)) refuse(from, to);
  if (rq->on_loop && has_list(from)) take_off(&rq->e->in[from], rq);
  if (rq->on_loop && has_list(to)) put_on(&rq->e->in[to], rq);
  rq->due = LDR_NEVER;
  atomic_store_explicit(&rq->state, to, memory_order_release); /* DONE: the owner's from here on */
}

void ldr_request_poke(ldr_request *rq) { rq->due = rq->e->due = 0; }

void ldr_request_unwatch(ldr_request *rq) {
  if (rq->e->loop) ldr_loop_unwatch(rq->e->loop, &rq->watch, rq->conn ? ldr_conn_fd(rq->conn) : -1);
}

/* A request with an event fd is freed with the loop locked, so its descriptor is open until this is over; and
 * whoever finds it readable finds the request DONE. */
void ldr_request_finished(ldr_request *rq, ldr_code code, const ldr_err *err) {
  ldr_completions *completions = rq->e->completions;
  uint64_t completion_id = rq->completion_id;
  int event_fd = rq->has_event_fd ? rq->event_fd : -1;
  rq->outcome = code;
  if (code) {
    rq->why = ldr_alloc(sizeof *rq->why);
    if (rq->why) *rq->why = *err;
  }
  if (event_fd >= 0) rq->e->event_fd_waiters--;
  ldr_request_move(rq, LDR_REQUEST_DONE);
  if (event_fd >= 0) eventfd_write(event_fd, 1);
  if (completion_id) ldr_completions_put(completions, completion_id);
}

/* ---- forks ---- */

static void drop_event_fd(ldr_request *rq) {
  if (rq->event_fd >= 0) close(rq->event_fd);
  rq->event_fd = -1;
}

/* What the loop had of rq is gone. Exchanges on connections of the pool are on e->finished by now, as lost.
 */
static void go_on_in_child(ldr_request *rq) {
  ldr_request_state state = ldr_request_state_of(rq);
  drop_event_fd(rq);
  if (rq->has_event_fd) rq->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  rq->watch.on = false;
  if (!rq->on_loop || state == LDR_REQUEST_NEW || state == LDR_REQUEST_DONE) return;
  rq->e->event_fd_waiters += rq->has_event_fd;
  if (ldr_request_owns_conn(rq)) ldr_conn_abandon(rq->conn);
  if (state == LDR_REQUEST_POSTED || state == LDR_REQUEST_WAITING)
    ldr_request_move(rq, LDR_REQUEST_READY);
  else if (state == LDR_REQUEST_CONNECTING)
    ldr_request_poke(rq);
}

/* In a child the loop's thread is gone, and what was in flight is lost; a new loop tells that to its owners.
 */
void ldr_pg_check_fork(ldr_pg *e) {
  ldr_loop *gone = e->loop && ldr_loop_forked(e->loop) ? e->loop : NULL;
  if (gone) {
    e->loop = NULL;
    ldr_completions_reset_after_fork(e->completions);
  }
  ldr_pool_check_fork(e->pool);
  if (gone == NULL) return;
  ldr_loop_free(gone);
  for (int i = 0; i < LDR_SPARES; i++)
    for (ldr_request *rq = e->spares[i].first; rq; rq = rq->next) drop_event_fd(rq);
  e->event_fd_waiters = 0;
  for (ldr_request *rq = e->requests; rq; rq = rq->next) go_on_in_child(rq);
}

#include "postgres/request/state.h"

#include <assert.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

/* ---- transactions ---- */

const char ldr_pgtx_lost[] = "the connection of this transaction was lost; its work is undone";
void ldr_pgtx_look_alive(ldr_pgtx *tx) {
  if (tx->slot && ldr_conn_dead(tx->slot->conn) && tx->dead == NULL) tx->dead = ldr_pgtx_lost;
}

static const char busy[] = "another statement of this transaction is still running";

ldr_code ldr_pgtx_usable(ldr_pgtx *tx, ldr_err *err) {
  if (tx->request && tx->request->driven)
    return ldr_fail(err, LDR_INVALID, "%s", busy); /* all else is the loop's now */
  ldr_pgtx_look_alive(tx);
  if (tx->dead)
    return ldr_fail(err, LDR_CLOSED, "%s",
                    tx->session ? "the connection of this session was lost" : tx->dead);
  if (tx->failed)
    return ldr_fail_state(err, LDR_CLOSED, "25P02", "transaction was aborted by an earlier error");
  if (tx->request) return ldr_fail(err, LDR_INVALID, "%s", busy);
  return LDR_OK;
}

void ldr_pgtx_fail(ldr_pgtx *tx, const ldr_err *err) {
  ldr_pgtx_look_alive(tx);
  if (tx->session) return;
  if (!tx->failed) tx->first = *err;
  tx->failed = true;
}

/* ---- prepared statements ---- */

void ldr_pg_settle(ldr_pg *e, ldr_slot *slot, ldr_exchange *r) {
  ldr_registry *g = &slot->prepared;
  ldr_registry_settle(g, r);
  ldr_count(&e->counts.prepares, g->parses);
  ldr_count(&e->counts.evictions, g->evictions);
  g->parses = g->evictions = 0;
}

/* ---- driven requests: the loop's lists ---- */

void ldr_request_ready(ldr_request *rq) {
  ldr_request_list *l = &rq->e->ready;
  if (rq->is_ready) return;
  rq->is_ready = true;
  rq->next_ready = NULL;
  *(l->last ? &l->last->next_ready : &l->first) = rq;
  l->last = rq;
  l->n++;
}

ldr_request *ldr_request_list_take(ldr_request_list *l) {
  ldr_request *rq = l->first;
  if (rq == NULL) return NULL;
  l->first = rq->next_ready;
  if (l->first == NULL) l->last = NULL;
  l->n--;
  rq->is_ready = false;
  return rq;
}

void ldr_request_not_ready(ldr_request *rq) {
  ldr_request_list all = rq->e->ready;
  ldr_request *other;
  if (!rq->is_ready) return;
  rq->e->ready = (ldr_request_list){0};
  while ((other = ldr_request_list_take(&all)) != NULL)
    if (other != rq) ldr_request_ready(other);
}

void ldr_request_running(ldr_request *rq) {
  if (rq->is_running) return;
  rq->is_running = true;
  rq->run_prev = NULL;
  rq->run_next = rq->e->running;
  if (rq->run_next) rq->run_next->run_prev = rq;
  rq->e->running = rq;
}

void ldr_request_not_running(ldr_request *rq) {
  if (!rq->is_running) return;
  rq->is_running = false;
  *(rq->run_prev ? &rq->run_prev->run_next : &rq->e->running) = rq->run_next;
  if (rq->run_next) rq->run_next->run_prev = rq->run_prev;
}

void ldr_request_unwatch(ldr_request *rq) {
  if (rq->e->loop) ldr_loop_unwatch(rq->e->loop, &rq->watch, rq->conn ? ldr_conn_fd(rq->conn) : -1);
}

void ldr_request_finished(ldr_request *rq, ldr_code code, const ldr_err *err) {
  uint64_t completion_id = rq->completion_id;
  ldr_completions *chan = rq->e->completions;
  ldr_request_phase phase = atomic_load(&rq->phase);
  assert(phase == LDR_REQUEST_SUBMITTED || phase == LDR_REQUEST_FRESH); /* once; in release builds, too */
  ldr_request_not_ready(rq);
  ldr_request_not_running(rq);
  rq->outcome = code;
  if (code) {
    rq->why = ldr_alloc(sizeof *rq->why);
    if (rq->why) *rq->why = *err;
  }
  if (rq->has_event_fd) {
    rq->e->event_fd_waiters--;
    atomic_store(&rq->phase, LDR_REQUEST_SIGNALLING);
    eventfd_write(rq->event_fd, 1);
  }
  atomic_store(&rq->phase, LDR_REQUEST_FINISHED); /* from here on it may be gone */
  if (completion_id) ldr_completions_put(chan, completion_id);
}

/* ---- forks ---- */

static void drop_event_fd(ldr_request *rq) {
  if (rq->event_fd >= 0) close(rq->event_fd);
  rq->event_fd = -1;
}

/* In a child the loop's thread is gone, and what was in flight is lost; a new loop tells that to its owners.
 */
void ldr_pg_check_fork(ldr_pg *e) {
  ldr_loop *gone = e->loop && ldr_loop_forked(e->loop) ? e->loop : NULL;
  if (gone) {
    e->loop = NULL;
    while (e->running) ldr_request_not_running(e->running);
    ldr_completions_reset_after_fork(e->completions);
  }
  ldr_pool_check_fork(e->pool);
  if (gone == NULL) return;
  ldr_loop_free(gone);
  for (ldr_request *rq = e->spares; rq; rq = rq->next) drop_event_fd(rq);
  e->event_fd_waiters = 0;
  for (ldr_request *rq = e->requests; rq; rq = rq->next) {
    drop_event_fd(rq);
    if (rq->has_event_fd) rq->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    rq->watch.on = false;
    if (!rq->driven || atomic_load(&rq->phase) != LDR_REQUEST_SUBMITTED) continue;
    e->event_fd_waiters += rq->has_event_fd;
    ldr_request_ready(rq);
  }
}

#include "postgres/request/state.h"

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
  if (tx->job && tx->job->driven)
    return ldr_fail(err, LDR_INVALID, "%s", busy); /* all else is the loop's now */
  ldr_pgtx_look_alive(tx);
  if (tx->dead)
    return ldr_fail(err, LDR_CLOSED, "%s",
                    tx->session ? "the connection of this session was lost" : tx->dead);
  if (tx->failed)
    return ldr_fail_state(err, LDR_CLOSED, "25P02", "transaction was aborted by an earlier error");
  if (tx->job) return ldr_fail(err, LDR_INVALID, "%s", busy);
  return LDR_OK;
}

void ldr_pgtx_fail(ldr_pgtx *tx, const ldr_err *err) {
  ldr_pgtx_look_alive(tx);
  if (tx->session) return;
  if (!tx->failed) tx->first = *err;
  tx->failed = true;
}

/* ---- prepared statements ---- */

void ldr_pg_settle(ldr_pg *e, ldr_slot *slot, ldr_req *r) {
  ldr_registry *g = &slot->prepared;
  ldr_registry_settle(g, r);
  ldr_count(&e->counts.prepares, g->parses);
  ldr_count(&e->counts.evictions, g->evictions);
  g->parses = g->evictions = 0;
}

/* ---- driven jobs: the loop's lists ---- */

void ldr_job_ready(ldr_job *j) {
  ldr_jobs *l = &j->e->ready;
  if (j->is_ready) return;
  j->is_ready = true;
  j->next_ready = NULL;
  *(l->last ? &l->last->next_ready : &l->first) = j;
  l->last = j;
  l->n++;
}

ldr_job *ldr_jobs_take(ldr_jobs *l) {
  ldr_job *j = l->first;
  if (j == NULL) return NULL;
  l->first = j->next_ready;
  if (l->first == NULL) l->last = NULL;
  l->n--;
  j->is_ready = false;
  return j;
}

void ldr_job_not_ready(ldr_job *j) {
  ldr_jobs all = j->e->ready;
  ldr_job *other;
  if (!j->is_ready) return;
  j->e->ready = (ldr_jobs){0};
  while ((other = ldr_jobs_take(&all)) != NULL)
    if (other != j) ldr_job_ready(other);
}

void ldr_job_running(ldr_job *j) {
  if (j->is_running) return;
  j->is_running = true;
  j->run_prev = NULL;
  j->run_next = j->e->running;
  if (j->run_next) j->run_next->run_prev = j;
  j->e->running = j;
}

void ldr_job_not_running(ldr_job *j) {
  if (!j->is_running) return;
  j->is_running = false;
  *(j->run_prev ? &j->run_prev->run_next : &j->e->running) = j->run_next;
  if (j->run_next) j->run_next->run_prev = j->run_prev;
}

void ldr_job_unwatch(ldr_job *j) {
  if (j->e->loop) ldr_loop_unwatch(j->e->loop, &j->watch, j->conn ? ldr_conn_fd(j->conn) : -1);
}

void ldr_job_finished(ldr_job *j, ldr_code code, const ldr_err *err) {
  uint64_t ticket = j->ticket;
  ldr_chan *chan = j->e->chan;
  ldr_job_not_running(j);
  j->outcome = code;
  if (code) {
    j->why = ldr_alloc(sizeof *j->why);
    if (j->why) *j->why = *err;
  }
  if (j->rings) {
    j->e->bells--;
    atomic_store(&j->phase, LDR_JOB_RINGING);
    eventfd_write(j->bell, 1);
  }
  atomic_store(&j->phase, LDR_JOB_FINISHED); /* from here on it may be gone */
  if (ticket) ldr_chan_put(chan, ticket);
}

/* ---- forks ---- */

static void drop_bell(ldr_job *j) {
  if (j->bell >= 0) close(j->bell);
  j->bell = -1;
}

/* In a child the loop's thread is gone, and what was in flight is lost; a new loop tells that to its owners.
 */
void ldr_pg_check_fork(ldr_pg *e) {
  ldr_loop *gone = e->loop && ldr_loop_forked(e->loop) ? e->loop : NULL;
  if (gone) {
    e->loop = NULL;
    while (e->running) ldr_job_not_running(e->running);
    ldr_chan_renew(e->chan);
  }
  ldr_pool_check_fork(e->pool);
  if (gone == NULL) return;
  ldr_loop_free(gone);
  for (ldr_job *j = e->spares; j; j = j->next) drop_bell(j);
  e->bells = 0;
  for (ldr_job *j = e->jobs; j; j = j->next) {
    drop_bell(j);
    if (j->rings) j->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    j->watch.on = false;
    if (!j->driven || atomic_load(&j->phase) != LDR_JOB_SUBMITTED) continue;
    e->bells += j->rings;
    ldr_job_ready(j);
  }
}

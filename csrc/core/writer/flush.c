/* Rows from the queues to the engine: which store is next, its statement, and what follows from the answer.
 */
#include "writer/flush.h"

#include "async/thread.h"
#include "base/clock.h"
#include "writer/refused.h"

enum {
  SLOW_US = 100000,           /* a statement that runs for so long holds up nobody: another thread begins */
  IDLE_US = 1000000,          /* a further connection is closed when it was not needed for so long */
  SUSPECTS = LDR_FLUSHERS - 2 /* threads at most for stores that failed before */
};

/* ---- what became of rows ---- */

static bool in_memory(const ldr_queued *row) { return row->from == NULL || row->from->letter; }

/* Rows are no longer the queue's: the store can be written. Under the lock. */
static void leave_queue(ldr_writer *w, ldr_queue *q, size_t n) {
  q->failures = 0;
  q->pause = LDR_PAUSE_US;
  q->parked = false;
  q->err.code = LDR_OK;
  for (; n; n--) {
    const ldr_queued *row = &q->in_flight[q->at++];
    if (in_memory(row)) q->bytes -= ldr_row_size(row->row);
  }
  if (q->spilling.n || (q->unread && q->replay.n < w->config.batch)) pthread_cond_signal(&w->filing);
}

/* The file thread marks them in their files. When memory is short for that, they are delivered once more by
 * the next process, which their keys make harmless. Under the lock. */
static void acknowledge(ldr_writer *w, const ldr_queued *rows, size_t n) {
  bool any = false;
  for (size_t i = 0; i < n; i++) {
    if (rows[i].from == NULL || !ldr_fifo_reserve(&w->acks, 1)) continue;
    ldr_fifo_put(&w->acks, (ldr_queued){.from = rows[i].from, .at = rows[i].at});
    any = true;
  }
  if (any) pthread_cond_signal(&w->filing);
}

typedef struct delivery {
  ldr_writer *w;
  ldr_queue *q;
} delivery;

static ldr_code settle_refused(delivery *d, const ldr_err *why, ldr_err *err) {
  ldr_writer *w = d->w;
  ldr_queue *q = d->q;
  bool files;
  ldr_refused *r = ldr_refused_new(q->e, &q->in_flight[q->at], why);
  if (r == NULL) return ldr_fail_nomem(err);
  pthread_mutex_lock(&w->lock);
  if (w->abandoned) {
    pthread_mutex_unlock(&w->lock);
    ldr_free(r);
    return ldr_fail(err, LDR_CLOSED, "the writer is closed");
  }
  q->stats.rejected++;
  w->last_error = *why;
  ldr_refused_note(w, r);
  leave_queue(w, q, 1);
  files = w->spool != NULL;
  if (files) ldr_refused_pass_on(w, r);
  pthread_mutex_unlock(&w->lock);
  if (!files) ldr_refused_keep(w, r);
  return LDR_OK;
}

static ldr_code settle(void *ud, size_t n, size_t written, const ldr_err *refused, ldr_err *err) {
  delivery *d = ud;
  ldr_writer *w = d->w;
  ldr_queue *q = d->q;
  const ldr_queued *rows = &q->in_flight[q->at];
  bool files;
  if (refused) return settle_refused(d, refused, err);
  pthread_mutex_lock(&w->lock);
  if (w->abandoned) {
    pthread_mutex_unlock(&w->lock);
    return ldr_fail(err, LDR_CLOSED, "the writer is closed");
  }
  q->stats.written += written;
  q->stats.duplicates += n - written;
  q->stats.batches++;
  files = w->spool != NULL;
  if (files) acknowledge(w, rows, n);
  leave_queue(w, q, n);
  pthread_mutex_unlock(&w->lock);
  for (size_t i = 0; i < n; i++) {
    if (!files && rows[i].from) ldr_letters_done(&w->letters, rows[i].from, rows[i].at, true);
    ldr_row_release(rows[i].row);
  }
  return LDR_OK;
}

/* ---- parents ---- */

/* The queue of a store that q refers to; NULL: none, or it is q itself. */
static ldr_queue *parent(const ldr_writer *w, const ldr_queue *q, unsigned ref) {
  ldr_queue *p = ldr_state_find(w, q->e->refs[ref].target);
  return p == q ? NULL : p;
}

static bool parents_passed(const ldr_writer *w, const ldr_queue *q, uint64_t number) {
  for (unsigned i = 0; i < q->e->nrefs; i++) {
    const ldr_queue *p = parent(w, q, i);
    if (p && ldr_queue_first(p) < number) return false;
  }
  return true;
}

/* A missing row may be among those that wait. Its child is refused only after all that its parents held at
 * the first attempt was written. */
static bool may_refuse(void *ud, const ldr_err *err) {
  delivery *d = ud;
  ldr_queue *q = d->q;
  bool may;
  if (err->code != LDR_FOREIGN_KEY) return true;
  pthread_mutex_lock(&d->w->lock);
  if (q->parents == 0) q->parents = d->w->entered;
  may = parents_passed(d->w, q, q->parents);
  pthread_mutex_unlock(&d->w->lock);
  return may;
}

static const ldr_delivery_ops delivery_ops = {settle, may_refuse};

/* The parent whose older rows go first; NULL: none. One that cannot be written is not waited for. */
static ldr_queue *older_parent(const ldr_writer *w, const ldr_queue *q) {
  for (unsigned i = 0; i < q->e->nrefs; i++) {
    ldr_queue *p = parent(w, q, i);
    if (p && p->failures == 0 && ldr_queue_first(p) < ldr_queue_next(q)) return p;
  }
  return NULL;
}

static uint64_t number_limit(const ldr_writer *w, const ldr_queue *q) {
  uint64_t limit = UINT64_MAX;
  for (unsigned i = 0; i < q->e->nrefs; i++) {
    const ldr_queue *p = parent(w, q, i);
    if (p && p->failures == 0 && ldr_queue_first(p) < limit) limit = ldr_queue_first(p);
  }
  return limit;
}

/* ---- which store is next ---- */

bool ldr_flush_passed(const ldr_writer *w, uint64_t position) {
  if (w->sweep || w->sweeping || w->refused) return false;
  for (size_t i = 0; i < w->nqueues; i++)
    if (ldr_queue_first(w->queues[i]) < position) return false;
  return true;
}

/* When the store's rows should go: at once, when there is no reason to wait for more. */
static int64_t due(const ldr_writer *w, const ldr_queue *q) {
  bool unfinished = q->at < q->held;
  int64_t when;
  if (q->busy || q->given_up || (!unfinished && !ldr_queue_can_take(q))) return LDR_NEVER;
  if (q->parents && parents_passed(w, q, q->parents)) return 0;
  if (q->failures) return q->until;
  if (unfinished || q->replay.n || q->ring.n >= w->config.batch || w->closing || w->flushing) return 0;
  when = ldr_fifo_at(&q->ring, 0)->accepted;
  return when + (int64_t)(w->config.interval * 1e6);
}

static unsigned suspects(const ldr_writer *w) {
  unsigned n = 0;
  for (unsigned i = 0; i < w->nflushers; i++) n += w->flusher[i].q && w->flusher[i].q->failures;
  return n;
}

/* The store that is due. *when: the time of the next one, if there is none now. */
static ldr_queue *pick(ldr_writer *w, int64_t now, int64_t *when) {
  for (size_t i = 0; i < w->nqueues; i++) {
    size_t at = (w->turn + i) % w->nqueues;
    ldr_queue *q = w->queues[at], *p;
    int64_t t = due(w, q);
    if (t > now) {
      *when = ldr_sooner(*when, t);
      continue;
    }
    if (q->failures && suspects(w) >= SUSPECTS) continue;
    p = q->at < q->held ? NULL : older_parent(w, q);
    if (p && (p->busy || !ldr_queue_can_take(p) || older_parent(w, p))) continue;
    w->turn = at + 1;
    return p ? p : q;
  }
  return NULL;
}

/* ---- which thread is next ---- */

static bool any_connected(const ldr_writer *w) {
  for (unsigned i = 0; i < w->nflushers; i++)
    if (w->flusher[i].connected) return true;
  return false;
}

static int64_t may_connect(const ldr_writer *w, const ldr_flusher *f) {
  return any_connected(w) ? f->until : w->server_until;
}

/* When f may begin: now, if it is the first idle one and no other is at work, or all that are have been for a
 * while. Connected ones come first. */
static int64_t may_begin(const ldr_writer *w, const ldr_flusher *f, int64_t now) {
  int64_t when = f->connected ? 0 : may_connect(w, f);
  for (unsigned i = 0; i < w->nflushers; i++) {
    const ldr_flusher *g = &w->flusher[i];
    if (g == f || g->ended) continue;
    if (g->q) {
      if (g->since + SLOW_US > when) when = g->since + SLOW_US;
    } else if (g->connected > f->connected || (g->connected == f->connected && g < f)) {
      if (g->connected || may_connect(w, g) <= now) return LDR_NEVER;
    }
  }
  return when;
}

/* Does a flush wait for nothing but stores that cannot be written? Then the others go back to full batches.
 */
static bool flush_is_over(const ldr_writer *w) {
  for (size_t i = 0; i < w->nqueues; i++)
    if (!w->queues[i]->parked && ldr_queue_first(w->queues[i]) < w->wanted) return false;
  return true;
}

static bool all_written(const ldr_writer *w) {
  for (size_t i = 0; i < w->nqueues; i++) {
    const ldr_queue *q = w->queues[i];
    if (q->busy || (!q->given_up && ldr_queue_first(q) != UINT64_MAX)) return false;
  }
  return true;
}

static void hang_up(ldr_flusher *f) {
  if (f->engine) f->engine->ops->close(f->engine);
  f->engine = NULL;
}

/* A further connection that nobody needs is closed. true: it was, and the lock was given up meanwhile. */
static bool close_idle(ldr_flusher *f, int64_t now, int64_t *when) {
  ldr_writer *w = f->w;
  if (!f->connected || f == w->flusher) return false;
  *when = ldr_sooner(*when, f->since + IDLE_US);
  if (f->since + IDLE_US > now) return false;
  f->connected = false;
  pthread_mutex_unlock(&w->lock);
  hang_up(f);
  pthread_mutex_lock(&w->lock);
  return true;
}

static void begin(ldr_flusher *f, ldr_queue *q, int64_t now) {
  ldr_writer *w = f->w;
  if (q->at == q->held) ldr_queue_take(q, w->config.batch, number_limit(w, q));
  q->busy = true;
  f->q = q;
  f->since = now;
  if (w->nflushers > 1) pthread_cond_broadcast(&w->wake); /* the next idle one looks at the clock */
}

/* Waits until there is a batch for f. false: the end has come. Under the lock. */
static bool next_batch(ldr_flusher *f) {
  ldr_writer *w = f->w;
  while (!w->stop) {
    int64_t now = ldr_now_mono(), when = LDR_NEVER, mine = may_begin(w, f, now);
    ldr_queue *q = NULL;
    if (w->flushing && flush_is_over(w)) w->flushing = false;
    if (mine <= now) q = pick(w, now, &when);
    if (q) {
      begin(f, q, now);
      return true;
    }
    if (w->closing && all_written(w)) return false;
    if (mine > now) when = mine;
    if (!close_idle(f, now, &when)) ldr_state_wait(w, &w->wake, when);
  }
  return false;
}

/* ---- one batch ---- */

static bool is_connection(ldr_code code) { return code == LDR_CONNECTION || code == LDR_POOL_TIMEOUT; }

/* The pause, up to a quarter more or less, so that writers of many processes do not come together. */
static int64_t spread(ldr_writer *w, int64_t pause) {
  w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return pause + (int64_t)((w->random >> 33) % (uint64_t)(pause / 2)) - pause / 4;
}

static int64_t doubled(int64_t pause) { return pause * 2 > LDR_PAUSE_MAX_US ? LDR_PAUSE_MAX_US : pause * 2; }

/* The server cannot be reached: no fault of the store's. Under the lock. */
static void server_failed(ldr_writer *w, ldr_flusher *f, const ldr_err *err) {
  w->last_error = *err;
  f->q->stats.retries++;
  f->until = ldr_now_mono() + spread(w, w->server_pause);
  if (any_connected(w)) return;
  w->server_until = f->until;
  w->server_pause = doubled(w->server_pause);
  w->server_away = true;
  w->server_err = *err;
}

static void server_answered(ldr_writer *w) {
  w->server_pause = LDR_PAUSE_US;
  w->server_until = 0;
  w->server_away = false;
}

static void store_failed(ldr_writer *w, ldr_queue *q, const ldr_err *err) {
  bool lost = is_connection(err->code);
  if (err->code == LDR_TIMEOUT) q->limit = q->limit > 1 ? q->limit / 2 : 1;
  w->last_error = *err;
  q->stats.retries++;
  q->failures++;
  q->until = ldr_now_mono() + spread(w, q->pause);
  q->pause = doubled(q->pause);
  if (!lost && (q->parents == 0 || q->failures > 1)) { /* a child whose parent comes a moment later is well */
    q->parked = true;
    q->err = *err;
  }
  if (w->closing && !lost && q->parents == 0) q->given_up = true;
}

static void store_written(const ldr_writer *w, ldr_queue *q) {
  size_t batch = w->config.batch;
  q->limit = q->limit > batch / 2 ? batch : q->limit * 2;
  if (q->at == q->held) q->parents = 0;
}

/* Writes the first rows in flight, as many as one statement takes. */
static ldr_code deliver(ldr_writer *w, ldr_engine *engine, ldr_queue *q, ldr_err *err) {
  delivery d = {w, q};
  const ldr_queued *rows = q->in_flight + q->at;
  size_t n = ldr_deliver_batch(q->e, rows, q->held - q->at, q->limit);
  return ldr_deliver(engine, q->e, rows, n, w->config.timeout, &delivery_ops, &d, err);
}

static ldr_code reach(ldr_flusher *f, ldr_err *err) {
  return f->engine ? LDR_OK : f->w->source->open(f->w->source, &f->engine, err);
}

/* One statement of the store's, or several while rows are refused. */
static void write_batch(ldr_flusher *f) {
  ldr_writer *w = f->w;
  ldr_queue *q = f->q;
  bool reached;
  ldr_err err;
  ldr_code code = reach(f, &err);
  reached = code == LDR_OK;
  if (reached) {
    code = deliver(w, f->engine, q, &err);
    if (is_connection(code)) hang_up(f); /* so that the next try is a fresh one */
  }
  pthread_mutex_lock(&w->lock);
  f->connected = f->engine != NULL;
  if (!w->abandoned) {
    if (reached) server_answered(w);
    if (!reached)
      server_failed(w, f, &err);
    else if (code)
      store_failed(w, q, &err);
    else
      store_written(w, q);
    q->busy = false;
    f->q = NULL;
    f->since = ldr_now_mono();
  }
}

static void *run(void *ud) {
  ldr_flusher *f = ud;
  ldr_writer *w = f->w;
  pthread_mutex_lock(&w->lock);
  while (next_batch(f)) {
    pthread_mutex_unlock(&w->lock);
    write_batch(f); /* comes back with the lock */
  }
  pthread_mutex_unlock(&w->lock);
  hang_up(f);
  pthread_mutex_lock(&w->lock);
  f->ended = true;
  f->connected = false;
  pthread_cond_broadcast(&w->wake);
  pthread_mutex_unlock(&w->lock);
  ldr_state_thread_ended(w);
  return NULL;
}

bool ldr_flush_start(ldr_writer *w) {
  ldr_flusher *f = &w->flusher[w->nflushers];
  for (unsigned i = 0; i < w->nflushers; i++)
    if (w->flusher[i].q == NULL) return true;
  if (w->nflushers == LDR_FLUSHERS) return true;
  *f = (ldr_flusher){.w = w, .since = ldr_now_mono()};
  f->started = ldr_thread_start(run, f, &f->thread);
  w->nflushers += f->started;
  w->running += f->started;
  return f->started || w->nflushers > 0;
}

/* ---- without threads ---- */

/* true: something was written. */
static bool write_directly(ldr_writer *w, ldr_queue *q) {
  ldr_err err;
  bool any = false;
  while (q->at < q->held || ldr_queue_can_take(q)) {
    if (q->at == q->held) ldr_queue_take(q, w->config.batch, UINT64_MAX);
    if (deliver(w, w->direct, q, &err) != LDR_OK) {
      store_failed(w, q, &err);
      return any;
    }
    store_written(w, q);
    any = true;
  }
  return any;
}

/* A child may wait for what its parent gets on the second round. */
void ldr_flush_directly(ldr_writer *w) {
  bool again = true;
  for (int round = 0; again && round < 2; round++) {
    again = false;
    for (size_t i = 0; i < w->nqueues; i++) again = write_directly(w, w->queues[i]) || again;
  }
}

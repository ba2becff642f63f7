#include "writer/writer.h"

#include <string.h>

#include "base/clock.h"
#include "writer/flush.h"
#include "writer/replay.h"

enum {
  GRACE_US = 100000, /* for a statement that was told to end */
  SAVE_US = 10000000 /* for the disk, at the end */
};

void ldr_writer_config_default(ldr_writer_config *c) {
  *c = (ldr_writer_config){.queue = 10000,
                           .queue_bytes = 64 << 20,
                           .batch = 500,
                           .interval = 0.2,
                           .timeout = 5,
                           .policy = LDR_POLICY_ERROR,
                           .spill_bytes = 1 << 30,
                           .segment_bytes = 4 << 20};
}

ldr_code ldr_writer_new(ldr_engine *e, const ldr_writer_config *c, ldr_writer **out, ldr_err *err) {
  ldr_writer *w = ldr_alloc(sizeof *w);
  ldr_code code = LDR_OK;
  if (w == NULL) return ldr_fail_nomem(err);
  ldr_state_init_locks(w);
  w->config = *c;
  if (w->config.batch > w->config.queue) w->config.batch = w->config.queue;
  w->server_pause = LDR_PAUSE_US;
  w->random = (uint64_t)ldr_now_mono() ^ (uint64_t)(uintptr_t)w;
  if (e->ops->clone == NULL)
    w->direct = e;
  else
    code = e->ops->clone(e, c->timeout, &w->source, err);
  if (code == LDR_OK && c->spill && w->source) {
    w->path = ldr_strndup(c->spill, strlen(c->spill));
    if (w->path == NULL) code = ldr_fail_nomem(err);
  }
  w->config.spill = NULL; /* borrowed */
  if (code == LDR_OK) code = ldr_state_open(w, err);
  if (code) {
    ldr_state_free(w);
    return code;
  }
  *out = w;
  return LDR_OK;
}

static ldr_code start(ldr_writer *w, ldr_err *err) {
  if (w->direct || (ldr_replay_start(w) && ldr_flush_start(w))) return LDR_OK;
  return ldr_fail(err, LDR_CAPACITY, "the writer's thread cannot be started");
}

/* ---- rows ---- */

static bool has_room(const ldr_writer *w, const ldr_queue *q) {
  if (ldr_queue_is_spilling(q)) return false;
  return q->ring.n + (q->held - q->at) < w->config.queue && q->bytes < w->config.queue_bytes;
}

static ldr_code put(ldr_fifo *to, ldr_writer *w, ldr_queue *q, ldr_row **row, size_t *bytes, ldr_err *err) {
  if (!ldr_fifo_reserve(to, 1)) return ldr_fail_nomem(err);
  *bytes += ldr_row_size(*row);
  ldr_fifo_put(to, (ldr_queued){.row = *row, .number = w->entered++, .accepted = ldr_now_mono()});
  q->stats.queued++;
  *row = NULL;
  return LDR_OK;
}

static ldr_code full(const ldr_queue *q, ldr_err *err) {
  return ldr_fail(err, LDR_CAPACITY, "the queue of %s.%s is full: %zu rows wait, %zu bytes%s%.200s",
                  q->e->schema->name, q->e->name, ldr_queue_depth(q), q->bytes + q->spilling_bytes,
                  q->parked ? "; it cannot be written: " : "", q->parked ? q->err.message : "");
}

static ldr_code into_file(ldr_writer *w, ldr_queue *q, ldr_row **row, ldr_err *err) {
  ldr_code code;
  if (w->spool == NULL) return full(q, err);
  if (w->file_fails) {
    code = w->last_error.code;
    return ldr_fail(err, LDR_CAPACITY,
                    "the queue of %s.%s is full, and the spill directory takes no rows: %.300s",
                    q->e->schema->name, q->e->name, code ? w->last_error.message : "");
  }
  if (q->spilling_bytes >= w->config.queue_bytes) return LDR_PENDING; /* the disk is behind */
  code = put(&q->spilling, w, q, row, &q->spilling_bytes, err);
  pthread_cond_signal(&w->filing);
  return code;
}

/* Takes the row, or leaves it with the caller. Under the lock. */
static ldr_code accept(ldr_writer *w, ldr_queue *q, ldr_row **row, ldr_err *err) {
  ldr_code code;
  if (has_room(w, q)) {
    code = put(&q->ring, w, q, row, &q->bytes, err);
    if (q->ring.n == 1 || q->ring.n == w->config.batch) pthread_cond_broadcast(&w->wake);
    return code;
  }
  switch (w->config.policy) {
    case LDR_POLICY_BLOCK: return LDR_PENDING;
    case LDR_POLICY_DROP: q->stats.dropped++; return LDR_OK;
    case LDR_POLICY_SPILL: return into_file(w, q, row, err);
    case LDR_POLICY_ERROR: break;
  }
  return full(q, err);
}

ldr_code ldr_writer_push(ldr_writer *w, const ldr_entity *e, ldr_row *row, ldr_err *err) {
  ldr_code code = ldr_state_renew(w, err);
  ldr_queue *q;
  if (code == LDR_OK) {
    if (w->direct) ldr_flush_directly(w);
    pthread_mutex_lock(&w->lock);
    code = start(w, err);
    q = code ? NULL : ldr_state_queue(w, e, err);
    if (code == LDR_OK) code = q ? accept(w, q, &row, err) : err->code;
    pthread_mutex_unlock(&w->lock);
    if (w->direct) ldr_flush_directly(w);
  }
  ldr_row_release(row);
  return code;
}

bool ldr_writer_has_room(ldr_writer *w, const ldr_entity *e) {
  const ldr_queue *q;
  ldr_err err;
  bool room;
  if (ldr_state_renew(w, &err) != LDR_OK) return true; /* the next push tells */
  if (w->direct) ldr_flush_directly(w);
  pthread_mutex_lock(&w->lock);
  q = ldr_state_find(w, e);
  room = q == NULL || has_room(w, q);
  if (!room && w->config.policy == LDR_POLICY_SPILL)
    room = w->file_fails || q->spilling_bytes < w->config.queue_bytes;
  pthread_mutex_unlock(&w->lock);
  return room;
}

/* ---- flush ---- */

ldr_code ldr_writer_flush(ldr_writer *w, uint64_t *position, ldr_err *err) {
  ldr_code code = ldr_state_renew(w, err);
  if (code) return code;
  pthread_mutex_lock(&w->lock);
  code = start(w, err);
  if (code == LDR_OK) {
    *position = w->wanted = w->entered;
    w->flushing = true;
    w->sweep = w->spool != NULL;
    pthread_cond_broadcast(&w->wake);
    pthread_cond_signal(&w->filing);
  }
  pthread_mutex_unlock(&w->lock);
  return code;
}

/* Does everything that waits belong to stores that cannot be written? */
static bool only_parked(const ldr_writer *w, uint64_t position) {
  if (w->sweep || w->sweeping || w->refused) return false;
  for (size_t i = 0; i < w->nqueues; i++)
    if (!w->queues[i]->parked && ldr_queue_first(w->queues[i]) < position) return false;
  return true;
}

ldr_flushed ldr_writer_flushed(ldr_writer *w, uint64_t position) {
  ldr_flushed answer = LDR_FLUSH_WAITS;
  if (w->direct) ldr_flush_directly(w);
  pthread_mutex_lock(&w->lock);
  if (ldr_flush_passed(w, position))
    answer = LDR_FLUSH_DONE;
  else if (only_parked(w, position))
    answer = LDR_FLUSH_PARKED;
  pthread_mutex_unlock(&w->lock);
  return answer;
}

/* ---- families ---- */

ldr_code ldr_writer_know(ldr_writer *w, ldr_schema *s, ldr_err *err) {
  ldr_code code = ldr_state_renew(w, err);
  if (code) return code;
  pthread_mutex_lock(&w->lock);
  code = ldr_state_learn(w, s, err);
  pthread_mutex_unlock(&w->lock);
  return code;
}

bool ldr_writer_family(ldr_writer *w, unsigned i, char name[65], bool *known) {
  bool found;
  pthread_mutex_lock(&w->lock);
  found = i < w->unknown.n;
  if (found) {
    memcpy(name, w->unknown.name[i], strlen(w->unknown.name[i]) + 1);
    *known = ldr_state_knows(w, name);
  }
  pthread_mutex_unlock(&w->lock);
  return found;
}

/* ---- dead letters ---- */

/* A dead letter's row waits in memory, and goes to no file of rows: its letter stays until it is written. */
static ldr_code put_letter(ldr_writer *w, const ldr_entity *e, ldr_row *row, ldr_segment *from, uint64_t at,
                           ldr_err *err) {
  ldr_queue *q;
  ldr_code code;
  pthread_mutex_lock(&w->lock);
  code = start(w, err);
  q = code ? NULL : ldr_state_queue(w, e, err);
  if (code == LDR_OK && q == NULL) code = err->code;
  if (code == LDR_OK && !has_room(w, q)) code = full(q, err);
  if (code == LDR_OK) code = put(&q->ring, w, q, &row, &q->bytes, err);
  if (code == LDR_OK) {
    ldr_queued *queued = ldr_fifo_at(&q->ring, q->ring.n - 1);
    queued->from = from;
    queued->at = at;
    pthread_cond_broadcast(&w->wake);
  }
  pthread_mutex_unlock(&w->lock);
  if (code == LDR_OK && w->direct) ldr_flush_directly(w);
  return code;
}

typedef struct letters_page {
  ldr_writer *w;
  ldr_writer_letter *each;
  void *ud;
} letters_page;

static const ldr_entity *entity_of(void *ud, const ldr_record *r) {
  ldr_writer *w = ud;
  const ldr_entity *e;
  pthread_mutex_lock(&w->lock);
  e = ldr_state_entity(w, r->family, r->store);
  pthread_mutex_unlock(&w->lock);
  return e;
}

static void each_letter(void *ud, const char *id, const ldr_record *r) {
  letters_page *p = ud;
  p->each(p->ud, id, r, entity_of(p->w, r));
}

ldr_code ldr_writer_letters(ldr_writer *w, const char *after, size_t max, ldr_writer_letter *each, void *ud,
                            size_t *n, ldr_err *err) {
  letters_page p = {w, each, ud};
  ldr_code code = ldr_state_renew(w, err);
  return code ? code : ldr_letters_page(&w->letters, after, max, each_letter, &p, n, err);
}

ldr_code ldr_writer_discard(ldr_writer *w, const char *id, ldr_err *err) {
  ldr_code code = ldr_state_renew(w, err);
  return code ? code : ldr_letters_discard(&w->letters, id, err);
}

ldr_code ldr_writer_replay(ldr_writer *w, const char *id, ldr_err *err) {
  const ldr_entity *e;
  ldr_segment *from;
  ldr_row *row;
  uint64_t at;
  ldr_code code = ldr_state_renew(w, err);
  if (code == LDR_OK) code = ldr_letters_take(&w->letters, id, entity_of, w, &e, &row, &from, &at, err);
  if (code) return code;
  code = put_letter(w, e, row, from, at, err);
  if (code) {
    ldr_letters_done(&w->letters, from, at, false);
    ldr_row_release(row);
  }
  return code;
}

/* ---- the end ---- */

static bool flushers_ended(const ldr_writer *w) {
  for (unsigned i = 0; i < w->nflushers; i++)
    if (!w->flusher[i].ended) return false;
  return true;
}

static void wait_for_flushers(ldr_writer *w, int64_t until) {
  while (!flushers_ended(w) && ldr_now_mono() < until) ldr_state_wait(w, &w->over, until);
}

/* Under the lock. Each store that pauses is tried once more. */
static void end_flushers(ldr_writer *w, double seconds) {
  if (w->nflushers == 0) return;
  w->closing = true;
  w->server_until = 0;
  for (size_t i = 0; i < w->nqueues; i++) w->queues[i]->until = 0;
  pthread_cond_broadcast(&w->wake);
  wait_for_flushers(w, ldr_deadline(seconds < 1e9 ? seconds : 1e9));
  w->stop = true;
  pthread_cond_broadcast(&w->wake);
  wait_for_flushers(w, ldr_now_mono() + GRACE_US);
  w->abandoned = !flushers_ended(w);
}

static size_t in_memory_only(const ldr_queue *q) {
  size_t n = q->spilling.n;
  for (size_t i = 0; i < q->ring.n; i++) n += ldr_fifo_at(&q->ring, i)->from == NULL;
  for (size_t i = q->at; i < q->held; i++) n += q->in_flight[i].from == NULL;
  return n;
}

/* Under the lock, which it gives up while it waits. What the file thread does not save is lost. */
static void save_rest(ldr_writer *w) {
  int64_t until = ldr_now_mono() + SAVE_US;
  if (w->file_started) {
    w->save = true;
    pthread_cond_signal(&w->filing);
    while (!w->file_ended && ldr_now_mono() < until) ldr_state_wait(w, &w->over, until);
    if (!w->file_ended) w->abandoned = true;
  }
  for (size_t i = 0; i < w->nqueues; i++) {
    ldr_queue *q = w->queues[i];
    q->stats.dropped += in_memory_only(q) - q->saved;
  }
}

typedef struct ended {
  pthread_t thread[LDR_FLUSHERS + 1];
  bool over[LDR_FLUSHERS + 1];
  unsigned n;
} ended;

static void list_threads(const ldr_writer *w, ended *out) {
  *out = (ended){.n = w->nflushers};
  for (unsigned i = 0; i < w->nflushers; i++) {
    out->thread[i] = w->flusher[i].thread;
    out->over[i] = w->flusher[i].ended;
  }
  if (!w->file_started) return;
  out->thread[out->n] = w->file_thread;
  out->over[out->n++] = w->file_ended;
}

/* A thread that is still in a call frees the writer when it returns. */
static void end_threads(const ended *t) {
  for (unsigned i = 0; i < t->n; i++)
    if (t->over[i])
      pthread_join(t->thread[i], NULL);
    else
      pthread_detach(t->thread[i]);
}

void ldr_writer_close(ldr_writer *w, double seconds, ldr_writer_stats *last) {
  bool abandoned;
  ended threads;
  if (w == NULL) return;
  if (ldr_state_discard_after_fork(w) || !w->ready) {
    ldr_state_free(w);
    return;
  }
  if (w->direct) ldr_flush_directly(w);
  pthread_mutex_lock(&w->lock);
  end_flushers(w, seconds);
  save_rest(w);
  if (last) ldr_state_stats(w, last);
  list_threads(w, &threads);
  abandoned = w->abandoned;
  if (abandoned && w->file_ended) ldr_state_close_files(w); /* the next process may have the rows */
  pthread_mutex_unlock(&w->lock);
  end_threads(&threads);
  if (!abandoned) ldr_state_free(w);
}

#define _GNU_SOURCE
#include "writer/state.h"

#include <string.h>
#include <time.h>

#include "async/fork.h"
#include "base/clock.h"

void ldr_state_wait(ldr_writer *w, pthread_cond_t *cond, int64_t until) {
  struct timespec t = {.tv_sec = (time_t)(until / 1000000), .tv_nsec = (long)(until % 1000000) * 1000};
  if (until == LDR_NEVER)
    pthread_cond_wait(cond, &w->lock);
  else
    pthread_cond_timedwait(cond, &w->lock, &t);
}

/* ---- stores ---- */

ldr_queue *ldr_state_find(const ldr_writer *w, const ldr_entity *e) {
  for (size_t i = 0; i < w->nqueues; i++)
    if (w->queues[i]->e == e) return w->queues[i];
  return NULL;
}

/* Families declare parents before children. */
static bool before(const ldr_entity *a, const ldr_entity *b) {
  uintptr_t family = (uintptr_t)a->schema, other = (uintptr_t)b->schema;
  return family == other ? a->id < b->id : family < other;
}

ldr_code ldr_state_learn(ldr_writer *w, ldr_schema *s, ldr_err *err) {
  ldr_schema **more;
  for (size_t i = 0; i < w->nfamilies; i++)
    if (w->families[i] == s) return LDR_OK;
  more = ldr_realloc(w->families, (w->nfamilies + 1) * sizeof(ldr_schema *));
  if (more == NULL) return ldr_fail_nomem(err);
  w->families = more;
  w->families[w->nfamilies++] = ldr_schema_retain(s);
  w->sweep = w->spool != NULL;
  pthread_cond_signal(&w->filing);
  return LDR_OK;
}

ldr_queue *ldr_state_queue(ldr_writer *w, const ldr_entity *e, ldr_err *err) {
  ldr_queue *q = ldr_state_find(w, e), **more;
  size_t at = w->nqueues;
  if (q) return q;
  if (ldr_state_learn(w, e->schema, err) != LDR_OK) return NULL;
  more = ldr_realloc(w->queues, (w->nqueues + 1) * sizeof(ldr_queue *));
  if (more == NULL) {
    (void)ldr_fail_nomem(err);
    return NULL;
  }
  w->queues = more;
  if (ldr_queue_new(e, w->config.batch, &q, err) != LDR_OK) return NULL;
  q->pause = LDR_PAUSE_US;
  for (; at > 0 && before(e, w->queues[at - 1]->e); at--) w->queues[at] = w->queues[at - 1];
  w->queues[at] = q;
  w->nqueues++;
  return q;
}

static const ldr_schema *family(const ldr_writer *w, const char *name) {
  for (size_t i = 0; i < w->nfamilies; i++)
    if (strcmp(w->families[i]->name, name) == 0) return w->families[i];
  return NULL;
}

bool ldr_state_knows(const ldr_writer *w, const char *name) { return family(w, name) != NULL; }

const ldr_entity *ldr_state_entity(const ldr_writer *w, const char *name, const char *store) {
  const ldr_schema *s = family(w, name);
  return s ? ldr_schema_find(s, store) : NULL;
}

/* ---- making ---- */

void ldr_state_init_locks(ldr_writer *w) {
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&w->lock, NULL);
  pthread_cond_init(&w->wake, &monotonic);
  pthread_cond_init(&w->filing, &monotonic);
  pthread_cond_init(&w->over, &monotonic);
  pthread_condattr_destroy(&monotonic);
}

/* Families of the segments in the directory, each once. */
static ldr_code list_families(ldr_writer *w, ldr_err *err) {
  ldr_segment_name parts;
  ldr_names names;
  size_t n = 0;
  ldr_code code = ldr_spool_names(w->spool, "", ".rows", &names, err);
  if (code) return code;
  for (size_t i = 0; i < names.n; i++) {
    char *name = names.name[i];
    bool seen = !ldr_segment_name_parse(name, &parts);
    for (size_t k = 0; k < n && !seen; k++) seen = strcmp(names.name[k], parts.family) == 0;
    if (seen) {
      ldr_free(name);
      continue;
    }
    memcpy(name, parts.family, strlen(parts.family) + 1);
    names.name[n++] = name;
  }
  names.n = n;
  ldr_names_free(&w->unknown);
  w->unknown = names;
  return LDR_OK;
}

/* What a process needs of its own: anew in a forked child. Numbers of rows go on where those of earlier
 * processes ended, as far as their clock tells. */
ldr_code ldr_state_open(ldr_writer *w, ldr_err *err) {
  ldr_code code = LDR_OK;
  w->forks = ldr_forks();
  w->entered = LDR_FIRST_NUMBER + (uint64_t)ldr_now_wall();
  if (w->path) code = ldr_spool_open(w->path, &w->spool, err);
  if (code) return code;
  ldr_letters_init(&w->letters, w->spool, w->config.spill_bytes);
  if (w->spool) code = list_families(w, err);
  w->sweep = w->spool && w->unknown.n > 0;
  w->ready = true;
  return code;
}

void ldr_state_close_files(ldr_writer *w) {
  if (w->ready) ldr_letters_free(&w->letters);
  ldr_spool_close(w->spool);
  ldr_names_free(&w->unknown);
  w->spool = NULL;
  w->ready = false;
}

static void free_queues(ldr_writer *w) {
  for (size_t i = 0; i < w->nqueues; i++) ldr_queue_free(w->queues[i]);
  ldr_free(w->queues);
  w->queues = NULL;
  w->nqueues = w->turn = 0;
  while (w->refused) {
    ldr_refused *r = w->refused;
    w->refused = r->next;
    ldr_row_release(r->row.row);
    ldr_free(r);
  }
  ldr_free(w->acks.p);
  w->acks = (ldr_fifo){0};
  for (; w->nrejects; w->nrejects--)
    ldr_row_release(w->rejects[(w->first_reject + w->nrejects - 1) % LDR_REJECTS].key);
}

void ldr_state_free(ldr_writer *w) {
  free_queues(w);
  ldr_state_close_files(w);
  for (size_t i = 0; i < w->nfamilies; i++) ldr_schema_release(w->families[i]);
  ldr_free(w->families);
  if (w->source) w->source->free(w->source);
  ldr_free(w->path);
  pthread_cond_destroy(&w->over);
  pthread_cond_destroy(&w->filing);
  pthread_cond_destroy(&w->wake);
  pthread_mutex_destroy(&w->lock);
  ldr_free(w);
}

/* ---- forks ---- */

static bool at_work(const ldr_writer *w) {
  for (unsigned i = 0; i < w->nflushers; i++)
    if (w->flusher[i].q) return true;
  return w->file_started && !w->file_idle;
}

/* In a forked child there are no threads, and rows are the parent's: they are given up. What a thread was at
 * when the process forked cannot even be freed; neither can its connection. */
bool ldr_state_discard_after_fork(ldr_writer *w) {
  ldr_writer old;
  if (w->forks == ldr_forks()) return false;
  if (pthread_mutex_trylock(&w->lock) == 0 && !at_work(w)) {
    free_queues(w);
    ldr_state_close_files(w);
  }
  old = *w;
  *w = (ldr_writer){.config = old.config,
                    .path = old.path,
                    .direct = old.direct,
                    .source = old.source,
                    .families = old.families,
                    .nfamilies = old.nfamilies,
                    .forks = ldr_forks(),
                    .server_pause = LDR_PAUSE_US,
                    .random = old.random + ldr_forks()};
  ldr_state_init_locks(w);
  return true;
}

ldr_code ldr_state_renew(ldr_writer *w, ldr_err *err) {
  return ldr_state_discard_after_fork(w) || !w->ready ? ldr_state_open(w, err) : LDR_OK;
}

void ldr_state_thread_ended(ldr_writer *w) {
  bool last;
  pthread_mutex_lock(&w->lock);
  last = --w->running == 0 && w->abandoned;
  pthread_cond_broadcast(&w->over);
  pthread_mutex_unlock(&w->lock);
  if (last) ldr_state_free(w);
}

/* ---- counters ---- */

double ldr_state_age(int64_t accepted) {
  return accepted == LDR_NEVER ? 0 : (double)(ldr_now_mono() - accepted) / 1e6;
}

static void add(ldr_writer_stats *sum, const ldr_queue_stats *s) {
  sum->queued += s->queued;
  sum->written += s->written;
  sum->duplicates += s->duplicates;
  sum->rejected += s->rejected;
  sum->spilled += s->spilled;
  sum->replayed += s->replayed;
  sum->dropped += s->dropped;
  sum->batches += s->batches;
  sum->retries += s->retries;
  sum->depth += s->depth;
  sum->bytes += s->bytes;
  sum->filed += s->filed;
}

void ldr_state_stats(ldr_writer *w, ldr_writer_stats *out) {
  int64_t oldest = LDR_NEVER;
  *out = (ldr_writer_stats){.last_error = w->last_error, .damaged = w->damaged, .unclaimed = w->unclaimed};
  for (size_t i = 0; i < w->nqueues; i++) {
    ldr_queue_stats s;
    ldr_queue_stats_get(w->queues[i], &s);
    add(out, &s);
    out->parked += w->queues[i]->parked;
    oldest = ldr_sooner(oldest, ldr_queue_oldest(w->queues[i]));
  }
  out->oldest_age = ldr_state_age(oldest);
}

#define _GNU_SOURCE
#include "writer/writer.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "async/fork.h"
#include "base/clock.h"
#include "postgres/postgres.h"
#include "postgres/protocol/conninfo.h"
#include "writer/queue.h"

enum { BACKOFF_US = 50000, BACKOFF_MAX_US = 5000000, GRACE_US = 100000 };

struct ldr_writer {
  ldr_writer_config config;
  char *spill;
  ldr_engine *direct; /* NULL: there is a thread … */
  ldr_conninfo *info; /* … which reaches the server by these */
  ldr_pool_config pool;
  unsigned forks;
  bool orphan; /* nobody waits for the thread any more: it frees the writer. Set under the lock, at the end */

  pthread_mutex_t lock; /* guards what follows */
  pthread_cond_t wake;  /* the thread: there is work, or the end has come */
  pthread_cond_t over;  /* who closes: the thread has ended */
  pthread_t thread;
  bool started, ended;
  bool closing;    /* write what there is, then end */
  bool stop;       /* end */
  uint64_t wanted; /* the highest ticket somebody waits for */
  bool flushing;   /* … and it has not passed yet */
  ldr_backlog backlog;
  ldr_reject rejects[LDR_REJECTS];
  unsigned first_reject, nrejects;
  ldr_writer_stats stats;

  /* the thread's own */
  ldr_engine *engine;
  size_t limit; /* rows a statement; fewer after one that took too long */
  int64_t backoff;
  uint64_t random;
};

void ldr_writer_config_default(ldr_writer_config *c) {
  *c = (ldr_writer_config){.queue = 10000,
                           .queue_bytes = 64 << 20,
                           .batch = 500,
                           .interval = 0.2,
                           .timeout = 5,
                           .policy = LDR_POLICY_ERROR};
}

/* ---- outcomes ---- */

static void note_error(ldr_writer *w, const ldr_err *err) { w->stats.last_error = *err; }

/* The key alone is kept, so that the row can be named. */
static ldr_row *key_of(const ldr_parcel *p) {
  ldr_value values[LDR_MAX_FIELDS];
  ldr_row *key;
  ldr_err err;
  for (unsigned i = 0; i < p->e->nfields; i++) {
    values[i] = ldr_null();
    if (ldr_entity_in_key(p->e, i)) ldr_row_get(p->e, p->row, i, &values[i]);
  }
  return ldr_row_pack(p->e, values, &key, &err) == LDR_OK ? key : NULL;
}

bool ldr_writer_take_reject(ldr_writer *w, ldr_reject *out) {
  bool found;
  pthread_mutex_lock(&w->lock);
  found = w->nrejects > 0;
  if (found) {
    *out = w->rejects[w->first_reject];
    w->first_reject = (w->first_reject + 1) % LDR_REJECTS;
    w->nrejects--;
  }
  pthread_mutex_unlock(&w->lock);
  return found;
}

static void add_reject(ldr_writer *w, const ldr_parcel *p, const ldr_err *err) {
  ldr_reject *r;
  if (w->nrejects == LDR_REJECTS) {
    ldr_row_release(w->rejects[w->first_reject].key);
    w->first_reject = (w->first_reject + 1) % LDR_REJECTS;
    w->nrejects--;
  }
  r = &w->rejects[(w->first_reject + w->nrejects++) % LDR_REJECTS];
  *r = (ldr_reject){p->e, key_of(p), *err};
}

static bool settle(void *ud, size_t n, size_t written, const ldr_err *err) {
  ldr_writer *w = ud;
  bool go_on;
  pthread_mutex_lock(&w->lock);
  go_on = !w->orphan;
  if (go_on) {
    w->stats.written += written;
    if (err) {
      w->stats.rejected++;
      note_error(w, err);
      add_reject(w, &w->backlog.hand[w->backlog.at], err);
    } else {
      w->stats.batches++;
      w->stats.duplicates += n - written;
    }
    ldr_backlog_settle(&w->backlog, n);
  }
  pthread_mutex_unlock(&w->lock);
  return go_on;
}

/* ---- writing ---- */

/* Until now the hand was filled under the lock; from here on nobody but the thread changes it. */
static ldr_code deliver_run(ldr_writer *w, ldr_engine *engine, ldr_err *err) {
  const ldr_parcel *p = w->backlog.hand + w->backlog.at;
  size_t n = ldr_parcels_run(p, w->backlog.held - w->backlog.at, w->limit);
  ldr_code code = ldr_deliver(engine, p, n, w->config.timeout, settle, w, err);
  if (code == LDR_TIMEOUT)
    w->limit = n > 1 ? n / 2 : 1;
  else if (code == LDR_OK)
    w->limit = w->limit > w->config.batch / 2 ? w->config.batch : w->limit * 2;
  return code;
}

/* Takes the next batch; false: there is none, or it could not be read. Under the lock. */
static bool take(ldr_writer *w) {
  ldr_err odd = {.code = LDR_OK}, err = {.code = LDR_OK};
  ldr_code code = ldr_backlog_take(&w->backlog, &odd, &err);
  if (odd.code) note_error(w, &odd);
  if (code) note_error(w, &err);
  w->stats.replayed = w->backlog.replayed;
  return w->backlog.held > 0;
}

/* ---- the thread ---- */

static struct timespec until(int64_t when) {
  struct timespec t = {.tv_sec = (time_t)(when / 1000000), .tv_nsec = (long)(when % 1000000) * 1000};
  return t;
}

/* The thread waits until `when` or until it is called; under the lock. */
static void sleep_until(ldr_writer *w, int64_t when) {
  struct timespec t = until(when);
  if (when == LDR_NEVER)
    pthread_cond_wait(&w->wake, &w->lock);
  else
    pthread_cond_timedwait(&w->wake, &w->lock, &t);
}

/* When the rows at hand should go: at once, when there is no reason to wait for more. */
static int64_t due(const ldr_writer *w) {
  const ldr_backlog *b = &w->backlog;
  if (ldr_backlog_unread(b)) return 0;
  if (b->n == 0) return LDR_NEVER;
  if (b->n >= b->batch || w->closing || w->flushing) return 0;
  return b->ring[b->first].accepted + (int64_t)(w->config.interval * 1e6);
}

/* Waits until a batch lies in the hand. false: the end has come. Under the lock. */
static bool next_batch(ldr_writer *w) {
  while (!w->stop) {
    int64_t when = due(w), now = ldr_now_mono();
    if (w->flushing && ldr_backlog_passed(&w->backlog, w->wanted)) w->flushing = false;
    if (when <= now && take(w)) return true;
    if (when == LDR_NEVER && w->closing) return false;
    if (when <= now) when = now + BACKOFF_US; /* memory was short, or only records for later were found */
    sleep_until(w, when);
  }
  return false;
}

static void hang_up(ldr_writer *w) {
  if (w->engine) w->engine->ops->close(w->engine);
  w->engine = NULL;
}

static ldr_code reach(ldr_writer *w, ldr_err *err) {
  const char *const *keywords = (const char *const *)w->info->keywords;
  const char *const *values = (const char *const *)w->info->values;
  return w->engine ? LDR_OK : ldr_pg_open(keywords, values, &w->pool, &w->engine, err);
}

/* Lets time pass after a failure; false: the end has come, or nobody is left to write for. */
static bool pause_after(ldr_writer *w, const ldr_err *err) {
  int64_t delay = w->backoff, when;
  bool go_on;
  w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  delay += (int64_t)((w->random >> 33) % (uint64_t)(delay / 2)) - delay / 4;
  w->backoff = w->backoff * 2 > BACKOFF_MAX_US ? BACKOFF_MAX_US : w->backoff * 2;
  when = ldr_now_mono() + delay;
  pthread_mutex_lock(&w->lock);
  if (!w->orphan) {
    w->stats.retries++;
    note_error(w, err);
    while (!w->stop && ldr_now_mono() < when) sleep_until(w, when);
  }
  go_on = !w->stop;
  pthread_mutex_unlock(&w->lock);
  return go_on;
}

/* Writes the hand, however long it takes. false: the end has come. */
static bool write_hand(ldr_writer *w) {
  while (w->backlog.at < w->backlog.held) {
    ldr_err err;
    ldr_code code = reach(w, &err);
    if (code == LDR_OK) code = deliver_run(w, w->engine, &err);
    if (code == LDR_OK) {
      w->backoff = BACKOFF_US;
      continue;
    }
    if (code == LDR_CONNECTION || code == LDR_POOL_TIMEOUT)
      hang_up(w); /* so that the next try is a fresh one */
    if (!pause_after(w, &err)) return false;
  }
  return true;
}

static void free_writer(ldr_writer *w) {
  for (unsigned i = 0; i < w->nrejects; i++)
    ldr_row_release(w->rejects[(w->first_reject + i) % LDR_REJECTS].key);
  ldr_backlog_free(&w->backlog);
  ldr_conninfo_free(w->info);
  ldr_free(w->spill);
  pthread_cond_destroy(&w->over);
  pthread_cond_destroy(&w->wake);
  pthread_mutex_destroy(&w->lock);
  ldr_free(w);
}

static void *work(void *ud) {
  ldr_writer *w = ud;
  bool orphan, go_on;
  do {
    pthread_mutex_lock(&w->lock);
    go_on = next_batch(w);
    pthread_mutex_unlock(&w->lock);
  } while (go_on && write_hand(w));
  hang_up(w);
  pthread_mutex_lock(&w->lock);
  w->ended = true;
  orphan = w->orphan;
  pthread_cond_signal(&w->over);
  pthread_mutex_unlock(&w->lock);
  if (orphan) free_writer(w);
  return NULL;
}

/* A thread that takes no signal of the program's. */
static ldr_code start(ldr_writer *w, ldr_err *err) {
  sigset_t all, old;
  int why;
  if (w->started || w->direct) return LDR_OK;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  why = pthread_create(&w->thread, NULL, work, w);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (why) return ldr_fail(err, LDR_CAPACITY, "the writer's thread cannot be started");
  w->started = true;
  return LDR_OK;
}

/* Without a thread: everything that can be written now. */
static void write_directly(ldr_writer *w) {
  ldr_err err;
  while (w->backlog.at < w->backlog.held || take(w)) {
    if (deliver_run(w, w->direct, &err) == LDR_OK) continue;
    note_error(w, &err);
    w->stats.retries++;
    return;
  }
}

/* ---- making ---- */

static void init_locks(ldr_writer *w) {
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&w->lock, NULL);
  pthread_cond_init(&w->wake, &monotonic);
  pthread_cond_init(&w->over, &monotonic);
  pthread_condattr_destroy(&monotonic);
}

static ldr_code copy_settings(ldr_writer *w, const ldr_engine *e, ldr_err *err) {
  const char *const *keywords, *const *values;
  double timeout = w->config.timeout;
  ldr_pg_settings(e, &keywords, &values, &w->pool);
  w->pool.max = 1;
  w->pool.min = 0;
  w->pool.statement_timeout = -1;
  if (w->pool.connect_timeout <= 0 || w->pool.connect_timeout > timeout) w->pool.connect_timeout = timeout;
  if (w->pool.acquire_timeout <= 0 || w->pool.acquire_timeout > timeout) w->pool.acquire_timeout = timeout;
  return ldr_conninfo_new(keywords, values, &w->info, err);
}

static ldr_code make_backlog(ldr_writer *w, ldr_err *err) {
  w->backlog.bytes_max = w->config.queue_bytes;
  return ldr_backlog_init(&w->backlog, w->config.queue, w->config.batch, w->spill, err);
}

ldr_code ldr_writer_new(ldr_engine *e, bool threaded, const ldr_writer_config *c, ldr_writer **out,
                        ldr_err *err) {
  ldr_writer *w = ldr_alloc(sizeof *w);
  ldr_code code = LDR_OK;
  if (w == NULL) return ldr_fail_nomem(err);
  init_locks(w);
  w->config = *c;
  w->forks = ldr_forks();
  w->limit = c->batch;
  w->backoff = BACKOFF_US;
  w->random = (uint64_t)ldr_now_mono() ^ (uint64_t)(uintptr_t)w;
  w->direct = threaded ? NULL : e;
  w->config.spill = NULL;
  if (threaded) code = copy_settings(w, e, err);
  if (code == LDR_OK && threaded && c->spill) {
    w->config.spill = w->spill = ldr_strndup(c->spill, strlen(c->spill));
    if (w->spill == NULL) code = ldr_fail_nomem(err);
  }
  if (code == LDR_OK) code = make_backlog(w, err);
  if (code) {
    free_writer(w);
    return code;
  }
  *out = w;
  return LDR_OK;
}

/* In a forked child there is no thread, and rows are the parent's: they are given up. The lock was held if
 * the thread was at the backlog just then; what it was changing cannot even be freed. Neither can its
 * connection. */
static bool forsake(ldr_writer *w) {
  bool torn;
  if (w->forks == ldr_forks()) return false;
  torn = pthread_mutex_trylock(&w->lock) != 0;
  ldr_backlog_forsake(&w->backlog, torn);
  for (; w->nrejects && !torn; w->nrejects--)
    ldr_row_release(w->rejects[(w->first_reject + w->nrejects - 1) % LDR_REJECTS].key);
  w->nrejects = 0;
  w->started = w->ended = w->flushing = false;
  w->engine = NULL;
  w->stats = (ldr_writer_stats){0};
  w->forks = ldr_forks();
  init_locks(w);
  return true;
}

static ldr_code renew(ldr_writer *w, ldr_err *err) {
  if (!forsake(w) && w->backlog.ring) return LDR_OK;
  return make_backlog(w, err);
}

/* ---- the callers' side ---- */

static ldr_code accept(ldr_writer *w, const ldr_entity *e, ldr_row **row, ldr_err *err) {
  ldr_backlog *b = &w->backlog;
  ldr_code code = ldr_backlog_know(b, e->schema, err);
  if (code) return code;
  if (!ldr_backlog_full(b)) {
    ldr_backlog_add(b, e, *row, ldr_now_mono());
    *row = NULL;
    w->stats.queued++;
    return LDR_OK;
  }
  switch (w->config.policy) {
    case LDR_POLICY_BLOCK: return LDR_PENDING;
    case LDR_POLICY_DROP: w->stats.dropped++; return LDR_OK;
    case LDR_POLICY_SPILL:
      if (b->spill == NULL) break;
      code = ldr_backlog_file(b, e, *row, err);
      w->stats.queued += code == LDR_OK;
      w->stats.spilled += code == LDR_OK;
      return code;
    case LDR_POLICY_ERROR: break;
  }
  return ldr_fail(err, LDR_CAPACITY, "the writer's queue is full: %zu rows wait, %zu bytes",
                  ldr_backlog_depth(b), b->bytes);
}

ldr_code ldr_writer_push(ldr_writer *w, const ldr_entity *e, ldr_row *row, ldr_err *err) {
  ldr_code code = renew(w, err);
  if (code == LDR_OK) code = start(w, err);
  if (code == LDR_OK) {
    if (w->direct) write_directly(w);
    pthread_mutex_lock(&w->lock);
    code = accept(w, e, &row, err);
    /* the thread sleeps without an end for the first row, and by the clock for a full batch */
    if (w->backlog.n == 1 || w->backlog.n == w->backlog.batch || row) pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    if (w->direct) write_directly(w);
  }
  ldr_row_release(row);
  return code;
}

bool ldr_writer_has_room(ldr_writer *w) {
  ldr_err err;
  bool room;
  if (renew(w, &err) != LDR_OK) return true; /* the next push tells */
  if (w->direct) write_directly(w);
  pthread_mutex_lock(&w->lock);
  room = !ldr_backlog_full(&w->backlog);
  pthread_mutex_unlock(&w->lock);
  return room;
}

ldr_code ldr_writer_flush(ldr_writer *w, uint64_t *ticket, ldr_err *err) {
  ldr_code code = renew(w, err);
  if (code == LDR_OK) code = start(w, err);
  if (code) return code;
  pthread_mutex_lock(&w->lock);
  *ticket = w->wanted = w->backlog.entered;
  w->flushing = true;
  pthread_cond_signal(&w->wake);
  pthread_mutex_unlock(&w->lock);
  return LDR_OK;
}

bool ldr_writer_flushed(ldr_writer *w, uint64_t ticket) {
  bool passed;
  if (w->direct) write_directly(w);
  pthread_mutex_lock(&w->lock);
  passed = ldr_backlog_passed(&w->backlog, ticket);
  pthread_mutex_unlock(&w->lock);
  return passed;
}

ldr_code ldr_writer_know(ldr_writer *w, ldr_schema *s, ldr_err *err) {
  ldr_code code = renew(w, err);
  if (code) return code;
  pthread_mutex_lock(&w->lock);
  code = ldr_backlog_know(&w->backlog, s, err);
  pthread_cond_signal(&w->wake);
  pthread_mutex_unlock(&w->lock);
  return code;
}

bool ldr_writer_family(ldr_writer *w, unsigned i, char name[64], bool *known) {
  const ldr_spill *s;
  bool found;
  pthread_mutex_lock(&w->lock);
  s = w->backlog.spill;
  found = s && i < s->nfamilies;
  if (found) {
    memcpy(name, s->families[i], LDR_SPILL_NAME);
    *known = ldr_backlog_knows(&w->backlog, name);
  }
  pthread_mutex_unlock(&w->lock);
  return found;
}

unsigned ldr_writer_rejects(ldr_writer *w) {
  unsigned n;
  pthread_mutex_lock(&w->lock);
  n = w->nrejects;
  pthread_mutex_unlock(&w->lock);
  return n;
}

/* Under the lock. */
static void read_stats(const ldr_writer *w, ldr_writer_stats *out) {
  int64_t oldest = ldr_backlog_oldest(&w->backlog);
  *out = w->stats;
  out->depth = ldr_backlog_depth(&w->backlog);
  out->bytes = w->backlog.bytes;
  out->filed = ldr_backlog_filed(&w->backlog);
  out->damaged = w->backlog.spill ? w->backlog.spill->damaged : 0;
  out->oldest_age = oldest == LDR_NEVER ? 0 : (double)(ldr_now_mono() - oldest) / 1e6;
}

void ldr_writer_stats_get(ldr_writer *w, ldr_writer_stats *out) {
  if (w->direct) write_directly(w);
  pthread_mutex_lock(&w->lock);
  read_stats(w, out);
  pthread_mutex_unlock(&w->lock);
}

/* ---- the end ---- */

/* Waits until the thread has ended, at most until `when`; under the lock. */
static void wait_for_end(ldr_writer *w, int64_t when) {
  struct timespec t = until(when);
  while (!w->ended && ldr_now_mono() < when) pthread_cond_timedwait(&w->over, &w->lock, &t);
}

static void end_thread(ldr_writer *w, double seconds) {
  if (!w->started) return;
  w->closing = true;
  pthread_cond_signal(&w->wake);
  wait_for_end(w, ldr_deadline(seconds < 1e9 ? seconds : 1e9));
  w->stop = true;
  pthread_cond_signal(&w->wake);
  wait_for_end(w, ldr_now_mono() + GRACE_US);
}

/* What is left when the thread has ended, or is still in a call (then it frees the writer when it returns):
 * it goes to the file. */
static void save_rest(ldr_writer *w) {
  size_t lost;
  w->stats.spilled += ldr_backlog_save(&w->backlog, &lost);
  w->stats.dropped += lost;
}

void ldr_writer_close(ldr_writer *w, double seconds, ldr_writer_stats *last) {
  pthread_t thread;
  bool started, ended;
  if (w == NULL) return;
  if (forsake(w) || w->backlog.ring == NULL) {
    free_writer(w);
    return;
  }
  if (w->direct) write_directly(w);
  pthread_mutex_lock(&w->lock);
  end_thread(w, seconds);
  save_rest(w);
  if (last) read_stats(w, last);
  ldr_backlog_unspill(&w->backlog); /* the next process may have the file */
  thread = w->thread;
  started = w->started;
  ended = w->ended || !started;
  w->orphan = !ended;
  pthread_mutex_unlock(&w->lock);
  if (!ended)
    pthread_detach(thread);
  else if (started)
    pthread_join(thread, NULL);
  if (ended) free_writer(w);
}

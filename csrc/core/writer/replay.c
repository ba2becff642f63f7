#include "writer/replay.h"

#include "async/thread.h"
#include "base/clock.h"

enum {
  CHUNK = 512,              /* rows a step */
  SYNC_US = 1000000,        /* what was written to a file is on disk after so long */
  RETRY_US = 1000000,       /* after a fault of the disk */
  RECORD_BYTES = 256 * 1024 /* of a buffer that is kept */
};

typedef struct filer {
  ldr_writer *w;
  ldr_queued rows[CHUNK]; /* of the step under way */
  ldr_buf record;
  uint64_t bytes;   /* of all our segments */
  int64_t sync_at;  /* something is not on disk yet; LDR_NEVER: nothing */
  int64_t retry_at; /* the disk took nothing: nothing is written before */
  int64_t read_at;  /* the same of reading */
  ldr_sweep sweep;
  ldr_err err;
} filer;

/* ---- segments of a queue ---- */

static void append_segment(ldr_queue *q, ldr_segment *s) {
  ldr_segment **p = &q->segments;
  while (*p) p = &(*p)->next;
  *p = s;
}

static void fault(filer *f, const ldr_err *err) {
  pthread_mutex_lock(&f->w->lock);
  f->w->last_error = *err;
  pthread_mutex_unlock(&f->w->lock);
}

/* Everything in it was read and is done: it goes. */
static void retire(filer *f, ldr_queue *q, ldr_segment *s) {
  ldr_segment **p = &q->segments;
  if (!s->sealed || s->live || s->unread) return;
  while (*p != s) p = &(*p)->next;
  *p = s->next;
  if (q->tail == s) q->tail = NULL;
  f->bytes -= s->end;
  ldr_segment_remove(s);
  ldr_segment_free(s);
}

static ldr_queue *owner_of(ldr_writer *w, const ldr_segment *s) {
  for (size_t i = 0; i < w->nqueues; i++)
    for (const ldr_segment *t = w->queues[i]->segments; t; t = t->next)
      if (t == s) return w->queues[i];
  return NULL;
}

/* A record is done with: in a file of rows or of dead letters. The list of queues may grow meanwhile, which
 * moves it: it is looked at under the lock. */
static void done(filer *f, ldr_segment *s, uint64_t at) {
  ldr_queue *q;
  if (s->letter) {
    ldr_letters_done(&f->w->letters, s, at, true);
    return;
  }
  ldr_segment_done(s, at);
  if (s->live) return;
  pthread_mutex_lock(&f->w->lock);
  q = owner_of(f->w, s);
  pthread_mutex_unlock(&f->w->lock);
  if (q) retire(f, q, s);
}

/* ---- sync ---- */

static bool sync_queue(filer *f, ldr_queue *q) {
  bool ok = true;
  for (ldr_segment *s = q->segments; s; s = s->next)
    if (ldr_segment_sync(s, &f->err) != LDR_OK) {
      fault(f, &f->err);
      if (q->tail == s) q->tail = NULL;
      ok = false;
    }
  return ok;
}

static void sync_all(filer *f) {
  ldr_writer *w = f->w;
  for (size_t i = 0;; i++) {
    ldr_queue *q;
    pthread_mutex_lock(&w->lock);
    q = i < w->nqueues ? w->queues[i] : NULL;
    pthread_mutex_unlock(&w->lock);
    if (q == NULL) break;
    (void)sync_queue(f, q);
  }
  if (ldr_spool_sync(w->spool, &f->err) != LDR_OK) fault(f, &f->err);
  f->sync_at = LDR_NEVER;
}

/* ---- out: rows that found no room ---- */

static ldr_code have_tail(filer *f, ldr_queue *q, uint64_t number) {
  ldr_segment *s = q->tail;
  ldr_code code;
  if (s && (s->sealed || s->end >= f->w->config.segment_bytes)) {
    s->sealed = true;
    if (ldr_segment_sync(s, &f->err) != LDR_OK) fault(f, &f->err);
    retire(f, q, s);
    q->tail = s = NULL;
  }
  if (s) return LDR_OK;
  code = ldr_spool_segment(f->w->spool, q->e->schema->name, q->e->name, number & (LDR_FIRST_NUMBER - 1), &s,
                           &f->err);
  if (code) return code;
  append_segment(q, s);
  q->tail = s;
  return LDR_OK;
}

static ldr_code add(filer *f, ldr_segment *s, const ldr_queue *q, const ldr_queued *row) {
  int64_t accepted = ldr_now_wall() - (ldr_now_mono() - row->accepted);
  ldr_buf_reset(&f->record);
  ldr_record_put(&f->record, q->e, row->row, row->number & (LDR_FIRST_NUMBER - 1), accepted, NULL, 0);
  return ldr_segment_add(s, &f->record, &f->err);
}

/* All n rows or none. Some bytes may go beyond the limits: those of one chunk. */
static ldr_code write_rows(filer *f, ldr_queue *q, const ldr_queued *rows, size_t n) {
  ldr_segment *s;
  uint64_t before;
  ldr_code code;
  if (f->bytes >= f->w->config.spill_bytes)
    return ldr_fail(&f->err, LDR_CAPACITY, "the spill directory has reached its limit");
  code = have_tail(f, q, rows->number);
  s = q->tail;
  before = code ? 0 : s->end;
  for (size_t i = 0; i < n && code == LDR_OK; i++) code = add(f, s, q, &rows[i]);
  if (code && s) ldr_segment_take_back(s);
  if (code == LDR_OK) code = ldr_segment_write(s, &f->err);
  if (code) return code;
  f->bytes += s->end - before;
  s->unread += n;
  f->sync_at = ldr_sooner(f->sync_at, ldr_now_mono() + SYNC_US);
  if (f->record.cap > RECORD_BYTES) ldr_buf_free(&f->record);
  return LDR_OK;
}

/* While no younger row is in a file, room in memory is for those that wait for the disk. Under the lock. */
static bool keep_in_memory(const ldr_writer *w, ldr_queue *q) {
  bool any = false;
  while (q->spilling.n && q->unread == q->old_unread && q->bytes < w->config.queue_bytes &&
         q->ring.n + (q->held - q->at) < w->config.queue && ldr_fifo_reserve(&q->ring, 1)) {
    ldr_queued row = *ldr_fifo_at(&q->spilling, 0);
    ldr_fifo_drop(&q->spilling, 1);
    ldr_fifo_put(&q->ring, row);
    q->spilling_bytes -= ldr_row_size(row.row);
    q->bytes += ldr_row_size(row.row);
    any = true;
  }
  return any;
}

/* Under the lock, before and after. true: something was done. */
static bool spill(filer *f, ldr_queue *q) {
  ldr_writer *w = f->w;
  size_t n, bytes = 0;
  ldr_code code;
  if (keep_in_memory(w, q)) pthread_cond_broadcast(&w->wake);
  n = q->spilling.n < CHUNK ? q->spilling.n : CHUNK;
  if (n == 0 || f->retry_at > ldr_now_mono()) return false;
  for (size_t i = 0; i < n; i++) {
    f->rows[i] = *ldr_fifo_at(&q->spilling, i);
    bytes += ldr_row_size(f->rows[i].row);
    if (bytes >= w->config.segment_bytes) n = i + 1; /* a segment is read as a whole */
  }
  pthread_mutex_unlock(&w->lock);
  code = write_rows(f, q, f->rows, n);
  for (size_t i = 0; i < n && code == LDR_OK; i++) ldr_row_release(f->rows[i].row);
  pthread_mutex_lock(&w->lock);
  w->file_fails = code != LDR_OK;
  if (code) {
    w->last_error = f->err;
    f->retry_at = ldr_now_mono() + RETRY_US;
    return false;
  }
  ldr_fifo_drop(&q->spilling, n);
  q->spilling_bytes -= bytes;
  if (q->unread == q->old_unread) q->unread_from = f->rows[0].number;
  q->unread += n;
  q->stats.spilled += n;
  return true;
}

/* ---- in: rows of files ---- */

static int64_t on_our_clock(int64_t wall) {
  int64_t age = ldr_now_wall() - wall, now = ldr_now_mono();
  return age > 0 && age < now ? now - age : now;
}

/* A record that no declaration can read any more is a dead letter. */
static ldr_code refuse_record(filer *f, ldr_segment *s, const ldr_record *r, uint64_t at,
                              const ldr_err *why) {
  ldr_code code;
  ldr_buf_reset(&f->record);
  ldr_record_refuse(&f->record, r, why, ldr_now_wall());
  code = ldr_letters_add(&f->w->letters, &f->record, &f->err);
  if (code == LDR_OK) code = ldr_letters_commit(&f->w->letters, &f->err);
  if (code == LDR_OK) ldr_segment_done(s, at);
  return code;
}

typedef struct feeding {
  size_t n, refused; /* rows that were read; records that fit no declaration */
  ldr_err why;
} feeding;

/* Up to a chunk of rows from the segment. */
static ldr_code read_rows(filer *f, const ldr_queue *q, ldr_segment *s, feeding *out) {
  uint64_t first = s->old ? 0 : LDR_FIRST_NUMBER, at, before, damaged = s->damaged;
  ldr_record r;
  ldr_code code = ldr_segment_load(s, &f->err);
  while (code == LDR_OK && out->n < CHUNK) {
    ldr_row *row;
    before = s->pos;
    if (!ldr_segment_next(s, &s->pos, &r, &at)) break;
    code = ldr_record_row(&r, q->e, &row, &f->err);
    if (code == LDR_DRIFT || code == LDR_INVALID) {
      out->why = f->err;
      code = refuse_record(f, s, &r, at, &out->why);
      out->refused += code == LDR_OK;
    } else if (code == LDR_OK) {
      f->rows[out->n++] = (ldr_queued){row, s, at, r.number + first, on_our_clock(r.accepted)};
    }
    if (code) s->pos = before; /* again, later */
  }
  if (s->old) s->damaged = damaged; /* opening has counted */
  return code;
}

static ldr_segment *unread_segment(const ldr_queue *q) {
  ldr_segment *s = q->segments;
  while (s && s->unread == 0) s = s->next;
  return s;
}

/* Under the lock: what read_rows has found becomes the queue's. */
static void hand_over(filer *f, ldr_queue *q, const ldr_segment *s, size_t gone, const feeding *x) {
  ldr_writer *w = f->w;
  for (size_t i = 0; i < x->n; i++) ldr_fifo_put(&q->replay, f->rows[i]);
  if (x->n) q->unread_from = f->rows[x->n - 1].number + 1;
  q->unread -= gone;
  if (s->old) q->old_unread -= gone;
  q->stats.replayed += x->n;
  q->stats.rejected += x->refused;
  if (x->refused) w->last_error = x->why;
  pthread_cond_broadcast(&w->wake);
}

/* Under the lock, before and after. true: something was done. */
static bool feed(filer *f, ldr_queue *q) {
  ldr_writer *w = f->w;
  feeding x = {0};
  ldr_segment *s;
  size_t gone;
  uint64_t damaged;
  ldr_code code;
  bool wanted = q->old_unread || q->ring.n < w->config.batch;
  if (q->unread == 0 || q->replay.n >= w->config.batch || !wanted || f->read_at > ldr_now_mono())
    return false;
  if (!ldr_fifo_reserve(&q->replay, CHUNK)) return false;
  pthread_mutex_unlock(&w->lock);
  s = unread_segment(q);            /* there is one, since something is unread */
  if (s == q->tail) q->tail = NULL; /* a segment that is read takes no more rows */
  damaged = s->damaged;
  code = read_rows(f, q, s, &x);
  gone = code == LDR_OK && x.n < CHUNK ? s->unread : x.n + x.refused; /* at the end: damaged ones, too */
  s->unread -= gone;
  if (s->unread == 0) {
    s->live -= gone - x.n - x.refused < s->live ? gone - x.n - x.refused : s->live;
    if (s->refs == 0) ldr_segment_unload(s);
  }
  pthread_mutex_lock(&w->lock);
  w->damaged += s->damaged - damaged;
  hand_over(f, q, s, gone, &x);
  if (code) {
    w->last_error = f->err;
    f->read_at = ldr_now_mono() + RETRY_US;
  }
  if (s->live == 0 && s->unread == 0) {
    pthread_mutex_unlock(&w->lock);
    retire(f, q, s);
    pthread_mutex_lock(&w->lock);
  }
  return gone > 0;
}

/* ---- what was written or refused ---- */

/* Under the lock, before and after. */
static bool mark_done(filer *f) {
  ldr_writer *w = f->w;
  size_t n = w->acks.n < CHUNK ? w->acks.n : CHUNK;
  if (n == 0) return false;
  for (size_t i = 0; i < n; i++) f->rows[i] = *ldr_fifo_at(&w->acks, i);
  ldr_fifo_drop(&w->acks, n);
  pthread_mutex_unlock(&w->lock);
  for (size_t i = 0; i < n; i++) done(f, f->rows[i].from, f->rows[i].at);
  pthread_mutex_lock(&w->lock);
  return true;
}

static ldr_code store_letters(filer *f, const ldr_refused *first, const ldr_refused *last) {
  ldr_letters *l = &f->w->letters;
  ldr_code code = LDR_OK;
  for (const ldr_refused *r = first; code == LDR_OK; r = r->next) {
    ldr_buf_reset(&f->record);
    ldr_refused_put(r, &f->record);
    code = ldr_letters_add(l, &f->record, &f->err);
    if (r == last) break;
  }
  return code ? code : ldr_letters_commit(l, &f->err);
}

/* The disk is full: in memory, then. What lies in a file of rows stays there for the next process. */
static void keep_letters(filer *f, const ldr_refused *first, const ldr_refused *last) {
  for (const ldr_refused *r = first;; r = r->next) {
    ldr_buf_reset(&f->record);
    ldr_refused_put(r, &f->record);
    ldr_letters_keep(&f->w->letters, &f->record);
    if (r == last) return;
  }
}

/* Under the lock, before and after: others may append to the list meanwhile. Dead letters are on disk before
 * the rows they come from are done with. */
static bool store_refused(filer *f) {
  ldr_writer *w = f->w;
  ldr_refused *first = w->refused, *last = w->last_refused, *r, *next;
  ldr_code code;
  if (first == NULL) return false;
  pthread_mutex_unlock(&w->lock);
  code = store_letters(f, first, last);
  if (code) {
    fault(f, &f->err);
    keep_letters(f, first, last);
  }
  for (r = first;; r = r->next) {
    if (r->row.from && (code == LDR_OK || r->row.from->letter)) done(f, r->row.from, r->row.at);
    if (r == last) break;
  }
  pthread_mutex_lock(&w->lock);
  w->refused = last->next;
  last->next = NULL;
  pthread_mutex_unlock(&w->lock);
  for (r = first; r; r = next) {
    next = r->next;
    ldr_refused_free(r);
  }
  pthread_mutex_lock(&w->lock);
  return true;
}

/* ---- what other processes left ---- */

static bool knows(void *ud, const char *family) {
  filer *f = ud;
  bool known;
  pthread_mutex_lock(&f->w->lock);
  known = ldr_state_knows(f->w, family);
  pthread_mutex_unlock(&f->w->lock);
  return known;
}

/* Rows of a store that is gone from its family are dead letters. */
static void refuse_segment(filer *f, ldr_segment *s, const ldr_segment_name *parts) {
  uint64_t at;
  ldr_record r;
  ldr_err why;
  ldr_code code = LDR_OK;
  ldr_fail(&why, LDR_DRIFT, "a stored row is of a store that is gone: %.64s.%.64s", parts->family,
           parts->store);
  while (code == LDR_OK && ldr_segment_next(s, &s->pos, &r, &at)) {
    ldr_buf_reset(&f->record);
    ldr_record_refuse(&f->record, &r, &why, ldr_now_wall());
    code = ldr_letters_add(&f->w->letters, &f->record, &f->err);
  }
  if (code == LDR_OK) code = ldr_letters_commit(&f->w->letters, &f->err);
  fault(f, code ? &f->err : &why);
  if (code == LDR_OK) ldr_segment_remove(s);
  ldr_segment_free(s);
}

static void found(void *ud, const char *name, const ldr_segment_name *parts) {
  filer *f = ud;
  ldr_writer *w = f->w;
  const ldr_entity *e;
  ldr_queue *q = NULL;
  ldr_segment *s;
  if (ldr_segment_open(w->spool->dir, w->spool->key, name, &s, &f->err) != LDR_OK) {
    fault(f, &f->err);
    return;
  }
  ldr_segment_unload(s);
  s->old = true;
  pthread_mutex_lock(&w->lock);
  w->damaged += s->damaged;
  e = ldr_state_entity(w, parts->family, parts->store);
  if (e) q = ldr_state_queue(w, e, &f->err);
  pthread_mutex_unlock(&w->lock);
  if (e == NULL && ldr_segment_load(s, &f->err) == LDR_OK) {
    refuse_segment(f, s, parts);
    return;
  }
  if (q == NULL) { /* memory is short: the next process has it */
    ldr_segment_free(s);
    return;
  }
  f->bytes += s->end;
  append_segment(q, s);
  pthread_mutex_lock(&w->lock);
  q->unread += s->unread;
  q->old_unread += s->unread;
  pthread_mutex_unlock(&w->lock);
  retire(f, q, s);
}

/* Under the lock, before and after. */
static bool sweep(filer *f) {
  ldr_writer *w = f->w;
  ldr_code code;
  if (!w->sweep) return false;
  w->sweep = false;
  w->sweeping = true;
  pthread_mutex_unlock(&w->lock);
  code = ldr_spool_sweep(w->spool, &f->sweep, &f->err);
  pthread_mutex_lock(&w->lock);
  w->sweeping = false;
  w->unclaimed = f->sweep.unclaimed;
  if (code) w->last_error = f->err;
  pthread_cond_broadcast(&w->wake);
  return true;
}

/* ---- the end ---- */

/* The rows that lie in memory only, those under way first: a statement that hangs may still store them, which
 * their keys make harmless. Flushers touch nothing of the queue any more. */
static void save_queue(filer *f, ldr_queue *q) {
  size_t n = 0;
  ldr_code code = LDR_OK;
  q->tail = NULL; /* older rows than those that found no room: a file of their own */
  for (size_t i = q->at; i < q->held + q->ring.n && code == LDR_OK; i++) {
    const ldr_queued *row = i < q->held ? &q->in_flight[i] : ldr_fifo_at(&q->ring, i - q->held);
    if (row->from) continue;
    code = write_rows(f, q, row, 1);
    n += code == LDR_OK;
  }
  q->tail = NULL;
  for (size_t i = 0; i < q->spilling.n && code == LDR_OK; i++) {
    code = write_rows(f, q, ldr_fifo_at(&q->spilling, i), 1);
    n += code == LDR_OK;
  }
  if (!sync_queue(f, q)) n = 0; /* what the disk did not take is not saved */
  if (code) fault(f, &f->err);
  pthread_mutex_lock(&f->w->lock);
  q->stats.spilled += n;
  q->saved = n;
  pthread_mutex_unlock(&f->w->lock);
}

static void save_all(filer *f) {
  ldr_writer *w = f->w;
  for (size_t i = 0; i < w->nqueues; i++) save_queue(f, w->queues[i]);
  if (ldr_spool_sync(w->spool, &f->err) != LDR_OK) fault(f, &f->err);
}

/* ---- the thread ---- */

static bool any_spilling(const ldr_writer *w) {
  for (size_t i = 0; i < w->nqueues; i++)
    if (w->queues[i]->spilling.n) return true;
  return false;
}

static bool step(filer *f) {
  ldr_writer *w = f->w;
  bool worked = store_refused(f);
  worked = mark_done(f) || worked;
  worked = sweep(f) || worked;
  for (size_t i = 0; i < w->nqueues; i++) {
    worked = spill(f, w->queues[i]) || worked;
    worked = feed(f, w->queues[i]) || worked;
  }
  if (f->retry_at <= ldr_now_mono() && !any_spilling(w)) w->file_fails = false;
  if (f->sync_at <= ldr_now_mono()) {
    pthread_mutex_unlock(&w->lock);
    sync_all(f);
    pthread_mutex_lock(&w->lock);
  }
  return worked;
}

static void *run(void *ud) {
  filer *f = ud;
  ldr_writer *w = f->w;
  pthread_mutex_lock(&w->lock);
  for (;;) {
    int64_t when = f->sync_at;
    if (step(f)) continue;
    if (w->save) break;
    if (f->retry_at > ldr_now_mono()) when = ldr_sooner(when, f->retry_at);
    if (f->read_at > ldr_now_mono()) when = ldr_sooner(when, f->read_at);
    w->file_idle = true;
    ldr_state_wait(w, &w->filing, when);
    w->file_idle = false;
  }
  pthread_mutex_unlock(&w->lock);
  save_all(f);
  ldr_buf_free(&f->record);
  ldr_free(f);
  pthread_mutex_lock(&w->lock);
  w->file_ended = true;
  pthread_cond_broadcast(&w->over);
  pthread_mutex_unlock(&w->lock);
  ldr_state_thread_ended(w);
  return NULL;
}

bool ldr_replay_start(ldr_writer *w) {
  filer *f;
  if (w->spool == NULL || w->file_started) return true;
  f = ldr_alloc(sizeof *f);
  if (f == NULL) return false;
  f->w = w;
  f->sync_at = LDR_NEVER;
  f->sweep = (ldr_sweep){.ud = f, .knows = knows, .found = found};
  w->file_started = ldr_thread_start(run, f, &w->file_thread);
  w->running += w->file_started;
  if (!w->file_started) ldr_free(f);
  return w->file_started;
}

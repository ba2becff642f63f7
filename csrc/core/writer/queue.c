#include "writer/queue.h"

#include <string.h>

#include "base/clock.h"

enum { KEPT = 16384 }; /* places of an empty fifo */

/* ---- fifo ---- */

bool ldr_fifo_reserve(ldr_fifo *f, size_t more) {
  size_t cap = f->cap ? f->cap : 16;
  ldr_queued *p;
  if (f->cap - f->n >= more) return true;
  while (cap - f->n < more) cap *= 2;
  p = ldr_alloc_array(cap, sizeof *p);
  if (p == NULL) return false;
  for (size_t i = 0; i < f->n; i++) p[i] = *ldr_fifo_at(f, i);
  ldr_free(f->p);
  f->p = p;
  f->cap = cap;
  f->first = 0;
  return true;
}

void ldr_fifo_put(ldr_fifo *f, ldr_queued q) {
  f->n++;
  *ldr_fifo_at(f, f->n - 1) = q;
}

void ldr_fifo_drop(ldr_fifo *f, size_t n) {
  f->n -= n;
  f->first = f->n ? (f->first + n) % f->cap : 0;
  if (f->n || f->cap <= KEPT) return;
  ldr_free(f->p);
  f->p = NULL;
  f->cap = 0;
}

void ldr_fifo_free(ldr_fifo *f) {
  for (size_t i = 0; i < f->n; i++) ldr_row_release(ldr_fifo_at(f, i)->row);
  ldr_free(f->p);
  *f = (ldr_fifo){0};
}

/* ---- queue ---- */

ldr_code ldr_queue_new(const ldr_entity *e, size_t batch, ldr_queue **out, ldr_err *err) {
  ldr_queue *q = ldr_alloc(sizeof *q);
  if (q == NULL) return ldr_fail_nomem(err);
  q->e = e;
  q->limit = batch;
  q->in_flight = ldr_alloc_array(batch, sizeof *q->in_flight);
  if (q->in_flight == NULL) {
    ldr_free(q);
    return ldr_fail_nomem(err);
  }
  *out = q;
  return LDR_OK;
}

void ldr_queue_free(ldr_queue *q) {
  if (q == NULL) return;
  for (size_t i = q->at; i < q->held; i++) ldr_row_release(q->in_flight[i].row);
  ldr_free(q->in_flight);
  ldr_fifo_free(&q->ring);
  ldr_fifo_free(&q->spilling);
  ldr_fifo_free(&q->replay);
  while (q->segments) {
    ldr_segment *s = q->segments;
    q->segments = s->next;
    ldr_segment_free(s);
  }
  ldr_free(q);
}

static uint64_t smaller(uint64_t a, uint64_t b) { return a < b ? a : b; }

static uint64_t head(const ldr_fifo *f) { return f->n ? ldr_fifo_at(f, 0)->number : UINT64_MAX; }

uint64_t ldr_queue_first(const ldr_queue *q) {
  uint64_t first = smaller(head(&q->ring), smaller(head(&q->replay), head(&q->spilling)));
  if (q->unread) first = smaller(first, q->old_unread ? 0 : q->unread_from);
  return q->at < q->held ? smaller(first, q->in_flight[q->at].number) : first;
}

/* The next row is the one with the smaller number. What an earlier process left goes first: while some of it
 * is unread, the ring waits. */
static const ldr_fifo *next_fifo(const ldr_queue *q) {
  if (q->replay.n == 0) return q->ring.n && q->old_unread == 0 ? &q->ring : NULL;
  if (q->ring.n == 0 || q->old_unread) return &q->replay;
  return head(&q->ring) < head(&q->replay) ? &q->ring : &q->replay;
}

bool ldr_queue_can_take(const ldr_queue *q) { return next_fifo(q) != NULL; }

uint64_t ldr_queue_next(const ldr_queue *q) { return head(next_fifo(q)); }

void ldr_queue_take(ldr_queue *q, size_t batch, uint64_t limit) {
  const ldr_fifo *from;
  q->at = q->held = 0;
  while (q->held < batch && (from = next_fifo(q)) != NULL && head(from) <= limit) {
    q->in_flight[q->held++] = *ldr_fifo_at(from, 0);
    ldr_fifo_drop(from == &q->ring ? &q->ring : &q->replay, 1);
  }
}

size_t ldr_queue_depth(const ldr_queue *q) {
  return q->ring.n + q->spilling.n + q->replay.n + (q->held - q->at);
}

int64_t ldr_queue_oldest(const ldr_queue *q) {
  int64_t oldest = q->ring.n ? ldr_fifo_at(&q->ring, 0)->accepted : LDR_NEVER;
  if (q->replay.n) oldest = ldr_sooner(oldest, ldr_fifo_at(&q->replay, 0)->accepted);
  if (q->spilling.n) oldest = ldr_sooner(oldest, ldr_fifo_at(&q->spilling, 0)->accepted);
  return q->at < q->held ? ldr_sooner(oldest, q->in_flight[q->at].accepted) : oldest;
}

void ldr_queue_stats_get(const ldr_queue *q, ldr_queue_stats *out) {
  *out = q->stats;
  out->depth = ldr_queue_depth(q);
  out->bytes = q->bytes + q->spilling_bytes;
  out->filed = q->unread;
}

/* What the writer tells of itself: counters, refused rows, stores that cannot be written. */
#include <string.h>

#include "base/clock.h"
#include "writer/flush.h"
#include "writer/writer.h"

/* ---- counters ---- */

void ldr_writer_stats_get(ldr_writer *w, ldr_writer_stats *out) {
  if (w->direct) ldr_flush_directly(w);
  pthread_mutex_lock(&w->lock);
  ldr_state_stats(w, out);
  pthread_mutex_unlock(&w->lock);
  if (w->ready) out->letters_lost = ldr_letters_lost(&w->letters);
}

bool ldr_writer_store_stats(ldr_writer *w, unsigned i, ldr_store_stats *out) {
  bool found;
  pthread_mutex_lock(&w->lock);
  found = i < w->nqueues;
  if (found) {
    const ldr_queue *q = w->queues[i];
    ldr_queue_stats s;
    ldr_queue_stats_get(q, &s);
    *out = (ldr_store_stats){.e = q->e,
                             .queued = s.queued,
                             .written = s.written,
                             .duplicates = s.duplicates,
                             .rejected = s.rejected,
                             .spilled = s.spilled,
                             .replayed = s.replayed,
                             .dropped = s.dropped,
                             .batches = s.batches,
                             .retries = s.retries,
                             .depth = s.depth,
                             .filed = s.filed,
                             .bytes = s.bytes,
                             .parked = q->parked,
                             .oldest_age = ldr_state_age(ldr_queue_oldest(q)),
                             .err = q->err};
  }
  pthread_mutex_unlock(&w->lock);
  return found;
}

/* ---- news ---- */

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

bool ldr_writer_take_news(ldr_writer *w, ldr_writer_news *out) {
  bool found = false;
  pthread_mutex_lock(&w->lock);
  if (w->server_away != w->server_told) {
    *out = (ldr_writer_news){NULL, w->server_away, w->server_err};
    w->server_told = w->server_away;
    found = true;
  }
  for (size_t i = 0; i < w->nqueues && !found; i++) {
    ldr_queue *q = w->queues[i];
    if (q->parked == q->told) continue;
    *out = (ldr_writer_news){q->e, q->parked, q->err};
    q->told = q->parked;
    found = true;
  }
  pthread_mutex_unlock(&w->lock);
  return found;
}

bool ldr_writer_has_news(ldr_writer *w) {
  bool any;
  pthread_mutex_lock(&w->lock);
  any = w->nrejects > 0 || w->server_away != w->server_told;
  for (size_t i = 0; i < w->nqueues && !any; i++) any = w->queues[i]->parked != w->queues[i]->told;
  pthread_mutex_unlock(&w->lock);
  return any;
}

#include "base/sorted.h"

#include <assert.h>
#include <string.h>

enum { FIRST_CAP = 8, FULL = LDR_SORTED_CHUNK, LOW = LDR_SORTED_CHUNK / 4 };

typedef struct ldr_sorted_chunk {
  uint32_t n, cap; /* cap follows n in small steps: no chunk holds much more memory than it needs */
  void *entry[];
} chunk;

/* The chunk with room for n entries and a few more; NULL when out of memory, then c is as it was. */
static chunk *fit(chunk *c, uint32_t n) {
  uint32_t cap = n + n / 8 < FIRST_CAP ? FIRST_CAP : n + n / 8;
  chunk *moved;
  if (cap > FULL) cap = FULL;
  moved = ldr_realloc(c, sizeof *c + cap * sizeof c->entry[0]);
  if (moved == NULL) return NULL;
  if (c == NULL) moved->n = 0;
  moved->cap = cap;
  return moved;
}

static chunk *grow(chunk *c, uint32_t n) { return n <= c->cap ? c : fit(c, n); }

static bool reserve_chunk(ldr_sorted *s) {
  size_t cap = s->cap ? s->cap * 2 : 4;
  chunk **bigger;
  if (s->nchunks < s->cap) return true;
  bigger = ldr_realloc(s->chunk, cap * sizeof *bigger);
  if (bigger == NULL) return false;
  s->chunk = bigger;
  s->cap = cap;
  return true;
}

static void place_chunk(ldr_sorted *s, size_t at, chunk *c) {
  memmove(s->chunk + at + 1, s->chunk + at, (s->nchunks - at) * sizeof *s->chunk);
  s->chunk[at] = c;
  s->nchunks++;
}

static void drop_chunk(ldr_sorted *s, size_t at) {
  ldr_free(s->chunk[at]);
  s->nchunks--;
  memmove(s->chunk + at, s->chunk + at + 1, (s->nchunks - at) * sizeof *s->chunk);
}

/* Move the entries from `keep` on into a chunk of their own. */
static bool split(ldr_sorted *s, size_t at, uint32_t keep) {
  chunk *left = s->chunk[at], *right;
  uint32_t n = left->n - keep;
  if (!reserve_chunk(s)) return false;
  right = fit(NULL, n + 1);
  if (right == NULL) return false;
  memcpy(right->entry, left->entry + keep, n * sizeof left->entry[0]);
  right->n = n;
  left->n = keep;
  place_chunk(s, at + 1, right);
  left = keep < FULL ? fit(left, keep + 1) : NULL; /* it could also stay as large as it is */
  if (left) s->chunk[at] = left;
  return true;
}

/* ---- searching ---- */

static bool goes_left(int order, bool past) { return past ? order < 0 : order <= 0; }

/* The first chunk whose last entry is not on the near side of the probe. */
static size_t find_chunk(const ldr_sorted *s, ldr_sorted_cmp *cmp, const void *ud, const void *probe,
                         bool past) {
  size_t lo = 0, hi = s->nchunks;
  while (lo < hi) {
    size_t mid = lo + (hi - lo) / 2;
    const chunk *c = s->chunk[mid];
    if (goes_left(cmp(ud, probe, c->entry[c->n - 1]), past))
      hi = mid;
    else
      lo = mid + 1;
  }
  return lo;
}

static uint32_t find_entry(const chunk *c, ldr_sorted_cmp *cmp, const void *ud, const void *probe,
                           bool past) {
  uint32_t lo = 0, hi = c->n;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (goes_left(cmp(ud, probe, c->entry[mid]), past))
      hi = mid;
    else
      lo = mid + 1;
  }
  return lo;
}

ldr_sorted_pos ldr_sorted_start(const ldr_sorted *s) {
  (void)s; /* without any entry, the start is the end */
  return (ldr_sorted_pos){0, 0};
}

ldr_sorted_pos ldr_sorted_end(const ldr_sorted *s) { return (ldr_sorted_pos){s->nchunks, 0}; }

ldr_sorted_pos ldr_sorted_seek(const ldr_sorted *s, ldr_sorted_cmp *cmp, const void *ud, const void *probe,
                               bool past) {
  ldr_sorted_pos pos = {find_chunk(s, cmp, ud, probe, past), 0};
  if (pos.chunk < s->nchunks) pos.at = find_entry(s->chunk[pos.chunk], cmp, ud, probe, past);
  return pos;
}

bool ldr_sorted_before(ldr_sorted_pos a, ldr_sorted_pos b) {
  return a.chunk != b.chunk ? a.chunk < b.chunk : a.at < b.at;
}

size_t ldr_sorted_distance(const ldr_sorted *s, ldr_sorted_pos from, ldr_sorted_pos to) {
  size_t n = 0;
  if (!ldr_sorted_before(from, to)) return 0;
  for (size_t i = from.chunk; i < to.chunk; i++) n += s->chunk[i]->n;
  return n + to.at - from.at;
}

void *ldr_sorted_next(const ldr_sorted *s, ldr_sorted_pos *at) {
  const chunk *c = s->chunk[at->chunk];
  void *entry = c->entry[at->at++];
  if (at->at == c->n) *at = (ldr_sorted_pos){at->chunk + 1, 0};
  return entry;
}

void *ldr_sorted_prev(const ldr_sorted *s, ldr_sorted_pos *at) {
  if (at->at == 0) {
    at->chunk--;
    at->at = s->chunk[at->chunk]->n;
  }
  return s->chunk[at->chunk]->entry[--at->at];
}

/* ---- changing ---- */

/* Rows often come in ascending order: then the end is found with one comparison. */
static ldr_sorted_pos place_for(const ldr_sorted *s, ldr_sorted_cmp *cmp, const void *ud, const void *probe) {
  const chunk *last = s->chunk[s->nchunks - 1];
  ldr_sorted_pos end = {s->nchunks - 1, last->n};
  if (cmp(ud, probe, last->entry[last->n - 1]) > 0) return end;
  return ldr_sorted_seek(s, cmp, ud, probe, false);
}

static bool add_first(ldr_sorted *s, void *entry) {
  chunk *c;
  if (!reserve_chunk(s)) return false;
  c = fit(NULL, 1);
  if (c == NULL) return false;
  c->entry[c->n++] = entry;
  place_chunk(s, 0, c);
  s->n = 1;
  return true;
}

/* Room for one entry at *pos, which may move. A full chunk is split in the middle; at its end, a new one is
 * started, so that ascending loads fill chunks to the brim. */
static bool make_room(ldr_sorted *s, ldr_sorted_pos *pos) {
  chunk *c = s->chunk[pos->chunk];
  if (c->n == FULL) {
    uint32_t keep = pos->at == FULL ? FULL : FULL / 2;
    if (!split(s, pos->chunk, keep)) return false;
    if (pos->at > keep || keep == FULL) *pos = (ldr_sorted_pos){pos->chunk + 1, pos->at - keep};
    return true;
  }
  c = grow(c, c->n + 1);
  if (c == NULL) return false;
  s->chunk[pos->chunk] = c;
  return true;
}

bool ldr_sorted_add(ldr_sorted *s, ldr_sorted_cmp *cmp, const void *ud, const void *probe, void *entry) {
  ldr_sorted_pos pos;
  chunk *c;
  if (s->nchunks == 0) return add_first(s, entry);
  pos = place_for(s, cmp, ud, probe);
  if (!make_room(s, &pos)) return false;
  c = s->chunk[pos.chunk];
  memmove(c->entry + pos.at + 1, c->entry + pos.at, (c->n - pos.at) * sizeof c->entry[0]);
  c->entry[pos.at] = entry;
  c->n++;
  s->n++;
  return true;
}

/* Take the right neighbour in, when both together leave room for more. Out of memory: they stay apart. */
static void merge(ldr_sorted *s, size_t left) {
  chunk *a = s->chunk[left], *b = s->chunk[left + 1];
  if (a->n + b->n > FULL - LOW) return;
  a = grow(a, a->n + b->n);
  if (a == NULL) return;
  s->chunk[left] = a;
  memcpy(a->entry + a->n, b->entry, b->n * sizeof b->entry[0]);
  a->n += b->n;
  drop_chunk(s, left + 1);
}

static ldr_sorted_pos place_of(const ldr_sorted *s, ldr_sorted_cmp *cmp, const void *ud, const void *probe) {
  ldr_sorted_pos pos = ldr_sorted_seek(s, cmp, ud, probe, false);
  assert(pos.chunk < s->nchunks && cmp(ud, probe, s->chunk[pos.chunk]->entry[pos.at]) == 0);
  return pos;
}

void ldr_sorted_replace(ldr_sorted *s, ldr_sorted_cmp *cmp, const void *ud, const void *probe, void *by) {
  ldr_sorted_pos pos = place_of(s, cmp, ud, probe);
  s->chunk[pos.chunk]->entry[pos.at] = by;
}

void ldr_sorted_remove(ldr_sorted *s, ldr_sorted_cmp *cmp, const void *ud, const void *probe) {
  ldr_sorted_pos pos = place_of(s, cmp, ud, probe);
  chunk *c = s->chunk[pos.chunk];
  c->n--;
  s->n--;
  memmove(c->entry + pos.at, c->entry + pos.at + 1, (c->n - pos.at) * sizeof c->entry[0]);
  if (c->n == 0)
    drop_chunk(s, pos.chunk);
  else if (c->n < LOW && pos.chunk + 1 < s->nchunks)
    merge(s, pos.chunk);
  else if (c->n < LOW && pos.chunk > 0)
    merge(s, pos.chunk - 1);
}

void ldr_sorted_free(ldr_sorted *s) {
  for (size_t i = 0; i < s->nchunks; i++) ldr_free(s->chunk[i]);
  ldr_free(s->chunk);
  *s = (ldr_sorted){0};
}

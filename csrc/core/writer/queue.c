#include "writer/queue.h"

#include <string.h>

#include "base/clock.h"

/* ---- making ---- */

ldr_code ldr_backlog_init(ldr_backlog *b, size_t cap, size_t batch, const char *spill, ldr_err *err) {
  b->cap = cap;
  b->batch = batch < cap ? batch : cap;
  b->ring = ldr_alloc_array(cap, sizeof *b->ring);
  b->hand = ldr_alloc_array(b->batch, sizeof *b->hand);
  if (b->ring == NULL || b->hand == NULL) return ldr_fail_nomem(err);
  if (spill) {
    ldr_code code = ldr_spill_open(spill, &b->spill, err);
    if (code) return code;
    b->old = b->spill->end;
  }
  return LDR_OK;
}

static void release_rows(ldr_backlog *b) {
  for (size_t i = 0; i < b->n; i++) ldr_row_release(b->ring[(b->first + i) % b->cap].row);
  for (size_t i = b->at; i < b->held; i++) ldr_row_release(b->hand[i].row);
  b->n = b->held = b->at = 0;
  b->bytes = 0;
}

void ldr_backlog_unspill(ldr_backlog *b) {
  ldr_spill_close(b->spill);
  b->spill = NULL;
}

static void free_rows(ldr_backlog *b) {
  release_rows(b);
  ldr_backlog_unspill(b);
  ldr_free(b->ring);
  ldr_free(b->hand);
}

void ldr_backlog_free(ldr_backlog *b) {
  free_rows(b);
  for (size_t i = 0; i < b->nfamilies; i++) ldr_schema_release(b->families[i]);
  ldr_free(b->families);
  *b = (ldr_backlog){0};
}

void ldr_backlog_forsake(ldr_backlog *b, bool torn) {
  ldr_backlog kept = {.families = b->families, .nfamilies = b->nfamilies};
  if (!torn)
    free_rows(b);
  else if (b->spill)
    ldr_spill_forsake(b->spill);
  *b = kept;
}

/* ---- families ---- */

static const ldr_schema *find_family(const ldr_backlog *b, const char *name) {
  for (size_t i = 0; i < b->nfamilies; i++)
    if (strcmp(b->families[i]->name, name) == 0) return b->families[i];
  return NULL;
}

bool ldr_backlog_knows(const ldr_backlog *b, const char *family) { return find_family(b, family) != NULL; }

ldr_code ldr_backlog_know(ldr_backlog *b, ldr_schema *s, ldr_err *err) {
  ldr_schema **more;
  for (size_t i = 0; i < b->nfamilies; i++)
    if (b->families[i] == s) return LDR_OK;
  more = ldr_realloc(b->families, (b->nfamilies + 1) * sizeof(ldr_schema *));
  if (more == NULL) return ldr_fail_nomem(err);
  b->families = more;
  b->families[b->nfamilies++] = ldr_schema_retain(s);
  b->learned = true;
  return LDR_OK;
}

/* ---- what there is ---- */

size_t ldr_backlog_depth(const ldr_backlog *b) { return b->n + (b->held - b->at); }

/* Records of the hand are live in the file until they are settled. */
size_t ldr_backlog_filed(const ldr_backlog *b) {
  size_t n = b->spill ? b->spill->live : 0;
  for (size_t i = b->at; i < b->held; i++)
    if (b->hand[i].at >= 0 && n) n--;
  return n;
}

int64_t ldr_backlog_oldest(const ldr_backlog *b) {
  int64_t oldest = b->n ? b->ring[b->first].accepted : LDR_NEVER;
  for (size_t i = b->at; i < b->held; i++)
    if (b->hand[i].accepted < oldest) oldest = b->hand[i].accepted;
  return oldest;
}

/* ---- in ---- */

void ldr_backlog_add(ldr_backlog *b, const ldr_entity *e, ldr_row *row, int64_t now) {
  b->ring[(b->first + b->n++) % b->cap] =
      (ldr_parcel){.e = e, .row = row, .accepted = now, .number = b->entered++, .at = -1};
  b->bytes += ldr_row_size(row);
}

ldr_code ldr_backlog_file(ldr_backlog *b, const ldr_entity *e, const ldr_row *row, ldr_err *err) {
  ldr_code code = ldr_spill_append(b->spill, e, row, ldr_now_wall(), err);
  if (code) return code;
  b->entered++;
  b->beyond = true;
  return LDR_OK;
}

/* ---- out ---- */

bool ldr_backlog_unread(const ldr_backlog *b) {
  return b->spill && (b->read < b->spill->end || (b->kept && b->learned));
}

bool ldr_backlog_passed(const ldr_backlog *b, uint64_t ticket) {
  bool replaying = b->spill && (b->read < b->old || (b->replaying && b->at < b->held));
  return !replaying && !(b->kept && b->learned) && b->left >= ticket;
}

static void take_ring(ldr_backlog *b) {
  while (b->n && b->held < b->batch) {
    b->hand[b->held++] = b->ring[b->first];
    b->first = (b->first + 1) % b->cap;
    b->n--;
  }
}

static int64_t on_our_clock(int64_t wall) {
  int64_t age = ldr_now_wall() - wall, now = ldr_now_mono();
  return age > 0 && age < now ? now - age : now;
}

static const ldr_entity *entity_of(const ldr_schema *s, const ldr_spilled *r, ldr_err *err) {
  const ldr_entity *e = ldr_schema_find(s, r->store);
  if (e == NULL)
    ldr_fail(err, LDR_DRIFT, "a spilled row is of a store that is gone: %.64s.%.64s", r->family, r->store);
  return e;
}

/* One record into the hand, or kept. */
static ldr_code take_record(ldr_backlog *b, const ldr_spilled *r, ldr_err *odd, ldr_err *err) {
  const ldr_schema *s = find_family(b, r->family);
  const ldr_entity *e = s ? entity_of(s, r, err) : NULL;
  ldr_row *row = NULL;
  ldr_code code = e ? ldr_spill_row(r, e, &row, err) : LDR_DRIFT;
  if (code == LDR_CAPACITY) return code;
  if (code == LDR_OK) {
    b->hand[b->held++] = (ldr_parcel){e, row, on_our_clock(r->accepted), r->at, (int64_t)r->at};
    b->replayed++;
    return LDR_OK;
  }
  if (s) *odd = *err;
  b->kept++;
  return LDR_OK;
}

static ldr_code take_file(ldr_backlog *b, uint64_t upto, ldr_err *odd, ldr_err *err) {
  while (b->held < b->batch && b->read < upto) {
    uint64_t before = b->read;
    ldr_spilled r;
    ldr_code code = ldr_spill_next(b->spill, &b->read, &r, err);
    if (code == LDR_NOT_FOUND) return LDR_OK;
    if (code == LDR_OK) code = take_record(b, &r, odd, err);
    if (code) {
      b->read = before;
      return b->held ? LDR_OK : code; /* what was taken goes first */
    }
  }
  return LDR_OK;
}

/* Every record was read and settled. The file is emptied, and another one takes its place, if a process left
 * one behind. Records that were kept are read again when another family has become known. */
static void reread(ldr_backlog *b) {
  if (b->spill == NULL || b->spill->end == 0 || b->read < b->spill->end) return;
  b->beyond = false;
  b->old = b->read;
  if (b->kept && !b->learned) return;
  if (b->kept == 0) {
    ldr_spill_empty(b->spill);
    (void)ldr_spill_adopt(b->spill);
  }
  b->kept = 0;
  b->learned = false;
  b->read = 0;
  b->old = b->spill->end;
}

ldr_code ldr_backlog_take(ldr_backlog *b, ldr_err *odd, ldr_err *err) {
  ldr_code code = LDR_OK;
  b->held = b->at = 0;
  reread(b);
  b->replaying = b->spill && b->read < b->old;
  if (b->replaying) code = take_file(b, b->old, odd, err);
  if (code == LDR_OK && b->held == 0) {
    b->replaying = false;
    take_ring(b);
    if (b->held == 0 && b->beyond) code = take_file(b, b->spill->end, odd, err);
  }
  ldr_parcels_sort(b->hand, b->held);
  return code;
}

void ldr_backlog_settle(ldr_backlog *b, size_t n) {
  for (; n; n--) {
    ldr_parcel *p = &b->hand[b->at++];
    if (p->at >= 0)
      ldr_spill_done(b->spill, (uint64_t)p->at);
    else
      b->bytes -= ldr_row_size(p->row);
    ldr_row_release(p->row);
  }
  if (b->at < b->held) return;
  if (!b->replaying) b->left += b->held;
  reread(b);
}

/* ---- the end ---- */

static bool save(ldr_backlog *b, const ldr_parcel *p, size_t *saved, size_t *lost) {
  ldr_err err;
  bool ok = b->spill && ldr_spill_append(b->spill, p->e, p->row, ldr_now_wall(), &err) == LDR_OK;
  ++*(ok ? saved : lost);
  return ok;
}

/* Rows that went to the file for want of room are younger than those that are saved now: they go behind. */
static void move_beyond(ldr_backlog *b, uint64_t end) {
  uint64_t pos = b->read > b->old ? b->read : b->old;
  ldr_spilled r;
  ldr_err err;
  while (pos < end && ldr_spill_next(b->spill, &pos, &r, &err) == LDR_OK && r.at < end)
    if (ldr_spill_move(b->spill, &r, &err) != LDR_OK) return;
}

size_t ldr_backlog_save(ldr_backlog *b, size_t *lost) {
  size_t saved = 0;
  uint64_t end = b->spill ? b->spill->end : 0;
  bool all = true;
  *lost = 0;
  for (size_t i = b->at; i < b->held; i++)
    if (b->hand[i].at < 0) all = save(b, &b->hand[i], &saved, lost) && all;
  for (size_t i = 0; i < b->n; i++) all = save(b, &b->ring[(b->first + i) % b->cap], &saved, lost) && all;
  if (saved && all && b->beyond) move_beyond(b, end);
  if (saved) ldr_spill_sync(b->spill);
  return saved;
}

#define _GNU_SOURCE
#include "writer/dead_letters.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "crypto/secret.h"

static const char PREFIX[] = "dead.", SUFFIX[] = ".rows";

void ldr_letters_init(ldr_letters *l, const ldr_spool *spool, uint64_t bytes_max) {
  *l = (ldr_letters){.spool = spool, .bytes_max = bytes_max};
  pthread_mutex_init(&l->lock, NULL);
  if (spool) memcpy(l->key, spool->key, sizeof l->key);
}

static void free_list(ldr_segment *s) {
  while (s) {
    ldr_segment *next = s->next;
    ldr_segment_free(s);
    s = next;
  }
}

void ldr_letters_free(ldr_letters *l) {
  if (l->part) ldr_segment_remove(l->part);
  ldr_segment_free(l->part);
  free_list(l->files);
  free_list(l->memory);
  ldr_wipe(l->key, sizeof l->key);
  pthread_mutex_destroy(&l->lock);
}

/* ---- writing ---- */

static uint64_t bytes_of_files(const ldr_letters *l) {
  uint64_t sum = 0;
  ldr_names names;
  struct stat st;
  ldr_err err;
  if (ldr_spool_names(l->spool, PREFIX, SUFFIX, &names, &err) != LDR_OK) return 0;
  for (size_t i = 0; i < names.n; i++)
    if (fstatat(l->spool->dir, names.name[i], &st, AT_SYMLINK_NOFOLLOW) == 0) sum += (uint64_t)st.st_size;
  ldr_names_free(&names);
  return sum;
}

/* The name without its ending. The time comes first, so that names sort in the order of refusal. */
static void file_name(ldr_letters *l, char out[LDR_SPOOL_NAME], const char *ending) {
  snprintf(out, LDR_SPOOL_NAME, "%s%016" PRIx64 ".%s.%" PRIu64 "%s", PREFIX, (uint64_t)ldr_now_wall(),
           l->spool->owner->name, l->serial++, ending);
}

static ldr_code begin(ldr_letters *l, ldr_err *err) {
  char name[LDR_SPOOL_NAME];
  if (bytes_of_files(l) >= l->bytes_max)
    return ldr_fail(err, LDR_CAPACITY, "the dead letters have reached the spill directory's limit");
  file_name(l, name, ".part");
  return ldr_segment_create(l->spool->dir, l->key, name, &l->part, err);
}

static void give_up_part(ldr_letters *l) {
  if (l->part == NULL) return;
  ldr_segment_remove(l->part);
  ldr_segment_free(l->part);
  l->part = NULL;
}

ldr_code ldr_letters_add(ldr_letters *l, const ldr_buf *record, ldr_err *err) {
  ldr_code code = LDR_OK;
  pthread_mutex_lock(&l->lock);
  if (l->spool == NULL) code = ldr_fail(err, LDR_UNSUPPORTED, "there is no spill directory");
  if (code == LDR_OK && l->part == NULL) code = begin(l, err);
  if (code == LDR_OK) code = ldr_segment_add(l->part, record, err);
  if (code) give_up_part(l);
  pthread_mutex_unlock(&l->lock);
  return code;
}

/* The part becomes a file that others see. */
static ldr_code publish(ldr_letters *l, ldr_err *err) {
  const char *part = l->part->name;
  char name[LDR_SPOOL_NAME];
  snprintf(name, sizeof name, "%.*s%s", (int)(strlen(part) - strlen(".part")), part, SUFFIX);
  if (renameat(l->spool->dir, part, l->spool->dir, name) != 0)
    return ldr_file_fail("finished", part, errno, err);
  if (ldr_file_sync(l->spool->dir) == 0) return LDR_OK;
  (void)unlinkat(l->spool->dir, name, 0);
  return ldr_file_fail("stored", name, errno, err);
}

ldr_code ldr_letters_commit(ldr_letters *l, ldr_err *err) {
  ldr_code code = LDR_OK;
  pthread_mutex_lock(&l->lock);
  if (l->part) {
    code = ldr_segment_write(l->part, err);
    if (code == LDR_OK) code = ldr_segment_sync(l->part, err);
    if (code == LDR_OK) code = publish(l, err);
    if (code)
      give_up_part(l);
    else
      ldr_segment_free(l->part);
    l->part = NULL;
  }
  pthread_mutex_unlock(&l->lock);
  return code;
}

/* ---- memory ---- */

/* The oldest letter goes, unless it is being replayed. */
static void make_room(ldr_letters *l) {
  ldr_segment **p = &l->memory, *s;
  if (l->kept < LDR_LETTERS_KEPT) return;
  while (*p && (*p)->refs) p = &(*p)->next;
  if (*p == NULL) return;
  s = *p;
  *p = s->next;
  ldr_segment_free(s);
  l->kept--;
  l->lost++;
}

void ldr_letters_keep(ldr_letters *l, const ldr_buf *record) {
  ldr_segment *s = NULL, **last = &l->memory;
  ldr_err err;
  ldr_code code;
  pthread_mutex_lock(&l->lock);
  make_room(l);
  code = ldr_segment_memory(l->key, &s, &err);
  if (code == LDR_OK) code = ldr_segment_add(s, record, &err);
  if (code == LDR_OK) code = ldr_segment_write(s, &err);
  if (code) {
    ldr_segment_free(s);
    l->lost++;
  } else {
    s->number = l->serial++;
    s->letter = true;
    while (*last) last = &(*last)->next;
    *last = s;
    l->kept++;
  }
  pthread_mutex_unlock(&l->lock);
}

/* ---- reading ---- */

static void label(const ldr_segment *s, char out[LDR_SPOOL_NAME]) {
  if (s->name)
    snprintf(out, LDR_SPOOL_NAME, "%s", s->name);
  else
    snprintf(out, LDR_SPOOL_NAME, "memory.%016" PRIx64, s->number);
}

/* name:place; false: no id. */
static bool parse_id(const char *id, char name[LDR_SPOOL_NAME], uint64_t *at) {
  const char *colon = strrchr(id, ':');
  char *end;
  if (colon == NULL || colon - id >= LDR_SPOOL_NAME || colon[1] == '\0') return false;
  memcpy(name, id, (size_t)(colon - id));
  name[colon - id] = '\0';
  *at = strtoull(colon + 1, &end, 10);
  return *end == '\0';
}

/* Takes s out of its list and closes it. */
static void forget(ldr_letters *l, ldr_segment *s) {
  ldr_segment **p = s->name ? &l->files : &l->memory;
  while (*p && *p != s) p = &(*p)->next;
  if (*p) *p = s->next;
  if (l->last == s) l->last = NULL;
  l->kept -= s->name == NULL;
  ldr_segment_free(s);
}

/* Every enter() ends with it. After its last letter a file goes; of those from which nothing is being
 * replayed, one stays open for the next letter. */
static void leave(ldr_letters *l, ldr_segment *s) {
  if (s->live == 0) ldr_segment_remove(s);
  if (s->refs) return;
  if (s->live == 0) {
    forget(l, s);
  } else if (s->name && l->last != s) {
    if (l->last && l->last->refs == 0) forget(l, l->last);
    l->last = s;
  }
}

static ldr_segment *find(ldr_segment *s, const char *name) {
  char text[LDR_SPOOL_NAME];
  for (; s; s = s->next) {
    label(s, text);
    if (strcmp(text, name) == 0) return s;
  }
  return NULL;
}

/* The file or the letter in memory. fresh: as other processes have left it. */
static ldr_code enter(ldr_letters *l, const char *name, bool fresh, ldr_segment **out, ldr_err *err) {
  size_t n = strlen(name);
  ldr_code code;
  *out = find(l->files, name);
  if (*out && fresh && (*out)->refs == 0) {
    forget(l, *out);
    *out = NULL;
  }
  if (*out == NULL) *out = find(l->memory, name);
  if (*out) return LDR_OK;
  if (l->spool == NULL || strncmp(name, PREFIX, strlen(PREFIX)) != 0 || strchr(name, '/') ||
      n < strlen(SUFFIX) || strcmp(name + n - strlen(SUFFIX), SUFFIX) != 0)
    return ldr_fail(err, LDR_NOT_FOUND, "there is no such dead letter");
  code = ldr_segment_open(l->spool->dir, l->key, name, out, err);
  if (code) return code;
  (*out)->letter = true;
  (*out)->next = l->files;
  l->files = *out;
  return LDR_OK;
}

typedef struct page {
  const char *name; /* behind this place */
  uint64_t at;
  size_t max, n;
  ldr_letter_each *each;
  void *ud;
} page;

static void page_segment(ldr_segment *s, page *pg) {
  char name[LDR_SPOOL_NAME], id[LDR_SPOOL_NAME + 24] /* in truth at most LDR_LETTER_ID */;
  uint64_t pos = 0, at;
  ldr_record r;
  label(s, name);
  while (pg->n < pg->max && ldr_segment_next(s, &pos, &r, &at)) {
    if (pg->name && strcmp(name, pg->name) == 0 && at <= pg->at) continue;
    snprintf(id, sizeof id, "%s:%" PRIu64, name, at);
    pg->each(pg->ud, id, &r);
    pg->n++;
  }
}

static ldr_code page_files(ldr_letters *l, page *pg, ldr_err *err) {
  ldr_names names;
  ldr_code code;
  if (l->spool == NULL) return LDR_OK;
  code = ldr_spool_names(l->spool, PREFIX, SUFFIX, &names, err);
  if (code) return code;
  for (size_t i = 0; i < names.n && code == LDR_OK && pg->n < pg->max; i++) {
    ldr_segment *s;
    if (pg->name && strcmp(names.name[i], pg->name) < 0) continue;
    code = enter(l, names.name[i], true, &s, err);
    if (code == LDR_OK) {
      page_segment(s, pg);
      leave(l, s);
    }
    if (code == LDR_NOT_FOUND) code = LDR_OK; /* another process was quicker */
  }
  ldr_names_free(&names);
  return code;
}

ldr_code ldr_letters_page(ldr_letters *l, const char *after, size_t max, ldr_letter_each *each, void *ud,
                          size_t *n, ldr_err *err) {
  char name[LDR_SPOOL_NAME], text[LDR_SPOOL_NAME];
  page pg = {.max = max, .each = each, .ud = ud};
  ldr_code code;
  if (after && !parse_id(after, name, &pg.at))
    return ldr_fail(err, LDR_INVALID, "this is no dead letter's id");
  if (after) pg.name = name;
  pthread_mutex_lock(&l->lock);
  code = page_files(l, &pg, err);
  for (ldr_segment *s = l->memory; s && code == LDR_OK && pg.n < max; s = s->next) {
    label(s, text);
    if (pg.name == NULL || strcmp(text, pg.name) >= 0) page_segment(s, &pg);
  }
  pthread_mutex_unlock(&l->lock);
  *n = pg.n;
  return code;
}

/* ---- one letter ---- */

/* The segment and the record of an id. Under the lock. */
static ldr_code locate(ldr_letters *l, const char *id, ldr_segment **s, uint64_t *at, ldr_record *r,
                       ldr_err *err) {
  char name[LDR_SPOOL_NAME];
  ldr_code code;
  if (!parse_id(id, name, at)) return ldr_fail(err, LDR_INVALID, "this is no dead letter's id");
  code = enter(l, name, false, s, err);
  if (code) return code;
  if (ldr_segment_get(*s, *at, r)) return LDR_OK;
  leave(l, *s);
  return ldr_fail(err, LDR_NOT_FOUND, "there is no such dead letter");
}

ldr_code ldr_letters_take(ldr_letters *l, const char *id, ldr_letter_entity *e_of, void *ud,
                          const ldr_entity **e, ldr_row **row, ldr_segment **from, uint64_t *at,
                          ldr_err *err) {
  ldr_record r;
  ldr_segment *s;
  ldr_code code;
  pthread_mutex_lock(&l->lock);
  code = locate(l, id, &s, at, &r, err);
  if (code == LDR_OK) {
    *e = e_of(ud, &r);
    code = *e ? ldr_record_row(&r, *e, row, err)
              : ldr_fail(err, LDR_DRIFT, "the dead letter's store is not declared: %.64s.%.64s", r.family,
                         r.store);
    s->refs += code == LDR_OK;
    *from = s;
    if (code) leave(l, s);
  }
  pthread_mutex_unlock(&l->lock);
  return code;
}

void ldr_letters_done(ldr_letters *l, ldr_segment *s, uint64_t at, bool gone) {
  pthread_mutex_lock(&l->lock);
  s->refs--;
  if (gone) ldr_segment_done(s, at);
  leave(l, s);
  pthread_mutex_unlock(&l->lock);
}

ldr_code ldr_letters_discard(ldr_letters *l, const char *id, ldr_err *err) {
  ldr_record r;
  ldr_segment *s;
  uint64_t at;
  ldr_code code;
  pthread_mutex_lock(&l->lock);
  code = locate(l, id, &s, &at, &r, err);
  if (code == LDR_OK) {
    ldr_segment_done(s, at);
    leave(l, s);
  }
  pthread_mutex_unlock(&l->lock);
  return code;
}

uint64_t ldr_letters_lost(ldr_letters *l) {
  uint64_t lost;
  pthread_mutex_lock(&l->lock);
  lost = l->lost;
  pthread_mutex_unlock(&l->lock);
  return lost;
}

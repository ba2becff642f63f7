#define _GNU_SOURCE
#include "writer/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/secret.h"

enum { START = 24, MAC = 16, LIVE_AT = 4, LENGTH_AT = 5, MAC_AT = 9, HEAD = 25 };
static const char file_magic[8] = "LDRSEG2\n", magic[4] = "LDR2";

int (*ldr_file_sync)(int fd) = fsync;

/* ---- the system's answers ---- */

static ldr_code code_of(int why) {
  switch (why) {
    case EACCES:
    case EPERM:
    case EROFS: return LDR_PERMISSION;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case ENOMEM:
    case EIO:
    case EMFILE:
    case ENFILE: return LDR_CAPACITY;
    case ENOENT: return LDR_NOT_FOUND;
    default: return LDR_INVALID;
  }
}

ldr_code ldr_file_fail(const char *what, const char *name, int why, ldr_err *err) {
  char text[128];
  const char *reason = strerror_r(why, text, sizeof text);
  return ldr_fail(err, code_of(why), "the spill file %.200s cannot be %s: %s", name, what, reason);
}

static bool read_at(int fd, char *to, size_t n, uint64_t at) {
  while (n) {
    ssize_t r = pread(fd, to, n, (off_t)at);
    if (r < 0 && errno == EINTR) continue;
    if (r == 0) errno = EIO;
    if (r <= 0) return false;
    to += r;
    at += (uint64_t)r;
    n -= (size_t)r;
  }
  return true;
}

static bool write_at(int fd, const char *p, size_t n, uint64_t at) {
  while (n) {
    ssize_t w = pwrite(fd, p, n, (off_t)at);
    if (w < 0 && errno == EINTR) continue;
    if (w < 0) return false;
    p += w;
    at += (uint64_t)w;
    n -= (size_t)w;
  }
  return true;
}

/* ---- making ---- */

static ldr_code make(int dir, const unsigned char *key, const char *name, ldr_segment **out, ldr_err *err) {
  ldr_segment *s = ldr_alloc(sizeof *s);
  if (s == NULL) return ldr_fail_nomem(err);
  s->dir = dir;
  s->fd = -1;
  s->key = key;
  s->name = name ? ldr_strndup(name, strlen(name)) : NULL;
  if (name && s->name == NULL) {
    ldr_free(s);
    return ldr_fail_nomem(err);
  }
  *out = s;
  return LDR_OK;
}

/* The head waits among the records, so that a file never begins without them. */
static ldr_code begin(ldr_segment *s, ldr_err *err) {
  ldr_random(s->salt, sizeof s->salt);
  ldr_buf_add(&s->out, file_magic, sizeof file_magic);
  ldr_buf_add(&s->out, s->salt, sizeof s->salt);
  return s->out.broken ? ldr_fail_nomem(err) : LDR_OK;
}

ldr_code ldr_segment_create(int dir, const unsigned char key[LDR_SEGMENT_KEY], const char *name,
                            ldr_segment **out, ldr_err *err) {
  ldr_segment *s = NULL;
  ldr_code code = make(dir, key, name, &s, err);
  if (code) return code;
  code = begin(s, err);
  if (code == LDR_OK) {
    s->fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->fd < 0) code = ldr_file_fail("made", name, errno, err);
  }
  if (code) {
    ldr_segment_free(s);
    return code;
  }
  *out = s;
  return LDR_OK;
}

ldr_code ldr_segment_memory(const unsigned char key[LDR_SEGMENT_KEY], ldr_segment **out, ldr_err *err) {
  ldr_segment *s = NULL;
  ldr_code code = make(-1, key, NULL, &s, err);
  if (code) return code;
  code = begin(s, err);
  if (code) {
    ldr_segment_free(s);
    return code;
  }
  *out = s;
  return LDR_OK;
}

void ldr_segment_free(ldr_segment *s) {
  if (s == NULL) return;
  if (s->fd >= 0) close(s->fd);
  ldr_buf_free(&s->out);
  ldr_buf_free(&s->data);
  ldr_free(s->name);
  ldr_free(s);
}

void ldr_segment_remove(ldr_segment *s) {
  if (s->name) (void)unlinkat(s->dir, s->name, 0);
}

/* ---- writing ---- */

/* A key for each place, so that the record needs no copy with its place in front. */
static void checksum(const ldr_segment *s, uint64_t at, const char *p, size_t n, unsigned char mac[MAC]) {
  unsigned char place[sizeof s->salt + 8], key[LDR_SEGMENT_KEY];
  memcpy(place, s->salt, sizeof s->salt);
  for (int i = 0; i < 8; i++) place[sizeof s->salt + (size_t)i] = (unsigned char)(at >> (56 - 8 * i));
  ldr_blake2b(key, sizeof key, place, sizeof place, s->key, LDR_SEGMENT_KEY);
  ldr_blake2b(mac, MAC, p, n, key, sizeof key);
}

ldr_code ldr_segment_add(ldr_segment *s, const ldr_buf *record, ldr_err *err) {
  unsigned char mac[MAC];
  size_t before = s->out.n;
  if (record->broken) return ldr_fail_nomem(err);
  if (record->n >= UINT32_MAX) return ldr_fail(err, LDR_CAPACITY, "a row is larger than 4 GiB");
  if (!ldr_buf_reserve(&s->out, HEAD + record->n)) {
    s->out.broken = false; /* what was added before is whole */
    return ldr_fail_nomem(err);
  }
  checksum(s, s->end + before, record->p, record->n, mac);
  ldr_buf_add(&s->out, magic, sizeof magic);
  ldr_buf_chr(&s->out, 1);
  ldr_buf_be32(&s->out, (uint32_t)record->n);
  ldr_buf_add(&s->out, mac, MAC);
  ldr_buf_add(&s->out, record->p, record->n);
  s->pending++;
  return LDR_OK;
}

static void written(ldr_segment *s) {
  s->end += s->out.n;
  s->live += s->pending;
  s->pending = 0;
  ldr_buf_reset(&s->out);
}

static ldr_code keep_in_memory(ldr_segment *s, ldr_err *err) {
  ldr_buf_add(&s->data, s->out.p, s->out.n);
  if (s->data.broken) {
    s->data.broken = false;
    return ldr_fail_nomem(err);
  }
  written(s);
  return LDR_OK;
}

/* The head is not forgotten. */
void ldr_segment_take_back(ldr_segment *s) {
  s->pending = 0;
  s->out.n = s->end ? 0 : START;
}

ldr_code ldr_segment_write(ldr_segment *s, ldr_err *err) {
  int why;
  if (s->out.n == 0) return LDR_OK;
  if (s->name == NULL) return keep_in_memory(s, err);
  if (write_at(s->fd, s->out.p, s->out.n, s->end)) {
    s->dirty = true;
    written(s);
    return LDR_OK;
  }
  why = errno;
  ldr_segment_take_back(s);
  if (ftruncate(s->fd, (off_t)s->end) != 0) s->sealed = true; /* what is torn at the end is passed over */
  return ldr_file_fail("written", s->name, why, err);
}

ldr_code ldr_segment_sync(ldr_segment *s, ldr_err *err) {
  int result;
  if (!s->dirty || s->name == NULL) return LDR_OK;
  do result = ldr_file_sync(s->fd);
  while (result != 0 && errno == EINTR);
  s->dirty = false; /* the system has forgotten what it could not store: asking again would say it is well */
  if (result == 0) return LDR_OK;
  s->sealed = true;
  return ldr_file_fail("stored", s->name, errno, err);
}

void ldr_segment_done(ldr_segment *s, uint64_t at) {
  bool in_memory = s->data.p && at + HEAD <= s->data.n;
  if (in_memory && s->data.p[at + LIVE_AT] == 0) return;
  if (in_memory) s->data.p[at + LIVE_AT] = 0;
  if (s->live) s->live--;
  /* A mark that cannot be written costs a second delivery, which the key makes harmless. */
  if (s->fd >= 0) (void)write_at(s->fd, "", 1, at + LIVE_AT);
}

/* ---- reading ---- */

ldr_code ldr_segment_load(ldr_segment *s, ldr_err *err) {
  struct stat st;
  s->sealed = true;
  if (s->data.p || s->name == NULL) return LDR_OK;
  if (fstat(s->fd, &st) != 0) return ldr_file_fail("read", s->name, errno, err);
  if (!ldr_buf_reserve(&s->data, (size_t)st.st_size + 1)) {
    ldr_buf_free(&s->data);
    return ldr_fail_nomem(err);
  }
  if (!read_at(s->fd, s->data.p, (size_t)st.st_size, 0)) {
    int why = errno;
    ldr_buf_free(&s->data);
    return ldr_file_fail("read", s->name, why, err);
  }
  s->data.n = (size_t)st.st_size;
  if (s->pos < START) s->pos = START;
  return LDR_OK;
}

void ldr_segment_unload(ldr_segment *s) {
  if (s->name) ldr_buf_free(&s->data);
}

/* The record at `at`, live or done; *n: its length with the head. */
static bool whole(const ldr_segment *s, uint64_t at, size_t *n) {
  const char *p = s->data.p + at;
  unsigned char mac[MAC];
  size_t left;
  if (at + HEAD > s->data.n || memcmp(p, magic, sizeof magic) != 0) return false;
  left = s->data.n - (size_t)at - HEAD;
  *n = ldr_be32(p + LENGTH_AT);
  if (*n > left) return false;
  checksum(s, at, p + HEAD, *n, mac);
  if (!ldr_same(mac, p + MAC_AT, MAC)) return false;
  *n += HEAD;
  return true;
}

/* Where the next record may begin; the end when nowhere. */
static uint64_t find_magic(const ldr_segment *s, uint64_t at) {
  const char *hit = at < s->data.n ? memmem(s->data.p + at, s->data.n - at, magic, sizeof magic) : NULL;
  return hit ? (uint64_t)(hit - s->data.p) : s->data.n;
}

bool ldr_segment_next(ldr_segment *s, uint64_t *pos, ldr_record *out, uint64_t *at) {
  bool damaged = false;
  if (*pos < START) *pos = START;
  while (*pos < s->data.n) {
    size_t n;
    *at = *pos;
    if (!whole(s, *at, &n)) {
      if (!damaged) s->damaged++; /* once for each place, whatever it holds */
      damaged = true;
      *pos = find_magic(s, *at + 1);
      continue;
    }
    damaged = false;
    *pos = *at + n;
    if (s->data.p[*at + LIVE_AT] == 0) continue;
    if (ldr_record_parse(s->data.p + *at + HEAD, n - HEAD, out)) return true;
    s->damaged++;
  }
  return false;
}

bool ldr_segment_get(ldr_segment *s, uint64_t at, ldr_record *out) {
  size_t n;
  return at >= START && at < s->data.n && whole(s, at, &n) && s->data.p[at + LIVE_AT] &&
         ldr_record_parse(s->data.p + at + HEAD, n - HEAD, out);
}

/* ---- opening ---- */

/* Counts what is live and what is damaged. */
static void count(ldr_segment *s) {
  uint64_t pos = START, at;
  ldr_record r;
  s->end = s->data.n;
  if (s->data.n < START || memcmp(s->data.p, file_magic, sizeof file_magic) != 0) {
    s->damaged = s->data.n > 0; /* a process ended before the head was written, or the head is damaged */
    s->pos = s->data.n;
    return;
  }
  memcpy(s->salt, s->data.p + sizeof file_magic, sizeof s->salt);
  while (ldr_segment_next(s, &pos, &r, &at)) s->live++;
  s->unread = s->live;
}

ldr_code ldr_segment_open(int dir, const unsigned char key[LDR_SEGMENT_KEY], const char *name,
                          ldr_segment **out, ldr_err *err) {
  ldr_segment *s = NULL;
  ldr_code code = make(dir, key, name, &s, err);
  if (code) return code;
  s->fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (s->fd < 0) code = ldr_file_fail("opened", name, errno, err);
  if (code == LDR_OK) code = ldr_segment_load(s, err);
  if (code) {
    ldr_segment_free(s);
    return code;
  }
  count(s);
  *out = s;
  return LDR_OK;
}

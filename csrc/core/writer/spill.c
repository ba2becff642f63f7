#define _GNU_SOURCE
#include "writer/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "model/validate.h"

enum { HEAD = 17, LIVE_AT = 4, FILES = 64, SEARCH = 4096 };
static const char magic[4] = "LDR1";

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
    case EMFILE:
    case ENFILE: return LDR_CAPACITY;
    default: return LDR_INVALID;
  }
}

static ldr_code fail(const ldr_spill *s, const char *what, int why, ldr_err *err) {
  char text[128];
  const char *reason = strerror_r(why, text, sizeof text);
  return ldr_fail(err, code_of(why), "the spill file %.200s cannot be %s: %s", s->path, what, reason);
}

static bool read_at(int fd, void *p, size_t n, uint64_t at) {
  char *to = p;
  while (n) {
    ssize_t r = pread(fd, to, n, (off_t)at);
    if (r < 0 && errno == EINTR) continue;
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

/* ---- writing ---- */

static void put_bytes(ldr_buf *b, const ldr_value *v) {
  size_t at = b->n;
  uint64_t bits = 0;
  ldr_buf_be32(b, 0);
  switch (v->type) {
    case LDR_T_NULL: ldr_buf_patch32(b, at, UINT32_MAX); return;
    case LDR_T_BOOL: ldr_buf_chr(b, v->u.b); break;
    case LDR_T_INT:
    case LDR_T_TIME: ldr_buf_be64(b, (uint64_t)v->u.i); break;
    case LDR_T_FLOAT:
      memcpy(&bits, &v->u.f, sizeof bits);
      ldr_buf_be64(b, bits);
      break;
    default: ldr_buf_add(b, v->u.p, v->n);
  }
  ldr_buf_patch32(b, at, (uint32_t)(b->n - at - 4));
}

static void put_name(ldr_buf *b, const char *name) { ldr_buf_add(b, name, strlen(name) + 1); }

static void put_payload(ldr_buf *b, const ldr_entity *e, const ldr_row *row, int64_t accepted) {
  ldr_buf_be64(b, (uint64_t)accepted);
  put_name(b, e->schema->name);
  put_name(b, e->name);
  ldr_buf_be16(b, (uint16_t)e->nfields);
  for (unsigned i = 0; i < e->nfields; i++) {
    const ldr_field *f = &e->fields[i];
    ldr_value v;
    ldr_row_get(e, row, i, &v);
    put_name(b, f->name);
    put_name(b, ldr_ftype_get(f->type)->name);
    ldr_buf_chr(b, f->array);
    put_bytes(b, &v);
  }
}

static uint64_t checksum(const char *payload, size_t n) { return ldr_hash64(payload, n, n); }

/* The record in the buffer goes to the end of the file. */
static ldr_code append(ldr_spill *s, ldr_err *err) {
  if (!write_at(s->fd, s->buf.p, s->buf.n, s->end)) {
    int why = errno;
    if (ftruncate(s->fd, (off_t)s->end) != 0) return fail(s, "cut back", errno, err);
    return fail(s, "written", why, err);
  }
  s->end += s->buf.n;
  s->live++;
  return LDR_OK;
}

ldr_code ldr_spill_append(ldr_spill *s, const ldr_entity *e, const ldr_row *row, int64_t accepted,
                          ldr_err *err) {
  ldr_buf *b = &s->buf;
  size_t n;
  uint64_t sum;
  ldr_buf_reset(b);
  ldr_buf_add(b, magic, sizeof magic);
  ldr_buf_chr(b, 1);
  ldr_buf_be32(b, 0);
  ldr_buf_be64(b, 0);
  put_payload(b, e, row, accepted);
  if (b->broken) return ldr_fail_nomem(err);
  n = b->n - HEAD;
  if (n > UINT32_MAX) return ldr_fail(err, LDR_CAPACITY, "a row of %s is larger than 4 GiB", e->name);
  sum = checksum(b->p + HEAD, n);
  ldr_buf_patch32(b, LIVE_AT + 1, (uint32_t)n);
  ldr_buf_patch32(b, LIVE_AT + 5, (uint32_t)(sum >> 32));
  ldr_buf_patch32(b, LIVE_AT + 9, (uint32_t)sum);
  return append(s, err);
}

ldr_code ldr_spill_move(ldr_spill *s, const ldr_spilled *r, ldr_err *err) {
  ldr_code code = append(s, err);
  if (code == LDR_OK) ldr_spill_done(s, r->at);
  return code;
}

void ldr_spill_sync(ldr_spill *s) {
  while (fsync(s->fd) != 0 && errno == EINTR) continue;
}

void ldr_spill_done(ldr_spill *s, uint64_t at) {
  (void)write_at(s->fd, "", 1, at + LIVE_AT); /* else it is written twice, which the key makes harmless */
  if (s->live) s->live--;
}

void ldr_spill_empty(ldr_spill *s) {
  if (ftruncate(s->fd, 0) == 0) s->end = 0;
  s->live = 0;
}

/* ---- reading ---- */

/* The header at `at`: false when there is none, or one whose record ends beyond `end`. */
static bool read_head(const ldr_spill *s, uint64_t at, uint64_t end, bool *live, uint32_t *n, uint64_t *sum) {
  char head[HEAD];
  if (end - at < HEAD || !read_at(s->fd, head, HEAD, at) || memcmp(head, magic, sizeof magic) != 0)
    return false;
  *live = head[LIVE_AT] != 0;
  *n = ldr_be32(head + LIVE_AT + 1);
  *sum = ldr_be64(head + LIVE_AT + 5);
  return end - at - HEAD >= *n;
}

/* The record at `at` into the buffer; false: it is not what was written. */
static bool read_record(ldr_spill *s, uint64_t at, uint32_t n, uint64_t sum) {
  size_t size = HEAD + (size_t)n;
  ldr_buf_reset(&s->buf);
  if (!ldr_buf_reserve(&s->buf, size) || !read_at(s->fd, s->buf.p, size, at)) return false;
  s->buf.n = size;
  return checksum(s->buf.p + HEAD, n) == sum;
}

/* Where the next record may begin; `end` when nowhere. */
static uint64_t find_magic(const ldr_spill *s, uint64_t at, uint64_t end) {
  char piece[SEARCH];
  while (end - at >= sizeof magic) {
    size_t n = end - at < SEARCH ? (size_t)(end - at) : SEARCH;
    const char *hit;
    if (!read_at(s->fd, piece, n, at)) break;
    hit = memmem(piece, n, magic, sizeof magic);
    if (hit) return at + (uint64_t)(hit - piece);
    at += n - (sizeof magic - 1);
  }
  return end;
}

static bool take_name(const char **p, const char *end, const char **out) {
  const char *zero = memchr(*p, 0, (size_t)(end - *p));
  if (zero == NULL) return false;
  *out = *p;
  *p = zero + 1;
  return true;
}

static bool parse(const ldr_buf *b, ldr_spilled *out) {
  const char *p = b->p + HEAD, *end = b->p + b->n;
  if (end - p < 8) return false;
  out->accepted = (int64_t)ldr_be64(p);
  p += 8;
  if (!take_name(&p, end, &out->family) || !take_name(&p, end, &out->store) || end - p < 2) return false;
  out->nfields = ldr_be16(p);
  out->fields = p + 2;
  out->end = end;
  return true;
}

/* The next live record from *pos on, before `end`. Between records that can be read lie done ones and damaged
 * places; *good is where the last record ends that can be read. */
static ldr_code next_record(ldr_spill *s, uint64_t *pos, uint64_t end, uint64_t *good, ldr_spilled *out,
                            ldr_err *err) {
  while (*pos < end) {
    uint64_t at = *pos, sum;
    uint32_t n;
    bool live;
    if (read_head(s, at, end, &live, &n, &sum)) {
      bool whole = read_record(s, at, n, sum) && parse(&s->buf, out);
      if (s->buf.broken) return ldr_fail_nomem(err);
      if (whole) {
        *pos = *good = at + HEAD + n;
        out->at = at;
        if (live) return LDR_OK;
        continue;
      }
    }
    *pos = find_magic(s, at + 1, end);
    if (*pos < end) s->damaged++;
  }
  err->code = LDR_NOT_FOUND;
  return LDR_NOT_FOUND;
}

ldr_code ldr_spill_next(ldr_spill *s, uint64_t *pos, ldr_spilled *out, ldr_err *err) {
  uint64_t damaged = s->damaged, good = 0; /* opening has counted */
  ldr_code code = next_record(s, pos, s->end, &good, out, err);
  s->damaged = damaged;
  return code;
}

/* ---- a record as a row ---- */

typedef struct field {
  const char *name, *type, *p;
  uint32_t n;
  bool array, null;
} field;

static bool take_field(const char **p, const char *end, field *f) {
  if (!take_name(p, end, &f->name) || !take_name(p, end, &f->type) || end - *p < 5) return false;
  f->array = **p != 0;
  f->n = ldr_be32(*p + 1);
  *p += 5;
  f->p = *p;
  f->null = f->n == UINT32_MAX;
  if (f->null) return true;
  if ((size_t)(end - *p) < f->n) return false;
  *p += f->n;
  return true;
}

static bool get_value(const field *f, ldr_type type, ldr_value *out) {
  uint64_t bits;
  *out = ldr_null();
  if (f->null) return true;
  switch (type) {
    case LDR_T_BOOL: *out = ldr_bool(f->n == 1 && *f->p); return f->n == 1;
    case LDR_T_INT:
    case LDR_T_TIME:
    case LDR_T_FLOAT:
      if (f->n != 8) return false;
      bits = ldr_be64(f->p);
      *out = type == LDR_T_TIME ? ldr_time((int64_t)bits) : ldr_int((int64_t)bits);
      if (type == LDR_T_FLOAT) memcpy(&out->u.f, &bits, sizeof bits);
      out->type = type;
      return true;
    default: *out = ldr_bytes_of(type, f->p, f->n); return true;
  }
}

/* One field of the record into the row; a null identity is one that the engine numbers. */
static ldr_code place(const field *f, const ldr_entity *e, ldr_value *values, bool *given, ldr_err *err) {
  int i = ldr_entity_field(e, f->name, strlen(f->name));
  const ldr_field *to = i < 0 ? NULL : &e->fields[i];
  if (to == NULL || to->array != f->array || strcmp(ldr_ftype_get(to->type)->name, f->type) != 0 ||
      !get_value(f, to->value_type, &values[i]))
    return ldr_fail(err, LDR_DRIFT, "%s.%s: a spilled row does not fit the declaration: field %.64s",
                    e->schema->name, e->name, f->name);
  given[i] = !(f->null && to->def == LDR_DEF_IDENTITY);
  return LDR_OK;
}

ldr_code ldr_spill_row(const ldr_spilled *r, const ldr_entity *e, ldr_row **out, ldr_err *err) {
  ldr_value values[LDR_MAX_FIELDS];
  bool given[LDR_MAX_FIELDS] = {false};
  ldr_arena arena = {0};
  const char *p = r->fields;
  ldr_code code = LDR_OK;
  for (unsigned i = 0; i < r->nfields && code == LDR_OK; i++) {
    field f;
    code = take_field(&p, r->end, &f) ? place(&f, e, values, given, err)
                                      : ldr_fail(err, LDR_DRIFT, "a spilled row is malformed");
  }
  for (unsigned i = 0; i < e->nfields; i++)
    if (!given[i]) values[i] = ldr_null();
  if (code == LDR_OK) code = ldr_check_row(e, values, given, r->accepted, &arena, err);
  if (code == LDR_OK) code = ldr_row_pack(e, values, out, err);
  ldr_arena_free(&arena);
  return code;
}

/* ---- opening ---- */

static void note_family(ldr_spill *s, const char *name) {
  for (unsigned i = 0; i < s->nfamilies; i++)
    if (strcmp(s->families[i], name) == 0) return;
  if (s->nfamilies < LDR_SPILL_FAMILIES) snprintf(s->families[s->nfamilies++], LDR_SPILL_NAME, "%s", name);
}

/* Counts what is live, and cuts off what is torn. */
static ldr_code scan(ldr_spill *s, uint64_t size, ldr_err *err) {
  uint64_t pos = 0, good = 0;
  ldr_spilled r;
  ldr_code code;
  s->live = 0;
  while ((code = next_record(s, &pos, size, &good, &r, err)) == LDR_OK) {
    s->live++;
    note_family(s, r.family);
  }
  if (code != LDR_NOT_FOUND) return code;
  if (good < size) s->damaged++;
  if (good < size && ftruncate(s->fd, (off_t)good) != 0) return fail(s, "cut back", errno, err);
  s->end = good;
  return LDR_OK;
}

/* File number n, locked. -1: another process has it, or (errno is set) it cannot be opened. */
static int lock_file(const ldr_spill *s, int n, int flags, off_t *size) {
  char path[4096];
  struct stat st;
  int fd;
  if ((size_t)snprintf(path, sizeof path, n ? "%s.%d" : "%s", s->path, n) >= sizeof path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
  if (fd < 0) return -1;
  if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && fchmod(fd, 0600) == 0) {
    if (S_ISREG(st.st_mode)) {
      *size = st.st_size;
      return fd;
    }
    errno = EINVAL;
  }
  flags = errno;
  close(fd);
  errno = flags;
  return -1;
}

/* One that holds something and belongs to nobody; -1: none. */
static int find_left_behind(const ldr_spill *s, off_t *size) {
  for (int n = 0; n < FILES; n++) {
    int fd = lock_file(s, n, 0, size);
    if (fd >= 0 && *size > 0) return fd;
    if (fd >= 0) close(fd);
  }
  return -1;
}

static int find_free(const ldr_spill *s, off_t *size) {
  for (int n = 0; n < FILES; n++) {
    int fd = lock_file(s, n, O_CREAT, size);
    if (fd >= 0 || errno != EWOULDBLOCK) return fd;
  }
  return -1;
}

ldr_code ldr_spill_open(const char *path, ldr_spill **out, ldr_err *err) {
  ldr_spill *s = ldr_alloc(sizeof *s);
  off_t size = 0;
  ldr_code code = LDR_OK;
  if (s == NULL) return ldr_fail_nomem(err);
  s->fd = -1;
  s->path = ldr_strndup(path, strlen(path));
  if (s->path == NULL) code = ldr_fail_nomem(err);
  if (code == LDR_OK) s->fd = find_left_behind(s, &size);
  if (code == LDR_OK && s->fd < 0) s->fd = find_free(s, &size);
  if (code == LDR_OK && s->fd < 0) code = fail(s, "opened", errno, err);
  if (code == LDR_OK) code = scan(s, (uint64_t)size, err);
  if (code) {
    ldr_spill_close(s);
    return code;
  }
  *out = s;
  return LDR_OK;
}

bool ldr_spill_adopt(ldr_spill *s) {
  ldr_err err;
  off_t size = 0;
  int own = s->fd, fd = find_left_behind(s, &size);
  if (fd < 0) return false;
  s->fd = fd;
  s->nfamilies = 0;
  if (scan(s, (uint64_t)size, &err) == LDR_OK) {
    close(own);
    return true;
  }
  close(fd);
  s->fd = own;
  s->end = s->live = 0;
  return false;
}

/* No LOCK_UN, here or there: a forked child would take the lock from its parent. */
void ldr_spill_forsake(ldr_spill *s) {
  if (s->fd >= 0) close(s->fd);
  s->fd = -1;
}

void ldr_spill_close(ldr_spill *s) {
  if (s == NULL) return;
  ldr_spill_forsake(s);
  ldr_buf_free(&s->buf);
  ldr_free(s->path);
  ldr_free(s);
}

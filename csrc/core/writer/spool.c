#define _GNU_SOURCE
#include "writer/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/secret.h"

enum { OLD_FILES = 64 };

/* ---- names ---- */

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

void ldr_names_free(ldr_names *l) {
  for (size_t i = 0; i < l->n; i++) ldr_free(l->name[i]);
  ldr_free(l->name);
  *l = (ldr_names){0};
}

static bool add_name(ldr_names *l, const char *name) {
  if (l->n == l->cap) {
    size_t cap = l->cap ? l->cap * 2 : 16;
    char **more = ldr_realloc(l->name, cap * sizeof(char *));
    if (more == NULL) return false;
    l->name = more;
    l->cap = cap;
  }
  l->name[l->n] = ldr_strndup(name, strlen(name));
  return l->name[l->n] && ++l->n;
}

static bool fits(const char *name, const char *prefix, const char *suffix) {
  size_t n = strlen(name), np = strlen(prefix), ns = strlen(suffix);
  return n >= np + ns && memcmp(name, prefix, np) == 0 && memcmp(name + n - ns, suffix, ns) == 0;
}

ldr_code ldr_spool_names(const ldr_spool *s, const char *prefix, const char *suffix, ldr_names *out,
                         ldr_err *err) {
  int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  const struct dirent *entry;
  bool ok = true;
  *out = (ldr_names){0};
  if (dir == NULL) {
    int why = errno;
    if (fd >= 0) close(fd);
    return ldr_file_fail("read", s->path, why, err);
  }
  while (ok && (entry = readdir(dir)) != NULL)
    if (fits(entry->d_name, prefix, suffix)) ok = add_name(out, entry->d_name);
  closedir(dir);
  if (!ok) {
    ldr_names_free(out);
    return ldr_fail_nomem(err);
  }
  if (out->n) qsort(out->name, out->n, sizeof *out->name, by_text);
  return LDR_OK;
}

/* The text up to the next dot. */
static const char *take_part(const char *p, char *out, size_t size) {
  size_t n = strcspn(p, ".");
  if (n == 0 || n >= size || p[n] != '.') return NULL;
  memcpy(out, p, n);
  out[n] = '\0';
  return p + n + 1;
}

static bool is_hex(const char *p) { return strlen(p) == 16 && strspn(p, "0123456789abcdef") == 16; }

bool ldr_segment_name_parse(const char *name, ldr_segment_name *out) {
  char number[LDR_OWNER_NAME];
  const char *p = take_part(name, out->owner, sizeof out->owner);
  if (p) p = take_part(p, out->family, sizeof out->family);
  if (p) p = take_part(p, out->store, sizeof out->store);
  if (p) p = take_part(p, number, sizeof number);
  if (p == NULL || strcmp(p, "rows") != 0 || !is_hex(out->owner) || !is_hex(number)) return false;
  out->number = strtoull(number, NULL, 16);
  return true;
}

static void segment_name(const ldr_spool *s, const char *family, const char *store, uint64_t number,
                         char out[LDR_SPOOL_NAME]) {
  snprintf(out, LDR_SPOOL_NAME, "%s.%s.%s.%016llx.rows", s->owner->name, family, store,
           (unsigned long long)number);
}

ldr_code ldr_spool_segment(ldr_spool *s, const char *family, const char *store, uint64_t number,
                           ldr_segment **out, ldr_err *err) {
  char name[LDR_SPOOL_NAME];
  do segment_name(s, family, store, number++, name);
  while (faccessat(s->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) ==
         0); /* one that was taken over has that number */
  s->dirty = true;
  return ldr_segment_create(s->dir, s->key, name, out, err);
}

ldr_code ldr_spool_sync(ldr_spool *s, ldr_err *err) {
  if (!s->dirty) return LDR_OK;
  if (ldr_file_sync(s->dir) != 0) return ldr_file_fail("stored", s->path, errno, err);
  s->dirty = false;
  return LDR_OK;
}

/* ---- opening ---- */

static ldr_code old_format(const char *path, ldr_err *err) {
  return ldr_fail(err, LDR_INVALID,
                  "the spill file %.200s is of an earlier format: have the release that made it write its "
                  "rows, or move it away",
                  path);
}

/* Is there a file of the old format at path? *empty: it is one without rows. */
static bool is_old(const char *path, bool *empty) {
  char magic[4] = "";
  struct stat st;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  bool old = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
  *empty = old && st.st_size == 0;
  if (old && !*empty) old = read(fd, magic, 4) == 4 && memcmp(magic, "LDR1", 4) == 0;
  if (fd >= 0) close(fd);
  return old;
}

/* Empty ones are what every process of an earlier release left: they stand in nobody's way. */
static ldr_code refuse_old(const char *path, ldr_err *err) {
  char name[4096];
  bool empty;
  if (is_old(path, &empty) && (!empty || unlink(path) != 0)) return old_format(path, err);
  for (int i = 1; i < OLD_FILES; i++) {
    snprintf(name, sizeof name, "%s.%d", path, i);
    if (is_old(name, &empty) && !empty) return old_format(name, err);
  }
  return LDR_OK;
}

static ldr_code open_dir(ldr_spool *s, ldr_err *err) {
  struct stat st;
  ldr_code code;
  if (mkdir(s->path, 0700) != 0 && errno != EEXIST) {
    code = ldr_file_fail("made", s->path, errno, err);
    return code == LDR_NOT_FOUND ? (err->code = LDR_INVALID) : code;
  }
  s->dir = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (s->dir < 0) return ldr_file_fail("opened as a directory", s->path, errno, err);
  if (fstat(s->dir, &st) != 0) return ldr_file_fail("opened", s->path, errno, err);
  if (st.st_mode & 022) /* they could give us a key of their choice */
    return ldr_fail(err, LDR_INVALID, "the spill directory %.200s can be written by other users", s->path);
  return LDR_OK;
}

static bool read_key(ldr_spool *s) {
  int fd = openat(s->dir, "key", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  bool ok = fd >= 0 && read(fd, s->key, sizeof s->key) == (ssize_t)sizeof s->key;
  if (fd >= 0) close(fd);
  return ok;
}

/* The key appears under its name whole or not at all, whoever comes first. */
static ldr_code make_key(ldr_spool *s, ldr_err *err) {
  char part[40];
  int fd;
  bool ok;
  snprintf(part, sizeof part, "key.%s.part", s->owner->name);
  fd = openat(s->dir, part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return ldr_file_fail("made", "key", errno, err);
  ldr_random(s->key, sizeof s->key);
  ok = write(fd, s->key, sizeof s->key) == (ssize_t)sizeof s->key && ldr_file_sync(fd) == 0;
  if (ok) ok = linkat(s->dir, part, s->dir, "key", 0) == 0 || errno == EEXIST;
  if (!ok) ldr_file_fail("written", "key", errno, err);
  close(fd);
  (void)unlinkat(s->dir, part, 0);
  s->dirty = true;
  return ok ? LDR_OK : err->code;
}

static ldr_code have_key(ldr_spool *s, ldr_err *err) {
  ldr_code code = LDR_OK;
  if (read_key(s)) return LDR_OK;
  code = make_key(s, err);
  if (code == LDR_OK && !read_key(s)) code = ldr_file_fail("read", "key", EINVAL, err);
  return code ? code : ldr_spool_sync(s, err);
}

ldr_code ldr_spool_open(const char *path, ldr_spool **out, ldr_err *err) {
  ldr_spool *s = ldr_alloc(sizeof *s);
  ldr_code code;
  if (s == NULL) return ldr_fail_nomem(err);
  s->dir = -1;
  s->path = ldr_strndup(path, strlen(path));
  code = s->path ? refuse_old(path, err) : ldr_fail_nomem(err);
  if (code == LDR_OK) code = open_dir(s, err);
  if (code == LDR_OK) code = ldr_owner_new(s->dir, &s->owner, err);
  if (code == LDR_OK) code = have_key(s, err);
  if (code) {
    ldr_spool_close(s);
    return code;
  }
  *out = s;
  return LDR_OK;
}

/* The lock file stays while there are segments of ours, for the next process to find. */
void ldr_spool_close(ldr_spool *s) {
  ldr_names left = {0};
  ldr_err err;
  bool empty;
  if (s == NULL) return;
  empty = s->owner && ldr_spool_names(s, s->owner->name, ".rows", &left, &err) == LDR_OK && left.n == 0;
  ldr_names_free(&left);
  ldr_owner_drop(s->owner, empty);
  if (s->dir >= 0) close(s->dir);
  ldr_wipe(s->key, sizeof s->key);
  ldr_free(s->path);
  ldr_free(s);
}

/* ---- what others left behind ---- */

/* One segment becomes ours. Two processes may have used one number. */
static ldr_code adopt(ldr_spool *s, const char *name, ldr_segment_name *parts, char to[LDR_SPOOL_NAME],
                      ldr_err *err) {
  for (;; parts->number++) {
    segment_name(s, parts->family, parts->store, parts->number, to);
    if (faccessat(s->dir, to, F_OK, AT_SYMLINK_NOFOLLOW) != 0) break;
  }
  s->dirty = true;
  if (renameat(s->dir, name, s->dir, to) != 0) return ldr_file_fail("taken over", name, errno, err);
  return LDR_OK;
}

/* Nothing is left of an owner that is gone, but a dead letter that it could not finish. */
static void remove_owner(ldr_spool *s, ldr_owner *o) {
  ldr_names parts = {0};
  ldr_err err;
  if (ldr_spool_names(s, "dead.", ".part", &parts, &err) == LDR_OK)
    for (size_t i = 0; i < parts.n; i++)
      if (strstr(parts.name[i], o->name)) (void)unlinkat(s->dir, parts.name[i], 0);
  ldr_names_free(&parts);
  ldr_owner_drop(o, true);
}

/* The segments of one owner that is gone: names[from, to). */
static ldr_code adopt_all(ldr_spool *s, const ldr_names *l, size_t from, size_t to, ldr_sweep *sweep,
                          ldr_err *err) {
  ldr_segment_name parts;
  char name[LDR_SPOOL_NAME];
  ldr_owner *owner;
  ldr_code code = LDR_OK;
  size_t known = 0;
  for (size_t i = from; i < to; i++)
    known += ldr_segment_name_parse(l->name[i], &parts) && sweep->knows(sweep->ud, parts.family);
  sweep->unclaimed += to - from - known;
  if (known == 0) return LDR_OK;
  ldr_segment_name_parse(l->name[from], &parts);
  owner = ldr_owner_take(s->dir, parts.owner);
  if (owner == NULL) return LDR_OK; /* its process lives, or another one was quicker */
  for (size_t i = from; i < to && code == LDR_OK; i++) {
    if (!ldr_segment_name_parse(l->name[i], &parts) || !sweep->knows(sweep->ud, parts.family)) continue;
    code = adopt(s, l->name[i], &parts, name, err);
    if (code == LDR_OK) sweep->found(sweep->ud, name, &parts);
    if (code == LDR_NOT_FOUND) code = LDR_OK; /* it was gone before we had the lock */
  }
  if (code == LDR_OK && known == to - from)
    remove_owner(s, owner);
  else
    ldr_owner_drop(owner, false);
  return code;
}

static bool same_owner(const char *a, const char *b) { return strncmp(a, b, LDR_OWNER_NAME) == 0; }

/* Owners without a segment whose process is gone. */
static void clean(ldr_spool *s, const ldr_names *segments) {
  ldr_names locks = {0};
  ldr_err err;
  size_t at = 0;
  if (ldr_spool_names(s, "", ".lock", &locks, &err) != LDR_OK) return;
  for (size_t i = 0; i < locks.n; i++) {
    char name[LDR_OWNER_NAME];
    ldr_owner *o;
    snprintf(name, sizeof name, "%.16s", locks.name[i]);
    while (at < segments->n && strncmp(segments->name[at], name, 16) < 0) at++;
    if (at < segments->n && strncmp(segments->name[at], name, 16) == 0) continue;
    if (!is_hex(name) || strcmp(name, s->owner->name) == 0 || (o = ldr_owner_take(s->dir, name)) == NULL)
      continue;
    remove_owner(s, o);
  }
  ldr_names_free(&locks);
}

ldr_code ldr_spool_sweep(ldr_spool *s, ldr_sweep *sweep, ldr_err *err) {
  ldr_names l;
  ldr_segment_name parts;
  ldr_code code = ldr_spool_names(s, "", ".rows", &l, err);
  size_t n = 0;
  if (code) return code;
  for (size_t i = 0; i < l.n; i++) { /* rows of others */
    char *name = l.name[i];
    if (ldr_segment_name_parse(name, &parts) && strcmp(parts.owner, s->owner->name) != 0)
      l.name[n++] = name;
    else
      ldr_free(name);
  }
  l.n = n;
  sweep->unclaimed = 0;
  for (size_t from = 0, to; from < l.n && code == LDR_OK; from = to) {
    for (to = from + 1; to < l.n && same_owner(l.name[from], l.name[to]); to++) continue;
    code = adopt_all(s, &l, from, to, sweep, err);
  }
  if (code == LDR_OK) clean(s, &l);
  ldr_names_free(&l);
  return code;
}

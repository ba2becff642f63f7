#define _GNU_SOURCE
#include "writer/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "async/fork.h"
#include "crypto/secret.h"
#include "writer/segment.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards held; a fork waits for it */
static ldr_owner *held;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void hold(void) { pthread_mutex_lock(&lock); }
static void let_go(void) { pthread_mutex_unlock(&lock); }
static void watch_forks(void) { pthread_atfork(hold, let_go, let_go); }

static void lock_name(const char *name, char out[32]) { snprintf(out, 32, "%s.lock", name); }

/* Does this process hold the lock of that file? Under the lock. */
static bool is_held(const struct stat *st) {
  for (const ldr_owner *o = held; o; o = o->next)
    if (o->forks == ldr_forks() && o->device == (uint64_t)st->st_dev && o->inode == (uint64_t)st->st_ino)
      return true;
  return false;
}

static bool lock_file(int fd) {
  struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  return fcntl(fd, F_SETLK, &l) == 0;
}

/* The lock counts only while the name still stands for the locked file: its last owner may have removed it
 * between open and lock. Under the lock. */
static bool try_lock(ldr_owner *o, int flags) {
  char file[32];
  struct stat st, now;
  lock_name(o->name, file);
  if (fstatat(o->dir, file, &st, AT_SYMLINK_NOFOLLOW) == 0 && is_held(&st)) return false;
  o->fd = openat(o->dir, file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
  if (o->fd < 0) return false;
  if (lock_file(o->fd) && fstat(o->fd, &st) == 0 && fstatat(o->dir, file, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
      st.st_ino == now.st_ino && st.st_dev == now.st_dev) {
    o->device = (uint64_t)st.st_dev;
    o->inode = (uint64_t)st.st_ino;
    o->next = held;
    held = o;
    return true;
  }
  close(o->fd);
  o->fd = -1;
  errno = EAGAIN;
  return false;
}

static ldr_owner *take(int dir, const char *name, int flags) {
  ldr_owner *o = ldr_alloc(sizeof *o);
  bool ok;
  int why;
  errno = ENOMEM;
  if (o == NULL) return NULL;
  pthread_once(&once, watch_forks);
  o->dir = dir;
  o->forks = ldr_forks();
  memcpy(o->name, name, LDR_OWNER_NAME - 1);
  hold();
  ok = try_lock(o, flags);
  why = errno;
  let_go();
  if (ok) return o;
  ldr_free(o);
  errno = why;
  return NULL;
}

ldr_owner *ldr_owner_take(int dir, const char *name) { return take(dir, name, 0); }

ldr_code ldr_owner_new(int dir, ldr_owner **out, ldr_err *err) {
  ldr_code code = ldr_secret_init(err);
  char name[LDR_OWNER_NAME];
  if (code) return code;
  for (int tries = 0; tries < 10; tries++) { /* a sweeper may remove the file before it is locked */
    uint64_t id;
    ldr_random(&id, sizeof id);
    snprintf(name, sizeof name, "%016llx", (unsigned long long)id);
    *out = take(dir, name, O_EXCL);
    if (*out) return LDR_OK;
    if (errno != EAGAIN && errno != EEXIST) break;
  }
  return errno == ENOMEM ? ldr_fail_nomem(err) : ldr_file_fail("locked", name, errno, err);
}

void ldr_owner_drop(ldr_owner *o, bool removed) {
  char file[32];
  if (o == NULL) return;
  hold();
  for (ldr_owner **p = &held; *p; p = &(*p)->next)
    if (*p == o) {
      *p = o->next;
      break;
    }
  lock_name(o->name, file);
  if (removed && o->forks == ldr_forks()) (void)unlinkat(o->dir, file, 0);
  close(o->fd);
  let_go();
  ldr_free(o);
}

#define _GNU_SOURCE
#include "async/completion.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

enum { KEEPALIVE_US = 500000 };

struct ldr_completions {
  pthread_mutex_t lock; /* of these: */
  uint64_t *ring;
  size_t cap, first, n, expected; /* n ids are here, `expected` more will come */
  bool notified;                  /* the receiver was told and has not looked yet */
  atomic_int peer;                /* who is told by a byte; -1: nobody, so the eventfd is used */
  /* the loop's: */
  int wake, listener;
  ldr_loop *loop;
  ldr_watch listening, peering;
  int64_t keepalive_at;
  char dir[64], path[80];
};

static ldr_completions *of_listening(ldr_watch *w) {
  return (ldr_completions *)(void *)((char *)w - offsetof(ldr_completions, listening));
}
static ldr_completions *of_peering(ldr_watch *w) {
  return (ldr_completions *)(void *)((char *)w - offsetof(ldr_completions, peering));
}

/* ---- completion ids ---- */

ldr_code ldr_completions_new(ldr_completions **out, ldr_err *err) {
  ldr_completions *c = ldr_alloc(sizeof *c);
  if (c == NULL) return ldr_fail_nomem(err);
  pthread_mutex_init(&c->lock, NULL);
  c->peer = c->listener = -1;
  c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (c->wake >= 0) {
    *out = c;
    return LDR_OK;
  }
  ldr_completions_free(c);
  return ldr_fail(err, LDR_CAPACITY, "no descriptor is left for the database's wake-ups");
}

static bool grow(ldr_completions *c) {
  size_t cap = c->cap ? c->cap * 2 : 64;
  uint64_t *ring = ldr_alloc_array(cap, sizeof *ring);
  if (ring == NULL) return false;
  for (size_t i = 0; i < c->n; i++) ring[i] = c->ring[(c->first + i) % c->cap];
  ldr_free(c->ring);
  c->ring = ring;
  c->cap = cap;
  c->first = 0;
  return true;
}

ldr_code ldr_completions_reserve(ldr_completions *c, ldr_err *err) {
  bool ok;
  pthread_mutex_lock(&c->lock);
  ok = c->n + c->expected < c->cap || grow(c);
  c->expected += ok;
  pthread_mutex_unlock(&c->lock);
  return ok ? LDR_OK : ldr_fail_nomem(err);
}

static void notify(const ldr_completions *c, int peer) {
  if (peer >= 0)
    (void)!send(peer, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
  else
    eventfd_write(c->wake, 1);
}

void ldr_completions_put(ldr_completions *c, uint64_t id) {
  bool first;
  int peer;
  pthread_mutex_lock(&c->lock);
  assert(c->expected > 0); /* as often as it was reserved; in release builds, too */
  c->ring[(c->first + c->n++) % c->cap] = id;
  c->expected--;
  first = !c->notified;
  c->notified = true;
  peer = c->peer;
  pthread_mutex_unlock(&c->lock);
  if (first) notify(c, peer);
}

void ldr_completions_suppress_notify(ldr_completions *c) {
  pthread_mutex_lock(&c->lock);
  c->notified = true;
  pthread_mutex_unlock(&c->lock);
}

size_t ldr_completions_take(ldr_completions *c, uint64_t *ids, size_t max) {
  eventfd_t ignored;
  size_t n = 0;
  if (c->peer < 0)
    eventfd_read(c->wake, &ignored); /* before `notified` is taken back, so that no signal is lost */
  pthread_mutex_lock(&c->lock);
  for (; n < max && c->n; n++, c->n--) {
    ids[n] = c->ring[c->first];
    c->first = (c->first + 1) % c->cap;
  }
  c->notified = c->n > 0;
  if (c->notified) notify(c, c->peer);
  pthread_mutex_unlock(&c->lock);
  return n;
}

int ldr_completions_fd(const ldr_completions *c) { return c->wake; }

/* ---- a socket in place of the eventfd ---- */

static void remove_path(ldr_completions *c) {
  if (c->listener < 0) return;
  if (c->loop) ldr_loop_unwatch(c->loop, &c->listening, c->listener);
  close(c->listener);
  c->listener = -1;
  unlink(c->path);
  rmdir(c->dir);
}

static void set_peer(ldr_completions *c, int peer) {
  pthread_mutex_lock(&c->lock);
  if (c->peer >= 0) {
    ldr_loop_unwatch(c->loop, &c->peering, c->peer);
    close(c->peer);
  }
  c->peer = peer;
  if (c->notified) notify(c, peer);
  pthread_mutex_unlock(&c->lock);
}

/* The peer says nothing; what can be read is its end. */
static void peer_ready(ldr_watch *w) {
  ldr_completions *c = of_peering(w);
  char ignored[64];
  ssize_t n = recv(c->peer, ignored, sizeof ignored, MSG_DONTWAIT);
  if (n == 0) set_peer(c, -1);
}

static bool is_me(int fd) {
  struct ucred who;
  socklen_t size = sizeof who;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && who.pid == getpid();
}

static void listener_ready(ldr_watch *w) {
  ldr_completions *c = of_listening(w);
  int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  if (!is_me(fd)) {
    close(fd);
    return;
  }
  remove_path(c);
  set_peer(c, fd);
  c->keepalive_at = ldr_now_mono() + KEEPALIVE_US;
  c->peering.ready = peer_ready;
  ldr_loop_watch(c->loop, &c->peering, fd, LDR_READ);
}

static bool make_dir(ldr_completions *c) {
  const char *base = getenv("TMPDIR");
  int n = snprintf(c->dir, sizeof c->dir, "%s/larder.XXXXXX", base && *base == '/' ? base : "/tmp");
  if (n >= (int)sizeof c->dir) snprintf(c->dir, sizeof c->dir, "/tmp/larder.XXXXXX");
  return mkdtemp(c->dir) != NULL;
}

ldr_code ldr_completions_listen(ldr_completions *c, ldr_loop *l, const char **path, ldr_err *err) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  remove_path(c);
  c->loop = l;
  if (!make_dir(c)) return ldr_fail(err, LDR_CAPACITY, "no directory for the wake-up socket could be made");
  snprintf(c->path, sizeof c->path, "%s/wake", c->dir);
  snprintf(name.sun_path, sizeof name.sun_path, "%s", c->path);
  c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (c->listener < 0 || bind(c->listener, (struct sockaddr *)&name, sizeof name) != 0 ||
      listen(c->listener, 4) != 0) {
    remove_path(c);
    rmdir(c->dir);
    return ldr_fail(err, LDR_CAPACITY, "the wake-up socket could not be opened");
  }
  c->listening.ready = listener_ready;
  ldr_loop_watch(l, &c->listening, c->listener, LDR_READ);
  *path = c->path;
  return LDR_OK;
}

int64_t ldr_completions_keepalive(ldr_completions *c, int64_t now) {
  if (c->peer < 0) return LDR_NEVER;
  if (now >= c->keepalive_at) {
    c->keepalive_at = now + KEEPALIVE_US;
    notify(c, c->peer);
  }
  return c->keepalive_at;
}

/* ---- the end ---- */

bool ldr_completions_reset_after_fork(ldr_completions *c) {
  c->loop = NULL;
  c->listening.on = c->peering.on = false;
  if (c->listener >= 0) close(c->listener); /* its path is the parent's */
  c->listener = -1;
  if (c->peer >= 0) close(c->peer);
  c->peer = -1;
  c->notified = c->n > 0;
  close(c->wake);
  c->wake = eventfd(c->notified, EFD_CLOEXEC | EFD_NONBLOCK);
  return c->wake >= 0;
}

void ldr_completions_free(ldr_completions *c) {
  if (c == NULL) return;
  c->loop = NULL;
  remove_path(c);
  if (c->peer >= 0) close(c->peer);
  if (c->wake >= 0) close(c->wake);
  pthread_mutex_destroy(&c->lock);
  ldr_free(c->ring);
  ldr_free(c);
}

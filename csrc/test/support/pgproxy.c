#define _GNU_SOURCE
#include "support/pgproxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "postgres/postgres.h"
#include "support/test.h"

enum { LINES = 32, PIECE = 16384 };

typedef struct line { /* one connection through the proxy */
  int client, server; /* -1: free */
} line;

struct pgproxy {
  char host[200], port[16]; /* the server's */
  char dir[64], path[100];  /* ours */
  const char *settings[5];
  int listener;
  line lines[LINES];
  pthread_t thread;
  atomic_int mode;
  atomic_size_t left;
  atomic_bool stop, done;
};

static void cut(line *l) {
  if (l->client >= 0) close(l->client);
  if (l->server >= 0) close(l->server);
  l->client = l->server = -1;
}

static int dial_unix(const pgproxy *p) {
  char path[108];
  snprintf(path, sizeof path, "%.80s/.s.PGSQL.%.8s", p->host, p->port);
  return test_dial(path);
}

static int dial_tcp(const pgproxy *p) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
  int fd = -1;
  if (getaddrinfo(p->host, p->port, &hints, &found) != 0) return -1;
  for (struct addrinfo *a = found; a && fd < 0; a = a->ai_next) {
    fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
      close(fd);
      fd = -1;
    }
  }
  freeaddrinfo(found);
  return fd;
}

static void admit(pgproxy *p) {
  int client = accept(p->listener, NULL, NULL);
  bool down = atomic_load(&p->mode) == PGPROXY_DOWN;
  for (int i = 0; i < LINES && client >= 0 && !down; i++) {
    line *l = &p->lines[i];
    if (l->client >= 0) continue;
    l->client = client;
    l->server = *p->host == '/' ? dial_unix(p) : dial_tcp(p);
    if (l->server < 0) cut(l);
    return;
  }
  if (client >= 0) close(client);
}

static bool send_all(int fd, const char *s, size_t n) {
  while (n) {
    ssize_t w = send(fd, s, n, MSG_NOSIGNAL);
    if (w < 0 && errno == EINTR) continue;
    if (w <= 0) return false;
    s += w;
    n -= (size_t)w;
  }
  return true;
}

static void once(pgproxy *p) {
  atomic_store(&p->mode, PGPROXY_PASS);
  atomic_store(&p->done, true);
}

/* What was not held back before reaches the client, then the end. */
static void cut_after_pause(line *l) {
  const struct timespec pause = {0, 60000000};
  char s[PIECE];
  ssize_t n;
  nanosleep(&pause, NULL);
  n = recv(l->server, s, sizeof s, MSG_DONTWAIT);
  if (n > 0) send_all(l->client, s, (size_t)n);
  cut(l);
}

static bool to_server(pgproxy *p, line *l, const char *s, size_t n) {
  int mode = atomic_load(&p->mode);
  const char *at = mode == PGPROXY_CUT_COMMIT ? memmem(s, n, "commit", 6) : NULL;
  if (mode == PGPROXY_DROP) return true;
  if (at == NULL) return send_all(l->server, s, n);
  once(p);
  if (at - s > 6) send_all(l->server, s, (size_t)(at - s) - 6); /* 6: the header of its Parse message */
  cut_after_pause(l);
  return true;
}

static bool is_ready_for_query(const char *s, size_t n) {
  return n >= 6 && memcmp(s + n - 6, "Z\0\0\0\5I", 6) == 0;
}

/* What a session that is ended says last, while its socket is not closed yet. */
static bool send_with_farewell(line *l, const char *s, size_t n) {
  static const char farewell[] = "E\0\0\0\x2cSFATAL\0VFATAL\0C57P01\0Mthe session ends\0";
  char whole[PIECE + sizeof farewell];
  memcpy(whole, s, n);
  memcpy(whole + n, farewell, sizeof farewell);
  return send_all(l->client, whole, n + sizeof farewell);
}

static bool to_client(pgproxy *p, line *l, const char *s, size_t n) {
  int mode = atomic_load(&p->mode);
  size_t left = atomic_load(&p->left), pass = n;
  const char *tag = memmem(s, n, "COMMIT", 6);
  if (mode == PGPROXY_FAREWELL && is_ready_for_query(s, n)) {
    once(p);
    return send_with_farewell(l, s, n);
  }
  if (mode == PGPROXY_FAREWELL) return send_all(l->client, s, n);
  if (mode == PGPROXY_DROP || mode == PGPROXY_CUT_ALL_REPLY) pass = 0;
  if (mode == PGPROXY_CUT_COMMIT_REPLY && tag) pass = (size_t)(tag - s) > 5 ? (size_t)(tag - s) - 5 : 0;
  if (mode == PGPROXY_CUT_AFTER) pass = n < left ? n : left;
  if (pass && !send_all(l->client, s, pass)) return false;
  if (mode == PGPROXY_CUT_AFTER) atomic_store(&p->left, left - pass);
  if (mode == PGPROXY_CUT_AFTER ? left > pass : !tag || mode < PGPROXY_CUT_COMMIT_REPLY) return true;
  if (mode == PGPROXY_DROP) return true;
  once(p);
  return false;
}

static void forward(pgproxy *p, line *l, bool from_client) {
  char s[PIECE];
  ssize_t n = recv(from_client ? l->client : l->server, s, sizeof s, 0);
  if (n < 0 && errno == EINTR) return;
  if (n <= 0 || !(from_client ? to_server(p, l, s, (size_t)n) : to_client(p, l, s, (size_t)n))) cut(l);
}

static void *serve(void *ud) {
  pgproxy *p = ud;
  while (!atomic_load(&p->stop)) {
    struct pollfd f[1 + 2 * LINES];
    f[0] = (struct pollfd){.fd = p->listener, .events = POLLIN};
    for (int i = 0; i < LINES; i++) {
      f[1 + 2 * i] = (struct pollfd){.fd = p->lines[i].client, .events = POLLIN};
      f[2 + 2 * i] = (struct pollfd){.fd = p->lines[i].server, .events = POLLIN};
    }
    for (int i = 0; i < LINES && atomic_load(&p->mode) == PGPROXY_DOWN; i++) cut(&p->lines[i]);
    if (poll(f, 1 + 2 * LINES, 20) <= 0) continue;
    for (int i = 0; i < LINES; i++) {
      line *l = &p->lines[i];
      if (l->client >= 0 && l->client == f[1 + 2 * i].fd && f[1 + 2 * i].revents) forward(p, l, true);
      if (l->server >= 0 && l->server == f[2 + 2 * i].fd && f[2 + 2 * i].revents) forward(p, l, false);
    }
    if (f[0].revents) admit(p);
  }
  return NULL;
}

static void note_setting(void *ud, const char *keyword, const char *value) {
  pgproxy *p = ud;
  if (strcmp(keyword, "host") == 0) snprintf(p->host, sizeof p->host, "%s", value);
  if (strcmp(keyword, "port") == 0) snprintf(p->port, sizeof p->port, "%s", value);
}

static bool listen_here(pgproxy *p) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  snprintf(p->dir, sizeof p->dir, "/tmp/ldr_proxy.XXXXXX");
  if (mkdtemp(p->dir) == NULL) return false;
  snprintf(p->path, sizeof p->path, "%s/.s.PGSQL.5432", p->dir);
  snprintf(a.sun_path, sizeof a.sun_path, "%s", p->path);
  p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  return p->listener >= 0 && bind(p->listener, (struct sockaddr *)&a, sizeof a) == 0 &&
         listen(p->listener, 32) == 0;
}

pgproxy *pgproxy_start(const char *conninfo) {
  pgproxy *p = calloc(1, sizeof *p);
  ldr_err err;
  if (p == NULL) return NULL;
  for (int i = 0; i < LINES; i++) p->lines[i] = (line){-1, -1};
  snprintf(p->host, sizeof p->host, "localhost");
  snprintf(p->port, sizeof p->port, "5432");
  if (ldr_pg_parse_conninfo(conninfo, note_setting, p, &err) != LDR_OK || !listen_here(p) ||
      pthread_create(&p->thread, NULL, serve, p) != 0) {
    free(p);
    return NULL;
  }
  p->settings[0] = "host";
  p->settings[1] = p->dir;
  p->settings[2] = "port";
  p->settings[3] = "5432";
  return p;
}

void pgproxy_stop(pgproxy *p) {
  if (p == NULL) return;
  atomic_store(&p->stop, true);
  pthread_join(p->thread, NULL);
  for (int i = 0; i < LINES; i++) cut(&p->lines[i]);
  close(p->listener);
  unlink(p->path);
  rmdir(p->dir);
  free(p);
}

const char *const *pgproxy_settings(const pgproxy *p) { return p->settings; }

void pgproxy_set(pgproxy *p, pgproxy_mode mode, size_t n) {
  atomic_store(&p->done, false);
  atomic_store(&p->left, n);
  atomic_store(&p->mode, (int)mode);
}

bool pgproxy_done(const pgproxy *p) { return atomic_load(&p->done); }

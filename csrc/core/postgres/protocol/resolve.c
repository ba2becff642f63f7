#define _GNU_SOURCE
#include "postgres/protocol/resolve.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "async/thread.h"
#include "base/buf.h"

static const struct timespec at_once = {0, 1}, grace = {2, 0}, never = {0, 0};

typedef struct line { /* one of the list */
  ldr_resolve *of;
  const char *host, *port;
  bool name;           /* to ask for */
  bool done;           /* asked for, … */
  int why;             /* … in vain */
  ldr_addresses found; /* its thread's until done */
} line;

struct ldr_resolve {
  pthread_mutex_t lock; /* guards refs, left, timed, fd, and of each line done, why and found */
  unsigned refs;        /* the owner and every thread */
  unsigned left;        /* threads at work */
  bool timed;           /* two seconds are left for the others */
  int fd;               /* a timer that expires when the answer is there; -1: the owner has left */
  char *hosts, *ports;  /* the text of the lines */
  ldr_buf host, hostaddr, port;
  size_t nout; /* lines of the answer */
  size_t n;
  line lines[];
};

/* ---- the system ---- */

static int ask_system(const char *name, ldr_addresses *out) {
  const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
  struct addrinfo *list;
  int why = getaddrinfo(name, NULL, &hints, &list);
  if (why) return why;
  for (const struct addrinfo *a = list; a && out->n < LDR_ADDRESSES_MAX; a = a->ai_next)
    if (getnameinfo(a->ai_addr, a->ai_addrlen, out->text[out->n], LDR_ADDRESS_SIZE, NULL, 0,
                    NI_NUMERICHOST) == 0)
      out->n++;
  freeaddrinfo(list);
  return out->n ? 0 : EAI_NONAME;
}

static _Atomic(ldr_lookup *) lookup = ask_system;

void ldr_resolve_set_for_test(ldr_lookup *other) { atomic_store(&lookup, other ? other : ask_system); }

/* A name, and not a socket's directory, an address or nothing: those libpq takes as they are. */
static bool is_name(const char *host) {
  const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
  struct addrinfo *list;
  if (*host == '\0' || *host == '/' || *host == '@') return false;
  if (getaddrinfo(host, NULL, &hints, &list) != 0) return true;
  freeaddrinfo(list);
  return false;
}

/* ---- owner and threads ---- */

static void destroy(ldr_resolve *r) {
  if (r == NULL) return;
  ldr_free(r->hosts);
  ldr_free(r->ports);
  ldr_buf_free(&r->host);
  ldr_buf_free(&r->hostaddr);
  ldr_buf_free(&r->port);
  ldr_free(r);
}

static void unlock_and_release(ldr_resolve *r) {
  bool last = --r->refs == 0;
  pthread_mutex_unlock(&r->lock);
  if (!last) return;
  pthread_mutex_destroy(&r->lock);
  destroy(r);
}

static void expire(const ldr_resolve *r, struct timespec in) {
  const struct itimerspec t = {.it_value = in};
  if (r->fd >= 0) timerfd_settime(r->fd, 0, &t, NULL);
}

static void finish(line *l, int why) {
  ldr_resolve *r = l->of;
  pthread_mutex_lock(&r->lock);
  l->done = true;
  l->why = why;
  if (why) l->found.n = 0;
  if (--r->left == 0) {
    expire(r, at_once);
  } else if (l->found.n && !r->timed) {
    r->timed = true;
    expire(r, grace);
  }
  unlock_and_release(r);
}

static void *ask(void *ud) {
  line *l = ud;
  ldr_lookup *f = atomic_load(&lookup);
  finish(l, f(l->host, &l->found));
  return NULL;
}

void ldr_resolve_free(ldr_resolve *r) {
  if (r == NULL) return;
  pthread_mutex_lock(&r->lock);
  expire(r, never); /* a forked child may hold the descriptor open: it shall wake nobody */
  if (r->fd >= 0) close(r->fd);
  r->fd = -1;
  unlock_and_release(r);
}

/* The lock may have been taken when the process forked, and nobody is left to give it back. */
void ldr_resolve_abandon(ldr_resolve *r) {
  if (r == NULL) return;
  if (r->fd >= 0) close(r->fd);
  destroy(r);
}

/* ---- start ---- */

static size_t count(const char *list) {
  size_t n = 1;
  for (; *list; list++) n += *list == ',';
  return n;
}

/* Cuts the first element off a list. */
static const char *next(char **list) {
  char *start = *list, *end = strchrnul(start, ',');
  *list = *end ? end + 1 : end;
  *end = '\0';
  return start;
}

static void split(ldr_resolve *r, bool one_port) {
  char *host = r->hosts, *port = r->ports;
  for (line *l = r->lines; l < r->lines + r->n; l++) {
    l->of = r;
    l->host = next(&host);
    l->port = one_port ? r->ports : next(&port);
    l->name = is_name(l->host);
    r->left += l->name;
  }
}

static ldr_code nothing_to_ask(ldr_resolve *r, ldr_resolve **out) {
  destroy(r);
  *out = NULL;
  return LDR_OK;
}

static void start_threads(ldr_resolve *r) {
  for (line *l = r->lines; l < r->lines + r->n; l++)
    if (l->name && !ldr_thread_detach(ask, l)) finish(l, EAI_AGAIN);
}

ldr_code ldr_resolve_start(const char *host, const char *port, ldr_resolve **out, ldr_err *err) {
  size_t n = count(host), nports = count(port);
  ldr_resolve *r;
  if (nports != 1 && nports != n) return nothing_to_ask(NULL, out);
  r = ldr_alloc(sizeof *r + n * sizeof *r->lines);
  if (r == NULL) return ldr_fail_nomem(err);
  r->n = n;
  r->hosts = ldr_strndup(host, strlen(host));
  r->ports = ldr_strndup(port, strlen(port));
  if (r->hosts == NULL || r->ports == NULL) {
    destroy(r);
    return ldr_fail_nomem(err);
  }
  split(r, nports == 1);
  if (r->left == 0) return nothing_to_ask(r, out);
  r->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (r->fd < 0) {
    destroy(r);
    return ldr_fail(err, LDR_CAPACITY, "no file descriptor is left to look up a host name with");
  }
  pthread_mutex_init(&r->lock, NULL);
  r->refs = 1 + r->left;
  start_threads(r);
  *out = r;
  return LDR_OK;
}

int ldr_resolve_fd(const ldr_resolve *r) { return r->fd; }

/* ---- the answer ---- */

static void add(ldr_resolve *r, const line *l, const char *address) {
  if (r->nout++) {
    ldr_buf_chr(&r->host, ',');
    ldr_buf_chr(&r->hostaddr, ',');
    ldr_buf_chr(&r->port, ',');
  }
  ldr_buf_str(&r->host, l->host);
  ldr_buf_str(&r->hostaddr, address);
  ldr_buf_str(&r->port, l->port);
}

/* LDR_OK: at least one line is there. */
static ldr_code collect(ldr_resolve *r, ldr_err *err) {
  const line *failed = NULL;
  for (const line *l = r->lines; l < r->lines + r->n; l++) {
    if (!l->name) add(r, l, "");
    for (unsigned i = 0; l->done && i < l->found.n; i++) add(r, l, l->found.text[i]);
    if (l->done && l->found.n == 0 && failed == NULL) failed = l;
  }
  if (r->nout) return LDR_OK;
  if (failed == NULL)
    return ldr_fail(err, LDR_CONNECTION, "no host name was translated to an address in time");
  return ldr_fail(err, LDR_CONNECTION, "could not translate host name \"%s\" to address: %s", failed->host,
                  gai_strerror(failed->why));
}

ldr_code ldr_resolve_answer(ldr_resolve *r, ldr_hosts *out, ldr_err *err) {
  uint64_t expired;
  if (read(r->fd, &expired, sizeof expired) < 0) return LDR_PENDING;
  return ldr_resolve_answer_now(r, out, err);
}

ldr_code ldr_resolve_answer_now(ldr_resolve *r, ldr_hosts *out, ldr_err *err) {
  ldr_hosts lists;
  ldr_code code;
  pthread_mutex_lock(&r->lock);
  code = collect(r, err);
  pthread_mutex_unlock(&r->lock);
  if (code) return code;
  lists = (ldr_hosts){ldr_buf_cstr(&r->host), ldr_buf_cstr(&r->hostaddr), ldr_buf_cstr(&r->port)};
  if (lists.host == NULL || lists.hostaddr == NULL || lists.port == NULL) return ldr_fail_nomem(err);
  *out = lists;
  return LDR_OK;
}

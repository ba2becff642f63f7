/* Cancels through a pooler that keeps a server session for each client, as PgBouncer's session mode, and
 * passes a cancel on late, as PgBouncer before 1.18: to whoever has the session by then. A stand-in for it
 * has one session, on which every statement runs until it is cancelled. */
#define _GNU_SOURCE
#include "postgres/protocol/cancel.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "postgres/protocol/send.h"
#include "support/pgfix.h"
#include "support/test.h"

/* ---- the stand-in ---- */

enum { CLIENTS = 8, CANCELS = 64, CANCEL_CODE = 80877102 };

typedef struct pooler {
  int listener, client[CLIENTS]; /* -1: gone; the number of a client is its key */
  char port[8];
  int n, holder;              /* holder: whose the session is; -1: nobody's */
  bool asks[CLIENTS];         /* it has a statement, which runs or waits for the session */
  int64_t late, due[CANCELS]; /* microseconds; when a cancel reaches the server, 0: it did */
  atomic_int cancels;         /* that came for whoever had the session */
  atomic_int ignored;         /* so many are lost: they came before the statement had begun */
  atomic_int read;            /* bytes of client 0 behind its start */
  atomic_bool deaf;           /* reads nothing of a client that was let in */
  atomic_bool hasty;          /* statements end by themselves at the very moment when a cancel comes */
  atomic_bool stop, left, had[CLIENTS]; /* left: client 0 has; had: it had the session */
  pthread_t thread;
} pooler;

static void serve_next(pooler *p) {
  for (int i = 0; i < p->n && p->holder < 0; i++)
    if (p->client[i] >= 0 && p->asks[i]) {
      p->holder = i;
      atomic_store(&p->had[i], true);
    }
}

static void end_statement(pooler *p) {
  static const char canceled[] =
      "E\0\0\0\x2c"
      "SERROR\0VERROR\0C57014\0Mcanceling it now\0\0Z\0\0\0\5I";
  int i = p->holder;
  if (i < 0 || !p->asks[i]) return;
  p->asks[i] = false;
  (void)!send(p->client[i], canceled, sizeof canceled - 1, MSG_NOSIGNAL);
}

static void cancel_arrives(pooler *p) {
  if (p->holder < 0 || !p->asks[p->holder]) return;
  if (atomic_fetch_sub(&p->ignored, 1) <= 0) end_statement(p);
}

static void cancels_arrive(pooler *p) {
  int64_t now = ldr_now_mono();
  for (int k = 0; k < CANCELS; k++)
    if (p->due[k] && now >= p->due[k]) {
      p->due[k] = 0;
      cancel_arrives(p);
    }
}

static void admit(pooler *p) {
  static const char welcome[] = "R\0\0\0\10\0\0\0\0K\0\0\0\14\0\0\0\0\0\0\0\1Z\0\0\0\5I";
  char hello[sizeof welcome];
  uint32_t first[4] = {0};
  int fd = accept(p->listener, NULL, NULL);
  bool begun = fd >= 0 && recv(fd, first, sizeof first, MSG_WAITALL | MSG_PEEK) == sizeof first;
  if (begun && ntohl(first[1]) != CANCEL_CODE && p->n < CLIENTS) {
    char text[1000];
    (void)!recv(fd, text, sizeof text, 0);
    memcpy(hello, welcome, sizeof welcome);
    hello[17] = (char)p->n;
    (void)!send(fd, hello, sizeof hello - 1, MSG_NOSIGNAL);
    p->client[p->n++] = fd;
    return;
  }
  if (begun && (int)ntohl(first[2]) == p->holder) {
    int k = atomic_fetch_add(&p->cancels, 1);
    if (k < CANCELS) p->due[k] = ldr_now_mono() + p->late;
    if (atomic_load(&p->hasty)) end_statement(p);
    if (p->late == 0) cancels_arrive(p);
  }
  if (fd >= 0) close(fd);
}

static void hear(pooler *p, int i) {
  static char text[65536];
  ssize_t n = recv(p->client[i], text, sizeof text, 0);
  if (n > 0) {
    if (i == 0) atomic_fetch_add(&p->read, (int)n);
    p->asks[i] = true;
    return;
  }
  close(p->client[i]);
  p->client[i] = -1;
  if (i == 0) atomic_store(&p->left, true);
  if (p->holder == i) p->holder = -1;
}

static void *pool(void *ud) {
  pooler *p = ud;
  while (!atomic_load(&p->stop)) {
    struct pollfd f[CLIENTS + 1] = {{.fd = p->listener, .events = POLLIN}};
    int n = p->n;
    for (int i = 0; i < n; i++)
      f[i + 1] = (struct pollfd){.fd = atomic_load(&p->deaf) ? -1 : p->client[i], .events = POLLIN};
    (void)poll(f, (nfds_t)n + 1, 5);
    cancels_arrive(p); /* first, so that they come before what was heard after their time */
    for (int i = 0; i < n; i++)
      if (f[i + 1].revents) hear(p, i);
    serve_next(p);
    if (f[0].revents) admit(p);
  }
  return NULL;
}

static void pooler_start(pooler *p, int64_t late) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof a;
  *p = (pooler){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .holder = -1, .late = late};
  CHECK(bind(p->listener, (struct sockaddr *)&a, sizeof a) == 0 && listen(p->listener, 64) == 0);
  CHECK(getsockname(p->listener, (struct sockaddr *)&a, &size) == 0);
  snprintf(p->port, sizeof p->port, "%u", ntohs(a.sin_port));
  CHECK(pthread_create(&p->thread, NULL, pool, p) == 0);
}

static void pooler_end(pooler *p) {
  atomic_store(&p->stop, true);
  pthread_join(p->thread, NULL);
  for (int i = 0; i < p->n; i++)
    if (p->client[i] >= 0) close(p->client[i]);
  close(p->listener);
}

/* ---- its clients ---- */

typedef struct client {
  ldr_conninfo *info;
  ldr_conn *conn;
  ldr_exchange asked;
  ldr_err err;
} client;

static short awaited(const ldr_conn *c) { return ldr_conn_events(c) & LDR_WRITE ? POLLOUT : POLLIN; }

static void come(client *x, const pooler *p) {
  const char *const keywords[] = {"host", "port", "user", "dbname", "sslmode", "gssencmode", NULL};
  const char *const values[] = {"127.0.0.1", p->port, "me", "it", "disable", "disable", NULL};
  ldr_code code;
  *x = (client){0};
  CHECK_INT(ldr_conninfo_new(keywords, values, &x->info, &x->err), LDR_OK);
  CHECK_INT(ldr_conn_start(x->info, 0, &x->conn, &x->err), LDR_OK);
  while ((code = ldr_conn_connect(x->conn, &x->err)) == LDR_PENDING) {
    struct pollfd f = {.fd = ldr_conn_fd(x->conn), .events = awaited(x->conn)};
    CHECK_INT(poll(&f, 1, 20000), 1);
  }
  CHECK_INT(code, LDR_OK);
  ldr_conn_set_pooled(x->conn);
}

static void send_to(client *x, const char *sql) {
  ldr_cmd *c = ldr_exchange_add(&x->asked, LDR_CMD_QUERY);
  CHECK(c != NULL);
  if (c) c->sql = sql;
  CHECK_INT(ldr_conn_submit(x->conn, &x->asked, &x->err), LDR_OK);
}

static void leave(client *x) {
  ldr_conn_drop(x->conn);
  ldr_conn_close(x->conn);
  ldr_exchange_free(&x->asked);
  ldr_conninfo_free(x->info);
}

static bool within(int seconds, atomic_bool *what) {
  for (int i = 0; i < seconds * 200 && !atomic_load(what); i++) usleep(5000);
  return atomic_load(what);
}

static void settled(size_t live) {
  pg_settle(live);
  CHECK(ldr_mem_live() <= live);
}

/* ---- the tests ---- */

/* lost: so many cancels come before the statement has begun. */
static void dropped_beside_another(int lost, bool hasty) {
  size_t live = ldr_mem_live();
  pooler p;
  client a, b;
  pooler_start(&p, 20000);
  atomic_store(&p.ignored, lost);
  atomic_store(&p.hasty, hasty);
  come(&a, &p);
  come(&b, &p);
  send_to(&a, "select forever()");
  CHECK(within(20, &p.had[0]));
  send_to(&b, "select forever()");
  leave(&a);
  CHECK(within(20, &p.had[1]));
  CHECK(atomic_load(&p.cancels) > lost);
  for (int i = 0; i < 150; i++) { /* longer than any cancel may come */
    usleep(10000);
    ldr_conn_pump(b.conn);
  }
  CHECK(!b.asked.done);
  leave(&b);
  settled(live);
  pooler_end(&p);
}

/* FT-r28: repeated cancels once reached the session's next user. */
TEST(a_dropped_statement_is_cancelled_and_no_other) { dropped_beside_another(0, false); }

TEST(a_cancel_that_comes_before_its_statement_is_repeated) { dropped_beside_another(1, false); }

TEST(a_cancel_that_comes_after_its_statement_hits_no_other) { dropped_beside_another(0, true); }

/* What the kernel has of what was written to fd, sent or not. */
static long long written(int fd) {
  struct tcp_info info = {0};
  socklen_t size = sizeof info;
  int unsent = 0;
  CHECK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && ioctl(fd, SIOCOUTQ, &unsent) == 0);
  return (long long)info.tcpi_bytes_acked + unsent;
}

/* A part of a statement that is dropped stays a part. */
TEST(what_was_not_sent_before_is_not_sent_while_it_is_cancelled) {
  enum { SIZE = 32 << 20 };
  size_t live = ldr_mem_live();
  char *sql = ldr_alloc(SIZE + 1);
  long long most;
  pooler p;
  client a;
  CHECK(sql != NULL);
  if (sql == NULL) return;
  memset(sql, ' ', SIZE);
  pooler_start(&p, 0);
  atomic_store(&p.deaf, true);
  come(&a, &p);
  send_to(&a, sql);
  CHECK(ldr_conn_events(a.conn) & LDR_WRITE);
  most = written(ldr_conn_fd(a.conn));
  leave(&a);
  atomic_store(&p.deaf, false);
  settled(live + 1);
  CHECK(within(20, &p.left));
  CHECK(atomic_load(&p.read) > 0 && atomic_load(&p.read) <= most);
  ldr_free(sql);
  pooler_end(&p);
}

/* Two cancels for one statement: what the first ends is no reason to send the second. */
TEST(a_drop_waits_for_the_cancel_before_it) {
  size_t live = ldr_mem_live();
  pooler p;
  client a;
  pooler_start(&p, 0);
  come(&a, &p);
  send_to(&a, "select forever()");
  CHECK(within(20, &p.had[0]));
  ldr_conn_cancel(a.conn);
  leave(&a);
  settled(live);
  CHECK_INT(atomic_load(&p.cancels), 1);
  pooler_end(&p);
}

void test_cancel(void);
void test_cancel(void) {
  RUN(a_dropped_statement_is_cancelled_and_no_other);
  RUN(a_cancel_that_comes_before_its_statement_is_repeated);
  RUN(a_cancel_that_comes_after_its_statement_hits_no_other);
  RUN(what_was_not_sent_before_is_not_sent_while_it_is_cancelled);
  RUN(a_drop_waits_for_the_cancel_before_it);
}

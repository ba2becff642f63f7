/* A time limit for each host of a list: hosts that are silent, and one behind them that is not. The latter is
 * the tests' server, which listens at 127.0.0.1. */
#define _GNU_SOURCE
#include "postgres/protocol/hosts.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "postgres/protocol/connection.h"
#include "support/askfix.h"
#include "support/test.h"

/* ---- the lists ---- */

static void removed(const ldr_hosts *from, const ldr_hosts *line, const char *want) {
  ldr_hostlist l = {NULL, NULL, NULL};
  char text[200];
  bool done;
  CHECK(ldr_hostlist_set(&l, from));
  done = ldr_hostlist_remove(&l, line);
  snprintf(text, sizeof text, "%s|%s|%s", l.host, l.hostaddr, l.port);
  CHECK_STR(done ? text : NULL, want);
  ldr_hostlist_free(&l);
}

TEST(a_line_is_left_out_of_a_list_of_hosts) {
  static const struct {
    ldr_hosts from, line;
    const char *want;
  } cases[] = {{{"a,b,c", "", "1,2,3"}, {"b", "192.0.2.1", "2"}, "a,c||1,3"},
               {{"a,b,c", "", "1,2,3"}, {"a", "", "1"}, "b,c||2,3"},
               {{"a,b,c", "", "1,2,3"}, {"c", "", "3"}, "a,b||1,2"},
               {{"a,b", "", "5432"}, {"b", "", "5432"}, "a||5432"},
               {{"a,b", "", ""}, {"a", "", "5432"}, "b||"},
               {{"a,a,b", "::1,::2,", "1,1,1"}, {"a", "::2", "1"}, "a,b|::1,|1,1"},
               {{"a,a", "0::1,::2", "1,1"}, {"a", "::9", "1"}, "a|::2|1"}, /* another spelling of the first */
               {{",/tmp", "", "1"}, {"/var/run/postgresql", "", "1"}, "/tmp||1"},
               {{"", "192.0.2.1,192.0.2.2", "1"}, {"192.0.2.2", "192.0.2.2", "1"}, "|192.0.2.1|1"},
               {{"a,b", "", "1,2"}, {"b", "", "1"}, NULL},
               {{"a", "", "1"}, {"a", "", "1"}, NULL},
               {{"", "", ""}, {"localhost", "::1", "5432"}, NULL}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    removed(&cases[i].from, &cases[i].line, cases[i].want);
}

/* ---- hosts that say nothing ---- */

enum { FILL = 4 };

typedef struct mute {
  int listener, filled[FILL];
  char port[8];
  pthread_t thread; /* of one that greets */
  atomic_bool stop;
} mute;

static void mute_listen(mute *m, int backlog) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof a;
  *m = (mute){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .filled = {-1, -1, -1, -1}};
  CHECK(bind(m->listener, (struct sockaddr *)&a, sizeof a) == 0 && listen(m->listener, backlog) == 0);
  CHECK(getsockname(m->listener, (struct sockaddr *)&a, &size) == 0);
  snprintf(m->port, sizeof m->port, "%u", ntohs(a.sin_port));
}

/* The kernel drops the SYN of whoever comes to a full queue. */
static void mute_fill(mute *m) {
  struct sockaddr_in a;
  socklen_t size = sizeof a;
  CHECK(getsockname(m->listener, (struct sockaddr *)&a, &size) == 0);
  for (int i = 0; i < FILL; i++) {
    m->filled[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)!connect(m->filled[i], (struct sockaddr *)&a, size);
  }
  usleep(20000);
}

static void mute_end(mute *m) {
  for (int i = 0; i < FILL; i++)
    if (m->filled[i] >= 0) close(m->filled[i]);
  close(m->listener);
}

/* A server that lets everybody in and then answers nothing, as a pooler whose server is away. */
static void *let_in(void *ud) {
  static const char welcome[] = "R\0\0\0\10\0\0\0\0K\0\0\0\14\0\0\0\1\0\0\0\1Z\0\0\0\5I";
  mute *m = ud;
  int in[16], n = 0;
  while (!atomic_load(&m->stop)) {
    struct pollfd p = {.fd = m->listener, .events = POLLIN};
    char text[1000];
    if (poll(&p, 1, 20) <= 0 || n == 16) continue;
    in[n] = accept(m->listener, NULL, NULL);
    if (in[n] < 0) continue;
    if (recv(in[n], text, sizeof text, 0) > 0) (void)!send(in[n], welcome, sizeof welcome - 1, MSG_NOSIGNAL);
    n++;
  }
  while (n) close(in[--n]);
  return NULL;
}

/* ---- the good one behind them ---- */

static char good_port[16];

static void note_port(void *ud, const char *keyword, const char *value) {
  (void)ud;
  if (strcmp(keyword, "port") == 0) snprintf(good_port, sizeof good_port, "%s", value);
}

typedef struct list { /* settings of 127.0.0.1 with these ports; "@": the good one */
  char host[100], port[100];
  const char *settings[12];
} list;

static const char *const *among(list *l, const char *const *ports, const char *attrs) {
  ldr_err err;
  CHECK_INT(ldr_pg_parse_conninfo(pg_url(), note_port, NULL, &err), LDR_OK);
  *l = (list){
      .settings = {"host", l->host, "port", l->port, "sslmode", "disable", "target_session_attrs", attrs}};
  for (; *ports; ports++) {
    strcat(l->host, *l->host ? ",127.0.0.1" : "127.0.0.1");
    strcat(l->port, *l->port ? "," : "");
    strcat(l->port, **ports == '@' ? good_port : *ports);
  }
  return l->settings;
}

static double since(int64_t t) { return (double)(ldr_now_mono() - t) / 1e6; }

static ldr_pool_config hasty(void) {
  ldr_pool_config c = pg_config(2);
  c.connect_timeout = 0.8;
  c.acquire_timeout = 20;
  return c;
}

/* FT-n9: one that accepts and is silent, one that drops what comes. */
TEST(silent_hosts_are_passed_over) {
  size_t live = ldr_mem_live();
  ldr_pool_config c = hasty();
  mute silent, full;
  list l;
  pgfix f;
  int64_t from = ldr_now_mono();
  mute_listen(&silent, 8);
  mute_listen(&full, 0);
  mute_fill(&full);
  among(&l, (const char *[]){silent.port, full.port, "@", NULL}, "any");
  CHECK(pg_open_with(&f, &c, l.settings));
  CHECK(since(from) > 1.5);
  if (f.db) {
    ldr_tx *tx = pg_begin(&f);
    CHECK_STR(pg_text(&f, tx, "select 1"), "1");
    CHECK_STR(pg_text(&f, NULL, "select 2"), "2"); /* a second connection, while the first is in use */
    CHECK_INT(pg_stats(&f).connects, 2);
    CHECK_INT(pg_stats(&f).connect_failures, 0);
    pg_rollback(&f, tx);
  }
  pg_close(&f);
  mute_end(&full);
  mute_end(&silent);
  pg_settle(live);
}

/* The first connection is asked which server it has: that counts, too. */
TEST(a_pooler_whose_server_is_away_is_passed_over) {
  size_t live = ldr_mem_live();
  ldr_pool_config c = hasty();
  mute pooler;
  list l;
  pgfix f;
  mute_listen(&pooler, 8);
  CHECK(pthread_create(&pooler.thread, NULL, let_in, &pooler) == 0);
  among(&l, (const char *[]){pooler.port, "@", NULL}, "any");
  CHECK(pg_open_with(&f, &c, l.settings));
  if (f.db) CHECK_STR(pg_text(&f, NULL, "select 1"), "1");
  pg_close(&f);
  atomic_store(&pooler.stop, true);
  pthread_join(pooler.thread, NULL);
  mute_end(&pooler);
  pg_settle(live);
}

/* The role that is asked for is asked of each, also after a silent one was left out. */
TEST(what_is_asked_of_a_host_holds_behind_a_silent_one) {
  ldr_pool_config c = hasty();
  mute silent;
  list l;
  pgfix f;
  mute_listen(&silent, 8);
  among(&l, (const char *[]){silent.port, "@", NULL}, "read-write");
  CHECK(pg_open_with(&f, &c, l.settings));
  pg_close(&f);
  among(&l, (const char *[]){silent.port, "@", NULL}, "read-only");
  CHECK(!pg_open_with(&f, &c, l.settings));
  CHECK_INT(f.err.code, LDR_CONNECTION);
  CHECK(strstr(f.err.message, "read-only") != NULL);
  CHECK(strstr(f.err.hint, silent.port) != NULL);
  pg_close(&f);
  mute_end(&silent);
}

TEST(silent_hosts_alone_take_the_time_of_each) {
  ldr_pool_config c = hasty();
  mute silent, other;
  list l;
  pgfix f;
  int64_t from = ldr_now_mono();
  mute_listen(&silent, 8);
  mute_listen(&other, 8);
  among(&l, (const char *[]){silent.port, other.port, NULL}, "any");
  CHECK(!pg_open_with(&f, &c, l.settings));
  CHECK_INT(f.err.code, LDR_CONNECTION);
  CHECK(strstr(f.err.message, "connect timeout") != NULL);
  CHECK(since(from) > 1.5);
  pg_close(&f);
  from = ldr_now_mono();
  c.connect_timeout = 60;
  c.open_timeout = 0.3; /* of the whole */
  CHECK(!pg_open_with(&f, &c, l.settings));
  CHECK_INT(f.err.code, LDR_CONNECTION);
  CHECK(since(from) < 30);
  pg_close(&f);
  mute_end(&other);
  mute_end(&silent);
}

TEST(driven_callers_get_past_a_silent_host) {
  size_t live = ldr_mem_live();
  ldr_pool_config c = hasty();
  mute silent;
  list l;
  pgfix f, other;
  mute_listen(&silent, 8);
  among(&l, (const char *[]){silent.port, "@", NULL}, "any");
  c.lazy = true;
  if (ask_open(&f, &other, &c, l.settings)) {
    ask_rows(&f, 0, 64);
    ask_collect(&f, 0, 64);
    CHECK_INT(ask_ended(64, LDR_OK), 64);
    ask_check_all(0, 64);
    ask_forget(64);
    CHECK_INT(pg_stats(&f).connect_failures, 0);
    ask_close(&f, &other);
  }
  mute_end(&silent);
  pg_settle(live);
}

static mute first, second;

static bool connect_short_of_memory(void) {
  const char *const keywords[] = {"host", "port", "sslmode", "user", NULL};
  char ports[20];
  const char *const values[] = {"127.0.0.1,127.0.0.1", ports, "disable", "u", NULL};
  ldr_conninfo *i = NULL;
  ldr_conn *c = NULL;
  ldr_err err;
  ldr_code code;
  snprintf(ports, sizeof ports, "%s,%s", first.port, second.port);
  code = ldr_conninfo_new(keywords, values, &i, &err);
  if (code == LDR_OK) code = ldr_conn_start(i, 0.005, &c, &err);
  if (code == LDR_OK) code = LDR_PENDING;
  while (code == LDR_PENDING) {
    short events = ldr_conn_events(c) & LDR_WRITE ? POLLOUT : POLLIN;
    struct pollfd p = {.fd = ldr_conn_fd(c), .events = events};
    if (poll(&p, 1, ldr_millis_left(ldr_conn_due(c))) > 0 || ldr_now_mono() >= ldr_conn_due(c))
      code = ldr_conn_connect(c, &err);
  }
  if (c && code != LDR_CAPACITY) CHECK(ldr_conn_silent(c) > 0);
  ldr_conn_close(c);
  ldr_conninfo_free(i);
  CHECK(code == LDR_CONNECTION || code == LDR_CAPACITY);
  return code == LDR_CONNECTION;
}

TEST(silent_hosts_short_of_memory) {
  mute_listen(&first, 1000);
  mute_listen(&second, 1000);
  test_oom("silent hosts", connect_short_of_memory);
  mute_end(&second);
  mute_end(&first);
}

void test_hosts(void);
void test_hosts(void) {
  RUN(a_line_is_left_out_of_a_list_of_hosts);
  RUN(silent_hosts_short_of_memory);
  if (!pg_available("hosts")) return;
  RUN(silent_hosts_are_passed_over);
  RUN(a_pooler_whose_server_is_away_is_passed_over);
  RUN(what_is_asked_of_a_host_holds_behind_a_silent_one);
  RUN(silent_hosts_alone_take_the_time_of_each);
  RUN(driven_callers_get_past_a_silent_host);
}

/* Looking up host names: the module, a connection in that phase, and (with a server) the pool. The names are
 * the tests' own; no network is asked. */
#define _GNU_SOURCE
#include "postgres/protocol/resolve.h"

#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "postgres/protocol/connection.h"
#include "support/askfix.h"
#include "support/test.h"

/* ---- names ---- */

static atomic_bool gate;    /* held: gate.test is not answered */
static atomic_int asked;    /* look-ups ever begun … */
static atomic_int answered; /* … and ended */
static atomic_bool disturbed;

static const struct {
  const char *name, *address[2];
} known[] = {{"one.test", {"127.0.0.1"}},
             {"gate.test", {"127.0.0.1"}},
             {"two.test", {"127.0.0.2", "127.0.0.1"}}, /* nobody listens at the first */
             {"six.test", {"::1", "fe80::1%1"}}};

static void check_signals(void) {
  sigset_t blocked;
  pthread_sigmask(SIG_SETMASK, NULL, &blocked);
  if (!sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGCHLD)) atomic_store(&disturbed, true);
}

static int answer(const char *name, ldr_addresses *out) {
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    for (size_t k = 0; k < 2 && strcmp(known[i].name, name) == 0 && known[i].address[k]; k++)
      snprintf(out->text[out->n++], LDR_ADDRESS_SIZE, "%s", known[i].address[k]);
  return out->n ? 0 : EAI_NONAME;
}

static int look_up(const char *name, ldr_addresses *out) {
  int why;
  atomic_fetch_add(&asked, 1);
  check_signals();
  while (strcmp(name, "gate.test") == 0 && atomic_load(&gate)) usleep(1000);
  why = answer(name, out);
  atomic_fetch_add(&answered, 1);
  return why;
}

static void hold_gate(void) { atomic_store(&gate, true); }

static void open_gate(size_t live) {
  atomic_store(&gate, false);
  pg_settle(live); /* the threads' memory */
}

/* ---- the module ---- */

static ldr_err err;

static ldr_resolve *start(const char *host, const char *port) {
  ldr_resolve *r = NULL;
  CHECK_INT(ldr_resolve_start(host, port, &r, &err), LDR_OK);
  return r;
}

static void wait_for(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  CHECK_INT(poll(&p, 1, 20000), 1);
}

static void expect(const char *host, const char *port, const char *hosts, const char *addresses,
                   const char *ports) {
  ldr_resolve *r = start(host, port);
  ldr_hosts got = {"", "", ""};
  CHECK(r != NULL);
  if (r == NULL) return;
  wait_for(ldr_resolve_fd(r));
  CHECK_INT(ldr_resolve_answer(r, &got, &err), LDR_OK);
  CHECK_STR(got.host, hosts);
  CHECK_STR(got.hostaddr, addresses);
  CHECK_STR(got.port, ports);
  ldr_resolve_free(r);
}

TEST(what_is_no_name_is_not_asked_for) {
  static const char *const lists[][2] = {
      {"", "5432"},        {"/run/postgresql", "5432"},
      {"@larder", "5432"}, {"127.0.0.1,::1,fe80::1%1", "5432"},
      {",/tmp,", "1,2,3"}, {"one.test,one.test", "1,2,3"}}; /* libpq will refuse it */
  int before = atomic_load(&asked);
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) CHECK(start(lists[i][0], lists[i][1]) == NULL);
  CHECK_INT(atomic_load(&asked), before);
}

TEST(a_line_for_each_address) {
  size_t live = ldr_mem_live();
  expect("one.test", "5432", "one.test", "127.0.0.1", "5432");
  expect("one.test", "", "one.test", "127.0.0.1", "");
  expect("two.test,/run/pg,,127.0.0.9,six.test", "1,2,3,4,5",
         "two.test,two.test,/run/pg,,127.0.0.9,six.test,six.test", "127.0.0.2,127.0.0.1,,,,::1,fe80::1%1",
         "1,1,2,3,4,5,5");
  expect("two.test,one.test", "7", "two.test,two.test,one.test", "127.0.0.2,127.0.0.1,127.0.0.1", "7,7,7");
  CHECK(!atomic_load(&disturbed));
  pg_settle(live);
}

/* FT-n2 */
TEST(names_without_addresses_are_left_out) {
  size_t live = ldr_mem_live();
  ldr_hosts none = {NULL, NULL, NULL};
  ldr_resolve *r = start("no.test,nor.test", "1,2");
  expect("no.test,one.test,nor.test", "1,2,3", "one.test", "127.0.0.1", "2");
  expect("no.test,/run/pg", "1,2", "/run/pg", "", "2");
  wait_for(ldr_resolve_fd(r));
  CHECK_INT(ldr_resolve_answer(r, &none, &err), LDR_CONNECTION);
  CHECK_STR(err.message, "could not translate host name \"no.test\" to address: Name or service not known");
  CHECK(none.host == NULL);
  ldr_resolve_free(r);
  pg_settle(live);
}

/* FT-n3 */
TEST(a_silent_name_holds_up_no_other) {
  size_t live = ldr_mem_live();
  ldr_resolve *r;
  ldr_hosts got = {"", "", ""};
  hold_gate();
  r = start("gate.test,one.test", "1,2");
  CHECK_INT(ldr_resolve_answer(r, &got, &err), LDR_PENDING);
  wait_for(ldr_resolve_fd(r));
  CHECK_INT(ldr_resolve_answer(r, &got, &err), LDR_OK);
  CHECK_STR(got.host, "one.test");
  CHECK_STR(got.port, "2");
  ldr_resolve_free(r);
  CHECK(ldr_mem_live() > live); /* the other thread's */
  open_gate(live);
}

/* FT-n4 */
TEST(the_owner_leaves_first) {
  size_t live = ldr_mem_live();
  int before = atomic_load(&asked), done = atomic_load(&answered);
  hold_gate();
  for (int i = 0; i < 20; i++) ldr_resolve_free(start("gate.test,one.test", "1"));
  CHECK(ldr_mem_live() > live);
  open_gate(live);
  CHECK_INT(ldr_mem_live(), live);
  CHECK_INT(atomic_load(&asked) - before, 40);
  CHECK_INT(atomic_load(&answered) - done, 40);
}

TEST(the_system_is_asked_in_the_end) {
  size_t live = ldr_mem_live();
  ldr_resolve *r;
  ldr_hosts got = {"", "", ""};
  ldr_resolve_set_for_test(NULL);
  r = start("localhost", "5432");
  wait_for(ldr_resolve_fd(r));
  CHECK_INT(ldr_resolve_answer(r, &got, &err), LDR_OK);
  CHECK(strstr(got.hostaddr, "127.0.0.1") || strstr(got.hostaddr, "::1"));
  CHECK(strncmp(got.host, "localhost", 9) == 0);
  ldr_resolve_free(r);
  ldr_resolve_set_for_test(look_up);
  pg_settle(live);
}

static bool look_up_short_of_memory(void) {
  size_t live = ldr_mem_live();
  ldr_resolve *r = NULL;
  ldr_hosts got;
  ldr_code code = ldr_resolve_start("two.test,/run/pg", "1,2", &r, &err);
  if (code == LDR_OK) {
    wait_for(ldr_resolve_fd(r));
    code = ldr_resolve_answer(r, &got, &err);
  }
  if (code) CHECK_INT(code, LDR_CAPACITY);
  ldr_resolve_free(r);
  pg_settle(live);
  return code == LDR_OK;
}

TEST(a_look_up_short_of_memory) { test_oom("look-up", look_up_short_of_memory); }

/* ---- a connection ---- */

static ldr_conninfo *info(const char *keyword, const char *value) {
  const char *const keywords[] = {keyword, "user", "dbname", NULL}, *const values[] = {value, "u", "d", NULL};
  ldr_conninfo *i = NULL;
  CHECK_INT(ldr_conninfo_new(keywords, values, &i, &err), LDR_OK);
  return i;
}

static ldr_code connect_to_end(const ldr_conninfo *i) {
  ldr_conn *c = NULL;
  ldr_code code = ldr_conn_start(i, 0, &c, &err);
  if (code) return code;
  do {
    short events = ldr_conn_events(c) & LDR_WRITE ? POLLOUT : POLLIN;
    struct pollfd p = {.fd = ldr_conn_fd(c), .events = events};
    CHECK_INT(poll(&p, 1, 20000), 1);
    code = ldr_conn_connect(c, &err);
  } while (code == LDR_PENDING);
  CHECK(ldr_conn_dead(c) == (code != LDR_OK));
  ldr_conn_close(c);
  return code;
}

TEST(a_connection_that_looks_up_a_name) {
  size_t live = ldr_mem_live();
  ldr_conninfo *i = info("host", "gate.test");
  hold_gate();
  for (int cut = 0; cut < 2; cut++) {
    ldr_conn *c = NULL;
    CHECK_INT(ldr_conn_start(i, 0, &c, &err), LDR_OK);
    for (int k = 0; k < 5; k++) CHECK_INT(ldr_conn_connect(c, &err), LDR_PENDING);
    CHECK(ldr_conn_fd(c) >= 0);
    CHECK_INT(ldr_conn_events(c), LDR_READ);
    CHECK(!ldr_conn_dead(c) && !ldr_conn_clean(c) && !ldr_conn_in_tx(c));
    CHECK(ldr_conn_check(c));
    CHECK_INT(ldr_conn_pid(c), 0);
    CHECK_INT(ldr_conn_version(c), 0);
    CHECK_STR(ldr_conn_host(c), "");
    CHECK_STR(ldr_conn_port(c), "");
    ldr_conn_cancel(c);
    CHECK(!ldr_conn_cancelling(c));
    ldr_conn_drop(c);
    CHECK(!ldr_conn_dead(c));
    if (cut) ldr_conn_cut(c);
    if (cut) CHECK(ldr_conn_dead(c) && ldr_conn_fd(c) == -1);
    ldr_conn_close(c);
  }
  ldr_conninfo_free(i);
  open_gate(live);
}

static void failing(const char *keyword, const char *value, const char *name) {
  ldr_conninfo *i = info(keyword, value);
  char want[100];
  CHECK_INT(connect_to_end(i), LDR_CONNECTION);
  CHECK(!err.retryable);
  snprintf(want, sizeof want, "could not translate host name \"%s\" to address", name);
  if (strstr(err.message, want) == NULL) CHECK_STR(err.message, want);
  ldr_conninfo_free(i);
}

static void write_service(const char *path) {
  FILE *file = fopen(path, "w");
  CHECK(file != NULL);
  if (file == NULL) return;
  fputs("[larder]\nhost=service.test\n", file);
  fclose(file);
}

/* Wherever libpq takes the host from. */
TEST(hosts_come_from_settings_environment_and_services) {
  size_t live = ldr_mem_live();
  char path[] = "/tmp/ldr_service.XXXXXX";
  int fd = mkstemp(path), before;
  CHECK(fd >= 0);
  close(fd);
  write_service(path);
  failing("host", "no.test", "no.test");
  setenv("PGHOST", "environment.test", 1);
  failing("sslmode", "prefer", "environment.test");
  failing("host", "no.test", "no.test");
  setenv("PGSERVICEFILE", path, 1);
  failing("service", "larder", "service.test");
  setenv("PGSERVICE", "larder", 1);
  failing("sslmode", "prefer", "service.test");
  unsetenv("PGSERVICE");
  unsetenv("PGSERVICEFILE");
  before = atomic_load(&asked);
  setenv("PGPORT", "1", 1);
  setenv("PGHOSTADDR", "127.0.0.1", 1); /* then the name is for certificates only */
  {
    ldr_conninfo *i = info("host", "no.test");
    CHECK_INT(connect_to_end(i), LDR_CONNECTION);
    CHECK(strstr(err.message, "translate") == NULL);
    ldr_conninfo_free(i);
  }
  CHECK_INT(atomic_load(&asked), before);
  unsetenv("PGHOSTADDR");
  unsetenv("PGHOST");
  unsetenv("PGPORT");
  unlink(path);
  pg_settle(live);
}

TEST(settings_that_libpq_refuses_are_told_as_ever) {
  ldr_conninfo *i = info("sslmode", "nonsense");
  ldr_conn *c = NULL;
  CHECK_INT(ldr_conn_start(i, 0, &c, &err), LDR_CONNECTION);
  CHECK(strstr(err.message, "nonsense") != NULL);
  ldr_conninfo_free(i);
  i = info("no_such_setting", "x");
  CHECK_INT(ldr_conn_start(i, 0, &c, &err), LDR_CONNECTION);
  CHECK(strstr(err.message, "no_such_setting") != NULL);
  ldr_conninfo_free(i);
}

/* FT-n6 */
TEST(a_fork_while_a_name_is_looked_up) {
  size_t live = ldr_mem_live();
  ldr_conninfo *i = info("host", "gate.test,one.test");
  int status = -1;
  pid_t child;
  ldr_conn *c = NULL;
  hold_gate();
  CHECK_INT(ldr_conn_start(i, 0, &c, &err), LDR_OK);
  fflush(stdout);
  child = fork();
  if (child == 0) {
    alarm(20); /* instead of waiting for a thread that is not there */
    ldr_conn_abandon(c);
    if (!ldr_conn_dead(c) || ldr_conn_fd(c) != -1) _exit(1);
    ldr_conn_close(c);
    ldr_conninfo_free(i);
    _exit(ldr_mem_live() == live ? 0 : 2);
  }
  CHECK(waitpid(child, &status, 0) == child);
  CHECK_INT(status, 0);
  atomic_store(&gate, false);
  wait_for(ldr_conn_fd(c)); /* the parent's goes on */
  CHECK(ldr_conn_check(c) && !ldr_conn_dead(c));
  ldr_conn_close(c);
  ldr_conninfo_free(i);
  open_gate(live);
}

/* ---- the pool, against the server at 127.0.0.1 ---- */

static bool open_by_name(pgfix *f, const char *host, const ldr_pool_config *config) {
  const char *const changes[] = {"host", host, "target_session_attrs", "read-write", NULL};
  return pg_open_with(f, config, changes);
}

static ldr_stmt *prepared(pgfix *f, const char *sql) {
  ldr_stmt *s = NULL;
  CHECK_INT(ldr_pg_prepare(f->db, NULL, sql, strlen(sql), &pg_block, &s, NULL, &f->err), LDR_OK);
  return s;
}

static ldr_task *execute(pgfix *f, ldr_stmt *s, double seconds) {
  const ldr_call call = {.deadline = ldr_deadline(seconds), .block = false};
  ldr_result r = {0};
  ldr_task *t = NULL;
  CHECK_INT(ldr_pg_execute(f->db, NULL, s, NULL, &call, &r, &t, &f->err), LDR_PENDING);
  return t;
}

static ldr_code step_to_end(ldr_task *t, ldr_err *why) {
  ldr_code code;
  do {
    short events = (short)((t->events & LDR_READ ? POLLIN : 0) | (t->events & LDR_WRITE ? POLLOUT : 0));
    struct pollfd p = {.fd = t->fd, .events = events};
    poll(&p, 1, ldr_millis_left(t->deadline));
    code = t->ops->step(t, why);
  } while (code == LDR_PENDING);
  t->ops->free(t);
  return code;
}

TEST(names_lead_to_the_server) {
  static const char *const hosts[] = {"one.test", "two.test", "no.test,two.test,one.test"};
  size_t live = ldr_mem_live();
  for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
    pgfix f;
    CHECK(open_by_name(&f, hosts[i], NULL));
    if (f.db) CHECK_STR(pg_text(&f, NULL, "select 1"), "1");
    pg_close(&f);
  }
  pg_settle(live);
}

/* FT-n1: one caller waits for a name, another works meanwhile. */
TEST(a_slow_name_blocks_nobody) {
  size_t live = ldr_mem_live();
  ldr_pool_config c = pg_config(2);
  pgfix f;
  ldr_stmt *s;
  ldr_tx *tx;
  ldr_task *t;
  CHECK(open_by_name(&f, "gate.test", &c));
  s = prepared(&f, "select 1");
  tx = pg_begin(&f);
  CHECK_STR(pg_text(&f, tx, "select 2"), "2"); /* takes the one connection that there is */
  hold_gate();
  t = execute(&f, s, 30);
  for (int i = 0; i < 50; i++) {
    CHECK_STR(pg_text(&f, tx, "select 2"), "2");
    CHECK_INT(t->ops->step(t, &f.err), LDR_PENDING);
  }
  CHECK_INT(pg_stats(&f).connects, 1);
  atomic_store(&gate, false);
  CHECK_INT(step_to_end(t, &f.err), LDR_OK);
  CHECK_INT(pg_stats(&f).connects, 2);
  pg_rollback(&f, tx);
  ldr_stmt_release(s);
  pg_close(&f);
  pg_settle(live);
}

/* FT-n5: blocking when the database is opened, and in a task. */
TEST(the_connect_timeout_covers_the_name) {
  size_t live = ldr_mem_live();
  ldr_pool_config c = pg_config(2);
  pgfix f;
  ldr_stmt *s;
  ldr_tx *tx;
  int64_t from = ldr_now_mono();
  c.connect_timeout = 0.3;
  c.acquire_timeout = 0.8;
  hold_gate();
  CHECK(!open_by_name(&f, "gate.test", &c));
  CHECK_INT(f.err.code, LDR_CONNECTION);
  CHECK(strstr(f.err.message, "timeout") != NULL);
  CHECK(ldr_now_mono() - from > 250000 && ldr_now_mono() - from < 10000000);
  pg_close(&f);
  c.connect_timeout = 30;
  c.open_timeout = 0.3;
  from = ldr_now_mono();
  CHECK(!open_by_name(&f, "gate.test", &c));
  CHECK_INT(f.err.code, LDR_CONNECTION);
  CHECK(ldr_now_mono() - from > 250000 && ldr_now_mono() - from < 10000000);
  c.connect_timeout = 0.3;
  pg_close(&f);
  open_gate(live);
  CHECK(open_by_name(&f, "gate.test", &c));
  s = prepared(&f, "select 1");
  tx = pg_begin(&f);
  CHECK_STR(pg_text(&f, tx, "select 2"), "2");
  hold_gate();
  CHECK_INT(step_to_end(execute(&f, s, 30), &f.err), LDR_CONNECTION);
  CHECK(strstr(f.err.message, "timeout") != NULL);
  CHECK_STR(pg_text(&f, tx, "select 2"), "2");
  pg_rollback(&f, tx);
  ldr_stmt_release(s);
  pg_close(&f);
  open_gate(live);
}

TEST(a_database_is_closed_while_a_name_is_looked_up) {
  size_t live = ldr_mem_live();
  ldr_pool_config c = pg_config(2);
  pgfix f;
  ldr_stmt *s;
  ldr_tx *tx;
  ldr_task *t, *given_up;
  CHECK(open_by_name(&f, "gate.test", &c));
  s = prepared(&f, "select 1");
  tx = pg_begin(&f);
  CHECK_STR(pg_text(&f, tx, "select 2"), "2");
  hold_gate();
  given_up = execute(&f, s, 30);
  t = execute(&f, s, 30);
  given_up->ops->free(given_up);
  ldr_stmt_release(s);
  f.db->ops->close(f.db);
  f.db = NULL;
  CHECK_INT(t->ops->step(t, &f.err), LDR_CLOSED);
  t->ops->free(t);
  pg_close(&f);
  open_gate(live);
}

/* ---- the same under a reactor ---- */

/* FT-n7 */
TEST(a_slow_name_blocks_no_driven_caller) {
  size_t live = ldr_mem_live();
  const char *const changes[] = {"host", "gate.test", NULL};
  ldr_pool_config c = pg_config(2);
  pgfix f, other;
  ldr_stmt *sleep;
  c.acquire_timeout = PATIENCE;
  if (!ask_open(&f, &other, &c, changes)) return;
  sleep = ask_prepared(&f, "select 1 from pg_sleep(0.5)");
  ask_row(&f, &asks[0], 1, PATIENCE);
  ask_collect(&f, 0, 1);
  ask_check(&asks[0]);
  ask_forget(1);
  hold_gate();
  for (size_t i = 0; i < 2; i++)
    ask_stmt(&f, &asks[i], NULL, sleep, NULL); /* the second wants a connection */
  for (size_t i = 2; i < 50; i++) ask_row(&f, &asks[i], (int64_t)i, PATIENCE);
  ask_collect(&f, 0, 50); /* all of it on the one that there is */
  CHECK_INT(ask_ended(50, LDR_OK), 50);
  ask_check_all(2, 48);
  ask_forget(50);
  CHECK_INT(pg_stats(&f).connects, 1);
  atomic_store(&gate, false);
  for (int i = 0; i < 3000 && pg_stats(&f).connects < 2; i++) ask_turn(&f, 10);
  CHECK_INT(pg_stats(&f).connects, 2); /* once the name is known, it is opened */
  ldr_stmt_release(sleep);
  ask_close(&f, &other);
  pg_settle(live);
}

/* FT-n8: an attempt fails, libpq goes on to the next address with another socket of the same number. */
TEST(a_driven_caller_gets_to_the_next_address) {
  size_t live = ldr_mem_live();
  const char *const changes[] = {"host", "two.test", NULL};
  ldr_pool_config c = pg_config(4);
  pgfix f, other;
  c.connect_timeout = c.acquire_timeout = PATIENCE;
  if (!ask_open(&f, &other, &c, changes)) return;
  ask_warm(&f);
  for (int round = 0; round < 5; round++) { /* anew each time */
    pg_text(&other, NULL,
            "select pg_terminate_backend(pid) from pg_stat_activity where client_addr is not null");
    ask_rows(&f, 0, 64);
    ask_collect(&f, 0, 64);
    ask_check_or_lost(64);
    ask_forget(64);
  }
  CHECK_INT(pg_stats(&f).connect_failures, 0);
  ask_close(&f, &other);
  pg_settle(live);
}

TEST(a_driven_database_is_closed_while_a_name_is_looked_up) {
  size_t live = ldr_mem_live();
  const char *const changes[] = {"host", "gate.test", NULL};
  ldr_pool_config c = pg_config(4);
  pgfix f, other;
  if (!ask_open(&f, &other, &c, changes)) return;
  hold_gate();
  ask_rows(&f, 0, 64);
  ask_turn(&f, 20);
  ask_forget(64);
  ask_close(&f, &other);
  open_gate(live);
}

static bool open_short_of_memory(void) {
  size_t live = ldr_mem_live();
  pgfix f;
  bool ok = open_by_name(&f, "two.test", NULL);
  if (!ok) CHECK_INT(f.err.code, LDR_CAPACITY);
  pg_close(&f);
  pg_settle(live);
  return ok;
}

TEST(a_database_opened_by_name_short_of_memory) { test_oom("open by name", open_short_of_memory); }

void test_resolve(void);
void test_resolve(void) {
  ldr_resolve_set_for_test(look_up);
  RUN(what_is_no_name_is_not_asked_for);
  RUN(a_line_for_each_address);
  RUN(names_without_addresses_are_left_out);
  RUN(a_silent_name_holds_up_no_other);
  RUN(the_owner_leaves_first);
  RUN(the_system_is_asked_in_the_end);
  RUN(a_look_up_short_of_memory);
  RUN(a_connection_that_looks_up_a_name);
  RUN(hosts_come_from_settings_environment_and_services);
  RUN(settings_that_libpq_refuses_are_told_as_ever);
  RUN(a_fork_while_a_name_is_looked_up);
  if (pg_available("resolve") && getenv("LARDER_TEST_TCP_URL")) {
    RUN(names_lead_to_the_server);
    RUN(a_slow_name_blocks_nobody);
    RUN(the_connect_timeout_covers_the_name);
    RUN(a_database_is_closed_while_a_name_is_looked_up);
    RUN(a_slow_name_blocks_no_driven_caller);
    RUN(a_driven_caller_gets_to_the_next_address);
    RUN(a_driven_database_is_closed_while_a_name_is_looked_up);
    RUN(a_database_opened_by_name_short_of_memory);
  }
  ldr_resolve_set_for_test(NULL);
}

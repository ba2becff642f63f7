#define _GNU_SOURCE
#include "postgres/protocol/connection.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "postgres/protocol/conn.h"

/* ---- settings ---- */

ldr_code ldr_conninfo_parse(const char *s, void (*each)(void *ud, const char *keyword, const char *value),
                            void *ud, ldr_err *err) {
  char *why = NULL;
  PQconninfoOption *options = PQconninfoParse(s, &why);
  PQfreemem(why); /* it may quote a part of the password */
  if (options == NULL) return ldr_fail(err, LDR_INVALID, "the connection string is not valid");
  for (const PQconninfoOption *o = options; o->keyword; o++)
    if (o->val) each(ud, o->keyword, o->val);
  PQconninfoFree(options);
  return LDR_OK;
}

/* ---- cancelling ---- */

/* What is not sealed, and what did not fit into the socket, is in libpq's hands. */
static bool sent_partly(const ldr_conn *c) { return c->group_size > 0 || (c->events & LDR_WRITE) != 0; }

static void cancel(ldr_conn *c, bool drop) {
  ldr_cancel *before = c->cancel;
  bool under_way = ldr_conn_cancelling(c);
  if (c->dead || !c->connected || (!drop && under_way)) return;
  if (!under_way) {
    ldr_cancel_release(before);
    before = NULL;
  }
  if (drop && c->pooled) {
    c->cancel = ldr_cancel_drop(c->pg, c->syncs, sent_partly(c), before);
    c->pg = NULL;
  } else {
    c->cancel = ldr_cancel_send(c->pg, drop, before);
  }
  ldr_cancel_release(before);
}

void ldr_conn_set_pooled(ldr_conn *c) { c->pooled = true; }

void ldr_conn_cancel(ldr_conn *c) { cancel(c, false); }

void ldr_conn_drop(ldr_conn *c) {
  if (c->head == NULL) return;
  cancel(c, true);
  ldr_conn_cut(c);
}

bool ldr_conn_cancelling(const ldr_conn *c) { return ldr_cancel_under_way(c->cancel); }

/* ---- connecting and closing ---- */

/* Notices are never printed. One kind matters: the farewell of a server that ends an idle session. */
static void on_notice(void *ud, const PGresult *res) {
  ldr_conn *c = ud;
  const char *severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
  if (severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0)) c->fatal = true;
}

/* Begins an attempt with the settings and, in their place, those of `more`. */
static PGconn *attempt(const ldr_conninfo *i, const char *const more[][2]) {
  const char **lists = ldr_conninfo_merge(i, more);
  PGconn *pg = lists ? PQconnectStartParams(lists, lists + i->n + LDR_CONNINFO_MORE + 1, 0) : NULL;
  ldr_free(lists);
  return pg;
}

static const char *option(const PQconninfoOption *o, const char *keyword) {
  for (; o && o->keyword; o++)
    if (strcmp(o->keyword, keyword) == 0) return o->val ? o->val : "";
  return "";
}

/* Starts to look up the hosts' names, if there are any. Settings, environment and service files are for libpq
 * to merge: it has done so when it refuses the attempt for its sslmode, before it looks anything up. (With a
 * password it reads no file for one.) */
static ldr_code look_up(ldr_conn *c, ldr_err *err) {
  static const char *const impossible[LDR_CONNINFO_MORE][2] = {{"password", "-"}, {"sslmode", "-"}};
  PGconn *pg = attempt(c->info, impossible);
  PQconninfoOption *merged = pg ? PQconninfo(pg) : NULL;
  const ldr_hosts given = {option(merged, "host"), option(merged, "hostaddr"), option(merged, "port")};
  ldr_code code = LDR_OK;
  if (merged == NULL || !ldr_hostlist_set(&c->hosts, &given))
    code = ldr_fail_nomem(err);
  else if (*given.hostaddr == '\0')
    code = ldr_resolve_start(given.host, given.port, &c->resolve, err);
  PQconninfoFree(merged);
  PQfinish(pg);
  return code;
}

/* Why libpq gave up. That no descriptor is left shows in its words alone, which are in the user's language:
 * whether there is one is asked. */
static ldr_code failed(const ldr_conn *c, ldr_err *err) {
  ldr_code code = ldr_pgerr_connect(PQerrorMessage(c->pg), err);
  int fd = code == LDR_CONNECTION && *err->sqlstate == '\0' ? open("/dev/null", O_RDONLY | O_CLOEXEC) : 0;
  if (fd > 0) close(fd);
  if (fd >= 0 || (errno != EMFILE && errno != ENFILE)) return code;
  return ldr_fail(err, LDR_CAPACITY, "no file descriptor is left for a connection");
}

/* From the look-up of the names, which has the time of one host, to the hosts and from one to the next. */
static void note_host(ldr_conn *c) {
  char now[sizeof c->at];
  const char *address = PQhostaddr(c->pg);
  snprintf(now, sizeof now, "%.120s %.60s %.60s", PQhost(c->pg), address ? address : "", PQport(c->pg));
  if (strcmp(now, c->at) == 0) return;
  memcpy(c->at, now, sizeof now);
  if (c->host_limit > 0) c->host_due = ldr_sooner(ldr_deadline(c->host_limit), c->give_up);
}

static ldr_code begin(ldr_conn *c, const ldr_hosts *found, ldr_err *err) {
  const char *const hosts[LDR_CONNINFO_MORE][2] = {
      {"host", found->host}, {"hostaddr", found->hostaddr}, {"port", found->port}};
  c->pg = attempt(c->info, hosts);
  if (c->pg == NULL) return ldr_fail_nomem(err);
  PQsetNoticeReceiver(c->pg, on_notice, c);
  PQsetErrorVerbosity(c->pg, PQERRORS_VERBOSE); /* the only way to the SQLSTATE of a failed connection */
  if (PQstatus(c->pg) == CONNECTION_BAD) return failed(c, err);
  if (c->give_up == LDR_NEVER && c->host_limit > 0)
    c->give_up = ldr_deadline(c->host_limit * (double)(ldr_hostlist_count(&c->hosts) + 1));
  *c->at = '\0';
  note_host(c);
  c->events = LDR_WRITE;
  return LDR_OK;
}

ldr_code ldr_conn_start(const ldr_conninfo *i, double host_limit, ldr_conn **out, ldr_err *err) {
  static const ldr_hosts as_given;
  ldr_conn *c = ldr_alloc(sizeof *c);
  ldr_code code;
  if (c == NULL) return ldr_fail_nomem(err);
  c->info = i;
  c->events = LDR_READ;
  c->host_limit = host_limit;
  c->give_up = LDR_NEVER;
  c->host_due = host_limit > 0 ? ldr_deadline(host_limit) : LDR_NEVER;
  code = look_up(c, err);
  if (code == LDR_OK && c->resolve == NULL) code = begin(c, &as_given, err);
  if (code)
    ldr_conn_close(c);
  else
    *out = c;
  return code;
}

/* code: of ldr_resolve_answer. */
static ldr_code looked_up(ldr_conn *c, ldr_code code, const ldr_hosts *found, ldr_err *err) {
  if (code == LDR_PENDING) return code;
  if (code == LDR_OK && !ldr_hostlist_set(&c->hosts, found)) code = ldr_fail_nomem(err);
  if (code == LDR_OK) code = begin(c, found, err);
  ldr_resolve_free(c->resolve);
  c->resolve = NULL;
  c->dead = code != LDR_OK;
  return code ? code : LDR_PENDING;
}

/* Of several hosts those that were silent are not in what libpq says of the others. */
static ldr_code tell_silent(const ldr_conn *c, ldr_code code, ldr_err *err) {
  char hint[sizeof err->hint];
  if (c->silent == 0 || code == LDR_CAPACITY) return code;
  snprintf(hint, sizeof hint, "%s did not answer within the connect timeout", c->last_silent);
  if (*err->hint == '\0') ldr_err_set(err->hint, sizeof err->hint, hint);
  return code;
}

ldr_code ldr_conn_connect(ldr_conn *c, ldr_err *err) {
  ldr_hosts found;
  if (c->dead) return ldr_fail(err, LDR_CONNECTION, "the connection to the server was lost");
  if (ldr_now_mono() >= c->host_due) return ldr_conn_skip_host(c, err);
  if (c->resolve) return looked_up(c, ldr_resolve_answer(c->resolve, &found, err), &found, err);
  switch (PQconnectPoll(c->pg)) {
    case PGRES_POLLING_READING:
      c->events = LDR_READ;
      note_host(c);
      return LDR_PENDING;
    case PGRES_POLLING_WRITING:
      c->events = LDR_WRITE;
      note_host(c);
      return LDR_PENDING;
    case PGRES_POLLING_OK:
      if (PQsetnonblocking(c->pg, 1) != 0) break;
      PQsetErrorVerbosity(c->pg, PQERRORS_DEFAULT);
      c->encoding = PQclientEncoding(c->pg);
      c->connected = true;
      c->events = LDR_READ;
      return LDR_OK;
    default: break;
  }
  c->dead = true;
  return tell_silent(c, failed(c, err), err);
}

/* ---- hosts that are silent ---- */

/* The socket is shut before libpq says goodbye, so that a peer that reads nothing cannot block us. */
static void shut(const ldr_conn *c) {
  if (PQsocket(c->pg) >= 0) shutdown(PQsocket(c->pg), SHUT_RDWR);
}

static ldr_code nobody_answers(ldr_conn *c, ldr_err *err) {
  c->dead = true;
  return tell_silent(c, ldr_fail(err, LDR_CONNECTION, "the server did not answer within the connect timeout"),
                     err);
}

/* The names that have addresses by now, and what is no name. */
static ldr_code skip_names(ldr_conn *c, ldr_err *err) {
  ldr_hosts found;
  ldr_code code = ldr_resolve_answer_now(c->resolve, &found, err);
  return code == LDR_CONNECTION ? nobody_answers(c, err) : looked_up(c, code, &found, err);
}

/* The session that was begun is ended, and everything is as before the attempt. */
static void give_up_host(ldr_conn *c) {
  shut(c);
  ldr_conn_lose(c);
  PQfinish(c->pg);
  c->pg = NULL;
  c->dead = c->connected = c->fatal = false;
  c->syncs = 0;
}

ldr_code ldr_conn_skip_host(ldr_conn *c, ldr_err *err) {
  ldr_hosts now, rest;
  ldr_code code;
  if (c->resolve) return skip_names(c, err);
  now = (ldr_hosts){PQhost(c->pg), PQhostaddr(c->pg), PQport(c->pg)};
  if (now.hostaddr == NULL) now.hostaddr = "";
  c->silent++;
  snprintf(c->last_silent, sizeof c->last_silent, "%.100s:%.20s", now.host, now.port);
  if (ldr_now_mono() >= c->give_up || !ldr_hostlist_remove(&c->hosts, &now)) return nobody_answers(c, err);
  give_up_host(c);
  rest = (ldr_hosts){c->hosts.host, c->hosts.hostaddr, c->hosts.port};
  code = begin(c, &rest, err);
  c->dead = code != LDR_OK;
  return code ? tell_silent(c, code, err) : LDR_PENDING;
}

int64_t ldr_conn_due(const ldr_conn *c) { return c->host_due; }
unsigned ldr_conn_silent(const ldr_conn *c) { return c->silent; }

/* ---- the end ---- */

void ldr_conn_lose(ldr_conn *c) {
  c->dead = true;
  c->due = NULL;
  c->group_size = 0;
  while (c->head) {
    ldr_exchange *r = c->head;
    c->head = r->next;
    if (c->head == NULL) c->tail = NULL;
    ldr_exchange_end(r, true);
  }
}

void ldr_conn_cut(ldr_conn *c) {
  if (c->dead) return;
  shut(c);
  ldr_conn_lose(c);
}

void ldr_conn_close(ldr_conn *c) {
  if (c == NULL) return;
  assert(c->head == NULL);
  if (!c->dead && !ldr_conn_clean(c)) shut(c);
  PQfreemem(c->copied);
  ldr_cancel_release(c->cancel);
  ldr_resolve_free(c->resolve);
  ldr_hostlist_free(&c->hosts);
  PQfinish(c->pg);
  ldr_free(c);
}

void ldr_conn_abandon(ldr_conn *c) {
  int fd = PQsocket(c->pg), null;
  ldr_conn_lose(c);
  ldr_resolve_abandon(c->resolve);
  c->resolve = NULL;
  if (fd < 0) return;
  null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) { /* without it, libpq would write to the parent's session when it is closed: rather leak */
    c->pg = NULL;
    return;
  }
  dup2(null, fd);
  close(null);
}

int ldr_conn_fd(const ldr_conn *c) {
  if (c->dead) return -1;
  return c->resolve ? ldr_resolve_fd(c->resolve) : PQsocket(c->pg);
}
unsigned ldr_conn_events(const ldr_conn *c) { return c->events; }
bool ldr_conn_dead(const ldr_conn *c) { return c->dead; }
int ldr_conn_pid(const ldr_conn *c) { return c->dead ? 0 : PQbackendPID(c->pg); }
int ldr_conn_version(const ldr_conn *c) { return PQserverVersion(c->pg); }
const char *ldr_conn_host(const ldr_conn *c) { return c->pg ? PQhost(c->pg) : ""; }
const char *ldr_conn_port(const ldr_conn *c) { return c->pg ? PQport(c->pg) : ""; }

bool ldr_conn_clean(const ldr_conn *c) {
  return !c->dead && c->connected && c->head == NULL && !ldr_conn_cancelling(c) &&
         PQtransactionStatus(c->pg) == PQTRANS_IDLE;
}

bool ldr_conn_in_tx(const ldr_conn *c) {
  PGTransactionStatusType s = c->dead ? PQTRANS_UNKNOWN : PQtransactionStatus(c->pg);
  return s == PQTRANS_INTRANS || s == PQTRANS_INERROR;
}

bool ldr_conn_keeps_encoding(const ldr_conn *c) { return c->dead || PQclientEncoding(c->pg) == c->encoding; }

bool ldr_conn_said_farewell(ldr_conn *c) {
  if (c->connected && !c->dead) PQisBusy(c->pg); /* parses what was read: a farewell reaches on_notice */
  return c->fatal;
}

/* Something to read on an idle connection is a notice, a changed setting, or the end. The farewell may have
 * been read together with the last answer; it and the end of the stream may come one after the other. */
bool ldr_conn_check(ldr_conn *c) {
  struct pollfd p = {.fd = ldr_conn_fd(c), .events = POLLIN};
  assert(c->head == NULL); /* its answer would be read here, and nobody told */
  (void)ldr_conn_said_farewell(c);
  for (int i = 0; i < 4 && c->connected && !c->dead; i++) {
    int n = poll(&p, 1, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    c->dead = !PQconsumeInput(c->pg);
    PQisBusy(c->pg);
    c->dead |= PQstatus(c->pg) == CONNECTION_BAD;
  }
  if (c->fatal) ldr_conn_cut(c);
  return !c->dead;
}

ldr_exchange *ldr_conn_head(const ldr_conn *c) { return c->head; }

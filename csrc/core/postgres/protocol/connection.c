#define _GNU_SOURCE
#include "postgres/protocol/connection.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "postgres/protocol/cancel.h"
#include "postgres/protocol/resolve.h"

struct ldr_conn {
  PGconn *pg; /* NULL while names are looked up */
  const ldr_conninfo *info;
  ldr_resolve *resolve;      /* the look-up under way */
  ldr_exchange *head, *tail; /* in flight, oldest first */
  ldr_exchange *due;         /* whose answers come next; NULL: none is known to come */
  unsigned gathers, syncs;   /* the last exchanges, which have no Sync yet; Syncs that are not answered */
  char *copied;              /* the last message of copy_get, libpq's */
  ldr_cancel *cancel;        /* the last one; NULL: none */
  unsigned events;
  bool connected;
  bool dead;
  bool fatal; /* the server said that it ends this session */
};

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

/* Undelivered, nobody waits longer than it must: the statement's owner has its own deadline. */
static void deliver_cancel(void *handle) {
  char why[256];
  (void)PQcancel(handle, why, sizeof why);
}

static void free_cancel(void *handle) { PQfreeCancel(handle); }

static void cancel(ldr_conn *c, bool insist) {
  static const ldr_cancel_ops by_libpq = {deliver_cancel, free_cancel};
  if (c->dead || !c->connected || (!insist && ldr_conn_cancelling(c))) return;
  ldr_cancel_release(c->cancel);
  c->cancel = ldr_cancel_start(&by_libpq, PQgetCancel(c->pg), insist);
}

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
  ldr_code code = LDR_OK;
  if (merged == NULL)
    code = ldr_fail_nomem(err);
  else if (*option(merged, "hostaddr") == '\0')
    code = ldr_resolve_start(option(merged, "host"), option(merged, "port"), &c->resolve, err);
  PQconninfoFree(merged);
  PQfinish(pg);
  return code;
}

static ldr_code begin(ldr_conn *c, const ldr_hosts *found, ldr_err *err) {
  const char *const hosts[LDR_CONNINFO_MORE][2] = {
      {"host", found->host}, {"hostaddr", found->hostaddr}, {"port", found->port}};
  c->pg = attempt(c->info, hosts);
  if (c->pg == NULL) return ldr_fail_nomem(err);
  PQsetNoticeReceiver(c->pg, on_notice, c);
  PQsetErrorVerbosity(c->pg, PQERRORS_VERBOSE); /* the only way to the SQLSTATE of a failed connection */
  if (PQstatus(c->pg) == CONNECTION_BAD) return ldr_pgerr_connect(PQerrorMessage(c->pg), err);
  c->events = LDR_WRITE;
  return LDR_OK;
}

ldr_code ldr_conn_start(const ldr_conninfo *i, ldr_conn **out, ldr_err *err) {
  static const ldr_hosts as_given;
  ldr_conn *c = ldr_alloc(sizeof *c);
  ldr_code code;
  if (c == NULL) return ldr_fail_nomem(err);
  c->info = i;
  c->events = LDR_READ;
  code = look_up(c, err);
  if (code == LDR_OK && c->resolve == NULL) code = begin(c, &as_given, err);
  if (code)
    ldr_conn_close(c);
  else
    *out = c;
  return code;
}

static ldr_code looked_up(ldr_conn *c, ldr_err *err) {
  ldr_hosts found;
  ldr_code code = ldr_resolve_answer(c->resolve, &found, err);
  if (code == LDR_PENDING) return code;
  if (code == LDR_OK) code = begin(c, &found, err);
  ldr_resolve_free(c->resolve);
  c->resolve = NULL;
  c->dead = code != LDR_OK;
  return code ? code : LDR_PENDING;
}

ldr_code ldr_conn_connect(ldr_conn *c, ldr_err *err) {
  if (c->dead) return ldr_fail(err, LDR_CONNECTION, "the connection to the server was lost");
  if (c->resolve) return looked_up(c, err);
  switch (PQconnectPoll(c->pg)) {
    case PGRES_POLLING_READING: c->events = LDR_READ; return LDR_PENDING;
    case PGRES_POLLING_WRITING: c->events = LDR_WRITE; return LDR_PENDING;
    case PGRES_POLLING_OK:
      if (PQsetnonblocking(c->pg, 1) != 0) break;
      PQsetErrorVerbosity(c->pg, PQERRORS_DEFAULT);
      c->connected = true;
      c->events = LDR_READ;
      return LDR_OK;
    default: break;
  }
  c->dead = true;
  return ldr_pgerr_connect(PQerrorMessage(c->pg), err);
}

/* The socket is shut before libpq says goodbye, so that a peer that reads nothing cannot block us. */
static void shut(const ldr_conn *c) {
  if (PQsocket(c->pg) >= 0) shutdown(PQsocket(c->pg), SHUT_RDWR);
}

/* The answer is here, or will never come. */
static void end_exchange(ldr_exchange *r, bool lost) {
  ldr_exchange_list *l = r->finished;
  r->next = NULL;
  r->done = true;
  r->lost = lost;
  if (l == NULL) return;
  r->listed = true;
  *(l->last ? &l->last->next : &l->first) = r;
  l->last = r;
}

static void lose(ldr_conn *c) {
  c->dead = true;
  c->due = NULL;
  c->gathers = 0;
  while (c->head) {
    ldr_exchange *r = c->head;
    c->head = r->next;
    if (c->head == NULL) c->tail = NULL;
    end_exchange(r, true);
  }
}

void ldr_conn_cut(ldr_conn *c) {
  if (c->dead) return;
  shut(c);
  lose(c);
}

void ldr_conn_close(ldr_conn *c) {
  if (c == NULL) return;
  assert(c->head == NULL);
  if (!c->dead && !ldr_conn_clean(c)) shut(c);
  PQfreemem(c->copied);
  ldr_cancel_release(c->cancel);
  ldr_resolve_free(c->resolve);
  PQfinish(c->pg);
  ldr_free(c);
}

void ldr_conn_abandon(ldr_conn *c) {
  int fd = PQsocket(c->pg), null;
  lose(c);
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

/* Something to read on an idle connection is a notice, a changed setting, or the end. The farewell and the
 * end of the stream may come one after the other. */
bool ldr_conn_check(ldr_conn *c) {
  struct pollfd p = {.fd = ldr_conn_fd(c), .events = POLLIN};
  for (int i = 0; i < 4 && c->connected && !c->dead; i++) {
    int n = poll(&p, 1, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    c->dead = !PQconsumeInput(c->pg);
    PQisBusy(c->pg); /* parses what came: a farewell reaches on_notice */
    c->dead |= PQstatus(c->pg) == CONNECTION_BAD;
  }
  if (c->fatal) ldr_conn_cut(c);
  return !c->dead;
}

/* ---- exchanges ---- */

ldr_cmd *ldr_exchange_add(ldr_exchange *r, ldr_cmd_kind kind) {
  ldr_cmd *cmd;
  if (r->n == r->cap) {
    unsigned cap = r->cap ? r->cap * 2 : 4;
    cmd = ldr_realloc(r->cmd, cap * sizeof *cmd);
    if (cmd == NULL) return NULL;
    r->cmd = cmd;
    r->cap = cap;
  }
  cmd = &r->cmd[r->n++];
  *cmd = (ldr_cmd){.kind = kind};
  return cmd;
}

void ldr_exchange_reset(ldr_exchange *r) {
  ldr_exchange kept = {.cmd = r->cmd, .cap = r->cap, .finished = r->finished, .request = r->request};
  assert(!r->listed);
  for (unsigned i = 0; i < r->n; i++) PQclear(r->cmd[i].res);
  PQclear(r->error);
  *r = kept;
}

void ldr_exchange_free(ldr_exchange *r) {
  ldr_exchange_reset(r);
  ldr_free(r->cmd);
  *r = (ldr_exchange){0};
}

ldr_exchange *ldr_exchange_take_finished(ldr_exchange_list *l) {
  ldr_exchange *r = l->first;
  if (r) ldr_exchange_unlist(r);
  return r;
}

void ldr_exchange_unlist(ldr_exchange *r) {
  ldr_exchange_list *l = r->finished;
  ldr_exchange *before = NULL, **at;
  if (!r->listed) return;
  for (at = &l->first; *at != r; at = &(*at)->next) before = *at;
  *at = r->next;
  if (l->last == r) l->last = before;
  r->next = NULL;
  r->listed = false;
}

ldr_pgres *ldr_exchange_take(ldr_exchange *r, unsigned i) {
  ldr_pgres *res = r->cmd[i].res;
  r->cmd[i].res = NULL;
  return res;
}

static const char *field(const PGresult *res, int which) {
  const char *s = PQresultErrorField(res, which);
  return s ? s : "";
}

static ldr_pgfields fields_of(const PGresult *res) {
  return (ldr_pgfields){.sqlstate = field(res, PG_DIAG_SQLSTATE),
                        .message = field(res, PG_DIAG_MESSAGE_PRIMARY),
                        .detail = field(res, PG_DIAG_MESSAGE_DETAIL),
                        .hint = field(res, PG_DIAG_MESSAGE_HINT),
                        .table = field(res, PG_DIAG_TABLE_NAME),
                        .column = field(res, PG_DIAG_COLUMN_NAME),
                        .constraint = field(res, PG_DIAG_CONSTRAINT_NAME),
                        .routine = field(res, PG_DIAG_SOURCE_FUNCTION)};
}

ldr_code ldr_exchange_error(const ldr_exchange *r, bool deleting, ldr_err *err) {
  ldr_pgfields f;
  if (r->error && *field(r->error, PG_DIAG_SQLSTATE)) {
    f = fields_of(r->error);
    return ldr_pgerr_fill(&f, deleting, err);
  }
  if (r->lost && r->copying)
    return ldr_fail(err, LDR_UNSUPPORTED, "COPY from or to the client needs copy_in or copy_out");
  if (r->lost) return ldr_fail(err, LDR_CONNECTION, "the connection to the server was lost");
  return ldr_fail(err, LDR_INTERNAL, "the answer of the server could not be read");
}

const char *ldr_exchange_sqlstate(const ldr_exchange *r) {
  return r->error ? field(r->error, PG_DIAG_SQLSTATE) : "";
}

bool ldr_exchange_stale(const ldr_exchange *r) {
  ldr_pgfields f;
  if (r->error == NULL || r->lost) return false;
  f = fields_of(r->error);
  return ldr_pgerr_stale(&f);
}

ldr_exchange *ldr_conn_head(const ldr_conn *c) { return c->head; }

static int send_cmd(PGconn *pg, const ldr_cmd *c) {
  static const ldr_bind none;
  const ldr_bind *a = c->args ? c->args : &none;
  int n = (int)a->n, as = c->text ? 0 : 1;
  switch (c->kind) {
    case LDR_CMD_PARSE: return PQsendPrepare(pg, c->name, c->sql, n, a->oid);
    case LDR_CMD_DESCRIBE: return PQsendDescribePrepared(pg, c->name);
    case LDR_CMD_EXEC: return PQsendQueryPrepared(pg, c->name, n, a->value, a->length, a->format, as);
    case LDR_CMD_QUERY: return PQsendQueryParams(pg, c->sql, n, a->oid, a->value, a->length, a->format, as);
  }
  return 0;
}

static bool send_piped(ldr_conn *c, const ldr_exchange *r) {
  if (PQpipelineStatus(c->pg) == PQ_PIPELINE_OFF && !PQenterPipelineMode(c->pg)) return false;
  for (unsigned i = 0; i < r->n; i++) {
    if (!send_cmd(c->pg, &r->cmd[i])) return false;
    if (r->cmd[i].flush && !PQsendFlushRequest(c->pg)) return false;
  }
  return r->grouped || PQpipelineSync(c->pg) == 1; /* which also writes what fits */
}

/* Outside of pipeline mode nothing else may be in flight: then it is sent when its turn comes. */
static bool send_simple(ldr_conn *c, ldr_exchange *r) {
  r->unsent = c->head != NULL && c->head != r;
  if (r->unsent) return true;
  if (PQpipelineStatus(c->pg) != PQ_PIPELINE_OFF && !PQexitPipelineMode(c->pg)) return false;
  return PQsendQuery(c->pg, r->cmd[0].sql) == 1;
}

static void flush(ldr_conn *c) { c->events = PQflush(c->pg) == 1 ? LDR_READ | LDR_WRITE : LDR_READ; }

/* Everything up to the next Sync may run at once. */
static void mark_begun(const ldr_conn *c) {
  for (ldr_exchange *r = c->head; r; r = r->next) {
    r->began = true;
    if (r->sealed) return;
  }
}

static void append(ldr_conn *c, ldr_exchange *r) {
  if (c->tail)
    c->tail->next = r;
  else
    c->head = r;
  c->tail = r;
  if (c->due == NULL) c->due = r;
  r->sealed = !r->grouped;
  c->gathers = r->grouped ? c->gathers + 1 : 0;
  c->syncs += r->sealed && !r->simple;
  mark_begun(c);
}

void ldr_conn_flush_group(ldr_conn *c) {
  if (c->gathers == 0) return;
  if (PQpipelineSync(c->pg) != 1) {
    ldr_conn_cut(c);
    return;
  }
  c->tail->sealed = true;
  c->syncs++;
  if (c->due == NULL) c->due = c->tail; /* all are answered but for the Sync */
  c->gathers = 0;
  flush(c);
}

unsigned ldr_conn_group_size(const ldr_conn *c) { return c->gathers; }
unsigned ldr_conn_syncs(const ldr_conn *c) { return c->syncs; }

ldr_code ldr_conn_submit(ldr_conn *c, ldr_exchange *r, ldr_err *err) {
  assert(!r->done && r->n > 0);
  if (!r->grouped) ldr_conn_flush_group(c);
  if (!c->dead && !(r->simple ? send_simple(c, r) : send_piped(c, r))) {
    bool lost = PQstatus(c->pg) == CONNECTION_BAD;
    ldr_conn_cut(c);
    if (!lost)
      return ldr_fail(err, LDR_CAPACITY, "the statement could not be sent: too large, or out of memory");
  }
  if (c->dead) return ldr_fail(err, LDR_CONNECTION, "the connection to the server was lost");
  append(c, r);
  if (!r->grouped) flush(c);
  return LDR_OK;
}

/* ---- answers arrive ---- */

/* The Sync of `due` was answered, and with it all in front of it. */
static void finish(ldr_conn *c) {
  ldr_exchange *first = c->head, *end = c->due->next, *next;
  unsigned n = 0;
  for (const ldr_exchange *r = first; r != end; r = r->next) n++;
  c->head = c->due = end;
  if (end == NULL) c->tail = NULL;
  mark_begun(c);
  for (ldr_exchange *r = first; r != end; r = next) {
    next = r->next;
    r->peers = n;
    end_exchange(r, false);
  }
  if (c->head == NULL || !c->head->unsent) return;
  if (send_simple(c, c->head))
    flush(c);
  else
    ldr_conn_cut(c);
}

/* The first error counts: "terminating connection" comes before "the server closed the connection". */
static void keep_error(ldr_exchange *r, PGresult *res) {
  if (r->error) {
    PQclear(res);
    return;
  }
  r->error = res;
  r->failed = r->at;
}

static void keep_answer(ldr_exchange *r, PGresult *res) {
  if (r->at >= r->n) {
    PQclear(res);
    return;
  }
  PQclear(r->cmd[r->at].res); /* a script: only its last answer stays */
  r->cmd[r->at].res = res;
}

/* COPY belongs to a exchange of its own; inside a pipeline nobody could feed it. */
static void begin_copy(ldr_conn *c, ldr_exchange *r, PGresult *res) {
  r->copying = true;
  if (r->simple) {
    keep_answer(r, res);
  } else {
    PQclear(res);
    ldr_conn_cut(c);
  }
}

/* One step through what the server answered; false: nothing more to hand out now. */
static bool deliver_one(ldr_conn *c) {
  ldr_exchange *r = c->due;
  PGresult *res;
  if (r == NULL || r->copying || PQisBusy(c->pg)) return false;
  res = PQgetResult(c->pg);
  if (res == NULL) {
    if (PQstatus(c->pg) == CONNECTION_BAD) return false;
    if (r->simple)
      finish(c);
    else if (r->at < r->n)
      r->at++;
    if (c->due == r && !r->sealed && r->at == r->n) c->due = r->next;
    return true;
  }
  switch (PQresultStatus(res)) {
    case PGRES_PIPELINE_SYNC:
      PQclear(res);
      c->syncs--;
      finish(c);
      break;
    case PGRES_BAD_RESPONSE:
    case PGRES_FATAL_ERROR: keep_error(r, res); break;
    case PGRES_PIPELINE_ABORTED:
      if (r->error == NULL) r->skipped = true;
      PQclear(res);
      break;
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH: begin_copy(c, r, res); break;
    default: keep_answer(r, res); break;
  }
  return true;
}

/* Of an encrypted record a part may stay in the library's hands, of which poll() knows nothing: so many
 * reads, and a whole one is through. */
static int reads_needed(const ldr_conn *c) { return PQsslInUse(c->pg) || PQgssEncInUse(c->pg) ? 3 : 1; }

void ldr_conn_pump(ldr_conn *c) {
  bool ok = true;
  for (int i = c->dead ? 0 : reads_needed(c); ok && i > 0 && !c->dead; i--) {
    ok = PQconsumeInput(c->pg) == 1;
    flush(c);
    while (!c->dead && deliver_one(c)) continue; /* before the next read: it may find the end of the stream */
    if (c->head == NULL) break;
  }
  if (!c->dead && (!ok || PQstatus(c->pg) == CONNECTION_BAD)) lose(c);
}

/* ---- COPY ---- */

static ldr_code copy_lost(ldr_conn *c, ldr_err *err) {
  ldr_conn_cut(c);
  return ldr_fail(err, LDR_CONNECTION, "the connection to the server was lost during COPY");
}

ldr_code ldr_conn_copy_put(ldr_conn *c, const void *p, size_t n, ldr_err *err) {
  enum { PIECE = 1 << 20 };
  const char *s = p;
  if (c->dead) return copy_lost(c, err);
  for (; n; s += PIECE) {
    size_t piece = n < PIECE ? n : PIECE;
    if (PQputCopyData(c->pg, s, (int)piece) != 1) return copy_lost(c, err);
    n -= piece;
    if (n == 0) break;
  }
  flush(c);
  return c->events & LDR_WRITE ? LDR_PENDING : LDR_OK;
}

ldr_code ldr_conn_copy_end(ldr_conn *c, const char *why, ldr_err *err) {
  if (c->dead) return copy_lost(c, err);
  c->head->copying = false;
  if (PQputCopyEnd(c->pg, why) != 1) return copy_lost(c, err);
  flush(c);
  return LDR_OK;
}

ldr_code ldr_conn_copy_get(ldr_conn *c, const char **p, size_t *n, ldr_err *err) {
  int got;
  PQfreemem(c->copied);
  c->copied = NULL;
  if (c->dead) return copy_lost(c, err);
  got = PQgetCopyData(c->pg, &c->copied, 1);
  for (int i = reads_needed(c); got == 0 && i > 0; i--) { /* nothing is buffered */
    if (!PQconsumeInput(c->pg)) return copy_lost(c, err);
    flush(c);
    got = PQgetCopyData(c->pg, &c->copied, 1);
  }
  if (got == 0) return LDR_PENDING;
  if (got == -2) return copy_lost(c, err);
  *p = got > 0 ? c->copied : NULL;
  *n = got > 0 ? (size_t)got : 0;
  if (got < 0) c->head->copying = false; /* the exchange goes on to its end */
  return LDR_OK;
}

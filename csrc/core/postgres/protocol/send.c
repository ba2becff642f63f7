#include "postgres/protocol/send.h"

#include <assert.h>

#include "postgres/protocol/conn.h"

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

static bool is_piped(const ldr_exchange *r) { return !r->alone && !r->simple; }

/* Outside of pipeline mode nothing else may be in flight: then it is sent when its turn comes. */
static bool send_alone(ldr_conn *c, ldr_exchange *r) {
  r->unsent = c->head != NULL && c->head != r;
  if (r->unsent) return true;
  if (PQpipelineStatus(c->pg) != PQ_PIPELINE_OFF && !PQexitPipelineMode(c->pg)) return false;
  return r->simple ? PQsendQuery(c->pg, r->cmd[0].sql) == 1 : send_cmd(c->pg, &r->cmd[0]) == 1;
}

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
  c->group_size = r->grouped ? c->group_size + 1 : 0;
  c->syncs += r->sealed && is_piped(r);
  mark_begun(c);
}

void ldr_conn_flush_group(ldr_conn *c) {
  if (c->group_size == 0) return;
  if (PQpipelineSync(c->pg) != 1) {
    ldr_conn_cut(c);
    return;
  }
  c->tail->sealed = true;
  c->syncs++;
  if (c->due == NULL) c->due = c->tail; /* all are answered but for the Sync */
  c->group_size = 0;
  ldr_conn_write(c);
}

unsigned ldr_conn_group_size(const ldr_conn *c) { return c->group_size; }
unsigned ldr_conn_syncs(const ldr_conn *c) { return c->syncs; }

ldr_code ldr_conn_submit(ldr_conn *c, ldr_exchange *r, ldr_err *err) {
  assert(!r->done && r->n > 0);
  if (!r->grouped) ldr_conn_flush_group(c);
  if (!c->dead && !(is_piped(r) ? send_piped(c, r) : send_alone(c, r))) {
    bool lost = PQstatus(c->pg) == CONNECTION_BAD;
    ldr_conn_cut(c);
    if (!lost)
      return ldr_fail(err, LDR_CAPACITY, "the statement could not be sent: too large, or out of memory");
  }
  if (c->dead) return ldr_fail(err, LDR_CONNECTION, "the connection to the server was lost");
  append(c, r);
  if (!r->grouped) ldr_conn_write(c);
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
    ldr_exchange_end(r, false);
  }
  if (c->head == NULL || !c->head->unsent) return;
  if (send_alone(c, c->head))
    ldr_conn_write(c);
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
    if (!is_piped(r))
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

void ldr_conn_pump(ldr_conn *c) {
  bool ok = true;
  for (int i = c->dead ? 0 : ldr_conn_reads_needed(c); ok && i > 0 && !c->dead; i--) {
    ok = PQconsumeInput(c->pg) == 1;
    ldr_conn_write(c);
    while (!c->dead && deliver_one(c)) continue; /* before the next read: it may find the end of the stream */
    if (c->head == NULL) break;
  }
  if (!c->dead && (!ok || PQstatus(c->pg) == CONNECTION_BAD)) ldr_conn_lose(c);
}

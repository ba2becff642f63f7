#include "postgres/protocol/copy.h"

#include "postgres/protocol/conn.h"

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
  ldr_conn_write(c);
  return c->events & LDR_WRITE ? LDR_PENDING : LDR_OK;
}

ldr_code ldr_conn_copy_end(ldr_conn *c, const char *why, ldr_err *err) {
  if (c->dead) return copy_lost(c, err);
  c->head->copying = false;
  if (PQputCopyEnd(c->pg, why) != 1) return copy_lost(c, err);
  ldr_conn_write(c);
  return LDR_OK;
}

ldr_code ldr_conn_copy_get(ldr_conn *c, const char **p, size_t *n, ldr_err *err) {
  int got;
  PQfreemem(c->copied);
  c->copied = NULL;
  if (c->dead) return copy_lost(c, err);
  got = PQgetCopyData(c->pg, &c->copied, 1);
  for (int i = ldr_conn_reads_needed(c); got == 0 && i > 0; i--) { /* nothing is buffered */
    if (!PQconsumeInput(c->pg)) return copy_lost(c, err);
    ldr_conn_write(c);
    got = PQgetCopyData(c->pg, &c->copied, 1);
  }
  if (got == 0) return LDR_PENDING;
  if (got == -2) return copy_lost(c, err);
  *p = got > 0 ? c->copied : NULL;
  *n = got > 0 ? (size_t)got : 0;
  if (got < 0) c->head->copying = false; /* the exchange goes on to its end */
  return LDR_OK;
}

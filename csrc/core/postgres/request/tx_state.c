#include <string.h>

#include "postgres/request/state.h"

const char ldr_pgtx_lost[] = "the connection of this transaction was lost; its work is undone";
const char ldr_pgtx_ended[] = "the transaction was ended by a statement in it";
const char ldr_pgtx_begin_sql[] = "begin";

void ldr_pgtx_look_alive(ldr_pgtx *tx) {
  if (tx->slot && ldr_conn_dead(tx->slot->conn) && tx->dead == NULL) tx->dead = ldr_pgtx_lost;
}

static const char busy[] = "another statement of this transaction is still running";

ldr_code ldr_pgtx_usable(ldr_pgtx *tx, ldr_err *err) {
  if (tx->request && tx->request->on_loop)
    return ldr_fail(err, LDR_INVALID, "%s", busy); /* all else is the loop's now */
  ldr_pgtx_look_alive(tx);
  if (tx->dead)
    return ldr_fail(err, LDR_CLOSED, "%s",
                    tx->session ? "the connection of this session was lost" : tx->dead);
  if (tx->failed) return ldr_fail_aborted(err);
  if (tx->request) return ldr_fail(err, LDR_INVALID, "%s", busy);
  return LDR_OK;
}

ldr_code ldr_pg_keeps_sessions(const ldr_pg *e, ldr_err *err) {
  if (e->pool->server.own_sessions) return LDR_OK;
  ldr_fail(err, LDR_UNSUPPORTED, "a pooler in transaction mode gives no connection a session of its own");
  ldr_err_set(err->hint, sizeof err->hint,
              "connect to the server directly, or say pgbouncer=session when the pooler is in session mode");
  return err->code;
}

void ldr_pgtx_fail(ldr_pgtx *tx, const ldr_err *err) {
  ldr_pgtx_look_alive(tx);
  if (tx->session) return;
  if (!tx->failed) tx->first = *err;
  tx->failed = true;
}

const char *ldr_pgtx_next_pending(const ldr_pgtx *tx, unsigned i, const char *before) {
  if (tx == NULL || i >= tx->npending) return NULL;
  return before ? before + strlen(before) + 1 : tx->pending.p;
}

void ldr_pgtx_sent(ldr_pgtx *tx) {
  if (tx == NULL || tx->npending == 0) return;
  tx->begun = true;
  tx->sent = tx->levels;
  tx->npending = 0;
  ldr_buf_reset(&tx->pending);
}

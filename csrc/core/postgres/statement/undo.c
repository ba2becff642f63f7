#include "postgres/statement/undo.h"

/* DISCARD ALL without what cannot stand in a transaction, and without the plans and sequences, which no
 * caller takes for his own. The role comes first: what follows may need rights that the other one lacks. */
static const char *const statements[] = {
    "set session authorization default", "reset all", "close all", "unlisten *", "discard temp",
    "select pg_advisory_unlock_all()"};

static bool add(ldr_exchange *r, const char *sql) {
  ldr_cmd *c = ldr_exchange_add(r, LDR_CMD_QUERY);
  if (c) c->sql = sql;
  return c != NULL;
}

bool ldr_undo_add(ldr_exchange *r, ldr_registry *g, bool prepared) {
  for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
    if (!add(r, statements[i])) return false;
  if ((prepared || g->unsure) && !ldr_registry_clear(g, r)) return false;
  r->undoes = true;
  return true;
}

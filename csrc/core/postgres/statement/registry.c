#include "postgres/statement/registry.h"

#include <stdio.h>
#include <string.h>

typedef enum prep_state {
  PREP_MISSING, /* known, but not on the server */
  PREP_READY,
  PREP_STALE /* on the server and of no use: deallocate, then parse */
} prep_state;

static const char deallocate[] = "deallocate ", deallocate_all[] = "deallocate all";

typedef struct prep { /* one name on one connection */
  ldr_lru_node node;
  uint64_t id;   /* with node.hash: the statement's */
  uint64_t sync; /* the last exchange that uses it */
  prep_state state;
  unsigned table; /* ldr_live.changes when it was parsed */
  ldr_proof proof;
  bool evicted; /* out of the list, owned by the exchange that deallocates it */
  char text[sizeof deallocate + sizeof((ldr_stmt *)0)->name]; /* "deallocate ldr_…" */
} prep;

bool ldr_registry_init(ldr_registry *g, size_t cap) {
  *g = (ldr_registry){.cap = cap};
  return cap == 0 || ldr_lru_init(&g->lru, cap);
}

static void none_is_ready(ldr_registry *g) {
  for (ldr_lru_node *node = g->lru.oldest; node; node = node->newer)
    ((prep *)(void *)node)->state = PREP_MISSING;
}

void ldr_registry_forget_all(ldr_registry *g) {
  none_is_ready(g);
  g->unsure = true;
}

void ldr_registry_leave_to_caller(ldr_registry *g) {
  ldr_registry_forget_all(g);
  g->theirs = true;
}

bool ldr_registry_clear(ldr_registry *g, ldr_exchange *r) {
  ldr_cmd *c = ldr_exchange_add(r, LDR_CMD_QUERY);
  if (c == NULL) return false;
  c->sql = deallocate_all;
  none_is_ready(g);
  g->unsure = g->theirs = false;
  return true;
}

void ldr_registry_done(ldr_registry *g) {
  while (g->lru.oldest) {
    ldr_lru_node *node = g->lru.oldest;
    ldr_lru_remove(&g->lru, node);
    ldr_free(node); /* it is first in prep */
  }
  ldr_lru_done(&g->lru);
}

static bool same_prep(const ldr_lru_node *node, const void *key) {
  const prep *p = (const prep *)(const void *)node;
  return p->id == *(const uint64_t *)key;
}

static bool add_deallocate(ldr_exchange *r, prep *p) {
  ldr_cmd *c = ldr_exchange_add(r, LDR_CMD_QUERY);
  if (c == NULL) return false;
  c->sql = p->text;
  c->mark = p;
  return true;
}

/* Makes room for one more. What an unanswered exchange uses stays; then the list is longer for a while. */
static bool make_room(ldr_registry *g, ldr_exchange *r) {
  prep *p = (prep *)(void *)g->lru.oldest;
  while (g->lru.n >= g->cap && p && p->sync <= g->answered) {
    prep *newer = (prep *)(void *)p->node.newer;
    if (p->state != PREP_MISSING && !add_deallocate(r, p)) return false;
    ldr_lru_remove(&g->lru, &p->node);
    p->evicted = true;
    if (p->state == PREP_MISSING) ldr_free(p);
    p = newer;
  }
  return true;
}

static prep *find_or_add(ldr_registry *g, const ldr_stmt *s, ldr_exchange *r) {
  prep *p = (prep *)(void *)ldr_lru_find(&g->lru, s->id[0], same_prep, &s->id[1]);
  if (p) return p;
  if (!make_room(g, r)) return NULL;
  p = ldr_alloc(sizeof *p);
  if (p == NULL) return NULL;
  p->id = s->id[1];
  snprintf(p->text, sizeof p->text, "%s%s", deallocate, s->name);
  ldr_lru_add(&g->lru, &p->node, s->id[0]);
  return p;
}

ldr_proof *ldr_registry_proof(ldr_registry *g, const ldr_stmt *s) {
  prep *p = g->cap ? (prep *)(void *)ldr_lru_find(&g->lru, s->id[0], same_prep, &s->id[1]) : NULL;
  return p ? &p->proof : NULL;
}

static ldr_cmd *add_cmd(ldr_exchange *r, ldr_cmd_kind kind, const ldr_stmt *s, const ldr_bind *args,
                        prep *p) {
  ldr_cmd *c = ldr_exchange_add(r, kind);
  if (c == NULL) return NULL;
  c->name = p ? s->name : "";
  c->sql = s->sql;
  c->args = args;
  c->text = (kind == LDR_CMD_EXEC || kind == LDR_CMD_QUERY) && s->text_results;
  c->mark = p;
  return c;
}

static unsigned changes_of(const ldr_stmt *s) { return s->live ? atomic_load(&s->live->changes) : 0; }

/* What must come before a use of s; *out is its place in the registry. What was parsed before another
 * connection's statement met a change of the table may be out of date, too: in a transaction that would undo
 * everything before it, and its next run might get yet another such connection. */
static ldr_code make_ready(ldr_registry *g, ldr_stmt *s, const ldr_bind *args, ldr_exchange *r, prep **out,
                           ldr_err *err) {
  prep *p;
  if (g->unsure && !ldr_registry_clear(g, r)) return ldr_fail_nomem(err);
  p = find_or_add(g, s, r);
  if (p == NULL) return ldr_fail_nomem(err);
  p->sync = g->sent + 1;
  if (p->state == PREP_READY && p->table != changes_of(s)) p->state = PREP_STALE;
  if (p->state == PREP_STALE && !add_deallocate(r, p)) return ldr_fail_nomem(err);
  if (p->state != PREP_READY) {
    if (!add_cmd(r, LDR_CMD_PARSE, s, args, p)) return ldr_fail_nomem(err);
    p->state = PREP_READY;
    p->table = changes_of(s);
  }
  *out = p;
  return LDR_OK;
}

ldr_code ldr_registry_exec(ldr_registry *g, ldr_stmt *s, unsigned how, const ldr_bind *args, ldr_exchange *r,
                           ldr_err *err) {
  prep *p = NULL;
  bool named = g->cap && !g->theirs && !(how & LDR_RUN_UNNAMED) && !(s->effects & LDR_EFFECT_UTILITY);
  ldr_code code = named ? make_ready(g, s, args, r, &p, err) : LDR_OK;
  if (code) return code;
  return add_cmd(r, p ? LDR_CMD_EXEC : LDR_CMD_QUERY, s, args, p) ? LDR_OK : ldr_fail_nomem(err);
}

ldr_code ldr_registry_parse(ldr_registry *g, ldr_stmt *s, const ldr_bind *args, ldr_exchange *r,
                            ldr_err *err) {
  prep *p = (prep *)(void *)ldr_lru_find(&g->lru, s->id[0], same_prep, &s->id[1]);
  if (p && p->state == PREP_READY) p->state = PREP_STALE;
  return make_ready(g, s, args, r, &p, err);
}

ldr_code ldr_stmt_ask(const ldr_stmt *s, ldr_exchange *r, ldr_err *err) {
  if (!add_cmd(r, LDR_CMD_PARSE, s, NULL, NULL)) return ldr_fail_nomem(err);
  return add_cmd(r, LDR_CMD_DESCRIBE, s, NULL, NULL) ? LDR_OK : ldr_fail_nomem(err);
}

void ldr_registry_sent(ldr_registry *g) { g->sent++; }

static bool failed_with(const ldr_exchange *r, const char *sqlstate) {
  return strcmp(ldr_exchange_sqlstate(r), sqlstate) == 0;
}

/* The answer to one command that concerns a prepared statement. 42P05: the name exists already; 26000: it
 * does not. */
static void settle_cmd(ldr_registry *g, const ldr_exchange *r, const ldr_cmd *c, bool failed_here) {
  prep *p = c->mark;
  if (c->kind == LDR_CMD_QUERY && p->evicted) {
    p->evicted = false;
    g->evictions += c->res != NULL;
    if (c->res || r->lost || failed_here)
      ldr_free(p);
    else /* skipped behind an error: it is still there */
      ldr_lru_add(&g->lru, &p->node, p->node.hash);
    return;
  }
  if (c->res) {
    g->parses += c->kind == LDR_CMD_PARSE;
    return;
  }
  if (c->kind == LDR_CMD_QUERY)
    p->state = failed_here ? PREP_MISSING : PREP_STALE;
  else if (c->kind == LDR_CMD_PARSE)
    p->state = p->state == PREP_STALE || (failed_here && failed_with(r, "42P05")) ? PREP_STALE : PREP_MISSING;
  else if (failed_here && failed_with(r, "26000"))
    ldr_registry_forget_all(g); /* who has forgotten one has hardly kept the others */
  else if (failed_here && ldr_state_doubts(ldr_exchange_sqlstate(r)))
    p->state = PREP_STALE;
}

void ldr_registry_settle(ldr_registry *g, ldr_exchange *r) {
  g->answered++;
  for (unsigned i = 0; i < r->n; i++) {
    if (r->cmd[i].mark) settle_cmd(g, r, &r->cmd[i], r->error && r->failed == i);
    r->cmd[i].mark = NULL;
    if (r->cmd[i].sql == deallocate_all && r->cmd[i].res == NULL)
      ldr_registry_forget_all(g); /* it did not run */
  }
}

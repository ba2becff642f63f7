#include "lua/call/owners.h"

/* ---- children ---- */

void l_child_add(l_engine *eng, l_child *c, l_ctx *ctx, void (*drop)(l_child *)) {
  c->ctx = ctx;
  c->drop = drop;
  c->next = eng->children;
  c->link = &eng->children;
  if (c->next) c->next->link = &c->next;
  eng->children = c;
}

void l_child_remove(l_child *c) {
  if (c->link == NULL) return;
  *c->link = c->next;
  if (c->next) c->next->link = c->link;
  c->link = NULL;
  c->next = NULL;
}

static void drop_children_of(l_engine *eng, const l_ctx *ctx) {
  l_child *c = eng->children;
  while (c) {
    l_child *next = c->next; /* dropping one drops no other child of the same transaction */
    if (c->ctx == ctx) c->drop(c);
    c = next;
  }
}

/* ---- a transaction or session ---- */

ldr_tx *l_ctx_take(l_ctx *c) {
  ldr_tx *tx = c->tx;
  if (tx == NULL) return NULL;
  drop_children_of(c->eng, c);
  l_child_remove(&c->child);
  c->tx = NULL;
  return tx;
}

void l_ctx_abandon(l_ctx *c) {
  ldr_tx *tx = l_ctx_take(c);
  if (tx) c->eng->e->ops->abandon(tx); /* an open tx implies an open engine: it drops its children first */
}

static void drop(l_child *c) { l_ctx_abandon((l_ctx *)c); }

void l_ctx_add(l_ctx *c, l_engine *eng) { l_child_add(eng, &c->child, NULL, drop); }

l_ctx *l_ctx_next(const l_child *c) {
  while (c && c->drop != drop) c = c->next;
  return (l_ctx *)(uintptr_t)c; /* the child is its first member */
}

void l_ctx_note(l_ctx *c, lua_State *co) {
  if (!c->bound) return; /* nothing would take it back */
  c->eng->last = c;
  c->eng->last_in = co;
}

void l_ctx_bind(l_ctx *c, lua_State *co) {
  if (!c->bound) c->eng->nbound++;
  c->bound = true;
  l_ctx_note(c, co);
}

void l_ctx_unbind(l_ctx *c) {
  if (!c->bound) return;
  c->eng->nbound--;
  c->bound = false;
  if (c->eng->last == c) c->eng->last = NULL;
}

static void ctx_close(void *p) {
  l_ctx_unbind(p);
  l_ctx_abandon(p);
}

const l_class l_ctx_class = {"larder.ctx", sizeof(l_ctx), ctx_close};

/* ---- an engine ---- */

void l_engine_use_thread(l_engine *eng) {
  if (eng->reactor) return;
  eng->ops->async->use(eng->e);
  eng->reactor = true;
}

void l_engine_close(l_engine *eng) {
  ldr_engine *e = eng->e;
  while (eng->children) eng->children->drop(eng->children);
  eng->e = NULL;
  if (e) e->ops->close(e);
}

static void engine_close(void *p) { l_engine_close(p); }

const l_class l_engine_class = {"larder.engine", sizeof(l_engine), engine_close};

#include "engine/engine.h"

/* The only place that says what an engine cannot do. */
ldr_code ldr_engine_lacks(const ldr_engine *e, const char *what, ldr_err *err) {
  return ldr_fail(err, LDR_UNSUPPORTED, "the %s engine has no %s", e->ops->name, what);
}

const ldr_sql_group *ldr_engine_sql(const ldr_engine *e, ldr_err *err) {
  if (e->ops->sql == NULL) ldr_engine_lacks(e, "SQL", err);
  return e->ops->sql;
}

const ldr_session_group *ldr_engine_session(const ldr_engine *e, ldr_err *err) {
  if (e->ops->session == NULL) ldr_engine_lacks(e, "sessions", err);
  return e->ops->session;
}

const ldr_context_group *ldr_engine_context(const ldr_engine *e, ldr_err *err) {
  if (e->ops->context == NULL) ldr_engine_lacks(e, "roles or settings of a call", err);
  return e->ops->context;
}

ldr_context *ldr_context_retain(ldr_context *c) {
  if (c) c->refs++;
  return c;
}

void ldr_context_release(ldr_context *c) {
  if (c && --c->refs == 0) c->free(c);
}

const ldr_async_group *ldr_engine_async(const ldr_engine *e, ldr_err *err) {
  if (e->ops->async == NULL) ldr_engine_lacks(e, "calls that wait", err);
  return e->ops->async;
}

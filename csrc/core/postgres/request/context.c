#include "postgres/request/context.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef struct pg_context {
  ldr_context base; /* first */
  ldr_buf sql;
  ldr_bind args;
  char *path; /* NULL: it sets none */
} pg_context;

static void context_free(ldr_context *c) {
  pg_context *x = (pg_context *)c;
  ldr_buf_free(&x->sql);
  ldr_bind_free(&x->args);
  ldr_free(x->path);
  ldr_free(x);
}

/* select set_config($1, $2, true), set_config($3, $4, true) … */
static bool write_sql(ldr_buf *b, size_t n) {
  char one[64];
  for (size_t i = 0; i < n; i++) {
    snprintf(one, sizeof one, "%s set_config($%zu, $%zu, true)", i ? "," : "select", 2 * i + 1, 2 * i + 2);
    ldr_buf_add(b, one, strlen(one));
  }
  return ldr_buf_cstr(b);
}

static ldr_code bind_settings(ldr_bind *args, const ldr_setting *s, size_t n, ldr_err *err) {
  const char **texts = ldr_alloc_array(2 * n, sizeof *texts);
  ldr_code code;
  if (texts == NULL) return ldr_fail_nomem(err);
  for (size_t i = 0; i < n; i++) {
    texts[2 * i] = s[i].name;
    texts[2 * i + 1] = s[i].value;
  }
  code = ldr_bind_from_texts(args, texts, 2 * n, err);
  ldr_free(texts);
  return code;
}

static bool keep_path(pg_context *x, const ldr_setting *s, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (strcasecmp(s[i].name, "search_path") != 0) continue;
    x->path = ldr_strndup(s[i].value, strlen(s[i].value));
    return x->path;
  }
  return true;
}

const char *ldr_pgcontext_path(const ldr_context *c) {
  const pg_context *x = (const pg_context *)(const void *)c;
  return x && x->path ? x->path : "";
}

ldr_code ldr_pgcontext_new(const ldr_setting *settings, size_t n, ldr_context **out, ldr_err *err) {
  pg_context *x;
  ldr_code code;
  if (n == 0) return ldr_fail(err, LDR_INVALID, "a context needs a setting");
  x = ldr_alloc(sizeof *x);
  if (x == NULL) return ldr_fail_nomem(err);
  x->base.refs = 1;
  x->base.free = context_free;
  code = write_sql(&x->sql, n) && keep_path(x, settings, n) ? LDR_OK : ldr_fail_nomem(err);
  if (code == LDR_OK) code = bind_settings(&x->args, settings, n, err);
  if (code == LDR_OK)
    *out = &x->base;
  else
    context_free(&x->base);
  return code;
}

ldr_code ldr_pgcontext_add(const ldr_context *c, ldr_exchange *r, ldr_err *err) {
  const pg_context *x = (const pg_context *)(const void *)c;
  ldr_cmd *cmd;
  if (x == NULL) return LDR_OK;
  cmd = ldr_exchange_add(r, LDR_CMD_QUERY);
  if (cmd == NULL) return ldr_fail_nomem(err);
  cmd->sql = x->sql.p;
  cmd->args = &x->args;
  return LDR_OK;
}

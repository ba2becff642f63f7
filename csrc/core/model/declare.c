#include "model/declare.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- faults ---- */

ldr_code ldr_decl_fault(ldr_err *err, const ldr_entity *e, const char *kind, const char *name,
                        const char *fmt, ...) {
  char what[256];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(what, sizeof what, fmt, ap);
  va_end(ap);
  return ldr_fail(err, LDR_INVALID, "%s.%s: %s \"%.80s\": %s", e->schema->name, e->name, kind, name, what);
}

bool ldr_decl_name_ok(const char *name) { return name && ldr_name_ok(name, strlen(name)); }

/* ---- the arena ---- */

char *ldr_decl_copy(ldr_schema *s, const char *text) { return ldr_arena_copy(&s->arena, text, strlen(text)); }

void *ldr_decl_grow(ldr_schema *s, void *list, size_t n, size_t size) {
  void *p;
  if (n & (n - 1)) return list;
  p = ldr_arena_zalloc(&s->arena, (n ? n * 2 : 1) * size);
  if (p && n) memcpy(p, list, n * size);
  return p;
}

/* ---- names ---- */

ldr_code ldr_decl_quote(ldr_schema *s, const ldr_entity *e, const char *kind, const char *text,
                        const char **out, const char **last, ldr_err *err) {
  const char *dot = text ? strchr(text, '.') : NULL, *rel = dot ? dot + 1 : text;
  size_t n = 0, size;
  char *quoted;
  if (!ldr_decl_name_ok(rel) || (dot && !ldr_name_ok(text, (size_t)(dot - text))))
    return ldr_fail(err, LDR_INVALID, "%s.%s: %s \"%.160s\": " LDR_NAME_RULE, s->name, e->name, kind,
                    text ? text : "");
  size = strlen(text) + 5; /* four quotes and the zero */
  quoted = ldr_arena_alloc(&s->arena, size);
  *last = ldr_decl_copy(s, rel);
  if (quoted == NULL || *last == NULL) return ldr_fail_nomem(err);
  if (dot) n = (size_t)snprintf(quoted, size, "\"%.*s\".", (int)(dot - text), text);
  snprintf(quoted + n, size - n, "\"%s\"", rel);
  *out = quoted;
  return LDR_OK;
}

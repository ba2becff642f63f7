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

bool ldr_decl_sql_name_ok(const char *name) { return name && ldr_sql_name_ok(name, strlen(name)); }

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
  char quoted[LDR_PATH_MAX];
  ldr_path path;
  if (!ldr_path_read(text, &path))
    return ldr_fail(err, LDR_INVALID, "%s.%s: %s \"%.160s\": a table's and a type's name is " LDR_PATH_RULE,
                    s->name, e->name, kind, text ? text : "");
  ldr_path_quote(&path, quoted);
  *out = ldr_decl_copy(s, quoted);
  *last = ldr_decl_copy(s, path.name);
  return *out && *last ? LDR_OK : ldr_fail_nomem(err);
}

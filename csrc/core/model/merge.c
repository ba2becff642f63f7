/* A JSON object that is laid over another, as levels: what both engines' deep merges are made from. */
#include <string.h>

#include "model/op.h"
#include "values/json.h"

typedef struct reader {
  ldr_arena *a;
  ldr_merge *level;
  unsigned deepest; /* levels that may follow */
  ldr_buf own;
  ldr_err *err;
} reader;

static ldr_code read_level(const ldr_value *object, unsigned deepest, ldr_merge *level, ldr_arena *a,
                           ldr_err *err);

/* The path of a member: one name more than the level's. */
static const ldr_value *path_of(const reader *r, ldr_json_text name) {
  ldr_value *path = ldr_arena_alloc(r->a, (r->level->depth + 1) * sizeof *path);
  const char *copy = ldr_arena_copy(r->a, name.p, name.n);
  if (path == NULL || copy == NULL) return NULL;
  if (r->level->depth) memcpy(path, r->level->path, r->level->depth * sizeof *path);
  path[r->level->depth] = ldr_text(copy, name.n);
  return path;
}

static ldr_code add_kid(reader *r, ldr_json_text name, ldr_json_text value) {
  ldr_merge *kid = ldr_arena_zalloc(r->a, sizeof *kid);
  const ldr_value object = ldr_bytes_of(LDR_T_JSON, value.p, value.n);
  if (kid == NULL) return ldr_fail_nomem(r->err);
  kid->depth = r->level->depth + 1;
  kid->path = path_of(r, name);
  kid->next = r->level->kids;
  if (kid->path == NULL) return ldr_fail_nomem(r->err);
  r->level->kids = kid;
  return read_level(&object, r->deepest - 1, kid, r->a, r->err);
}

static ldr_code take_member(void *ud, ldr_json_text name, ldr_json_text value, bool object) {
  reader *r = ud;
  if (object && r->deepest) return add_kid(r, name, value);
  ldr_buf_str(&r->own, r->own.n > 1 ? ", " : "");
  ldr_json_add_string(&r->own, name.p, name.n);
  ldr_buf_str(&r->own, ": ");
  ldr_buf_add(&r->own, value.p, value.n);
  return LDR_OK;
}

static ldr_code read_level(const ldr_value *object, unsigned deepest, ldr_merge *level, ldr_arena *a,
                           ldr_err *err) {
  reader r = {.a = a, .level = level, .deepest = deepest, .err = err};
  const char *own;
  ldr_code code;
  ldr_buf_chr(&r.own, '{');
  code = ldr_json_members(object->u.p, object->n, take_member, &r, err);
  ldr_buf_chr(&r.own, '}');
  own = ldr_buf_copy(&r.own, a);
  level->own = ldr_bytes_of(LDR_T_JSON, own, r.own.n);
  ldr_buf_free(&r.own);
  return code == LDR_OK && own == NULL ? ldr_fail_nomem(err) : code;
}

ldr_code ldr_merge_read(const ldr_value *object, unsigned deepest, ldr_arena *a, const ldr_merge **out,
                        ldr_err *err) {
  ldr_merge *top = ldr_arena_zalloc(a, sizeof *top);
  if (top == NULL) return ldr_fail_nomem(err);
  *out = top;
  return read_level(object, deepest, top, a, err);
}

/* Reading declaration tables: the place of a fault is named, faults raise. */
#ifndef LDR_LUA_STORE_DECL_H
#define LDR_LUA_STORE_DECL_H

#include "lua/values/value.h"

/* Where a declaration is read: names for messages, and the work whose arena holds texts for the moment. */
typedef struct l_decl {
  lua_State *L;
  l_work *w;
  ldr_schema *s;
  ldr_entity *e;
  const char *family, *store; /* store NULL: not inside an entity yet */
} l_decl;

typedef struct l_names {
  const char **v;
  unsigned n;
} l_names;

/* Raise "declaration of shop.users: …". */
void l_decl_fail(const l_decl *d, const char *fmt, ...) LDR_PRINTF(2, 3);
void l_decl_check(const l_decl *d, ldr_code code); /* raises w->err when code is not LDR_OK */

/* The table at idx has only these keys (NULL-ended) besides positions; it is a table at all. */
void l_decl_keys(const l_decl *d, int idx, const char *what, const char *const *keys);
/* Values of t[key]; the texts lie in the arena. Raise when they are of the wrong type. */
const char *l_decl_text(const l_decl *d, int t, const char *key); /* NULL: nil */
const char *l_decl_need_text(const l_decl *d, int t, const char *key);
bool l_decl_bool(const l_decl *d, int t, const char *key);
bool l_decl_int(const l_decl *d, int t, const char *key, int64_t *out); /* false: nil */
l_names l_decl_names(const l_decl *d, int t);                           /* the positions of table t */
/* Length of the list at t; raises when it is none. */
unsigned l_decl_list(const l_decl *d, int t, const char *what);
/* Pushes t[key] when it is a table and returns true. */
bool l_decl_open(const l_decl *d, int t, const char *key);

void l_decl_field(l_decl *d, int t); /* the field table at t → the entity */

#endif

#include "lua/store/handle.h"

#include <string.h>

static void store_close(void *p) {
  l_store *s = p;
  ldr_schema_release(s->schema);
  ldr_free(s->full);
  ldr_free(s->visible);
  memset(s, 0, sizeof *s);
}

const l_class l_store_class = {"larder.store", sizeof(l_store), store_close};

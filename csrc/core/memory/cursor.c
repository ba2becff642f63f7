#include "memory/cursor.h"

typedef struct ldr_memcursor {
  struct ldr_memcursor *next;
  unsigned number;
  ldr_memrows rows;
  size_t at;
} ldr_memcursor;

static ldr_memcursor *find(const ldr_memcursors *c, unsigned number) {
  ldr_memcursor *found = c->first;
  while (found && found->number != number) found = found->next;
  return found;
}

ldr_code ldr_memcursors_declare(ldr_memcursors *c, unsigned number, ldr_memrows *rows, ldr_err *err) {
  ldr_memcursor *cursor = find(c, number);
  if (cursor == NULL) {
    cursor = ldr_alloc(sizeof *cursor);
    if (cursor == NULL) {
      ldr_memrows_free(rows);
      return ldr_fail_nomem(err);
    }
    cursor->number = number;
    cursor->next = c->first;
    c->first = cursor;
  }
  ldr_memrows_free(&cursor->rows);
  cursor->rows = *rows;
  cursor->at = 0;
  *rows = (ldr_memrows){0};
  return LDR_OK;
}

ldr_code ldr_memcursors_fetch(ldr_memcursors *c, unsigned number, int64_t limit, ldr_memrows *out,
                              ldr_err *err) {
  ldr_memcursor *cursor = find(c, number);
  size_t left;
  if (cursor == NULL) return ldr_fail_state(err, LDR_INVALID, "34000", "there is no cursor %u", number);
  left = cursor->rows.n - cursor->at;
  if (limit >= 0 && (uint64_t)limit < left) left = (size_t)limit;
  for (; left > 0; left--) {
    ldr_code code = ldr_memrows_add(out, cursor->rows.row[cursor->at++], err);
    if (code != LDR_OK) return code;
  }
  return LDR_OK;
}

void ldr_memcursors_free(ldr_memcursors *c) {
  while (c->first) {
    ldr_memcursor *cursor = c->first;
    c->first = cursor->next;
    ldr_memrows_free(&cursor->rows);
    ldr_free(cursor);
  }
}

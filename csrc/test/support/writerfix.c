#define _GNU_SOURCE
#include "support/writerfix.h"

#include <stdlib.h>
#include <time.h>

#include "support/spillfix.h"
#include "support/test.h"

static char dir[64];
char wfix_path[80];

void wfix_make_dir(void) {
  snprintf(dir, sizeof dir, "/tmp/ldr_writer.XXXXXX");
  CHECK(mkdtemp(dir) != NULL);
  snprintf(wfix_path, sizeof wfix_path, "%s/rows", dir);
}

void wfix_remove_dir(void) { spill_remove(dir); }

void wfix_nap(int ms) {
  const struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
  nanosleep(&t, NULL);
}

/* ---- a server, perhaps behind the proxy, and a writer ---- */

ldr_writer_config wfix_config(void) {
  ldr_writer_config c;
  ldr_writer_config_default(&c);
  c.interval = 0.02;
  c.timeout = WFIX_PATIENCE;
  return c;
}

bool wfix_open(wfix *x, const ldr_writer_config *c) {
  ldr_code code = ldr_writer_new(x->far.db, c, &x->w, &x->err);
  if (code) printf("    %s\n", x->err.message);
  CHECK_INT(code, LDR_OK);
  return code == LDR_OK;
}

bool wfix_begin(wfix *x, const ldr_writer_config *c) {
  *x = (wfix){0};
  if (!pg_open(&x->f, NULL)) return false;
  x->proxy = pgproxy_start(pg_url());
  CHECK(x->proxy && pg_open_with(&x->far, NULL, pgproxy_settings(x->proxy)));
  return x->far.db && wfix_open(x, c);
}

void wfix_finish(wfix *x) {
  ldr_writer_close(x->w, 5, NULL);
  pg_close(&x->far);
  pgproxy_stop(x->proxy);
  pg_close(&x->f);
}

ldr_row *wfix_item(const ldr_entity *e, int i, const char *name, int64_t n) {
  char id[24], text[48];
  ldr_value v[I_COUNT];
  ldr_row *row = NULL;
  ldr_err err;
  snprintf(id, sizeof id, "k%06d", i);
  snprintf(text, sizeof text, "n%d", i);
  pg_item(v, id, name ? name : text, n);
  CHECK_INT(ldr_row_pack(e, v, &row, &err), LDR_OK);
  return row;
}

ldr_code wfix_push(wfix *x, int i) {
  return ldr_writer_push(x->w, x->far.items, wfix_item(x->far.items, i, NULL, i), &x->err);
}

void wfix_push_many(wfix *x, int from, int n) {
  for (int i = from; i < from + n; i++) CHECK_INT(wfix_push(x, i), LDR_OK);
}

bool wfix_flush(wfix *x, double seconds) {
  int64_t until = ldr_deadline(seconds);
  uint64_t position = 0;
  CHECK_INT(ldr_writer_flush(x->w, &position, &x->err), LDR_OK);
  while (ldr_writer_flushed(x->w, position) != LDR_FLUSH_DONE && ldr_now_mono() < until) wfix_nap(1);
  return ldr_writer_flushed(x->w, position) == LDR_FLUSH_DONE;
}

ldr_writer_stats wfix_stats(wfix *x) {
  ldr_writer_stats s;
  ldr_writer_stats_get(x->w, &s);
  return s;
}

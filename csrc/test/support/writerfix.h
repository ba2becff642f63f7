/* A server, perhaps behind the proxy, and a writer of rows to it; a directory for its files. */
#ifndef LDR_TEST_WRITERFIX_H
#define LDR_TEST_WRITERFIX_H

#include "support/pgfix.h"
#include "support/pgproxy.h"
#include "writer/writer.h"

enum { WFIX_PATIENCE = 30 }; /* seconds, for what a busy machine may take long over */

typedef struct wfix {
  pgfix f;   /* to look into the database */
  pgfix far; /* what the writer is of */
  pgproxy *proxy;
  ldr_writer *w;
  ldr_err err;
} wfix;

extern char wfix_path[80]; /* for the writer's files, in a directory that wfix_make_dir made */
void wfix_make_dir(void);
void wfix_remove_dir(void);

void wfix_nap(int ms);
ldr_writer_config wfix_config(void); /* batches go soon */
bool wfix_begin(wfix *x, const ldr_writer_config *c);
bool wfix_open(wfix *x, const ldr_writer_config *c); /* another writer of the same database */
void wfix_finish(wfix *x);

ldr_row *wfix_item(const ldr_entity *e, int i, const char *name, int64_t n);
ldr_code wfix_push(wfix *x, int i);
void wfix_push_many(wfix *x, int from, int n);
bool wfix_flush(wfix *x, double seconds); /* was all written in that time? */
ldr_writer_stats wfix_stats(wfix *x);

/* Waits until a counter has come so far. */
#define UNTIL(cond) \
  for (int tries_ = 0; tries_ < 200 * WFIX_PATIENCE && !(cond); tries_++) wfix_nap(5)

#endif

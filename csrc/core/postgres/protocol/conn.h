/* A connection's inside, for the files that work on it. */
#ifndef LDR_POSTGRES_PROTOCOL_CONN_H
#define LDR_POSTGRES_PROTOCOL_CONN_H

#include <libpq-fe.h>

#include "postgres/protocol/cancel_libpq.h"
#include "postgres/protocol/exchange.h"
#include "postgres/protocol/resolve.h"

struct ldr_conn {
  PGconn *pg; /* NULL while names are looked up, and when whoever cancels has it */
  const ldr_conninfo *info;
  ldr_resolve *resolve;      /* the look-up under way */
  ldr_hostlist hosts;        /* those that are tried */
  char at[320];              /* the one that is tried now */
  unsigned silent;           /* hosts left out, since they did not answer in time … */
  char last_silent[160];     /* … and the last of them */
  double host_limit;         /* seconds for each host; <= 0: none */
  int64_t host_due;          /* when it ends for this one … */
  int64_t give_up;           /* … and for all */
  ldr_exchange *head, *tail; /* in flight, oldest first */
  ldr_exchange *due;         /* whose answers come next; NULL: none is known to come */
  unsigned group_size;       /* the last exchanges, which have no Sync yet */
  unsigned syncs;            /* Syncs that are not answered */
  char *copied;              /* the last message of copy_get, libpq's */
  ldr_cancel *cancel;        /* the last one; NULL: none */
  unsigned events;
  int encoding; /* of texts, as it was asked for: UTF-8 (libpq's number for it) */
  bool pooled;  /* a pooler is between us and the server */
  bool connected;
  bool dead;
  bool fatal; /* the server said that it ends this session */
};

/* Of an encrypted record a part may stay in the library's hands, of which poll() knows nothing: so many
 * reads, and a whole one is through. */
static inline int ldr_conn_reads_needed(const struct ldr_conn *c) {
  return PQsslInUse(c->pg) || PQgssEncInUse(c->pg) ? 3 : 1;
}
static inline void ldr_conn_write(struct ldr_conn *c) { /* what fits into the socket */
  c->events = PQflush(c->pg) == 1 ? LDR_READ | LDR_WRITE : LDR_READ;
}

#endif

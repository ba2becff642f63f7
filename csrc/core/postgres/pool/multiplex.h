/* Multiplexing: which connection a single statement goes to when many callers share few of them.
 *
 * Reads that took less than LDR_QUICK_US so far go in groups, each under one Sync, which saves the server a
 * third of its work for each. One connection has two groups at a time: while the server works at one, the
 * Lua thread works at the answers of the other and asks again; so a group takes no more than half of what
 * there is (ldr_slots.group_max), and meanwhile the next one grows. That is as much as one Lua thread can
 * ask; another connection is shared when a group takes longer than it should.
 *
 * Other reads wait behind each other on at most LDR_SHARED_MAX connections: an idle one first, then the
 * shortest queue up to LDR_SHARED_DEPTH. A connection whose oldest statement has run for LDR_STALL_US gets no
 * more and does not count. What is known to be slow, and what writes (its commit waits for the disk, and
 * commits of several connections wait together), runs alone on a connection; so does a statement that nobody
 * has timed yet, while one is idle. Those may hold all connections but a quarter. When no connection can be
 * added, a write joins whatever shared connection there is. */
#ifndef LDR_POSTGRES_POOL_MULTIPLEX_H
#define LDR_POSTGRES_POOL_MULTIPLEX_H

#include "postgres/pool/slot.h"

enum {
  LDR_GROUPS = 2,
  LDR_SHARED_MAX = 4,
  LDR_SHARED_DEPTH = 16,
  LDR_QUICK_US = 1000,
  LDR_STALL_US = 5000,
  LDR_SLOW_US = 10000
};

typedef enum ldr_share_class {
  LDR_SHARE_OWN,   /* transactions and whatever else must not share */
  LDR_SHARE_QUICK, /* a read of less than LDR_QUICK_US */
  LDR_SHARE_READ,
  LDR_SHARE_WRITE,
  LDR_SHARE_NEW, /* a read that was never timed */
  LDR_SHARE_SLOW
} ldr_share_class;

typedef enum ldr_place {
  LDR_PLACE_NONE,
  LDR_PLACE_JOIN,     /* *out */
  LDR_PLACE_SHARE,    /* an idle connection, which others may join */
  LDR_PLACE_EXCLUSIVE /* an idle connection, shared with nobody */
} ldr_place;

/* seen: when somebody last looked whether anything was answered. */
ldr_place ldr_share_place(const ldr_slots *l, unsigned max, ldr_share_class share, int64_t seen,
                          ldr_slot **out);
/* Would one more connection help such a statement? */
bool ldr_share_wants_more(const ldr_slots *l, unsigned max, ldr_share_class share, int64_t seen);
/* The shared connection to be emptied for a caller that needs one of its own; NULL: none should. */
ldr_slot *ldr_share_pick_to_close(const ldr_slots *l, unsigned wanted);

/* What is expected of a statement, after one more took `us`: recent ones weigh more. 0: never timed. */
int64_t ldr_share_learn(int64_t expected, int64_t us);

#endif

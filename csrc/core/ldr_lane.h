/* Lanes: which connection a single statement goes to when many callers share few of them.
 *
 * Reads that are known to be quick share a few connections, the lanes, and wait behind each other there: an
 * idle connection while there are fewer lanes than LDR_LANES, else the shortest queue up to LDR_LANE_DEPTH. A
 * lane whose oldest statement has run for LDR_STALL_US gets no more. What is known to be slow, and what
 * writes (its commit waits for the disk, and commits of several connections wait together), runs alone on a
 * connection; so does a statement that nobody has timed yet, while one is idle. Those may hold all
 * connections but a quarter. A write joins a lane only when no other connection can be had. */
#ifndef LDR_LANE_H
#define LDR_LANE_H

#include "ldr_slot.h"

enum {
  LDR_LANES = 4, /* more make quick statements slower: each is one more process to wake */
  LDR_LANE_DEPTH = 16,
  LDR_STALL_US = 5000,
  LDR_SLOW_US = 10000
};

typedef enum ldr_lane {
  LDR_LANE_OWN, /* transactions and whatever else must not share */
  LDR_LANE_READ,
  LDR_LANE_WRITE,
  LDR_LANE_NEW, /* a read that was never timed */
  LDR_LANE_SLOW
} ldr_lane;

typedef enum ldr_place {
  LDR_PLACE_NONE,
  LDR_PLACE_JOIN,  /* *join */
  LDR_PLACE_SHARE, /* an idle connection becomes a lane */
  LDR_PLACE_SOLO   /* an idle connection, shared with nobody */
} ldr_place;

ldr_place ldr_lane_place(const ldr_slots *l, unsigned max, ldr_lane lane, int64_t now, ldr_slot **join);
/* Would one more connection help such a statement? */
bool ldr_lane_grows(const ldr_slots *l, unsigned max, ldr_lane lane, int64_t now);
/* The lane to be emptied for somebody who needs a connection of his own; NULL: none should. */
ldr_slot *ldr_lane_drain(const ldr_slots *l, unsigned wanted);

/* What is expected of a statement, after one more took `us`: recent ones weigh more. 0: never timed. */
int64_t ldr_lane_learn(int64_t expected, int64_t us);

#endif

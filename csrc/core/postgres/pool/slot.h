/* One connection of a pool and what the pool knows of it; the lists by state.
 *
 *   (new) ──► CONNECTING ──► IDLE ◄──► BUSY ──► destroyed
 *                             ▲
 *                             └──► SHARED         under a loop: single statements of several callers
 */
#ifndef LDR_POSTGRES_POOL_SLOT_H
#define LDR_POSTGRES_POOL_SLOT_H

#include "async/loop.h"
#include "postgres/protocol/send.h"
#include "postgres/statement/registry.h"

typedef enum ldr_slot_state {
  LDR_SLOT_CONNECTING,
  LDR_SLOT_IDLE,
  LDR_SLOT_BUSY,
  LDR_SLOT_SHARED,
  LDR_SLOT_NSTATES
} ldr_slot_state;

struct ldr_waiter;

typedef struct ldr_slot {
  struct ldr_slot *prev, *next;
  ldr_slot_state state;
  ldr_conn *conn;
  ldr_registry prepared;
  struct ldr_waiter *connector; /* CONNECTING: the caller that opens it; NULL: nobody, or the loop */
  int64_t since;                /* entered the state */
  int64_t begun;                /* the connecting */
  int64_t give_up;              /* CONNECTING: whoever waits for it has so long; LDR_NEVER */
  int64_t connect_by, expires;
  bool discard;       /* never recycle: the server refused writes, or session state cannot be undone */
  bool reset;         /* session state was changed: undo it before the next use … */
  ldr_exchange undo;  /* … by this */
  ldr_exchange hello; /* CONNECTING: postgres/pool/greet.h */
  unsigned questions; /* … how many were asked; 0: libpq still connects */
  char holder[64];    /* BUSY: the operation that has it */
  /* under a loop */
  ldr_watch watch;
  void *owner;        /* of the watch: whose slot it is */
  unsigned users;     /* SHARED: statements on it */
  bool quick;         /* SHARED: by quick reads, in groups */
  bool exclusive;     /* SHARED: by one that nobody shall wait behind */
  bool closing;       /* SHARED: no new statements: it is being emptied for exclusive use */
  unsigned in_flight; /* exchanges that the loop waits for */
  int64_t head_since; /* the oldest of them began; both change by ldr_slot_sent and ldr_slot_answered only */
  int64_t cancelled;  /* when a cancel was last sent */
} ldr_slot;

typedef struct ldr_slots {
  struct {
    ldr_slot *first, *last; /* first: entered the state last */
    unsigned n;
  } by_state[LDR_SLOT_NSTATES];
  unsigned group_max; /* quick reads that travel together at most */
} ldr_slots;

void ldr_slots_add(ldr_slots *l, ldr_slot *s, ldr_slot_state state);
void ldr_slots_remove(ldr_slots *l, ldr_slot *s);
void ldr_slots_move(ldr_slots *l, ldr_slot *s, ldr_slot_state to); /* the only way to another state */
/* The loop waits for one more exchange on s, or has taken note of the answer to r. */
void ldr_slot_sent(ldr_slot *s, int64_t now);
void ldr_slot_answered(ldr_slot *s, const ldr_exchange *r, int64_t now);
void ldr_slot_cancel(ldr_slot *s, int64_t now); /* tells the server to stop what runs on it */
unsigned ldr_slots_count(const ldr_slots *l, ldr_slot_state state);
unsigned ldr_slots_total(const ldr_slots *l);

#endif

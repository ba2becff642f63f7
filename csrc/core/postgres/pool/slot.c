#include "postgres/pool/slot.h"

#include <assert.h>

#include "base/clock.h"

static const bool may_move[LDR_SLOT_NSTATES][LDR_SLOT_NSTATES] = {
    [LDR_SLOT_CONNECTING] = {[LDR_SLOT_IDLE] = true},
    [LDR_SLOT_IDLE] = {[LDR_SLOT_BUSY] = true, [LDR_SLOT_SHARED] = true},
    [LDR_SLOT_BUSY] = {[LDR_SLOT_IDLE] = true},
    [LDR_SLOT_SHARED] = {[LDR_SLOT_IDLE] = true},
};

void ldr_slots_add(ldr_slots *l, ldr_slot *s, ldr_slot_state state) {
  s->state = state;
  s->since = ldr_now_mono();
  s->prev = NULL;
  s->next = l->by_state[state].first;
  if (s->next)
    s->next->prev = s;
  else
    l->by_state[state].last = s;
  l->by_state[state].first = s;
  l->by_state[state].n++;
}

void ldr_slots_remove(ldr_slots *l, ldr_slot *s) {
  if (s->prev)
    s->prev->next = s->next;
  else
    l->by_state[s->state].first = s->next;
  if (s->next)
    s->next->prev = s->prev;
  else
    l->by_state[s->state].last = s->prev;
  l->by_state[s->state].n--;
}

void ldr_slots_move(ldr_slots *l, ldr_slot *s, ldr_slot_state to) {
  assert(may_move[s->state][to]);
  ldr_slots_remove(l, s);
  ldr_slots_add(l, s, to);
}

void ldr_slot_sent(ldr_slot *s, int64_t now) {
  if (s->in_flight++ == 0) s->head_since = now;
}

void ldr_slot_answered(ldr_slot *s, const ldr_exchange *r, int64_t now) {
  s->in_flight--;
  if (r->sealed) s->head_since = now; /* the last of its group */
}

void ldr_slot_cancel(ldr_slot *s, int64_t now) {
  ldr_conn_cancel(s->conn);
  s->cancelled = now;
}

unsigned ldr_slots_count(const ldr_slots *l, ldr_slot_state state) { return l->by_state[state].n; }

unsigned ldr_slots_total(const ldr_slots *l) {
  unsigned n = 0;
  for (int state = 0; state < LDR_SLOT_NSTATES; state++) n += l->by_state[state].n;
  return n;
}

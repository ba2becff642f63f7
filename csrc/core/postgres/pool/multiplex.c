#include "postgres/pool/multiplex.h"

typedef struct survey { /* of the shared connections */
  unsigned shared, quick,
      slow;           /* that make progress: for any read; for quick ones, as fast as expected or not */
  unsigned exclusive; /* with one statement that nobody may wait behind */
  ldr_slot *least;    /* to join: of those with room the one with the fewest statements */
  ldr_slot *group, *slow_group; /* where a group has room: the oldest of the quick ones */
  ldr_slot *any;                /* of whatever kind, with room */
} survey;

static bool under_way_for(const ldr_slot *s, int64_t us, int64_t seen) {
  return s->in_flight && seen - s->head_since > us;
}

static bool has_room(const ldr_slot *s, int64_t now) {
  unsigned depth = s->quick ? LDR_GROUPS * LDR_SHARED_DEPTH : LDR_SHARED_DEPTH;
  return s->users < depth && !s->discard && now < s->expires && !ldr_conn_dead(s->conn) &&
         !ldr_conn_cancelling(s->conn);
}

static bool has_group_room(const ldr_slot *s, unsigned group_max) {
  return ldr_conn_syncs(s->conn) < LDR_GROUPS && ldr_conn_group_size(s->conn) < group_max;
}

static survey look(const ldr_slots *l, int64_t seen) {
  survey v = {0};
  for (ldr_slot *s = l->by_state[LDR_SLOT_SHARED].first; s; s = s->next) {
    bool slow = s->quick && under_way_for(s, LDR_QUICK_US / 2, seen);
    if (s->exclusive) v.exclusive++;
    if (s->exclusive || s->closing || under_way_for(s, LDR_STALL_US, seen)) continue;
    v.shared += !s->quick;
    v.quick += s->quick && !slow;
    v.slow += slow;
    if (!has_room(s, seen)) continue;
    if (v.any == NULL || s->users < v.any->users) v.any = s;
    if (!s->quick && (v.least == NULL || s->users < v.least->users)) v.least = s;
    if (s->quick && has_group_room(s, l->group_max)) *(slow ? &v.slow_group : &v.group) = s;
  }
  return v;
}

static unsigned exclusive_max(unsigned max) {
  unsigned kept = max / 4 ? max / 4 : 1;
  return max > 1 ? max - kept : 1;
}

static ldr_place join(ldr_slot *s, ldr_slot **out) {
  *out = s;
  return s ? LDR_PLACE_JOIN : LDR_PLACE_NONE;
}

ldr_place ldr_share_place(const ldr_slots *l, unsigned max, ldr_share_class share, int64_t seen,
                          ldr_slot **out) {
  survey v = look(l, seen);
  bool idle = ldr_slots_count(l, LDR_SLOT_IDLE) > 0;
  bool full = ldr_slots_total(l) >= max;
  bool alone = idle && v.exclusive < exclusive_max(max);
  switch (share) {
    case LDR_SHARE_OWN: return LDR_PLACE_NONE;
    case LDR_SHARE_SLOW: return alone ? LDR_PLACE_EXCLUSIVE : LDR_PLACE_NONE;
    case LDR_SHARE_WRITE:
      if (idle) return alone ? LDR_PLACE_EXCLUSIVE : LDR_PLACE_SHARE;
      return join(full ? v.any : NULL, out);
    case LDR_SHARE_QUICK:
      if (v.group || v.quick) return join(v.group, out);
      if (idle && v.slow < LDR_SHARED_MAX) return LDR_PLACE_SHARE;
      return join(v.slow_group || v.slow || !full ? v.slow_group : v.any, out);
    case LDR_SHARE_NEW:
    case LDR_SHARE_READ:
      if (alone && share == LDR_SHARE_NEW) return LDR_PLACE_EXCLUSIVE;
      if (idle && v.shared < LDR_SHARED_MAX) return LDR_PLACE_SHARE;
      return join(v.least == NULL && full ? v.any : v.least, out);
  }
  return LDR_PLACE_NONE;
}

bool ldr_share_wants_more(const ldr_slots *l, unsigned max, ldr_share_class share, int64_t seen) {
  unsigned coming = ldr_slots_count(l, LDR_SLOT_CONNECTING) + ldr_slots_count(l, LDR_SLOT_IDLE);
  survey v = look(l, seen);
  if (share == LDR_SHARE_QUICK || share == LDR_SHARE_READ || share == LDR_SHARE_NEW)
    return v.shared + coming < LDR_SHARED_MAX;
  return share != LDR_SHARE_SLOW || v.exclusive + coming < exclusive_max(max);
}

ldr_slot *ldr_share_pick_to_close(const ldr_slots *l, unsigned wanted) {
  unsigned shared = 0, closing = 0, held = ldr_slots_count(l, LDR_SLOT_BUSY);
  ldr_slot *least = NULL;
  for (ldr_slot *s = l->by_state[LDR_SLOT_SHARED].first; s; s = s->next) {
    if (s->exclusive) {
      held++;
    } else if (s->closing) {
      closing++;
    } else {
      shared++;
      if (least == NULL || s->users < least->users) least = s;
    }
  }
  if (closing >= wanted) return NULL;
  return shared > 1 || held + closing == 0 ? least : NULL;
}

int64_t ldr_share_learn(int64_t expected, int64_t us) {
  if (us < 1) us = 1;
  return expected ? expected + (us - expected) / 4 : us;
}

#include "ldr_lane.h"

typedef struct survey {
  unsigned lanes, quick; /* that make progress */
  unsigned solo;         /* connections with one statement that nobody may wait behind */
  ldr_slot *least;       /* the lane to join: of those with room the one with the fewest statements */
  ldr_slot *group;       /* the quick lane where a group gathers */
  ldr_slot *any;         /* a lane of whatever kind, with room */
} survey;

static bool stalled(const ldr_slot *s, int64_t now) {
  return s->in_flight && now - s->head_since > LDR_STALL_US;
}

static bool has_room(const ldr_slot *s, int64_t now) {
  return s->users < LDR_LANE_DEPTH && !s->discard && now < s->expires && !ldr_conn_dead(s->conn) &&
         !ldr_conn_cancelling(s->conn);
}

/* Nothing is under way but the group that is not complete yet. */
static bool gathers(const ldr_slot *s) { return s->quick && s->in_flight == ldr_conn_gathers(s->conn); }

static survey look(const ldr_slots *l, int64_t now) {
  survey v = {0};
  for (ldr_slot *s = l->by_state[LDR_SLOT_SHARED].first; s; s = s->next) {
    if (s->solo) v.solo++;
    if (s->solo || s->draining || stalled(s, now)) continue;
    v.lanes += !s->quick;
    v.quick += s->quick;
    if (!has_room(s, now)) continue;
    if (v.any == NULL || s->users < v.any->users) v.any = s;
    if (!s->quick && (v.least == NULL || s->users < v.least->users)) v.least = s;
    if (gathers(s) && ldr_conn_gathers(s->conn) < l->group_max) v.group = s;
  }
  return v;
}

static unsigned solo_max(unsigned max) {
  unsigned kept = max / 4 ? max / 4 : 1;
  return max > 1 ? max - kept : 1;
}

static ldr_place join(ldr_slot *s, ldr_slot **out) {
  *out = s;
  return s ? LDR_PLACE_JOIN : LDR_PLACE_NONE;
}

ldr_place ldr_lane_place(const ldr_slots *l, unsigned max, ldr_lane lane, int64_t now, ldr_slot **out) {
  survey v = look(l, now);
  bool idle = ldr_slots_count(l, LDR_SLOT_IDLE) > 0;
  bool full = ldr_slots_total(l) >= max;
  bool solo = idle && v.solo < solo_max(max);
  switch (lane) {
    case LDR_LANE_OWN: return LDR_PLACE_NONE;
    case LDR_LANE_SLOW: return solo ? LDR_PLACE_SOLO : LDR_PLACE_NONE;
    case LDR_LANE_WRITE:
      if (idle) return solo ? LDR_PLACE_SOLO : LDR_PLACE_SHARE;
      return join(full ? v.any : NULL, out);
    case LDR_LANE_QUICK:
      if (v.group == NULL && idle && v.quick < LDR_QUICK_LANES) return LDR_PLACE_SHARE;
      return join(v.group == NULL && v.quick == 0 && full ? v.any : v.group, out);
    case LDR_LANE_NEW:
    case LDR_LANE_READ:
      if (solo && lane == LDR_LANE_NEW) return LDR_PLACE_SOLO;
      if (idle && v.lanes < LDR_LANES) return LDR_PLACE_SHARE;
      return join(v.least == NULL && full ? v.any : v.least, out);
  }
  return LDR_PLACE_NONE;
}

bool ldr_lane_grows(const ldr_slots *l, unsigned max, ldr_lane lane, int64_t now) {
  unsigned coming = ldr_slots_count(l, LDR_SLOT_CONNECTING) + ldr_slots_count(l, LDR_SLOT_IDLE);
  survey v = look(l, now);
  if (lane == LDR_LANE_QUICK || lane == LDR_LANE_READ || lane == LDR_LANE_NEW)
    return v.lanes + coming < LDR_LANES;
  return lane != LDR_LANE_SLOW || v.solo + coming < solo_max(max);
}

ldr_slot *ldr_lane_drain(const ldr_slots *l, unsigned wanted) {
  unsigned lanes = 0, draining = 0, held = ldr_slots_count(l, LDR_SLOT_BUSY);
  ldr_slot *least = NULL;
  for (ldr_slot *s = l->by_state[LDR_SLOT_SHARED].first; s; s = s->next) {
    if (s->solo) {
      held++;
    } else if (s->draining) {
      draining++;
    } else {
      lanes++;
      if (least == NULL || s->users < least->users) least = s;
    }
  }
  if (draining >= wanted) return NULL;
  return lanes > 1 || held + draining == 0 ? least : NULL;
}

int64_t ldr_lane_learn(int64_t expected, int64_t us) {
  if (us < 1) us = 1;
  return expected ? expected + (us - expected) / 4 : us;
}

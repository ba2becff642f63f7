#include "postgres/pool/shared.h"

ldr_slot *ldr_pool_next_shared(const ldr_pool *p, const ldr_slot *s) {
  return s ? s->next : p->slots.by_state[LDR_SLOT_SHARED].first;
}

void ldr_pool_flush_groups(ldr_pool *p) {
  for (ldr_slot *s = ldr_pool_next_shared(p, NULL); s; s = ldr_pool_next_shared(p, s)) {
    if (ldr_conn_group_size(s->conn) == 0) continue;
    ldr_conn_flush_group(s->conn);
    ldr_pool_watch(p, s);
  }
}

void ldr_pool_size_groups(ldr_pool *p, unsigned running) {
  unsigned n = running + p->queue.n;
  for (const ldr_slot *s = ldr_pool_next_shared(p, NULL); s; s = ldr_pool_next_shared(p, s))
    if (s->quick) n += s->in_flight;
  p->slots.group_max =
      n < LDR_GROUPS * LDR_SHARED_DEPTH ? (n + LDR_GROUPS - 1) / LDR_GROUPS : LDR_SHARED_DEPTH;
}

ldr_load ldr_pool_load(const ldr_pool *p) {
  const ldr_slots *all = &p->slots;
  ldr_load load = LDR_IDLE;
  if (ldr_slots_total(all) == 0) return LDR_HEAVY; /* one must be opened */
  if (ldr_slots_count(all, LDR_SLOT_CONNECTING) || ldr_slots_count(all, LDR_SLOT_BUSY)) return LDR_HEAVY;
  for (const ldr_slot *s = ldr_pool_next_shared(p, NULL); s; s = ldr_pool_next_shared(p, s)) {
    if (!s->quick) return LDR_HEAVY;
    if (s->in_flight) load = LDR_LIGHT;
  }
  return load;
}

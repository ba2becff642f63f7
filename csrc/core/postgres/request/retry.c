#include "postgres/request/retry.h"

#include <string.h>

#include "base/clock.h"

enum {
  CANCEL_LOOK_US = 1000,    /* while a cancel is on its way */
  CANCEL_HITS_US = 5000000, /* so long after a cancel it may have hit a neighbour */
  MOVES_MAX = 5             /* nobody is that unlucky */
};

/* Under a loop, for whoever is not on its thread. Nothing to do there: a visit inside of a visit would wait
 * for ever, so only the outermost functions of the owner's side use it. */
ldr_loop *ldr_job_foreign_loop(const ldr_job *j) { return j->driven ? NULL : j->e->loop; }

void ldr_job_release(ldr_job *j) {
  if (j->slot && j->kind->leaving) j->kind->leaving(j);
  if (j->slot && (j->slot->undo.error || j->slot->undo.lost)) j->slot->discard = true;
  if (j->slot && j->tx == NULL) {
    ldr_loop_enter(ldr_job_foreign_loop(j));
    ldr_pool_release(j->e->pool, j->slot, j->block);
    ldr_loop_leave(ldr_job_foreign_loop(j));
  }
  j->slot = NULL;
  j->conn = NULL;
}

/* Reads of the operation language have no effect but their result, so that one may run twice. */
bool ldr_job_reads(const ldr_job *j) { return j->tx == NULL && j->stmt && j->stmt->e && j->stmt->reads; }

bool ldr_job_shared(const ldr_job *j) { return j->slot && j->slot->state == LDR_SLOT_SHARED; }

/* A group is one transaction: settings of one, and locks, would reach the others. What was skipped once goes
 * alone. */
static bool groups(const ldr_job *j) {
  return ldr_job_reads(j) && !j->stmt->locks && !j->stmt->text_results && j->moves == 0;
}

ldr_lane ldr_job_lane(const ldr_job *j) {
  const ldr_stmt *s = j->stmt;
  if (j->tx || !j->kind->shares || s->alone) return LDR_LANE_OWN;
  if (s->expected > LDR_SLOW_US) return LDR_LANE_SLOW;
  if (j->moves && s->reads) return LDR_LANE_NEW; /* it may be the one that others waited behind */
  if (!s->reads) return LDR_LANE_WRITE;
  if (s->expected == 0) return LDR_LANE_NEW;
  return s->expected < LDR_QUICK_US && groups(j) ? LDR_LANE_QUICK : LDR_LANE_READ;
}

/* The request goes on without the job, which gets another. */
bool ldr_job_leave_behind(ldr_job *j) {
  ldr_req *r = ldr_alloc(sizeof *r);
  if (r == NULL) return false;
  r->on_done = j->req->on_done;
  r->job = j;
  j->req->job = NULL;
  j->req = r;
  j->slot = NULL; /* it is given back when the answer has come */
  j->conn = NULL;
  return true;
}

void ldr_job_left(ldr_pg *e) {
  ldr_req *r, *later = NULL;
  while ((r = e->left) != NULL) {
    ldr_slot *s = r->home;
    e->left = r->next;
    if (ldr_conn_cancelling(s->conn) && !ldr_conn_dead(s->conn)) { /* it could hit who comes next */
      r->next = later;
      later = r;
      continue;
    }
    r->next = NULL;
    ldr_pg_settle(e, s, r);
    ldr_req_free(r);
    ldr_free(r);
    ldr_pool_release(e->pool, s, false);
  }
  e->left = later;
  if (later && e->due > ldr_now_mono() + CANCEL_LOOK_US) e->due = ldr_now_mono() + CANCEL_LOOK_US;
}

bool ldr_job_may_move(const ldr_job *j) { return j->moves < MOVES_MAX && ldr_job_shared(j); }

static void look_elsewhere(ldr_job *j) {
  j->moves++;
  j->stage = LDR_JOB_ACQUIRE;
  ldr_job_ready(j);
}

bool ldr_job_move_on(ldr_job *j) {
  if (j->req->done)
    ldr_job_release(j);
  else if (!ldr_job_leave_behind(j))
    return false;
  look_elsewhere(j);
  return true;
}

void ldr_job_unsend(ldr_job *j) {
  if (j->slot == NULL || j->conn != j->slot->conn) return;
  ldr_registry_sent(&j->slot->prepared);
  ldr_pg_settle(j->e, j->slot, j->req);
}

/* Whatever it is, it did nothing: the connection was lost before its Sync, which comes last, had left. */
bool ldr_job_try_elsewhere(ldr_job *j) {
  if (!ldr_job_may_move(j) || !ldr_conn_dead(j->conn)) return false;
  ldr_job_unsend(j);
  ldr_job_release(j);
  look_elsewhere(j);
  return true;
}

bool ldr_job_innocent(const ldr_job *j) {
  if (j->cancelled || !ldr_job_may_move(j)) return false;
  if (j->req->skipped && !j->req->lost) return true;
  if (j->req->lost) { /* the server tells the one that ran, if it tells anybody */
    bool behind = !j->req->began || (j->req->grouped && *ldr_req_sqlstate(j->req) == '\0');
    return behind && ldr_job_reads(j);
  }
  return strcmp(ldr_req_sqlstate(j->req), "57014") == 0 &&
         ldr_now_mono() - j->slot->cancelled < CANCEL_HITS_US;
}

/* A cancel may hit whatever runs when it arrives; the innocent are run again. */
void ldr_job_cancel(ldr_job *j) {
  ldr_count(&j->e->counts.cancels, 1);
  ldr_conn_cancel(j->conn);
  if (j->slot) j->slot->cancelled = ldr_now_mono();
  /* a pooler passes a cancel on when it likes, perhaps to the next statement */
  if (j->slot && j->e->pooler) j->slot->discard = true;
}

/* On a lane others go on. What has not begun cannot be taken back: it runs, and nobody reads its answer. */
bool ldr_job_step_aside(ldr_job *j) {
  if (!ldr_job_shared(j) || ldr_conn_dead(j->conn)) return false;
  if (ldr_conn_head(j->conn) == j->req) ldr_job_cancel(j);
  return ldr_job_leave_behind(j);
}

/* The deadline of a statement that waits behind others passed. A read need not be waited for; for what writes
 * it matters whether it ran, so its turn is awaited for a while. */
ldr_code ldr_job_overdue_behind(ldr_job *j, ldr_err *err) {
  if (!ldr_job_reads(j) && !j->late) {
    j->late = true;
    j->deadline = ldr_now_mono() + LDR_GRACE_US;
    return LDR_PENDING;
  }
  if (!ldr_job_leave_behind(j)) return ldr_fail_nomem(err);
  j->stage = LDR_JOB_DONE;
  return ldr_fail_state(err, LDR_TIMEOUT, "57014",
                        j->late ? "the deadline passed while other statements were in front of this one; "
                                  "it may still run"
                                : "the deadline passed while other statements were in front of this one");
}

void ldr_job_await(ldr_job *j) {
  ldr_slot *s = j->slot;
  j->req->home = s;
  if (s->in_flight++ == 0) s->head_since = ldr_now_mono();
  ldr_pool_watch(j->e->pool, s);
}

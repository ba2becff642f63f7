#include "postgres/request/submit.h"

#include <poll.h>
#include <sys/eventfd.h>

#include "base/clock.h"

void ldr_pg_use_reactor(ldr_engine *engine) { ldr_pg_of(engine)->reactor = true; }

static ldr_code post(ldr_request *rq, ldr_err *err) {
  ldr_code code = ldr_reactor_start(rq->e, err);
  if (code == LDR_OK && rq->completion_id) code = ldr_completions_reserve(rq->e->completions, err);
  if (code) {
    rq->completion_id = 0;
    return code;
  }
  if (ldr_request_state_of(rq) == LDR_REQUEST_DONE) { /* it was given up with its transaction */
    if (rq->completion_id) ldr_completions_put(rq->e->completions, rq->completion_id);
    if (rq->has_event_fd) eventfd_write(rq->event_fd, 1);
    return LDR_OK;
  }
  ldr_reactor_prepare(rq);
  ldr_request_move(rq, LDR_REQUEST_POSTED);
  ldr_loop_submit_or_run(rq->e->loop, &rq->post);
  if (rq->has_event_fd) ldr_loop_owner_blocks(rq->e->loop);
  return LDR_OK;
}

static ldr_request *on_loop(ldr_task *t, ldr_err *err) {
  ldr_request *rq = (ldr_request *)t;
  if (rq->e && rq->on_loop) return rq;
  ldr_fail(err, LDR_CLOSED, "this work is not the reactor's");
  return NULL;
}

/* Also one that was DONE before it could be: then its owner was told at once. */
static bool is_submitted(const ldr_request *rq) {
  ldr_request_state state = ldr_request_state_of(rq);
  return rq->completion_id || rq->has_event_fd || (state != LDR_REQUEST_NEW && state != LDR_REQUEST_DONE);
}

/* Submitted, and nobody is told of its end. */
static bool is_untold(const ldr_request *rq) {
  return is_submitted(rq) && rq->completion_id == 0 && !rq->has_event_fd;
}

/* Its owner, who was not to be told, begins to wait for it. After a fork a new loop goes on with it. */
static ldr_code tell(ldr_request *rq, uint64_t completion_id, ldr_err *err) {
  ldr_code code = ldr_reactor_start(rq->e, err);
  if (code == LDR_OK) code = ldr_completions_reserve(rq->e->completions, err);
  if (code) return code;
  ldr_loop_lock(rq->e->loop);
  rq->completion_id = completion_id;
  if (ldr_request_state_of(rq) == LDR_REQUEST_DONE) ldr_completions_put(rq->e->completions, completion_id);
  ldr_loop_unlock(rq->e->loop);
  return LDR_OK;
}

ldr_code ldr_task_submit(ldr_task *t, uint64_t completion_id, ldr_err *err) {
  ldr_request *rq = on_loop(t, err);
  if (rq == NULL) return err->code;
  if (completion_id && is_untold(rq)) return tell(rq, completion_id, err);
  if (is_submitted(rq)) return ldr_fail(err, LDR_INVALID, "this work was submitted before");
  rq->completion_id = completion_id;
  return post(rq, err);
}

static bool make_event_fd(ldr_request *rq) {
  eventfd_t ignored;
  if (rq->event_fd < 0) rq->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (rq->event_fd < 0) return false;
  eventfd_read(rq->event_fd, &ignored);
  return true;
}

/* For one that was submitted already. After a fork a new loop goes on with it. */
static void add_event_fd(ldr_request *rq) {
  ldr_err ignored;
  if (ldr_reactor_start(rq->e, &ignored) != LDR_OK) return;
  ldr_loop_lock(rq->e->loop);
  rq->has_event_fd = make_event_fd(rq);
  if (rq->has_event_fd && ldr_request_state_of(rq) == LDR_REQUEST_DONE)
    eventfd_write(rq->event_fd, 1);
  else if (rq->has_event_fd)
    rq->e->event_fd_waiters++;
  ldr_loop_unlock(rq->e->loop);
  ldr_loop_owner_blocks(rq->e->loop);
}

int ldr_task_fd(ldr_task *t) {
  ldr_err err;
  ldr_request *rq = on_loop(t, &err);
  if (rq == NULL) return -1;
  if (rq->has_event_fd) return rq->event_fd;
  if (is_submitted(rq)) {
    add_event_fd(rq);
    return rq->has_event_fd ? rq->event_fd : -1;
  }
  rq->has_event_fd = make_event_fd(rq);
  if (rq->has_event_fd && post(rq, &err) == LDR_OK) return rq->event_fd;
  rq->has_event_fd = false;
  return -1;
}

bool ldr_task_wait(ldr_task *t, int64_t deadline) {
  ldr_request *rq = (ldr_request *)t;
  struct pollfd p = {.fd = -1, .events = POLLIN};
  if (!rq->on_loop) {
    ldr_request_wait(rq, deadline);
    return true; /* stepping it goes on with it */
  }
  p.fd = ldr_task_fd(t);
  if (p.fd < 0) return true; /* stepping it tells why */
  while (ldr_request_state_of(rq) != LDR_REQUEST_DONE) {
    int n = poll(&p, 1, ldr_millis_left(deadline));
    if (n == 0 && ldr_request_state_of(rq) != LDR_REQUEST_DONE) return false;
  }
  return true;
}

int ldr_pg_wake_fd(ldr_engine *engine, ldr_err *err) {
  ldr_pg *e = ldr_pg_of(engine);
  int fd;
  if (ldr_reactor_start(e, err) != LDR_OK) return -1;
  fd = ldr_loop_fd(e->loop, ldr_completions_fd(e->completions));
  if (fd < 0) ldr_fail(err, LDR_CAPACITY, "no descriptor is left for the database's wake-ups");
  return fd;
}

ldr_code ldr_pg_wake_path(ldr_engine *engine, const char **path, ldr_err *err) {
  ldr_pg *e = ldr_pg_of(engine);
  ldr_code code = ldr_reactor_start(e, err);
  if (code) return code;
  ldr_loop_lock(e->loop);
  code = ldr_completions_listen(e->completions, e->loop, path, err);
  ldr_loop_unlock(e->loop);
  return code;
}

size_t ldr_pg_done(ldr_engine *engine, uint64_t *completion_ids, size_t max) {
  ldr_pg *e = ldr_pg_of(engine);
  ldr_pg_check_fork(e);
  if (e->completions == NULL) return 0;
  if (e->loop) {
    ldr_completions_suppress_notify(e->completions);
    ldr_loop_run_once(e->loop);
  }
  return ldr_completions_take(e->completions, completion_ids, max);
}

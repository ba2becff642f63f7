#define _GNU_SOURCE
#include "postgres/pool/waiters.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

void ldr_waiters_add(ldr_waiters *q, ldr_waiter *w, bool in_front) {
  ldr_waiter *before = in_front ? NULL : q->last, *after = in_front ? q->first : NULL;
  w->prev = before;
  w->next = after;
  *(before ? &before->next : &q->first) = w;
  *(after ? &after->prev : &q->last) = w;
  w->queued = true;
  q->n++;
}

void ldr_waiters_remove(ldr_waiters *q, ldr_waiter *w) {
  *(w->prev ? &w->prev->next : &q->first) = w->next;
  *(w->next ? &w->next->prev : &q->last) = w->prev;
  w->queued = false;
  q->n--;
}

void ldr_waiter_wake(ldr_waiter *w) {
  if (w->woken)
    w->woken(w);
  else if (w->has_fds)
    eventfd_write(w->wake, 1);
}

void ldr_waiters_wake_all(ldr_waiters *q) {
  for (ldr_waiter *w = q->first; w; w = w->next) ldr_waiter_wake(w);
}

void ldr_waiter_drain(const ldr_waiter *w) {
  eventfd_t ignored;
  if (w->has_fds) eventfd_read(w->wake, &ignored);
}

bool ldr_waiter_make_fds(ldr_waiter *w) {
  struct epoll_event e = {.events = EPOLLIN};
  if (w->has_fds) return true;
  w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  w->set = epoll_create1(EPOLL_CLOEXEC);
  w->has_fds = true;
  if (w->wake >= 0 && w->set >= 0 && epoll_ctl(w->set, EPOLL_CTL_ADD, w->wake, &e) == 0) return true;
  ldr_waiter_done(w);
  return false;
}

void ldr_waiter_done(ldr_waiter *w) {
  if (!w->has_fds) return;
  if (w->wake >= 0) close(w->wake);
  if (w->set >= 0) close(w->set);
  w->has_fds = false;
}

/* The socket changes while libpq goes from host to host; a closed one has left the set by itself. */
void ldr_waiter_watch(const ldr_waiter *w, int fd, unsigned events) {
  struct epoll_event e = {.events =
                              (events & LDR_READ ? EPOLLIN : 0u) | (events & LDR_WRITE ? EPOLLOUT : 0u)};
  if (epoll_ctl(w->set, EPOLL_CTL_MOD, fd, &e) != 0) epoll_ctl(w->set, EPOLL_CTL_ADD, fd, &e);
}

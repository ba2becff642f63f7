/* An event loop on a thread of its own: descriptors, posted work, and the time of what is due next. It knows
 * nothing of what it serves.
 *
 *   wait ──► turn: descriptors that are ready, then posts, then ops->turn ──► wait
 *
 * What the loop serves belongs to its thread. Another thread hands work over with ldr_loop_post, which never
 * waits, or locks the loop: between two turns it may touch everything. Locking waits for one turn at most, so
 * it is for what is rare. A turn follows every unlock.
 *
 * Handing work to another thread costs a wake-up in each direction. So an owner with an event loop of his own
 * may run turns inline: he polls ldr_loop_fd and calls ldr_loop_run_once, while the thread only watches, and
 * goes on by itself once the owner has not come for a few milliseconds. What is served says in each turn
 * whether the next ones are light enough for that (ldr_loop_set_load).
 *
 * The thread takes no signals. It does not exist in a forked child; the loop knows and answers
 * ldr_loop_forked, and all that may be done with it there is ldr_loop_free. A fork waits for the turn to end,
 * so that a child finds everything whole. */
#ifndef LDR_ASYNC_LOOP_H
#define LDR_ASYNC_LOOP_H

#include "base/err.h"
#include "base/io.h"

typedef struct ldr_loop ldr_loop;

typedef struct ldr_post { /* embedded in what is posted */
  struct ldr_post *next;
} ldr_post;

typedef struct ldr_watch { /* embedded in what has a descriptor; zero-initialise */
  void (*ready)(struct ldr_watch *w);
  int fd;
  unsigned events; /* LDR_READ | LDR_WRITE */
  bool on;
  uint64_t id; /* of this registration: what the kernel tells may be about an older one */
  struct ldr_watch *next;
} ldr_watch;

typedef struct ldr_loop_ops {             /* called with the loop locked */
  void (*arrived)(void *ud, ldr_post *p); /* posts of one thread arrive in their order */
  int64_t (*turn)(
      void *ud); /* ends a turn; returns when the next is due, LDR_NEVER: when something happens */
} ldr_loop_ops;

ldr_code ldr_loop_new(const ldr_loop_ops *ops, void *ud, ldr_loop **out, ldr_err *err) LDR_MUSTCHECK;
void ldr_loop_free(
    ldr_loop *l); /* ends the thread and waits for its end; what is posted must be gone. NULL is fine */
bool ldr_loop_forked(const ldr_loop *l);

void ldr_loop_post(ldr_loop *l, ldr_post *p); /* any thread */

/* The same for an owner who runs no turns: when nothing is under way this takes one, so that the work begins
 * a wake-up earlier. */
void ldr_loop_submit_or_run(ldr_loop *l, ldr_post *p);
/* Readable when ldr_loop_run_once has work, or `also` is; -1: no descriptor is left. */
int ldr_loop_fd(ldr_loop *l, int also);
void ldr_loop_owner_blocks(
    ldr_loop *l); /* the owner waits for something else, so the thread takes the next turn */
void ldr_loop_run_once(
    ldr_loop *l); /* takes a turn if the load allows; only for the thread that polls ldr_loop_fd */

typedef enum ldr_load { LDR_IDLE, LDR_LIGHT, LDR_HEAVY } ldr_load;
void ldr_loop_set_load(ldr_loop *l, ldr_load load); /* in a turn: what is under way */
/* In a turn: microseconds for which what is ready may have waited for the owner. */
int64_t ldr_loop_poll_delay(const ldr_loop *l);
int64_t ldr_loop_last_poll(const ldr_loop *l); /* … and when descriptors were last polled */

void ldr_loop_lock(ldr_loop *l);   /* everything posted before has arrived. NULL is fine */
void ldr_loop_unlock(ldr_loop *l); /* NULL is fine */

/* On the loop's thread or with the loop locked. libpq closes sockets by itself, and their numbers are used
 * again, so a watch ends with the number that the descriptor has now: with another one, or -1, nothing is
 * said to the kernel, to which the old number may already be somebody else's. What a forked child or a dup(2)
 * keeps open goes on to be reported after it was closed here (epoll(7), "Will closing a file descriptor…");
 * such events reach nobody, and the loop gets rid of them. */
void ldr_loop_watch(ldr_loop *l, ldr_watch *w, int fd, unsigned events);
void ldr_loop_unwatch(ldr_loop *l, ldr_watch *w, int fd);

#endif

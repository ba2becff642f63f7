/* The writer's state, for the files of this room: writer.c and stats.c (callers), flush.c (statements),
 * replay.c (files). The lock guards everything that follows it, but for what is said to be a thread's own. */
#ifndef LDR_WRITER_STATE_H
#define LDR_WRITER_STATE_H

#include "writer/config.h"
#include "writer/dead_letters.h"
#include "writer/queue.h"

enum {
  LDR_FLUSHERS = 4,
  LDR_PAUSE_US = 50000, /* after a failure; it doubles */
  LDR_PAUSE_MAX_US = 5000000
};

/* One thread that writes. The first idle one gets the next batch; another begins only when all that are at
 * work have been at it for a while, so that one connection serves as long as no statement hangs. */
typedef struct ldr_flusher {
  ldr_writer *w;
  pthread_t thread;
  bool started, ended;
  ldr_queue *q;       /* at work on this one; NULL: idle */
  int64_t since;      /* at work, or idle */
  int64_t until;      /* could not connect: does not try again before */
  ldr_engine *engine; /* the thread's own; NULL: not connected */
  bool connected;     /* the same for others to see */
} ldr_flusher;

/* A refused row on its way to the dead letters. */
typedef struct ldr_refused {
  struct ldr_refused *next;
  const ldr_entity *e;
  ldr_queued row;
  ldr_err err;
  int64_t at; /* wall clock */
} ldr_refused;

struct ldr_writer {
  ldr_writer_config config;
  char *path;
  ldr_engine *direct; /* NULL: there are threads, … */
  ldr_source *source; /* … which reach the server by this */
  unsigned forks;
  bool ready;          /* the files are open */
  ldr_letters letters; /* has a lock of its own */
  ldr_spool *spool;    /* the file thread's own, but for its names and key; NULL: no directory */
  pthread_t file_thread;

  pthread_mutex_t lock;
  pthread_cond_t wake;   /* flushers: there is work, or the end has come */
  pthread_cond_t filing; /* the file thread: the same */
  pthread_cond_t over;   /* who closes: a thread has ended */
  ldr_flusher flusher[LDR_FLUSHERS];
  unsigned nflushers;
  bool file_started, file_ended;
  bool file_idle;   /* the file thread waits */
  unsigned running; /* threads */
  bool closing;     /* write what there is, then end */
  bool stop;        /* flushers: end */
  bool save;        /* the file thread: put what is left into files, then end */
  bool abandoned;   /* nobody waits for the threads any more: the last one frees the writer */

  ldr_queue **queues; /* parents before children */
  size_t nqueues, turn;
  ldr_schema **families; /* known, retained */
  size_t nfamilies;
  ldr_names unknown; /* families of files, as they were at the start */

  uint64_t entered;                    /* number of the next row */
  uint64_t wanted;                     /* somebody waits for the rows before this number … */
  bool flushing;                       /* … which are not written yet */
  bool sweep, sweeping;                /* what other processes left is to be looked for */
  ldr_fifo acks;                       /* rows of files that are written: no row, but its place */
  ldr_refused *refused, *last_refused; /* on their way to the dead letters */
  bool file_fails;                     /* nothing more goes to files, for now */
  size_t unclaimed;
  uint64_t damaged;

  int64_t server_until, server_pause; /* the server cannot be reached: nobody tries before */
  bool server_away, server_told;
  ldr_err server_err;
  uint64_t random;
  ldr_reject rejects[LDR_REJECTS];
  unsigned first_reject, nrejects;
  ldr_err last_error;
};

void ldr_state_init_locks(ldr_writer *w);
ldr_code ldr_state_open(ldr_writer *w, ldr_err *err); /* what a process needs of its own */
void ldr_state_close_files(ldr_writer *w);
void ldr_state_free(ldr_writer *w);
bool ldr_state_discard_after_fork(ldr_writer *w);      /* in a forked child: true, and the writer is empty */
ldr_code ldr_state_renew(ldr_writer *w, ldr_err *err); /* in a forked child: begins anew */

/* Under the lock, all of these. */
ldr_code ldr_state_learn(ldr_writer *w, ldr_schema *s, ldr_err *err);
ldr_queue *ldr_state_queue(ldr_writer *w, const ldr_entity *e, ldr_err *err); /* made if need be */
ldr_queue *ldr_state_find(const ldr_writer *w, const ldr_entity *e);          /* NULL: none */
const ldr_entity *ldr_state_entity(const ldr_writer *w, const char *family, const char *store);
bool ldr_state_knows(const ldr_writer *w, const char *family);
void ldr_state_wait(ldr_writer *w, pthread_cond_t *cond, int64_t until);
void ldr_state_stats(ldr_writer *w, ldr_writer_stats *out); /* without letters_lost */
double ldr_state_age(int64_t accepted);                     /* seconds; LDR_NEVER: 0 */

void ldr_state_thread_ended(ldr_writer *w); /* takes the lock; the last one of an abandoned writer frees it */

#endif

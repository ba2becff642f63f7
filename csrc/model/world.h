/* What the model test puts in the place of time, threads, sockets and the server: a clock that it moves, a
 * loop whose turns it takes, and connections whose server it plays. The pool, the requests and the reactor
 * are the real ones. */
#ifndef LDR_MODEL_WORLD_H
#define LDR_MODEL_WORLD_H

#include "postgres/request/submit.h"

enum { WORLD_CONNS = 4 };

void world_reset(void);
void world_check(bool ok, const char *what); /* a violation is reported with the script that led to it */

/* ---- time ---- */
int64_t world_now(void);
void world_advance(int64_t to);

/* ---- the loop ---- */
void world_turn(ldr_loop *l);         /* sockets, inbox, turn */
int64_t world_due(const ldr_loop *l); /* as the last turn said */
void world_fork(ldr_loop *l);         /* from here on this is the child */

/* ---- the server ---- */
size_t world_conns(void); /* connections that are made and alive */
ldr_conn *world_conn(size_t i);
bool world_can_answer(const ldr_conn *c); /* something was sent and has no answer on its way */
void world_answer(ldr_conn *c);           /* the answer to the oldest is on its way */
void world_lose(ldr_conn *c);             /* the server ends the session; seen when it is read next */
void world_deliver_cancels(void);
bool world_in_flight(const ldr_exchange *r);
bool world_answered(const ldr_exchange *r); /* with the answer to what this exchange asked */

#endif

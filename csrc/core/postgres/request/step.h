/* The steps of a request: what it does in each state when something has happened or its timer is due; and
 * what the kinds of requests use in their steps. */
#ifndef LDR_POSTGRES_REQUEST_STEP_H
#define LDR_POSTGRES_REQUEST_STEP_H

#include "postgres/request/retry.h"

/* One step of a request that is READY or ANSWERED, or whose timer is due, or (blocking) whose socket may be
 * ready. It leaves the request in another state, or with a timer. */
ldr_code ldr_request_step(ldr_request *rq, ldr_err *err);

/* For the kinds: */
/* From the beginning on the connection that it has: what is not known of its tables is asked first. */
ldr_code ldr_request_begin(ldr_request *rq, ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_request_prefix(ldr_request *rq, ldr_err *err)
    LDR_MUSTCHECK; /* what it runs as, or what tx has pending, goes into the exchange first */
ldr_code ldr_request_submit(ldr_request *rq, ldr_err *err) LDR_MUSTCHECK; /* LDR_PENDING when sent */
ldr_code ldr_request_error(ldr_request *rq, ldr_err *err); /* what the failed exchange means to the caller */
bool ldr_request_failed(const ldr_request *rq);
void ldr_request_sleep(ldr_request *rq, int64_t us);
void ldr_request_connect(ldr_request *rq, ldr_conn *c);       /* c is the request's own; resume comes next */
ldr_cmd *ldr_request_query(ldr_request *rq, const char *sql); /* one more command; NULL: out of memory */

#endif

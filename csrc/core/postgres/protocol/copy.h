/* COPY over a connection: after a simple exchange is `copying`. */
#ifndef LDR_POSTGRES_PROTOCOL_COPY_H
#define LDR_POSTGRES_PROTOCOL_COPY_H

#include "postgres/protocol/send.h"

/* LDR_PENDING: taken, but wait for the socket to drain before giving more. */
ldr_code ldr_conn_copy_put(ldr_conn *c, const void *p, size_t n, ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_conn_copy_end(ldr_conn *c, const char *why,
                           ldr_err *err) LDR_MUSTCHECK; /* why: NULL = complete */
/* LDR_OK with one message, valid until the next call, or with *p = NULL at the end; LDR_PENDING: wait. */
ldr_code ldr_conn_copy_get(ldr_conn *c, const char **p, size_t *n, ldr_err *err) LDR_MUSTCHECK;

#endif

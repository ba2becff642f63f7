/* Which server a connection leads to: its system identifier and timeline, or, where those may not be read,
 * the time it was started. Names of hosts prove nothing: a standby that was promoted answers under the old
 * one, and gives the numbers of lost transactions to new ones.
 *
 * The first connection learns the identity. A connection begun later leads to that server or, if one took
 * over in between, to another: then the identities differ when it matters, and nothing is claimed. */
#ifndef LDR_POSTGRES_POOL_IDENTITY_H
#define LDR_POSTGRES_POOL_IDENTITY_H

#include "postgres/protocol/connection.h"

enum { LDR_IDENTITY_SIZE = 64 };

typedef struct ldr_identity {
  char text[LDR_IDENTITY_SIZE]; /* "": not known */
  int64_t since;                /* connections begun from then on may lead there; monotonic */
} ldr_identity;

/* The question, of which the second may be asked by anybody. attempt: 0, 1. NULL: there is no other. */
const char *ldr_identity_question(unsigned attempt);
/* The answer; false: none. */
bool ldr_identity_read(const ldr_pgres *res, char out[LDR_IDENTITY_SIZE]);
/* Is `now` certainly the server of a connection that was begun then? */
bool ldr_identity_proves(const ldr_identity *i, int64_t begun, const char *now);

#endif

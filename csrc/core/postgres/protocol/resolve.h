/* Host names to addresses without waiting. getaddrinfo() blocks, so each name is asked for in a thread of its
 * own, and who asked waits for a descriptor:
 *
 *   host  a.example,/run/pg,b.example       port  1,2,3
 *     ──► a.example  192.0.2.1   1          one line for each address, in the resolver's order; what is no
 *         a.example  192.0.2.2   1          name stays as it is, without an address; a name that has none
 *         /run/pg                2          is left out
 *         b.example  192.0.2.9   3
 *
 * The lists are libpq's: it tries their lines from left to right, checks certificates against host and
 * connects to hostaddr. So each address counts as a host of its own, also where a server is refused for its
 * role (target_session_attrs) or where hosts are tried in random order. */
#ifndef LDR_POSTGRES_PROTOCOL_RESOLVE_H
#define LDR_POSTGRES_PROTOCOL_RESOLVE_H

#include "base/err.h"
#include "postgres/protocol/hosts.h"

typedef struct ldr_resolve ldr_resolve;

/* Asks for every name in the list `host`. *out = NULL when there is nothing to ask for: no name, or lists of
 * different lengths, which libpq will refuse. */
ldr_code ldr_resolve_start(const char *host, const char *port, ldr_resolve **out, ldr_err *err) LDR_MUSTCHECK;
int ldr_resolve_fd(const ldr_resolve *r); /* readable when the answer is there */
/* LDR_PENDING until then. Once all names are answered, or two seconds after the first that was: a name whose
 * servers are silent holds up no other. *out is r's, three lists of one length. LDR_CONNECTION: no name has
 * an address, and there was nothing else in the list. */
ldr_code ldr_resolve_answer(ldr_resolve *r, ldr_hosts *out, ldr_err *err) LDR_MUSTCHECK;
/* The same with what is there by now: never LDR_PENDING. */
ldr_code ldr_resolve_answer_now(ldr_resolve *r, ldr_hosts *out, ldr_err *err) LDR_MUSTCHECK;
/* At any time, never waits: a thread that is still asking frees the last of it. NULL is fine. */
void ldr_resolve_free(ldr_resolve *r);
/* The same in a forked child, which has none of these threads. */
void ldr_resolve_abandon(ldr_resolve *r);

/* ---- for tests ---- */
enum { LDR_ADDRESSES_MAX = 32, LDR_ADDRESS_SIZE = 64 }; /* of one name; IPv6 with its zone */
typedef struct ldr_addresses {
  unsigned n;
  char text[LDR_ADDRESSES_MAX][LDR_ADDRESS_SIZE];
} ldr_addresses;
/* Fills *out with the addresses of a name; 0, or one of getaddrinfo()'s errors. Called in any thread. */
typedef int ldr_lookup(const char *name, ldr_addresses *out);
void ldr_resolve_set_for_test(ldr_lookup *lookup); /* NULL: the system's, as ever */

#endif

/* A proxy between larder and the server, in a thread: what a bad network does, on demand. */
#ifndef LDR_TEST_PGPROXY_H
#define LDR_TEST_PGPROXY_H

#include <stdbool.h>
#include <stddef.h>

typedef struct pgproxy pgproxy;

typedef enum pgproxy_mode {
  PGPROXY_PASS,
  PGPROXY_CUT_COMMIT,       /* the server never sees COMMIT; then the line is cut, once */
  PGPROXY_CUT_COMMIT_REPLY, /* the server's answer to COMMIT is lost and the line cut, once */
  PGPROXY_CUT_ALL_REPLY,    /* of that exchange no answer at all comes through */
  PGPROXY_CUT_AFTER,        /* the line is cut after n more bytes from the server, once */
  PGPROXY_FAREWELL,         /* the end of the session comes in one piece with the next answer, once */
  PGPROXY_DROP,             /* nothing goes through, and nobody is told */
  PGPROXY_DOWN              /* every line is cut, and nobody comes in */
} pgproxy_mode;

pgproxy *pgproxy_start(const char *conninfo);          /* NULL: could not */
void pgproxy_stop(pgproxy *p);                         /* NULL is fine */
const char *const *pgproxy_settings(const pgproxy *p); /* for pg_open_with */
void pgproxy_set(pgproxy *p, pgproxy_mode mode, size_t n);
bool pgproxy_done(const pgproxy *p); /* a mode that works once has worked */

#endif

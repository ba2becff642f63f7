/* Errors: one struct for the whole core. Fixed buffers, so that running out of memory can be
 * reported without allocating. Never holds parameter values, row contents or passwords. */
#ifndef LDR_BASE_ERR_H
#define LDR_BASE_ERR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"

typedef enum ldr_code {
  LDR_OK = 0,
  LDR_PENDING, /* not an error: the work waits for a file descriptor, see engine/engine.h */
  LDR_NOT_FOUND,
  LDR_INVALID,
  LDR_CONFLICT,
  LDR_FOREIGN_KEY,
  LDR_CHECK,
  LDR_NOT_NULL,
  LDR_SERIALIZATION,
  LDR_DEADLOCK,
  LDR_LOCK_TIMEOUT,
  LDR_TIMEOUT,
  LDR_CANCELED,
  LDR_POOL_TIMEOUT,
  LDR_CONNECTION,
  LDR_COMMIT_UNKNOWN,
  LDR_PERMISSION,
  LDR_CAPACITY, /* out of memory on either side, disk full, too many connections */
  LDR_UNSUPPORTED,
  LDR_UNAUTHORIZED,
  LDR_CLOSED,
  LDR_DIRTY,
  LDR_LOCKED,
  LDR_DRIFT,
  LDR_SYNTAX,
  LDR_INTERNAL,
  LDR_NCODES
} ldr_code;

typedef struct ldr_err {
  ldr_code code;
  bool retryable;   /* repeating the whole transaction may succeed */
  bool row_policy;  /* LDR_PERMISSION: a row-level security policy refuses the row, not the statement */
  bool nested;      /* a statement of a trigger or function met it, not the one that was sent to the server */
  char sqlstate[6]; /* "" when the error did not come from a server (or has none) */
  char message[512];
  char constraint[128];
  char table[128]; /* without schema, as PostgreSQL reports it */
  char column[128];
  char detail[256];
  char hint[256];
  char reason[24];      /* which of several faults of one code, for programs: "edited" */
  char file[128];       /* of a migration; "": the error is about no file */
  unsigned line, place; /* in the file, from 1: the line, and the character in it; 0: not known */
  uint32_t row; /* of the rows that were given, from 1: the one that the error is about; 0: not known */
  uint64_t key; /* ldr_hash_keyed(…, 0) of what the server prints of the values of the key that a constraint's
                   fault is about; 0: not known */
  uint64_t domain;  /* of a server: ldr_hash64(…, 0) of the name, "schema.type", of the domain that does not
                       take a value; 0: not known */
  uint16_t nfields; /* validation: pairs name\0 message\0 in fields[] */
  uint16_t fields_len;
  char fields[1024];
} ldr_err;

/* Reset *e and set code and message; returns code, so that `return ldr_fail(…)` reads well. */
ldr_code ldr_fail(ldr_err *e, ldr_code code, const char *fmt, ...) LDR_PRINTF(3, 4);
/* The same for a failure that a server would report with this SQLSTATE. */
ldr_code ldr_fail_state(ldr_err *e, ldr_code code, const char *sqlstate, const char *fmt, ...)
    LDR_PRINTF(4, 5);
/* A statement of a transaction that an earlier fault ended. */
ldr_code ldr_fail_aborted(ldr_err *e);
ldr_code ldr_fail_nomem(ldr_err *e); /* LDR_CAPACITY, "out of memory" */

/* Validation: add one field's fault. The first call makes *e an LDR_INVALID error. Further faults
 * are dropped when the buffer is full; the message always names the first. */
ldr_code ldr_fail_field(ldr_err *e, const char *field, const char *fmt, ...) LDR_PRINTF(3, 4);

/* The fault of field that was added last is that of its element number i: counted from 1, row by row where
 * the array has more dimensions. Returns LDR_INVALID. */
ldr_code ldr_fail_element(ldr_err *e, const char *field, size_t i);

/* Adds to an error of a server what is wrong with a field, and nothing else. */
void ldr_err_add_field(ldr_err *e, const char *field, const char *text);

/* Adds to an error: which fault it is, and where in which file. Returns its code. */
ldr_code ldr_err_reason(ldr_err *e, const char *reason);
ldr_code ldr_err_at(ldr_err *e, const char *file, unsigned line, unsigned place);
/* The same in a text of n bytes that is no file: behind so many characters, which is how a server counts. */
ldr_code ldr_err_at_char(ldr_err *e, const char *text, size_t n, size_t chars);

void ldr_err_set(char *dst, size_t size, const char *src); /* bounded copy, never splits a UTF-8 character */
const char *ldr_code_name(ldr_code code); /* "not_found" …; "internal" for an unknown code */

#endif

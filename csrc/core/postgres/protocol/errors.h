/* What PostgreSQL reports → ldr_err. Pure: no libpq here. Values of rows or parameters never pass: messages
 * that quote them are replaced, details that hold them are cut. */
#ifndef LDR_POSTGRES_PROTOCOL_ERRORS_H
#define LDR_POSTGRES_PROTOCOL_ERRORS_H

#include "base/err.h"

/* The fields of an ErrorResponse; "" when the server sent none. Borrowed. */
typedef struct ldr_pgfields {
  const char *sqlstate, *message, *detail, *hint;
  const char *schema, *table, *column, *datatype, *constraint;
  const char *context, *routine; /* where in the server */
} ldr_pgfields;

/* How a statement says that a field would leave its declared limits: a text "larder:field:must be at most
 * 10;" that is cast to a number, and that the server quotes in its error (22P02) whatever its language. It is
 * made with nullif() of the column, which is never equal: a constant would be cast before any row is read. */
#define LDR_LIMIT_FAULT "larder:"

/* The message of a column that must not be null. */
#define LDR_NOT_NULL_WORDS "%s must not be null"
/* What the message of a foreign key's fault begins with. */
#define LDR_FK_MISSING  "row refers to a missing row"
#define LDR_FK_REFERRED "row is still referred to"
#define LDR_FK_EITHER   "row violates a foreign key" /* neither the state nor English words tell */

/* Fills *err and returns its code. deleting: the statement was a DELETE, which decides the wording of a
 * foreign key's fault when the server speaks another language. */
ldr_code ldr_pgerr_fill(const ldr_pgfields *f, bool deleting, ldr_err *err);

/* libpq's text of a failed connection, made with PQERRORS_VERBOSE so that it holds the SQLSTATE. */
ldr_code ldr_pgerr_connect(const char *text, ldr_err *err);

/* The prepared statement can no longer be used, but preparing it again would help. */
bool ldr_pgerr_stale(const ldr_pgfields *f);
/* No later attempt with the same settings will do better: wrong password, no such database. */
bool ldr_pgerr_permanent(const ldr_err *err);
/* The server ended the session, or never spoke: the connection cannot be used again. */
bool ldr_pgerr_fatal(const char *sqlstate);

#endif

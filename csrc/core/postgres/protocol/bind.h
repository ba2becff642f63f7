/* The parameters of one statement, encoded: they outlive the values they were made from, so that a statement
 * can wait for a connection and be sent again. */
#ifndef LDR_POSTGRES_PROTOCOL_BIND_H
#define LDR_POSTGRES_PROTOCOL_BIND_H

#include "values/param.h"

enum { LDR_MAX_PARAMS = 65535 }; /* the protocol counts them in 16 bits */

/*  data: bytes of 0 | zero | bytes of 1 | zero | …      value[i] → into data, or NULL for a null */
typedef struct ldr_bind { /* zero-initialise; reused from statement to statement */
  ldr_buf data;
  unsigned n, cap;
  uint32_t *oid;
  const char **value;
  int *length;
  int *format;  /* 1 binary, 0 text */
  size_t *from; /* offset of value i while data may still move */
} ldr_bind;

ldr_code ldr_bind_from_params(ldr_bind *a, const ldr_param *p, size_t n, ldr_err *err) LDR_MUSTCHECK;
/* types and oids: n of them, as the server described the statement. A value that is not of its parameter's
 * type travels as text and the server reads it. */
ldr_code ldr_bind_from_values(ldr_bind *a, const ldr_column *types, const uint32_t *oids, const ldr_value *v,
                              size_t n, ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_bind_from_texts(ldr_bind *a, const char *const *texts, size_t n, ldr_err *err) LDR_MUSTCHECK;
/* n parameters of another statement: those numbered which[]. */
ldr_code ldr_bind_pick(ldr_bind *a, const ldr_bind *from, const uint16_t *which, unsigned n,
                       ldr_err *err) LDR_MUSTCHECK;
/* Makes it n parameters, of those that it had at first, and a time behind them, in microseconds since 2000;
 * 0: null. */
ldr_code ldr_bind_add_time(ldr_bind *a, unsigned n, int64_t time, ldr_err *err) LDR_MUSTCHECK;
/* n nulls of these types, for a statement that is only prepared. */
ldr_code ldr_bind_types(ldr_bind *a, const uint32_t *oids, unsigned n, ldr_err *err) LDR_MUSTCHECK;
void ldr_bind_free(ldr_bind *a);

#endif

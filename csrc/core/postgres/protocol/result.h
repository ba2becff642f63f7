/* Reading one answer. */
#ifndef LDR_POSTGRES_PROTOCOL_RESULT_H
#define LDR_POSTGRES_PROTOCOL_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pg_result ldr_pgres; /* one answer; libpq's result behind its tag */

void ldr_pgres_free(ldr_pgres *res); /* NULL is fine */
size_t ldr_pgres_rows(const ldr_pgres *res);
unsigned ldr_pgres_cols(const ldr_pgres *res);
const char *ldr_pgres_name(const ldr_pgres *res, unsigned col);
uint32_t ldr_pgres_oid(const ldr_pgres *res, unsigned col);
bool ldr_pgres_is_text(const ldr_pgres *res, unsigned col);
bool ldr_pgres_is_binary(const ldr_pgres *res); /* there are columns, and none is text */
const char *ldr_pgres_cell(const ldr_pgres *res, size_t row, unsigned col, size_t *n); /* NULL: null */
typedef struct ldr_pgcell {
  const char *p; /* NULL: null; lives as long as the answer */
  size_t n;
} ldr_pgcell;
/* Its first n cells. */
void ldr_pgres_row(const ldr_pgres *res, size_t row, unsigned n, ldr_pgcell *out);
bool ldr_pgres_has_rows(const ldr_pgres *res); /* a row set, even an empty one */
int64_t ldr_pgres_affected(const ldr_pgres *res);
const char *ldr_pgres_tag(const ldr_pgres *res); /* "INSERT 0 1" */
unsigned ldr_pgres_params(const ldr_pgres *res); /* of a described statement */
uint32_t ldr_pgres_param_oid(const ldr_pgres *res, unsigned i);
bool ldr_pgres_copies_in(const ldr_pgres *res);          /* of a exchange that is copying */
unsigned ldr_pgres_error_position(const ldr_pgres *res); /* 1-based character of the statement, 0: unknown */
/* The line of COPY's data that an error is about, from 1; 0: none, or it is not certain which. */
unsigned ldr_pgres_error_copy_line(const ldr_pgres *res);

#endif

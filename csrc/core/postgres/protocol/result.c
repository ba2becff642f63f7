#include "postgres/protocol/result.h"

#include <libpq-fe.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

void ldr_pgres_free(ldr_pgres *res) { PQclear(res); }
size_t ldr_pgres_rows(const ldr_pgres *res) { return (size_t)PQntuples(res); }
unsigned ldr_pgres_cols(const ldr_pgres *res) { return (unsigned)PQnfields(res); }
const char *ldr_pgres_name(const ldr_pgres *res, unsigned col) { return PQfname(res, (int)col); }
uint32_t ldr_pgres_oid(const ldr_pgres *res, unsigned col) { return PQftype(res, (int)col); }
bool ldr_pgres_is_text(const ldr_pgres *res, unsigned col) { return PQfformat(res, (int)col) == 0; }
bool ldr_pgres_has_rows(const ldr_pgres *res) { return PQresultStatus(res) == PGRES_TUPLES_OK; }
bool ldr_pgres_is_binary(const ldr_pgres *res) { return PQbinaryTuples(res) != 0; }
unsigned ldr_pgres_params(const ldr_pgres *res) { return (unsigned)PQnparams(res); }
uint32_t ldr_pgres_param_oid(const ldr_pgres *res, unsigned i) { return PQparamtype(res, (int)i); }

const char *ldr_pgres_cell(const ldr_pgres *res, size_t row, unsigned col, size_t *n) {
  *n = (size_t)PQgetlength(res, (int)row, (int)col);
  if (*n == 0 && PQgetisnull(res, (int)row, (int)col)) return NULL;
  return PQgetvalue(res, (int)row, (int)col);
}

void ldr_pgres_row(const ldr_pgres *res, size_t row, unsigned n, ldr_pgcell *out) {
  for (unsigned i = 0; i < n; i++) {
    out[i].n = (size_t)PQgetlength(res, (int)row, (int)i);
    out[i].p = out[i].n == 0 && PQgetisnull(res, (int)row, (int)i) ? NULL : PQgetvalue(res, (int)row, (int)i);
  }
}

/* PQcmdStatus and PQcmdTuples only read, but libpq 15 declares them without const. */
static PGresult *unconst(const ldr_pgres *res) {
  union {
    const ldr_pgres *in;
    PGresult *out;
  } u = {res};
  return u.out;
}

int64_t ldr_pgres_affected(const ldr_pgres *res) { return strtoll(PQcmdTuples(unconst(res)), NULL, 10); }
const char *ldr_pgres_tag(const ldr_pgres *res) { return PQcmdStatus(unconst(res)); }
bool ldr_pgres_copies_in(const ldr_pgres *res) { return PQresultStatus(res) == PGRES_COPY_IN; }

unsigned ldr_pgres_error_position(const ldr_pgres *res) {
  const char *at = PQresultErrorField(res, PG_DIAG_STATEMENT_POSITION);
  return at ? (unsigned)strtoul(at, NULL, 10) : 0;
}

/* The first line of what the server was doing that speaks of COPY, up to a value; *end: where it ends. */
static const char *copy_context(const char *s, const char **end) {
  const char *value, *newline;
  if (s && strncmp(s, "COPY ", 5) != 0 && (s = strstr(s, "\nCOPY "))) s++; /* behind a trigger's function */
  if (s == NULL) return NULL;
  value = strstr(s, ": \"");
  newline = strchr(s, '\n');
  *end = newline && (value == NULL || newline < value) ? newline : value ? value : s + strlen(s);
  return s;
}

/* "COPY items, line 2, column id: …", with other words in other languages. Names may look like the words
 * between them: only a text with one such number tells. */
unsigned ldr_pgres_error_copy_line(const ldr_pgres *res) {
  const char *end, *p = copy_context(PQresultErrorField(res, PG_DIAG_CONTEXT), &end);
  unsigned long line = 0;
  for (p = p ? strchr(p, ',') : NULL; p && p < end; p = strchr(p, ',')) {
    const char *word = p + 1 + (p[1] == ' ');
    p = word + strcspn(word, " ,:\n");
    if (p == word || *p != ' ' || p[1] < '1' || p[1] > '9') continue;
    if (line) return 0;
    line = strtoul(p + 1, NULL, 10);
  }
  return line <= UINT_MAX ? (unsigned)line : 0;
}

/* What the benchmark's programs on libpq share: clocks, and reading a result without decoding it. */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static volatile unsigned sink; /* what was read goes here, so that reading cannot be optimised away */

static void die(const char *what, PGconn *db) {
  fprintf(stderr, "%s: %s\n", what, db ? PQerrorMessage(db) : "");
  exit(EXIT_FAILURE);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* Looks at every cell and frees the result. */
static long consume(PGconn *db, PGresult *r) {
  ExecStatusType status = PQresultStatus(r);
  int rows = PQntuples(r), columns = PQnfields(r);
  unsigned sum = 0;
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) die("statement", db);
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < columns; j++)
      sum += (unsigned char)*PQgetvalue(r, i, j) + (unsigned)PQgetlength(r, i, j);
  sink += sum;
  PQclear(r);
  return rows;
}

#endif

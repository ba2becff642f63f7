#include "base/nearest.h"

#include <string.h>

enum { LONGEST = 63 };

static unsigned min3(unsigned a, unsigned b, unsigned c) {
  unsigned m = a < b ? a : b;
  return m < c ? m : c;
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

/* Optimal string alignment distance of a and b, without regard to case; three rows of its table at a time. */
static unsigned distance(const char *a, size_t n, const char *b, size_t m) {
  unsigned rows[3][LONGEST + 1];
  unsigned *before = rows[0], *last = rows[1], *row = rows[2];
  for (size_t j = 0; j <= m; j++) last[j] = (unsigned)j;
  for (size_t i = 1; i <= n; i++) {
    unsigned *free = before;
    row[0] = (unsigned)i;
    for (size_t j = 1; j <= m; j++) {
      unsigned differ = lower(a[i - 1]) != lower(b[j - 1]);
      row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + differ);
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]) &&
          before[j - 2] + 1 < row[j])
        row[j] = before[j - 2] + 1;
    }
    before = last;
    last = row;
    row = free;
  }
  return last[m];
}

void ldr_nearest_begin(ldr_nearest *n, const char *name) {
  size_t allowed = strlen(name) / 3;
  n->name = name;
  n->best = NULL;
  n->cost = (allowed > 2 ? 2 : (unsigned)allowed) + 1;
}

void ldr_nearest_try(ldr_nearest *n, const char *candidate) {
  size_t a = strlen(n->name), b = strlen(candidate);
  unsigned d;
  if (a > LONGEST || b > LONGEST || (a > b ? a - b : b - a) >= n->cost) return;
  d = distance(n->name, a, candidate, b);
  if (d >= n->cost || strcmp(n->name, candidate) == 0) return;
  n->best = candidate;
  n->cost = d;
}

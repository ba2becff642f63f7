#define _GNU_SOURCE
#include "postgres/protocol/hosts.h"

#include <string.h>

#include "base/mem.h"

typedef struct piece { /* one element of a list; not terminated */
  const char *s;
  size_t n;
} piece;

static size_t count(const char *list) {
  size_t n = 1;
  for (; *list; list++) n += *list == ',';
  return n;
}

/* Element i; where the list has one alone, that one. */
static piece element(const char *list, size_t i) {
  if (strchr(list, ',') == NULL) i = 0;
  for (; i; i--) list = strchr(list, ',') + 1;
  return (piece){list, (size_t)(strchrnul(list, ',') - list)};
}

static bool is_given(piece p) { return p.n > 0; }
static bool is(piece p, const char *text) { return strlen(text) == p.n && memcmp(p.s, text, p.n) == 0; }

static void cut_out(char *list, size_t i) {
  piece p;
  char *from, *behind;
  if (strchr(list, ',') == NULL) return; /* it counts for the other lines, too */
  p = element(list, i);
  from = list + (p.s - list);
  behind = from + p.n;
  if (*behind == ',')
    behind++;
  else if (from > list)
    from--;
  memmove(from, behind, strlen(behind) + 1);
}

bool ldr_hostlist_set(ldr_hostlist *l, const ldr_hosts *from) {
  ldr_hostlist copy = {ldr_strndup(from->host, strlen(from->host)),
                       ldr_strndup(from->hostaddr, strlen(from->hostaddr)),
                       ldr_strndup(from->port, strlen(from->port))};
  if (copy.host == NULL || copy.hostaddr == NULL || copy.port == NULL) {
    ldr_hostlist_free(&copy);
    return false;
  }
  ldr_hostlist_free(l);
  *l = copy;
  return true;
}

void ldr_hostlist_free(ldr_hostlist *l) {
  ldr_free(l->host);
  ldr_free(l->hostaddr);
  ldr_free(l->port);
  *l = (ldr_hostlist){NULL, NULL, NULL};
}

size_t ldr_hostlist_count(const ldr_hostlist *l) {
  if (l->host == NULL) return 1;
  return count(*l->hostaddr ? l->hostaddr : l->host);
}

/* What the list leaves open, libpq has filled in. */
static bool agrees(piece p, const char *text) { return !is_given(p) || is(p, text); }

bool ldr_hostlist_remove(ldr_hostlist *l, const ldr_hosts *line) {
  size_t n = ldr_hostlist_count(l), found = n;
  for (size_t i = 0; i < n && n > 1; i++) {
    piece host = element(l->host, i), address = element(l->hostaddr, i);
    if (!agrees(element(l->port, i), line->port)) continue;
    /* libpq tells the address in place of a name that is not given */
    if (!agrees(host, line->host) && !(!is_given(host) && is(address, line->host))) continue;
    if (is_given(address) && is(address, line->hostaddr)) {
      found = i;
      break;
    }
    if (found == n) found = i; /* addresses have more than one spelling */
  }
  if (found == n) return false;
  cut_out(l->host, found);
  cut_out(l->hostaddr, found);
  cut_out(l->port, found);
  return true;
}

/* The hosts of an attempt, which libpq takes as three lists: names, addresses and ports. One of them can be
 * left out. */
#ifndef LDR_POSTGRES_PROTOCOL_HOSTS_H
#define LDR_POSTGRES_PROTOCOL_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct ldr_hosts { /* texts with commas; a list of one counts for every line, "" for none */
  const char *host, *hostaddr, *port;
} ldr_hosts;

typedef struct ldr_hostlist { /* a copy; zero-initialise */
  char *host, *hostaddr, *port;
} ldr_hostlist;

bool ldr_hostlist_set(ldr_hostlist *l,
                      const ldr_hosts *from); /* false: out of memory; what was there stays */
void ldr_hostlist_free(ldr_hostlist *l);
size_t ldr_hostlist_count(const ldr_hostlist *l); /* at least 1 */
/* Leaves out the line that libpq calls so: host, address and port as PQhost, PQhostaddr and PQport tell them.
 * false: there is no such line, or no other. */
bool ldr_hostlist_remove(ldr_hostlist *l, const ldr_hosts *line);

#endif

/* Who owns the segments of a spill directory: each writer has a name of its own there, and a lock that lasts
 * as long as its process.
 *
 * The locks are POSIX record locks. flock and OFD locks belong to an open file, which every forked child
 * holds, too: after a crash of the parent a child that knows nothing of larder would keep the rows from
 * everybody. A POSIX lock belongs to the process and is never inherited. In exchange, one process does not
 * exclude itself, and closing any descriptor of the file gives the lock up: a registry of what this process
 * holds keeps its writers apart, and no lock file is opened that it holds already. Thread-safe. */
#ifndef LDR_WRITER_OWNER_H
#define LDR_WRITER_OWNER_H

#include "base/err.h"

enum { LDR_OWNER_NAME = 17 };

typedef struct ldr_owner {
  struct ldr_owner *next; /* in the registry */
  uint64_t device, inode;
  unsigned forks; /* a child finds its parent's owners here, but does not hold their locks */
  int dir, fd;
  char name[LDR_OWNER_NAME]; /* 16 hex digits */
} ldr_owner;

/* A new name, locked. dir is borrowed. */
ldr_code ldr_owner_new(int dir, ldr_owner **out, ldr_err *err) LDR_MUSTCHECK;
/* The name that an earlier process left behind. NULL: it is in use, or cannot be had. */
ldr_owner *ldr_owner_take(int dir, const char *name);
/* Gives it up; removed: its lock file goes, too. In a forked child the parent's lock stays as it is. NULL is
 * fine. */
void ldr_owner_drop(ldr_owner *o, bool removed);

#endif

/* The spill directory, which any number of processes share.
 *
 *   key                                    32 random bytes, the secret of the checksums
 *   <owner>.lock                           see writer/owner.h
 *   <owner>.<family>.<store>.<number>.rows rows of one store that wait; number: of its first row, hex
 *   dead.<time>.<owner>.<serial>.rows      dead letters, see writer/dead_letters.h; .part while they are
 * written
 *
 * A store has files of its own, so that a store that cannot be written, or a family that is never declared
 * again, holds up nobody's. Directory 0700 (one that is there must not be writable by others), files 0600:
 * rows are data of users. For one thread. */
#ifndef LDR_WRITER_SPOOL_H
#define LDR_WRITER_SPOOL_H

#include "writer/owner.h"
#include "writer/segment.h"

enum { LDR_SPOOL_NAME = 256 };

typedef struct ldr_spool {
  char *path;
  int dir;
  unsigned char key[LDR_SEGMENT_KEY];
  ldr_owner *owner;
  bool dirty; /* names were made or changed since the directory was synced */
} ldr_spool;

/* Makes the directory if need be. Refused with LDR_INVALID and the file's name: a file where the directory
 * should be, and spill files of the format of earlier releases (path, path.1 …), which this one cannot read.
 */
ldr_code ldr_spool_open(const char *path, ldr_spool **out, ldr_err *err) LDR_MUSTCHECK;
void ldr_spool_close(ldr_spool *s); /* NULL is fine; in a forked child the parent's lock stays */
ldr_code ldr_spool_sync(ldr_spool *s, ldr_err *err) LDR_MUSTCHECK; /* the names */

/* A new segment of ours for rows of the store, beginning with row `number`. */
ldr_code ldr_spool_segment(ldr_spool *s, const char *family, const char *store, uint64_t number,
                           ldr_segment **out, ldr_err *err) LDR_MUSTCHECK;

/* The names of the directory that begin with `prefix` and end with `suffix`, sorted; each to be freed with
 * the array by ldr_spool_names_free. */
typedef struct ldr_names {
  char **name;
  size_t n, cap;
} ldr_names;
ldr_code ldr_spool_names(const ldr_spool *s, const char *prefix, const char *suffix, ldr_names *out,
                         ldr_err *err) LDR_MUSTCHECK;
void ldr_names_free(ldr_names *l);

/* Parts of a segment's name. */
typedef struct ldr_segment_name {
  char owner[LDR_OWNER_NAME], family[65], store[65];
  uint64_t number;
} ldr_segment_name;
bool ldr_segment_name_parse(const char *name, ldr_segment_name *out);

/* What processes that are gone left behind becomes ours, as far as knows() says so: gives each segment's new
 * name to found(). *unclaimed: how many files stay, since their families are not known here. */
typedef struct ldr_sweep {
  void *ud;
  bool (*knows)(void *ud, const char *family);
  void (*found)(void *ud, const char *name, const ldr_segment_name *parts);
  size_t unclaimed;
} ldr_sweep;
ldr_code ldr_spool_sweep(ldr_spool *s, ldr_sweep *sweep, ldr_err *err) LDR_MUSTCHECK;

#endif

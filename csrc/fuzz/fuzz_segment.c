/* Segments from a strange disk, of rows and of dead letters: as they are; as a file whose head is right, so
 * that the records are reached; as one record whose checksum is right, so that what is behind it is reached;
 * and as a good one that was changed in a place. Opening such a file never fails, reading ends, and a row
 * that is read can be written and read back.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "crypto/secret.h"
#include "fuzz.h"
#include "writer/segment.h"

enum { CUT = 4096 }; /* records that are looked at */

static const unsigned char key[LDR_SEGMENT_KEY] = "a key of thirty-two bytes, no le";
static char path[64];

static void leave(void) { unlink(path); }

static void put_file(const void *p, size_t n) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  promise(fd >= 0 && write(fd, p, n) == (ssize_t)n && close(fd) == 0);
}

static void put_records(const ldr_buf *records, size_t n) {
  ldr_segment *s = NULL;
  ldr_err err;
  unlink(path);
  promise(ldr_segment_create(AT_FDCWD, key, path, &s, &err) == LDR_OK);
  for (size_t i = 0; i < n; i++) promise(ldr_segment_add(s, &records[i], &err) == LDR_OK);
  promise(ldr_segment_write(s, &err) == LDR_OK);
  ldr_segment_free(s);
}

static void put_record(const uint8_t *p, size_t n) {
  ldr_buf b = {0};
  ldr_buf_add(&b, p, n);
  put_records(&b, 1);
  ldr_buf_free(&b);
}

/* A row whose fields are null, but for the key; every second one is a dead letter. */
static void good(ldr_buf *b, int n) {
  const ldr_entity *e = every_type();
  ldr_value values[LDR_MAX_FIELDS];
  ldr_row *row = NULL;
  ldr_err err, why;
  for (unsigned i = 0; i < e->nfields; i++) values[i] = ldr_null();
  values[0] = ldr_bool(n % 2);
  promise(ldr_row_pack(e, values, &row, &err) == LDR_OK);
  ldr_fail_state(&why, LDR_CHECK, "23514", "row violates check constraint");
  ldr_record_put(b, e, row, (uint64_t)n, 1700000000000000, n % 2 ? &why : NULL, 1700000000000001);
  ldr_row_release(row);
}

static void put_changed_record(const uint8_t *data, size_t size) {
  ldr_buf b = {0};
  good(&b, data[0]);
  if (size > 2) {
    size_t at = (size_t)(data[0] << 8 | data[1]) % b.n, n = size - 2 < b.n - at ? size - 2 : b.n - at;
    memcpy(b.p + at, data + 2, n);
  }
  put_records(&b, 1);
  ldr_buf_free(&b);
}

/* Three records, and bytes of the file that are not what was written. */
static void put_damaged(const uint8_t *data, size_t size) {
  ldr_buf b[3] = {{0}};
  int fd;
  for (int i = 0; i < 3; i++) good(&b[i], i);
  put_records(b, 3);
  for (int i = 0; i < 3; i++) ldr_buf_free(&b[i]);
  if (size < 3) return;
  fd = open(path, O_WRONLY);
  promise(fd >= 0 && pwrite(fd, data + 2, size - 2, (data[0] << 8 | data[1]) % 2048) == (ssize_t)size - 2);
  close(fd);
}

static void same(const ldr_entity *e, const ldr_row *a, const ldr_row *b) {
  for (unsigned i = 0; i < e->nfields; i++) {
    ldr_value x, y;
    ldr_row_get(e, a, i, &x);
    ldr_row_get(e, b, i, &y);
    promise(x.type == y.type);
    promise(x.type == LDR_T_NULL || ldr_value_cmp(&x, &y) == 0);
  }
}

static void comes_back(const ldr_entity *e, const ldr_row *row, const ldr_record *r) {
  ldr_record again;
  ldr_row *copy = NULL;
  ldr_buf b = {0};
  ldr_err err;
  ldr_record_put(&b, e, row, r->number, r->accepted, NULL, 0);
  promise(ldr_record_parse(b.p, b.n, &again));
  promise(again.accepted == r->accepted && again.number == r->number);
  promise(ldr_record_row(&again, e, &copy, &err) == LDR_OK);
  same(e, row, copy);
  ldr_row_release(copy);
  ldr_buf_free(&b);
}

static void read_all(void) {
  const ldr_entity *e = every_type();
  ldr_segment *s = NULL;
  ldr_record r;
  ldr_err err;
  uint64_t pos = 0, at, last = 0;
  int64_t refused;
  size_t live;
  promise(ldr_segment_open(AT_FDCWD, key, path, &s, &err) == LDR_OK);
  live = s->live;
  if (s->pos >= s->data.n) pos = s->data.n; /* no segment at all */
  for (int i = 0; i < CUT && ldr_segment_next(s, &pos, &r, &at); i++) {
    ldr_row *row = NULL;
    ldr_code code = ldr_record_row(&r, e, &row, &err);
    promise(at >= last && pos > at && live-- > 0);
    last = at;
    promise(code == LDR_OK || code == LDR_DRIFT || code == LDR_INVALID);
    if (code == LDR_OK) comes_back(e, row, &r);
    (void)ldr_record_why(&r, &err, &refused);
    ldr_row_release(row);
    ldr_segment_done(s, at);
    promise(!ldr_segment_get(s, at, &r));
  }
  ldr_segment_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ldr_err err;
  if (size < 2) return 0;
  if (*path == '\0') {
    promise(ldr_secret_init(&err) == LDR_OK);
    snprintf(path, sizeof path, "/tmp/larder-fuzz.%ld", (long)getpid());
    atexit(leave);
  }
  switch (data[0] % 4) {
    case 0: put_file(data + 1, size - 1); break;
    case 1: put_record(data + 1, size - 1); break;
    case 2: put_damaged(data + 1, size - 1); break;
    default: put_changed_record(data + 1, size - 1);
  }
  read_all();
  return 0;
}

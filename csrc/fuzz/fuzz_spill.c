/* Spill files from a strange disk: as they are, as one record whose checksum is right, so that what is behind
 * it is reached, and as a good one that was changed in a place. Opening such a file never fails, and a row
 * that is read can be written and read back.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/text.h"
#include "fuzz.h"
#include "values/value.h"
#include "writer/spill.h"

enum { HEAD = 17, CUT = 4096 }; /* records that are looked at */

static char path[64];

static void leave(void) { unlink(path); }

static void put_file(const void *p, size_t n) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  promise(fd >= 0 && write(fd, p, n) == (ssize_t)n && close(fd) == 0);
}

/* "LDR1" | live 1 | length 4 | checksum 8 | payload */
static void put_record(const uint8_t *payload, size_t n) {
  ldr_buf b = {0};
  ldr_buf_add(&b, "LDR1\1", 5);
  ldr_buf_be32(&b, (uint32_t)n);
  ldr_buf_be64(&b, ldr_hash64(payload, n, n));
  ldr_buf_add(&b, payload, n);
  put_file(b.p, b.n);
  ldr_buf_free(&b);
}

/* The payload of a row whose fields are null, but for the key. */
static size_t good_payload(uint8_t *out, size_t cap) {
  const ldr_entity *e = every_type();
  ldr_value values[LDR_MAX_FIELDS];
  ldr_spill *s = NULL;
  ldr_row *row = NULL;
  ldr_err err;
  FILE *f;
  size_t n;
  for (unsigned i = 0; i < e->nfields; i++) values[i] = ldr_null();
  values[0] = ldr_bool(true);
  put_file("", 0);
  promise(ldr_spill_open(path, &s, &err) == LDR_OK);
  promise(ldr_row_pack(e, values, &row, &err) == LDR_OK);
  promise(ldr_spill_append(s, e, row, 1700000000000000, &err) == LDR_OK);
  ldr_row_release(row);
  ldr_spill_close(s);
  f = fopen(path, "rb");
  promise(f && fseek(f, HEAD, SEEK_SET) == 0);
  n = fread(out, 1, cap, f);
  promise(fclose(f) == 0 && n > 0 && n < cap);
  return n;
}

static void put_changed(const uint8_t *data, size_t size) {
  static uint8_t good[4096];
  static size_t n;
  uint8_t changed[sizeof good];
  size_t at;
  if (n == 0) n = good_payload(good, sizeof good);
  memcpy(changed, good, n);
  if (size > 2) {
    at = (size_t)(data[0] << 8 | data[1]) % n;
    memcpy(changed + at, data + 2, size - 2 < n - at ? size - 2 : n - at);
  }
  put_record(changed, n);
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

static void comes_back(ldr_spill *s, const ldr_entity *e, const ldr_row *row, int64_t accepted) {
  uint64_t at = s->end;
  ldr_spilled again;
  ldr_row *copy = NULL;
  ldr_err err;
  promise(ldr_spill_append(s, e, row, accepted, &err) == LDR_OK);
  promise(ldr_spill_next(s, &at, &again, &err) == LDR_OK);
  promise(again.accepted == accepted);
  promise(ldr_spill_row(&again, e, &copy, &err) == LDR_OK);
  same(e, row, copy);
  ldr_row_release(copy);
}

static void read_all(void) {
  const ldr_entity *e = every_type();
  ldr_spill *s = NULL;
  ldr_spilled r;
  ldr_row *row = NULL;
  ldr_err err;
  uint64_t pos = 0, end;
  int64_t accepted = 0;
  promise(ldr_spill_open(path, &s, &err) == LDR_OK);
  end = s->end;
  for (int i = 0; i < CUT && row == NULL && pos < end; i++) {
    ldr_code code = ldr_spill_next(s, &pos, &r, &err);
    promise(code == LDR_OK || code == LDR_NOT_FOUND);
    if (code != LDR_OK) break;
    accepted = r.accepted;
    code = ldr_spill_row(&r, e, &row, &err);
    promise(code == LDR_OK || code == LDR_DRIFT || code == LDR_INVALID);
    if (code == LDR_OK) comes_back(s, e, row, accepted);
  }
  ldr_row_release(row);
  ldr_spill_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  if (*path == '\0') {
    snprintf(path, sizeof path, "/tmp/larder-fuzz.%ld", (long)getpid());
    atexit(leave);
  }
  switch (data[0] % 3) {
    case 0: put_file(data + 1, size - 1); break;
    case 1: put_record(data + 1, size - 1); break;
    default: put_changed(data + 1, size - 1);
  }
  read_all();
  return 0;
}

/* Records and segments: what was written comes back, whatever happened to the file. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/secret.h"
#include "support/events.h"
#include "support/fixture.h"
#include "support/spillfix.h"
#include "support/test.h"
#include "writer/segment.h"

static char dir[64];
static int dirfd_ = -1;
static const unsigned char key[LDR_SEGMENT_KEY] = "a key of thirty-two bytes, no le";

static void make_dir(void) {
  ldr_err err;
  CHECK_INT(ldr_secret_init(&err), LDR_OK);
  snprintf(dir, sizeof dir, "/tmp/ldr_segment.XXXXXX");
  CHECK(mkdtemp(dir) != NULL);
  dirfd_ = open(dir, O_RDONLY | O_DIRECTORY);
}

static void remove_dir(void) {
  close(dirfd_);
  spill_remove(dir);
}

static ldr_segment *create(const char *name) {
  ldr_segment *s = NULL;
  ldr_err err;
  CHECK_INT(ldr_segment_create(dirfd_, key, name, &s, &err), LDR_OK);
  return s;
}

static ldr_segment *reopen(const char *name) {
  ldr_segment *s = NULL;
  ldr_err err;
  CHECK_INT(ldr_segment_open(dirfd_, key, name, &s, &err), LDR_OK);
  return s;
}

static ldr_code add(ldr_segment *s, const ldr_entity *e, int n) {
  ldr_row *row = event_row(e, n);
  ldr_buf b = {0};
  ldr_err err;
  ldr_code code;
  ldr_record_put(&b, e, row, (uint64_t)n, 1700000000000000 + n, NULL, 0);
  code = ldr_segment_add(s, &b, &err);
  if (code == LDR_OK) code = ldr_segment_write(s, &err);
  ldr_row_release(row);
  ldr_buf_free(&b);
  return code;
}

/* The numbers of the live records: "1 2 3 ". */
static const char *numbers(ldr_segment *s, const ldr_entity *e) {
  static char text[400];
  uint64_t pos = 0, at;
  ldr_record r;
  ldr_err err;
  *text = '\0';
  CHECK_INT(ldr_segment_load(s, &err), LDR_OK);
  while (ldr_segment_next(s, &pos, &r, &at)) {
    ldr_row *row = NULL;
    ldr_value v;
    CHECK_INT(ldr_record_row(&r, e, &row, &err), LDR_OK);
    if (row == NULL) continue;
    ldr_row_get(e, row, 1, &v);
    CHECK_INT(r.number, v.u.i);
    snprintf(text + strlen(text), sizeof text - strlen(text), "%d ", (int)v.u.i);
    ldr_row_release(row);
  }
  return text;
}

static long size_of(const char *name) {
  struct stat st;
  return fstatat(dirfd_, name, &st, 0) == 0 ? (long)st.st_size : -1;
}

TEST(every_type_comes_back) {
  ldr_err err, why;
  ldr_schema *shop = fixture_schema(&err);
  const ldr_entity *e = ldr_schema_find(shop, "customers");
  ldr_value v[C_COUNT];
  ldr_row *row = NULL, *again = NULL;
  ldr_record r;
  ldr_buf b = {0};
  int64_t refused = 0;
  fixture_customer(v);
  CHECK_INT(ldr_row_pack(e, v, &row, &err), LDR_OK);
  ldr_fail_state(&why, LDR_CHECK, "23514", "row violates check constraint \"c\"");
  ldr_err_set(why.constraint, sizeof why.constraint, "c");
  ldr_record_put(&b, e, row, 7, 42, &why, 43);
  CHECK(ldr_record_parse(b.p, b.n, &r));
  CHECK_INT(r.number, 7);
  CHECK_INT(r.accepted, 42);
  CHECK_STR(r.family, "shop");
  CHECK_STR(r.store, "customers");
  CHECK_INT(ldr_record_row(&r, e, &again, &err), LDR_OK);
  CHECK(again && again->size == row->size && memcmp(again->data, row->data, row->size - sizeof *row) == 0);
  CHECK(ldr_record_why(&r, &err, &refused));
  CHECK_INT(refused, 43);
  CHECK_INT(err.code, LDR_CHECK);
  CHECK_STR(err.sqlstate, "23514");
  CHECK_STR(err.message, why.message);
  CHECK_STR(err.constraint, "c");
  for (size_t n = 0; n < b.n; n++) /* cut off anywhere, it is not read beyond its end */
    if (ldr_record_parse(b.p, n, &r) && ldr_record_row(&r, e, &again, &err) == LDR_OK) CHECK(false);
  ldr_buf_free(&b);
  ldr_row_release(row);
  ldr_row_release(again);
  ldr_schema_release(shop);
}

TEST(a_record_is_read_by_a_later_declaration) {
  static const ldr_field text_n = {.name = "n", .type = LDR_F_TEXT, .null = true},
                         other = {.name = "other", .type = LDR_F_INT8, .null = true},
                         small_n = {.name = "n", .type = LDR_F_INT8, .max = {.type = LDR_T_INT, .u.i = 5}};
  events old = events_of("app", NULL), changed = events_of("app", &text_n),
         renamed = events_of("app", &other), narrow = events_of("app", &small_n);
  ldr_row *row = event_row(old.e, 7), *again = NULL;
  ldr_buf b = {0};
  ldr_record r;
  ldr_err err;
  ldr_record_put(&b, old.e, row, 1, 1, NULL, 0);
  CHECK(ldr_record_parse(b.p, b.n, &r));
  CHECK_INT(ldr_record_row(&r, changed.e, &again, &err), LDR_DRIFT);
  CHECK_INT(ldr_record_row(&r, renamed.e, &again, &err), LDR_DRIFT);
  CHECK_INT(ldr_record_row(&r, narrow.e, &again, &err), LDR_INVALID);
  CHECK(again == NULL);
  ldr_buf_free(&b);
  ldr_row_release(row);
  ldr_schema_release(old.schema);
  ldr_schema_release(changed.schema);
  ldr_schema_release(renamed.schema);
  ldr_schema_release(narrow.schema);
}

/* FT-w1: the machine stopped in the middle of a record, at any byte of it. */
TEST(a_torn_record_at_the_end_is_passed_over) {
  events d = events_of("app", NULL);
  ldr_segment *s;
  long two, three;
  make_dir();
  s = create("a");
  CHECK_INT(add(s, d.e, 1), LDR_OK);
  CHECK_INT(add(s, d.e, 2), LDR_OK);
  two = size_of("a");
  CHECK_INT(add(s, d.e, 3), LDR_OK);
  three = size_of("a");
  ldr_segment_free(s);
  for (long size = three - 1; size >= two; size--) {
    CHECK_INT(truncate(spill_file(dir, "a", 0), size), 0);
    s = reopen("a");
    CHECK_INT(s->live, 2);
    CHECK_INT(s->damaged, size > two);
    CHECK_STR(numbers(s, d.e), "1 2 ");
    ldr_segment_free(s);
  }
  for (long size = 24; size >= 0; size--) { /* not even the head */
    CHECK_INT(truncate(spill_file(dir, "a", 0), size), 0);
    s = reopen("a");
    CHECK_INT(s->live, 0);
    ldr_segment_free(s);
  }
  ldr_schema_release(d.schema);
  remove_dir();
}

/* FT-w2: a byte of the file is not what was written; the records around it are read. */
TEST(a_damaged_record_is_passed_over) {
  events d = events_of("app", NULL);
  ldr_segment *s;
  long from, to;
  int fd;
  make_dir();
  s = create("a");
  CHECK_INT(add(s, d.e, 1), LDR_OK);
  from = size_of("a");
  CHECK_INT(add(s, d.e, 2), LDR_OK);
  to = size_of("a");
  CHECK_INT(add(s, d.e, 3), LDR_OK);
  ldr_segment_free(s);
  fd = openat(dirfd_, "a", O_RDWR);
  for (long at = from; at < to; at++) {
    char byte = 0, wrong;
    if (at == from + 4) continue; /* whether it is live: not covered by the checksum */
    CHECK_INT(pread(fd, &byte, 1, at), 1);
    wrong = (char)(byte ^ 0x55);
    CHECK_INT(pwrite(fd, &wrong, 1, at), 1);
    s = reopen("a");
    CHECK_INT(s->live, 2);
    CHECK_INT(s->damaged, 1);
    CHECK_STR(numbers(s, d.e), "1 3 ");
    ldr_segment_free(s);
    CHECK_INT(pwrite(fd, &byte, 1, at), 1);
  }
  close(fd);
  ldr_schema_release(d.schema);
  remove_dir();
}

/* FT-w12: a user's bytes hold a whole record, of another place or of another segment. Damage in front of it
 * makes reading begin anew right there. */
TEST(a_record_within_a_value_is_no_record) {
  static const ldr_field bytes = {.name = "n", .type = LDR_F_BYTEA, .null = true};
  events d = events_of("app", NULL), c = events_of("blob", &bytes);
  ldr_segment *s, *other;
  ldr_value v[2] = {ldr_text("carrier", 7)};
  ldr_row *row = NULL;
  ldr_buf b = {0};
  ldr_err err;
  char record[200];
  long from, n;
  int fd;
  make_dir();
  other = create("b");
  from = size_of("b") < 24 ? 24 : size_of("b");
  CHECK_INT(add(other, d.e, 666), LDR_OK);
  fd = openat(dirfd_, "b", O_RDONLY);
  n = (long)pread(fd, record, sizeof record,
                  from); /* with magic, length and a checksum that is right there */
  CHECK(n > 40);
  close(fd);
  s = create("a");
  v[1] = ldr_bytes_of(LDR_T_BYTES, record, (size_t)n);
  CHECK_INT(ldr_row_pack(c.e, v, &row, &err), LDR_OK);
  ldr_record_put(&b, c.e, row, 1, 1, NULL, 0);
  CHECK_INT(ldr_segment_add(s, &b, &err), LDR_OK);
  CHECK_INT(ldr_segment_write(s, &err), LDR_OK);
  ldr_segment_free(s);
  fd = openat(dirfd_, "a", O_RDWR);
  CHECK_INT(pwrite(fd, "!", 1, 24), 1); /* the carrier's own magic */
  close(fd);
  s = reopen("a");
  CHECK_INT(s->live, 0);
  CHECK_INT(s->damaged, 1);
  ldr_segment_free(s);
  ldr_segment_free(other);
  ldr_buf_free(&b);
  ldr_row_release(row);
  ldr_schema_release(c.schema);
  ldr_schema_release(d.schema);
  remove_dir();
}

TEST(records_are_done_one_by_one) {
  events d = events_of("app", NULL);
  ldr_segment *s;
  ldr_record r;
  uint64_t pos = 0, at = 0;
  make_dir();
  s = create("a");
  for (int i = 1; i <= 3; i++) CHECK_INT(add(s, d.e, i), LDR_OK);
  CHECK_STR(numbers(s, d.e), "1 2 3 ");
  CHECK(ldr_segment_next(s, &pos, &r, &at));
  CHECK(ldr_segment_next(s, &pos, &r, &at));
  ldr_segment_done(s, at);
  ldr_segment_done(s, at); /* once more: nothing */
  CHECK_INT(s->live, 2);
  CHECK(!ldr_segment_get(s, at, &r));
  CHECK_STR(numbers(s, d.e), "1 3 ");
  ldr_segment_free(s);
  s = reopen("a");
  CHECK_STR(numbers(s, d.e), "1 3 ");
  ldr_segment_remove(s);
  ldr_segment_free(s);
  CHECK_INT(size_of("a"), -1);
  ldr_schema_release(d.schema);
  remove_dir();
}

/* FT-w13: the disk is full in the middle of a record. Nothing of it stays, and the next one is whole. */
TEST(a_full_disk_leaves_no_part) {
  events d = events_of("app", NULL);
  struct rlimit before, small;
  ldr_segment *s;
  long full;
  make_dir();
  signal(SIGXFSZ, SIG_IGN);
  s = create("a");
  CHECK_INT(add(s, d.e, 1), LDR_OK);
  full = size_of("a");
  getrlimit(RLIMIT_FSIZE, &before);
  small = before;
  for (int more = 1; more < 60; more += 7) {
    small.rlim_cur = (rlim_t)(full + more);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
    CHECK_INT(add(s, d.e, 2), LDR_CAPACITY);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &before), 0);
    CHECK_INT(size_of("a"), full);
  }
  CHECK_INT(add(s, d.e, 3), LDR_OK);
  CHECK_STR(numbers(s, d.e), "1 3 ");
  ldr_segment_free(s);
  signal(SIGXFSZ, SIG_DFL);
  ldr_schema_release(d.schema);
  remove_dir();
}

static int broken_disk(int fd) {
  (void)fd;
  errno = EIO;
  return -1;
}

/* FT-w14: fsync fails. It is told, and nothing more is written into that file. */
TEST(a_disk_that_fails_is_told) {
  events d = events_of("app", NULL);
  ldr_segment *s;
  ldr_err err;
  make_dir();
  s = create("a");
  CHECK_INT(add(s, d.e, 1), LDR_OK);
  ldr_file_sync = broken_disk;
  CHECK_INT(ldr_segment_sync(s, &err), LDR_CAPACITY);
  CHECK(strstr(err.message, "Input/output error") != NULL);
  CHECK(s->sealed);
  ldr_file_sync = fsync;
  ldr_segment_free(s);
  ldr_schema_release(d.schema);
  remove_dir();
}

static bool out_of_memory(void) {
  events d = {0};
  ldr_segment *s = NULL;
  ldr_buf b = {0};
  ldr_value v[2] = {ldr_text("e", 1), ldr_int(1)};
  ldr_row *row = NULL, *again = NULL;
  uint64_t pos = 0, at;
  ldr_record r;
  ldr_err err;
  bool done = false;
  if (events_declare("app", "events", NULL, &d, &err) != LDR_OK) return false;
  if (ldr_row_pack(d.e, v, &row, &err) == LDR_OK) {
    ldr_record_put(&b, d.e, row, 1, 1, NULL, 0);
    done = ldr_segment_create(dirfd_, key, "a", &s, &err) == LDR_OK &&
           ldr_segment_add(s, &b, &err) == LDR_OK && ldr_segment_write(s, &err) == LDR_OK;
    ldr_segment_free(s);
    s = NULL;
    done = done && ldr_segment_open(dirfd_, key, "a", &s, &err) == LDR_OK &&
           ldr_segment_next(s, &pos, &r, &at) && ldr_record_row(&r, d.e, &again, &err) == LDR_OK;
  }
  ldr_segment_free(s);
  unlinkat(dirfd_, "a", 0);
  ldr_buf_free(&b);
  ldr_row_release(row);
  ldr_row_release(again);
  ldr_schema_release(d.schema);
  return done;
}

TEST(memory_runs_out) {
  make_dir();
  test_oom("segment", out_of_memory);
  remove_dir();
}

void test_segment(void);
void test_segment(void) {
  RUN(every_type_comes_back);
  RUN(a_record_is_read_by_a_later_declaration);
  RUN(a_torn_record_at_the_end_is_passed_over);
  RUN(a_damaged_record_is_passed_over);
  RUN(a_record_within_a_value_is_no_record);
  RUN(records_are_done_one_by_one);
  RUN(a_full_disk_leaves_no_part);
  RUN(a_disk_that_fails_is_told);
  RUN(memory_runs_out);
}

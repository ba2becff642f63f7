/* The spill file, and the backlog in front of it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/fixture.h"
#include "support/test.h"
#include "writer/queue.h"

static char dir[64], path[80];

static void make_dir(void) {
  snprintf(dir, sizeof dir, "/tmp/ldr_spill.XXXXXX");
  CHECK(mkdtemp(dir) != NULL);
  snprintf(path, sizeof path, "%s/rows", dir);
}

static void remove_dir(void) {
  char name[100];
  for (int i = 0; i < 8; i++) {
    snprintf(name, sizeof name, i ? "%s.%d" : "%s", path, i);
    unlink(name);
  }
  rmdir(dir);
}

static ldr_spill *open_spill(void) {
  ldr_spill *s = NULL;
  ldr_err err;
  CHECK_INT(ldr_spill_open(path, &s, &err), LDR_OK);
  return s;
}

static long file_size(void) {
  struct stat st;
  return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

/* ---- events(id text, n int8, …): a store whose declaration changes ---- */

typedef struct events {
  ldr_schema *schema;
  ldr_entity *e;
} events;

static const ldr_field event_id = {.name = "id", .type = LDR_F_TEXT},
                       event_n = {.name = "n", .type = LDR_F_INT8, .null = true};

static ldr_code declare(const char *family, const char *store, const ldr_field *third, events *out,
                        ldr_err *err) {
  static const char *const key[] = {"id"};
  events d = {0};
  ldr_code code = ldr_schema_new(family, &d.schema, err);
  if (code == LDR_OK) code = ldr_schema_add(d.schema, store, "events", &d.e, err);
  if (code == LDR_OK) code = ldr_entity_add_field(d.schema, d.e, &event_id, err);
  if (code == LDR_OK) code = ldr_entity_add_field(d.schema, d.e, third ? third : &event_n, err);
  if (code == LDR_OK) code = ldr_entity_set_key(d.schema, d.e, "events_pkey", key, 1, err);
  if (code == LDR_OK) code = ldr_schema_finish(d.schema, err);
  if (code)
    ldr_schema_release(d.schema);
  else
    *out = d;
  return code;
}

static events declared(const char *family, const ldr_field *second) {
  events d = {0};
  ldr_err err;
  CHECK_INT(declare(family, "events", second, &d, &err), LDR_OK);
  return d;
}

static ldr_row *event(const ldr_entity *e, int i) {
  char id[16];
  ldr_value v[2];
  ldr_row *row = NULL;
  ldr_err err;
  snprintf(id, sizeof id, "e%04d", i);
  v[0] = ldr_text(id, strlen(id));
  v[1] = ldr_int(i);
  CHECK_INT(ldr_row_pack(e, v, &row, &err), LDR_OK);
  return row;
}

static void append(ldr_spill *s, const ldr_entity *e, int i) {
  ldr_row *row = event(e, i);
  ldr_err err;
  CHECK_INT(ldr_spill_append(s, e, row, 1700000000000000 + i, &err), LDR_OK);
  ldr_row_release(row);
}

/* The numbers of the live records: "1 2 3 ". */
static const char *numbers(ldr_spill *s, const ldr_entity *e) {
  static char text[400];
  uint64_t pos = 0;
  ldr_spilled r;
  ldr_err err;
  *text = '\0';
  while (ldr_spill_next(s, &pos, &r, &err) == LDR_OK) {
    ldr_row *row = NULL;
    ldr_value v;
    CHECK_INT(ldr_spill_row(&r, e, &row, &err), LDR_OK);
    if (row == NULL) continue;
    ldr_row_get(e, row, 1, &v);
    snprintf(text + strlen(text), sizeof text - strlen(text), "%d ", (int)v.u.i);
    ldr_row_release(row);
  }
  return text;
}

/* ---- the file ---- */

TEST(every_type_comes_back) {
  ldr_err err;
  ldr_schema *shop = fixture_schema(&err);
  const ldr_entity *e = ldr_schema_find(shop, "customers");
  ldr_value v[C_COUNT];
  ldr_row *row = NULL, *again = NULL;
  ldr_spilled r;
  ldr_spill *s;
  uint64_t pos = 0;
  make_dir();
  fixture_customer(v);
  CHECK_INT(ldr_row_pack(e, v, &row, &err), LDR_OK);
  s = open_spill();
  CHECK_INT(ldr_spill_append(s, e, row, 42, &err), LDR_OK);
  ldr_spill_sync(s);
  ldr_spill_close(s);
  s = open_spill();
  CHECK_INT(s->live, 1);
  CHECK_INT(s->nfamilies, 1);
  CHECK_STR(s->families[0], "shop");
  CHECK_INT(ldr_spill_next(s, &pos, &r, &err), LDR_OK);
  CHECK_INT(r.accepted, 42);
  CHECK_STR(r.store, "customers");
  CHECK_INT(ldr_spill_row(&r, e, &again, &err), LDR_OK);
  CHECK(again && again->size == row->size && memcmp(again->data, row->data, row->size - sizeof *row) == 0);
  CHECK_INT(ldr_spill_next(s, &pos, &r, &err), LDR_NOT_FOUND);
  ldr_row_release(row);
  ldr_row_release(again);
  ldr_spill_close(s);
  ldr_schema_release(shop);
  remove_dir();
}

/* FT-w1: the machine stopped in the middle of a record, at any byte of it. */
TEST(a_torn_record_at_the_end_is_cut_off) {
  events d = declared("app", NULL);
  ldr_spill *s;
  long two, three;
  make_dir();
  s = open_spill();
  append(s, d.e, 1);
  append(s, d.e, 2);
  two = file_size();
  append(s, d.e, 3);
  three = file_size();
  ldr_spill_close(s);
  for (long size = three - 1; size >= two; size--) {
    CHECK_INT(truncate(path, size), 0);
    s = open_spill();
    CHECK_INT(s->live, 2);
    CHECK_INT(s->damaged, size > two);
    CHECK_INT(file_size(), two);
    append(s, d.e, 4); /* whole again */
    CHECK_STR(numbers(s, d.e), "1 2 4 ");
    ldr_spill_close(s);
    CHECK_INT(truncate(path, two), 0);
    s = open_spill();
    append(s, d.e, 3);
    ldr_spill_close(s);
  }
  ldr_schema_release(d.schema);
  remove_dir();
}

/* FT-w2: a byte of the file is not what was written; the records around it are read. */
TEST(a_damaged_record_is_passed_over) {
  events d = declared("app", NULL);
  ldr_spill *s;
  long from, to;
  int fd;
  make_dir();
  s = open_spill();
  append(s, d.e, 1);
  from = file_size();
  append(s, d.e, 2);
  to = file_size();
  append(s, d.e, 3);
  ldr_spill_close(s);
  fd = open(path, O_RDWR);
  for (long at = from; at < to; at++) {
    char byte = 0, wrong;
    if (at == from + 4) continue; /* whether it is live: not covered by the checksum */
    CHECK_INT(pread(fd, &byte, 1, at), 1);
    wrong = (char)(byte ^ 0x55);
    CHECK_INT(pwrite(fd, &wrong, 1, at), 1);
    s = open_spill();
    CHECK_STR(numbers(s, d.e), "1 3 ");
    CHECK_INT(s->live, 2);
    CHECK_INT(s->damaged, 1);
    ldr_spill_close(s);
    CHECK_INT(pwrite(fd, &byte, 1, at), 1);
  }
  close(fd);
  ldr_schema_release(d.schema);
  remove_dir();
}

TEST(records_are_done_one_by_one) {
  events d = declared("app", NULL);
  ldr_spill *s;
  ldr_spilled r;
  ldr_err err;
  uint64_t pos = 0;
  make_dir();
  s = open_spill();
  for (int i = 1; i <= 3; i++) append(s, d.e, i);
  CHECK_INT(ldr_spill_next(s, &pos, &r, &err), LDR_OK);
  CHECK_INT(ldr_spill_next(s, &pos, &r, &err), LDR_OK);
  ldr_spill_done(s, r.at);
  CHECK_INT(s->live, 2);
  CHECK_STR(numbers(s, d.e), "1 3 ");
  pos = 0;
  CHECK_INT(ldr_spill_next(s, &pos, &r, &err), LDR_OK);
  CHECK_INT(ldr_spill_move(s, &r, &err), LDR_OK);
  ldr_spill_close(s);
  s = open_spill();
  CHECK_STR(numbers(s, d.e), "3 1 ");
  ldr_spill_empty(s);
  CHECK_INT(file_size(), 0);
  CHECK_STR(numbers(s, d.e), "");
  ldr_spill_close(s);
  ldr_schema_release(d.schema);
  remove_dir();
}

/* FT-w3: several processes with one path. */
TEST(a_file_belongs_to_one_process) {
  events d = declared("app", NULL);
  ldr_spill *one, *two, *three;
  struct stat st;
  char second[100];
  make_dir();
  snprintf(second, sizeof second, "%s.1", path);
  one = open_spill();
  append(one, d.e, 1);
  two = open_spill(); /* the first has an owner */
  append(two, d.e, 2);
  CHECK_STR(numbers(one, d.e), "1 ");
  CHECK_STR(numbers(two, d.e), "2 ");
  CHECK_INT(stat(second, &st), 0);
  CHECK_INT(st.st_mode & 0777, 0600);
  CHECK(!ldr_spill_adopt(one)); /* both are alive */
  ldr_spill_close(two);
  three = open_spill(); /* what was left behind comes first */
  CHECK_STR(numbers(three, d.e), "2 ");
  ldr_spill_close(three);
  ldr_spill_empty(one);
  CHECK(ldr_spill_adopt(one));
  CHECK_STR(numbers(one, d.e), "2 ");
  ldr_spill_close(one);
  ldr_schema_release(d.schema);
  remove_dir();
}

TEST(a_file_that_cannot_be_had_is_an_error) {
  ldr_spill *s = NULL;
  ldr_err err;
  CHECK_INT(ldr_spill_open("/nonexistent/rows", &s, &err), LDR_INVALID);
  make_dir();
  CHECK_INT(symlink("/etc/passwd", path), 0);
  CHECK(ldr_spill_open(path, &s, &err) != LDR_OK);
  CHECK(s == NULL);
  remove_dir();
  CHECK_INT(ldr_spill_open("/dev/full", &s, &err), LDR_INVALID);
}

TEST(a_record_is_read_by_a_later_declaration) {
  static const ldr_field text_n = {.name = "n", .type = LDR_F_TEXT, .null = true},
                         other = {.name = "other", .type = LDR_F_INT8, .null = true},
                         small_n = {.name = "n", .type = LDR_F_INT8, .has_max = true, .max = 5};
  events old = declared("app", NULL), changed = declared("app", &text_n), renamed = declared("app", &other),
         narrow = declared("app", &small_n);
  ldr_row *row = NULL;
  ldr_spilled r;
  ldr_spill *s;
  ldr_err err;
  uint64_t pos = 0;
  make_dir();
  s = open_spill();
  append(s, old.e, 7);
  CHECK_INT(ldr_spill_next(s, &pos, &r, &err), LDR_OK);
  CHECK_INT(ldr_spill_row(&r, changed.e, &row, &err), LDR_DRIFT);
  CHECK_INT(ldr_spill_row(&r, renamed.e, &row, &err), LDR_DRIFT);
  CHECK_INT(ldr_spill_row(&r, narrow.e, &row, &err), LDR_INVALID);
  CHECK(row == NULL);
  ldr_spill_close(s);
  ldr_schema_release(old.schema);
  ldr_schema_release(changed.schema);
  ldr_schema_release(renamed.schema);
  ldr_schema_release(narrow.schema);
  remove_dir();
}

/* ---- the backlog ---- */

/* Takes a hand, settles it, and shows its numbers. */
static const char *hand(ldr_backlog *b) {
  static char text[200];
  ldr_err odd = {.code = LDR_OK}, err;
  CHECK_INT(ldr_backlog_take(b, &odd, &err), LDR_OK);
  *text = '\0';
  for (size_t i = 0; i < b->held; i++) {
    ldr_value v;
    ldr_row_get(b->hand[i].e, b->hand[i].row, 1, &v);
    snprintf(text + strlen(text), sizeof text - strlen(text), "%d ", (int)v.u.i);
  }
  if (b->held) ldr_backlog_settle(b, b->held);
  return text;
}

static void give(ldr_backlog *b, const ldr_entity *e, int i) {
  ldr_row *row = event(e, i);
  ldr_err err;
  if (ldr_backlog_full(b)) {
    CHECK_INT(ldr_backlog_file(b, e, row, &err), LDR_OK);
    ldr_row_release(row);
  } else {
    ldr_backlog_add(b, e, row, ldr_now_mono());
  }
}

TEST(rows_leave_in_the_order_they_came) {
  events d = declared("app", NULL);
  ldr_backlog b = {0};
  ldr_err err;
  make_dir();
  CHECK_INT(ldr_backlog_init(&b, 3, 2, path, &err), LDR_OK);
  CHECK_INT(ldr_backlog_know(&b, d.schema, &err), LDR_OK);
  for (int i = 1; i <= 5; i++) give(&b, d.e, i); /* 4 and 5 into the file */
  CHECK_INT(ldr_backlog_depth(&b), 3);
  CHECK_INT(ldr_backlog_filed(&b), 2);
  CHECK_STR(hand(&b), "1 2 ");
  give(&b, d.e, 6); /* there is room, but older rows lie in the file */
  CHECK(!ldr_backlog_passed(&b, 3));
  CHECK_STR(hand(&b), "3 ");
  CHECK(ldr_backlog_passed(&b, 3));
  CHECK_STR(hand(&b), "4 5 ");
  CHECK_STR(hand(&b), "6 ");
  CHECK(ldr_backlog_passed(&b, 6));
  CHECK_STR(hand(&b), "");
  CHECK_INT(file_size(), 0);
  give(&b, d.e, 7);
  CHECK_INT(ldr_backlog_depth(&b), 1);
  CHECK_STR(hand(&b), "7 ");
  ldr_backlog_free(&b);
  ldr_schema_release(d.schema);
  remove_dir();
}

TEST(saved_rows_keep_their_order) {
  events d = declared("app", NULL);
  ldr_backlog b = {0};
  ldr_err odd = {.code = LDR_OK}, err;
  size_t lost = 9;
  make_dir();
  CHECK_INT(ldr_backlog_init(&b, 4, 2, path, &err), LDR_OK);
  for (int i = 1; i <= 6; i++) give(&b, d.e, i);
  CHECK_INT(ldr_backlog_take(&b, &odd, &err), LDR_OK); /* 1 and 2 are in the hand, 5 and 6 in the file */
  CHECK_INT(ldr_backlog_save(&b, &lost), 4);
  CHECK_INT(lost, 0);
  ldr_backlog_free(&b);
  CHECK_INT(ldr_backlog_init(&b, 4, 10, path, &err), LDR_OK);
  CHECK_INT(ldr_backlog_know(&b, d.schema, &err), LDR_OK);
  give(&b, d.e, 7);
  CHECK(!ldr_backlog_passed(&b, 0)); /* what an earlier process left is waited for */
  CHECK_STR(hand(&b), "1 2 3 4 ");
  CHECK_STR(hand(&b), "5 6 ");
  CHECK(ldr_backlog_passed(&b, 0));
  CHECK(!ldr_backlog_passed(&b, 1));
  CHECK_STR(hand(&b), "7 ");
  ldr_backlog_free(&b);
  CHECK_INT(ldr_backlog_init(&b, 4, 2, NULL, &err), LDR_OK); /* without a file */
  give(&b, d.e, 1);
  CHECK_INT(ldr_backlog_save(&b, &lost), 0);
  CHECK_INT(lost, 1);
  ldr_backlog_free(&b);
  ldr_schema_release(d.schema);
  remove_dir();
}

/* FT-w4: rows of a family, or of a field, that this process does not have. */
TEST(what_is_not_understood_stays_in_the_file) {
  static const ldr_field other = {.name = "other", .type = LDR_F_INT8, .null = true};
  events a = declared("app", NULL), b2 = declared("zoo", NULL), drifted = declared("old", &other),
         now = declared("old", NULL);
  ldr_backlog b = {0};
  ldr_err odd = {.code = LDR_OK}, err;
  ldr_spill *s;
  make_dir();
  s = open_spill();
  append(s, b2.e, 1);
  append(s, drifted.e, 2);
  append(s, a.e, 3);
  ldr_spill_close(s);
  CHECK_INT(ldr_backlog_init(&b, 10, 10, path, &err), LDR_OK);
  CHECK_INT(ldr_backlog_know(&b, a.schema, &err), LDR_OK);
  CHECK_INT(ldr_backlog_know(&b, now.schema, &err), LDR_OK);
  CHECK_INT(ldr_backlog_take(&b, &odd, &err), LDR_OK);
  CHECK_INT(odd.code, LDR_DRIFT);
  CHECK_INT(b.held, 1);
  ldr_backlog_settle(&b, 1);
  CHECK_STR(hand(&b), "");
  CHECK(ldr_backlog_passed(&b, 0));
  CHECK(!ldr_backlog_unread(&b));
  CHECK_INT(ldr_backlog_filed(&b), 2);
  CHECK_INT(ldr_backlog_know(&b, b2.schema, &err), LDR_OK);
  CHECK(ldr_backlog_unread(&b));
  CHECK_STR(hand(&b), "1 ");
  CHECK_STR(hand(&b), "");
  CHECK_INT(ldr_backlog_filed(&b), 1);
  ldr_backlog_free(&b);
  s = open_spill();
  CHECK_STR(numbers(s, drifted.e), "2 ");
  ldr_spill_close(s);
  ldr_schema_release(a.schema);
  ldr_schema_release(b2.schema);
  ldr_schema_release(drifted.schema);
  ldr_schema_release(now.schema);
  remove_dir();
}

static bool out_of_memory(void) {
  events d = {0};
  ldr_backlog b = {0};
  ldr_err odd, err;
  ldr_value v[2] = {ldr_text("e", 1), ldr_int(1)};
  ldr_row *row = NULL;
  size_t lost = 0;
  bool done = false;
  if (declare("app", "events", NULL, &d, &err) != LDR_OK) return false;
  if (ldr_backlog_init(&b, 4, 4, path, &err) == LDR_OK && ldr_backlog_know(&b, d.schema, &err) == LDR_OK &&
      ldr_row_pack(d.e, v, &row, &err) == LDR_OK && ldr_backlog_file(&b, d.e, row, &err) == LDR_OK &&
      ldr_backlog_take(&b, &odd, &err) == LDR_OK && b.held > 0) {
    ldr_backlog_add(&b, d.e, ldr_row_retain(row), 0);
    done = ldr_backlog_save(&b, &lost) == 1;
  }
  ldr_row_release(row);
  ldr_backlog_free(&b);
  ldr_schema_release(d.schema);
  unlink(path);
  return done;
}

TEST(memory_runs_out) {
  make_dir();
  test_oom("backlog", out_of_memory);
  remove_dir();
}

void test_spill(void);
void test_spill(void) {
  RUN(every_type_comes_back);
  RUN(a_torn_record_at_the_end_is_cut_off);
  RUN(a_damaged_record_is_passed_over);
  RUN(records_are_done_one_by_one);
  RUN(a_file_belongs_to_one_process);
  RUN(a_file_that_cannot_be_had_is_an_error);
  RUN(a_record_is_read_by_a_later_declaration);
  RUN(rows_leave_in_the_order_they_came);
  RUN(saved_rows_keep_their_order);
  RUN(what_is_not_understood_stays_in_the_file);
  RUN(memory_runs_out);
}

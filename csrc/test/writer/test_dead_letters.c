/* Dead letters: in files that processes share, and in memory. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/events.h"
#include "support/spillfix.h"
#include "support/test.h"
#include "writer/dead_letters.h"

static char dir[64], path[80];

static void make_dir(void) {
  snprintf(dir, sizeof dir, "/tmp/ldr_letters.XXXXXX");
  CHECK(mkdtemp(dir) != NULL);
  snprintf(path, sizeof path, "%s/rows", dir);
}

typedef struct lfix {
  events d;
  ldr_spool *spool;
  ldr_letters l;
  char first[128], last[128], text[2000]; /* ids; "1 2 3 " */
} lfix;

static void begin(lfix *x, bool files, uint64_t max) {
  ldr_err err;
  *x = (lfix){.d = events_of("app", NULL)};
  if (files) CHECK_INT(ldr_spool_open(path, &x->spool, &err), LDR_OK);
  ldr_letters_init(&x->l, x->spool, max);
}

static void finish(lfix *x) {
  ldr_letters_free(&x->l);
  ldr_spool_close(x->spool);
  ldr_schema_release(x->d.schema);
}

static void record(const lfix *x, int n, ldr_buf *b) {
  ldr_row *row = event_row(x->d.e, n);
  ldr_err why;
  ldr_fail(&why, LDR_CHECK, "refused");
  ldr_record_put(b, x->d.e, row, (uint64_t)n, n, &why, n);
  ldr_row_release(row);
}

static ldr_code store(lfix *x, int from, int to) {
  ldr_err err;
  ldr_code code = LDR_OK;
  for (int i = from; i <= to && code == LDR_OK; i++) {
    ldr_buf b = {0};
    record(x, i, &b);
    code = ldr_letters_add(&x->l, &b, &err);
    ldr_buf_free(&b);
  }
  return code ? code : ldr_letters_commit(&x->l, &err);
}

static void keep(lfix *x, int n) {
  ldr_buf b = {0};
  record(x, n, &b);
  ldr_letters_keep(&x->l, &b);
  ldr_buf_free(&b);
}

static void each(void *ud, const char *id, const ldr_record *r) {
  lfix *x = ud;
  if (*x->first == '\0') snprintf(x->first, sizeof x->first, "%s", id);
  snprintf(x->last, sizeof x->last, "%s", id);
  if (strlen(x->text) < sizeof x->text - 20)
    snprintf(x->text + strlen(x->text), sizeof x->text - strlen(x->text), "%d ", (int)r->number);
}

static const char *list(lfix *x, const char *after, size_t max) {
  ldr_err err;
  size_t n;
  char from[128];
  snprintf(from, sizeof from, "%s", after ? after : "");
  *x->first = *x->text = '\0';
  CHECK_INT(ldr_letters_page(&x->l, after ? from : NULL, max, each, x, &n, &err), LDR_OK);
  return x->text;
}

static const ldr_entity *entity(void *ud, const ldr_record *r) {
  (void)r;
  return ((lfix *)ud)->d.e;
}

TEST(letters_are_listed_and_discarded) {
  lfix x, other;
  ldr_err err;
  char id[128];
  make_dir();
  begin(&x, true, 1 << 20);
  CHECK_STR(list(&x, NULL, 10), "");
  CHECK_INT(store(&x, 1, 3), LDR_OK);
  CHECK_INT(store(&x, 4, 5), LDR_OK);
  keep(&x, 6);
  CHECK_INT(spill_files(path, ".rows"), 2);
  CHECK_INT(spill_files(path, ".part"), 0);
  CHECK_STR(list(&x, NULL, 10), "1 2 3 4 5 6 ");
  CHECK_STR(list(&x, NULL, 2), "1 2 ");
  CHECK_STR(list(&x, x.last, 2), "3 4 ");
  CHECK_STR(list(&x, x.last, 2), "5 6 ");
  CHECK_STR(list(&x, x.last, 2), "");
  begin(&other, true, 1 << 20); /* another process sees those in files */
  CHECK_STR(list(&other, NULL, 10), "1 2 3 4 5 ");
  snprintf(id, sizeof id, "%s", other.first);
  CHECK_INT(ldr_letters_discard(&other.l, id, &err), LDR_OK);
  CHECK_INT(ldr_letters_discard(&other.l, id, &err), LDR_NOT_FOUND);
  CHECK_STR(list(&x, NULL, 10), "2 3 4 5 6 ");
  for (int i = 0; i < 5; i++) {
    CHECK(*list(&x, NULL, 1) != '\0');
    CHECK_INT(ldr_letters_discard(&x.l, x.first, &err), LDR_OK);
  }
  CHECK_STR(list(&x, NULL, 10), "");
  CHECK_INT(spill_files(path, ".rows"), 0);
  CHECK_INT(ldr_letters_discard(&x.l, "dead.../../etc/passwd.rows:24", &err), LDR_NOT_FOUND);
  CHECK_INT(ldr_letters_discard(&x.l, "", &err), LDR_INVALID);
  CHECK_INT(ldr_letters_discard(&x.l, "dead.x:y", &err), LDR_INVALID);
  finish(&other);
  finish(&x);
  spill_remove(dir);
}

TEST(a_letter_is_taken_and_stays_until_it_is_done) {
  lfix x;
  ldr_err err;
  const ldr_entity *e;
  ldr_segment *from, *again;
  ldr_row *row = NULL;
  uint64_t at;
  make_dir();
  for (int files = 0; files < 2; files++) {
    begin(&x, files, 1 << 20);
    if (files)
      CHECK_INT(store(&x, 1, 1), LDR_OK);
    else
      keep(&x, 1);
    list(&x, NULL, 1);
    CHECK_INT(ldr_letters_take(&x.l, x.first, entity, &x, &e, &row, &from, &at, &err), LDR_OK);
    ldr_row_release(row);
    CHECK_INT(ldr_letters_take(&x.l, x.first, entity, &x, &e, &row, &again, &at, &err), LDR_OK);
    ldr_row_release(row);
    CHECK(from == again && from->letter);
    ldr_letters_done(&x.l, again, at, false);
    CHECK_STR(list(&x, NULL, 9), "1 ");
    ldr_letters_done(&x.l, from, at, true);
    CHECK_STR(list(&x, NULL, 9), "");
    CHECK_INT(ldr_letters_take(&x.l, x.last, entity, &x, &e, &row, &from, &at, &err), LDR_NOT_FOUND);
    finish(&x);
  }
  spill_remove(dir);
}

TEST(there_is_a_limit) {
  lfix x;
  make_dir();
  begin(&x, true, 100);
  CHECK_INT(store(&x, 1, 1), LDR_OK);
  CHECK_INT(store(&x, 2, 2), LDR_CAPACITY);
  CHECK_INT(spill_files(path, ".part"), 0);
  for (int i = 0; i < LDR_LETTERS_KEPT + 5; i++) keep(&x, 10 + i);
  CHECK_INT(ldr_letters_lost(&x.l), 5);
  CHECK_INT(x.l.kept, LDR_LETTERS_KEPT);
  list(&x, NULL, 2);
  CHECK_STR(x.text, "1 15 "); /* the oldest went */
  finish(&x);
  spill_remove(dir);
}

static bool out_of_memory(void) {
  lfix x = {0};
  ldr_err err;
  ldr_buf b = {0};
  ldr_row *row = NULL;
  const ldr_entity *e;
  ldr_segment *from;
  ldr_value v[2] = {ldr_text("e", 1), ldr_int(1)};
  uint64_t at;
  size_t n;
  bool done = false;
  if (events_declare("app", "events", NULL, &x.d, &err) != LDR_OK) return false;
  if (ldr_spool_open(path, &x.spool, &err) == LDR_OK) {
    ldr_letters_init(&x.l, x.spool, 1 << 20);
    ldr_fail(&err, LDR_CHECK, "refused");
    if (ldr_row_pack(x.d.e, v, &row, &err) == LDR_OK) {
      ldr_record_put(&b, x.d.e, row, 1, 1, &err, 1);
      ldr_row_release(row);
      done = ldr_letters_add(&x.l, &b, &err) == LDR_OK && ldr_letters_commit(&x.l, &err) == LDR_OK &&
             ldr_letters_page(&x.l, NULL, 1, each, &x, &n, &err) == LDR_OK && n == 1 &&
             ldr_letters_take(&x.l, x.first, entity, &x, &e, &row, &from, &at, &err) == LDR_OK;
      if (done) {
        ldr_row_release(row);
        ldr_letters_done(&x.l, from, at, true);
      }
    }
    ldr_letters_free(&x.l);
  }
  ldr_buf_free(&b);
  ldr_spool_close(x.spool);
  ldr_schema_release(x.d.schema);
  spill_remove(path);
  return done;
}

TEST(memory_runs_out) {
  make_dir();
  test_oom("dead letters", out_of_memory);
  spill_remove(dir);
}

void test_dead_letters(void);
void test_dead_letters(void) {
  RUN(letters_are_listed_and_discarded);
  RUN(a_letter_is_taken_and_stays_until_it_is_done);
  RUN(there_is_a_limit);
  RUN(memory_runs_out);
}

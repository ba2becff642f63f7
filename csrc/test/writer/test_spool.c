/* The spill directory, which processes share. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/events.h"
#include "support/spillfix.h"
#include "support/test.h"
#include "writer/spool.h"

static char dir[64], path[80];

static void make_dir(void) {
  snprintf(dir, sizeof dir, "/tmp/ldr_spool.XXXXXX");
  CHECK(mkdtemp(dir) != NULL);
  snprintf(path, sizeof path, "%s/rows", dir);
}

static ldr_spool *open_spool(void) {
  ldr_spool *s = NULL;
  ldr_err err;
  ldr_code code = ldr_spool_open(path, &s, &err);
  if (code) printf("    %s\n", err.message);
  CHECK_INT(code, LDR_OK);
  return s;
}

static void put(ldr_spool *s, const char *family, uint64_t number) {
  ldr_segment *segment = NULL;
  ldr_err err;
  CHECK_INT(ldr_spool_segment(s, family, "events", number, &segment, &err), LDR_OK);
  CHECK_INT(ldr_segment_write(segment, &err), LDR_OK);
  ldr_segment_free(segment);
}

typedef struct swept {
  const char *family; /* known */
  char text[400];     /* what was found: "number " */
} swept;

static bool knows(void *ud, const char *family) { return strcmp(((swept *)ud)->family, family) == 0; }

static void found(void *ud, const char *name, const ldr_segment_name *parts) {
  swept *x = ud;
  ldr_segment_name again;
  CHECK(ldr_segment_name_parse(name, &again));
  CHECK_STR(again.family, parts->family);
  snprintf(x->text + strlen(x->text), sizeof x->text - strlen(x->text), "%d ", (int)parts->number);
}

static const char *sweep(ldr_spool *s, const char *family, size_t *unclaimed) {
  static swept x;
  ldr_sweep sw = {&x, knows, found, 0};
  ldr_err err;
  x = (swept){.family = family};
  CHECK_INT(ldr_spool_sweep(s, &sw, &err), LDR_OK);
  *unclaimed = sw.unclaimed;
  return x.text;
}

TEST(names_are_parsed) {
  ldr_segment_name n;
  CHECK(ldr_segment_name_parse("0123456789abcdef.app.events.00000000000000ff.rows", &n));
  CHECK_STR(n.owner, "0123456789abcdef");
  CHECK_STR(n.family, "app");
  CHECK_STR(n.store, "events");
  CHECK_INT(n.number, 255);
  CHECK(!ldr_segment_name_parse("0123456789abcdef.lock", &n));
  CHECK(!ldr_segment_name_parse("0123456789abcdef.app.events.ff.rows", &n));
  CHECK(!ldr_segment_name_parse("dead.0123456789abcdef.0123456789abcdef.0.rows", &n));
  CHECK(!ldr_segment_name_parse("0123456789abcdeX.app.events.00000000000000ff.rows", &n));
  CHECK(!ldr_segment_name_parse("", &n));
}

/* FT-w3: several processes with one directory. */
TEST(rows_belong_to_one_process) {
  ldr_spool *one, *two, *three;
  struct stat st;
  size_t unclaimed;
  make_dir();
  one = open_spool();
  two = open_spool();
  CHECK(strcmp(one->owner->name, two->owner->name) != 0);
  CHECK(memcmp(one->key, two->key, sizeof one->key) == 0);
  put(one, "app", 1);
  put(two, "app", 2);
  put(two, "app", 3);
  put(two, "zoo", 4);
  CHECK_INT(stat(path, &st), 0);
  CHECK_INT(st.st_mode & 0777, 0700);
  CHECK_INT(stat(spill_file(path, ".rows", 0), &st), 0);
  CHECK_INT(st.st_mode & 0777, 0600);
  CHECK_INT(stat(spill_file(path, "key", 0), &st), 0);
  CHECK_INT(st.st_mode & 0777, 0600);
  CHECK_STR(sweep(one, "app", &unclaimed), ""); /* both are alive */
  ldr_spool_close(two);
  CHECK_STR(sweep(one, "app", &unclaimed), "2 3 ");
  CHECK_INT(unclaimed, 1);
  CHECK_STR(sweep(one, "app", &unclaimed), ""); /* they are ours now */
  three = open_spool();
  CHECK_STR(sweep(three, "zoo", &unclaimed), "4 "); /* the first has not kept what it does not know */
  CHECK_INT(unclaimed, 3);                          /* app is not known there */
  ldr_spool_close(three);
  ldr_spool_close(one);
  CHECK_INT(spill_files(path, ".rows"), 4);
  CHECK_INT(spill_files(path, ".lock"), 2);
  spill_remove(dir);
}

TEST(nothing_is_left_of_those_that_left_nothing) {
  ldr_spool *one, *two;
  size_t unclaimed;
  make_dir();
  one = open_spool();
  two = open_spool();
  ldr_spool_close(two);
  CHECK_INT(spill_files(path, ".lock"), 1);
  if (fork() == 0) { /* one that is killed: its lock file stays until somebody looks */
    (void)open_spool();
    raise(SIGKILL);
  }
  wait(NULL);
  CHECK_INT(spill_files(path, ".lock"), 2);
  CHECK_STR(sweep(one, "app", &unclaimed), "");
  CHECK_INT(spill_files(path, ".lock"), 1);
  ldr_spool_close(one);
  CHECK_INT(spill_files(path, ".lock"), 0);
  spill_remove(dir);
}

/* FT-w15: a process is killed while a child that it forked, and that never touches larder, lives on. */
TEST(a_child_keeps_no_lock_of_its_parent) {
  int ready[2], stay[2];
  char byte = 0;
  size_t unclaimed;
  ldr_spool *s;
  pid_t parent;
  make_dir();
  CHECK(pipe(ready) == 0 && pipe(stay) == 0);
  parent = fork();
  if (parent == 0) {
    s = open_spool();
    put(s, "app", 7);
    if (fork() == 0) { /* holds every descriptor of its parent's until the test ends */
      close(stay[1]);
      (void)!write(ready[1], "!", 1);
      (void)!read(stay[0], &byte, 1);
      _exit(0);
    }
    (void)!read(stay[0], &byte, 1);
    _exit(0);
  }
  CHECK_INT(read(ready[0], &byte, 1), 1);
  s = open_spool();
  CHECK_STR(sweep(s, "app", &unclaimed), "");
  kill(parent, SIGKILL);
  CHECK_INT(waitpid(parent, NULL, 0), parent);
  CHECK_STR(sweep(s, "app", &unclaimed), "7 ");
  ldr_spool_close(s);
  close(stay[1]);
  close(stay[0]);
  close(ready[0]);
  close(ready[1]);
  spill_remove(dir);
}

/* … and a child that closes what it inherited takes no lock from its parent. */
TEST(a_child_gives_up_no_lock_of_its_parent) {
  size_t unclaimed;
  ldr_spool *one, *two;
  int status = -1;
  pid_t pid;
  make_dir();
  one = open_spool();
  put(one, "app", 7);
  pid = fork();
  if (pid == 0) {
    ldr_spool_close(one);
    two = open_spool();
    _exit(strcmp(sweep(two, "app", &unclaimed), "") == 0 ? 0 : 1);
  }
  CHECK_INT(waitpid(pid, &status, 0), pid);
  CHECK_INT(status, 0);
  two = open_spool();
  CHECK_STR(sweep(two, "app", &unclaimed), "");
  ldr_spool_close(two);
  ldr_spool_close(one);
  spill_remove(dir);
}

static void put_text(const char *name, const char *text) {
  FILE *f = fopen(name, "wb");
  CHECK(f && fwrite(text, 1, strlen(text), f) == strlen(text) && fclose(f) == 0);
}

TEST(files_of_the_old_format_are_refused) {
  ldr_spool *s = NULL;
  ldr_err err;
  char second[100];
  make_dir();
  put_text(path, "LDR1\1...");
  CHECK_INT(ldr_spool_open(path, &s, &err), LDR_INVALID);
  CHECK(strstr(err.message, path) && strstr(err.message, "earlier format"));
  put_text(path, "something else");
  CHECK_INT(ldr_spool_open(path, &s, &err), LDR_INVALID);
  CHECK(strstr(err.message, path) != NULL);
  CHECK_INT(unlink(path), 0);
  snprintf(second, sizeof second, "%s.1", path);
  put_text(second, "LDR1\1...");
  CHECK_INT(ldr_spool_open(path, &s, &err), LDR_INVALID);
  CHECK(strstr(err.message, second) != NULL);
  CHECK_INT(unlink(second), 0);
  put_text(path, ""); /* what an earlier release leaves when all is written */
  s = open_spool();
  ldr_spool_close(s);
  spill_remove(dir);
}

TEST(a_directory_that_cannot_be_had_is_an_error) {
  ldr_spool *s = NULL;
  ldr_err err;
  CHECK_INT(ldr_spool_open("/nonexistent/rows", &s, &err), LDR_INVALID);
  make_dir();
  CHECK_INT(symlink("/tmp", path), 0);
  CHECK(ldr_spool_open(path, &s, &err) != LDR_OK);
  CHECK(s == NULL);
  CHECK_INT(unlink(path), 0);
  CHECK(mkdir(path, 0700) == 0 && chmod(path, 0777) == 0);
  CHECK_INT(ldr_spool_open(path, &s, &err), LDR_INVALID);
  CHECK(strstr(err.message, "other users") != NULL);
  spill_remove(dir);
}

static bool out_of_memory(void) {
  ldr_spool *s = NULL;
  ldr_names names;
  ldr_err err;
  bool done = ldr_spool_open(path, &s, &err) == LDR_OK && ldr_spool_names(s, "", "", &names, &err) == LDR_OK;
  if (done) ldr_names_free(&names);
  ldr_spool_close(s);
  return done;
}

TEST(memory_runs_out) {
  make_dir();
  test_oom("spool", out_of_memory);
  spill_remove(dir);
}

void test_spool(void);
void test_spool(void) {
  RUN(names_are_parsed);
  RUN(rows_belong_to_one_process);
  RUN(nothing_is_left_of_those_that_left_nothing);
  RUN(a_child_keeps_no_lock_of_its_parent);
  RUN(a_child_gives_up_no_lock_of_its_parent);
  RUN(files_of_the_old_format_are_refused);
  RUN(a_directory_that_cannot_be_had_is_an_error);
  RUN(memory_runs_out);
}

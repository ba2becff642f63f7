/* Runs every test module, or those named on the command line. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "support/test.h"

#define T(module) void test_##module(void);
#include "support/test_list.h"
#undef T

static const struct {
  const char *name;
  void (*run)(void);
} modules[] = {
#define T(module) {#module, test_##module},
#include "support/test_list.h"
#undef T
};

static int passed, failed, faults; /* faults: of the test that runs now */

static void fault(const char *file, int line) {
  faults++;
  printf("    %s:%d: ", file, line);
}

void test_check(bool ok, const char *file, int line, const char *text) {
  if (ok) return;
  fault(file, line);
  printf("not true: %s\n", text);
}

void test_check_int(long long got, long long want, const char *file, int line, const char *text) {
  if (got == want) return;
  fault(file, line);
  printf("%s is %lld, not %lld\n", text, got, want);
}

void test_check_str(const char *got, const char *want, const char *file, int line, const char *text) {
  if (got && want ? strcmp(got, want) == 0 : got == want) return;
  fault(file, line);
  printf("%s is\n      %s\n    not\n      %s\n", text, got ? got : "(null)", want ? want : "(null)");
}

void test_run(const char *name, void (*fn)(void)) {
  size_t before = ldr_mem_live();
  faults = 0;
  fn();
  ldr_mem_fail_at(0);
  test_check_int((long long)ldr_mem_live(), (long long)before, name, 0, "live blocks");
  printf("%s %s\n", faults ? "not ok" : "ok", name);
  if (faults)
    failed++;
  else
    passed++;
  fflush(stdout);
}

void test_oom(const char *name, bool (*fn)(void)) {
  size_t before = ldr_mem_live();
  for (long n = 1; n < 100000; n++) {
    bool done;
    ldr_mem_fail_at(n);
    done = fn();
    test_check_int((long long)ldr_mem_live(), (long long)before, name, (int)n, "live blocks");
    if (!ldr_mem_failed()) { /* fewer than n allocations: every one of them has failed once */
      ldr_mem_fail_at(0);
      test_check(done, name, (int)n, "succeeds with enough memory");
      return;
    }
  }
  test_check(false, name, 0, "ends");
}

int test_dial(const char *path) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&name, sizeof name) == 0) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

static bool wanted(const char *name, int argc, char **argv) {
  for (int i = 1; i < argc; i++)
    if (strcmp(argv[i], name) == 0) return true;
  return argc == 1;
}

static bool known(const char *name) {
  for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
    if (strcmp(name, modules[i].name) == 0) return true;
  return false;
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++)
    if (!known(argv[i])) {
      fprintf(stderr, "no module of tests is called %s; csrc/test/support/test_list.h lists them\n", argv[i]);
      return EXIT_FAILURE;
    }
  for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
    if (!wanted(modules[i].name, argc, argv)) continue;
    printf("# %s\n", modules[i].name);
    modules[i].run();
  }
  printf("%d passed, %d failed\n", passed, failed);
  return failed || passed == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

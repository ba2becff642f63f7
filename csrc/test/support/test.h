/* A tiny test helper. A test file defines TEST(name) functions and one `void test_<module>(void)` that RUNs
 * them; test_list.h names each module once. */
#ifndef LDR_TEST_TEST_H
#define LDR_TEST_TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define TEST(name) static void name(void)
#define RUN(name)  test_run(#name, name)

void test_run(const char *name, void (*fn)(void));
void test_check(bool ok, const char *file, int line, const char *text);
void test_check_int(long long got, long long want, const char *file, int line, const char *text);
void test_check_str(const char *got, const char *want, const char *file, int line, const char *text);

#define CHECK(cond)          test_check((cond), __FILE__, __LINE__, #cond)
#define CHECK_INT(got, want) test_check_int((long long)(got), (long long)(want), __FILE__, __LINE__, #got)
#define CHECK_STR(got, want) test_check_str((got), (want), __FILE__, __LINE__, #got)

/* Runs fn with the 1st, 2nd, 3rd … allocation failing until it succeeds; after each, no block may be left. fn
 * returns true when it did its whole work, false when it was told that memory is short. */
void test_oom(const char *name, bool (*fn)(void));

int test_dial(const char *path); /* a connection to this unix socket; -1: refused */

#endif

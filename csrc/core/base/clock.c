#define _POSIX_C_SOURCE 200809L
#include "base/clock.h"

#include <limits.h>
#include <time.h>

static int64_t now(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t ldr_now_mono(void) { return now(CLOCK_MONOTONIC); }
int64_t ldr_now_wall(void) { return now(CLOCK_REALTIME); }

int64_t ldr_deadline(double seconds) {
  if (!(seconds >= 0) || seconds > 1e12) return LDR_NEVER;
  return ldr_now_mono() + (int64_t)(seconds * 1e6);
}

int ldr_millis_left(int64_t deadline) {
  int64_t left;
  if (deadline == LDR_NEVER) return -1;
  left = deadline - ldr_now_mono();
  if (left <= 0) return 0;
  left = (left + 999) / 1000;
  return left > INT_MAX ? INT_MAX : (int)left;
}

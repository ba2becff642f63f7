/* Preloaded where instructions are counted: the clock in seconds stands still. Lua 5.4 seeds the hash of its
 * strings with it, so that runs of one build would differ by up to 1.5 %. */
#include <time.h>

time_t time(time_t *now) {
  const time_t fixed = 1700000000;
  if (now) *now = fixed;
  return fixed;
}

/* "Did you mean …?": which of several names a mistyped one stands for. */
#ifndef LDR_BASE_NEAREST_H
#define LDR_BASE_NEAREST_H

#include <stddef.h>

typedef struct ldr_nearest {
  const char *name; /* borrowed, as best is */
  const char *best; /* NULL: no name is near enough */
  unsigned cost;
} ldr_nearest;

void ldr_nearest_begin(ldr_nearest *n, const char *name);
/* Letters left out, put in, exchanged or swapped count one each; one in three may be wrong, two at most. */
void ldr_nearest_try(ldr_nearest *n, const char *candidate);

#endif

/* A directory of migration files for one test. */
#ifndef LDR_TEST_DIRFIX_H
#define LDR_TEST_DIRFIX_H

typedef struct dirfix {
  char path[64];
} dirfix;

void dir_make(dirfix *d);
void dir_write(const dirfix *d, const char *name, const char *text);
void dir_remove(const dirfix *d); /* with everything in it */

#endif

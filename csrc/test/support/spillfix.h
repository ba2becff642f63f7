/* Spill directories of tests. */
#ifndef LDR_TEST_SPILLFIX_H
#define LDR_TEST_SPILLFIX_H

void spill_remove(const char *path);                        /* a directory with all that is in it */
unsigned spill_files(const char *path, const char *suffix); /* how many names end so */
/* The path of the n-th such file in the order of names; NULL: there is none. Until the next call. */
const char *spill_file(const char *path, const char *suffix, unsigned n);

#endif

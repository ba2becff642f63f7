#define _XOPEN_SOURCE 700
#include "support/spillfix.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
  (void)st, (void)type, (void)ftw;
  return remove(path);
}

void spill_remove(const char *path) { nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS); }

static int ends(const char *name, const char *suffix) {
  size_t n = strlen(name), m = strlen(suffix);
  return n >= m && strcmp(name + n - m, suffix) == 0;
}

unsigned spill_files(const char *path, const char *suffix) {
  struct dirent **names = NULL;
  int n = scandir(path, &names, NULL, alphasort);
  unsigned found = 0;
  for (int i = 0; i < n; i++) {
    found += (unsigned)ends(names[i]->d_name, suffix);
    free(names[i]);
  }
  free(names);
  return found;
}

const char *spill_file(const char *path, const char *suffix, unsigned at) {
  static char text[512];
  struct dirent **names = NULL;
  int n = scandir(path, &names, NULL, alphasort);
  const char *found = NULL;
  for (int i = 0; i < n; i++) {
    if (ends(names[i]->d_name, suffix) && found == NULL && at-- == 0) {
      snprintf(text, sizeof text, "%s/%s", path, names[i]->d_name);
      found = text;
    }
    free(names[i]);
  }
  free(names);
  return found;
}

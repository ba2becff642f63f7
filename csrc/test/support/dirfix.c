#define _GNU_SOURCE
#include "support/dirfix.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/test.h"

void dir_make(dirfix *d) {
  snprintf(d->path, sizeof d->path, "/tmp/larder_migrations_XXXXXX");
  CHECK(mkdtemp(d->path) != NULL);
}

void dir_write(const dirfix *d, const char *name, const char *text) {
  char path[512];
  FILE *f;
  snprintf(path, sizeof path, "%s/%s", d->path, name);
  f = fopen(path, "wbe");
  CHECK(f != NULL);
  if (f == NULL) return;
  CHECK(fwrite(text, 1, strlen(text), f) == strlen(text));
  fclose(f);
}

void dir_remove(const dirfix *d) {
  DIR *dir = opendir(d->path);
  char path[512];
  for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
    if (e->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", d->path, e->d_name);
    unlink(path);
  }
  if (dir) closedir(dir);
  rmdir(d->path);
}

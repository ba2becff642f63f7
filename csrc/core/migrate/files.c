#define _GNU_SOURCE
#include "migrate/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "crypto/secret.h"

enum { DIGITS_MAX = 18, FILE_MAX = 64 << 20 };

static const char how_to_name[] =
    "name it NNNNNN_name.up.sql with NNNNNN_name.down.sql, NNNNNN_name.lua, or NNNNNN_name.sql with "
    "`-- migrate:up` in it";

/* What to do about it, by its reason. */
static const char *how_to_mend(const char *reason) {
  static const struct {
    const char *reason, *hint;
  } hints[] = {{"name", how_to_name},
               {"bom", "save it as UTF-8 without a byte order mark"},
               {"encoding", "save it as UTF-8"},
               {"empty", "write it, or take it away"},
               {"orphan", "write the way up under the same version and name, or take the way down away"},
               {"unreadable", "make it a file that can be read, or take it away"}};
  for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
    if (strcmp(hints[i].reason, reason) == 0) return hints[i].hint;
  return "";
}

static ldr_code fault(ldr_err *err, const char *file, const char *reason, const char *what) {
  ldr_fail(err, LDR_INVALID, "%s %s", file, what);
  ldr_err_set(err->hint, sizeof err->hint, how_to_mend(reason));
  ldr_err_reason(err, reason);
  return ldr_err_at(err, file, 0, 0);
}

/* ---- one file ---- */

typedef enum way { WAY_UP, WAY_DOWN, WAY_BOTH, WAY_LUA } way;

typedef struct entry { /* what a file's name says */
  const char *file;
  int64_t version;
  const char *name;
  way way;
} entry;

static bool ends(const char *s, const char *end, size_t *rest) {
  size_t n = strlen(s), e = strlen(end);
  if (n < e || strcmp(s + n - e, end) != 0) return false;
  *rest = n - e;
  return true;
}

static bool plain_name(const char *s, size_t n) {
  for (size_t i = 0; i < n; i++) {
    char c = s[i];
    bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                c == '-' || (c == '.' && i > 0);
    if (!fine) return false;
  }
  return n > 0;
}

static ldr_code parse_name(ldr_arena *a, const char *file, entry *out, ldr_err *err) {
  size_t stem = 0, digits = 0;
  if (ends(file, ".up.sql", &stem))
    out->way = WAY_UP;
  else if (ends(file, ".down.sql", &stem))
    out->way = WAY_DOWN;
  else if (ends(file, ".lua", &stem))
    out->way = WAY_LUA;
  else if (ends(file, ".sql", &stem))
    out->way = WAY_BOTH;
  while (digits < stem && file[digits] >= '0' && file[digits] <= '9') digits++;
  if (digits == 0 || digits > DIGITS_MAX || stem < digits + 2 || file[digits] != '_' ||
      !plain_name(file + digits + 1, stem - digits - 1))
    return fault(err, file, "name", "is not named like a migration");
  out->version = strtoll(file, NULL, 10);
  out->file = ldr_arena_copy(a, file, strlen(file));
  out->name = ldr_arena_copy(a, file + digits + 1, stem - digits - 1);
  return out->file && out->name ? LDR_OK : ldr_fail_nomem(err);
}

static ldr_code read_file(ldr_arena *a, const char *dir, const char *file, char **text, size_t *n,
                          ldr_err *err) {
  ldr_buf path = {0}, data = {0};
  FILE *f;
  ldr_code code = LDR_OK;
  ldr_buf_fmt(&path, "%s/%s", dir, file);
  f = ldr_buf_cstr(&path) ? fopen(path.p, "rbe") : NULL;
  if (f == NULL) {
    code = path.broken ? ldr_fail_nomem(err) : fault(err, file, "unreadable", strerror(errno));
  } else {
    errno = 0;
    while (ldr_buf_reserve(&data, 65536) && data.n < FILE_MAX) {
      size_t got = fread(data.p + data.n, 1, 65536, f);
      if (got == 0) break;
      data.n += got;
    }
    if (ferror(f))
      code = fault(err, file, "unreadable", errno == EISDIR ? "is a directory" : "cannot be read to its end");
    if (code == LDR_OK && data.n >= FILE_MAX) code = fault(err, file, "unreadable", "is larger than 64 MiB");
    fclose(f);
  }
  if (code == LDR_OK) {
    *n = data.n;
    *text = ldr_buf_copy(&data, a);
    if (*text == NULL) code = ldr_fail_nomem(err);
  }
  ldr_buf_free(&data);
  ldr_buf_free(&path);
  return code;
}

static ldr_code check_bytes(const char *file, const char *text, size_t n, ldr_err *err) {
  if (n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
    return fault(err, file, "bom", "begins with a byte order mark");
  if (memchr(text, '\0', n)) return fault(err, file, "encoding", "contains a zero byte");
  if (ldr_utf8_check(text, n) != n) return fault(err, file, "encoding", "is not valid UTF-8");
  if (strspn(text, " \t\r\n\f\v") == n) return fault(err, file, "empty", "is empty");
  return LDR_OK;
}

ldr_code ldr_migration_digest(const char *p, size_t n, char out[LDR_MIGRATION_CHECKSUM + 1], ldr_err *err) {
  unsigned char hash[32];
  ldr_buf hex = {0};
  ldr_code code = LDR_OK;
  ldr_blake2b(hash, sizeof hash, p, n, NULL, 0);
  ldr_hex_add(&hex, hash, sizeof hash);
  if (ldr_buf_cstr(&hex))
    memcpy(out, hex.p, LDR_MIGRATION_CHECKSUM + 1);
  else
    code = ldr_fail_nomem(err);
  ldr_buf_free(&hex);
  return code;
}

/* A CR before a LF does not count, so that a checkout's line ends do not look like an edit. */
static ldr_code checksum(const char *text, size_t n, char out[LDR_MIGRATION_CHECKSUM + 1], ldr_err *err) {
  ldr_buf plain = {0};
  ldr_code code;
  for (size_t i = 0; i < n; i++)
    if (!(text[i] == '\r' && i + 1 < n && text[i + 1] == '\n')) ldr_buf_chr(&plain, text[i]);
  code = plain.broken ? ldr_fail_nomem(err) : ldr_migration_digest(plain.p, plain.n, out, err);
  ldr_buf_free(&plain);
  return code;
}

/* ---- marks and sections ---- */

static const char *next_line(const char *p) {
  const char *lf = strchr(p, '\n');
  return lf ? lf + 1 : p + strlen(p);
}

/* What stands behind `prefix` on this line, without blanks at its ends; NULL: it begins differently. */
static const char *behind(const char *line, const char *prefix, size_t *n) {
  const char *end = line + strcspn(line, "\r\n");
  if (strncmp(line, "--", 2) != 0) return NULL;
  line += 2;
  while (*line == ' ' || *line == '\t') line++;
  if (strncmp(line, prefix, strlen(prefix)) != 0) return NULL;
  line += strlen(prefix);
  while (line < end && (*line == ' ' || *line == '\t')) line++;
  while (end > line && (end[-1] == ' ' || end[-1] == '\t')) end--;
  *n = (size_t)(end - line);
  return line;
}

static bool says(const char *mark, size_t n, const char *word) {
  return n == strlen(word) && memcmp(mark, word, n) == 0;
}

/* Comment lines at the top: `-- larder: …`. */
static ldr_code read_marks(ldr_migration *m, ldr_migration_text *t, ldr_err *err) {
  for (const char *line = t->sql; strncmp(line, "--", 2) == 0; line = next_line(line)) {
    size_t n;
    const char *mark = behind(line, "larder:", &n);
    if (mark == NULL) continue;
    if (says(mark, n, "no-transaction")) {
      t->no_transaction = true;
    } else if (says(mark, n, "only plain")) {
      m->only_plain = true;
    } else {
      ldr_fail(err, LDR_INVALID, "%s: unknown mark: -- larder: %.*s", t->file, (int)(n < 60 ? n : 60), mark);
      ldr_err_set(err->hint, sizeof err->hint, "marks are `no-transaction` and `only plain`");
      ldr_err_reason(err, "mark");
      return ldr_err_at(err, t->file, t->line, 0);
    }
  }
  return LDR_OK;
}

/* dbmate's layout: one file, two sections. */
static ldr_code read_sections(ldr_arena *a, ldr_migration *m, const char *file, const char *text,
                              ldr_err *err) {
  ldr_migration_text *now = NULL;
  unsigned number = 1;
  const char *from = text;
  for (const char *line = text;; line = next_line(line), number++) {
    size_t n = 0;
    const char *up = behind(line, "migrate:up", &n), *down = up ? NULL : behind(line, "migrate:down", &n);
    if (now && (up || down || *line == '\0')) {
      now->n = (size_t)(line - from);
      now->sql = ldr_arena_copy(a, from, now->n);
      if (now->sql == NULL) return ldr_fail_nomem(err);
    }
    if (*line == '\0') break;
    if (!up && !down) continue;
    now = up ? &m->up : &m->down;
    if (now->file) return fault(err, file, "section", "has two sections of one kind");
    *now = (ldr_migration_text){.file = file, .line = number + 1};
    now->no_transaction = says(up ? up : down, n, "transaction:false");
    from = next_line(line);
  }
  if (m->up.file) return LDR_OK;
  fault(err, file, "section", "has no line `-- migrate:up`");
  if (strstr(text, "+goose"))
    ldr_err_set(err->hint, sizeof err->hint,
                "it looks like goose's layout: split it into .up.sql and .down.sql");
  else
    ldr_err_set(err->hint, sizeof err->hint, how_to_name);
  return err->code;
}

/* ---- the directory ---- */

static ldr_migration *of_version(ldr_migrations *m, const entry *e) {
  for (size_t i = 0; i < m->n; i++)
    if (m->list[i].version == e->version) return &m->list[i];
  m->list[m->n] = (ldr_migration){.version = e->version, .name = e->name};
  return &m->list[m->n++];
}

static ldr_code twice(ldr_err *err, int64_t version, const char *a, const char *b) {
  ldr_fail(err, LDR_INVALID, "version %06lld stands in two files: %s and %s", (long long)version, a, b);
  ldr_err_set(err->hint, sizeof err->hint, "give the newer one a version of its own");
  ldr_err_reason(err, "duplicate");
  return ldr_err_at(err, b, 0, 0);
}

static ldr_code finish_text(ldr_migration *m, ldr_migration_text *t, ldr_err *err) {
  ldr_code code = read_marks(m, t, err);
  return code || m->lua ? code : ldr_migration_check(t, err);
}

static ldr_code add_up(ldr_migrations *all, const entry *e, char *text, size_t n, ldr_err *err) {
  ldr_migration *m = of_version(all, e);
  ldr_code code = LDR_OK;
  if (m->up.file) return twice(err, e->version, m->up.file, e->file);
  m->name = e->name;
  m->lua = e->way == WAY_LUA;
  if (e->way == WAY_BOTH)
    code = read_sections(&all->arena, m, e->file, text, err);
  else
    m->up = (ldr_migration_text){.file = e->file, .sql = text, .n = n, .line = 1};
  if (code == LDR_OK) code = checksum(text, n, m->checksum, err);
  if (code == LDR_OK) code = finish_text(m, &m->up, err);
  if (code == LDR_OK && e->way == WAY_BOTH && m->down.file) code = finish_text(m, &m->down, err);
  return code;
}

static ldr_code add_down(ldr_migrations *all, const entry *e, char *text, size_t n, ldr_err *err) {
  ldr_migration *m = of_version(all, e);
  if (m->down.file) return twice(err, e->version, m->down.file, e->file);
  m->down = (ldr_migration_text){.file = e->file, .sql = text, .n = n, .line = 1};
  if (m->up.file && strcmp(m->name, e->name) != 0)
    return fault(err, e->file, "orphan", "has no .up.sql file of its name");
  return finish_text(m, &m->down, err);
}

static ldr_code add(ldr_migrations *all, const char *dir, const char *file, ldr_err *err) {
  entry e;
  char *text;
  size_t n;
  ldr_code code = parse_name(&all->arena, file, &e, err);
  if (code == LDR_OK) code = read_file(&all->arena, dir, file, &text, &n, err);
  if (code == LDR_OK) code = check_bytes(file, text, n, err);
  if (code) return code;
  return e.way == WAY_DOWN ? add_down(all, &e, text, n, err) : add_up(all, &e, text, n, err);
}

/* Also .SQL: a file that is passed over without a word would be missing in the database. */
static int wanted(const struct dirent *d) {
  const char *dot = strrchr(d->d_name, '.');
  return d->d_name[0] != '.' && dot && (strcasecmp(dot, ".sql") == 0 || strcasecmp(dot, ".lua") == 0);
}

/* Names with .up first, so that a .down finds its partner. */
static int up_first(const struct dirent **a, const struct dirent **b) {
  size_t rest;
  int x = ends((*a)->d_name, ".down.sql", &rest), y = ends((*b)->d_name, ".down.sql", &rest);
  return x != y ? x - y : strcmp((*a)->d_name, (*b)->d_name);
}

static int by_version(const void *a, const void *b) {
  int64_t x = ((const ldr_migration *)a)->version, y = ((const ldr_migration *)b)->version;
  return (x > y) - (x < y);
}

static ldr_code add_all(ldr_migrations *m, const char *dir, struct dirent **names, int n, ldr_err *err) {
  ldr_code code = LDR_OK;
  m->list = ldr_arena_zalloc(&m->arena, sizeof *m->list * (size_t)(n ? n : 1));
  if (m->list == NULL) return ldr_fail_nomem(err);
  for (int i = 0; i < n && code == LDR_OK; i++) code = add(m, dir, names[i]->d_name, err);
  if (code) return code;
  for (size_t i = 0; i < m->n; i++)
    if (m->list[i].up.file == NULL) return fault(err, m->list[i].down.file, "orphan", "has no .up.sql file");
  qsort(m->list, m->n, sizeof *m->list, by_version);
  return LDR_OK;
}

ldr_code ldr_migrations_read(const char *dir, ldr_migrations **out, ldr_err *err) {
  ldr_migrations *m;
  struct dirent **names = NULL;
  int n = scandir(dir, &names, wanted, up_first);
  ldr_code code;
  if (n < 0) {
    ldr_fail(err, LDR_INVALID, "no migration directory: %s (%s)", dir, strerror(errno));
    return ldr_err_reason(err, "no_directory");
  }
  m = ldr_alloc(sizeof *m);
  code = m ? ldr_secret_init(err) : ldr_fail_nomem(err);
  if (code == LDR_OK) code = add_all(m, dir, names, n, err);
  for (int i = 0; i < n; i++) free(names[i]);
  free(names);
  if (code) {
    ldr_migrations_free(m);
    return code;
  }
  *out = m;
  return LDR_OK;
}

void ldr_migrations_free(ldr_migrations *m) {
  if (m == NULL) return;
  ldr_arena_free(&m->arena);
  ldr_free(m);
}

const ldr_migration *ldr_migrations_find(const ldr_migrations *m, int64_t version) {
  for (size_t i = 0; i < m->n; i++)
    if (m->list[i].version == version) return &m->list[i];
  return NULL;
}

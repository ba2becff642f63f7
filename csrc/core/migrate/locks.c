#include "migrate/locks.h"

#include <string.h>

#include "base/buf.h"
#include "sqltext/scan.h"

#define ACCESS_EXCLUSIVE       "ACCESS EXCLUSIVE"
#define SHARE                  "SHARE"
#define SHARE_ROW_EXCLUSIVE    "SHARE ROW EXCLUSIVE"
#define SHARE_UPDATE_EXCLUSIVE "SHARE UPDATE EXCLUSIVE"
#define ROW_EXCLUSIVE          "ROW EXCLUSIVE"

/* A statement's words in lower case with one blank between them and at both ends; what is in quotes is a '?',
 * but for names. So " set not null " is found wherever it stands, and never inside a text. */
static void words_of(const char *sql, size_t n, ldr_buf *out) {
  ldr_scanner s;
  ldr_token t;
  ldr_scan_init(&s, sql, n);
  ldr_buf_chr(out, ' ');
  while (ldr_scan_code(&s, &t) != LDR_TOKEN_END) {
    bool dot = ldr_token_symbol(&s, &t, '.');
    if (dot && out->n > 1) out->n--; /* a.b is one word */
    if (t.kind == LDR_TOKEN_STRING || t.kind == LDR_TOKEN_DOLLAR) {
      ldr_buf_chr(out, '?');
    } else {
      for (size_t i = 0; i < t.n; i++) {
        char c = sql[t.at + i];
        bool upper = t.kind == LDR_TOKEN_WORD && c >= 'A' && c <= 'Z';
        ldr_buf_chr(out, upper ? (char)(c + ('a' - 'A')) : c);
      }
    }
    if (!dot) ldr_buf_chr(out, ' ');
  }
}

static bool has(const char *words, const char *phrase) { return strstr(words, phrase) != NULL; }

static bool begins(const char *words, const char *phrase) {
  return strncmp(words, phrase, strlen(phrase)) == 0;
}

/* ---- alter table ---- */

typedef struct rule {
  const char *phrase, *unless; /* unless: a phrase with which it does not hold; NULL: none */
  const char *mode, *warning;
} rule;

static const rule alter_table[] = {
    {" validate constraint ", NULL, SHARE_UPDATE_EXCLUSIVE, NULL},
    {" foreign key ", " not valid ", SHARE_ROW_EXCLUSIVE,
     "reads the whole table while writes wait: add it `not valid`, then `validate constraint` in a file of "
     "its "
     "own"},
    {" foreign key ", NULL, SHARE_ROW_EXCLUSIVE, NULL},
    {" check ( ", " not valid ", ACCESS_EXCLUSIVE,
     "reads the whole table while nobody uses it: add it `not valid`, then `validate constraint` in a file "
     "of "
     "its own"},
    {" primary key ", " using index ", ACCESS_EXCLUSIVE,
     "makes an index while nobody uses the table: make it concurrently, then add it `using index`"},
    {" unique ", " using index ", ACCESS_EXCLUSIVE,
     "makes an index while nobody uses the table: make it concurrently, then add it `using index`"},
    {" set not null ", NULL, ACCESS_EXCLUSIVE,
     "reads the whole table while nobody uses it, unless a valid check says the same already"},
    {" set data type ", NULL, ACCESS_EXCLUSIVE, "may rewrite the whole table while nobody uses it"},
    {" type ", NULL, ACCESS_EXCLUSIVE, "may rewrite the whole table while nobody uses it"},
    {" generated always as ( ", NULL, ACCESS_EXCLUSIVE, "rewrites the whole table while nobody uses it"},
    {" as identity ", NULL, ACCESS_EXCLUSIVE, "a new identity column rewrites the whole table"},
    {" default gen_random_uuid ", NULL, ACCESS_EXCLUSIVE,
     "a new column with a value for each row rewrites the table"},
    {" default clock_timestamp ", NULL, ACCESS_EXCLUSIVE,
     "a new column with a value for each row rewrites the table"},
    {" default random ", NULL, ACCESS_EXCLUSIVE, "a new column with a value for each row rewrites the table"},
    {" set tablespace ", NULL, ACCESS_EXCLUSIVE, "copies the whole table while nobody uses it"},
    {" set logged ", NULL, ACCESS_EXCLUSIVE, "rewrites the whole table while nobody uses it"},
    {" set unlogged ", NULL, ACCESS_EXCLUSIVE, "rewrites the whole table while nobody uses it"},
    {" attach partition ", NULL, SHARE_UPDATE_EXCLUSIVE,
     "reads the whole partition, unless a valid check of it says its range already"},
    {" drop column ", NULL, ACCESS_EXCLUSIVE, "what is in the column is lost, and programs that use it fail"},
    {" rename ", NULL, ACCESS_EXCLUSIVE, "programs that use the old name fail"},
    {" set statistics ", NULL, SHARE_UPDATE_EXCLUSIVE, NULL},
    {" enable row level security ", NULL, ACCESS_EXCLUSIVE, NULL},
    {" ", NULL, ACCESS_EXCLUSIVE, NULL}};

/* ---- the others, by how they begin ---- */

static const rule others[] = {
    {" create index ", " concurrently ", SHARE,
     "writes wait until the index is made: `create index concurrently` in a file marked no-transaction"},
    {" create unique index ", " concurrently ", SHARE,
     "writes wait until the index is made: `create unique index concurrently` in a file marked "
     "no-transaction"},
    {" create index ", NULL, SHARE_UPDATE_EXCLUSIVE, NULL},
    {" create unique index ", NULL, SHARE_UPDATE_EXCLUSIVE, NULL},
    {" drop index ", " concurrently ", ACCESS_EXCLUSIVE, NULL},
    {" drop index ", NULL, SHARE_UPDATE_EXCLUSIVE, NULL},
    {" drop table ", NULL, ACCESS_EXCLUSIVE, "what is in the table is lost"},
    {" drop schema ", NULL, ACCESS_EXCLUSIVE, "what is in its tables is lost"},
    {" truncate ", NULL, ACCESS_EXCLUSIVE, "what is in the table is lost"},
    {" vacuum full ", NULL, ACCESS_EXCLUSIVE, "rewrites the whole table while nobody uses it"},
    {" vacuum ( full ", NULL, ACCESS_EXCLUSIVE, "rewrites the whole table while nobody uses it"},
    {" vacuum ", NULL, SHARE_UPDATE_EXCLUSIVE, NULL},
    {" analyze ", NULL, SHARE_UPDATE_EXCLUSIVE, NULL},
    {" cluster ", NULL, ACCESS_EXCLUSIVE, "rewrites the whole table while nobody uses it"},
    {" reindex ", " concurrently ", SHARE, "writes wait until the index is made: `reindex … concurrently`"},
    {" reindex ", NULL, SHARE_UPDATE_EXCLUSIVE, NULL},
    {" refresh materialized view ", " concurrently ", ACCESS_EXCLUSIVE,
     "nobody reads the view meanwhile: `refresh materialized view concurrently`"},
    {" comment on ", NULL, SHARE_UPDATE_EXCLUSIVE, NULL},
    {" create trigger ", NULL, SHARE_ROW_EXCLUSIVE, NULL},
    {" create policy ", NULL, ACCESS_EXCLUSIVE, NULL},
    {" drop policy ", NULL, ACCESS_EXCLUSIVE, NULL},
    {" lock ", NULL, ACCESS_EXCLUSIVE, "holds the table until the file is done"},
    {" update ", " where ", ROW_EXCLUSIVE,
     "changes every row in one transaction: a migration in Lua does it in batches"},
    {" delete ", " where ", ROW_EXCLUSIVE,
     "deletes every row in one transaction: a migration in Lua does it in batches"},
    {" update ", NULL, ROW_EXCLUSIVE, NULL},
    {" delete ", NULL, ROW_EXCLUSIVE, NULL},
    {" insert ", NULL, ROW_EXCLUSIVE, NULL},
    {" merge ", NULL, ROW_EXCLUSIVE, NULL}};

static void apply(const rule *r, ldr_table_lock *out) {
  out->mode = r->mode;
  out->warning = r->warning;
}

static void by_rules(const char *words, ldr_table_lock *out) {
  if (begins(words, " alter table ")) {
    for (const rule *r = alter_table;; r++)
      if (has(words, r->phrase) && !(r->unless && has(words, r->unless))) {
        apply(r, out);
        return;
      }
  }
  if (begins(words, " create ") && has(words, " table ") && has(words, " references ")) {
    out->mode = SHARE_ROW_EXCLUSIVE; /* on the table that is referred to */
    return;
  }
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    const rule *r = &others[i];
    if (!begins(words, r->phrase) || (r->unless && has(words, r->unless))) continue;
    apply(r, out);
    return;
  }
}

/* ---- what goes for good ---- */

/* `drop price` and `drop column price`, among the actions of alter table. */
static bool drops_column(const char *words) {
  static const char *const others_that_drop[] = {"constraint ", "not null ", "default ", "identity ",
                                                 "expression "};
  for (const char *p = words; (p = strstr(p, " drop ")) != NULL;) {
    bool column = true;
    p += strlen(" drop ");
    for (size_t i = 0; i < sizeof others_that_drop / sizeof *others_that_drop; i++)
      column = column && !begins(p, others_that_drop[i]);
    if (column) return true;
    p--; /* the blank may begin the next phrase */
  }
  return false;
}

static bool loses(const char *words) {
  static const char *const always[] = {" drop table ", " drop schema ", " drop database ",
                                       " drop owned ", " truncate ",    " delete "};
  static const char *const with_cascade[] = {" drop type ", " drop domain ", " drop extension "};
  if (begins(words, " alter table ")) return drops_column(words);
  for (size_t i = 0; i < sizeof always / sizeof *always; i++)
    if (begins(words, always[i])) return true;
  for (size_t i = 0; i < sizeof with_cascade / sizeof *with_cascade; i++)
    if (begins(words, with_cascade[i]) && has(words, " cascade ")) return true;
  return false;
}

/* ---- the table ---- */

static const char *behind(const char *words, const char *phrase) {
  const char *found = strstr(words, phrase);
  return found ? found + strlen(phrase) : NULL;
}

static const char *skip(const char *p, const char *word) {
  return strncmp(p, word, strlen(word)) == 0 ? p + strlen(word) : p;
}

static void name_table(const char *words, ldr_table_lock *out) {
  static const char *const markers[] = {" references ", " alter table ", " drop table ",  " truncate ",
                                        " update ",     " insert into ", " delete from ", " on "};
  const char *p = NULL;
  size_t n;
  for (size_t i = 0; i < sizeof markers / sizeof *markers && p == NULL; i++)
    if (i > 0 || begins(words, " create ")) p = behind(words, markers[i]);
  if (p == NULL || out->mode == NULL || begins(words, " drop index ")) return;
  p = skip(skip(skip(skip(p, "table "), "column "), "if exists "), "only ");
  n = strcspn(p, " ");
  if (n > LDR_LOCK_TABLE_MAX) n = LDR_LOCK_TABLE_MAX;
  memcpy(out->table, p, n);
  out->table[n] = '\0';
}

ldr_code ldr_lock_of(const char *sql, size_t n, ldr_table_lock *out, ldr_err *err) {
  ldr_buf words = {0};
  *out = (ldr_table_lock){0};
  words_of(sql, n, &words);
  if (ldr_buf_cstr(&words) == NULL) {
    ldr_buf_free(&words);
    return ldr_fail_nomem(err);
  }
  by_rules(words.p, out);
  name_table(words.p, out);
  out->loses = loses(words.p);
  if (out->loses && out->warning == NULL) out->warning = "what is in it is lost";
  ldr_buf_free(&words);
  return LDR_OK;
}

#include "postgres/protocol/errors.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/text.h"

/* First match wins, so that single states stand before their class. message: replaces the server's, which
 * quotes values. */
static const struct rule {
  const char *state; /* a whole SQLSTATE or its class */
  ldr_code code;
  const char *message;
} rules[] = {
    {"08", LDR_CONNECTION, NULL},
    {"0A", LDR_UNSUPPORTED, NULL},
    {"22001", LDR_INVALID, "a text is too long for its column"},
    {"22003", LDR_INVALID, "a number is out of the range of its type"},
    {"22004", LDR_NOT_NULL, "a null is not allowed here"},
    {"22007", LDR_INVALID, "a text is not a valid date or time"},
    {"22008", LDR_INVALID, "a date or time is out of range"},
    {"22009", LDR_INVALID, "a time zone offset is out of range"},
    {"22012", LDR_INVALID, "division by zero"},
    {"22021", LDR_INVALID, "a text is not valid UTF-8"},
    {"22025", LDR_INVALID, "a LIKE pattern must not end with the escape character"},
    {"22026", LDR_INVALID, "a value has the wrong length for its type"},
    {"22030", LDR_INVALID, "a JSON object has a duplicate key"},
    {"22032", LDR_INVALID, "a text is not valid JSON"},
    {"22P02", LDR_INVALID, "a text is not a valid value of its type"},
    {"22P03", LDR_INVALID, "a binary value does not fit its type"},
    {"22P04", LDR_INVALID, "the COPY data is malformed"},
    {"22P05", LDR_INVALID, "a character cannot be represented"},
    {"2200H", LDR_CAPACITY, "a sequence has no numbers left"},
    {"2200M", LDR_INVALID, "a text is not well-formed XML"},
    {"2200N", LDR_INVALID, "a text is not well-formed XML"},
    {"21", LDR_INVALID, NULL},
    {"2201B", LDR_INVALID, "a regular expression is not valid"},
    {"2202E", LDR_INVALID, "an array subscript is wrong"},
    {"22023", LDR_INVALID, "a parameter has a value that is not allowed"},
    {"22", LDR_INVALID, "a value is not allowed here"},
    {"23001", LDR_FOREIGN_KEY, NULL},
    {"23502", LDR_NOT_NULL, NULL},
    {"23503", LDR_FOREIGN_KEY, NULL},
    {"23505", LDR_CONFLICT, NULL},
    {"23P01", LDR_CONFLICT, NULL},
    {"23", LDR_CHECK, NULL},
    {"25001", LDR_UNSUPPORTED, NULL},
    {"25006", LDR_PERMISSION, "the transaction is read-only"},
    {"25P02", LDR_CLOSED, "transaction was aborted by an earlier error"},
    {"25P03", LDR_CONNECTION, NULL},
    {"25", LDR_CLOSED, NULL},
    {"24", LDR_INVALID, NULL},
    {"26", LDR_INTERNAL, NULL},
    {"28", LDR_PERMISSION, NULL},
    {"2B", LDR_FOREIGN_KEY, NULL},
    {"2D", LDR_INVALID, NULL},
    {"2F", LDR_INVALID, NULL},
    {"34", LDR_INVALID, NULL},
    {"38", LDR_INVALID, NULL},
    {"39", LDR_INVALID, NULL},
    {"3B", LDR_INVALID, NULL},
    {"3D", LDR_CONNECTION, NULL},
    {"3F", LDR_SYNTAX, NULL},
    {"40001", LDR_SERIALIZATION, "another transaction changed the data since this one began"},
    {"40P01", LDR_DEADLOCK, "transactions wait for each other's locks"},
    {"40002", LDR_CONFLICT, NULL},
    {"40003", LDR_COMMIT_UNKNOWN, NULL},
    {"40", LDR_SERIALIZATION, NULL},
    {"42501", LDR_PERMISSION, NULL},
    {"42", LDR_SYNTAX, NULL},
    {"44", LDR_CHECK, NULL},
    {"53", LDR_CAPACITY, NULL},
    {"54", LDR_INVALID, NULL},
    {"55P03", LDR_LOCK_TIMEOUT, "another transaction holds a lock that the statement needs"},
    {"55006", LDR_LOCKED, NULL},
    {"55", LDR_UNSUPPORTED, NULL},
    {"57014", LDR_CANCELED, NULL},
    {"57", LDR_CONNECTION, NULL},
    {"58", LDR_CAPACITY, NULL},
    {"72", LDR_SERIALIZATION, NULL},
    {"P0002", LDR_NOT_FOUND, NULL},
    {"P0", LDR_INVALID, NULL},
};

static const struct rule *rule_of(const char *state) {
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
    if (strncmp(state, rules[i].state, strlen(rules[i].state)) == 0) return &rules[i];
  return NULL;
}

static bool is(const ldr_pgfields *f, const char *state) { return strcmp(f->sqlstate, state) == 0; }

/* A function said this by RAISE: the words, and whatever SQLSTATE it chose, are its author's. */
static bool is_raised(const ldr_pgfields *f) { return strcmp(f->routine, "exec_stmt_raise") == 0; }

/* PostgreSQL's own classes begin with a digit below 5, or are these; the others are for users (ISO 9075). */
static bool is_users(const char *state) {
  if (*state == '\0' || strncmp(state, "F0", 2) == 0 || strncmp(state, "HV", 2) == 0) return false;
  return strncmp(state, "XX", 2) != 0 && (*state >= '5' || strncmp(state, "45", 2) == 0);
}

/* A node of a Citus cluster names constraints in the message only, as "name_102060" of the shard, and
 * a duplicate key met in COPY has no SQLSTATE of its own. */
static bool duplicate_key(const ldr_pgfields *f) {
  return is(f, "23505") || (is(f, "XX000") && strstr(f->message, "duplicate key value"));
}

/* The first quoted name after `word`, without a shard's number. */
static void name_from_message(const char *message, const char *word, char *out, size_t size) {
  const char *p = strstr(message, word), *end;
  size_t n, digits;
  if (p == NULL || (p = strchr(p, '"')) == NULL || (end = strchr(++p, '"')) == NULL) return;
  n = (size_t)(end - p);
  for (digits = 0; digits < n && p[n - 1 - digits] >= '0' && p[n - 1 - digits] <= '9';) digits++;
  if (digits >= 5 && digits < n && p[n - 1 - digits] == '_') n -= digits + 1;
  if (n >= size) n = size - 1;
  memcpy(out, p, n);
  out[n] = '\0';
}

/* Did the statement that was sent meet the fault itself? The context names what ran around it, innermost
 * first, in the server's language; of COPY the line. */
static bool is_nested(const ldr_pgfields *f) {
  return *f->context != '\0' && strncmp(f->context, "COPY ", 5) != 0;
}

static uint64_t domain_of(const ldr_pgfields *f) {
  char name[2 * 64 + 2]; /* names have up to 63 bytes */
  if (*f->datatype == '\0' || is_raised(f) || (!is(f, "23514") && !is(f, "23502"))) return 0;
  snprintf(name, sizeof name, "%s.%s", f->schema, f->datatype);
  return ldr_hash64(name, strlen(name), 0);
}

static void fill_names(const ldr_pgfields *f, ldr_err *err) {
  err->nested = is_nested(f);
  err->domain = domain_of(f);
  ldr_err_set(err->constraint, sizeof err->constraint, f->constraint);
  ldr_err_set(err->table, sizeof err->table, f->table);
  ldr_err_set(err->column, sizeof err->column, f->column);
  if (*f->constraint) return;
  if (duplicate_key(f) || strncmp(f->sqlstate, "23", 2) == 0)
    name_from_message(f->message, "constraint", err->constraint, sizeof err->constraint);
}

/* ---- words of any language ---- */

/* What stands around names: each language has its own. Bytes of a mark at s, 0: none is there. */
static size_t quote_mark(const char *s) {
  static const char *const marks[] = {"\"", "»", "«", "„", "“", "”", "「", "」"};
  for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
    if (strncmp(s, marks[i], strlen(marks[i])) == 0) return strlen(marks[i]);
  return 0;
}

/* The first mark at s or behind it; NULL: none. */
static const char *next_mark(const char *s) {
  while (*s && quote_mark(s) == 0) s++;
  return *s ? s : NULL;
}

static unsigned count_marks(const char *s) {
  unsigned n = 0;
  for (; (s = next_mark(s)); s += quote_mark(s)) n++;
  return n;
}

/* The first name in marks, without the spaces that some put within; "": none. s may begin with the end of
 * another one. */
static void marked_name(const char *s, char *out, size_t size) {
  static const char space[] = "\302\240"; /* one that does not break */
  const char *open = next_mark(s + quote_mark(s)), *from = open ? open + quote_mark(open) : NULL;
  const char *to = from ? next_mark(from) : NULL;
  *out = '\0';
  if (to == NULL) return;
  if (strncmp(from, space, 2) == 0) from += 2;
  if (to - from > 2 && strncmp(to - 2, space, 2) == 0) to -= 2;
  snprintf(out, size, "%.*s", (int)(to - from), from);
}

/* Names that the fields say hold marks of their own, which are none of the message's. */
static unsigned marks_around_names(const ldr_pgfields *f) {
  unsigned all = count_marks(f->message), within = count_marks(f->table) + count_marks(f->constraint);
  return all > within ? all - within : 0;
}

/* Which side of a reference is at fault. Whatever the language, the message names table and constraint when
 * the row that refers is written, and both tables when the one that is referred to is changed. */
static const char *reference_fault(const ldr_pgfields *f, bool deleting) {
  unsigned marks = marks_around_names(f);
  if (is(f, "23001") || deleting || marks >= 6) return LDR_FK_REFERRED;
  if (strstr(f->detail, "is still referenced")) return LDR_FK_REFERRED;
  if (strstr(f->detail, "is not present in table") || marks == 4) return LDR_FK_MISSING;
  return LDR_FK_EITHER;
}

/* What is said of the key of a unique or a reference; NULL: what the server said, if it is English. */
static const char *key_words(const ldr_pgfields *f, const char *rest, bool deleting, char *out, size_t size) {
  const char *side = is(f, "23503") || is(f, "23001") ? reference_fault(f, deleting) : NULL;
  char table[128];
  if (is(f, "23505")) return " already exists.";
  if (side == NULL || strcmp(side, LDR_FK_EITHER) == 0) return NULL;
  ldr_err_set(table, sizeof table, f->table);
  if (strcmp(side, LDR_FK_MISSING) == 0) marked_name(rest, table, sizeof table);
  if (*table == '\0') return NULL;
  snprintf(out, size, " is %s table \"%s\".",
           strcmp(side, LDR_FK_MISSING) == 0 ? "not present in" : "still referenced from", table);
  return out;
}

/* The ")=(" behind the columns, whose names and constants may hold it between quotes; NULL: there is none. */
static const char *end_of_columns(const char *open) {
  char quote = '\0'; /* the one that is open */
  for (const char *p = open; p && *p; p++) {
    if (quote == '\0' && strncmp(p, ")=(", 3) == 0) return p;
    if (quote == '\0' && (*p == '"' || *p == '\''))
      quote = *p;
    else if (*p == quote)
      quote = '\0';
  }
  return open ? strstr(open, ")=(") : NULL;
}

/* "Key (tenant_id, email)=(…) already exists." → without the values, in words of ours. Of the values their
 * hash alone is kept. */
static void key_detail(const ldr_pgfields *f, bool deleting, ldr_err *err) {
  const char *open = strchr(f->detail, '('), *eq = end_of_columns(open), *rest, *words;
  char text[sizeof err->detail + 1], said[200];
  bool english = strncmp(f->detail, "Key (", 5) == 0;
  if (eq == NULL) return;
  rest = strrchr(eq, ')'); /* a value may hold ')', the words behind it do not */
  if (english && rest[1] != ' ') return;
  err->key = ldr_hash_keyed(eq + 3, (size_t)(rest - eq - 3), 0);
  words = key_words(f, rest + 1, deleting, said, sizeof said);
  if (words == NULL) words = english ? rest + 1 : ".";
  snprintf(text, sizeof text, "Key %.*s%s", (int)(eq + 1 - open), open, words);
  ldr_err_set(err->detail, sizeof err->detail, text);
}

/* Classes whose details speak of objects and processes, not of rows. */
static bool detail_is_safe(const char *state) {
  static const char *const safe[] = {"08", "0A", "25", "28", "2B", "3D", "40", "42", "53", "55", "57"};
  for (size_t i = 0; i < sizeof safe / sizeof *safe; i++)
    if (strncmp(state, safe[i], 2) == 0) return true;
  return false;
}

static void fill_detail(const ldr_pgfields *f, bool deleting, ldr_err *err) {
  if (is_raised(f)) return; /* what it holds is the author's to know */
  if (strncmp(f->sqlstate, "23", 2) == 0)
    key_detail(f, deleting, err);
  else if (detail_is_safe(f->sqlstate))
    ldr_err_set(err->detail, sizeof err->detail, f->detail);
}

/* Constraint faults are said in our own words, which are those of the memory engine. */
static void fill_message(const ldr_pgfields *f, const struct rule *rule, bool deleting, ldr_err *err) {
  const char *name = err->constraint;
  char *m = err->message;
  size_t size = sizeof err->message;
  if (is_raised(f) || (*name == '\0' && strncmp(f->sqlstate, "23", 2) == 0 && !is(f, "23502")))
    ldr_err_set(m, size, f->message);
  else if (duplicate_key(f))
    snprintf(m, size, "duplicate value violates unique constraint \"%s\"", name);
  else if (is(f, "23503") || is(f, "23001"))
    snprintf(m, size, "%s: constraint \"%s\"", reference_fault(f, deleting), name);
  else if (is(f, "23514"))
    snprintf(m, size, "row violates check constraint \"%s\"", name);
  else if (is(f, "23502") && *f->column)
    snprintf(m, size, LDR_NOT_NULL_WORDS, err->column);
  else if (is(f, "23P01"))
    snprintf(m, size, "row conflicts with another: constraint \"%s\"", name);
  else
    ldr_err_set(m, size, rule && rule->message ? rule->message : f->message);
}

static const char *name_end(const char *s) {
  while ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || *s == '_') s++;
  return s;
}

/* The fault of a limit that the statement checked itself (see LDR_LIMIT_FAULT). Nothing but a field's name
 * and a number is taken over: a text of the caller may look alike. */
static bool limit_fault(const ldr_pgfields *f, ldr_err *err) {
  const char *name = is(f, "22P02") ? strstr(f->message, LDR_LIMIT_FAULT) : NULL, *end, *number;
  char field[64];
  bool top;
  if (name == NULL) return false;
  name += strlen(LDR_LIMIT_FAULT);
  end = name_end(name);
  top = strncmp(end, ":must be at most ", 17) == 0;
  if (end == name || end - name > 63 || (!top && strncmp(end, ":must be at least ", 18) != 0)) return false;
  number = end + (top ? 17 : 18);
  if (number[strspn(number, "+-.0123456789eInfity")] != ';') return false;
  snprintf(field, sizeof field, "%.*s", (int)(end - name), name);
  err->code = LDR_OK; /* *err may hold an older validation, to which this one would add */
  ldr_fail_field(err, field, "%.*s", (int)(strchr(end, ';') - end - 1), end + 1);
  return true;
}

static ldr_code code_of(const ldr_pgfields *f, const struct rule *rule) {
  if (duplicate_key(f)) return LDR_CONFLICT;
  /* a limit of the server's and somebody's cancel have one state: unless it says the latter, it was the limit
   */
  /* also a COPY that its client gave up */
  if (is(f, "57014") && strstr(f->message, "user request") == NULL && strncmp(f->routine, "Copy", 4) != 0)
    return LDR_TIMEOUT;
  if (rule) return rule->code;
  return is_users(f->sqlstate) ? LDR_INVALID : LDR_INTERNAL;
}

/* Who may mend a right that is missing, and how. The server's message names the object, in English alone: in
 * another language the hint names none. */
static void grant_hint(const ldr_pgfields *f, ldr_err *err) {
  static const struct {
    const char *kind, *right;
  } kinds[] = {{"table ", "select, insert, update, delete on table"},
               {"view ", "select on table"},
               {"foreign table ", "select on table"},
               {"sequence ", "usage on sequence"},
               {"schema ", "usage on schema"},
               {"function ", "execute on function"}};
  static const char denied[] = "permission denied for ";
  const char *of = f->message;
  char *hint = err->hint;
  if (strcmp(f->routine, "aclcheck_error") != 0) return; /* a policy's refusal has other remedies */
  if (strncmp(of, "must be owner", 13) == 0) return;
  if (strncmp(of, denied, sizeof denied - 1) == 0) of += sizeof denied - 1;
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    size_t n = strlen(kinds[i].kind);
    if (of == f->message || strncmp(of, kinds[i].kind, n) != 0) continue;
    snprintf(hint, sizeof err->hint, "its owner may: grant %s %s to the role that larder connects as",
             kinds[i].right, of + n);
    return;
  }
  ldr_err_set(hint, sizeof err->hint, "its owner may grant the right to the role that larder connects as");
}

ldr_code ldr_pgerr_fill(const ldr_pgfields *f, bool deleting, ldr_err *err) {
  const struct rule *rule = rule_of(f->sqlstate);
  if (limit_fault(f, err)) return err->code;
  /* PostgreSQL 18 tells RESTRICT from NO ACTION; the others, and the memory engine, do not */
  ldr_fail_state(err, code_of(f, rule), is(f, "23001") && !is_raised(f) ? "23503" : f->sqlstate, "%s", "");
  fill_names(f, err);
  fill_message(f, rule, deleting, err);
  fill_detail(f, deleting, err);
  /* One SQLSTATE for both; the message is translated, the server's function is not. */
  err->row_policy = is(f, "42501") && strcmp(f->routine, "ExecWithCheckOptions") == 0;
  if (strncmp(f->sqlstate, "22", 2) != 0) ldr_err_set(err->hint, sizeof err->hint, f->hint);
  if (*err->hint == '\0' && is(f, "42501") && !is_raised(f)) grant_hint(f, err);
  if (strcmp(f->routine, "call_string_check_hook") == 0) /* of 22023, whose message may hold a value */
    ldr_err_set(err->hint, sizeof err->hint,
                "the server has no such role, or does not take the value of a setting (db:with, set)");
  if (*err->hint == '\0' && (is(f, "42P01") || is(f, "3F000")))
    ldr_err_set(err->hint, sizeof err->hint,
                "db:migrate(family), or `larder migrate up`, makes the tables of a family");
  return err->code;
}

bool ldr_pgerr_stale(const ldr_pgfields *f) {
  return is(f, "26000") || is(f, "42P05") ||
         (is(f, "0A000") && strcmp(f->routine, "RevalidateCachedQuery") == 0);
}

bool ldr_pgerr_permanent(const ldr_err *err) {
  return strncmp(err->sqlstate, "28", 2) == 0 || strcmp(err->sqlstate, "3D000") == 0 ||
         strcmp(err->sqlstate, "42501") == 0 || err->code == LDR_INVALID;
}

bool ldr_pgerr_fatal(const char *sqlstate) {
  return strncmp(sqlstate, "57P", 3) == 0 || strcmp(sqlstate, "25P03") == 0;
}

/* ---- failed connections ---- */

/* FATAL:  28P01: password … → the place of "28P01", or NULL. The severity may be translated. */
static const char *find_state(const char *s) {
  for (const char *p = strstr(s, ":  "); p; p = strstr(p + 1, ":  "))
    if (strspn(p + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && strncmp(p + 8, ": ", 2) == 0)
      return p + 3;
  return NULL;
}

/* Where the severity before a state begins: after the last ": " or at the start of the line. */
static const char *before_severity(const char *line, const char *state) {
  const char *p = state - 3;
  while (p > line && p[-1] != ' ' && p[-1] != '\n') p--;
  return p;
}

/* Appends one line of libpq's text, without severity and state; the state is kept. */
static void add_line(const char *line, ldr_buf *out, char sqlstate[6]) {
  const char *state = find_state(line);
  if (out->n) ldr_buf_str(out, "; ");
  if (state == NULL) {
    ldr_buf_str(out, line);
    return;
  }
  memcpy(sqlstate, state, 5);
  ldr_buf_add(out, line, (size_t)(before_severity(line, state) - line));
  ldr_buf_str(out, state + strlen("28P01: "));
}

static ldr_code connect_code(const char *sqlstate) {
  if (strncmp(sqlstate, "28", 2) == 0 || strcmp(sqlstate, "42501") == 0) return LDR_PERMISSION;
  return strncmp(sqlstate, "53", 2) == 0 ? LDR_CAPACITY : LDR_CONNECTION;
}

ldr_code ldr_pgerr_connect(const char *text, ldr_err *err) {
  char sqlstate[6] = "";
  const char *message;
  ldr_buf out = {0};
  while (*text) {
    char line[400];
    size_t n = strcspn(text, "\n");
    if (n && *text != '\t' && strncmp(text, "LOCATION:", 9) != 0) {
      snprintf(line, sizeof line, "%.*s", (int)n, text);
      add_line(line, &out, sqlstate);
    }
    text += n;
    while (*text == '\n') text++;
  }
  message = ldr_buf_cstr(&out);
  ldr_fail_state(err, connect_code(sqlstate), sqlstate, "%s",
                 message && *message ? message : "cannot connect to the server");
  ldr_buf_free(&out);
  return err->code;
}

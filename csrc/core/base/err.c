#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[LDR_NCODES] = {
    [LDR_OK] = "ok",
    [LDR_PENDING] = "pending",
    [LDR_NOT_FOUND] = "not_found",
    [LDR_INVALID] = "invalid",
    [LDR_CONFLICT] = "conflict",
    [LDR_FOREIGN_KEY] = "foreign_key",
    [LDR_CHECK] = "check",
    [LDR_NOT_NULL] = "not_null",
    [LDR_SERIALIZATION] = "serialization",
    [LDR_DEADLOCK] = "deadlock",
    [LDR_LOCK_TIMEOUT] = "lock_timeout",
    [LDR_TIMEOUT] = "timeout",
    [LDR_CANCELED] = "canceled",
    [LDR_POOL_TIMEOUT] = "pool_timeout",
    [LDR_CONNECTION] = "connection",
    [LDR_COMMIT_UNKNOWN] = "commit_unknown",
    [LDR_PERMISSION] = "permission",
    [LDR_CAPACITY] = "capacity",
    [LDR_UNSUPPORTED] = "unsupported",
    [LDR_UNAUTHORIZED] = "unauthorized",
    [LDR_CLOSED] = "closed",
    [LDR_DIRTY] = "dirty",
    [LDR_LOCKED] = "locked",
    [LDR_DRIFT] = "drift",
    [LDR_SYNTAX] = "syntax",
    [LDR_INTERNAL] = "internal",
};

const char *ldr_code_name(ldr_code code) { return (unsigned)code < LDR_NCODES ? names[code] : "internal"; }

/* Clears the flags and the first byte of each text: cheaper than 2.5 KB of memset. */
static void clear(ldr_err *e, ldr_code code) {
  e->code = code;
  e->retryable = code == LDR_SERIALIZATION || code == LDR_DEADLOCK;
  e->row_policy = e->nested = false;
  e->sqlstate[0] = e->message[0] = e->constraint[0] = e->table[0] = '\0';
  e->column[0] = e->detail[0] = e->hint[0] = e->reason[0] = e->file[0] = '\0';
  e->line = e->place = 0;
  e->row = 0;
  e->key = e->domain = 0;
  e->nfields = e->fields_len = 0;
}

/* Cuts a text that vsnprintf truncated back to a whole UTF-8 character. */
static void trim(char *s, size_t size) {
  size_t n = strlen(s);
  if (n + 1 < size) return;
  while (n && ((unsigned char)s[n - 1] & 0xC0) == 0x80) n--;
  if (n && ((unsigned char)s[n - 1] & 0xC0) == 0xC0) n--;
  s[n] = '\0';
}

ldr_code ldr_fail(ldr_err *e, ldr_code code, const char *fmt, ...) {
  va_list ap;
  clear(e, code);
  va_start(ap, fmt);
  vsnprintf(e->message, sizeof e->message, fmt, ap);
  va_end(ap);
  trim(e->message, sizeof e->message);
  return code;
}

ldr_code ldr_fail_state(ldr_err *e, ldr_code code, const char *sqlstate, const char *fmt, ...) {
  va_list ap;
  clear(e, code);
  ldr_err_set(e->sqlstate, sizeof e->sqlstate, sqlstate);
  va_start(ap, fmt);
  vsnprintf(e->message, sizeof e->message, fmt, ap);
  va_end(ap);
  trim(e->message, sizeof e->message);
  return code;
}

ldr_code ldr_fail_aborted(ldr_err *e) {
  ldr_fail_state(e, LDR_CLOSED, "25P02", "transaction was aborted by an earlier error");
  ldr_err_set(
      e->hint, sizeof e->hint,
      "return that error; what may fail and be followed by more goes into a transaction inside of this one");
  return e->code;
}

ldr_code ldr_fail_nomem(ldr_err *e) { return ldr_fail(e, LDR_CAPACITY, "out of memory"); }

void ldr_err_add_field(ldr_err *e, const char *field, const char *text) {
  size_t nf = strlen(field) + 1, nt = strlen(text) + 1;
  if (nf + nt > sizeof e->fields - e->fields_len) return;
  memcpy(e->fields + e->fields_len, field, nf);
  memcpy(e->fields + e->fields_len + nf, text, nt);
  e->fields_len = (uint16_t)(e->fields_len + nf + nt);
  e->nfields++;
}

ldr_code ldr_fail_field(ldr_err *e, const char *field, const char *fmt, ...) {
  char text[200];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  trim(text, sizeof text);
  if (e->code != LDR_INVALID || e->nfields == 0) {
    clear(e, LDR_INVALID);
    snprintf(e->message, sizeof e->message, "%s %s", field, text);
    trim(e->message, sizeof e->message);
    ldr_err_set(e->column, sizeof e->column, field);
  }
  ldr_err_add_field(e, field, text);
  return LDR_INVALID;
}

ldr_code ldr_fail_element(ldr_err *e, const char *field, size_t i) {
  char text[200];
  const char *last = e->fields;
  for (unsigned k = 1; k < e->nfields; k++) last += strlen(last) + 1, last += strlen(last) + 1;
  if (e->nfields == 0 || strcmp(last, field) != 0) return e->code; /* there was no room for it */
  ldr_err_set(text, sizeof text, last + strlen(last) + 1);
  e->fields_len = (uint16_t)(last - e->fields);
  e->nfields--; /* with none left, the message is made anew, too */
  return ldr_fail_field(e, field, "element %zu %s", i, text);
}

void ldr_err_set(char *dst, size_t size, const char *src) {
  const char *end = src ? memchr(src, '\0', size) : NULL;
  size_t n = end ? (size_t)(end - src) : src ? size - 1 : 0;
  if (n) memmove(dst, src, n);
  dst[n] = '\0';
  if (src && end == NULL) trim(dst, size);
}

ldr_code ldr_err_reason(ldr_err *e, const char *reason) {
  ldr_err_set(e->reason, sizeof e->reason, reason);
  return e->code;
}

ldr_code ldr_err_at(ldr_err *e, const char *file, unsigned line, unsigned place) {
  ldr_err_set(e->file, sizeof e->file, file);
  e->line = line;
  e->place = place;
  return e->code;
}

ldr_code ldr_err_at_char(ldr_err *e, const char *text, size_t n, size_t chars) {
  unsigned line = 1, place = 1;
  for (size_t i = 0, seen = 0; i < n; i++) {
    if (((unsigned char)text[i] & 0xC0) == 0x80) continue; /* the rest of a character */
    if (seen++ == chars) break;
    place = text[i] == '\n' ? 1 : place + 1;
    line += text[i] == '\n';
  }
  return ldr_err_at(e, "", line, place);
}

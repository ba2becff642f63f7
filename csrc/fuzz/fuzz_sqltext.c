/* Any bytes: tokens and statements cover the text in order, without overlap, and end; places only grow. The
 * first byte says whether a backslash escapes. */
#include "fuzz.h"
#include "sqltext/split.h"

static void check_tokens(const char *text, size_t n, bool backslashes) {
  ldr_scanner s;
  ldr_token t;
  size_t end = 0;
  unsigned line = 1, column = 1;
  ldr_scan_init(&s, text, n);
  s.backslashes = backslashes;
  while (ldr_scan_next(&s, &t) != LDR_TOKEN_END) {
    promise(t.n > 0 && t.at >= end && t.n <= n - t.at);
    promise(t.line > line || (t.line == line && t.column >= column));
    for (size_t i = end; i < t.at; i++) promise(strchr(" \t\r\n\f\v", text[i]) && text[i]);
    promise(t.kind != LDR_TOKEN_OPEN || t.at + t.n == n);
    end = t.at + t.n;
    line = t.line;
    column = t.column;
  }
  promise(s.at == n);
}

static void check_statements(const char *text, size_t n) {
  ldr_splitter p;
  ldr_statement s;
  ldr_err err;
  ldr_code code;
  size_t end = 0;
  ldr_split_init(&p, text, n);
  while ((code = ldr_split_next(&p, &s, &err)) == LDR_OK) {
    promise(s.n > 0 && s.at >= end && s.n <= n - s.at);
    end = s.at + s.n;
    if (s.kind != LDR_STATEMENT_COPY_IN) continue;
    promise(s.data_at >= end && s.data_n <= n - s.data_at);
    end = s.data_at + s.data_n;
  }
  promise(code == LDR_NOT_FOUND || (code == LDR_SYNTAX && strncmp(err.message, "line ", 5) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  const char *text = (const char *)data;
  if (n == 0) return 0;
  check_tokens(text + 1, n - 1, data[0] & 1);
  check_statements(text + 1, n - 1);
  (void)ldr_sqltext_effects(text + 1, n - 1);
  promise(ldr_mem_live() == 0);
  return 0;
}

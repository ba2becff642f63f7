#include "postgres/statement/literal.h"

#include <string.h>

void ldr_sql_literal(ldr_buf *out, const char *s, size_t n) {
  ldr_buf_str(out, memchr(s, '\\', n) ? "E'" : "'");
  for (size_t i = 0; i < n; i++) {
    if (s[i] == '\'' || s[i] == '\\') ldr_buf_chr(out, s[i]);
    ldr_buf_chr(out, s[i]);
  }
  ldr_buf_chr(out, '\'');
}

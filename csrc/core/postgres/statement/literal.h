/* A text of a declaration as a literal of SQL. */
#ifndef LDR_POSTGRES_STATEMENT_LITERAL_H
#define LDR_POSTGRES_STATEMENT_LITERAL_H

#include "base/buf.h"

/* 'quoted', right whatever standard_conforming_strings says: of a declaration, never of a caller. */
void ldr_sql_literal(ldr_buf *out, const char *s, size_t n);

#endif

/* Text search vectors, which the database makes and stores read. */
#ifndef LDR_VALUES_TSVECTOR_H
#define LDR_VALUES_TSVECTOR_H

#include "base/buf.h"

/* Appends what PostgreSQL prints of its binary form: 'cat':3 'rat':12A,13. false: it is malformed. */
bool ldr_tsvector_text(const char *p, size_t n, ldr_buf *out);

#endif

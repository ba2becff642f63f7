/* Bit strings: bit(n) and bit varying, as texts of 0 and 1. */
#ifndef LDR_VALUES_BITS_H
#define LDR_VALUES_BITS_H

#include "base/buf.h"

/* The value is PostgreSQL's binary form: be32 bits, then the bytes, the first bit on top; what is left of the
 * last byte is zero. */
enum { LDR_BITS_HEAD = 4 };

bool ldr_bits_ok(const char *p, size_t n);
uint32_t ldr_bits_count(const char *p);
/* Appends the value of a text of 0 and 1; false: it is none, or out is broken. */
bool ldr_bits_parse(const char *s, size_t n, ldr_buf *out);
void ldr_bits_format(const char *p, ldr_buf *out); /* appends the text */
/* By bytes; of strings that are alike as far as both go, the shorter comes first. */
int ldr_bits_cmp(const char *a, size_t na, const char *b, size_t nb);

#endif
